"""Checkpoints of a memory: where the work stands, kept with the state of the whole store at that moment.

    record       key <namespace>.checkpoints.<id>: notes, phase, variables, tasks, references (`checkpoint_record.py`)
    checkpoint   the core's, of the same name, at the commit of the record: it pins that commit

The record comes first. After a crash between the two the newest record has no checkpoint of the core; the next one that
is made sees to it. Taking away goes the other way round, oldest first.

A checkpoint that the core alone has, made by `bp.checkpoint`, is one of them: what a record would say is worked out
from the states (`core_checkpoints.py`). Pruning leaves it alone, and a record refers to what came since the record
before.
"""

import builtins
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from backpack.errors import CheckpointExistsError, CommitNotFoundError, CommitPrunedError, InvalidArgumentError
from backpack.limits import MESSAGE_SIZE_MAX, NAME_SIZE_MAX
from backpack.memory.checkpoint_difference import CheckpointDiff, difference
from backpack.memory.checkpoint_record import (
    Items,
    MemoryCheckpoint,
    checked_items,
    checked_variables,
    checkpoint_of,
    record_of,
)
from backpack.memory.checkpoint_summary import report_of, summary_of
from backpack.memory.core_checkpoints import worked_out
from backpack.memory.documents import found_entry
from backpack.memory.entry import time_of
from backpack.memory.listing import line_of
from backpack.store.names import checked_checkpoint_name, checked_key, checked_limit, checked_text, checked_whole
from backpack.store.names import checked_items as checked_sequence
from backpack.store.records import Checkpoint

if TYPE_CHECKING:
    from backpack.memory.memory import Memory

LATEST: Final = "ckpt-latest"
KEPT_DEFAULT: Final = 50

At = str | MemoryCheckpoint | None
"""A checkpoint: itself, its id or the beginning of it; `ckpt-latest` or None is the newest."""


class Checkpoints:
    """The checkpoints of one memory, oldest first when iterated. Thread-safe.

    >>> from backpack import Backpack
    >>> from backpack.memory import Memory
    >>> memory = Memory(Backpack())
    >>> entry = memory.log("12 passed", title="pytest")
    >>> first = memory.checkpoint(notes="tests are green", phase="build", tasks=["release"])
    >>> _ = memory.log("uploaded", title="release"); second = memory.checkpoint(phase="release")
    >>> memory.checkpoints.load().phase, memory.checkpoints.load(first.id).references == (entry.id,)
    ('release', True)
    >>> memory.checkpoints.diff(first, second).phase
    ('build', 'release')
    """

    def __init__(self, memory: "Memory") -> None:
        self._memory = memory

    def make(
        self,
        *,
        notes: str = "",
        phase: str | None = None,
        variables: Mapping[str, Any] | None = None,
        tasks: Items = (),
        dependencies: Items = (),
        name: str | None = None,
    ) -> MemoryCheckpoint:
        """Keep where the work stands: one commit, and a checkpoint of the core at it. Cost: O(entries).

        `name` is its id instead of `ckpt-YYYYMMDD-HHMMSS-xxxx`. `CheckpointExistsError` when that is taken,
        `UnstorableValueError`, `ReadOnlyError`; nothing is kept then.
        """
        notes = checked_text("note", notes, MESSAGE_SIZE_MAX, may_be_empty=True)
        phase = None if phase is None else checked_text("phase", phase, NAME_SIZE_MAX)
        found_variables = checked_variables("variables", {} if variables is None else variables)
        found_tasks, found_dependencies = checked_items("tasks", tasks), checked_items("dependencies", dependencies)
        if name is not None:
            name = self._checked_name(name)
        memory = self._memory
        with memory.bp._letters_at_rest(), memory.shared.lock:
            before = self._recorded()
            taken = {one.name for one in memory.bp.checkpoints()} | {one.id for one in before}
            if name is not None and name in taken:
                raise CheckpointExistsError(f"the checkpoint exists: name={name!r}; choose another name", name=name)
            last = before[-1] if before else None
            if last is not None:
                with suppress(CommitPrunedError):  # somebody unpinned it, and its commit is gone
                    self._pin(last)
            time_ns = memory.now_ns()
            id = self._new_id(time_ns, taken) if name is None else name
            references = sorted(self._since(before))
            entries = [entry for entry in (found_entry(memory, one) for one in references) if entry is not None]
            made = MemoryCheckpoint(
                id, 1 if last is None else last.number + 1, time_ns, notes, phase, found_variables, found_tasks,
                found_dependencies, tuple(references), dict(Counter(entry.type for entry in entries)),
                sum(entry.tokens for entry in entries), None if last is None else last.id,
            )  # fmt: skip
            memory.bp.pack(self._key(id), record_of(made), node=memory.acting_node(), message=f"checkpoint {id}")
            self._pin(made)
        return self.load(id)

    def load(self, id: At = None) -> MemoryCheckpoint:
        """One of them; the newest by default. `CommitNotFoundError` when there is none, or several begin so."""
        known = self._core()
        names = self._names(known)
        name = _meant(names, id)
        found = self._read(names, names.index(name), known)
        if found is None:
            raise _unknown(name, names)
        return found

    def seq(self, id: At = None) -> int:
        """The commit that one of them is at; errors as of `load`."""
        return self._commit(_meant(self._names(self._core()), id))

    def list(self, limit: int | None = None) -> "builtins.list[MemoryCheckpoint]":
        """All of them, or so many, newest first. Cost: reading their records; of those that the core alone has, the
        commits since the checkpoint before, some 2 ms each when they are archived."""
        checked_limit(limit)
        known = self._core()
        names = self._names(known)
        count = len(names) if limit is None else min(limit, len(names))
        found = (self._read(names, at, known) for at in islice(reversed(range(len(names))), count))
        return [one for one in found if one is not None]

    def all(self) -> "builtins.list[MemoryCheckpoint]":
        """All of them, oldest first, as iteration has them."""
        return self.list()[::-1]

    def __iter__(self) -> Iterator[MemoryCheckpoint]:
        return iter(self.all())

    def __len__(self) -> int:
        return len(self._names(self._core()))

    def refs(self, id: At = None) -> "builtins.list[str]":
        """One line for each entry that was logged for a checkpoint, newest first: `[id] summary (tokens)`. Those that
        are gone are left out."""
        entries = (found_entry(self._memory, one) for one in reversed(self.load(id).references))
        return [line_of(entry) for entry in entries if entry is not None]

    def diff(self, a: At, b: At = None) -> CheckpointDiff:
        """What changed from one to another (the newest by default): phase, tasks, dependencies, variables, entries.

        Entries are those of the two snapshots. Cost: the changes between the two commits, or O(keys).
        """
        old, new = self.load(a), self.load(b)
        prefix = self._memory.keys.entries
        return difference(old, new, self._memory.bp.diff(self._commit(old.id), self._commit(new.id)), prefix)

    def report(self) -> str:
        """All checkpoints as a page of Markdown."""
        found = self.all()
        return report_of(found, *self.sums(found))

    def sums(self, checkpoints: Iterable[MemoryCheckpoint]) -> tuple[int, int]:
        """How many entries they refer to, and the tokens of these; what two refer to counts once."""
        found = checked_sequence("checkpoints", checkpoints, "checkpoints")
        if not all(isinstance(one, MemoryCheckpoint) for one in found):
            raise InvalidArgumentError("checkpoints are those of a memory, as list() gives them")
        recorded = [one for one in found if not one.is_of_core]
        counted = {id for one in recorded for id in one.references}
        count, tokens = sum(one.entry_count for one in recorded), sum(one.tokens for one in recorded)
        for id in (id for one in found if one.is_of_core for id in one.references):
            if id not in counted:
                counted.add(id)
                count += 1
                entry = found_entry(self._memory, id)
                tokens += 0 if entry is None else entry.tokens
        return count, tokens

    def summary(self, level: str = "standard", id: At = None) -> str:
        """One of them as text for a prompt: "minimal", "compact", "standard" or "full", which are at most 500, 1,000,
        2,000 and 4,000 tokens by the memory's counter, whatever was kept."""
        checkpoint = self.load(id)
        lines = (line_of(entry) for entry in self._referenced(checkpoint))
        return summary_of(checkpoint, lines, level, self._memory.count_tokens)

    def prune(self, keep: int = KEPT_DEFAULT) -> "builtins.list[str]":
        """Take all but the newest away that the memory made, and unpin their commits; the ids that went, oldest first.

        Entries stay, and so does what `bp.checkpoint` made. History still has the records; the commits go as any others
        do.
        """
        checked_whole("keep", keep)
        memory = self._memory
        with memory.bp._letters_at_rest(), memory.shared.lock:
            known = self._recorded()
            gone = known[: max(len(known) - keep, 0)]
            pinned = {one.name for one in memory.bp.checkpoints()}
            for one in gone:
                if one.id in pinned:
                    memory.bp.delete_checkpoint(one.id)
            with memory.bp.transaction(node=memory.acting_node(), message="prune checkpoints") as transaction:
                for one in gone:
                    transaction.delete(self._key(one.id))
        return [one.id for one in gone]

    # -- inside ------------------------------------------------------------------------------------------------

    def _checked_name(self, name: str) -> str:
        if name == LATEST:
            raise InvalidArgumentError(f"{LATEST} is always the newest checkpoint: choose another name")
        checked_key(self._key(checked_checkpoint_name(name)))
        return name

    def _key(self, id: str) -> str:
        return self._memory.keys.checkpoints + id

    def _new_id(self, time_ns: int, taken: Iterable[str]) -> str:
        stem = f"ckpt-{time_of(time_ns):%Y%m%d-%H%M%S}-"
        random = int.from_bytes(self._memory.make_random(2), "big")
        for step in range(1 << 16):
            id = f"{stem}{(random + step) % (1 << 16):04x}"
            if id not in taken:
                return id
        raise CheckpointExistsError(f"there are 65,536 checkpoints of one second: {stem}", name=stem)

    def _pin(self, checkpoint: MemoryCheckpoint) -> None:
        """Have the core's checkpoint for it."""
        bp = self._memory.bp
        if all(one.name != checkpoint.id for one in bp.checkpoints()):
            bp.checkpoint(checkpoint.id, at=bp.blame(self._key(checkpoint.id)), notes=checkpoint.notes)

    def _core(self) -> dict[str, Checkpoint]:
        """The checkpoints of the core by name, in the order they were made."""
        return {one.name: one for one in self._memory.bp.checkpoints()}

    def _recorded(self) -> "builtins.list[MemoryCheckpoint]":
        """Those that the memory made, oldest first. Cost: reading their records."""
        prefix = self._memory.keys.checkpoints
        found = []
        for key in self._memory.values.keys(prefix):
            record = self._memory.values.get(key)
            if record is not None:  # else it was taken away meanwhile
                found.append(checkpoint_of(key[len(prefix) :], record))
        return sorted(found, key=lambda one: (one.number, one.time_ns, one.id))

    def _names(self, known: Mapping[str, Checkpoint]) -> "builtins.list[str]":
        """The names of all there are, oldest first. A record without a checkpoint of the core stands where its commit
        does."""
        prefix = self._memory.keys.checkpoints
        names = list(known)
        unpinned = [key[len(prefix) :] for key in self._memory.values.keys(prefix) if key[len(prefix) :] not in known]
        for seq, name in sorted((self._commit(name), name) for name in unpinned):
            later = (at for at, one in enumerate(names) if one in known and known[one].seq > seq)
            names.insert(next(later, len(names)), name)
        return names

    def _read(self, names: Sequence[str], at: int, known: Mapping[str, Checkpoint]) -> MemoryCheckpoint | None:
        """One of those names; None when it was taken away meanwhile."""
        key = self._key(names[at])
        record = self._memory.values.get(key) if key in self._memory.bp else None  # no letter brings one
        if record is not None:
            return checkpoint_of(names[at], record)
        if names[at] not in known:
            return None
        previous = names[at - 1] if at else None
        seq = 0 if previous is None else known[previous].seq if previous in known else self._commit(previous)
        return worked_out(self._memory, known[names[at]], previous, seq)

    def _commit(self, id: str) -> int:
        """The commit of the core's checkpoint, or else of the record."""
        for one in self._memory.bp.checkpoints():
            if one.name == id:
                return one.seq
        return self._memory.bp.blame(self._key(id)).seq

    def _since(self, before: "builtins.list[MemoryCheckpoint]") -> set[str]:
        """The ids of the entries that were not there at the last of these checkpoints; where its commit is gone, of
        those that none of them refers to."""
        prefix = self._memory.keys.entries
        keys = set(self._memory.values.keys(prefix))
        if before:
            try:
                keys.difference_update(self._memory.bp.snapshot(self._commit(before[-1].id)))
            except CommitPrunedError:
                keys.difference_update(prefix + id for one in before for id in one.references)
        return {key[len(prefix) :] for key in keys}

    def _referenced(self, checkpoint: MemoryCheckpoint) -> Iterator[Any]:
        for id in reversed(checkpoint.references):
            entry = found_entry(self._memory, id)
            if entry is not None:
                yield entry


def _meant(names: Sequence[str], id: At) -> str:
    """Which of the names, oldest first, is meant."""
    if isinstance(id, MemoryCheckpoint):
        id = id.id
    if id is None or id == LATEST:
        if not names:
            raise CommitNotFoundError("there is no checkpoint yet: make one with checkpoint()", at=LATEST)
        return names[-1]
    if not isinstance(id, str) or not id:
        raise InvalidArgumentError(f"a checkpoint is named by its id, not by {type(id).__name__}")
    found = [name for name in names if name == id] or [name for name in names if name.startswith(id)]
    if len(found) == 1:
        return found[0]
    if found:
        shown = ", ".join(found[:3])
        raise CommitNotFoundError(f"several checkpoints begin so: {id!r}: {shown}; give more of the id", at=id)
    raise _unknown(id, names)


def _unknown(id: str, names: Sequence[str]) -> CommitNotFoundError:
    hint = f"the newest is {names[-1]}" if names else "none was made yet"
    return CommitNotFoundError(f"there is no such checkpoint: {id!r}; {hint}", at=id)
