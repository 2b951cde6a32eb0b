"""The table of files in docs/architecture.md is what the imports say."""

import ast
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from .blocks import ROOT, document

PACKAGE: Final = ROOT / "backpack"
ORDER: Final = (
    "base",
    "core",
    "codec",
    "storage",
    "blobs",
    "archive",
    "store",
    "memory",
    "context",
    "integrations",
    "facade",
    "runs",
    "terminal",
    "demo",
    "cli",
)
OUTSIDE: Final = frozenset(
    (
        "asyncio",
        "contextvars",
        "io",
        "logging",
        "multiprocessing",
        "os",
        "pathlib",
        "platform",
        "random",
        "secrets",
        "select",
        "shutil",
        "signal",
        "resource",
        "socket",
        "subprocess",
        "sys",
        "tempfile",
        "threading",
        "time",
        "zoneinfo",
    )
)
"""Modules that reach disk, clock, thread, chance or process."""


@dataclass(frozen=True)
class Row:
    """What the table says of a file."""

    may_import: frozenset[str]
    touches: frozenset[str]


@dataclass(frozen=True)
class Imports:
    """What a file imports, in functions and for type checkers too."""

    folders: frozenset[str]
    packages: frozenset[str]
    outside: frozenset[str]


def table() -> dict[str, Row]:
    rows = {}
    for line in document("docs/architecture.md").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and re.fullmatch(r"`[\w/]+\.py`", cells[0]):
            allowed = [] if cells[2] == "nothing" else [name.strip().strip("`") for name in cells[2].split(",")]
            touched = () if cells[3] == "pure" else re.findall(r"`(\w+)`(?= \(|,|$)", cells[3])
            assert cells[0].strip("`") not in rows, f"twice in the table: {cells[0]}"
            rows[cells[0].strip("`")] = Row(frozenset(allowed), frozenset(touched))
    return rows


def files() -> list[str]:
    return sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))


def folder_of(file: str) -> str:
    folder, _, name = file.rpartition("/")
    return folder.partition("/")[0] or {"__init__.py": "facade", "__main__.py": "cli"}.get(name, "base")


def imports_of(file: str) -> Imports:
    names: list[str] = []
    for node in ast.walk(ast.parse((PACKAGE / file).read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"a relative import in {file}"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    folders = set()
    for parts in (name.split(".") for name in names if name.split(".")[0] == "backpack"):
        target = parts[1] if len(parts) > 1 else ""
        is_folder, is_file = (PACKAGE / target).is_dir() and target, (PACKAGE / f"{target}.py").exists()
        folders.add(target if is_folder else "base" if is_file else "facade")
    tops = {name.split(".")[0] for name in names} - {"backpack"}
    known = sys.stdlib_module_names | {"__future__"}
    return Imports(frozenset(folders), frozenset(tops - known), frozenset(tops & OUTSIDE))


def test_every_file_stands_in_the_table_and_every_row_exists() -> None:
    assert sorted(table()) == files()


@pytest.mark.parametrize("file", files())
def test_a_file_imports_what_the_table_allows(file: str) -> None:
    imports, row = imports_of(file), table()[file]
    assert imports.folders | imports.packages <= row.may_import


@pytest.mark.parametrize("file", files())
def test_a_file_touches_what_the_table_says_and_nothing_else(file: str) -> None:
    assert imports_of(file).outside == table()[file].touches


@pytest.mark.parametrize("file", files())
def test_no_folder_imports_a_later_one(file: str) -> None:
    rank = ORDER.index(folder_of(file))
    assert all(ORDER.index(folder) <= rank for folder in imports_of(file).folders)
    assert all(ORDER.index(name) <= rank for name in table()[file].may_import & set(ORDER))


@pytest.mark.parametrize("file", [file for file in files() if folder_of(file) == "core"])
def test_the_core_touches_nothing(file: str) -> None:
    assert imports_of(file).outside <= {"sys"}  # the byte order of columns
    code = ast.parse((PACKAGE / file).read_text("utf-8"))
    called = {node.func.id for node in ast.walk(code) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert not called & {"open", "input", "print"}


def test_no_other_file_asks_the_clock() -> None:
    clock = {"store/ground.py", "store/packing.py", "store/tending.py"}
    waiting = {"store/opening.py", "archive/verifying.py", "store/posting.py", "store/tasks.py"}
    waiting |= {"archive/yielding.py"}
    waiting |= {"memory/clock.py"}  # asked by whoever makes a Memory without a clock of his own
    waiting |= {"cli/memory_log.py", "cli/stores.py"}  # for a lock
    waiting |= {"cli/progress.py"}  # when a line is due
    assert {file for file in files() if "time" in imports_of(file).outside} == clock | waiting


def test_every_decision_has_its_parts() -> None:
    pages = sorted(Path(ROOT / "docs" / "decisions").glob("*.md"))
    assert [page.name[:4] for page in pages] == [f"{number:04}" for number in range(1, len(pages) + 1)]
    for page in pages:
        headings = re.findall(r"^## (.*)$", page.read_text("utf-8"), re.MULTILINE)
        assert headings == ["Context", "Decision", "Alternatives", "Consequences"], page.name
