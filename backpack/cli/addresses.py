"""Which commit an AT of the command line means.

In this order: `ckpt-latest`, the newest checkpoint; a seq; what `bp.commit` takes as text (`HEAD~3`, a checkpoint's
name, a whole id, a unique beginning of one); a time as ISO 8601: `2026-11-21`, `2026-11-21T10:30`,
`2026-11-21 10:30:00Z`. A time without an offset is local time, which is what `log` and `show` write.
"""

import re
import shlex
from datetime import datetime
from typing import Final

from backpack import Backpack
from backpack.errors import CommitNotFoundError, InvalidArgumentError
from backpack.terminal.words import printable

_LATEST: Final = "ckpt-latest"
"""`LATEST` of `memory/checkpoints.py`, which is imported when somebody says it."""

_TIME: Final = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ].*)?", re.ASCII)
_SEQ: Final = re.compile(r"\d{1,18}", re.ASCII)


def seq_of(bp: Backpack, text: str, *, with_key: str = "show HEAD {key}") -> int:
    """The seq that AT means, 0 for the empty beginning; errors as of `bp.snapshot`.

    `with_key`: the command that whoever named a key in the place of a commit may have meant.
    """
    if text == _LATEST:
        from backpack.memory import Memory  # not needed by most commands, and they start sooner

        return Memory(bp).checkpoints.seq()
    if _SEQ.fullmatch(text) and int(text) <= _head(bp):
        return bp.snapshot(int(text)).seq
    try:
        return bp.snapshot(text).seq
    except CommitNotFoundError:
        time = time_of(text)
        if time is None:
            better = _better_error(bp, text, with_key)
            if better is None:
                raise
            raise better from None
    return bp.snapshot(time).seq


def _better_error(bp: Backpack, text: str, with_key: str) -> CommitNotFoundError | None:
    """What is more likely than an id that was mistyped: a key, or a seq that is too high."""
    if bp.version(text):
        command = f"backpack {with_key.format(key=shlex.quote(text))}"
        return CommitNotFoundError(f"{text!r} names no commit, it is a key: {command}", at=text)
    if _SEQ.fullmatch(text):
        return CommitNotFoundError(f"there is no commit {text}: the newest is {_head(bp)}", at=text)
    return None


def first_behind(bp: Backpack, text: str, *, with_key: str) -> int | None:
    """The first commit that `--before AT` leaves out, None if it leaves out none.

    A commit is left out itself; of a time, every commit after it.
    """
    seq = seq_of(bp, text, with_key=with_key)
    if not _is_time(bp, text):
        return seq
    return seq + 1 if seq < _head(bp) else None


def time_of(text: str) -> datetime | None:
    """The aware time that a text is, None if it does not look like one."""
    if not _TIME.fullmatch(text):
        return None
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone()
    except (ValueError, OverflowError):
        raise InvalidArgumentError(f"not a time: {printable(text)} (try 2026-11-21T10:30)") from None


def _is_time(bp: Backpack, text: str) -> bool:
    if not _TIME.fullmatch(text):
        return False
    return text not in {checkpoint.name for checkpoint in bp.checkpoints()}


def _head(bp: Backpack) -> int:
    return 0 if bp.head is None else bp.head.seq
