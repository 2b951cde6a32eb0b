"""What the memory is spent on."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, fields
from typing import Any, Final, Generic, TypeVar, cast

from backpack.core.chain import Entry
from backpack.core.checking import recount
from backpack.core.engine import Engine
from backpack.core.ledger import holders_of, weight_of
from backpack.store.overhead import overhead_bytes

LARGEST_KEYS: Final = 5
_AT_ONCE_MAX: Final = 64
"""With nothing pinned but the newest commit, and no more keys in it, what is pinned is worked out with the report."""

_T = TypeVar("_T")


class _Later(Generic[_T]):
    """A figure that is worked out when somebody asks for it."""

    __slots__ = ("work_out",)

    def __init__(self, work_out: Callable[[], _T]) -> None:
        self.work_out = work_out


class _Lazy:
    """A field of a report: it may be given a `_Later`, which the first who asks replaces by the figure."""

    __slots__ = ("_slot",)

    def __init__(self, slot: Any) -> None:
        self._slot = slot

    def __get__(self, report: object, owner: type | None = None) -> Any:
        if report is None:
            return self
        value = self._slot.__get__(report, owner)
        if isinstance(value, _Later):
            value = value.work_out()
            self._slot.__set__(report, value)
        return value

    def __set__(self, report: object, value: object) -> None:
        self._slot.__set__(report, value)


@dataclass(frozen=True, slots=True)
class MemoryUsage:
    """Sizes in bytes, counts of commits and values, as they were when it was made. `print` shows a table.

    `live_bytes` are the present values, `history_bytes` what history holds of them and of older ones (see the
    contract of bounded memory), `pinned_bytes` what pruning may not take, `overhead_bytes` an estimate of everything
    else that the store keeps. Equal values count once; those of keys that were not read since the store was opened
    count each for itself. `largest_keys` are the five keys with the most history bytes, `(key, bytes)`, largest
    first.

    `largest_keys` (O(changes)), and `pinned_bytes` where checkpoints or open snapshots pin something (O(keys) each),
    are worked out when they are asked for, or when the report is copied or pickled: as of the report, though without
    what has been pruned in between.
    """

    live_bytes: int
    history_bytes: int
    history_limit: int
    history_percent: float
    pinned_bytes: int = field(compare=False)
    commits_in_memory: int
    commits_archived: int
    commits_pruned: int
    large_values: int
    blob_bytes: int
    archive_bytes: int
    overhead_bytes: int
    over_budget: bool
    largest_keys: list[tuple[str, int]] = field(repr=False, compare=False)

    def __str__(self) -> str:
        rows = [(name.replace("_", " "), _shown(name, value)) for name, value in self._rows()]
        rows += [(f"  {key}", _shown("bytes", size)) for key, size in self.largest_keys]
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:<{width}}  {value:>14}" for name, value in rows)

    def _repr_html_(self) -> str:
        from html import escape  # a quarter of a megabyte of names of letters, which only notebooks need

        rows = "".join(
            f"<tr><td>{escape(name.replace('_', ' '))}</td><td style='text-align:right'>{_shown(name, value)}</td></tr>"
            for name, value in [*self._rows(), *self.largest_keys]
        )
        return f"<table><caption>memory of the backpack</caption>{rows}</table>"

    def _rows(self) -> list[tuple[str, int | float | bool]]:
        return [(one.name, getattr(self, one.name)) for one in fields(self) if one.name != "largest_keys"]


for _name in ("pinned_bytes", "largest_keys"):
    setattr(MemoryUsage, _name, _Lazy(MemoryUsage.__dict__[_name]))


def _shown(name: str, value: int | float | bool) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name == "history_percent":
        return f"{value:.1f} %"
    if name.startswith("commits") or name == "large_values":
        return f"{value:,}"
    size = float(value)
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:,.0f} B" if unit == "B" else f"{size:,.1f} {unit}"
        size /= 1024
    return f"{size:,.1f} GiB"


def measure(
    engine: Engine,
    *,
    deep: bool,
    largest: Callable[[int], list[tuple[str, int]]],
    pinned: Callable[[int, Collection[int]], int],
) -> MemoryUsage:
    """The report of now. Cost: O(1), and O(entries) when `deep`, which counts from the payloads instead.

    `largest` and `pinned` are `largest_keys` and `pinned_bytes` as of a head, with the lock that they want.
    """
    limits = engine.limits
    past = engine.past
    if deep:
        counted = recount(engine)
        sleeping = 0 if past is None else sum(past.dormant_sizes())
        live, history = counted.live_bytes + sleeping, counted.history_bytes
    else:
        sleeping = 0 if past is None else past.dormant_bytes
        live, history = engine.ledger.live_bytes + sleeping, engine.ledger.history_bytes
    head, pins = engine.timeline.head, engine.pins.seqs()
    is_easy = not pins and (not engine.timeline.has(head) or len(engine.timeline.changed(head)) <= _AT_ONCE_MAX)
    return MemoryUsage(
        live_bytes=live,
        history_bytes=history,
        history_limit=limits.max_history_size,
        history_percent=100 * history / limits.max_history_size,
        pinned_bytes=pinned_bytes(engine, head, ()) if is_easy else cast(int, _Later(lambda: pinned(head, pins))),
        commits_in_memory=engine.timeline.count,
        commits_archived=0 if past is None else past.commit_count - engine.timeline.count,
        commits_pruned=engine.pruned if past is None else engine.timeline.head - past.commit_count,
        large_values=len(engine.large) + (0 if past is None else past.dormant_large),
        blob_bytes=0 if past is None else past.blob_bytes,
        archive_bytes=0 if past is None else past.archive_bytes,
        overhead_bytes=overhead_bytes(engine),
        over_budget=history > limits.max_history_size,
        largest_keys=cast(list[tuple[str, int]], _Later(lambda: largest(head))),
    )


def pinned_bytes(engine: Engine, head: int, pins: Collection[int]) -> int:
    """Bytes of history that pruning may not take when `head` is the newest commit: what that brought in, and what the
    states of `pins` (checkpoints and open snapshots) need beyond the values of then. Cost: O(keys) a pin."""
    holders: dict[int | bytes, int] = {}
    timeline = engine.timeline
    if timeline.has(head):
        for chain in timeline.changed(head):
            _collect(holders, chain.columns[1][chain.index_of(head)])
    for seq in pins:
        if timeline.has(seq):
            for chain in engine.chains.values():
                index = chain.index_at(seq)
                if 0 <= index < chain.index_at(head):
                    _collect(holders, chain.columns[1][index])
    return sum(holders.values())


def _collect(holders: dict[int | bytes, int], entry: Entry | None) -> None:
    """What the entry holds, by what tells it from others, and the bytes of each."""
    for holder in () if entry is None else holders_of(entry):
        holders[holder if isinstance(holder, bytes) else id(holder)] = weight_of(holder)


def largest_keys(engine: Engine, head: int, sees: Callable[[str], bool] | None = None) -> list[tuple[str, int]]:
    """The keys with the most history bytes when `head` is the newest commit, of all or of those that someone sees.
    Cost: O(entries)."""
    sizes: list[tuple[int, str]] = []
    for key, chain in engine.chains.items():
        if sees is not None and not sees(key):
            continue
        holders: dict[int | bytes, int] = {}
        seqs, forms = chain.columns
        last = chain.index_at(head)
        for index in range(last + 1):
            if index < last or engine.timeline.has(seqs[index]):
                _collect(holders, forms[index])
        if holders:
            sizes.append((sum(holders.values()), key))
    sizes.sort(key=lambda pair: (-pair[0], pair[1]))
    return [(key, size) for size, key in sizes[:LARGEST_KEYS]]
