"""The files that a user names: their bytes, their runs, the values that are packed first."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Final

from backpack.demo.packed import Packed
from backpack.runs import Run, RunFileError, parse_runs, parse_value
from backpack.runs.unzipping import FILE_SIZE_MAX
from backpack.terminal.words import printable

STANDARD_INPUT: Final = "-"
_SQLITE: Final = b"SQLite format 3\0"
_PART_SIZE: Final = 1024 * 1024


def read_runs(name: str) -> list[Run]:
    """The runs in a file, or in standard input for `-`; `RunFileError` names the file, the line and the reason."""
    try:
        return parse_runs(_read(name))
    except RunFileError as error:
        raise error.in_file(file_shown(name)) from None
    except MemoryError:
        raise RunFileError("too large for the memory of this machine", file=file_shown(name)) from None


def read_packed(pairs: Iterable[tuple[str, str]]) -> Packed:
    """The values of `--with KEY=FILE`, by key; errors as in `read_runs`."""
    packed = Packed()
    for key, name in pairs:
        try:
            packed[key] = parse_value(_read(name))
        except RunFileError as error:
            raise error.in_file(file_shown(name)) from None
        except MemoryError:
            raise RunFileError("too large for the memory of this machine", file=file_shown(name)) from None
    return packed


def file_shown(name: str) -> str:
    """The name of a file as it stands in messages: one line, whatever is in it."""
    return "standard input" if name == STANDARD_INPUT else printable(name)


def _read(name: str) -> bytes:
    try:
        if name == STANDARD_INPUT:
            if sys.stdin is None:
                raise RunFileError("there is none")
            return _read_from(sys.stdin.buffer)
        with Path(name).open("rb") as file:
            return _read_from(file)
    except (OSError, ValueError) as error:
        if isinstance(error, RunFileError):
            raise
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise RunFileError(f"can't be read: {reason}") from None


def _read_from(file: BinaryIO) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := file.read(_PART_SIZE):
        if not parts and part.startswith(_SQLITE):
            raise RunFileError("a SQLite database; what a SqliteSaver of LangGraph wrote needs --langgraph-sqlite DB")
        parts.append(part)
        size += len(part)
        if size > FILE_SIZE_MAX:
            raise RunFileError(f"larger than {FILE_SIZE_MAX:,} bytes: split it")
    return b"".join(parts)
