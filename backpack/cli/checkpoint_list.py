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
from backpack.terminal.tables import WIDTH_MAX, terminal_width
from backpack.terminal.values import json_text

_DESCRIPTION: Final = """\
All checkpoints, newest first, those included that a program made of the store
alone."""

_INDENT: Final = 2


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the verb and add its options."""
    parser.description = _DESCRIPTION
    add_store_option(parser)
    add_quiet_option(parser)
    add_json_option(parser)
    parser.set_defaults(run_command=run)


def run(args: argparse.Namespace) -> int:
    """Print the checkpoints; the exit code."""
    console = Console(sys.stdout)
    with opened(args) as bp:
        found = Memory(bp).checkpoints.list()
    if args.as_json:
        console.line(json_text([checkpoint_facts(one) for one in found], indent=_INDENT))
    elif args.ids_only:
        console.lines(one.id for one in found)
    elif found:
        console.lines(checkpoint_lines(found, terminal_width(elsewhere=WIDTH_MAX)))
    return FINE
