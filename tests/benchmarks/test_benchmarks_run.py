"""Every benchmark still runs, and the harness says what it measured. No figure is judged here."""

import importlib
from pathlib import Path

import pytest

import benchmarks
from benchmarks import __main__ as command
from benchmarks import archives, harness, processes, report, workloads
from benchmarks.compare import langgraph_memory, rocksdb
from benchmarks.compare.sqlite_by_hand import SqliteByHand
from benchmarks.compare.straightforward import Straightforward
from benchmarks.harness import Row


@pytest.mark.parametrize("name", command.BENCHMARKS)
def test_each_benchmark_returns_rows_at_its_smallest(name: str) -> None:
    rows = importlib.import_module(f"benchmarks.{name}").run(harness.SMALLEST)
    assert rows
    for row in rows:
        assert isinstance(row, Row)
        assert row.figure
        assert row.value is not None or row.detail


def test_every_benchmark_file_is_in_the_table() -> None:
    folder = Path(benchmarks.__path__[0])
    assert {path.stem for path in folder.glob("bench_*.py")} == set(command.BENCHMARKS)


def test_a_rival_that_is_not_installed_has_a_row_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(langgraph_memory, "is_installed", False)
    rows = importlib.import_module("benchmarks.bench_rivals").run(harness.SMALLEST)
    assert [row.detail for row in rows if row.value is None] == ["not installed"]
    assert "not installed" in harness.table(rows)


def test_a_rival_on_disk_that_is_not_installed_has_a_row_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rocksdb, "is_installed", False)
    rows = importlib.import_module("benchmarks.bench_durable_pack").run(harness.SMALLEST)
    assert [row.detail for row in rows if row.value is None] == ["not installed"]


def test_sqlite_by_hand_gives_the_value_as_of_a_commit(tmp_path: Path) -> None:
    store = SqliteByHand(tmp_path / "store", "NORMAL")
    first, second = store.pack("key", {"n": 1}), store.pack("key", {"n": 2})
    store.pack("other", 3)
    assert (store.unpack("key", first), store.unpack("key", second), store.unpack("other", second)) == (
        {"n": 1},
        {"n": 2},
        None,
    )
    store.close()


def test_a_new_process_answers_with_what_the_function_returns() -> None:
    assert processes.in_new_process(workloads.text, 7, 40) == workloads.text(7, 40)


def test_a_new_process_that_fails_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="code=1"):
        processes.in_new_process(workloads.text, "no number", 40)


def test_the_record_at_a_commit_is_the_last_one_of_its_key() -> None:
    newest: dict[int, int] = {}
    for number in range(40):
        newest[number % 7] = number
        assert all(archives.number_at(number + 1, key, 7) == newest[key] for key in newest)


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        (Row("a", 2.5, "x", 3.0), ("a", "2.50 x", "3.00 x", "yes")),
        (Row("a", 3.5, "x", 3.0, quietest=3.25), ("a", "3.50 x (quietest 3.25 x)", "3.00 x", "no")),
        (Row("a", 0.125, "x", 1 / 7), ("a", "1/8.0", "1/7.0", "yes")),
        (Row("a", 0, "", 0, detail="of 9"), ("a", "0 (of 9)", "0", "yes")),
        (Row("a", 123.4, "B"), ("a", "123 B", "", "")),
        (Row("a", None, "x", 3.0, detail="not installed"), ("a", "not installed", "3.00 x", "")),
    ],
)
def test_a_row_reads_as_text(row: Row, cells: tuple[str, str, str, str]) -> None:
    assert row.cells() == cells


def test_a_comparison_is_the_median_of_the_pairs() -> None:
    row = harness.against("a", [200, 300, 9_000], [100, 100, 100], count=1, unit="ns")
    assert (row.value, row.quietest) == (3.0, 2.0)


def test_traced_memory_is_what_the_built_thing_keeps() -> None:
    memory, built = harness.traced(lambda: bytes(100_000))
    assert 100_000 <= memory < 101_000
    assert len(built) == 100_000


def test_values_are_distinct_and_of_the_size_they_claim() -> None:
    pack = harness.packing()
    assert len({pack(workloads.step_record(number)) for number in range(2_000)}) == 2_000
    for number in (0, 999, 999_999):
        assert 480 <= len(pack(workloads.step_record(number))) <= 520
        assert 60 <= len(pack(workloads.small_record(number))) <= 100
        assert 480 <= len(pack(workloads.message(number))) <= 520
        assert 49_900 <= len(pack(workloads.document(number))) <= 50_100


@pytest.mark.parametrize(
    "states",
    [workloads.edited_texts, workloads.edited_conversations, workloads.edited_dicts, workloads.sliding_windows],
)
def test_edits_are_the_same_in_every_run(states: object) -> None:
    pack = harness.packing()
    first, second = ([pack(state) for state in states(5)] for _ in range(2))  # type: ignore[operator]
    assert first == second
    assert len(set(first)) == 5


def test_the_straightforward_rival_keeps_before_and_after_of_its_own() -> None:
    store = Straightforward()
    value = {"text": ["a"]}
    store.pack("key", value, node="first")
    value["text"].append("b")
    store.pack("key", value, node="second")
    value["text"].append("c")
    assert (store.commits[1].old_value, store.commits[1].new_value) == ({"text": ["a"]}, {"text": ["a", "b"]})
    assert store.snapshot(1) == {"key": {"text": ["a"]}}
    assert store.unpack("key") == {"text": ["a", "b"]}


def test_the_straightforward_rival_prunes_a_fifth_when_above_its_budget() -> None:
    store = Straightforward(max_history_size=10_000)
    for number in range(200):
        store.pack("key", text := workloads.text(number, 100))
        assert store.history_size <= 10_000
    assert store.unpack("key") == text
    assert len(store.commits) < 60


def test_the_table_is_written_between_the_marks_and_nowhere_else(tmp_path: Path) -> None:
    document = tmp_path / "docs" / "performance.md"
    rows = [Row("a", 2.5, "x", 3.0)]
    report.rewrite(document, report.measured_part(rows, harness.FULL))
    document.write_text(document.read_text() + "\nThe rest.\n")
    report.rewrite(document, report.measured_part([Row("b", 1.5, "x", 3.0)], harness.FULL))
    text = document.read_text()
    assert text.startswith("# Performance\n")
    assert text.endswith("The rest.\n")
    assert "| b " in text
    assert "| a " not in text


def test_a_document_without_marks_is_left_alone(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text("# Mine\n")
    with pytest.raises(ValueError, match="marks"):
        report.rewrite(document, "text")
    assert document.read_text() == "# Mine\n"


def test_a_benchmark_that_does_not_run_makes_the_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "BENCHMARKS", ("bench_missing",))
    assert command.main(["--smallest"]) == 1
    assert "did not run: bench_missing" in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "code"), [([], 0), (["--judge"], 1), (["--judge", "--smallest"], 0)])
def test_a_missed_limit_matters_only_when_judged_at_full_size(
    arguments: list[str], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("benchmarks.bench_pack")
    monkeypatch.setattr(command, "BENCHMARKS", ("bench_pack",))
    monkeypatch.setattr(module, "run", lambda size: [Row("a", 4.0, "x", 3.0)])
    assert command.main(arguments) == code


def test_a_part_of_the_table_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        command.main(["--only", "append", "--write", str(tmp_path / "performance.md")])
    assert not list(tmp_path.iterdir())
