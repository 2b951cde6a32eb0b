"""What does it cost to offload a message of 30 KB, beyond compressing its text, and to get it back?

Tool output as agents see it: lines of a log, of tests and of listings, another text each time. The store is opened in a
folder, so that every offload is one commit in its log; against zstd at level 3 of the same UTF-8 alone. Every text is
compressed and offloaded in turn, and medians are compared: now and then the keeper seals a log beside it, which the
figure over all offloads shows.
"""

import random
import statistics
from typing import Any, Final

import zstandard

import backpack
from backpack.memory import Memory
from benchmarks import folders, harness
from benchmarks.harness import Row, clock

TEXT_SIZE: Final = 30_000


def run(size: float = 1.0) -> list[Row]:
    """Single offloads and compressions in turn, all of them, and the way back."""
    count = harness.scaled(2_000, size, least=20)
    messages = _messages(count)
    compress = zstandard.ZstdCompressor(level=3).compress
    with folders.new_folder() as folder, backpack.open(folder / "store") as bp:
        memory = Memory(bp)
        offloaded: list[Any] = []
        ours, floor, back, passing = [], [], [], []
        for message in messages:
            start = clock()
            compress(message["content"].encode("utf-8"))
            floor.append(clock() - start)
            start = clock()
            offloaded.append(memory.offload(message))
            ours.append(clock() - start)
        for message in offloaded:
            start = clock()
            memory.hydrate(message)
            back.append(clock() - start)
        unchanged = {"role": "user", "content": [{"type": "text", "text": "x" * 5_000}]}
        for _ in messages:
            start = clock()
            memory.offload(unchanged)
            passing.append(clock() - start)
    single, alone = statistics.median(ours), statistics.median(floor)
    detail = f"{single / 1e3:.0f} us against {alone / 1e3:.0f} us"
    return [
        Row("offload of a message of 30 KB, median", single / 1e6, "ms", limit=1.0),
        Row("the same, against zstd level 3 of its text, medians", single / alone, "x", limit=3.0, detail=detail),
        Row("the same over all, sealing of logs beside it included", statistics.mean(ours) / 1e6, "ms"),
        Row("hydrate of it, median", statistics.median(back) / 1e3, "us"),
        Row("offload of a message that stays as it is, median", statistics.median(passing) / 1e3, "us"),
    ]


def _messages(count: int) -> list[dict[str, Any]]:
    """What tools say: lines with times, levels and words, each message another text."""
    chance = random.Random(4)
    words = ["".join(chance.choices("abcdefghijklmnop", k=chance.randint(2, 9))) for _ in range(3_000)]
    found = []
    for number in range(count):
        lines: list[str] = []
        size = 0
        while size < TEXT_SIZE:
            level = "ERROR" if chance.random() < 0.01 else "INFO"
            clock_time = f"12:{number % 60:02}:{chance.randint(0, 59):02}"
            lines.append(f"2026-11-21 {clock_time} {level} {' '.join(chance.choices(words, k=9))}\n")
            size += len(lines[-1])
        found.append({"role": "tool", "tool_call_id": f"call_{number}", "content": "".join(lines)[:TEXT_SIZE]})
    return found


if __name__ == "__main__":
    harness.main(run)
