"""What a conversation is by what its keys hold: read with care, because others may have written there.

A list to which others have appended, or in which other messages stand, is read for what it is: its messages are
counted, and a compression of others counts for nothing. So does a damaged record or figure: what is left out is told.
A shorter form says of which message it is, so whatever was restored while it was made, no other is shown by it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

import xxhash
from msgpack import Unpacker

from backpack.codec import pack_value, unpack_value
from backpack.context.keys import Keys
from backpack.context.present import Part, Present
from backpack.context.record import (
    Compression,
    InForce,
    Record,
    Spent,
    check_of,
    compression_of,
    in_force_of,
    record_of,
)
from backpack.core.headers import read_array_header
from backpack.errors import CorruptionError, NotAListError

_DEPTH: Final = 1
_REPLACED_LENGTH: Final = 4

_Read = TypeVar("_Read")

CountMessage = Callable[[bytes], Record]
"""What a packed message is found to be that nobody has counted."""


@dataclass(slots=True)
class Loaded:
    """A conversation as it was read."""

    present: Present
    spent: list[Spent]
    """What each call took."""
    log: list[Compression]
    about: dict[str, Any]
    unwritten: list[Record]
    """Of messages at the end that others have appended: the next commit writes them."""
    fault: str | None
    """What of it couldn't be believed and was left out."""


@dataclass(frozen=True, slots=True)
class Account:
    """What a conversation took, summarizers included."""

    messages: int
    input: int
    output: int
    picodollars: int
    compressions: int


def loaded(keys: Keys, payloads: Mapping[str, bytes | None], count: CountMessage, *, is_sorting: bool) -> Loaded:
    """A conversation by the payloads of its keys. O(messages); what has no record is counted by `count`.

    `NotAListError`, `CorruptionError` when there are no messages to be had at its key.
    """
    packed = _items(keys.messages, payloads[keys.messages])
    stored, lost = _whole(_value(payloads[keys.records], list, []), record_of)
    log, forgotten = _whole(_value(payloads[keys.log], list, []), compression_of)
    records = _matched(stored, packed, count)
    in_force, fault = _in_force(_value(payloads[keys.present], dict, None), packed)
    present = _present(packed, records, in_force, is_sorting=is_sorting)
    present.replace(_replaced(_value(payloads[keys.replaced], list, []), records))
    return Loaded(
        present,
        [one.spent for one in stored if one is not None and one.spent is not None],
        [one for one in log if one is not None],
        _value(payloads[keys.about], dict, {}),
        records[len(stored) :] if records[: len(stored)] == stored else [],
        _faults(fault, lost, forgotten),
    )


def account_of(messages: int, records: Sequence[Any], log: Sequence[Any]) -> Account:
    """What so many messages took, by the records and figures that are stored, damaged ones not counted."""
    spent = [one.spent for one in _whole(records, record_of)[0] if one is not None and one.spent is not None]
    compressions = [one for one in _whole(log, compression_of)[0] if one is not None]
    return Account(
        messages,
        sum(one.usage.input for one in spent) + sum(one.input_tokens for one in compressions),
        sum(one.usage.output for one in spent) + sum(one.output_tokens for one in compressions),
        sum(one.picodollars for one in spent) + sum(one.picodollars for one in compressions),
        sum(one.what == "compression" for one in compressions),
    )


def no_list(key: str) -> NotAListError:
    """The error of a key whose value is no list of messages."""
    return NotAListError(f"a conversation is a list of messages: the value at key={key!r} is something else", key=key)


def _items(key: str, payload: bytes | None) -> list[bytes]:
    """The packed items of a packed list."""
    if payload is None:
        return []
    header = read_array_header(payload)
    if header is None:
        raise no_list(key)
    count, start = header
    unpacker = Unpacker(max_buffer_size=len(payload) or 1)
    unpacker.feed(payload)
    found = []
    try:
        unpacker.read_array_header()
        for _ in range(count):
            unpacker.skip()
            stop = unpacker.tell()
            found.append(payload[start:stop])
            start = stop
    except Exception as error:
        fault = type(error).__name__
    else:
        return found
    raise CorruptionError(f"the messages of a conversation can't be told apart: key={key!r} fault={fault}")


def _value(payload: bytes | None, kind: type, default: Any) -> Any:
    if payload is None:
        return default
    value = unpack_value(payload)
    return value if type(value) is kind else default


def _whole(stored: Sequence[Any], read: Callable[[Any], _Read]) -> tuple[list[_Read | None], int]:
    """Each of a list as it is read, None where it is damaged, and how many are."""
    found: list[_Read | None] = []
    for one in stored:
        try:
            found.append(read(one))
        except CorruptionError:
            found.append(None)
    return found, found.count(None)


def _faults(fault: str | None, lost: int, forgotten: int) -> str | None:
    """What couldn't be believed, in words."""
    said = [] if fault is None else [fault]
    if lost:
        said.append(f"records of messages are damaged, what their calls took is not known: count={lost}")
    if forgotten:
        said.append(f"figures of compressions are damaged and left out: count={forgotten}")
    return "; ".join(said) or None


def _matched(stored: Sequence[Record | None], packed: Sequence[bytes], count: CountMessage) -> list[Record]:
    """The record of each message, in order: that of its place, else one of the same bytes, else it is counted."""
    known = {(one.size, one.check): one for one in stored if one is not None}
    found: list[Record] = []
    for place, one in enumerate(packed):
        facts = len(one), check_of(one)
        here = stored[place] if place < len(stored) else None
        if here is not None and (here.size, here.check) == facts:
            found.append(here)
        elif facts in known:
            found.append(replace(known[facts], spent=None))
        else:
            found.append(count(one))
    return found


def _in_force(stored: Any, packed: list[bytes]) -> tuple[InForce | None, str | None]:
    """The compression of these messages; None when there is none, or it is one of others, and then why."""
    if stored is None:
        return None, None
    try:
        found = in_force_of(stored, len(packed))
    except CorruptionError:
        return None, "the stored compression is damaged, or of more messages than there are: all are shown"
    digest = xxhash.xxh3_64()
    for one in packed[: found.covers]:
        digest.update(one)
    if digest.hexdigest() == found.digest:
        return found, None
    return None, "the stored compression is of other messages than there are: all are shown"


def _replaced(stored: list[Any], records: Sequence[Record]) -> dict[int, Part]:
    """The shorter forms of these messages, by place; the last of a place counts, and one of another message doesn't."""
    found = {}
    for one in stored:
        if type(one) is list and len(one) == _REPLACED_LENGTH:
            place, tokens, value, check = one
            if not type(place) is type(tokens) is type(check) is int or not 0 <= place < len(records) or tokens < 0:
                continue
            if check == records[place].check:
                found[place] = Part(place, pack_value(value, _DEPTH), tokens, records[place].kind, check)
    return found


def _present(
    packed: Sequence[bytes], records: Sequence[Record], in_force: InForce | None, *, is_sorting: bool
) -> Present:
    present = Present(is_sorting=is_sorting)
    covers = 0 if in_force is None else in_force.covers
    for place, (one, record) in enumerate(zip(packed, records, strict=True)):
        present.add(one, record, is_in_context=place >= covers)
    if in_force is not None:
        kept = [Part(place, packed[place], records[place].tokens, records[place].kind) for place in in_force.kept]
        present.show(in_force, kept)
    return present
