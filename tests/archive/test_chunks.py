"""Index and keyframe of a segment stand in chunks: a lookup reads one or two, and nothing is lost between them."""

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpack.archive.cache import Cache
from backpack.archive.content import Change, CommitRow, Value
from backpack.archive.contents import Contents
from backpack.archive.layout import cover_name, hash_of
from backpack.archive.sealing import seal
from backpack.archive.segment import Segment
from backpack.errors import CorruptionError
from backpack.storage.cover import PLAIN
from backpack.storage.memory import MemoryFolder
from backpack.storage.protocol import File
from tests.archive.made import KEYS, STORE, Made, alike, everything, made, opened
from tests.archive.test_segments import keyframe_of, same_commit

COUNT: Final = 20_000
CHUNK_SIZE_READ_MAX: Final = 4096
"""Bytes that one chunk of plain small rows takes on disk at most."""


class CountedFile:
    """A file that knows what was read of it."""

    def __init__(self, data: bytes) -> None:
        self._file: File = MemoryFolder({"1.seg": data}).open("1.seg")
        self.name = self._file.name
        self.reads: list[tuple[int, int]] = []

    def pread(self, size: int, offset: int) -> bytes:
        self.reads.append((offset, size))
        return self._file.pread(size, offset)

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


@contextmanager
def small_chunks(size: int = 40, count: int = 3) -> Iterator[None]:
    """Chunks of two or three rows."""
    with pytest.MonkeyPatch.context() as patch:
        for module, kind in (("chunking", "CHUNK"), ("keyframe", "KEYS")):
            patch.setattr(f"backpack.archive.{module}.{kind}_SIZE", size)
            patch.setattr(f"backpack.archive.{module}.{kind}_COUNT", count)
        yield


def name_of(number: int) -> str:
    return f"agent.{number * 7919 % 1_000_003:07}"


def many(count: int, key_count: int) -> Made:
    """Commits of one small value each, every key in its turn."""
    commits = [
        CommitRow(
            number + 1,
            number,
            ("n", None, ()),
            [
                Change(
                    name_of(number % key_count),
                    number + 1,
                    "pack",
                    number // key_count + 1,
                    Value(((1, number, 0, 8),)),
                )
            ],
        )
        for number in range(count)
    ]
    return Made(commits, {(1, number): b"%08d" % number for number in range(count)})


@pytest.fixture(scope="module")
def big() -> tuple[Made, bytes]:
    content = many(COUNT, COUNT)
    return content, content.sealed(keyframe=keyframe_of(content), block_size=4096)


# -- what is read ----------------------------------------------------------------------------------------------------


def test_a_lookup_in_a_big_segment_reads_one_chunk_of_a_few_kilobytes(big: tuple[Made, bytes]) -> None:
    content, data = big
    file = CountedFile(data)
    segment = Segment(file, Cache(), PLAIN, STORE)  # type: ignore[arg-type]
    assert segment.find("nobody", 5) is None
    chance = Random(1)
    for number in chance.sample(range(COUNT), 200):
        commit = content.commits[number]
        file.reads.clear()
        change = segment.find(commit.changes[0].key, commit.seq)
        assert alike(change, commit.changes[0])
        assert len(file.reads) <= 1 and sum(size for _, size in file.reads) <= CHUNK_SIZE_READ_MAX
        file.reads.clear()
        assert segment.read(1, number, 0, 8) == content.sources[1, number]
        assert len(file.reads) <= 2 and sum(size for _, size in file.reads) <= 2 * CHUNK_SIZE_READ_MAX


def test_a_source_is_read_by_two_chunks_a_dictionary_and_a_block(big: tuple[Made, bytes]) -> None:
    content, data = big
    for number in Random(2).sample(range(COUNT), 20):
        file = CountedFile(data)
        segment = Segment(file, Cache(), PLAIN, STORE)  # type: ignore[arg-type]
        assert segment.row_count == COUNT
        file.reads.clear()
        assert segment.read(1, number, 2, 8) == content.sources[1, number][2:]
        assert len(file.reads) <= 4 and sum(size for _, size in file.reads) <= 4 * CHUNK_SIZE_READ_MAX


def test_a_key_of_a_keyframe_is_found_by_one_chunk(big: tuple[Made, bytes]) -> None:
    _, data = big
    file = CountedFile(data)
    segment = Segment(file, Cache(), PLAIN, STORE)  # type: ignore[arg-type]
    table = segment.pieces.keyframe()
    for number in Random(3).sample(range(COUNT), 100):
        name = name_of(number).encode()
        file.reads.clear()
        assert segment.pieces.keys(table, table.chunk_of(name)).seq_of(name) == number + 1
        assert len(file.reads) <= 1 and sum(size for _, size in file.reads) <= CHUNK_SIZE_READ_MAX
        assert segment.keyframe_seq_of(name_of(number)) == number + 1


def test_of_most_keys_that_are_not_there_nothing_is_read(big: tuple[Made, bytes]) -> None:
    _, data = big
    file = CountedFile(data)
    segment = Segment(file, Cache(), PLAIN, STORE)  # type: ignore[arg-type]
    assert segment.row_count == COUNT
    file.reads.clear()
    for number in range(1000):
        name = name_of(number * 20) + "x"
        assert segment.lacks(hash_of(name.encode())) or segment.find(name, COUNT) is None
        assert not segment.lacks(hash_of(name_of(number).encode()))
    assert len(file.reads) < 60 < segment.pieces.index().rows.count


def test_reading_all_of_a_big_segment_stays_within_the_cache(big: tuple[Made, bytes]) -> None:
    content, data = big
    cache = Cache(300_000)
    segment = opened(data, cache=cache)
    for commit in content.commits[:: COUNT // 500]:
        found = segment.commit(commit.seq)
        assert found is not None and same_commit(found, commit)
        cache.check()
    assert segment.keys() == sorted(name_of(number) for number in range(COUNT))
    assert list(segment.check()) == []
    cache.check()


# -- damage ----------------------------------------------------------------------------------------------------------


def test_every_damaged_byte_of_a_chunk_is_noticed_with_its_offset_and_hides_nothing_else() -> None:
    content = many(900, 300)
    with small_chunks(size=1000, count=100):
        data = content.sealed(keyframe=keyframe_of(content))
    pieces = opened(data).pieces
    index, table = pieces.index(), pieces.keyframe()
    assert index.rows.count > 3 < index.ids.count and table.chunks.count > 3

    def asked(segment: Segment, kind: str, number: int) -> int:
        """What only this chunk tells."""
        if kind == "rows":
            name, seq = index.first_of(number) or (b"", 0)
            change = segment.find(name.decode(), seq)
            return 0 if change is None else change.seq
        if kind == "ids":
            return segment.size_of(index.first_id(number))
        keys = segment.pieces.keys(segment.pieces.keyframe(), number)
        return keys.seq_of(table.first_of(number))

    for kind, chunks in (("rows", index.rows), ("ids", index.ids), ("keys", table.chunks)):
        place = chunks.place(1)
        expected = asked(opened(data), kind, 2)
        for at in range(place.offset, place.offset + place.stored_size):
            damaged = bytearray(data)
            damaged[at] ^= 0x10
            segment = opened(bytes(damaged))
            with pytest.raises(CorruptionError) as caught:
                asked(segment, kind, 1)
            assert (caught.value.file, caught.value.offset) == ("1.seg", place.offset)
            assert asked(segment, kind, 2) == expected
        assert place.offset in {getattr(fault, "offset", None) for fault in segment.check()}


# -- between chunks --------------------------------------------------------------------------------------------------


@given(made(first_seq=1000, commit_max=20), st.data())
def test_whatever_the_chunks_a_segment_says_the_same(content: Made, data: st.DataObject) -> None:
    size, count = data.draw(st.integers(1, 120)), data.draw(st.integers(1, 5))
    keyframe = keyframe_of(content)
    with small_chunks(size, count):
        sealed = content.sealed(keyframe=keyframe)
    segment = opened(sealed)
    newest: dict[str, Change] = {}
    commits = {commit.seq: commit for commit in content.commits}
    for seq in range(content.range[0] - 1, content.range[1] + 2):
        if seq in commits:
            newest.update({change.key: change for change in commits[seq].changes})
            found = segment.commit(seq)
            assert found is not None and same_commit(found, commits[seq])
        for key in (*KEYS, "never"):
            assert alike(segment.find(key, seq), newest.get(key))
        assert {key: one.seq for key, one in segment.newest(seq)} == {key: one.seq for key, one in newest.items()}
    for key in KEYS:
        expected = [change for change in content.changes if change.key == key]
        assert len(segment.changes(key)) == len(expected) and all(map(alike, segment.changes(key), expected))
        assert list(segment.seqs(key)) == [change.seq for change in expected]
    for source, whole in content.sources.items():
        assert segment.size_of(source) == len(whole) and segment.read(*source, 0, len(whole)) == whole
    assert segment.sources() == sorted(content.sources)
    assert segment.keys() == keyframe.names
    read = segment.keyframe()
    assert read is not None
    for column in ("names", "seqs", "versions", "kinds", "sizes", "larges", "repeats"):
        assert list(getattr(read, column)) == list(getattr(keyframe, column))
    table = segment.pieces.keyframe()
    for name, seq in zip(keyframe.names, keyframe.seqs, strict=True):
        number = table.chunk_of(name.encode())
        assert segment.pieces.keys(table, number).seq_of(name.encode()) == seq
    assert not [fault for fault in segment.check() if "points to what" not in str(fault)]


def test_the_first_and_the_last_key_of_each_chunk_are_found_and_those_beside_them_are_not() -> None:
    content = many(40, 40)
    with small_chunks():
        segment = opened(content.sealed(keyframe=keyframe_of(content)))
    assert segment.pieces.index().rows.count > 12
    seqs = {change.key: change.seq for change in content.changes}
    table = segment.pieces.keyframe()
    for key, seq in seqs.items():
        change = segment.find(key, 99)
        assert change is not None and change.seq == seq
        assert segment.find(key, seq - 1) is None
        for other in (key[:-1], key + "\0", key + "\x7f", key[:-1] + chr(ord(key[-1]) - 1) + "~"):
            assert segment.find(other, 99) is None and segment.seqs(other) == []
            number = table.chunk_of(other.encode())
            assert number < 0 or segment.pieces.keys(table, number).seq_of(other.encode()) == 0


def test_the_changes_of_one_key_go_over_from_chunk_to_chunk() -> None:
    content = many(100, 1)
    other = Change("a", 50, "delete", 1, None), Change("z", 51, "delete", 1, None)
    content.commits[49].changes.append(other[0])
    content.commits[50].changes.append(other[1])
    with small_chunks():
        segment = opened(content.sealed())
    key = name_of(0)
    assert len(list(segment.pieces.index().chunks_of(key.encode()))) > 30
    for seq in range(1, 101):
        change = segment.find(key, seq)
        assert change is not None and (change.seq, change.version) == (seq, seq)
    assert segment.find(key, 0) is None and segment.find("a", 49) is None and segment.find("z", 50) is None
    assert [change.version for change in segment.changes(key)] == list(segment.seqs(key)) == list(range(1, 101))
    assert segment.keys() == ["a", key, "z"]
    assert [(name, one.seq) for name, one in segment.newest(70)] == [("a", 50), (key, 70), ("z", 51)]
    assert list(segment.check()) == []


def test_a_value_in_one_chunk_may_be_a_source_of_another() -> None:
    content = many(30, 30)
    for commit in content.commits:
        commit.changes[0].value = Value(((1, 7, 0, 8),))
    with small_chunks():
        segment = opened(content.sealed())
    for change in content.changes:
        assert alike(segment.find(change.key, 99), change)
    assert list(segment.check()) == []


@pytest.mark.parametrize("source_count", [0, 1, 10])
def test_a_segment_without_keys_has_its_sources(source_count: int) -> None:
    sizes = {(1, number): 4 for number in range(source_count)}
    contents = Contents((1, 1), 5, 9, [], sizes, lambda source: [b"%04d" % source[1]])
    with small_chunks():
        cover = PLAIN.fresh(cover_name((1, 1)))
        segment = opened(b"".join(seal(contents, store_id=STORE, cover=cover, keyframe=keyframe_of(Made([], {})))))
    assert segment.keys() == [] and segment.find("a", 9) is None and list(segment.newest(9)) == []
    assert segment.sources() == sorted(sizes)
    assert [segment.read(1, number, 0, 4) for number in range(source_count)] == [
        b"%04d" % number for number in range(source_count)
    ]
    keyframe = segment.keyframe()
    assert keyframe is not None and keyframe.names == [] and segment.keyframe_seq_of("a") == 0
    assert list(segment.check()) == []


def test_a_row_that_is_longer_than_a_chunk_has_one_of_its_own() -> None:
    content = everything()
    long = Change("long", 6, "pack", 1, Value(((0, 0, 0, 9000),), b"x" * 9000))
    content.commits.append(CommitRow(6, 9_500, ("node", None, ()), [long]))
    segment = opened(content.sealed())
    assert alike(segment.find("long", 6), long) and list(segment.check()) == []
    assert alike(segment.find("a", 6), content.commits[4].changes[0])
