"""What is pruned is gone for good, and nothing that a graph still needs."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.types import Command

from backpack import Backpack
from backpack.errors import DiskFullError, InvalidArgumentError
from backpack.integrations.langgraph import BackpackSaver, Retention, rewriting

from .graphs import ALL, INPUTS, Config, Graph, asking, calling, comparable, config_of, conversation, deltas, nesting
from .test_saver import checkpoint_of

PRUNINGS: list[dict[str, Any]] = [
    {},
    {"keep_last": 1},
    {"keep_last": 3},
    {"older_than": timedelta()},
    {"max_bytes": 1},
    {"max_bytes": 20_000, "keep_last": 5},
]


@pytest.fixture(params=["memory", "disk"])
def saver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BackpackSaver]:
    with BackpackSaver(Backpack() if request.param == "memory" else tmp_path / "store") as made:
        yield made
        made.bp._check()


def ids(saver: BackpackSaver, config: Config | None = None) -> list[str]:
    return [one.checkpoint["id"] for one in saver.list(config or config_of(checkpoint_ns=""))]


def reopened(saver: BackpackSaver) -> BackpackSaver:
    """A saver that has to read everything again."""
    saver._threads().discard()
    return saver


@pytest.mark.parametrize("how", PRUNINGS, ids=str)
@pytest.mark.parametrize("name", ALL)
def test_the_newest_state_is_equal_after_pruning_and_the_graph_goes_on(
    saver: BackpackSaver, name: str, how: dict[str, Any]
) -> None:
    graph = ALL[name](saver)
    graph.invoke(INPUTS[name], config_of())
    before = graph.get_state(config_of(), subgraphs=True)
    history = {str(one.config): comparable(one) for one in graph.get_state_history(config_of())}
    saver.prune(["t1"], **how)
    reopened(saver)
    after = graph.get_state(config_of(), subgraphs=True)
    assert comparable(after) == comparable(before)
    for left, right in zip(after.tasks, before.tasks, strict=True):
        assert (left.state is None) == (right.state is None)
    kept = list(graph.get_state_history(config_of()))
    assert len(kept) < len(history) or len(history) <= how.get("keep_last", 1)
    assert all(comparable(one) == history[str(one.config)] for one in kept)
    while graph.get_state(config_of()).next:
        graph.invoke(Command(resume="an answer"), config_of())
    graph.invoke(INPUTS[name], config_of())
    saver.prune(["t1"], **how)
    assert comparable(graph.get_state(config_of()))["values"] == graph.get_state(config_of()).values


def test_keep_last_keeps_so_many_in_order(saver: BackpackSaver) -> None:
    conversation(saver).invoke(INPUTS["conversation"], config_of())
    before = ids(saver)
    saver.prune(["t1"], keep_last=4)
    assert ids(reopened(saver)) == before[:4]
    saver.prune(["t1"], keep_last=9)
    assert ids(saver) == before[:4]


def test_pruning_by_age_keeps_what_is_younger(tmp_path: Path) -> None:
    now = datetime(2026, 1, 31, tzinfo=UTC)
    saver = BackpackSaver(Backpack(), clock=now.timestamp)
    config = config_of(checkpoint_ns="")
    for day in range(10):
        checkpoint = empty_checkpoint()
        checkpoint["ts"] = (now - timedelta(days=9 - day)).isoformat()
        config = dict(saver.put(config, checkpoint, {"source": "loop", "step": day}, {}))
    before = ids(saver)
    saver.prune(["t1"], older_than=timedelta(days=4))
    assert ids(saver) == before[:4]
    saver.prune(["t1"], older_than=timedelta())
    assert ids(saver) == before[:1]


def test_pruning_by_size_keeps_as_many_as_fit(saver: BackpackSaver) -> None:
    conversation(saver, turns=40).invoke(INPUTS["conversation"], config_of())
    before = ids(saver)
    saver.prune(["t1"], max_bytes=60_000)
    after = ids(reopened(saver))
    assert 1 < len(after) < len(before) and after == before[: len(after)]
    assert 30_000 < sum(saver.bp.item(key).size for key in saver.bp) <= 64_000


def test_an_interrupt_that_nobody_resolved_stays_with_all_it_needs(saver: BackpackSaver) -> None:
    graph = asking(saver)
    graph.invoke(INPUTS["asking"], config_of())
    waiting = graph.get_state(graph.get_state(config_of()).config)
    older = list(graph.get_state_history(config_of()))[-1]
    graph.invoke({"notes": ["elsewhere"]}, older.config)  # another branch, which is newer
    for how in PRUNINGS:
        saver.prune(["t1"], **how)
        state = graph.get_state(waiting.config)
        assert comparable(state) == comparable(waiting)
    graph.invoke(Command(resume="Ada"), waiting.config)
    graph.invoke(Command(resume="36"), waiting.config)
    assert graph.get_state(config_of()).values["notes"] == ["begin", "Ada is 36", "other", "joined"]


def test_an_interrupt_within_subgraphs_is_resumed_after_pruning(saver: BackpackSaver) -> None:
    graph = nesting(saver)
    graph.invoke(INPUTS["nesting"], config_of())
    for how in PRUNINGS:
        saver.prune(["t1"], **how)
        reopened(saver)
        assert graph.get_state(config_of()).interrupts
    graph.invoke(Command(resume="yes"), config_of())
    assert graph.get_state(config_of()).values["notes"][-1] == "inner yes"


def test_the_checkpoints_of_subgraph_calls_go_with_those_they_belong_to(saver: BackpackSaver) -> None:
    graph = nesting(saver)
    for _ in range(4):
        graph.invoke(INPUTS["nesting"], config_of())
        graph.invoke(Command(resume="yes"), config_of())
    spaces = {one.config["configurable"]["checkpoint_ns"] for one in saver.list(config_of())}
    assert len(spaces) == 9
    saver.prune(["t1"], keep_last=4)
    left = {one.config["configurable"]["checkpoint_ns"] for one in saver.list(config_of())}
    assert "" in left and 1 < len(left) <= 5 and left < spaces


def test_hidden_ancestors_of_a_delta_are_found_by_nothing_else(saver: BackpackSaver) -> None:
    graph = deltas(saver, turns=10)
    graph.invoke(INPUTS["deltas"], config_of())
    before = list(saver.list(config_of()))
    saver.prune(["t1"])
    reopened(saver)
    assert len(list(saver.list(config_of()))) == 1
    assert saver.get_tuple(before[1].config) is None
    assert len(saver._threads().thread("t1").spaces[""].rows) == 2
    assert len(graph.get_state(config_of()).values["log"]) == 21
    saver.copy_thread("t1", "t2")
    assert graph.get_state(config_of("t2")).values == graph.get_state(config_of()).values
    saver.prune(["t1"])
    assert graph.get_state(config_of("t2")).values == graph.get_state(config_of()).values


@pytest.mark.parametrize("how", [{}, {"keep_last": 2}], ids=str)
def test_a_delta_that_no_metadata_name_is_known_by_its_writes(saver: BackpackSaver, how: dict[str, Any]) -> None:
    for number in range(1, 7):
        name, parent = f"0{number}", f"0{number - 1}" if number > 1 else None
        versions = {"m": number, "gone": number, "branch:to:work": number}
        values: dict[str, Any] = {"m": ["seed"], "gone": "once", "branch:to:work": None} if number == 2 else {}
        checkpoint = {**empty_checkpoint(), "id": name, "channel_values": values, "channel_versions": versions}
        config = config_of(checkpoint_ns="") if parent is None else at("t1", parent)
        saver.put(config, checkpoint, {"source": "loop", "step": number}, versions)
        saver.put_writes(at("t1", name), [("m", [f"write {number}"]), ("branch:to:work", None)], "task")

    def history() -> Any:
        return saver.get_delta_channel_history(config=at("t1", "06"), channels=["m"])

    before = history()
    assert before["m"]["seed"] == ["seed"] and len(before["m"]["writes"]) == 4
    for _ in range(2):
        saver.prune(["t1"], **how)
        reopened(saver)
        assert history() == before
    hidden = [row for row in saver._threads().thread("t1").spaces[""].rows.values() if row.is_hidden]
    assert [set(saver._threads().thread("t1").manifest(row.number).versions) for row in hidden] == [{"m"}]


def test_retention_applies_itself_while_a_graph_runs(tmp_path: Path) -> None:
    def run(retention: Retention | None) -> tuple[Graph, BackpackSaver]:
        saver = BackpackSaver(Backpack(), retention=retention)
        graph = deltas(saver, turns=100)
        graph.invoke(INPUTS["deltas"], config_of())
        return graph, saver

    graph, saver = run(Retention(keep_last=10))
    whole, reference = run(None)
    assert 10 <= len(ids(saver)) <= 20 < len(ids(reference)) == 102
    assert graph.get_state(config_of()).values == whole.get_state(config_of()).values
    assert saver.bp.memory_usage().live_bytes < reference.bp.memory_usage().live_bytes / 2
    reopened(saver)
    states = [one.values for one in graph.get_state_history(config_of())]
    assert states == [one.values for one in whole.get_state_history(config_of(), limit=len(states))]


def test_what_left_by_retention_leaves_history_in_the_end(
    saver: BackpackSaver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backpack.integrations.langgraph.retaining._ERASED_MIN", 20_000)
    keeping = BackpackSaver(saver.bp, retention=Retention(keep_last=2))
    deltas(keeping, turns=100).invoke(INPUTS["deltas"], config_of())
    early = saver.bp.snapshot(1)
    assert [early.unpack(key).reason for key in early] == ["purged"]
    assert len(keeping.bp) < 4


def test_a_subgraph_whose_root_checkpoint_comes_after_it_stays() -> None:
    saver = BackpackSaver(Backpack(), retention=Retention(keep_last=2))
    names = [f"{number:08}" for number in range(20)]
    called = config_of(checkpoint_ns="call:1")

    def put(config: Config, name: str, **metadata: Any) -> Config:
        metadata = {"source": "loop", "step": 0, **metadata}
        return dict(saver.put(config, {**empty_checkpoint(), "id": name}, metadata, {}))

    root = config_of(checkpoint_ns="")
    for name in names[:12]:
        root = put(root, name)
    put(called, f"{names[16]}-inner", parents={"": names[16]})
    for name in names[12:17]:
        assert saver.get_tuple(called) is not None
        root = put(root, name)
        saver.prune(["t1"], keep_last=1)
    assert saver.get_tuple(called) is not None
    put(root, names[17])
    saver.prune(["t1"], keep_last=1)
    assert saver.get_tuple(called) is None


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
@pytest.mark.parametrize("rule", [Retention(keep_last=1), Retention(max_bytes=1), Retention(keep_last=5)], ids=str)
def test_retention_makes_no_finished_node_of_a_subgraph_run_again(durability: Any, rule: Retention) -> None:
    saver = BackpackSaver(Backpack(), retention=rule)
    graph, ran = calling(saver)
    for number in range(12):
        graph.invoke({"notes": []}, config_of(), durability=durability)
        graph.invoke(Command(resume=f"answer {number}"), config_of(), durability=durability)
    assert graph.get_state(config_of()).values["notes"] == [f"asked, answer {number}" for number in range(12)]
    assert len(ran) == 12


def disk_size(path: Path) -> int:
    return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())


def found_on_disk(path: Path, secret: bytes) -> bool:
    return any(secret in one.read_bytes() for one in path.rglob("*") if one.is_file())


ERASURES: dict[str, Callable[[BackpackSaver], None]] = {
    "delete_thread": lambda saver: saver.delete_thread("t1"),
    "prune": lambda saver: saver.prune(["t1"], strategy="delete"),
    "delete_for_runs": lambda saver: saver.delete_for_runs(["run 1"]),
    "keep_latest": lambda saver: saver.prune(["t1"]),
}


@pytest.mark.parametrize("way", ERASURES)
def test_what_is_deleted_is_off_the_disk_and_out_of_memory(tmp_path: Path, way: str) -> None:
    with BackpackSaver(tmp_path / "store") as saver:
        config = config_of(checkpoint_ns="")
        for step, text in enumerate(("secret-one", "other-text")):
            checkpoint = empty_checkpoint()
            checkpoint["channel_values"] = {"text": f"{text} " * 30, "long": f"long-{text} " * 20_000}
            checkpoint["channel_versions"] = {"text": str(step), "long": str(step)}
            metadata: Any = {"run_id": "run 1" if step == 0 else "run 2", "step": step}
            config = dict(saver.put(config, checkpoint, metadata, checkpoint["channel_versions"]))
            if step == 0:
                saver.put_writes(config, [("text", "secret-one as a write " * 9)], "task")
        elsewhere = config_of("t2", checkpoint_ns="")
        saver.put(elsewhere, empty_checkpoint(), {"step": 7}, {})
        assert found_on_disk(tmp_path, b"secret-one")
        ERASURES[way](saver)
        assert not found_on_disk(tmp_path, b"secret-one")
        assert len(ids(saver)) == (1 if way in ("keep_latest", "delete_for_runs") else 0)
        assert len(ids(saver, elsewhere)) == 1
        head = saver.bp.head
        assert head is not None and head.seq > 4
        for at in range(1, head.seq):
            snapshot = saver.bp.snapshot(at)
            assert not any(b"secret-one" in str(snapshot.unpack(key)).encode() for key in snapshot)


def test_the_commit_that_deletes_a_thread_does_not_say_which(saver: BackpackSaver) -> None:
    conversation(saver).invoke(INPUTS["conversation"], config_of("secret-id"))
    saver.delete_thread("secret-id")
    head = saver.bp.head
    assert head is not None and (head.node, head.message, head.tags) == (None, "a thread is deleted", ())


def test_a_copy_outlives_its_origin(saver: BackpackSaver) -> None:
    graph = conversation(saver, turns=30)
    graph.invoke(INPUTS["conversation"], config_of())
    expected = [comparable(one) for one in graph.get_state_history(config_of())]
    saver.copy_thread("t1", "t2")
    graph.invoke({"count": 28}, config_of())
    assert [comparable(one) for one in graph.get_state_history(config_of("t2"))] == expected
    saver.delete_thread("t1")
    reopened(saver)
    assert not ids(saver)
    assert [comparable(one) for one in graph.get_state_history(config_of("t2"))] == expected
    graph.invoke({"count": 28}, config_of("t2"))
    assert len(list(graph.get_state_history(config_of("t2")))) > len(expected)


def test_a_copy_to_a_name_that_is_no_key_is_one_commit(saver: BackpackSaver) -> None:
    graph = conversation(saver)
    graph.invoke(INPUTS["conversation"], config_of())
    expected = [comparable(one) for one in graph.get_state_history(config_of())]
    head = saver.bp.head
    assert head is not None
    saver.copy_thread("t1", "t" * 4_000)
    assert saver.bp.head.seq == head.seq + 1
    reopened(saver)
    assert [comparable(one) for one in graph.get_state_history(config_of("t" * 4_000))] == expected
    assert {one.config["configurable"]["thread_id"] for one in saver.list(None)} == {"t1", "t" * 4_000}


def test_a_copy_brings_in_no_bytes(saver: BackpackSaver, tmp_path: Path) -> None:
    conversation(saver, turns=60).invoke(INPUTS["conversation"], config_of())
    saver.bp.flush()
    usage, size = saver.bp.memory_usage(), disk_size(tmp_path)
    saver.copy_thread("t1", "t2")
    saver.bp.flush()
    more = saver.bp.memory_usage()
    assert more.live_bytes == usage.live_bytes and more.history_bytes - usage.history_bytes < 500
    assert disk_size(tmp_path) - size < 4_000


def test_a_copy_of_long_bytes_just_written_refers_to_them(tmp_path: Path) -> None:
    with BackpackSaver(tmp_path / "store") as saver:
        checkpoint = {**empty_checkpoint(), "channel_values": {"m": Random(1).randbytes(40_000)}}
        checkpoint["channel_versions"] = {"m": "1"}
        saver.put(config_of(checkpoint_ns=""), checkpoint, {"source": "loop", "step": 0}, {"m": "1"})
        before = disk_size(tmp_path)
        saver.copy_thread("t1", "t2")
        assert disk_size(tmp_path) - before < 1_000
        assert saver.bp.memory_usage(deep=True).live_bytes == saver.bp.memory_usage().live_bytes < 45_000
        saver.bp._check()
        saver.delete_thread("t1")
        assert value_of(reopened(saver), "t2", checkpoint["id"]) == checkpoint["channel_values"]["m"]


def test_a_copy_onto_a_thread_adds_to_it(saver: BackpackSaver) -> None:
    graph = conversation(saver)
    graph.invoke(INPUTS["conversation"], config_of())
    graph.invoke(INPUTS["conversation"], config_of("t2"))
    both = sorted([*ids(saver), *ids(saver, config_of("t2"))], reverse=True)
    values = {one.checkpoint["id"]: one.checkpoint["channel_values"] for one in saver.list(None)}
    saver.copy_thread("t1", "t2")
    reopened(saver)
    assert ids(saver, config_of("t2")) == both
    assert {one.checkpoint["id"]: one.checkpoint["channel_values"] for one in saver.list(config_of("t2"))} == values


def put_counted(
    saver: BackpackSaver, thread: str, name: str, value: str | None, version: int | None, parent: str | None = None
) -> None:
    """A checkpoint whose versions are whole numbers, as those of savers that leave `get_next_version` as it is."""
    versions = {} if version is None else {"m": version}
    checkpoint = {**empty_checkpoint(), "id": name, "channel_versions": versions}
    checkpoint["channel_values"] = {} if value is None else {"m": value}
    config = config_of(thread, checkpoint_ns="") if parent is None else at(thread, parent)
    saver.put(config, checkpoint, {"source": "loop", "step": 0}, versions)


def at(thread: str, name: str) -> Config:
    return config_of(thread, checkpoint_ns="", checkpoint_id=name)


def value_of(saver: BackpackSaver, thread: str, name: str) -> Any:
    found = saver.get_tuple(at(thread, name))
    assert found is not None
    return found.checkpoint["channel_values"].get("m")


def test_branches_that_count_alike_keep_their_values_when_they_are_pruned(saver: BackpackSaver) -> None:
    put_counted(saver, "t1", "01", "root", 1)
    put_counted(saver, "t1", "02", "left", 2, "01")
    put_counted(saver, "t1", "03", "right", 2, "01")
    put_counted(saver, "t1", "04", None, 2, "01")
    put_counted(saver, "t1", "05", "right", 2, "03")
    saver.prune(["t1"], keep_last=4)
    reopened(saver)
    assert [value_of(saver, "t1", name) for name in ("02", "03", "04", "05")] == ["left", "right", None, "right"]


def test_a_waiting_branch_keeps_its_values_beside_one_that_counts_alike(saver: BackpackSaver) -> None:
    put_counted(saver, "t1", "01", "root", 1)
    put_counted(saver, "t1", "02", "left", 2, "01")
    saver.put_writes(at("t1", "02"), [("__interrupt__", ["?"])], "task")
    put_counted(saver, "t1", "03", "right", 2, "01")
    saver.prune(["t1"])
    assert [value_of(reopened(saver), "t1", name) for name in ("02", "03")] == ["left", "right"]


def test_a_copy_onto_a_thread_that_counts_alike_keeps_the_values_of_both(saver: BackpackSaver) -> None:
    for thread, first, second in (("t1", "01", "02"), ("t2", "03", "04")):
        put_counted(saver, thread, first, f"first of {thread}", 1)
        put_counted(saver, thread, second, f"second of {thread}", 2, first)
    put_counted(saver, "t2", "01", "of another", 1)
    put_counted(saver, "t2", "05", "after another", 2, "01")
    put_counted(saver, "t3", "06", "of t3", 2)
    saver.copy_thread("t1", "t2")
    saver.copy_thread("t3", "t2")
    reopened(saver)
    assert value_of(saver, "t2", "06") == "of t3"
    assert [value_of(saver, "t2", name) for name in ("01", "02", "03", "04", "05")] == [
        "first of t1",
        "second of t1",
        "first of t2",
        "second of t2",
        "after another",
    ]


def test_a_checkpoint_whose_parent_is_unknown_has_the_values_it_was_put_with(saver: BackpackSaver) -> None:
    put_counted(saver, "t1", "01", "one", 1)
    checkpoint = {**empty_checkpoint(), "id": "02", "channel_values": {"m": "two"}, "channel_versions": {"m": 1}}
    saver.put(at("t1", "00"), checkpoint, {"source": "loop", "step": 0}, {})
    checkpoint = {**empty_checkpoint(), "id": "03", "channel_values": {}, "channel_versions": {"m": 1}}
    saver.put(at("t1", "00"), checkpoint, {"source": "loop", "step": 0}, {})
    assert [value_of(reopened(saver), "t1", name) for name in ("01", "02", "03")] == ["one", "two", None]


def test_a_value_without_a_version_stays_from_one_checkpoint_to_the_next(saver: BackpackSaver) -> None:
    put_counted(saver, "t1", "01", "kept", None)
    put_counted(saver, "t1", "02", "kept", None, "01")
    put_counted(saver, "t1", "03", None, None, "02")
    put_counted(saver, "t1", "04", "kept", None, "02")
    saver.prune(["t1"], keep_last=3)
    assert [value_of(reopened(saver), "t1", name) for name in ("02", "03", "04")] == ["kept", None, "kept"]


@pytest.mark.parametrize(
    "how",
    [
        {"keep_last": 0},
        {"keep_last": True},
        {"max_bytes": 0},
        {"older_than": timedelta(days=-1)},
        {"older_than": "a week"},
        {"older_than": timedelta.max},
        {"strategy": "keep_all"},
        {"strategy": "delete", "keep_last": 1},
    ],
    ids=str,
)
def test_nonsense_is_refused_and_changes_nothing(how: dict[str, Any]) -> None:
    saver = BackpackSaver(Backpack())
    conversation(saver).invoke(INPUTS["conversation"], config_of())
    before = ids(saver)
    with pytest.raises(InvalidArgumentError):
        saver.prune(["t1"], **how)
    assert ids(saver) == before


@pytest.mark.parametrize("age", [0, 30, 30.0, float("nan"), True], ids=str)
def test_an_age_without_a_unit_is_refused_with_the_word_for_one(age: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=r"timedelta\(days=\.\.\.\)"):
        Retention(older_than=age)
    with pytest.raises(InvalidArgumentError, match=r"timedelta\(days=\.\.\.\)"):
        BackpackSaver(Backpack()).prune(["t1"], older_than=age)


def test_what_is_not_there_is_pruned_copied_and_deleted_without_a_trace() -> None:
    saver = BackpackSaver(Backpack())
    saver.prune(["none"], keep_last=3)
    saver.prune(["none"], strategy="delete")
    saver.copy_thread("none", "t2")
    saver.delete_thread("none")
    saver.delete_for_runs(["none"])
    assert saver.get_tuple(config_of("none")) is None and not list(saver.list(config_of("none")))
    assert saver.bp.head is None and not saver._threads()._known


@pytest.mark.parametrize(
    "act",
    [
        lambda saver: saver.prune(["t1"]),
        lambda saver: saver.prune(["t1"], strategy="delete"),
        lambda saver: saver.delete_thread("t1"),
        lambda saver: saver.delete_for_runs(["run"]),
    ],
)
def test_what_could_not_be_erased_is_erased_by_the_same_call_later(
    act: Callable[[BackpackSaver], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise DiskFullError("no room to write what stays anew")

    def is_on_disk() -> bool:
        return any(secret.encode() in path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file())

    secret = "".join(Random(1).choices("abcdefghijklmnopqrstuvwxyz", k=200))
    with BackpackSaver(tmp_path / "store") as saver:
        parent: Any = config_of(checkpoint_ns="")
        for step, word in enumerate((secret, "word")):
            checkpoint = checkpoint_of({"word": word}, f"{step:04}")
            metadata: Any = {"step": step, "run_id": "run" if word == secret else "another"}
            parent = saver.put(parent, checkpoint, metadata, checkpoint["channel_versions"])
        with monkeypatch.context() as patched:
            patched.setattr(rewriting, "erase", fail)
            with pytest.raises(DiskFullError):
                act(saver)
        assert is_on_disk()
        act(saver)
        assert not is_on_disk()
