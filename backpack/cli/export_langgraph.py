"""`backpack export --langgraph-sqlite DB`: the threads of a store as a file that SqliteSaver reads."""

import argparse
import os
import sys

from backpack.cli.codes import FINE
from backpack.cli.console import Console
from backpack.cli.interruption import between_steps
from backpack.cli.progress import Steps
from backpack.cli.stores import opened
from backpack.errors import InvalidArgumentError
from backpack.integrations.langgraph.exporting import Exported, compare, export_threads
from backpack.integrations.langgraph.sqlite_file import opened as opened_file
from backpack.integrations.langgraph.sqlite_writing import check_free, written
from backpack.terminal.words import count_of, printable, size_shown


def run(args: argparse.Namespace) -> int:
    """Write the file and say what is in it; the exit code."""
    name = args.langgraph_sqlite
    if args.file is not None:
        raise InvalidArgumentError("one file at a time: FILE or --langgraph-sqlite DB")
    check_free(name, may_replace=args.force)
    exported = Exported()
    with opened(args) as bp, between_steps() as interruption, written(name) as writer:
        steps = Steps(sys.stderr, interruption.check, is_quiet=args.quiet)
        with steps:
            export_threads(bp, writer, exported, steps)
            if not exported.checkpoints:
                raise InvalidArgumentError("the store has no threads of LangGraph: nothing was exported")
            writer.finish()
            with opened_file(writer.path) as file:
                compare(file, bp, exported, steps)
    size = os.stat(name).st_size
    console = Console(sys.stdout)
    if args.as_json:
        facts = {"threads": exported.threads, "checkpoints": exported.checkpoints, "pending_writes": exported.writes}
        console.document({"file": name, "size": size, **facts})
    else:
        threads, checkpoints = count_of(exported.threads, "thread"), count_of(exported.checkpoints, "checkpoint")
        said = f"{threads}, {checkpoints}, {count_of(exported.writes, 'pending write')}, {size_shown(size)}"
        console.line(f"{said}: {printable(name)}")
    return FINE
