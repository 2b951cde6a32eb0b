"""`backpack memory list`: the entries, newest first."""

import argparse
import sys
from typing import Final

from backpack.cli.codes import FINE
from backpack.cli.console import Console
from backpack.cli.entries import entry_facts, entry_lines
from backpack.cli.options import add_json_option, add_quiet_option, add_store_option, count_above_zero
from backpack.cli.stores import opened
from backpack.memory import Entry, Memory

DESCRIPTION: Final = """\
The entries that fit all that is asked for, newest first, those included that
were logged beside a process that writes and that it has not adopted yet."""

LIMIT_DEFAULT: Final = 50


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--type", metavar="TYPE", help="those of the type")
    parser.add_argument("--tag", metavar="TAG", help="those with the tag")
    parser.add_argument("--directory", metavar="DIR", help="those of the directory")
    parser.add_argument("--checkpoint", metavar="NAME", help="those of the checkpoint")
    add_limit_options(parser)
    add_store_option(parser)
    add_quiet_option(parser)
    add_json_option(parser)


def add_limit_options(parser: argparse.ArgumentParser) -> None:
    """`-n`, `--all`."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "-n",
        "--limit",
        metavar="N",
        type=count_above_zero,
        default=LIMIT_DEFAULT,
        help=f"so many at most (default: {LIMIT_DEFAULT})",
    )
    group.add_argument("--all", dest="limit", action="store_const", const=None, help="all of them")


def listed(memory: Memory, args: argparse.Namespace, limit: int | None) -> list[Entry]:
    """The entries that fit. Those of a checkpoint were logged with its name, or are among its references."""
    wanted = {"type": args.type, "tag": args.tag, "directory": args.directory, "checkpoint": args.checkpoint}
    return memory.list(**wanted, limit=limit)


def run(args: argparse.Namespace) -> int:
    """Print the entries; the exit code."""
    console = Console(sys.stdout)
    with opened(args) as bp:
        more = None if args.limit is None else args.limit + 1
        found = listed(Memory(bp), args, more)
    entries = found[: args.limit]
    if args.as_json:
        console.document([entry_facts(entry) for entry in entries])
    elif args.ids_only:
        console.lines(entry.id for entry in entries)
    elif entries:
        console.lines(entry_lines(entries, console.width))
    if len(found) > len(entries):
        Console(sys.stderr).line(f"backpack memory {args.verb}: note: there are more; see all with --all")
    return FINE
