"""The inbox of a store: a folder of letters that the writer adopts, and that anyone who may write there posts.

    inbox/<16 hex digits>-<16 hex digits>.letter    the time when it was begun (ns since 1970), and chance
    inbox/<16 hex digits>-<16 hex digits>.tmp       on its way
    inbox/posters                                   flock of those who post (shared)

A letter is published: written under its temporary name, synced, renamed, and both folders synced; so when posting
returns it survives a power loss, and a letter is always whole. The lock tells who of those that left temporary files is
dead: whoever gets it for himself knows that nobody is posting.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from backpack.archive.letters import ADDED, AHEAD, SALT_SIZE, TOGETHER, Letter, LetterWriter, cover_name
from backpack.core.commit import Label
from backpack.errors import InvalidArgumentError, MissingFileError, StorageError, StoreLockedError
from backpack.storage.cover import Covers
from backpack.storage.protocol import File, Folder, Lock

INBOX: Final = "inbox"
POSTERS: Final = "posters"
LETTER: Final = ".letter"
_TEMPORARY: Final = ".tmp"
_NAME: Final = re.compile(r"[0-9a-f]{16}-[0-9a-f]{16}")
_CHANCE_SIZE: Final = 8
_LOCK_TRIES: Final = 500
_LOCK_WAIT_S: Final = 0.01

MakeRandom = Callable[[int], bytes]
Wait = Callable[[float], None]


class Inbox:
    """The letters of one store. The folder is looked for each time: a poster makes it when it is first needed."""

    __slots__ = ("_covers", "_root", "_store_id")

    def __init__(self, root: Folder, covers: Covers, store_id: bytes) -> None:
        """`root` is the folder of the store."""
        self._root = root
        self._covers = covers
        self._store_id = store_id

    def names(self) -> list[str]:
        """The letters that are there, oldest first. Cost when there is no inbox: one look at the folder."""
        return [name.removesuffix(LETTER) for name in self._files() if _is_letter(name)]

    def others(self) -> list[str]:
        """The files that are no letters: on their way, left behind by those who died, or not ours."""
        return [name for name in self._files() if not _is_letter(name) and name != POSTERS]

    def open(self, name: str) -> Letter:
        """A letter, its directory checked. `MissingFileError` when it has been adopted meanwhile, `CorruptionError`."""

        def open_again() -> File:
            return self._root.folder(INBOX).open(name + LETTER)

        return Letter(open_again(), name, self._covers, self._store_id, open_again)

    def path_of(self, name: str) -> str:
        """The file of a letter, from the folder of the store."""
        return f"{INBOX}/{name}{LETTER}"

    def remove(self, name: str) -> None:
        """Take a letter away; one that is missing is fine."""
        self._root.folder(INBOX).remove(name + LETTER)

    def sync(self) -> None:
        """What was taken away stays away after a power loss."""
        if self._root.has(INBOX):
            self._root.folder(INBOX).sync()

    def sweep(self) -> int:
        """Take away what those who died have left half written; how many files. None while somebody posts."""
        names = [name for name in self.others() if name.endswith(_TEMPORARY)]
        if not names:
            return 0
        folder = self._root.folder(INBOX)
        try:
            alone = folder.lock(POSTERS)
        except StoreLockedError:
            return 0
        try:
            for name in names:
                folder.remove(name)
        finally:
            alone.release()
        return len(names)

    @contextmanager
    def post(self, now_ns: int, make_random: MakeRandom, wait: Wait) -> Iterator["Draft"]:
        """A letter to be written in the block; it is posted when the draft was finished, and else nothing stays.

        Raises `DiskFullError` and `StorageError`: then there is no letter, unless it was the very last sync that
        failed.
        """
        folder = self._root.folder(INBOX)
        lock = _lock_to_post(folder, wait)
        try:
            name = f"{now_ns:016x}-{make_random(_CHANCE_SIZE).hex()}"
            temporary = name + _TEMPORARY
            file = folder.create(temporary)
            try:
                try:
                    cover = self._covers.fresh(cover_name(name))
                    draft = Draft(LetterWriter(file, cover, self._store_id, make_random(SALT_SIZE)), name)
                    yield draft
                    if not draft.is_finished:
                        raise InvalidArgumentError("the letter was not finished: nothing was posted")
                    file.sync()
                finally:
                    file.close()
                folder.rename(temporary, name + LETTER)
            except BaseException:
                with suppress(StorageError):  # the first error is the one to tell; `sweep` takes the file away
                    folder.remove(temporary)
                raise
            folder.sync()
            self._root.sync()  # another poster may have made the inbox just now, and not synced it yet
        finally:
            lock.release()

    def _files(self) -> list[str]:
        if not self._root.has(INBOX):
            return []
        try:
            return self._root.folder(INBOX).names()
        except MissingFileError:
            return []


class Draft:
    """A letter that is being written."""

    __slots__ = ("_writer", "is_finished", "name")

    def __init__(self, writer: LetterWriter, name: str) -> None:
        self._writer = writer
        self.name = name
        self.is_finished = False

    def put(self, key: str, payload: bytes) -> None:
        """A packed value that goes ahead of the others, in a commit of its own."""
        self._writer.add(key, AHEAD, payload)

    def finish(self, payloads: dict[str, bytes], added: dict[str, bytes], label: Label) -> None:
        """What shall be committed together, at least one key, and items to add to lists in the same commit."""
        if self.is_finished or not payloads:
            raise InvalidArgumentError("a letter is finished once, with one key at least")
        for key, payload in payloads.items():
            self._writer.add(key, TOGETHER, payload)
        for key, payload in added.items():
            self._writer.add(key, ADDED, payload)
        self._writer.finish(label)
        self.is_finished = True


def _is_letter(name: str) -> bool:
    return name.endswith(LETTER) and _NAME.fullmatch(name.removesuffix(LETTER)) is not None


def _lock_to_post(folder: Folder, wait: Wait) -> Lock:
    """The lock that posters share. A writer that sweeps holds it for a moment: that is waited for."""
    for number in range(_LOCK_TRIES):
        try:
            return folder.lock(POSTERS, shared=True)
        except StoreLockedError:
            if number == _LOCK_TRIES - 1:
                raise
            wait(_LOCK_WAIT_S)
    raise AssertionError("unreachable")
