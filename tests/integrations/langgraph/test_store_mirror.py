"""What InMemoryStore does, BackpackStore does: the same calls on both, and the same answers."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.store.base import (
    BaseStore,
    GetOp,
    InvalidNamespaceError,
    Item,
    ListNamespacesOp,
    MatchCondition,
    PutOp,
    SearchOp,
)
from langgraph.store.memory import InMemoryStore

from backpack import Backpack
from backpack.integrations.langgraph import BackpackStore

Act = Callable[[BaseStore], Any]


def embed(texts: list[str]) -> list[list[float]]:
    """How often each of a few letters comes."""
    return [[float(text.count(letter)) for letter in "aeiou"] for text in texts]


INDEX: Any = {"dims": 5, "embed": embed, "fields": ["text", "notes[*].body"]}


def facts(found: Any) -> Any:
    """What can be compared of an answer: all but times, which are held against each other."""
    if isinstance(found, Item):
        assert found.created_at <= found.updated_at
        assert found.created_at.utcoffset() is not None
        score = getattr(found, "score", None)
        return (
            type(found).__name__,
            found.namespace,
            found.key,
            found.value,
            None if score is None else pytest.approx(score, abs=1e-9),
        )
    return [facts(one) for one in found] if isinstance(found, list | tuple) else found


def outcome(act: Act, store: BaseStore) -> Any:
    try:
        return facts(act(store))
    except Exception as error:
        return type(error), str(error)


def filled(store: BaseStore) -> None:
    store.put(("b", "x"), "one", {"n": 1, "text": "an apple", "tags": ["red", "round"], "at": {"city": "Rome"}})
    store.put(("a",), "two", {"n": 2.5, "text": "igloo", "at": {"city": "Oslo", "zip": "0150"}})
    store.put(("b", "x"), "three", {"n": -3, "text": "queue", "flag": True, "none": None})
    store.put(("b",), "four", {"n": 4, "notes": [{"body": "oasis"}, {"body": "area"}]})
    store.put(("b", "y", "z"), "five", {"n": 5, "text": "moon"}, index=False)
    store.put(("c", "x"), "six", {"n": 6, "title": "aorta", "text": "eerie"}, index=["title"])
    store.put(("b", "x"), "one", {"n": 10, "text": "ocean", "tags": ["blue"], "at": {"city": "Rome"}})


@pytest.fixture(params=["memory", "disk"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[BaseStore, BaseStore]]:
    where = Backpack() if request.param == "memory" else tmp_path / "store"
    with BackpackStore(where, index=INDEX) as store:
        rival = InMemoryStore(index=INDEX)
        filled(rival)
        filled(store)
        yield rival, store


ACTS: dict[str, Act] = {
    "get what is there": lambda store: store.get(("a",), "two"),
    "get what was put again": lambda store: store.get(("b", "x"), "one"),
    "get an unknown key": lambda store: store.get(("a",), "nine"),
    "get from an unknown namespace": lambda store: store.get(("nowhere",), "two"),
    "get from the namespace above": lambda store: store.get(("b",), "one"),
    "a key that is a number": lambda store: (store.put(("k",), 7, {"a": 1}), store.get(("k",), "7"))[1],
    "search everything": lambda store: store.search(()),
    "search a namespace and all below": lambda store: store.search(("b",)),
    "search for a part of a label": lambda store: store.search(("bx",)),
    "search an unknown namespace": lambda store: store.search(("b", "q")),
    "limit": lambda store: store.search((), limit=2),
    "limit of none": lambda store: store.search((), limit=0),
    "offset": lambda store: store.search((), offset=2, limit=3),
    "offset past the end": lambda store: store.search((), offset=20),
    "negative limit": lambda store: store.search((), limit=-1),
    "negative offset": lambda store: store.search((), offset=-2, limit=1),
    "filter by equality": lambda store: store.search((), filter={"n": 5}),
    "filter by two fields": lambda store: store.search((), filter={"n": 10, "text": "ocean"}),
    "filter by a missing field": lambda store: store.search((), filter={"nothing": 1}),
    "filter by None fits what is missing": lambda store: store.search((), filter={"none": None}),
    "filter by bool": lambda store: store.search((), filter={"flag": True}),
    "filter by a list": lambda store: store.search((), filter={"tags": ["blue"]}),
    "filter by another list": lambda store: store.search((), filter={"tags": ["red"]}),
    "filter by a dict": lambda store: store.search((), filter={"at": {"city": "Rome"}}),
    "filter by an operator in a dict": lambda store: store.search((), filter={"at": {"city": {"$ne": "Rome"}}}),
    "filter $eq": lambda store: store.search((), filter={"n": {"$eq": 4}}),
    "filter $ne": lambda store: store.search((), filter={"n": {"$ne": 4}}),
    "filter $gt": lambda store: store.search((), filter={"n": {"$gt": 4}}),
    "filter $gte": lambda store: store.search((), filter={"n": {"$gte": 4}}),
    "filter $lt": lambda store: store.search((), filter={"n": {"$lt": 4}}),
    "filter $lte": lambda store: store.search((), filter={"n": {"$lte": 4}}),
    "filter between": lambda store: store.search((), filter={"n": {"$gt": 1, "$lt": 6}}),
    "filter with a number in a text": lambda store: store.search((), filter={"n": {"$gt": "4"}}),
    "filter with limit and offset": lambda store: store.search((), filter={"n": {"$gt": 0}}, limit=2, offset=1),
    "filter by an unknown operator": lambda store: store.search((), filter={"n": {"$in": [1]}}),
    "an empty filter": lambda store: store.search((), filter={}),
    "query": lambda store: store.search((), query="ooo a"),
    "query below a namespace": lambda store: store.search(("b",), query="aie"),
    "query with a limit": lambda store: store.search((), query="aie", limit=2),
    "query with an offset": lambda store: store.search((), query="aie", limit=2, offset=1),
    "query with an offset among the unscored": lambda store: store.search((), query="aie", limit=5, offset=4),
    "query with a filter": lambda store: store.search((), query="o", filter={"n": {"$gt": 3}}),
    "an empty query": lambda store: store.search((), query=""),
    "delete": lambda store: (store.delete(("a",), "two"), store.get(("a",), "two"), store.search(()))[1:],
    "delete what isn't there": lambda store: store.delete(("a",), "nine"),
    "put None": lambda store: (store.put(("a",), "two", None), store.get(("a",), "two")),  # type: ignore[arg-type]
    "put again into a namespace that was emptied": lambda store: (
        store.search(()),
        store.delete(("a",), "two"),
        store.search(()),
        store.put(("c", "x"), "seven", {}),
        store.search(("a",)),
    ),
    "put again behind a delete": lambda store: (
        store.delete(("b", "x"), "one"),
        store.put(("b", "x"), "one", {"n": 0}),
        store.search(("b",)),
    )[2],
    "list namespaces": lambda store: store.list_namespaces(),
    "list by prefix": lambda store: store.list_namespaces(prefix=("b",)),
    "list by prefix of two labels": lambda store: store.list_namespaces(prefix=("b", "x")),
    "list by suffix": lambda store: store.list_namespaces(suffix=("x",)),
    "list by prefix and suffix": lambda store: store.list_namespaces(prefix=("b",), suffix=("x",)),
    "list with a star in the prefix": lambda store: store.list_namespaces(prefix=("*", "x")),
    "list with a star in the suffix": lambda store: store.list_namespaces(suffix=("y", "*")),
    "list longer than any": lambda store: store.list_namespaces(prefix=("b", "x", "y", "z")),
    "list to a depth": lambda store: store.list_namespaces(max_depth=1),
    "list to two": lambda store: store.list_namespaces(prefix=("b",), max_depth=2),
    "list to none": lambda store: store.list_namespaces(max_depth=0),
    "list with limit and offset": lambda store: store.list_namespaces(limit=2, offset=1),
    "list with no limit left": lambda store: store.list_namespaces(limit=0),
    "put into no namespace": lambda store: store.put((), "k", {"a": 1}),
    "put with a dot": lambda store: store.put(("a.b",), "k", {"a": 1}),
    "put with an empty label": lambda store: store.put(("a", ""), "k", {"a": 1}),
    "put with a label that is no text": lambda store: store.put(("a", 1), "k", {"a": 1}),  # type: ignore[arg-type]
    "put with a NUL": lambda store: store.put(("a\0",), "k", {"a": 1}),
    "put below langgraph": lambda store: store.put(("langgraph", "a"), "k", {"a": 1}),
    "get with a dot": lambda store: store.get(("a.b",), "k"),
    "search with an empty label": lambda store: store.search(("",)),
    "delete with a dot": lambda store: store.delete(("a.b",), "k"),
    "list with a dot": lambda store: store.list_namespaces(prefix=("a.b",)),
    "an operation that there isn't": lambda store: store.batch(["get"]),  # type: ignore[list-item]
    "a match type that there isn't": lambda store: store.batch(
        [ListNamespacesOp((MatchCondition("middle", ("b",)),))]  # type: ignore[arg-type]
    ),
    "reads of a batch come before its puts": lambda store: store.batch(
        [PutOp(("a",), "two", {"n": 9}), GetOp(("a",), "two"), SearchOp(("a",)), PutOp(("a",), "new", {"n": 8})]
    ),
    "the last put of a batch counts": lambda store: (
        store.batch([PutOp(("d",), "k", {"n": 1}), PutOp(("d",), "j", {"n": 2}), PutOp(("d",), "k", {"n": 3})]),
        store.search(("d",)),
    ),
    "a put and a delete in a batch": lambda store: (
        store.batch([PutOp(("d",), "k", {"n": 1}), PutOp(("d",), "k", None)]),
        store.get(("d",), "k"),
    ),
    "an empty batch": lambda store: store.batch([]),
    "two lists in a batch": lambda store: store.batch(
        [ListNamespacesOp(max_depth=1), ListNamespacesOp((MatchCondition("suffix", ("x",)),))]
    ),
    "labels with dots past the checks": lambda store: (
        store.batch([PutOp(("p.q",), "k", {"n": 1}), PutOp(("p", "q"), "k", {"n": 2})]),
        store.batch([GetOp(("p.q",), "k"), GetOp(("p", "q"), "k"), SearchOp(("p",)), SearchOp(("p.q",))]),
    ),
    "no labels past the checks": lambda store: (
        store.batch([PutOp((), "k", {"n": 1})]),
        store.batch([GetOp((), "k"), SearchOp(())]),
    ),
    "an empty key": lambda store: (store.put(("e",), "", {"n": 1}), store.get(("e",), ""), store.search(("e",))),
}


@pytest.mark.parametrize("name", ACTS)
def test_both_answer_alike(pair: tuple[BaseStore, BaseStore], name: str) -> None:
    rival, store = pair
    assert outcome(ACTS[name], store) == outcome(ACTS[name], rival)
    assert facts(store.search((), limit=100)) == facts(rival.search((), limit=100))


def test_a_put_sets_both_times(pair: tuple[BaseStore, BaseStore]) -> None:
    for store in pair:
        before, untouched = store.get(("a",), "two"), store.get(("b",), "four")
        store.put(("a",), "two", {"n": 0})
        after = store.get(("a",), "two")
        assert before is not None and after is not None
        assert before.created_at < after.created_at <= after.updated_at
        assert store.get(("b",), "four") == untouched


def test_the_async_calls_answer_alike(pair: tuple[BaseStore, BaseStore]) -> None:
    async def answers(store: BaseStore) -> Any:
        await store.aput(("b", "x"), "new", {"n": 7, "text": "audio"})
        await store.adelete(("a",), "two")
        with pytest.raises(InvalidNamespaceError):
            await store.aput(("langgraph",), "k", {})
        return facts(
            [
                await store.aget(("b", "x"), "new"),
                await store.asearch(("b",), query="a", limit=3),
                await store.asearch((), filter={"n": {"$gte": 5}}),
                await store.alist_namespaces(suffix=("x",)),
                *await store.abatch([GetOp(("b",), "four"), SearchOp((), limit=2), PutOp(("z",), "k", {})]),
                await store.asearch(()),
            ]
        )

    rival, store = pair
    assert asyncio.run(answers(store)) == asyncio.run(answers(rival))


LABELS = st.sampled_from(["a", "b", "a b", "A", "é", "%", ":", "*", "%~", "%2E"])
KEYS = st.sampled_from(["k", "K", ".", ":", "*", "", "%3A", "k" * 2_000, "\ud800", "é/è"])
NAMESPACES = st.lists(LABELS, min_size=1, max_size=3).map(tuple)
VALUES = st.fixed_dictionaries({"n": st.integers(-3, 3), "text": st.text("aeiou ", max_size=6)})
PUTS = st.tuples(NAMESPACES, KEYS, st.none() | VALUES, st.sampled_from([None, False, ["text"]]))


@given(st.lists(PUTS, max_size=20), NAMESPACES, st.integers(0, 6), st.integers(0, 4), st.booleans())
def test_whatever_was_put_both_find_alike(
    puts: list[Any], prefix: tuple[str, ...], limit: int, offset: int, is_watched: bool
) -> None:
    rival, store = InMemoryStore(index=INDEX), BackpackStore(Backpack(), index=INDEX)
    for namespace, key, value, index in puts:
        rival._vectors[namespace].pop(key, None)  # it would keep those of the value before
        for one in (rival, store):
            one.batch([PutOp(namespace, key, value, index)])
        assert facts(store.get(namespace, key)) == facts(rival.get(namespace, key))
        if not rival._data[namespace]:
            del rival._data[namespace]  # it would list a namespace of nothing
        if is_watched:
            assert facts(store.search((), limit=100)) == facts(rival.search((), limit=100))
    fork = BackpackStore(store.bp.fork(), index=INDEX)  # which has to read all of it
    for one in (store, fork):
        assert one.list_namespaces() == rival.list_namespaces()
        assert one.list_namespaces(prefix=prefix[:1], max_depth=2) == rival.list_namespaces(
            prefix=prefix[:1], max_depth=2
        )
        for below in ((), prefix[:1], prefix):
            for asked in ({}, {"query": "a"}, {"filter": {"n": {"$gte": 0}}}):
                wanted: Any = {"limit": limit, "offset": offset, **asked}
                assert facts(one.search(below, **wanted)) == facts(rival.search(below, **wanted))
