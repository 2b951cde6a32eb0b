"""What the demo shows of a run: each scene with its facts, in lines that fit."""

import json
import re
from typing import Any

import pytest

from backpack import BackpackError
from backpack.demo import telling
from backpack.demo.access_log import access_log
from backpack.demo.packed import Packed
from backpack.demo.playing import replay
from backpack.demo.shipped import shipped_run
from backpack.demo.showcase import showcase_of
from backpack.demo.stage import Scene, Stage
from backpack.runs import Run, parse_runs
from backpack.terminal.words import columns_of

from .agent_runs import made_packed, made_run


def staged(run: Run, packed: Packed | None = None, *, budget: int | None = None, width: int = 80) -> Stage:
    packed = packed if packed is not None else Packed()
    return Stage(replay(run, packed), run, packed, showcase_of(run), budget, width)


def told(stage: Stage) -> dict[str, Scene]:
    scenes = {scene.name: scene for scene in telling.tell(stage)}
    assert stage.checked.problems == []
    return scenes


def test_the_scenes_come_in_the_order_of_a_story() -> None:
    names = list(told(staged(made_run(2))))
    assert names == ["timeline", "before", "diff", "large", "fork", "pruning", "memory"]


def test_the_timeline_has_every_commit_with_who_what_and_size() -> None:
    run = made_run(2)
    scene = told(staged(run))["timeline"]
    commits = scene.facts["commits"]
    assert [commit["node"] for commit in commits] == [step.node for step in run.steps]
    assert all(commit["size"] > 0 and commit["message"] for commit in commits)
    assert len(scene.lines) == 2 + len(run.steps) + 1


def test_a_long_timeline_is_cut_in_the_middle() -> None:
    scene = told(staged(made_run(10)))["timeline"]
    assert len(scene.facts["commits"]) == 51
    assert len(scene.lines) < 25
    assert any("33 more commits" in line for line in scene.lines)


def test_the_state_before_a_node_is_shown_and_checked() -> None:
    stage = staged(made_run(3))
    scene = told(stage)["before"]
    assert scene.facts["node"] == stage.run.steps[-2].node
    keys = {entry["key"] for entry in scene.facts["keys"]}
    assert {"messages", "pending", "question", "turn"} <= keys
    assert stage.checked.snapshots > 0


def test_the_diff_names_keys_and_the_paths_inside_them() -> None:
    facts = told(staged(made_run(3)))["diff"].facts
    assert "pending" in facts["removed"]
    assert facts["changed"]["messages"]["paths"][0].startswith("[")


def test_a_large_value_is_changed_kept_by_a_snapshot_and_then_unavailable() -> None:
    scene = told(staged(made_run(2), made_packed()))["large"]
    assert scene.facts["key"] == "table"
    assert scene.facts["paths"] == ["id0.price"]
    answers = [step["answer"] for step in scene.facts["steps"]]
    assert answers[2] == "commit 2: whole, as it was"
    assert "unavailable" in answers[3]
    packed, *_, last = scene.facts["steps"]
    assert packed["live"] > 100 * 1024 > packed["history"]
    assert last["live"] == 0


def test_a_run_without_a_large_value_gets_a_lower_limit() -> None:
    scene = told(staged(made_run(2)))["large"]
    assert scene.facts["limit"] < scene.facts["size"]


def test_the_fork_takes_another_decision_and_leaves_the_original() -> None:
    facts = told(staged(made_run(2), made_packed()))["fork"].facts
    assert facts["original"] != facts["fork"]
    assert facts["head"] == facts["at"] + 1
    assert facts["original_untouched"]


def test_a_fork_goes_where_all_large_values_are_within_reach() -> None:
    large, small = "x" * 200_000, "y"
    messages: list[dict[str, Any]] = [{"role": "user", "content": "go"}]
    for number, text in enumerate((large, small)):
        messages += [
            {"role": "assistant", "tool_calls": [{"id": str(number), "function": {"name": "read", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": str(number), "content": text},
        ]
    (run,) = parse_runs(json.dumps(messages).encode())
    stage = staged(run)
    facts = told(stage)["fork"].facts
    assert facts["at"] < 3
    assert facts["original_untouched"]


def test_pruning_goes_to_the_budget_that_is_asked_for() -> None:
    scene = told(staged(made_run(6), budget=2_000))["pruning"]
    assert scene.facts["budget"] == 2_000
    assert scene.facts["commits_pruned"] > 0
    assert scene.facts["history_bytes_after"] <= 2_000 or scene.facts["over_budget"]


def test_the_memory_report_is_what_print_shows() -> None:
    stage = staged(made_run(2))
    scene = told(stage)["memory"]
    assert list(scene.lines) == str(stage.bp.memory_usage()).splitlines()
    assert scene.facts["commits_in_memory"] == len(list(stage.bp.history()))


@pytest.mark.parametrize("width", [80, 100, 160])
@pytest.mark.parametrize("turns", [1, 12])
def test_every_line_fits_the_terminal(width: int, turns: int) -> None:
    run = made_run(turns)
    wide = [{"role": "user", "content": "\u5546\u5e97 " * 40}, {"role": "assistant", "content": "e\u0301" * 200}]
    (wide_run,) = parse_runs(json.dumps(wide).encode())
    for stage in (staged(run, made_packed(), width=width), staged(wide_run, width=width), staged_shipped(width)):
        for number, scene in enumerate(telling.tell(stage)):
            for line in scene.text(number, width):
                assert columns_of(line) <= width


def staged_shipped(width: int = 80) -> Stage:
    run, showcase = shipped_run()
    return Stage(replay(run, Packed()), run, Packed(), showcase, None, width)


def test_all_facts_are_json() -> None:
    for scene in telling.tell(staged(made_run(2), made_packed())):
        assert json.loads(json.dumps(scene.facts, allow_nan=False))


def test_a_scene_that_fails_is_a_problem_and_not_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(stage: Stage) -> Scene:
        raise BackpackError("no such luck")

    monkeypatch.setattr(telling, "SCENES", (broken, *telling.SCENES[1:]))
    stage = staged(made_run(1))
    assert len(list(telling.tell(stage))) == len(telling.SCENES)
    assert stage.checked.problems == ["run 1, scene broken: BackpackError: no such luck"]


def test_the_shipped_run_has_all_that_the_demo_is_about() -> None:
    run, showcase = shipped_run()
    roles = {step.role for step in run.steps}
    assert roles == {"system", "user", "assistant", "tool"}
    assert 20 <= len(run.steps) <= 40
    calls = [call for step in run.steps for call in step.calls]
    answered = [step.answers for step in run.steps if step.answers]
    assert {call.key for call in calls} == {call.key for call in answered}
    assert max(len(step.text or "") for step in run.steps) > 100 * 1024
    assert run.steps[showcase.decision].calls
    assert any(step.node == showcase.node for step in run.steps)


def test_the_numbers_in_the_shipped_run_are_those_of_its_log() -> None:
    run, _ = shipped_run()
    (summary,) = (step.text for step in run.steps if step.tool == "summarise_log")
    pattern = re.compile(r"\S+ (r\d+) \w+ +(\S+) +(\d+) +(\d+) ms")
    requests = [match.groups() for match in map(pattern.match, access_log().splitlines()) if match]
    assert len(requests) == access_log().count("\n")
    for row in json.loads(summary or "")["rows"]:
        found = [
            (int(status), int(ms))
            for rel, route, status, ms in requests
            if (rel, route) == (row["release"], row["route"])
        ]
        times = sorted(ms for _, ms in found)
        middle = len(times) // 2
        median = times[middle] if len(times) % 2 else (times[middle - 1] + times[middle]) / 2
        assert len(found) == row["requests"]
        assert abs(median - row["median_ms"]) <= 1
        assert sum(ms > 1_000 for _, ms in found) == row["slow"]
        assert sum(status == 503 for status, _ in found) == row["errors"]
