"""An engine made of the fields of another is the same engine, and fields that don't fit together make none."""

import random
from array import array
from typing import Any

import pytest

from backpack import Backpack, CorruptionError
from backpack.core.authors import Author
from backpack.core.chain import Chain, Entry, Mark, Purged
from backpack.core.describing import describe
from backpack.core.engine import Engine
from backpack.core.fields import Fields
from backpack.core.freezing import freeze
from backpack.core.ids import Epoch
from backpack.core.limits import Limits
from backpack.core.payload import Buffer, Content, LargeRef, Pieces, join
from backpack.core.rebuilding import EPOCHS_MAX, rebuild

NONSENSE = (CorruptionError, AssertionError, IndexError, KeyError, OverflowError, TypeError, ValueError)
"""What `rebuild` and `check` may raise on fields that are not those of an engine."""


def fields_of(bp: Backpack) -> tuple[Fields, list[bytes]]:
    fields, data = describe(freeze(bp._engine, bp._last_ns))
    return fields, list(data)


def copied(bp: Backpack) -> Engine:
    fields, data = fields_of(bp)
    engine, last_ns = rebuild(fields, data, b"s" * 16)
    engine.check()
    assert last_ns == bp._last_ns
    return engine


def said(chain: Chain, entry: Entry | None) -> Any:
    """An entry as something that can be compared."""
    if isinstance(entry, Purged):
        return ("purged", entry.kind, entry.size, entry.setter)
    if isinstance(entry, Mark):
        return (entry.kind, entry.reason, entry.setter, said(chain, entry.form))
    if isinstance(entry, LargeRef):
        return ("large", entry.size)
    return None if entry is None else join(entry)


def assert_same(one: Engine, two: Engine) -> None:
    assert list(one.chains) == list(two.chains)
    assert one.retired == two.retired
    assert one.retired_seqs == two.retired_seqs
    assert (one.names, one.visible, one.limits) == (two.names, two.visible, two.limits)
    assert (one.pins.checkpoints, one.pins.checkpoint_counts) == (two.pins.checkpoints, two.pins.checkpoint_counts)
    assert (one.pruned, one.entry_count) == (two.pruned, two.entry_count)
    for key, chain in one.chains.items():
        twin = two.chains[key]
        assert (chain.version, chain.is_settled, chain.former) == (twin.version, twin.is_settled, twin.former)
        kept = [index for index, entry in enumerate(chain.columns[1]) if entry is not None]
        assert [chain.columns[0][index] for index in kept] == list(twin.columns[0])
        assert [chain.version_of(index) for index in kept] == [twin.version_of(i) for i in range(len(kept))]
        assert [said(chain, chain.columns[1][i]) for i in kept] == [said(twin, entry) for entry in twin.columns[1]]
        assert content_bytes(chain.content) == content_bytes(twin.content)
    mine, theirs = one.timeline, two.timeline
    assert (mine.head, mine.first, mine.gone, mine.front_time) == (
        theirs.head,
        theirs.first,
        theirs.gone,
        theirs.front_time,
    )
    assert list(mine.seqs()) == list(theirs.seqs())
    for seq in mine.seqs():
        assert mine.facts(seq)[:2] == theirs.facts(seq)[:2]
        assert [chain.key for chain in mine.changed(seq)] == [chain.key for chain in theirs.changed(seq)]
        assert mine.hits_of(seq) == theirs.hits_of(seq)
        assert one.epoch.id_of(seq) == two.epoch.id_of(seq)
        time = mine.facts(seq)[0]
        assert mine.last_at(time) == theirs.last_at(time)
        assert mine.last_at(time - 1) == theirs.last_at(time - 1)
    assert mine.gaps.keys() == theirs.gaps.keys()
    for seq, gap in mine.gaps.items():
        assert gap.first_time == theirs.gaps[seq].first_time
        carried = {chain.key for chain in gap.carried if one.chains.get(chain.key) is chain}
        assert carried == {chain.key for chain in theirs.gaps[seq].carried}
    assert {seq: facts_of(author) for seq, author in one.authors.items()} == {
        seq: facts_of(author) for seq, author in two.authors.items()
    }


def content_bytes(content: Content | None) -> bytes | None:
    return None if content is None else join(content)


def facts_of(author: Any) -> Any:
    return (author.time_ns, author.label, author.changes, author.entries) if isinstance(author, Author) else author


def busy(seed: int, steps: int = 120) -> Backpack:
    """A store that has been through everything, more or less."""
    chance = random.Random(seed)
    bp = Backpack(
        max_value_size=400,
        max_history_size=chance.choice([1_500, 6_000, 10**6]),
        prune_strategy=chance.choice(["oldest", "least-accessed"]),
    )
    keys = ["a", "b", "n.a", "n.b", "n.b.c"]
    opened: list[Any] = []
    for step in range(steps):
        key, node = chance.choice(keys), chance.choice([None, "x", "y"])
        match chance.randrange(14):
            case 0 | 1:
                bp.pack(key, chance.choice([None, 1, [], {}, "word", step, "L" * 500]), node=node, tags=("t",))
            case 2 | 3 | 4:
                bp[key] = bp[key] if type(bp.peek(key)) is list else ["item"]
                bp.append(key, {"step": step, "text": "x" * chance.randrange(60)}, node=node)
            case 5:
                text = bp.peek(key)
                bp.pack(key, f"{text[:700]}{step}" if type(text) is str else "begin " * 300)
            case 6:
                text = bp.peek(key)
                if type(text) is str:
                    at = chance.randrange(len(text) + 1)
                    bp.pack(key, text[:at] + "edit" + text[at + 2 :])
            case 7 if key in bp:
                bp.delete(key)
            case 8 if key in bp:
                bp.quarantine(key, reason="doubt")
            case 9 if key in bp.quarantined():
                bp.release(key)
            case 10:
                bp.update({key: step, "b": "same", "z": [step]}, message="several")
            case 11 if bp.head is not None and f"c{step % 7}" not in bp._engine.pins.checkpoints:
                bp.checkpoint(f"c{step % 7}", notes="kept")
            case 12 if bp.head is not None:
                opened.append(bp.snapshot())
                dict(bp.select("**"))
            case 13 if chance.random() < 0.2:
                bp.purge(chance.choice(["a", "n.*", "n.**"]))
            case _:
                opened[:2] = []
                bp.prune()
    return bp


@pytest.mark.parametrize("seed", range(40))
def test_a_copy_says_the_same_of_everything(seed: int) -> None:
    bp = busy(seed)
    assert_same(bp._engine, copied(bp))


@pytest.mark.parametrize("seed", range(10))
def test_a_copy_of_a_copy_and_of_a_fork_is_the_same(seed: int) -> None:
    bp = busy(seed).fork()
    engine = copied(bp)
    assert_same(bp._engine, engine)
    assert_same(engine, copied(Backpack._from_engine(engine, bp._last_ns)))


@pytest.mark.parametrize("seed", range(10))
def test_a_copy_goes_on_as_the_original_would(seed: int) -> None:
    bp = busy(seed)
    other = Backpack._from_engine(copied(bp), bp._last_ns)
    for number in range(60):
        for store in (bp, other):
            store.append("list", "item" * number)
            store.pack("a", f"text {number} " * 30)
            store._check()
    assert dict(bp) == dict(other)
    assert [bp.version(key) for key in "ab"] == [other.version(key) for key in "ab"]


def test_commits_in_several_blocks_come_back() -> None:
    bp = Backpack(max_commits=700)
    for number in range(6_000):
        if number % 900 == 0 and number:
            bp.checkpoint(f"c{number}")
        bp.pack(f"k{number % 7}", number, node=f"n{number % 3}")
    engine = copied(bp)
    assert len(engine.timeline.blocks) == len(bp._engine.timeline.blocks) > 5
    assert_same(bp._engine, engine)


@pytest.mark.parametrize("count", [1_022, 1_023, 1_024, 1_025])
def test_the_end_of_a_block_may_be_the_head(count: int) -> None:
    bp = Backpack()
    for number in range(count):
        bp.pack("a", number)
    other = Backpack._from_engine(copied(bp), bp._last_ns)
    for number in range(3):
        assert other.pack("a", number).seq == count + number + 1
        other._check()


def test_versions_of_a_list_that_grew_take_what_the_last_one_takes() -> None:
    bp = Backpack()
    for number in range(1_000):
        bp.append("log", {"number": number, "text": "some words of a message"})
    fields, data = fields_of(bp)
    assert sum(map(len, data)) < 1.1 * bp.item("log").size
    assert len(fields["layout_cuts"]) < 50 * 24
    engine = copied(bp)
    assert len({id(form.cuts) for form in engine.chains["log"].columns[1] if isinstance(form, Pieces)}) < 50


def test_equal_values_stand_once() -> None:
    bp = Backpack({f"k{number}": "the same text" * 50 for number in range(20)})
    _, data = fields_of(bp)
    assert len(data) == 1


def test_a_large_value_of_the_past_is_readable_when_something_that_goes_along_shares_it() -> None:
    bp = Backpack(max_value_size=200)
    bp.pack("log", ["m" * 50] * 10)
    for number in range(5):
        bp.append("log", number)
    bp.pack("lost", "one" * 100)
    opened = bp.snapshot()
    bp.pack("lost", "two" * 100)
    assert opened["lost"] == "one" * 100
    other = Backpack._from_engine(copied(bp), bp._last_ns)
    assert other.snapshot(2)["log"] == ["m" * 50] * 10 + [0]
    assert other.snapshot(opened.seq).unpack("lost").reason == "dropped"
    assert other["lost"] == "two" * 100
    other.delete("log")
    assert other.snapshot(2).unpack("log").reason == "dropped"


def test_an_image_does_not_see_what_comes_after_it() -> None:
    bp = Backpack({"log": ["first"] * 20})
    bp.append("log", "second")
    image = freeze(bp._engine, bp._last_ns)
    bp.append("log", "third")
    bp.purge("log")
    fields, data = describe(image)
    parts = list(data)
    assert not any(b"third" in part for part in parts)
    other = Backpack._from_engine(rebuild(fields, parts, b"s" * 16)[0], 0)
    assert other["log"] == ["first"] * 20 + ["second"]


def test_buffers_go_along_as_far_as_they_are_used() -> None:
    bp = Backpack({"log": ["first"] * 20})
    bp.append("log", "second")
    form = bp._engine.chains["log"].columns[1][-1]
    assert isinstance(form, Pieces)
    buffer = form.sources[-1]
    assert isinstance(buffer, Buffer)
    buffer.extend(b"refused in the end")
    assert not any(b"refused" in part for part in fields_of(bp)[1])


def test_data_may_be_cut_anywhere() -> None:
    bp = busy(3)
    fields, data = fields_of(bp)
    whole = b"".join(data)
    for size in (1, 7, 1_000, len(whole)):
        engine, _ = rebuild(fields, [whole[at : at + size] for at in range(0, len(whole), size)], b"s" * 16)
        assert_same(bp._engine, engine)


def test_epochs_that_made_no_commit_are_not_written() -> None:
    bp = Backpack({"a": 1})
    for _ in range(5):
        bp = bp.fork()
    assert len(fields_of(bp)[0]["epochs"]) == 1
    bp.pack("a", 2)
    assert len(fields_of(bp)[0]["epochs"]) == 2


def test_a_thousand_epochs_come_back() -> None:
    bp = Backpack({"a": 0})
    for number in range(1, 1_200):
        bp._engine.epoch = Epoch(number.to_bytes(16, "big"), number + 1, bp._engine.epoch)
        bp.pack("a", number)
    assert EPOCHS_MAX > 1_200
    engine = copied(bp)
    assert [engine.epoch.of(seq).secret for seq in (2, 700)] == [(1).to_bytes(16, "big"), (699).to_bytes(16, "big")]


def test_an_empty_engine_comes_back() -> None:
    engine = Engine(Limits(), Epoch(b"e" * 16))
    fields, data = describe(freeze(engine, 0))
    twin, last_ns = rebuild(fields, data, b"s" * 16)
    twin.check()
    assert (twin.timeline.head, last_ns) == (0, 0)


def test_limits_come_back() -> None:
    bp = Backpack({"a": 1}, max_history_size=2**62, max_commits=7, prune_strategy="none", prune_percentage=1)
    assert copied(bp).limits == bp.limits


# -- fields that are wrong -----------------------------------------------------------------------------------------


def mutations(field: Any, chance: random.Random) -> list[Any]:
    """The field cut, lengthened, with a number changed, and of another type."""
    found: list[Any] = [None, -1, 2**63, "text", [], {}, b"\xff" * 8, [[]], 1.5]
    if type(field) is bytes and field:
        found += [field[:-1], field + b"\0", field[:-8], field + bytes(8), bytes(len(field)), b"\xff" * len(field)]
        for _ in range(12):
            at = chance.randrange(len(field))
            found.append(field[:at] + bytes([field[at] ^ chance.choice([1, 2, 4, 16, 128])]) + field[at + 1 :])
        column = array("I", field[: len(field) // 4 * 4])
        column.reverse()
        found.append(column.tobytes())
    if type(field) is int:
        found += [field + 1, field - 1, 0]
    if type(field) is list and field:
        found += [field[:-1], field[::-1], [*field, field[0]], [*field[:-1], None]]
    return found


@pytest.mark.parametrize("seed", [1, 4, 8])
def test_a_field_that_does_not_fit_makes_no_engine_or_a_sound_one(seed: int) -> None:
    bp = busy(seed, 60)
    fields, data = fields_of(bp)
    chance = random.Random(seed)
    refused = 0
    for name, field in fields.items():
        for wrong in mutations(field, chance):
            try:
                engine, last_ns = rebuild({**fields, name: wrong}, data, b"s" * 16)
                engine.check()
            except NONSENSE:
                refused += 1
                continue
            go_on(Backpack._from_engine(engine, last_ns))
    assert refused > 300


def go_on(bp: Backpack) -> None:
    """Every commit in memory can be asked for, and more can be made."""
    for commit in bp.history():
        snapshot = bp.snapshot(commit.seq)
        for key in snapshot:
            try:
                snapshot.unpack(key)
                bp.blame(key)
            except (CorruptionError, KeyError):
                continue
    bp.configure(hard_limit=False, max_history_size=2_000, prune_strategy="oldest")
    for number in range(20):
        bp.pack("a", f"go on {number}")
    bp.prune()
    bp._check()


@pytest.mark.parametrize("name", sorted(fields_of(Backpack())[0].keys() - {"mark_setters"}))
def test_a_field_that_is_missing_makes_no_engine(name: str) -> None:
    fields, data = fields_of(busy(2, 30))
    del fields[name]
    with pytest.raises(NONSENSE):
        rebuild(fields, data, b"s" * 16)
