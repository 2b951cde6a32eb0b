"""The log, byte by byte: one header, then one frame a commit. Little endian; pure.

    log     := magic "bplog\\0\\1\\n"  version u16  cover_size u16  segment u64  first_seq u64  previous u32  zero u32
               store_id 16s  salt 8s  cover  checksum u64
    frame   := marker 4s  kind u8  zero u8  zero u16  size u32  previous u32  seq u64  time_ns u64  synced_upto u64
               body_sum u64  head_sum u64  body
    body    := commit | note                 (as covered: see storage/cover.py; `size` is that of the covered bytes)
    commit  := count u32  label_size u32  first_source u32  change{count}  label  data{count}
    change  := key_size u16  kind u8  form u8  version u64  size u64
    data    := key  payload                  form 1: `size` bytes that are a new source of this segment
             | key  detail                   form 2: `size` bytes of msgpack and what is new
             | key                           form 0: no value
    detail  := msgpack_size u32  msgpack [own, [origin, number, start, stop ...], [digest ...], reason,
               [number, offset, size ...]]  new bytes
    label   := msgpack [node, message, [tag ...]], empty when there is nothing to say
    note    := msgpack, about the store rather than a key: checkpoints made and deleted

Why recovery can trust it: `head_sum` covers the head and is checked before `size` is believed; `body_sum` covers the
body; both are seeded with the salt of this very log, so stale blocks, other logs and values that contain a frame are
none. `previous` are the low bits of the `head_sum` of the frame before (of the log before, for the first), so
frames that were swapped, repeated or left out are noticed. `marker` (the first bytes of the salt) lets a search find
the next frame behind a bad one. `synced_upto` is the newest seq that was known to be on disk when the frame was
written.
"""

from struct import Struct
from struct import error as StructError
from typing import Any, Final

import msgpack
from xxhash import xxh3_64_intdigest

from backpack.archive.content import BLOB, OWN, Change, Cut, Value
from backpack.core.commit import NO_LABEL, Label
from backpack.errors import CorruptionError
from backpack.limits import KEY_SIZE_MAX, KIB
from backpack.storage.cover import DIGEST_SIZE

MAGIC: Final = b"bplog\0\1\n"
VERSION: Final = 1
LOG_HEAD: Final = Struct("<8sHHQQII16s8s")
SALT_SIZE: Final = 8
FRAME: Final = Struct("<4sBBHIIQQQQ")
SUM: Final = Struct("<Q")
FRAME_SIZE: Final = FRAME.size + SUM.size
_COMMIT: Final = Struct("<III")
_CHANGE: Final = Struct("<HBBQQ")
ONE: Final = Struct("<IIIHBBQQ")
"""`commit` and its `change`, when there is only one."""
USUAL: Final = Struct("<8sIIQQQQQIIIHHQQ")
"""The head of a frame, its checksum, and `ONE`. What is the same in all frames of one whole new payload is one field
each: the salt with `USUAL_KIND`, and `USUAL_FORM`."""

COMMIT: Final = 1
NOTE: Final = 2

NOTHING: Final = 0
WHOLE: Final = 1
DETAIL: Final = 2
KINDS: Final = ("pack", "delete", "quarantine", "release")
KIND_CODES: Final = {kind: code for code, kind in enumerate(KINDS)}
USUAL_KIND: Final = bytes((COMMIT, 0, 0, 0))
USUAL_FORM: Final = KIND_CODES["pack"] | WHOLE << 8
IS_LARGE: Final = 0x10
"""Set in the kind of a change to a large value."""

FRAME_BODY_MAX: Final = (1 << 32) - 1
"""What `size` can say. A commit that is longer is refused before anything is written."""
PLAIN_SIZE_MAX: Final = 256 * KIB
"""Bytes that msgpack reads at once. A label (64 tags of 1 KiB, a message of 64 KiB), a note or the cuts of a value are
shorter; made of empty lists they would make objects of 60 times their size."""
_FIVE: Final = b"\x95"
_WIDTHS: Final = {b"\xc4": 1, b"\xc5": 2, b"\xc6": 4}
"""Of msgpack: how wide the size of bytes is, by the first byte."""
_DETAIL_SIZE: Final = Struct("<I")
_COUNT_MAX: Final = 1 << 28


def damaged(file: str, offset: int, what: str) -> CorruptionError:
    """The error for bytes that are not what was written."""
    return CorruptionError(f"{what}: file={file} offset={offset}", file=file, offset=offset)


class LogHead:
    """What stands at the beginning of a log."""

    __slots__ = ("boot", "cover_header", "first_seq", "previous", "salt", "segment", "store_id")

    def __init__(
        self,
        store_id: bytes,
        segment: int,
        first_seq: int,
        previous: int,
        salt: bytes,
        cover_header: bytes,
        boot: int = 0,
    ) -> None:
        self.store_id = store_id
        self.segment = segment
        self.first_seq = first_seq
        self.previous = previous
        """The low bits of the last `head_sum` of the log before; 0 for the first."""
        self.salt = salt
        self.cover_header = cover_header
        self.boot = boot
        """Since when the machine ran that began it, as `Folder.boot` says it; 0 when that isn't known."""

    @property
    def seed(self) -> int:
        """What all checksums of this log are seeded with."""
        return int.from_bytes(self.salt, "little")

    @property
    def size(self) -> int:
        return LOG_HEAD.size + len(self.cover_header) + SUM.size

    def packed(self) -> bytes:
        """The bytes of it."""
        head = LOG_HEAD.pack(
            MAGIC,
            VERSION,
            len(self.cover_header),
            self.segment,
            self.first_seq,
            self.previous,
            self.boot,
            self.store_id,
            self.salt,
        )
        head += self.cover_header
        return head + SUM.pack(xxh3_64_intdigest(head))


LOG_HEAD_SIZE_MAX: Final = LOG_HEAD.size + 255 + SUM.size


def read_log_head(data: bytes, name: str) -> LogHead:
    """The head of a log from its first bytes; `CorruptionError` when it isn't one."""
    if len(data) < LOG_HEAD.size + SUM.size or data[: len(MAGIC)] != MAGIC:
        raise damaged(name, 0, "not the beginning of a log")
    _, version, cover_size, segment, first_seq, previous, boot, store_id, salt = LOG_HEAD.unpack_from(data)
    stop = LOG_HEAD.size + cover_size
    if len(data) < stop + SUM.size or SUM.unpack_from(data, stop)[0] != xxh3_64_intdigest(data[:stop]):
        raise damaged(name, 0, "the head of the log is not what was written")
    if version != VERSION:
        raise damaged(name, len(MAGIC), f"a format of logs that this version of backpack does not know ({version})")
    return LogHead(store_id, segment, first_seq, previous, salt, data[LOG_HEAD.size : stop], boot)


class Frame:
    """A frame whose head is right; `body_sum` is still to be compared."""

    __slots__ = ("body_sum", "head_sum", "kind", "previous", "seq", "size", "synced_upto", "time_ns")

    def __init__(
        self,
        kind: int,
        size: int,
        previous: int,
        seq: int,
        time_ns: int,
        synced_upto: int,
        body_sum: int,
        head_sum: int,
    ) -> None:
        self.kind = kind
        self.size = size
        self.previous = previous
        self.seq = seq
        self.time_ns = time_ns
        self.synced_upto = synced_upto
        self.body_sum = body_sum
        self.head_sum = head_sum


def pack_frame(
    salt: bytes, seed: int, previous: int, kind: int, seq: int, time_ns: int, synced_upto: int, body: bytes
) -> tuple[bytes, int]:
    """`(the bytes of a frame, its head_sum)`."""
    head = FRAME.pack(
        salt[:4],
        kind,
        0,
        0,
        len(body),
        previous & 0xFFFFFFFF,
        seq,
        time_ns,
        synced_upto,
        xxh3_64_intdigest(body, seed),
    )
    head_sum = xxh3_64_intdigest(head, seed)
    return head + SUM.pack(head_sum) + body, head_sum


def read_frame(head: LogHead, seed: int, data: bytes, at: int) -> Frame | None:
    """The frame whose head stands there; None when that is none of this log."""
    if len(data) - at < FRAME_SIZE:
        return None
    head_sum = SUM.unpack_from(data, at + FRAME.size)[0]
    if xxh3_64_intdigest(data[at : at + FRAME.size], seed) != head_sum:
        return None
    marker, kind, zero, zeros, size, previous, seq, time_ns, synced_upto, body_sum = FRAME.unpack_from(data, at)
    if marker != head.salt[:4] or zero or zeros or kind not in (COMMIT, NOTE):
        return None
    return Frame(kind, size, previous, seq, time_ns, synced_upto, body_sum, head_sum)


def unpacked(data: bytes, *, free: int = 0) -> Any:
    """What msgpack reads; ValueError when it can't, or when it might make more objects than anything of ours has.

    `free`: so many bytes don't count, because they are one object.
    """
    if len(data) - free > PLAIN_SIZE_MAX:
        raise ValueError("a note, label or detail is longer than any is written")
    return msgpack.unpackb(data, strict_map_key=True)


def _own_size(head: bytes) -> int:
    """The size of the bytes that a detail begins with; `head` are its first six bytes."""
    width = _WIDTHS.get(head[1:2], 0) if head[:1] == _FIVE else 0
    return int.from_bytes(head[2 : 2 + width], "big")


# -- labels ------------------------------------------------------------------------------------------------------


def pack_label(label: Label) -> bytes:
    """A label as bytes."""
    return b"" if label == NO_LABEL else bytes(msgpack.packb([label[0], label[1], list(label[2])]))


def read_label(data: bytes) -> Label:
    """A label of its bytes; ValueError when they are none."""
    if not data:
        return NO_LABEL
    node, message, tags = checked_list(unpacked(data), 3)
    for text in (node, message):
        if text is not None and type(text) is not str:
            raise ValueError("not a label")
    if type(tags) is not list or any(type(tag) is not str for tag in tags):
        raise ValueError("not a label")
    return node, message, tuple(tags)


def checked_list(value: Any, count: int) -> list[Any]:
    """A list of that many items, or ValueError."""
    if type(value) is not list or len(value) != count:
        raise ValueError("not what was written")
    return value


# -- commits -----------------------------------------------------------------------------------------------------


class Written:
    """A change as it is written: where its bytes are, and those that are new."""

    __slots__ = ("added", "change", "payload")

    def __init__(
        self, change: Change, payload: bytes | None = None, added: tuple[tuple[int, int, bytes], ...] = ()
    ) -> None:
        self.change = change
        self.payload = payload
        """All its bytes, when they are one new source."""
        self.added = added
        """`(number, offset, bytes)` for each source of this segment that it makes (offset 0) or makes longer."""


def pack_commit(label: bytes, changes: list[Written], first_source: int) -> bytes:
    """The body of the frame of a commit. `first_source`: the number of the next source when it began."""
    heads: list[bytes] = []
    datas: list[bytes] = []
    for written in changes:
        change = written.change
        key = change.key.encode()
        kind = KIND_CODES[change.kind] | (IS_LARGE if change.is_large else 0)
        if written.payload is not None:
            heads.append(_CHANGE.pack(len(key), kind, WHOLE, change.version, len(written.payload)))
            datas += (key, written.payload)
        elif change.value is None:
            heads.append(_CHANGE.pack(len(key), kind, NOTHING, change.version, 0))
            datas.append(key)
        else:
            detail = _pack_detail(change, written.added)
            heads.append(_CHANGE.pack(len(key), kind, DETAIL, change.version, sum(map(len, detail))))
            datas.append(key)
            datas += detail
    return b"".join((_COMMIT.pack(len(changes), len(label), first_source), *heads, label, *datas))


def pack_longer(
    label: bytes,
    key: str,
    kind: int,
    version: int,
    own: bytes,
    flat: list[int],
    blobs: tuple[bytes, ...],
    source: tuple[int, int],
    appended: bytes,
    first_source: int,
) -> bytes:
    """The same for one pack, of which only what is appended is new: to the source `(number, offset)`.

    `flat`: the cuts of its value, number by number.
    """
    name = key.encode()
    packed = msgpack.packb([own, flat, blobs, "", [*source, len(appended)]])
    size = _DETAIL_SIZE.size + len(packed) + len(appended)
    head = ONE.pack(1, len(label), first_source, len(name), kind, DETAIL, version, size)
    return b"".join((head, label, name, _DETAIL_SIZE.pack(len(packed)), packed, appended))


def _pack_detail(change: Change, added: tuple[tuple[int, int, bytes], ...]) -> list[bytes]:
    value = change.value
    assert value is not None
    sizes = [number for source, offset, data in added for number in (source, offset, len(data))]
    flat = [number for cut in value.cuts for number in cut]
    packed = bytes(msgpack.packb([value.own, flat, list(value.blobs), change.reason, sizes]))
    return [_DETAIL_SIZE.pack(len(packed)), packed, *[data for _, _, data in added]]


Added = tuple[int, int, int, int]
"""`(number, offset, start, size)`: bytes of a frame's body, from `start` on, that go on a source at `offset`."""


class Placed:
    """A change read back from a frame: what is new in it stands in the body of the frame."""

    __slots__ = ("added", "change")

    def __init__(self, change: Change, added: tuple[Added, ...]) -> None:
        self.change = change
        self.added = added


def read_commit(body: bytes, seq: int, segment: int) -> tuple[Label, list[Placed], int, int]:
    """`(label, changes, the number of the next source before it, and behind it)`; ValueError when the body is not a
    commit."""
    try:
        count, label_size, next_source = _COMMIT.unpack_from(body)
        if not 0 < count <= _COUNT_MAX or _COMMIT.size + count * _CHANGE.size + label_size > len(body):
            raise ValueError("the counts are longer than the frame")
        first_source = next_source
        at = _COMMIT.size + count * _CHANGE.size
        label = read_label(body[at : at + label_size])
        at += label_size
        placed = []
        for index in range(count):
            key_size, code, form, version, size = _CHANGE.unpack_from(body, _COMMIT.size + index * _CHANGE.size)
            stop = at + key_size
            if not 0 < key_size <= KEY_SIZE_MAX or stop + size > len(body) or not 0 < version < 1 << 62:
                raise ValueError("a change is longer than the frame")
            key = str(body[at:stop], "utf-8")
            kind = KINDS[code & 0x0F]
            is_large = bool(code & IS_LARGE)
            value: Value | None = None
            added: tuple[Added, ...] = ()
            reason = ""
            if form == WHOLE:
                value = Value(((segment, next_source, 0, size),), size=size)
                added = ((next_source, 0, stop, size),)
                next_source += 1
            elif form == DETAIL:
                value, reason, added, next_source = _read_detail(body, stop, size, next_source)
            elif form != NOTHING or size:
                raise ValueError("no such form")
            if (value is None) != (kind == "delete"):
                raise ValueError("a value where there is none, or none where there is one")
            change = Change(key, seq, kind, version, value, is_large=is_large, reason=reason)
            placed.append(Placed(change, added))
            at = stop + size
        if at != len(body):
            raise ValueError("the frame is longer than what it says")
        return label, placed, first_source, next_source
    except (StructError, UnicodeDecodeError, IndexError, TypeError, msgpack.UnpackException) as error:
        fault = f"not a commit ({type(error).__name__})"
    raise ValueError(fault)


def _read_detail(body: bytes, at: int, size: int, next_source: int) -> tuple[Value, str, tuple[Added, ...], int]:
    packed_size = _DETAIL_SIZE.unpack_from(body, at)[0]
    begin = at + _DETAIL_SIZE.size
    stop = at + size
    if begin + packed_size > stop:
        raise ValueError("the detail is longer than its change")
    packed = unpacked(body[begin : begin + packed_size], free=_own_size(body[begin : begin + 6]))
    own, flat, blobs, reason, sizes = checked_list(packed, 5)
    value = checked_value(own, flat, blobs)
    if type(reason) is not str or type(sizes) is not list or len(sizes) % 3:
        raise ValueError("not a detail")
    added = []
    at = begin + packed_size
    if any(type(number) is not int or not 0 <= number < 1 << 62 for number in sizes):
        raise ValueError("a source that is none")
    for number, offset, length in zip(sizes[::3], sizes[1::3], sizes[2::3], strict=True):
        if number > next_source or (number == next_source and offset):
            raise ValueError("a source that is none")
        next_source += number == next_source
        added.append((number, offset, at, length))
        at += length
    if at != stop:
        raise ValueError("the detail is not as long as its change")
    return value, reason, tuple(added), next_source


def checked_value(own: Any, flat: Any, blobs: Any) -> Value:
    """A value of what was read; ValueError when it can't be one. Whether its sources exist is not asked here."""
    if type(own) is not bytes or type(flat) is not list or type(blobs) is not list or len(flat) % 4:
        raise ValueError("not a value")
    if any(type(digest) is not bytes or len(digest) != DIGEST_SIZE for digest in blobs):
        raise ValueError("not the name of a blob")
    if any(type(number) is not int or not -1 <= number < 1 << 62 for number in flat):
        raise ValueError("not a cut")
    cuts: list[Cut] = []
    for at in range(0, len(flat), 4):
        origin, number, start, stop = flat[at : at + 4]
        if not 0 <= start <= stop or number < 0:
            raise ValueError("a cut that ends before it begins")
        if (origin == OWN and stop > len(own)) or (origin == BLOB and number >= len(blobs)):
            raise ValueError("a cut of nothing")
        cuts.append((origin, number, start, stop))
    return Value(tuple(cuts), own, tuple(blobs))
