"""How a conversation stands in a store, and how it comes out of it again.

    KEY                     the list of all messages, as they came; one commit appends one
    KEY.context.records     a record a message, appended by the same commit (`record.py`)
    KEY.context.present     the compression in force: which messages stay, the summary of the others
    KEY.context.replaced    [place, tokens, message, check]: shorter forms of messages that the context has, each with
                            the check of the one that it stands for
    KEY.context.log         the figures of each compression
    KEY.context.about       model, window, the thresholds that were crossed

Each change is one commit of all the keys that it concerns, so every commit is a whole conversation, and what the store
does to them (`restore`, say) is seen by their versions. What is read is judged by `loading.py`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import Any, Final

import xxhash

from backpack.codec import unpack_value
from backpack.context.keys import Keys
from backpack.context.loading import Account, CountMessage, Loaded, account_of, loaded, no_list
from backpack.context.present import Part
from backpack.context.record import Compression, InForce, Record
from backpack.context.storable import ROLES, Stored
from backpack.core.commit import Commit
from backpack.core.headers import read_array_header
from backpack.core.payload import head_of, join
from backpack.store.attribution import attributed_node
from backpack.store.store import Backpack
from backpack.store.transaction import Transaction

_NODE: Final = "context"
"""Who compressions are by."""

About = Mapping[str, Any]
"""What is known of a conversation as a whole."""


@dataclass(frozen=True, slots=True)
class Versions:
    """How many changes the keys have had that say what the context is."""

    messages: int
    present: int
    replaced: int


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
        with self.bp.transaction(node=self._node(message.role) if node is None else node) as tx:
            self._append(tx, message, record, before, about)
        assert tx.commit is not None
        return tx.commit

    async def aadd(
        self, message: Stored, record: Record, node: str | None, before: Sequence[Record], about: About | None
    ) -> Commit:
        """The same for a task: waiting for durability doesn't block its loop."""
        async with self.bp.transaction(node=self._node(message.role) if node is None else node) as tx:
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

    def load(self, count: CountMessage, *, is_sorting: bool) -> tuple[Versions, Loaded]:
        """All of it, and how things stood then. O(messages); what has no record is counted by `count`."""
        bp, keys = self.bp, self.keys
        while True:
            versions = self.versions()
            contents = {key: bp._present_content(key) for key in keys}
            if self.versions() == versions:  # nobody has changed one between the others
                break
        payloads = {key: None if content is None else join(content) for key, content in contents.items()}
        return versions, loaded(keys, payloads, count, is_sorting=is_sorting)

    def read(self, places: Iterable[int], sizes: Sequence[int], digest: str) -> dict[int, bytes]:
        """The packed messages of these places, of a list whose messages have these sizes and that digest together; what
        was appended since doesn't matter. O(bytes of the list).

        None of them when the list is another one by now.
        """
        content = self.bp._present_content(self.keys.messages)
        if content is None:
            return {}
        payload = join(content)
        header = read_array_header(payload)
        if header is None or header[0] < len(sizes):
            return {}
        starts = list(accumulate(sizes, initial=header[1]))
        if starts[-1] > len(payload) or xxhash.xxh3_64_hexdigest(memoryview(payload)[starts[0] : starts[-1]]) != digest:
            return {}
        return {place: payload[starts[place] : starts[place + 1]] for place in places if place < len(sizes)}

    def account(self) -> Account:
        """How many messages there are, and what calls took, damaged records not counted. O(messages), without reading
        them."""
        return account_of(self._count(), self._list(self.keys.records), self._list(self.keys.log))

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
            raise no_list(self.keys.messages)
        return found


def _form(part: Part) -> list[Any]:
    return [part.place, part.tokens, unpack_value(part.packed), part.stands_for]
