"""The engine: all keys, all commits, all bytes of one store, without a lock, a clock or a disk.

A commit is *prepared* (payloads find their forms, limits are asked), *written down* by the journal if there is one,
and only then *adopted*: memory changes last. Recovery comes in by the same door without a journal.

`commit_one` is the hot path: one key, a payload that is like nothing before. It does what `commit` does with nothing
called that can be left out; everything unusual goes to `commit`.
"""

from collections.abc import Mapping, Sequence
from typing import Final
from weakref import WeakValueDictionary

from sortedcontainers import SortedList

from backpack.core import checking, dropping
from backpack.core.authors import Author, LoneAuthor, facts_of, raw_changes, setter_of
from backpack.core.chain import PACK, Chain, Mark, Tip, form_of, is_visible, kind_of, size_of
from backpack.core.commit import Commit, Facts, Label, RawChange
from backpack.core.fitting import made_to_fit
from backpack.core.headers import HEADER_SIZES, array_count, array_header, header_size
from backpack.core.ids import Epoch
from backpack.core.index import SHARD_SHIFT, SHORT_MAX
from backpack.core.journal import Journal
from backpack.core.ledger import Ledger
from backpack.core.limits import Limits
from backpack.core.past import Past
from backpack.core.payload import LARGE_REF_SIZE, Content, Form, LargeRef, Pieces
from backpack.core.pins import Pins
from backpack.core.planning import plan, plan_all
from backpack.core.pruning import Pruner
from backpack.core.repairing import repair
from backpack.core.requests import Planned, Request
from backpack.core.shaping import Grown, LargeIndex, present_content
from backpack.core.sharing import EDIT_SIZE_MIN, GROWTH_SIZE_MIN, Undo, tip_of, undo_growth
from backpack.core.timeline import BLOCK_MASK, Timeline
from backpack.core.waking import wake
from backpack.errors import HistoryFullError, StorageError

_CAN_GROW: Final = HEADER_SIZES
"""By the first byte of a payload: is it a list, a text or bytes?"""

Former = tuple[int, tuple[tuple[Chain, Content | None], ...]]
_NOTHING: Final[Former] = (0, ())


class Engine:
    """Everything that a store remembers. All methods but the reads of `View`s want the store's lock."""

    def __init__(
        self,
        limits: Limits,
        epoch: Epoch,
        *,
        head: int = 0,
        journal: Journal | None = None,
        past: Past | None = None,
    ) -> None:
        self.epoch = epoch
        self.journal = journal
        self.past = past
        """Keeps what has left memory, and the keys that have not been asked for since the store was opened."""
        self.timeline = Timeline(head)
        self.chains: dict[str, Chain] = {}
        self.names: SortedList[str] = SortedList()
        """Every key that has a chain, sorted."""
        self.visible: SortedList[str] = SortedList()
        """Every key that has a value now, sorted."""
        self.retired: dict[str, int] = {}
        """The version of keys that memory has nothing else of."""
        self.retired_seqs: dict[str, int] = {}
        """The commit that deleted them."""
        self.ledger = Ledger()
        self.take_ledger()
        self.authors: dict[int, Author | LoneAuthor] = {}
        """What is still known of commits that have left while an entry of theirs stays."""
        self.pins = Pins(self)
        self.large_refs: LargeIndex = WeakValueDictionary()
        self.history_trigger = 0
        self.seq_trigger = 0
        """Above these a commit prunes: the limits, or the targets while pruning is under way."""
        self.limits = limits
        self.pruner = Pruner(self)
        self.holey: dict[Chain, None] = {}
        """Chains with more holes than entries: squeezed one at a time, so that no commit waits for all."""
        self.pruned = head
        """Commits that have left memory."""
        self.pruned_told = head
        self.pruned_bytes = 0
        """By how much pruning has made the history shorter since `take_pruned` was asked last."""
        self.former: Former = _NOTHING
        """`(seq, the large values that this commit found)`, in case it is interrupted."""
        self.entry_offset = -head
        """What the count of entries is beyond the `seq` of the newest commit."""
        self.large: set[Chain] = set()
        """The chains whose present value is large."""
        self.set_limits(limits)

    def take_ledger(self) -> None:
        """Short ways to what the hot path wants of the ledger."""
        self.records = self.ledger.records
        self.shards = self.ledger.index.shards

    def repair(self) -> None:
        """Make everything whole after an exception from outside, such as Ctrl-C, in the middle of a change."""
        seq, contents = self.former
        repair(self, contents if seq > self.timeline.head else ())
        if self.journal is not None:
            self.journal.retract(self.timeline.head + 1)

    def set_limits(self, limits: Limits) -> None:
        """New limits; the caller prunes."""
        self.limits = limits
        self.small_max = min(EDIT_SIZE_MIN - 1, limits.max_value_size)
        self.large_size = limits.max_value_size
        self.is_guarded = limits.hard_limit
        """Do the limits have a say before a commit is adopted?"""
        self.pruner.reset()

    def begin_epoch(self, secret: bytes) -> None:
        """Commits from the next one on get other ids than they would have got: this engine has become two."""
        epoch, first_seq = self.epoch, self.timeline.head + 1
        self.epoch = Epoch(secret, first_seq, epoch.parent if epoch.first_seq == first_seq else epoch)

    # -- commits -----------------------------------------------------------------------------------------------

    def commit_one(self, key: str, payload: bytes, is_plain: bool, grown: Grown, label: Label, now: int) -> Facts:
        """Pack one key. Cost: O(1) beyond the payload, and a share of the pruning that it makes due."""
        size = len(payload)
        chain = self.chains.get(key)
        if (
            chain is None
            or not chain.is_usual
            or self.is_guarded
            or (size > self.small_max and (size > self.large_size or not chain.skip))
            or (_CAN_GROW[payload[0]] and size >= GROWTH_SIZE_MIN)
        ):
            return self._commit_unusual(key, payload, is_plain, grown, label, now)
        try:
            ledger = self.ledger
            seqs, forms = chain.columns
            timeline = self.timeline
            seq = timeline.head + 1
            if size > SHORT_MAX:
                if not ledger.index.file(payload, chain):
                    return self._commit_unusual(key, payload, is_plain, grown, label, now)
                if self.journal is not None:
                    self._write_filed(seq, now, label, chain, payload)
                chain.skip -= 1
            else:
                shard = self.shards[hash(payload) >> SHARD_SHIFT]
                if payload in shard:
                    return self._commit_unusual(key, payload, is_plain, grown, label, now)
                if self.journal is not None:
                    self.journal.write_one(seq, now, label, key, chain.gone + len(forms) + 1, payload)
                shard[payload] = chain
            ledger.live_bytes += size - len(forms[-1])  # type: ignore[arg-type]
            history = ledger.history_bytes = ledger.history_bytes + size
            chain.is_plain = is_plain
            forms.append(payload)
            seqs.append(seq)
            tail = timeline.tail if seq & BLOCK_MASK else timeline.open_block(seq)
            tail.times.append(now)
            tail.labels.append(label)
            tail.changed.append(chain)
            timeline.head = seq
            version = chain.gone + len(forms)
            if history > self.history_trigger or seq > self.seq_trigger:
                self.pruner.step()
            return (self.epoch, seq, now, label, (key, PACK, version, size, False))
        except (StorageError, HistoryFullError):
            raise  # refused, and nothing has happened
        except BaseException:
            self.repair()
            raise

    def _write_filed(self, seq: int, now: int, label: Label, chain: Chain, payload: bytes) -> None:
        """Write down a payload that the index has already."""
        assert self.journal is not None
        try:
            self.journal.write_one(seq, now, label, chain.key, chain.version + 1, payload)
        except StorageError:
            self.ledger.index.remove(payload)
            raise

    def _commit_unusual(self, key: str, payload: bytes, is_plain: bool, grown: Grown, label: Label, now: int) -> Facts:
        """`commit_one` for everything that is not a short payload like none before, over another such payload."""
        chain = self.chain_of(key)
        facts: Facts | None = None
        if chain is None:
            facts = self._commit_first(key, payload, is_plain, label, now)
        elif grown is not None and grown[1] and present_content(chain) is grown[0]:
            header, appended = payload[: header_size(payload)], payload[grown[1] :]
            facts = self.extend_one(key, header, 0, appended, is_plain, label, now)
        if facts is not None:
            return facts
        return self.commit((Request(key, PACK, payload, grown=grown, is_plain=is_plain),), label, now)

    def _commit_first(self, key: str, payload: bytes, is_plain: bool, label: Label, now: int) -> Facts | None:
        """`commit_one` for a key that has no value and never had one. None, and nothing has happened, where this short
        way does not lead to it."""
        size = len(payload)
        if size > self.large_size or self.is_guarded or key in self.retired:
            return None
        try:
            ledger = self.ledger
            chain = Chain(key)
            if not ledger.index.file(payload, chain):
                return None
            seq = self.timeline.head + 1
            if self.journal is not None:
                self._write_filed(seq, now, label, chain, payload)
            ledger.live_bytes += size
            ledger.history_bytes += size
            chain.is_plain = is_plain
            chain.is_usual = True
            chain.append(seq, payload)
            self.chains[key] = chain
            self.names.add(key)
            self.visible.add(key)
            self.timeline.append(now, label, chain)
            if ledger.history_bytes > self.history_trigger or seq > self.seq_trigger:
                self.pruner.step()
            return (self.epoch, seq, now, label, (key, PACK, 1, size, False))
        except StorageError:
            raise  # refused, and nothing has happened
        except BaseException:
            self.repair()
            raise

    def extend_one(
        self, key: str, header: bytes, added: int, appended: bytes, is_plain: bool, label: Label, now: int
    ) -> Facts | None:
        """Make the list or text at `key` longer: its body under a new header, with these bytes at its end.

        `header` is empty for a list that gets `added` items, whose header follows from its count; `is_plain` says it of
        what is appended. Cost: O(appended). None, and nothing has happened, where this short way does not lead to it.
        """
        chain = self.chains.get(key)
        if chain is None or self.is_guarded or chain.is_settled or not appended:
            return None
        seqs, forms = chain.columns
        last = forms[-1]
        is_large = type(last) is LargeRef
        old = chain.content if is_large else last
        tip = chain.tip
        if tip is None or tip.pieces is not old:
            tip = chain.tip = tip_of(old) if type(old) is Pieces else None
        if tip is None or id(last) in self.records:
            return None
        pieces = tip.pieces
        more = len(appended)
        size = pieces.size + more
        count = tip.count
        if header:
            count = -1 if count < 0 else array_count(header)
        elif count < 0:
            return None
        else:
            count += added
            header = array_header(count)
        if len(header) != tip.header_size or (size > self.large_size and not is_large):
            return None
        buffer = tip.buffer
        data = buffer.data
        if len(data) != tip.stop or buffer.is_large != is_large or buffer.is_sealed or type(data) is not bytearray:
            return None
        if is_large:
            self.former = (self.timeline.head + 1, ((chain, pieces),))
        try:
            data += appended
        except BufferError:  # someone is reading this very moment, in another thread
            self.former = _NOTHING
            return None
        try:
            own = pieces.own
            own = header if len(own) == len(header) else header + own[len(header) :]
            pieces = Pieces(size, own, pieces.sources, pieces.cuts)
            timeline, ledger = self.timeline, self.ledger
            seq = timeline.head + 1
            if self.journal is not None:
                self._write_longer(seq, now, label, chain, pieces, appended, tip)
            tip.pieces = pieces
            tip.stop += more
            tip.count = count
            if is_large:
                entry: Form = LargeRef(pieces, last.links)  # type: ignore[union-attr]
                history = ledger.history_bytes + LARGE_REF_SIZE
                if self.pins.views:
                    self.pins.keep(chain, seq)
                chain.content = pieces
            else:
                entry = pieces
                history = ledger.history_bytes + len(own) + more
                records = self.records
                for source in pieces.sources:
                    record = records[id(source)]
                    record.total += 1
                    record.historical += 1
                record.weight += more  # the last source is the buffer that grew
            ledger.history_bytes = history
            ledger.live_bytes += more
            if not is_plain:
                chain.is_plain = False
            forms.append(entry)
            seqs.append(seq)
            version = chain.gone + len(forms)
            if chain.versions is not None:
                chain.versions.append(version)
            tail = timeline.tail if seq & BLOCK_MASK else timeline.open_block(seq)
            tail.times.append(now)
            tail.labels.append(label)
            tail.changed.append(chain)
            timeline.head = seq
            if history > self.history_trigger or seq > self.seq_trigger:
                self.pruner.step()
            return (self.epoch, seq, now, label, (key, PACK, version, size, is_large))
        except StorageError:
            raise  # refused, and nothing has happened
        except BaseException:
            self.repair()
            raise
        finally:
            if is_large:
                self.former = _NOTHING

    def _write_longer(
        self, seq: int, now: int, label: Label, chain: Chain, content: Pieces, appended: bytes, tip: Tip
    ) -> None:
        """Write down what a buffer has grown by; where that is refused, it has not."""
        assert self.journal is not None
        try:
            self.journal.write_longer(seq, now, label, chain, content, appended, self.records)
        except BaseException:
            tip.buffer.cut(tip.stop)
            raise

    def commit_payloads(self, payloads: Mapping[str, bytes], label: Label, now: int) -> Facts:
        """Pack several keys as one commit. Cost: as `commit_one`, without what is done once a commit."""
        if self.is_guarded or self.journal is not None or len(payloads) < 2:
            return self.commit([Request(key, PACK, payload) for key, payload in payloads.items()], label, now)
        chains, shards, small_max = self.chains, self.shards, self.small_max
        seq = self.timeline.head + 1
        changed: list[Chain] = []
        changes: list[RawChange] = []
        live = history = 0
        self.former = (seq, ())
        try:
            for key, payload in payloads.items():
                chain = chains.get(key)
                size = len(payload)
                if (
                    chain is not None
                    and chain.is_usual
                    and size <= small_max
                    and not (_CAN_GROW[payload[0]] and size >= GROWTH_SIZE_MIN)
                ):
                    shard = shards[hash(payload) >> SHARD_SHIFT]
                    if payload not in shard:
                        seqs, forms = chain.columns
                        shard[payload] = chain
                        live += size - len(forms[-1])  # type: ignore[arg-type]
                        history += size
                        chain.is_plain = False
                        forms.append(payload)
                        seqs.append(seq)
                        changed.append(chain)
                        changes.append((key, PACK, chain.gone + len(forms), size, False))
                        continue
                planned = plan(self, Request(key, PACK, payload), [])
                self.former = (seq, (*self.former[1], (planned.chain, planned.chain.content)))
                changes.append(self._enter(planned, seq))
                changed.append(planned.chain)
            ledger = self.ledger
            ledger.live_bytes += live
            ledger.history_bytes += history
            return self._finished(tuple(changed), tuple(changes), label, now)
        except BaseException:
            self.repair()
            raise
        finally:
            self.former = _NOTHING

    def _finished(self, changed: tuple[Chain, ...], changes: tuple[RawChange, ...], label: Label, now: int) -> Facts:
        """The entries are made: now the commit is."""
        timeline = self.timeline
        is_single = len(changed) == 1
        was_empty = not timeline.count
        self.entry_offset += len(changed) - 1
        timeline.append(now, label, changed[0] if is_single else changed)
        if was_empty:  # no snapshot in memory shows what was there before
            for chain in changed:
                dropping.release_before(self, chain, chain.index_of(timeline.head), 0)
        if self.ledger.history_bytes > self.history_trigger or timeline.head > self.seq_trigger:
            self.pruner.step()
        return (self.epoch, timeline.head, now, label, changes[0] if is_single else changes)

    def commit(self, requests: Sequence[Request], label: Label, now: int, *, is_limited: bool = True) -> Facts:
        """One commit of any number of changes, each of another key. `is_limited`: may a hard limit refuse it?"""
        seq = self.timeline.head + 1
        undo: Undo = []
        try:
            planned = plan_all(self, requests, undo)
            if is_limited and self.limits.hard_limit:
                planned = made_to_fit(self, requests, planned, undo)
            if self.journal is not None:
                self.journal.write(seq, now, label, planned, self.records)
            return self.adopt(planned, label, now)
        except BaseException:
            if self.timeline.head < seq:
                undo_growth(undo)
            if self.former[0] == seq:
                self.repair()
            raise
        finally:
            self.former = _NOTHING

    def adopt(self, planned: Sequence[Planned], label: Label, now: int) -> Facts:
        """Make the changes, which nothing can refuse any more, the next commit. What stops it has to be repaired."""
        seq = self.timeline.head + 1
        self.former = (seq, tuple([(one.chain, one.chain.content) for one in planned]))
        changes = tuple([self._enter(one, seq) for one in planned])
        return self._finished(tuple([one.chain for one in planned]), changes, label, now)

    def adopt_deletes(self, keys: Sequence[str], label: Label, now: int) -> Facts:
        """Deletes that no limit may refuse: what a purge takes out of sight."""
        return self.commit([Request(key, "delete") for key in keys], label, now, is_limited=False)

    def take_pruned(self) -> tuple[int, int]:
        """How many commits were pruned since this was asked last, and how many bytes of history left with them."""
        pruned = (self.pruned - self.pruned_told, self.pruned_bytes)
        self.pruned_told, self.pruned_bytes = self.pruned, 0
        return pruned

    def _enter(self, plan: Planned, seq: int) -> RawChange:
        """Append one entry to its chain, and everything that goes with it."""
        chain, entry = plan.chain, plan.entry
        ledger = self.ledger
        last = chain.last
        was_visible = is_visible(last)
        if last is None:
            self.chains[chain.key] = chain
            self.names.add(chain.key)
            chain.former = (self.retired.pop(chain.key, 0), self.retired_seqs.pop(chain.key, 0))
        form = form_of(entry)
        if form is not None:
            if plan.is_new and type(form) is bytes:
                form = entry = ledger.add_payload(chain, form)
            else:
                ledger.add(chain, form, is_new=plan.is_new)
        if last is not None:
            old_form = form_of(last)
            if isinstance(old_form, LargeRef) and old_form is not form:
                self.pins.keep(chain, seq)
            ledger.hide(chain)
        if isinstance(form, LargeRef):
            chain.content = plan.content
            self.large.add(chain)
        elif chain.content is not None:
            chain.content = None
            self.large.discard(chain)
        chain.is_plain = plan.is_plain
        chain.append(seq, entry)
        chain.tip = None
        chain.is_usual = type(entry) is bytes and id(entry) not in self.records and chain.versions is None
        visible = is_visible(entry)
        if visible != was_visible:
            if visible:
                self.visible.add(chain.key)
            else:
                self.visible.remove(chain.key)
        return (chain.key, kind_of(entry), chain.version, size_of(entry), isinstance(form, LargeRef))

    # -- reading -----------------------------------------------------------------------------------------------

    def chain_of(self, key: str) -> Chain | None:
        """The chain of a key, woken if it slept; None when there is none. Wants the store's lock."""
        chain = self.chains.get(key)
        if chain is None and self.past is not None:
            chain = wake(self, self.past, key)
        return chain

    def quarantined(self) -> dict[str, str]:
        """The keys in quarantine and why."""
        found = {}
        for key in self.names:
            chain = self.chains.get(key)
            if chain is None and self.past is not None and key not in self.visible:
                chain = self.chain_of(key)
            last = None if chain is None else chain.last
            if isinstance(last, Mark) and last.kind == "quarantine":
                found[key] = last.reason
        return found

    def hides(self, key: str) -> bool:
        """Has the key a value, in sight or in quarantine, whose bytes are there?"""
        chain = self.chain_of(key)
        return chain is not None and present_content(chain) is not None

    def wake_all(self) -> None:
        """Have all keys in memory. Cost: reading those that sleep."""
        if self.past is not None:
            for key, _ in list(self.past.dormant_kinds()):
                self.chain_of(key)

    def commit_at(self, seq: int) -> Commit:
        """A commit in memory or in the archive as an object."""
        if self.past is not None and not self.timeline.has(seq):
            time_ns, label, archived = self.past.facts(seq)
            return Commit((self.epoch.of(seq), seq, time_ns, label, archived))
        time_ns, label, _ = self.timeline.facts(seq)
        changes = raw_changes(self.timeline.changed(seq), seq)
        return Commit((self.epoch.of(seq), seq, time_ns, label, changes))

    def commit_of(self, chain: Chain, index: int) -> Commit | None:
        """The commit that made an entry of a chain: also one that has left memory while the entry stays."""
        seq = chain.columns[0][index]
        if self.timeline.has(seq):
            return self.commit_at(seq)
        author = self.authors.get(seq)
        if author is None:
            return self.commit_at(seq) if self.past is not None and self.past.knows(seq) else None
        return Commit((self.epoch.of(seq), *facts_of(author, chain, seq)))

    def setter_of(self, chain: Chain, index: int) -> Commit | None:
        """The commit that brought the value of an entry: of a released one, who packed it. None where that is lost."""
        return setter_of(self, chain, index)

    @property
    def entry_count(self) -> int:
        """How many entries all chains have together."""
        return self.timeline.head + self.entry_offset

    def version(self, key: str) -> int:
        """How many changes the key has had, ever."""
        chain = self.chain_of(key)
        return self.retired.get(key, 0) if chain is None else chain.version

    # -- checking ----------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Every invariant of every structure, recounted from the entries; or AssertionError."""
        checking.check(self)
