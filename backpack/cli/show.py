"""`backpack show AT [KEY]`: a commit with its changes, or the value of a key as of then."""

import argparse
import sys
from collections.abc import Iterator
from typing import Any, Final

from backpack import Backpack, Commit
from backpack.cli.addresses import seq_of
from backpack.cli.codes import FINE, FOUND
from backpack.cli.commits import changes_named, commit_facts, commit_lines
from backpack.cli.console import Console
from backpack.cli.options import AT_HELP, add_json_option, add_store_option
from backpack.cli.reading import readable
from backpack.cli.records import told_lines, told_of, value_named
from backpack.cli.stores import opened
from backpack.errors import KeyNotFoundError
from backpack.terminal.tables import table
from backpack.terminal.values import as_json, value_lines
from backpack.terminal.words import printable, size_shown

DESCRIPTION: Final = f"""\
Without KEY: the commit and what it did to which keys; if it put a checkpoint
of LangGraph, the values of its channels too. With KEY: the value as of that
commit, whoever packed it: text as it is, all else as JSON. KEY may be a channel
of that checkpoint, or THREAD/CHANNEL. At a commit of writes it is what they
have for the channel, or else the value in the checkpoint they belong to.
Characters that mean something to a terminal are escaped; --json has every
value as it is.

AT is {AT_HELP}."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("at", metavar="AT", nargs="?", default="HEAD", help="which commit (default: HEAD)")
    parser.add_argument("key", metavar="KEY", nargs="?", help="the key whose value to show")
    add_store_option(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Print the commit or the value; the exit code."""
    console = Console(sys.stdout)
    with opened(args) as bp:
        seq = seq_of(bp, args.at)
        if args.key is not None:
            return _show_value(bp, seq, args.key, console, as_json_document=args.as_json)
        commit = bp.commit(seq)
        told = told_of(bp, commit)
        if args.as_json:
            record = {} if told is None else {"record": as_json(told.facts)[0]}
            console.document(commit_facts(commit) | record)
        else:
            console.lines(_lines(commit, console.width))
            if told is not None:
                console.lines(["", *told_lines(told, console.width)])
    return FINE


def _lines(commit: Commit, width: int) -> Iterator[str]:
    yield from commit_lines(commit)
    rows = [
        (printable(key), change.kind, str(change.version), size_shown(change.size))
        for key, change in commit.changes.items()
    ]
    yield ""
    yield from table(("key", "change", "version", "size"), rows, width, right="version size")
    if len(rows) > 1:
        yield changes_named(commit)


def _show_value(bp: Backpack, seq: int, key: str, console: Console, *, as_json_document: bool) -> int:
    snapshot = bp.snapshot(seq)
    if key not in snapshot:
        is_there, told = value_named(snapshot, key)
        if is_there:
            return _show_told(seq, key, told, console, as_json_document=as_json_document)
        raise KeyNotFoundError(f"no value at that commit: key={key!r} seq={seq}", key=key)
    item = snapshot.item(key)
    value, reason = readable(lambda: snapshot.unpack(key))
    if not as_json_document:
        console.lines([f"({reason})"] if reason else value_lines(value))
        return FOUND if reason else FINE
    plain, is_exact = as_json(value)
    document: dict[str, Any] = {
        "key": key,
        "seq": seq,
        "version": item.version,
        "size": item.size,
        "is_large": item.is_large,
        "commit": None if item.commit is None else commit_facts(item.commit),
        "value": plain,
        "is_exact": is_exact and not reason,
        "unavailable": reason,
    }
    console.document(document)
    return FOUND if reason else FINE


def _show_told(seq: int, name: str, value: Any, console: Console, *, as_json_document: bool) -> int:
    """A value in a record of an integration, which is no key."""
    if as_json_document:
        plain, is_exact = as_json(value)
        console.document({"key": name, "seq": seq, "value": plain, "is_exact": is_exact})
    else:
        console.lines(value_lines(value))
    return FINE
