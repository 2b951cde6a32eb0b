"""`backpack usage`: what memory and disk are spent on."""

import argparse
import sys
from dataclasses import fields
from typing import Any, Final

from backpack import Backpack
from backpack.cli.codes import FINE
from backpack.cli.console import Console
from backpack.cli.options import add_json_option, add_store_option
from backpack.cli.records import threads_of
from backpack.cli.stores import opened, path_of, size_on_disk
from backpack.terminal.tables import WIDTH_MAX, table, terminal_width
from backpack.terminal.values import json_text
from backpack.terminal.words import count_of, cut, printable, size_shown

_DESCRIPTION: Final = """\
The keys and commits of the store, its bytes on disk, the memory report of a
process that has it open, and the largest threads of LangGraph in it."""

_INDENT: Final = 2
_THREADS_SHOWN: Final = 20


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command and add its options."""
    parser.description = _DESCRIPTION
    add_store_option(parser)
    add_json_option(parser)
    parser.set_defaults(run_command=run)


def run(args: argparse.Namespace) -> int:
    """Print the report; the exit code."""
    console, path = Console(sys.stdout), path_of(args)
    with opened(args) as bp:
        size = size_on_disk(path)
        if args.as_json:
            console.line(json_text(_document(bp, path, size), indent=_INDENT))
            return FINE
        width = terminal_width(elsewhere=WIDTH_MAX)
        head = 0 if bp.head is None else bp.head.seq
        lines = [f"{name:<18}{value:>16}" for name, value in (("keys", f"{len(bp):,}"), ("commits", f"{head:,}"))]
        lines += [f"{'bytes on disk':<18}{size_shown(size):>16}", "", *str(bp.memory_usage()).splitlines()]
        if threads := threads_of(bp):
            lines += ["", *_thread_lines(threads, width)]
        console.lines(cut(printable(line), width) for line in lines)
    return FINE


def _thread_lines(threads: list[tuple[str, int, int, int]], width: int) -> list[str]:
    rows = [
        (printable(name), f"{checkpoints:,}", f"{writes:,}", size_shown(size))
        for name, checkpoints, writes, size in threads[:_THREADS_SHOWN]
    ]
    lines = table(("thread", "checkpoints", "writes", "size"), rows, width, right="checkpoints writes size")
    more = len(threads) - _THREADS_SHOWN
    return [*lines, f"... and {count_of(more, 'more thread')}"] if more > 0 else lines


def _document(bp: Backpack, path: str, size: int) -> dict[str, Any]:
    usage = bp.memory_usage()
    document: dict[str, Any] = {
        "store": path,
        "keys": len(bp),
        "head": 0 if bp.head is None else bp.head.seq,
        "checkpoints": {checkpoint.name: checkpoint.seq for checkpoint in bp.checkpoints()},
        "disk_bytes": size,
    }
    document |= {field.name: getattr(usage, field.name) for field in fields(usage)}
    document["largest_keys"] = [{"key": key, "history_bytes": size} for key, size in usage.largest_keys]
    document["threads"] = [
        {"thread": name, "checkpoints": checkpoints, "pending_writes": writes, "size": size}
        for name, checkpoints, writes, size in threads_of(bp)
    ]
    return document
