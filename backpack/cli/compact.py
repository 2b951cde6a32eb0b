"""`backpack compact`: gives back disk space that nothing needs, or that is no longer wanted."""

import argparse
import sys
from typing import Final

from backpack.cli.codes import FINE
from backpack.cli.console import Console
from backpack.cli.options import (
    add_json_option,
    add_store_option,
    add_wait_option,
    count_above_zero,
    days_of,
    given,
    size_of,
)
from backpack.cli.reports import needed, report_facts, report_lines
from backpack.cli.stores import opened

DESCRIPTION: Final = """\
Gives back disk space. Without --keep-... or --max-archive-size no commit is
lost; with them old commits go for good, in whole segments, but never the
newest, and never what a checkpoint shows. Look first with --dry-run. Waits for
another writer, and then says who that is."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--dry-run", action="store_true", help="say what would go, and change nothing")
    parser.add_argument("--keep-commits", metavar="N", type=count_above_zero, help="keep the newest N commits")
    parser.add_argument("--keep-days", metavar="N", type=days_of, help="keep the commits of the last N days")
    parser.add_argument(
        "--max-archive-size", metavar="SIZE", type=size_of, help="drop the oldest above this size, such as 100MiB"
    )
    add_store_option(parser)
    add_wait_option(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Compact and say what came of it; the exit code."""
    with opened(args, "rw") as bp:
        limits = given(args, "keep_commits", "keep_days", "max_archive_size")
        facts = report_facts(needed("compact", bp)(dry_run=args.dry_run, **limits))
    console = Console(sys.stdout)
    if args.as_json:
        console.document(facts)
    else:
        console.lines(report_lines(facts, console.width))
    return FINE
