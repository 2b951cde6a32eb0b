"""What a store in memory never needs is not imported with the package, and is there when it is asked for."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import backpack
from backpack.store import doors

ROOT: Final = Path(__file__).parents[2]

PROGRAM: Final = """
import sys
import backpack
bp = backpack.Backpack({"plan": ["search"]})
bp.append("plan", "book", node="planner")
assert bp.snapshot(1)["plan"] == ["search"] and bp.diff(1).changed and bp.blame("plan").node == "planner"
bp.restore(1)
bp.checkpoint("one")
bp.fork(1)
dear = sorted(name for name in sys.modules if name.startswith(("backpack.blobs.", "backpack.archive.")))
dear = [name for name in dear if name not in ("backpack.archive.content", "backpack.archive.retention")]
dear += [name for name in ("zstandard", "cryptography", "numpy", "asyncio") if name in sys.modules]
assert not dear, dear
assert bp.health().ok and bp.compact().commits == 0
with backpack.open(sys.argv[1]) as opened:
    opened.update(bp)
    opened.read_text("text") if "text" in opened else None
recovering = [name for name in ("recovering", "verifying", "guessing") if f"backpack.archive.{name}" in sys.modules]
assert not recovering, recovering
assert backpack.verify(sys.argv[1]).ok
print("done")
"""


def test_a_store_in_memory_needs_no_archive_and_an_opened_one_no_recovery(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "store")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


def test_every_public_name_is_there_and_listed() -> None:
    for name in backpack.__all__:
        assert getattr(backpack, name) is getattr(backpack, name)
        assert name in dir(backpack)
    with pytest.raises(AttributeError, match="nothing"):
        _ = backpack.nothing  # type: ignore[attr-defined]


def test_every_door_opens() -> None:
    for name in doors.__all__:
        assert getattr(doors, name).__name__ == f"backpack.store.{name}"
    with pytest.raises(AttributeError, match="nothing"):
        _ = doors.nothing  # type: ignore[attr-defined]
