"""A snapshot through a node, and a diff of two: what the node may not read is absent, and refused by name."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import backpack
from backpack import Backpack
from backpack.errors import AccessDeniedError, HiddenKeyError, InvalidArgumentError, KeyNotFoundError

SECRET = "TOPSECRETVALUE"
HIDDEN = ("hr.plan", "hr.none")
"""One that is there, one that is not."""


@pytest.fixture(params=["memory", "archived"])
def snapshot(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param == "memory":
        return filled(Backpack()).node("clerk", reads=["sales.**", "text"]).snapshot(1)
    path = tmp_path / "store"
    filled(backpack.open(path)).close()
    return backpack.open(path).node("clerk", reads=["sales.**", "text"]).snapshot(1)


def filled(bp: Backpack) -> Backpack:
    bp.update({"sales.a": 1, "hr.plan": SECRET, "text": "one\ntwo"})
    bp.update({"sales.a": 2, "hr.plan": SECRET * 2, "sales.b": 3})
    return bp


@pytest.mark.parametrize("key", [*HIDDEN, "sales.none"])
def test_reads_with_a_default_answer_it_as_for_a_key_that_is_not_there(snapshot: Any, key: str) -> None:
    assert key not in snapshot
    assert snapshot.get(key) is snapshot.unpack(key) is None
    assert snapshot.get(key, "d") == snapshot.unpack(key, "d") == "d"
    assert snapshot.select(key) == {}


REQUIRED: dict[str, Callable[[Any, str], Any]] = {
    "[]": lambda snapshot, key: snapshot[key],
    "item": lambda snapshot, key: snapshot.item(key),
    "read_text": lambda snapshot, key: snapshot.read_text(key),
    "read_bytes": lambda snapshot, key: snapshot.read_bytes(key),
}


@pytest.mark.parametrize("way", REQUIRED)
def test_what_is_required_is_missing_and_denied_whether_or_not_it_exists(snapshot: Any, way: str) -> None:
    told = []
    for key in HIDDEN:
        with pytest.raises(KeyNotFoundError) as caught:
            REQUIRED[way](snapshot, key)
        error = caught.value
        assert isinstance(error, HiddenKeyError) and isinstance(error, AccessDeniedError)
        assert isinstance(error, KeyError) and isinstance(error, PermissionError)
        assert (error.node, error.key, error.operation) == ("clerk", key, "read")
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), again.key, again.node) == (HiddenKeyError, str(error), key, "clerk")
        told.append(str(error).replace(key, "KEY"))
    assert told[0] == told[1]
    with pytest.raises(KeyNotFoundError) as missing:
        REQUIRED[way](snapshot, "sales.none")
    assert not isinstance(missing.value, AccessDeniedError)


def test_only_what_is_refused_is_told_as_denied() -> None:
    bp = filled(Backpack())
    snapshot = bp.node("clerk", reads=["sales.**"]).snapshot()
    denied: list[Any] = []
    bp.subscribe(denied.append, kinds=["denied"])
    snapshot.get("hr.plan")
    assert denied == []
    with pytest.raises(HiddenKeyError):
        snapshot["hr.plan"]
    assert [(event.keys, event.node, event.detail) for event in denied] == [(("hr.plan",), "clerk", "read")]


def test_a_key_outside_the_namespace_is_looked_for_inside() -> None:
    bp = filled(Backpack())
    snapshot = bp.node("n", namespace="sales", denies=["sales.b"]).snapshot()
    assert snapshot.get("hr.plan", "d") == snapshot.get("b", "d") == "d"
    with pytest.raises(KeyNotFoundError) as caught:
        snapshot["hr.plan"]
    assert not isinstance(caught.value, AccessDeniedError)
    with pytest.raises(HiddenKeyError, match=r"sales\.b"):
        snapshot["b"]


def test_a_loaded_snapshot_is_read_in_the_same_way() -> None:
    snapshot = asyncio.run(filled(Backpack()).node("clerk", reads=["sales.**"]).asnapshot())
    assert snapshot.get("hr.plan", "d") == "d"
    with pytest.raises(HiddenKeyError):
        snapshot["hr.plan"]


def test_a_hidden_key_is_absent_from_a_diff_and_refused_by_name() -> None:
    bp = filled(Backpack())
    node = bp.node("clerk", reads=["sales.**"])
    diff = node.diff(1)
    for part in (diff.added, diff.removed, diff.changed):
        for key in HIDDEN:
            assert key not in part and part.get(key, "d") == "d"
            with pytest.raises(HiddenKeyError):
                part[key]
        with pytest.raises(KeyNotFoundError) as caught:
            part["sales.none"]
        assert not isinstance(caught.value, AccessDeniedError)
    assert diff.changed["sales.a"].new == 2
    with pytest.raises(KeyNotFoundError):
        bp.diff(1).added["hr.plan"]
    with pytest.raises(HiddenKeyError):
        bp.snapshot(1).diff(node.snapshot()).changed["hr.plan"]


def test_a_snapshot_is_compared_with_any_at() -> None:
    bp = filled(Backpack())
    node = bp.node("clerk", reads=["sales.**"])
    commit = bp.commit(2)
    for other in (commit, 2, "HEAD", commit.id, commit.time, bp.snapshot(2)):
        assert set(bp.snapshot(1).diff(other).changed) == {"sales.a", "hr.plan"}
    assert set(node.snapshot(1).diff(commit).changed) == {"sales.a"}
    for nonsense in (1.5, [], {"sales.a": 1}, b"HEAD"):
        with pytest.raises(InvalidArgumentError):
            bp.snapshot(1).diff(nonsense)  # type: ignore[arg-type]
