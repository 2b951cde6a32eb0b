"""The beginning of a JSON object, closed: it is JSON, begins as the whole did, and is the same when cut again."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpack.memory.arguments import cut_arguments
from backpack.memory.markers import find, is_json_object, restores, shorten

ID = "mem-20261121-151102-0af31c77"
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
_objects = st.dictionaries(st.text(max_size=8), _values, max_size=5)


@given(_objects, st.integers(0, 200), st.booleans(), st.sampled_from((None, 1)))
def test_every_beginning_is_json_and_proves_itself(
    value: dict[str, Any], size: int, is_ascii: bool, indent: int | None
) -> None:
    text = json.dumps(value, ensure_ascii=is_ascii, indent=indent)
    for preview in {size, min(size, len(text))}:
        shortened = shorten(text, preview, ID, is_arguments=True)
        assert isinstance(shortened, str)
        marker = find(shortened)
        assert marker is not None and marker.id == ID
        assert restores(shortened, marker, text)
        assert not restores(shortened, marker, text + " ")
        if marker.is_arguments:
            assert isinstance(json.loads(shortened), dict)
            kept = len(text) - marker.left_out
            assert kept <= preview and shortened[:kept] == text[:kept]
        else:
            assert cut_arguments(text, preview) is None


@pytest.mark.parametrize(
    ("text", "size", "expected"),
    [
        ('{"code": "import os"}', 14, '{"code": "impo\\n[M]"}'),
        ('{"code": "import os"}', 4, '{"co\\n[M]": null}'),
        ('{"code": "import os"}', 1, '{"...": "[M]"}'),
        ('{"code": "import os"}', 7, '{"code": "[M]"}'),
        ('{"code": "import os"}', 8, '{"code":"[M]"}'),
        ('{"rows": [1, 2, 345]}', 18, '{"rows": [1, 2, "[M]"]}'),
        ('{"rows": [1, 2, 345]}', 10, '{"rows": ["[M]"]}'),
        ('{"rows": [[1], true]}', 13, '{"rows": [[1], "[M]"]}'),
        ('{"a": {"b": 1}, "c": 2}', 14, '{"a": {"b": 1}, "...": "[M]"}'),
        ('{"a": "\\u00e9t"}', 10, '{"a": "\\n[M]"}'),
        ('{"a": "\\\\u00e9"}', 10, '{"a": "\\\\u\\n[M]"}'),
        ('{"a": "x\\ud83d\\ude00"}', 14, '{"a": "x\\n[M]"}'),
        ('{"a": "x\\ud83d\\ude00y"}', 20, '{"a": "x\\ud83d\\ude00\\n[M]"}'),
        ('{"a": "x\\ud83dyz"}', 15, '{"a": "x\\ud83dy\\n[M]"}'),
    ],
)
def test_the_cut_is_where_a_marker_can_stand(text: str, size: int, expected: str) -> None:
    cut = cut_arguments(text, size)
    assert cut is not None
    shown = text[: cut.size] + cut.before + "[M]" + cut.behind
    assert shown.replace(" ", "") == expected.replace(" ", "")
    json.loads(shown)


def test_arguments_that_are_over_have_no_cut() -> None:
    assert cut_arguments('{"a": 1}   ', 10) is None


def test_only_an_object_is_arguments() -> None:
    assert is_json_object(' {"a": 1}')
    for text in ("[1]", '{"a": 1', "{}x", '"{}"', "", '{"a":' * 100_000):
        assert not is_json_object(text)
