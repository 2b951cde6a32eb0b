"""What does a commit of a large text cost beyond packing it? (W2: 2,000 dicts of 50 KB; the default budget prunes)"""

from backpack import Backpack
from benchmarks import harness, workloads
from benchmarks.harness import Row, clock

KEY_COUNT = 20


def run(size: float = 1.0) -> list[Row]:
    """Against packing alone, and against packing and keeping what was packed."""
    count = harness.scaled(2_000, size, least=60)
    names = workloads.keys(KEY_COUNT)
    keys = [names[number % KEY_COUNT] for number in range(count)]
    values = [workloads.document(number) for number in range(count)]

    def committing() -> int:
        pack = Backpack().pack
        start = clock()
        for key, value in zip(keys, values, strict=True):
            pack(key, value, node=workloads.NODE)
        return clock() - start

    def packing_alone() -> int:
        pack = harness.packing()
        start = clock()
        for value in values:
            pack(value)
        return clock() - start

    def keeping() -> int:
        pack = harness.packing()
        kept = []
        start = clock()
        for value in values:
            kept.append(pack(value))
            if len(kept) > 1_000:
                del kept[:200]
        return clock() - start

    ours, floor, kept = harness.interleave([committing, packing_alone, keeping], harness.scaled(11, size, least=2))
    return [
        harness.against(
            "W2 pack of a dict with a 50 KB text, against packing alone", ours, floor, count=count, limit=3.0
        ),
        harness.against("W2 pack, against packing and keeping the bytes of 1,000", ours, kept, count=count),
    ]


if __name__ == "__main__":
    harness.main(run)
