"""How fast are tokens counted and estimated, and what does recording a call cost?"""

import json
import random
import statistics
from typing import Final

from backpack.context import EstimatingCounter, ExactCounter, TokenTracker
from backpack.context.counting import Counter
from benchmarks import harness
from benchmarks.harness import Row, clock

PROSE: Final = (
    "the store keeps every version of what an agent knew so that a mistake is a page to go back to and not a loss "
    "flight reservation passenger payment certificate economy baggage Thursday please change cancel"
)
CHINESE: Final = "一个能记住一切的仓库只有在记住的东西还能找回来的时候才有用接手的人可以读到工作是怎样走到今天的"

LIMITS_NS: Final = {"prose": 200.0, "JSON": 200.0, "Chinese": 200.0}
"""A byte: 5 MB/s. What has no words, such as base64, takes two or three times as long."""

RECORD_LIMIT_US: Final = 1_000.0


def run(size: float = 1.0) -> list[Row]:
    """Texts of some kinds, each counted whole; nanoseconds a byte of UTF-8, so less is faster."""
    length = harness.scaled(4_000_000, size, least=20_000)
    rows = []
    for kind, text in texts(length).items():
        estimated = _per_byte(EstimatingCounter(), text)
        rows.append(Row(f"estimating {kind}: a byte", estimated, "ns", LIMITS_NS.get(kind), detail=_speed(estimated)))
        exact = _per_byte(ExactCounter(), text)
        error = EstimatingCounter().count(text) / ExactCounter().count(text) - 1
        note = f"{_speed(exact)}; the estimate is {error:+.1%} off"
        rows.append(Row(f"counting {kind} exactly: a byte", exact, "ns", detail=note))
    rows.append(_record(harness.scaled(2_000, size, least=20)))
    return rows


def texts(length: int) -> dict[str, str]:
    """Texts of so many bytes, more or less, by fixed chance."""
    chance = random.Random(3)
    prose = " ".join(chance.choices(PROSE.split(), k=length // 6))
    rows = [{"id": chance.randrange(10**6), "price": chance.random(), "cabin": "economy"} for _ in range(length // 56)]
    chinese = "\uff0c".join("".join(chance.choices(CHINESE, k=12)) for _ in range(length // 39))
    random_text = "".join(chance.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", k=length))
    return {"prose": prose, "JSON": json.dumps(rows), "Chinese": chinese, "text by chance": random_text}


def _per_byte(counter: Counter, text: str) -> float:
    counter.count(text[:1000])
    times = []
    for _ in range(3):
        start = clock()
        counter.count(text)
        times.append(clock() - start)
    return statistics.median(times) / len(text.encode())


def _speed(nanoseconds: float) -> str:
    return f"{1000 / nanoseconds:,.0f} MB/s"


def _record(count: int) -> Row:
    tracker = TokenTracker("gpt-4o")
    usage = {"prompt_tokens": 1000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 400}}
    tracker.record(usage)
    times = []
    for _ in range(count):
        start = clock()
        tracker.record(usage)
        times.append(clock() - start)
    return Row(
        "recording a call, with its published price: median", statistics.median(times) / 1e3, "us", RECORD_LIMIT_US
    )


if __name__ == "__main__":
    harness.main(run)
