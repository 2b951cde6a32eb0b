"""`backpack verify`: looks for damage in every file of the store, and changes none."""

import argparse
import sys
from typing import Any, Final

from backpack.cli.codes import FINE, FOUND
from backpack.cli.console import Console
from backpack.cli.keys import key_of
from backpack.cli.options import add_json_option, add_store_option
from backpack.cli.progress import Progress
from backpack.cli.reports import needed, report_facts, report_lines
from backpack.cli.stores import path_of, require_store
from backpack.terminal.words import count_of, printable

DESCRIPTION: Final = """\
Reads every byte of the store and compares it with its checksums. Each problem
is a line: file, offset, what is wrong. No file is changed.

exit codes: 0 all is well, 1 there are problems, 2 there is no store"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_store_option(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Print the problems; the exit code."""
    path = path_of(args)
    require_store(path)
    key, progress = key_of(args), Progress(sys.stderr, "bytes", has_lines=False)
    try:
        report = needed("verify")(path, key, progress=progress)
    finally:
        progress.end()
    problems = [_problem(one) for one in report.problems]
    others = report_facts(report)
    others = {name: value for name, value in others.items() if name not in ("ok", "problems")}
    console = Console(sys.stdout)
    if args.as_json:
        console.document({"store": path, "ok": report.ok, "problems": problems, **others})
    else:
        console.lines(_line(problem) for problem in problems)
        console.lines(report_lines(others, console.width))
        console.line("all is well" if report.ok else f"{count_of(len(problems), 'problem')}: see backpack recover")
    return FINE if report.ok else FOUND


def _problem(problem: Any) -> dict[str, Any]:
    file = None if problem.file is None else str(problem.file)
    return {"file": file, "offset": problem.offset, "reason": str(problem.reason)}


def _line(problem: dict[str, Any]) -> str:
    place = [str(problem["file"])] if problem["file"] is not None else []
    if problem["offset"] is not None:
        place.append(f"offset {problem['offset']:,}")
    return printable(f"{', '.join(place)}: {problem['reason']}" if place else problem["reason"])
