"""`backpack memory refs`: a line an entry, light enough for a prompt."""

import argparse
import sys
from typing import Final

from backpack.cli.codes import FINE
from backpack.cli.console import Console
from backpack.cli.memory_list import add_limit_options, listed
from backpack.cli.options import add_json_option, add_quiet_option, add_store_option
from backpack.cli.stores import opened
from backpack.memory import Memory
from backpack.memory.listing import line_of
from backpack.terminal.words import printable

DESCRIPTION: Final = """\
One line an entry, newest first: [id] summary (tokens). What an id leads to is
fetched with backpack memory fetch."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--checkpoint", metavar="NAME", help="of the entries of the checkpoint")
    parser.add_argument("--directory", metavar="DIR", help="of the entries of the directory")
    add_limit_options(parser)
    add_store_option(parser)
    add_quiet_option(parser)
    add_json_option(parser)
    parser.set_defaults(type=None, tag=None)


def run(args: argparse.Namespace) -> int:
    """Print the lines; the exit code."""
    console = Console(sys.stdout)
    with opened(args) as bp:
        entries = listed(Memory(bp), args, args.limit)
    lines = [line_of(entry) for entry in entries]
    if args.as_json:
        console.document([{"id": entry.id, "line": line_of(entry)} for entry in entries])
    elif args.ids_only:
        console.lines(entry.id for entry in entries)
    else:
        console.lines(printable(line) for line in lines)
    return FINE
