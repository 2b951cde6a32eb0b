"""`backpack memory prune`: take old entries out, from history too."""

import argparse
import sys
from typing import Final

from backpack.cli.codes import FINE
from backpack.cli.console import Console
from backpack.cli.options import (
    add_json_option,
    add_quiet_option,
    add_store_option,
    add_wait_option,
    days_from_zero,
    whole_number,
)
from backpack.cli.reports import report_facts
from backpack.cli.stores import opened
from backpack.memory import Memory
from backpack.terminal.words import printable, size_shown

DESCRIPTION: Final = """\
Takes the entries out that are older than --keep-days and not among the newest
--keep-entries, and that no checkpoint pins. Of an entry in chunks only the
content goes at first; its summary stays. What goes is gone from history and
from the disk. Waits for another writer, and then says who that is."""

_DAYS: Final = 7.0
_ENTRIES: Final = 500


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument(
        "--keep-days",
        metavar="N",
        type=days_from_zero,
        default=_DAYS,
        help=f"keep the last N days (default: {_DAYS:g})",
    )
    parser.add_argument(
        "--keep-entries",
        metavar="N",
        type=whole_number,
        default=_ENTRIES,
        help=f"keep the newest N entries (default: {_ENTRIES})",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would go, and change nothing")
    add_store_option(parser)
    add_wait_option(parser)
    add_quiet_option(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Prune and say what went; the exit code."""
    with opened(args, "r" if args.dry_run else "rw") as bp:
        report = Memory(bp).prune(args.keep_days, args.keep_entries, dry_run=args.dry_run)
    console = Console(sys.stdout)
    if args.as_json:
        console.document(report_facts(report))
        return FINE
    if args.ids_only:
        console.lines(id for id, _ in (*report.removed, *report.emptied))
        return FINE
    console.lines(f"{id}  removed  {printable(title)}" for id, title in report.removed)
    console.lines(f"{id}  emptied  {printable(title)}" for id, title in report.emptied)
    would = "would go" if report.dry_run else "went"
    count = len(report.removed)
    console.line(
        f"{count:,} {'entry' if count == 1 else 'entries'} {would}, of {len(report.emptied):,} the content; "
        f"{size_shown(report.freed_bytes)}"
    )
    return FINE
