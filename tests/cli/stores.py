"""Stores and files for the tests of the commands, and ways to call these."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

import backpack
from backpack.cli.main import main

Captured = pytest.CaptureFixture[str]


class Calls:
    """The command line on one store."""

    def __init__(self, store: Path, capsys: Captured) -> None:
        self.store = store
        self.err = ""
        self._capsys = capsys

    def __call__(self, words: str | list[str], *, code: int = 0) -> str:
        """What a command says, after it ended with that code; what it complains of is in `err`."""
        name, *rest = shlex.split(words) if isinstance(words, str) else words
        ended = main([name, "--store", str(self.store), *rest])
        output = self._capsys.readouterr()
        self.err = output.err
        assert ended == code, output.err
        return output.out

    def json(self, words: str | list[str], *, code: int = 0) -> Any:
        """The one JSON document that a command prints."""
        words = shlex.split(words) if isinstance(words, str) else words
        return json.loads(self([*words, "--json"], code=code))

    def refused(self, words: str | list[str], *, code: int) -> str:
        """The one line of an error; nothing else may have been printed."""
        assert self(words, code=code) == ""
        assert self.err.count("\n") == 1
        assert self.err.removesuffix("\n").isprintable()
        _, _, reason = self.err.rstrip("\n").partition(": error: ")
        assert reason
        return reason


def made_trip(path: Path) -> Path:
    """The store of the tutorial, shortened: six commits, a checkpoint."""
    with backpack.open(path) as bp:
        bp.pack("request", {"city": "Rome", "nights": 3}, message="what the user wants")
        bp.append("messages", {"role": "user", "content": "three nights"}, node="chat")
        bp.pack("plan", {"steps": ["find", "book"], "days": 3}, node="planner", tags=["first", "draft"])
        bp.checkpoint("planned")
        bp.pack("plan", {"steps": ["find", "pay"], "days": 4}, node="planner", message="one day more\nand it is paid")
        with bp.transaction(node="booker") as tx:
            tx.pack("booking.hotel", "Bella")
            tx.delete("request")
        bp.append("messages", {"role": "assistant", "content": "booked"}, node="chat")
    return path


def files_of(path: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below a folder: when it was changed, and its bytes."""
    return {
        str(file.relative_to(path)): (file.stat().st_mtime_ns, file.read_bytes())
        for file in sorted(path.rglob("*"))
        if file.is_file()
    }
