"""Which keys are certainly not in a segment: a Bloom filter, of a byte for each key that is, two where they are many.

Four bits of it are set for each key, so about one key in forty that is not there passes, or one in four hundred. Who
looks for a key in segment after segment reads nothing of those that do not have it. Where a segment has many keys there
are most often many more in the store, each in few segments: then most look-ups pass some by, and two bytes pay.
"""

from collections.abc import Generator, Sequence
from typing import Final

from backpack.archive.layout import hash_of

_BITS: Final = 4
"""Set for each key."""
_MANY: Final = 1024
"""Keys from which on each has two bytes."""
_STEP: Final = 256
"""Keys between two pauses."""


def pack_sieve(names: Sequence[bytes]) -> Generator[bytes, None, bytes]:
    """The sieve of some keys, with a pause now and then."""
    size = max(len(names), 8) if len(names) < _MANY else 2 * len(names)
    count = 8 * size
    bits = bytearray(size)
    for index, name in enumerate(names):
        wanted = hash_of(name)
        step = wanted >> 32 | 1
        for _ in range(_BITS):
            bit = wanted % count
            bits[bit >> 3] |= 1 << (bit & 7)
            wanted += step
        if not index % _STEP:
            yield b""
    return bytes(bits)


def passes(bits: "memoryview[int]", wanted: int) -> bool:
    """May the key with that hash be one of them? Cost: four bits at most."""
    count = 8 * len(bits)
    bit = wanted % count
    if not bits[bit >> 3] >> (bit & 7) & 1:  # as of most that are not there: nothing else is computed for these
        return False
    step = wanted >> 32 | 1
    for _ in range(_BITS - 1):
        wanted += step
        bit = wanted % count
        if not bits[bit >> 3] >> (bit & 7) & 1:
            return False
    return True
