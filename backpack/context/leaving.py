"""The one line that stands for messages which left without a summary: how many, and what names their exact words.

    [12 earlier messages left this conversation: mem://mem-20261121-151102-0af31c77]
    References: mem://mem-20261121-151102-0af31c78

The second line is there where what left refers to something.
"""

import re
from typing import Final

LINE_TOKENS: Final = 48
"""Room that is kept free for it: a line with a reference and the frame of its message, by any tokenizer of today."""

_LINE: Final = re.compile(
    r"\[(\d{1,12}) earlier messages? left this conversation(?:: mem://[^\s\]]{1,200})?\](?:\nReferences\b[^\n]*)?"
)


def left_line(count: int, reference: str) -> str:
    """The line for so many messages in all; `reference` names their words, and may be empty."""
    named = f": {reference}" if reference else ""
    return f"[{count} earlier message{'' if count == 1 else 's'} left this conversation{named}]"


def left_count(text: str) -> int | None:
    """How many messages such a line is of; None for a text that is none."""
    found = _LINE.fullmatch(text)
    return None if found is None else int(found[1])
