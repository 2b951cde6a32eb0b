"""A log that is damaged in the middle: every frame of it that verifies, whatever stands between them.

Behind a bad frame the next one is found by the marker of the log. It is believed when both of its checksums are right
and its commit comes after all before it; each frame says itself which sources it makes and where in a source its bytes
go on, so it needs none of those that are lost. What is missing is known as holes: of commits, and of the bytes of
sources. Even the head of the log may be damaged, as long as its salt is not: the frames prove it.
"""

from array import array
from collections.abc import Iterator, Sequence
from typing import Final

import msgpack
from xxhash import xxh3_64_intdigest

from backpack.archive.broken import Hole
from backpack.archive.content import CommitRow
from backpack.archive.frames import (
    COMMIT,
    FRAME_SIZE,
    LOG_HEAD,
    LOG_HEAD_SIZE_MAX,
    Frame,
    LogHead,
    Placed,
    damaged,
    read_commit,
    read_frame,
    read_log_head,
    unpacked,
)
from backpack.archive.scanning import Log
from backpack.errors import CorruptionError
from backpack.storage.cover import Covers
from backpack.storage.protocol import File

_WINDOW: Final = 1 << 20
_NO_FRAME: Final = "no frame of the log stands there"

Range = tuple[int, int]


class MendedLog(Log):
    """All frames of one log that verify."""

    __slots__ = ("bad", "holes")

    def __init__(self, file: File, head: LogHead, covers: Covers) -> None:
        super().__init__(file, head, covers)
        self.holes: list[Hole] = []
        """The commits that are missing before, or between, those that are here."""
        self.bad: list[tuple[int, str]] = []
        """`(offset, what is wrong)` for each stretch that is no frame."""

    @classmethod
    def salvaged(cls, file: File, covers: Covers, store_id: bytes, segment: int, first_seq: int) -> "MendedLog | None":
        """What verifies of a log, whose first commit should be that one; None when nothing does."""
        head, fault = _head(file, store_id, segment, first_seq)
        if head is None:
            return None
        try:
            log = cls(file, head, covers)
        except CorruptionError:
            return None  # a cover that can't be read
        if fault:
            log.bad.append((0, fault))
        log.salvage()
        return log if log.rows or log.notes or not fault else None

    def salvage(self) -> None:
        """Take in all that verifies."""
        end = self.file.size()
        offset = self.head.size
        bad = -1 if not self.bad else offset
        while offset < end:
            found = self._frame_at(offset, end)
            reason = _NO_FRAME if found is None else self._enter(found[0], found[1], offset, bad)
            if found is None or reason:
                if bad < 0:
                    bad = offset
                    self.bad.append((offset, reason))
                offset = self._next_marker(offset + 1, end)
                continue
            bad = -1
            offset += FRAME_SIZE + found[0].size
            self.stop = offset

    # -- what can be read ----------------------------------------------------------------------------------------

    def commit(self, seq: int) -> CommitRow | None:
        """A commit; `CorruptionError` for one that is lost."""
        index = seq - self.first_seq
        if 0 <= index < len(self._frames) and not self._frames[index]:
            raise self.hole_at(seq).error()
        return super().commit(seq)

    def lost_from(self, stop: int) -> int:
        """The first of the commits that are lost with the one before `stop`: those of its hole."""
        seq = min(stop - 1, self.last_seq)
        return self.hole_at(seq).first_seq if seq >= self.first_seq and not self._frames[seq - self.first_seq] else seq

    def readable(self) -> Iterator[CommitRow]:
        """The commits that can be read, oldest first."""
        for index, offset in enumerate(self._frames):
            if offset:
                row = super().commit(self.first_seq + index)
                assert row is not None
                yield row

    @property
    def last_readable(self) -> int:
        """The last commit that can be read; 0 when there is none. A note may stand behind one that is lost."""
        count = len(self._frames)
        while count and not self._frames[count - 1]:
            count -= 1
        return self.first_seq + count - 1 if count else 0

    @property
    def commit_count(self) -> int:
        return sum(map(bool, self._frames))

    def hole_at(self, seq: int) -> Hole:
        """The hole that a lost commit lies in."""
        return next(hole for hole in self.holes if hole.first_seq <= seq <= hole.last_seq)

    def lost_of(self, number: int) -> list[Range]:
        """Which bytes of a source are missing: `(start, stop)`, in order."""
        lost = []
        stop = 0
        for offset, _, _, size in self.sources.pieces_of(number):
            if offset > stop:
                lost.append((stop, offset))
            stop = offset + size
        size = self.size_of(number)
        if stop < size:
            lost.append((stop, size))
        return lost

    def _lacks(self, number: int) -> CorruptionError:
        offset = self.bad[0][0] if self.bad else 0
        return damaged(self.file.name, offset, f"the bytes of a value are lost (source {number})")

    # -- taking in -----------------------------------------------------------------------------------------------

    def _frame_at(self, offset: int, end: int) -> tuple[Frame, bytes] | None:
        """The frame there with its covered body, both checksums right."""
        data = self.file.pread(min(_WINDOW >> 6, end - offset), offset)
        frame = read_frame(self.head, self.seed, data, 0)
        if frame is None or offset + FRAME_SIZE + frame.size > end:
            return None
        stop = FRAME_SIZE + frame.size
        covered = data[FRAME_SIZE:stop] if stop <= len(data) else self.file.pread(frame.size, offset + FRAME_SIZE)
        return (frame, covered) if xxh3_64_intdigest(covered, self.seed) == frame.body_sum else None

    def _next_marker(self, offset: int, end: int) -> int:
        marker = self.head.salt[:4]
        while offset < end:
            window = self.file.pread(min(_WINDOW, end - offset), offset)
            at = window.find(marker)
            if at >= 0:
                return offset + at
            offset += max(len(window) - len(marker) + 1, 1)
        return end

    def _enter(self, frame: Frame, covered: bytes, offset: int, bad: int) -> str:
        """Take a frame in; or why not. `bad`: where the bad stretch before it begins, -1 when there is none."""
        is_next = bad < 0 and frame.previous == self.head_sum & 0xFFFFFFFF
        expected = self.last_seq + 1 if frame.kind == COMMIT else self.last_seq
        if frame.seq < expected or (is_next and frame.seq != expected):
            return "the frame is not the next one"
        try:
            body = self._cover.uncover(covered, b"frame:%d" % offset)
            if frame.kind == COMMIT:
                _, placed, first_source, next_source = read_commit(body, frame.seq, self.head.segment)
                if not self._fits(placed, first_source, is_next):
                    return "the commit does not go on where those before it end"
            else:
                note = unpacked(body)
        except (ValueError, msgpack.UnpackException, CorruptionError):
            return "the frame can't be read"
        if not is_next and bad < 0:
            self.bad.append((offset, "the frame does not follow the one before it"))
        lost = frame.seq if frame.kind == COMMIT else frame.seq + 1
        self._skip(lost, offset if bad < 0 else bad)
        if frame.kind == COMMIT:
            self._add(frame, placed, first_source, offset)
            self.next_source = next_source
        else:
            self.notes.append((frame.seq, note))
        self.head_sum = frame.head_sum
        self.synced_upto = max(self.synced_upto, frame.synced_upto)
        return ""

    def _fits(self, placed: Sequence[Placed], first_source: int, is_next: bool) -> bool:
        if first_source < self.next_source or (is_next and first_source != self.next_source):
            return False
        sizes: dict[int, int] = {}
        for one in placed:
            for number, offset, _, size in one.added:
                known = sizes.get(number)
                if known is None:
                    known = self.size_of(number) if number < self.next_source else 0
                if offset < known:
                    return False
                sizes[number] = offset + size
        return True

    def _skip(self, seq: int, offset: int) -> None:
        """The commits up to that one, which is not of them, are lost."""
        first = self.last_seq + 1
        if seq <= first:
            return
        self.holes.append(Hole(first, seq - 1, self.file.name, offset, _NO_FRAME))
        last_ns = self.last_ns
        for _ in range(first, seq):
            self._frames.append(0)
            self._times.append(last_ns)
        self.last_seq = seq - 1

    def _add(self, frame: Frame, placed: Sequence[Placed], first_source: int, offset: int) -> None:
        for _ in range(self.next_source, first_source):
            self.sources.lose()
        self.next_source = first_source
        for one in placed:
            row = self.rows.get(one.change.key)
            if row is None:
                row = self.rows[one.change.key] = array("Q")
            row.append(frame.seq)
            self.sources.extend(one.added, offset)
        self._frames.append(offset)
        self._times.append(frame.time_ns)
        self.last_seq = frame.seq


def _head(file: File, store_id: bytes, segment: int, first_seq: int) -> tuple[LogHead | None, str]:
    """`(the head of a log, what is wrong with it)`; None when it is of another log or can't be had."""
    data = file.pread(LOG_HEAD_SIZE_MAX, 0)
    try:
        head = read_log_head(data, file.name)
    except CorruptionError as error:
        fault = str(error).partition(": file=")[0]
    else:
        if head.store_id != store_id or head.segment != segment or head.first_seq < first_seq:
            return None, ""
        is_late = head.first_seq > first_seq
        head = LogHead(store_id, segment, first_seq, head.previous, head.salt, head.cover_header, head.boot)
        return head, "the log begins with a later commit" if is_late else ""
    if len(data) < LOG_HEAD.size:
        return None, ""
    _, _, cover_size, *_, salt = LOG_HEAD.unpack_from(data)
    cover_header = data[LOG_HEAD.size : LOG_HEAD.size + cover_size] if cover_size <= 255 else b""
    return LogHead(store_id, segment, first_seq, 0, salt, cover_header), fault
