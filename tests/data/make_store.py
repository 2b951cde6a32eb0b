"""Writes `store_1.tar.xz`: stores on disk that have been through everything, in format version 1.

    plain/       closed; several segments, one of them made by compaction, and a log
    encrypted/   the same with the key `KEY`
    crashed/     left by a process that was killed in the middle of an append, in its second life after a crash

The file stays as it is for ever once a version with this format was released, and `tests/archive/test_stored_stores.py`
says what every later version of backpack has to read from it; a new format gets a file and a script of its own. Clock
and random bytes are fixed and nothing is left to threads, so the same backpack writes the same bytes:

    python tests/data/make_store.py tests/data/store_1.tar.xz
"""

import io
import sys
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from unittest.mock import patch

import backpack.archive.opened
from backpack import Backpack
from backpack.archive.keeping import Keeper
from backpack.core.limits import Limits
from backpack.storage.memory import MemoryFolder
from backpack.store.opening import open_in

KEY = bytes(range(32))
LIMITS = Limits(1_000, 6_000, None, "oldest", 0.2, False)
TEXT = "".join(f"line {number} of a text that will be edited\n" for number in range(15))
REPORT = "".join(f"row {number}: {number * number}\n" for number in range(300))


class LazyKeeper(Keeper):
    """Works in the thread that waits for it, and not before."""

    def wake(self) -> None:
        self._is_idle = True

    def drain(self) -> None:
        while self._step():
            self.failure = None


@contextmanager
def nothing_left_to_chance() -> Iterator[None]:
    times, numbers = count(1_700_000_000_000_000_000, 1_000_000_001), count(1)
    with ExitStack() as stack:
        stack.enter_context(patch.object(backpack.archive.opened, "Keeper", LazyKeeper))
        stack.enter_context(patch.object(backpack.archive.opened, "SEGMENT_SIZE", 2_500))
        stack.enter_context(patch("time.time_ns", lambda: next(times)))
        stack.enter_context(patch("os.urandom", lambda size: next(numbers).to_bytes(size, "big")))
        yield


def opened(folder: MemoryFolder, key: bytes | None = None) -> Backpack:
    numbers = count(1)
    return open_in(
        folder, LIMITS, is_writable=True, key=key, make_random=lambda size: (next(numbers) * 7919).to_bytes(size, "big")
    )


def fill_first(bp: Backpack) -> None:
    """What compaction takes, but for what is needed of it."""
    bp.pack("plan", ["search"], node="planner", message="the first words", tags=("start", "tést"))  # 1
    bp.update({"score": 1, "note": "a note", "retired": "long ago"}, node="judge", message="three at once")  # 2
    bp.pack("text", TEXT)  # 3
    bp.pack("report", REPORT, node="writer")  # 4
    bp.checkpoint("early", notes="before the edits")
    bp.append("plan", "book", node="planner")  # 5
    bp.delete("retired", node="judge")  # 6
    bp.pack("secret", "a password")  # 7
    bp.pack("secret.photo", bytes(range(256)) * 5)  # 8
    for number in range(12):  # 9 to 23
        bp.append("talk", {"role": "user", "text": f"message {number} " + 20 * "word "}, node="talker")
        if number % 4 == 0:
            bp.append("steps", number, node="counter")
    bp.checkpoint("gone")
    bp.pack("text", TEXT.replace("line 7 ", "LINE SEVEN "), node="editor")  # 24


def fill_second(bp: Backpack) -> None:
    """What stays."""
    for number in range(20):  # 25 to 49
        bp.append("talk", {"role": "user", "text": f"reply {number} " + 20 * "word "}, node="talker")
        if number % 4 == 0:
            bp.append("steps", number, node="counter")
        if number == 4:
            bp.delete_checkpoint("gone")
    bp.pack("text", TEXT.replace("line 7 ", "LINE SEVEN ").replace("line 11 ", ""), node="editor")  # 50
    bp.restore(24, keys=["text"], node="operator")  # 51
    bp.quarantine("note", reason="not sure", node="judge")  # 52
    bp.quarantine("score", reason="only for a moment")  # 53
    bp.release("score")  # 54
    bp.pack("report", REPORT + "the end\n", node="writer")  # 55
    bp.pack("secret", ["another", "password"])  # 56


def fill_last(bp: Backpack) -> None:
    """What stands in segments behind, and in the log."""
    for number in range(16):  # 59 to 78
        bp.append("talk", {"role": "agent", "text": f"answer {number} " + 20 * "word "}, node="talker", tags=["late"])
        if number % 4 == 0:
            bp.append("steps", number, node="counter")
        if number == 8:
            bp.checkpoint("late", at=55, notes="the last")
    with bp.transaction(message="a transaction") as changes:  # 79
        changes.pack("score", 7)
        changes.append("plan", {"step": 3})
        changes.delete("text")
    bp.pack("copy.of.report", REPORT + "the end\n")  # 80


def live(folder: MemoryFolder, key: bytes | None = None) -> None:
    bp = opened(folder, key)
    fill_first(bp)
    bp.close()
    bp = opened(folder, key)
    fill_second(bp)
    bp.purge("secret.**")  # 57
    bp.purge("secret")  # 58
    bp.compact(keep_commits=20)
    fill_last(bp)
    bp.close()


def crash(folder: MemoryFolder) -> MemoryFolder:
    """Two crashes of the store: one whose torn end was put aside, one that nobody has looked at yet."""
    bp = opened(folder)
    bp.pack("after", "the close")  # 81
    left = torn(folder, 30)
    bp = opened(left)
    bp.pack("after", "a crash", node="survivor")  # 82
    bp.checkpoint("survived")
    bp.pack("copy.of.plan", ["search", "book"])  # 83
    return torn(left, 90)


def torn(folder: MemoryFolder, size: int) -> MemoryFolder:
    """The files as a kill leaves them in the middle of an append."""
    files = {name: data for name, data in folder.walk() if data is not None}
    newest = max(name for name in files if name.endswith(".log"))
    files[newest] += bytes(range(size))
    return MemoryFolder(files)


def stores() -> dict[str, MemoryFolder]:
    plain, encrypted = MemoryFolder(), MemoryFolder()
    with nothing_left_to_chance():
        live(plain)
        live(encrypted, KEY)
        copy = MemoryFolder({name: data for name, data in plain.walk() if data is not None})
        return {"plain": plain, "encrypted": encrypted, "crashed": crash(copy)}


def main(path: str) -> None:
    with tarfile.open(path, "w:xz", format=tarfile.USTAR_FORMAT) as tar:
        for store, folder in stores().items():
            for name, data in folder.walk():
                entry = tarfile.TarInfo(f"{store}/{name}")
                entry.mode, entry.size = 0o600, len(data or b"")
                if data is not None:
                    tar.addfile(entry, io.BytesIO(data))


if __name__ == "__main__":
    main(sys.argv[1])
