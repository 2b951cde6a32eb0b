"""What a newcomer gets wrong is told, with what to do instead."""

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import backpack
from backpack import Backpack, BackpackError, InvalidArgumentError, InvalidKeyError


@pytest.mark.parametrize("path", ["run.backpack", Path("run.backpack"), b"run"])
def test_a_path_is_for_open(path: object) -> None:
    with pytest.raises(InvalidArgumentError, match=r"backpack\.open"):
        Backpack(path)  # type: ignore[arg-type]


def test_a_transaction_that_was_not_begun_takes_no_change() -> None:
    bp = Backpack({"list": [1]})
    for change in (
        lambda tx: tx.pack("a", 1),
        lambda tx: tx.append("list", 1),
        lambda tx: tx.delete("list"),
        lambda tx: tx["list"],
    ):
        with pytest.raises(InvalidArgumentError, match="with"):
            change(bp.transaction())
    assert bp.head is not None and bp.head.seq == 1


# -- nodes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [None, 5, "", b"n"])
def test_a_node_has_a_name(name: Any) -> None:
    bp = Backpack()
    with pytest.raises(InvalidArgumentError, match="node must"):
        bp.node(name)
    with pytest.raises(InvalidArgumentError, match="node must"):
        bp.as_node(name)


@pytest.mark.parametrize("namespace", ["sales.", "sales..", ".", "sales.eu."])
def test_a_namespace_goes_without_the_dot_at_its_end(namespace: str) -> None:
    with pytest.raises(InvalidArgumentError, match="without the dot"):
        Backpack().node("n", namespace=namespace)


@pytest.mark.parametrize("argument", ["reads", "writes", "denies"])
@pytest.mark.parametrize("patterns", [5, "a.**", object()])
def test_patterns_of_a_node_come_in_a_list(argument: str, patterns: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=f"{argument} must be a list of patterns, not "):
        Backpack().node("n", **{argument: patterns})


def test_denying_nothing_is_an_empty_list() -> None:
    with pytest.raises(InvalidArgumentError, match="denies must be a list of patterns, not NoneType"):
        Backpack().node("n", denies=None)  # type: ignore[arg-type]


@pytest.mark.parametrize("run", ["x", None, 1.0, True])
def test_a_run_is_a_number(run: Any) -> None:
    bp = Backpack()
    bp.pack("a", 1, node="p")
    for ask in (lambda: bp.snapshot_before("p", run), lambda: bp.node("p").snapshot_before(run)):
        with pytest.raises(InvalidArgumentError, match="0 is the first"):
            ask()


# -- keys --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "shown"), [("", ""), ("a\ud800", "a\ud800"), ("k" * 2_000, "k" * 100), (5, None), (["TOPSECRET"], None)]
)
def test_a_key_that_can_t_be_is_named_as_far_as_it_is_text(key: Any, shown: str | None) -> None:
    with pytest.raises(InvalidKeyError) as caught:
        Backpack().pack(key, 1)
    assert caught.value.key == pickle.loads(pickle.dumps(caught.value)).key == shown
    assert "TOPSECRET" not in str(caught.value)


@pytest.mark.parametrize("node", [[], {}, 5, b"x", 1.5, "", True])
def test_a_node_that_is_no_name_is_refused_by_name(node: Any) -> None:
    bp = Backpack({"kept": 1})
    calls: list[Callable[[], object]] = [
        lambda: bp.pack("a", 1, node=node),
        lambda: bp.append("l", 1, node=node),
        lambda: bp.delete("kept", node=node),
        lambda: bp.update({"a": 1}, node=node),
    ]
    for call in calls:
        with pytest.raises(InvalidArgumentError, match="a node must"):
            call()
    assert dict(bp) == {"kept": 1}


# -- copies ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
@pytest.mark.parametrize("is_opened", [False, True])
def test_a_store_is_copied_by_fork_and_export_only(
    tmp_path: Path, duplicate: Callable[[object], object], is_opened: bool
) -> None:
    bp = backpack.open(tmp_path / "store") if is_opened else Backpack()
    bp.pack("a", 1)
    for handle in (bp, [bp]) if duplicate is not copy.copy else (bp,):
        with pytest.raises(TypeError, match=r"fork\(\).*export\(file\)") as caught:
            duplicate(handle)
        assert isinstance(caught.value, BackpackError)
    bp.close()
    assert not is_opened or backpack.verify(tmp_path / "store").ok


@pytest.mark.parametrize("is_opened", [False, True])
def test_a_subscription_is_to_a_node_by_its_name(tmp_path: Path, is_opened: bool) -> None:
    bp = backpack.open(tmp_path / "store") if is_opened else Backpack()
    for name in (5, b"n", "", ["n"]):
        with pytest.raises(InvalidArgumentError, match="node must"):
            bp.subscribe(print, node=name)  # type: ignore[arg-type]
    bp.close()
