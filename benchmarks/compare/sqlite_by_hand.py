"""The rival that anybody would write first on disk: two tables of sqlite3, one transaction a commit.

It is meant to be fast: the write-ahead log, one connection, statements that sqlite3 keeps prepared, values packed by
msgpack, no look at the value before. Versions are found by an index on key and commit.
"""

import sqlite3
import time
from pathlib import Path
from typing import Any, Literal

from benchmarks import harness


class SqliteByHand:
    """A versioned key-value store in a file."""

    def __init__(self, path: Path, synchronous: Literal["NORMAL", "FULL"]) -> None:
        """NORMAL survives the end of the process, FULL a power loss too."""
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._execute = self._connection.execute
        self._pack = harness.packing()
        self._execute("PRAGMA journal_mode=WAL")
        self._execute(f"PRAGMA synchronous={synchronous}")
        self._execute("CREATE TABLE commits (seq INTEGER PRIMARY KEY, time_ns INTEGER, node TEXT, message TEXT)")
        self._execute("CREATE TABLE versions (seq INTEGER, key TEXT, value BLOB)")
        self._execute("CREATE INDEX versions_of_key ON versions (key, seq)")
        self._seq = 0

    def pack(self, key: str, value: Any, *, node: str | None = None, message: str | None = None) -> int:
        """Set `key`; the number of the commit."""
        payload = self._pack(value)
        seq = self._seq = self._seq + 1
        execute = self._execute
        execute("BEGIN IMMEDIATE")
        execute("INSERT INTO commits VALUES (?, ?, ?, ?)", (seq, time.time_ns(), node, message))
        execute("INSERT INTO versions VALUES (?, ?, ?)", (seq, key, payload))
        execute("COMMIT")
        return seq

    def unpack(self, key: str, seq: int) -> Any:
        """The value as of a commit."""
        row = self._execute(
            "SELECT value FROM versions WHERE key = ? AND seq <= ? ORDER BY seq DESC LIMIT 1", (key, seq)
        ).fetchone()
        return None if row is None else harness.decode(row[0])

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()
