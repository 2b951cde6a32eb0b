"""Who holds which bytes: equal values are found here, and every byte is counted once.

Each entry of a chain holds its form, and a `Pieces` holds its sources as well. A hold is *live* while the entry is
the newest of its key, and *historical* while its commit is in memory or a newer change has hidden it. So a present
value whose commit has left memory is live only, and a value that pruning keeps for an old snapshot is historical.

    live_bytes     packed sizes of the forms with a live hold
    history_bytes  bytes of the payloads, pieces and buffers with a historical hold; a large value counts as a
                   reference (`LARGE_REF_SIZE`)

Most payloads have one hold for all their life; what that hold is follows from the chain that has it, so all they cost
is a place in the index (payload -> chain). From the second hold on a `Record` counts. The index is cut into 256
shards by hash, because one dict of a million entries stalls for 90 ms whenever it grows.
"""

from collections.abc import Iterable
from typing import Final

from backpack.core.chain import Chain, Entry, form_of
from backpack.core.payload import LARGE_REF_SIZE, Buffer, Form, LargeRef, Pieces, form_size

SHARD_SHIFT: Final = 56
"""Hashes have 64 bits; the top 8, as a signed index from -128 to 127, name the shard."""

Holder = Form | Buffer
"""What can be held: the form of an entry, or a source of pieces."""


class Record:
    """The holds on one thing: all, the historical and the live ones; and the bytes it is counted with."""

    __slots__ = ("historical", "live", "total", "weight")

    def __init__(self, weight: int) -> None:
        self.weight = weight
        self.total = 0
        self.historical = 0
        self.live = 0


class _Probe:
    """Looks a payload up in a dict and comes back with the equal object that the dict has as its key."""

    __slots__ = ("_hash", "found", "payload")

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        self.found = payload
        self._hash = hash(payload)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if isinstance(other, bytes) and other == self.payload:
            self.found = other
            return True
        return False


def weight_of(holder: Holder) -> int:
    """The bytes that the thing itself keeps in memory for history."""
    if type(holder) is bytes:
        return len(holder)
    if isinstance(holder, Pieces):
        return len(holder.own)
    if isinstance(holder, Buffer):
        return len(holder.data)
    return LARGE_REF_SIZE


class Ledger:
    """Counts of one store. All methods are called under the store's lock."""

    __slots__ = ("history_bytes", "live_bytes", "records", "shards")

    def __init__(self) -> None:
        self.live_bytes = 0
        self.history_bytes = 0
        self.records: dict[Holder, Record] = {}
        self.shards: list[dict[bytes, Chain]] = [{} for _ in range(256)]

    # -- entries come and go ---------------------------------------------------------------------------------

    def intern(self, payload: bytes) -> bytes:
        """The equal payload that the store already has, or this one."""
        if payload in self.shards[hash(payload) >> SHARD_SHIFT]:
            probe = _Probe(payload)
            probe in self.shards[hash(payload) >> SHARD_SHIFT]  # noqa: B015  # the look-up leaves what it found in the probe
            return probe.found
        return payload

    def add(self, chain: Chain, form: Form, *, is_new: bool) -> None:
        """The newest entry of `chain` is going to hold `form`, made by a commit in memory. Call before appending.

        `is_new`: nothing holds this very object yet (an equal payload may stand in the index all the same).
        """
        record = self._record(chain, form, is_new)
        if record is None:
            self.live_bytes += form_size(form)
            self.history_bytes += weight_of(form)
            if type(form) is bytes:
                self.shards[hash(form) >> SHARD_SHIFT][form] = chain
        else:
            if not record.live:
                self.live_bytes += form_size(form)
            record.live += 1
            record.total += 1
            self._more_history(record, form)
        if isinstance(form, Pieces):
            for source in form.sources:
                record = self._source_record(source)
                record.total += 1
                self._more_history(record, source)

    def hide(self, chain: Chain) -> None:
        """The newest entry of the chain is about to be followed by another."""
        last = chain.last
        form = None if last is None else form_of(last)
        if form is None:
            return
        becomes_historical = chain.is_settled
        record = self.records.get(form)
        if record is None:
            self.live_bytes -= form_size(form)
            if becomes_historical:
                self.history_bytes += weight_of(form)
        else:
            record.live -= 1
            if not record.live:
                self.live_bytes -= form_size(form)
            if becomes_historical:
                self._more_history(record, form)
        if becomes_historical and isinstance(form, Pieces):
            for source in form.sources:
                self._more_history(self.records[source], source)

    def settle(self, entry: Entry) -> None:
        """The commit of a newest entry leaves memory: the value stays, but no longer as history."""
        form = form_of(entry)
        if form is None:
            return
        record = self.records.get(form)
        if record is None:
            self.history_bytes -= weight_of(form)
        else:
            self._less_history(record)
        if isinstance(form, Pieces):
            for source in form.sources:
                self._less_history(self.records[source])

    def release(self, entry: Entry, *, is_live: bool = False, is_historical: bool = True) -> None:
        """The entry is gone: a hole, or purged."""
        form = form_of(entry)
        if form is None:
            return
        record = self.records.get(form)
        if record is None:
            if is_live:
                self.live_bytes -= form_size(form)
            if is_historical:
                self.history_bytes -= weight_of(form)
            if type(form) is bytes:
                del self.shards[hash(form) >> SHARD_SHIFT][form]
        else:
            if is_live:
                record.live -= 1
                if not record.live:
                    self.live_bytes -= form_size(form)
            self._drop_hold(record, form, is_historical)
        if isinstance(form, Pieces):
            for source in form.sources:
                self._drop_hold(self.records[source], source, is_historical)

    def rebuild(self, chains: Iterable[Chain]) -> None:
        """Count everything anew from the entries. Cost: O(entries)."""
        self.live_bytes = self.history_bytes = 0
        self.records = {}
        self.shards = [{} for _ in range(256)]
        counts: dict[Holder, Record] = {}
        for chain in chains:
            last_index = len(chain.columns[1]) - 1
            for index, entry in enumerate(chain.columns[1]):
                form = None if entry is None else form_of(entry)
                if form is None:
                    continue
                is_live = index == last_index
                is_historical = not (is_live and chain.is_settled)
                for holder in (form, *form.sources) if isinstance(form, Pieces) else (form,):
                    record = counts.get(holder)
                    if record is None:
                        record = counts[holder] = Record(weight_of(holder))
                        if type(holder) is bytes:
                            self.shards[hash(holder) >> SHARD_SHIFT][holder] = chain
                    record.total += 1
                    record.historical += is_historical
                    if holder is form:
                        record.live += is_live
        for holder, record in counts.items():
            if record.historical:
                self.history_bytes += record.weight
            if record.live and not isinstance(holder, Buffer):
                self.live_bytes += form_size(holder)
            if record.total > 1 or isinstance(holder, Buffer | LargeRef):
                self.records[holder] = record

    def cost(self, chain: Chain, entry: Entry, *, is_new: bool) -> int:
        """By how much `history_bytes` grows when `entry` becomes the newest of `chain`."""
        cost = 0
        form = form_of(entry)
        if form is not None:
            cost += self._cost_of(chain, form, is_new)
            if isinstance(form, Pieces):
                cost += sum(self._cost_of(chain, source, False) for source in form.sources)
        last = chain.last
        hidden = None if last is None else form_of(last)
        if hidden is not None and chain.is_settled and hidden is not form:
            record = self.records.get(hidden)
            if record is None or not record.historical:
                cost += weight_of(hidden)
        return cost

    def _cost_of(self, chain: Chain, holder: Holder, is_new: bool) -> int:
        weight = weight_of(holder)
        record = self.records.get(holder)
        if record is not None:
            return weight - record.weight if record.historical else weight
        if type(holder) is bytes:
            other = self.shards[hash(holder) >> SHARD_SHIFT].get(holder)
            if other is None:
                return weight
            chain = other
        elif is_new or isinstance(holder, Buffer | LargeRef):
            return weight
        last = chain.last
        is_live = last is not None and form_of(last) == holder
        return weight if is_live and chain.is_settled else 0

    # -- records ---------------------------------------------------------------------------------------------

    def _record(self, chain: Chain, form: Form, is_new: bool) -> Record | None:
        """The record of a form that is to be held once more; None for one that nothing holds yet."""
        record = self.records.get(form)
        if record is not None:
            return record
        if type(form) is bytes:
            holder = self.shards[hash(form) >> SHARD_SHIFT].get(form)
            return None if holder is None else self._first_record(holder, form)
        if isinstance(form, LargeRef):  # several keys may share one, and no index says which
            record = self.records[form] = Record(weight_of(form))
            return record
        return None if is_new else self._first_record(chain, form)

    def _first_record(self, chain: Chain, form: Form) -> Record:
        """Begin to count: the one hold there is stands in `chain`."""
        record = self.records[form] = Record(weight_of(form))
        record.total = 1
        last = chain.last
        if last is not None and form_of(last) == form:
            record.live = 1
            record.historical = 0 if chain.is_settled else 1
        else:
            record.historical = 1
        return record

    def _source_record(self, source: bytes | Buffer) -> Record:
        record = self.records.get(source)
        if record is None:
            if type(source) is bytes:
                holder = self.shards[hash(source) >> SHARD_SHIFT].get(source)
                if holder is not None:
                    return self._first_record(holder, source)
                raise AssertionError("a payload that is a source stands in the index")
            record = self.records[source] = Record(weight_of(source))
        return record

    def _more_history(self, record: Record, holder: Holder) -> None:
        weight = weight_of(holder)
        if record.historical:
            self.history_bytes += weight - record.weight  # the buffer may have grown
        else:
            self.history_bytes += weight
        record.weight = weight
        record.historical += 1

    def _less_history(self, record: Record) -> None:
        record.historical -= 1
        if not record.historical:
            self.history_bytes -= record.weight

    def _drop_hold(self, record: Record, holder: Holder, is_historical: bool) -> None:
        record.total -= 1
        if is_historical:
            self._less_history(record)
        if not record.total:
            del self.records[holder]
            if type(holder) is bytes:
                self.shards[hash(holder) >> SHARD_SHIFT].pop(holder, None)
