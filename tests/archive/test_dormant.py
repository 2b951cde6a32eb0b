"""Keys that sleep are told as a model of them says."""

from hypothesis import given
from hypothesis import strategies as st

from backpack.archive.dormant import Dormant, Newest
from backpack.archive.frames import KINDS
from backpack.archive.keyframe import Keyframe

_NAMES = st.text("abc", min_size=1, max_size=3)
_NEWEST = st.builds(Newest, st.just(2), st.sampled_from(KINDS), st.just(2), st.integers(0, 99), st.booleans())


@given(st.dictionaries(_NAMES, _NEWEST), st.dictionaries(_NAMES, _NEWEST), st.lists(_NAMES))
def test_keys_and_sizes_are_those_of_the_columns_and_of_what_changed_since(
    old: dict[str, Newest], later: dict[str, Newest], woken: list[str]
) -> None:
    names = sorted(old)
    columns = Keyframe(
        names,
        [old[name].seq for name in names],
        [old[name].version for name in names],
        bytes(KINDS.index(old[name].kind) for name in names),
        [old[name].size for name in names],
        [int(old[name].is_large) for name in names],
        bytes(len(names)),
    )
    dormant = Dormant(columns, later)
    there = {**old, **later}
    assert dormant.live_bytes == sum(newest.size for newest in there.values())
    assert dormant.large_count == sum(newest.is_large for newest in there.values())
    for name in woken:
        assert dormant.take(name) == there.pop(name, None) and dormant.peek(name) is None
    for kinds in (frozenset({"pack", "release"}), frozenset({"pack", "release", "quarantine"}), frozenset({"delete"})):
        assert dormant.names(kinds) == sorted(name for name, newest in there.items() if newest.kind in kinds)
    assert dict(dormant.kinds()) == {name: newest.kind for name, newest in there.items()}


def test_a_key_that_is_added_twice_counts_once() -> None:
    dormant = Dormant(None, {})
    for _ in range(2):
        dormant.add("page", Newest(1, "pack", 1, 2_000, True))
    assert (dormant.live_bytes, dormant.large_count) == (sum(dormant.sizes()), 1)
