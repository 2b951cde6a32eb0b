"""A log that is not sealed yet, as something to read from: an index of it in memory, built by reading it once.

The index is compact (about 60 bytes a change) and never holds values: a read goes to the file. It is built when
somebody asks for what only the log has, and by recovery and sealing, which read all of it anyway.
"""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from operator import itemgetter
from threading import RLock
from typing import Any, Final

import msgpack
from xxhash import xxh3_64_intdigest

from backpack.archive.content import Change, CommitRow
from backpack.archive.contents import UsualRun
from backpack.archive.dormant import Newest, newest_of
from backpack.archive.frames import (
    COMMIT,
    FRAME,
    FRAME_SIZE,
    LOG_HEAD_SIZE_MAX,
    USUAL,
    USUAL_FORM,
    USUAL_KIND,
    Frame,
    LogHead,
    damaged,
    read_commit,
    read_frame,
    read_label,
    read_log_head,
    unpacked,
)
from backpack.archive.sources import Sources
from backpack.archive.testifying import kept_behind
from backpack.core.commit import Label
from backpack.errors import CorruptionError
from backpack.limits import KEY_SIZE_MAX
from backpack.storage.cover import Cover, Covers
from backpack.storage.protocol import File

_WINDOW: Final = 1 << 20
"""Bytes of a log that are read at once."""

_STEP: Final = 16
"""Commits between two pauses."""


def _nowhere() -> int:
    return 0


class Fault:
    """Where a log stops being what was written, and what was expected there."""

    __slots__ = ("offset", "reason", "seq")

    def __init__(self, offset: int, seq: int, reason: str) -> None:
        self.offset = offset
        self.seq = seq
        """The commit that should stand there (or the one after a note that should)."""
        self.reason = reason


class Gathered:
    """What a scan has come by, for sealing."""

    __slots__ = ("bodies", "pause", "rows", "wholes")

    def __init__(self, pause: Callable[[], None]) -> None:
        """`pause`: called now and then, to give way to others."""
        self.pause = pause
        self.rows: list[CommitRow | UsualRun] = []
        self.wholes: dict[int, bytes] = {}
        """The sources that usual commits made, by number."""
        self.bodies: dict[int, bytes] = {}
        """Of all other commits, by the offset of the frame."""

    def add(
        self,
        first_seq: int,
        first_source: int,
        times: list[int],
        known: "list[_Known]",
        versions: list[int],
        payloads: list[bytes],
    ) -> None:
        """Usual commits, one after the other."""
        run = UsualRun(first_seq, first_source)
        run.times.extend(times)
        run.labels += map(_label_of, known)
        run.keys += map(_key_of, known)
        run.versions.extend(versions)
        self.rows.append(run)
        self.wholes.update(zip(range(first_source, first_source + len(times)), payloads, strict=True))


_Known = tuple[int, Label, str, "array[int]"]
"""The size of a key, the label, the key, the commits that changed it."""
_label_of: Final[Callable[[_Known], Label]] = itemgetter(1)
_key_of: Final[Callable[[_Known], str]] = itemgetter(2)


class _Texts:
    """What stands before the payloads of usual commits: a few labels and keys, again and again."""

    __slots__ = ("_labels", "_rows", "known")

    def __init__(self, rows: "dict[str, array[int]]") -> None:
        """`rows`: by key, the commits that changed it; a key that is new is added."""
        self._rows = rows
        self._labels: dict[bytes, Label] = {}
        self.known: dict[bytes, _Known] = {}
        """By label and key as they stand in a frame."""

    def read(self, text: bytes, key_size: int) -> _Known | None:
        """A label and a key of that size; None when they are none."""
        packed = text[:-key_size]
        label = self._labels.get(packed)
        try:
            if label is None:
                label = self._labels[packed] = read_label(packed)
            key = str(text[-key_size:], "utf-8")
        except (ValueError, msgpack.UnpackException):
            return None
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = array("Q")
        found = self.known[text] = key_size, label, key, row
        return found


class Log:
    """The frames of one log up to `stop`, indexed."""

    __slots__ = (
        "_cover",
        "_covers",
        "_frames",
        "_goal",
        "_is_torn",
        "_lock",
        "_recent",
        "_recent_body",
        "_times",
        "file",
        "head",
        "head_sum",
        "last_seq",
        "next_source",
        "notes",
        "rows",
        "seed",
        "sources",
        "stop",
        "synced_upto",
    )

    def __init__(self, file: File, head: LogHead, covers: Covers) -> None:
        self.file = file
        self.head = head
        self.seed = head.seed
        self._covers = covers
        self._cover: Cover = covers.known(b"log:%d" % head.segment, head.cover_header)
        self._lock = RLock()
        self._goal: Callable[[], int] = _nowhere
        self._is_torn = False
        """Is it being read on? Else a Ctrl-C came between two columns, and what they say may differ."""
        self.stop = head.size
        """Everything before it was read and is right."""
        self.head_sum = head.previous
        self.last_seq = head.first_seq - 1
        self.synced_upto = 0
        self.next_source = 0
        self.sources = Sources()
        self.rows: dict[str, array[int]] = {}
        """By key: the commits that changed it."""
        self.notes: list[Any] = []
        """What was written about the store: `(seq, note)`, in order."""
        self._frames: array[int] = array("Q")
        self._times: array[int] = array("q")
        self._recent: tuple[int, dict[str, Change]] = (0, {})
        """The commit that `find` read last: one of many keys is read for each of them."""
        self._recent_body = (0, b"")

    @classmethod
    def opened(cls, file: File, covers: Covers, store_id: bytes) -> "Log":
        """The log in a file; `CorruptionError` when its head is not right or of another store."""
        head = read_log_head(file.pread(LOG_HEAD_SIZE_MAX, 0), file.name)
        if head.store_id != store_id:
            raise damaged(file.name, 0, "the log is of another store")
        return cls(file, head, covers)

    @property
    def first_seq(self) -> int:
        return self.head.first_seq

    @property
    def last_ns(self) -> int:
        """The time of the newest commit; 0 when there is none."""
        return self._times[-1] if self._times else 0

    @property
    def size(self) -> int:
        """Bytes of it, those that were not indexed yet included."""
        return self.goal

    @property
    def commit_count(self) -> int:
        return len(self._frames)

    def count_before(self, seq: int) -> int:
        """How many of its commits come before that one: none is missing."""
        return max(0, min(seq, self.last_seq + 1) - self.first_seq)

    @property
    def origins(self) -> tuple[int, int]:
        """The numbers of the segments whose sources stand here: one."""
        return self.head.segment, self.head.segment

    # -- reading it in -------------------------------------------------------------------------------------------

    def scan(self, stop: int | None = None, gathered: "Gathered | None" = None) -> Fault | None:
        """Take in the frames that came since; where and why it ends early, if it does.

        `stop`: an offset where a frame ends, up to which everything is known to have been written. `gathered` is given
        the commits and the bodies of the frames as they come.
        """
        end = self.file.size() if stop is None else stop
        texts = None if self._cover.overhead else _Texts(self.rows)
        window, start = b"", self.stop
        while self.stop < end:
            at = self.stop - start
            if len(window) - at < FRAME_SIZE:
                start, at = self.stop, 0
                window = self.file.pread(min(_WINDOW, end - start), start)
            if texts is not None and self._has_taken(window, at, texts, gathered):
                continue
            frame = read_frame(self.head, self.seed, window, at)
            if frame is None:
                return Fault(self.stop, self.last_seq + 1, "no frame of this log stands there")
            size = FRAME_SIZE + frame.size
            if self.stop + size > end:
                return Fault(self.stop, self.last_seq + 1, "the frame goes on behind the end of the log")
            if len(window) - at < size:
                start, at = self.stop, 0
                window = self.file.pread(max(min(_WINDOW, end - start), size), start)
                if texts is not None and len(window) >= size:
                    continue  # most likely it is one of those that `_has_taken` takes
            reason = self._take(frame, window[at + FRAME_SIZE : at + size], gathered)
            if reason:
                return Fault(self.stop, self.last_seq + 1, reason)
            self.stop += size
            if gathered is not None and not frame.seq % _STEP:
                gathered.pause()
        return None

    def _has_taken(self, window: bytes, at: int, texts: "_Texts", gathered: "Gathered | None") -> bool:
        """`_take`, from there on, for the commits of one whole new payload each, which most are. It stops at the first
        frame that is another one, that goes on behind the window, or with which anything is not right: `_take` knows
        what. False when that is the first."""
        commit, seed, known, stop = self.head.salt[:4] + USUAL_KIND, self.seed, texts.known, len(window)
        last_seq, next_source, last_sum, synced = self.last_seq, self.next_source, self.head_sum, self.synced_upto
        start, came = self.stop - at, last_seq
        offsets: list[int] = []
        times: list[int] = []
        starts: list[int] = []
        sizes: list[int] = []
        versions: list[int] = []
        founds: list[_Known] = []
        payloads: list[bytes] = []
        while at + USUAL.size < stop:
            (
                head,
                size,
                previous,
                seq,
                time_ns,
                synced_upto,
                body_sum,
                head_sum,
                count,
                label_size,
                first_source,
                key_size,
                form,
                version,
                payload_size,
            ) = USUAL.unpack_from(window, at)
            body = at + FRAME_SIZE
            text = at + USUAL.size
            payload = text + label_size + key_size
            end = body + size
            if (
                head != commit
                or count != 1
                or form != USUAL_FORM
                or not payload + payload_size == end <= stop
                or not 0 < key_size <= KEY_SIZE_MAX
                or not 0 < version < 1 << 62
                or first_source != next_source
                or seq != last_seq + 1
                or previous != last_sum & 0xFFFFFFFF
                or xxh3_64_intdigest(window[at : at + FRAME.size], seed) != head_sum
                or xxh3_64_intdigest(window[body:end], seed) != body_sum
            ):
                break
            found = known.get(window[text:payload])
            if found is None or found[0] != key_size:
                found = texts.read(window[text:payload], key_size)
                if found is None:
                    break
            found[3].append(seq)
            offsets.append(start + at)
            times.append(time_ns)
            starts.append(payload - body)
            sizes.append(payload_size)
            if gathered is not None:
                versions.append(version)
                founds.append(found)
                payloads.append(window[payload:end])
            if synced_upto > synced:
                synced = synced_upto
            last_sum, next_source, last_seq, at = head_sum, first_source + 1, seq, end
            if gathered is not None and not seq % _STEP:
                gathered.pause()
        if last_seq == came:
            return False
        if gathered is not None:
            gathered.add(came + 1, self.next_source, times, founds, versions, payloads)
        self.sources.add_all(offsets, starts, sizes)
        self._frames.extend(offsets)
        self._times.extend(times)
        self.next_source, self.last_seq, self.head_sum = next_source, last_seq, last_sum
        self.synced_upto, self.stop = synced, start + at
        return True

    def row(self, offset: int, frame: Frame, body: bytes) -> CommitRow:
        """The commit in a frame that was indexed."""
        try:
            label, placed, _, _ = read_commit(body, frame.seq, self.head.segment)
        except ValueError as error:
            fault = str(error)
        else:
            return CommitRow(frame.seq, frame.time_ns, label, [one.change for one in placed])
        raise damaged(self.file.name, offset, fault)

    def follow(self, goal: Callable[[], int]) -> None:
        """From here on every read first takes in what this process wrote since: up to the offset that `goal` says."""
        self._goal = goal

    @property
    def goal(self) -> int:
        """The offset up to which frames are known to stand there."""
        return max(self._goal(), self.stop)

    def fresh(self) -> "Log":
        """The same log, not indexed yet."""
        return Log(self.file, self.head, self._covers)

    def copied(self, file: File) -> "Log":
        """The same log, indexed as far, to be read on in a file of its own without disturbing those who read this."""
        copy = Log(file, self.head, self._covers)
        copy._take_over(self)
        copy.rows = {key: seqs[:] for key, seqs in self.rows.items()}
        copy.notes, copy.sources = self.notes[:], self.sources.copied()
        copy._frames, copy._times = self._frames[:], self._times[:]
        return copy

    def _take_over(self, other: "Log") -> None:
        """Have the index of another one."""
        for name in Log.__slots__:
            if name not in ("_lock", "_goal", "_is_torn"):
                setattr(self, name, getattr(other, name))

    def catch_up(self) -> None:
        """Take in what was written. `CorruptionError` when the disk says something else."""
        goal = self._goal()
        if self.stop < goal or self._is_torn:
            with self._lock:
                fault = self._read_on(goal) if self.stop < goal or self._is_torn else None
            if fault is not None:
                raise damaged(self.file.name, fault.offset, fault.reason)

    def forget_behind(self, offset: int) -> None:
        """A commit that may have been indexed has been cut off again."""
        with self._lock:
            fault = self._read_anew(offset) if self.stop > offset or self._is_torn else None
        if fault is not None:
            raise damaged(self.file.name, fault.offset, fault.reason)

    def kept_behind(self, offset: int, boot: int) -> int:
        """The newest commit that was on disk for good, by what the frames behind a bad one say; `boot` is when the
        machine began to run. If this log was begun after that, no write to it can have been lost: then it is the newest
        commit in them."""
        return kept_behind(self.file, self.head, offset, is_all=bool(boot) and self.head.boot == boot)

    def _read_on(self, goal: int) -> Fault | None:
        """`scan`, for a log that others read; from the beginning where that was interrupted before."""
        if self._is_torn:
            return self._read_anew(goal)
        self._is_torn = True
        fault = self.scan(goal)
        self._is_torn = False
        return fault

    def _read_anew(self, stop: int) -> Fault | None:
        """Have the index of what stands before that offset; where there is a fault, nothing is read before that is
        gone."""
        self._is_torn = True
        fresh = self.fresh()
        fault = fresh.scan(stop)
        if fault is None:
            self._take_over(fresh)
            self._is_torn = False
        return fault

    def _take(self, frame: Frame, covered: bytes, gathered: "Gathered | None") -> str:
        """Index a frame; or why it can't be."""
        if frame.previous != self.head_sum & 0xFFFFFFFF:
            return "the frame does not follow the one before it"
        if xxh3_64_intdigest(covered, self.seed) != frame.body_sum:
            return "the checksum of the frame is another"
        if frame.kind != COMMIT:
            try:
                body = self._cover.uncover(covered, b"frame:%d" % self.stop)
                self.notes.append((frame.seq, unpacked(body)))
            except (ValueError, msgpack.UnpackException, CorruptionError):
                return "the note in the frame can't be read"
        else:
            if frame.seq != self.last_seq + 1:
                return "the commit is not the next one"
            try:
                body = self._cover.uncover(covered, b"frame:%d" % self.stop)
                label, placed, first_source, next_source = read_commit(body, frame.seq, self.head.segment)
            except (ValueError, CorruptionError):
                return "the commit in the frame can't be read"
            if first_source != self.next_source:
                return "the commit does not go on with the sources of the one before"
            if not all(self.sources.fit(one.added, self.next_source) for one in placed):
                return "the commit makes a source longer that ends elsewhere"
            for one in placed:
                key = one.change.key
                row = self.rows.get(key)
                if row is None:
                    row = self.rows[key] = array("Q")
                row.append(frame.seq)
                self.sources.extend(one.added, self.stop)
            self.next_source = next_source
            self._frames.append(self.stop)
            self._times.append(frame.time_ns)
            self.last_seq = frame.seq
            if gathered is not None:
                changes = [one.change for one in placed]
                gathered.rows.append(CommitRow(frame.seq, frame.time_ns, label, changes))
                gathered.bodies[self.stop] = body
        self.head_sum = frame.head_sum
        self.synced_upto = max(self.synced_upto, frame.synced_upto)
        return ""

    # -- reading from it -----------------------------------------------------------------------------------------

    def commit(self, seq: int) -> CommitRow | None:
        """A commit of this log; None when it is not here."""
        self.catch_up()
        index = seq - self.first_seq
        if not 0 <= index < len(self._frames):
            return None
        offset = self._frames[index]
        frame, body = self._body(offset)
        return self.row(offset, frame, body)

    def offset_of(self, seq: int) -> int:
        """Where the frame of a commit of this log begins."""
        return self._frames[seq - self.first_seq]

    def commits(self, stop: int, start: int) -> Iterator[CommitRow]:
        """The commits before `stop` and behind `start`, newest first."""
        self.catch_up()
        for seq in range(min(stop - 1, self.last_seq), max(start, self.first_seq - 1), -1):
            row = self.commit(seq)
            assert row is not None
            yield row

    def lost_from(self, stop: int) -> int:
        """The first of the commits that are lost with the one before `stop`, where that can't be read: it alone."""
        return min(stop - 1, self.last_seq)

    def lacks(self, hashed: int) -> bool:
        """Is it certain that no key with that hash is changed here? It isn't; `find` costs next to nothing here."""
        return False

    def find(self, key: str, seq: int) -> Change | None:
        """The newest change of the key at or before `seq`, if it is in this log."""
        self.catch_up()
        rows = self.rows.get(key)
        index = 0 if rows is None else bisect_right(rows, seq)
        if rows is None or not index:
            return None
        seq = rows[index - 1]
        read_seq, changes = self._recent
        if read_seq != seq:
            row = self.commit(seq)
            assert row is not None
            changes = {change.key: change for change in row.changes}
            self._recent = (seq, changes)
        change = changes.get(key)
        if change is None:  # a writer took the commit out again, and this is a reader
            raise damaged(self.file.name, self._frames[seq - self.first_seq], "the frame has changed since it was read")
        return change

    find_bytes = find

    def seqs(self, key: str) -> "array[int]":
        """The commits of this log that changed the key, oldest first."""
        self.catch_up()
        return self.rows.get(key, array("Q"))

    def keys(self) -> list[str]:
        """Every key that is changed in this log."""
        self.catch_up()
        return list(self.rows)

    def seq_at(self, time_ns: int) -> int:
        """The last commit in it made at or before a time; 0 when all came later."""
        self.catch_up()
        index = bisect_right(self._times, time_ns)
        return self.first_seq + index - 1 if index else 0

    def blobs(self) -> set[bytes]:
        """The digest of every blob that a value in it is cut from."""
        self.catch_up()
        return {
            digest
            for row in self.commits(self.last_seq + 1, 0)
            for change in row.changes
            if change.value is not None
            for digest in change.value.blobs
        }

    has_keyframe = False

    def keyframe_seq_of(self, key: str) -> int:
        """A log has no keyframe."""
        raise NotImplementedError

    def keyframe(self) -> None:
        """A log has no keyframe."""
        return None

    def newest(self, seq: int) -> Iterator[tuple[str, Newest]]:
        """The last change of each key at or before a commit. Cost: the commits that hold one, each read once."""
        self.catch_up()
        keys_of: dict[int, list[str]] = {}
        for key, rows in list(self.rows.items()):
            index = bisect_right(rows, seq)
            if index:
                keys_of.setdefault(rows[index - 1], []).append(key)
        for last in sorted(keys_of, reverse=True):
            row = self.commit(last)
            assert row is not None
            changes = {change.key: change for change in row.changes}
            for key in keys_of[last]:
                yield key, newest_of(changes[key])

    def size_of(self, number: int) -> int:
        """Bytes of a source."""
        return self.sources.size_of(number)

    def read(self, origin: int, number: int, start: int, stop: int) -> bytes:
        """A slice of a source; `CorruptionError` when it is not here."""
        self.catch_up()
        if origin != self.head.segment or number >= self.next_source or stop > self.size_of(number):
            raise self._lacks(number)
        pieces = self.sources.pieces_of(number)
        index = bisect_right(pieces, start, key=lambda piece: piece[0]) - 1
        chunks = []
        while start < stop:
            if not 0 <= index < len(pieces):
                raise self._lacks(number)
            before, frame, at, size = pieces[index]
            end = min(stop, before + size)
            if not before <= start < end:
                raise self._lacks(number)
            chunks.append(self._bytes(frame, at + start - before, end - start))
            start = end
            index += 1
        return b"".join(chunks)

    def close(self) -> None:
        """Let go of the file."""
        self.file.close()

    # -- inside --------------------------------------------------------------------------------------------------

    def _lacks(self, number: int) -> CorruptionError:
        """The error of a value that points to bytes of a source that are not here."""
        return damaged(self.file.name, 0, f"a value points to what the log does not hold (source {number})")

    def _bytes(self, offset: int, start: int, size: int) -> bytes:
        kept, body = self._recent_body
        if kept != offset:
            body = self._body(offset)[1]
            if len(body) > _WINDOW // 64:
                self._recent_body = (offset, body)
        return body[start : start + size]

    def _body(self, offset: int) -> tuple[Frame, bytes]:
        data = self.file.pread(_WINDOW // 64, offset)
        frame = read_frame(self.head, self.seed, data, 0)
        if frame is None:
            raise damaged(self.file.name, offset, "the head of the frame has changed since it was read")
        if len(data) < FRAME_SIZE + frame.size:
            data = self.file.pread(FRAME_SIZE + frame.size, offset)
        covered = data[FRAME_SIZE : FRAME_SIZE + frame.size]
        if xxh3_64_intdigest(covered, self.seed) != frame.body_sum:
            raise damaged(self.file.name, offset, "the frame has changed since it was read")
        return frame, self._cover.uncover(covered, b"frame:%d" % offset)
