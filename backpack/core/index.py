"""Where an equal payload stands already.

Short payloads are keys of a dict, payload -> chain that holds it; the dict is cut into 256 shards by hash, because one
dict of a million entries stalls for 90 ms whenever it grows. Hashing 50 KB costs more than packing it, so a long
payload is filed under its size and three samples, and compared in full with what is filed there.
"""

from typing import Final

from backpack.core.chain import Chain

SHARD_SHIFT: Final = 56
"""Hashes have 64 bits; the top 8, as a signed index from -128 to 127, name the shard."""

SHORT_MAX: Final = 1024
_SAMPLE_SIZE: Final = 32
_FILED_MAX: Final = 8
"""Different payloads with equal samples that are filed; a ninth is kept but not found again."""


class _Probe:
    """Looks a payload up in a dict and comes back with the equal object that the dict has as its key."""

    __slots__ = ("_hash", "found", "payload")

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        self.found = payload
        self._hash = hash(payload)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if isinstance(other, bytes) and other == self.payload:
            self.found = other
            return True
        return False


class Index:
    """Payloads that stand by themselves, and for each one chain that holds it."""

    __slots__ = ("filed", "shards")

    def __init__(self) -> None:
        self.shards: list[dict[bytes, Chain]] = [{} for _ in range(256)]
        self.filed: dict[int, list[tuple[bytes, Chain]]] = {}

    def find(self, payload: bytes) -> tuple[bytes, Chain] | None:
        """`(the equal payload that is here, the chain that holds it)`, or None."""
        if len(payload) > SHORT_MAX:
            return next((pair for pair in self.filed.get(_samples(payload), ()) if pair[0] == payload), None)
        shard = self.shards[hash(payload) >> SHARD_SHIFT]
        chain = shard.get(payload)
        if chain is None:
            return None
        probe = _Probe(payload)
        shard.get(probe)  # type: ignore[call-overload]
        return probe.found, chain

    def add(self, payload: bytes, chain: Chain) -> None:
        """A payload that is not here yet."""
        if len(payload) > SHORT_MAX:
            pairs = self.filed.setdefault(_samples(payload), [])
            if len(pairs) < _FILED_MAX:
                pairs.append((payload, chain))
        else:
            self.shards[hash(payload) >> SHARD_SHIFT][payload] = chain

    def remove(self, payload: bytes) -> None:
        """Nothing holds that very payload any more."""
        if len(payload) > SHORT_MAX:
            samples = _samples(payload)
            pairs = [pair for pair in self.filed.get(samples, ()) if pair[0] is not payload]
            if pairs:
                self.filed[samples] = pairs
            else:
                self.filed.pop(samples, None)
        else:
            self.shards[hash(payload) >> SHARD_SHIFT].pop(payload, None)

    def payloads(self) -> set[bytes]:
        """All that is here; for checking."""
        found = {payload for shard in self.shards for payload in shard}
        return found.union(payload for pairs in self.filed.values() for payload, _ in pairs)


def _samples(payload: bytes) -> int:
    size = len(payload)
    middle = size // 2
    return hash((size, payload[:_SAMPLE_SIZE], payload[middle : middle + _SAMPLE_SIZE], payload[-_SAMPLE_SIZE:]))
