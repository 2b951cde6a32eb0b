"""zstd for what a segment holds: small blocks that share a dictionary, and tables that stand alone.

Stored bytes are hostile until they have been held against what a table promised. A frame must say its size, and say
the one that is expected, before anything is decompressed (the decompressor itself believes the frame rather than its
caller); its window is bounded, and it names no dictionary: a file has one or none, so there is nothing to name.

A decompressor takes 96 KB, belongs to one dictionary, and may be used by one thread at a time; making one costs more
than what it does to a block. So whoever reads many frames keeps some.
"""

from collections.abc import Sequence
from typing import Final

from zstandard import (
    ZstdCompressionDict,
    ZstdCompressor,
    ZstdDecompressor,
    ZstdError,
    get_frame_parameters,
    train_dictionary,
)

from backpack.limits import KIB, MIB

WINDOW_SIZE_MAX: Final = 8 * MIB
RATIO_MAX: Final = 256
"""A table is stored as it is rather than in so many times fewer bytes, so the size of a file bounds what its tables
take in memory."""
FREE_SIZE: Final = 64 * KIB
"""Up to here any ratio goes."""

DICTIONARY_SIZE: Final = 16 * KIB
DIGESTED_SIZE: Final = 48 * KIB
"""What the digest of a dictionary takes beside its bytes: those again, and tables."""
SAMPLE_COUNT: Final = 256
SAMPLES_SIZE_MAX: Final = 64 * KIB
SMALL_SIZE_MIN: Final = 128 * KIB
"""Bytes of small sources from which on a dictionary pays for itself."""


class Deflater:
    """Makes frames of one level, with or without a dictionary."""

    __slots__ = ("_compressor",)

    def __init__(self, level: int, dictionary: ZstdCompressionDict | None = None) -> None:
        if dictionary is None:
            self._compressor = ZstdCompressor(level=level, write_checksum=False, write_content_size=True)
        else:
            self._compressor = ZstdCompressor(
                level=level,
                dict_data=dictionary,
                write_checksum=False,
                write_content_size=True,
                write_dict_id=False,
            )

    def deflate(self, data: bytes) -> bytes:
        """One frame."""
        return self._compressor.compress(data)


def pack_section(data: bytes, deflater: Deflater) -> bytes:
    """A table as it is stored: a frame, or itself where that is not longer or the frame would be absurdly short."""
    frame = deflater.deflate(data)
    if len(frame) >= len(data) or len(data) > RATIO_MAX * len(frame) + FREE_SIZE:
        return data
    return frame


def unpack_section(stored: bytes, size: int, decompressor: ZstdDecompressor | None = None) -> bytes:
    """A table of `size` bytes of what is stored; ValueError when it isn't one."""
    if len(stored) == size:
        return stored
    if not len(stored) < size <= RATIO_MAX * len(stored) + FREE_SIZE:
        raise ValueError("a table is not as long as it should be")
    return inflate(stored, size, decompressor or ZstdDecompressor())


def inflate(frame: bytes, size: int, decompressor: ZstdDecompressor) -> bytes:
    """The `size` bytes of a frame; ValueError when it holds anything else."""
    data = None
    try:
        facts = get_frame_parameters(frame)
        if facts.content_size != size or facts.window_size > WINDOW_SIZE_MAX or facts.dict_id:
            raise ValueError("a frame is not as long as it should be")
        data = decompressor.decompress(frame, allow_extra_data=False)
    except ZstdError:
        pass
    if data is None or len(data) != size:
        raise ValueError("a frame can't be decompressed")
    return data


def train(samples: Sequence[bytes], level: int) -> ZstdCompressionDict | None:
    """A dictionary for data like these; None when there is too little in them. Cost: 8 ms for 64 KiB, without the
    interpreter's lock."""
    size = min(DICTIONARY_SIZE, sum(map(len, samples)) // 4)
    try:
        # k and d by measuring: found without the search for the best ones, which takes 50 ms and finds none better
        return train_dictionary(size, list(samples), k=128, d=8, level=level)
    except ZstdError:
        return None


def dictionary_of(data: bytes) -> ZstdCompressionDict:
    """A dictionary of these bytes; whether they can be one turns out when it is used, and is digested then, once."""
    return ZstdCompressionDict(data)
