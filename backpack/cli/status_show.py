"""`backpack status show DIR`: what STATUS.md says of the work."""

import argparse
import sys
from pathlib import Path
from typing import Final

from backpack.cli.codes import FINE, FOUND
from backpack.cli.console import Console
from backpack.cli.options import add_json_option, add_store_option
from backpack.cli.reports import report_facts
from backpack.errors import InvalidArgumentError
from backpack.memory.status import Status, read_status
from backpack.terminal.words import printable

DESCRIPTION: Final = """\
The task, the phase, what is done, and the context references of STATUS.md in
DIR. It reads that file and no store."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("directory", metavar="DIR", help="the directory that the work is in")
    add_store_option(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Print the section; 1 when there is none."""
    require_directory(args.directory)
    status = read_status(args.directory)
    console = Console(sys.stdout)
    if args.as_json:
        console.document(None if status is None else report_facts(status))
    elif status is not None:
        console.lines(status_lines(status))
    else:
        Console(sys.stderr).line(f"backpack status show: note: nothing was written yet: {printable(args.directory)}")
    return FOUND if status is None else FINE


def require_directory(directory: str) -> None:
    """`InvalidArgumentError` when there is no such directory: what was typed is wrong, not the store."""
    if not Path(directory).is_dir():
        raise InvalidArgumentError(f"there is no such directory: directory={directory!r}; make it first")


def status_lines(status: Status) -> list[str]:
    """A section in lines."""
    lines = [f"task   {status.task}"]
    if status.phase is not None:
        lines.append(f"phase  {status.phase}")
    lines += [f"done   {one}" for one in status.done]
    lines += [f"ref    {one}" for one in status.references]
    return [printable(line) for line in lines]
