"""Checkpoints of a memory: references and where the work stood, at commits that the core has pinned."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import backpack
from backpack import Backpack, CheckpointExistsError, CommitNotFoundError
from backpack.errors import InvalidArgumentError, UnstorableValueError
from backpack.memory import Memory, core_checkpoints
from backpack.memory.checkpoint_record import by_name
from backpack.memory.checkpoint_summary import LEVELS, fitted
from backpack.memory.tokens import estimate_tokens

START = 1_800_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def memory(clock: Clock) -> Memory:
    return Memory(Backpack(), clock=clock)


def test_the_first_refers_to_all_entries_and_the_next_to_what_came_since(memory: Memory) -> None:
    one, two = memory.log("a" * 400, type="output"), memory.log("b" * 40, type="summary")
    first = memory.checkpoint(notes="so far")
    three = memory.log("c" * 4)
    second = memory.checkpoint()
    assert first.references == (one.id, two.id) and first.counts == {"output": 1, "summary": 1} and first.tokens == 110
    assert second.references == (three.id,) and second.tokens == 1 and second.previous == first.id
    assert memory.checkpoint().references == ()


def test_an_id_says_when_it_was_made_and_is_never_given_twice(memory: Memory, clock: Clock) -> None:
    memory.make_random = lambda size: b"\x00" * size
    ids = [memory.checkpoint().id for _ in range(3)]
    assert ids == [f"ckpt-20270115-080000-{number:04x}" for number in range(3)]


def test_the_core_has_a_checkpoint_of_the_same_name_at_its_commit(memory: Memory) -> None:
    memory.bp["plan"] = "first"
    made = memory.checkpoint(notes="before the change")
    memory.bp["plan"] = "second"
    snapshot = memory.bp.snapshot(made.id)
    assert snapshot["plan"] == "first" and memory.keys.checkpoints + made.id in snapshot
    (core,) = memory.bp.checkpoints()
    assert core.name == made.id and core.notes == "before the change"


def test_no_content_is_in_a_record(memory: Memory) -> None:
    memory.log("the very content", title="the title")
    made = memory.checkpoint()
    assert "content" not in str(memory.bp[memory.keys.checkpoints + made.id])


def test_the_newest_is_loaded_by_default_whatever_the_clock_does(memory: Memory, clock: Clock) -> None:
    memory.checkpoint(phase="one")
    clock.now -= 100_000
    memory.checkpoint(phase="two")
    assert memory.checkpoints.load().phase == memory.checkpoints.load("ckpt-latest").phase == "two"
    assert [one.phase for one in memory.checkpoints] == ["one", "two"] and len(memory.checkpoints) == 2


def test_a_unique_beginning_is_enough(memory: Memory, clock: Clock) -> None:
    first = memory.checkpoint()
    clock.now += 86_400
    second = memory.checkpoint()
    assert memory.checkpoints.load(second.id[:13]) == second
    assert memory.checkpoints.load(first) == first
    with pytest.raises(CommitNotFoundError, match="several"):
        memory.checkpoints.load("ckpt-")


def test_what_is_not_there_is_an_error_that_says_what_is(memory: Memory) -> None:
    with pytest.raises(CommitNotFoundError, match="no checkpoint yet"):
        memory.checkpoints.load()
    made = memory.checkpoint()
    with pytest.raises(CommitNotFoundError, match=made.id):
        memory.checkpoints.load("nothing")


def test_a_name_may_be_given_and_is_taken_once(memory: Memory) -> None:
    assert memory.checkpoint(name="before lunch").id == "before lunch"
    with pytest.raises(CheckpointExistsError):
        memory.checkpoint(name="before lunch")
    memory.bp.checkpoint("theirs")
    with pytest.raises(CheckpointExistsError):
        memory.checkpoint(name="theirs")
    for name in ("ckpt-latest", "HEAD", ""):
        with pytest.raises(InvalidArgumentError):
            memory.checkpoint(name=name)
    assert [one.id for one in memory.checkpoints] == ["before lunch", "theirs"]


def test_what_can_not_be_stored_leaves_no_checkpoint(memory: Memory) -> None:
    memory.bp["a"] = 1
    with pytest.raises(UnstorableValueError):
        memory.checkpoint(variables={"file": open})
    assert not memory.bp.checkpoints() and not len(memory.checkpoints)


@pytest.mark.parametrize(
    "nonsense", [{"tasks": "one"}, {"dependencies": 3}, {"variables": [1]}, {"notes": 3}, {"phase": ""}]
)
def test_nonsense_is_refused(memory: Memory, nonsense: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError):
        memory.checkpoint(**nonsense)


def test_a_difference_names_what_was_added_changed_and_removed(memory: Memory) -> None:
    kept, gone = memory.log("kept"), memory.log("gone")
    a = memory.checkpoint(
        phase="build",
        variables={"x": 1, "y": [1, 2]},
        tasks=[{"id": "t1", "state": "open"}, "t2"],
        dependencies={"numpy": "1.0", "zlib": "1.3"},
    )
    new = memory.log("new")
    memory.delete(gone)
    b = memory.checkpoint(
        phase="test",
        variables={"y": [1, 3], "z": 0},
        tasks=[{"id": "t1", "state": "done"}, "t3"],
        dependencies={"numpy": "2.0"},
    )
    found = memory.checkpoints.diff(a, b)
    assert found.phase == ("build", "test")
    assert (found.tasks.added, found.tasks.changed, found.tasks.removed) == (("t3",), ("t1",), ("t2",))
    assert (found.variables.added, found.variables.changed, found.variables.removed) == (("z",), ("y",), ("x",))
    assert (found.dependencies.changed, found.dependencies.removed) == (("numpy",), ("zlib",))
    assert (found.entries.added, found.entries.changed, found.entries.removed) == ((new.id,), (), (gone.id,))
    assert kept.id not in str(found) and f"+ {new.id}" in str(found) and "phase: build -> test" in str(found)
    back = memory.checkpoints.diff(b, a)
    assert back.entries.added == (gone.id,) and back.entries.removed == (new.id,)
    same = memory.checkpoints.diff(b, b)
    assert not same and "no difference" in str(same)


def test_pruning_keeps_the_newest_and_unpins_the_rest(memory: Memory) -> None:
    made = [memory.checkpoint(phase=f"p{number}") for number in range(6)]
    memory.bp.checkpoint("mine")
    assert memory.checkpoints.prune(keep=2) == [one.id for one in made[:4]]
    assert [one.id for one in memory.checkpoints] == [*(one.id for one in made[4:]), "mine"]
    assert [one.name for one in memory.bp.checkpoints()] == [made[4].id, made[5].id, "mine"]
    assert memory.checkpoints.prune() == [] and memory.checkpoint().number == 7


def test_a_checkpoint_that_a_crash_left_half_made_is_finished_by_the_next(memory: Memory) -> None:
    first = memory.checkpoint()
    memory.bp.delete_checkpoint(first.id)  # as if it had never come to that
    memory.log("later")
    second = memory.checkpoint()
    assert {one.name for one in memory.bp.checkpoints()} == {first.id, second.id}
    assert memory.bp.snapshot(first.id).commit == memory.bp.blame(memory.keys.checkpoints + first.id)
    assert len(memory.checkpoints.diff(first, second).entries.added) == 1


def test_lines_of_references_are_newest_first_without_those_that_are_gone(memory: Memory) -> None:
    one, two, three = (memory.log(word, summary=word) for word in ("one", "two", "three"))
    made = memory.checkpoint()
    memory.delete(two)
    assert memory.checkpoints.refs() == memory.checkpoints.refs(made) == [
        f"[{three.id}] three (2 tokens)", f"[{one.id}] one (1 token)",
    ]  # fmt: skip


def test_an_opened_store_has_its_checkpoints_when_it_is_opened_again(tmp_path: Path) -> None:
    with backpack.open(tmp_path / "store") as bp:
        memory = Memory(bp)
        entry = memory.log("x")
        made = memory.checkpoint(notes="n", variables={"a": (1, {2})})
    with backpack.open(tmp_path / "store", "r") as bp:
        again = Memory(bp).checkpoints.load()
        assert again == made and again.references == (entry.id,) and again.variables == {"a": (1, {2})}
        assert entry.id in str(sorted(bp.snapshot(made.id)))


def test_a_report_has_a_row_for_each_and_the_sums(memory: Memory) -> None:
    memory.log("a" * 4_000)
    memory.checkpoint(notes="with | a bar\nand a line", phase="build")
    memory.checkpoint()
    report = memory.checkpoints.report()
    assert "2 checkpoints, 1 entry, 1,000 tokens" in report and "with \\| a bar and a line" in report
    assert "0 checkpoints" in Memory(Backpack()).checkpoints.report()


# -- summaries -------------------------------------------------------------------------------------------------


def huge() -> dict[str, Any]:
    broad: Any = "z" * 9_000
    for _ in range(6):
        broad = [broad] * 8
    return {
        "notes": "n" * 60_000,
        "phase": "p" * 1_000,
        "variables": {f"variable {number} " + "v" * 500: "x" * 100_000 for number in range(99)} | {"list": [0] * 10**5},
        "tasks": [
            {"id": f"t{number}", "text": "y" * 10_000, "deep": {"a": ["z" * 9_000] * 9}} for number in range(300)
        ],
        "dependencies": ["d" * 5_000 + str(number) for number in range(300)] + [{"name": "broad", "of": broad[:1]}],
    }


@pytest.mark.parametrize("count_tokens", [estimate_tokens, len, lambda text: len(text.split())])
def test_a_summary_has_at_most_its_tokens_whatever_is_in_there(count_tokens: Callable[[str], int]) -> None:
    memory = Memory(Backpack(), count_tokens=count_tokens)
    for number in range(120):
        memory.log(f"entry {number}", summary="s" * 1_000)
    memory.checkpoint(**huge())
    assert {name: level.tokens for name, level in LEVELS.items()} == {
        "minimal": 500, "compact": 1_000, "standard": 2_000, "full": 4_000}  # fmt: skip
    for name, level in LEVELS.items():
        text = memory.checkpoints.summary(name)
        assert count_tokens(text) <= level.tokens
        assert "# Checkpoint ckpt-" in text


def test_a_short_checkpoint_is_told_whole_and_more_with_each_level(memory: Memory) -> None:
    entry = memory.log("x", summary="what it was")
    memory.checkpoint(notes="note", phase="build", variables={"port": 80}, tasks=["ship it"], dependencies={"a": "1"})
    text = memory.checkpoints.summary("full")
    for part in ("note", "build", "port: 80", "ship it", "a: 1", entry.id, "what it was"):
        assert part in text
    sizes = [len(memory.checkpoints.summary(level)) for level in LEVELS]
    assert sizes == sorted(sizes)


def test_an_unknown_level_is_refused(memory: Memory) -> None:
    memory.checkpoint()
    with pytest.raises(InvalidArgumentError, match="minimal"):
        memory.checkpoints.summary("tiny")


@pytest.mark.parametrize("limit", [0, 1, 5, 6, 7, 50])
def test_fitted_text_never_has_more_tokens(limit: int) -> None:
    assert len(fitted("line one\nline two\nline three and more\n" * 9, limit, len)) <= limit


def test_lists_and_refs_know_the_references_of_a_checkpoint_however_it_is_named(memory: Memory) -> None:
    one = memory.log("12 passed", title="pytest")
    first = memory.checkpoint(name="first-of-all")
    two, named = memory.log("13 passed"), memory.log("later", checkpoint="first-of-all")
    second = memory.checkpoint()
    for name in (first, first.id, "first-of"):
        assert memory.list(checkpoint=name) == [named, one]
    assert memory.list(checkpoint="ckpt-latest") == memory.list(checkpoint=second) == [named, two]
    assert memory.refs(checkpoint="ckpt-latest") == memory.checkpoints.refs()
    assert memory.list(checkpoint=second.id, limit=1) == [named]
    assert memory.list(checkpoint="none") == memory.list(checkpoint="") == []
    assert one.id in memory.call_tool("memory_list", {"checkpoint": first.id})


def test_a_checkpoint_of_the_core_alone_refers_to_what_was_there(memory: Memory) -> None:
    one = memory.log("before")
    memory.bp.checkpoint("release")
    memory.log("after")
    assert memory.list(checkpoint="release") == [one]


def test_checkpoints_of_the_core_are_checkpoints_of_the_memory(memory: Memory) -> None:
    bp, checkpoints = memory.bp, memory.checkpoints
    one = memory.log("one")
    first = memory.checkpoint(notes="first", phase="build")
    two = memory.log("two, longer", type="tool_output")
    bp.pack("other", 1)
    bp.checkpoint("release", notes="shipped")
    three = memory.log("three")
    last = memory.checkpoint()
    assert [found.id for found in checkpoints] == [first.id, "release", last.id]
    assert checkpoints.list() == checkpoints.all()[::-1] and checkpoints.list(2) == checkpoints.all()[:0:-1]
    assert len(checkpoints) == 3
    release = checkpoints.load("rel")
    assert (release.id, release.notes, release.phase, release.previous) == ("release", "shipped", None, first.id)
    assert (release.references, release.counts, release.tokens) == ((two.id,), {"tool_output": 1}, two.tokens)
    assert release.time == bp.commit("release").time and release.is_of_core and not last.is_of_core
    assert (release.variables, release.tasks, release.dependencies) == ({}, [], [])
    assert (last.number, last.previous, last.references) == (2, first.id, (two.id, three.id))
    diff = checkpoints.diff(first, "release")
    assert (diff.phase, diff.entries.added) == (("build", None), (two.id,))
    assert "shipped" in checkpoints.summary("minimal", "release") and two.id in checkpoints.summary("full", release)
    assert memory.list(checkpoint="release") == memory.list(checkpoint=release) == [two]
    report = checkpoints.report()
    assert "release" in report and "3 checkpoints, 3 entries," in report
    assert checkpoints.sums(checkpoints) == (3, one.tokens + two.tokens + three.tokens)


def test_commits_and_states_say_the_same_of_what_is_new_at_a_checkpoint(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    bp = memory.bp
    entries = [memory.log(f"before {number}") for number in range(3)]
    bp.checkpoint("a")
    entries += [memory.log(f"between {number}") for number in range(4)]
    memory.delete(entries[0])
    memory.delete(entries[3])
    bp.checkpoint("b")
    bp.restore("a", keys=[f"memory.entries.{entries[0].id}"])
    memory.log("between 1")
    bp.quarantine(f"memory.entries.{entries[4].id}", reason="odd")
    bp.checkpoint("c")
    bp.checkpoint("early", at=2)
    for number in range(300):
        bp.pack(f"key {number}", number)
    found = []
    for cost in (0, 1_000_000):
        monkeypatch.setattr(core_checkpoints, "_COMMIT_COST", cost)
        found.append([one.references for one in memory.checkpoints])
    assert found[0] == found[1]
    assert [len(one) for one in found[0]] == [3, 3, 2, 0]


def test_the_newest_checkpoint_is_the_one_made_last_whoever_made_it(memory: Memory) -> None:
    entry = memory.log("one")
    memory.bp.checkpoint("of the core")
    assert memory.checkpoints.load().id == "of the core" and memory.checkpoints.load().references == (entry.id,)
    made = memory.checkpoint()
    assert memory.checkpoints.load("ckpt-latest") == made
    memory.bp.checkpoint("earlier", at=1)
    assert memory.checkpoints.load("ckpt-latest").id == "earlier"
    assert [memory.checkpoints.seq(name) for name in ("of the core", made, None)] == [1, 2, 1]


def test_pruning_checkpoints_leaves_those_of_the_core(memory: Memory) -> None:
    memory.bp.pack("a", 1)
    memory.bp.checkpoint("of the core")
    ids = [memory.checkpoint().id for _ in range(3)]
    assert memory.checkpoints.prune(keep=1) == ids[:2]
    assert [one.id for one in memory.checkpoints] == ["of the core", ids[2]]


def test_a_record_without_a_checkpoint_of_the_core_stands_where_its_commit_does(memory: Memory) -> None:
    ids = [memory.checkpoint().id for _ in range(3)]
    memory.bp.pack("a", 1)
    memory.bp.checkpoint("of the core")
    memory.bp.delete_checkpoint(ids[1])
    memory.bp.delete_checkpoint(ids[2])
    assert [one.id for one in memory.checkpoints] == [*ids, "of the core"]
    assert memory.checkpoints.load().previous == ids[2]


def test_entries_that_were_purged_since_are_referred_to_and_not_counted(memory: Memory) -> None:
    kept, gone = memory.log("kept"), memory.log("gone")
    memory.bp.checkpoint("of the core")
    memory.bp.purge(f"memory.entries.{gone.id}")
    found = memory.checkpoints.load("of the core")
    assert found.tokens == kept.tokens and kept.id in found.references
    assert memory.checkpoints.refs(found) == memory.refs()


def test_a_difference_tells_what_it_was_and_what_it_is(memory: Memory) -> None:
    gone = memory.log("gone")
    a = memory.checkpoint(
        variables={"city": "Rome", "nights": 3, "plan": {"a": [1]}},
        tasks=["book", {"id": "pay", "state": "open"}],
        dependencies={"numpy": "1.0"},
    )
    memory.delete(gone)
    new = memory.log("...", title="pytest\nof the parser")
    b = memory.checkpoint(
        variables={"city": "Oslo", "nights": 3, "plan": {"a": [2]}, "note": "long\n" * 90},
        tasks=["pay", {"id": "pay", "state": "done"}],
        dependencies={},
    )
    lines = str(memory.checkpoints.diff(a, b)).splitlines()
    assert lines[0] == f"{a} -> {b}"
    for line in ("~ city: Rome -> Oslo", "~ plan: a: 1 -> a: 2", "- book", "- numpy: 1.0"):
        assert f"  {line}" in lines
    assert f"  + {new} pytest of the parser" in lines and f"  - {gone} gone" in lines
    assert any(line.startswith("  + note: long long") and len(line) < 200 for line in lines)
    assert memory.checkpoints.diff(a, b) == memory.checkpoints.diff(a, b)


def test_the_full_summary_names_the_checkpoint_before(memory: Memory) -> None:
    first, second = memory.checkpoint(), memory.checkpoint()
    assert f"previous: {first}" in memory.checkpoints.summary("full", second).splitlines()
    assert "previous" not in memory.checkpoints.summary("full", first) + memory.checkpoints.summary("minimal", second)


def test_checkpoints_of_the_core_are_listed_when_what_came_behind_them_was_pruned() -> None:
    bp = Backpack({f"k{number}": number for number in range(100)})
    memory = Memory(bp)
    first = memory.log("one", title="first")
    bp.checkpoint("a")
    second = memory.log("two", title="second")
    bp.checkpoint("b")
    for number in range(30):
        bp.pack("other", number)
    bp.configure(max_commits=5)
    assert [one.references for one in memory.checkpoints] == [(first.id,), (second.id,)]
    assert memory.checkpoints.diff("a", "b").entries.added == (second.id,)


def test_a_checkpoint_is_made_when_the_commit_of_the_one_before_is_gone() -> None:
    bp = Backpack(max_commits=10)
    memory = Memory(bp)
    first = memory.log("one")
    memory.checkpoint(name="a")
    bp.delete_checkpoint("a")
    for number in range(30):
        bp.pack("k", number)
    second = memory.log("two")
    made = memory.checkpoint(name="b")
    assert made.references == (second.id,) and made.previous == "a"
    assert [one.id for one in memory.checkpoints] == ["a", "b"]
    assert memory.checkpoints.load("a").references == (first.id,)
    assert [one.id for one in memory.checkpoints.list(limit=1 << 80)] == ["b", "a"]
    with pytest.raises(InvalidArgumentError, match="no such level"):
        memory.checkpoints.summary(["full"])  # type: ignore[arg-type]


def test_an_integer_that_python_does_not_write_out_is_told() -> None:
    memory = Memory(Backpack())
    long = 10**5_000
    memory.checkpoint(variables={"n": long, "in": [{long: 1}]}, tasks=[long, {"id": long}])
    memory.checkpoint(variables={"n": -long})
    first, second = memory.checkpoints
    assert f"- n: {hex(long)[:100]}" in memory.checkpoints.summary(id=first)
    assert f"n: {hex(long)[:100]}" in str(memory.checkpoints.diff(first, second))


def test_items_of_one_name_are_all_told_apart() -> None:
    assert list(by_name(["a (3)", "a", "a", "ab", "a (2)"])) == ["a (3)", "a", "a (2)", "ab", "a (2) (2)"]
    assert len(by_name(["a"] * 20_000)) == 20_000
