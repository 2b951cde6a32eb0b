"""Small stores whose files are harmed byte by byte: what may be seen then is what was written, or an error of ours.

Run as a program by `test_flips`, in a process that may not take more than 64 MB more than it has.

    python -m tests.archive.flips STORE FIRST COUNT BITS    one harm in COUNT from FIRST on, with so many bits a byte

With one bit a byte the harms are opened for reading and for writing by turns, with more of them each is both ways.
"""

import resource
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from backpack.archive.opened import RESERVE
from backpack.errors import CorruptionError
from backpack.storage.memory import MemoryFolder
from backpack.store.store import Backpack
from tests.archive.crashes import InlineKeeper, LazyKeeper, Values, opened, small_files, words
from tests.storage.crashing import CrashingFolder

MEMORY_MAX: Final = 64 << 20
Files = dict[str, bytes]
Row = tuple[int, str, int, str | None, tuple[str, ...], tuple[tuple[str, int], ...]]


@dataclass
class Truth:
    """A store, and all that can be read from it."""

    files: Files
    snapshots: list[Values]
    rows: list[Row]
    """By seq, from 1."""
    checkpoints: list[tuple[str, int]]
    least: int
    """The head that was acknowledged as durable."""


def closed_store() -> Truth:
    """One that was closed: segments, a short log, a blob."""
    with small_files(InlineKeeper):
        folder = CrashingFolder()
        store = opened(folder)
        fill(store)
        store.close()
        store = opened(folder.machine.folder())
        store.pack("b", 2, message="the last")
        return truth_of(folder, store, is_closed=True)


def killed_store() -> Truth:
    """One whose process was killed: logs, a blob, some commits that were synced and some that were not."""
    with small_files(LazyKeeper):
        folder = CrashingFolder()
        store = opened(folder)
        fill(store)
        writer = store._opened.writer  # type: ignore[union-attr]
        segment = writer.segment  # type: ignore[union-attr]
        while writer.segment == segment:  # type: ignore[union-attr]
            store.pack("b", "on disk")  # until the newest log has some of these and of those that are not
        store.flush()
        for number in range(3):
            store.pack("b", number)
        return truth_of(folder, store, is_closed=False)


def fill(store: Backpack) -> None:
    store.pack("a", {"n": 1}, node="x", message="first", tags=["t"])
    store.pack("page", words(1, 70))
    store.checkpoint("c")
    store.append("log", "one", words(2, 20))
    store.append("log", words(3, 20))
    store.update({"a": 3, "b": words(4, 30)})
    store.delete("a")
    store.append("log", words(5, 40), "end")


def truth_of(folder: CrashingFolder, store: Backpack, *, is_closed: bool) -> Truth:
    head = store.head.seq if store.head else 0
    snapshots = [dict(store.snapshot(seq).to_dict()) for seq in range(head + 1)]
    rows = [row_of(commit) for commit in store.history()][::-1]
    checkpoints = [(one.name, one.commit.seq) for one in store.checkpoints()]
    if is_closed:
        store.close()
    (image,) = [image for image in folder.machine.stopped() if image.name == "stopped"]
    files = {name: data for name, data in image.folder.walk() if data is not None}
    return Truth(files, snapshots, rows, checkpoints, head if is_closed else head - 3)


def row_of(commit: Any) -> Row:
    changes = tuple((key, change.version) for key, change in commit.changes.items())
    return (commit.seq, commit.id, commit.time_ns, commit.message, tuple(commit.tags), changes)


# -- harms -------------------------------------------------------------------------------------------------------


def harms(files: Files, bits: int) -> Iterator[tuple[str, Files, bool]]:
    """Every byte of every file with so many of its bits flipped, one at a time; every file cut at every length. Third:
    it looks like the torn end of the newest log, so that what is cut off is only reported.

    Of the reserve, which is there for its size and never read, one byte in 64.
    """
    newest = max((name for name in files if name.endswith(".log")), default="")
    for name, data in files.items():
        stride = 64 if name == RESERVE else 1
        for offset in range(0, len(data), stride):
            for bit in range(bits):
                mask = 1 << (offset + bit) % 8
                harmed = data[:offset] + bytes([data[offset] ^ mask]) + data[offset + 1 :]
                yield f"{name} offset={offset} mask={mask}", {**files, name: harmed}, False
        for size in range(0, len(data), stride):
            yield f"{name} {size=}", {**files, name: data[:size]}, name == newest
        for more in (b"\0", b"\0" * 100, data[:64]):
            yield f"{name} with {len(more)} bytes more", {**files, name: data + more}, False


class Wrong(Exception):
    """Something was shown that never was."""


def look(truth: Truth, files: Files, *, is_writable: bool, is_torn: bool = False) -> int:
    """Read everything; how many errors there were. `Wrong` for what is neither right nor an error of ours."""
    faults = 0

    def tried(act: Callable[[], Any]) -> Any:
        nonlocal faults
        try:
            return act()
        except CorruptionError as error:
            if not error.file or not isinstance(error.offset, int):
                raise Wrong(f"an error without a place: {error}") from error
            faults += 1
            return None

    folder = MemoryFolder(files)
    store = tried(lambda: opened(folder if is_writable else folder.reader(), is_writable=is_writable, seed=5))
    if store is None:
        return faults
    head = store.head.seq if store.head else 0
    if head > len(truth.rows) or (is_writable and head < truth.least and not is_torn):
        raise Wrong(f"the head is {head}")
    if head == len(truth.rows) or is_writable:
        checkpoints = tried(lambda: [(one.name, one.commit.seq) for one in store.checkpoints()])
        is_told = not is_writable and not store.health().ok  # a reader that has lost the note of one says so
        if checkpoints is not None and checkpoints != truth.checkpoints and not (is_told and not checkpoints):
            raise Wrong(f"checkpoints: {checkpoints}")
    for seq in range(head + 1):
        snapshot = tried(lambda seq=seq: store.snapshot(seq))
        if snapshot is None:
            continue
        wanted = truth.snapshots[seq]
        keys = tried(lambda snapshot=snapshot: list(snapshot))
        if keys is not None and sorted(keys) != sorted(wanted):
            raise Wrong(f"commit {seq} has {keys}")
        for key in wanted:
            if tried(lambda snapshot=snapshot, key=key: snapshot[key]) not in (None, wanted[key]):
                raise Wrong(f"{key!r} as of commit {seq}")
    for commit in tried(lambda: list(store.history())) or ():
        if tried(lambda commit=commit: row_of(commit)) not in (None, truth.rows[commit.seq - 1]):
            raise Wrong(f"commit {commit.seq} was another: {row_of(commit)}")
    if is_writable:
        tried(store.close)
    return faults


def main(kind: str, first: int, count: int, bits: int) -> None:
    """Print what was wrong, and how much was tried."""
    truth = closed_store() if kind == "closed" else killed_store()
    with small_files():
        assert look(truth, truth.files, is_writable=False) == look(truth, truth.files, is_writable=True) == 0
        with open("/proc/self/statm") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY_MAX, now + MEMORY_MAX))
        tried = found = wrong = 0
        for number, (name, files, is_torn) in enumerate(harms(truth.files, bits)):
            if number % count != first:
                continue
            for is_writable in (False, True) if bits > 1 else (number // count % 2 > 0,):
                tried += 1
                try:
                    found += look(truth, files, is_writable=is_writable, is_torn=is_torn) > 0
                except Exception as error:
                    wrong += 1
                    if wrong < 20:
                        print(f"{name} {is_writable=}: {type(error).__name__}: {error}")
    print(f"tried={tried} found={found} wrong={wrong} size={sum(map(len, truth.files.values()))}")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]))
