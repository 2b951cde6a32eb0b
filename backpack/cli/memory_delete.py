"""`backpack memory delete ID...`: take entries out."""

import argparse
import sys
from typing import Final

from backpack.cli.codes import FINE
from backpack.cli.console import Console
from backpack.cli.options import add_json_option, add_quiet_option, add_store_option, add_wait_option
from backpack.cli.stores import opened
from backpack.errors import InvalidArgumentError
from backpack.memory import Entry, Memory, reference_of
from backpack.terminal.words import printable

DESCRIPTION: Final = """\
Takes entries out, each with its content when no other entry has the same. If
one of them is not there, none goes. History still has them: backpack memory
prune takes old ones from there, too. Waits for another writer, and then says
who that is."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("ids", metavar="ID", nargs="+", help="the id of an entry, or a reference to all of it")
    add_store_option(parser)
    add_wait_option(parser)
    add_quiet_option(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Delete them and say what went; the exit code."""
    with opened(args, "rw") as bp:
        memory = Memory(bp)
        entries = {entry.id: entry for entry in (_entry(memory, id) for id in args.ids)}
        for entry in entries.values():
            memory.delete(entry)
    console = Console(sys.stdout)
    if args.as_json:
        console.document({"deleted": list(entries)})
    elif args.ids_only:
        console.lines(entries)
    else:
        console.lines(f"{entry.id}  deleted  {printable(entry.title)}" for entry in entries.values())
    return FINE


def _entry(memory: Memory, id: str) -> Entry:
    reference = reference_of(id)
    if reference.is_slice:
        raise InvalidArgumentError(f"an entry goes as a whole, no slice of it: {str(reference)!r}")
    return memory.entry(reference)
