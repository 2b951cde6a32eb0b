"""A replay makes one commit a message, and the check of its snapshots finds whatever is not as the messages say."""

from collections.abc import Callable
from typing import Any

import pytest

from backpack import Backpack
from backpack.demo import playing
from backpack.demo.checking import BRISK, THOROUGH, Checked, Checker
from backpack.demo.expected import seq_before, states
from backpack.demo.packed import Packed
from backpack.demo.playing import INPUT_NODE, replay
from backpack.demo.pruning import prune
from backpack.demo.summary import summarise
from backpack.runs import Run, Step

from .agent_runs import made_packed, made_run

EMPTY = Packed()


def checked_replay(run: Run, packed: Packed = EMPTY) -> Checked:
    return Checker(replay(run, packed), run, packed, THOROUGH).all_commits()


def test_a_replay_makes_a_commit_a_message_by_the_node_that_made_it() -> None:
    run = made_run(3)
    bp = replay(run, EMPTY)
    commits = list(bp.history())[::-1]
    assert [commit.node for commit in commits] == [step.node for step in run.steps]
    assert bp["messages"] == [step.message for step in run.steps]
    assert bp["turn"] == 3
    assert bp["answer"] == "answer 2"
    assert "pending" not in bp


def test_what_is_packed_first_is_one_commit_before_the_messages() -> None:
    run, packed = made_run(1), made_packed()
    bp = replay(run, packed)
    assert bp.commit(1).node == INPUT_NODE
    assert set(bp.commit(1).changes) == {"table", "note"}
    assert bp.commit(1).changes["table"].is_large
    assert bp.snapshot(4)["table"] == packed["table"]
    assert bp.head is not None
    assert bp.head.seq == len(run.steps) + 1


def test_every_snapshot_of_a_replay_is_as_the_messages_say() -> None:
    for turns in (1, 2, 7):
        for packed in (EMPTY, made_packed()):
            run = made_run(turns, seed=turns)
            checked = checked_replay(run, packed)
            assert checked.problems == []
            assert checked.snapshots == len(run.steps) + bool(packed)
            assert checked.values_skimmed == 0


def test_the_expected_state_is_that_of_a_plain_dict() -> None:
    run = made_run(1)
    last = list(states(run, EMPTY))[-1]
    assert last.value("messages") == [step.message for step in run.steps]
    assert last.values["turn"] == 1
    assert last.values["question"] == "question 0"
    assert "pending" not in last.values
    assert last.versions["pending"] == 3
    assert {last.values[f"tools.{step.tool}.calls"] for step in run.steps if step.tool} == {1}


def test_the_state_before_a_node_is_that_before_its_row_of_steps() -> None:
    run = made_run(3)
    first_user = next(step.index for step in run.steps if step.role == "user")
    assert seq_before(run, EMPTY, "user", 0) == first_user
    assert seq_before(run, Packed(x=1), "user", 0) == first_user + 1
    snapshot = replay(run, EMPTY).snapshot_before("user", run=1)
    assert snapshot is not None
    assert snapshot.commit is not None
    assert snapshot.commit.seq == seq_before(run, EMPTY, "user", 1)


def test_large_results_that_are_gone_count_as_references() -> None:
    run = made_run(4, large=150_000)
    checked = checked_replay(run)
    assert checked.problems == []


def test_long_runs_are_read_in_part_and_say_so() -> None:
    run, packed = made_run(30), made_packed()
    bp = replay(run, packed)
    checked = Checker(bp, run, packed, 1_000_000).all_commits()
    assert checked.problems == []
    assert checked.snapshots == len(run.steps) + 1
    assert 0 < checked.values_skimmed < checked.snapshots


def wrong_node(bp: Backpack, step: Step, play: Callable[..., None]) -> None:
    other = Step(step.index, step.role, "someone", step.message, step.text, step.calls, step.tool, step.answers)
    play(bp, other)


def wrong_message(bp: Backpack, step: Step, play: Callable[..., None]) -> None:
    other = {**step.message, "content": "forged"}
    play(bp, Step(step.index, step.role, step.node, other, step.text, step.calls, step.tool, step.answers))


def forgotten(bp: Backpack, step: Step, play: Callable[..., None]) -> None:
    pass


def made_twice(bp: Backpack, step: Step, play: Callable[..., None]) -> None:
    play(bp, step)
    bp.pack("turn", bp["turn"], node="user")


def a_key_too_many(bp: Backpack, step: Step, play: Callable[..., None]) -> None:
    with bp.transaction(node=step.node) as tx:
        tx.append("messages", step.message)
        tx.pack("turn", 2)
        tx.pack("question", step.text)
        tx.pack("stray", 1)


def another_type(bp: Backpack, step: Step, play: Callable[..., None]) -> None:
    with bp.transaction(node=step.node) as tx:
        tx.append("messages", step.message)
        tx.pack("turn", 2.0)
        tx.pack("question", step.text)


@pytest.mark.parametrize("fault", [wrong_node, wrong_message, forgotten, made_twice, a_key_too_many, another_type])
def test_a_fault_in_one_commit_is_found_and_its_place_named(
    fault: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made_run(2)
    place = [step.index for step in run.steps if step.role == "user"][1]
    play = playing.play

    def faulty(bp: Backpack, step: Step) -> None:
        if step.index == place:
            fault(bp, step, play)
        else:
            play(bp, step)

    monkeypatch.setattr(playing, "play", faulty)
    checked = checked_replay(run)
    assert checked.problems
    assert any(f"commit {place + 1}" in problem or "the newest is" in problem for problem in checked.problems)


def test_a_store_that_shows_a_newer_value_is_found_out() -> None:
    run = made_run(2)
    bp = replay(run, EMPTY)

    class Liar:
        """Answers for every commit as for the next one."""

        def __getattr__(self, name: str) -> Any:
            return getattr(bp, name)

        def __iter__(self) -> Any:
            return iter(bp)

        def snapshot(self, seq: int) -> Any:
            return bp.snapshot(min(seq + 1, len(run.steps)))

    checked = Checker(Liar(), run, EMPTY, THOROUGH).all_commits()  # type: ignore[arg-type]
    assert checked.problems


def test_pruning_is_checked_with_an_open_snapshot() -> None:
    run, packed = made_run(8), made_packed()
    bp = replay(run, packed)
    pruned = prune(bp, run, packed, None, read_max=BRISK)
    assert pruned.gone > 0
    assert pruned.survivors[-1] == len(run.steps) + 1
    assert pruned.opened in pruned.survivors
    assert pruned.checked.snapshots == len(pruned.survivors)
    assert pruned.checked.problems == []
    assert pruned.checked_open.problems == []
    assert "CommitPrunedError" in pruned.refusal


@pytest.mark.parametrize("budget", [1, 100, 1_000, 10**9])
def test_any_budget_leaves_right_snapshots(budget: int) -> None:
    run = made_run(4)
    summary = summarise(run, EMPTY, budget)
    assert summary.problems == []
    assert summary.checked.snapshots == len(run.steps)
    assert summary.commits_left >= 1
