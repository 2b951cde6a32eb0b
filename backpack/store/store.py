"""The store: the public face of the engine, made of the groups of calls before it (`ground.py` says how)."""

import os
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from types import FunctionType
from typing import TYPE_CHECKING, Any, NoReturn

from backpack.core.engine import Engine
from backpack.core.freezing import freeze
from backpack.core.ids import Epoch
from backpack.core.limits import Limits
from backpack.errors import CorruptionError, InvalidArgumentError, UnstorableValueError
from backpack.limits import (
    HISTORY_SIZE_LIMIT_DEFAULT,
    NAME_SIZE_MAX,
    PRUNE_PERCENTAGE_DEFAULT,
    VALUE_SIZE_LIMIT_DEFAULT,
)
from backpack.store.attribution import Attribution
from backpack.store.events import Callback, Subscription
from backpack.store.export import read_export, write_export
from backpack.store.ground import Ground
from backpack.store.names import checked_namespace, checked_text
from backpack.store.node import Node
from backpack.store.records import File
from backpack.store.sight import Sight
from backpack.store.waiting import Waiting

if TYPE_CHECKING:
    from backpack.storage.encryption import Key


class Backpack(Waiting):
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

    # -- as an object ------------------------------------------------------------------------------------------

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


def _name_calls() -> None:
    """Errors and `help` call a method by the name under which everybody knows it: `Backpack.pack`."""
    for group in Backpack.__mro__:
        if issubclass(group, Ground):
            for name, member in vars(group).items():
                function = getattr(member, "__func__", getattr(member, "fget", member))  # of a class method, a property
                if isinstance(function, FunctionType) and function.__module__ == group.__module__:
                    function.__qualname__ = f"Backpack.{name}"


_name_calls()
