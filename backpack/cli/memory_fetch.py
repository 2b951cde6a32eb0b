"""`backpack memory fetch ID`: an entry as it was logged, or a slice of it."""

import argparse
import base64
import os
import secrets
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, Final

from backpack.cli.codes import FINE
from backpack.cli.console import Console, OutputError
from backpack.cli.entries import entry_facts
from backpack.cli.options import add_json_option, add_store_option, whole_number
from backpack.cli.stores import opened
from backpack.errors import InvalidArgumentError
from backpack.memory import Memory
from backpack.memory.fetch import matching_lines
from backpack.memory.references import Reference, reference_of

DESCRIPTION: Final = """\
Without a slice the whole entry, byte for byte, however long it is. A slice is
refused when it is more than may go to a model at once: 2,000 lines, 64 KiB.

ID may be a reference with a slice: mem://ID#L10-40, ID#chunk=3, ID#bytes=0,100.
Chunks count from 0; lines from 1, and the last one is included."""

_USAGE: Final = """\
backpack memory fetch [options] ID
           [--summary-only | --chunk N | --lines A:B | --bytes O:L | --grep RE]"""

_NAME_SIZE: Final = 4
_JSON_SIZE_MAX: Final = 64 * 1024 * 1024
"""A JSON document is made as a whole."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.usage = _USAGE
    parser.add_argument("id", metavar="ID", help="the id of an entry, or a reference")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--summary-only", action="store_true", help="the summary; reads no content")
    group.add_argument("--chunk", metavar="N", type=whole_number, help="a chunk of a long entry, from 0 on")
    group.add_argument("--lines", metavar="A:B", type=lines_of, help="lines A to B, also A-B; A: goes on to the end")
    group.add_argument("--bytes", metavar="O:L", type=span_of, help="L bytes from offset O on")
    group.add_argument("--grep", metavar="RE", help="the lines in which a regular expression is found")
    parser.add_argument("--context", metavar="N", type=whole_number, default=0, help="lines around those of --grep")
    parser.add_argument("--output", metavar="FILE", help="into a file, which must not be there")
    parser.add_argument("--force", action="store_true", help="replace the file of --output")
    add_store_option(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Write the entry or the slice; the exit code."""
    reference = reference_of(args.id)
    if args.context and args.grep is None:
        raise InvalidArgumentError("--context goes with --grep")
    if args.output is not None and args.as_json:
        raise InvalidArgumentError("--output takes the content as it is: leave --json out")
    with opened(args) as bp:
        memory = Memory(bp)
        if args.as_json:
            Console(sys.stdout).document(_document(memory, reference, args))
        elif args.output is not None:
            memory.entry(reference)
            _write_file(args.output, _chunks(memory, reference, args), is_forced=args.force)
        else:
            write_out(_chunks(memory, reference, args))
    return FINE


def lines_of(text: str) -> tuple[int, int | None]:
    """`10:40`, `10-40`, `10:`, `10`: the first and the last line."""
    first, colon, last = text.partition(":" if ":" in text else "-")
    begin = whole_number(first or "1")
    end = begin if not colon else None if not last else whole_number(last)
    if begin < 1 or (end is not None and end < begin):
        raise argparse.ArgumentTypeError(f"not lines, counted from 1, such as 10:40 or 10: {text!a}")
    return begin, end


def span_of(text: str) -> tuple[int, int]:
    """`0:100`: an offset and a length."""
    offset, colon, length = text.partition(":")
    if not colon:
        raise argparse.ArgumentTypeError(f"not an offset and a length, such as 0:100: {text!a}")
    return whole_number(offset), whole_number(length)


def _is_slice(reference: Reference, args: argparse.Namespace) -> bool:
    options = (args.chunk, args.lines, args.bytes, args.grep)
    return reference.is_slice or args.summary_only or any(option is not None for option in options)


def _slice(memory: Memory, reference: Reference, args: argparse.Namespace) -> str | bytes:
    return memory.fetch(
        reference,
        lines=args.lines,
        bytes=args.bytes,
        chunk=args.chunk,
        pattern=args.grep,
        context_lines=args.context,
        summary_only=args.summary_only,
    )


def _chunks(memory: Memory, reference: Reference, args: argparse.Namespace) -> Iterable[bytes]:
    if not _is_slice(reference, args):
        return memory.iterate(reference)
    if args.grep is not None:
        return _found_lines(memory, reference, args)
    found = _slice(memory, reference, args)
    data = found if isinstance(found, bytes) else found.encode("utf-8", "surrogatepass")
    if args.summary_only and not data.endswith(b"\n"):
        data += b"\n"
    return (data,)


def _found_lines(memory: Memory, reference: Reference, args: argparse.Namespace) -> Iterator[bytes]:
    """As `grep -n` prints them: `12:` before a line in which the pattern is, `13-` before one around it, `--` where
    lines were left out."""
    before = None
    for number, is_match, line in matching_lines(memory, memory.entry(reference), args.grep, args.context):
        if args.context and before is not None and number > before + 1:
            yield b"--\n"
        yield f"{number}{':' if is_match else '-'}{line}\n".encode("utf-8", "surrogatepass")
        before = number


def _document(memory: Memory, reference: Reference, args: argparse.Namespace) -> dict[str, Any]:
    entry = memory.entry(reference)
    if _is_slice(reference, args):
        found = _slice(memory, reference, args)
    elif entry.size > _JSON_SIZE_MAX:
        raise InvalidArgumentError(f"too long for a JSON document: size={entry.size}; take it without --json")
    else:
        found = memory.read(reference)
    if isinstance(found, bytes):
        return {**entry_facts(entry), "content": None, "base64": base64.b64encode(found).decode("ascii")}
    return {**entry_facts(entry), "content": found, "base64": None}


def write_out(chunks: Iterable[bytes]) -> None:
    """Bytes to standard output, as they come."""
    _guarded(sys.stdout.flush)
    for chunk in chunks:
        _guarded(lambda data=chunk: sys.stdout.buffer.write(data))  # type: ignore[misc]
    _guarded(sys.stdout.buffer.flush)


def _guarded(act: Callable[[], object]) -> None:
    try:
        act()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"can't write: {error.strerror or error}") from None


def _write_file(name: str, chunks: Iterable[bytes], *, is_forced: bool) -> None:
    """The file, whole or not at all: it is written under another name first."""
    if "\0" in name or not name or os.path.isdir(name):
        raise InvalidArgumentError(f"not a name of a file: {name!r}")
    if not is_forced and os.path.lexists(name):
        raise InvalidArgumentError(f"the file exists: {name!r}; name another, or replace it with --force")
    if os.path.exists(name) and not os.path.isfile(name):  # a rename would put a file in its place
        raise InvalidArgumentError(f"there is something that is no file: {name!r}")
    temporary = f"{name}.{secrets.token_hex(_NAME_SIZE)}.tmp"
    with open(temporary, "xb") as file:
        try:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.replace(temporary, name)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
