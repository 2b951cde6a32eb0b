"""`backpack memory search QUERY`: the entries that fit, best first."""

import argparse
import sys
from collections.abc import Sequence
from typing import Final

from backpack.cli.codes import FINE
from backpack.cli.console import Console
from backpack.cli.entries import entry_facts
from backpack.cli.options import add_json_option, add_quiet_option, add_store_option, count_above_zero
from backpack.cli.stores import opened
from backpack.memory import Memory
from backpack.memory.searching import Found
from backpack.terminal.tables import table, terminal_width
from backpack.terminal.words import around, columns_of, shown

DESCRIPTION: Final = """\
Looks through contents, titles, summaries and tags. All words of QUERY are
wanted; "..." are words in a row, wor* is how a word begins."""

_LIMIT: Final = 10
_UNCUT: Final = 1_000_000
"""Columns of what is no terminal."""
_GAPS: Final = 4
_TITLE_PART: Final = 3
"""A title gives way to what was found when it takes more than a third of what both have."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("query", metavar="QUERY", nargs="+", help="what to look for")
    parser.add_argument(
        "-n", "--limit", metavar="N", type=count_above_zero, default=_LIMIT, help=f"so many at most (default: {_LIMIT})"
    )
    add_store_option(parser)
    add_quiet_option(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Print what was found; the exit code."""
    console = Console(sys.stdout)
    with opened(args) as bp:
        found = Memory(bp).search(" ".join(args.query), limit=args.limit)
    if args.as_json:
        facts = [
            {
                **entry_facts(one.entry),
                "chunk": one.chunk,
                "line": one.line,
                "score": one.score,
                "snippet": one.snippet,
                "reference": one.reference,
            }
            for one in found
        ]
        console.document(facts)
    elif args.ids_only:
        console.lines(one.id for one in found)
    elif found:
        console.lines(_lines(found, terminal_width() if sys.stdout.isatty() else _UNCUT))
    return FINE


def _lines(found: Sequence[Found], width: int) -> list[str]:
    """A table. Of each passage that part is shown in which the words stand."""
    rest = width - max(len(one.reference) for one in found) - _GAPS
    titles = [shown(one.entry.title, rest // _TITLE_PART) for one in found]
    room = rest - max(map(columns_of, titles))
    rows = [
        [one.reference, title, around(one.snippet, one.match_at, room)]
        for one, title in zip(found, titles, strict=True)
    ]
    return table(["reference", "title", "found"], rows, width, whole="reference")
