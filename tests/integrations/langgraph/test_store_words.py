"""A query without embeddings: items are found by their words."""

import random
from pathlib import Path
from typing import Any

import pytest
from langgraph.store.base import PutOp

import backpack
from backpack import Backpack, InvalidArgumentError, UnstorableValueError
from backpack.integrations.langgraph import BackpackStore, store_words
from backpack.integrations.langgraph.store_words import words_of
from backpack.memory import Memory
from backpack.memory.documents import Document
from backpack.memory.following import Following

FACTS = {
    "pizza": {"food": "pizza with olives", "likes": True},
    "bread": {"food": "bread", "notes": [{"body": "rye, never with olives"}]},
    "moon": {"title": "The moon", "text": "a phase of 29.5 days"},
}


def filled(store: BackpackStore) -> BackpackStore:
    store.batch([PutOp(("facts", name[0]), name, value) for name, value in FACTS.items()])
    return store


def keys(store: BackpackStore, query: str, below: tuple[str, ...] = (), **asked: Any) -> list[str]:
    return [item.key for item in store.search(below, query=query, **asked)]


@pytest.fixture
def store() -> BackpackStore:
    return filled(BackpackStore(Backpack()))


def test_a_sentence_finds_what_has_any_of_its_words_the_rarest_first(store: BackpackStore) -> None:
    assert keys(store, "Does the user like pizza, with OLIVES?")[0] == "pizza"
    assert sorted(keys(store, "Does anybody like olives?")) == ["bread", "pizza"]
    assert keys(store, "phase 29") == ["moon"]
    assert keys(store, "sushi") == keys(store, "?!") == keys(store, '"') == []


def test_the_better_an_item_fits_the_higher_its_score(store: BackpackStore) -> None:
    hits = store.search((), query="pizza olives")
    scores = [hit.score for hit in hits if hit.score is not None]
    assert len(scores) == 2 and scores[0] > scores[1] > 0
    assert hits[0].value == FACTS["pizza"]


def test_names_of_fields_count_less_than_what_stands_in_them(store: BackpackStore) -> None:
    store.put(("other",), "named", {"body": "food"})
    assert keys(store, "food")[0] == "named"
    assert set(keys(store, "food")) == {"named", "pizza", "bread"}


def test_a_namespace_a_filter_and_a_page_narrow_a_search(store: BackpackStore) -> None:
    assert keys(store, "olives", ("facts", "b")) == ["bread"]
    assert keys(store, "olives", ("facts",), filter={"likes": True}) == ["pizza"]
    every = keys(store, "olives moon with the")
    assert len(every) == 3
    assert [keys(store, "olives moon with the", limit=1, offset=n) for n in range(4)] == [[one] for one in every] + [[]]
    assert keys(store, "olives moon with the", limit=-1) == every[:-1]


def test_a_score_says_the_same_whatever_the_namespace(store: BackpackStore) -> None:
    store.put(("facts", "b", "below", "it"), "deep", {"food": "bread"})
    deep = {hit.key: hit.score for hit in store.search(("facts", "b", "below"), query="bread")}
    every = {hit.key: hit.score for hit in store.search((), query="bread")}
    assert deep["deep"] == pytest.approx(every["deep"], rel=1e-6)


def test_a_search_looks_at_no_hit_of_another_namespace(store: BackpackStore) -> None:
    store.batch([PutOp(("many", str(number)), "k", {"text": "needle"}) for number in range(50)])
    seen: list[str] = []
    words = words_of(store.bp, store._indexing)
    assert len(words.find("needle", ("many", "7"), lambda name: seen.append(name) is None, None)) == 1
    assert seen == ["many.7.:k"]


@pytest.mark.parametrize("depth", [1, 15, 16, 17, 40])
def test_deep_namespaces_are_searched_as_all_others(store: BackpackStore, depth: int) -> None:
    deep = tuple("abcdefghij"[n % 10] for n in range(depth))
    store.put(deep, "here", {"text": "needle"})
    store.put((*deep, "x"), "below", {"text": "needle"})
    store.put((*deep[:-1], "y"), "beside", {"text": "needle"})
    store.put(("long" * 300, "z"), "long", {"text": "needle"})
    assert sorted(keys(store, "needle", deep)) == ["below", "here"]
    assert keys(store, "needle", ("long" * 300,)) == ["long"]


def test_what_was_put_is_found_at_once_and_what_was_deleted_no_more(store: BackpackStore) -> None:
    assert keys(store, "comet") == []
    store.put(("facts",), "comet", {"text": "a comet"})
    assert keys(store, "comet") == ["comet"]
    store.put(("facts",), "comet", {"text": "a meteor"})
    assert keys(store, "comet") == [] and keys(store, "meteor") == ["comet"]
    store.delete(("facts",), "comet")
    assert keys(store, "meteor") == []


def test_a_restore_and_a_purge_take_the_words_along(store: BackpackStore) -> None:
    before = store.bp.head
    assert before is not None
    store.put(("facts", "p"), "pizza", {"food": "salad"})
    assert keys(store, "salad") == ["pizza"]
    store.bp.restore(before)
    assert keys(store, "salad") == [] and keys(store, "pizza") == ["pizza"]
    store.bp.purge("langgraph.store.*.facts.p.**")
    assert keys(store, "pizza") == []
    assert store.list_namespaces() == [("facts", "b"), ("facts", "m")]


def test_a_put_says_what_of_it_is_searched(store: BackpackStore) -> None:
    store.put(("said",), "hidden", {"text": "zebra"}, index=False)
    store.put(("said",), "shown", {"text": "zebra", "secret": "lion", "notes": ["okapi"]}, index=["text", "notes[*]"])
    assert keys(store, "zebra") == ["shown"] == keys(store, "okapi")
    assert keys(store, "lion") == []
    assert store.get(("said",), "hidden") is not None


def test_fields_without_an_embedding_are_those_that_are_searched() -> None:
    store = filled(BackpackStore(Backpack(), index={"fields": ["title", "notes[*].body"]}))
    assert keys(store, "moon") == ["moon"] and keys(store, "rye") == ["bread"]
    assert keys(store, "pizza") == keys(store, "phase") == []
    assert keys(BackpackStore(store.bp), "pizza") == ["pizza"]


def test_what_json_has_no_word_for_is_searched_as_a_text(store: BackpackStore) -> None:
    store.put(("odd",), "odd", {"set": {"walrus"}, "nested": {("a", 1): "unseen"}, "half": "seal \ud800", "none": None})
    assert keys(store, "walrus") == ["odd"] == keys(store, "seal")


def test_an_opened_store_keeps_its_index_and_a_missing_one_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with BackpackStore(path) as store:
        filled(store)
        assert keys(store, "pizza") == ["pizza"]
    files = [file for file in path.iterdir() if file.name.startswith("search-")]
    assert sorted(file.suffix for file in files) == [".sqlite", ".sum"]
    with backpack.open(path, mode="r") as bp:
        assert keys(BackpackStore(bp), "olives rye") == ["bread", "pizza"]
    with BackpackStore(path) as store:
        store.put(("new",), "new", {"text": "aurora"})
        assert sorted(keys(store, "aurora pizza")) == ["new", "pizza"]
    for file in path.glob("search-*"):
        file.write_bytes(b"no index")
    with BackpackStore(path) as store:
        assert keys(store, "aurora") == ["new"]
    for file in path.glob("search-*"):
        file.unlink()
    with BackpackStore(path) as store:
        assert keys(store, "moon") == ["moon"]


def test_a_memory_in_the_same_store_has_its_own_words(store: BackpackStore) -> None:
    memory = Memory(store.bp)
    memory.log("pizza for everybody", title="lunch")
    assert keys(store, "pizza") == ["pizza"]
    assert [found.entry.title for found in memory.search("pizza")] == ["lunch"]


def test_an_integer_that_python_does_not_write_out_hides_no_item() -> None:
    long = 10**5_000
    values = [{"text": "fox", "n": long}, {"text": "fox", "n": {long: [(long, {long})]}}, {"text": "fox"}]
    store = BackpackStore(Backpack())
    for number, value in enumerate(values):
        store.put(("a",), f"{number}", value)
    assert sorted(item.key for item in store.search((), query="fox")) == ["0", "1", "2"]
    by_vector = BackpackStore(Backpack(), index={"dims": 1, "embed": lambda texts: [[1.0] for _ in texts]})
    for number, value in enumerate(values):
        by_vector.put(("a",), f"{number}", value)
    assert len(by_vector.search((), query="fox")) == 3


def test_what_can_not_be_stored_is_told_with_embeddings_too() -> None:
    store = BackpackStore(Backpack(), index={"dims": 1, "embed": lambda texts: [[1.0] for _ in texts]})
    cyclic: dict[str, Any] = {}
    cyclic["a"] = cyclic
    deep: dict[str, Any] = {}
    for _ in range(3_000):
        deep = {"a": deep}
    for value in (cyclic, deep):
        with pytest.raises(UnstorableValueError, match=r"path=value\.a"):
            store.put(("a",), "k", value)
    odd = BackpackStore(Backpack(), index={"dims": 1, "embed": lambda texts: [[10**400] for _ in texts]})
    with pytest.raises(InvalidArgumentError, match="list of numbers"):
        odd.put(("a",), "k", {"a": "b"})


@pytest.mark.parametrize("count", [12, 700])
def test_items_that_fit_equally_well_come_as_they_were_put_first_and_so_again_after_reopening(
    count: int, tmp_path: Path
) -> None:
    make = random.Random(3)
    names = [f"k{number:03}" for number in range(count)]
    make.shuffle(names)
    orders = []
    store = BackpackStore(tmp_path / "store")
    for number, name in enumerate(names):
        if number in (count // 3, count // 2, count - 3):  # what is put later is in another index
            store.search((), query="words")
        store.put((make.choice("ab"), "x"), name, {"text": "the same words"})
    store.put(("a", "x"), "again", {"text": "other ones"})
    for namespace in (("a", "x"), ("b", "x")):
        if store.get(namespace, names[0]) is not None:
            store.put(namespace, names[0], {"text": "the same words"})  # keeps its place
    for _ in range(3):
        orders.append([hit.key for hit in store.search((), query="words same", limit=count)])
        assert [hit.key for hit in store.search((), query="words same", limit=5)] == orders[-1][:5]
        store.close()
        store = BackpackStore(tmp_path / "store")
    store.close()
    assert orders == [names] * 3
    with BackpackStore(tmp_path / "store", mode="r") as reader:
        assert [hit.key for hit in reader.search((), query="words same", limit=count)] == names


def test_an_index_that_knows_no_places_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as before:
        before.setattr(store_words.Words, "_identity", Following._identity)
        before.setattr(store_words, "Document", lambda id, place, *texts: Document(id, 0, *texts))
        with BackpackStore(tmp_path / "store") as store:
            for key in "cab":
                store.put(("n",), key, {"text": "the same words"})
            store.search((), query="words")
    with BackpackStore(tmp_path / "store") as store:
        assert [hit.key for hit in store.search((), query="words")] == ["c", "a", "b"]
