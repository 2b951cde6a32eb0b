"""How a conversation stands in a store, and how it comes out of it again.

    KEY                     the list of all messages, as they came; one commit appends one
    KEY.context.records     a record a message, appended by the same commit (`record.py`)
    KEY.context.present     the compression in force: which messages stay, the summary of the others
    KEY.context.replaced    [place, tokens, message]: shorter forms of messages that the context has
    KEY.context.log         the figures of each compression
    KEY.context.about       model, window, the thresholds that were crossed

Each change is one commit of all the keys that it concerns, so every commit is a whole conversation, and what the store
does to them (`restore`, say) is seen by their versions. A list to which others have appended, or in which other
messages stand, is read for what it is: its messages are counted, and a compression of others counts for nothing. So is
a damaged record or figure: what is left out is told.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate
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
from backpack.context.storable import ROLES, Stored
from backpack.core.commit import Commit
from backpack.core.headers import read_array_header
from backpack.core.payload import head_of, join
from backpack.errors import CorruptionError, NotAListError
from backpack.store.attribution import attributed_node
from backpack.store.store import Backpack
from backpack.store.transaction import Transaction

_DEPTH: Final = 1
_REPLACED_LENGTH: Final = 3
_NODE: Final = "context"
"""Who compressions are by."""

_Read = TypeVar("_Read")

CountMessage = Callable[[bytes], Record]
"""What a packed message is found to be that nobody has counted."""

About = Mapping[str, Any]
"""What is known of a conversation as a whole."""


@dataclass(frozen=True, slots=True)
class Versions:
    """How many changes the keys have had that say what the context is."""

    messages: int
    present: int
    replaced: int


@dataclass(slots=True)
class Loaded:
    """A conversation as it was read."""

    present: Present
    versions: Versions
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


class Storage:
    """One conversation in one store. Reads see one moment; it keeps nothing."""

    def __init__(self, bp: Backpack, key: str) -> None:
        self.bp = bp
        self.keys = Keys(key)

    def versions(self) -> Versions:
        """How things stand. O(1)."""
        version, keys = self.bp.version, self.keys
        return Versions(version(keys.messages), version(keys.present), version(keys.replaced))

    # -- writing -----------------------------------------------------------------------------------------------

    def add(
        self, message: Stored, record: Record, node: str | None, before: Sequence[Record], about: About | None
    ) -> Commit:
        """Append a message and its record, behind records of messages that had none yet."""
        with self.bp.transaction(node=node or self._node(message.role)) as tx:
            self._append(tx, message, record, before, about)
        assert tx.commit is not None
        return tx.commit

    async def aadd(
        self, message: Stored, record: Record, node: str | None, before: Sequence[Record], about: About | None
    ) -> Commit:
        """The same for a task: waiting for durability doesn't block its loop."""
        async with self.bp.transaction(node=node or self._node(message.role)) as tx:
            self._append(tx, message, record, before, about)
        assert tx.commit is not None
        return tx.commit

    def _append(
        self, tx: Transaction, message: Stored, record: Record, before: Sequence[Record], about: About | None
    ) -> None:
        tx._append_packed(self.keys.messages, [message.packed])
        tx.append(self.keys.records, *(one.packed() for one in (*before, record)))
        if about is not None:
            tx.pack(self.keys.about, dict(about))

    def compress(self, in_force: InForce, replaced: Sequence[Part], compression: Compression) -> Commit:
        """One commit of a compression: what is in force, the shorter forms that stay, and its figures."""
        with self._compressing(compression) as tx:
            tx.pack(self.keys.present, in_force.packed())
            if replaced or self.keys.replaced in tx:
                tx.pack(self.keys.replaced, [_form(one) for one in replaced])
            tx.append(self.keys.log, compression.to_dict())
        assert tx.commit is not None
        return tx.commit

    def replace(self, shorter: Sequence[Part], compression: Compression) -> Commit:
        """One commit of shorter forms of messages, and its figures."""
        with self._compressing(compression) as tx:
            tx.append(self.keys.replaced, *(_form(one) for one in shorter))
            tx.append(self.keys.log, compression.to_dict())
        assert tx.commit is not None
        return tx.commit

    def log(self, compression: Compression) -> Commit:
        """One commit of figures alone: of what took something and came to nothing."""
        with self._compressing(compression) as tx:
            tx.append(self.keys.log, compression.to_dict())
        assert tx.commit is not None
        return tx.commit

    def _compressing(self, compression: Compression) -> Transaction:
        said = f"{compression.what}: {compression.before} tokens to {compression.after}"
        return self.bp.transaction(node=attributed_node(self.bp) or _NODE, message=said)

    def note(self, about: About) -> None:
        """Keep what is known of the conversation."""
        self.bp.pack(self.keys.about, dict(about), node=attributed_node(self.bp) or _NODE)

    def _node(self, role: int) -> str:
        """Who a message is by: the node that the task or thread acts for, else who speaks."""
        return attributed_node(self.bp) or ROLES[role]

    # -- reading -----------------------------------------------------------------------------------------------

    def load(self, count: CountMessage, *, is_sorting: bool) -> Loaded:
        """All of it. O(messages); what has no record is counted by `count`."""
        bp, keys = self.bp, self.keys
        while True:
            versions = self.versions()
            contents = {key: bp._present_content(key) for key in keys}
            if self.versions() == versions:  # nobody has changed one between the others
                break
        payloads = {key: None if content is None else join(content) for key, content in contents.items()}
        packed = _items(keys.messages, payloads[keys.messages])
        stored, lost = _whole(_value(payloads[keys.records], list, []), record_of)
        log, forgotten = _whole(_value(payloads[keys.log], list, []), compression_of)
        records = _matched(stored, packed, count)
        in_force, fault = _in_force(_value(payloads[keys.present], dict, None), packed)
        present = _present(packed, records, in_force, is_sorting=is_sorting)
        present.replace(_replaced(_value(payloads[keys.replaced], list, []), records))
        return Loaded(
            present,
            versions,
            [one.spent for one in stored if one is not None and one.spent is not None],
            [one for one in log if one is not None],
            _value(payloads[keys.about], dict, {}),
            records[len(stored) :] if records[: len(stored)] == stored else [],
            _faults(fault, lost, forgotten),
        )

    def read(self, places: Iterable[int], sizes: Sequence[int]) -> dict[int, bytes]:
        """The packed messages of these places, of a list whose messages have these sizes. O(bytes of the list).

        Those that are not there any more, because the list is another one by now, are left out.
        """
        content = self.bp._present_content(self.keys.messages)
        if content is None:
            return {}
        payload = join(content)
        header = read_array_header(payload)
        if header is None or header[0] < len(sizes):
            return {}
        starts = list(accumulate(sizes, initial=header[1]))
        if starts[-1] > len(payload):
            return {}
        return {place: payload[starts[place] : starts[place + 1]] for place in places if place < len(sizes)}

    def account(self) -> Account:
        """How many messages there are, and what calls took, damaged records not counted. O(messages), without reading
        them."""
        records, _ = _whole(self._list(self.keys.records), record_of)
        entries, _ = _whole(self._list(self.keys.log), compression_of)
        log = [one for one in entries if one is not None]
        spent = [one.spent for one in records if one is not None and one.spent is not None]
        return Account(
            self._count(),
            sum(one.usage.input for one in spent) + sum(one.input_tokens for one in log),
            sum(one.usage.output for one in spent) + sum(one.output_tokens for one in log),
            sum(one.picodollars for one in spent) + sum(one.picodollars for one in log),
            sum(one.what == "compression" for one in log),
        )

    def times(self) -> list[datetime]:
        """When messages and compressions came last."""
        found = [self.bp.item(key).time for key in (self.keys.messages, self.keys.log) if key in self.bp]
        return [time for time in found if time is not None]

    def _count(self) -> int:
        content = self.bp._present_content(self.keys.messages)
        header = None if content is None else read_array_header(head_of(content))
        return 0 if header is None else header[0]

    def _list(self, key: str) -> list[Any]:
        found = self.bp.peek(key)
        return found if type(found) is list else []

    def about(self) -> dict[str, Any]:
        """What is known of the conversation."""
        found = self.bp.peek(self.keys.about)
        return found if type(found) is dict else {}

    def values(self) -> list[Any]:
        """All messages as they are stored. O(messages)."""
        found = self.bp.peek(self.keys.messages)
        if found is None:
            return []
        if not isinstance(found, list):
            raise _no_list(self.keys.messages)
        return found


def _form(part: Part) -> list[Any]:
    return [part.place, part.tokens, unpack_value(part.packed)]


def _no_list(key: str) -> NotAListError:
    return NotAListError(f"a conversation is a list of messages: the value at key={key!r} is something else", key=key)


def _items(key: str, payload: bytes | None) -> list[bytes]:
    """The packed items of a packed list."""
    if payload is None:
        return []
    header = read_array_header(payload)
    if header is None:
        raise _no_list(key)
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
    """The shorter forms of messages, by place; the last of a place counts."""
    found = {}
    for one in stored:
        if type(one) is list and len(one) == _REPLACED_LENGTH:
            place, tokens, value = one
            if type(place) is int and 0 <= place < len(records) and type(tokens) is int and tokens >= 0:
                found[place] = Part(place, pack_value(value, _DEPTH), tokens, records[place].kind, is_short=True)
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
