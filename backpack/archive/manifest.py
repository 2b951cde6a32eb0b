"""The manifest: which segments a store consists of, and what it knows about itself. Published atomically, never edited.

    manifest  := magic "bpman\\0\\1\\n"  version u16  cover_size u16  secret_size u16  zero u16
                 size u32  store_id 16s  cover  secret  body  checksum u64
    body      := msgpack map (as covered)
    clean     := magic "bpcln\\0\\1\\n"  segment u64  size u64  head_sum u64  head u64  checksum u64

The manifest lists the segments, so that one that is missing is noticed, and the newest log there was, for the same
reason. `clean` says how the last log ended when the store was closed; it is taken away before anything is written.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from struct import Struct
from typing import Any, Final, TypeVar

import msgpack
from xxhash import xxh3_64_intdigest

from backpack.archive.frames import damaged
from backpack.errors import CorruptionError
from backpack.limits import CHECKPOINT_COUNT_MAX, MESSAGE_SIZE_MAX
from backpack.storage.cover import Covers
from backpack.storage.protocol import Folder, publish

MANIFEST: Final = "manifest"
CLEAN: Final = "clean"
FORMAT_VERSION: Final = 1
_MAGIC: Final = b"bpman\0\1\n"
_CLEAN_MAGIC: Final = b"bpcln\0\1\n"
_HEAD: Final = Struct("<8sHHHHI16s")
_SUM: Final = Struct("<Q")
_CLEAN: Final = Struct("<8sQQQQ")
_SIZE_MAX: Final = 256 * 1024 * 1024
"""Above it only notes of checkpoints could bring it, thousands of the longest."""
_SEGMENT_COUNT_MAX: Final = 1 << 18
"""A terabyte of logs, before they were compressed."""
_EPOCH_COUNT_MAX: Final = 1 << 16
_SEGMENT_FIELDS: Final = 8

_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class SegmentInfo:
    """One sealed segment, as the manifest lists it."""

    name: str
    origins: tuple[int, int]
    """The first and last number of the segments whose sources it holds."""
    first_seq: int
    last_seq: int
    commit_count: int
    size: int
    """Of the file, in bytes."""
    has_keyframe: bool


@dataclass(slots=True)
class Manifest:
    """What a store consists of."""

    store_id: bytes
    epochs: list[tuple[bytes, int]]
    """`(secret, first seq)` of the ids of commits, oldest first."""
    segments: list[SegmentInfo] = field(default_factory=list)
    """By the order of their commits."""
    next_segment: int = 1
    """The first log that is not sealed."""
    last_log: int = 0
    """The newest log that there was."""
    previous: int = 0
    """The low bits of the last `head_sum` of the last log that was sealed."""
    head: int = 0
    """The last commit that is sealed."""
    first_seq: int = 1
    """The oldest commit that can be read."""
    last_ns: int = 0
    """The time of the commit `head`."""
    checkpoints: list[tuple[str, int, str]] = field(default_factory=list)
    """`(name, seq, notes)` as of `head`."""
    secret: bytes = b""
    """What the covers of this store keep here; wrapped."""
    generation: int = 0
    """How often it was published."""

    def packed(self, covers: Covers) -> bytes:
        """The bytes of the file."""
        body = bytes(
            msgpack.packb(
                {
                    "store_id": self.store_id,
                    "epochs": [list(epoch) for epoch in self.epochs],
                    "segments": [
                        [
                            one.name,
                            *one.origins,
                            one.first_seq,
                            one.last_seq,
                            one.commit_count,
                            one.size,
                            one.has_keyframe,
                        ]
                        for one in self.segments
                    ],
                    "next_segment": self.next_segment,
                    "last_log": self.last_log,
                    "previous": self.previous,
                    "head": self.head,
                    "first_seq": self.first_seq,
                    "last_ns": self.last_ns,
                    "checkpoints": [list(one) for one in self.checkpoints],
                    "generation": self.generation,
                }
            )
        )
        cover = covers.fresh(b"manifest")
        covered = cover.cover(body, b"manifest")
        front = cover.header + self.secret
        head = _HEAD.pack(_MAGIC, FORMAT_VERSION, len(cover.header), len(self.secret), 0, len(covered), self.store_id)
        data = head + front + covered
        return data + _SUM.pack(xxh3_64_intdigest(data))


def publish_manifest(folder: Folder, manifest: Manifest, covers: Covers) -> None:
    """Make it the manifest of the store."""
    manifest.generation += 1
    publish(folder, MANIFEST, [manifest.packed(covers)])


def read_front(folder: Folder) -> tuple[bytes, bytes]:
    """`(store id, secret)`: what stands in clear. The secret is empty when nothing is encrypted."""
    data, cover_size, secret_size, _ = _read(folder)
    begin = _HEAD.size + cover_size
    return _HEAD.unpack_from(data)[-1], data[begin : begin + secret_size]


def read_manifest(folder: Folder, covers: Covers) -> Manifest:
    """The manifest of a store; `CorruptionError` when it is not what was written."""
    data, cover_size, secret_size, size = _read(folder)
    name = _name(folder)
    begin = _HEAD.size + cover_size + secret_size
    cover = covers.known(b"manifest", data[_HEAD.size : _HEAD.size + cover_size])
    body = cover.uncover(data[begin : begin + size], b"manifest")
    fault = None
    try:
        manifest = _checked(_fields(body))
    except (ValueError, TypeError, KeyError, msgpack.UnpackException) as error:
        fault = f"the manifest does not say what a manifest says ({type(error).__name__})"
    if fault is not None:
        raise damaged(name, begin, fault)
    manifest.secret = data[_HEAD.size + cover_size : begin]
    if manifest.store_id != _HEAD.unpack_from(data)[-1]:
        raise damaged(name, _HEAD.size - 16, "the manifest is of another store")
    return manifest


def _read(folder: Folder) -> tuple[bytes, int, int, int]:
    file = folder.open(MANIFEST)
    try:
        size = file.size()
        if size > _SIZE_MAX:
            raise damaged(file.name, 0, "the manifest is far too long")
        data = file.pread(size, 0)
    finally:
        file.close()
    if len(data) < _HEAD.size + _SUM.size or data[: len(_MAGIC)] != _MAGIC:
        raise damaged(file.name, 0, "not a manifest")
    if _SUM.unpack_from(data, len(data) - _SUM.size)[0] != xxh3_64_intdigest(data[: -_SUM.size]):
        raise damaged(file.name, 0, "the checksum of the manifest is another")
    _, version, cover_size, secret_size, _, body_size, _ = _HEAD.unpack_from(data)
    if version != FORMAT_VERSION:
        raise damaged(file.name, len(_MAGIC), f"a format that this version of backpack does not know ({version})")
    if _HEAD.size + cover_size + secret_size + body_size + _SUM.size != len(data):
        raise damaged(file.name, _HEAD.size, "the manifest is not as long as it says")
    return data, cover_size, secret_size, body_size


def _fields(body: bytes) -> dict[str, Any]:
    """The fields, read one by one: each row is checked before there is another, and no number of rows is believed that
    none can have. So nothing takes more memory than a manifest that is right."""
    reader = msgpack.Unpacker(
        max_buffer_size=len(body), max_str_len=MESSAGE_SIZE_MAX, max_bin_len=16, max_array_len=0, max_map_len=0
    )
    reader.feed(body)
    fields: dict[str, Any] = {}
    for _ in range(_bounded(reader.read_map_header(), 16)):
        name = _text(reader.unpack())
        if name == "epochs":
            fields[name] = _rows(reader, 2, _EPOCH_COUNT_MAX, _epoch)
        elif name == "segments":
            fields[name] = _rows(reader, _SEGMENT_FIELDS, _SEGMENT_COUNT_MAX, _segment)
        elif name == "checkpoints":
            fields[name] = _rows(reader, 3, CHECKPOINT_COUNT_MAX, _checkpoint)
        else:
            fields[name] = reader.unpack()
    if reader.tell() != len(body):
        raise ValueError("there is more behind the manifest")
    return fields


def _rows(reader: Any, width: int, count_max: int, make: Callable[..., _Row]) -> list[_Row]:
    rows = []
    for _ in range(_bounded(reader.read_array_header(), count_max)):
        if reader.read_array_header() != width:
            raise ValueError("a row is not as long as it should be")
        rows.append(make(*[reader.unpack() for _ in range(width)]))
    return rows


def _bounded(count: int, count_max: int) -> int:
    if count > count_max:
        raise ValueError("more than there can be")
    return count


def _checked(fields: dict[str, Any]) -> Manifest:
    head, next_segment = _number(fields["head"]), _number(fields["next_segment"])
    store_id, epochs = fields["store_id"], fields["epochs"]
    segments, checkpoints = fields["segments"], fields["checkpoints"]
    if type(store_id) is not bytes or len(store_id) != 16 or not epochs:
        raise ValueError("not a store")
    before = 0
    last_origin = 0
    for one in segments:
        if one.first_seq > one.last_seq + 1 or one.first_seq <= before or one.origins[0] <= last_origin:
            raise ValueError("the segments do not follow one another")
        before, last_origin = max(before, one.last_seq), one.origins[1]
    if before > head or last_origin >= next_segment:
        raise ValueError("the segments do not lead up to the head")
    return Manifest(
        store_id,
        epochs,
        segments,
        next_segment=next_segment,
        last_log=_number(fields["last_log"]),
        previous=_number(fields["previous"]),
        head=head,
        first_seq=_number(fields["first_seq"]),
        last_ns=_number(fields["last_ns"]),
        checkpoints=checkpoints,
        generation=_number(fields["generation"]),
    )


def _segment(
    name: Any, first: Any, last: Any, first_seq: Any, last_seq: Any, count: Any, size: Any, has_keyframe: Any
) -> SegmentInfo:
    origins = (_number(first), _number(last))
    text = _text(name)
    if not text.replace("-", "").replace(".seg", "").isdigit() or len(text) > 64 or not 0 < origins[0] <= origins[1]:
        raise ValueError("not a segment")
    return SegmentInfo(
        text, origins, _number(first_seq), _number(last_seq), _number(count), _number(size), bool(has_keyframe)
    )


def _epoch(secret: Any, first_seq: Any) -> tuple[bytes, int]:
    return _secret(secret), _number(first_seq)


def _checkpoint(name: Any, seq: Any, notes: Any) -> tuple[str, int, str]:
    return _text(name), _number(seq), _text(notes)


def _number(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise ValueError("not a number")
    return value


def _text(value: Any) -> str:
    if type(value) is not str:
        raise ValueError("not a text")
    return value


def _secret(value: Any) -> bytes:
    if type(value) is not bytes or len(value) != 16:
        raise ValueError("not a secret")
    return value


def _name(folder: Folder) -> str:
    return f"{folder.path}/{MANIFEST}" if folder.path else MANIFEST


# -- the mark of a clean close -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CleanMark:
    """How the last log ended when the store was closed. `segment` 0: there was no log."""

    segment: int
    size: int
    head_sum: int
    head: int


def publish_clean(folder: Folder, mark: CleanMark) -> None:
    """Say that the store was closed."""
    data = _CLEAN.pack(_CLEAN_MAGIC, mark.segment, mark.size, mark.head_sum, mark.head)
    publish(folder, CLEAN, [data + _SUM.pack(xxh3_64_intdigest(data))])


def read_clean(folder: Folder) -> CleanMark | None:
    """The mark; None when there is none. A damaged one is a `CorruptionError`."""
    if not folder.has(CLEAN):
        return None
    file = folder.open(CLEAN)
    try:
        data = file.pread(_CLEAN.size + _SUM.size + 1, 0)
    finally:
        file.close()
    if len(data) != _CLEAN.size + _SUM.size or data[: len(_CLEAN_MAGIC)] != _CLEAN_MAGIC:
        raise damaged(file.name, 0, "not the mark of a clean close")
    if _SUM.unpack_from(data, _CLEAN.size)[0] != xxh3_64_intdigest(data[: _CLEAN.size]):
        raise damaged(file.name, 0, "the checksum of the mark of a clean close is another")
    _, segment, size, head_sum, head = _CLEAN.unpack_from(data)
    return CleanMark(segment, size, head_sum, head)


def missing_segments(folder: Folder, manifest: Manifest) -> Iterator[str]:
    """The segments that the manifest lists and the folder has not."""
    there = set(folder.names())
    for one in manifest.segments:
        if one.name not in there:
            yield one.name


__all__ = ["CLEAN", "MANIFEST", "CleanMark", "CorruptionError", "Manifest", "SegmentInfo"]
