"""Export and load: one portable file with everything; a damaged one loads nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backpack import Backpack
from backpack.errors import BackpackError, CorruptionError

from .model import same
from .readings import checkpoint_names, holds, quarantined_keys


def store() -> Any:
    bp = Backpack({"a": {"x": [1, (2,), {3}]}, "bad": "value"}, max_value_size=300)
    bp.append("list", "one", {"two": 2})
    bp.pack("big", "B" * 1_000, node="n", message="müde", tags=("t", "u"))
    bp.append("list", None)
    bp.quarantine("bad", reason="doubt")
    bp.delete("a")
    bp.pack("a", b"\x00\xff")
    bp.checkpoint("here", at=3, notes="n")
    return bp


def test_an_export_holds_everything(tmp_path: Path) -> None:
    bp = store()
    bp.export(tmp_path / "file")
    loaded = Backpack.load(tmp_path / "file")
    assert holds(loaded, dict(bp))
    assert loaded.head.id == bp.head.id
    for commit in bp.history():
        other = loaded.commit(commit.seq)
        assert (other.id, other.time, other.node, other.message, set(other.tags), other.size) == (
            commit.id,
            commit.time,
            commit.node,
            commit.message,
            set(commit.tags),
            commit.size,
        )
        assert {k: (c.kind, c.version, c.size, c.is_large) for k, c in other.changes.items()} == {
            k: (c.kind, c.version, c.size, c.is_large) for k, c in commit.changes.items()
        }
        assert holds(loaded.snapshot(commit.seq), dict(bp.snapshot(commit)))
    assert checkpoint_names(loaded.checkpoints()) == {"here"}
    assert loaded.snapshot("here")["big"] == "B" * 1_000
    assert quarantined_keys(loaded.quarantined()) == {"bad"}
    loaded.release("bad")
    assert loaded["bad"] == "value"
    assert loaded.version("a") == 3


def test_a_loaded_store_goes_on_where_the_other_was(tmp_path: Path) -> None:
    bp = store()
    bp.export(tmp_path / "file")
    loaded = Backpack.load(tmp_path / "file")
    commit = loaded.append("list", "more")
    assert commit.seq == bp.head.seq + 1
    assert commit.changes["list"].version == 3
    assert commit.id not in {other.id for other in bp.history()}
    assert same(loaded["list"], ["one", {"two": 2}, None, "more"])
    assert same(bp["list"], ["one", {"two": 2}, None])
    usage, deep = loaded.memory_usage(), loaded.memory_usage(deep=True)
    assert usage.history_bytes == deep.history_bytes
    assert usage.live_bytes == deep.live_bytes


def test_an_export_of_a_pruned_store_is_whole(tmp_path: Path) -> None:
    bp = Backpack({"kept": "long ago"}, max_commits=4)
    for number in range(30):
        bp.pack("a", number)
    bp.export(tmp_path / "file")
    loaded = Backpack.load(tmp_path / "file")
    assert [commit.seq for commit in loaded.history()] == [commit.seq for commit in bp.history()]
    for commit in bp.history():
        assert holds(loaded.snapshot(commit.seq), dict(bp.snapshot(commit)))
    assert loaded.version("a") == 30
    with pytest.raises(LookupError):
        loaded.snapshot(2)
    assert loaded.blame("kept").seq == 1


def test_an_empty_store_can_be_exported(tmp_path: Path) -> None:
    Backpack().export(tmp_path / "file")
    loaded = Backpack.load(tmp_path / "file")
    assert len(loaded) == 0
    assert loaded.pack("a", 1).seq == 1


def test_a_path_may_be_text(tmp_path: Path) -> None:
    bp = store()
    bp.export(str(tmp_path / "file"))
    assert holds(Backpack.load(str(tmp_path / "file")), dict(bp))


def small_export(folder: Path) -> bytes:
    bp = Backpack({"a": "text of some length " * 3})
    bp.append("list", 1, 2)
    bp.checkpoint("c")
    bp.delete("a")
    bp.export(folder / "small")
    return (folder / "small").read_bytes()


def test_a_flip_of_any_bit_is_noticed(tmp_path: Path) -> None:
    whole = small_export(tmp_path)
    file = tmp_path / "flipped"
    for position in range(len(whole)):
        for bit in (0x01, 0x80):
            damaged = bytearray(whole)
            damaged[position] ^= bit
            file.write_bytes(damaged)
            with pytest.raises(CorruptionError):
                Backpack.load(file)


def test_a_cut_at_any_length_is_noticed(tmp_path: Path) -> None:
    whole = small_export(tmp_path)
    file = tmp_path / "cut"
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(CorruptionError):
            Backpack.load(file)


def test_bytes_that_were_never_an_export_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "other"
    for content in (
        b"",
        b"{}",
        b"PK\x03\x04" + b"\x00" * 100,
        b"\x80\x04\x95" + b"a" * 50,
        bytes(4_096),
        b"\xff" * 4_096,
    ):
        file.write_bytes(content)
        with pytest.raises(CorruptionError):
            Backpack.load(file)


def test_loading_what_is_not_there_raises_file_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Backpack.load(tmp_path / "missing")


def test_an_export_never_holds_a_live_object(tmp_path: Path) -> None:
    bp = store()
    bp.export(tmp_path / "file")
    before = dict(bp)
    bp.pack("a", "later")
    assert holds(Backpack.load(tmp_path / "file"), before)


def test_an_export_to_a_place_that_cannot_be_written_raises_and_changes_nothing(tmp_path: Path) -> None:
    bp = store()
    with pytest.raises((OSError, BackpackError)):
        bp.export(tmp_path / "no such folder" / "file")
    assert bp.head.seq == 7
    assert list(tmp_path.iterdir()) == []


def test_a_class_unknown_to_the_reader_raises_unknown_type_and_is_never_imported(tmp_path: Path) -> None:
    (tmp_path / "shapes.py").write_text(
        "import dataclasses, pathlib\n"
        f"pathlib.Path({str(tmp_path / 'imported')!r}).touch()\n"
        "@dataclasses.dataclass\n"
        "class Circle:\n    radius: int\n"
    )
    write = (
        "import backpack, shapes, sys\n"
        "backpack.register(shapes.Circle)\n"
        "bp = backpack.Backpack({'shape': [shapes.Circle(2)], 'plain': 1})\n"
        "bp.export(sys.argv[1])\n"
    )
    read = (
        "import backpack, sys\n"
        "from backpack.errors import UnknownTypeError\n"
        "try:\n"
        "    bp = backpack.Backpack.load(sys.argv[1])\n"
        "    assert bp['plain'] == 1\n"
        "    bp['shape']\n"
        "except UnknownTypeError as error:\n"
        "    assert 'Circle' in str(error) or error.name\n"
        "else:\n"
        "    raise SystemExit('it came back as something')\n"
        "assert 'shapes' not in sys.modules\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    for program in (write, read):
        (tmp_path / "imported").unlink(missing_ok=True)
        subprocess.run([sys.executable, "-c", program, str(tmp_path / "file")], check=True, env=environment)
    assert not (tmp_path / "imported").exists()
