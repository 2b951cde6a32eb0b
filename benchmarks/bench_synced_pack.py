"""What does a lone writer pay for a commit that survives a power loss, beyond the disk itself? (W1 records)

Beside each commit as many bytes are written to a bare file and synced, so that both meet the disk in the same mood. A
round is a stretch of such pairs.
"""

import os
from typing import Final

import backpack
from benchmarks import harness, workloads
from benchmarks.folders import new_folder
from benchmarks.harness import Row, clock

PAIRS: Final = 100
_sync = getattr(os, "fdatasync", os.fsync)


def run(size: float = 1.0) -> list[Row]:
    """A commit against a write and a sync of as many bytes."""
    keys = workloads.keys()
    pairs = harness.scaled(PAIRS, size, least=10)
    rounds = harness.scaled(25, size, least=2) + harness.WARM_UP_ROUNDS
    values = [workloads.step_record(number) for number in range(rounds * pairs)]
    ours, theirs = [0] * rounds, [0] * rounds
    with new_folder() as folder, backpack.open(folder / "store", durability="power") as store:
        before = store.memory_usage().archive_bytes
        store.pack(keys[0], workloads.step_record(len(values)), node=workloads.NODE)
        data = os.urandom(store.memory_usage().archive_bytes - before)
        bare = os.open(folder / "bare", os.O_CREAT | os.O_WRONLY, 0o600)
        offset = 0
        try:
            for number, value in enumerate(values):
                start = clock()
                store.pack(keys[number % len(keys)], value, node=workloads.NODE)
                middle = clock()
                os.pwrite(bare, data, offset)
                _sync(bare)
                theirs[number // pairs] += clock() - middle
                ours[number // pairs] += middle - start
                offset += len(data)
        finally:
            os.close(bare)
    figure = 'one writer, durability="power", against a bare pwrite and fdatasync'
    done = slice(harness.WARM_UP_ROUNDS, None)
    return [harness.against(figure, ours[done], theirs[done], count=pairs, limit=1.3)]


if __name__ == "__main__":
    harness.main(run)
