"""What tools have answered to a model lately, so that offloading knows it again and leaves it where it is.

Of each answer only a digest is kept, in this process, for the latest so many; one that is asked about counts as new. So
what still stands in a conversation stays known while that goes through `offload` at each step.
"""

from hashlib import blake2b
from threading import Lock
from typing import Final

ANSWERS_MAX: Final = 1_024
"""Some 100 bytes each."""

_DIGEST_SIZE: Final = 16


class Answers:
    """Texts, known by their digests. Thread-safe. Cost: hashing the text, 1 ms a MB."""

    __slots__ = ("_digests", "_lock")

    def __init__(self) -> None:
        self._lock = Lock()
        self._digests: dict[bytes, None] = {}

    def __len__(self) -> int:
        return len(self._digests)

    def add(self, text: str) -> None:
        """One more; the one that nobody asked about for longest goes."""
        digest = _digest_of(text)
        with self._lock:
            self._digests.pop(digest, None)
            self._digests[digest] = None
            if len(self._digests) > ANSWERS_MAX:
                del self._digests[next(iter(self._digests))]

    def has(self, text: str) -> bool:
        """Is it one of them, as it was?"""
        if not self._digests:
            return False
        digest = _digest_of(text)
        with self._lock:
            if digest not in self._digests:
                return False
            del self._digests[digest]
            self._digests[digest] = None
            return True


def _digest_of(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_SIZE).digest()
