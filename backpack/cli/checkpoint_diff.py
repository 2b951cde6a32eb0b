"""`backpack checkpoint diff A [B]`: what changed from one checkpoint to another."""

import argparse
import sys
from typing import Final

from backpack.cli.checkpoints import ID_HELP
from backpack.cli.codes import FINE
from backpack.cli.console import Console
from backpack.cli.options import add_json_option, add_store_option
from backpack.cli.reports import report_facts
from backpack.cli.stores import opened
from backpack.memory import Memory
from backpack.terminal.values import value_lines

DESCRIPTION: Final = """\
Phase, tasks, dependencies, variables and entries: what was added (+), changed
(~) and removed (-) from A to B, which is the newest when it is left out."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("a", metavar="A", help=ID_HELP)
    parser.add_argument("b", metavar="B", nargs="?", help="another")
    add_store_option(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Print what changed; the exit code."""
    console = Console(sys.stdout)
    with opened(args) as bp:
        found = Memory(bp).checkpoints.diff(args.a, args.b)
    if args.as_json:
        console.document(report_facts(found))
    else:
        console.lines(value_lines(str(found)))
    return FINE
