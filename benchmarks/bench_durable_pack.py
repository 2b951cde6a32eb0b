"""What does a commit cost when it is written to disk as well, so that it survives the end of the process? (W1)

Beside it: the same in memory, in sqlite3 by hand and in RocksDB. All are as durable: a write-ahead log that the kernel
has, not synced. Opening and closing are not timed; nothing is sealed while 10,000 commits are made.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import backpack
from benchmarks import harness, workloads
from benchmarks.compare import rocksdb
from benchmarks.compare.rocksdb import RocksDb
from benchmarks.compare.sqlite_by_hand import SqliteByHand
from benchmarks.folders import new_folder
from benchmarks.harness import Row, clock

MEMORY = 'W1 pack, durability="process", against in memory'
SQLITE = 'W1 pack, durability="process", against sqlite3 by hand (WAL, NORMAL)'
ROCKSDB = 'W1 pack, durability="process", against RocksDB, unsynced'


def run(size: float = 1.0) -> list[Row]:
    """One row a rival."""
    count = harness.scaled(10_000, size, least=400)
    keys = workloads.keys() * (count // workloads.KEY_COUNT)
    values = [workloads.step_record(number) for number in range(len(keys))]

    def side(make: Callable[[Path], Any]) -> Callable[[], int]:
        def committing() -> int:
            with new_folder() as folder:
                store = make(folder / "store")
                pack = store.pack
                start = clock()
                for key, value in zip(keys, values, strict=True):
                    pack(key, value, node=workloads.NODE)
                elapsed = clock() - start
                store.close()
            return elapsed

        return committing

    makers: list[Callable[[Path], Any]] = [
        lambda path: backpack.open(path, durability="process"),
        lambda _: backpack.Backpack(),
        lambda path: SqliteByHand(path, "NORMAL"),
    ]
    if rocksdb.is_installed:
        makers.append(RocksDb)
    ours, *theirs = harness.interleave([side(make) for make in makers], harness.scaled(9, size, least=2))
    limits = {MEMORY: 1.9, SQLITE: 1 / 8, ROCKSDB: 1.0}
    rows = [
        harness.against(figure, ours, times, count=len(keys), limit=limits[figure])
        for figure, times in zip(limits, theirs, strict=False)
    ]
    if not rocksdb.is_installed:
        rows.append(Row(ROCKSDB, None, "x", limits[ROCKSDB], detail="not installed"))
    return rows


if __name__ == "__main__":
    harness.main(run)
