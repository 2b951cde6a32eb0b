"""Under which keys the runs of a file go: a prefix for each, from its name.

`17` becomes `run-017`, `trip to rome` becomes `trip_to_rome`; a dot would be another level of keys, so it becomes `_`
too. A name that is there already gets a number behind it. A prefix has at most 96 bytes, which leaves room for the
longest key below it.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

from backpack import Backpack
from backpack.errors import InvalidArgumentError
from backpack.runs import Run

SIZE_MAX: Final = 96
"""Bytes of UTF-8 in a prefix."""

_DIGITS_MIN: Final = 3
_MARK_SIZE: Final = 8


def prefixes_of(runs: Sequence[Run]) -> list[str]:
    """One prefix a run, without the dot behind it; all of them different."""
    numbers = [int(run.name) for run in runs if _is_number(run.name)]
    digits = max(_DIGITS_MIN, len(str(max(numbers, default=0))))
    prefixes: dict[str, None] = {}
    counts: dict[str, int] = {}
    """How many of a name there were."""
    for run in runs:
        name = f"run-{int(run.name):0{digits}}" if _is_number(run.name) else _segment(run.name)
        prefix, count = name, counts.get(name, 1)
        while prefix in prefixes:
            count += 1
            prefix = f"{name}-{count}"
        prefixes[prefix], counts[name] = None, count
    return list(prefixes)


def taken(bp: Backpack, prefixes: Iterable[str]) -> str | None:
    """One of the prefixes below which the store has a key already; None if there is none. Cost: O(keys)."""
    wanted = set(prefixes)
    for key in bp:
        stop = key.find(".")
        while stop >= 0:
            if key[:stop] in wanted:
                return key[:stop]
            stop = key.find(".", stop + 1)
    return None


def below(parent: str, prefixes: Iterable[str]) -> list[str]:
    """The prefixes below a key of the user's, which is checked."""
    size = len(parent.encode("utf-8", "surrogatepass"))
    if not parent or parent.endswith(".") or size > SIZE_MAX:
        raise InvalidArgumentError(f"--prefix must be a key of 1 to {SIZE_MAX} bytes without a dot at its end")
    return [f"{parent}.{prefix}" for prefix in prefixes]


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) <= 18


def _segment(name: str) -> str:
    """A name as one segment of a key."""
    segment = "".join("_" if letter == "." or letter.isspace() else letter for letter in name)
    data = segment.encode()
    if len(data) <= SIZE_MAX:
        return segment
    mark = hashlib.sha256(data).hexdigest()[:_MARK_SIZE]
    return data[: SIZE_MAX - _MARK_SIZE - 1].decode("utf-8", "ignore") + f"~{mark}"
