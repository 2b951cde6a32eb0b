"""`backpack checkpoint report`: all checkpoints as a page of Markdown."""

import argparse
import sys
from typing import Final

from backpack.cli.checkpoints import checkpoint_facts
from backpack.cli.codes import FINE
from backpack.cli.console import Console
from backpack.cli.options import add_json_option, add_store_option
from backpack.cli.stores import opened
from backpack.memory import Memory
from backpack.terminal.values import value_lines

DESCRIPTION: Final = """\
All checkpoints as a page of Markdown, with their sums."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    add_store_option(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Print the page; the exit code."""
    console = Console(sys.stdout)
    with opened(args) as bp:
        checkpoints = Memory(bp).checkpoints
        if args.as_json:
            found = checkpoints.all()
            entries, tokens = checkpoints.sums(found)
            listed = [checkpoint_facts(one) for one in found]
            facts = {"checkpoints": listed, "entries": entries, "tokens": tokens}
            console.document(facts)
        else:
            console.lines(value_lines(checkpoints.report().rstrip("\n")))
    return FINE
