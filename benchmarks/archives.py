"""Stores of many commits in a folder, made once for all benchmarks of a run that only read them or open them."""

import atexit
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import backpack
from benchmarks import workloads
from benchmarks.folders import make_folder
from benchmarks.processes import in_new_process, peak_size, reset_peak

HISTORY_SIZE: Final = 1_000_000
"""The budget in memory while they are made: next to nothing, so that almost all commits are on disk only."""


@dataclass(frozen=True, slots=True)
class Made:
    """A store that was closed, and what making it has taken."""

    path: Path
    commits: int
    key_count: int
    peak: int | None
    """The most bytes of the process that made it, beyond what it had before it opened the store."""


@cache
def archive_of(commits: int, key_count: int) -> Made:
    """`commits` commits of 85 B dicts, each key in its turn. It is removed at the end of the process."""
    folder = make_folder()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / "store"
    return Made(path, commits, key_count, in_new_process(_make, path, commits, key_count))


def number_at(seq: int, key: int, key_count: int) -> int:
    """Which record the key of that number has as of a commit."""
    return (seq - 1 - key) // key_count * key_count + key


def _make(path: Path, commits: int, key_count: int) -> int | None:
    keys = workloads.keys(key_count)
    workloads.small_record(0)
    before = reset_peak()
    with backpack.open(path, max_history_size=HISTORY_SIZE) as store:
        for number in range(commits):
            store.pack(keys[number % key_count], workloads.small_record(number), node=workloads.NODE)
    peak = peak_size()
    return None if before is None or peak is None else peak - before
