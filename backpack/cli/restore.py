"""`backpack restore AT [KEY...]`: make the present equal an earlier state, by a commit of its own."""

import argparse
import sys
from typing import Final

from backpack.cli.addresses import seq_of
from backpack.cli.codes import FINE
from backpack.cli.commits import commit_facts
from backpack.cli.console import Console
from backpack.cli.options import AT_HELP, add_json_option, add_label_options, add_store_option, add_wait_option
from backpack.cli.stores import opened
from backpack.errors import KeyNotFoundError
from backpack.terminal.words import count_of, printable

DESCRIPTION: Final = f"""\
Makes the present, or the keys that are named, equal the state as of a commit,
with one new commit. Nothing is lost: to undo it, restore HEAD~1. Waits for
another writer, and then says who that is.

AT is {AT_HELP}."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("at", metavar="AT", help="which state")
    parser.add_argument("keys", metavar="KEY", nargs="*", help="only these keys")
    add_label_options(parser)
    add_store_option(parser)
    add_wait_option(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Restore and say what changed; the exit code."""
    console = Console(sys.stdout)
    with opened(args, "rw") as bp:
        seq = seq_of(bp, args.at, with_key="restore AT {key}")
        for key in args.keys:
            if not bp.version(key):
                raise KeyNotFoundError(f"no such key, now or ever: key={key!r}", key=key)
        message = f"restores commit {seq}" if args.message is None else args.message
        commit = bp.restore(seq, keys=args.keys or None, node=args.node, message=message, tags=args.tags)
    if args.as_json:
        facts = {"restored": seq, "commit": None if commit is None else commit_facts(commit)}
        console.document(facts)
    elif commit is None:
        console.line(f"nothing to do: it is as it was at commit {seq}")
    else:
        rows = [(printable(key), change.kind, str(change.version)) for key, change in commit.changes.items()]
        about = f"commit {commit.seq} {commit.id}: {count_of(len(rows), 'key')} as of commit {seq}"
        console.lines([about, ""])
        console.table(("key", "change", "version"), rows, right="version")
    return FINE
