"""What does a whole past state cost? (W4: 200 keys of 500 B dicts as of a random commit, as a dict)"""

import random

from backpack import Backpack
from benchmarks import harness, workloads
from benchmarks.harness import Row, clock


def run(size: float = 1.0) -> list[Row]:
    """One row: `to_dict`, against decoding its values."""
    commits = harness.scaled(10_000, size, least=400)
    states = harness.scaled(20, size, least=2)
    keys = workloads.keys()
    store = Backpack()
    for number in range(commits):
        store.pack(keys[number % len(keys)], workloads.step_record(number), node=workloads.NODE)
    chance = random.Random(workloads.SEED)
    seqs = [chance.randint(len(keys), commits) for _ in range(states)]
    pack = harness.packing()
    payloads = [[pack(workloads.step_record(seq - 1 - back)) for back in range(len(keys))] for seq in seqs]

    def materialising() -> int:
        start = clock()
        for seq in seqs:
            store.snapshot(seq).to_dict()
        return clock() - start

    def decoding() -> int:
        decode = harness.decode
        start = clock()
        for state in payloads:
            for payload in state:
                decode(payload)
        return clock() - start

    ours, floor = harness.interleave([materialising, decoding], harness.scaled(15, size, least=2))
    return [harness.against("W4 a snapshot of 200 keys as a dict, against decoding", ours, floor, count=states)]


if __name__ == "__main__":
    harness.main(run)
