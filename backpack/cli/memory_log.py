"""`backpack memory log`: a text, a file or what is piped in becomes an entry, whoever else writes to the store."""

import argparse
import os
import sys
import time
from io import BufferedReader
from pathlib import Path
from typing import Any, Final, cast

import backpack
from backpack.cli.codes import FINE
from backpack.cli.console import Console
from backpack.cli.entries import entry_facts
from backpack.cli.keys import key_of
from backpack.cli.options import add_json_option, add_quiet_option, add_store_option, add_wait_option
from backpack.cli.stores import is_store, path_of, tell_made, tell_note
from backpack.errors import InvalidArgumentError, StoreLockedError
from backpack.memory import log_beside
from backpack.terminal.words import count_of, printable

DESCRIPTION: Final = """\
A text, a file, or with --stdin what is piped in, as it comes and however long
it is; --stdin may be left out for a -:

    pytest 2>&1 | backpack memory log --stdin --tag pytest

It prints the id, the tokens and the chunks. The entry is put into the inbox of
the store, so it works beside a process that writes, and survives a power loss
when this ends. Readers see it at once; it becomes a commit at once when nobody
writes to the store, else when that process looks for it or ends. A store that
is not there is made, which is told on standard error."""

_STEP_S: Final = 0.05
_FIRST_SIZE: Final = 64 * 1024
_NAME_MAX: Final = 4_096
"""Bytes of a path, at most."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("text", metavar="TEXT", nargs="?", help="what to log; - is standard input")
    parser.add_argument("--file", metavar="FILE", help="log what stands in a file; - is standard input")
    parser.add_argument("--stdin", action="store_true", help="log what is piped in")
    parser.add_argument("--type", metavar="TYPE", default="output", help="what it is (default: output)")
    parser.add_argument("--tag", metavar="TAG", dest="tags", action="append", default=[], help="a tag (repeatable)")
    parser.add_argument("--title", metavar="TITLE", help="a title (default: its first line)")
    parser.add_argument("--summary", metavar="TEXT", help="a summary (default: an extract, which says that it is one)")
    parser.add_argument("--checkpoint", metavar="NAME", help="the checkpoint that it belongs to")
    parser.add_argument("--directory", metavar="DIR", help="the directory that it belongs to")
    add_store_option(parser)
    add_wait_option(parser)
    add_quiet_option(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Log it and say what it is now; the exit code."""
    content = _content(args)
    path, key = path_of(args), key_of(args)
    _make(args, path, key)
    entry = log_beside(
        path,
        content,
        key=key,
        type=args.type,
        tags=args.tags,
        title=args.title,
        summary=args.summary,
        checkpoint=args.checkpoint,
        directory=args.directory,
    )
    _adopt(path, key)
    console = Console(sys.stdout)
    if args.as_json:
        console.document(entry_facts(entry))
    elif args.ids_only:
        console.line(entry.id)
    else:
        console.line(f"{entry.id}  {count_of(entry.tokens, 'token')}  {count_of(entry.chunk_count, 'chunk')}")
    return FINE


class _Piped:
    """What is piped in, taken as it comes: a read that waits for all it asked for would not notice a Ctrl-C between two
    parts of it."""

    def __init__(self, stream: BufferedReader) -> None:
        """`InvalidArgumentError` when nothing comes."""
        self._stream = stream
        self._first: bytes = self._stream.read1(_FIRST_SIZE)
        if not self._first:
            raise InvalidArgumentError("nothing was piped in, so there is nothing to log")

    def read(self, size: int) -> bytes:
        """Some bytes, at most so many; none at the end."""
        found, self._first = self._first, b""
        return found or self._stream.read1(size)


def _content(args: argparse.Namespace) -> Any:
    if sum((args.text is not None, args.file is not None, args.stdin)) != 1:
        raise InvalidArgumentError("say what to log: a text, or --file FILE, or --stdin")
    if args.text is not None and args.text != "-":
        _hint(args)
        return args.text
    if args.stdin or "-" in (args.file, args.text):
        if sys.stdin is None:
            raise InvalidArgumentError("there is no standard input")
        return _Piped(cast(BufferedReader, sys.stdin.buffer))
    path = Path(args.file)
    if not args.file or "\0" in args.file or not path.exists() or path.is_dir():
        raise InvalidArgumentError(f"there is no such file: {args.file!r}")
    return path


def _hint(args: argparse.Namespace) -> None:
    """Say so when a text is the name of a file, which somebody may have meant."""
    text = args.text
    if 0 < len(text) <= _NAME_MAX and "\0" not in text and os.path.isfile(text):
        tell_note(args, f"this logs the name, not the file: for what is in it say --file {printable(text)}")


def _make(args: argparse.Namespace, path: str, key: bytes | None) -> None:
    """Have a store there. Several may be at that: who is late waits for the first."""
    end = time.monotonic() + args.wait
    while not is_store(path):
        try:
            backpack.open(path, key=key).close()
            tell_made(args, path)
        except StoreLockedError:
            if time.monotonic() >= end:
                raise
            time.sleep(_STEP_S)


def _adopt(path: str, key: bytes | None) -> None:
    """Have it committed now if nobody else writes: opening for writing adopts what is in the inbox."""
    try:
        bp = backpack.open(path, key=key)
    except StoreLockedError:
        return
    bp.close()
