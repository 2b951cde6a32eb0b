"""`backpack checkpoint load [ID]`: where the work stood."""

import argparse
import sys
from typing import Final

from backpack.cli.checkpoints import ID_HELP, checkpoint_facts
from backpack.cli.codes import FINE
from backpack.cli.console import Console
from backpack.cli.options import add_json_option, add_quiet_option, add_store_option
from backpack.cli.stores import opened
from backpack.memory import Memory
from backpack.terminal.values import value_lines

DESCRIPTION: Final = """\
Where the work stood, and a line for each entry that was logged for it. --json
has all of it."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("id", metavar="ID", nargs="?", help=f"{ID_HELP} (the default)")
    add_store_option(parser)
    add_quiet_option(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Print the checkpoint; the exit code."""
    console = Console(sys.stdout)
    with opened(args) as bp:
        checkpoints = Memory(bp).checkpoints
        found = checkpoints.load(args.id)
        if args.as_json:
            console.document(checkpoint_facts(found))
        elif args.ids_only:
            console.line(found.id)
        else:
            console.lines(value_lines(checkpoints.summary("full", found.id).rstrip("\n")))
    return FINE
