"""Where an equal payload stands already.

Short payloads are keys of a dict, payload -> chain that holds it; the dict is cut into 64 shards by hash, because one
dict of a million entries stalls for 90 ms whenever it grows. Hashing 50 KB costs more than packing it, so a long
payload is filed under its size and three samples, and compared in full with what is filed there.
"""

from typing import Final

from backpack.core.chain import Chain

SHARD_COUNT: Final = 64
SHARD_SHIFT: Final = 58
"""Hashes have 64 bits; the top 6, as a signed index from -32 to 31, name the shard."""

SHORT_MAX: Final = 1024
_SAMPLE_SIZE: Final = 32
_FILED_MAX: Final = 16
"""Twice the payloads that are filed under the same samples: further ones are filed by all of their bytes."""


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

    __slots__ = ("alike", "filed", "shards")

    def __init__(self) -> None:
        self.shards: list[dict[bytes, Chain]] = [{} for _ in range(SHARD_COUNT)]
        self.filed: dict[int, tuple[bytes | Chain, ...]] = {}
        """By samples: payload, chain, and again."""
        self.alike: dict[bytes, tuple[bytes, Chain]] = {}
        """Long payloads whose samples many others have."""

    def find(self, payload: bytes) -> tuple[bytes, Chain] | None:
        """`(the equal payload that is here, the chain that holds it)`, or None."""
        if len(payload) > SHORT_MAX:
            filed = self.filed.get(_samples(payload), ())
            for at in range(0, len(filed), 2):
                found, chain = filed[at], filed[at + 1]
                if isinstance(found, bytes) and isinstance(chain, Chain) and found == payload:
                    return found, chain
            return self.alike.get(payload) if self.alike else None
        shard = self.shards[hash(payload) >> SHARD_SHIFT]
        holder = shard.get(payload)
        if holder is None:
            return None
        probe = _Probe(payload)
        shard.get(probe)  # type: ignore[call-overload]
        return probe.found, holder

    def file(self, payload: bytes, chain: Chain) -> bool:
        """`add` a payload unless an equal one is here: then False."""
        if len(payload) > SHORT_MAX:
            samples = _samples(payload)
            filed = self.filed.get(samples)
            if filed is None:
                self.filed[samples] = (payload, chain)
                return True
        if self.find(payload) is not None:
            return False
        self.add(payload, chain)
        return True

    def add(self, payload: bytes, chain: Chain) -> None:
        """A payload that is not here yet."""
        if len(payload) > SHORT_MAX:
            samples = _samples(payload)
            filed = self.filed.get(samples, ())
            if len(filed) < _FILED_MAX:
                self.filed[samples] = (*filed, payload, chain)
            else:
                self.alike[payload] = (payload, chain)
        else:
            self.shards[hash(payload) >> SHARD_SHIFT][payload] = chain

    def remove(self, payload: bytes) -> None:
        """Nothing holds that very payload any more."""
        if len(payload) > SHORT_MAX:
            samples = _samples(payload)
            filed = self.filed.get(samples, ())
            at = next((at for at in range(0, len(filed), 2) if filed[at] is payload), -1)
            if at >= 0:
                self.filed[samples] = filed[:at] + filed[at + 2 :]
                if len(filed) == 2:
                    del self.filed[samples]
            else:
                self.alike.pop(payload, None)
        else:
            self.shards[hash(payload) >> SHARD_SHIFT].pop(payload, None)

    def payloads(self) -> set[bytes]:
        """All that is here; for checking."""
        found = {payload for shard in self.shards for payload in shard}
        found.update(self.alike)
        return found.union(one for filed in self.filed.values() for one in filed if isinstance(one, bytes))


def _samples(payload: bytes) -> int:
    size = len(payload)
    middle = size // 2
    return hash((size, payload[:_SAMPLE_SIZE], payload[middle : middle + _SAMPLE_SIZE], payload[-_SAMPLE_SIZE:]))
