"""The log as it is written: one frame a commit, handed to the disk before the commit is adopted.

A frame that could not be written whole is cut off again; when even that fails, or a sync has failed, the writer stops
for good (`failure`): reads go on, only reopening recovers.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgpack
from xxhash import xxh3_64_intdigest

from backpack.archive.frames import (
    COMMIT,
    FRAME,
    FRAME_BODY_MAX,
    IS_LARGE,
    KIND_CODES,
    NOTE,
    ONE,
    SUM,
    WHOLE,
    LogHead,
    Written,
    pack_commit,
    pack_frame,
    pack_label,
    pack_longer,
)
from backpack.archive.placing import Placer
from backpack.core.chain import Chain
from backpack.core.commit import NO_LABEL, Label
from backpack.core.payload import Pieces
from backpack.errors import DiskFullError, InvalidArgumentError, StorageError
from backpack.storage.cover import Cover, Covers
from backpack.storage.protocol import File, Folder

_LABELS_KEPT: Final = 256
_PACK: Final = KIND_CODES["pack"]

MakeSalt = Callable[[], bytes]


def log_name(segment: int) -> str:
    """The file of the log with that number."""
    return f"{segment:012d}.log"


Begun = tuple[File, LogHead, Cover, int, int, int]
"""A log that nothing is in yet, and where it goes on: what `Writer.take` wants."""


class Writer:
    """Appends frames to the newest log of a store. Wants the store's lock."""

    __slots__ = (
        "_append",
        "_boot",
        "_cover",
        "_covers",
        "_folder",
        "_label_before",
        "_labels",
        "_make_salt",
        "_marker",
        "_seed",
        "_store_id",
        "_undo_point",
        "failure",
        "file",
        "first_seq",
        "head",
        "head_sum",
        "last_seq",
        "placer",
        "roll",
        "roll_at",
        "segment",
        "size",
        "synced_upto",
    )

    def __init__(
        self, folder: Folder, covers: Covers, store_id: bytes, placer: Placer, make_salt: MakeSalt, last_seq: int
    ) -> None:
        self._folder = folder
        self._covers = covers
        self._store_id = store_id
        self._make_salt = make_salt
        self._boot = folder.boot
        self._labels: dict[Label, bytes] = {NO_LABEL: b""}
        self._label_before: tuple[Label, bytes] = (NO_LABEL, b"")
        """The last one, which is most often the next one too: a tuple is hashed anew each time."""
        self.placer = placer
        self.last_seq = last_seq
        self.synced_upto = 0
        """The newest seq known to be on disk for good."""
        self.failure: StorageError | None = None
        """Why nothing may be written any more."""
        self.size = 0
        """Bytes of the log up to the end of its last frame."""
        self.head_sum = 0
        self.segment = 0
        self.first_seq = last_seq + 1
        self._undo_point = (0, 0)
        self.roll_at = 1 << 62
        """Above this size of the log `roll` is called before the next frame."""
        self.roll: Callable[[], None] = _nothing

    def start(self, segment: int, previous: int) -> None:
        """Begin a new log and go on in it. `previous`: the last `head_sum` of the log before."""
        self.take(*self.begun(segment, previous))

    def begun(self, segment: int, previous: int) -> "Begun":
        """A new log, for `take`. An error leaves none, and this goes on in the old one."""
        salt = self._make_salt()
        cover = self._covers.fresh(b"log:%d" % segment)
        head = LogHead(
            self._store_id, segment, self.last_seq + 1, previous & 0xFFFFFFFF, salt, cover.header, self._boot
        )
        name = log_name(segment)
        self._folder.remove(name)  # the rest of an attempt that failed
        try:
            file = self._folder.create(name)
            file.append(head.packed())
        except BaseException:
            self._folder.remove(name)
            raise
        return file, head, cover, head.size, head.previous, 0

    def take(self, file: File, head: LogHead, cover: Cover, size: int, head_sum: int, next_source: int) -> None:
        """Go on in a log whose end is known."""
        self.file = file
        self.head = head
        self.segment = head.segment
        self.first_seq = head.first_seq
        self.size = size
        self.head_sum = head_sum
        self._append = file.append
        self._marker = head.salt[:4]
        self._seed = head.seed
        self._cover = cover
        self.placer.segment = head.segment
        self.placer.next_source = next_source
        self._undo_point = (size, head_sum)

    def write_one(self, seq: int, time_ns: int, label: Label, key: str, version: int, payload: bytes) -> None:
        """The commit of one new payload under one key: the hot path of `write`."""
        if self.size > self.roll_at:
            self.roll()
        if self._cover.overhead or self.failure is not None or len(payload) > FRAME_BODY_MAX >> 1:
            self._write_unusual(seq, time_ns, label, key, version, payload)
            return
        known, packed = self._label_before
        if known is not label:
            packed = self._label(label)
        name = key.encode()
        body = b"".join(
            (
                ONE.pack(1, len(packed), self.placer.next_source, len(name), _PACK, WHOLE, version, len(payload)),
                packed,
                name,
                payload,
            )
        )
        seed, size, placer = self._seed, self.size, self.placer
        head = FRAME.pack(
            self._marker,
            COMMIT,
            0,
            0,
            len(body),
            self.head_sum & 0xFFFFFFFF,
            seq,
            time_ns,
            self.synced_upto,
            xxh3_64_intdigest(body, seed),
        )
        head_sum = xxh3_64_intdigest(head, seed)
        data = head + SUM.pack(head_sum) + body
        before = (size, self.head_sum, self.last_seq)
        placer.begin_one()
        try:
            self._append(data)
            self._undo_point = (size, self.head_sum)
            placer.next_source += 1
            self.head_sum = head_sum
            self.size = size + len(data)
            self.last_seq = seq
        except BaseException as error:
            placer.undo()
            self._cut(error, before)
            raise

    def write_longer(
        self,
        seq: int,
        time_ns: int,
        label: Label,
        chain: Chain,
        content: Pieces,
        appended: bytes,
        records: Mapping[int, object],
    ) -> None:
        """The commit of what a chain has, longer by these bytes: the hot path of `write` for lists that grow."""
        if self.size > self.roll_at:
            self.roll()
        placer, more = self.placer, len(appended)
        key, version, is_large = chain.key, chain.version + 1, chain.content is not None
        growing = placer.growing(content, more)
        if growing is None:
            placer.begin(records)
            try:
                written = placer.pack(key, seq, "pack", version, content, is_large=is_large)
                self.write(seq, time_ns, label, [written])
            except BaseException:
                placer.undo()
                raise
            placer.keep_tail(content, written.change.value)
            return
        place, tail = growing
        size = place.size
        at = size + tail.shift
        body = pack_longer(
            self._label(label),
            key,
            _PACK | IS_LARGE if is_large else _PACK,
            version,
            content.own,
            [*tail.flat, at + more],
            tail.blobs,
            (tail.number, at),
            appended,
            placer.next_source,
        )
        placer.begin_one()
        self._frame(COMMIT, seq, time_ns, body)
        placer.grow(place, more)

    def begin(self, records: Mapping[int, object]) -> None:
        """A commit is to be packed by the placer and then written. `records`: see `Placer.begin`."""
        if self.size > self.roll_at:
            self.roll()
        self.placer.begin(records)

    def write(self, seq: int, time_ns: int, label: Label, changes: Sequence[Written]) -> None:
        """The commit of any number of changes, which the placer has packed since `begin`. Where this raises, or what
        comes before it, the caller has the placer undo them: else it would take for written what is not."""
        body = pack_commit(self._label(label), list(changes), self.placer.first_source)
        self._frame(COMMIT, seq, time_ns, body)

    def note(self, time_ns: int, note: Any) -> None:
        """Write down something about the store: plain values for msgpack."""
        self._frame(NOTE, self.last_seq, time_ns, bytes(msgpack.packb(note)))
        self._undo_point = (self.size, self.head_sum)

    def retract(self, seq: int) -> None:
        """The commit `seq`, the last that was written, was not adopted: take it out again."""
        if self.last_seq != seq:
            return
        size, head_sum = self._undo_point
        self.placer.undo()
        self._truncate(size)
        self.size = size
        self.head_sum = head_sum
        self.last_seq = seq - 1

    # -- inside --------------------------------------------------------------------------------------------------

    def _write_unusual(self, seq: int, time_ns: int, label: Label, key: str, version: int, payload: bytes) -> None:
        """`write_one` where frames are covered, or where it is going to be refused."""
        self.placer.begin({})
        try:
            self.write(seq, time_ns, label, [self.placer.pack(key, seq, "pack", version, payload)])
        except BaseException:
            self.placer.undo()
            raise

    def _frame(self, kind: int, seq: int, time_ns: int, body: bytes) -> None:
        if self.failure is not None:
            raise stopped_error(self.failure)
        if len(body) + self._cover.overhead > FRAME_BODY_MAX:
            raise InvalidArgumentError(
                f"one commit can't be longer than {FRAME_BODY_MAX} bytes on disk: size={len(body)}; make several"
            )
        if self._cover.overhead:
            body = self._cover.cover(body, b"frame:%d" % self.size)
        data, head_sum = pack_frame(
            self._marker.ljust(8, b"\0"), self._seed, self.head_sum, kind, seq, time_ns, self.synced_upto, body
        )
        before = (self.size, self.head_sum, self.last_seq)
        try:
            self._append(data)
            self._undo_point = before[:2]
            self.head_sum = head_sum
            self.size += len(data)
            self.last_seq = seq
        except BaseException as error:
            self._cut(error, before)
            raise

    def _cut(self, error: BaseException, before: tuple[int, int, int]) -> None:
        """A frame was not written whole, or nobody knows: be as before, and take away what there is of it. A refusal
        other than a full disk, or an interrupt whose frame can't be cut off, ends writing."""
        self.size, self.head_sum, self.last_seq = before
        if isinstance(error, StorageError) and not isinstance(error, DiskFullError):
            self.failure = error
        self._truncate(self.size)

    def _truncate(self, size: int) -> None:
        try:
            self.file.truncate(size)
        except StorageError as error:
            self.failure = error

    def _label(self, label: Label) -> bytes:
        packed = self._labels.get(label)
        if packed is None:
            packed = pack_label(label)
            if len(self._labels) >= _LABELS_KEPT:
                self._labels = {NO_LABEL: b""}
            self._labels[label] = packed
        self._label_before = (label, packed)
        return packed


def stopped_error(failure: StorageError) -> StorageError:
    """The error for writing after a failure that only reopening mends."""
    return StorageError(
        f"the store takes no more writes since the disk refused one ({failure}); what was acknowledged is there: "
        "close the store and open it again",
        file=getattr(failure, "file", None),
        errno=failure.errno,
    )


def _nothing() -> None:
    pass
