"""`backpack export FILE`: the whole store as one portable file."""

import argparse
import io
import sys
from importlib import import_module
from pathlib import Path
from typing import Final

from backpack.cli.codes import FINE
from backpack.cli.console import Console, OutputError
from backpack.cli.keys import key_of
from backpack.cli.options import add_json_option, add_store_option
from backpack.cli.stores import opened
from backpack.errors import InvalidArgumentError
from backpack.terminal.words import count_of, printable, size_shown

DESCRIPTION: Final = """\
Writes everything into one checksummed file, which Backpack.load reads. The file
appears whole or not at all; one that exists is replaced only with --force.
FILE may be - for standard output."""

_STANDARD_OUTPUT: Final = "-"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("file", metavar="FILE", nargs="?", help="where to")
    parser.add_argument(
        "--langgraph-sqlite", metavar="DB", help="instead of FILE: LangGraph's threads as a file that SqliteSaver reads"
    )
    parser.add_argument("--force", action="store_true", help="replace a file that exists")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress on standard error")
    add_store_option(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Write the file and say how large it is; the exit code."""
    if args.langgraph_sqlite is not None:
        return import_module("backpack.cli.export_langgraph").run(args)  # type: ignore[no-any-return]
    if args.file is None:
        raise InvalidArgumentError("where to? name a FILE, or --langgraph-sqlite DB")
    is_piped = args.file == _STANDARD_OUTPUT
    _check(args.file, is_piped=is_piped, is_forced=args.force, as_json=args.as_json)
    key = key_of(args)
    with opened(args) as bp:
        head = 0 if bp.head is None else bp.head.seq
        if is_piped:
            file = io.BytesIO()
            bp.export(file, key=key)
            _write(file.getbuffer())
            return FINE
        bp.export(args.file, key=key)
    size = Path(args.file).stat().st_size
    console = Console(sys.stdout)
    if args.as_json:
        console.document({"file": args.file, "size": size, "head": head})
    else:
        console.line(f"{count_of(head, 'commit')}, {size_shown(size)}: {printable(args.file)}")
    return FINE


def _check(name: str, *, is_piped: bool, is_forced: bool, as_json: bool) -> None:
    if is_piped:
        if as_json:
            raise InvalidArgumentError("standard output can be the file or the JSON document, not both")
        if sys.stdout.isatty():
            raise InvalidArgumentError("not to a terminal: the file is not text")
    elif "\0" in name or not name:
        raise InvalidArgumentError(f"not a name of a file: {name!r}")
    elif not is_forced and Path(name).exists():
        raise InvalidArgumentError(f"the file exists: {name!r}; name another, or replace it with --force")


def _write(data: memoryview) -> None:
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"can't write: {error.strerror or error}") from None
