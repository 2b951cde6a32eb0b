"""`backpack import`: what is in the store afterwards, and what is told when something goes wrong."""

import gzip
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import backpack
from backpack.cli import importing, progress
from backpack.cli.main import main
from backpack.cli.prefixes import SIZE_MAX, prefixes_of, taken
from backpack.demo.playing import replay
from backpack.errors import DiskFullError
from backpack.limits import KEY_SIZE_MAX
from backpack.runs import parse_runs

from ..demo.agent_runs import made_messages
from .stores import Calls, Captured

ROOT = Path(__file__).parents[2]


@pytest.fixture
def calls(tmp_path: Path, capsys: Captured) -> Calls:
    """The command line on a store that is not there yet."""
    return Calls(tmp_path / "store", capsys)


def written(path: Path, *runs: Any) -> str:
    path.write_text("".join(json.dumps(run) + "\n" for run in runs))
    return str(path)


def named_runs(*names: Any, turns: int = 2) -> list[dict[str, Any]]:
    return [{"id": name, "messages": made_messages(turns, seed=seed)} for seed, name in enumerate(names)]


# -- what is in ------------------------------------------------------------------------------------------------


def test_every_message_is_a_commit_by_its_node_tagged_with_its_run(calls: Calls, tmp_path: Path) -> None:
    runs = named_runs("rome", "oslo")
    out = calls(["import", written(tmp_path / "runs.jsonl", *runs), "--quiet"])
    messages = len(runs[0]["messages"]) + len(runs[1]["messages"])
    assert out.startswith(f"imported 2 runs, {messages} messages, in {messages} commits: ")
    assert "rome.messages ... oslo.messages" in out
    with backpack.open(calls.store, "r") as bp:
        assert bp.snapshot().to_dict() == {f"{run['id']}.messages": run["messages"] for run in runs}
        commits = list(bp.history(tag="oslo"))[::-1]
        assert [commit.node for commit in commits[:3]] == ["system", "user", "assistant"]
        for commit, count in zip(commits, range(1, messages), strict=False):
            assert bp.snapshot(commit)["oslo.messages"] == runs[1]["messages"][:count]


def test_the_disk_grows_by_what_is_added_and_not_by_the_list(calls: Calls, tmp_path: Path) -> None:
    found = calls.json(["import", written(tmp_path / "run", named_runs("a", turns=300)[0]), "-q"])
    assert found["disk_bytes"] < found["json_bytes"]
    assert found["ratio"] == round(found["json_bytes"] / found["disk_bytes"], 3)


def test_with_state_the_keys_are_those_of_the_demo(calls: Calls, tmp_path: Path) -> None:
    run = named_runs("a", turns=3)[0]
    calls(["import", written(tmp_path / "run", run), "-q", "--state"])
    (parsed,) = parse_runs(json.dumps(run).encode())
    with backpack.open(calls.store, "r") as bp, replay(parsed, {}) as expected:
        assert bp.head is not None and expected.head is not None
        assert bp.head.seq == expected.head.seq
        for seq in range(bp.head.seq + 1):
            state = expected.snapshot(seq).to_dict()
            assert bp.snapshot(seq).to_dict() == {f"a.{key}": value for key, value in state.items()}


def test_files_are_packed_first_under_their_keys_once_for_all_runs(calls: Calls, tmp_path: Path) -> None:
    table = written(tmp_path / "table", {"price": list(range(1000))})
    note = written(tmp_path / "note", "hello")
    file = written(tmp_path / "runs", *named_runs("a", "b"))
    found = calls.json(["import", file, "--with", f"desk.table={table}", "--with", f"note={note}", "-q"])
    assert found["packed"] == ["desk.table", "note"]
    assert found["commits"] == found["messages"] + 1
    with backpack.open(calls.store, "r") as bp:
        assert bp.snapshot(1).to_dict() == {"desk.table": {"price": list(range(1000))}, "note": "hello"}
        assert bp.commit(1).node == "input"


def test_the_document_says_what_is_in(calls: Calls, tmp_path: Path) -> None:
    runs = named_runs("a", 7)
    found = calls.json(["import", written(tmp_path / "runs", *runs), "-q", "--prefix", "monday"])
    counts = [len(run["messages"]) for run in runs]
    json_bytes = sum(len(json.dumps(one, separators=(",", ":"))) for run in runs for one in run["messages"])
    disk_bytes = sum(file.stat().st_size for file in calls.store.rglob("*") if file.is_file())
    assert found == {
        "store": str(calls.store),
        "complete": True,
        "runs": 2,
        "messages": sum(counts),
        "commits": sum(counts),
        "packed": [],
        "json_bytes": json_bytes,
        "disk_bytes": disk_bytes,
        "ratio": round(json_bytes / disk_bytes, 3),
        "imported": [
            {"name": "a", "prefix": "monday.a", "messages": counts[0], "imported": counts[0]},
            {"name": "7", "prefix": "monday.run-007", "messages": counts[1], "imported": counts[1]},
        ],
    }


def test_a_store_that_is_there_goes_on_and_runs_are_never_mixed(calls: Calls, tmp_path: Path) -> None:
    first, second = (written(tmp_path / name, *named_runs(name)) for name in ("a", "b"))
    calls(["import", first, "-q"])
    calls(["import", second, "-q"])
    assert "'a'" in calls.refused(["import", first, "-q"], code=2)
    assert calls.err.endswith("; nothing was imported\n")
    calls(["import", first, "-q", "--prefix", "again"])
    assert "another --prefix" in calls.refused(["import", first, "-q", "--prefix", "again"], code=2)
    with backpack.open(calls.store, "r") as bp:
        assert list(bp) == ["a.messages", "again.a.messages", "b.messages"]


def test_standard_input_and_gzip_are_read(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    data = gzip.compress(json.dumps(made_messages(1)).encode())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert calls.json(["import", "-", "-q"])["imported"][0]["prefix"] == "run-001"
    assert "once" in calls.refused(["import", "-", "--with", "a=-"], code=2)


# -- names -----------------------------------------------------------------------------------------------------


def prefixes(*names: Any) -> list[str]:
    return prefixes_of(parse_runs(json.dumps(named_runs(*names, turns=1)).encode()))


def test_a_prefix_is_the_name_of_the_run_as_one_segment_of_a_key() -> None:
    assert prefixes("rome", "trip to.rome", "\u00fc", "*") == ["rome", "trip_to_rome", "\u00fc", "*"]
    assert prefixes("a\x1bb", "\ud800") == ["a\\x1bb", "\\xd800"]


def test_numbers_are_padded_so_that_they_sort() -> None:
    assert prefixes(1, "02", 300) == ["run-001", "run-002", "run-300"]
    assert prefixes(1, 12345) == ["run-00001", "run-12345"]
    assert prefixes(None, None) == ["run-001", "run-002"]


def test_names_that_are_there_already_get_a_number() -> None:
    assert prefixes("a", "a", "a-2", "a.b", "a b") == ["a", "a-2", "a-2-2", "a_b", "a_b-2"]
    assert prefixes("a-3", "a", "a", "a") == ["a-3", "a", "a-2", "a-4"]
    assert prefixes(*["a"] * 20_000)[-1] == "a-20000"  # each looks for a number behind the last one's


def test_a_long_name_is_cut_and_marked_and_leaves_room_for_keys(calls: Calls, tmp_path: Path) -> None:
    long, other = prefixes("\u00fc" * 500, "\u00fc" * 501)
    assert len(long.encode()) <= SIZE_MAX
    assert long != other
    tool = {"id": "1", "function": {"name": "\U0001f600" * 500, "arguments": "{}"}}
    messages = [{"role": "assistant", "tool_calls": [tool]}, {"role": "tool", "tool_call_id": "1", "content": "x"}]
    file = written(tmp_path / "run", {"id": "\u00fc" * 500, "messages": messages})
    calls(["import", file, "-q", "--state", "--prefix", "p" * SIZE_MAX])
    with backpack.open(calls.store, "r") as bp:
        assert max(len(key.encode()) for key in bp) <= KEY_SIZE_MAX


@pytest.mark.parametrize("prefix", ["", "a.", "x" * 97])
def test_a_prefix_that_is_no_key_is_refused(prefix: str, calls: Calls, tmp_path: Path) -> None:
    calls.refused(["import", written(tmp_path / "run", *named_runs("a")), f"--prefix={prefix}"], code=2)


def test_a_run_is_there_when_any_key_below_it_is() -> None:
    bp = backpack.Backpack({"a.b.c": 1, "ab.c": 1, "d": 1})
    assert [taken(bp, [prefix]) for prefix in ("a", "a.b", "a.b.c", "d", "b")] == ["a", "a.b", None, None, None]


# -- what goes wrong -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"messages": []}', '[{"role": "user", "content": 1}]'])
def test_a_broken_file_is_one_line_and_makes_no_store(content: str, calls: Calls, tmp_path: Path) -> None:
    file = tmp_path / "broken"
    file.write_text(content)
    reason = calls.refused(["import", str(file)], code=2)
    assert reason.startswith(f"{file}, line 1: ")
    assert reason.endswith("; nothing was imported")
    assert not calls.store.exists()


def test_a_cut_line_is_named_and_nothing_of_the_file_is_imported(calls: Calls, tmp_path: Path) -> None:
    lines = [json.dumps(run) for run in named_runs(*range(100))]
    lines[56] = lines[56][:-20]
    file = tmp_path / "runs.jsonl.gz"
    file.write_bytes(gzip.compress("\n".join(lines).encode()))
    assert calls.refused(["import", str(file)], code=2).startswith(f"{file}, line 57: not JSON: ")
    assert not calls.store.exists()


@pytest.mark.parametrize("packed", ["a.messages=x", "=x", "k=none"])
def test_a_key_that_can_not_be_packed_is_refused(packed: str, calls: Calls, tmp_path: Path) -> None:
    calls.refused(["import", written(tmp_path / "run", *named_runs("a")), "--with", packed], code=2)
    assert not calls.store.exists()


def test_a_key_given_twice_is_refused(calls: Calls, tmp_path: Path) -> None:
    file = written(tmp_path / "run", *named_runs("a"))
    assert "twice" in calls.refused(["import", file, "--with", f"k={file}", "--with", f"k={file}"], code=2)


def test_a_store_that_another_process_writes_is_exit_code_3(calls: Calls, tmp_path: Path) -> None:
    with backpack.open(calls.store):
        reason = calls.refused(["import", written(tmp_path / "run", *named_runs("a")), "-q", "--wait", "0"], code=3)
    assert f"pid={os.getpid()}" in reason
    assert reason.endswith("; nothing was imported")


@pytest.mark.parametrize(
    ("failure", "code", "said"),
    [
        (DiskFullError("no space left: file=log"), 3, "no space left: file=log"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_what_is_in_when_it_stops_stays_in_and_is_told(
    failure: BaseException, code: int, said: str, calls: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = [len(run["messages"]) for run in named_runs("a", "b", "c")]
    table = written(tmp_path / "table", [1])
    step, left = importing._import_step, [counts[0] + 3]

    def failing(*arguments: Any, **options: Any) -> None:
        if not left[0]:
            raise failure
        left[0] -= 1
        step(*arguments, **options)

    monkeypatch.setattr(importing, "_import_step", failing)
    words = ["import", written(tmp_path / "runs", *named_runs("a", "b", "c")), "-q", "--with", f"table={table}"]
    reason = calls.refused(words, code=code)
    assert reason == f"{said}; imported before: 1 packed key, 1 of 3 runs, 3 of {counts[1]} messages of b"
    with backpack.open(calls.store, "r") as bp:
        assert len(bp["a.messages"]) == counts[0]
        assert len(bp["b.messages"]) == 3
        assert "c.messages" not in bp
    left[0] = 2
    found = calls.json([*words, "--prefix", "again"], code=code)
    assert (found["complete"], found["runs"], found["messages"], found["commits"]) == (False, 0, 2, 3)
    assert [run["imported"] for run in found["imported"]] == [2, 0, 0]


# -- progress --------------------------------------------------------------------------------------------------


def test_progress_is_lines_on_standard_error_unless_quick_or_quiet(
    calls: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path / "runs", *named_runs("a", turns=4))
    calls(["import", file])
    assert calls.err == ""
    monkeypatch.setattr(progress, "_QUIET_S", 0.0)
    monkeypatch.setattr(progress, "_BETWEEN_S_MAX", 0.0)
    calls(["import", file, "--prefix", "c"])
    assert calls.err.splitlines()[-1] == "21 of 21 messages"
    assert len(calls.err.splitlines()) == 10
    calls(["import", file, "--quiet", "--prefix", "b"])
    assert calls.err == ""


def started(*arguments: str) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "backpack.cli.main", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.skipif(sys.platform == "win32", reason="no signals to send")
def test_ctrl_c_stops_between_two_messages_and_leaves_the_store_closed(tmp_path: Path) -> None:
    messages = [{"role": "user", "content": str(number)} for number in range(150_000)]
    file = written(tmp_path / "run", {"id": "long", "messages": messages})
    with started("import", file, "--store", str(tmp_path / "store")) as process:
        assert process.stderr is not None
        assert process.stderr.readline().endswith(b"000 of 150,000 messages\n")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, b"")
    told = err.decode().splitlines()[-1]
    with backpack.open(tmp_path / "store") as bp:
        assert bp.recovery is None
        count = len(bp["long.messages"])
        assert 6_000 <= count < 150_000
        assert bp["long.messages"] == messages[:count]
        assert f"interrupted; imported before: 0 of 1 run, {count:,} of 150,000 messages of long" in told


def test_a_reader_that_goes_away_leaves_a_whole_import(tmp_path: Path) -> None:
    file = written(tmp_path / "run", *named_runs("a"))
    with started("import", file, "-q", "--store", str(tmp_path / "store")) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
    assert main(["log", "--store", str(tmp_path / "store")]) == 0
