"""Waiting in place of a loop: the calls for tasks of asyncio."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Self

from backpack.codec import pack_checked, pack_value
from backpack.core.addresses import At
from backpack.core.commit import Commit, Facts
from backpack.core.shaping import Grown
from backpack.errors import UnstorableValueError
from backpack.store import tasks
from backpack.store.growing import KnownItems, append_items, packed_items
from backpack.store.names import checked_key, refused
from backpack.store.records import Lines
from backpack.store.slicing import bytes_of, text_of
from backpack.store.snapshot import Snapshot
from backpack.store.tending import Tending


class Waiting(Tending):
    """The calls that a task awaits."""

    async def apack(
        self, key: str, value: Any, *, node: str | None = None, message: str | None = None, tags: Iterable[str] = ()
    ) -> Commit:
        """As `pack`; in an opened store it waits for durability without blocking the loop, together with others.

        Cancelling it takes nothing back: the commit may have been made already.
        """
        key, label = checked_key(key), self._label(node, message, tags)
        is_at_hand = tasks.is_at_hand(self, key)
        grown: Grown = None
        try:
            if type(value) is list:
                growth = KnownItems(self, key, may_wait=False)
                payload, is_plain = pack_checked(value, growth.count)
                if payload is growth.payload:
                    grown = growth.grown
            else:
                payload, is_plain = pack_value(value), False
        except UnstorableValueError as error:
            raise refused(key, error) from None

        def change() -> Facts:
            with self._lock, self._change():
                return self._commit_one(key, payload, is_plain, grown, label, self._now())

        is_short = is_at_hand and len(payload) <= self._engine.large_size
        return await self._changed(change, is_short=is_short)

    async def aappend(
        self, key: str, *values: Any, node: str | None = None, message: str | None = None, tags: Iterable[str] = ()
    ) -> Commit:
        """As `append`."""
        key, label = checked_key(key), self._label(node, message, tags)
        try:
            appended, is_plain = packed_items(values)
        except UnstorableValueError as error:
            raise refused(key, error, is_item=True) from None
        change = partial(append_items, self, key, len(values), appended, is_plain, label)
        is_short = tasks.is_at_hand(self, key) and len(appended) <= self._engine.large_size
        return await self._changed(change, is_short=is_short)

    async def adelete(
        self, key: str, *, node: str | None = None, message: str | None = None, tags: Iterable[str] = ()
    ) -> Commit:
        """As `delete`."""
        change = partial(self._delete, key, self._label(node, message, tags))
        return await self._changed(change, is_short=tasks.is_at_hand(self, key))

    async def asnapshot(self, at: At | None = None, keys: Iterable[str] | None = None) -> Snapshot:
        """As `snapshot`, with all loaded that reads will want: all but blobs, or the `keys` named with theirs.

        Whatever has to be read from disk is read by another thread.
        """
        self._require_open()
        named = None if keys is None else [checked_key(key) for key in ([keys] if isinstance(keys, str) else keys)]
        if self._archive is None:
            return self._snapshot(at, None)
        return await self._readers.run(self._loaded, at, named)

    async def aread_text(self, key: str, at: At | None = None, lines: Lines | None = None) -> str:
        """As `read_text`; what has to be read from disk is read by another thread."""
        return await tasks.sliced(self, key, at, lambda content: text_of(content, lines, self._archive))

    async def aread_bytes(self, key: str, at: At | None = None, start: int = 0, length: int | None = None) -> bytes:
        """As `read_bytes`, in the same way."""
        return await tasks.sliced(self, key, at, lambda content: bytes_of(content, start, length))

    async def aflush(self) -> None:
        """As `flush`, without blocking the loop."""
        self._require_open()
        if self._opened is not None and self._opened.writer is not None:
            if self._opened.inbox.names():
                await self._readers.run(self._adopt)
            await self._opened.aflush()
            if self._opened.is_behind:
                await self._readers.run(self._opened.catch_up)
            self._testify(self._opened)

    async def aclose(self) -> None:
        """As `close`, without blocking the loop. It is closed when this returns, even if the task was cancelled."""
        if self._opened is None or self._readers.is_closed:
            self.close()
            return
        early = None
        try:
            early = await self._readers.end(self._take_leave)
        finally:  # as in `close`
            self._is_closed = True  # reads that wait for their turn are refused then, and don't hold it up
            interrupt = await self._readers.end(self.close)
        if early is not None or interrupt is not None:
            raise early or interrupt  # type: ignore[misc]

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    # -- inside ------------------------------------------------------------------------------------------------

    async def _changed(self, change: Callable[[], Facts], *, is_short: bool) -> Commit:
        """The commit that a change makes, once it is as durable as the store promises.

        One coroutine for the usual case: a task that goes on passes through all that wait for one another.
        """
        self._require_open()
        made = tasks.at_once(self, change, is_short=is_short)
        if made is not None:
            commit = Commit(made[0])
            if self._events.subscribers:
                self._tell(commit)
        else:
            later = await tasks.changed(self, change, is_short=False)
            assert later is not None
            commit = later
        waiter = tasks.waiter(self, commit.seq)
        if waiter is not None:
            await waiter
        return commit
