"""Finding the newlines of bytes by counting them, which is what C does fast.

A line ends at `b"\\n"` and nowhere else: a carriage return, a form feed or U+2028 is a character of its line.
"""

from typing import Final

_STEP: Final = 64 * 1024
_SHORT: Final = 256


def after_newline(data: bytes | bytearray, number: int, start: int = 0) -> int | None:
    """The position behind the `number`-th newline (counted from 1) at or after `start`; None when there are fewer.

    Cost: one count of the bytes up to there, and of at most 64 KiB twice.
    """
    size = len(data)
    while start < size:
        count = data.count(b"\n", start, start + _STEP)
        if count >= number:
            return _within(data, number, start, min(start + _STEP, size))
        number -= count
        start += _STEP
    return None


def _within(data: bytes | bytearray, number: int, start: int, stop: int) -> int:
    """The same between two positions, where there are that many."""
    while stop - start > _SHORT:
        middle = (start + stop) // 2
        count = data.count(b"\n", start, middle)
        if count >= number:
            stop = middle
        else:
            number -= count
            start = middle
    for _ in range(number):
        start = data.index(b"\n", start, stop) + 1
    return start
