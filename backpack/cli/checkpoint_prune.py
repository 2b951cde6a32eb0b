"""`backpack checkpoint prune`: take all checkpoints but the newest away."""

import argparse
import sys
from typing import Final

from backpack.cli.codes import FINE
from backpack.cli.console import Console
from backpack.cli.options import add_json_option, add_quiet_option, add_store_option, add_wait_option, whole_number
from backpack.cli.stores import opened
from backpack.memory import Memory
from backpack.terminal.words import count_of, printable

DESCRIPTION: Final = """\
Takes all checkpoints but the newest away that were made by checkpoint now or by
a memory. Entries stay; those that only an old checkpoint pinned may go with the
next backpack memory prune."""

_KEPT: Final = 50


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument(
        "--keep", metavar="N", type=whole_number, default=_KEPT, help=f"keep the newest N (default: {_KEPT})"
    )
    add_store_option(parser)
    add_wait_option(parser)
    add_quiet_option(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Prune and say what went; the exit code."""
    console = Console(sys.stdout)
    with opened(args, "rw") as bp:
        gone = Memory(bp).checkpoints.prune(args.keep)
    if args.as_json:
        console.document({"removed": gone})
    else:
        console.lines(printable(id) for id in gone)
        if not args.ids_only:
            console.line(f"removed {count_of(len(gone), 'checkpoint')}")
    return FINE
