"""What does a key in a transaction cost beyond packing its value? (200 keys a transaction, 500 B dicts)"""

from backpack import Backpack
from benchmarks import harness, workloads
from benchmarks.harness import Row, clock


def run(size: float = 1.0) -> list[Row]:
    """One row: a key in a transaction, against packing alone."""
    transactions = harness.scaled(50, size, least=3)
    keys = workloads.keys()
    batches = [
        [workloads.step_record(batch * len(keys) + number) for number in range(len(keys))]
        for batch in range(transactions)
    ]

    def committing() -> int:
        store = Backpack()
        start = clock()
        for values in batches:
            with store.transaction(node=workloads.NODE) as transaction:
                pack = transaction.pack
                for key, value in zip(keys, values, strict=True):
                    pack(key, value)
        return clock() - start

    def packing_alone() -> int:
        pack = harness.packing()
        start = clock()
        for values in batches:
            for value in values:
                pack(value)
        return clock() - start

    ours, floor = harness.interleave([committing, packing_alone], harness.scaled(25, size, least=2))
    count = transactions * len(keys)
    return [
        harness.against("transaction of 200 keys, a key, against packing alone", ours, floor, count=count, limit=1.7)
    ]


if __name__ == "__main__":
    harness.main(run)
