"""`backpack keys [PATTERN]`: the keys that have a value, and who set it when."""

import argparse
import sys
from typing import Any, Final

from backpack import Item, Snapshot
from backpack.cli.addresses import seq_of
from backpack.cli.codes import FINE, FOUND
from backpack.cli.commits import local
from backpack.cli.console import Console
from backpack.cli.options import AT_HELP, add_json_option, add_store_option
from backpack.cli.stores import opened
from backpack.terminal.words import printable, size_shown

DESCRIPTION: Final = f"""\
The keys that have a value, each with its version, its packed size, and the node
and the local time that set it. PATTERN leaves some out: `sales.*` is one level,
`sales.**` any depth.

AT is {AT_HELP}."""

_HEAD: Final = ("key", "version", "size", "node", "time")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("pattern", metavar="PATTERN", nargs="?", help="only the keys that fit")
    parser.add_argument("--at", metavar="AT", default="HEAD", help="as of which commit (default: HEAD)")
    add_store_option(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Print the keys; the exit code."""
    console = Console(sys.stdout)
    with opened(args) as bp:
        reads = None if args.pattern is None else [args.pattern]
        snapshot = bp.node("backpack keys", reads=reads).snapshot(seq_of(bp, args.at, with_key="keys {key}"))
        items = [snapshot.item(key) for key in snapshot]
        if args.as_json:
            console.document(_document(snapshot, items))
        elif items:
            console.table(_HEAD, [_row(item) for item in items], right="version size", firm="key")
        else:
            console.line("no keys")
    return FOUND if args.pattern is not None and not items else FINE


def _row(item: Item) -> tuple[str, ...]:
    time = "-" if item.time is None else f"{local(item.time):%Y-%m-%d %H:%M:%S}"
    return printable(item.key), f"{item.version:,}", size_shown(item.size), printable(item.node or "-"), time


def _document(snapshot: Snapshot, items: list[Item]) -> dict[str, Any]:
    return {
        "seq": snapshot.seq,
        "keys": {
            item.key: {
                "version": item.version,
                "size": item.size,
                "is_large": item.is_large,
                "node": item.node,
                "time": None if item.time is None else item.time.isoformat(),
                "commit": None if item.commit is None else {"seq": item.commit.seq, "id": item.commit.id},
            }
            for item in items
        },
    }
