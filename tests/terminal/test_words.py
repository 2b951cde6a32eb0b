"""Values and sizes in few characters, and tables that fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpack.demo.editing import edited
from backpack.terminal.tables import table
from backpack.terminal.words import bytes_of, columns_of, count_of, cut, printable, shown, size_shown

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(VALUES, st.integers(3, 60))
def test_any_value_is_shown_in_one_printable_line_that_fits(value: object, width: int) -> None:
    line = shown(value, width)
    assert line.isprintable()
    assert columns_of(line) <= width


@given(st.text())
def test_printable_text_is_printable_and_keeps_what_was(text: str) -> None:
    assert printable(text).isprintable()
    assert printable(printable(text)) == printable(text)


def test_what_a_terminal_would_obey_is_escaped() -> None:
    assert printable("\x1b[31m\r\n\u202e\ud800") == "\\x1b[31m\\r\\n\\u202e\\ud800"


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1),
        ("65536", 65_536),
        ("64KiB", 65_536),
        ("64k", 65_536),
        (" 1.5 MiB ", 1_572_864),
        ("2G", 2**31),
        ("7 B", 7),
    ],
)
def test_a_size_may_be_written_in_many_ways(text: str, size: int) -> None:
    assert bytes_of(text) == size


@pytest.mark.parametrize("text", ["", "0", "0.1", "-1", "1e9", "x", "1KB", "NaN", "1 k b", "inf"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="size"):
        bytes_of(text)


def test_sizes_and_counts_read_well() -> None:
    assert [size_shown(size) for size in (0, 1_023, 1_024, 1_600, 2**20, 3 * 2**29)] == [
        "0 B",
        "1023 B",
        "1.0 KiB",
        "1.6 KiB",
        "1.0 MiB",
        "1,536.0 MiB",
    ]
    assert (count_of(1, "commit"), count_of(2_658, "commit")) == ("1 commit", "2,658 commits")


@given(st.text(), st.integers(3, 30))
def test_a_cut_text_fits(text: str, width: int) -> None:
    assert columns_of(cut(text, width)) <= width


@given(st.lists(st.tuples(st.integers(0, 99_999), st.text(max_size=90), st.text(max_size=90)), max_size=6))
def test_a_table_is_aligned_and_fits(rows: list[tuple[int, str, str]]) -> None:
    cells = [(str(number), printable(one), printable(two)) for number, one, two in rows]
    lines = table(("number", "one", "two"), cells, 80, right="number", firm="one")
    assert len(lines) == len(rows) + 2
    assert all(columns_of(line) <= 80 for line in lines)
    for line, (number, *_) in zip(lines[2:], cells, strict=True):
        assert line.startswith(number.rjust(len("number")))


@given(VALUES)
def test_an_edit_changes_a_copy_at_one_place(value: object) -> None:
    before = repr(value)
    changed, path, _, _ = edited(value)
    assert repr(value) == before
    assert path
    if isinstance(value, str | list | dict) and "inf" not in before and "e+" not in before:
        assert repr(changed) != before
