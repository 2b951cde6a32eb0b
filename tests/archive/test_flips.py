"""Every byte of every file of a small store flipped, every file cut at every length, opened with "r" and with "rw" by
turns: what was written is shown, or an error that names file and offset; never anything else, a hang, or much memory.

`HYPOTHESIS_PROFILE=long` flips all eight bits of each byte, not one, and opens each both ways.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import backpack.archive.scanning
from tests.archive.crashes import small_files
from tests.archive.flips import Wrong, closed_store, harms, killed_store, look

IS_LONG: Final = os.environ.get("HYPOTHESIS_PROFILE") == "long"
BITS: Final = 8 if IS_LONG else 1
TIME_MAX_S: Final = 3_600 if IS_LONG else 600
ROOT: Final = Path(__file__).parents[2]


@pytest.mark.parametrize("kind", ["closed", "killed"])
def test_harm_to_any_byte_shows_what_was_written_or_says_where_it_is_not(
    kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-m", "tests.archive.flips", kind]
    runs = [
        subprocess.Popen([*command, str(first), "2", str(BITS)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for first in range(2)
    ]
    outputs = [run.communicate(timeout=TIME_MAX_S)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], outputs
    figures = [[int(figure) for figure in re.findall(r"=(\d+)", output.splitlines()[-1])] for output in outputs]
    tried, found, wrong = (sum(column) for column in list(zip(*figures, strict=True))[:3])
    with capsys.disabled():
        print(f"\n{kind} store of {figures[0][3]} bytes: {tried} openings of harmed ones, {found} told, {wrong} wrong")
    assert not wrong, outputs
    assert found > tried / 4


def test_the_truth_is_seen_in_the_stores_as_they_are() -> None:
    for truth in (closed_store(), killed_store()):
        with small_files():
            assert not look(truth, truth.files, is_writable=False)
            assert not look(truth, truth.files, is_writable=True)


def first_wrong() -> str:
    """What harm to the logs of a killed store shows first that is wrong; empty when nothing is."""
    truth = killed_store()
    with small_files():
        for name, files, is_torn in harms(truth.files, 1):
            if ".log offset=" in name and not int(name.split("=")[1].split()[0]) % 16:
                try:
                    look(truth, files, is_writable=True, is_torn=is_torn)
                except Wrong as error:
                    return f"{name}: {error}"
    return ""


def test_recovery_that_takes_any_bad_frame_for_a_torn_end_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert first_wrong() == ""
    monkeypatch.setattr(backpack.archive.scanning, "kept_behind", lambda *_, **__: 0)
    assert first_wrong()


def test_logs_whose_bodies_are_not_checked_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Agreeable:
        def __ne__(self, _: object) -> bool:
            return False

    monkeypatch.setattr(backpack.archive.scanning, "xxh3_64_intdigest", lambda *_: Agreeable())
    assert first_wrong()
