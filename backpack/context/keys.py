"""The keys of one conversation: its messages, and beside them what is known of each."""

from collections.abc import Iterable, Iterator
from typing import Final

from backpack.store.names import checked_key

KEY_DEFAULT: Final = "messages"
_BESIDE: Final = ".context"


class Keys:
    """What stands where."""

    __slots__ = ("about", "log", "messages", "present", "records", "replaced")

    def __init__(self, key: str) -> None:
        self.messages = checked_key(key)
        """The list of all messages, as they came."""
        beside = self.messages + _BESIDE
        self.records = checked_key(f"{beside}.records")
        """A list: a record a message (tokens, size, check, role, kind, usage)."""
        self.present = checked_key(f"{beside}.present")
        """The compression in force: what stays, what is summarized, the summary."""
        self.replaced = checked_key(f"{beside}.replaced")
        """A list: messages that the context has in a shorter form."""
        self.log = checked_key(f"{beside}.log")
        """A list: the figures of each compression."""
        self.about = checked_key(f"{beside}.about")
        """The model, its window, and above which figures of the governor the context is, as of the last time they were
        others."""

    def __iter__(self) -> Iterator[str]:
        return iter((self.messages, self.records, self.present, self.replaced, self.log, self.about))


def conversations_among(keys: Iterable[str]) -> list[str]:
    """The keys at which conversations are: those beside which records stand. In order. O(keys)."""
    known = set(keys)
    end = f"{_BESIDE}.records"
    return sorted(key.removesuffix(end) for key in known if key.endswith(end) and key.removesuffix(end) in known)
