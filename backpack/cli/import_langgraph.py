"""`backpack import --langgraph-sqlite DB`: the threads of a SqliteSaver into a store, and what was imported."""

import argparse
import sys
from pathlib import Path
from typing import Any

from backpack.cli.codes import FINE, INTERRUPTED, code_of
from backpack.cli.console import Console
from backpack.cli.interruption import between_steps
from backpack.cli.progress import Steps
from backpack.cli.stores import is_store, opened, path_of, size_on_disk
from backpack.errors import BackpackError, InvalidArgumentError
from backpack.integrations.langgraph.importing import Imported, check, import_file
from backpack.integrations.langgraph.sqlite_file import SqliteFile
from backpack.integrations.langgraph.sqlite_file import opened as opened_file
from backpack.terminal.values import json_text
from backpack.terminal.words import count_of, printable, size_shown


def run(args: argparse.Namespace) -> int:
    """Import and say what is in; the exit code."""
    if args.file is not None or args.packed or args.prefix is not None or args.state:
        raise InvalidArgumentError("threads are imported as they are: no FILE, --with, --prefix or --state")
    path, imported = path_of(args), Imported()
    reason, code, size_before = "", FINE, 0
    try:
        with opened_file(args.langgraph_sqlite) as file, between_steps() as interruption:
            size_before = file.size
            _import(args, file, imported, Steps(sys.stderr, interruption.check, is_quiet=args.quiet))
    except BackpackError as error:
        reason, code = str(error), code_of(error)
    except KeyboardInterrupt:
        reason, code = "interrupted", INTERRUPTED
    if reason:
        Console(sys.stderr).line(f"backpack import: error: {printable(reason)}; {_left(imported)}")
        if not (args.as_json and imported.checkpoints):
            return code
    size = size_on_disk(path)
    console = Console(sys.stdout)
    if args.as_json:
        console.document(_document(imported, path, size_before, size))
    else:
        console.lines(_summary(imported, path, size_before, size))
    return code


def _import(args: argparse.Namespace, file: SqliteFile, imported: Imported, steps: Steps) -> None:
    """A store that is not there yet is made when all of the file is known to be whole."""
    with steps:
        if not is_store(path_of(args)):
            check(file, None, steps)
            with opened(args, "rw", may_create=True) as bp:
                import_file(file, bp, imported, steps)
            return
        with opened(args, "rw") as bp:
            check(file, bp, steps)
            import_file(file, bp, imported, steps)


# -- what is in ------------------------------------------------------------------------------------------------


def _left(imported: Imported) -> str:
    """What stayed in when something went wrong, in words."""
    if not imported.checkpoints and not imported.writes:
        return "nothing was imported"
    of_all = f"{imported.checkpoints:,} of {count_of(imported.checkpoints_total, 'checkpoint')}"
    return f"imported before, and not compared as a whole: {of_all}; the same command goes on with the rest"


def _summary(imported: Imported, path: str, size_before: int, size: int) -> list[str]:
    is_new = bool(imported.checkpoints or imported.writes)
    known = imported.checkpoints_total - imported.checkpoints if is_new else 0
    checkpoints = count_of(imported.checkpoints if is_new else imported.checkpoints_total, "checkpoint")
    writes = count_of(imported.writes if is_new else imported.writes_total, "pending write")
    counts = f"{count_of(imported.threads, 'thread')}, {checkpoints}, {writes}"
    lines = [
        f"{'imported' if is_new else 'nothing new in'} {counts}: {printable(str(Path(path)))}",
        f"equal    {imported.compared:,} of {count_of(imported.checkpoints_total, 'checkpoint')}, compared one by one",
    ]
    if known:
        lines.insert(1, f"known    {count_of(known, 'checkpoint')} that the store had already")
    lines.append(f"SQLite   {size_shown(size_before)}")
    on_disk = f"on disk  {size_shown(size)}"
    lines.append(f"{on_disk}, {size_before / size:,.1f} times less" if 0 < size < size_before else on_disk)
    if imported.classes.found:
        named = ", ".join(
            f"({json_text(module)}, {json_text(name)})" for module, name in sorted(imported.classes.found)
        )
        lines.append(f"classes  plain data unless allowed: BackpackSaver(..., allowed_types=[{named}])")
    return lines


def _document(imported: Imported, path: str, size_before: int, size: int) -> dict[str, Any]:
    return {
        "store": path,
        "complete": imported.is_complete,
        "threads": imported.threads,
        "checkpoints": imported.checkpoints,
        "pending_writes": imported.writes,
        "checkpoints_in_file": imported.checkpoints_total,
        "pending_writes_in_file": imported.writes_total,
        "compared": imported.compared,
        "classes_to_allow": [list(name) for name in sorted(imported.classes.found)],
        "sqlite_bytes": size_before,
        "disk_bytes": size,
        "ratio": round(size_before / size, 3) if size > 0 else None,
    }
