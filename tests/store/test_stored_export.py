"""Stores that were exported long ago are read for ever, and say what they said.

`tests/data/export_1.backpack` was written by `tests/data/make_export.py`, in format version 1. It is never written
again; what it holds is said here once more, by hand.
"""

import re
import struct
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from backpack import Backpack, CommitPrunedError, Unavailable, register
from backpack.core.limits import Limits
from backpack.store.export import HEADER
from tests.contract.model import same

FILE: Final = Path(__file__).parent.parent / "data" / "export_1.backpack"
START_NS: Final = 1_700_000_000_000_000_000


@dataclass
class Point:
    x: int
    y: Any


class Pair(NamedTuple):
    one: int
    two: str


class Mood(Enum):
    CALM = "calm"


@dataclass
class Box:
    inner: Any


register(Point, name="stored.point")
register(Pair, name="stored.pair")
register(Mood, name="stored.mood")
register(Box, name="stored.box", encode=lambda box: box.inner, decode=Box)

VALUES: Final = {
    "none": None,
    "bools": [True, False],
    "ints": [0, -1, 127, 9223372036854775808, -9223372036854775808, 18446744073709551616, -(2**200)],
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
    "counter": Counter({"a": 2, "b": 1}),
    "default": defaultdict(list, {"key": [1]}),
    "datetimes": [
        datetime(2024, 2, 29, 12, 30, 59, 999_999),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
        datetime(9999, 12, 31, tzinfo=timezone(timedelta(hours=5, minutes=30), "IST")),
        datetime(2000, 1, 1, tzinfo=timezone(timedelta(microseconds=-1))),
    ],
    "date": date(1970, 1, 1),
    "times": [time(23, 59, 59, 1), time(1, 2, tzinfo=UTC, fold=1)],
    "timedelta": timedelta(days=-1, microseconds=1),
    "decimals": [Decimal("1.50"), Decimal("-0E+7"), Decimal("Infinity"), Decimal("sNaN12")],
    "fraction": Fraction(-2, 3),
    "uuid": UUID("12345678-1234-5678-1234-567812345678"),
    "range": range(10, -10, -3),
    "paths": [PurePosixPath("/a/b"), PureWindowsPath("C:\\a")],
    "patterns": [re.compile("a+", re.IGNORECASE), re.compile(rb"\d")],
    "arrays": [np.array([[0, 1, 2], [3, 4, 5]], dtype="<i4"), np.array([1.5, 2.5], dtype=">f8")],
    "scalar": np.float32(0.5),
    "registered": [Point(1, [2]), Pair(1, "two"), Mood.CALM, Box({"in": 1})],
}

TEXT: Final = "".join(f"line {number} of a text that will be edited\n" for number in range(40))
EDITED: Final = TEXT.replace("line 13 ", "LINE THIRTEEN ")
SHORTER: Final = EDITED.replace("line 27 ", "")
TALK: Final = [{"role": "user", "text": f"message {number} " + 30 * "word "} for number in range(4)]
PLAN: Final = ["search", "book", {"step": 3}, "pay"]
LOG: Final = ["a line of a long log"] * 150
SAME: Final = "the same text"

GONE: Final = "a large value that nothing keeps"
PURGED: Final = "a value that was erased"

OLD: Final = {"note": "a note", "plan": PLAN, "score": 6, "text": SHORTER, "values": VALUES}
"""What stood under these keys from commit 18 until they were changed again."""

SMALL: Final = {"small.a": 1, "small.b": SAME, "small.c": SAME}
LONG: Final = {"talk": TALK, "log": [*LOG, "one more", {"and": "another"}]}
NOTELESS: Final = {"plan": PLAN, "score": 6, "text": SHORTER, "values": VALUES, **LONG, "report": "short"}

STATES: Final[dict[int, dict[str, Any]]] = {
    7: {"note": "a note", "plan": ["search", "book"], "score": 1, "text": TEXT},
    13: {"note": "a note", "plan": PLAN, "score": 5, "text": EDITED},
    21: {**OLD, **SMALL, "talk": TALK[:3]},
    22: {**OLD, **SMALL, "talk": TALK},
    23: {**OLD, **SMALL, "talk": TALK, "log": LOG},
    24: {**OLD, **SMALL, "talk": TALK, "log": [*LOG, "one more"]},
    25: {**OLD, **SMALL, **LONG},
    26: {**OLD, **SMALL, **LONG, "report": GONE},
    27: {**OLD, **SMALL, **LONG, "report": GONE},
    28: {**OLD, **SMALL, **LONG, "report": "short"},
    29: {**NOTELESS, **SMALL},
    30: {**NOTELESS, "small.b": SAME, "small.c": SAME},
    31: {**NOTELESS, **SMALL},
    32: {**NOTELESS, **SMALL, "secret": PURGED},
    33: {**NOTELESS, **SMALL, "secret": PURGED},
    34: {**NOTELESS, **SMALL},
    35: {**NOTELESS, **SMALL, "reborn": 2},
    36: {**NOTELESS, **SMALL, "reborn": 2, "forked": 1},
    37: {**NOTELESS, **SMALL, "reborn": 2, "forked": 2},
    38: {
        **NOTELESS,
        "small.a": 1,
        "small.b": SAME,
        "reborn": 2,
        "forked": 2,
        "score": 7,
        "talk": [*TALK, "bye"],
    },
    39: {**NOTELESS, "small.a": 1, "reborn": 2, "forked": 2, "score": 7, "talk": [*TALK, "bye"]},
}

COMMITS: Final[dict[int, tuple[str, int, str | None, str | None, dict[str, tuple[str, int, int, bool]]]]] = {
    # seq: id, time, node, message, changes: (kind, version, size, is_large)
    7: ("dgdy5824zv6h", 6_000_000_006, None, None, {"text": ("pack", 1, 1513, False)}),
    13: ("54j65824zv6h", 12_000_000_012, None, None, {"plan": ("pack", 3, 24, False)}),
    21: ("16wx5824zv6h", 20_000_000_020, "talker", None, {"talk": ("pack", 3, 535, False)}),
    22: ("4sm45824zv6h", 21_000_000_021, "talker", None, {"talk": ("pack", 4, 713, False)}),
    23: ("hwms5824zv6h", 22_000_000_022, None, None, {"log": ("pack", 1, 3153, True)}),
    24: ("0ypp5824zv6h", 23_000_000_023, "logger", None, {"log": ("pack", 2, 3162, True)}),
    25: ("szq95824zv6h", 24_000_000_024, "logger", None, {"log": ("pack", 3, 3175, True)}),
    26: ("zh3m5824zv6h", 25_000_000_025, None, None, {"report": ("pack", 1, 4003, True)}),
    27: ("y5v25824zv6h", 26_000_000_026, None, None, {"report": ("pack", 2, 5003, True)}),
    28: ("ryf35824zv6h", 27_000_000_027, None, None, {"report": ("pack", 3, 6, False)}),
    29: ("zvnk5824zv6h", 28_000_000_028, "judge", None, {"note": ("quarantine", 2, 0, False)}),
    30: ("2tr05824zv6h", 29_000_000_029, None, None, {"small.a": ("quarantine", 2, 0, False)}),
    31: ("mzzp5824zv6h", 30_000_000_030, None, None, {"small.a": ("release", 3, 1, False)}),
    32: ("psht5824zv6h", 31_000_000_031, None, None, {"secret": ("pack", 1, 11, False)}),
    33: ("158j5824zv6h", 32_000_000_032, None, None, {"secret": ("pack", 2, 18, False)}),
    34: ("d2k95824zv6h", 33_000_000_033, None, "purge secret", {"secret": ("delete", 3, 0, False)}),
    35: ("twdj5824zv6h", 34_000_000_034, None, None, {"reborn": ("pack", 3, 1, False)}),
    36: ("sf2d7cwhhcfd", 35_000_000_035, "forker", None, {"forked": ("pack", 1, 1, False)}),
    37: ("yza87cwhhcfd", 36_000_000_036, "forker", None, {"forked": ("pack", 2, 1, False)}),
    38: (
        "55r2g50y05dw",
        38_000_000_038,
        None,
        "a transaction",
        {"score": ("pack", 8, 1, False), "small.c": ("delete", 2, 0, False), "talk": ("pack", 5, 717, False)},
    ),
    39: ("vkr0g50y05dw", 39_000_000_039, None, None, {"small.b": ("delete", 2, 0, False)}),
}

AUTHORS: Final = {
    # of the present values: seq, node, message, tags
    "forked": (37, "forker", None, ()),
    "log": (25, "logger", None, ()),
    "plan": (13, None, None, ()),
    "reborn": (35, None, None, ()),
    "report": (28, None, None, ()),
    "score": (38, None, "a transaction", ()),
    "small.a": (16, None, "équal texts", ()),
    "talk": (38, None, "a transaction", ()),
    "text": (17, "editor", None, ()),
    "values": (18, None, None, ()),
}


@pytest.fixture
def bp() -> Iterator[Backpack]:
    with Backpack.load(FILE) as loaded:
        loaded._check()
        yield loaded


def said(value: Any) -> Any:
    """A value, or why there is none."""
    if isinstance(value, Unavailable):
        return {"dropped": GONE, "purged": PURGED}[value.reason]
    return value


def test_the_stored_export_has_format_version_1() -> None:
    assert HEADER.unpack(FILE.read_bytes()[: HEADER.size])[1] == 1


def test_every_snapshot_of_a_stored_export_is_what_it_was(bp: Backpack) -> None:
    assert sorted(commit.seq for commit in bp.history()) == list(STATES)
    for seq, state in STATES.items():
        snapshot = bp.snapshot(seq)
        assert sorted(snapshot) == sorted(state), seq
        for key, value in state.items():
            assert same(said(snapshot.unpack(key)), value), (seq, key)
    assert sorted(bp) == sorted(STATES[39])
    assert all(same(bp[key], value) for key, value in STATES[39].items())


def test_every_commit_of_a_stored_export_is_what_it_was(bp: Backpack) -> None:
    for seq, (name, time_ns, node, message, changes) in COMMITS.items():
        commit = bp.commit(seq)
        assert (commit.id, commit.time_ns - START_NS) == (name, time_ns)
        assert (commit.node, commit.message, commit.tags) == (node, message, ())
        found = [(key, (one.kind, one.version, one.size, one.is_large)) for key, one in commit.changes.items()]
        assert found == list(changes.items()), seq
        assert bp.commit(name) == commit
    assert bp.commit(7).parent == "de9k5824zv6h"


def test_authors_of_a_stored_export_outlive_their_commits(bp: Backpack) -> None:
    for key, (seq, node, message, tags) in AUTHORS.items():
        commit = bp.blame(key)
        assert (commit.seq, commit.node, commit.message, commit.tags) == (seq, node, message, tags), key
    assert list(bp.blame("small.a").changes) == ["small.a", "small.b", "small.c"]
    first = bp.snapshot(7).item("note").commit
    assert first is not None
    assert (first.seq, first.node, first.message) == (3, "judge", "three at once")
    assert list(first.changes) == ["score", "note", "retired", "reborn"]
    assert bp.snapshot(22).item("score").commit.tags == ("again",)  # type: ignore[union-attr]


def test_names_and_limits_of_a_stored_export_are_what_they_were(bp: Backpack) -> None:
    named = {one.name: (one.seq, one.notes) for one in bp.checkpoints()}
    assert named == {"middle": (13, ""), "late": (39, "the last"), "early": (7, "named again")}
    assert bp.quarantined() == {"note": "not sure"}
    assert bp.limits == Limits(3_000, 1_000_000, 1_000, "oldest", 0.5, False)
    hits = {seq: bp._engine.timeline.hits_of(seq) for seq in COMMITS}
    assert {seq: count for seq, count in hits.items() if count} == {13: 3}


@pytest.mark.parametrize(("after_s", "seq"), [(-1, 0), (6.5, 7), (12.5, 13), (20, 21), (99, 39)])
def test_a_time_finds_the_commit_of_a_stored_export(bp: Backpack, after_s: float, seq: int) -> None:
    at = datetime.fromtimestamp(START_NS // 10**9, UTC) + timedelta(seconds=after_s)
    assert bp.snapshot(at).seq == seq


@pytest.mark.parametrize("after_s", [0, 5.5, 7, 8, 13, 19])
def test_a_time_of_commits_that_have_left_a_stored_export_finds_none(bp: Backpack, after_s: float) -> None:
    at = datetime.fromtimestamp(START_NS // 10**9, UTC) + timedelta(seconds=after_s, microseconds=1)
    with pytest.raises(CommitPrunedError):
        bp.snapshot(at)


def test_a_stored_export_goes_on(bp: Backpack) -> None:
    bp.release("note")
    assert bp["note"] == "a note"
    versions = {key: bp.pack(key, "again").changes[key].version for key in ("retired", "reborn", "secret", "score")}
    assert versions == {"retired": 4, "reborn": 4, "secret": 4, "score": 9}
    assert bp.append("log", "after years").changes["log"].version == 4
    assert bp["log"] == [*LOG, "one more", {"and": "another"}, "after years"]
    assert bp.head is not None
    assert (bp.head.seq, bp.head.parent == bp.commit(44).id) == (45, True)
    bp.pack("text", f"{SHORTER}and more")
    bp.configure(max_history_size=100, max_commits=1)
    bp._check()
    assert bp.snapshot("middle")["text"] == EDITED


def test_the_size_in_the_header_of_a_stored_export_is_that_of_its_body() -> None:
    whole = FILE.read_bytes()
    (size,) = struct.unpack_from(">Q", whole, 10)
    assert len(whole) == HEADER.size + size
