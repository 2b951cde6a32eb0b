"""A store and a model that forgets nothing, through random steps over every verb, compared after each step.

Budgets of a few hundred bytes and values "large" from 20 to 120 bytes, so that short runs meet pruning,
references, pins and refusals. Two machines: one over all verbs but `purge`, one that also erases.

BACKPACK_HYPOTHESIS_EXAMPLES sets how many runs; the default is made for every day.
"""

from __future__ import annotations

import copy
import datetime as dt
import gc
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from backpack import Backpack
from backpack.errors import (
    BackpackError,
    CheckpointExistsError,
    CommitNotFoundError,
    CommitPrunedError,
    HistoryFullError,
    KeyNotFoundError,
    QuarantineError,
    UnstorableValueError,
    ValueUnavailableError,
)

from .model import Held, Model, State, alike, same
from .readings import check, checkpoint_names, is_nobody, is_parent, is_unavailable, quarantined_keys

KEYS = ("a", "b", "n.a", "n.b", "n.b.c")
NODES = (None, "x", "y")
OTHER_COUNTERS = (
    "live_bytes",
    "history_bytes",
    "history_limit",
    "pinned_bytes",
    "commits_in_memory",
    "commits_archived",
    "commits_pruned",
    "large_values",
    "blob_bytes",
    "archive_bytes",
    "over_budget",
)

keys = st.sampled_from(KEYS)
nodes = st.sampled_from(NODES)
numbers = st.integers(0, 10**6)

scalars = st.one_of(
    st.sampled_from([None, False, True, 0, 1, -1, 0.0, -0.0, 1.0, float("nan"), "", "é", b"", 2**70, -(2**64)]),
    st.text(max_size=8),
    st.binary(max_size=8),
    st.integers(),
    st.floats(),
)
internal_looks = st.sampled_from(
    [
        {"__ref__": "0" * 16, "size": 5},
        {"kind": "delete"},
        {"op": "pack", "key": "a", "value": 1},
        {"__large__": True, "hash": b"\x00" * 8},
        {"key": "a", "size": 1, "reason": "purged", "commit": None},
    ]
)
small = st.one_of(
    scalars,
    st.sampled_from([[], {}, (), set(), frozenset({1}), [[]], {"": None}]),
    st.lists(scalars, max_size=4),
    st.dictionaries(st.text(max_size=3), scalars, max_size=3),
    st.tuples(scalars, scalars),
    internal_looks,
)
large = st.one_of(
    st.integers(61, 300).map(lambda count: "L" * count),
    st.binary(min_size=61, max_size=200),
    st.lists(st.text(min_size=5, max_size=12), min_size=12, max_size=20),
)
values = st.one_of(small, small, large)
messages = st.sampled_from([None, "", "why", "Grüße"])
tag_lists = st.sampled_from([(), ("t",), ("t", "u"), ["u"]])
limits_to_set = st.one_of(
    st.fixed_dictionaries({"max_history_size": st.sampled_from([100, 200, 400, 900])}),
    st.fixed_dictionaries({"max_value_size": st.sampled_from([20, 60, 120])}),
    st.fixed_dictionaries({"max_commits": st.sampled_from([1, 2, 5, 12])}),
    st.fixed_dictionaries({"prune_strategy": st.sampled_from(["oldest", "least-accessed", "none"])}),
    st.fixed_dictionaries({"prune_percentage": st.sampled_from([0.05, 0.2, 0.5, 0.9])}),
    st.fixed_dictionaries({"hard_limit": st.booleans()}),
)


class Boom(Exception):
    """What a caller's own code raises within a transaction."""


class OpenSnapshot:
    """A snapshot that is kept, and what it said when it was made."""

    def __init__(self, store: Any, snapshot: Any, state: State, present: State, seq: int) -> None:
        self.store = store
        self.snapshot = snapshot
        self.seq = seq
        self.state = copy.deepcopy(state)
        self.may_be_unavailable = {
            key
            for key, held in state.visible.items()
            if held.may_be_unavailable
            and (key not in present.visible or present.visible[key].brought_by != held.brought_by)
        }
        """Large, and not live when the snapshot was made: full only by the grace of other holders."""
        self.purged = {key for key, held in state.visible.items() if held.is_purged}

    def verify(self) -> None:
        assert set(self.snapshot) - self.purged == set(self.state.visible) - self.purged
        for key, held in self.state.visible.items():
            if key in self.purged and key not in self.snapshot:
                continue
            found = self.snapshot.unpack(key)
            if key in self.purged:
                assert is_unavailable(found)
            elif key in self.may_be_unavailable and is_unavailable(found):
                continue
            else:
                assert same(found, held.value), f"an open snapshot of {self.seq} changed at {key!r}"


class StoreMachine(RuleBasedStateMachine):
    """Every verb but purge."""

    def __init__(self) -> None:
        super().__init__()
        gc.collect()
        gc.disable()  # what is within reach must not depend on when the collector runs
        self.model = Model()
        self.store: Any = None
        self.limits: dict[str, Any] = {}
        self.commits: dict[int, Any] = {}
        self.open: list[OpenSnapshot] = []
        self.originals: list[tuple[Any, Model, dict[int, Any]]] = []
        self.is_forked = False
        self.has_just_committed = False
        self.scratch = Backpack()

    @initialize(
        max_value_size=st.sampled_from([60, 60, 100]),
        max_history_size=st.sampled_from([150, 300, 300, 600]),
        max_commits=st.sampled_from([None, None, None, 8]),
        prune_strategy=st.sampled_from(["oldest", "oldest", "least-accessed", "none"]),
        prune_percentage=st.sampled_from([0.2, 0.5]),
        hard_limit=st.sampled_from([False, False, False, True]),
        first=st.one_of(st.none(), st.dictionaries(keys, small, max_size=2)),
        past=st.lists(st.tuples(keys, values, nodes), max_size=12),
    )
    def make(self, first: dict[str, Any] | None, past: list[tuple[str, Any, str | None]], **limits: Any) -> None:
        self.limits = dict(limits)
        self.store = Backpack(**limits) if first is None else Backpack(first, **limits)
        if first:
            self.adopt(self.store.head, {key: ("pack", value) for key, value in first.items()})
        self.pack_several(past)

    def teardown(self) -> None:
        gc.enable()

    # -- how a step is told to the model -------------------------------------------------------------------

    def write(
        self,
        act: Callable[[], Any],
        changes: dict[str, tuple[str, Any]],
        **told: Any,
    ) -> Any:
        """Run a write, then adopt its commit; a refusal for lack of room is checked for fairness."""
        try:
            commit = act()
        except HistoryFullError:
            assert self.limits["hard_limit"], "HistoryFullError without hard_limit"
            gc.collect()  # no snapshot of ours that a traceback still holds may be the reason
            try:
                commit = act()
            except HistoryFullError:
                self.verify_refusal_is_fair(changes)
                return None
        return self.adopt(commit, changes, **told)

    def adopt(
        self,
        commit: Any,
        changes: dict[str, tuple[str, Any]],
        *,
        node: str | None = None,
        message: str | None = None,
        tags: Any = (),
        appended: Any = (),
        optional: dict[str, tuple[str, Any]] | None = None,
    ) -> Any:
        seq = self.model.head + 1
        assert commit is not None
        assert commit.seq == seq
        assert self.store.head.seq == seq
        assert self.store.head.id == commit.id
        for key in set(commit.changes) & set(optional or ()):
            changes = {**changes, key: (commit.changes[key].kind, (optional or {})[key][1])}
        made = self.model.add(changes, node=node, message=message, tags=tags, appended=appended)
        self.verify_commit(commit, self.model)
        previous = self.commits.get(seq - 1)
        if previous is not None or seq == 1:
            assert is_parent(commit.parent, previous)
        if previous is not None:
            assert commit.time >= previous.time
        for key, change in made.changes.items():
            if change.held is None:
                continue
            change.held.size = self.store.item(key).size
            change.held.limit = self.limits["max_value_size"]
            said = commit.changes[key]
            if key not in made.appended:
                assert said.size == change.held.size
                assert bool(said.is_large) == (said.size > self.limits["max_value_size"])
        self.commits[seq] = commit
        self.has_just_committed = True
        return commit

    def verify_commit(self, commit: Any, model: Model) -> None:
        expected = model.commit(commit.seq)
        assert is_nobody(commit.node) if expected.node is None else commit.node == expected.node
        assert (commit.message or "") == (expected.message or "")
        assert sorted(commit.tags) == sorted(expected.tags)
        assert isinstance(commit.time, dt.datetime) and commit.time.utcoffset() is not None
        erased = {key for at, key in model.purges if at >= commit.seq}
        assert set(commit.changes) <= set(expected.changes)
        assert set(commit.changes) >= set(expected.changes) - erased
        for key in set(commit.changes) - erased:
            assert commit.changes[key].kind == expected.changes[key].kind
        for key in set(commit.changes) - {key for _, key in model.purges}:
            assert commit.changes[key].version == expected.changes[key].version

    def verify_refusal_is_fair(self, changes: dict[str, tuple[str, Any]]) -> None:
        state = self.model.state()
        if (
            self.limits["prune_strategy"] == "none"
            or (self.limits["max_commits"] or 99) < 3
            or self.model.checkpoints
            or self.open
            or state.hidden
            or self.model.purges
            or not self.model.head
        ):
            return
        size = 0
        for key, (kind, value) in changes.items():
            if key in state.visible:
                size += state.visible[key].size
            if kind == "pack":
                packed = self.scratch.pack("k", value).size
                if packed > self.limits["max_value_size"]:
                    return
                size += packed
        for change in self.model.commit(self.model.head).changes.values():
            size += change.held.size if change.held else 0
        assert size > self.limits["max_history_size"], "refused although pruning makes room"

    # -- addresses -----------------------------------------------------------------------------------------

    def in_memory(self) -> list[int]:
        """Seqs that can still be read, oldest first."""
        return sorted(commit.seq for commit in self.store.history())

    def pick(self, number: int) -> int | None:
        readable = self.in_memory()
        return readable[number % len(readable)] if readable else None

    def address(self, seq: int, number: int) -> Any:
        """One of the forms in which a commit can be named."""
        commit = self.commits[seq]
        names = [name for name, at in self.model.checkpoints.items() if at == seq]
        forms = [seq, commit, commit.id, f"HEAD~{self.model.head - seq}", self.prefix(commit.id), *names]
        return forms[number % len(forms)]

    def prefix(self, id_: str) -> str:
        others = [commit.id for commit in self.commits.values() if commit.id != id_]
        length = 4
        while any(other.startswith(id_[:length]) for other in others):
            length += 1
        return id_[:length]

    def has_pruned(self) -> bool:
        return len(self.in_memory()) < self.model.head

    # -- writes --------------------------------------------------------------------------------------------

    @rule(key=keys, value=values, node=nodes, message=messages, tags=tag_lists)
    def pack(self, key: str, value: Any, node: str | None, message: str | None, tags: Any) -> None:
        given = copy.deepcopy(value)
        told = {"node": node, "message": message, "tags": tags}
        self.note_pack_over_hidden([key])
        self.write(lambda: self.store.pack(key, given, **told), {key: ("pack", value)}, **told)
        if isinstance(given, list):
            given.append("changed after the pack")
        elif isinstance(given, (dict, set)):
            given.clear()

    @rule(several=st.lists(st.tuples(keys, values, nodes), min_size=2, max_size=8))
    def pack_one_after_the_other(self, several: list[tuple[str, Any, str | None]]) -> None:
        self.pack_several(several)

    def pack_several(self, several: list[tuple[str, Any, str | None]]) -> None:
        for key, value, node in several:
            self.pack(key, value, node, None, ())
            self.memory_is_within_its_bounds()
            self.counters_agree_with_a_recount()

    @rule(key=keys, size=st.integers(1, 40), count=st.integers(2, 12), node=nodes)
    def pack_a_growing_text(self, key: str, size: int, count: int, node: str | None) -> None:
        for number in range(1, count + 1):
            self.pack(key, "grow" * size + "x" * number, node, None, ())

    def note_pack_over_hidden(self, packed: Any) -> None:
        self.model.murky.update(set(packed) & set(self.model.state().hidden))

    @rule(key=keys, how=numbers)
    def pack_an_edit_of_what_is_there(self, key: str, how: int) -> None:
        held = self.model.state().visible.get(key)
        if held is None:
            return
        value = copy.deepcopy(held.value)
        if isinstance(value, str) and value:
            middle = how % len(value)
            value = [value[:middle] + "#" + value[middle:], value + "tail", value[middle:], value][how % 4]
        elif isinstance(value, bytes) and value:
            middle = how % len(value)
            value = [value[:middle] + b"#" + value[middle:], value + b"tail", value[middle:]][how % 3]
        elif isinstance(value, list) and value:
            middle = how % len(value)
            value = [value[1:], [*value, "m"], [*value[:middle], "e", *value[middle + 1 :]], value[:-1]][how % 4]
        elif isinstance(value, dict):
            value = {**value, "edited": how % 5}
        self.write(lambda: self.store.pack(key, value), {key: ("pack", value)})

    @rule(key=keys, value=values, node=nodes)
    def set_item_as_a_node(self, key: str, value: Any, node: str | None) -> None:
        self.note_pack_over_hidden([key])

        def act() -> Any:
            if node is None:
                self.store[key] = value
            else:
                with self.store.as_node(node):
                    self.store[key] = value
            return self.store.head

        self.write(act, {key: ("pack", value)}, node=node)

    @rule(key=keys, added=st.lists(st.one_of(scalars, large), min_size=1, max_size=3), node=nodes)
    def append(self, key: str, added: list[Any], node: str | None) -> None:
        state = self.model.state()
        if key in state.hidden:
            return
        held = state.visible.get(key)
        if held is not None and type(held.value) is not list:
            head = self.model.head
            with pytest.raises((BackpackError, TypeError)):
                self.store.append(key, *added)
            assert (self.store.head.seq if self.store.head else 0) == head
            return
        whole = [*(held.value if held else []), *added]

        def act() -> Any:
            if node is None:
                return self.store.append(key, *copy.deepcopy(added))
            with self.store.as_node(node):
                return self.store.append(key, *copy.deepcopy(added))

        self.write(act, {key: ("pack", whole)}, node=node, appended=[key])

    @rule(key=keys, form=numbers)
    def delete(self, key: str, form: int) -> None:
        state = self.model.state()
        if key in state.hidden:
            return
        if key not in state.visible:
            with pytest.raises(KeyNotFoundError):
                self.store.delete(key)
            with pytest.raises(KeyError):
                del self.store[key]
            return

        def act() -> Any:
            if form % 2:
                return self.store.delete(key)
            del self.store[key]
            return self.store.head

        self.write(act, {key: ("delete", None)})

    @rule()
    def clear(self) -> None:
        state = self.model.state()
        if state.hidden:
            return
        if not state.visible:
            assert self.store.clear() is None
            return
        self.write(lambda: self.store.clear(), {key: ("delete", None) for key in state.visible})

    @rule(mapping=st.dictionaries(keys, values, max_size=3), node=nodes)
    def update(self, mapping: dict[str, Any], node: str | None) -> None:
        if not mapping:
            assert self.store.update({}) is None
            return
        self.note_pack_over_hidden(mapping)
        self.write(
            lambda: self.store.update(copy.deepcopy(mapping), node=node),
            {key: ("pack", value) for key, value in mapping.items()},
            node=node,
        )

    @rule(
        steps=st.lists(st.tuples(st.booleans(), keys, values), max_size=5),
        fails=st.sampled_from([False, False, False, True]),
        node=nodes,
        message=messages,
        tags=tag_lists,
    )
    def transaction(
        self, steps: list[tuple[bool, str, Any]], fails: bool, node: str | None, message: str | None, tags: Any
    ) -> None:
        state = self.model.state()
        local = state.values()
        changes: dict[str, tuple[str, Any]] = {}
        optional: dict[str, tuple[str, Any]] = {}
        made: list[Any] = []

        def act() -> Any:
            with self.store.transaction(node=node, message=message, tags=tags) as tx:
                for is_delete, key, value in steps:
                    if is_delete and key in state.hidden:
                        continue
                    if not is_delete:
                        tx.pack(key, copy.deepcopy(value))
                        local[key] = value
                        changes[key] = ("pack", value)
                        optional.pop(key, None)
                    elif key in local:
                        tx.delete(key)
                        del local[key]
                        changes.pop(key, None)
                        if key in state.visible:
                            changes[key] = ("delete", None)
                        else:
                            optional[key] = ("delete", None)
                    missing = object()
                    found = tx.unpack(key, missing)
                    assert same(found, local[key]) if key in local else found is missing
                if fails:
                    raise Boom
            made.append(tx.commit)
            return tx.commit

        if fails:
            with pytest.raises(Boom):
                act()
            return
        try:
            commit = act()
        except HistoryFullError:
            assert self.limits["hard_limit"]
            return
        self.note_pack_over_hidden(changes)
        if not changes and commit is None:
            return
        self.adopt(commit, changes, optional=optional, node=node, message=message, tags=tags)

    @rule(key=keys)
    def refused_value_changes_nothing(self, key: str) -> None:
        with pytest.raises(UnstorableValueError):
            self.store.pack(key, {"deep": [1, {"handle": lambda: None}]})
        with pytest.raises(UnstorableValueError):
            self.store.update({"a": 1, key: object()})
        with pytest.raises(UnstorableValueError), self.store.transaction() as tx:
            tx.pack("b", 2)
            tx.pack(key, object())

    @rule(number=numbers, form=numbers, only=st.one_of(st.none(), st.lists(keys, max_size=3, unique=True)))
    def restore(self, number: int, form: int, only: list[str] | None) -> None:
        seq = self.pick(number)
        if seq is None:
            return
        at = self.address(seq, form)
        target = self.model.state(seq)
        present = self.model.state()
        wanted = [key for key in KEYS if only is None or key in only]
        snapshot = self.store.snapshot(seq)
        lost = [key for key in wanted if is_unavailable(snapshot.unpack(key))]
        del snapshot  # an open one keeps its commit in memory, whatever the limits say
        if not lost and any(key in wanted and seq <= purged_at for purged_at, key in self.model.purges):
            return
        told: dict[str, Any] = {"node": "x", "message": "back", "tags": ("r",)}
        if lost:
            with pytest.raises(ValueUnavailableError):
                self.store.restore(at, keys=only, **told)
            return
        changes: dict[str, tuple[str, Any]] = {}
        optional: dict[str, tuple[str, Any]] = {}
        for key in wanted:
            new = target.visible.get(key)
            old = present.visible.get(key)
            if new is not None and (old is None or not alike(old.value, new.value)):
                changes[key] = ("pack", new.value)
            elif new is None and old is not None:
                changes[key] = ("delete", None)
            else:
                optional[key] = ("pack", new.value) if new else ("delete", None)
        try:
            commit = self.store.restore(at, keys=only, **told)
        except HistoryFullError:
            assert self.limits["hard_limit"]
            return
        touched = {key for key in wanted if key in target.hidden or key in present.hidden}
        self.model.murky.update(touched)
        if commit is None or (commit.seq == self.model.head):
            assert not changes
            return
        for key in changes:
            assert key in commit.changes
            kind = commit.changes[key].kind
            if key in touched:
                assert kind in {"pack", "delete", "quarantine", "release"}
                if kind == "release":
                    self.verify_came_back(key, changes[key][1])
                changes[key] = (kind, changes[key][1])
        self.adopt(commit, changes, optional=optional, **told)

    def verify_came_back(self, key: str, value: Any) -> None:
        """A restore by release: what came back must be what the snapshot said, and is checked as such."""
        assert same(self.store.unpack(key), value)

    @rule(key=keys, node=nodes)
    def quarantine(self, key: str, node: str | None) -> None:
        state = self.model.state()
        if key not in state.visible:
            with pytest.raises((KeyNotFoundError, QuarantineError)):
                self.store.quarantine(key, reason="doubt")
            return
        told = {"node": node} if node else {}

        def act() -> Any:
            self.store.quarantine(key, reason="doubt", **told)
            return self.store.head

        if self.write(act, {key: ("quarantine", None)}, node=node, message=self.message_of_next()) is not None:
            self.model.murky.discard(key)

    def message_of_next(self) -> Any:
        """A quarantine may use the message of its commit for the reason: taken from the commit, not prescribed."""
        return _Anything()

    @rule(key=keys)
    def release(self, key: str) -> None:
        state = self.model.state()
        if key in self.model.murky:
            return
        if key not in state.hidden:
            with pytest.raises((KeyNotFoundError, QuarantineError)):
                self.store.release(key)
            return

        def act() -> Any:
            self.store.release(key)
            return self.store.head

        self.write(act, {key: ("release", None)}, message=_Anything())

    # -- forks ---------------------------------------------------------------------------------------------

    @rule(number=numbers, form=numbers, goes_on=st.booleans(), by_snapshot=st.booleans())
    def fork(self, number: int, form: int, goes_on: bool, by_snapshot: bool) -> None:
        seq = self.pick(number)
        if seq is None:
            return
        snapshot = self.store.snapshot(seq)
        lost_here = any(is_unavailable(snapshot.unpack(key)) for key in snapshot)
        lost_before = any(
            change.held is not None and (change.held.may_be_unavailable or change.held.is_purged)
            for commit in self.model.commits[:seq]
            for change in commit.changes.values()
        )
        at = self.address(seq, form)
        try:
            fork = snapshot.fork() if by_snapshot else self.store.fork(at)
        except ValueUnavailableError:
            assert lost_before
            return
        assert not lost_here, "a fork took over an unavailable value without being told what to put there"
        model = self.model.fork(seq)
        assert fork.head.seq == seq
        assert fork.head.id == self.commits[seq].id
        self.verify_present(fork, model)
        readable = [commit.seq for commit in fork.history()]
        assert set(readable) <= set(self.in_memory())
        original, original_model, original_commits = self.store, self.model, dict(self.commits)
        if not goes_on:
            fork.configure(hard_limit=False)
            fork.pack("a", "only in the fork")
            fork.pack("n.b", ["only in the fork"])
            assert fork.head.seq == seq + 2
            assert same(fork.unpack("a"), "only in the fork")
            return
        self.originals = [*self.originals[-1:], (original, original_model, original_commits)]
        self.go_on_with(fork, model, {n: c for n, c in self.commits.items() if n <= seq})
        self.is_forked = True

    def go_on_with(self, store: Any, model: Model, commits: dict[int, Any]) -> None:
        self.store = store
        self.model = model
        self.commits = commits
        kept = checkpoint_names(store.checkpoints())
        assert kept <= set(model.checkpoints)
        model.checkpoints = {name: at for name, at in model.checkpoints.items() if name in kept}
        store.configure(**{name: limit for name, limit in self.limits.items() if limit is not None})
        model.lower_limit(self.limits["max_value_size"])
        self.has_just_committed = False

    @rule(
        number=numbers,
        skipped=st.lists(numbers, max_size=2),
        replaced=st.one_of(st.none(), st.tuples(numbers, small)),
    )
    def replay(self, number: int, skipped: list[int], replaced: tuple[int, Any] | None) -> None:
        start = self.pick(number)
        if start is None:
            return
        later = self.model.commits[start:]
        readable = set(self.in_memory())
        is_partial = any(commit.seq not in readable for commit in later)
        may_be_lost = any(
            change.held is not None and (change.held.may_be_unavailable or change.held.is_purged)
            for commit in self.model.commits
            for change in commit.changes.values()
        )
        options = [commit.seq for commit in later if commit.seq in readable]
        skip = {options[n % len(options)] for n in skipped} if options else set()
        new: dict[int, dict[str, Any]] = {}
        if replaced is not None:
            candidates = [
                (commit.seq, key)
                for commit in later
                for key, change in sorted(commit.changes.items())
                if change.kind == "pack" and commit.seq in readable and commit.seq not in skip
            ]
            if candidates:
                seq, key = candidates[replaced[0] % len(candidates)]
                new = {seq: {key: replaced[1]}}
        try:
            result = self.store.replay(start, skip=sorted(skip), replace=new or None)
        except CommitPrunedError:
            assert is_partial
            return
        except ValueUnavailableError:
            assert may_be_lost
            return
        except HistoryFullError:
            assert self.limits["hard_limit"]
            return
        self.verify_replay(result, start, skip, new)

    def verify_replay(self, result: Any, start: int, skip: set[int], new: dict[int, dict[str, Any]]) -> None:
        """Where the contract is plain: keys that nothing touched, and keys whose last word is a pack that stayed."""
        present = self.model.state()
        at_start = self.model.state(start)
        later = self.model.commits[start:]
        for key in set(KEYS) - {key for _, key in self.model.purges}:
            changed = [(c.seq, c) for c in later if key in c.changes]
            stayed = [(seq, c) for seq, c in changed if seq not in skip]
            is_untouched = len(stayed) == len(changed) and not any(key in values for values in new.values())
            if is_untouched:
                expected: State | None = present
            elif not stayed:
                expected = at_start
            else:
                expected = None
            if expected is not None:
                if key in expected.visible:
                    assert same(result.unpack(key), expected.visible[key].value)
                else:
                    assert key not in result
                continue
            seq, last = stayed[-1]
            change = last.changes[key]
            if change.kind == "pack" and key not in last.appended and change.held is not None:
                assert same(result.unpack(key), new.get(seq, {}).get(key, change.held.value))

    # -- checkpoints ---------------------------------------------------------------------------------------

    @rule(name=st.sampled_from(["one", "two", "zwölf"]), number=numbers, form=numbers)
    def checkpoint(self, name: str, number: int, form: int) -> None:
        seq = self.pick(number)
        if seq is None:
            return
        if name in self.model.checkpoints:
            with pytest.raises(CheckpointExistsError):
                self.store.checkpoint(name)
            return
        if number % 3:
            self.store.checkpoint(name, at=self.address(seq, form), notes="n")
        else:
            seq = self.model.head
            self.store.checkpoint(name)
        self.model.checkpoints[name] = seq
        self.has_just_committed = False

    @rule(number=numbers)
    def delete_checkpoint(self, number: int) -> None:
        names = sorted(self.model.checkpoints)
        if not names:
            with pytest.raises((BackpackError, KeyError)):
                self.store.delete_checkpoint("never made")
            return
        name = names[number % len(names)]
        self.store.delete_checkpoint(name)
        del self.model.checkpoints[name]
        self.has_just_committed = False

    # -- snapshots -----------------------------------------------------------------------------------------

    @rule(number=numbers, form=numbers)
    def open_snapshot(self, number: int, form: int) -> None:
        seq = self.pick(number)
        if seq is None or len(self.open) >= 3:
            return
        snapshot = self.store.snapshot(self.address(seq, form))
        assert snapshot.commit.seq == seq
        self.open.append(OpenSnapshot(self.store, snapshot, self.model.state(seq), self.model.state(), seq))
        self.has_just_committed = False

    @precondition(lambda self: self.open)
    @rule(number=numbers)
    def close_snapshot(self, number: int) -> None:
        del self.open[number % len(self.open)]
        gc.collect()
        self.has_just_committed = False

    # -- limits --------------------------------------------------------------------------------------------

    @rule(limits=limits_to_set)
    def configure(self, limits: dict[str, Any]) -> None:
        self.store.configure(**limits)
        self.limits.update(limits)
        self.model.lower_limit(self.limits["max_value_size"])
        self.has_just_committed = bool({"max_history_size", "max_commits"} & set(limits))

    @rule()
    def prune(self) -> None:
        before = self.in_memory()
        self.store.prune()
        assert set(self.in_memory()) <= set(before)

    # -- reads that compare --------------------------------------------------------------------------------

    @rule(data=st.data(), question=st.integers(0, 6))
    def ask(self, data: Any, question: int) -> None:
        """One of the questions below: a single rule, so that most steps are writes."""
        if question == 0:
            self.ask_history(
                data.draw(st.one_of(st.none(), keys)),
                data.draw(st.sampled_from([None, "x", "y", "nobody of that name"])),
                data.draw(st.sampled_from([None, "t", "u", "no such tag"])),
                data.draw(numbers),
                data.draw(numbers),
                data.draw(st.sampled_from([None, 1, 3])),
                data.draw(st.integers(0, 3)),
            )
        elif question == 1:
            self.ask_diff(data.draw(numbers), data.draw(numbers), data.draw(st.booleans()))
        elif question == 2:
            self.ask_bisect(data.draw(numbers))
        elif question == 3:
            self.ask_snapshot_before(data.draw(st.sampled_from(["x", "y", "never ran"])), data.draw(st.integers(-3, 2)))
        elif question == 4:
            for key in KEYS:
                self.ask_blame(key)
        elif question == 5:
            self.ask_for_nothing(data.draw(numbers))
        else:
            for pattern in ("**", "*", "n.*", "n.**", "n.b", "n.b.*", "zz.**"):
                self.ask_select(pattern)

    def ask_history(
        self,
        key: str | None,
        node: str | None,
        tag: str | None,
        first: int,
        last: int,
        limit: int | None,
        bounds: int,
    ) -> None:
        readable = self.in_memory()
        if not readable:
            assert list(self.store.history(key, node=node, tag=tag, limit=limit)) == []
            return
        after = self.pick(first) if bounds & 1 else None
        before = self.pick(last) if bounds & 2 else None
        expected = [
            seq
            for seq in reversed(readable)
            if (key is None or key in self.model.commit(seq).changes)
            and (node is None or self.model.commit(seq).node == node)
            and (tag is None or tag in self.model.commit(seq).tags)
            and (after is None or seq > after)
            and (before is None or seq < before)
        ][:limit]
        if key is not None and any(key == erased for _, erased in self.model.purges):
            return
        found = self.store.history(key, node=node, tag=tag, before=before, after=after, limit=limit)
        assert [commit.seq for commit in found] == expected

    def ask_diff(self, number: int, other: int, to_head: bool) -> None:
        a, b = self.pick(number), self.pick(other)
        if a is None or b is None:
            return
        if to_head:
            b = self.model.head
            diff = self.store.diff(a)
        elif number % 2:
            diff = self.store.diff(self.address(a, number), self.address(b, other))
        else:
            diff = self.store.snapshot(a).diff(self.store.snapshot(b))
        old, new = self.model.state(a), self.model.state(b)
        erased = {key for _, key in self.model.purges}
        assert set(diff.added) - erased == set(new.visible) - set(old.visible) - erased
        assert set(diff.removed) - erased == set(old.visible) - set(new.visible) - erased
        both = set(old.visible) & set(new.visible) - erased
        before, after = self.store.snapshot(a), self.store.snapshot(b)
        for key in both:
            differs = self.model.last_change(key, a) != self.model.last_change(key, b)
            lost = is_unavailable(before.unpack(key)) or is_unavailable(after.unpack(key))
            if key in diff.changed:
                assert differs
            elif differs and not lost:
                assert alike(old.visible[key].value, new.visible[key].value), f"{key!r} changed, the diff is silent"
        readable = set(self.in_memory())
        for entries, takes_old, takes_new in (
            (diff.added, False, True),
            (diff.removed, True, False),
            (diff.changed, True, True),
        ):
            for key in set(entries) - erased:
                entry = entries[key]
                last = self.model.last_change(key, b)
                if a <= b and last in readable:
                    assert entry.commit.seq == last
                if takes_old and not is_unavailable(before.unpack(key)):
                    assert same(entry.old, old.visible[key].value)
                if takes_new and not is_unavailable(after.unpack(key)):
                    assert same(entry.new, new.visible[key].value)

    def ask_bisect(self, number: int) -> None:
        if not self.model.head:
            return
        threshold = 1 + number % (self.model.head + 1)
        readable = self.in_memory()

        def predicate(snapshot: Any) -> bool:
            return snapshot.commit is not None and snapshot.commit.seq >= threshold

        expected = next((seq for seq in readable if seq >= threshold), None)
        try:
            found = self.store.bisect(predicate)
        except CommitNotFoundError:
            assert expected is None
        except CommitPrunedError:
            assert self.has_pruned()
        else:
            assert found.seq == expected

    def ask_snapshot_before(self, node: str, run: int) -> None:
        if self.model.purges:
            return
        runs = self.model.runs(node)
        if not runs:
            assert self.store.snapshot_before(node) is None
            return
        if not -len(runs) <= run < len(runs):
            return
        first = runs[run][0]
        readable = set(self.in_memory())
        try:
            snapshot = self.store.snapshot_before(node, run)
        except CommitPrunedError:
            assert self.has_pruned()
            return
        if self.has_pruned() and not (run < 0 and set(range(max(first - 1, 1), self.model.head + 1)) <= readable):
            if snapshot is None:
                return
            starts = {start - 1 for start, _ in runs} | set(readable)
            assert (snapshot.commit.seq if snapshot.commit else 0) in starts
            return
        assert snapshot is not None
        self.verify_snapshot(self.store, self.model, snapshot, first - 1)

    def ask_blame(self, key: str) -> None:
        state = self.model.state()
        if key not in state.visible:
            if key not in state.hidden:
                with pytest.raises(KeyNotFoundError):
                    self.store.blame(key)
            return
        held = state.visible[key]
        found = self.store.blame(key)
        assert found.seq in {held.brought_by, held.changed_by}
        expected = self.model.commit(found.seq)
        assert found.id == self.commits[found.seq].id
        assert is_nobody(found.node) if expected.node is None else found.node == expected.node
        assert (found.message or "") == (expected.message or "")
        assert sorted(found.tags) == sorted(expected.tags)
        assert found.time == self.commits[found.seq].time

    def ask_for_nothing(self, number: int) -> None:
        head = self.model.head
        for at in (head + 1 + number, f"HEAD~{head + 1}", "no such name", "HEAD~x", "@@@@@@@@"):
            with pytest.raises(CommitNotFoundError):
                self.store.snapshot(at)
        with pytest.raises((ValueError, TypeError)):
            self.store.snapshot(dt.datetime(2020, 1, 1))
        if not self.has_pruned():
            assert dict(self.store.snapshot(0)) == {}
            early = dt.datetime(1990, 1, 1, tzinfo=dt.UTC)
            assert dict(self.store.snapshot(early)) == {}
        if head:
            late = self.commits[head].time + dt.timedelta(days=1)
            assert self.store.commit(late).seq == head

    def ask_select(self, pattern: str) -> None:
        expected = {
            "**": set(KEYS),
            "*": {"a", "b"},
            "n.*": {"n.a", "n.b"},
            "n.**": {"n.a", "n.b", "n.b.c"},
            "n.b": {"n.b"},
            "n.b.*": {"n.b.c"},
            "zz.**": set(),
        }[pattern]
        state = self.model.state()
        found = self.store.select(pattern)
        assert set(found) == expected & set(state.visible)
        for key, value in found.items():
            assert same(value, state.visible[key].value)

    @rule()
    def go_on_with_an_exported_copy(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "store.export"
            self.store.export(file)
            loaded = Backpack.load(file)
        readable = self.in_memory()
        assert sorted(commit.seq for commit in loaded.history()) == readable
        assert checkpoint_names(loaded.checkpoints()) == set(self.model.checkpoints)
        for seq in readable:
            assert loaded.commit(seq).id == self.commits[seq].id
            assert loaded.commit(seq).time == self.commits[seq].time
        self.originals = [*self.originals[-1:], (self.store, self.model.fork(self.model.head), dict(self.commits))]
        self.go_on_with(loaded, self.model, self.commits)
        self.is_forked = True

    # -- what is true after every step ---------------------------------------------------------------------

    def verify_present(self, store: Any, model: Model) -> None:
        state = model.state()
        assert set(store) == set(state.visible)
        assert len(store) == len(state.visible)
        assert (store.head.seq if store.head is not None else 0) == model.head
        for key in KEYS:
            if not any(key == erased for _, erased in model.purges):
                assert store.version(key) == model.version(key)
            if key in state.visible:
                held = state.visible[key]
                assert key in store
                assert same(store.unpack(key), held.value)
                assert same(store[key], held.value)
                assert same(store.peek(key), held.value)
                item = store.item(key)
                assert same(item.value, held.value)
                if not any(key == erased for _, erased in model.purges):
                    assert item.version == model.version(key)
                assert item.size > 0
            else:
                missing = object()
                assert key not in store
                assert store.unpack(key, missing) is missing
                with pytest.raises(KeyNotFoundError):
                    store.unpack_required(key)
        listed = quarantined_keys(store.quarantined())
        assert set(state.hidden) - model.murky <= listed
        assert listed <= set(state.hidden) | model.murky

    def verify_snapshot(self, store: Any, model: Model, snapshot: Any, seq: int) -> None:
        state = model.state(seq)
        present = model.state()
        open_to_question = {key for at, key in model.purges if at == seq}
        assert set(snapshot) - open_to_question == set(state.visible) - open_to_question
        if not open_to_question:
            assert len(snapshot) == len(state.visible)
        for key, held in state.visible.items():
            if key in open_to_question and key not in snapshot:
                continue
            self.verify_past_value(snapshot, key, held, present, seq)
        for key in set(KEYS) - set(state.visible) - open_to_question:
            assert key not in snapshot
            assert snapshot.unpack(key) is None

    def verify_past_value(self, snapshot: Any, key: str, held: Held, present: State, seq: int) -> None:
        found = snapshot.unpack(key)
        if held.is_purged:
            assert is_unavailable(found)
            assert found.reason == "purged"
            return
        if not is_unavailable(found):
            assert same(found, held.value), f"snapshot {seq} is wrong at {key!r}"
            return
        assert held.may_be_unavailable, f"a small value at {key!r} is unavailable in {seq}"
        live = present.visible.get(key)
        assert live is None or live.brought_by != held.brought_by, f"{key!r} is live and unavailable in {seq}"
        assert found.key == key
        assert found.size == held.size
        with pytest.raises(ValueUnavailableError):
            snapshot[key]

    def verify_past(self, store: Any, model: Model, commits: dict[int, Any]) -> None:
        history = list(store.history())
        seqs = [commit.seq for commit in history]
        assert seqs == sorted(set(seqs), reverse=True)
        if model.head:
            assert seqs and seqs[0] == model.head, "the newest commit is pruned"
        assert set(model.checkpoints.values()) <= set(seqs), "a checkpoint is pruned"
        newest_time = None
        for commit in history:
            self.verify_commit(commit, model)
            assert commit.id == commits[commit.seq].id
            assert commit.time == commits[commit.seq].time
            assert newest_time is None or commit.time <= newest_time
            newest_time = commit.time
        for seq in seqs:
            at = self.address(seq, seq) if store is self.store else seq
            assert store.commit(at).seq == seq
            self.verify_snapshot(store, model, store.snapshot(at), seq)
        for seq in sorted(set(range(1, model.head + 1)) - set(seqs))[-4:]:
            for at in (seq, commits[seq], commits[seq].id, f"HEAD~{model.head - seq}"):
                with pytest.raises(CommitPrunedError) as caught:
                    store.snapshot(at)
                assert caught.value.oldest in seqs
                with pytest.raises(CommitPrunedError):
                    store.commit(at)

    @invariant()
    def present_equals_model(self) -> None:
        if self.store is not None:
            self.verify_present(self.store, self.model)

    @invariant()
    def past_equals_model(self) -> None:
        if self.store is not None:
            self.verify_past(self.store, self.model, self.commits)

    @invariant()
    def open_snapshots_are_unchanged(self) -> None:
        for opened in self.open:
            opened.verify()

    @invariant()
    def originals_of_forks_are_untouched(self) -> None:
        for store, model, commits in self.originals:
            self.verify_present(store, model)
            for commit in store.history():
                assert commit.id == commits[commit.seq].id
                self.verify_snapshot(store, model, store.snapshot(commit.seq), commit.seq)

    @invariant()
    def memory_is_within_its_bounds(self) -> None:
        if self.store is None:
            return
        usage = self.store.memory_usage()
        limit = self.limits["max_history_size"]
        most = self.limits["max_commits"]
        assert usage.history_limit == limit
        assert usage.history_bytes <= limit or usage.over_budget
        if usage.over_budget:
            assert usage.history_bytes > limit or (most is not None and usage.commits_in_memory > most)
        if self.limits["prune_strategy"] != "none":
            if self.has_just_committed:
                assert usage.history_bytes - usage.pinned_bytes <= limit
            seqs = set(self.in_memory())
            pins = {self.model.head, *self.model.checkpoints.values(), *(opened.seq for opened in self.open)}
            if most is not None and self.has_just_committed:
                assert len(seqs) <= most or seqs <= pins
        assert usage.commits_in_memory == len(self.in_memory())
        assert usage.commits_archived == 0
        if not self.is_forked:
            assert usage.commits_in_memory + usage.commits_pruned == self.model.head
        sizes = sum(self.store.item(key).size for key in self.store)
        hidden = sum(held.size for held in self.model.state().hidden.values())
        if not self.model.murky:
            assert usage.live_bytes <= sizes + hidden
        assert (usage.live_bytes > 0) or not sizes

    @invariant()
    def counters_agree_with_a_recount(self) -> None:
        if self.store is None:
            return
        counted, recounted = self.store.memory_usage(), self.store.memory_usage(deep=True)
        for name in OTHER_COUNTERS:
            assert getattr(counted, name) == getattr(recounted, name), name

    @invariant()
    def own_check_passes(self) -> None:
        if self.store is not None:
            check(self.store)


class _Anything:
    """Equal to whatever a commit says, for words the contract does not prescribe."""

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


class PurgingMachine(StoreMachine):
    """The same, and now and then some keys are erased from all of history."""

    @rule(pattern=st.sampled_from(["a", "n.*", "n.**", "zz.**"]), dry_run=st.booleans())
    def purge(self, pattern: str, dry_run: bool) -> None:
        erased = {"a": ["a"], "n.*": ["n.a", "n.b"], "n.**": ["n.a", "n.b", "n.b.c"], "zz.**": []}[pattern]
        if dry_run:
            self.store.purge(pattern, dry_run=True)
            return
        head = self.model.head
        present = self.model.state()
        self.store.purge(pattern)
        gone = [key for key in erased if self.model.version(key)]
        self.model.murky.update(key for key in gone if key in present.hidden)
        for opened in self.open:
            if opened.store is self.store:
                opened.purged.update(key for key in gone if key in opened.state.visible)
        after = self.store.head.seq if self.store.head is not None else 0
        if after == head + 1:
            commit = self.store.head
            assert set(commit.changes) <= set(gone)
            changes = {key: (change.kind, None) for key, change in commit.changes.items()}
            self.model.add(changes, node=commit.node or None, message=commit.message, tags=commit.tags)
            self.commits[after] = commit
        else:
            assert after == head
        self.model.purge(gone)
        self.has_just_committed = False


RUNS = settings(
    max_examples=int(os.environ.get("BACKPACK_HYPOTHESIS_EXAMPLES", "40")),
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

TestStoreEqualsAModelThatForgetsNothing = StoreMachine.TestCase
TestStoreEqualsAModelThatForgetsNothing.settings = RUNS
TestPurgeErasesAndNothingElseChanges = PurgingMachine.TestCase
TestPurgeErasesAndNothingElseChanges.settings = RUNS
