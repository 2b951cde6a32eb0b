"""`backpack memory search QUERY`: the entries that fit, best first."""

import argparse
import sys
from typing import Final

from backpack.cli.codes import FINE
from backpack.cli.console import Console
from backpack.cli.entries import entry_facts
from backpack.cli.options import add_json_option, add_quiet_option, add_store_option, count_above_zero
from backpack.cli.stores import opened
from backpack.memory import Memory
from backpack.terminal.tables import WIDTH_MAX, table, terminal_width
from backpack.terminal.values import json_text
from backpack.terminal.words import shown

_DESCRIPTION: Final = """\
Looks through contents, titles, summaries and tags. All words of QUERY are
wanted; "..." are words in a row, wor* is how a word begins."""

_LIMIT: Final = 10
_INDENT: Final = 2


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the verb and add its options."""
    parser.description = _DESCRIPTION
    parser.add_argument("query", metavar="QUERY", nargs="+", help="what to look for")
    parser.add_argument(
        "-n", "--limit", metavar="N", type=count_above_zero, default=_LIMIT, help=f"so many at most (default: {_LIMIT})"
    )
    add_store_option(parser)
    add_quiet_option(parser)
    add_json_option(parser)
    parser.set_defaults(run_command=run)


def run(args: argparse.Namespace) -> int:
    """Print what was found; the exit code."""
    console = Console(sys.stdout)
    with opened(args) as bp:
        found = Memory(bp).search(" ".join(args.query), limit=args.limit)
    if args.as_json:
        facts = [
            {**entry_facts(one.entry), "chunk": one.chunk, "score": one.score, "snippet": one.snippet, "reference": ref}
            for one in found
            for ref in (one.reference,)
        ]
        console.line(json_text(facts, indent=_INDENT))
    elif args.ids_only:
        console.lines(one.id for one in found)
    elif found:
        width = terminal_width(elsewhere=WIDTH_MAX)
        rows = [[one.reference, shown(one.entry.title, width), shown(one.snippet, width)] for one in found]
        console.lines(table(["reference", "title", "found"], rows, width, right="reference", firm="found"))
    return FINE
