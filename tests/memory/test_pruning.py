"""Pruning takes what is old and not pinned, says what went, and takes it off the disk."""

import random
from pathlib import Path

import pytest

import backpack
from backpack import Backpack, Unavailable
from backpack.errors import EntryNotFoundError, EntryPrunedError, InvalidArgumentError
from backpack.memory import Memory

DAY = 86_400
CHUNKED = "".join(f"{number} a line that is long enough\n" for number in range(2_000))


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1_750_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_only_what_fails_both_bounds_goes(clock: Clock) -> None:
    memory = Memory(Backpack(), clock=clock)
    old = [memory.log(f"old {number}", title=f"title {number}") for number in range(4)]
    clock.now += 8 * DAY
    new = [memory.log(f"new {number}") for number in range(2)]
    assert not memory.prune().removed
    report = memory.prune(keep_entries=3)
    assert [title for _, title in report.removed] == ["title 0", "title 1", "title 2"]
    assert memory.list() == [*new[::-1], old[3]]
    assert memory.prune(keep_days=9, keep_entries=0).removed == ()


def test_a_pruned_a_deleted_and_an_unknown_entry_are_told_apart(clock: Clock) -> None:
    memory = Memory(Backpack(), clock=clock)
    gone, deleted = memory.log("a", title="the title"), memory.log("b")
    memory.delete(deleted)
    clock.now += 8 * DAY
    memory.prune(keep_entries=0)
    with pytest.raises(EntryPrunedError, match="the title") as caught:
        memory.fetch(f"mem://{gone}#L1")
    assert (caught.value.id, caught.value.title) == (gone.id, "the title")
    for name in (deleted.id, "mem-20200101-000000-00000000"):
        with pytest.raises(EntryNotFoundError):
            memory.fetch(name)


def test_checkpoints_pin_what_names_them_and_what_they_refer_to(clock: Clock) -> None:
    bp = Backpack()
    memory = Memory(bp, clock=clock)
    named = memory.log("named", checkpoint="before lunch")
    bp.checkpoint("before lunch")
    unmade = memory.log("unmade", checkpoint="never made")
    referred, listed = memory.log("referred"), memory.log("listed")
    bp.pack("memory.checkpoints.ckpt-1", {"references": [{"id": referred.id}, listed.id]})
    clock.now += 100 * DAY
    assert [id for id, _ in memory.prune(keep_entries=0).removed] == [unmade.id]
    assert {entry.id for entry in memory.list()} == {named.id, referred.id, listed.id}
    bp.delete_checkpoint("before lunch")
    assert [id for id, _ in memory.prune(keep_entries=0).removed] == [named.id]


def test_of_a_chunked_entry_above_30_days_the_summary_stays(clock: Clock) -> None:
    bp = Backpack()
    memory = Memory(bp, clock=clock)
    old = memory.log(CHUNKED, title="the run", summary="it went well")
    clock.now += 31 * DAY
    report = memory.prune(keep_entries=0)
    assert report.emptied == ((old.id, "the run"),) and report.removed == () and report.contents == 1
    assert memory.fetch(old, summary_only=True) == "it went well"
    assert memory.list()[0].is_pruned
    with pytest.raises(EntryPrunedError, match="summary_only=True"):
        memory.fetch(old, chunk=0)
    assert not bp.select("memory.content.*")
    assert memory.prune(keep_entries=0).emptied == ()
    again = memory.log(CHUNKED)
    assert memory.read(again) == CHUNKED


def test_a_content_goes_only_when_no_other_entry_has_it(clock: Clock) -> None:
    memory = Memory(Backpack(), clock=clock)
    memory.log("shared")
    clock.now += 8 * DAY
    young = memory.log("shared")
    assert memory.prune(keep_entries=0).contents == 0
    assert memory.fetch(young) == "shared"


def test_a_dry_run_changes_nothing_and_says_what_would_go(clock: Clock) -> None:
    bp = Backpack()
    memory = Memory(bp, clock=clock)
    memory.log("gone soon " * 500)
    clock.now += 8 * DAY
    head = bp.head
    report = memory.prune(keep_entries=0, dry_run=True)
    assert report.dry_run and len(report.removed) == 1 and report.freed_bytes > 0
    assert bp.head == head


def test_what_is_pruned_is_off_the_disk_and_out_of_history(clock: Clock, tmp_path: Path) -> None:
    with backpack.open(tmp_path / "store") as bp:
        memory = Memory(bp, clock=clock)
        long = "".join(f"{number:09} needle in the parts\n" for number in range(100_000))
        gone = [memory.log(long), memory.log("needle in the log " * 40)]
        seq = bp.head.seq if bp.head else 0
        clock.now += 8 * DAY
        kept = memory.log("kept")
        report = memory.prune(keep_entries=0)
        assert {id for id, _ in report.removed} == {one.id for one in gone}
        assert report.freed_bytes > 50_000 and report.parts > 0
        assert not list((tmp_path / "store" / "blobs").iterdir())
        assert isinstance(bp.snapshot(seq).unpack(f"memory.entries.{gone[0]}"), Unavailable)
        assert memory.fetch(kept) == "kept"
        assert memory.reports()[-1]["entries"] == 3
        bp._check()
    assert backpack.verify(tmp_path / "store").ok


@pytest.mark.parametrize("others", [0, 2_000])
def test_what_the_disk_got_back_is_what_went_and_the_dry_run_is_near_it(
    clock: Clock, tmp_path: Path, others: int
) -> None:
    make = random.Random(1)
    with backpack.open(tmp_path / "store") as bp:
        memory = Memory(bp, clock=clock)
        for size, least in ((10, 0.15), (10, 0.1), (3_000, 0.85), (300_000, 0.95)):
            for number in range(others):
                bp.pack(f"key {number % 50}", make.randbytes(40))
            for number in range(6):
                memory.log(f"{number} {make.randbytes(size).hex()}")
            clock.now += 8 * DAY
            expected = memory.prune(0, 0, dry_run=True).freed_bytes
            report = memory.prune(0, 0)
            assert len(report.removed) == 6 and not report.dry_run
            assert least * expected < report.freed_bytes < 1.1 * expected + 100


def test_in_memory_the_dry_run_says_exactly_what_is_freed(clock: Clock) -> None:
    memory = Memory(Backpack(), clock=clock)
    for number in range(6):
        memory.log(f"{number} text")
    expected = memory.prune(0, 0, dry_run=True)
    report = memory.prune(0, 0)
    assert 0 < report.freed_bytes == expected.freed_bytes and report.removed == expected.removed


@pytest.mark.parametrize("content", [CHUNKED, CHUNKED * 20], ids=["one record", "parts"])
def test_nobody_takes_a_content_away_while_it_is_being_logged_again(clock: Clock, content: str) -> None:
    bp = Backpack()
    old = Memory(bp, clock=clock).log(content, summary="old")
    clock.now += 100 * DAY

    def take_away(_: str) -> str:
        other = Memory(bp, clock=clock)
        other.prune(keep_days=0, keep_entries=0)
        other.delete(old)
        other.prune(keep_days=0, keep_entries=0)
        return "new"

    memory = Memory(bp, clock=clock, summarize=take_away)
    entry = memory.log(content)
    assert memory.read(entry) == content and memory.list() == [entry]
    memory.delete(entry)
    assert not list(bp._keys_below("memory.content.")) and not list(bp._keys_below("memory.parts."))


def test_a_delete_leaves_a_content_that_is_being_logged_again() -> None:
    bp = Backpack()
    old = Memory(bp).log(CHUNKED, summary="old")

    def take_away(_: str) -> str:
        Memory(bp).delete(old)
        return "new"

    memory = Memory(bp, summarize=take_away)
    assert memory.read(memory.log(CHUNKED)) == CHUNKED


def test_nothing_is_too_new_to_go_when_no_day_is_kept(clock: Clock) -> None:
    memory = Memory(Backpack(), clock=clock)
    ids = [memory.log("one").id, memory.log("two").id]
    assert [id for id, _ in memory.prune(0, 0).removed] == ids


def test_nonsense_bounds_are_refused() -> None:
    memory = Memory(Backpack())
    for bad in ({"keep_days": -1}, {"keep_entries": -1}, {"keep_entries": 1.5}, {"keep_days": float("nan")}):
        with pytest.raises(InvalidArgumentError):
            memory.prune(**bad)  # type: ignore[arg-type]


def test_of_an_old_chunked_entry_the_content_goes_first_and_the_rest_with_a_later_pruning(clock: Clock) -> None:
    memory = Memory(Backpack(), clock=clock)
    old = memory.log(CHUNKED, title="old")
    clock.now += 25 * DAY
    young = memory.log(CHUNKED + "x", title="young")
    clock.now += 10 * DAY
    first = memory.prune(keep_entries=0)
    assert (first.emptied, first.removed) == (((old.id, "old"),), ((young.id, "young"),))
    assert memory.fetch(old, summary_only=True)
    with pytest.raises(EntryPrunedError, match="old"):
        memory.fetch(old, chunk=0)
    assert memory.prune(keep_entries=1) == memory.prune(keep_entries=1, keep_days=90)
    second = memory.prune(keep_entries=0)
    assert (second.emptied, second.removed) == ((), ((old.id, "old"),))
    with pytest.raises(EntryPrunedError, match="old"):
        memory.fetch(old, summary_only=True)


def test_a_checkpoint_of_the_core_alone_pins_what_its_state_has(clock: Clock) -> None:
    bp = Backpack()
    memory = Memory(bp, clock=clock)
    one = memory.log("alpha")
    bp.checkpoint("release")
    two = memory.log("beta", title="beta")
    clock.now += 20 * DAY
    assert memory.prune(keep_entries=0).removed == ((two.id, "beta"),)
    assert memory.read(one) == "alpha"
    bp.delete_checkpoint("release")
    assert len(memory.prune(keep_entries=0).removed) == 1


@pytest.mark.parametrize("content", ["short", CHUNKED * 5])
def test_what_an_entry_in_quarantine_needs_stays(content: str) -> None:
    memory = Memory(Backpack())
    entry, other = memory.log(content), memory.log(content)
    key = memory.keys.entries + entry.id
    memory.bp.quarantine(key, reason="who knows")
    memory.delete(other)
    report = memory.prune(0, 0)
    assert (report.contents, report.parts) == (0, 0) and memory.list() == []
    memory.bp.release(key)
    assert memory.list() == [entry] and memory.read(entry) == content
    memory.delete(entry)
    assert not list(memory.bp._keys_below("memory.content.")) and not list(memory.bp._keys_below("memory.parts."))
