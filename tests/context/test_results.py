"""The results of one turn share one budget."""

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpack.context.items import parse, shortened, size_of
from backpack.context.results import ITEM_MIN, compact_results

from .conversations import count

LONG = "word " * 400


class Kept:
    """Where the rest goes."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, text: str) -> str:
        self.texts.append(text)
        return f"[... more: mem://mem-20261121-151102-{len(self.texts):08x} ...]"


def hits(*scores: float, text: str = LONG) -> list[dict[str, Any]]:
    return [{"id": number, "score": score, "text": f"{number} {text}"} for number, score in enumerate(scores)]


NAMES_MAX: Final = 40
"""What is left of any result at most: the fields around its items, and what says where the rest is."""


def total(texts: list[str]) -> int:
    return sum(map(count, texts))


def test_results_within_the_budget_stay_as_they_are() -> None:
    texts = ['{"a":   1}', "two\n\n\nparagraphs"]
    assert compact_results(texts, total(texts), count, offload=Kept()) == texts


@pytest.mark.parametrize(
    ("text", "form", "items"),
    [
        ("[1, {}, []]", "list", 3),
        ('{"items": [1, 2], "n": 2}', "object", 2),
        ('{"flights": [1, 2], "n": 2}', "object", 2),
        ('{"a": 1}', "single", 1),
        (json.dumps({"note": LONG, "items": [1]}), "single", 1),
        ('{"a": 1}\n{"a": 2}\n', "lines", 2),
        ('{"a": 1}\nand text', "text", 1),
        ("one\n\ntwo\n\n\n\nthree", "text", 3),
        ("[NaN]", "text", 1),
        ("[" * 100_000, "text", 1),
        ("", "text", 0),
    ],
)
def test_a_result_is_parsed_into_items(text: str, form: str, items: int) -> None:
    assert (parse(text).form, len(parse(text).items)) == (form, items)


def test_lower_ranks_are_shortened_first() -> None:
    keep = Kept()
    (made,) = compact_results([json.dumps(hits(0.1, 0.9, 0.5))], 1_200, count, offload=keep)
    low, high, middle, more = json.loads(made)
    assert high["text"].endswith(LONG) and low["text"].endswith("...")
    assert len(low["text"]) < len(middle["text"]) <= len(high["text"])
    assert count(json.dumps(low)) <= 300 and count(json.dumps(low)) > 200
    assert keep.texts == [json.dumps(hits(0.1, 0.9, 0.5))] and "mem://" in more["more"]
    assert count(made) <= 1_200


def test_a_rank_counts_from_the_other_end() -> None:
    rows = [{"id": number, "rank": 3 - number, "text": f"{number} {LONG}"} for number in range(3)]
    made = json.loads(compact_results([json.dumps(rows)], 1_200, count)[0])
    assert len(made[2]["text"]) > len(made[0]["text"])


def test_the_floor_adapts_when_it_cannot_fit_for_all() -> None:
    (made,) = compact_results([json.dumps(hits(*range(20)))], 1_000, count, offload=Kept())
    items = json.loads(made)[:-1]
    assert len(items) == 20 and count(made) <= 1_000
    assert all(ITEM_MIN <= count(json.dumps(item)) < 100 for item in items)


def test_what_has_no_room_at_all_is_offloaded() -> None:
    keep = Kept()
    (made,) = compact_results([json.dumps(hits(*range(200)))], 600, count, offload=keep)
    items = json.loads(made)
    assert 5 < len(items) < 30 and count(made) <= 600 and len(keep.texts) == 1
    assert [item["id"] for item in items[:-1]] == list(range(200))[-(len(items) - 1) :]


def test_duplicates_are_merged_with_the_best_score() -> None:
    one = [{"url": "https://example.com/a", "score": 0.2, "text": LONG}]
    other = [
        {"url": "https://example.com/a", "score": 0.8, "text": LONG},
        {"url": "https://example.com/b", "text": "b"},
    ]
    first, second = compact_results([json.dumps(one), json.dumps(other)], 800, count, offload=Kept())
    assert [item["score"] for item in json.loads(first)] == [0.8]
    assert json.loads(second) == [{"url": "https://example.com/b", "text": "b"}]


def test_of_merged_items_that_say_more_the_whole_is_offloaded() -> None:
    rows = [{"url": "u", "text": LONG}, {"url": "u", "text": "other", "score": 1}]
    keep = Kept()
    first, more = json.loads(compact_results([json.dumps(rows)], 300, count, offload=keep)[0])
    assert first["text"] == "other" and "mem://" in more["more"] and keep.texts == [json.dumps(rows)]


def test_an_id_is_the_same_thing_only_among_things_of_the_same_fields() -> None:
    rows = [{"id": 1, "name": LONG}, {"id": 1, "price": 3}, {"id": 1, "name": LONG}]
    made = json.loads(compact_results([json.dumps(rows)], 600, count)[0])
    assert made == rows[:2]


def test_an_object_keeps_what_stands_around_its_list() -> None:
    text = json.dumps({"query": "q", "results": hits(1, 2), "more": "taken"})
    made = json.loads(compact_results([text], 500, count, offload=Kept())[0])
    assert made["query"] == "q" and made["more"] == "taken" and "mem://" in made["more_"]


def test_lines_stay_lines_and_text_stays_text() -> None:
    lines = "\n".join(map(json.dumps, hits(1, 2)))
    text = f"first {LONG}\n\nsecond {LONG}"
    made_lines, made_text = compact_results([lines, text], 900, count, offload=Kept())
    assert [sorted(json.loads(line)) for line in made_lines.splitlines()][-1] == ["more"]
    assert made_text.startswith("first") and "second" in made_text and "mem://" in made_text.split("\n\n")[-1]


def test_a_small_result_beside_a_large_one_stays_as_it_is() -> None:
    small, large = compact_results(['{"ok": true}', json.dumps(hits(1, 2, 3))], 700, count, offload=Kept())
    assert small == '{"ok": true}' and count(large) < 700


def test_without_a_place_to_offload_a_result_says_that_there_was_more() -> None:
    (made,) = compact_results([json.dumps(hits(*range(200)))], 600, count)
    assert "left out" in json.loads(made)[-1]["more"]


def test_what_offloading_raises_is_raised() -> None:
    def full(text: str) -> str:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        compact_results([LONG], 10, count, offload=full)


def test_an_item_of_many_numbers_becomes_its_beginning() -> None:
    value = {f"field{number}": number for number in range(100)}
    made = shortened(value, "single", 50, count)
    assert isinstance(made, str) and made.startswith('{"field0": 0') and size_of(made, "single", count) <= 50


def test_what_stands_around_an_empty_list_is_shortened_too() -> None:
    text = json.dumps({"note": "a note of some words " * 18, "items": []})
    made = compact_results([text], 50, count, offload=Kept())
    assert total(made) <= 50
    assert "more" in json.loads(made[0])


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=200),
    lambda inner: (
        st.lists(inner, max_size=8)
        | st.dictionaries(
            st.sampled_from(["id", "url", "text", "score", "rank", "items", "more", "x"]), inner, max_size=6
        )
    ),
    max_leaves=40,
)
RESULTS = st.one_of(
    VALUES.map(json.dumps),
    st.lists(VALUES, max_size=30).map(json.dumps),
    st.lists(VALUES, min_size=2, max_size=10).map(lambda values: "\n".join(map(json.dumps, values))),
    st.text(alphabet='ab \n{}[]",:1\u00e9\ud800', max_size=2_000),
)


@given(st.lists(RESULTS, max_size=5), st.integers(0, 2_000), st.integers(1, 400), st.booleans())
def test_any_results_come_to_the_budget_and_json_stays_json(
    texts: list[str], budget: int, floor: int, is_offloaded: bool
) -> None:
    keep = Kept()
    made = compact_results(texts, budget, count, floor_tokens=floor, offload=keep if is_offloaded else None)
    assert len(made) == len(texts)
    assert total(made) <= max(budget, sum(min(count(text), NAMES_MAX) for text in texts))
    assert len(keep.texts) <= len(texts)
    for before, after in zip(texts, made, strict=True):
        if parse(before).form in ("list", "object", "single"):
            json.loads(after)
