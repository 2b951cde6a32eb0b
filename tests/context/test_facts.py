"""Facts are told from other words by how they are written."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpack.context.facts import KINDS, WORD_SIZE_MAX, facts_in


def found(text: str) -> dict[str, list[str]]:
    kinds: dict[str, list[str]] = {}
    for kind, fact in facts_in(text):
        kinds.setdefault(kind, []).append(fact)
    return kinds


@pytest.mark.parametrize(
    ("text", "kind", "fact"),
    [
        ("Book HAT069, please.", "codes", "HAT069"),
        ("(3FRNFB)", "codes", "3FRNFB"),
        ("my id is mia_li_3668.", "ids", "mia_li_3668"),
        ("see #4711!", "ids", "#4711"),
        ("upgrade to 1.2.10", "ids", "1.2.10"),
        ("ticket PR-12", "ids", "PR-12"),
        ("it costs $1,008.50.", "amounts", "$1,008.50"),
        ("12.5% less", "amounts", "12.5%"),
        ("of 1,234,567 rows", "amounts", "1,234,567"),
        ('{"price": 141}', "numbers", "141"),
        ("on 2024-05-20.", "dates", "2024-05-20"),
        ("at 2024-05-11T01:11:41", "dates", "2024-05-11T01:11:41"),
        ("by 20/05/2024", "dates", "20/05/2024"),
        ("on May 20th, please", "dates", "May 20th"),
        ("on May 13, 2024.", "dates", "May 13, 2024"),
        ("on 3 March 2025", "dates", "3 March 2025"),
        ("at 16:30", "times", "16:30"),
        ("after 11:05:00", "times", "11:05"),
        ("around 3pm", "times", "3pm"),
        ("write to a.b+c@example.com.", "emails", "a.b+c@example.com"),
        ("<https://example.com/a?b=1&c=2>", "urls", "https://example.com/a?b=1&c=2"),
        ("in src/app/main.py:", "paths", "src/app/main.py"),
        ("open ./run.sh", "paths", "./run.sh"),
        ("edit setup.cfg", "paths", "setup.cfg"),
        ("commit 3f9ad21c", "hashes", "3f9ad21c"),
        ("from JFK", "names", "JFK"),
        ("retries=25", "numbers", "25"),
    ],
)
def test_a_fact_is_of_its_kind(text: str, kind: str, fact: str) -> None:
    assert found(text) == {kind: [fact]}


@pytest.mark.parametrize(
    "text",
    ["", "Plain words and/or more.", "the 20th", "5", "e.g. this", '{"user_name": null}', "mem://x", "a_", "don't"],
)
def test_other_words_are_none(text: str) -> None:
    assert found(text) == {}


@given(st.text(alphabet='aA1.,:/-_@$% #=\n"May20th\u00e9\u4e2d'))
def test_any_text_has_facts_of_known_kinds_that_stand_in_it(text: str) -> None:
    for kind, fact in facts_in(text):
        assert kind in KINDS and 1 < len(fact) <= WORD_SIZE_MAX
        assert kind == "times" or fact in text


@pytest.mark.parametrize(
    "part", ["a", "1,000,", "a@", "/a", "May ", ".", "$1,", "1:11", "_", "a.", '"\\u', "=", "A1-", "\u4e2d", "12 "]
)
def test_a_hostile_text_of_a_megabyte_takes_no_long_time(part: str) -> None:
    text = part * (1_000_000 // len(part))
    began = time.process_time()
    assert sum(1 for _ in facts_in(text)) >= 0
    assert time.process_time() - began < 5
