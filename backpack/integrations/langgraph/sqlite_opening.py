"""Opening a SQLite file that others made and may still be writing, changing neither it nor its folder.

SQLite would make a `-shm` file where it finds none, even to read. So what lies beside a file says how it is opened:

    write-ahead log   shared memory   opened
    yes               yes             read only: others may have it open
    yes               no              without locks, the index of the log in memory: it was copied, or left behind
    no                                as a file that doesn't change; read only if it has a journal to roll back

In the last two nobody keeps a writer away; the file is looked at again in the end, and an error says that it changed.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import quote

from backpack.errors import BackpackError
from backpack.storage.held import Held

_MAGIC: Final = b"SQLite format 3\0"
_READING: Final = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""A pipe that nobody writes to is opened all the same, and has nothing in it."""

_SHARED: Final = "mode=ro"
_LEFT_BEHIND: Final = "mode=ro&vfs=unix-none"
_AT_REST: Final = "mode=ro&immutable=1"
FAILURES: Final = (sqlite3.Error, UnicodeError)
"""What reading a damaged file may raise."""


class SqliteFileError(BackpackError, ValueError):
    """A file that can't be read as one of SqliteSaver, or not as a whole. Facts: `path`."""

    path: str


def is_database(path: str) -> bool:
    """Does a file begin as a SQLite database does? Not what isn't there or can't be read."""
    try:
        if not os.path.isfile(path):  # a pipe would be waited for
            return False
        with open(path, "rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except (OSError, ValueError):
        return False


@contextmanager
def read_only(path: str) -> Iterator[sqlite3.Connection]:
    """A connection in one transaction: it sees the file as of now. `SqliteFileError` if there is no such file."""
    _require_database(path)
    before, how = _stamps(path), _way_in(path)
    connection, reason = _connected(path, how)
    if connection is None:
        raise SqliteFileError(f"the file can't be read: {reason}: path={path!r}", path=path)
    try:
        yield connection
    finally:
        connection.close()
    if how != _SHARED and _stamps(path) != before:
        raise SqliteFileError(f"somebody wrote to the file while it was read; try again: path={path!r}", path=path)


def size_with_log(path: str) -> int:
    """Bytes of the file and of the write-ahead log beside it."""
    return sum(_size(name) for name in (path, _log(path)))


def reason_of(error: Exception) -> str:
    """What SQLite says is wrong, without the value that it may repeat."""
    is_text = isinstance(error, UnicodeError) or "decode" in str(error)
    return "text that is not UTF-8" if is_text else str(error)


def _require_database(path: str) -> None:
    reason = ""
    try:
        with Held(path, _READING) as descriptor:
            head = os.read(descriptor, len(_MAGIC))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
    if reason:
        raise SqliteFileError(f"the file can't be read: {reason}: path={path!r}", path=path)
    if head != _MAGIC:
        raise SqliteFileError(f"not a SQLite database: path={path!r}", path=path)


def _way_in(path: str) -> str:
    if _size(_log(path)):
        return _SHARED if os.path.exists(f"{path}-shm") else _LEFT_BEHIND
    return _SHARED if os.path.exists(f"{path}-journal") else _AT_REST


def _connected(path: str, how: str) -> tuple[sqlite3.Connection | None, str]:
    """The connection, or why there is none."""
    connection = None
    try:
        connection = sqlite3.connect(
            f"file:{quote(os.path.abspath(path))}?{how}", uri=True, isolation_level=None, check_same_thread=False
        )
        if how == _LEFT_BEHIND:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN")
        connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchall()
    except FAILURES as error:
        if connection is not None:
            connection.close()
        return None, reason_of(error)
    return connection, ""


def _stamps(path: str) -> list[tuple[int, int] | None]:
    """What changes when somebody writes: length and time of the file, of its log, and whether anybody has it open."""
    found: list[tuple[int, int] | None] = []
    for name in (path, _log(path), f"{path}-shm", f"{path}-journal"):
        try:
            stat = os.stat(name)
        except OSError:
            found.append(None)
        else:
            found.append((stat.st_size, stat.st_mtime_ns))
    return found


def _log(path: str) -> str:
    return f"{path}-wal"


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
