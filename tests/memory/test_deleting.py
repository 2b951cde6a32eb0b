"""Deleting one entry: what goes with it, and that it asks nothing of the others."""

import random
from collections.abc import Iterable
from pathlib import Path

import pytest

import backpack
from backpack import Backpack
from backpack.errors import CorruptionError
from backpack.memory import Memory
from backpack.memory.content import PART_SIZE
from backpack.memory.entry import Entry
from backpack.memory.values import StoreValues

CONTENTS = (
    "one",
    "two",
    ["a", "value"],
    "long " * 60_000,
    "x" * PART_SIZE + "the end",
    "x" * PART_SIZE + "another end",
    "y" * PART_SIZE + "x" * PART_SIZE,
)


class Counted(StoreValues):
    """Counts the keys and values that are taken."""

    taken = 0

    def get(self, key: str) -> object | None:
        self.taken += 1
        return super().get(key)

    def keys(self, prefix: str, *, newest_first: bool = False) -> Iterable[str]:
        for key in super().keys(prefix, newest_first=newest_first):
            self.taken += 1
            yield key


def kept(memory: Memory) -> set[str]:
    """The contents and parts that are there."""
    keys = memory.keys
    return {key for prefix in (keys.content, keys.parts) for key in memory.bp._keys_below(prefix)}


def needed(memory: Memory, entries: Iterable[Entry]) -> set[str]:
    """What these entries need, read from what is there."""
    found = set()
    for digest in {entry.digest for entry in entries}:
        content = memory.contents.find(digest)
        assert content is not None
        found.add(memory.keys.content + digest)
        found.update(memory.keys.parts + part for part in (content.parts.digests if content.parts else ()))
    return found


@pytest.mark.parametrize("content", ["text {}", "{} " + "long text " * 30_000])
def test_a_delete_takes_as_much_of_many_entries_as_of_few(content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    for count in (12, 60) if len(content) > 100 else (20, 800):
        bp = Backpack()
        values = Counted(bp)
        memory = Memory(bp, values=values)
        entries = [memory.log(content.format(number)) for number in range(count)]
        memory.delete(entries[0])
        with monkeypatch.context() as patched:
            patched.setattr(Backpack, "quarantined", None)  # goes through all keys
            values.taken = 0
            memory.delete(entries[1])
            memory.log("more")
            memory.delete(entries[count // 2])
        taken.append(values.taken)
    assert taken[1] <= taken[0] < 20


@pytest.mark.parametrize("is_opened", [False, True])
def test_what_stays_is_what_entries_in_sight_or_in_quarantine_have(is_opened: bool, tmp_path: Path) -> None:
    make = random.Random(1)
    bp = backpack.open(tmp_path / "store") if is_opened else Backpack()
    memory, other = Memory(bp), Memory(bp)
    there: list[Entry] = []
    hidden: list[Entry] = []
    with bp:
        for step in range(250):
            act = make.choice(["log", "log", "log", "delete", "delete", "hide", "release", "purge", "restore"])
            if act == "log":
                there.append(make.choice((memory, other)).log(make.choice(CONTENTS)))
            elif act == "delete" and there:
                make.choice((memory, other)).delete(there.pop(make.randrange(len(there))))
            elif act == "hide" and there and step % 2:
                hidden.append(there.pop(make.randrange(len(there))))
                bp.quarantine(memory.keys.entries + hidden[-1].id, reason="a try")
            elif act == "release" and hidden:
                there.append(hidden.pop())
                bp.release(memory.keys.entries + there[-1].id)
            elif act == "purge" and there and step % 4 == 0:
                gone = there.pop(make.randrange(len(there)))
                bp.purge(memory.keys.entries + gone.id)
                there.append(memory.log(memory.value(there[-1]) if there else "more"))
            elif act == "restore" and bp.head is not None and step % 4 == 0:
                bp.restore(bp.head.seq)
            assert needed(memory, (*there, *hidden)) <= kept(memory)
            if step % 50 == 0:
                assert {row.id for row in memory.statistics.rows().values()} == {entry.id for entry in there}
        for entry in hidden:
            bp.release(memory.keys.entries + entry.id)
        assert {entry.id for entry in memory.list()} == {entry.id for entry in (*there, *hidden)}
        for entry in (*there, *hidden):
            assert memory.value(entry) in CONTENTS or memory.value(entry) == "more"
            memory.delete(entry)
        last = [memory.log(content) for content in CONTENTS]
        for entry in make.sample(last, len(last)):
            memory.delete(entry)
            last.remove(entry)
            assert needed(memory, last) <= kept(memory)
        memory.prune(0, 0)
        assert not kept(memory)


def test_a_delete_takes_no_parts_while_it_is_unknown_which_other_contents_have_them() -> None:
    bp = Backpack()
    memory = Memory(bp)
    one, two = memory.log(CONTENTS[4]), memory.log(CONTENTS[5])
    bp.pack(memory.keys.content + two.digest, "no record")
    with pytest.raises(CorruptionError):
        memory.delete(one)
    assert memory.read(one) == CONTENTS[4]


def test_a_delete_beside_many_commits_of_others_takes_what_nobody_has_any_more() -> None:
    bp = Backpack(max_commits=5)
    memory = Memory(bp)
    entries = [memory.log(text) for text in ("one", "one", "two")]
    memory.delete(entries[0])
    for number in range(30):
        bp.pack("other", number)
    memory.delete(entries[1])
    assert kept(memory) == needed(memory, entries[2:])


def test_an_entry_of_the_memory_goes_into_quarantine_and_out_of_it_by_restore() -> None:
    bp = Backpack()
    memory = Memory(bp)
    other, entry = memory.log("beta"), memory.log("alpha " * 100)
    before = bp.head
    bp.quarantine(memory.keys.entries + entry.id, reason="doubt")
    hidden = bp.head
    bp.restore(before)
    assert ({one.id for one in memory.list()}, bp.quarantined()) == ({entry.id, other.id}, {})
    assert [hit.id for hit in memory.search("alpha")] == [entry.id]
    bp.restore(hidden)
    assert memory.list() == [other]
    assert memory.search("alpha") == []
    bp.release(memory.keys.entries + entry.id)
    assert memory.read(entry) == "alpha " * 100
