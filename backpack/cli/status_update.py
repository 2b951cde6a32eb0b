"""`backpack status update DIR`: write into STATUS.md what is being worked on."""

import argparse
import sys
from typing import Final

from backpack.cli.codes import FINE
from backpack.cli.console import Console
from backpack.cli.options import add_json_option, add_store_option
from backpack.cli.reports import report_facts
from backpack.cli.status_show import require_directory, status_lines
from backpack.cli.stores import has_something, opened, path_of, tell_note
from backpack.memory import Memory
from backpack.memory.status import update_status
from backpack.terminal.words import printable

DESCRIPTION: Final = """\
Keeps a section of STATUS.md in DIR: task, phase, what is done, and a line for
each entry that was logged with that directory. What is not named stays as it
is, --done adds; what a person wrote elsewhere in the file is left alone. The
store is only read, so this works beside a process that writes to it. Without a
store the lines for entries stay as they are."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("directory", metavar="DIR", help="the directory that the work is in")
    parser.add_argument("--task", metavar="TEXT", help="what is being worked on; wanted the first time")
    parser.add_argument("--phase", metavar="PHASE", help="which phase it is in")
    parser.add_argument("--done", metavar="TEXT", action="append", default=[], help="something done (repeatable)")
    add_store_option(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Write the section and show it; the exit code."""
    require_directory(args.directory)
    path, said = path_of(args), (args.directory, args.task, args.phase, args.done)
    if has_something(path):
        with opened(args) as bp:
            status = update_status(Memory(bp), *said)
    else:
        status = update_status(None, *said)
        tell_note(args, f"there is no store, so the references stay as they are: {printable(path)}")
    console = Console(sys.stdout)
    if args.as_json:
        console.document(report_facts(status))
    else:
        console.lines(status_lines(status))
    return FINE
