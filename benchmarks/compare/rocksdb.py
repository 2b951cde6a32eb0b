"""RocksDB as a versioned store: one write batch a commit, through its log, not synced: it survives the end of the
process. A version stands under its key and commit, what is known of the commit under another prefix."""

import time
from importlib.metadata import version as version_of
from pathlib import Path
from struct import Struct
from typing import Any, Final

import msgpack

from benchmarks import harness

try:
    from rocksdict import Options, Rdict, WriteBatch
except ImportError:
    is_installed = False
else:
    is_installed = True

_SEQ: Final = Struct(">Q")


def installed_version() -> str:
    """The version of its Python binding, or `not installed`."""
    return version_of("rocksdict") if is_installed else "not installed"


class RocksDb:
    """A versioned key-value store in a folder."""

    def __init__(self, path: Path) -> None:
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        self._db = Rdict(str(path), options)
        self._pack = harness.packing()
        self._seq = 0

    def pack(self, key: str, value: Any, *, node: str | None = None, message: str | None = None) -> int:
        """Set `key`; the number of the commit."""
        payload = self._pack(value)
        self._seq += 1
        seq = _SEQ.pack(self._seq)
        batch = WriteBatch(raw_mode=True)
        batch.put(b"v" + key.encode() + b"\0" + seq, payload)
        batch.put(b"c" + seq, msgpack.packb((time.time_ns(), node, message)))
        self._db.write(batch)
        return self._seq

    def close(self) -> None:
        """Let go of the folder."""
        self._db.close()
