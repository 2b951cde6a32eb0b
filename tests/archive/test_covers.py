"""Every piece of a segment goes through its cover, under a place of its own."""

from collections.abc import Iterable
from hashlib import blake2b

import pytest

from backpack.archive.keyframe import Keyframe
from backpack.errors import CorruptionError
from backpack.storage.cover import Cover
from tests.archive.made import everything, opened
from tests.archive.test_damage import told
from tests.archive.test_segments import keyframe_of


class XorCover:
    """Not secret, but like a real one: longer, bound to name and place, and it notices everything."""

    overhead = 8

    def __init__(self, name: bytes, header: bytes) -> None:
        self.header = header
        self._name = name
        self.places: list[bytes] = []

    def cover(self, data: bytes, place: bytes) -> bytes:
        assert place not in self.places, "covered twice"
        self.places.append(place)
        covered = bytes(one ^ 0x5A for one in data)
        return self._seal(covered, place) + covered

    def uncover(self, data: bytes, place: bytes) -> bytes:
        if data[:8] != self._seal(data[8:], place):
            raise CorruptionError(f"a piece was changed, or is another one: {place=}")
        return bytes(one ^ 0x5A for one in data[8:])

    def _seal(self, data: bytes, place: bytes) -> bytes:
        return blake2b(data, key=self._name + b"|" + place, digest_size=8).digest()


class XorCovers:
    def fresh(self, name: bytes) -> Cover:
        self.last = XorCover(name, b"xor!")
        return self.last

    def known(self, name: bytes, header: bytes) -> Cover:
        if header != b"xor!":
            raise CorruptionError("not covered as it should be")
        return XorCover(name, header)

    def digest(self, chunks: Iterable[bytes]) -> bytes:
        raise NotImplementedError


def keyframed() -> tuple[XorCovers, bytes]:
    content = everything()
    covers = XorCovers()
    keyframe: Keyframe = keyframe_of(content)
    return covers, content.sealed(covers=covers, keyframe=keyframe)


def test_a_covered_segment_says_the_same_and_shows_no_text() -> None:
    covers, data = keyframed()
    content = everything()
    plain = opened(content.sealed(keyframe=keyframe_of(content)))
    segment = opened(data, covers=covers)
    assert list(told(segment, content)) == list(told(plain, content))
    assert list(segment.check()) == []
    for word in (b"first value", b"a message", b"node", b"odd", b"\x28\xb5\x2f\xfd"):
        assert word not in data
    assert covers.last.places[-1] == b"directory"
    assert {b"block:0", b"page:0", b"rows:0", b"ids:0", b"keys:0", b"index", b"pages", b"keyframe"} <= set(
        covers.last.places
    )


def test_a_covered_segment_is_not_read_as_a_plain_one_nor_the_reverse() -> None:
    covers, data = keyframed()
    with pytest.raises(CorruptionError, match="without a key"):
        opened(data)
    with pytest.raises(CorruptionError, match="not covered"):
        opened(everything().sealed(), covers=covers)
