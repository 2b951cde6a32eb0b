"""Real processes that log beside one that writes: nothing is lost, whoever is killed."""

import gc
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pytest

import backpack
from backpack import Backpack
from backpack.memory import Memory, log_beside
from backpack.store import abandoned

ROOT: Final = Path(__file__).parents[2]
POSTERS: Final = 8
LOGS: Final = 12

POSTER: Final = """
import sys
from backpack.memory import log_beside
path, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
for number in range(count):
    text = f"{name} {number}\\n" * (40_000 if number % 5 == 4 else 3)
    print(log_beside(path, text, title=f"{name}-{number}", tags=[name]), flush=True)
"""
WRITER: Final = """
import sys, backpack
from backpack.memory import Memory
bp = backpack.open(sys.argv[1])
memory, number = Memory(bp), 0
print("open", flush=True)
while True:
    number += 1
    bp.pack("own", number)
    memory.list(limit=1)
    if number % 7 == 0:
        bp.flush()
"""


def started(code: str, *arguments: object) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def check(bp: Backpack, ids: list[str]) -> None:
    """Every id is an entry with exactly what was logged, and none is there twice."""
    memory = Memory(bp)
    found = memory.list()
    assert len({entry.title for entry in found}) == len(found)
    by_id = {entry.id: entry for entry in found}
    for id in ids:
        name, _, number = by_id[id].title.rpartition("-")
        assert memory.read(id) == f"{name} {number}\n" * (40_000 if int(number) % 5 == 4 else 3)
        assert bp.version(memory.keys.entries + id) <= 1


def test_eight_processes_beside_a_writer_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with backpack.open(path) as bp, backpack.open(path, "r") as reader:
        memory, watching = Memory(bp), Memory(reader)
        posters = [started(POSTER, path, f"p{number}", LOGS) for number in range(POSTERS)]
        ids: list[str] = []
        while any(poster.poll() is None for poster in posters):
            memory.list(limit=1)
            assert len(watching.list(tag="p0")) <= LOGS
        for poster in posters:
            out, _ = poster.communicate()
            assert poster.returncode == 0
            ids += out.split()
        assert len(set(ids)) == POSTERS * LOGS
        assert len({entry.id for entry in watching.list()} & set(ids)) == len(ids)
        check(bp, ids)
        assert not list((path / "inbox").glob("*.letter"))
    assert backpack.verify(path).ok


@pytest.mark.parametrize("seed", range(4))
def test_what_was_posted_survives_killed_posters_and_killed_writers(seed: int, tmp_path: Path) -> None:
    path, chance = tmp_path / "store", random.Random(seed)
    backpack.open(path).close()
    ids: list[str] = []
    for turn in range(2):
        writer = started(WRITER, path)
        posters = [started(POSTER, path, f"t{turn}p{number}", 1_000) for number in range(3)]
        assert writer.stdout is not None and writer.stdout.readline() == "open\n"
        assert posters[0].stdout is not None
        ids += [posters[0].stdout.readline().strip() for _ in range(chance.randrange(2, 9))]
        time.sleep(chance.random() * 0.05)  # the moment of the kill is what is random here
        victims = [writer, *posters]
        chance.shuffle(victims)
        for process in victims:
            process.send_signal(signal.SIGKILL)
        for process in victims:
            out, _ = process.communicate()
            assert process.returncode == -signal.SIGKILL
            if process is not writer:
                ids += [line for line in out.splitlines(keepends=False) if len(line) == len(ids[0])]
        with backpack.open(path, "r") as reader:
            check(reader, ids)
    with backpack.open(path) as bp:
        check(bp, ids)
        assert bp.health().ok
        assert [file.name for file in (path / "inbox").iterdir()] == ["posters"]
    assert backpack.verify(path).ok


def test_a_long_text_is_posted_in_parts_and_read_in_slices_before_it_is_adopted(tmp_path: Path) -> None:
    path = tmp_path / "store"
    text = "".join(f"line {number}\n" for number in range(300_000))
    (tmp_path / "text").write_text(text)
    with backpack.open(path) as bp:
        entry = log_beside(path, tmp_path / "text")
        with backpack.open(path, "r") as reader:
            memory = Memory(reader)
            assert memory.fetch(f"mem://{entry}#L250000-250001") == "line 249999\nline 250000\n"
            assert memory.read(entry) == text
            assert len(list(memory.keys.parts for _ in memory.values.keys(memory.keys.parts))) == 4
        memory = Memory(bp)
        assert memory.fetch(entry, lines=(1, 1)) == "line 0\n"
        assert memory.read(entry) == text
        memory.delete(entry)
        assert [key for key in bp if key.startswith(memory.keys.parts)] == []


def test_a_reader_goes_on_when_letters_are_adopted_under_it(tmp_path: Path) -> None:
    path = tmp_path / "store"
    text = "".join(f"line {number}\n" for number in range(300_000))
    with backpack.open(path) as bp, backpack.open(path, "r") as reader:
        long = log_beside(path, text)
        short = log_beside(path, "short")
        memory = Memory(reader)
        assert len(memory.list()) == 2
        pieces = memory.iterate(long)
        begin = next(pieces)
        bp.flush()
        assert begin + b"".join(pieces) == text.encode()
        assert memory.read(short) == "short"


def test_a_reader_holds_no_file_open_for_a_letter(tmp_path: Path) -> None:
    path = tmp_path / "store"
    backpack.open(path).close()
    with backpack.open(path, "r") as reader:
        memory = Memory(reader)
        memory.list()
        gc.collect()
        for thread in list(abandoned._closing):  # what other tests lost without closing it goes first
            thread.join()
        before = len(os.listdir("/dev/fd"))
        for number in range(30):
            log_beside(path, f"text {number}")
        assert [memory.read(entry) for entry in memory.list()] == [f"text {number}" for number in reversed(range(30))]
        gc.collect()
        assert len(os.listdir("/dev/fd")) == before


def test_the_same_content_is_kept_once_and_a_deletion_leaves_the_letter_whole(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with backpack.open(path) as bp:
        memory = Memory(bp)
        first = memory.log("the same text")
        second = log_beside(path, "the same text")
        memory.delete(first)
        assert memory.read(second) == "the same text"
        third = log_beside(path, "the same text")
        memory.delete(second)
        assert memory.read(third) == "the same text"
        assert [entry.id for entry in memory.list()] == [third.id]


def test_pruning_leaves_what_is_posted_whole(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with backpack.open(path) as bp:
        now = 1_000_000_000.0
        memory = Memory(bp, clock=lambda: now)
        memory.log("the same text")
        now += 30 * 86_400
        entry = log_beside(path, "the same text")
        memory.prune(keep_days=7, keep_entries=1)
        assert [one.id for one in memory.list()] == [entry.id]
        assert memory.read(entry) == "the same text"
