"""`backpack checkpoint summary [ID]`: a checkpoint as text for a prompt."""

import argparse
import sys
from typing import Final

from backpack.cli.checkpoints import ID_HELP
from backpack.cli.codes import FINE
from backpack.cli.console import Console
from backpack.cli.options import add_json_option, add_store_option
from backpack.cli.stores import opened
from backpack.memory import Memory
from backpack.terminal.values import value_lines

DESCRIPTION: Final = """\
One checkpoint as text for a prompt, of at most about 500, 1,000, 2,000 or 4,000
tokens, whatever was kept."""

_LEVELS: Final = ("minimal", "compact", "standard", "full")
_LEVEL: Final = "standard"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("id", metavar="ID", nargs="?", help=f"{ID_HELP} (the default)")
    parser.add_argument("--level", choices=_LEVELS, default=_LEVEL, help=f"how much (default: {_LEVEL})")
    add_store_option(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Print the summary; the exit code."""
    console = Console(sys.stdout)
    with opened(args) as bp:
        memory = Memory(bp)
        found = memory.checkpoints.load(args.id)
        text = memory.checkpoints.summary(args.level, found.id)
        tokens = memory.count_tokens(text)
    if args.as_json:
        console.document({"id": found.id, "level": args.level, "tokens": tokens, "text": text})
    else:
        console.lines(value_lines(text.rstrip("\n")))
    return FINE
