"""Who set a value: one answer everywhere, also for a value that was in quarantine and released."""

import io
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

import backpack
from backpack import Backpack, BackpackError

Facts = tuple[object, ...]


def facts(bp: Backpack, key: str) -> Facts:
    """What the store says of who set the value."""
    item, shown = bp.item(key), bp.snapshot().item(key)
    for one in (item, shown):
        assert one.commit == bp.blame(key)
    same = [(one.node, one.tags, one.message, one.time, one.version, one.size) for one in (item, shown)]
    assert same[0] == same[1]
    commit = bp.blame(key)
    return (commit.seq, commit.id, commit.node, commit.tags, commit.message, commit.time, item.version, item.value)


def released(bp: Backpack) -> Backpack:
    """A value that was packed in commit 2 with another one, and twice in quarantine."""
    bp.pack("other", 0)
    bp.update({"q": "the value", "r": "another"}, node="packer", tags=("t",), message="why")
    bp.quarantine("q", reason="doubt", node="judge")
    bp.release("q", node="judge")
    bp.quarantine("q", reason="doubt again", node="judge")
    bp.release("q", node="judge")
    return bp


def is_known(bp: Backpack) -> bool:
    commit = bp.blame("q")
    return (commit.seq, commit.node, commit.tags, commit.message) == (2, "packer", ("t",), "why")


def prune(bp: Backpack) -> None:
    for number in range(300):
        bp.pack("other", f"{number} " * 20)
    assert not bp._engine.timeline.has(6)


@pytest.mark.parametrize("is_pruned", [False, True])
def test_who_packed_a_released_value_is_said_in_memory(is_pruned: bool) -> None:
    bp = released(Backpack(max_history_size=3_000))
    said = facts(bp, "q")
    if is_pruned:
        prune(bp)
    bp._check()
    assert facts(bp, "q") == said and is_known(bp)
    file = io.BytesIO()
    bp.export(file)
    file.seek(0)
    loaded = Backpack.load(file)
    loaded._check()
    for other in (bp.fork(), loaded, loaded.fork()):
        assert facts(other, "q") == said
        assert other.blame("q").changes.keys() == {"q", "r"}


@pytest.mark.parametrize("is_pruned", [False, True])
@pytest.mark.parametrize("is_reopened", [False, True])
def test_who_packed_a_released_value_is_said_by_an_opened_store(
    tmp_path: Path, is_pruned: bool, is_reopened: bool
) -> None:
    path = tmp_path / "run.backpack"
    bp = released(backpack.open(path, max_history_size=3_000))
    said = facts(bp, "q")
    if is_pruned:
        prune(bp)
    if is_reopened:
        bp.close()
        bp = backpack.open(path, max_history_size=3_000)
    with bp:
        assert facts(bp, "q") == said and is_known(bp)
        bp.flush()
        file = io.BytesIO()
        bp.export(file)
        file.seek(0)
        with (
            backpack.open(path, mode="r") as reader,
            bp.fork() as fork,
            bp.fork(path=tmp_path / "fork") as forked,
            Backpack.load(file) as loaded,
        ):
            for other in (reader, fork, forked, loaded):
                assert facts(other, "q") == said
    backpack.recover(path, tmp_path / "recovered")
    for other_path in (path, tmp_path / "fork", tmp_path / "recovered"):
        with backpack.open(other_path) as other:
            assert facts(other, "q") == said


def test_a_quarantine_after_reopening_knows_who_packed_the_value(tmp_path: Path) -> None:
    path = tmp_path / "run.backpack"
    with backpack.open(path) as bp:
        released(bp)
    with backpack.open(path) as bp:
        bp.quarantine("q", reason="once more")
        bp.release("q")
        assert is_known(bp) and facts(bp, "q")
        with bp.fork() as fork:
            fork.quarantine("q", reason="here as well")
            fork.release("q")
            fork.quarantine("r", reason="here for the first time")
            fork.release("r")
            for key in ("q", "r"):
                assert facts(fork, key)[0] == 2


def test_a_snapshot_says_who_packed_a_released_value(tmp_path: Path) -> None:
    with backpack.open(tmp_path / "run.backpack", max_history_size=3_000) as bp:
        released(bp)
        prune(bp)
        bp.pack("q", "a new one")
        for seq in (2, 4, 6):
            item = bp.snapshot(seq).item("q")
            assert item.commit is not None and (item.commit.seq, item.node, item.value) == (2, "packer", "the value")


def test_a_difference_names_the_commit_that_changed_the_key_last(tmp_path: Path) -> None:
    with backpack.open(tmp_path / "run.backpack") as opened:
        for bp in (Backpack(), opened):
            released(bp)
            assert bp.diff(3, 4).added["q"].commit == bp.commit(4)
            assert bp.diff(2, 3).removed["q"].commit == bp.commit(3)


@pytest.mark.parametrize("limit", [800, 10**6])
@pytest.mark.parametrize("is_reopened", [False, True])
def test_a_difference_names_who_deleted_a_key_that_memory_has_nothing_of(
    tmp_path: Path, limit: int, is_reopened: bool
) -> None:
    path = tmp_path / "run.backpack"
    bp = backpack.open(path, max_history_size=limit)
    bp.pack("d", 1)
    bp.pack("a", 0)
    bp.delete("d", node="deleter")
    if is_reopened:
        bp.close()
        bp = backpack.open(path, max_history_size=limit)
    with bp:
        for number in range(61):
            bp.pack("a", f"x{number}" * 10)
            if number in (0, 1, 60):
                assert bp.diff(1).removed["d"].commit == bp.commit(3)
                assert bp.diff("HEAD", 2).added["d"].commit == bp.commit(3)
                assert bp.node("n", namespace="").diff(1).removed["d"].commit == bp.commit(3)
        before = bp.head
        assert before is not None
        bp.pack("d", 2)
        assert bp.diff(1, before).removed["d"].commit == bp.commit(3)
        with bp.fork() as fork:
            fork.delete("d")
            for number in range(60):
                fork.pack("a", f"y{number}" * 10)
            removed = fork.diff(1).removed["d"].commit
            assert removed is None or removed.seq == before.seq + 2
        bp.flush()
        with backpack.open(path, mode="r") as reader:
            assert reader.diff(1, before.seq).removed["d"].commit == bp.commit(3)


def test_compaction_keeps_who_packed_a_released_value(tmp_path: Path) -> None:
    path = tmp_path / "run.backpack"
    with backpack.open(path, max_history_size=3_000) as bp:
        released(bp)
        said = facts(bp, "q")
    with backpack.open(path, max_history_size=3_000) as bp:
        prune(bp)
        for _ in range(2):
            report = bp.compact(keep_commits=10)
            prune(bp)
        assert report.commits and facts(bp, "q") == said
    assert backpack.verify(path).ok
    with backpack.open(path) as bp:
        assert facts(bp, "q") == said


def test_a_fork_in_a_directory_knows_who_set_what_memory_has_pruned(tmp_path: Path) -> None:
    bp = released(Backpack(max_history_size=3_000))
    bp.delete("r")
    bp.pack("s", "of another node", node="another")
    prune(bp)
    said = {key: facts(bp, key)[:7] for key in ("q", "s")}
    with bp.fork(path=tmp_path / "fork") as fork:
        assert {key: facts(fork, key)[:7] for key in ("q", "s")} == said
        assert fork.version("r") == 2 and "r" not in fork
        fork._check()
    assert backpack.verify(tmp_path / "fork").ok
    with backpack.open(tmp_path / "fork") as fork:
        assert {key: facts(fork, key)[:7] for key in ("q", "s")} == said
        assert fork._engine.past is not None and not fork._engine.past.has(2)


def test_a_large_released_value_out_of_reach_says_who_packed_it() -> None:
    bp = Backpack(max_value_size=100, max_history_size=100_000)
    bp.pack("q", "x" * 1000, node="packer")
    bp.quarantine("q", reason="r")
    bp.release("q")
    bp.pack("q", "y")
    bp.purge("q")
    found = bp.snapshot(3).unpack("q")
    assert found.reason == "purged" and found.commit == bp.commit(1)


@pytest.mark.parametrize("strategy", ["oldest", "least-accessed"])
@pytest.mark.parametrize("seed", range(6))
def test_a_store_that_prunes_says_of_each_value_what_one_that_does_not_says(seed: int, strategy: str) -> None:
    chance = random.Random(seed)
    pruning = Backpack(max_history_size=1_500, max_value_size=200, prune_strategy=strategy, prune_percentage=0.3)
    whole = Backpack(max_value_size=200)
    keys = ["a", "b", "c"]
    for step in range(400):
        key = chance.choice(keys)
        acts: list[Callable[[Backpack], object]] = [
            lambda bp, key=key, step=step: bp.pack(key, "v" * (step % 300), node=f"n{step}"),  # type: ignore[misc]
            lambda bp, step=step: bp.update(dict.fromkeys(keys, step), node=f"n{step}"),  # type: ignore[misc]
            lambda bp, key=key: bp.quarantine(key, reason="r", node="q"),  # type: ignore[misc]
            lambda bp, key=key: bp.release(key, node="r"),  # type: ignore[misc]
            lambda bp, key=key: bp.delete(key),  # type: ignore[misc]
            lambda bp, step=step: bp.checkpoint(str(step)),  # type: ignore[misc]
            lambda bp, step=step: bp.snapshot(bp.checkpoints()[step % 3].seq).to_dict(),  # type: ignore[misc]
        ]
        act = chance.choices(acts, weights=[6, 2, 6, 6, 1, 0.2, 1])[0]
        for bp in (pruning, whole):
            with suppress(BackpackError, IndexError):
                act(bp)
    pruning._check()
    assert pruning.memory_usage().commits_pruned
    file = io.BytesIO()
    pruning.export(file)
    file.seek(0)
    loaded = Backpack.load(file)
    for bp in (pruning, pruning.fork(), loaded):
        for seq in [commit.seq for commit in bp.history()]:
            one, other = bp.snapshot(seq), whole.snapshot(seq)
            assert one.keys() == other.keys()
            for key in one:
                mine, theirs = one.item(key).commit, other.item(key).commit
                assert mine is not None and theirs is not None
                assert (mine.seq, mine.node, mine.changes) == (theirs.seq, theirs.node, theirs.changes)
