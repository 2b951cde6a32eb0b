"""What do sealed commits cost: to seal, on disk, and to read again? (W1: 16,000 commits over 200 keys of 500 B dicts;
W3: a list that grows by a message a commit)"""

import statistics
from collections.abc import Callable
from functools import partial
from time import process_time_ns

from backpack.archive.cache import Cache
from backpack.archive.content import OWN, Change, CommitRow, Value
from backpack.archive.contents import Contents
from backpack.archive.keyframe import Keyframe
from backpack.archive.sealing import seal
from backpack.archive.segment import Segment
from backpack.core.commit import Label
from backpack.storage.cover import PLAIN
from backpack.storage.memory import MemoryFolder
from benchmarks import harness, workloads
from benchmarks.harness import Row, clock

STORE = bytes(16)
LABEL: Label = (workloads.NODE, None, ())
FIRST_TIME = 1_700_000_000_000_000_000
KEY_COUNT = 100_000
"""Of the keyframe."""


class NoBlocks(Cache):
    """A cache that keeps the index and no block: what a cold read finds."""

    def put(self, key: object, value: object, size: int) -> None:
        if not isinstance(value, bytes):
            super().put(key, value, size)  # type: ignore[arg-type]


def run(size: float = 1.0) -> list[Row]:
    """Sealing, sizes, reads of one value, and a keyframe."""
    count = harness.scaled(16_000, size, least=400)
    rounds = harness.scaled(15, size, least=2)
    contents = dicts(count)
    sealing = [sealing_ns(contents) / count / 1e3 for _ in range(rounds)]
    data = sealed(contents)
    wanted = [(workloads.keys()[number % workloads.KEY_COUNT], number + 1) for number in range(0, count, 7)]
    cold, cached = opened(data, NoBlocks()), opened(data, Cache())
    read_all(cached, wanted[:200])
    at_once = min(len(wanted), 200)
    list_data = sealed(growing_list(harness.scaled(1_000, size, least=100)))
    list_count = opened(list_data, Cache()).commit_count
    return [
        row("sealing a commit of 500 B", sealing, "us", 5.0),
        Row("W1 on disk, all in, per commit", len(data) / count, "B", 150.0),
        Row("W3 on disk, all in, per commit", len(list_data) / list_count, "B", 420.0),
        row(
            "one value from a sealed segment, index in memory",
            [timed(lambda: read_all(cold, wanted[:at_once])) / at_once / 1e3 for _ in range(4 * rounds)],
            "us",
            25.0,
        ),
        row(
            "one value from a sealed segment, block in memory",
            [timed(lambda: read_all(cached, wanted[:at_once])) / at_once / 1e3 for _ in range(4 * rounds)],
            "us",
            12.0,
        ),
        row("loading the index of a segment", loads(data, lambda one: one.row_count, rounds), "ms", 1.0),
        row(
            f"loading a keyframe of {KEY_COUNT:,} keys",
            loads(sealed(contents, keyframe(harness.scaled(KEY_COUNT, size, least=200))), Segment.keyframe, rounds),
            "ms",
            30.0,
        ),
    ]


def row(figure: str, values: list[float], unit: str, limit: float) -> Row:
    return Row(figure, statistics.median(values), unit, limit, quietest=min(values))


def timed(work: Callable[[], object]) -> int:
    start = clock()
    work()
    return clock() - start


def loads(data: bytes, load: Callable[[Segment], object], rounds: int) -> list[float]:
    """Milliseconds of each round, with nothing in the cache."""
    segments = [opened(data, Cache()) for _ in range(rounds)]
    return [timed(partial(load, segment)) / 1e6 for segment in segments]


def dicts(count: int) -> Contents:
    """W1."""
    pack = harness.packing()
    keys = workloads.keys()
    values = [pack(workloads.step_record(number)) for number in range(count)]
    commits = []
    for number, value in enumerate(values):
        seq, key = number + 1, keys[number % len(keys)]
        change = Change(key, seq, "pack", number // len(keys) + 1, Value(((1, number, 0, len(value)),)))
        commits.append(CommitRow(seq, FIRST_TIME + number * 5_000 + number * 7_919 % 3_000, LABEL, [change]))
    sources = {(1, number): len(value) for number, value in enumerate(values)}
    return Contents((1, 1), 1, count, commits, sources, lambda source: (values[source[1]],))


def growing_list(count: int) -> Contents:
    """W3: one source, and a header for each version."""
    pack = harness.packing()
    messages = [pack(workloads.message(number)) for number in range(count)]
    commits = []
    stop = 0
    for number, message in enumerate(messages):
        stop += len(message)
        seq = number + 1
        head = b"\xdc" + seq.to_bytes(2, "big")
        value = Value(((OWN, 0, 0, len(head)), (1, 0, 0, stop)), head)
        commits.append(CommitRow(seq, FIRST_TIME + number * 5_000, LABEL, [Change("chat", seq, "pack", seq, value)]))
    return Contents((1, 1), 1, count, commits, {(1, 0): stop}, lambda _: messages)


def keyframe(count: int) -> Keyframe:
    """One of so many keys."""
    names = sorted(f"agents.worker_{number // 7:05d}.field_{number % 7}" for number in range(count))
    seqs = [1 + number * 2_654_435_761 % 1_000_000 for number in range(count)]
    sizes = [400 + number * 7_919 % 200 for number in range(count)]
    return Keyframe(names, seqs, [1 + seq % 99 for seq in seqs], [0] * count, sizes, [0] * count, [0] * count)


def sealed(contents: Contents, keyframe: Keyframe | None = None) -> bytes:
    return b"".join(seal(contents, store_id=STORE, cover=PLAIN.fresh(b"segment:1"), keyframe=keyframe))


def sealing_ns(contents: Contents) -> int:
    """CPU time of one sealing."""
    start = process_time_ns()
    for _ in seal(contents, store_id=STORE, cover=PLAIN.fresh(b"segment:1")):
        pass
    return process_time_ns() - start


def opened(data: bytes, cache: Cache) -> Segment:
    return Segment(MemoryFolder({"1.seg": data}).open("1.seg"), cache, PLAIN, STORE)


def read_all(segment: Segment, wanted: list[tuple[str, int]]) -> None:
    """Read the values of some keys as of some commits."""
    find, read = segment.find, segment.read
    for key, seq in wanted:
        change = find(key, seq)
        assert change is not None and change.value is not None
        read(*change.value.cuts[0])


if __name__ == "__main__":
    harness.main(run)
