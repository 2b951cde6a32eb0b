"""The store: the public face of the engine. It holds the lock and the clock, packs and unpacks, and little else.

Values become bytes before the lock is taken and objects again after it is free; what happens under it is O(1) beyond
the bytes that are new.
"""

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from itertools import islice
from threading import Lock, RLock
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol, Self, TypeVar, cast

from backpack.archive.archive import Stored, engine_over
from backpack.archive.opened import Health
from backpack.archive.visiting import look_again
from backpack.codec import pack_checked, pack_value, unpack_value
from backpack.core.addresses import At, bound, pruned_error, required, resolve
from backpack.core.chain import Mark, is_visible, size_of
from backpack.core.commit import NO_LABEL, Commit, Facts, Label, new_object, set_facts
from backpack.core.engine import Engine
from backpack.core.forking import fork
from backpack.core.freezing import freeze
from backpack.core.ids import Epoch
from backpack.core.limits import Limits
from backpack.core.patterns import Pattern
from backpack.core.payload import Content, LargeRef, Pieces, form_size, join
from backpack.core.requests import Request
from backpack.core.shaping import Grown, present_content
from backpack.errors import (
    BackpackError,
    CheckpointExistsError,
    ClosedError,
    CommitNotFoundError,
    CorruptionError,
    InvalidArgumentError,
    KeyNotFoundError,
    QuarantineError,
    ReadOnlyError,
    ReentryError,
    UnstorableValueError,
)
from backpack.limits import (
    CHECKPOINT_COUNT_MAX,
    HISTORY_SIZE_LIMIT_DEFAULT,
    MESSAGE_SIZE_MAX,
    NAME_SIZE_MAX,
    PRUNE_PERCENTAGE_DEFAULT,
    VALUE_SIZE_LIMIT_DEFAULT,
)
from backpack.store import tasks, travel
from backpack.store.adopting import adopt, adopting_nothing, letters_at_rest
from backpack.store.archived import Archived
from backpack.store.attribution import Attribution, attributed_node
from backpack.store.compacting import compact, tend
from backpack.store.differences import Diff, diff_of
from backpack.store.erasing import erase
from backpack.store.events import Callback, Event, Events, Subscription
from backpack.store.export import read_export, write_export
from backpack.store.growing import KnownItems, append_items, append_request, append_slowly, packed_items
from backpack.store.history import History
from backpack.store.inherited import expect_forks
from backpack.store.names import (
    checked_checkpoint_name,
    checked_items,
    checked_key,
    checked_limit,
    checked_mapping,
    checked_namespace,
    checked_retention,
    checked_run,
    checked_text,
    made_label,
    packed_by_key,
    refused,
)
from backpack.store.node import Node
from backpack.store.pending import Growth
from backpack.store.posted import posted
from backpack.store.records import Checkpoint, CompactReport, File, Item, Lines, PurgeReport
from backpack.store.remembered import Remembered
from backpack.store.sight import Sight
from backpack.store.slicing import bytes_of, text_of
from backpack.store.snapshot import RAISE, Snapshot
from backpack.store.spans import add_spans
from backpack.store.state import State, nothing
from backpack.store.taking import popped, with_default
from backpack.store.transaction import Transaction
from backpack.store.usage import MemoryUsage, largest_keys, measure, pinned_bytes

if TYPE_CHECKING:
    from backpack.archive.archive import Archive
    from backpack.archive.derived import Derived
    from backpack.archive.opened import Health, Opened
    from backpack.archive.opening import Recovery
    from backpack.storage.encryption import Key
    from backpack.store.posted import Posted

_LABELS_KEPT: Final = 256
_KEYS_AT_ONCE: Final = 64
_BEHIND: Final = "\U0010ffff"
"""No key of letters, digits and dots comes after it."""

_MISSING: Final = object()
_NO_TAGS: Final = ()
_T = TypeVar("_T")


class Follower(Protocol):
    """Keeps something that is derived from a store. It is never called under the store's lock, and raises nothing."""

    def discard(self) -> None:
        """Values are being erased: let go of all that was made of any."""
        ...

    def finish(self) -> None:
        """The store is about to be closed."""
        ...


_Following = TypeVar("_Following", bound=Follower)


class Backpack(MutableMapping[str, Any]):
    """A versioned store in memory: a mapping in which every change is a commit.

    >>> bp = Backpack({"query": "hello"})
    >>> commit = bp.pack("answer", {"text": "hi"}, node="writer")
    >>> bp["answer"], commit.seq, commit.node
    ({'text': 'hi'}, 2, 'writer')
    >>> bp.snapshot(1).to_dict()
    {'query': 'hello'}

    Limits are bytes: `max_value_size` (above it history holds a reference), `max_history_size` (the budget),
    `max_commits`, `prune_strategy` ("oldest", "least-accessed", "none"), `prune_percentage` (how much of the budget one
    pruning frees), `hard_limit` (refuse what does not fit). Nonsense raises ValueError. Thread-safe.
    """

    def __init__(
        self,
        initial: Mapping[str, Any] | None = None,
        *,
        max_value_size: int = VALUE_SIZE_LIMIT_DEFAULT,
        max_history_size: int = HISTORY_SIZE_LIMIT_DEFAULT,
        max_commits: int | None = None,
        prune_strategy: str = "oldest",
        prune_percentage: float = PRUNE_PERCENTAGE_DEFAULT,
        hard_limit: bool = False,
    ) -> None:
        if isinstance(initial, (str, bytes, os.PathLike)):
            raise InvalidArgumentError("a Backpack(...) is a store in memory: backpack.open(path) opens one on disk")
        limits = Limits(max_value_size, max_history_size, max_commits, prune_strategy, prune_percentage, hard_limit)
        self._set_up(Engine(limits, Epoch(os.urandom(16))), 0)
        if initial is not None:
            self.update(initial)

    def _set_up(
        self, engine: Engine, last_ns: int, opened: "Opened | None" = None, archive: "Archive | None" = None
    ) -> None:
        self._engine = engine
        self._opened = opened
        """The files of an opened store."""
        self._archive = archive
        """What has left memory: of an opened store, or of the one that this is a fork of."""
        self._origin: Backpack | None = None
        """Of a fork that reads the files of an opened store: that store, which must not be lost before it."""
        self._expect_no_loss: Callable[[], object] = nothing
        """To be called when it is closed."""
        self._is_durable = False
        """Does a commit wait until it is on disk for good?"""
        self._recovery: Recovery | None = None
        self._commit_one = engine.commit_one
        self._extend_one = engine.extend_one
        self._chains = engine.chains
        self._lock = RLock()
        engine.pins.make_view = partial(Remembered, self._lock)
        self._view: Callable[[int], Remembered] = engine.pins.view  # type: ignore[assignment]
        self._is_barred = False
        """No change may begin: a `pack` is under way in this very thread, or the store is closed or a reader's."""
        self._gate = Lock()
        """Held during any other change."""
        self._last_ns = last_ns
        self._labels: dict[str | None, Label] = {None: NO_LABEL}
        self._events = Events()
        add_spans(self._events)
        self._history = History(engine, archive, self._lock)
        self._readers = tasks.Readers()
        self._followers: dict[str, Follower] = {}
        """What keeps something derived from the store, by a name of its own."""
        self._inherited: dict[str, Follower] = {}
        """In a forked child: those of the parent."""
        self._is_closed = False
        self._is_forked = False
        expect_forks(self)

    # -- packing -----------------------------------------------------------------------------------------------

    def pack(
        self,
        key: str,
        value: Any,
        *,
        node: str | None = None,
        message: str | None = None,
        tags: Iterable[str] = _NO_TAGS,
    ) -> Commit:
        """Put a value in: one commit of one key.

        Cost: packing the value, and O(1). A value that can't be stored raises `UnstorableValueError` and changes
        nothing.

        >>> Backpack().pack("plan", ["search", "book"], node="planner", message="first plan").changes["plan"].version
        1
        """
        if type(key) is not str or key not in self._chains:
            key = checked_key(key)
        grown: Grown = None
        try:
            if type(value) is list:
                growth = KnownItems(self, key)
                payload, is_plain = pack_checked(value, growth.count)
                if payload is growth.payload:
                    grown = growth.grown
            else:
                payload, is_plain = pack_value(value), False
        except UnstorableValueError as error:
            raise refused(key, error) from None
        try:
            label = self._labels.get(node) if message is None and tags is _NO_TAGS else None
        except TypeError:  # what can't be looked up is no str
            label = None
        if label is None or node is None:
            label = self._label(node, message, tags)
        with self._lock:  # not acquire and release: Ctrl-C between the two would leave it locked
            if self._is_barred or self._gate.locked():
                raise self._barred_error()
            try:
                self._is_barred = True
                now = time.time_ns()
                if now < self._last_ns:
                    now = self._last_ns
                facts = self._commit_one(key, payload, is_plain, grown, label, now)
                self._last_ns = now
            finally:
                self._is_barred = self._is_closed
        commit = new_object(Commit)
        set_facts(commit, facts)
        if self._is_durable:
            self._wait(facts[1])
        if self._events.subscribers:
            self._tell(commit)
        return commit

    def append(
        self,
        key: str,
        *values: Any,
        node: str | None = None,
        message: str | None = None,
        tags: Iterable[str] = _NO_TAGS,
    ) -> Commit:
        """Add to the list at `key`, made when missing. Cost: that of what is added, however long the list is.

        >>> bp = Backpack()
        >>> bp.append("messages", {"role": "user"}).seq, bp.append("messages", {"role": "assistant"}).seq
        (1, 2)
        >>> len(bp["messages"])
        2
        """
        if type(key) is not str or key not in self._chains:
            key = checked_key(key)
        count = len(values)
        try:
            appended, is_plain = pack_checked(values[0], None, 1) if count == 1 else packed_items(values)
        except UnstorableValueError as error:
            raise refused(key, error, is_item=True) from None
        try:
            label = self._labels.get(node) if message is None and tags is _NO_TAGS else None
        except TypeError:  # what can't be looked up is no str
            label = None
        if label is None or node is None:
            label = self._label(node, message, tags)
        with self._lock:  # as in `pack`
            if self._is_barred or self._gate.locked():
                raise self._barred_error()
            try:
                self._is_barred = True
                now = time.time_ns()
                if now < self._last_ns:
                    now = self._last_ns
                facts = self._extend_one(key, b"", count, appended, is_plain, label, now)
                if facts is None:
                    facts = append_slowly(self, key, count, appended, is_plain, label, now)
                self._last_ns = now
            finally:
                self._is_barred = self._is_closed
        return self._told(facts)

    def delete(
        self, key: str, *, node: str | None = None, message: str | None = None, tags: Iterable[str] = ()
    ) -> Commit:
        """Take a key out: a commit like any other. A missing key raises `KeyNotFoundError`."""
        return self._told(self._delete(key, self._label(node, message, tags)))

    def update(  # type: ignore[override]
        self,
        mapping: Mapping[str, Any] | Iterable[tuple[str, Any]] = (),
        *,
        node: str | None = None,
        message: str | None = None,
        tags: Iterable[str] = (),
    ) -> Commit | None:
        """Put several values in: one commit, or none (and None) when there is nothing to do.

        >>> Backpack().update({"a": 1, "b": 2}, node="loader").changes["b"].version
        1
        """
        with self.transaction(node=node, message=message, tags=tags) as transaction:
            transaction.update(mapping)
        return transaction.commit

    def clear(  # type: ignore[override]
        self, *, node: str | None = None, message: str | None = None, tags: Iterable[str] = ()
    ) -> Commit | None:
        """Take everything out: one commit, or none (and None) when there is nothing."""
        return self._clear(None, node, message, tags)

    def transaction(
        self, *, node: str | None = None, message: str | None = None, tags: Iterable[str] = ()
    ) -> Transaction:
        """Any number of changes as one commit, or none of them.

        >>> bp = Backpack()
        >>> with bp.transaction(node="booker") as tx:
        ...     tx.pack("seat", "12A")
        ...     tx.pack("paid", True)
        >>> tx.commit.seq, bp.select("**")
        (1, {'paid': True, 'seat': '12A'})
        """
        self._require_open()
        return Transaction(self, self._label(node, message, tags))

    # -- reading -----------------------------------------------------------------------------------------------

    def unpack(self, key: str, default: Any = None) -> Any:
        """A fresh copy of the present value, or `default`. Counts as an access; tells subscribers."""
        content = self._read(key)
        if content is None:
            return default
        return unpack_value(content if type(content) is bytes else join(content))

    def unpack_required(self, key: str) -> Any:
        """A fresh copy of the present value, or `KeyNotFoundError`."""
        value = self.unpack(key, _MISSING)
        if value is _MISSING:
            raise KeyNotFoundError(f"no value: key={key!r}", key=key)
        return value

    def peek(self, key: str, default: Any = None) -> Any:
        """As `unpack`, without an event and without counting as an access."""
        self._require_open()
        content = self._present_content(key)
        return default if content is None else unpack_value(join(content))

    def item(self, key: str) -> Item:
        """The present value with its version, size, commit, node, tags and time."""
        self._require_open()
        with self._lock:
            chain = self._engine.chain_of(key)
            entry = None if chain is None else chain.last
            if chain is None or entry is None or not is_visible(entry):
                raise KeyNotFoundError(f"no value: key={key!r}", key=key)
            commit = self._author(key)
            form = entry.form if isinstance(entry, Mark) else entry
            version, size = chain.version, size_of(entry)
            content = present_content(chain)
        assert content is not None
        return Item(key, version, size, isinstance(form, LargeRef), commit, lambda: unpack_value(join(content)))

    def version(self, key: str) -> int:
        """How many changes the key has had, ever: deletes count, pruning takes nothing away; 0 if never seen."""
        self._require_open()
        with self._lock:
            return self._engine.version(key)

    def select(self, pattern: str) -> dict[str, Any]:
        """The values of the keys that fit: `sales.*` is one level, `sales.**` any depth. Cost: those keys.

        >>> Backpack({"a.x": 1, "a.y.z": 2, "b": 3}).select("a.**")
        {'a.x': 1, 'a.y.z': 2}
        """
        compiled = Pattern(pattern)
        self._require_open()
        with self._lock:
            contents = {key: self._present(key) for key in compiled.select(self._engine.visible)}
        return {key: unpack_value(join(content)) for key, content in contents.items() if content is not None}

    def read_text(self, key: str, at: At | None = None, lines: Lines | None = None) -> str:
        """Lines of a text (the first and the last, both included, counted from 1; None: all), exactly as it has them.

        A line ends with its newline, and at nothing else; past the end there is nothing. Cost in an opened store: what
        the slice touches, however long the text is, since blobs know where lines are. In memory, and for what is in no
        blob, newlines are counted up to the last line: 0.1 to 0.6 ms a MB. A missing key raises `KeyNotFoundError`,
        what is no text `NotTextError`, bytes that are not within reach `ValueUnavailableError`. Counts as an access, as
        `unpack` does.

        >>> Backpack({"log": "one\\ntwo\\nthree"}).read_text("log", lines=(2, 3))
        'two\\nthree'
        """
        return text_of(self._content_at(key, at), lines, self._archive)

    def read_bytes(self, key: str, at: At | None = None, start: int = 0, length: int | None = None) -> bytes:
        """So many bytes (None: all) from there, of bytes or of the UTF-8 of a text; fewer only at the end.

        Cost: what the slice touches, wherever it stands. Errors are those of `read_text`.

        >>> Backpack({"page": b"%PDF-1.7 and more"}).read_bytes("page", start=1, length=3)
        b'PDF'
        """
        return bytes_of(self._content_at(key, at), start, length)

    # -- the mapping -------------------------------------------------------------------------------------------

    __getitem__ = unpack_required

    def __setitem__(self, key: str, value: Any) -> None:
        self.pack(key, value)

    def __delitem__(self, key: str) -> None:
        self.delete(key)

    def get(self, key: str, default: Any = None) -> Any:
        """As `unpack`."""
        return self.unpack(key, default)

    def __contains__(self, key: object) -> bool:
        self._require_open()
        return isinstance(key, str) and self._is_visible(key)

    def __iter__(self) -> Iterator[str]:
        return self._while_open(self._visible_keys())

    def __len__(self) -> int:
        self._require_open()
        return len(self._engine.visible)

    def __bool__(self) -> bool:
        return len(self) > 0

    def pop(self, key: str, default: Any = _MISSING) -> Any:
        """Take a value out and give it back; else `default`, or `KeyNotFoundError`."""
        taken = popped(self, lambda: key)
        if taken is not None:
            return taken[1]
        if default is _MISSING:
            raise KeyNotFoundError(f"nothing to pop: key={key!r}", key=key)
        return default

    def popitem(self) -> tuple[str, Any]:
        """Take out the last key in order, with its value; `KeyNotFoundError` when there is none."""
        taken = popped(self, lambda: self._engine.visible[-1] if self._engine.visible else None)
        if taken is None:
            raise KeyNotFoundError("nothing to pop: the store is empty", key="")
        return taken

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value, or `default`, packed, when there is none."""
        return with_default(self, key, default, None)

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return self.select("**") == dict(other) if isinstance(other, Mapping) else NotImplemented

    def __repr__(self) -> str:
        if self._is_closed:
            return "<Backpack closed>"
        with suppress(CorruptionError):
            return f"<Backpack keys={len(self)} head={self._engine.timeline.head}>"
        return f"<Backpack damaged head={self._engine.timeline.head}>"

    def __reduce__(self) -> NoReturn:
        """No copy by `copy` or `pickle`: two handles would write one log, and neither know when it was closed."""
        what = "a store can't be copied or pickled"
        raise UnstorableValueError(f"{what}: fork() makes another one, export(file) one file of it", path="")

    # -- commits -----------------------------------------------------------------------------------------------

    @property
    def head(self) -> Commit | None:
        """The newest commit; None before the first."""
        self._require_open()
        with self._lock:
            seq = self._engine.timeline.head
            has_head = self._engine.timeline.has(seq) or (self._archive is not None and self._archive.has(seq))
            return self._engine.commit_at(seq) if has_head else None

    def commit(self, at: At) -> Commit:
        """The commit that `at` names. Counts as an access to it. `CommitNotFoundError`, `CommitPrunedError`."""
        self._require_open()
        with self._lock:
            seq = resolve(self._engine, required(at))
            if not seq:
                raise CommitNotFoundError("there is no commit at the empty beginning", at=at)
            self._engine.timeline.touch(seq)
            return self._engine.commit_at(seq)

    def history(
        self,
        key: str | None = None,
        *,
        node: str | None = None,
        tag: str | None = None,
        before: At | None = None,
        after: At | None = None,
        limit: int | None = None,
    ) -> Iterator[Commit]:
        """The commits, newest first, lazily: of a key, a node, with a tag, between two others (these not included) or
        between two times (what was made in that very microsecond not included).

        Of a damaged store: all that can be read, on both sides of the damage, and `CorruptionError` behind the last,
        unless `limit` is reached before.

        >>> bp = Backpack({"a": 1})
        >>> _ = bp.pack("a", 2, node="n")
        >>> [commit.seq for commit in bp.history("a")], [commit.seq for commit in bp.history(node="n")]
        ([2, 1], [2])
        """
        self._require_open()
        checked_limit(limit)
        with self._lock:
            stop = self._engine.timeline.head + 1 if before is None else bound(self._engine, before, is_end=True)
            start = 0 if after is None else bound(self._engine, after, is_end=False)
        return self._while_open(self._listed(key, node, tag, start, stop, limit))

    def blame(self, key: str) -> Commit:
        """Who set the present value; known for as long as the value lives, pruned or not."""
        self._require_open()
        with self._lock:
            if not self._is_visible(key):
                raise KeyNotFoundError(f"no value: key={key!r}", key=key)
            commit = self._author(key)
        if commit is None:
            raise CommitNotFoundError(f"who set it is lost, as the commit is: key={key!r}", at=key)
        return commit

    def bisect(
        self, predicate: Callable[[Snapshot], object], *, good: At | None = None, bad: At | None = None
    ) -> Commit:
        """The first commit whose snapshot satisfies the predicate, in O(log commits) snapshots.

        `good`: it is known to be false there (the beginning); `bad`: true there (HEAD). `CommitNotFoundError` when it
        is not true at `bad`, `CommitPrunedError` when it is true at the oldest commit left and the first may have gone.

        >>> bp = Backpack()
        >>> for number in range(10): _ = bp.pack("n", number)
        >>> bp.bisect(lambda snapshot: snapshot["n"] >= 7).seq
        8
        """
        self._require_open()
        with self._lock:
            low, high = travel.at_or(self._engine, good, 0), resolve(self._engine, bad)
        if low > high:
            raise InvalidArgumentError(f"good must come before bad: good seq={low} bad seq={high}")
        return travel.bisect(self, predicate, low, high)

    # -- snapshots ---------------------------------------------------------------------------------------------

    def snapshot(self, at: At | None = None) -> Snapshot:
        """Every key as of a commit (None: now), read-only. Cost: O(1); a key O(log versions) when read.

        Naming a commit counts as an access to it, and so does each value that is read.

        >>> bp = Backpack({"a": 1})
        >>> _ = bp.pack("a", 2)
        >>> bp.snapshot(1)["a"], bp.snapshot("HEAD")["a"]
        (1, 2)
        """
        return self._snapshot(at, None)

    def snapshot_before(self, node: str, run: int = -1) -> Snapshot | None:
        """The state before a run of a node (consecutive commits by it; 0 is the first, -1 the last), None if it never
        ran so often."""
        checked_run(run)
        self._require_open()
        seq = travel.run_before(self._history.commits(None, self._engine.timeline.head + 1, 0), node, run)
        return None if seq is None else self.snapshot(seq)

    def diff(self, a: At, b: At | None = None) -> Diff:
        """What changed from one commit to another (None: now): `added`, `removed`, `changed`.

        >>> bp = Backpack({"plan": {"city": "Rome", "days": 3}})
        >>> _ = bp.pack("plan", {"city": "Rome", "days": 4})
        >>> bp.diff(1).changed["plan"].paths
        ('days',)
        """
        return self._diff(self.snapshot(required(a)), self.snapshot(b))

    def restore(
        self,
        at: At,
        *,
        keys: Iterable[str] | None = None,
        node: str | None = None,
        message: str | None = None,
        tags: Iterable[str] = (),
        unavailable: Any = RAISE,
    ) -> Commit | None:
        """Make the present (or those keys) equal the snapshot: a new commit, history stays. None when it is so already.

        A value that is not within reach raises `ValueUnavailableError`, unless `unavailable` says what to put there. A
        key that never was is no error: it is absent then and now.

        >>> bp = Backpack({"a": 1})
        >>> _ = bp.pack("a", 2)
        >>> bp.restore(1).seq, bp["a"]
        (3, 1)
        """
        look = partial(self.snapshot, required(at))
        return self._restore(look, keys, self._label(node, message, tags), unavailable, None)

    def fork(
        self,
        at: At | None = None,
        *,
        path: str | os.PathLike[str] | None = None,
        key: "Key | None" = None,
        unavailable: Any = RAISE,
    ) -> "Backpack":
        """A store of its own that shares the history up to `at` and goes on from there. This one is never touched.

        With `path` it is an opened store in that directory, which is missing or empty; `key` encrypts it, and must be
        given when this one is encrypted, or a fork of one that is.

        >>> bp = Backpack({"a": 1})
        >>> other = bp.fork()
        >>> _ = other.pack("a", 2)
        >>> bp["a"], other["a"], other.head.seq
        (1, 2, 2)
        """
        substitute = None if unavailable is RAISE else pack_value(unavailable)
        self._require_open()
        if path is not None:
            from backpack.store.moving import fork_to  # which opens stores, and so imports this file

            return fork_to(self, at, path, key, substitute)
        with self._lock:
            seq = resolve(self._engine, at)
            if at is not None:
                self._engine.timeline.touch(seq)
            if self._archive is not None and (self._opened is not None or not self._engine.timeline.has(seq)):
                return self._fork_archived(self._archive, seq, substitute)
            if self._archive is not None:
                self._engine.wake_all()
            replaced = travel.replacements(self._state(seq), self._engine.large_size, substitute)
            twin = fork(self._engine, seq, os.urandom(16), replaced)
            past = twin.past = None if self._archive is None else self._archive.awake()
            store = self._from_engine(twin, self._last_ns, None, past)
            store._origin = self._origin
            return store

    def replay(
        self,
        start: At,
        *,
        skip: Iterable[At] = (),
        replace: Mapping[At, Mapping[str, Any]] | None = None,
        unavailable: Any = RAISE,
    ) -> "Backpack":
        """A fork at `start` onto which the later commits are applied again, with their node, tags, message and time.

        `skip` leaves some out, `replace` puts other values into some; nothing is worked out anew.

        >>> bp = Backpack({"city": "Rome"})
        >>> _ = bp.pack("hotel", "Roma"); _ = bp.pack("days", 3)
        >>> bp.replay(1, skip=[2]).select("**")
        {'city': 'Rome', 'days': 3}
        """
        substitute = None if unavailable is RAISE else pack_value(unavailable)
        packed = {
            at: packed_by_key(checked_mapping("replace[at]", values))
            for at, values in checked_mapping("replace", {} if replace is None else replace).items()
        }
        skip = checked_items("skip", skip, "commits")
        twin = self.fork(required(start), unavailable=unavailable)
        with self._lock:
            engine = self._engine
            begin = twin._engine.timeline.head
            skipped = {resolve(engine, required(at)) for at in skip}
            replaced = {resolve(engine, required(at)): values for at, values in packed.items()}
            early = [seq for seq in (*skipped, *replaced) if seq <= begin]
            if early:
                raise InvalidArgumentError(
                    f"only commits behind the start can be changed: start={begin} seq={min(early)}"
                )
            states = (
                self._state(resolve(engine, seq))
                for seq in range(begin + 1, engine.timeline.head + 1)
                if seq not in skipped
            )
            travel.replay(states, twin, replaced, substitute)
        return twin

    # -- checkpoints -------------------------------------------------------------------------------------------

    def checkpoint(self, name: str, *, at: At | None = None, notes: str = "") -> Checkpoint:
        """Pin a commit (None: the newest) under a name. A taken name raises `CheckpointExistsError`.

        >>> bp = Backpack({"a": 1})
        >>> _ = bp.checkpoint("before lunch"); _ = bp.pack("a", 2)
        >>> bp.snapshot("before lunch")["a"]
        1
        """
        name = checked_checkpoint_name(name)
        checked_text("note", notes, MESSAGE_SIZE_MAX, may_be_empty=True)
        self._require_open()
        with self._lock, self._change():
            if name in self._engine.pins.checkpoints:
                raise CheckpointExistsError(
                    f"the checkpoint exists: name={name!r}; delete it or choose another", name=name
                )
            if len(self._engine.pins.checkpoints) >= CHECKPOINT_COUNT_MAX:
                raise InvalidArgumentError(
                    f"there are too many checkpoints: count={len(self._engine.pins.checkpoints)}; delete some"
                )
            seq = resolve(self._engine, at)
            if not seq:
                raise CommitNotFoundError("there is no commit yet that a checkpoint could name", at=at)
            if self._opened is not None:
                is_gone = self._archive is not None and not self._archive.has(seq)  # a snapshot alone has it
                if is_gone or (self._opened.is_leaving(seq) and seq not in self._engine.pins.checkpoint_counts):
                    raise pruned_error(self._engine, at, seq)
                self._opened.note(self._now(), {"checkpoint": name, "seq": seq, "notes": notes})
            self._engine.pins.add(name, seq, notes)
            made = Checkpoint(name, self._engine.commit_at(seq), notes)
        self._settle_note()
        return made

    def checkpoints(self) -> list[Checkpoint]:
        """All checkpoints, in the order they were made."""
        self._require_open()
        with self._lock:
            return [
                Checkpoint(name, self._engine.commit_at(seq), notes)
                for name, (seq, notes) in self._engine.pins.checkpoints.items()
            ]

    def delete_checkpoint(self, name: str) -> None:
        """Unpin it; an unknown name raises `CommitNotFoundError`."""
        if not isinstance(name, str):
            raise InvalidArgumentError(f"a checkpoint name must be a str, not {type(name).__name__}")
        self._require_open()
        with self._lock, self._change():
            if name not in self._engine.pins.checkpoints:
                raise CommitNotFoundError(f"there is no checkpoint of that name: {name!r}", at=name)
            if self._opened is not None:
                self._opened.note(self._now(), {"forget": name})
            self._engine.pins.remove(name)
        self._settle_note()

    # -- memory ------------------------------------------------------------------------------------------------

    def memory_usage(self, deep: bool = False) -> MemoryUsage:
        """What the memory is spent on. Cost: O(1); `deep` counts from the payloads instead, O(changes).

        >>> bp = Backpack({"a": "x" * 10})
        >>> bp.memory_usage().live_bytes, bp.memory_usage().commits_in_memory
        (11, 1)
        """
        return self._usage(deep, self._largest_keys)

    def prune(self) -> int:
        """Prune now, down to the share of the budget that pruning leaves; how many commits left."""
        self._require_open()
        with self._lock, self._change():
            pruned = self._engine.pruner.run()
        self._tell_pruned()
        return pruned

    def configure(self, **limits: Any) -> None:
        """Change limits at run time. Lowering one prunes at once; nonsense raises ValueError and changes nothing.

        `max_value_size`, `max_history_size` (bytes, above 0), `max_commits` (above 0, or None), `prune_strategy`
        ("oldest", "least-accessed" or "none"), `prune_percentage` (above 0, up to 1) and `hard_limit` (a bool): see
        `Backpack`. Another name is a TypeError. What the archive keeps is no limit of these: see `compact`.

        >>> bp = Backpack()
        >>> bp.configure(max_history_size=1_000_000, max_commits=100)
        >>> bp.limits.max_commits
        100
        """
        self._require_open()
        with self._lock, self._change():
            self._engine.set_limits(self._engine.limits.changed(limits))
            self._engine.pruner.enforce()
        self._tell_pruned()

    @property
    def limits(self) -> Limits:
        """The limits in force."""
        self._require_open()
        return self._engine.limits

    # -- nodes and events --------------------------------------------------------------------------------------

    def node(
        self,
        name: str,
        *,
        reads: Iterable[str] | None = None,
        writes: Iterable[str] | None = None,
        denies: Iterable[str] = (),
        namespace: str = "",
    ) -> Node:
        """The store as one agent step sees it: under its name, with its permissions, below its namespace.

        `reads`, `writes` and `denies` are lists of patterns of absolute keys: for the first two None is everything,
        empty is always nothing, deny wins. The namespace goes without a dot at its end: "sales" for `sales.leads`.

        >>> bp = Backpack()
        >>> sales = bp.node("sales", namespace="sales", denies=["sales.secret"])
        >>> _ = sales.pack("leads", 3)
        >>> bp.select("**"), bp.blame("sales.leads").node
        ({'sales.leads': 3}, 'sales')
        """
        self._require_open()
        name, prefix = checked_text("node", name, NAME_SIZE_MAX), checked_namespace(namespace)
        return Node(self, Sight(name, reads, writes, denies, prefix, self._events.publish))

    def as_node(self, name: str) -> AbstractContextManager["Backpack"]:
        """Attribute what runs inside to a node, for this task or thread; inner blocks win, `node=` wins over all.

        >>> bp = Backpack()
        >>> with bp.as_node("planner"):
        ...     bp.pack("plan", []).node
        'planner'
        """
        name = checked_text("node", name, NAME_SIZE_MAX)
        self._require_open()
        return Attribution(self, name)

    def subscribe(
        self,
        callback: Callback,
        *,
        kinds: Iterable[str] | None = None,
        node: str | None = None,
        key: str | None = None,
    ) -> Subscription:
        """Be told what happens: `callback(event)` in the thread that caused it. `key` may be a pattern.

        >>> bp, seen = Backpack(), []
        >>> subscription = bp.subscribe(lambda event: seen.append((event.kind, event.key)), kinds=["pack"])
        >>> _ = bp.pack("a", 1); subscription.cancel(); _ = bp.pack("a", 2)
        >>> seen
        [('pack', 'a')]
        """
        self._require_open()
        self._take_pruned()
        return self._events.add(callback, kinds=kinds, node=node, key=key)

    # -- bad values --------------------------------------------------------------------------------------------

    def quarantine(self, key: str, *, reason: str, node: str | None = None) -> Commit:
        """Take a bad value out of sight, but not out of history, until it is released or packed over."""
        checked_text("reason", reason, MESSAGE_SIZE_MAX, may_be_empty=True)
        label = self._label(node, None, ())
        with self._lock, self._change():
            if not self._is_visible(key):
                raise KeyNotFoundError(f"nothing to quarantine: key={key!r}", key=key)
            facts = self._engine.commit((Request(key, "quarantine", reason=reason),), label, self._now())
        return self._told(facts)

    def quarantined(self) -> dict[str, str]:
        """The keys in quarantine and why."""
        self._require_open()
        with self._lock:
            return self._engine.quarantined()

    def release(self, key: str, *, node: str | None = None) -> Commit:
        """Bring a quarantined value back into sight. Refused with `QuarantineError` when the value in sight is in none,
        as one that was packed over it; `KeyNotFoundError` when there is no value either."""
        label = self._label(node, None, ())
        with self._lock, self._change():
            chain = self._engine.chain_of(key)
            last = None if chain is None else chain.last
            if not isinstance(last, Mark) or last.kind != "quarantine":
                if not self._is_visible(key):
                    raise KeyNotFoundError(f"nothing to release: key={key!r}", key=key)
                raise QuarantineError(f"the key is not in quarantine: key={key!r}", key=key)
            facts = self._engine.commit((Request(key, "release"),), label, self._now())
        return self._told(facts)

    def purge(self, pattern: str, *, dry_run: bool = False) -> PurgeReport:
        """Erase every value the keys ever had: the one call that rewrites history. Forks are stores of their own; what
        live ones still keep on the disk, the report says.

        The present values go by a commit (a delete); old snapshots answer `Unavailable(reason="purged")`.

        >>> bp = Backpack({"user.email": "x@example.org"})
        >>> bp.purge("user.**").versions, "user.email" in bp
        (1, False)
        >>> bp.snapshot(1).unpack("user.email").reason
        'purged'
        """
        return erase(self, Pattern(pattern), dry_run, None)

    def compact(
        self,
        *,
        max_archive_size: int | None = None,
        keep_days: float | None = None,
        keep_commits: int | None = None,
        dry_run: bool = False,
    ) -> CompactReport:
        """Take old commits off the disk for good, in whole segments, and blobs that nothing points to any more.

        Without a limit the ones that the store was opened with count, if any. Present values, checkpoints and all
        commits that stay are as before; those that go raise `CommitPrunedError`. What several limits keep least of
        counts. Of a store in memory there is nothing to compact. An open snapshot of a commit that goes stays as it is
        when memory has the commit, but for large values that the disk alone had: they answer `dropped`.

        With `dry_run` nothing changes. The report has the commits that compacting would take away if it came next; its
        size is theirs to a few bytes too, unless readers have the store open (compacting leaves blobs alone then) or
        memory alone still has large values of commits that go. Cost: as compacting, but for the writing.
        """
        self._require_open()
        return compact(self, checked_retention(max_archive_size, keep_days, keep_commits), dry_run, time.time_ns())

    def _tend(self) -> None:
        """Compact by what the store was opened with. In the thread that seals."""
        tend(self, time.time_ns())

    # -- one file ----------------------------------------------------------------------------------------------

    def export(self, file: File, *, key: "Key | None" = None) -> None:
        """Write everything into one portable file, checksummed: a path, published atomically, or a file open for bytes.

        Open snapshots, subscriptions and large values of the past that nothing else keeps don't go in. `StorageError`
        or `DiskFullError` when the disk refuses; an old file at the path is there still. Cost: O(bytes + changes).
        `key` encrypts what an opened store or a fork of one exports, and must be given when that is encrypted itself.

        >>> import io
        >>> file = io.BytesIO()
        >>> Backpack({"plan": ["search", "book"]}).export(file)
        >>> Backpack.load(io.BytesIO(file.getvalue()))["plan"]
        ['search', 'book']
        """
        self._require_open()
        is_secret = self._is_secret()
        if self._archive is None and key is not None and not is_secret:
            raise InvalidArgumentError("the export of a store in memory can't be encrypted: leave key= out")
        if self._archive is not None or is_secret:
            self._adopt()
            from backpack.store.moving import export_to  # which opens stores, and so imports this file

            export_to(self, file, key)
            return
        with self._lock:
            image = freeze(self._engine, self._last_ns)
        write_export(image, file)

    @classmethod
    def load(cls, file: File, *, key: "Key | None" = None) -> "Backpack":
        """The store in a file that `export` wrote: same ids, history and limits; it goes on by itself.

        A damaged file, or one that goes on behind the export, raises `CorruptionError` and loads nothing; what is open
        for bytes is read from where it stands to its end. `StoreNotFoundError` when there is none. No class is
        imported: a value of one that is not registered here raises `UnknownTypeError` when it is unpacked.

        >>> import io
        >>> bp, file = Backpack({"a": 1}), io.BytesIO()
        >>> bp.export(file); _ = file.seek(0)
        >>> loaded = Backpack.load(file)
        >>> loaded.head == bp.head, loaded.pack("a", 2).seq
        (True, 2)
        """
        first, second = read_export(file, os.urandom(16))
        if isinstance(first, Engine):
            assert isinstance(second, int)
            return cls._from_engine(first, second)
        assert isinstance(second, dict)
        from backpack.store.moving import load_from  # which opens stores, and so imports this file

        return load_from(first, second, key)

    # -- asyncio -----------------------------------------------------------------------------------------------

    async def apack(
        self, key: str, value: Any, *, node: str | None = None, message: str | None = None, tags: Iterable[str] = ()
    ) -> Commit:
        """As `pack`; in an opened store it waits for durability without blocking the loop, together with others.

        Cancelling it takes nothing back: the commit may have been made already.
        """
        key, label = checked_key(key), self._label(node, message, tags)
        is_at_hand = tasks.is_at_hand(self, key)
        known = KnownItems(self, key, may_wait=False)
        try:
            payload, is_plain = pack_checked(value, known.count) if type(value) is list else (pack_value(value), False)
        except UnstorableValueError as error:
            raise refused(key, error) from None
        grown = known.grown if payload is known.payload else None

        def change() -> Facts:
            with self._lock, self._change():
                return self._commit_one(key, payload, is_plain, grown, label, self._now())

        is_short = is_at_hand and len(payload) <= self._engine.large_size
        return await self._changed(change, is_short=is_short)

    async def aappend(
        self, key: str, *values: Any, node: str | None = None, message: str | None = None, tags: Iterable[str] = ()
    ) -> Commit:
        """As `append`."""
        key, label = checked_key(key), self._label(node, message, tags)
        try:
            appended, is_plain = packed_items(values)
        except UnstorableValueError as error:
            raise refused(key, error, is_item=True) from None
        change = partial(append_items, self, key, len(values), appended, is_plain, label)
        is_short = tasks.is_at_hand(self, key) and len(appended) <= self._engine.large_size
        return await self._changed(change, is_short=is_short)

    async def adelete(
        self, key: str, *, node: str | None = None, message: str | None = None, tags: Iterable[str] = ()
    ) -> Commit:
        """As `delete`."""
        change = partial(self._delete, key, self._label(node, message, tags))
        return await self._changed(change, is_short=tasks.is_at_hand(self, key))

    async def asnapshot(self, at: At | None = None, keys: Iterable[str] | None = None) -> Snapshot:
        """As `snapshot`, with all loaded that reads will want: all but blobs, or the `keys` named with theirs.

        Whatever has to be read from disk is read by another thread.
        """
        self._require_open()
        named = None if keys is None else [checked_key(key) for key in ([keys] if isinstance(keys, str) else keys)]
        if self._archive is None:
            return self._snapshot(at, None)
        return await self._readers.run(self._loaded, at, named)

    async def aread_text(self, key: str, at: At | None = None, lines: Lines | None = None) -> str:
        """As `read_text`; what has to be read from disk is read by another thread."""
        return await tasks.sliced(self, key, at, lambda content: text_of(content, lines, self._archive))

    async def aread_bytes(self, key: str, at: At | None = None, start: int = 0, length: int | None = None) -> bytes:
        """As `read_bytes`, in the same way."""
        return await tasks.sliced(self, key, at, lambda content: bytes_of(content, start, length))

    async def aflush(self) -> None:
        """As `flush`, without blocking the loop."""
        self._require_open()
        if self._opened is not None and self._opened.writer is not None:
            if self._opened.inbox.names():
                await self._readers.run(self._adopt)
            await self._opened.aflush()
            if self._opened.is_behind:
                await self._readers.run(self._opened.catch_up)
            self._testify(self._opened)

    async def aclose(self) -> None:
        """As `close`, without blocking the loop. It is closed when this returns, even if the task was cancelled."""
        if self._opened is None or self._readers.is_closed:
            self.close()
            return
        _, early = await self._readers.finish(self._take_leave, is_needed=True)
        self._is_closed = True  # reads that wait for their turn are refused then, and don't hold it up
        _, interrupt = await self._readers.finish(self.close, is_needed=True)
        if early is not None or interrupt is not None:
            raise early or interrupt  # type: ignore[misc]

    # -- the end -----------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Everything so far is as durable as the store can make it: in memory that it is there, on disk that it
        survives a power loss. Raises `StorageError` for what failed in the background since the last time.

        What other processes have posted into the inbox is adopted first, as when a store is opened or closed. Where
        the store was opened with limits for its archive, this waits until it keeps them."""
        self._require_open()
        if self._opened is not None and self._opened.writer is not None:
            self._adopt()
            self._opened.flush()
            self._testify(self._opened)

    def refresh(self) -> bool:
        """Show what a writer in another process has done since: True when there was something new.

        Of a store that is open with `mode="r"`; of any other there is never. Open snapshots stay what they are. Cost:
        what is new, and O(keys) when there is something. `CorruptionError`, `StorageError`: all is as before.
        """
        self._require_open()
        opened = self._opened
        if opened is None or opened.writer is not None:
            return False
        with self._lock:
            is_new = look_again(opened)
            if is_new is None:
                return False
            engine, archive = opened.engine(self._engine.limits), opened.archive
            engine.pins.make_view = partial(Remembered, self._lock)
            self._engine, self._archive = engine, archive
            self._commit_one, self._extend_one, self._chains = engine.commit_one, engine.extend_one, engine.chains
            self._view = engine.pins.view  # type: ignore[assignment]
            self._last_ns = archive.last_ns
            self._history = History(engine, archive, self._lock)
        return is_new

    def health(self) -> "Health":
        """How the store fares: what failed in the background, how much waits to be sealed or synced."""
        self._require_open()
        return Health(True, "", 0, 0) if self._opened is None else self._opened.health()

    @property
    def recovery(self) -> "Recovery | None":
        """What opening found and did when the store had not been closed: killed, crashed, or the power went.

        It is then not None even where nothing had to be cut off (`dropped_bytes` is 0); None after a clean close, of a
        new store, of one that is open for reading, and in memory.
        """
        return self._recovery

    def close(self) -> None:
        """No more calls: each but this one raises `ClosedError` from now on, so do iterators begun before. Snapshots in
        memory can still be read. Idempotent.

        An opened store is flushed, sealed where there is room and unlocked; what can't be raises `StorageError`, and it
        is closed anyway.
        """
        try:
            self._take_leave()
        finally:
            self._close()

    def _close(self) -> None:
        with self._lock:
            is_changing = self._gate.locked() or (self._is_barred and not self._is_closed)
            self._is_closed = self._is_barred = True
            if self._opened is not None and not (is_changing or self._is_forked or self._opened.is_closed):
                self._opened.take_back()
        try:
            if self._opened is not None and not self._is_forked:
                self._opened.close()
        finally:
            self._expect_no_loss()
            self._readers.close()
            if self._opened is None and self._archive is not None and not self._is_forked:
                self._archive.let_go()

    def __enter__(self) -> Self:
        self._require_open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    # -- inside ------------------------------------------------------------------------------------------------

    @classmethod
    def _from_engine(
        cls, engine: Engine, last_ns: int, opened: "Opened | None" = None, archive: "Archive | None" = None
    ) -> "Backpack":
        store = cls.__new__(cls)
        store._set_up(engine, last_ns, opened, archive)
        return store

    def _is_secret(self) -> bool:
        """Is it encrypted where it was opened, or is it a fork, at any remove, of a store that is?"""
        one: Backpack | None = self
        while one is not None and not (one._opened is not None and one._opened.manifest.secret):
            one = one._origin
        return one is not None

    def _fork_archived(self, archive: "Archive", seq: int, substitute: bytes | None) -> "Backpack":
        """A fork that has what was archived up to `seq` before it. Wants the lock."""
        engine = self._engine
        state = Archived(archive, engine, seq, self._require_open)
        past = archive.until(seq, travel.replacements(state, engine.large_size, substitute))
        twin = engine_over(past, engine.limits, Epoch(os.urandom(16), seq + 1, engine.epoch))
        for name, (pinned, notes) in engine.pins.checkpoints.items():
            if pinned <= seq:
                twin.pins.add(name, pinned, notes)
        store = self._from_engine(twin, self._last_ns, None, past)
        store._origin = self
        return store

    def _follow(self, name: str, make: Callable[[], _Following]) -> _Following:
        """The follower of that name; made when there is none. It is told of a purge and of the close."""
        self._require_open()
        with self._lock:
            follower = self._followers.get(name)
            if follower is None:
                follower = self._followers[name] = make()
        return cast(_Following, follower)

    def _derived(self) -> "Derived | None":
        """Where files derived from the store may be; None where there may be none."""
        self._require_open()
        return None if self._opened is None else self._opened.derived()

    def _take_leave(self) -> None:
        """What is to be done before the end: adopt what was posted, have the followers finish."""
        if not self._is_closed:
            self._adopt()
        self._part()

    def _part(self) -> None:
        """Have the followers finish, once, while everything can still be read."""
        if self._is_closed:
            return
        with self._lock:
            followers, self._followers = self._followers, {}
        for follower in followers.values():
            follower.finish()

    def _begin(self, durability: str, recovery: "Recovery | None") -> None:
        """What only an opened store has."""
        self._is_durable = durability == "power"
        self._recovery = recovery
        if self._opened is not None and self._opened.writer is None:
            self._is_barred = True

    def _inherit(self) -> None:
        """This is a forked child: what is in memory is a store of its own from here on, files are its parent's."""
        is_torn = not self._lock.acquire(blocking=False)  # a thread that is not here was using it
        if not is_torn:
            self._lock.release()
        else:
            lock = self._lock = self._history.lock = RLock()
            self._gate = Lock()
            self._engine.pins.make_view = partial(Remembered, lock)
            for link in list(self._engine.pins.views.values()):
                view = link()
                if isinstance(view, Remembered):
                    view.lock = lock
        self._events.renew_lock()
        self._inherited = self._followers  # kept: what is closed here may be a file of the parent's
        self._followers = {}
        self._readers = tasks.Readers()
        if self._archive is not None:
            self._archive.abandon()
            self._readers.is_closed = True
            self._is_closed = self._is_barred = self._is_forked = True
            return
        if is_torn:
            self._engine.repair()
            self._is_barred = self._is_closed
        self._engine.begin_epoch(os.urandom(16))

    def _adopt(self) -> int:
        """Commit what others have posted into the inbox; how many letters. What is refused stays there and is told by
        `health()`. Cost when there is nothing: a look at the folder."""
        return 0 if self._opened is None or self._opened.writer is None else adopt(self, self._opened)

    def _letters_at_rest(self) -> AbstractContextManager[None]:
        """Inside, letters are neither adopted nor discarded, but before: for who decides what nothing refers to, and
        takes that away. A letter brings all that it needs. Wants no lock that a subscriber may wait for."""
        return nullcontext() if self._opened is None else letters_at_rest(self, self._opened)

    def _adopting_nothing(self) -> AbstractContextManager[None]:
        """Inside, this thread adopts nothing: for who holds a lock that others take while they have letters at rest."""
        return nullcontext() if self._opened is None else adopting_nothing(self._opened)

    def _look_into_inbox(self) -> "Posted | None":
        """Have everything in sight that was posted: a writer adopts it, a reader is given what nobody has adopted yet,
        None when there is nothing, and sees the store as of now (`refresh`)."""
        if self._opened is None or self._opened.writer is not None:
            self._adopt()
            return None
        return posted(self, self._opened)

    def _require_open(self) -> None:
        if self._is_closed:
            raise self._closed_error()

    def _closed_error(self) -> ClosedError:
        """The error for every call after `close`, and in a forked child."""
        if self._is_forked:
            return ClosedError("the store was opened by another process, and this is a fork of it: open it here")
        return ClosedError("the store is closed: open it again")

    def _change(self) -> Lock:
        """The gate of a change, unless none may begin: to be held, with the lock, while changing. Both are locks of
        CPython itself, which Ctrl-C finds held or free and never in between."""
        if self._is_barred or self._gate.locked():
            raise self._barred_error()
        return self._gate

    def _barred_error(self) -> BackpackError:
        if self._is_closed:
            return self._closed_error()
        if self._opened is not None and self._opened.writer is None:
            return ReadOnlyError('the store is open for reading: open it with mode="rw" to change it')
        return ReentryError(
            "the store is in the middle of a change in this very thread: what interrupted it (a signal handler, a "
            "__del__ method) may not write; set a flag there and write later"
        )

    def _now(self) -> int:
        """The clock, which never runs backwards here. Wants the lock."""
        now = time.time_ns()
        if now < self._last_ns:
            return self._last_ns
        self._last_ns = now
        return now

    def _label(self, node: str | None, message: str | None, tags: Iterable[str]) -> Label:
        """Who and why: the same tuple for the same node each time."""
        if node is None:
            node = attributed_node(self)
        if message is not None or tags != ():
            return made_label(node, message, tags)
        try:
            label = self._labels.get(node)
        except TypeError:  # what can't be looked up is no str
            return made_label(node, None, ())
        if label is None:
            label = made_label(node, None, ())
            if len(self._labels) >= _LABELS_KEPT:
                self._labels = {None: NO_LABEL}
            self._labels[node] = label
        return label

    def _while_open(self, items: Iterable[_T]) -> Iterator[_T]:
        """These, one by one, for as long as the store is open; then `ClosedError`."""
        iterator = iter(items)
        while True:
            self._require_open()
            try:
                item = next(iterator)
            except StopIteration:
                return
            yield item

    def _is_visible(self, key: str) -> bool:
        try:
            chain = self._engine.chains.get(key)
        except TypeError:
            return False
        if chain is None and self._archive is not None and isinstance(key, str):
            with self._lock:
                return key in self._engine.visible
        return chain is not None and is_visible(chain.last)

    def _visible_keys(self) -> list[str]:
        self._require_open()
        with self._lock:
            return list(self._engine.visible)

    def _keys_below(self, prefix: str, *, backwards: bool = False) -> Iterator[str]:
        """The visible keys that begin so, in order or backwards; a few at a time, so what changes meanwhile may show.

        Cost: O(log keys) and what is taken.
        """
        last = None
        while True:
            self._require_open()
            with self._lock:
                visible = self._engine.visible
                if backwards:
                    found = visible.irange(
                        prefix, prefix + _BEHIND if last is None else last, (True, last is None), True
                    )
                else:
                    found = visible.irange(prefix if last is None else last, prefix + _BEHIND, (last is None, True))
                keys = [key for key in islice(found, _KEYS_AT_ONCE) if key.startswith(prefix)]
            yield from keys
            if len(keys) < _KEYS_AT_ONCE:
                return
            last = keys[-1]

    def _first_key_below(self, prefix: str, start: str = "") -> str | None:
        """The first visible key that begins so, from another one on; None when there is none. O(log keys)."""
        self._require_open()
        with self._lock:
            key = next(self._engine.visible.irange(max(prefix, start)), None)
        return key if key is not None and key.startswith(prefix) else None

    def _present_content(self, key: str) -> Content | None:
        with self._lock:
            return self._present(key)

    def _read(self, key: str) -> Content | None:
        """The bytes of the present value; counts as an access and tells the subscribers."""
        if self._is_closed:
            raise self._closed_error()
        with self._lock:
            content = self._touched(key)
        if self._events.subscribers and content is not None:
            self._tell_read(key, content)
        return content

    def _touched(self, key: str) -> Content | None:
        """The bytes of the present value; counts as an access. Wants the lock."""
        if not self._is_visible(key):
            return None
        chain = self._engine.chain_of(key)
        assert chain is not None
        self._engine.timeline.touch(chain.last_seq)
        return present_content(chain)

    def _content_at(self, key: str, at: At | None) -> Content:
        """The packed bytes of a value, not joined: of the present one as `unpack` has it, or as of a commit."""
        if at is not None:
            return self._snapshot(at, None)._content(key)
        content = self._read(key)
        if content is None:
            raise KeyNotFoundError(f"no value: key={key!r}", key=key)
        return content

    def _author(self, key: str) -> Commit | None:
        """Who set the present value: for a released one, who had packed it. Wants the lock."""
        chain = self._engine.chain_of(key)
        assert chain is not None
        return self._engine.setter_of(chain, len(chain.columns[1]) - 1)

    def _snapshot(self, at: At | None, sight: Sight | None) -> Snapshot:
        if self._is_closed:
            raise self._closed_error()
        with self._lock:
            engine = self._engine
            seq = at if type(at) is int and at > 0 and engine.timeline.has(at) else resolve(engine, at)
            if at is not None:
                engine.timeline.touch(seq)
            state = self._state(seq)
        return Snapshot(self, state, sight)

    def _state(self, seq: int) -> State:
        """Every key as of a commit that can be read. Wants the lock."""
        engine = self._engine
        if self._archive is None or not seq or engine.timeline.has(seq):
            return self._view(seq)
        return Archived(self._archive, engine, seq, self._require_open)

    def _listed(
        self, key: str | None, node: str | None, tag: str | None, start: int, stop: int, limit: int | None
    ) -> Iterator[Commit]:
        count = 0
        if limit == 0:
            return
        lost: list[CorruptionError] = []
        for commit in self._history.commits(key, stop, start, lost):
            if (node is not None and commit.node != node) or (tag is not None and tag not in commit.tags):
                continue
            yield commit
            count += 1
            if count == limit:
                return
        if lost:
            raise lost[0]

    def _diff(self, old: Snapshot, new: Snapshot) -> Diff:
        return diff_of(old, new)

    def _restore(
        self,
        look: Callable[[], Snapshot],
        keys: Iterable[str] | None,
        label: Label,
        unavailable: Any,
        sight: Sight | None,
    ) -> Commit | None:
        """Make keys equal the snapshot that `look` opens. It is called once the arguments are known to be right."""
        if isinstance(keys, str):
            raise InvalidArgumentError("keys must be a list of str, not one str")
        substitute = None if unavailable is RAISE else pack_value(unavailable)
        named = None if keys is None else list(dict.fromkeys(checked_key(key) for key in keys))
        with self._lock, self._change():
            # both are let go of before the commit: else they would keep theirs from being pruned, and a commit under a
            # hard limit might be refused for that alone
            requests = travel.restore_requests(self._view(self._engine.timeline.head), look(), named, substitute)
            forbidden = [] if sight is None else [one.key for one in requests if not sight.can_write(one.key)]
            facts = self._engine.commit(requests, label, self._now()) if requests and not forbidden else None
        if forbidden and sight is not None:
            raise sight.denied(forbidden[0], "write")
        return None if facts is None else self._told(facts)

    def _clear(self, sight: Sight | None, node: str | None, message: str | None, tags: Iterable[str]) -> Commit | None:
        label = self._label(node, message, tags)
        with self._lock, self._change():
            keys = [key for key in self._engine.visible if sight is None or sight.can_read(key)]
            forbidden = [] if sight is None else [key for key in keys if not sight.can_write(key)]
            requests = [Request(key, "delete") for key in keys]
            facts = self._engine.commit(requests, label, self._now()) if requests and not forbidden else None
        if forbidden and sight is not None:
            raise sight.denied(forbidden[0], "write")
        return None if facts is None else self._told(facts)

    def _purge(self, pattern: Pattern, dry_run: bool, sight: Sight | None) -> PurgeReport:
        return erase(self, pattern, dry_run, sight)

    def _pack_stored(self, key: str, value: Any) -> int:
        """As `pack`, and of a large value an opened store has the bytes on disk only, from the beginning.

        Returns how many bytes it takes: on disk, or packed where it is in memory.
        """
        facts, size = self._commit_stored(checked_key(key), pack_value(value), self._label(None, None, ()))
        self._told(facts)
        return size

    def _commit_stored(self, key: str, payload: bytes, label: Label) -> tuple[Facts, int]:
        """The same of a packed value; the facts of the commit, and how many bytes it takes."""
        archive = self._archive
        with self._lock, self._change():
            if self._opened is None or archive is None or len(payload) <= self._engine.large_size:
                return self._engine.commit_payloads({key: payload}, label, self._now()), len(payload)
            content, size = archive.put_aside(payload)
            request = Request(key, form=LargeRef(content), content=content, is_new=True)
            return self._engine.commit((request,), label, self._now()), size

    def _stored_size(self, key: str) -> int:
        """How many bytes the present value takes: those of its blobs, or packed where it has none; 0 without one."""
        content = self._present_content(key)
        if content is None:
            return 0
        if not isinstance(content, Pieces) or self._archive is None:
            return form_size(content)
        stored = [one for one in content.sources if isinstance(one, Stored)]
        blobs = {digest for one in stored for digest in one.value.blobs}
        return sum(map(self._archive.blobs.size_of, blobs)) if blobs else content.size

    def _delete(self, key: str, label: Label) -> Facts:
        with self._lock, self._change():
            if not self._is_visible(key):
                raise KeyNotFoundError(f"nothing to delete: key={key!r}", key=key)
            return self._engine.commit((Request(key, "delete"),), label, self._now())

    def _commit_transaction(self, payloads: Mapping[str, bytes | Growth], is_whole: bool, label: Label) -> Facts | None:
        with self._lock, self._change():
            if is_whole:
                return self._engine.commit_payloads(payloads, label, self._now())  # type: ignore[arg-type]
            requests = [
                append_request(self, key, payload)
                if isinstance(payload, Growth)
                else Request(key, payload=payload)
                if payload
                else Request(key, "delete")
                for key, payload in payloads.items()
                if payload or self._is_visible(key)
            ]
            return self._engine.commit(requests, label, self._now()) if requests else None

    def _present(self, key: str) -> Content | None:
        """The bytes of the present value. Wants the lock."""
        if not self._is_visible(key):
            return None
        chain = self._engine.chain_of(key)
        return None if chain is None else present_content(chain)

    def _usage(self, deep: bool, largest: Callable[[int], list[tuple[str, int]]]) -> MemoryUsage:
        self._require_open()
        with self._lock:
            return measure(self._engine, deep=deep, largest=largest, pinned=self._pinned_bytes)

    def _pinned_bytes(self, head: int, pins: Collection[int]) -> int:
        with self._lock:
            return pinned_bytes(self._engine, head, pins)

    def _largest_keys(self, head: int) -> list[tuple[str, int]]:
        with self._lock:
            return largest_keys(self._engine, head)

    def _told(self, facts: Facts) -> Commit:
        commit = new_object(Commit)
        set_facts(commit, facts)
        if self._is_durable:
            self._wait(facts[1])
        if self._events.subscribers:
            self._tell(commit)
        return commit

    def _wake(self, key: str) -> None:
        with self._lock:
            self._require_open()
            self._engine.chain_of(key)

    async def _changed(self, change: Callable[[], Facts], *, is_short: bool) -> Commit:
        """The commit that a change makes, once it is as durable as the store promises."""
        commit = await tasks.changed(self, change, is_short=is_short)
        assert commit is not None
        await tasks.durable(self, commit)
        return commit

    def _loaded(self, at: At | None, keys: list[str] | None) -> Snapshot:
        snapshot = self._snapshot(at, None)
        snapshot.load(keys, tasks.Pace())
        return snapshot

    def _wait(self, seq: int) -> None:
        """Return when the commit is on disk for good."""
        if self._opened is not None:
            self._opened.syncer.wait(seq)

    def _testify(self, opened: "Opened") -> None:
        """Have the log say what a flush has done; a flush in the middle of a change leaves that to the next one."""
        with self._lock:
            if not self._is_barred and not self._gate.locked():
                opened.testify(self._last_ns)

    def _settle_note(self) -> None:
        """What was noted about the store is as durable as its commits."""
        if self._is_durable and self._opened is not None:
            self._opened.syncer.sync()

    def _tell(self, commit: Commit) -> None:
        """One event for the commit, and one if it pruned."""
        changes = commit.raw_changes
        kind = changes[0][1] if len(changes) == 1 else "commit"
        self._events.publish(Event(kind, tuple(one[0] for one in changes), commit.node, commit, commit.size))
        self._tell_pruned()

    def _tell_read(self, key: str, content: Content) -> None:
        self._events.publish(Event("unpack", (key,), attributed_node(self), size=form_size(content)))

    def _tell_pruned(self) -> None:
        count, size = self._take_pruned()
        if count and self._events.subscribers:
            self._events.publish(Event("prune" if self._opened is None else "archive", size=size, count=count))

    def _take_pruned(self) -> tuple[int, int]:
        """How many commits were pruned since this was asked last, and how many bytes of history they took along."""
        if self._engine.pruned == self._engine.pruned_told:
            return 0, 0  # without the lock: a task that made a commit asks in the thread of its loop
        with self._lock:
            return self._engine.take_pruned()

    def _check(self) -> None:
        """Every invariant of every structure, or AssertionError."""
        with self._lock:
            self._engine.check()
