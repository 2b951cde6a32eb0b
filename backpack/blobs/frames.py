"""One frame of a blob: a run of bytes as one zstd frame that states its size.

A frame from disk is opened only when it says exactly the size that the table promised, a window of at most 8 MiB and
no dictionary; so no bytes make more memory than a frame of ours takes. Compressors and decompressors wait in pools:
making one costs as much as a small frame, and two threads must not use one at a time.
"""

from typing import Final

from zstandard import ZstdCompressor, ZstdDecompressor, ZstdError, get_frame_parameters

from backpack.errors import CorruptionError
from backpack.limits import KIB, MIB

FRAME_SIZE: Final = 256 * KIB
"""Raw bytes of a frame. Log lines, level 1: 64 KiB compress to 31 %, 128 to 30 %, 256 to 27.9 %, 1,024 to 27.3 %;
opening one takes 0.08, 0.13, 0.26, 0.8 ms."""

FRAME_SIZE_MAX: Final = MIB
"""Raw bytes of a frame that are believed on reading."""

_WINDOW_SIZE_MAX: Final = 8 * MIB
LEVEL_FAST: Final = 1
"""450 MB/s. In frames of this size levels 2 and 3 save nothing."""
LEVEL_SMALL: Final = 5
"""135 MB/s, and a table of 1.1 MB takes 16 % less than at level 1: for short contents."""
SMALL_SIZE_MAX: Final = 2 * MIB

_POOL_COUNT_MAX: Final = 4
_compressors: Final[dict[int, list[ZstdCompressor]]] = {LEVEL_FAST: [], LEVEL_SMALL: []}
_decompressors: Final[list[ZstdDecompressor]] = []


def squeezed_size_max(raw_size: int) -> int:
    """What a frame of so many raw bytes never exceeds."""
    return raw_size + (raw_size >> 8) + KIB


def squeeze(raw: bytes | bytearray | memoryview, level: int = LEVEL_FAST) -> bytes:
    """The bytes as a frame. `level`: one of the two above."""
    pool = _compressors[level]
    try:
        compressor = pool.pop()
    except IndexError:
        compressor = ZstdCompressor(level=level)
    frame = compressor.compress(raw)
    if len(pool) < _POOL_COUNT_MAX:
        pool.append(compressor)
    return frame


def expand(frame: bytes, raw_size: int) -> bytes:
    """The raw bytes of a frame, which are `raw_size`; `CorruptionError` for anything else."""
    fault = None
    raw = b""
    try:
        facts = get_frame_parameters(frame)
        if facts.content_size != raw_size or facts.window_size > _WINDOW_SIZE_MAX or facts.dict_id:
            fault = f"it states size={facts.content_size} window={facts.window_size} dictionary={facts.dict_id}"
        else:
            raw = _decompressed(frame)
            if len(raw) != raw_size:
                fault = f"it holds size={len(raw)}"
    except ZstdError as error:
        fault = str(error)
    if fault is not None:
        raise CorruptionError(f"a frame is not what it should be: {fault}; expected={raw_size}")
    return raw


def _decompressed(frame: bytes) -> bytes:
    try:
        decompressor = _decompressors.pop()
    except IndexError:
        decompressor = ZstdDecompressor()
    raw = decompressor.decompress(frame, allow_extra_data=False)
    if len(_decompressors) < _POOL_COUNT_MAX:
        _decompressors.append(decompressor)
    return raw
