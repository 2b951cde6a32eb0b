"""`restore`, `export`, `verify`, `recover`, `compact`, and what a process of its own adds to all commands."""

import argparse
import errno
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import backpack
from backpack import Backpack, Recovered
from backpack.cli.codes import code_of
from backpack.cli.interruption import Interruption
from backpack.cli.main import main
from backpack.cli.stores import opened
from backpack.errors import CorruptionError, HistoryFullError, StorageError, StoreLockedError
from backpack.store.tending import Tending

from .stores import Calls, Captured, files_of

ROOT = Path(__file__).parents[2]

# -- restore ---------------------------------------------------------------------------------------------------


def test_restore_makes_the_present_equal_a_state_and_says_what_changed(trip: Calls) -> None:
    out = trip("restore planned --message 'back to the plan' --node operator --tag undo")
    with backpack.open(trip.store, "r") as bp:
        assert bp.snapshot().to_dict() == bp.snapshot(3).to_dict()
        commit = bp.commit(7)
        assert (commit.message, commit.node, commit.tags) == ("back to the plan", "operator", ("undo",))
        assert out.startswith(f"commit 7 {commit.id}: 4 keys as of commit 3\n")
    assert "booking.hotel  delete" in out


def test_restore_of_some_keys_leaves_the_others(trip: Calls) -> None:
    found = trip.json("restore 3 plan request")
    assert found["restored"] == 3
    assert found["commit"]["message"] == "restores commit 3"
    assert set(found["commit"]["changes"]) == {"plan", "request"}
    with backpack.open(trip.store, "r") as bp:
        assert bp["booking.hotel"] == "Bella"


def test_restoring_what_is_there_is_no_commit(trip: Calls) -> None:
    assert trip("restore HEAD") == "nothing to do: it is as it was at commit 6\n"
    assert trip.json("restore HEAD plan") == {"restored": 6, "commit": None}


def test_restore_is_undone_by_restore(trip: Calls) -> None:
    before = trip.json("show HEAD plan")["value"]
    trip("restore 0")
    with backpack.open(trip.store, "r") as bp:
        assert len(bp) == 0
    trip("restore HEAD~1")
    assert trip.json("show HEAD plan")["value"] == before


@pytest.mark.parametrize("words", ["restore 99", "restore nowhere", "restore 3 nothing", "restore 3 plan nothing"])
def test_restore_of_what_never_was_changes_nothing(words: str, trip: Calls) -> None:
    trip.refused(words, code=1)
    with backpack.open(trip.store, "r") as bp:
        assert bp.head is not None and bp.head.seq == 6


@pytest.mark.parametrize("words", ["restore 3", "compact", "compact --dry-run"])
def test_a_store_that_is_being_written_is_exit_code_3_with_the_pid(words: str, trip: Calls) -> None:
    with backpack.open(trip.store):
        assert f"pid={os.getpid()}" in trip.refused(f"{words} --wait 0", code=3)


def test_who_must_write_waits_until_the_other_writer_closes_the_store(trip: Calls) -> None:
    other = backpack.open(trip.store)
    args = argparse.Namespace(command="restore", store=str(trip.store), key_from=None, wait=60.0)
    with opened(args, "rw", check=other.close) as bp:
        assert bp.pack("a", 1).seq == 7


def test_waiting_ends_when_that_is_asked_for(trip: Calls) -> None:
    args = argparse.Namespace(command="import", store=str(trip.store), key_from=None, wait=60.0)
    interruption = Interruption()
    interruption.ask(2, None)
    with backpack.open(trip.store), pytest.raises(KeyboardInterrupt):
        opened(args, "rw", check=interruption.check)


# -- export ----------------------------------------------------------------------------------------------------


def test_export_is_one_file_that_loads(trip: Calls, tmp_path: Path) -> None:
    file = tmp_path / "one file"
    found = trip.json(["export", str(file)])
    assert found == {"file": str(file), "size": file.stat().st_size, "head": 6}
    with Backpack.load(file) as copy, backpack.open(trip.store, "r") as bp:
        assert [copy.snapshot(seq).to_dict() for seq in range(7)] == [bp.snapshot(seq).to_dict() for seq in range(7)]


def test_export_replaces_a_file_only_when_told(trip: Calls, tmp_path: Path) -> None:
    file = tmp_path / "mine"
    file.write_text("precious")
    assert "--force" in trip.refused(["export", str(file)], code=2)
    assert file.read_text() == "precious"
    assert trip(["export", str(file), "--force"]).startswith("6 commits, ")
    assert Backpack.load(file).head is not None


def test_export_goes_to_standard_output_for_a_dash(trip: Calls, tmp_path: Path) -> None:
    with started("export", "-", "--store", str(trip.store)) as process:
        out, err = process.communicate()
    assert (process.returncode, err) == (0, b"")
    (tmp_path / "file").write_bytes(out)
    loaded = Backpack.load(tmp_path / "file")
    assert loaded.head is not None and loaded.head.seq == 6
    assert "not both" in trip.refused("export - --json", code=2)


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_an_export_needs_a_name_of_a_file(name: str, trip: Calls) -> None:
    trip.refused(["export", name], code=2)


def test_an_export_that_can_not_be_written_is_exit_code_3(trip: Calls, tmp_path: Path) -> None:
    trip.refused(["export", str(tmp_path / "no" / "folder")], code=3)


# -- load --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", ["store", "memory"])
def test_load_makes_a_store_of_an_export(origin: str, trip: Calls, tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "export"
    if origin == "memory":
        Backpack({"a": 1, "b": [2]}).export(file)
    else:
        trip(["export", str(file)])
    copy = Calls(tmp_path / "copy", capsys)
    out = copy(["load", str(file)])
    with Backpack.load(file) as loaded, backpack.open(copy.store) as bp:
        assert out == f"{loaded.head.seq} commit{'s' * (origin == 'store')}, {len(bp)} keys: {copy.store}\n"
        assert list(bp.history()) == list(loaded.history())
        assert bp.checkpoints() == loaded.checkpoints()
        assert all(bp.snapshot(commit) == loaded.snapshot(commit) for commit in bp.history())
    before = {name: data for name, (_, data) in files_of(copy.store).items()}
    assert "an empty directory" in copy.refused(["load", str(file)], code=2)
    assert {name: data for name, (_, data) in files_of(copy.store).items()} == before
    other = Calls(tmp_path / "other", capsys)
    assert other.json(["load", str(file)])["head"] == loaded._engine.timeline.head


def test_load_reads_standard_input(trip: Calls, tmp_path: Path) -> None:
    trip(["export", str(tmp_path / "export")])
    copy = [sys.executable, "-m", "backpack.cli.main", "load", "-", "--store", str(tmp_path / "copy")]
    with (tmp_path / "export").open("rb") as file:
        ended = subprocess.run(copy, stdin=file, capture_output=True, cwd=ROOT, timeout=60)
    assert ended.returncode == 0 and ended.stdout.startswith(b"6 commits, 3 keys: "), ended


def test_load_says_that_there_is_no_standard_input(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", None)  # as Python has it when it was closed
    calls = Calls(tmp_path / "store", capsys)
    assert "no standard input" in calls.refused(["load", "-"], code=2)
    assert not calls.store.exists()


def test_what_is_no_export_makes_no_store(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "text").write_text("no export")
    calls = Calls(tmp_path / "store", capsys)
    calls.refused(["load", str(tmp_path / "text")], code=3)
    calls.refused(["load", str(tmp_path / "nothing")], code=2)
    calls.refused(["load", ""], code=2)
    assert not calls.store.exists()


# -- verify, recover, compact ----------------------------------------------------------------------------------


@dataclass
class Problem:
    file: str | None
    offset: int | None
    reason: str


@dataclass
class Report:
    ok: bool
    problems: list[Problem]
    commits: int = 6


def test_verify_lists_problems_and_is_exit_code_1(trip: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    problems = [Problem("000.seg", 1234, "not what was \x1b written"), Problem("clean", None, "is missing")]
    monkeypatch.setattr(backpack, "verify", lambda path, key, progress: Report(False, problems), raising=False)
    assert trip("verify", code=1).splitlines() == [
        "000.seg, offset 1,234: not what was \\x1b written",
        "clean: is missing",
        "commits  6",
        "2 problems: see backpack recover",
    ]
    assert trip.json("verify", code=1) == {
        "store": str(trip.store),
        "ok": False,
        "problems": [
            {"file": "000.seg", "offset": 1234, "reason": "not what was \x1b written"},
            {"file": "clean", "offset": None, "reason": "is missing"},
        ],
        "commits": 6,
    }
    monkeypatch.setattr(backpack, "verify", lambda path, key, progress: Report(True, []), raising=False)
    assert trip("verify").endswith("all is well\n")
    assert trip.json("verify")["ok"] is True


def test_recover_says_what_came_of_it(trip: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = Recovered(5, 3, ((2, 4), (6, 6)), 1, ("a\x1b",), (), (), (), 0, 0, True)
    asked: list[tuple[str, str]] = []

    def recover(path: str, out: str, key: None, progress: object) -> Recovered:
        asked.append((path, out))
        return lost

    monkeypatch.setattr(backpack, "recover", recover)
    out = trip("recover new", code=1).splitlines()
    assert out[1] == "out               new"
    assert out[4:10] == ["lost commits (2)", "  2-4", "  6", "lost values       1", "lost keys (1)", "  a\\x1b"]
    assert out[-2:] == ["something was lost: see above", "the new store: new"]
    assert trip.json("recover new", code=1)["lost_commits"] == [[2, 4], [6, 6]]
    assert asked == [(str(trip.store), "new")] * 2
    lost = replace(lost, lost_commits=((1, 2659),))
    assert "lost commits      1-2659" in trip("recover new", code=1).splitlines()
    trip.refused(["recover", ""], code=2)


def test_recover_writes_nothing_inside_the_store(trip: Calls) -> None:
    assert "inside the damaged store" in trip.refused(["recover", str(trip.store / "inside")], code=2)


def test_recovering_what_is_whole_is_exit_code_0(trip: Calls, tmp_path: Path) -> None:
    assert "nothing was lost" in trip(["recover", str(tmp_path / "new")]).splitlines()


def test_compact_passes_on_what_was_asked(trip: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def compact(bp: Backpack, **options: Any) -> Report:
        asked.append(options)
        return Report(True, [])

    monkeypatch.setattr(Backpack, "compact", compact, raising=False)
    trip("compact")
    trip("compact --dry-run --keep-commits 10 --keep-days 1.5 --max-archive-size 1MiB")
    assert asked == [
        {"dry_run": False},
        {"dry_run": True, "keep_commits": 10, "keep_days": 1.5, "max_archive_size": 1 << 20},
    ]
    assert trip.json("compact")["commits"] == 6


@pytest.mark.parametrize("words", ["verify", "recover out", "compact"])
def test_what_this_version_can_not_do_is_said(words: str, trip: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    name = words.split()[0]
    monkeypatch.delitem(backpack._LAZY, name, raising=False)
    monkeypatch.delattr(Tending if name == "compact" else backpack, name, raising=False)
    assert f"missing={name}" in trip.refused(words, code=2)


@pytest.mark.parametrize(
    "words",
    [
        "compact --keep-commits 0",
        "compact --keep-days -1",
        "compact --keep-days nan",
        "compact --keep-days inf",
        "compact --max-archive-size much",
        "log -n -1",
        "log -n \u0663",
        "log --odd",
        "restore",
        "blame",
        "diff",
        "export",
        "import",
        "diff 1 2 3 4",
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(words: str, trip: Calls) -> None:
    trip.refused(words, code=2)


# -- exit codes ------------------------------------------------------------------------------------------------


def test_a_store_that_fails_is_exit_code_3() -> None:
    for error in (CorruptionError("x"), StorageError("x"), StoreLockedError("x"), HistoryFullError("x")):
        assert code_of(error) == 3


def test_damage_is_one_line_with_the_file_and_exit_code_3(trip: Calls) -> None:
    (trip.store / "manifest").write_bytes(b"\x1b" * 100)
    for words in ("log", "restore 1"):
        assert "manifest" in trip.refused(words, code=3)


def test_what_can_be_read_of_a_damaged_store_is_told_before_the_error(trip: Calls) -> None:
    with backpack.open(trip.store) as bp:
        for number in range(70):
            bp.pack("plan", number)
    (log,) = trip.store.glob("*.log")
    data = bytearray(log.read_bytes())
    at = data.rindex(b"plan", 0, len(data) // 2)
    data[at] ^= 1
    log.write_bytes(data)
    lines = trip("log", code=3).splitlines()
    assert len(lines) == 75 and "can't be read" in trip.err and trip.err.count("\n") == 1
    assert trip("log -n 3", code=0).count("\n") == 3
    said = trip("usage", code=3)
    assert "commits" in said and "bytes on disk" in said and "archive bytes" in said and "can't be read" in trip.err
    document = json.loads(trip("usage --json", code=3))
    assert document["head"] == 76 and document["keys"] is None and document["disk_bytes"]
    trip.refused("keys", code=3)


def test_what_the_system_refuses_is_one_line_and_exit_code_3(trip: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(*_: object, key: None) -> None:
        raise OSError(errno.EMFILE, "Too many open files", "some\x1bfile")

    monkeypatch.setattr(backpack, "open", refusing)
    assert trip.refused("log", code=3) == "Too many open files: some\\x1bfile"


def test_a_store_that_was_not_closed_is_told_on_standard_error(tmp_path: Path, capsys: Captured) -> None:
    code = "import sys, os, backpack; bp = backpack.open(sys.argv[1]); bp.pack('a', 1); os._exit(0)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "s")], env=environment, check=True)
    calls = Calls(tmp_path / "s", capsys)
    assert json.loads(calls("log --json"))["seq"] == 1
    calls("restore 0")
    assert "not been closed; it goes on from commit 1" in calls.err
    calls("restore 1")
    assert calls.err == ""


# -- a process of its own --------------------------------------------------------------------------------------


def started(*arguments: str) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "backpack.cli.main", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.fixture
def long_store(tmp_path: Path) -> Path:
    """More commits than a pipe holds lines."""
    with backpack.open(tmp_path / "long") as bp:
        for number in range(5_000):
            bp.pack("n", number, message="a message that takes room " * 4)
    return tmp_path / "long"


def test_a_reader_that_goes_away_ends_a_long_log_in_silence(long_store: Path) -> None:
    for options in ([], ["--json"]):
        with started("log", *options, "--store", str(long_store)) as process:
            assert process.stdout is not None and process.stderr is not None
            assert process.stdout.readline()
            process.stdout.close()
            assert process.stderr.read() == b""
        assert process.returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="no signals to send")
def test_ctrl_c_ends_a_log_with_130_and_no_traceback(long_store: Path) -> None:
    before = files_of(long_store)
    with started("log", "--store", str(long_store)) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline()  # more is written than the pipe takes: the log waits for us
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.stderr.read() == b""
    assert process.returncode == 130
    assert files_of(long_store) == before


def test_without_a_terminal_there_is_nothing_but_text(trip: Calls) -> None:
    with started("log", "--store", str(trip.store)) as process:
        out, err = process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert out.decode().replace("\n", "").isprintable()


def test_main_takes_its_arguments_from_the_process(monkeypatch: pytest.MonkeyPatch, trip: Calls) -> None:
    monkeypatch.setattr(sys, "argv", ["backpack", "log", "--store", str(trip.store)])
    assert main() == 0


def test_compact_takes_nothing_away_that_was_not_named(trip: Calls) -> None:
    before = [trip.json(["show", str(seq)]) for seq in range(1, 7)]
    trip("compact --dry-run")
    trip("compact")
    assert [trip.json(["show", str(seq)]) for seq in range(1, 7)] == before
