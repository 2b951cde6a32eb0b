"""`backpack memory stats`: how many entries, what they take, and what they keep out of the prompt."""

import argparse
import sys
from typing import Final

from backpack.cli.codes import FINE
from backpack.cli.console import Console
from backpack.cli.options import add_json_option, add_store_option
from backpack.cli.reports import report_facts
from backpack.cli.stores import opened
from backpack.memory import Memory
from backpack.terminal.values import value_lines

DESCRIPTION: Final = """\
Entries, bytes before and after, ratio, and tokens kept out of the prompt; by
type and in all."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    add_store_option(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Print the figures; the exit code."""
    console = Console(sys.stdout)
    with opened(args) as bp:
        found = Memory(bp).stats()
    if args.as_json:
        figures = {name: {**report_facts(one), "ratio": one.ratio} for name, one in found.by_type.items()}
        console.document({**report_facts(found), "ratio": found.ratio, "by_type": figures})
    else:
        console.lines(value_lines(str(found)))
    return FINE
