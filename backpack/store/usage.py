"""What the memory is spent on."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from html import escape
from sys import getsizeof
from typing import Final

from backpack.core.chain import form_of
from backpack.core.checking import recount
from backpack.core.engine import Engine
from backpack.core.ledger import weight_of
from backpack.core.payload import LARGE_REF_SIZE, LargeRef, Pieces

LARGEST_KEYS: Final = 5
_PINNED_ROW: Final = 4
_PAYLOAD_OVERHEAD: Final = 33
"""A bytes object beyond its bytes."""
_ENTRY_OVERHEAD: Final = 17.5
"""A place in the two columns of a chain, with the room they keep for growth."""
_CHAIN_OVERHEAD: Final = 720
"""A chain with its columns, its key and its place in three sorted or hashed collections."""
_BLOCK_OVERHEAD: Final = 31_000
"""The columns of 1,024 commits."""
_AUTHOR_OVERHEAD: Final = 190


@dataclass(frozen=True, slots=True)
class MemoryUsage:
    """Sizes in bytes, counts of commits and values. `print` shows a table.

    `live_bytes` are the present values, `history_bytes` what history holds of them and of older ones (see the
    contract of bounded memory), `pinned_bytes` what pruning may not take, `overhead_bytes` an estimate of everything
    else that the store keeps.
    """

    live_bytes: int
    history_bytes: int
    history_limit: int
    history_percent: float
    commits_in_memory: int
    commits_archived: int
    commits_pruned: int
    large_values: int
    blob_bytes: int
    archive_bytes: int
    overhead_bytes: int
    over_budget: bool
    _largest: Callable[[], list[tuple[str, int]]] = field(repr=False, compare=False)
    _pinned: Callable[[], int] = field(repr=False, compare=False)

    @property
    def pinned_bytes(self) -> int:
        """The bytes of history that pruning may not take. Worked out when asked for: O(keys) a checkpoint or open
        snapshot."""
        return self._pinned()

    @property
    def largest_keys(self) -> list[tuple[str, int]]:
        """The five keys with the most history bytes, `(key, bytes)`, largest first. Worked out when asked for."""
        return self._largest()

    def __str__(self) -> str:
        rows = [(name.replace("_", " "), _shown(name, value)) for name, value in self._rows()]
        rows += [(f"  {key}", _shown("bytes", size)) for key, size in self.largest_keys]
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:<{width}}  {value:>14}" for name, value in rows)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(name.replace('_', ' '))}</td><td style='text-align:right'>{_shown(name, value)}</td></tr>"
            for name, value in [*self._rows(), *self.largest_keys]
        )
        return f"<table><caption>memory of the backpack</caption>{rows}</table>"

    def _rows(self) -> list[tuple[str, int | float | bool]]:
        rows = [(one.name, getattr(self, one.name)) for one in fields(self) if not one.name.startswith("_")]
        rows.insert(_PINNED_ROW, ("pinned_bytes", self.pinned_bytes))
        return rows


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
    engine: Engine, *, deep: bool, largest: Callable[[], list[tuple[str, int]]], pinned: Callable[[], int]
) -> MemoryUsage:
    """The report of now. Cost: O(1), and O(entries) when `deep`, which counts from the payloads instead."""
    limits = engine.limits
    past = engine.past
    if deep:
        engine.wake_all()
        counted = recount(engine)
        live, history = counted.live_bytes, counted.history_bytes
    else:
        sleeping = 0 if past is None else past.dormant_bytes
        live, history = engine.ledger.live_bytes + sleeping, engine.ledger.history_bytes
    return MemoryUsage(
        live_bytes=live,
        history_bytes=history,
        history_limit=limits.max_history_size,
        history_percent=100 * history / limits.max_history_size,
        commits_in_memory=engine.timeline.count,
        commits_archived=0 if past is None else past.commit_count - engine.timeline.count,
        commits_pruned=engine.pruned if past is None else engine.timeline.head - past.commit_count,
        large_values=len(engine.large) + (0 if past is None else past.dormant_large),
        blob_bytes=0 if past is None else past.blob_bytes,
        archive_bytes=0 if past is None else past.archive_bytes,
        overhead_bytes=_overhead(engine),
        over_budget=history > limits.max_history_size,
        _largest=largest,
        _pinned=pinned,
    )


def pinned_bytes(engine: Engine) -> int:
    """Bytes of history that pruning may not take: what the newest commit brought in, and what the states of
    checkpoints and open snapshots need beyond the present values."""
    holders: dict[int | bytes, int] = {}
    timeline = engine.timeline
    if timeline.count:
        for chain in timeline.changed(timeline.head):
            last = chain.last
            form = None if last is None else form_of(last)
            if form is not None:
                _collect(holders, form)
    for seq in engine.pins.seqs():
        for chain in engine.chains.values():
            index = chain.index_at(seq)
            if index < 0 or index == len(chain.columns[1]) - 1:
                continue
            entry = chain.columns[1][index]
            form = None if entry is None else form_of(entry)
            if form is not None:
                _collect(holders, form)
    return sum(holders.values())


def _collect(holders: dict[int | bytes, int], form: bytes | Pieces | LargeRef) -> None:
    if isinstance(form, bytes):
        holders[form] = len(form)
        return
    holders[id(form)] = weight_of(form)
    if isinstance(form, Pieces):
        for source in form.sources:
            holders[source if isinstance(source, bytes) else id(source)] = weight_of(source)


def largest_keys(engine: Engine, sees: Callable[[str], bool] | None = None) -> list[tuple[str, int]]:
    """The keys with the most history bytes, of all or of those that someone sees. Cost: O(entries)."""
    sizes: list[tuple[int, str]] = []
    for key, chain in engine.chains.items():
        if sees is not None and not sees(key):
            continue
        holders: dict[int | bytes, int] = {}
        last_index = len(chain.columns[1]) - 1
        for index, entry in enumerate(chain.columns[1]):
            form = None if entry is None else form_of(entry)
            if form is not None and not (index == last_index and chain.is_settled):
                _collect(holders, form)
        if holders:
            sizes.append((sum(holders.values()), key))
    sizes.sort(key=lambda pair: (-pair[0], pair[1]))
    return [(key, size) for size, key in sizes[:LARGEST_KEYS]]


def _overhead(engine: Engine) -> int:
    shards = engine.ledger.index.shards
    payloads = sum(map(len, shards)) + len(engine.ledger.index.filed)
    records = engine.ledger.records
    total = (
        sum(map(getsizeof, shards))
        + payloads * _PAYLOAD_OVERHEAD
        + engine.entry_count * _ENTRY_OVERHEAD
        + len(engine.chains) * _CHAIN_OVERHEAD
        + len(engine.timeline.blocks) * _BLOCK_OVERHEAD
        + len(engine.authors) * _AUTHOR_OVERHEAD
        + len(records) * (LARGE_REF_SIZE + 250)
    )
    return int(total)
