"""`backpack context sessions`: the sessions of the store, or one of them deleted."""

import argparse
import sys
from typing import Final

from backpack.cli.codes import FINE
from backpack.cli.console import Console
from backpack.cli.options import add_json_option, add_quiet_option, add_store_option, add_wait_option
from backpack.cli.stores import opened
from backpack.context.cost import usd_text
from backpack.context.sessions import Sessions
from backpack.terminal.tables import WIDTH_MAX, table, terminal_width
from backpack.terminal.values import json_text
from backpack.terminal.words import printable

_DESCRIPTION: Final = """\
The sessions, the one that was active last first, with their counters; behind
them the conversations at keys of their own, for --key. -q prints the ids of
sessions. With --delete one is taken out; history still has it."""

_INDENT: Final = 2


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the verb and add its options."""
    parser.description = _DESCRIPTION
    parser.add_argument("--delete", metavar="ID", help="take out the session of that id, or whose id begins so")
    add_wait_option(parser)
    add_store_option(parser)
    add_quiet_option(parser)
    add_json_option(parser)
    parser.set_defaults(run_command=run)


def run(args: argparse.Namespace) -> int:
    """Print the sessions; the exit code."""
    console = Console(sys.stdout)
    if args.delete is not None:
        with opened(args, "rw") as bp:
            sessions = Sessions(bp)
            id = sessions.whole_id(args.delete)
            sessions.delete(id)
        console.line(json_text({"deleted": id}, indent=_INDENT) if args.as_json else f"deleted {id}")
        return FINE
    with opened(args) as bp:
        sessions = Sessions(bp)
        found = sessions.list()
        others = [] if args.ids_only else sessions.others()
    if args.as_json:
        console.line(json_text([session.to_dict() for session in (*found, *others)], indent=_INDENT))
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
                f"{one.last_activity:%Y-%m-%d %H:%M}",
            )
            for one in (*found, *others)
        ]
        head = ("id or key", "title", "messages", "tokens", "cost", "active")
        width = terminal_width(elsewhere=WIDTH_MAX)
        console.lines(table(head, rows, width, right="messages tokens cost", whole="id or key"))
    return FINE
