"""What a list grows by is written the short way as it would be written the long one, byte for byte."""

import random
from typing import Any

import pytest

from backpack import Backpack
from backpack.archive import placing
from backpack.archive.placing import Placer
from backpack.core.commit import NO_LABEL
from backpack.core.headers import array_header
from backpack.core.limits import Limits
from backpack.core.payload import Buffer, Pieces
from backpack.core.shaping import present_content
from backpack.storage.memory import MemoryFolder

from .damaging import crash
from .stores import SMALL, opened_in, small_segments

KEYS = ("short", "long", "large", "edited")
MANY = Limits(1000, 1 << 20, None, "oldest", 0.2, False)


def grown(chance: random.Random, *, limits: Limits = SMALL, key: bytes | None = None) -> tuple[MemoryFolder, Backpack]:
    """Lists that grow in turn, by short and long items, between changes of other kinds."""
    folder = MemoryFolder()
    bp = opened_in(folder, limits=limits, key=key)
    for name in KEYS:
        bp.append(name, *[f"the first items of {name}"] * (60 if name == "large" else 3))
    for number in range(300):
        name = chance.choice(KEYS)
        act = chance.randrange(20)
        if act == 0:
            bp.pack(name, [f"anew {number}"] * 3)
        elif act == 1:
            bp.delete(name) if name in bp else bp.pack(name, [])
        elif act == 2:
            with bp.transaction() as transaction:
                transaction.append(name, number)
                transaction.pack("other", number)
        elif act == 3:
            bp.pack("other", bp.peek(name))
        elif act == 4 and bp.peek(name):
            bp.pack(name, bp[name][1:])  # the same buffer, cut elsewhere
        else:
            bp.append(name, {"number": number, "text": "t" * chance.randrange(120)}, node=f"node {act % 3}")
    return folder, bp


def states(bp: Backpack) -> dict[int, dict[str, Any]]:
    return {commit.seq: bp.snapshot(commit).to_dict(unavailable="gone") for commit in bp.history()}


@pytest.mark.parametrize("limits", [SMALL, MANY], ids=["pruned", "kept"])
@pytest.mark.parametrize("segment_size", [5_000, 1 << 30])
@pytest.mark.parametrize("seed", range(3))
def test_the_short_way_writes_what_the_long_one_does(
    seed: int, segment_size: int, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways = []
    is_short = 0
    growing = Placer.growing

    def counted(*arguments: Any) -> Any:
        nonlocal is_short
        found = growing(*arguments)
        is_short += found is not None
        return found

    for way in (counted, lambda *_: None):
        with monkeypatch.context() as patched, small_segments(segment_size):
            patched.setattr(Placer, "growing", way)
            folder, bp = grown(random.Random(seed), limits=limits)
            bp._check()
            expected = states(bp)
            assert bp._archive is not None
            rows = [bp._archive.row(seq) for seq in range(1, len(expected) + 1)]
            ways.append([[(one.key, one.kind, one.version, one.value) for one in row.changes] for row in rows if row])
            crash(bp)
            again = opened_in(folder, limits=limits)
            assert again.recovery is None or not again.recovery.dropped_bytes
            assert states(again) == expected
    assert ways[0] == ways[1]
    assert is_short > 20


def test_what_is_retracted_is_written_again_from_where_the_log_ends() -> None:
    folder, bp = grown(random.Random(3), limits=MANY)
    bp.append("list", *["an item"] * 20)
    for number in range(3):
        bp.append("list", number)
    engine, journal = bp._engine, bp._engine.journal
    assert journal is not None
    chain, seq = engine.chains["list"], engine.timeline.head + 1
    content = present_content(chain)
    assert isinstance(content, Pieces)
    buffer, size = content.sources[-1], content.size
    assert isinstance(buffer, Buffer)
    for _ in range(2):  # as the engine does it, and does not adopt it
        assert buffer.extend(b"\xa5never")
        longer = Pieces(size + 6, array_header(24) + content.own[3:], content.sources, content.cuts)
        journal.write_longer(seq, 10**18, NO_LABEL, chain, longer, b"\xa5never", engine.records)
        journal.retract(seq)
        buffer.cut(len(buffer.data) - 6)
    bp.append("list", "after it")
    expected = states(bp)
    assert expected[seq]["list"][-2:] == [2, "after it"]
    crash(bp)
    assert states(opened_in(folder, limits=MANY)) == expected


def test_an_encrypted_log_takes_the_short_way_too() -> None:
    folder, bp = grown(random.Random(1), key=b"k" * 32)
    expected = states(bp)
    crash(bp)
    assert states(opened_in(folder, key=b"k" * 32)) == expected


def test_more_than_a_tail_goes_the_long_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placing, "TAIL_SIZE_MAX", 100)
    folder, bp = grown(random.Random(2))
    bp.append("large", "x" * 200)
    bp.append("large", "y")
    expected = states(bp)
    crash(bp)
    assert states(opened_in(folder)) == expected
