"""`backpack log`: the commits, newest first, one a line, as they are read: the first lines come at once.

Of a damaged store all that can be read is printed before the error.
"""

import argparse
import sys
from collections.abc import Iterator
from typing import Final

from backpack import Backpack
from backpack.cli.addresses import first_behind, seq_of
from backpack.cli.codes import FINE
from backpack.cli.commits import commit_facts, commit_line
from backpack.cli.console import Console
from backpack.cli.options import AT_HELP, add_json_option, add_store_option, whole_number
from backpack.cli.stores import opened
from backpack.errors import BackpackError
from backpack.terminal.values import json_text

DESCRIPTION: Final = f"""\
The commits, newest first: seq, id, local time, node, packed size, and what the
commit says of itself or else the keys that it changed.

AT is {AT_HELP}."""

_LINES_AT_ONCE: Final = 64
_WITH_KEY: Final = "log --key {key}"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("-n", "--limit", metavar="N", type=whole_number, help="so many at most")
    parser.add_argument("--key", metavar="KEY", help="those that changed the key")
    parser.add_argument("--node", metavar="NODE", help="those by the node")
    parser.add_argument("--tag", metavar="TAG", help="those with the tag")
    parser.add_argument("--since", metavar="AT", help="those after AT, which is left out")
    parser.add_argument("--before", metavar="AT", help="those before AT, which is left out")
    add_store_option(parser)
    add_json_option(parser, "print a JSON document a line, one for each commit")


def run(args: argparse.Namespace) -> int:
    """Print the commits; the exit code."""
    console = Console(sys.stdout)
    with opened(args) as bp:
        lines = _lines(bp, args, console.width)
        batch: list[str] = []
        try:
            for line in lines:
                batch.append(line)
                if len(batch) == _LINES_AT_ONCE:
                    console.lines(batch)
                    batch = []
        except BackpackError:
            console.lines(batch)
            raise
        console.lines(batch)
    return FINE


def _lines(bp: Backpack, args: argparse.Namespace, width: int) -> Iterator[str]:
    before = None if args.before is None else first_behind(bp, args.before, with_key=_WITH_KEY)
    after = None if args.since is None else seq_of(bp, args.since, with_key=_WITH_KEY)
    commits = bp.history(args.key, node=args.node, tag=args.tag, before=before, after=after, limit=args.limit)
    seq_width = 0
    for commit in commits:
        seq_width = seq_width or len(str(commit.seq))
        yield json_text(commit_facts(commit)) if args.as_json else commit_line(commit, width, seq_width)
