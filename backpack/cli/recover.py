"""`backpack recover OUT`: a new store of all that is whole in a damaged one."""

import argparse
import sys
from collections.abc import Sequence
from typing import Final

from backpack.cli.codes import FINE, FOUND
from backpack.cli.console import Console
from backpack.cli.keys import key_of
from backpack.cli.options import add_json_option, add_store_option
from backpack.cli.progress import Progress
from backpack.cli.reports import needed, report_facts, report_lines
from backpack.cli.stores import path_of, require_store
from backpack.errors import InvalidArgumentError
from backpack.terminal.words import printable

DESCRIPTION: Final = """\
Makes a new store in the folder OUT of everything in the old one that verifies.
The old one is left as it is.

exit codes: 0 everything was there, 1 something was lost, 2 there is no store,
3 nothing can be recovered"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("out", metavar="OUT", help="the folder of the new store")
    add_store_option(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Recover and say what came of it; the exit code."""
    path = path_of(args)
    require_store(path)
    if not args.out or "\0" in args.out:
        raise InvalidArgumentError(f"not a name of a folder: {args.out!r}")
    key, progress = key_of(args), Progress(sys.stderr, "bytes", has_lines=False)
    try:
        report = needed("recover")(path, args.out, key, progress=progress)
    finally:
        progress.end()
    facts = {"store": path, "out": args.out, **report_facts(report)}
    console = Console(sys.stdout)
    if args.as_json:
        console.document(facts)
    else:
        facts["lost_commits"] = _runs(report.lost_commits)
        console.lines(report_lines(facts, console.width))
        console.line("nothing was lost" if report.is_whole else "something was lost: see above")
        console.line(f"the new store: {printable(args.out)}")
    return FINE if report.is_whole else FOUND


def _runs(runs: Sequence[tuple[int, int]]) -> str | list[str]:
    """Runs of commits as text: one in its line, several in a line each."""
    shown = [f"{first}" if first == last else f"{first}-{last}" for first, last in runs]
    return shown[0] if len(shown) == 1 else shown
