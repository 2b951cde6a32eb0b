"""An opened store that nobody closed and nobody can reach any more lets its files go.

It is left as by a process that died: nothing is sealed, what was acknowledged is in the logs, and the next opening goes
on from there. The collector may find it at any moment, in any thread and with any lock held, so a thread of its own
does it. An opening that finds the store locked by this very process has the collector look first, and waits for them.

Cost: nothing while the store lives; at an opening that is refused, one run of the collector.
"""

import gc
from collections.abc import Callable
from contextlib import suppress
from threading import Thread, current_thread
from typing import TYPE_CHECKING, Final, TypeVar
from weakref import finalize

from backpack.archive.opened import Opened
from backpack.errors import BackpackError, StoreLockedError
from backpack.storage import process

if TYPE_CHECKING:
    from backpack.store.store import Backpack

Result = TypeVar("Result")

_closing: Final[set[Thread]] = set()
"""The threads that let go at present. Adding and taking away are atomic, so it needs no lock of its own."""


def expect_loss(store: "Backpack") -> "Backpack":
    """The store, which was just opened: its files are let go when it is lost without having been closed."""
    opened = store._opened
    assert opened is not None
    expected = finalize(store, _let_go, opened, process.pid)
    expected.atexit = False
    store._expect_no_loss = expected.detach  # nothing is held any more when it was closed
    return store


def unless_abandoned(open_store: Callable[[], Result]) -> Result:
    """What opening gives; tried twice when the first time this very process holds the lock."""
    try:
        return open_store()
    except StoreLockedError as error:
        if error.pid != process.pid:
            raise
    gc.collect()
    for thread in list(_closing):
        if thread.ident is not None:  # else it is just about to start, or an interrupt kept it from that
            thread.join()
    return open_store()


def _let_go(opened: Opened, owner: int) -> None:
    if opened.is_closed or process.pid != owner:  # in a forked child the files are the parent's
        return
    thread = Thread(target=_close, args=(opened,), name="backpack-closer", daemon=True)
    _closing.add(thread)
    try:
        thread.start()
    except RuntimeError:  # the interpreter ends, and takes the files with it
        _closing.discard(thread)


def _close(opened: Opened) -> None:
    try:
        with suppress(BackpackError):  # nobody is left to tell; the next opening finds what there is
            opened.close(is_clean=False)
    finally:
        _closing.discard(current_thread())
