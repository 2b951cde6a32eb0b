"""A disk that is really full: `DiskFullError`, nothing lost, and work goes on when there is room, reopened or not."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
TIME_MAX_S: Final = 300
_MOUNT: Final = 'mount -t tmpfs -o size=1m tmpfs "$1" && shift && exec "$@"'


def run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIME_MAX_S, check=False)


def test_a_file_that_may_not_grow_is_a_full_disk_and_no_end(tmp_path: Path) -> None:
    done = run(sys.executable, "-m", "tests.archive.full", "file", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr


def in_a_small_file_system(folder: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    """In a name space of its own, where anybody may mount."""
    return run("unshare", "-Urm", "sh", "-c", _MOUNT, "sh", str(folder), *command)


def test_a_full_file_system_loses_nothing_and_work_goes_on_when_there_is_room(tmp_path: Path) -> None:
    try:
        can_mount = in_a_small_file_system(tmp_path, "true").returncode == 0
    except FileNotFoundError:
        can_mount = False
    if not can_mount:
        pytest.skip("no file system may be mounted here")
    done = in_a_small_file_system(tmp_path, sys.executable, "-m", "tests.archive.full", "disk", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
