"""How much memory do the versions of an edited value take, against storing each whole? (1,000 edits of 50 to 85 KB)"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from backpack import Backpack
from benchmarks import harness, workloads
from benchmarks.harness import Row

KEY: Final = "work.value"

EDITS: Final[dict[str, Callable[[int], Iterator[Any]]]] = {
    "50 KB text edited in the middle": workloads.edited_texts,
    "one message edited in 1,000": workloads.edited_conversations,
    "one field changed in a dict of 2,000": workloads.edited_dicts,
    "a list of 1,000 losing its head, gaining one": workloads.sliding_windows,
}


def run(size: float = 1.0) -> list[Row]:
    """A row a kind of edit, and how many versions of all do not read back whole."""
    versions = harness.scaled(1_000, size, least=10)
    workloads.text(0, 1)  # what all texts are cut from is made before memory is traced
    rows, lost = [], 0
    for name, states in EDITS.items():
        memory, store = harness.traced(lambda states=states: _fill(states(versions)))  # type: ignore[misc]
        pack = harness.packing()
        whole = 0
        for seq, state in enumerate(states(versions), start=1):
            whole += len(pack(state))
            lost += store.snapshot(seq).unpack(KEY) != state
        detail = f"{memory / 1e6:.2f} MB against {whole / 1e6:.2f} MB"
        figure = f"{name}: memory for {versions:,} versions, against whole"
        rows.append(Row(figure, 100 * memory / whole, "%", 10.0 if versions >= 100 else None, detail=detail))
    rows.append(Row("edited versions that do not read back whole", lost, "", 0, detail=f"of {len(EDITS) * versions:,}"))
    return rows


def _fill(states: Iterator[Any]) -> Backpack:
    store = Backpack()
    for state in states:
        store.pack(KEY, state, node=workloads.NODE)
    return store


if __name__ == "__main__":
    harness.main(run)
