"""`backpack load FILE`: a store of what `export` wrote."""

import argparse
import io
import sys
from typing import Final

from backpack import Backpack
from backpack.cli.codes import FINE
from backpack.cli.console import Console
from backpack.cli.keys import key_of
from backpack.cli.options import add_json_option, add_store_option
from backpack.cli.stores import path_of
from backpack.errors import InvalidArgumentError
from backpack.terminal.words import count_of, printable

DESCRIPTION: Final = """\
Makes a store of a file that `backpack export` or `Backpack.export` wrote: the
same history with the same ids, and it goes on from there. The folder of the
store must be missing or empty. FILE may be - for standard input."""

_STANDARD_INPUT: Final = "-"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("file", metavar="FILE", help="where from")
    add_store_option(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Make the store and say what is in it; the exit code."""
    path = path_of(args)
    if "\0" in args.file or not args.file:
        raise InvalidArgumentError(f"not a name of a file: {args.file!r}")
    file = _piped() if args.file == _STANDARD_INPUT else args.file
    key = key_of(args)
    with Backpack.load(file, key=key) as loaded, loaded.fork(path=path, key=key) as bp:
        head, keys = 0 if bp.head is None else bp.head.seq, len(bp)
    console = Console(sys.stdout)
    if args.as_json:
        console.document({"store": path, "head": head, "keys": keys})
    else:
        console.line(f"{count_of(head, 'commit')}, {count_of(keys, 'key')}: {printable(path)}")
    return FINE


def _piped() -> io.BytesIO:
    if sys.stdin is None:
        raise InvalidArgumentError("there is no standard input")
    return io.BytesIO(sys.stdin.buffer.read())
