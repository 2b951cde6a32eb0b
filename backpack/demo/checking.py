"""Comparing every snapshot with what the messages say.

A snapshot is right when its commit was made by the right node and changed the right keys, when it has exactly the
keys that it should have, and when each of them has the right version and the right value, equal in type, order and
all. Values are read through the snapshot, each time anew. A value so large that reading it in every snapshot would
take minutes is read in evenly many of them, the last one included, and known by version and commit in the others:
how often is counted, and told.

A large value that the store holds a reference to, and whose bytes are gone, counts as right as long as the snapshot
says so; a wrong or newer value never does.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from backpack import Backpack, Unavailable
from backpack.demo.expected import Expected, states
from backpack.errors import BackpackError, CommitPrunedError
from backpack.limits import KIB, MIB
from backpack.runs import Run

THOROUGH: Final = 256 * MIB
"""Bytes that the check of the run that is told reads of any one key."""

BRISK: Final = 4 * MIB
"""The same for each of many other runs."""

_ALWAYS_READ_MAX: Final = 16 * KIB
"""Values of up to this size are always read."""

_PROBLEMS_MAX: Final = 20


@dataclass(slots=True)
class Checked:
    """What was compared, and what was wrong."""

    snapshots: int = 0
    values_read: int = 0
    values_skimmed: int = 0
    """Known by version and commit only."""
    references: int = 0
    """Large values whose bytes are gone, and which say so."""
    problems: list[str] = field(default_factory=list)

    def add(self, other: "Checked") -> None:
        """Count the other one in."""
        self.snapshots += other.snapshots
        self.values_read += other.values_read
        self.values_skimmed += other.values_skimmed
        self.references += other.references
        self.problems += other.problems[: max(0, _PROBLEMS_MAX - len(self.problems))]

    def expect(self, is_right: bool, problem: str) -> None:
        """Note a problem unless it is right."""
        if not is_right and len(self.problems) < _PROBLEMS_MAX:
            self.problems.append(problem)


def check_all(bp: Backpack, run: Run, packed: Mapping[str, Any], *, read_max: int) -> Checked:
    """Every commit must be in memory, and every snapshot right."""
    checked = check_some(bp, run, packed, None, read_max=read_max)
    count = len(run.steps) + bool(packed)
    head = bp.head.seq if bp.head else 0
    checked.expect(head == count, f"run {run.name}: {count} commits were made, the newest is {head}")
    return checked


def check_some(
    bp: Backpack, run: Run, packed: Mapping[str, Any], seqs: Collection[int] | None, *, read_max: int
) -> Checked:
    """The snapshots of these commits, or of all, must be right. Cost: reading them, `read_max` bytes a key or so."""
    checked = Checked()
    total = len(run.steps) + bool(packed) if seqs is None else len(seqs)
    strides = _strides(bp, total, read_max)
    for state in states(run, packed):
        if seqs is None or state.seq in seqs:
            checked.snapshots += 1
            is_last = checked.snapshots == total
            try:
                _check(bp, bp.snapshot(state.seq), state, run, checked, {} if is_last else strides)
            except CommitPrunedError:
                checked.expect(False, f"run {run.name}, commit {state.seq}: not in memory")
    return checked


def check_snapshot(snapshot: Any, bp: Backpack, run: Run, packed: Mapping[str, Any], seq: int) -> Checked:
    """One snapshot that is open, of a commit that may have left meanwhile."""
    checked = Checked()
    for state in states(run, packed):
        if state.seq == seq:
            checked.snapshots += 1
            _check_keys(bp, snapshot, state, f"run {run.name}, open snapshot of commit {seq}", checked, {})
    return checked


def is_unavailable(value: Any) -> bool:
    """Does a snapshot say that the bytes of a value are gone?"""
    return isinstance(value, Unavailable)


def _check(
    bp: Backpack, snapshot: Any, state: Expected, run: Run, checked: Checked, strides: Mapping[str, int]
) -> None:
    place = f"run {run.name}, commit {state.seq}"
    commit = bp.commit(state.seq)
    checked.expect(commit.node == state.node, f"{place}: made by {state.node}, the store says {commit.node}")
    changed = set(commit.changes)
    checked.expect(changed == state.touched, f"{place}: keys changed: {_difference(changed, state.touched)}")
    _check_keys(bp, snapshot, state, place, checked, strides)


def _check_keys(
    bp: Backpack, snapshot: Any, state: Expected, place: str, checked: Checked, strides: Mapping[str, int]
) -> None:
    found = set(snapshot)
    checked.expect(found == state.keys(), f"{place}: keys: {_difference(found, state.keys())}")
    for key in sorted(found & state.keys()):
        try:
            _check_key(bp, snapshot, state, key, place, checked, strides)
        except BackpackError as error:
            checked.expect(False, f"{place}, key {key}: {error}")


def _check_key(
    bp: Backpack, snapshot: Any, state: Expected, key: str, place: str, checked: Checked, strides: Mapping[str, int]
) -> None:
    item = snapshot.item(key)
    right = (state.versions[key], state.set_by[key])
    set_by = item.commit.seq if item.commit else None
    is_known = item.version == right[0] and set_by in (right[1], None)
    checked.expect(is_known, f"{place}, key {key}: version {right[0]} of commit {right[1]}, the store says otherwise")
    if state.seq % strides.get(key, 1):
        checked.values_skimmed += 1
        return
    value = snapshot.unpack(key)
    if is_unavailable(value) and item.is_large and item.version < bp.version(key):
        checked.references += 1
        checked.expect(value.size == item.size, f"{place}, key {key}: the reference has another size")
        return
    checked.values_read += 1
    # Values come from JSON: for these equal `repr`s are equal values of equal types in equal order, NaN included.
    checked.expect(repr(value) == repr(state.value(key)), f"{place}, key {key}: not what the messages say")


def _strides(bp: Backpack, count: int, read_max: int) -> dict[str, int]:
    """By key: read it in every how-manieth snapshot."""
    sizes: dict[str, int] = {}
    for commit in bp.history():
        for key, change in commit.changes.items():
            if change.size > _ALWAYS_READ_MAX:
                sizes[key] = max(sizes.get(key, 0), change.size)
    return {key: -(-size * count // read_max) for key, size in sizes.items() if size * count > read_max}


def _difference(found: Collection[str], right: Collection[str]) -> str:
    missing, extra = sorted(set(right) - set(found)), sorted(set(found) - set(right))
    return ", ".join([*(f"{key} is missing" for key in missing[:3]), *(f"{key} is too many" for key in extra[:3])])
