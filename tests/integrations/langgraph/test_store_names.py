"""Any namespace and key is a key of a Backpack."""

from hypothesis import given
from hypothesis import strategies as st

from backpack.integrations.langgraph.store_names import (
    EXPIRY,
    ITEMS,
    VECTORS,
    key_in,
    name_of,
    namespace_in,
    prefix_of,
    shelf_in,
    shelf_of,
)
from backpack.store.names import checked_key

ANY = st.text(st.characters(exclude_categories=[]), max_size=30)
LABELS = ANY | st.sampled_from(["", ".", ":", ":a", "a:", "*", "**", "%", "%~", "%-", "%2E", "\U0010ffff", "x" * 700])
NAMESPACES = st.lists(LABELS, max_size=6).map(tuple)
KEYS = LABELS | st.sampled_from(["y" * 2_000, "é" * 400])


def test_names_are_readable() -> None:
    assert ITEMS + name_of(shelf_of(("users", "123")), "prefs.v1") == "langgraph.store.item.users.123.:prefs.v1"
    assert name_of(shelf_of(("größe", "a b")), "*/ü") == "größe.a b.:%2A/ü"
    assert name_of(shelf_of(("a.b", ":c")), "") == "a%2Eb.%3Ac.:"


@given(NAMESPACES, KEYS)
def test_a_name_is_a_valid_key_and_gives_back_what_it_was_made_of(namespace: tuple[str, ...], key: str) -> None:
    shelf = shelf_of(namespace)
    name = name_of(shelf, key)
    for kind in (ITEMS, VECTORS, EXPIRY):
        assert checked_key(kind + name) == kind + name
        assert not any(segment in ("*", "**") for segment in (kind + name).split("."))
    assert shelf_in(name) == shelf
    assert namespace_in(shelf) in (namespace, None)
    assert key_in(name, shelf) in (key, None)
    if sum(map(len, namespace)) < 40 and len(key) < 60:
        assert namespace_in(shelf) == namespace and key_in(name, shelf) == key


@given(NAMESPACES, NAMESPACES, KEYS, KEYS)
def test_different_names_stay_different(one: tuple[str, ...], other: tuple[str, ...], key: str, another: str) -> None:
    is_same = (one, key) == (other, another)
    assert (name_of(shelf_of(one), key) == name_of(shelf_of(other), another)) is is_same


@given(NAMESPACES, NAMESPACES)
def test_what_is_below_a_namespace_begins_with_its_prefix(above: tuple[str, ...], rest: tuple[str, ...]) -> None:
    assert shelf_of(above + rest).startswith(prefix_of(above))


@given(st.lists(ANY, max_size=3).map(tuple), st.lists(ANY, max_size=3).map(tuple))
def test_nothing_else_does_where_names_are_short(above: tuple[str, ...], other: tuple[str, ...]) -> None:
    if prefix_of(above) == shelf_of(above) and shelf_of(other).startswith(prefix_of(above)):
        assert other[: len(above)] == above
