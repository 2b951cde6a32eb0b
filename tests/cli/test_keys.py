"""`--key-from`: every command on a store works on an encrypted one, and the key is never shown."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

import backpack
from backpack import Backpack
from backpack.cli.main import COMMANDS, main

from .stores import Captured

KEY = bytes(range(7, 39))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "store"
    with backpack.open(path, key=KEY) as bp:
        bp.pack("plan", ["search"], node="planner")
        bp.pack("plan", ["search", "book"], node="planner")
    monkeypatch.setenv("BACKPACK_STORE", str(path))
    monkeypatch.setenv("THE_KEY", KEY.hex())
    return path


WORDS: dict[str, list[str]] = {
    "log": [],
    "show": ["1"],
    "diff": ["1"],
    "keys": [],
    "blame": ["plan"],
    "restore": ["1"],
    "usage": [],
    "verify": [],
    "recover": ["OUT"],
    "compact": [],
    "export": ["OUT"],
    "load": ["EXPORT", "--store", "OUT"],
    "import": ["RUNS"],
    "memory": ["log", "a text"],
    "checkpoint": ["now"],
    "status": ["update", "DIRECTORY", "--task", "a task"],
    "context": ["sessions"],
}


@pytest.mark.parametrize("command", sorted(COMMANDS.keys() - {"demo"}))
def test_every_command_on_a_store_takes_a_key(command: str, store: Path, tmp_path: Path, capsys: Captured) -> None:
    runs = tmp_path / "runs.jsonl"
    runs.write_text(json.dumps({"id": "rome", "messages": [{"role": "user", "content": "Rome"}]}))
    exported = tmp_path / "exported"
    with backpack.open(store, "r", key=KEY) as bp:
        bp.export(exported, key=KEY)
    places = {
        "OUT": str(tmp_path / "out"),
        "RUNS": str(runs),
        "DIRECTORY": str(tmp_path),
        "EXPORT": str(exported),
    }
    words = [command, *(places.get(word, word) for word in WORDS[command])]
    assert main([*words, "--key-from", "env:THE_KEY"]) == 0, capsys.readouterr().err
    assert main(words) in (1, 2, 3)
    output = capsys.readouterr()
    assert KEY.hex() not in output.out + output.err


def test_what_is_written_anew_is_encrypted_with_the_same_key(store: Path, tmp_path: Path, capsys: Captured) -> None:
    exported, recovered = tmp_path / "exported", tmp_path / "recovered"
    assert main(["export", str(exported), "--key-from", "env:THE_KEY"]) == 0
    assert Backpack.load(io.BytesIO(exported.read_bytes()), key=KEY)["plan"] == ["search", "book"]
    assert main(["recover", str(recovered), "--key-from", "env:THE_KEY"]) == 0
    with backpack.open(recovered, "r", key=KEY) as bp:
        assert bp["plan"] == ["search", "book"]


@pytest.mark.parametrize(
    "data", [KEY, KEY.hex().encode(), KEY.hex().upper().encode() + b"\r\n", b"  " + KEY.hex().encode()]
)
def test_a_file_holds_bytes_or_hex_digits(data: bytes, store: Path, tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "key"
    file.write_bytes(data)
    assert main(["show", "1", "plan", "--key-from", f"file:{file}"]) == 0
    assert "search" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (KEY.hex(), "never the key itself"),
        ("THE_KEY", "never the key itself"),
        ("env:", "never the key itself"),
        ("hex:" + KEY.hex(), "never the key itself"),
        ("env:NOWHERE", "no such environment variable"),
        ("file:/nowhere", "can't be read"),
        ("file:.", "can't be read"),
        ("file:SHORT", "not a key"),
        ("file:LONG", "not a key"),
        ("env:SHORT_KEY", "not a key"),
    ],
)
def test_what_is_no_key_is_refused_and_not_shown(
    given: str, said: str, store: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHORT_KEY", KEY.hex()[:-2] + "zz")
    Path("SHORT").write_bytes(KEY[:31])
    Path("LONG").write_bytes(KEY.hex().encode() * 2)
    assert main(["log", "--key-from", given]) == 2
    output = capsys.readouterr()
    assert said in output.err and output.out == ""
    assert output.err.count("\n") == 1
    assert KEY.hex()[:20] not in output.err


def test_another_key_and_no_key_are_told_apart(store: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER", bytes(32).hex())
    assert main(["log", "--key-from", "env:OTHER"]) == 3
    assert main(["log"]) in (2, 3)
    assert "key" in capsys.readouterr().err


class Terminal(io.StringIO):
    """Somebody is watching."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("words", [["verify"], ["recover", "OUT"]])
def test_progress_is_a_bar_on_a_terminal_and_nothing_elsewhere(
    words: list[str], store: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [word.replace("OUT", str(tmp_path / "out")) for word in words] + ["--key-from", "env:THE_KEY"]
    shown: list[tuple[int, int]] = []
    progress: Any = __import__("backpack.cli.progress", fromlist=["Progress"]).Progress
    act = progress.__call__

    def noted(self: Any, done: int, total: int) -> None:
        shown.append((done, total))
        act(self, done, total)

    monkeypatch.setattr(progress, "__call__", noted)
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    assert main(words) == 0
    assert shown and shown == sorted(shown) and 0 < shown[-1][0] <= shown[-1][1]
    assert "\n" not in terminal.getvalue()
    monkeypatch.undo()
    monkeypatch.setenv("BACKPACK_STORE", str(store))
    monkeypatch.setenv("THE_KEY", KEY.hex())
    capsys.readouterr()
    assert main([*words[:1], *(f"{tmp_path}/two" for _ in words[1:-2]), *words[-2:]]) == 0
    assert capsys.readouterr().err == ""
