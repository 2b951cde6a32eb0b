"""Which commit an `at` means: a Commit, a seq, "HEAD~3", a checkpoint, an id or the beginning of one, a time."""

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from backpack.core.commit import Commit, to_ns
from backpack.core.ids import PREFIX_SIZE_MIN
from backpack.errors import CommitNotFoundError, CommitPrunedError, InvalidArgumentError

if TYPE_CHECKING:
    from backpack.core.engine import Engine
    from backpack.core.past import Past

At = Commit | int | str | datetime
"""What users may say for a commit."""

_MICROSECOND_NS: Final = 1000
_HEAD: Final = re.compile(r"HEAD(?:~([0-9]{0,18}))?")


def required(at: At) -> At:
    """The `at` of a call that has to be given one. There None means nothing, least of all the newest: `head` is None in
    an empty store, and the `parent` of the first commit is. `InvalidArgumentError`."""
    if at is None:
        raise InvalidArgumentError("None names no commit: 0 is the empty beginning, 'HEAD' the newest")
    return at


def resolve(engine: "Engine", at: At | None) -> int:
    """The `seq` that `at` means: a commit that can be read, or 0 for the empty beginning. None is the newest.

    Raises `CommitNotFoundError` for what never was or is ambiguous, `CommitPrunedError` for what has gone.
    """
    timeline = engine.timeline
    if at is None:
        return timeline.head
    if isinstance(at, Commit):
        seq = at.seq
        if seq > timeline.head or engine.epoch.id_of(seq) != at.id:
            raise CommitNotFoundError(f"that commit is not of this store: seq={seq} id={at.id}", at=at.id)
    elif isinstance(at, bool):
        raise InvalidArgumentError("a commit is named by a Commit, a seq, a str or an aware datetime, not by a bool")
    elif isinstance(at, int):
        seq = at
        if not 0 <= seq <= timeline.head:
            raise CommitNotFoundError(f"there is no commit seq={seq}; the newest is seq={timeline.head}", at=at)
    elif isinstance(at, str):
        seq = _resolve_text(engine, at)
    elif isinstance(at, datetime):
        return _resolve_time(engine, at)
    else:
        raise InvalidArgumentError(
            f"a commit is named by a Commit, a seq, a str or an aware datetime, not by {type(at).__name__}"
        )
    if seq and not timeline.has(seq) and (engine.past is None or not engine.past.has(seq)):
        raise pruned_error(engine, at if not isinstance(at, Commit) else at.id, seq)
    return seq


def resolve_whole(engine: "Engine", at: At | None) -> int:
    """The same of a commit that a copy can begin with: `CommitPrunedError` where the past of the engine has lost it and
    open snapshots alone hold what memory has of it."""
    seq = resolve(engine, at)
    if engine.past is not None and 0 < seq < engine.past.first_seq and not engine.past.has(seq):
        raise pruned_error(engine, at.id if isinstance(at, Commit) else at, seq)
    return seq


def pruned_error(engine: "Engine", at: Any, seq: int | None = None) -> CommitPrunedError:
    """The error for a commit that has left for good."""
    oldest = engine.timeline.first if engine.past is None else engine.past.first_seq
    which = "" if seq is None else f" seq={seq}"
    if seq is not None and engine.past is not None and seq >= oldest:
        return CommitPrunedError(
            f"that commit was lost to damage before the store was recovered:{which} at={at!r}", at=at, oldest=oldest
        )
    return CommitPrunedError(
        f"that commit was pruned:{which} at={at!r}; the oldest left is seq={oldest}", at=at, oldest=oldest
    )


def _resolve_text(engine: "Engine", text: str) -> int:
    head = engine.timeline.head
    match = _HEAD.fullmatch(text)
    if match is not None:
        back = match[1]
        seq = head - (0 if back is None else int(back or 1))
        if seq < 1 and not (back is None and not head):
            raise CommitNotFoundError(f"{text} lies before the first commit; there were {head}", at=text)
        return seq
    if text in engine.pins.checkpoints:
        return engine.pins.checkpoints[text][0]
    if len(text) >= PREFIX_SIZE_MIN:
        found = list(engine.epoch.seqs_of(text, head))
        if len(found) == 1:
            return found[0]
        if found:
            raise CommitNotFoundError(f"{text!r} begins the ids of {len(found)} commits: give more of it", at=text)
    raise CommitNotFoundError(
        f"no checkpoint and no commit id is {text!r} (the beginning of an id needs {PREFIX_SIZE_MIN} characters)",
        at=text,
    )


def bound(engine: "Engine", at: At, *, is_end: bool) -> int:
    """Where a list of commits begins (behind that `seq`) or, `is_end`, stops (before it).

    A commit is named as for `resolve`, and is not in the list. Of a time, those made at that very microsecond are not
    in it; it may be one whose commits have left, since it asks for none of them.
    """
    if not isinstance(at, datetime):
        return resolve(engine, at)
    time_ns = _checked_ns(at) - (_MICROSECOND_NS if is_end else 0)
    seq = engine.timeline.last_at(time_ns) if engine.past is None else engine.past.seq_at(time_ns)
    return seq + is_end


def _resolve_time(engine: "Engine", time: datetime) -> int:
    timeline = engine.timeline
    time_ns = _checked_ns(time)
    if engine.past is not None:
        return _resolve_archived_time(engine, engine.past, time, time_ns)
    seq = timeline.last_at(time_ns)
    if not seq:
        if timeline.front_time is not None and timeline.front_time <= time_ns:
            raise pruned_error(engine, time)
        return 0
    gap = timeline.gaps.get(timeline.next_after(seq))
    if gap is not None and gap.first_time <= time_ns:
        raise pruned_error(engine, time)
    return seq


def _checked_ns(time: datetime) -> int:
    """The last nanosecond that is shown as this time, if it is an aware one."""
    try:
        is_aware = time.tzinfo is not None and time.utcoffset() is not None
    except Exception as error:  # code of the user's
        raise InvalidArgumentError(
            f"the tzinfo of a time can't be worked with: type={type(time.tzinfo).__name__} "
            f"error={type(error).__name__}; use a ZoneInfo or a timezone"
        ) from None
    if not is_aware:
        raise InvalidArgumentError("a time must be aware: give the datetime a tzinfo, such as datetime.UTC")
    return to_ns(time)


def _resolve_archived_time(engine: "Engine", past: "Past", time: datetime, time_ns: int) -> int:
    seq = past.seq_at(time_ns)
    if seq and not past.has(seq):
        raise pruned_error(engine, time, seq)
    return seq
