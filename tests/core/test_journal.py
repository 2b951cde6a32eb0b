"""What the engine asks of whoever writes commits down, and of whoever keeps what memory has not."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from backpack.core.addresses import resolve
from backpack.core.chain import DELETED, PACK, Chain, kind_of
from backpack.core.commit import NO_LABEL, Facts, Label, RawChange
from backpack.core.engine import Engine
from backpack.core.ids import Epoch
from backpack.core.limits import Limits
from backpack.core.past import Woken
from backpack.core.payload import Content, LargeRef, Pieces, as_content, form_size, join
from backpack.core.requests import Planned, Request
from backpack.core.shaping import present_content
from backpack.errors import CommitPrunedError, DiskFullError

TEXT = b"\xa4text"
LONG = b"\xda\x08\x00" + b"l" * 2_048
LARGE = b"\xda\x10\x00" + b"L" * 4_096

Written = tuple[int, tuple[tuple[str, str, int], ...]]
"""`(seq, (key, kind, size of the payload)...)`."""


class Notebook:
    """A journal in memory, whose disk may be full."""

    def __init__(self) -> None:
        self.written: list[Written] = []
        self.is_full = False

    def write_one(self, seq: int, time_ns: int, label: Label, key: str, version: int, payload: bytes, /) -> None:
        self._add((seq, ((key, PACK, len(payload)),)))

    def write_longer(
        self,
        seq: int,
        time_ns: int,
        label: Label,
        chain: Chain,
        content: Pieces,
        appended: bytes,
        records: Mapping[int, object],
        /,
    ) -> None:
        self._add((seq, ((chain.key, "longer", len(appended)),)))

    def write(
        self, seq: int, time_ns: int, label: Label, changes: Sequence[Planned], records: Mapping[int, object], /
    ) -> None:
        found = []
        for plan in changes:
            form = None if plan.entry is DELETED else plan.entry
            found.append((plan.chain.key, kind_of(plan.entry), form_size(form) if form is not None else 0))  # type: ignore[arg-type]
        self._add((seq, tuple(found)))

    def recall(self, key: str, seq: int, payload: bytes, /) -> None:
        """Nothing has a place here."""

    def retract(self, seq: int, /) -> None:
        if self.written and self.written[-1][0] == seq:
            self.written.pop()

    def _add(self, commit: Written) -> None:
        if self.is_full:
            raise DiskFullError("the disk is full", file=None, errno=28)
        self.written.append(commit)


class Cellar:
    """A past of three commits, ten nanoseconds apart, of which the first can't be read any more."""

    first_seq = 2

    def __init__(self, sleeping: dict[str, Woken]) -> None:
        self.sleeping = sleeping

    @property
    def dormant_bytes(self) -> int:
        return sum(self.dormant_sizes())

    @property
    def dormant_large(self) -> int:
        return sum(isinstance(one.form, LargeRef) for one in self.sleeping.values())

    def dormant_sizes(self) -> Iterator[int]:
        return (form_size(one.form) for one in self.sleeping.values() if one.form is not None)

    def wake(self, key: str, /) -> Woken | None:
        return self.sleeping.get(key)

    def woke(self, key: str, /) -> None:
        self.sleeping.pop(key, None)

    def dormant_kinds(self) -> Iterator[tuple[str, str]]:
        return iter([(key, one.kind) for key, one in self.sleeping.items()])

    def has(self, seq: int, /) -> bool:
        return self.first_seq <= seq <= 3

    def knows(self, seq: int, /) -> bool:
        return self.has(seq)

    def facts(self, seq: int, /) -> tuple[int, Label, tuple[RawChange, ...]]:
        return seq * 10_000, ("archivist", None, ()), (("text", PACK, seq, 5, False),)

    def seq_at(self, time_ns: int, /) -> int:
        return max(0, min(time_ns // 10_000, 3))

    def content(self, key: str, seq: int, /) -> Content | None:
        return None


def engine_with(journal: Notebook | None = None, past: Cellar | None = None, **limits: Any) -> Engine:
    epoch = Epoch(b"e" * 16)
    if past is None:
        return Engine(Limits(**limits), epoch, journal=journal)
    engine = Engine(Limits(**limits), Epoch(b"f" * 16, 4, epoch), head=3, journal=journal, past=past)
    engine.timeline.front_time = 10_000
    for key, woken in past.sleeping.items():
        if woken.kind != "delete":
            engine.names.add(key)
        if woken.kind == PACK:
            engine.visible.add(key)
    return engine


def pack(engine: Engine, key: str, payload: bytes, now: int = 100_000) -> int:
    return engine.commit_one(key, payload, False, None, NO_LABEL, now)[1]


def woken() -> Cellar:
    content = as_content(LARGE)
    return Cellar(
        {
            "text": Woken("text", 3, PACK, 7, TEXT, None, ""),
            "large": Woken("large", 2, PACK, 1, LargeRef(content), content, ""),
            "hidden": Woken("hidden", 2, "quarantine", 2, b"\xa6hidden", None, "doubt"),
            "deleted": Woken("deleted", 3, "delete", 4, None, None, ""),
        }
    )


def test_every_commit_is_written_down_once_before_it_is_there() -> None:
    journal = Notebook()
    engine = engine_with(journal)
    pack(engine, "a", b"\x01")
    pack(engine, "a", b"\x02")
    pack(engine, "a", LONG)
    pack(engine, "a", LONG[:-1] + b"m")
    engine.commit_payloads({"a": b"\x03", "b": b"\x04"}, NO_LABEL, 100_000)
    engine.adopt_deletes(["a"], NO_LABEL, 100_000)
    assert journal.written == [
        (1, (("a", PACK, 1),)),
        (2, (("a", PACK, 1),)),
        (3, (("a", PACK, len(LONG)),)),
        (4, (("a", PACK, len(LONG)),)),
        (5, (("a", PACK, 1), ("b", PACK, 1))),
        (6, (("a", "delete", 0),)),
    ]
    engine.check()


@pytest.mark.parametrize("payload", [b"\x02", LONG])
@pytest.mark.parametrize("before", [b"\x01", b"\xa5usual"])
def test_a_commit_that_can_not_be_written_down_has_not_happened(before: bytes, payload: bytes) -> None:
    journal = Notebook()
    engine = engine_with(journal)
    pack(engine, "a", before)
    written = list(journal.written)
    journal.is_full = True
    for act in (
        lambda: pack(engine, "a", payload),
        lambda: engine.commit_payloads({"a": payload, "new": payload}, NO_LABEL, 100_000),
        lambda: engine.adopt_deletes(["a"], NO_LABEL, 100_000),
    ):
        with pytest.raises(DiskFullError):
            act()
        engine.check()
        assert (engine.timeline.head, engine.chains["a"].last) == (1, before)
        assert journal.written == written
        assert engine.ledger.index.find(payload) is None
    journal.is_full = False
    assert pack(engine, "a", payload) == 2
    engine.check()


LIST = b"\x92" + 2 * (b"\xd9\x30" + b"i" * 48)
ITEM = b"\xa4more"


def extend(engine: Engine) -> Facts | None:
    return engine.extend_one("list", b"", 1, ITEM, False, NO_LABEL, 100_000)


@pytest.mark.parametrize("large_size", [64, 4096])
def test_what_a_list_grows_by_is_written_down_once_or_has_not_happened(large_size: int) -> None:
    journal = Notebook()
    engine = engine_with(journal, max_value_size=large_size)
    pack(engine, "list", LIST)
    engine.commit([Request("list", header=b"\x93", appended=ITEM)], NO_LABEL, 100_000)
    assert extend(engine) is not None
    assert journal.written[2:] == [(3, (("list", "longer", len(ITEM)),))]
    content = present_content(engine.chains["list"])
    journal.is_full = True
    for _ in range(2):
        with pytest.raises(DiskFullError):
            extend(engine)
        engine.check()
    assert (engine.timeline.head, present_content(engine.chains["list"])) == (3, content)
    journal.is_full = False
    assert extend(engine) is not None
    engine.check()
    now = present_content(engine.chains["list"])
    assert now is not None and join(now) == b"\x95" + LIST[1:] + 3 * ITEM


def test_a_commit_that_was_interrupted_after_it_was_written_down_is_taken_out_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    journal = Notebook()
    engine = engine_with(journal)
    pack(engine, "a", b"\x01")
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(type(engine.ledger), "hide", interrupt)
        pack(engine, "a", b"\x01")
    engine.check()
    assert [seq for seq, _ in journal.written] == [1]
    assert pack(engine, "a", b"\x02") == 2


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_key_wakes_when_it_is_asked_for() -> None:
    past = woken()
    engine = engine_with(past=past)
    pack(engine, "new", b"\x01")
    chain = engine.chain_of("text")
    assert chain is not None
    assert (chain.version, chain.last_seq, chain.last) == (7, 3, TEXT)
    assert past.dormant_bytes == len(LARGE) + 7
    large = engine.chain_of("large")
    assert large is not None and large.content is not None
    assert (past.dormant_bytes, past.dormant_large) == (7, 0)
    assert engine.chain_of("nobody") is None
    assert engine.version("deleted") == 4
    assert engine.chain_of("deleted") is None
    engine.wake_all()
    assert past.sleeping == {}
    assert past.dormant_bytes == 0
    assert engine.entry_count == 4
    assert (engine.ledger.history_bytes, engine.ledger.live_bytes) == (1, len(LARGE) + len(TEXT) + 8)
    engine.check()


def test_a_key_that_slept_goes_on_from_its_version() -> None:
    engine = engine_with(past=woken())
    for key, version in (("text", 8), ("large", 2), ("hidden", 3), ("deleted", 5), ("new", 1)):
        pack(engine, key, b"\x01")
        assert engine.version(key) == version
        engine.wake_all()
        engine.check()


def test_keys_that_sleep_have_their_names_still_after_a_repair() -> None:
    engine = engine_with(past=woken())
    names, visible = list(engine.names), list(engine.visible)
    assert (names, visible) == (["hidden", "large", "text"], ["large", "text"])
    engine.repair()
    assert (list(engine.names), list(engine.visible)) == (names, visible)


def test_commits_of_the_past_are_found_by_seq_and_time() -> None:
    engine = engine_with(past=woken())
    pack(engine, "text", b"\x01")
    commit = engine.commit_at(3)
    assert (commit.seq, commit.node, list(commit.changes)) == (3, "archivist", ["text"])
    chain = engine.chain_of("large")
    assert chain is not None
    author = engine.commit_of(chain, 0)
    assert author is not None and author.node == "archivist"
    assert [resolve(engine, at) for at in (2, 3, 4, "HEAD")] == [2, 3, 4, 4]
    assert resolve(engine, datetime.fromtimestamp(0.000030, UTC)) == 3
    assert resolve(engine, datetime(1960, 1, 1, tzinfo=UTC)) == 0
    for at in (1, datetime.fromtimestamp(0.000010, UTC)):
        with pytest.raises(CommitPrunedError):
            resolve(engine, at)
