"""Which commits leave, to the commit and to the byte."""

import pytest

from backpack import Backpack, Snapshot
from backpack.core import pruning
from backpack.core.pins import Pins

STRATEGIES = ["oldest", "least-accessed"]
SIZE = 20


def seqs(bp: Backpack) -> list[int]:
    return sorted(commit.seq for commit in bp.history())


def forget_closed_views(bp: Backpack) -> None:
    """As happens by itself once there are many: then neighbours leave together."""
    bp._engine.pins.views = {seq: link for seq, link in bp._engine.pins.views.items() if link() is not None}


def pack(bp: Backpack, keys: int = 1) -> None:
    """One commit of `SIZE` bytes, shared by so many keys."""
    number = 0 if bp.head is None else bp.head.seq
    bp.update({f"k{key}": f"{number}.{key}".ljust(SIZE // keys - 1, ".") for key in range(keys)})


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("keys", [1, 2])
def test_a_history_of_exactly_its_limit_is_not_pruned_and_one_byte_more_goes_down_to_the_target(
    strategy: str, keys: int
) -> None:
    bp = Backpack(max_history_size=10 * SIZE, prune_percentage=0.5, prune_strategy=strategy)
    for _ in range(10):
        pack(bp, keys)
    assert seqs(bp) == list(range(1, 11))
    assert bp.memory_usage().history_bytes == 10 * SIZE
    pack(bp, keys)
    assert bp.memory_usage().history_bytes == 5 * SIZE
    assert seqs(bp) == list(range(7, 12))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("keys", [1, 2])
def test_exactly_max_commits_are_not_pruned_and_one_more_goes_down_to_the_target(strategy: str, keys: int) -> None:
    bp = Backpack(max_commits=10, prune_percentage=0.5, prune_strategy=strategy)
    for _ in range(10):
        pack(bp, keys)
    assert seqs(bp) == list(range(1, 11))
    pack(bp, keys)
    assert seqs(bp) == list(range(7, 12))
    for _ in range(5):
        pack(bp, keys)
    assert seqs(bp) == list(range(7, 17))
    pack(bp, keys)
    assert seqs(bp) == list(range(13, 18))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("keys", [1, 2])
def test_one_commit_drops_a_step_and_the_next_ones_go_on_to_the_target(
    strategy: str, keys: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "STEP_COMMITS", 4)
    for limits in ({"max_commits": 20}, {"max_history_size": 20 * SIZE}):
        bp = Backpack(prune_percentage=0.5, prune_strategy=strategy, **limits)
        counts = []
        for _ in range(37):
            pack(bp, keys)
            counts.append(len(seqs(bp)))
            bp._check()
        down = [17, 14, 11, 10]
        assert counts == [*range(1, 21), *down, *range(11, 21), *down[:3]]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_step_drops_as_many_as_bring_the_history_under_its_limit(
    strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "STEP_COMMITS", 2)
    bp = Backpack(max_history_size=20 * SIZE, prune_percentage=0.5, prune_strategy=strategy)
    for _ in range(20):
        pack(bp)
    bp.pack("large", b"x" * (12 * SIZE - 2))
    assert bp.memory_usage().history_bytes == 20 * SIZE
    assert seqs(bp) == list(range(13, 22))


def test_a_commit_that_was_pinned_goes_once_it_is_free_again() -> None:
    bp = Backpack(max_commits=4, prune_percentage=0.5)
    opened: dict[int, Snapshot] = {}
    for number in range(1, 4):
        pack(bp)
        opened[number] = bp.snapshot()
    for _ in range(6):
        pack(bp)
    assert {1, 2, 3} < set(seqs(bp))
    del opened[2]
    for _ in range(4):
        pack(bp)
    assert {1, 3} < set(seqs(bp)) and 2 not in seqs(bp)
    opened.clear()
    for _ in range(4):
        pack(bp)
    assert not {1, 3} & set(seqs(bp))
    assert len(seqs(bp)) <= 4
    bp._check()


def test_a_commit_that_is_free_again_and_pinned_once_more_before_its_turn_stays_until_it_is_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pruning, "STEP_COMMITS", 2)
    bp = Backpack(max_commits=12, prune_percentage=0.5)
    opened = []
    for number in range(23):
        pack(bp)
        if number < 6:
            opened.append(bp.snapshot())
    assert seqs(bp) == [1, 2, 3, 4, 5, 6, 18, 19, 20, 21, 22, 23]
    opened.clear()
    pack(bp)
    assert seqs(bp)[:4] == [3, 4, 5, 6]
    again = bp.snapshot(4)
    pack(bp)
    assert seqs(bp)[:3] == [4, 6, 18]
    pack(bp)
    assert again["k0"].startswith("3.")
    assert seqs(bp)[:2] == [4, 19]
    bp._check()
    del again
    for _ in range(12):
        pack(bp)
    assert 4 not in seqs(bp)
    bp._check()


def test_a_reset_begins_with_the_oldest_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "STEP_COMMITS", 2)
    bp = Backpack(max_commits=12, prune_percentage=0.5)
    opened = []
    for number in range(23):
        pack(bp)
        if number == 0:
            bp.checkpoint("first")
        elif number < 6:
            opened.append(bp.snapshot())
    opened.clear()
    pack(bp)
    assert seqs(bp)[:4] == [1, 4, 5, 6]
    bp.delete_checkpoint("first")
    for _ in range(2):
        pack(bp)
    assert seqs(bp)[:3] == [5, 6, 18]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_configure_to_exactly_what_there_is_prunes_nothing(strategy: str) -> None:
    bp = Backpack(prune_strategy=strategy)
    for _ in range(10):
        pack(bp)
    bp.configure(max_history_size=10 * SIZE)
    bp.configure(max_commits=10)
    assert len(seqs(bp)) == 10


@pytest.mark.parametrize("is_forgotten", [False, True])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_pinned_neighbours_that_are_free_again_go_once_each(strategy: str, is_forgotten: bool) -> None:
    bp = Backpack(max_commits=6, prune_percentage=0.5, prune_strategy=strategy)
    opened = []
    for _ in range(6):
        pack(bp)
        opened.append(bp.snapshot())
    for _ in range(6):
        pack(bp)
    opened.clear()
    if is_forgotten:
        forget_closed_views(bp)
    for number in range(20):
        pack(bp)
        bp._check()
        assert len(seqs(bp)) <= 6
        assert bp.memory_usage().commits_pruned == 13 + number - len(seqs(bp))


def test_what_is_pinned_is_not_looked_at_again_at_each_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    bp = Backpack(max_commits=10, prune_strategy="least-accessed")
    for number in range(300):
        pack(bp)
        bp.checkpoint(f"c{number}")
    asked = 0
    holds = Pins.holds

    def counted(pins: Pins, seq: int) -> bool:
        nonlocal asked
        asked += 1
        return holds(pins, seq)

    monkeypatch.setattr(Pins, "holds", counted)
    for _ in range(10):
        pack(bp)
        bp.checkpoint(f"c{bp._engine.timeline.head}")
    assert asked < 10 * 100


def test_the_run_behind_a_cold_one_keeps_its_first_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "SINGLES_BELOW", 1)
    bp = Backpack(prune_strategy="least-accessed", prune_percentage=0.5)
    for _ in range(255):
        pack(bp)
    hot = range(64, 128)
    for seq in hot:
        assert bp.snapshot(seq)["k0"].startswith(f"{seq - 1}.")
    bp.configure(max_commits=200)
    assert seqs(bp) == [*hot, *range(256 - 36, 256)]
    bp._check()


def test_the_least_accessed_go_first_and_of_equals_the_oldest() -> None:
    bp = Backpack(prune_strategy="least-accessed", prune_percentage=0.5)
    for _ in range(10):
        pack(bp)
    for seq, times in ((1, 2), (3, 1), (4, 3), (10, 1)):
        for _ in range(times):
            assert bp.snapshot(seq)["k0"].startswith(f"{seq - 1}.")
    bp.configure(max_commits=8)
    assert seqs(bp) == [1, 3, 4, 10]
    bp.configure(max_commits=6)
    assert seqs(bp) == [1, 3, 4, 10]
    bp.configure(max_commits=3)
    assert seqs(bp) == [10]


def test_room_is_made_to_the_byte_under_a_hard_limit() -> None:
    bp = Backpack(max_history_size=10 * SIZE, hard_limit=True)
    for _ in range(9):
        pack(bp)
    pack(bp)
    assert seqs(bp) == list(range(1, 11))
    pack(bp)
    assert seqs(bp) == list(range(2, 12))
    assert bp.memory_usage().history_bytes == 10 * SIZE


def test_a_cold_run_whose_end_has_left_does_not_reach_into_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "SINGLES_BELOW", 1)
    bp = Backpack(prune_strategy="least-accessed")
    for number in range(200):
        pack(bp)
        if number < 3:
            bp.checkpoint(f"c{number}")
    for seq in [*range(64, 200), *range(64, 128)]:  # the second run is the hottest
        assert bp.snapshot(seq)["k0"].startswith(f"{seq - 1}.")
    bp.configure(max_commits=199, prune_percentage=1 - 140.5 / 199)
    assert seqs(bp) == [1, 2, 3, *range(64, 201)]
    for name in ("c0", "c1", "c2"):
        bp.delete_checkpoint(name)
    bp.configure(max_commits=139, prune_percentage=1 - 130.5 / 139)
    assert seqs(bp)[:64] == [*range(64, 128)]
    assert len(seqs(bp)) == 130
