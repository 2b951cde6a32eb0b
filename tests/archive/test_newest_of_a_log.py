"""What a log that is not sealed says of the newest change of each key."""

from backpack.archive.scanning import Log
from backpack.core.limits import Limits
from backpack.storage.memory import MemoryFolder
from backpack.storage.protocol import File
from backpack.store.opening import open_in
from backpack.store.store import Backpack

KEYS = ("a", "b", "c", "d", "e")


class CountingFile:
    """Another file, and how often it was read."""

    def __init__(self, file: File) -> None:
        self._file = file
        self.reads = 0

    def pread(self, size: int, offset: int) -> bytes:
        self.reads += 1
        return self._file.pread(size, offset)

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


def _log_of(store: Backpack) -> Log:
    assert store._archive is not None
    log = store._archive.parts[-1]
    assert isinstance(log, Log)
    return log


def test_the_newest_changes_are_those_of_the_commits_before() -> None:
    with open_in(MemoryFolder(), Limits(), is_writable=True) as store:
        store.update(dict.fromkeys(KEYS, 0))
        for number in range(1, 40):
            store[KEYS[number % 3]] = number
        store.update({"d": "new", "f": "new"})
        log = _log_of(store)
        for seq in range(42):
            expected: dict[str, tuple[int, int]] = {}
            for row in sorted(log.commits(seq + 1, 0), key=lambda row: row.seq):
                expected.update({change.key: (change.seq, change.version) for change in row.changes})
            assert {key: (newest.seq, newest.version) for key, newest in log.newest(seq)} == expected


def test_only_the_commits_that_hold_a_newest_change_are_read_each_once() -> None:
    with open_in(MemoryFolder(), Limits(), is_writable=True) as store:
        store.update(dict.fromkeys(KEYS, 0))
        for number in range(1_000):
            store["a"] = number
        log = _log_of(store)
        log.catch_up()
        log.file = file = CountingFile(log.file)  # type: ignore[assignment]
        assert {key for key, _ in log.newest(1_001)} == set(KEYS)
        assert file.reads == 2
