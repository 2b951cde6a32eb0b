"""Travelling in time: back to a snapshot, on from it in another store, and names for commits to come back to."""

import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from backpack.archive.archive import engine_over
from backpack.codec import pack_value
from backpack.core.addresses import At, pruned_error, required, resolve, resolve_whole
from backpack.core.commit import Commit, Label
from backpack.core.forking import fork
from backpack.core.ids import Epoch
from backpack.errors import CheckpointExistsError, CommitNotFoundError, InvalidArgumentError
from backpack.limits import CHECKPOINT_COUNT_MAX, MESSAGE_SIZE_MAX
from backpack.store import travel
from backpack.store.archived import Archived
from backpack.store.ground import Ground
from backpack.store.names import (
    checked_checkpoint_name,
    checked_items,
    checked_key,
    checked_mapping,
    checked_text,
    packed_by_key,
)
from backpack.store.packing import Packing
from backpack.store.records import Checkpoint
from backpack.store.sight import Sight
from backpack.store.snapshot import RAISE, Snapshot

if TYPE_CHECKING:
    from backpack.archive.archive import Archive
    from backpack.storage.encryption import Key
    from backpack.store.store import Backpack


class Travelling(Packing):
    """What makes the past the present again, here or in a store of its own."""

    def restore(
        self,
        at: At,
        *,
        keys: Iterable[str] | None = None,
        node: str | None = None,
        message: str | None = None,
        tags: Iterable[str] = (),
        unavailable: Any = RAISE,
    ) -> Commit | None:
        """Make the present (or those keys) equal the snapshot: a new commit, history stays. None when it is so already.

        A value that is not within reach raises `ValueUnavailableError`, unless `unavailable` says what to put there. A
        key that never was is no error: it is absent then and now.

        >>> from backpack import Backpack
        >>> bp = Backpack({"a": 1})
        >>> _ = bp.pack("a", 2)
        >>> bp.restore(1).seq, bp["a"]
        (3, 1)
        """
        look = partial(self.snapshot, required(at))
        return self._restore(look, keys, self._label(node, message, tags), unavailable, None)

    def fork(
        self,
        at: At | None = None,
        *,
        path: str | os.PathLike[str] | None = None,
        key: "Key | None" = None,
        unavailable: Any = RAISE,
    ) -> "Backpack":
        """A store of its own that shares the history up to `at` and goes on from there. This one is never touched.

        With `path` it is an opened store in that directory, which is missing or empty; `key` encrypts it, and must be
        given when this one is encrypted, or a fork of one that is.

        >>> from backpack import Backpack
        >>> bp = Backpack({"a": 1})
        >>> other = bp.fork()
        >>> _ = other.pack("a", 2)
        >>> bp["a"], other["a"], other.head.seq
        (1, 2, 2)
        """
        substitute = None if unavailable is RAISE else pack_value(unavailable)
        self._require_open()
        if path is not None:
            from backpack.store.moving import fork_to  # which opens stores, and so imports this file

            return fork_to(self, at, path, key, substitute)
        with self._lock:
            seq = resolve_whole(self._engine, at)
            if at is not None:
                self._engine.timeline.touch(seq)
            if self._archive is not None and (self._opened is not None or not self._engine.timeline.has(seq)):
                return self._fork_archived(self._archive, seq, substitute)
            if self._archive is not None:
                self._engine.wake_all()
            replaced = travel.replacements(self._state(seq), self._engine.large_size, substitute)
            twin = fork(self._engine, seq, os.urandom(16), replaced)
            past = twin.past = None if self._archive is None else self._archive.awake()
            store = self._from_engine(twin, self._last_ns, None, past)
            store._origin = self._origin
            return store

    def replay(
        self,
        start: At,
        *,
        skip: Iterable[At] = (),
        replace: Mapping[At, Mapping[str, Any]] | None = None,
        unavailable: Any = RAISE,
    ) -> "Backpack":
        """A fork at `start` onto which the later commits are applied again, with their node, tags, message and time.

        `skip` leaves some out, `replace` puts other values into some; nothing is worked out anew.

        >>> from backpack import Backpack
        >>> bp = Backpack({"city": "Rome"})
        >>> _ = bp.pack("hotel", "Roma"); _ = bp.pack("days", 3)
        >>> bp.replay(1, skip=[2]).select("**")
        {'city': 'Rome', 'days': 3}
        """
        substitute = None if unavailable is RAISE else pack_value(unavailable)
        packed = {
            at: packed_by_key(checked_mapping("replace[at]", values))
            for at, values in checked_mapping("replace", {} if replace is None else replace).items()
        }
        skip = checked_items("skip", skip, "commits")
        twin = self.fork(required(start), unavailable=unavailable)
        with self._lock:
            engine = self._engine
            begin = twin._engine.timeline.head
            skipped = {resolve(engine, required(at)) for at in skip}
            replaced = {resolve(engine, required(at)): values for at, values in packed.items()}
            early = [seq for seq in (*skipped, *replaced) if seq <= begin]
            if early:
                raise InvalidArgumentError(
                    f"only commits behind the start can be changed: start={begin} seq={min(early)}"
                )
            states = (
                self._state(resolve(engine, seq))
                for seq in range(begin + 1, engine.timeline.head + 1)
                if seq not in skipped
            )
            travel.replay(states, twin, replaced, substitute)
        return twin

    # -- checkpoints -------------------------------------------------------------------------------------------

    def checkpoint(self, name: str, *, at: At | None = None, notes: str = "") -> Checkpoint:
        """Pin a commit (None: the newest) under a name. A taken name raises `CheckpointExistsError`.

        >>> from backpack import Backpack
        >>> bp = Backpack({"a": 1})
        >>> _ = bp.checkpoint("before lunch"); _ = bp.pack("a", 2)
        >>> bp.snapshot("before lunch")["a"]
        1
        """
        name = checked_checkpoint_name(name)
        checked_text("note", notes, MESSAGE_SIZE_MAX, may_be_empty=True)
        self._require_open()
        with self._lock, self._change():
            if name in self._engine.pins.checkpoints:
                raise CheckpointExistsError(
                    f"the checkpoint exists: name={name!r}; delete it or choose another", name=name
                )
            if len(self._engine.pins.checkpoints) >= CHECKPOINT_COUNT_MAX:
                raise InvalidArgumentError(
                    f"there are too many checkpoints: count={len(self._engine.pins.checkpoints)}; delete some"
                )
            seq = resolve(self._engine, at)
            if not seq:
                raise CommitNotFoundError("there is no commit yet that a checkpoint could name", at=at)
            if self._opened is not None:
                is_gone = self._archive is not None and not self._archive.has(seq)  # a snapshot alone has it
                if is_gone or (self._opened.is_leaving(seq) and seq not in self._engine.pins.checkpoint_counts):
                    raise pruned_error(self._engine, at, seq)
                self._opened.note(self._now(), {"checkpoint": name, "seq": seq, "notes": notes})
            self._engine.pins.add(name, seq, notes)
            made = Checkpoint(name, self._engine.commit_at(seq), notes)
        self._settle_note()
        return made

    def checkpoints(self) -> list[Checkpoint]:
        """All checkpoints, in the order they were made."""
        self._require_open()
        with self._lock:
            return [
                Checkpoint(name, self._engine.commit_at(seq), notes)
                for name, (seq, notes) in self._engine.pins.checkpoints.items()
            ]

    def delete_checkpoint(self, name: str) -> None:
        """Unpin it; an unknown name raises `CommitNotFoundError`."""
        if not isinstance(name, str):
            raise InvalidArgumentError(f"a checkpoint name must be a str, not {type(name).__name__}")
        self._require_open()
        with self._lock, self._change():
            if name not in self._engine.pins.checkpoints:
                raise CommitNotFoundError(f"there is no checkpoint of that name: {name!r}", at=name)
            if self._opened is not None:
                self._opened.note(self._now(), {"forget": name})
            self._engine.pins.remove(name)
        self._settle_note()

    # -- inside ------------------------------------------------------------------------------------------------

    def _restore(
        self,
        look: Callable[[], Snapshot],
        keys: Iterable[str] | None,
        label: Label,
        unavailable: Any,
        sight: Sight | None,
    ) -> Commit | None:
        """Make keys equal the snapshot that `look` opens. It is called once the arguments are known to be right."""
        if isinstance(keys, str):
            raise InvalidArgumentError("keys must be a list of str, not one str")
        substitute = None if unavailable is RAISE else pack_value(unavailable)
        named = None if keys is None else list(dict.fromkeys(checked_key(key) for key in keys))
        with self._lock, self._change():
            # both are let go of before the commit: else they would keep theirs from being pruned, and a commit under a
            # hard limit might be refused for that alone
            requests = travel.restore_requests(self._view(self._engine.timeline.head), look(), named, substitute)
            forbidden = [] if sight is None else [one.key for one in requests if not sight.can_write(one.key)]
            facts = self._engine.commit(requests, label, self._now()) if requests and not forbidden else None
        if forbidden and sight is not None:
            raise sight.denied(forbidden[0], "write")
        return None if facts is None else self._told(facts)

    def _fork_archived(self, archive: "Archive", seq: int, substitute: bytes | None) -> "Backpack":
        """A fork that has what was archived up to `seq` before it. Wants the lock."""
        engine = self._engine
        state = Archived(archive, engine, seq, self._require_open)
        past = archive.until(seq, travel.replacements(state, engine.large_size, substitute))
        twin = engine_over(past, engine.limits, Epoch(os.urandom(16), seq + 1, engine.epoch))
        for name, (pinned, notes) in engine.pins.checkpoints.items():
            if pinned <= seq:
                twin.pins.add(name, pinned, notes)
        store = self._from_engine(twin, self._last_ns, None, past)
        store._origin = self
        return store

    def _is_secret(self) -> bool:
        """Is it encrypted where it was opened, or is it a fork, at any remove, of a store that is?"""
        one: Ground | None = self
        while one is not None and not (one._opened is not None and one._opened.manifest.secret):
            one = one._origin
        return one is not None
