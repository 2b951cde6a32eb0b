"""The reference: a store that forgets nothing and knows no shortcut.

Idea: a list of every commit ever made. Any state is found by applying commits 1..seq in order, each time
anew. Slow, and right by inspection: what the real store answers is compared with this.

A state has two sides: `visible`, what a reader sees, and `hidden`, what is in quarantine. Four kinds of
change move values between them: pack (new bytes, visible; what was hidden is lost to release), delete,
quarantine, release.
"""

from __future__ import annotations

import copy
import datetime as dt
import decimal
import math
import re
import struct
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any

try:
    import numpy as np
except ImportError:  # pragma: no cover - the reference works without it
    np = None  # type: ignore[assignment]


@dataclass
class Held:
    """A value as the model holds it: where its bytes came from and how large they are."""

    value: Any
    brought_by: int
    changed_by: int
    size: int = 0
    limit: int = 1 << 62
    is_purged: bool = False

    @property
    def may_be_unavailable(self) -> bool:
        """Whether history may hold a reference instead: it was above a limit in force at some time since."""
        return self.size > self.limit


@dataclass
class ModelChange:
    kind: str
    version: int
    held: Held | None = None


@dataclass
class ModelCommit:
    seq: int
    node: str | None
    message: str | None
    tags: tuple[str, ...]
    changes: dict[str, ModelChange]
    appended: frozenset[str] = frozenset()


@dataclass
class State:
    visible: dict[str, Held] = field(default_factory=dict)
    hidden: dict[str, Held] = field(default_factory=dict)

    def values(self) -> dict[str, Any]:
        return {key: held.value for key, held in self.visible.items()}


class Model:
    """All commits since the beginning, and what follows from them."""

    def __init__(self) -> None:
        self.commits: list[ModelCommit] = []
        self.checkpoints: dict[str, int] = {}
        self.murky: set[str] = set()
        """Keys of which the contract leaves open what is in quarantine."""
        self.purges: list[tuple[int, str]] = []
        """(seq, key): after commit `seq`, the values of `key` were erased."""

    @property
    def head(self) -> int:
        return len(self.commits)

    def add(
        self,
        changes: Mapping[str, tuple[str, Any]],
        *,
        node: str | None = None,
        message: str | None = None,
        tags: Iterable[str] = (),
        appended: Iterable[str] = (),
    ) -> ModelCommit:
        """One commit: key -> (kind, value); the value of a kind other than pack is not looked at."""
        seq = self.head + 1
        made: dict[str, ModelChange] = {}
        for key, (kind, value) in changes.items():
            held = Held(copy.deepcopy(value), seq, seq) if kind == "pack" else None
            made[key] = ModelChange(kind, self.version(key) + 1, held)
        commit = ModelCommit(seq, node, message, tuple(tags), made, frozenset(appended))
        self.commits.append(commit)
        return commit

    def commit(self, seq: int) -> ModelCommit:
        return self.commits[seq - 1]

    def state(self, seq: int | None = None) -> State:
        """The state as of a commit, by applying 1..seq in order; without seq the present."""
        last = self.head if seq is None else seq
        state = State()
        for commit in self.commits[:last]:
            for key, change in commit.changes.items():
                _apply(state, key, change, commit.seq)
            if commit.seq < last or seq is None:
                for at, key in self.purges:
                    if at == commit.seq:
                        state.visible.pop(key, None)
                        state.hidden.pop(key, None)
        return state

    def version(self, key: str, seq: int | None = None) -> int:
        """How many changes the key has had, as of a commit."""
        last = self.head if seq is None else seq
        return sum(1 for commit in self.commits[:last] if key in commit.changes)

    def last_change(self, key: str, seq: int | None = None) -> int:
        """The seq of the last commit that changed the key, 0 if none did."""
        last = self.head if seq is None else seq
        return max((commit.seq for commit in self.commits[:last] if key in commit.changes), default=0)

    def runs(self, node: str) -> list[tuple[int, int]]:
        """(first, last) of each run of consecutive commits by that node."""
        found: list[tuple[int, int]] = []
        for commit in self.commits:
            if commit.node != node:
                continue
            if found and found[-1][1] == commit.seq - 1:
                found[-1] = (found[-1][0], commit.seq)
            else:
                found.append((commit.seq, commit.seq))
        return found

    def fork(self, seq: int) -> Model:
        """An independent model of the first `seq` commits."""
        other = Model()
        other.commits = copy.deepcopy(self.commits[:seq])
        other.checkpoints = {name: at for name, at in self.checkpoints.items() if at <= seq}
        other.murky = set(self.murky)
        other.purges = [(at, key) for at, key in self.purges if at <= seq]
        return other

    def lower_limit(self, limit: int) -> None:
        """From now on, older values above this size may be references as well."""
        for commit in self.commits:
            for change in commit.changes.values():
                if change.held is not None:
                    change.held.limit = min(change.held.limit, limit)

    def purge(self, keys: Iterable[str]) -> None:
        """The values of those keys are gone from every commit so far, and from the present."""
        for key in keys:
            for commit in self.commits:
                change = commit.changes.get(key)
                if change is not None and change.held is not None:
                    change.held.is_purged = True
            self.purges.append((self.head, key))


def _apply(state: State, key: str, change: ModelChange, seq: int) -> None:
    if change.kind == "pack":
        assert change.held is not None
        state.visible[key] = change.held
        state.hidden.pop(key, None)
    elif change.kind == "delete":
        if key in state.visible:
            del state.visible[key]
        else:
            state.hidden.pop(key, None)
    elif change.kind == "quarantine":
        if key in state.visible:
            state.hidden[key] = replace(state.visible.pop(key), changed_by=seq)
    elif change.kind == "release":
        if key in state.hidden:
            state.visible[key] = replace(state.hidden.pop(key), changed_by=seq)
    else:
        raise AssertionError(f"no such kind of change: {change.kind!r}")


# -- equality that tells types apart -----------------------------------------------------------------------


def same(a: Any, b: Any) -> bool:
    """Equal in type and value at every depth: 1 is not True, 0.0 is not -0.0, NaN is NaN, order counts."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float) and type(a) is float:
        return struct.pack("d", a) == struct.pack("d", b) or (math.isnan(a) and math.isnan(b))
    if type(a) is complex:
        return same(a.real, b.real) and same(a.imag, b.imag)
    if type(a) is decimal.Decimal:
        return a.as_tuple() == b.as_tuple()
    if isinstance(a, deque):
        return a.maxlen == b.maxlen and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        if isinstance(a, defaultdict) and a.default_factory is not b.default_factory:
            return False
        return len(a) == len(b) and all(map(same, a.keys(), b.keys())) and all(map(same, a.values(), b.values()))
    if isinstance(a, (set, frozenset)):
        return len(a) == len(b) and all(any(same(x, y) for y in b) for x in a)
    if isinstance(a, (dt.datetime, dt.time)):
        return _same_time(a, b)
    if isinstance(a, re.Pattern):
        return same(a.pattern, b.pattern) and a.flags == b.flags
    if isinstance(a, range):
        return (a.start, a.stop, a.step) == (b.start, b.stop, b.step)
    if np is not None and isinstance(a, (np.ndarray, np.generic)):
        return bool(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes())
    return bool(a == b)


def alike(a: Any, b: Any) -> bool:
    """As `same`, but what `==` passes over is passed over: the order of a dict, the sign of a zero."""
    if type(a) is not type(b):
        return False
    if type(a) is float:
        return a == b or (math.isnan(a) and math.isnan(b))
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, dict) and not isinstance(a, OrderedDict):
        return len(a) == len(b) and all(
            any(alike(key, other) and alike(value, b[other]) for other in b) for key, value in a.items()
        )
    if isinstance(a, AbstractSet):
        return len(a) == len(b) and all(any(alike(x, y) for y in b) for x in a)
    return same(a, b)


def _same_time(a: Any, b: Any) -> bool:
    return bool(
        a.replace(tzinfo=None) == b.replace(tzinfo=None)
        and a.fold == b.fold
        and type(a.tzinfo) is type(b.tzinfo)
        and str(a.tzinfo) == str(b.tzinfo)
        and a.utcoffset() == b.utcoffset()
        and a.tzname() == b.tzname()
    )
