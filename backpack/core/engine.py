"""The engine: all keys, all commits, all bytes of one store, without a lock, a clock or a disk.

A commit is *prepared* (payloads find their forms, limits are asked), *written down* by the journal if there is one,
and only then *adopted*: memory changes last. Recovery comes in by the same door without a journal.

`commit_one` is the hot path: one key, a payload that is like nothing before. It does what `commit` does with nothing
called that can be left out; everything unusual goes to `commit`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol
from weakref import WeakValueDictionary, ref

from sortedcontainers import SortedList

from backpack.core import checking, dropping
from backpack.core.chain import DELETED, PACK, Chain, Entry, Mark, form_of, is_visible, kind_of, size_of
from backpack.core.commit import Commit, Facts, Label, RawChange
from backpack.core.headers import HEADER_SIZES, array_count, array_header, header_size
from backpack.core.ids import Epoch
from backpack.core.index import SHARD_SHIFT, SHORT_MAX
from backpack.core.ledger import Ledger
from backpack.core.limits import Limits
from backpack.core.past import Past, Woken
from backpack.core.payload import LARGE_REF_SIZE, Content, Form, LargeRef, Pieces, form_size
from backpack.core.pruning import Pruner
from backpack.core.repairing import repair
from backpack.core.shaping import Grown, LargeIndex, Shaped, as_large, present_content, shape, shape_append
from backpack.core.sharing import EDIT_SIZE_MIN, GROWTH_SIZE_MIN, Undo, tip_of, undo_growth
from backpack.core.timeline import BLOCK_MASK, Timeline
from backpack.errors import HistoryFullError, StorageError

_CAN_GROW: Final = HEADER_SIZES
"""By the first byte of a payload: is it a list, a text or bytes?"""

_VIEWS_MIN: Final = 64

Former = tuple[int, tuple[tuple[Chain, Content | None], ...]]
_NOTHING: Final[Former] = (0, ())


class Request:
    """A change that is asked for: of which key, of which kind, with which payload or form."""

    __slots__ = ("appended", "content", "form", "grown", "header", "is_plain", "key", "kind", "payload", "reason")

    def __init__(
        self,
        key: str,
        kind: str = PACK,
        payload: bytes | None = None,
        *,
        form: Form | None = None,
        content: Content | None = None,
        grown: Grown = None,
        header: bytes = b"",
        appended: bytes = b"",
        is_plain: bool = False,
        reason: str = "",
    ) -> None:
        self.key = key
        self.kind = kind
        self.payload = payload
        self.form = form
        """A form that the chain of this key has already (restore), instead of a payload."""
        self.content = content
        """Its bytes, when it is large."""
        self.grown = grown
        self.header = header
        self.appended = appended
        """Instead of a payload: the present body under this header, with these bytes at its end."""
        self.is_plain = is_plain
        self.reason = reason


class Planned:
    """A change that found its form: ready to be written down and adopted."""

    __slots__ = ("chain", "content", "entry", "is_new", "is_plain")

    def __init__(self, chain: Chain, entry: Entry, content: Content | None, is_new: bool, is_plain: bool) -> None:
        self.chain = chain
        self.entry = entry
        self.content = content
        """The bytes of the value when it is large."""
        self.is_new = is_new
        self.is_plain = is_plain


class Journal(Protocol):
    """Writes commits down before they are adopted. What it raises refuses the commit."""

    def write_one(self, seq: int, time_ns: int, label: Label, key: str, version: int, payload: bytes, /) -> None:
        """A commit of one payload like none before."""
        ...

    def write(
        self, seq: int, time_ns: int, label: Label, changes: Sequence[Planned], records: Mapping[int, object], /
    ) -> None:
        """Any commit. `records`: what the ledger counts the holds of, by identity."""
        ...

    def retract(self, seq: int, /) -> None:
        """Take the commit out again, if it is the last that was written: it was not adopted."""
        ...


class View:
    """The state as of one commit, held open: the commit is not pruned while a view of it lives, and large values that
    go out of sight meanwhile are held here."""

    __slots__ = ("__weakref__", "engine", "held", "seq")

    def __init__(self, engine: "Engine", seq: int) -> None:
        self.engine = engine
        self.seq = seq
        self.held: dict[str, Content] = {}


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
        self.authors: dict[int, dropping.Author | dropping.LoneAuthor] = {}
        """What is still known of commits that have left while an entry of theirs stays."""
        self.checkpoints: dict[str, tuple[int, str]] = {}
        """By name: `(seq, notes)`, in the order they were made."""
        self.checkpoint_counts: dict[int, int] = {}
        self.make_view: Callable[[Engine, int], View] = View
        """What a view of this engine is made with: whoever has the lock may want it in there."""
        self.views: dict[int, ref[View]] = {}
        self.views_limit = _VIEWS_MIN
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
                    self._write_long(seq, now, label, chain, payload)
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

    def _write_long(self, seq: int, now: int, label: Label, chain: Chain, payload: bytes) -> None:
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
        if grown is not None and grown[1] and chain is not None and present_content(chain) is grown[0]:
            header, appended = payload[: header_size(payload)], payload[grown[1] :]
            facts = self.extend_one(key, header, 0, appended, is_plain, label, now)
            if facts is not None:
                return facts
        return self.commit((Request(key, PACK, payload, grown=grown, is_plain=is_plain),), label, now)

    def extend_one(
        self, key: str, header: bytes, added: int, appended: bytes, is_plain: bool, label: Label, now: int
    ) -> Facts | None:
        """Make the list or text at `key` longer: its body under a new header, with these bytes at its end.

        `header` is empty for a list that gets `added` items, whose header follows from its count; `is_plain` says it of
        what is appended. Cost: O(appended). None, and nothing has happened, where this short way does not lead to it.
        """
        chain = self.chains.get(key)
        if chain is None or self.is_guarded or self.journal is not None or chain.is_settled or not appended:
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
        assert type(old) is Pieces
        more = len(appended)
        size = old.size + more
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
        if len(buffer.data) != tip.stop or buffer.is_large != is_large:
            return None
        if is_large:
            self.former = (self.timeline.head + 1, ((chain, old),))
        if not buffer.extend(appended):
            return None
        try:
            own = header if len(old.own) == len(header) else header + old.own[len(header) :]
            pieces = Pieces(size, own, old.sources, old.cuts)
            tip.pieces = pieces
            tip.stop += more
            tip.count = count
            timeline, ledger = self.timeline, self.ledger
            seq = timeline.head + 1
            if is_large:
                entry: Form = LargeRef(pieces, last.links)  # type: ignore[union-attr]
                history = ledger.history_bytes + LARGE_REF_SIZE
                if self.views:
                    self._hold(chain, seq)
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
        except BaseException:
            self.repair()
            raise
        finally:
            if is_large:
                self.former = _NOTHING

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
                plan = self._plan(Request(key, PACK, payload), [])
                self.former = (seq, (*self.former[1], (plan.chain, plan.chain.content)))
                changes.append(self._enter(plan, seq))
                changed.append(plan.chain)
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

    def commit(self, requests: Sequence[Request], label: Label, now: int) -> Facts:
        """One commit of any number of changes, each of another key."""
        undo: Undo = []
        try:
            planned = [self._plan(request, undo) for request in requests]
            if self.limits.hard_limit:
                planned = self._made_to_fit(requests, planned, undo)
            if self.journal is not None:
                self.journal.write(self.timeline.head + 1, now, label, planned, self.records)
        except BaseException:
            undo_growth(undo)
            raise
        return self.adopt(planned, label, now)

    def adopt(self, planned: Sequence[Planned], label: Label, now: int) -> Facts:
        """Make the changes, which nothing can refuse any more, the next commit."""
        seq = self.timeline.head + 1
        self.former = (seq, tuple([(plan.chain, plan.chain.content) for plan in planned]))
        try:
            changes = tuple([self._enter(plan, seq) for plan in planned])
            return self._finished(tuple([plan.chain for plan in planned]), changes, label, now)
        except BaseException:
            self.repair()
            raise
        finally:
            self.former = _NOTHING

    def adopt_deletes(self, keys: Sequence[str], label: Label, now: int) -> Facts:
        """Deletes that no limit may refuse: what a purge takes out of sight."""
        planned = [self._plan(Request(key, "delete"), []) for key in keys]
        if self.journal is not None:
            self.journal.write(self.timeline.head + 1, now, label, planned, self.records)
        return self.adopt(planned, label, now)

    def take_pruned(self) -> int:
        """How many commits were pruned since this was asked last."""
        count = self.pruned - self.pruned_told
        self.pruned_told = self.pruned
        return count

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
                self._hold(chain, seq)
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

    # -- planning ----------------------------------------------------------------------------------------------

    def _plan(self, request: Request, undo: Undo) -> Planned:
        chain = self.chain_of(request.key)
        if chain is None:
            chain = Chain(request.key, self.retired.get(request.key, 0))
        if request.kind == "delete":
            return Planned(chain, DELETED, None, False, False)
        if request.kind != PACK:
            last = chain.last
            assert last is not None
            return Planned(
                chain, Mark(request.kind, form_of(last), request.reason), chain.content, False, chain.is_plain
            )
        if request.form is not None:
            form = request.form
            if isinstance(form, LargeRef):
                return Planned(chain, form, request.content or form.content(), False, request.is_plain)
            if form_size(form) > self.large_size:
                return self._shaped(chain, request, as_large(form, self.large_refs))
            return Planned(chain, form, None, False, request.is_plain)
        if request.payload is not None:
            shaped = shape(chain, request.payload, request.grown, self.large_size, self.large_refs, undo)
        else:
            shaped = shape_append(chain, request.header, request.appended, self.large_size, self.large_refs, undo)
        return self._shaped(chain, request, shaped)

    def _shaped(self, chain: Chain, request: Request, shaped: Shaped) -> Planned:
        form, content, is_new = shaped
        return Planned(chain, form, content, is_new, request.is_plain)

    def _cost(self, planned: Sequence[Planned], leaving: Sequence[Chain] = ()) -> int:
        return self.ledger.cost([(plan.chain, plan.entry, plan.is_new) for plan in planned], leaving)

    def _made_to_fit(self, requests: Sequence[Request], planned: list[Planned], undo: Undo) -> list[Planned]:
        """Under a hard limit: prune until the commit fits. `HistoryFullError` when all that may leave has left.

        Each time something leaves, the changes are planned anew: they may have shared with it, and then cost more.
        """
        limit = self.limits.max_history_size
        while (size := self._cost(planned)) + self.ledger.history_bytes > limit:
            undo_growth(undo)
            undo.clear()
            has_left = self.pruner.make_room(size)
            planned = [self._plan(request, undo) for request in requests]
            if not has_left:
                self._require_room(planned)
                break
        return planned

    def _require_room(self, planned: Sequence[Planned]) -> None:
        """Nothing may leave before the commit: will it fit when the newest one leaves right after?"""
        limit, timeline = self.limits.max_history_size, self.timeline
        head = timeline.head
        if self.limits.prune_strategy != "none" and timeline.has(head) and not self.is_pinned(head):
            growth = self._cost(planned, timeline.changed(head))
            if self.ledger.history_bytes + growth <= limit:
                return
        size = self._cost(planned)
        raise HistoryFullError(
            f"the history is full and hard_limit is set: size={size} limit={limit}; "
            "nothing that may be pruned makes room: raise max_history_size, close snapshots or delete checkpoints",
            size=size,
            limit=limit,
        )

    # -- holding what may not go -------------------------------------------------------------------------------

    def view(self, seq: int) -> View:
        """Hold the state as of a commit in memory (or 0) open. Cost: O(1)."""
        link = self.views.get(seq)
        view = None if link is None else link()
        if view is None:
            view = self.make_view(self, seq)
            self.views[seq] = ref(view)
            if len(self.views) > self.views_limit:
                self.views = {seq: link for seq, link in self.views.items() if link() is not None}
                self.views_limit = 2 * len(self.views) + _VIEWS_MIN
        return view

    def is_pinned(self, seq: int) -> bool:
        """Is the commit a checkpoint, or is a snapshot of it open?"""
        if seq in self.checkpoint_counts:
            return True
        link = self.views.get(seq)
        return link is not None and link() is not None

    def add_checkpoint(self, name: str, seq: int, notes: str) -> None:
        """Pin a commit under a name that is free."""
        self.checkpoints[name] = (seq, notes)
        self.checkpoint_counts[seq] = self.checkpoint_counts.get(seq, 0) + 1

    def remove_checkpoint(self, name: str) -> None:
        """Unpin it; the commit may be pruned again."""
        seq, _ = self.checkpoints.pop(name)
        self.checkpoint_counts[seq] -= 1
        if not self.checkpoint_counts[seq]:
            del self.checkpoint_counts[seq]
            self.pruner.reset()

    def pinned_seqs(self) -> set[int]:
        """The commits that are checkpoints or have an open snapshot."""
        seqs = {seq for seq, link in list(self.views.items()) if link() is not None}
        seqs.update(self.checkpoint_counts)
        return {seq for seq in seqs if self.timeline.has(seq)}

    def _hold(self, chain: Chain, seq: int) -> None:
        """A large value goes out of sight: open views keep what they show of the key, as far as it is within reach."""
        last = chain.last
        hidden = None if last is None else form_of(last)
        record = self.records.get(id(hidden))
        sharers = [chain] if record is None or record.total == 1 else list(self.chains.values())
        for link in list(self.views.values()):
            view = link()
            if view is None or view.seq >= seq:
                continue
            for sharer in sharers:
                entry = sharer.entry_at(view.seq)
                form = None if entry is None else form_of(entry)
                if isinstance(form, LargeRef) and (sharer is chain or form is hidden):
                    content = chain.content if form is hidden else form.content()
                    if content is not None:
                        view.held[sharer.key] = content

    # -- reading -----------------------------------------------------------------------------------------------

    def chain_of(self, key: str) -> Chain | None:
        """The chain of a key, woken if it slept; None when there is none. Wants the store's lock."""
        chain = self.chains.get(key)
        if chain is None and self.past is not None:
            woken = self.past.wake(key)
            if woken is not None:
                return self._wake(woken, self.past)
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

    def _wake(self, woken: Woken, past: Past) -> Chain | None:
        """A key that slept: its newest change becomes the only entry of its chain, of a commit that has left."""
        if woken.form is None:
            self.retired[woken.key] = woken.version
            self.retired_seqs[woken.key] = woken.seq
            return None
        chain = Chain(woken.key, woken.version - 1)
        live_bytes = self.ledger.live_bytes
        form = woken.form
        if type(form) is bytes:
            form = self.ledger.add_payload(chain, form)
        else:
            self.ledger.add(chain, form, is_new=True)
        entry = form if woken.kind == PACK else Mark(woken.kind, form, woken.reason)
        chain.append(woken.seq, entry)
        chain.is_settled = True
        self.ledger.settle(entry)
        past.dormant_bytes -= self.ledger.live_bytes - live_bytes
        if isinstance(form, LargeRef):
            chain.content = woken.content
            self.large.add(chain)
            past.dormant_large -= 1
        self.chains[woken.key] = chain
        self.entry_offset += 1
        return chain

    def commit_at(self, seq: int) -> Commit:
        """A commit in memory or in the archive as an object."""
        if self.past is not None and not self.timeline.has(seq):
            time_ns, label, archived = self.past.facts(seq)
            return Commit((self.epoch.of(seq), seq, time_ns, label, archived))
        time_ns, label, _ = self.timeline.facts(seq)
        changes = dropping.raw_changes(self.timeline.changed(seq), seq)
        return Commit((self.epoch.of(seq), seq, time_ns, label, changes))

    def commit_of(self, chain: Chain, index: int) -> Commit | None:
        """The commit that made an entry of a chain: also one that has left memory while the entry stays."""
        seq = chain.columns[0][index]
        if self.timeline.has(seq):
            return self.commit_at(seq)
        author = self.authors.get(seq)
        if author is None:
            return self.commit_at(seq) if self.past is not None and self.past.knows(seq) else None
        if isinstance(author, dropping.Author):
            return Commit((self.epoch.of(seq), seq, author.time_ns, author.label, author.changes))
        time_ns, label = author
        return Commit((self.epoch.of(seq), seq, time_ns, label, dropping.raw_changes((chain,), seq)))

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
