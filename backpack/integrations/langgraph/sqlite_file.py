"""The rows of the file in which LangGraph's SqliteSaver keeps checkpoints.

It has two tables. A row of `checkpoints` is a whole checkpoint, channel values and all, in one blob of the serializer,
beside metadata as JSON; a row of `writes` is one pending write. A column of SQLite may hold a value of any type,
whatever it was declared as: each is checked before it is believed.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from backpack.integrations.langgraph.sqlite_opening import (
    FAILURES,
    SqliteFileError,
    read_only,
    reason_of,
    size_with_log,
)

_COLUMNS: Final = {
    "checkpoints": (
        "thread_id",
        "checkpoint_ns",
        "checkpoint_id",
        "parent_checkpoint_id",
        "type",
        "checkpoint",
        "metadata",
    ),
    "writes": ("thread_id", "checkpoint_ns", "checkpoint_id", "task_id", "idx", "channel", "type", "value"),
}
_TASK_PATH: Final = "task_path"
"""A column of `writes` that files from before it lack: SqliteSaver reads these as if it were empty."""


@dataclass(frozen=True, slots=True)
class Address:
    """What names a checkpoint."""

    thread: str
    namespace: str
    id: str

    def __str__(self) -> str:
        return f"thread={self.thread!r} namespace={self.namespace!r} checkpoint={self.id!r}"


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    """A row of `checkpoints`."""

    address: Address
    parent: str | None
    type: str
    data: bytes
    metadata: bytes
    """JSON."""


@dataclass(frozen=True, slots=True)
class WriteRow:
    """A row of `writes`, but for the checkpoint that it belongs to."""

    task: str
    task_path: str
    index: int
    channel: str
    type: str
    data: bytes


class SqliteFile:
    """What a file holds, as of when it was opened."""

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self._connection = connection
        self.path = path
        self._check_tables()
        self._task_path = _TASK_PATH if _TASK_PATH in self._columns("writes") else "''"
        self.size = size_with_log(path)
        """Bytes, the write-ahead log included."""
        self.thread_count = self._count("(SELECT DISTINCT thread_id FROM checkpoints)")
        self.checkpoint_count = self._count("checkpoints")
        self.write_count = self._count("writes")

    def threads(self) -> Iterator[str]:
        """The threads that have checkpoints, in order."""
        for (thread,) in self._rows("SELECT DISTINCT thread_id FROM checkpoints ORDER BY thread_id"):
            if type(thread) is not str:
                raise SqliteFileError(f"a thread whose id is no text: path={self.path!r}", path=self.path)
            yield thread

    def checkpoints(self, thread: str) -> Iterator[CheckpointRow]:
        """Those of a thread, in the order in which they were put. One is in memory at a time, and their numbers."""
        numbers = list(self._rows("SELECT rowid FROM checkpoints WHERE thread_id = ? ORDER BY rowid", (thread,)))
        query = (
            "SELECT thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata "
            "FROM checkpoints WHERE rowid = ?"
        )
        for number in numbers:
            for row in self._rows(query, number):
                yield self._checkpoint(*row)

    def writes(self, address: Address) -> list[WriteRow]:
        """The pending writes of a checkpoint, in the order in which they were put. Cost: a bisection, and its rows."""
        query = (
            f"SELECT task_id, {self._task_path}, idx, channel, type, value FROM writes "
            "WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ? ORDER BY rowid"
        )
        rows = self._rows(query, (address.thread, address.namespace, address.id))
        return [self._write(address, *row) for row in rows]

    def strays(self) -> Iterator[Address]:
        """Where there are writes and no checkpoint. Cost: a bisection for each write."""
        query = (
            "SELECT DISTINCT thread_id, checkpoint_ns, checkpoint_id FROM writes AS w WHERE NOT EXISTS (SELECT 1 FROM "
            "checkpoints AS c WHERE c.thread_id = w.thread_id AND c.checkpoint_ns = w.checkpoint_ns "
            "AND c.checkpoint_id = w.checkpoint_id)"
        )
        for row in self._rows(query):
            yield self._address(*row)

    def damaged(self, address: Address, reason: str) -> SqliteFileError:
        """The error of a row that is not what a SqliteSaver writes."""
        return SqliteFileError(f"a damaged row: {reason}: {address} path={self.path!r}", path=self.path)

    # -- rows --------------------------------------------------------------------------------------------------

    def _address(self, *names: Any) -> Address:
        if not all(type(name) is str for name in names):
            raise self.damaged(Address(*map(str, names)), "a name that is no text")
        return Address(*names)

    def _checkpoint(
        self, thread: Any, namespace: Any, name: Any, parent: Any, type_: Any, data: Any, metadata: Any
    ) -> CheckpointRow:
        address = self._address(thread, namespace, name)
        if metadata is None:  # SqliteSaver reads it as empty
            metadata = b"{}"
        elif type(metadata) is str:
            metadata = metadata.encode()
        self._require(address, (parent or "", str), (type_, str), (data, bytes), (metadata, bytes))
        return CheckpointRow(address, parent or None, type_, data, metadata)

    def _write(
        self, address: Address, task: Any, path: Any, index: Any, channel: Any, type_: Any, value: Any
    ) -> WriteRow:
        data = b"" if value is None and type_ == "null" else value
        self._require(address, (task, str), (path, str), (index, int), (channel, str), (type_, str), (data, bytes))
        return WriteRow(task, path, index, channel, type_, data)

    def _require(self, address: Address, *values: tuple[Any, type]) -> None:
        for value, kind in values:
            if type(value) is not kind:
                raise self.damaged(address, f"{type(value).__name__} in the place of {kind.__name__}")

    # -- SQLite ------------------------------------------------------------------------------------------------

    def _check_tables(self) -> None:
        for table, needed in _COLUMNS.items():
            columns = self._columns(table)
            if not columns:
                raise SqliteFileError(
                    f"not a file of a SqliteSaver: it has no table {table}: path={self.path!r}", path=self.path
                )
            if missing := [name for name in needed if name not in columns]:
                raise SqliteFileError(
                    f"a file of an older release of SqliteSaver, which the present one does not read either: table "
                    f"{table} has no column {missing[0]}: path={self.path!r}",
                    path=self.path,
                )
            listed = [row for row in self._rows(f"PRAGMA table_list({table})") if row[1] == table]
            if any(row[2] != "table" for row in listed):
                raise SqliteFileError(
                    f"not a file of a SqliteSaver: {table} is a {listed[0][2]}, not a table: path={self.path!r}",
                    path=self.path,
                )
            if any(row[4] for row in listed):
                raise SqliteFileError(
                    f"not a file of a SqliteSaver: table {table} is WITHOUT ROWID, so that nothing says in which order "
                    f"its rows were put: path={self.path!r}",
                    path=self.path,
                )

    def _columns(self, table: str) -> set[str]:
        return {row[1] for row in self._rows(f"PRAGMA table_info({table})")}

    def _count(self, table: str) -> int:
        (row,) = self._rows(f"SELECT COUNT(*) FROM {table}")
        return int(row[0])

    def _rows(self, query: str, parameters: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        reason = ""
        try:
            cursor = self._connection.execute(query, parameters)
            while row := cursor.fetchone():
                yield row
        except FAILURES as error:
            reason = reason_of(error)
        if reason:
            raise SqliteFileError(f"the file can't be read: {reason}: path={self.path!r}", path=self.path)


@contextmanager
def opened(path: str) -> Iterator[SqliteFile]:
    """The file, read only. `SqliteFileError` says what is wrong with one that no SqliteSaver of today reads."""
    with read_only(path) as connection:
        yield SqliteFile(connection, path)
