"""Values share what their strand has, and come back byte for byte."""

import random
from typing import Any

import ormsgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpack.integrations.langgraph.records import Typed, Value
from backpack.integrations.langgraph.sharing import PARTS_MAX, Misses, joined, parts_of, share, size_of
from backpack.integrations.langgraph.strand import Strand


class Channel:
    """One channel of a thread, as values and writes come in."""

    def __init__(self) -> None:
        self.strand = Strand()
        self.misses = Misses()
        self.far: dict[int, bytes] = {}
        self.added = 0

    def take(self, typed: Typed, old: Value | None = None, near: tuple[Value, ...] = ()) -> Value:
        value, added = share(typed, old, near, self.strand, 0, self.far.__getitem__, self.misses)
        if len(added) >= 4_096:
            number = len(self.far)
            self.far[number] = added
            self.strand.add_far(number, len(added))
        elif added:
            self.strand.add(added)
        self.added += len(added)
        assert joined(value, self.strand, self.far.__getitem__) == typed[1] and size_of(value) == len(typed[1])
        assert value[0] == typed[0] and len(parts_of(value)) <= PARTS_MAX
        return value


def packed(value: Any) -> Typed:
    return "msgpack", ormsgpack.packb(value)


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["append", "extend", "front", "edit", "replace", "branch", "write", "same"]),
        st.integers(0, 2**32),
    ),
    max_size=40,
)


@given(CHANGES)
def test_every_value_comes_back_whatever_was_done_to_the_list(changes: list[tuple[str, int]]) -> None:
    channel = Channel()
    items: list[Any] = []
    versions: list[tuple[list[Any], Value]] = []
    old: Value | None = None
    for what, seed in changes:
        chance = random.Random(seed)
        near: tuple[Value, ...] = ()
        new = {"role": "user", "text": chance.randbytes(chance.choice([1, 60, 400, 5_000])).hex()}
        if what == "append":
            items = [*items, new]
        elif what == "extend":
            items = [*items, *([new] * chance.randrange(40))]
        elif what == "front":
            items = items[chance.randrange(3) :]
        elif what == "edit" and items:
            at = chance.randrange(len(items))
            items = [*items[:at], new, *items[at + 1 :]]
        elif what == "replace":
            items = [new]
        elif what == "branch" and versions:
            items, old = chance.choice(versions)
        elif what == "write":
            writes = [[{**new, "number": number}] for number in range(chance.randrange(4))]
            taken = [channel.take(packed(one)) for one in writes]
            near = tuple(chance.sample(taken, len(taken)))
            items = [*items, *(one for write in chance.sample(writes, len(writes)) for one in write)]
        old = channel.take(packed(items), old, near)
        versions.append((items, old))
    for items, value in versions:
        assert ormsgpack.unpackb(joined(value, channel.strand, channel.far.__getitem__)) == items


def test_a_list_that_grows_costs_what_is_added_whatever_its_header() -> None:
    channel, items, old = Channel(), [], None
    for number in range(70_000 // 7):
        items += [number] * 7  # past 15 and 65,535 items the header gets longer
        if number % 100 == 0 or len(items) in (14, 21):
            old = channel.take(packed(items), old)
    assert channel.added <= len(packed(items)[1]) + 64 and len(parts_of(old or [])) <= 3


def test_a_list_within_an_extension_type_grows_too() -> None:
    channel, old = Channel(), None
    for count in range(1, 300):
        inner = ormsgpack.packb([f"item {number} " * 5 for number in range(count)])
        old = channel.take(("msgpack", ormsgpack.packb(ormsgpack.Ext(7, inner))), old)
    assert channel.added <= len(inner) + 64


def test_what_a_step_has_written_is_not_stored_again_in_any_order() -> None:
    channel, items, old = Channel(), [], None
    chance = random.Random(1)
    total = 0
    for step in range(200):
        writes = [[f"{step} {number} " * 40] for number in range(2)]
        taken = [channel.take(packed(one)) for one in writes]
        total += sum(len(packed(one)[1]) for one in writes)
        order = chance.sample([0, 1], 2)
        items += [writes[one][0] for one in order]
        old = channel.take(packed(items), old, tuple(taken[one] for one in order))
    assert channel.added <= 2.5 * total  # a half of them in the other order: many parts, merged now and then
    assert all(len(parts_of(one)) <= PARTS_MAX for one in [old or []])


def test_steps_that_write_in_order_share_one_run() -> None:
    channel, items, old = Channel(), [], None
    for step in range(200):
        write = [f"{step} " * 100]
        taken = channel.take(packed(write))
        items += write
        old = channel.take(packed(items), old, (taken,))
    assert old is not None and len(parts_of(old)) == 2
    assert channel.added <= len(packed(items)[1]) + 64


def test_a_long_text_that_is_edited_costs_the_edit() -> None:
    channel, old = Channel(), None
    chance = random.Random(2)
    text = "".join(chance.choices("abcdefghij klmnop", k=100_000))
    for _ in range(50):
        at = chance.randrange(len(text))
        text = text[:at] + "an edit here" + text[at + 5 :]
        old = channel.take(packed(text), old)
    assert channel.added < 100_000 + 50 * 2_500


def test_bytes_that_never_look_alike_are_looked_at_ever_more_rarely() -> None:
    channel, old = Channel(), None
    chance = random.Random(3)
    for _ in range(100):
        old = channel.take(("msgpack+aes", chance.randbytes(5_000)), old)
    assert channel.misses.count == 6 and channel.added > 499_000


@pytest.mark.parametrize("text", ["a long text " * 2_000, b"long bytes " * 20_000])
@pytest.mark.parametrize("around", [0, 100, 600])
def test_a_long_text_of_an_input_is_added_as_its_own_channel_adds_it(text: str | bytes, around: int) -> None:
    start, own = Channel(), Channel()
    whole = start.take(packed({"messages": [], "note": "n" * around, "document": text, "turn": 0}))
    own.take(packed(text))
    assert (start.far == own.far) is (around < 500)
    assert start.take(packed({"messages": [], "note": "", "document": text, "turn": 1}), whole)
    assert start.added <= len(text) + 700


@given(st.integers(0, 2**32), st.binary(max_size=600), st.integers(19_000, 21_000), st.binary(max_size=600))
def test_bytes_that_look_like_a_mapping_with_a_text_come_back(seed: int, before: bytes, size: int, rest: bytes) -> None:
    text = random.Random(seed).randbytes(20_000)
    for header in (b"\xdb" + size.to_bytes(4), b"\xda" + size.to_bytes(2), b"\xc6" + size.to_bytes(3)):
        Channel().take(("another", b"\x81" + before + header + text + rest))
