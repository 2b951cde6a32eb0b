"""Limits and bad input: refused in words, and nothing has happened."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import pytest

from backpack import Backpack
from backpack.errors import BackpackError, InvalidArgumentError, InvalidKeyError

GOOD_KEYS = ["a", "a.b.c", "ключ", "with space", "a/b", "x" * 1_024, "é" * 512, "\U0001f600" * 256, "__class__", "HEAD"]
BAD_KEYS: list[Any] = ["", "x" * 1_025, "é" * 513, "\U0001f600" * 257, None, 5, b"a", ("a",), "\ud800", 1.5, True]


@pytest.mark.parametrize("name", ["max_value_size", "max_history_size", "max_commits", "prune_percentage"])
@pytest.mark.parametrize("number", [10**400, -(10**5000), math.inf, math.nan], ids=["large", "small", "inf", "nan"])
def test_numbers_beyond_all_bounds_are_refused(name: str, number: float) -> None:
    with pytest.raises(InvalidArgumentError, match=name):
        Backpack(**{name: number})
    bp = Backpack()
    with pytest.raises(InvalidArgumentError, match=name):
        bp.configure(**{name: number})


@pytest.mark.parametrize("key", GOOD_KEYS, ids=lambda key: key[:12])
def test_a_key_is_any_text_of_1_to_1_024_bytes(key: str) -> None:
    bp = Backpack()
    bp.pack(key, 1)
    assert bp[key] == 1
    assert list(bp) == [key]
    assert bp.version(key) == 1
    bp.append("list", 1)
    bp.delete(key)
    assert bp.snapshot(1)[key] == 1


@pytest.mark.parametrize("key", BAD_KEYS, ids=lambda key: repr(key)[:12])
def test_any_other_key_is_refused_on_writing_and_nothing_has_happened(key: Any) -> None:
    bp = Backpack({"a": 1})
    for act in (
        lambda: bp.pack(key, 1),
        lambda: bp.__setitem__(key, 1),
        lambda: bp.append(key, 1),
        lambda: bp.update({"b": 1, key: 2}),
        lambda: Backpack({key: 1}),
    ):
        with pytest.raises(InvalidKeyError):
            act()
    with pytest.raises(InvalidKeyError), bp.transaction() as tx:
        tx.pack("b", 1)
        tx.pack(key, 1)
    assert issubclass(InvalidKeyError, ValueError)
    assert dict(bp) == {"a": 1}
    assert bp.head.seq == 1


@pytest.mark.parametrize("key", BAD_KEYS, ids=lambda key: repr(key)[:12])
def test_reading_a_bad_key_finds_nothing(key: Any) -> None:
    bp = Backpack({"a": 1})
    with pytest.raises((BackpackError, KeyError, TypeError)):
        bp[key]
    with contextlib.suppress(BackpackError, TypeError):
        assert key not in bp
    with contextlib.suppress(BackpackError, TypeError):
        assert bp.unpack(key) is None


BAD_LIMITS: list[tuple[str, Any]] = [
    ("max_value_size", 0),
    ("max_value_size", -1),
    ("max_value_size", math.nan),
    ("max_history_size", 0),
    ("max_history_size", -5),
    ("max_history_size", math.nan),
    ("max_commits", 0),
    ("max_commits", -1),
    ("max_commits", math.nan),
    ("prune_percentage", -0.1),
    ("prune_percentage", math.nan),
    ("prune_percentage", 1.5),
    ("prune_percentage", math.inf),
    ("prune_strategy", "newest"),
    ("prune_strategy", ""),
]


@pytest.mark.parametrize(("name", "limit"), BAD_LIMITS)
def test_a_nonsense_limit_is_refused_and_the_old_one_stays(name: str, limit: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        Backpack(**{name: limit})
    bp = Backpack({"a": "x" * 100}, max_history_size=1_000)
    with pytest.raises(ValueError, match=r"."):
        bp.configure(**{name: limit})
    with pytest.raises(ValueError, match=r"."):
        bp.configure(max_history_size=10, **({name: limit} if name != "max_history_size" else {"max_commits": 0}))
    assert bp.memory_usage().history_limit == 1_000
    assert bp.snapshot(1)["a"] == "x" * 100
    assert not bp.pack("b", "x" * 200).changes["b"].is_large


@pytest.mark.parametrize(
    ("name", "limit"),
    [("max_history_size", "10"), ("max_value_size", []), ("max_commits", "many"), ("prune_strategy", 5)],
)
def test_a_limit_of_a_strange_type_is_refused(name: str, limit: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        Backpack(**{name: limit})


def test_an_unknown_limit_is_refused() -> None:
    with pytest.raises((TypeError, ValueError)):
        Backpack(max_histroy_size=5)
    with pytest.raises((TypeError, ValueError)):
        Backpack().configure(max_histroy_size=5)


def test_the_defaults_are_those_of_the_contract() -> None:
    bp = Backpack()
    assert bp.memory_usage().history_limit == 50 * 1024 * 1024
    assert not bp.pack("a", "x" * (100 * 1024 - 10)).changes["a"].is_large
    assert bp.pack("b", "x" * (100 * 1024 + 1)).changes["b"].is_large


@pytest.mark.parametrize("limit", [0, -1])
def test_a_history_limit_of_nothing_or_less_gives_nothing_or_is_refused(limit: int) -> None:
    bp = Backpack({"a": 1})
    with contextlib.suppress(ValueError):
        assert list(bp.history(limit=limit)) == []


@pytest.mark.parametrize("bad", [5, b"x", ["a"], object()])
def test_a_node_or_message_that_is_no_text_is_refused_and_nothing_has_happened(bad: Any) -> None:
    bp = Backpack({"a": 1})
    for told in ({"node": bad}, {"message": bad}, {"tags": (bad,)}):
        with pytest.raises((TypeError, ValueError)):
            bp.pack("a", 2, **told)
    assert bp.head.seq == 1
    assert bp["a"] == 1


def test_tags_given_as_one_string_are_one_tag_or_refused_but_never_letters() -> None:
    bp = Backpack()
    try:
        commit = bp.pack("a", 1, tags="tag")
    except (TypeError, ValueError):
        return
    assert set(commit.tags) == {"tag"}


def test_text_that_is_no_utf_8_in_names_is_refused_or_kept() -> None:
    bp = Backpack()
    for told in ({"node": "\ud800"}, {"message": "\ud800"}, {"tags": ("\ud800",)}):
        try:
            commit = bp.pack("a", 1, **told)
        except ValueError:
            continue
        assert next(iter(told.values())) in (commit.node, commit.message, tuple(commit.tags))


@pytest.mark.parametrize("first", [5, "text", [("a", 1, 2)], {1: 2}])
def test_an_initial_value_that_is_no_mapping_of_keys_is_refused(first: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        Backpack(first)


def test_a_thousand_keys_and_a_long_message_are_fine() -> None:
    bp = Backpack()
    bp.update({f"k.{number}": number for number in range(1_000)}, message="m" * 10_000)
    assert len(bp) == 1_000
    assert bp.head.message == "m" * 10_000
