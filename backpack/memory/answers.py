"""What tools have answered to a model lately, so that offloading knows it again and leaves it where it is.

Of each answer only its length and a digest are kept, in this process, for the latest so many; one that is asked about
counts as new. So what still stands in a conversation stays known while that goes through `offload` at each step.
"""

from collections import Counter
from threading import Lock
from typing import Final

from backpack.hashing import blake2b

ANSWERS_MAX: Final = 1_024
"""Some 100 bytes each."""

_DIGEST_SIZE: Final = 16


class Answers:
    """Texts, known by their lengths and digests. Thread-safe. Cost: hashing the text, 1 ms a MB; nothing to say of one
    that no answer is as long as."""

    __slots__ = ("_known", "_lengths", "_lock")

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: dict[bytes, int] = {}
        """The length by the digest; asked for latest at the end."""
        self._lengths: Counter[int] = Counter()
        """How many there are of each length."""

    def __len__(self) -> int:
        return len(self._known)

    def add(self, text: str) -> None:
        """One more; the one that nobody asked about for longest goes."""
        digest = _digest_of(text)
        with self._lock:
            if self._known.pop(digest, None) is None:
                self._lengths[len(text)] += 1
            self._known[digest] = len(text)
            if len(self._known) > ANSWERS_MAX:
                length = self._known.pop(next(iter(self._known)))
                self._lengths[length] -= 1
                if not self._lengths[length]:
                    del self._lengths[length]

    def has(self, text: str) -> bool:
        """Is it one of them, as it was?"""
        if len(text) not in self._lengths:
            return False
        digest = _digest_of(text)
        with self._lock:
            length = self._known.pop(digest, None)
            if length is None:
                return False
            self._known[digest] = length
            return True


def _digest_of(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_SIZE).digest()
