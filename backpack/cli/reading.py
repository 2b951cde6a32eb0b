"""Values that may not be within reach of the command line: dropped, purged, or of a class that only a program knows."""

from collections.abc import Callable
from typing import Any

from backpack import Unavailable
from backpack.errors import UnknownTypeError
from backpack.terminal.words import size_shown


def readable(read: Callable[[], Any]) -> tuple[Any, str | None]:
    """The value and None, or None and why it can't be shown."""
    try:
        value = read()
    except UnknownTypeError as error:
        return None, f"of a type that only the program that registers it can read: {error.name}"
    if isinstance(value, Unavailable):
        return None, f"{value.reason}, {size_shown(value.size)}"
    return value, None
