"""Several lists and texts that grow in the same commits: each is what a dict of plain values says, at every commit."""

import copy
import tempfile
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

import backpack
from backpack import Backpack

KEYS: Final = ("list", "other", "text", "notes")
PARTS: Final = st.one_of(
    st.integers(0, 9),
    st.integers(1, 900).map(lambda length: "x" * length),
    st.integers(1, 60).map(lambda length: {"role": "user", "content": "word " * length}),
)
STEPS: Final = st.tuples(
    st.sampled_from(["append", "append", "append", "append two", "grow", "grow text", "edit", "delete"]),
    st.sampled_from(KEYS),
    PARTS,
)
COMMITS: Final = st.lists(st.lists(STEPS, min_size=1, max_size=4), min_size=1, max_size=16)


def perform(tx: Any, state: dict[str, Any], act: str, key: str, part: Any) -> None:
    """One step in a transaction, and in the model."""
    value = state.get(key)
    if act == "delete":
        if key in state:
            tx.delete(key)
            del state[key]
    elif act == "grow text":
        state[key] = (value if isinstance(value, str) else "start ") + str(part)
        tx.pack(key, state[key])
    elif isinstance(value, str):
        state[key] = value[: len(value) // 2] + "edited" + value[len(value) // 2 :]
        tx.pack(key, state[key])
    elif act == "edit" and value:
        state[key] = [*value[:-1], part]
        tx.pack(key, copy.deepcopy(state[key]))
    elif act in ("append", "append two"):
        parts = [part] * (2 if act == "append two" else 1)
        tx.append(key, *copy.deepcopy(parts))
        state[key] = [*(value or []), *parts]
    else:
        state[key] = [*(value or []), part]
        tx.pack(key, copy.deepcopy(state[key]))


def grown(bp: Backpack, commits: list[list[tuple[str, str, Any]]]) -> dict[int, dict[str, Any]]:
    """Every state by its seq, with each commit checked as it is made."""
    state: dict[str, Any] = {}
    states: dict[int, dict[str, Any]] = {}
    for steps in commits:
        with bp.transaction() as tx:
            for act, key, part in steps:
                perform(tx, state, act, key, part)
                assert tx.unpack(key, "none") == state.get(key, "none")
        assert bp.select("**") == state
        if tx.commit is not None:
            states[tx.commit.seq] = copy.deepcopy(state)
    return states


@settings(max_examples=max(150, settings().max_examples))
@given(COMMITS)
def test_in_memory_every_snapshot_is_right_and_every_counter_too(commits: list[list[tuple[str, str, Any]]]) -> None:
    bp = Backpack()
    for seq, state in grown(bp, commits).items():
        assert bp.snapshot(seq).to_dict() == state
    bp._check()


@settings(max_examples=15)
@given(COMMITS)
def test_on_disk_every_snapshot_is_right_after_a_reopening_too(commits: list[list[tuple[str, str, Any]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with backpack.open(f"{folder}/store", max_history_size=2_000, max_value_size=1_000) as bp:
            states = grown(bp, commits)
            present = bp.select("**")
        with backpack.open(f"{folder}/store") as bp:
            assert bp.select("**") == present
            for seq, state in states.items():
                assert bp.snapshot(seq).to_dict() == state
