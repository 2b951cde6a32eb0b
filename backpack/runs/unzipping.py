"""The plain bytes of a file that may be gzipped, without ever believing how small it says it is.

A gzip file can name a thousand times its size, so it is unpacked twice: once in small parts that are only counted,
and once for keeps. What is known to be harmless by its own size is unpacked once.
"""

import gzip
import io
import zlib
from collections.abc import Iterator
from typing import Final

from backpack.limits import MIB
from backpack.runs.errors import RunFileError

FILE_SIZE_MAX: Final = 1024 * MIB
"""Bytes of a file of runs, unpacked: well above any collection of runs that one process can replay."""

_GZIP_MAGIC: Final = b"\x1f\x8b"
_PART_SIZE: Final = 256 * 1024
_RATIO_MAX: Final = 1032
"""Deflate makes nothing smaller than by this factor."""

_HARMLESS_SIZE: Final = 64 * MIB


def plain_bytes(data: bytes, *, size_max: int = FILE_SIZE_MAX) -> bytes:
    """The bytes themselves, or what they are the gzip of: the content tells, not the name.

    Several gzip members in a row are read as one. Damage and too great a size raise `RunFileError`; its line is the
    first one that could not be read whole.
    """
    if not data.startswith(_GZIP_MAGIC):
        if len(data) > size_max:
            raise RunFileError(f"larger than {size_max:,} bytes: split it")
        return data
    if len(data) * _RATIO_MAX > _HARMLESS_SIZE:
        for _ in _parts(data, size_max):
            pass
    return b"".join(_parts(data, size_max))


def _parts(data: bytes, size_max: int) -> Iterator[bytes]:
    size, line = 0, 1
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
        while True:
            try:
                part = file.read1(_PART_SIZE)
            except EOFError:
                raise RunFileError("the gzip data is cut off", line=line) from None
            except (gzip.BadGzipFile, zlib.error) as error:
                raise RunFileError(f"the gzip data is damaged: {error}", line=line) from None
            if not part:
                return
            size += len(part)
            line += part.count(b"\n")
            if size > size_max:
                raise RunFileError(f"unpacks to more than {size_max:,} bytes: split it", line=line)
            yield part
