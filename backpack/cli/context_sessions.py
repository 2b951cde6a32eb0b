"""`backpack context sessions`: the sessions of the store, or one of them deleted."""

import argparse
import sys
from typing import Final

from backpack.cli.codes import FINE
from backpack.cli.commits import local
from backpack.cli.console import Console
from backpack.cli.options import add_json_option, add_quiet_option, add_store_option, add_wait_option
from backpack.cli.stores import opened
from backpack.context.cost import usd_text
from backpack.context.sessions import Sessions
from backpack.terminal.words import printable

DESCRIPTION: Final = """\
The sessions, the one that was active last first, with their counters; behind
them the conversations at keys of their own, for --key. -q prints the ids of
sessions. With --delete one is taken out; history still has it."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--delete", metavar="ID", help="take out the session of that id, or whose id begins so")
    add_wait_option(parser)
    add_store_option(parser)
    add_quiet_option(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Print the sessions; the exit code."""
    console = Console(sys.stdout)
    if args.delete is not None:
        with opened(args, "rw") as bp:
            sessions = Sessions(bp)
            id = sessions.whole_id(args.delete)
            sessions.delete(id)
        if args.as_json:
            console.document({"deleted": id})
        else:
            console.line(f"deleted {id}")
        return FINE
    with opened(args) as bp:
        sessions = Sessions(bp)
        found = sessions.list()
        others = [] if args.ids_only else sessions.others()
    if args.as_json:
        console.document([session.to_dict() for session in (*found, *others)])
    elif args.ids_only:
        console.lines(session.id for session in found)
    elif found or others:
        rows = [
            (
                one.id or one.key,
                printable(one.title),
                f"{one.messages:,}",
                f"{one.tokens:,}",
                usd_text(one.cost),
                f"{local(one.last_activity):%Y-%m-%d %H:%M}",
            )
            for one in (*found, *others)
        ]
        head = ("id or key", "title", "messages", "tokens", "cost", "active")
        console.table(head, rows, right="messages tokens cost", whole="id or key")
    return FINE
