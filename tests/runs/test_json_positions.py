"""The line of a value inside a JSON text."""

import json

from hypothesis import given
from hypothesis import strategies as st

from backpack.runs.positions import deeper_than, line_at, position_of, repeated_name, walk

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES, st.sampled_from([None, 0, 2]))
def test_the_value_at_every_path_begins_where_the_walk_says(value: object, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    for kind, path, position in walk(text):
        found = value
        for step in path if kind != "name" else path[:-1]:
            found = found[step]  # type: ignore[index]
        begun, _ = json.JSONDecoder().raw_decode(text, position)
        assert begun == (path[-1] if kind == "name" else found)


def test_the_line_of_a_path_is_the_line_it_stands_on() -> None:
    text = '{"a": [1,\n {"b":\n  2}],\n "c": {"a": 3}}'
    lines = {path: line_at(text, position_of(text, path)) for path in [(), ("a",), ("a", 1), ("a", 1, "b"), ("c", "a")]}
    assert lines == {(): 1, ("a",): 1, ("a", 1): 2, ("a", 1, "b"): 3, ("c", "a"): 4}


def test_a_path_that_is_not_there_is_at_the_start() -> None:
    assert position_of("  [1]", ("x",), 2) == 2


def test_the_place_of_too_deep_nesting_is_found() -> None:
    assert deeper_than("[[1],\n[[[2]]]]", 3) == 8
    assert deeper_than("[[1]]", 2) == 0


def test_a_repeated_name_is_found_in_its_own_object_only() -> None:
    text = '[{"a": {"a": 1}}, {"a": 1,\n"b": 2, "\\u0061": 3}]'
    assert repeated_name(text) == text.index('"\\u0061"')
    assert repeated_name('{"a": {"a": 1}, "b": [{"a": 2}]}') == 0


def test_a_walk_over_no_json_ends() -> None:
    for text in ("]", "}", ",", "{1: 2}", '{"a" "b"', "", "[", '"open', ":::", "[,]", '{"\\x": 1}'):
        assert isinstance(list(walk(text)), list)
