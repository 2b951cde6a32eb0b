"""`backpack usage`: what memory and disk are spent on."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import fields
from typing import Any, Final, TypeVar

from backpack import Backpack
from backpack.cli.codes import FINE
from backpack.cli.console import Console
from backpack.cli.options import add_json_option, add_store_option
from backpack.cli.records import threads_of
from backpack.cli.stores import opened, path_of, size_on_disk
from backpack.errors import CorruptionError
from backpack.terminal.tables import table
from backpack.terminal.words import count_of, cut, printable, size_shown

DESCRIPTION: Final = """\
The keys and commits of the store, its bytes on disk, the memory report of a
process that has it open, and the largest threads of LangGraph in it. Of a
damaged store what can be told, then the error."""

Answer = TypeVar("Answer")
_THREADS_SHOWN: Final = 20


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_store_option(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Print the report; the exit code."""
    console, path = Console(sys.stdout), path_of(args)
    lost: list[CorruptionError] = []
    with opened(args) as bp:
        size = size_on_disk(path)
        if args.as_json:
            console.document(_document(bp, path, size, lost))
        else:
            width = console.width
            console.lines(cut(printable(line), width) for line in _lines(bp, size, width, lost))
    if lost:
        raise lost[0]
    return FINE


def _lines(bp: Backpack, size: int, width: int, lost: list[CorruptionError]) -> list[str]:
    keys, head = _told(lost, lambda: len(bp)), 0 if bp.head is None else bp.head.seq
    facts = (
        ("keys", "unknown" if keys is None else f"{keys:,}"),
        ("commits", f"{head:,}"),
        ("bytes on disk", size_shown(size)),
    )
    lines = [*[f"{name:<18}{value:>16}" for name, value in facts], "", *str(bp.memory_usage()).splitlines()]
    if threads := _told(lost, lambda: threads_of(bp)):
        lines += ["", *_thread_lines(threads, width)]
    return lines


def _told(lost: list[CorruptionError], ask: Callable[[], Answer]) -> Answer | None:
    """The answer; None where the store is too damaged to give it."""
    try:
        return ask()
    except CorruptionError as error:
        lost.append(error)
        return None


def _thread_lines(threads: list[tuple[str, int, int, int]], width: int) -> list[str]:
    rows = [
        (printable(name), f"{checkpoints:,}", f"{writes:,}", size_shown(size))
        for name, checkpoints, writes, size in threads[:_THREADS_SHOWN]
    ]
    lines = table(("thread", "checkpoints", "writes", "size"), rows, width, right="checkpoints writes size")
    more = len(threads) - _THREADS_SHOWN
    return [*lines, f"... and {count_of(more, 'more thread')}"] if more > 0 else lines


def _document(bp: Backpack, path: str, size: int, lost: list[CorruptionError]) -> dict[str, Any]:
    usage = bp.memory_usage()
    document: dict[str, Any] = {
        "store": path,
        "keys": _told(lost, lambda: len(bp)),
        "head": 0 if bp.head is None else bp.head.seq,
        "checkpoints": _told(lost, lambda: {checkpoint.name: checkpoint.seq for checkpoint in bp.checkpoints()}),
        "disk_bytes": size,
    }
    document |= {field.name: getattr(usage, field.name) for field in fields(usage)}
    document["largest_keys"] = [{"key": key, "history_bytes": size} for key, size in usage.largest_keys]
    threads = _told(lost, lambda: threads_of(bp))
    document["threads"] = threads and [
        {"thread": name, "checkpoints": checkpoints, "pending_writes": writes, "size": size}
        for name, checkpoints, writes, size in threads
    ]
    return document
