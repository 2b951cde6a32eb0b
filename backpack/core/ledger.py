"""Who holds which bytes: every byte is counted once.

Each entry of a chain holds its form, and a `Pieces` holds its sources as well. A hold is *live* while the entry is
the newest of its key, and *historical* while its commit is in memory or a newer change has hidden it. So a present
value whose commit has left memory is live only, and a value that pruning keeps for an old snapshot is historical.

    live_bytes     packed sizes of the forms with a live hold
    history_bytes  bytes of the payloads, pieces and buffers with a historical hold; a large value counts as a
                   reference (`LARGE_REF_SIZE`)

Most forms have one hold for all their life; what that hold is follows from the chain that has it, so all they cost is
a place in the index. From the second hold on, and for what pieces are cut from, a `Record` counts.
"""

from collections.abc import Iterable

from backpack.core.chain import Chain, Entry, form_of
from backpack.core.index import Index
from backpack.core.payload import LARGE_REF_SIZE, Buffer, Form, LargeRef, Pieces, Source, form_size

Holder = Form | Buffer
"""What can be held: the form of an entry, or a source of pieces."""


class Record:
    """The holds on one thing: all, the historical and the live ones; and the bytes it is counted with."""

    __slots__ = ("historical", "holder", "live", "total", "weight")

    def __init__(self, holder: Holder) -> None:
        self.holder = holder
        self.weight = weight_of(holder)
        self.total = 0
        self.historical = 0
        self.live = 0


def weight_of(holder: Holder) -> int:
    """The bytes that the thing itself keeps in memory for history."""
    if type(holder) is bytes:
        return len(holder)
    if isinstance(holder, Pieces):
        return len(holder.own)
    if isinstance(holder, Buffer):
        return len(holder.data)
    return LARGE_REF_SIZE


def holders_of(entry: Entry) -> tuple[Holder, ...]:
    """What the entry holds: its form, and the sources of that."""
    form = form_of(entry)
    if form is None:
        return ()
    return (form, *form.sources) if isinstance(form, Pieces) else (form,)


class Ledger:
    """Counts of one store. All methods are called under the store's lock."""

    __slots__ = ("history_bytes", "index", "live_bytes", "records")

    def __init__(self) -> None:
        self.live_bytes = 0
        self.history_bytes = 0
        self.index = Index()
        self.records: dict[int, Record] = {}
        """By the identity of what is held."""

    # -- entries come and go ---------------------------------------------------------------------------------

    def add_payload(self, chain: Chain, payload: bytes) -> bytes:
        """As `add` for a payload that was just packed; the equal one that the store has already, or this one."""
        if self.index.file(payload, chain):
            self.live_bytes += len(payload)
            self.history_bytes += len(payload)
            return payload
        found = self.index.find(payload)
        assert found is not None
        self.add(chain, found[0], is_new=False)
        return found[0]

    def add(self, chain: Chain, form: Form, *, is_new: bool) -> None:
        """The newest entry of `chain` is going to hold `form`, made by a commit in memory. Call before appending.

        `is_new`: nothing holds this very object yet.
        """
        record = self._record(chain, form, is_new)
        if record is None:
            self.live_bytes += form_size(form)
            self.history_bytes += weight_of(form)
            if type(form) is bytes:
                self.index.add(form, chain)
        else:
            if not record.live:
                self.live_bytes += form_size(form)
            record.live += 1
            record.total += 1
            self._more_history(record)
        if isinstance(form, Pieces):
            for source in form.sources:
                record = self.records.get(id(source)) or self._source_record(source)
                record.total += 1
                self._more_history(record)

    def hide(self, chain: Chain) -> None:
        """The newest entry of the chain is about to be followed by another."""
        last = chain.last
        form = None if last is None else form_of(last)
        if form is None:
            return
        becomes_historical = chain.is_settled
        record = self.records.get(id(form))
        if record is None:
            self.live_bytes -= form_size(form)
            if becomes_historical:
                self.history_bytes += weight_of(form)
        else:
            record.live -= 1
            if not record.live:
                self.live_bytes -= form_size(form)
            if becomes_historical:
                self._more_history(record)
        if becomes_historical and isinstance(form, Pieces):
            for source in form.sources:
                self._more_history(self.records[id(source)])

    def settle(self, entry: Entry) -> None:
        """The commit of a newest entry leaves memory: the value stays, but no longer as history."""
        form = form_of(entry)
        if form is None:
            return
        record = self.records.get(id(form))
        if record is None:
            self.history_bytes -= weight_of(form)
        else:
            self._less_history(record)
        if isinstance(form, Pieces):
            for source in form.sources:
                self._less_history(self.records[id(source)])

    def release(self, entry: Entry) -> None:
        """An entry that a newer one has hidden is gone: a hole, or purged."""
        form = form_of(entry)
        if form is None:
            return
        record = self.records.get(id(form))
        if record is None:
            self.history_bytes -= weight_of(form)
            if type(form) is bytes:
                self.index.remove(form)
        else:
            self._drop_hold(record)
        if isinstance(form, Pieces):
            for source in form.sources:
                self._drop_hold(self.records[id(source)])

    def cost(self, changes: Iterable[tuple[Chain, Entry, bool]]) -> int:
        """By how much `history_bytes` grows when each `(chain, entry, is new)` becomes the newest of its chain.

        All of it in one commit: what two of the changes hold is counted once.
        """
        held: dict[int | bytes, tuple[Chain, Holder, bool]] = {}
        for chain, entry, is_new in changes:
            for holder in holders_of(entry):
                held.setdefault(self.identity(holder), (chain, holder, is_new and holder is form_of(entry)))
            last = chain.last
            if last is not None and chain.is_settled:  # it is hidden, and history from then on
                for holder in holders_of(last):
                    held.setdefault(self.identity(holder), (chain, holder, False))
        return sum(self._cost_of(*one) for one in held.values())

    def identity(self, holder: Holder) -> int | bytes:
        """The same for what is the same object, or will be: equal payloads become one."""
        if type(holder) is bytes:
            found = self.index.find(holder)
            return holder if found is None else id(found[0])
        return id(holder)

    def rebuild(self, chains: Iterable[Chain]) -> None:
        """Count everything anew from the entries. Cost: O(entries)."""
        self.live_bytes = self.history_bytes = 0
        self.index = Index()
        self.records = {}
        counts: dict[int, Record] = {}
        sources: set[int] = set()
        for chain in chains:
            last_index = len(chain.columns[1]) - 1
            for index, entry in enumerate(chain.columns[1]):
                form = None if entry is None else form_of(entry)
                if form is None:
                    continue
                is_live = index == last_index
                is_historical = not (is_live and chain.is_settled)
                record = self._counted(counts, form, chain)
                record.total += 1
                record.historical += is_historical
                record.live += is_live
                if isinstance(form, Pieces):
                    for source in form.sources:
                        record = self._counted(counts, source, chain)
                        record.total += 1
                        record.historical += is_historical
                        sources.add(id(source))
        for identity, record in counts.items():
            if record.historical:
                self.history_bytes += record.weight
            if record.live and not isinstance(record.holder, Buffer):
                self.live_bytes += form_size(record.holder)
            is_filed = isinstance(record.holder, LargeRef) and record.holder.is_filed
            if record.total > 1 or identity in sources or is_filed:
                self.records[identity] = record

    def _counted(self, counts: dict[int, Record], holder: Holder, chain: Chain) -> Record:
        record = counts.get(id(holder))
        if record is None:
            record = counts[id(holder)] = Record(holder)
            if type(holder) is bytes:
                self.index.add(holder, chain)
        return record

    # -- records ---------------------------------------------------------------------------------------------

    def share(self, chain: Chain, form: Form) -> None:
        """Another chain is about to hold the newest form of this one: count it from now on."""
        if id(form) not in self.records:
            self._first_record(chain, form)

    def _record(self, chain: Chain, form: Form, is_new: bool) -> Record | None:
        """The record of a form that is to be held once more; None for one that nothing holds yet."""
        record = self.records.get(id(form))
        if record is not None:
            return record
        if type(form) is bytes:
            found = self.index.find(form)
            return self._first_record(found[1], form) if found is not None and found[0] is form else None
        if isinstance(form, LargeRef) and form.is_filed:  # other keys may come to share it: count from the start
            record = self.records[id(form)] = Record(form)
            return record
        return None if is_new else self._first_record(chain, form)

    def _first_record(self, chain: Chain, form: Form) -> Record:
        """Begin to count: the one hold there is stands in `chain`."""
        record = self.records[id(form)] = Record(form)
        record.total = 1
        last = chain.last
        if last is not None and form_of(last) is form:
            record.live = 1
            record.historical = 0 if chain.is_settled else 1
            chain.is_usual = False
        else:
            record.historical = 1
        return record

    def _source_record(self, source: Source) -> Record:
        if isinstance(source, bytes):
            found = self.index.find(source)
            assert found is not None, "a payload that is a source stands in the index"
            return self._first_record(found[1], source)
        record = self.records[id(source)] = Record(source)
        return record

    def _more_history(self, record: Record) -> None:
        if type(record.holder) is Buffer:
            weight = len(record.holder.data)  # it may have grown
            self.history_bytes += weight - record.weight if record.historical else weight
            record.weight = weight
        elif not record.historical:
            self.history_bytes += record.weight
        record.historical += 1

    def _less_history(self, record: Record) -> None:
        record.historical -= 1
        if not record.historical:
            self.history_bytes -= record.weight

    def _drop_hold(self, record: Record) -> None:
        record.total -= 1
        self._less_history(record)
        if not record.total:
            del self.records[id(record.holder)]
            if type(record.holder) is bytes:
                self.index.remove(record.holder)

    def _cost_of(self, chain: Chain, holder: Holder, is_new: bool) -> int:
        weight = weight_of(holder)
        record = self.records.get(id(holder))
        if record is None and type(holder) is bytes:
            found = self.index.find(holder)
            if found is None:
                return weight
            holder, chain = found
            record = self.records.get(id(holder))
        if record is not None:
            return weight - record.weight if record.historical else weight
        is_filed = isinstance(holder, LargeRef) and holder.is_filed
        if isinstance(holder, Buffer) or is_filed or (is_new and type(holder) is not bytes):
            return weight
        last = chain.last
        is_live = last is not None and form_of(last) is holder
        return weight if is_live and chain.is_settled else 0
