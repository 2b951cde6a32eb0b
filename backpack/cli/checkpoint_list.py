"""`backpack checkpoint list`: all checkpoints, newest first."""

import argparse
import sys
from typing import Final

from backpack.cli.checkpoints import checkpoint_facts, checkpoint_lines
from backpack.cli.codes import FINE
from backpack.cli.console import Console
from backpack.cli.options import add_json_option, add_quiet_option, add_store_option
from backpack.cli.stores import opened
from backpack.memory import Memory

DESCRIPTION: Final = """\
All checkpoints, newest first, those included that a program made of the store
alone."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    add_store_option(parser)
    add_quiet_option(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Print the checkpoints; the exit code."""
    console = Console(sys.stdout)
    with opened(args) as bp:
        found = Memory(bp).checkpoints.list()
    if args.as_json:
        console.document([checkpoint_facts(one) for one in found])
    elif args.ids_only:
        console.lines(one.id for one in found)
    elif found:
        console.lines(checkpoint_lines(found, console.width))
    return FINE
