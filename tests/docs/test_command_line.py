"""What the documents show of the command line is what happens: their `console` blocks, run one after the other."""

import doctest
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from backpack.cli.main import COMMANDS, main

from .blocks import document

_BLOCK: Final = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE: Final = re.compile(r"^```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_OPTIONS: Final = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


_ENTRY: Final = re.compile(r"\bmem-\d{8}-\d{6}-[0-9a-f]{8}\b")
"""The first that was shown last is meant where a command has `mem-...`."""

_VARYING: Final = (
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:\d\d)?"), "TIME"),
    (re.compile(r"^(commit|parent) (\d+) [a-z0-9]{12}\b", re.MULTILINE), r"\1 \2 ID"),
    (re.compile(r"^( *\d+)  [a-z0-9]{8}  TIME", re.MULTILINE), r"\1  ID  TIME"),
)
"""What is another each time: times and ids."""


def masked(text: str) -> str:
    """The text without what is another each time."""
    for pattern, replacement in _VARYING:
        text = pattern.sub(replacement, text)
    return text


def commands(name: str) -> Iterator[tuple[str, str]]:
    """Each command of a document, and what is shown to come of it."""
    for block in _BLOCK.finditer(document(name)):
        for part in re.split(r"^\$ ", block[1], flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            yield command, shown


@pytest.mark.parametrize(("name", "count_min"), [("README.md", 3), ("docs/command-line.md", 12)])
def test_what_is_shown_of_commands_is_what_happens(
    name: str, count_min: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("BACKPACK_STORE", raising=False)
    runs = _FILE.search(document("docs/command-line.md"))
    assert runs is not None
    (tmp_path / "trips.jsonl").write_text(runs[1])
    code, count, entry = 0, 0, ""
    for command, shown in commands(name):
        if command == "echo $?":
            assert shown == f"{code}\n"
            continue
        program, *arguments = shlex.split(command.replace("mem-...", entry))
        assert program == "backpack"
        code, count = main(arguments), count + 1
        output = capsys.readouterr()
        happened = output.out + output.err
        entry = next(iter(_ENTRY.findall(happened)), entry)
        assert doctest.OutputChecker().check_output(masked(shown), masked(happened), _OPTIONS), f"{command}\n{happened}"
    assert count >= count_min


def test_every_command_is_in_the_document() -> None:
    text = document("docs/command-line.md")
    for name in COMMANDS:
        assert re.search(rf"`{name}\b|`backpack {name}\b|\$ backpack {name}\b", text), name
