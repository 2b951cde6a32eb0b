"""`backpack import FILE`: agent runs from a file into a store."""

import argparse
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from backpack import Backpack
from backpack.cli.codes import FINE, INTERRUPTED, code_of
from backpack.cli.console import Console
from backpack.cli.importing import Account, account_of, import_runs
from backpack.cli.interruption import between_steps
from backpack.cli.options import add_json_option, add_store_option, add_wait_option, pair_of
from backpack.cli.prefixes import below, prefixes_of, taken
from backpack.cli.progress import Progress
from backpack.cli.stores import opened, path_of, size_on_disk
from backpack.demo.inputs import STANDARD_INPUT, read_packed, read_runs
from backpack.demo.packed import Packed
from backpack.errors import BackpackError, InvalidArgumentError
from backpack.runs import Run, RunFileError
from backpack.terminal.words import count_of, printable, shown, size_shown

DESCRIPTION: Final = """\
Puts agent runs into a store. Every message becomes one commit by the node that
made it, tagged with the key prefix of its run, and is appended to the list at
PREFIX.messages. The prefix is the name that the file has for the run, or else
run-001, run-002... The store is made if it is not there. Waits for another
writer, and then says who that is."""

EPILOG: Final = """\
FILE holds OpenAI-style chat messages with tool calls and results, as JSON or
JSON Lines, plain or gzipped: a list of messages, an object with a list called
messages, history or traj, a list of these, or one of these (or one message) a
line. It is read as a whole before anything is imported.

DB is what SqliteSaver wrote; it is opened for reading only. Every thread,
checkpoint and pending write goes over as it is, and is compared afterwards.
What the store has already is left alone.

exit codes: 0 all is in, 2 bad input or usage, 3 the store failed,
130 interrupted. Whatever stops it, what is in by then stays in and is told."""

_KEY_SHOWN: Final = 60


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("file", metavar="FILE", nargs="?", help="the runs; - reads standard input")
    parser.add_argument(
        "--langgraph-sqlite", metavar="DB", help="instead of FILE: the threads in a file of LangGraph's SqliteSaver"
    )
    parser.add_argument(
        "--with",
        dest="packed",
        metavar="KEY=FILE",
        type=pair_of,
        action="append",
        default=[],
        help="pack the JSON of a file under a key, before the runs (repeatable)",
    )
    parser.add_argument("--prefix", metavar="KEY", help="put all runs below this key")
    parser.add_argument(
        "--state", action="store_true", help="keep turn, question, answer, pending calls and the last use of tools too"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress on standard error")
    add_store_option(parser)
    add_wait_option(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Import and say what is in; the exit code."""
    if args.langgraph_sqlite is not None:
        return import_module("backpack.cli.import_langgraph").run(args)  # type: ignore[no-any-return]
    if args.file is None:
        raise InvalidArgumentError("what to import? name a FILE of runs, or --langgraph-sqlite DB")
    path = path_of(args)
    try:
        runs, packed, account = _prepared(args)
        with between_steps() as interruption:
            size_before = size_on_disk(path)
            progress = Progress(sys.stderr, "messages", is_quiet=args.quiet)
            reason, code = "", FINE
            try:
                with opened(args, "rw", may_create=True, check=interruption.check) as bp:
                    _check_free(bp, account, args.prefix)
                    import_runs(bp, runs, packed, account, interruption, progress, with_state=args.state)
            except BackpackError as error:
                reason, code = str(error), code_of(error)
            except KeyboardInterrupt:
                reason, code = "interrupted", INTERRUPTED
            finally:
                progress.end()
    except RunFileError as error:
        raise RunFileError(f"{error}; nothing was imported") from None
    if reason:
        told = f"backpack import: error: {printable(reason)}; {_left(account)}"
        Console(sys.stderr).line(told)
    size = size_on_disk(path) - size_before
    console = Console(sys.stdout)
    if args.as_json:
        console.document(_document(account, path, size))
    elif not reason:
        console.lines(_summary(account, path, size))
    return code


def _prepared(args: argparse.Namespace) -> tuple[list[Run], Packed, Account]:
    """Everything that is read, and nothing of it imported."""
    keys = [key for key, _ in args.packed]
    if [args.file, *(name for _, name in args.packed)].count(STANDARD_INPUT) > 1:
        raise InvalidArgumentError("standard input can be read once, not twice")
    for key in keys:
        option = f"--with {shown(key, _KEY_SHOWN)}="
        if keys.count(key) > 1:
            raise InvalidArgumentError(f"{option}: the key is given twice")
        try:
            Backpack().pack(key, None)
        except BackpackError as error:
            raise InvalidArgumentError(f"{option}: {error}") from None
    runs = read_runs(args.file)
    prefixes = prefixes_of(runs)
    if args.prefix is not None:
        prefixes = below(args.prefix, prefixes)
    for key in keys:
        if any(key.startswith(f"{prefix}.") for prefix in prefixes):
            raise InvalidArgumentError(f"--with {shown(key, _KEY_SHOWN)}=: the runs are imported below that key")
    return runs, read_packed(args.packed), account_of(runs, prefixes)


def _check_free(bp: Backpack, account: Account, parent: str | None) -> None:
    there = taken(bp, (run.prefix for run in account.runs))
    if there is not None:
        other = "another --prefix" if parent else "--prefix KEY"
        raise InvalidArgumentError(
            f"the store has a run there already: key={there!r}; put these elsewhere with {other}"
        )


# -- what is in ------------------------------------------------------------------------------------------------


def _left(account: Account) -> str:
    """What stayed in when something went wrong, in words."""
    if not account.commits:
        return "nothing was imported"
    packed = [f"{count_of(len(account.packed), 'packed key')}"] if account.packed else []
    runs = [f"{account.whole:,} of {count_of(len(account.runs), 'run')}"]
    parts = [
        f"{run.imported:,} of {count_of(run.messages, 'message')} of {printable(run.prefix)}"
        for run in account.runs
        if run.imported and not run.is_whole
    ]
    return "imported before: " + ", ".join([*packed, *runs, *parts])


def _summary(account: Account, path: str, size: int) -> list[str]:
    runs, messages = count_of(len(account.runs), "run"), count_of(account.messages, "message")
    first, last = account.runs[0].prefix, account.runs[-1].prefix
    named = f"{first}.messages" + (f" ... {last}.messages" if len(account.runs) > 1 else "")
    lines = [
        f"imported {runs}, {messages}, in {count_of(account.commits, 'commit')}: {printable(str(Path(path)))}",
        f"keys     {printable(named)}",
        f"JSON     {size_shown(account.json_bytes)}",
    ]
    grown = f"on disk  {size_shown(max(0, size))}"
    return [*lines, f"{grown}, {account.json_bytes / size:.1f} times less" if 0 < size < account.json_bytes else grown]


def _document(account: Account, path: str, size: int) -> dict[str, Any]:
    return {
        "store": path,
        "complete": account.is_complete,
        "runs": account.whole,
        "messages": account.messages,
        "commits": account.commits,
        "packed": account.packed,
        "json_bytes": account.json_bytes,
        "disk_bytes": size,
        "ratio": round(account.json_bytes / size, 3) if size > 0 else None,
        "imported": [
            {"name": run.name, "prefix": run.prefix, "messages": run.messages, "imported": run.imported}
            for run in account.runs
        ],
    }
