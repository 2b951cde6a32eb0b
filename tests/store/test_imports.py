"""Importing the package brings what opens a store, and leaves out what few programs need until it is asked for."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import backpack
from backpack import errors

ROOT: Final = Path(__file__).parents[2]

PROGRAM: Final = """
import sys
import backpack
before = set(sys.modules)
rare = [f"backpack.archive.{name}" for name in ("recovering", "verifying", "guessing")]
rare += ["backpack.store.moving", "backpack.memory.memory"]
rare += ["cryptography", "numpy", "asyncio", "sqlite3", "_hashlib", "html"]
assert not (early := [name for name in rare if name in before]), early
with backpack.open(sys.argv[1]) as opened:
    opened.pack("plan", ["search"])
assert "_hashlib" not in sys.modules  # OpenSSL
assert not (late := sorted(name for name in sys.modules.keys() - before if name.startswith("backpack."))), late
assert backpack.verify(sys.argv[1]).ok and "backpack.archive.verifying" in sys.modules
print("done")
"""


def test_opening_a_store_imports_nothing_more_and_what_few_need_is_imported_late(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "store")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


def test_every_error_is_public() -> None:
    assert {one for one in vars(errors) if one.endswith("Error")} <= set(backpack.__all__)


def test_every_public_name_is_there_and_listed() -> None:
    for name in backpack.__all__:
        assert getattr(backpack, name) is getattr(backpack, name)
        assert name in dir(backpack)
    with pytest.raises(AttributeError, match="nothing"):
        _ = backpack.nothing  # type: ignore[attr-defined]
