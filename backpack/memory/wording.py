"""Counts in sentences."""


def counted(count: int, noun: str, nouns: str | None = None) -> str:
    """A count and what is counted; `nouns` where more than one is not the noun and an s.

    >>> counted(1, "token"), counted(2_000, "token"), counted(0, "entry", "entries")
    ('1 token', '2,000 tokens', '0 entries')
    """
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"
