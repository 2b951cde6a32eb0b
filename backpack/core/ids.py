"""Commit ids: short, unique, found again by any prefix, and kept nowhere.

An id is `kkkkssssssss`: four characters that are a keyed permutation of the low 20 bits of `seq`, and eight that name
the *epoch* (the life of a store since it was made, forked or cut) and the high bits of `seq`. Reading an id back is
arithmetic, so no map from ids to commits exists, and the first 1,048,576 commits of an epoch all differ in their
first four characters, so that any prefix of four finds at most one of them.

The permutation is a balanced Feistel network of four rounds over 10 + 10 bits (Luby and Rackoff, 1988), with round
functions from a keyed BLAKE2b: it need only scatter, not resist an attacker.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from backpack.hashing import blake2b

ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no letter that reads like a digit or another letter."""

PREFIX_SIZE_MIN: Final = 4
_LOW_BITS: Final = 20
_LOW_MASK: Final = (1 << _LOW_BITS) - 1
_VALUE_OF: Final = {character: value for value, character in enumerate(ALPHABET)}


def _characters(number: int, count: int) -> str:
    return "".join(ALPHABET[number >> (5 * place) & 31] for place in range(count - 1, -1, -1))


@lru_cache(maxsize=256)
def _round_table(secret: bytes, place: int) -> tuple[int, ...]:
    """The 1,024 values of one round function."""
    stream = b"".join(blake2b(bytes([place, part]), key=secret, digest_size=64).digest() for part in range(32))
    return tuple(int.from_bytes(stream[at : at + 2], "big") & 1023 for at in range(0, 2048, 2))


class Epoch:
    """The ids of the commits that one life of a store makes, from `first_seq` on."""

    __slots__ = ("first_seq", "parent", "secret")

    def __init__(self, secret: bytes, first_seq: int = 1, parent: "Epoch | None" = None) -> None:
        self.secret = secret
        self.first_seq = first_seq
        self.parent = parent

    def of(self, seq: int) -> "Epoch":
        """The epoch, this one or one before it, that made the commit."""
        epoch = self
        while seq < epoch.first_seq and epoch.parent is not None:
            epoch = epoch.parent
        return epoch

    def id_of(self, seq: int) -> str:
        """The id of a commit of this epoch or one before. Cost: a microsecond."""
        if seq < self.first_seq and self.parent is not None:
            return self.of(seq).id_of(seq)
        low = seq & _LOW_MASK
        left, right = low >> 10, low & 1023
        for place in range(4):
            left, right = right, left ^ _round_table(self.secret, place)[right]
        return _characters(left << 10 | right, 4) + self._suffix(seq >> _LOW_BITS)

    def seqs_of(self, prefix: str, seq_max: int) -> Iterator[int]:
        """The commits up to `seq_max` whose id begins so: one candidate in each 1,048,576, of each epoch."""
        epoch: Epoch | None = self
        while epoch is not None:
            if epoch.first_seq <= seq_max:
                yield from epoch._own_seqs_of(prefix, seq_max)
            seq_max = min(seq_max, epoch.first_seq - 1)
            epoch = epoch.parent

    def _own_seqs_of(self, prefix: str, seq_max: int) -> Iterator[int]:
        code = 0
        for character in prefix[:4]:
            if character not in _VALUE_OF:
                return
            code = code << 5 | _VALUE_OF[character]
        left, right = code >> 10, code & 1023
        for place in (3, 2, 1, 0):
            left, right = right ^ _round_table(self.secret, place)[left], left
        low = left << 10 | right
        for high in range(self.first_seq >> _LOW_BITS, (seq_max >> _LOW_BITS) + 1):
            seq = high << _LOW_BITS | low
            if self.first_seq <= seq <= seq_max and self._suffix(high).startswith(prefix[4:]):
                yield seq

    def _suffix(self, high: int) -> str:
        return _suffix_of(self.secret, high)


@lru_cache(maxsize=1024)
def _suffix_of(secret: bytes, high: int) -> str:
    digest = blake2b(high.to_bytes(8, "big"), key=secret, digest_size=5).digest()
    return _characters(int.from_bytes(digest, "big"), 8)
