"""What the keys of an opened store count for before somebody has read them, and once some of them were."""

import random
from pathlib import Path
from typing import Any

import pytest

import backpack
from backpack import Backpack


def agreed(bp: Backpack) -> tuple[int, int, int]:
    """Live bytes, history bytes and large values, which a recount has found the same."""
    counted, recounted, again = bp.memory_usage(), bp.memory_usage(deep=True), bp.memory_usage()
    found = [(one.live_bytes, one.history_bytes, one.large_values) for one in (counted, recounted, again)]
    assert found[0] == found[1] == found[2]
    bp._check()
    return found[0]


def test_a_recount_agrees_before_and_after_keys_that_share_were_read(tmp_path: Path) -> None:
    with backpack.open(tmp_path / "store") as bp:
        bp.update({"a": "same", "b": "same"})
        assert agreed(bp)[0] == 5
    with backpack.open(tmp_path / "store") as bp:
        assert agreed(bp)[0] == 10
        assert bp["a"] == "same"
        assert agreed(bp)[0] == 10
        assert bp["b"] == "same"
        assert agreed(bp)[0] == 5
        bp.pack("c", "same")
        assert agreed(bp)[0] == 5


def test_a_recount_reads_no_values(tmp_path: Path) -> None:
    with backpack.open(tmp_path / "store") as bp:
        bp.update({f"k{number}": [number] * 50 for number in range(20)})
    with backpack.open(tmp_path / "store", "r") as bp:
        assert bp.memory_usage(deep=True).live_bytes == agreed(bp)[0] > 1_000
        assert not bp._engine.chains


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("mode", ["rw", "r"])
def test_a_recount_agrees_whatever_was_stored_and_whichever_keys_were_read(
    tmp_path: Path, seed: int, mode: Any
) -> None:
    chance = random.Random(seed)
    values: list[Any] = ["same", "x" * 500, "y" * 5_000, [1, 2, 3], ["item"] * 40, chance.randbytes(300), None]
    for _ in range(3):
        with backpack.open(tmp_path / "store", max_value_size=1_000, max_history_size=3_000) as bp:
            for _ in range(30):
                key = f"k{chance.randrange(9)}"
                match chance.randrange(8):
                    case 0 if key in bp:
                        bp.delete(key)
                    case 1 if key in bp:
                        bp.quarantine(key, reason="r")
                    case 2 if key in bp.quarantined():
                        bp.release(key)
                    case 3 if isinstance(bp.peek(key, []), list):
                        bp.append(key, "appended" * 9)
                    case 4:
                        bp.update(dict.fromkeys([key, "k1", "k2"], chance.choice(values)))
                    case 5 if chance.random() < 0.2:
                        bp.purge(key)
                    case _:
                        bp.pack(key, chance.choice(values))
            agreed(bp)
        with backpack.open(tmp_path / "store", mode, max_value_size=1_000, max_history_size=3_000) as bp:
            agreed(bp)
            for key in chance.sample([f"k{number}" for number in range(9)], 9):
                bp.unpack(key)
                agreed(bp)
            with bp.fork(chance.randrange(1, 30), unavailable="instead") as fork:
                agreed(fork)
                fork.unpack("k1")
                agreed(fork)
