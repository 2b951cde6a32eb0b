"""Writes `export_1.backpack`: a small store that has been through everything, in format version 1 of an export.

The file stays as it is for ever, and `tests/store/test_stored_export.py` says what every later version of backpack has
to read from it. It is made once, by the last version of backpack that writes its format; a new format gets a file and a
script of its own. Clock and random bytes are fixed, so the same backpack writes the same file:

    python tests/data/make_export.py export_1.backpack
"""

import sys
from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from itertools import count
from pathlib import PurePosixPath, PureWindowsPath
from re import IGNORECASE
from re import compile as pattern
from typing import Any, NamedTuple
from unittest.mock import patch
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np

from backpack import Backpack, register

TEXT = "".join(f"line {number} of a text that will be edited\n" for number in range(40))


@dataclass
class Point:
    x: int
    y: Any


class Pair(NamedTuple):
    one: int
    two: str


class Mood(Enum):
    CALM = "calm"


class Box:
    def __init__(self, inner: Any) -> None:
        self.inner = inner


def values() -> dict[str, Any]:
    """One of every kind of value, by name."""
    return {
        "none": None,
        "bools": [True, False],
        "ints": [0, -1, 127, 2**63, -(2**63), 2**64, -(2**200)],
        "floats": [0.0, -0.0, 1.5, float("inf"), float("-inf"), float("nan")],
        "complex": complex(1, -0.0),
        "texts": ["", "ascii", "grün 日本 🎒", "\ud800 alone", "a\0b"],
        "bytes": b"\x00\xff",
        "bytearray": bytearray(b"bytes"),
        "dict": {"text": 1, 2: "int", None: 3, (4, "five"): 6},
        "tuple": (1, (), ("two", [3])),
        "set": {1, "two", (3,)},
        "frozenset": frozenset({b"one"}),
        "deque": deque([1, 2], maxlen=3),
        "ordered": OrderedDict([("z", 1), ("a", 2)]),
        "counter": Counter("aab"),
        "default": defaultdict(list, {"key": [1]}),
        "datetimes": [
            datetime(2024, 2, 29, 12, 30, 59, 999_999),
            datetime(1, 1, 1, tzinfo=UTC),
            datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
            datetime(9999, 12, 31, tzinfo=timezone(timedelta(hours=5, minutes=30), "IST")),
            datetime(2000, 1, 1, tzinfo=timezone(-timedelta(microseconds=1))),
        ],
        "date": date(1970, 1, 1),
        "times": [time(23, 59, 59, 1), time(1, 2, tzinfo=UTC, fold=1)],
        "timedelta": timedelta(days=-1, microseconds=1),
        "decimals": [Decimal("1.50"), Decimal("-0E+7"), Decimal("Infinity"), Decimal("sNaN12")],
        "fraction": Fraction(-2, 3),
        "uuid": UUID("12345678-1234-5678-1234-567812345678"),
        "range": range(10, -10, -3),
        "paths": [PurePosixPath("/a/b"), PureWindowsPath("C:\\a")],
        "patterns": [pattern("a+", IGNORECASE), pattern(rb"\d")],
        "arrays": [np.arange(6, dtype="<i4").reshape(2, 3), np.array([1.5, 2.5], dtype=">f8")],
        "scalar": np.float32(0.5),
        "registered": [Point(1, [2]), Pair(1, "two"), Mood.CALM, Box({"in": 1})],
    }


def register_all() -> None:
    register(Point, name="stored.point")
    register(Pair, name="stored.pair")
    register(Mood, name="stored.mood")
    register(Box, name="stored.box", encode=lambda box: box.inner, decode=Box)


def make() -> Backpack:
    bp = Backpack(max_value_size=3_000, max_history_size=1_000_000, prune_percentage=0.5)
    # what pruning takes, but for what is needed of it
    bp.pack("plan", ["search"], node="planner", message="the first words", tags=("start", "tést"))
    bp.pack("retired", "deleted long before the oldest commit in memory")
    bp.update({"score": 1, "note": "a note", "retired": "again", "reborn": 1}, node="judge", message="three at once")
    bp.delete("retired", node="judge")
    bp.delete("reborn", node="judge")
    bp.append("plan", "book", node="planner")
    bp.pack("text", TEXT)
    bp.checkpoint("early", notes="before the edits")
    for number in range(2, 6):
        bp.pack("score", number, node="judge")
    bp.pack("text", TEXT.replace("line 13 ", "LINE THIRTEEN "))
    bp.append("plan", {"step": 3}, "pay")
    bp.checkpoint("middle")
    bp.delete("score")
    bp.pack("score", 6, node="judge", tags=("again",))
    bp.update({"small.a": 1, "small.b": "the same text", "small.c": "the same text"}, message="équal texts")
    # what stays
    bp.pack("text", TEXT.replace("line 13 ", "LINE THIRTEEN ").replace("line 27 ", ""), node="editor")
    bp.pack("values", values())
    for number in range(4):
        bp.append("talk", {"role": "user", "text": f"message {number} " + 30 * "word "}, node="talker")
    bp.pack("log", ["a line of a long log"] * 150)
    bp.append("log", "one more", node="logger")
    bp.append("log", {"and": "another"}, node="logger")
    bp.pack("report", "R" * 4_000)
    bp.pack("report", "S" * 5_000)
    bp.pack("report", "short")
    bp.quarantine("note", reason="not sure", node="judge")
    bp.quarantine("small.a", reason="only for a moment")
    bp.release("small.a")
    bp.pack("secret", "a password")
    bp.pack("secret", ["another", "password"])
    bp.purge("secret")
    bp.configure(max_commits=32)
    bp.configure(max_commits=1_000)
    bp.pack("reborn", 2)
    # two forks of a fork
    other = bp.fork()
    other.pack("forked", 1, node="forker")
    other.pack("forked", 2, node="forker")
    other.pack("forked", 3)
    bp = other.fork("HEAD~1")
    with bp.transaction(message="a transaction") as changes:
        changes.pack("score", 7)
        changes.delete("small.c")
        changes.append("talk", "bye")
    bp.delete("small.b")
    bp.checkpoint("late", notes="the last")
    bp.delete_checkpoint("early")
    bp.checkpoint("early", at=7, notes="named again")
    for _ in range(3):
        assert bp.snapshot("middle")["score"] == 5
    return bp


def main(path: str) -> None:
    times = count(1_700_000_000_000_000_000, 1_000_000_001)
    secrets = count(1)
    register_all()
    with (
        patch("time.time_ns", lambda: next(times)),
        patch("os.urandom", lambda size: next(secrets).to_bytes(size, "big")),
    ):
        make().export(path)


if __name__ == "__main__":
    main(sys.argv[1])
