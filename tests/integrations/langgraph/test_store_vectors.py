"""A query with embeddings: items are found by how near their vectors are."""

import asyncio
import threading
from collections.abc import Sequence
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.embeddings import Embeddings
from langgraph.store.base import PutOp

from backpack import Backpack, CorruptionError, InvalidArgumentError
from backpack.integrations.langgraph import BackpackStore
from backpack.integrations.langgraph.store_names import VECTORS
from backpack.integrations.langgraph.store_records import packed_vectors, unpacked_vectors, vector_length
from backpack.integrations.langgraph.store_vectors import scores_by_numpy, scores_in_python


def embed(texts: Sequence[str]) -> list[list[float]]:
    return [[text.count("a") / 3, float(text.count("b")), 1.0] for text in texts]


def keys(store: BackpackStore, query: str, **asked: Any) -> list[str]:
    return [item.key for item in store.search((), query=query, **asked)]


def store_of(function: Any = embed, where: Any = None, **index: Any) -> BackpackStore:
    return BackpackStore(Backpack() if where is None else where, index={"dims": 3, "embed": function, **index})


NUMBERS = st.floats(-1e3, 1e3) | st.integers(-3, 3) | st.sampled_from([0.0, 0.1, 1e300, -1e300])


@given(st.lists(NUMBERS, min_size=1, max_size=4), st.lists(st.lists(NUMBERS, min_size=1, max_size=4), max_size=6))
def test_numpy_and_python_score_alike(query: list[float], rows: list[list[float]]) -> None:
    vectors = unpacked_vectors("", packed_vectors(rows))
    assert [vector_length(vector) for vector in vectors] == [len(row) for row in rows]
    one, other = scores_by_numpy(query, vectors), scores_in_python(query, vectors)
    assert one == pytest.approx(other, abs=1e-6)
    assert all(-1.000001 < score < 1.000001 for score in one)


@pytest.mark.parametrize("row", [[nan, 1.0], [inf, 1.0], [0.0, 0.0], [1.0], [1.0, 2.0, 3.0]])
def test_what_has_no_direction_is_near_nothing(row: list[float]) -> None:
    vectors = unpacked_vectors("", packed_vectors([row]))
    assert scores_by_numpy([1.0, 1.0], vectors) == [0.0] == scores_in_python([1.0, 1.0], vectors)
    assert scores_by_numpy([0.0, 0.0], vectors) == [0.0] == scores_in_python([0.0, 0.0], vectors)


def test_without_numpy_a_search_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_of(fields=["text"])
    for text in ("aaa", "abb", "bbb"):
        store.put(("n",), text, {"text": text})
    found = [(item.key, item.score) for item in store.search((), query="aab")]
    monkeypatch.setattr("backpack.integrations.langgraph.store_vectors.find_spec", lambda name: None)
    again = [(item.key, item.score) for item in store.search((), query="aab")]
    assert [key for key, _ in found] == [key for key, _ in again]
    assert [score for _, score in found] == pytest.approx([score for _, score in again])


def test_vectors_lose_no_digit_and_take_four_bytes_a_number_where_they_can() -> None:
    short, long = packed_vectors([[0.5, 1.25]]), packed_vectors([[0.1, 1.25]])
    assert len(long) - len(short) == 8
    (code, data), (other, _) = unpacked_vectors("", short)[0], unpacked_vectors("", long)[0]
    assert (code, len(data), other) == ("f", 8, "d")


def test_vectors_are_in_the_store_and_not_made_again(tmp_path: Path) -> None:
    calls: list[str] = []

    def counted(texts: Sequence[str]) -> list[list[float]]:
        calls.extend(texts)
        return embed(texts)

    with store_of(counted, tmp_path / "store", fields=["text"]) as store:
        store.put(("n",), "a", {"text": "aaa"})
        store.put(("n",), "b", {"text": "bbb"})
    calls.clear()
    with store_of(counted, tmp_path / "store", fields=["text"]) as store:
        assert keys(store, "aa") == ["a", "b"] and keys(store, "b") == ["b", "a"]
    assert calls == ["aa", "b"]


def test_a_put_replaces_all_vectors_of_an_item() -> None:
    store = store_of(fields=["text"])
    store.put(("n",), "k", {"text": "aaa"})
    store.put(("n",), "k", {"text": "bbb"}, index=False)
    assert [item.score for item in store.search((), query="a")] == [None]
    assert not any(key.startswith(VECTORS) for key in store.bp)


def test_equal_texts_of_a_batch_are_embedded_once() -> None:
    calls: list[list[str]] = []

    def counted(texts: list[str]) -> list[list[float]]:
        calls.append(list(texts))
        return embed(texts)

    store = store_of(counted, fields=["text", "title"])
    store.batch([PutOp(("n",), str(number), {"text": "a", "title": "a" * (number + 1)}) for number in range(3)])
    assert calls == [["a", "aa", "aaa"]]
    assert sorted(keys(store, "a")) == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda texts: [], "texts=1 embeddings=0"),
        (lambda texts: [[1.0]] * len(texts), "dims=3 length=1"),
        (lambda texts: [["x", "y", "z"]] * len(texts), "must be a list of numbers"),
    ],
)
def test_embeddings_that_are_none_are_refused_and_nothing_is_put(made: Any, message: str) -> None:
    store = store_of(made)
    with pytest.raises(InvalidArgumentError, match=message):
        store.put(("n",), "k", {"a": 1})
    assert not store.bp


def test_an_embedding_that_fails_changes_nothing() -> None:
    def failing(texts: Sequence[str]) -> list[list[float]]:
        raise ConnectionError("no network")

    store = store_of(failing)
    with pytest.raises(ConnectionError):
        store.batch([PutOp(("n",), "k", {"a": 1}), PutOp(("n",), "j", {"a": 1}, index=False)])
    assert not store.bp
    store.put(("n",), "j", {"a": 1}, index=False)
    with pytest.raises(ConnectionError):
        keys(store, "a")


def test_vectors_of_another_model_are_near_nothing() -> None:
    store = store_of(fields=["text"])
    store.put(("n",), "k", {"text": "aaa"})
    other = BackpackStore(store.bp, index={"embed": lambda texts: [[1.0, 2.0] for _ in texts]})
    assert [item.score for item in other.search((), query="a")] == [0.0]


def test_what_is_no_vector_any_more_is_told() -> None:
    for damaged in ([], "text", 1, b"f", b"f\x01\0\0\0abc", b"q\0\0\0\0", b"d\xff\xff\xff\xff" * 3, b"f\0\0\0\0\xff"):
        store = store_of()
        store.put(("n",), "k", {"a": 1})
        store.bp.pack(VECTORS + "n.:k", damaged)
        with pytest.raises(CorruptionError, match="vectors"):
            keys(store, "a")
        assert store.get(("n",), "k") is not None


class Threaded(Embeddings):
    """Says in which threads it works."""

    def __init__(self) -> None:
        self.threads: set[int] = set()

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.threads.add(threading.get_ident())
        return embed(texts)

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


def test_what_embeds_does_not_block_the_loop() -> None:
    embeddings = Threaded()

    async def run() -> list[str]:
        store = store_of(embeddings)
        await store.aput(("n",), "k", {"text": "a"})
        return [item.key for item in await store.asearch((), query="a")]

    assert asyncio.run(run()) == ["k"]
    assert embeddings.threads and threading.get_ident() not in embeddings.threads


def test_an_async_function_embeds_for_async_calls_only() -> None:
    async def aembed(texts: Sequence[str]) -> list[list[float]]:
        await asyncio.sleep(0)
        return embed(texts)

    store = store_of(aembed, fields=["text"])

    async def run() -> list[str]:
        await store.abatch([PutOp(("n",), "a", {"text": "aaa"}), PutOp(("n",), "b", {"text": "bbb"})])
        found = await asyncio.gather(store.asearch((), query="aa"), store.asearch((), query="bb", limit=1))
        return [item.key for items in found for item in items]

    assert asyncio.run(run()) == ["a", "b", "b"]
    with pytest.raises(ValueError, match="async function"):
        store.put(("n",), "c", {"text": "c"})


def test_fields_are_a_list_of_paths() -> None:
    for fields in ("text", [1]):
        with pytest.raises(InvalidArgumentError, match="fields"):
            store_of(fields=fields)
    with pytest.raises(InvalidArgumentError, match="index must be"):
        store_of().put(("n",), "k", {"a": 1}, index="text")  # type: ignore[arg-type]
