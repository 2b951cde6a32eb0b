"""What a saver writes down, as plain lists, and the proof that what was read is such a list.

    checkpoint  [1, namespace, id, parent, base, head, metadata, marks, versions, seen, values, added, is hidden]
    writes      [2, namespace, checkpoint id, task id, task path, [[index, channel, value]...], added]
    leaving     [3, [[namespace, id, stays hidden]...]]

The records of a thread stand one behind another in lists of up to 48 KiB, each list a key. Nothing in them is ever
changed; a thread that is pruned is written anew.

`base` is the number of an earlier checkpoint record of the thread (0 is its first) that this one is told from, or None:
`versions`, `seen` and `values` say only what differs. In the two former a number means that one of `marks`, and -1 that
the name is gone; a value of None says that the channel has none. `parent` is True where it is the base's id.
`head` is `[v, ts, updated channels (False: not given), rest]`; `rest` and `metadata` are values that stand whole.

A *value* is `[type tag of the serializer, part...]`: a part is bytes, or two numbers, from where up to where in the
*strand* of its channel. A strand is all that the records of a thread have *added* under this channel's name, in order:
`{channel: bytes}`, or `{channel: [number, size]}` for long bytes, which stand under a key of their own,
`langgraph.saver.<thread>.bytes.<number>`.
"""

from typing import Any, Final, NoReturn

from backpack.errors import CorruptionError

CHECKPOINT, WRITES, LEAVING = 1, 2, 3
CHECKPOINT_LENGTH: Final = 13
WRITES_LENGTH: Final = 7
LEAVING_LENGTH: Final = 2

GONE: Final = -1
"""In place of a mark: the name is no longer there."""

NO_UPDATED: Final = False
"""The checkpoint said nothing of updated channels."""

Typed = tuple[str, bytes]
"""What a serializer makes of an object."""

Value = list[Any]
"""`[type tag, part...]`."""

Added = dict[str, Any]

_VERSION_TYPES: Final = (str, int, float)


def check_record(record: Any) -> None:
    """Return when it is a record in one of the shapes above, `CorruptionError` when not.

    Numbers that point elsewhere (marks, bases, strands) are checked where they are followed.
    """
    if type(record) is not list or not record or type(record[0]) is not int:
        _refuse("it is no record")
    kind = record[0]
    if kind == CHECKPOINT and len(record) == CHECKPOINT_LENGTH:
        _check_checkpoint(record)
    elif kind == WRITES and len(record) == WRITES_LENGTH:
        _check_writes(record)
    elif kind == LEAVING and len(record) == LEAVING_LENGTH:
        _check_leaving(record)
    else:
        _refuse("it is of no known kind")


def _check_checkpoint(record: list[Any]) -> None:
    _, namespace, name, parent, base, head, metadata, marks, versions, seen, values, added, is_hidden = record
    is_right = (
        type(namespace) is str
        and type(name) is str
        and (parent is None or parent is True or type(parent) is str)
        and (base is None or (type(base) is int and base >= 0))
        and not (parent is True and base is None)
        and type(head) is list
        and len(head) == 4
        and type(marks) is list
        and all(type(mark) in _VERSION_TYPES for mark in marks)
        and _is_marked(versions, len(marks))
        and type(seen) is dict
        and all(type(node) is str and (one == GONE or _is_marked(one, len(marks))) for node, one in seen.items())
        and type(values) is dict
        and type(is_hidden) is bool
    )
    if not is_right:
        _refuse("a checkpoint has parts of other types")
    _, _, updated, rest = head
    if not (updated is None or updated is False or type(updated) is list):
        _refuse("a checkpoint has parts of other types")
    _check_whole(metadata)
    if rest is not None:
        _check_whole(rest)
    for channel, value in values.items():
        if type(channel) is not str:
            _refuse("the name of a channel is no text")
        if value is not None:
            _check_value(value)
    _check_added(added)


def _check_writes(record: list[Any]) -> None:
    _, namespace, name, task, path, writes, added = record
    if not all(type(text) is str for text in (namespace, name, task, path)) or type(writes) is not list:
        _refuse("writes have parts of other types")
    for write in writes:
        if type(write) is not list or len(write) != 3 or type(write[0]) is not int or type(write[1]) is not str:
            _refuse("a write has parts of other types")
        _check_value(write[2])
    _check_added(added)


def _check_leaving(record: list[Any]) -> None:
    if type(record[1]) is not list:
        _refuse("what leaves is no list")
    for one in record[1]:
        if type(one) is not list or len(one) != 3 or type(one[0]) is not str or type(one[1]) is not str:
            _refuse("what leaves is not named")


def _check_value(value: Any) -> None:
    if type(value) is not list or len(value) < 1 or type(value[0]) is not str:
        _refuse("a value has no type tag")
    numbers = 0
    for part in value[1:]:
        if type(part) is bytes:
            if numbers % 2:
                _refuse("a value has half a slice")
        elif type(part) is int:
            numbers += 1
        else:
            _refuse("a value has a part that is no bytes and no slice")
    if numbers % 2:
        _refuse("a value has half a slice")


def _check_whole(value: Any) -> None:
    _check_value(value)
    if not all(type(part) is bytes for part in value[1:]):
        _refuse("what belongs to no channel is cut from one")


def _check_added(added: Any) -> None:
    if type(added) is not dict:
        _refuse("what it adds is no mapping")
    for channel, piece in added.items():
        is_far = type(piece) is list and len(piece) == 2 and all(type(one) is int and one >= 0 for one in piece)
        if type(channel) is not str or not (type(piece) is bytes or is_far):
            _refuse("what it adds is neither bytes nor their number")


def _is_marked(versions: Any, count: int) -> bool:
    return type(versions) is dict and all(
        type(name) is str and type(mark) is int and GONE <= mark < count for name, mark in versions.items()
    )


def _refuse(why: str) -> NoReturn:
    raise CorruptionError(f"a stored record of a LangGraph thread is not what was written: {why}")
