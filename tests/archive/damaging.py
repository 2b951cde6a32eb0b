"""A store of which everything is known, and copies of it that are damaged."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from backpack import Backpack, Commit, CorruptionError
from backpack.storage.memory import MemoryFolder

from .stores import opened_in

KEYS: Final = ("a", "b", "c", "d", "list", "large", "late", "never")
DAMAGED: Final = "it says that it is damaged"


@dataclass
class Truth:
    """A store, and all that it should say."""

    folder: MemoryFolder
    states: dict[int, dict[str, Any]]
    commits: dict[int, Commit]
    key: bytes | None = None

    @property
    def head(self) -> int:
        return max(self.states)

    def changed(self, key: str) -> list[int]:
        """The commits that changed a key, newest first."""
        return [seq for seq in sorted(self.commits, reverse=True) if key in self.commits[seq].changes]

    def files(self) -> dict[str, bytes]:
        """Everything in it that can be damaged."""
        return {name: data for name, data in self.folder.walk() if data and name not in ("lock", "readers")}


def made(*, is_closed: bool = True, seed: int = 1, count: int = 90, key: bytes | None = None) -> Truth:
    """Small and large values, lists that grow, deletes, several changes at once, checkpoints; sealed, or in a log of
    which all but the last commit is known to be on disk."""
    random = Random(seed)
    folder = MemoryFolder()
    bp = opened_in(folder, key=key)
    for number in range(count):
        act = random.random()
        name = random.choice("abcd")
        if act < 0.5:
            bp.pack(name, random.randbytes(random.choice((5, 60, 300))), node=random.choice(("x", "y")), tags=("t",))
        elif act < 0.6:
            bp.pack("large", random.randbytes(3000), message="a large one")
        elif act < 0.8:
            bp.append("list", number, "more")
        elif act < 0.87 and name in bp:
            bp.delete(name)
        else:
            bp.update({"a": number, "b": number})
        if number == count - 10:
            bp.pack("late", "came late")
        if number % 20 == 5:
            bp.checkpoint(f"at {number}")
    bp.flush()
    bp.pack("d", "the last")
    commits = {commit.seq: commit for commit in bp.history()}
    states = {seq: bp.snapshot(seq).to_dict() for seq in [0, *commits]}
    if is_closed:
        bp.close()
    else:
        crash(bp)
    return Truth(folder, states, commits, key)


def crash(bp: Backpack) -> None:
    """The process ends."""
    assert bp._opened is not None
    bp._opened.close(is_clean=False)
    bp._is_closed = True


def without(truth: Truth, name: str) -> MemoryFolder:
    """A copy in which a file is missing."""
    return MemoryFolder({one: data for one, data in truth.folder.walk() if data is not None and one != name})


def changed(truth: Truth, name: str, change: Callable[[bytearray], None]) -> MemoryFolder:
    """A copy in which a file is another one."""
    files = {one: data for one, data in truth.folder.walk() if data is not None}
    data = bytearray(files[name])
    change(data)
    return MemoryFolder({**files, name: bytes(data)})


def flipped(truth: Truth, name: str, offset: int) -> MemoryFolder:
    """A copy in which one bit of a file is another one."""

    def flip(data: bytearray) -> None:
        data[offset] ^= 4

    return changed(truth, name, flip)


def damages(truth: Truth, seed: int) -> Iterator[tuple[str, MemoryFolder]]:
    """Each file missing, cut, zeroed in part, with something put in twice, and with bits flipped at the head, in the
    middle and at the end."""
    random = Random(seed)
    for name, data in truth.files().items():
        size = len(data)
        yield f"{name} missing", without(truth, name)
        cut = random.randrange(size)
        yield f"{name} cut at {cut}", changed(truth, name, lambda data, cut=cut: data.__delitem__(slice(cut, None)))  # type: ignore[misc]
        at = random.randrange(size)
        length = min(random.choice((1, 16, 300)), size - at)
        yield (
            f"{name} zeroed at {at}, {length} bytes",
            changed(
                truth,
                name,
                lambda data, at=at, length=length: data.__setitem__(slice(at, at + length), bytes(length)),  # type: ignore[misc]
            ),
        )
        at = random.randrange(size)
        yield (
            f"{name} repeated at {at}",
            changed(truth, name, lambda data, at=at: data.__setitem__(slice(at, at), data[at : at + 50])),  # type: ignore[misc]
        )
        for offset in (
            random.randrange(min(60, size)),
            random.randrange(size),
            size - 1 - random.randrange(min(40, size)),
        ):
            yield f"{name} flipped at {offset}", flipped(truth, name, offset)


def asked(read: Callable[[], Any]) -> Any:
    """What a read gives; `DAMAGED` where it says so, with the place."""
    try:
        return read()
    except CorruptionError as error:
        assert isinstance(error.file, str) and isinstance(error.offset, int), error
        return DAMAGED
