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
from typing import Final

from backpack import Backpack, Snapshot, Unavailable
from backpack.demo.expected import Expected, states
from backpack.demo.packed import Packed
from backpack.errors import BackpackError
from backpack.limits import KIB, MIB
from backpack.runs import Run

THOROUGH: Final = 256 * MIB
"""Bytes that the check of the run that is told reads of any one key."""

BRISK: Final = 1 * MIB
"""The same for each of many other runs."""

_SMALL_SIZE_MAX: Final = 16 * KIB
"""Values of up to this size are always read."""

_MEDIUM_SIZE_MAX: Final = 256 * KIB
"""Values of up to this size are read thoroughly in every run."""

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


@dataclass(frozen=True, slots=True)
class Checker:
    """Compares the snapshots of a replay with the messages that were replayed."""

    bp: Backpack
    run: Run
    packed: Packed
    read_max: int
    """Bytes to read of any one key whose values are large, or so."""

    def all_commits(self) -> Checked:
        """Every commit must be in memory, and every snapshot right."""
        checked = self.commits(None)
        count = len(self.run.steps) + bool(self.packed)
        head = self.bp.head.seq if self.bp.head else 0
        checked.expect(head == count, f"run {self.run.name}: {count} commits were made, the newest is {head}")
        return checked

    def commits(self, seqs: Collection[int] | None) -> Checked:
        """These commits, or all, must be in memory, and their snapshots right."""
        checked = Checked()
        total = len(self.run.steps) + bool(self.packed) if seqs is None else len(seqs)
        strides = self._strides(total)
        for state in states(self.run, self.packed):
            if seqs is None or state.seq in seqs:
                checked.snapshots += 1
                is_last = checked.snapshots == total
                self._check_commit(state, checked, {} if is_last else strides)
        return checked

    def snapshot(self, snapshot: Snapshot, seq: int) -> Checked:
        """A snapshot that is open, of a commit that may have left meanwhile, must be right: all of it is read."""
        checked = Checked()
        for state in states(self.run, self.packed):
            if state.seq == seq:
                checked.snapshots += 1
                self._check_keys(snapshot, state, f"run {self.run.name}, open snapshot of commit {seq}", checked, {})
        return checked

    def _check_commit(self, state: Expected, checked: Checked, strides: Mapping[str, int]) -> None:
        place = f"run {self.run.name}, commit {state.seq}"
        try:
            commit, snapshot = self.bp.commit(state.seq), self.bp.snapshot(state.seq)
        except BackpackError as error:
            checked.expect(False, f"{place}: {error}")
            return
        checked.expect(commit.node == state.node, f"{place}: made by {state.node}, the store says {commit.node}")
        changed = set(commit.changes)
        checked.expect(changed == state.touched, f"{place}: keys changed: {_difference(changed, state.touched)}")
        self._check_keys(snapshot, state, place, checked, strides)

    def _check_keys(
        self, snapshot: Snapshot, state: Expected, place: str, checked: Checked, strides: Mapping[str, int]
    ) -> None:
        found = set(snapshot)
        checked.expect(found == state.keys(), f"{place}: keys: {_difference(found, state.keys())}")
        for key in sorted(found & state.keys()):
            is_read = state.seq % strides.get(key, 1) == 0
            try:
                problem = self._problem(snapshot, state, key, checked, is_read=is_read)
            except BackpackError as error:
                problem = str(error)
            checked.expect(not problem, f"{place}, key {key}: {problem}")

    def _problem(self, snapshot: Snapshot, state: Expected, key: str, checked: Checked, *, is_read: bool) -> str:
        """What is wrong with a key in a snapshot; "" if nothing."""
        item = snapshot.item(key)
        version, set_by = state.versions[key], state.set_by[key]
        if item.version != version or (item.commit is not None and item.commit.seq != set_by):
            return f"version {version} of commit {set_by}, the store says version {item.version} of {item.commit}"
        if not is_read:
            checked.values_skimmed += 1
            return ""
        value = snapshot.unpack(key)
        if isinstance(value, Unavailable):
            checked.references += 1
            is_past = item.is_large and item.version < self.bp.version(key) and value.size == item.size
            return "" if is_past else "the value is not within reach"
        checked.values_read += 1
        return "" if state.is_value(key, value) else "not what the messages say"

    def _strides(self, count: int) -> dict[str, int]:
        """By key: read it in every how-manieth snapshot."""
        sizes = {key: size for key in self.bp if (size := self.bp.item(key).size) > _SMALL_SIZE_MAX}
        for commit in self.bp.history():
            for key, change in commit.changes.items():
                if change.size > _SMALL_SIZE_MAX:
                    sizes[key] = max(sizes.get(key, 0), change.size)
        strides = {}
        for key, size in sizes.items():
            read_max = self.read_max if size > _MEDIUM_SIZE_MAX else THOROUGH
            if size * count > read_max:
                strides[key] = -(-size * count // read_max)
        return strides


def _difference(found: Collection[str], right: Collection[str]) -> str:
    missing, extra = sorted(set(right) - set(found)), sorted(set(found) - set(right))
    return ", ".join([*(f"{key} is missing" for key in missing[:3]), *(f"{key} is too many" for key in extra[:3])])
