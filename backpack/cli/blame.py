"""`backpack blame KEY`: who set the present value."""

import argparse
import sys
from typing import Final

from backpack.cli.codes import FINE
from backpack.cli.commits import commit_facts, commit_lines
from backpack.cli.console import Console
from backpack.cli.options import add_json_option, add_store_option
from backpack.cli.stores import opened
from backpack.terminal.words import printable, size_shown

DESCRIPTION: Final = """\
The commit that set the present value of a key, however long ago."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("key", metavar="KEY", help="the key")
    add_store_option(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Print who set it; the exit code."""
    console = Console(sys.stdout)
    with opened(args) as bp:
        commit, item = bp.blame(args.key), bp.item(args.key)
        if args.as_json:
            facts = {"key": args.key, "version": item.version, "size": item.size, "is_large": item.is_large}
            console.document({**facts, "commit": commit_facts(commit)})
        else:
            about = f"{printable(args.key)}: version {item.version:,}, {size_shown(item.size)}"
            console.lines([about, *commit_lines(commit)])
    return FINE
