"""How much room does a commit take on disk once the store is closed? (W1 and W3)"""

from collections.abc import Iterable
from typing import Any

import backpack
from benchmarks import harness, workloads
from benchmarks.folders import blocks_on_disk, new_folder, size_on_disk
from benchmarks.harness import Row


def run(size: float = 1.0) -> list[Row]:
    """Bytes of all files, by their lengths, over the commits."""
    count = harness.scaled(10_000, size, least=400)
    keys = workloads.keys()
    w1 = ((keys[number % len(keys)], workloads.step_record(number)) for number in range(count))
    length = harness.scaled(1_000, size, least=50)
    messages = [workloads.message(number) for number in range(length)]
    w3 = (("chat.messages", messages[:stop]) for stop in range(1, length + 1))
    return [_row("W1", w1, count, 150.0), _row("W3", w3, length, 420.0)]


def _row(name: str, packs: Iterable[tuple[str, Any]], count: int, limit: float) -> Row:
    pack = harness.packing()
    packed = 0
    with new_folder() as folder:
        path = folder / "store"
        with backpack.open(path) as store:
            for key, value in packs:
                store.pack(key, value, node=workloads.NODE)
                packed += len(pack(value))
        size, blocks = size_on_disk(path), blocks_on_disk(path)
    detail = f"{packed / count:,.0f} B packed; {blocks / count:.0f} B in blocks of the file system"
    return Row(f"{name} after closing: bytes on disk, a commit", size / count, "B", limit, detail=detail)


if __name__ == "__main__":
    harness.main(run)
