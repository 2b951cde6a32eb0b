"""kill -9 at random moments: every acknowledged commit is there, every snapshot is right, and writing goes on."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

IS_LONG: Final = os.environ.get("HYPOTHESIS_PROFILE") == "long"
ROUNDS: Final = 4_000 if IS_LONG else 200
ROOT: Final = Path(__file__).parents[2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_two_hundred_processes_are_killed_and_nothing_acknowledged_is_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    halves = []
    for half in range(2):
        folder = tmp_path / str(half)
        folder.mkdir()
        command = [sys.executable, "-m", "tests.archive.kills", str(folder), str(ROUNDS // 2), str(half)]
        halves.append(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
    outputs = [half.communicate(timeout=3_600 if IS_LONG else 600)[0] for half in halves]
    with capsys.disabled():
        print("\nkilled:", *[output.strip().splitlines()[-1] for output in outputs])
    assert [half.returncode for half in halves] == [0, 0], outputs
