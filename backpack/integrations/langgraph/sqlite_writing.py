"""A new file as SqliteSaver makes it. It appears whole or not at all: everything goes into another one beside it first.

The tables are those of langgraph-checkpoint-sqlite; it adds to them what later releases of it need when it opens them.
"""

import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from backpack.errors import BackpackError, InvalidArgumentError, StorageError
from backpack.integrations.langgraph.sqlite_file import Address, CheckpointRow, WriteRow
from backpack.storage.held import Held

_TABLES: Final = """
    CREATE TABLE checkpoints (
        thread_id TEXT NOT NULL,
        checkpoint_ns TEXT NOT NULL DEFAULT '',
        checkpoint_id TEXT NOT NULL,
        parent_checkpoint_id TEXT,
        type TEXT,
        checkpoint BLOB,
        metadata BLOB,
        PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id)
    );
    CREATE TABLE writes (
        thread_id TEXT NOT NULL,
        checkpoint_ns TEXT NOT NULL DEFAULT '',
        checkpoint_id TEXT NOT NULL,
        task_id TEXT NOT NULL,
        task_path TEXT NOT NULL DEFAULT '',
        idx INTEGER NOT NULL,
        channel TEXT NOT NULL,
        type TEXT,
        value BLOB,
        PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id, idx)
    );
"""
_JOURNALS: Final = ("-wal", "-journal")
_NAME_SIZE: Final = 4


class SqliteWriter:
    """Rows into a file that is being made."""

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self._connection = connection
        self.path = path
        """Where the file stands for now."""
        connection.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {_TABLES}")
        connection.execute("BEGIN")

    def checkpoint(self, row: CheckpointRow) -> None:
        """Add a checkpoint."""
        address = row.address
        self._connection.execute(
            "INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?)",
            (address.thread, address.namespace, address.id, row.parent, row.type, row.data, row.metadata),
        )

    def writes(self, address: Address, rows: Iterable[WriteRow]) -> None:
        """Add the pending writes of a checkpoint."""
        names = (address.thread, address.namespace, address.id)
        self._connection.executemany(
            "INSERT INTO writes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            ((*names, row.task, row.task_path, row.index, row.channel, row.type, row.data) for row in rows),
        )

    def finish(self) -> None:
        """Everything is in, and can be read."""
        self._connection.execute("COMMIT")


def check_free(path: str, *, may_replace: bool) -> None:
    """`InvalidArgumentError` if a file can't be made there: there is one, or one that somebody has open."""
    if not path or "\0" in path:
        raise InvalidArgumentError(f"not a name of a file: {path!r}")
    if os.path.isdir(path):
        raise InvalidArgumentError(f"a folder, not a file: path={path!r}")
    if os.path.exists(path) and not may_replace:
        raise InvalidArgumentError(f"the file exists: {path!r}; name another, or replace it with --force")
    if os.path.exists(path) and not os.path.isfile(path):  # a rename would put a file in its place
        raise InvalidArgumentError(f"there is something that is no file: path={path!r}")
    for journal in _JOURNALS:
        if os.path.exists(path + journal):
            raise InvalidArgumentError(
                f"a journal lies beside the file: a program has it open, or died with it: path={path + journal!r}; "
                "close that, or name another file"
            )


@contextmanager
def written(path: str) -> Iterator[SqliteWriter]:
    """A writer whose file stands at the path, synced, after it finished. Whatever it replaces is there until then.

    `StorageError` when the disk refuses; then there is nothing.
    """
    temporary = f"{path}.{secrets.token_hex(_NAME_SIZE)}.tmp"
    reason = ""
    try:
        Held(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY).close()
        connection = sqlite3.connect(temporary, isolation_level=None, check_same_thread=False)
        try:
            yield SqliteWriter(connection, temporary)
        finally:
            connection.close()
        _publish(temporary, path)
    except BackpackError:
        raise
    except (sqlite3.Error, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
    finally:
        with suppress(FileNotFoundError):
            os.remove(temporary)
    if reason:
        raise StorageError(f"the file can't be written: {reason}: path={path!r}")


def _publish(temporary: str, path: str) -> None:
    for name, flags in ((temporary, os.O_RDONLY), (os.path.dirname(os.path.abspath(path)), os.O_RDONLY)):
        with Held(name, flags) as descriptor:
            os.fsync(descriptor)
        if name == temporary:
            os.replace(temporary, path)
