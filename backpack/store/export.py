"""The file of an export: a whole store in one portable file, checksummed and versioned.

    file   = magic (8 bytes), version (u16), size (u64), digest (32 bytes), body       numbers big-endian
    digest = BLAKE2b over magic, version, size and body
    body   = msgpack map: the fields of `core.fields`, and last `data`, a list of bytes

The size is held against that of the file before anything is read, the digest against the body before anything is
decoded, and the count of objects against the size before any is made. A digest is no signature: whoever can write the
file can make one that fits, so every field is proved again on the way in, and whatever is wrong is `CorruptionError`.

A path is published atomically: a temporary file beside it, all bytes, fsync, rename, fsync of the folder. Until the
rename the old file is untouched. The body is in memory as a whole, writing and reading.
"""

import errno
import io
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import astuple
from struct import Struct
from typing import Any, BinaryIO, Final

from msgpack import Packer, unpackb

from backpack.codec import check_payload
from backpack.core.describing import describe
from backpack.core.engine import Engine
from backpack.core.fields import Fields
from backpack.core.freezing import Image
from backpack.core.limits import Limits
from backpack.core.rebuilding import joined_size, rebuild
from backpack.errors import CorruptionError, DiskFullError, InvalidArgumentError, StorageError, StoreNotFoundError
from backpack.hashing import blake2b
from backpack.limits import MIB
from backpack.storage.held import Held
from backpack.storage.protocol import is_name
from backpack.store.records import File

MAGIC: Final = b"\x89BKPACK\n"
FORMAT_VERSION: Final = 1
FILES_VERSION: Final = 2
"""Of an export that carries the files of an opened store."""
HEADER: Final = Struct(">8sHQ32s")
_UNSIGNED: Final = Struct(">8sHQ")

_CHUNK_SIZE: Final = 4 * MIB
"""Data is packed, read and written in steps of this size."""

_BYTES_A_NODE: Final = 4
_NODES_FREE: Final = 10_000
"""Objects that a body of any size may hold; beyond them it needs four bytes for each. Ours needs six at least."""

_CHECK_FACTOR: Final = 16
"""`Engine.check` copies each version of a long value, as does nothing else here: it is run as long as that stays below
so many times the file (and 64 MiB). Beyond, the proofs of `core.rebuilding` stand alone."""

_FULL: Final = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})

_Parts = list[bytes]


# -- writing -----------------------------------------------------------------------------------------------------


def write_export(image: Image, file: File) -> None:
    """Write everything. `StorageError` or `DiskFullError` when the disk refuses; then an old file at a path is there
    still."""
    _write(_encoded(image), file)


def write_files(limits: Limits, files: Iterable[tuple[str, bytes]], file: File) -> None:
    """Write the files of a whole store, as `write_export` does an engine."""
    packer = Packer()
    body: _Parts = [packer.pack_map_header(2), packer.pack("limits") + packer.pack(list(astuple(limits)))]
    listed = list(files)
    body.append(packer.pack("files") + packer.pack_array_header(len(listed)))
    for name, data in listed:
        chunks = [data[at : at + _CHUNK_SIZE] for at in range(0, len(data), _CHUNK_SIZE)]
        body.append(packer.pack_array_header(2) + packer.pack(name) + packer.pack_array_header(len(chunks)))
        body += [packer.pack(chunk) for chunk in chunks]
    size = sum(map(len, body))
    _write([HEADER.pack(MAGIC, FILES_VERSION, size, _digest(FILES_VERSION, size, body)), *body], file)


def _write(parts: _Parts, file: File) -> None:
    if isinstance(file, str | os.PathLike):
        _publish(_path_of(file), parts)
        return
    if isinstance(file, io.TextIOBase) or not callable(getattr(file, "write", None)):
        raise InvalidArgumentError(f"an export goes to a path or a file open for bytes, not to {type(file).__name__}")
    fault: OSError | None = None
    try:
        for part in parts:
            _write_to(file, part)
    except OSError as error:
        fault = error
    if fault is not None:
        raise _storage_error("the export could not be written", fault)


def _encoded(image: Image) -> _Parts:
    fields, data = describe(image)
    packer = Packer(unicode_errors="surrogatepass")
    body: _Parts = [packer.pack_map_header(len(fields) + 1)]
    for name, field in fields.items():
        body.append(packer.pack(name) + packer.pack(field))
    chunks = [packer.pack(chunk) for chunk in _chunks(data)]
    body.append(packer.pack("data") + packer.pack_array_header(len(chunks)))
    body += chunks
    size = sum(map(len, body))
    return [HEADER.pack(MAGIC, FORMAT_VERSION, size, _digest(FORMAT_VERSION, size, body)), *body]


def _chunks(data: Iterator[bytes]) -> Iterator[bytes]:
    """The data, cut anew: few chunks, none so long that msgpack has no form for it."""
    waiting: _Parts = []
    size = 0
    for part in data:
        waiting.append(part)
        size += len(part)
        if size >= _CHUNK_SIZE:
            joined = b"".join(waiting)
            yield from (joined[at : at + _CHUNK_SIZE] for at in range(0, size, _CHUNK_SIZE))
            waiting, size = [], 0
    if size:
        yield b"".join(waiting)


def _digest(version: int, size: int, body: _Parts) -> bytes:
    digest = blake2b(_UNSIGNED.pack(MAGIC, version, size), digest_size=32)
    for part in body:
        digest.update(part)
    return digest.digest()


def _publish(path: str, parts: _Parts) -> None:
    folder = os.path.dirname(path) or os.curdir
    temporary = os.path.join(folder, f".backpack-export-{os.urandom(8).hex()}")
    fault: OSError | None = None
    try:
        _refuse_special(path)
        _write_new(temporary, parts)
        os.replace(temporary, path)
        _sync_folder(folder)
    except OSError as error:
        fault = error
    finally:
        with suppress(OSError):  # not there once it was renamed
            os.unlink(temporary)
    if fault is not None:
        raise _storage_error("the export could not be written", fault, path)


def _refuse_special(path: str) -> None:
    """A rename would put a file in the place of a device or a pipe."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode) and not stat.S_ISLNK(mode):
        raise OSError(errno.EINVAL, "there is something that is no file")


def _write_new(path: str, parts: _Parts) -> None:
    """A new file with these bytes, synced."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with Held(path, flags | _flags("O_CLOEXEC", "O_NOFOLLOW", "O_BINARY")) as descriptor:
        if hasattr(os, "fchmod"):
            os.fchmod(descriptor, 0o600)
        for part in parts:
            view = memoryview(part)
            while len(view):
                view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)


def _sync_folder(folder: str) -> None:
    if os.name == "nt":
        return  # there a folder can't be opened, and a rename needs no sync
    with Held(folder, os.O_RDONLY | _flags("O_CLOEXEC", "O_DIRECTORY")) as descriptor:
        os.fsync(descriptor)


def _write_to(file: BinaryIO, part: bytes) -> None:
    view = memoryview(part)
    while len(view):
        count = file.write(view[:_CHUNK_SIZE])
        if type(count) is not int or not 0 < count <= len(view):
            raise OSError(errno.EIO, "the file took nothing")
        view = view[count:]


# -- reading -----------------------------------------------------------------------------------------------------


def read_export(file: File, secret: bytes) -> tuple[Engine, int] | tuple[Limits, dict[str, bytes]]:
    """The engine of an export, whose next commits get ids of an epoch with that secret, and its last time; or the
    limits and the files of an opened store.

    `StoreNotFoundError` for a path where nothing is, `CorruptionError` for bytes that are no whole export,
    `StorageError` when the disk refuses. Nothing may follow the export, in a file or in something open.
    """
    if isinstance(file, str | os.PathLike):
        path = _path_of(file)
        version, body = _read_path(path)
    elif isinstance(file, io.TextIOBase) or not callable(getattr(file, "read", None)):
        raise InvalidArgumentError(f"an export is read from a path or a file open for bytes, not {type(file).__name__}")
    else:
        path = None
        version, body = _read_open(file)
    return _decoded(body, secret, path) if version == FORMAT_VERSION else _decoded_files(body, path)


def _read_path(path: str) -> tuple[int, bytes]:
    fault: OSError | None = None
    try:
        with Held(path, os.O_RDONLY | _flags("O_CLOEXEC", "O_NONBLOCK", "O_BINARY")) as descriptor:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "it is no file")
            with open(descriptor, "rb", closefd=False) as opened:
                return _read(opened, path, status.st_size)
    except OSError as error:
        fault = error
    if isinstance(fault, FileNotFoundError | NotADirectoryError):
        raise StoreNotFoundError(f"there is no export: file={path!r}")
    raise _storage_error("the export could not be read", fault, path)


def _read_open(file: BinaryIO) -> tuple[int, bytes]:
    fault: OSError | None = None
    try:
        return _read(file, None, None)
    except OSError as error:
        fault = error
    raise _storage_error("the export could not be read", fault)


def _read(file: BinaryIO, path: str | None, file_size: int | None) -> tuple[int, bytes]:
    """The version, and the body as it was written. `file_size`: that of a file, held against the header at once."""
    head = b"".join(_read_parts(file, HEADER.size))
    if not head.startswith(MAGIC[: len(head)]) or not head:
        raise _damaged("this is no export of a backpack", path, 0)
    if len(head) < HEADER.size:
        raise _damaged("the export is cut short", path, len(head))
    _, version, size, digest = HEADER.unpack(head)
    if version not in (FORMAT_VERSION, FILES_VERSION):
        raise _damaged(
            f"the export has a format that this version of backpack does not read: version={version} "
            f"known={FILES_VERSION}; a newer backpack may, unless the file is damaged",
            path,
            len(MAGIC),
        )
    if file_size is not None and file_size != HEADER.size + size:
        what = "is cut short" if file_size < HEADER.size + size else "goes on behind its end"
        raise _damaged(f"the export {what}: size={file_size} expected={HEADER.size + size}", path, file_size)
    body = b"".join(_read_parts(file, size))
    if len(body) != size:
        raise _damaged(f"the export is cut short: expected={HEADER.size + size}", path, HEADER.size + len(body))
    if _digest(version, size, [body]) != digest:
        raise _damaged("the export is damaged: its checksum does not match", path, HEADER.size)
    if any(_read_parts(file, 1)):
        raise _damaged("the export goes on behind its end", path, HEADER.size + size)
    return version, body


def _read_parts(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Up to so many bytes, in steps: what a lying size asks for is not there to be read."""
    while size:
        part = file.read(min(size, _CHUNK_SIZE))
        if part is None:
            raise OSError(errno.EAGAIN, "the file has nothing yet")
        if not isinstance(part, bytes) or len(part) > size:
            raise InvalidArgumentError("an export is read from a file open for bytes")
        if not part:
            return
        size -= len(part)
        yield part


def _decoded(body: bytes, secret: bytes, path: str | None) -> tuple[Engine, int]:
    fault = ""
    try:
        size = len(body)
        check_payload(body, node_count_max=size // _BYTES_A_NODE + _NODES_FREE)
        fields: Fields = unpackb(body, ext_hook=_no_extension, strict_map_key=True, unicode_errors="surrogatepass")
        del body
        data = fields.pop("data")
        engine, last_ns = rebuild(fields, data, secret)
        if joined_size(engine) <= max(64 * MIB, _CHECK_FACTOR * size):
            engine.check()
        return engine, last_ns
    except MemoryError:
        raise
    except CorruptionError as error:
        fault = str(error)
    except Exception as error:
        fault = f"reading it raised {type(error).__name__}"
    raise _damaged(f"the checksum of the export is right, but not what it says: {fault}", path, HEADER.size)


def _decoded_files(body: bytes, path: str | None) -> tuple[Limits, dict[str, bytes]]:
    fault = ""
    try:
        check_payload(body, node_count_max=len(body) // _BYTES_A_NODE + _NODES_FREE)
        fields = unpackb(body, ext_hook=_no_extension, strict_map_key=True)
        files = {}
        for name, chunks in fields["files"]:
            folder, _, last = name.rpartition("/")
            if name in files or not is_name(last) or folder not in ("", "blobs"):
                raise CorruptionError("a file has a name that none has")
            files[name] = b"".join(chunks)
        return Limits(*fields["limits"]), files
    except MemoryError:
        raise
    except Exception as error:
        fault = f"reading it raised {type(error).__name__}"
    raise _damaged(f"the checksum of the export is right, but not what it says: {fault}", path, HEADER.size)


def _no_extension(code: int, _: bytes) -> Any:
    raise CorruptionError(f"it holds an extension: code={code}")


# -- paths and errors ---------------------------------------------------------------------------------------------


def _path_of(file: str | os.PathLike[str]) -> str:
    path = os.fsdecode(file)
    if not path or "\0" in path:
        raise InvalidArgumentError("a path must not be empty, nor hold a null character")
    return path


def _flags(*names: str) -> int:
    """Of those flags, the ones that this system has."""
    flags = 0
    for name in names:
        flags |= getattr(os, name, 0)
    return flags


def _damaged(what: str, path: str | None, offset: int) -> CorruptionError:
    where = f" offset={offset}" if path is None else f" file={path!r} offset={offset}"
    return CorruptionError(f"{what};{where}", file=path, offset=offset)


def _storage_error(what: str, fault: OSError | None, path: str | None = None) -> StorageError:
    number = None if fault is None else fault.errno
    reason = "the system gave no reason" if fault is None else fault.strerror or type(fault).__name__
    where = "" if path is None else f" file={path!r}"
    cls = DiskFullError if number in _FULL else StorageError
    return cls(f"{what}: {reason};{where}" if where else f"{what}: {reason}", file=path, errno=number)
