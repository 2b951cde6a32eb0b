"""Adopting letters: what other processes have posted becomes commits of the store, by its writer.

A letter means "have these keys, where they are not there yet". So adopting it twice does nothing the second time:

- It is taken as adopted when each key of its last commit has ever had a version. One of them is made for the letter,
  such as the id of an entry, so that this says what it should, also after the key was deleted or purged.
- Values that go ahead are packed where there is none to be seen; the key that makes the letter true comes with the last
  commit, atomically.

Commits, then one sync for all, then the letters are removed: a letter was on disk for good when it was posted, and so
is what became of it before it goes. One thread adopts at a time; subscribers are told when it is done.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import ELOOP
from threading import get_ident
from typing import TYPE_CHECKING, Final

from backpack.archive.letters import ADDED, AHEAD, TOGETHER, Letter
from backpack.archive.opened import Opened
from backpack.core.commit import Commit, Facts
from backpack.core.patterns import Pattern
from backpack.errors import BackpackError, CorruptionError, MissingFileError, StorageError
from backpack.store.names import checked_key, made_label
from backpack.store.pending import Growth

if TYPE_CHECKING:
    from backpack.store.lasting import Lasting
    from backpack.store.packing import Packing

_INBOX: Final = ""
"""In `Opened.refused`: what is wrong with the inbox as a whole."""


def adopt(store: "Packing", opened: Opened) -> int:
    """Commit all letters; how many. What can't be adopted stays where it is, and stops no other.

    Never raises for what is wrong with letters or disk: it is kept in `opened.refused`, tried again next time unless
    the letter is damaged, and told by `health()`.
    """
    if get_ident() in opened.not_adopting:
        return 0
    told: list[Facts] = []
    with _alone(store, opened) as is_alone:
        if not is_alone:
            return 0
        try:
            opened.is_adopting = True
            opened.refused.pop(_INBOX, None)
            count = _adopted(store, opened, told)
        except BackpackError as error:
            opened.refused[_INBOX] = error
            count = 0
        finally:
            opened.is_adopting = False
    for facts in told:
        store._tell(Commit(facts))
    return count


@contextmanager
def _alone(store: "Packing", opened: Opened) -> Iterator[bool]:
    """Hold the lock of who adopts; False where that can't be waited for, or in the middle of adopting.

    A callback of a subscriber may have the lock of the store already, which whoever is adopting may be waiting for.
    """
    is_locked = store._lock._is_owned()  # type: ignore[attr-defined]
    if not opened.adopting.acquire(blocking=not is_locked):
        yield False
        return
    try:
        yield not opened.is_adopting
    finally:
        opened.adopting.release()


@contextmanager
def adopting_nothing(opened: Opened) -> Iterator[None]:
    """See `Backpack._adopting_nothing`."""
    thread, threads = get_ident(), opened.not_adopting
    if thread in threads:
        yield
        return
    threads.add(thread)
    try:
        yield
    finally:
        threads.discard(thread)


@contextmanager
def letters_at_rest(store: "Lasting", opened: Opened) -> Iterator[None]:
    """See `Backpack._letters_at_rest`."""
    store._adopt()
    with opened.adopting:
        before, opened.is_adopting = opened.is_adopting, True
        try:
            yield
        finally:
            opened.is_adopting = before


def _adopted(store: "Packing", opened: Opened, told: list[Facts]) -> int:
    names = opened.inbox.names()
    if not names:
        opened.refused.clear()
        return 0
    done = []
    for name in names:
        if isinstance(opened.refused.get(name), CorruptionError):
            continue
        try:
            letter = opened.inbox.open(name)
            is_new = not has_been_adopted(store, letter)
            if is_new:
                check_letter(letter)
        except MissingFileError:  # another thread was first
            continue
        except BackpackError as error:  # damaged, or something that is no letter
            opened.refused[name] = error
            continue
        try:
            if is_new:
                told += _taken(store, letter)
        except BackpackError as error:
            opened.refused[name] = error
            if isinstance(error, StorageError):  # the disk: it would refuse the others too
                break
            continue
        opened.refused.pop(name, None)
        done.append(name)
    if done:
        opened.syncer.sync()
        for name in done:
            opened.inbox.remove(name)
    for name in opened.refused.keys() - set(names) - {_INBOX}:
        opened.refused.pop(name, None)
    return len(done)


def has_been_adopted(store: "Packing", letter: Letter) -> bool:
    """Has each key of its last commit ever had a version?"""
    return all(store.version(piece.key) for piece in letter.of(TOGETHER))


def check_letter(letter: Letter) -> None:
    """Read everything in it and prove that it can be committed. `CorruptionError`, `InvalidArgumentError`."""
    for piece in letter.pieces:
        checked_key(piece.key)
    made_label(*letter.label)
    letter.check()


def _taken(store: "Packing", letter: Letter) -> Iterator[Facts]:
    """Make commits of a letter that was checked."""
    label = made_label(*letter.label)
    for piece in letter.of(AHEAD):
        if not store._is_visible(piece.key):
            yield store._commit_stored(piece.key, letter.payload(piece), label)[0]
    values = {piece.key: letter.payload(piece) for piece in letter.of(TOGETHER)}
    added: dict[str, Growth] = {}
    for piece in letter.of(ADDED):
        added.setdefault(piece.key, Growth(None)).items.append(letter.payload(piece))
    with store._lock:
        payloads: dict[str, bytes | Growth] = {
            key: payload for key, payload in values.items() if not store._is_visible(key)
        }
        facts = store._commit_transaction({**payloads, **added}, not added, label) if payloads or added else None
    if facts is not None:
        yield facts


def sweep_inbox(opened: Opened) -> None:
    """Take away what posters that died have left. A disk that refuses is no reason not to open the store."""
    with suppress(StorageError):
        opened.inbox.sweep()


def discard_letters(opened: Opened, pattern: Pattern) -> None:
    """Take away, for good, the letters that hold a key of the pattern or can't be read: nobody can say what values
    those hold; and what is left of letters that were never finished."""
    inbox = opened.inbox
    for name in inbox.names():
        try:
            letter = inbox.open(name)
            letter.check()
        except MissingFileError:
            continue
        except CorruptionError:
            inbox.remove(name)
        except StorageError as error:
            if error.errno not in (None, ELOOP):
                raise
            with suppress(StorageError):  # no file of ours: a link, a folder, which stays
                inbox.remove(name)
        else:
            if any(pattern.matches(piece.key) for piece in letter.pieces):
                inbox.remove(name)
    inbox.sweep()
    inbox.sync()
