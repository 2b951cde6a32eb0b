"""`backpack demo`: everything that it promises, tried from outside."""

import gzip
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from backpack.cli.main import main
from backpack.demo import playing

from ..demo.agent_runs import made_messages

Captured = pytest.CaptureFixture[str]


def jsonl(*values: Any) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


def written(path: Path, content: str | bytes | Any) -> str:
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def document(arguments: list[str], capsys: Captured) -> dict[str, Any]:
    assert main([*arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def refused(arguments: list[str], capsys: Captured) -> str:
    """The one line of an error; nothing else may have been printed."""
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("backpack demo: error: ")
    assert output.err.count("\n") == 1
    return output.err.removeprefix("backpack demo: error: ").rstrip("\n")


def test_without_a_file_the_shipped_run_is_told(capsys: Captured) -> None:
    assert main(["demo"]) == 0
    output = capsys.readouterr()
    assert output.err == ""
    titles = [
        "The timeline",
        "The state before",
        "What changed",
        "A value that is large",
        "A fork",
        "Pruning",
        "The memory",
    ]
    for number, title in enumerate(titles, start=1):
        assert f"\n{number}. {title}" in output.out
    for code in (
        "bp.history()",
        "bp.snapshot_before(",
        "bp.diff(",
        "bp.fork(",
        "bp.configure(",
        "print(bp.memory_usage())",
    ):
        assert code in output.out
    assert "snapshots of 1 run, every commit of every run" in output.out.replace("\n", " ")
    assert output.out.endswith("All of them are right.\n")


def test_the_text_is_plain_and_fits_80_columns(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    for columns in ("80", "40"):
        monkeypatch.setenv("COLUMNS", columns)
        assert main(["demo"]) == 0
        out = capsys.readouterr().out
        assert "\x1b" not in out
        assert max(map(len, out.splitlines())) <= 80


def test_the_document_has_the_facts_of_all_scenes_and_checks(capsys: Captured) -> None:
    found = document(["demo"], capsys)
    assert set(found["scenes"]) == {"timeline", "before", "diff", "large", "fork", "pruning", "memory"}
    assert found["ok"] is True
    assert found["problems"] == []
    assert found["checked"]["snapshots"] == found["run"]["messages"] == len(found["scenes"]["timeline"]["commits"])


@pytest.mark.parametrize("is_gzipped", [False, True])
@pytest.mark.parametrize("field", ["", "messages", "history", "traj"])
def test_a_users_own_run_is_told(field: str, is_gzipped: bool, tmp_path: Path, capsys: Captured) -> None:
    messages = made_messages(2)
    data = json.dumps({field: messages} if field else messages).encode()
    file = written(tmp_path / "mine", gzip.compress(data) if is_gzipped else data)
    found = document(["demo", file], capsys)
    assert found["run"]["messages"] == len(messages)
    assert found["checked"]["snapshots"] == len(messages)


def test_many_runs_are_all_replayed_and_checked(tmp_path: Path, capsys: Captured) -> None:
    runs = [{"id": f"run-{number}", "messages": made_messages(1 + number % 4, seed=number)} for number in range(30)]
    file = written(tmp_path / "runs.jsonl", jsonl(*runs))
    found = document(["demo", file], capsys)
    count = sum(len(run["messages"]) for run in runs)
    assert found["checked"]["snapshots"] == count
    assert [row["name"] for row in found["all_runs"]] == [run["id"] for run in runs]
    assert all(row["snapshots_checked"] == row["messages"] == row["commits"] for row in found["all_runs"])
    assert main(["demo", file]) == 0
    output = capsys.readouterr()
    assert "8. All 30 runs" in output.out
    assert "12 more runs" in output.out
    assert f"{count} snapshots of 30 runs" in output.out.replace("\n", " ")
    assert output.err == ""


@pytest.mark.parametrize(("wanted", "place"), [("1", 1), ("3", 3), ("b", 2), ("99", 3)])
def test_the_run_to_tell_is_chosen_by_place_or_name(wanted: str, place: int, tmp_path: Path, capsys: Captured) -> None:
    runs = [{"id": name, "messages": made_messages(1)} for name in ("a", "b", 99)]
    found = document(["demo", written(tmp_path / "runs.json", runs), "--run", wanted], capsys)
    assert found["run"]["place"] == place


def test_a_run_that_is_not_there_is_refused(tmp_path: Path, capsys: Captured) -> None:
    file = written(tmp_path / "run.json", made_messages(1))
    for wanted in ("2", "0", "x", "", "-1", "\u0663"):
        assert "no such run; 1 run: 1" in refused(["demo", file, f"--run={wanted}"], capsys)


@pytest.mark.parametrize("is_gzipped", [False, True])
def test_with_packs_a_large_value_first(is_gzipped: bool, tmp_path: Path, capsys: Captured) -> None:
    table = {f"id{number}": {"price": number, "text": "x" * 50} for number in range(3_000)}
    data = json.dumps(table, indent=1).encode()
    value = written(tmp_path / "table", gzip.compress(data) if is_gzipped else data)
    file = written(tmp_path / "run.json", [made_messages(2), made_messages(3)])
    small = written(tmp_path / "small", "[1, 2]")
    found = document(["demo", file, "--with", f"desk.table={value}", "--with", f"other={small}"], capsys)
    first = found["scenes"]["timeline"]["commits"][0]
    assert set(first["changes"]) == {"desk.table", "other"}
    assert first["changes"]["desk.table"]["is_large"] is True
    assert found["scenes"]["large"]["key"] == "desk.table"
    assert found["checked"]["snapshots"] == len(made_messages(2)) + len(made_messages(3)) + 2


def test_the_budget_of_pruning_can_be_chosen(capsys: Captured) -> None:
    assert document(["demo", "--budget", "2KiB"], capsys)["scenes"]["pruning"]["budget"] == 2_048


def test_standard_input_is_read_for_a_dash(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    data = gzip.compress(json.dumps(made_messages(1)).encode())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    found = document(["demo", "-"], capsys)
    assert found["source"] == "standard input"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"{")))
    assert refused(["demo", "-"], capsys).startswith("standard input, line 1: not JSON")
    assert "once" in refused(["demo", "-", "--with", "a=-"], capsys)
    monkeypatch.setattr(sys, "stdin", None)
    assert refused(["demo", "-"], capsys) == "standard input: there is none"


def test_a_cut_line_is_named_with_file_line_and_reason(tmp_path: Path, capsys: Captured) -> None:
    lines = [json.dumps({"messages": made_messages(1)}) for _ in range(100)]
    lines[56] = lines[56][:-20]
    for name, data in (
        ("runs.jsonl", "\n".join(lines).encode()),
        ("runs.gz", gzip.compress("\n".join(lines).encode())),
    ):
        file = written(tmp_path / name, data)
        assert refused(["demo", file], capsys).startswith(f"{file}, line 57: not JSON: ")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"[",
        b"[]",
        b"[1]",
        b'[{"content": "x"}]',
        b'{"messages": 1}',
        b"[" * 100_000,
        b'[{"role": "user", "content": "\xff"}]',
        b"\x00\x01\x02",
        b"\x1f\x8b\x08",
        gzip.compress(b'[{"role": "user", "content": "x"}]')[:-9],
        b'[{"role": "user", "role": "x"}]',
        b'[{"role": "user", "content": "x", "n": ' + b"9" * 10_000 + b"}]",
    ],
)
def test_a_broken_file_is_one_line_and_exit_code_2(content: bytes, tmp_path: Path, capsys: Captured) -> None:
    file = written(tmp_path / "broken", content)
    assert refused(["demo", file], capsys).startswith(f"{file}, line 1: ")
    if not content.startswith((b"[1]", b"[]", b"[{", b'{"')) or b"\xff" in content or b"9" * 100 in content:
        assert refused(["demo", "--with", f"a={file}"], capsys).startswith(f"{file}, line 1: ")


def test_a_file_that_cannot_be_read_is_one_line_and_exit_code_2(tmp_path: Path, capsys: Captured) -> None:
    assert refused(["demo", str(tmp_path / "none")], capsys).endswith("none: can't be read: No such file or directory")
    assert refused(["demo", str(tmp_path)], capsys).endswith("can't be read: Is a directory")
    assert refused(["demo", "a\nb"], capsys) == "a\\nb: can't be read: No such file or directory"
    assert "can't be read" in refused(["demo", "a\0b"], capsys)
    assert "can't be read" in refused(["demo", "--with", f"a={tmp_path / 'none'}"], capsys)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(tmp_path: Path, capsys: Captured) -> None:
    file = written(tmp_path / "secret", "[]")
    Path(file).chmod(0)
    assert refused(["demo", file], capsys).endswith("can't be read: Permission denied")


def test_a_refusal_of_the_system_is_told_with_its_reason(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    assert refused(["demo", "mine.json"], capsys) == "mine.json: can't be read: Permission denied"


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("", "must not be empty"),
        ("k" * 1_025, "1024 bytes"),
        ("\udcff", "lone surrogate"),
        ("messages", "the replay itself writes that key"),
        ("tools.search.last", "the replay itself writes that key"),
    ],
)
def test_a_key_that_the_store_refuses_is_refused(key: str, reason: str, tmp_path: Path, capsys: Captured) -> None:
    file = written(tmp_path / "value", "1")
    assert reason in refused(["demo", "--with", f"{key}={file}"], capsys)


def test_a_key_is_taken_once(tmp_path: Path, capsys: Captured) -> None:
    file = written(tmp_path / "value", "1")
    assert "twice" in refused(["demo", "--with", f"a={file}", "--with", f"a={file}"], capsys)


def test_lone_surrogates_and_control_characters_do_no_harm(tmp_path: Path, capsys: Captured) -> None:
    messages = [
        {"role": "user", "content": "\ud800 \x1b[31m \x00"},
        {"role": "assistant", "tool_calls": [{"id": "\udfff", "function": {"name": "\ud800\n", "arguments": "{"}}]},
        {"role": "tool", "tool_call_id": "\udfff", "content": '{"a": "\\ud800"}'},
    ]
    file = written(tmp_path / "odd.json", jsonl({"id": "\ud800\x1b", "messages": messages}))
    assert main(["demo", file]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\x00" not in out
    document(["demo", file], capsys)


@pytest.mark.parametrize("as_json", [False, True])
def test_a_snapshot_that_is_wrong_is_exit_code_1_with_its_place(
    as_json: bool, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    play = playing.play

    def forge(bp: Any, step: Any) -> None:
        play(bp, step)
        if step.index == 9:
            step.message["content"] = "another content than was packed"

    monkeypatch.setattr(playing, "play", forge)
    assert main(["demo", *(["--json"] if as_json else [])]) == 1
    out = capsys.readouterr().out
    place = "run slow-checkout, commit 10, key messages: not what the messages say"
    if as_json:
        found = json.loads(out)
        assert found["ok"] is False
        assert place in found["problems"]
    else:
        assert "WRONG at" in out
        assert place in out
