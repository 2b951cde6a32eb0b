"""Any value as JSON and as lines that are safe for a terminal."""

import json
from datetime import date, datetime, time

from hypothesis import given
from hypothesis import strategies as st

from backpack.terminal.values import as_json, flow, json_text, value_lines

ATOMS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON_VALUES = st.recursive(
    ATOMS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=10
)
KEYS = st.text() | st.integers() | st.binary() | st.tuples(st.integers())
VALUES = st.recursive(
    ATOMS | st.floats() | st.binary() | st.complex_numbers() | st.dates() | st.times() | st.decimals(),
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=10,
)


def test_a_value_in_one_line_has_all_that_is_in_it() -> None:
    value = {"question": "book?", "hotels": [{"name": "Bella", "nights": (1, None)}], "at": date(2026, 1, 2)}
    assert flow(value) == '{question: "book?", hotels: [{name: "Bella", nights: [1, null]}], at: "2026-01-02"}'
    assert flow("a\nb") == '"a\\nb"' and flow([]) == "[]" and flow({}) == "{}"


@given(JSON_VALUES)
def test_what_json_has_is_exact(value: object) -> None:
    assert as_json(value) == (value, True)
    assert json.loads(json_text(value)) == value


@given(VALUES)
def test_every_value_has_json_and_lines_that_a_terminal_takes_as_text(value: object) -> None:
    plain, is_exact = as_json(value)
    text = json_text(plain)
    assert text.isascii() and text.isprintable()
    assert all(line.isprintable() for line in value_lines(value))
    if is_exact:
        assert json.loads(text) == value


def test_what_json_lacks_is_not_exact() -> None:
    for value in ((), {1}, {1: 2}, b"", 1j, float("nan"), date(2026, 1, 1), time(1), datetime(2026, 1, 1), 10**5000):
        assert not as_json(value)[1]
        assert not as_json([value])[1]
        assert not as_json({"k": value})[1]


def test_a_text_keeps_its_lines() -> None:
    assert value_lines("a\nb\r\n\tc\rd\n") == ["a", "b", "        c\\rd", ""]
    assert value_lines({"a": ["\x1b"]}) == ["{", '  "a": [', '    "\\u001b"', "  ]", "}"]
