"""Stores that were written long ago are read for ever, and say what they said.

`tests/data/store_1.tar.xz` was written by `tests/data/make_store.py`, in format version 1. What it holds is said here
once more, by hand.
"""

import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

import backpack
from backpack import Backpack, CommitNotFoundError, CommitPrunedError
from backpack.core.limits import Limits
from backpack.storage.memory import MemoryFolder
from backpack.store.opening import open_in

FILE: Final = Path(__file__).parent.parent / "data" / "store_1.tar.xz"
KEY: Final = bytes(range(32))
LIMITS: Final = Limits(1_000, 6_000, None, "oldest", 0.2, False)
TEXT: Final = "".join(f"line {number} of a text that will be edited\n" for number in range(15))
EDITED: Final = TEXT.replace("line 7 ", "LINE SEVEN ")
REPORT: Final = "".join(f"row {number}: {number * number}\n" for number in range(300))
TALK: Final = [
    *({"role": "user", "text": f"message {number} " + 20 * "word "} for number in range(12)),
    *({"role": "user", "text": f"reply {number} " + 20 * "word "} for number in range(20)),
    *({"role": "agent", "text": f"answer {number} " + 20 * "word "} for number in range(16)),
]
STEPS: Final = [0, 4, 8, 0, 4, 8, 12, 16, 0, 4, 8, 12]
PRESENT: Final[dict[str, Any]] = {
    "copy.of.report": REPORT + "the end\n",
    "plan": ["search", "book", {"step": 3}],
    "report": REPORT + "the end\n",
    "score": 7,
    "steps": STEPS,
    "talk": TALK,
}
AFTER: Final = {"after": "a crash", "copy.of.plan": ["search", "book"]}
STORES: Final[list[tuple[str, bytes | None]]] = [("plain", None), ("encrypted", KEY), ("crashed", None)]


def folder_of(store: str) -> MemoryFolder:
    with tarfile.open(FILE) as tar:
        return MemoryFolder(
            {
                entry.name.partition("/")[2]: tar.extractfile(entry).read()  # type: ignore[union-attr]
                for entry in tar
                if entry.name.startswith(store + "/")
            }
        )


def opened(folder: MemoryFolder, key: bytes | None, mode: str = "rw") -> Backpack:
    return open_in(folder, LIMITS, is_writable=mode == "rw", key=key)


@pytest.mark.parametrize("mode", ["rw", "r"])
@pytest.mark.parametrize(("store", "key"), STORES, ids=[name for name, _ in STORES])
def test_the_present_is_what_it_was(store: str, key: bytes | None, mode: str) -> None:
    bp = opened(folder_of(store), key, mode)
    assert dict(bp) == (PRESENT | AFTER if store == "crashed" else PRESENT)
    assert bp.quarantined() == {"note": "not sure"}
    versions = {"plan": 3, "talk": 48, "text": 5, "retired": 2, "secret": 3, "secret.photo": 2, "note": 2, "score": 4}
    assert {key: bp.version(key) for key in versions} == versions
    authors = {"plan": (79, None), "report": (55, "writer"), "talk": (78, "talker"), "copy.of.report": (80, None)}
    assert {key: (bp.blame(key).seq, bp.blame(key).node) for key in authors} == authors
    checkpoints = [("early", 4, "before the edits"), ("late", 55, "the last"), ("survived", 82, "")]
    shown = [(one.name, one.commit.seq, one.notes) for one in bp.checkpoints()]
    assert shown == (checkpoints if store == "crashed" else checkpoints[:2])
    assert bp.memory_usage().commits_in_memory == 0
    bp._check()


@pytest.mark.parametrize(("store", "key"), STORES, ids=[name for name, _ in STORES])
def test_the_past_is_what_it_was(store: str, key: bytes | None) -> None:
    bp = opened(folder_of(store), key)
    early = bp.snapshot("early")
    assert early.to_dict() == {
        "note": "a note",
        "plan": ["search"],
        "report": REPORT,
        "retired": "long ago",
        "score": 1,
        "text": TEXT,
    }
    assert (early.commit.node, early.commit.seq) == ("writer", 4)  # type: ignore[union-attr]
    assert early.item("plan").version == 1
    late = bp.snapshot("late")
    assert late["talk"] == TALK[:32] and late["steps"] == STEPS[:8] and late["text"] == EDITED
    assert "note" not in late and "retired" not in late and late["score"] == 1
    assert bp.snapshot(50)["text"] == EDITED.replace("line 11 ", "")
    assert bp.snapshot(53).to_dict(unavailable="purged") == {
        "plan": ["search", "book"],
        "report": REPORT,
        "secret": "purged",
        "secret.photo": "purged",
        "steps": STEPS[:8],
        "talk": TALK[:32],
        "text": EDITED,
    }
    for seq, talk, steps in ((49, 32, 8), (60, 33, 9), (70, 41, 11), (78, 48, 12)):
        snapshot = bp.snapshot(seq)
        assert (snapshot["talk"], snapshot["steps"]) == (TALK[:talk], STEPS[:steps])
    assert bp.diff(78, 79).changed["plan"].paths == ("[2]",)


@pytest.mark.parametrize(("store", "key"), STORES, ids=[name for name, _ in STORES])
def test_what_was_purged_and_compacted_is_gone(store: str, key: bytes | None) -> None:
    bp = opened(folder_of(store), key)
    assert bp.snapshot(56).unpack("secret").reason == "purged"
    assert bp.snapshot(56).unpack("secret").size == 18
    assert bp.snapshot(53).unpack("secret.photo").reason == "purged"
    for seq in (1, 5, 20):
        with pytest.raises(CommitPrunedError):
            bp.snapshot(seq)
    with pytest.raises(CommitNotFoundError):
        bp.commit("gone")


@pytest.mark.parametrize(("store", "key"), STORES, ids=[name for name, _ in STORES])
def test_commits_say_what_they_said(store: str, key: bytes | None) -> None:
    bp = opened(folder_of(store), key)
    commits = {commit.seq: commit for commit in bp.history()}
    assert list(commits) == sorted(commits, reverse=True)
    assert set(range(40, 81)) <= commits.keys()
    one = commits[79]
    assert (one.id, one.message, one.node, one.tags) == ("17p5850m15y3", "a transaction", None, ())
    assert {key: (change.kind, change.version, change.size) for key, change in one.changes.items()} == {
        "score": ("pack", 4, 1),
        "plan": ("pack", 3, 20),
        "text": ("delete", 5, 0),
    }
    assert (commits[70].node, commits[70].tags) == ("counter", ())
    assert one.parent == commits[78].id and bp.commit(one.id[:4]) == one
    assert (commits[52].changes["note"].kind, commits[54].changes["score"].kind) == ("quarantine", "release")
    assert (commits[57].message, commits[58].message) == ("purge secret.**", "purge secret")
    assert commits[80].changes["copy.of.report"].is_large
    if store != "encrypted":
        assert one.time == datetime(2023, 11, 14, 22, 14, 43, tzinfo=UTC)
        assert bp.commit(one.time) == one


@pytest.mark.parametrize("store", ["plain", "encrypted", "crashed"])
def test_it_has_one_of_everything(store: str) -> None:
    names = [name for name, _ in folder_of(store).walk()]
    assert sum(name.endswith(".seg") for name in names) > 5 and sum(name.endswith(".log") for name in names) == 1
    assert any(name.startswith("000000000001-") for name in names)  # compacted
    assert sum(name.startswith("blobs/") for name in names) > 3
    assert ("clean" in names) is (store != "crashed")
    assert any(name.startswith("aside/") for name in names) is (store == "crashed")


def test_what_a_crash_left_is_cut_and_kept() -> None:
    folder = folder_of("crashed")
    bp = opened(folder, None)
    assert bp.recovery is not None
    assert (bp.recovery.dropped_bytes, bp.recovery.head, len(bp.recovery.kept_in)) == (90, 83, 1)
    aside = [data for name, data in folder.walk() if name.startswith("aside/")]
    assert sorted(map(len, (data for data in aside if data is not None))) == [30, 90]
    assert [opened(folder_of(store), key).recovery for store, key in STORES[:2]] == [None, None]


@pytest.mark.parametrize(("store", "key"), STORES, ids=[name for name, _ in STORES])
def test_it_goes_on(store: str, key: bytes | None, tmp_path: Path) -> None:
    folder = folder_of(store)
    for name, data in folder.walk():
        if data is not None:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(data)
    with backpack.open(tmp_path, key=key) as bp:
        bp.append("talk", "more")
        bp.pack("plan", "another")
        head = bp.head
    with backpack.open(tmp_path, key=key) as bp:
        assert bp.head == head and bp["talk"] == [*TALK, "more"] and bp["plan"] == "another"
        assert bp.snapshot(79)["plan"] == PRESENT["plan"]
        bp.compact(keep_commits=1)
        assert bp["talk"] == [*TALK, "more"] and bp.snapshot("early")["text"] == TEXT
    assert backpack.verify(tmp_path, key).ok
