"""Ctrl-C at any line that reads a log in: what is asked afterwards is answered as if there had been none."""

import os
from functools import partial

from backpack import Backpack
from backpack.archive.scanning import Log
from backpack.storage.memory import MemoryFolder
from tests.interrupting import interrupted_at

from .stores import opened_in

STRIDE = int(os.environ.get("BACKPACK_INTERRUPT_STRIDE", "1"))

READING = ("/archive/scanning.py", "/archive/sources.py")


def filled() -> Backpack:
    """A store of one log, with frames of each kind."""
    bp = opened_in(MemoryFolder())
    for number in range(3):
        bp.pack("a", f"value {number}")
        bp.pack("b", f"text {number}")
        bp.update({"a": -number, "list": ["item"] * 40})
        bp.append("list", f"item {number}")
        bp.checkpoint(f"{number}")
    return bp


def log_of(bp: Backpack) -> Log:
    assert bp._archive is not None
    (log,) = bp._archive.parts
    assert isinstance(log, Log)
    log.catch_up()
    return log


def said_by(log: Log) -> object:
    """All that a log says of itself."""
    log.catch_up()
    rows = {key: list(seqs) for key, seqs in log.rows.items()}
    pieces = [log.sources.pieces_of(number) for number in range(log.next_source)]
    commits = [(row.seq, row.time_ns, row.label, [one.key for one in row.changes]) for row in log.commits(1 << 62, 0)]
    return rows, pieces, commits, log.sources.sizes(), log.notes, log.stop, log.head_sum, log.synced_upto


def is_read(name: str) -> bool:
    return name.endswith(READING)


def test_a_log_that_is_read_on_after_an_interrupt_says_what_it_says_without() -> None:
    whole = log_of(filled())
    for step in range(1, 10_000, STRIDE):
        log = whole.fresh()
        log.follow(lambda: whole.stop)
        is_over = interrupted_at(step, log.catch_up, is_read, passing=("with ",)) is None
        assert said_by(log) == said_by(whole), step
        if is_over:
            break
    assert step > 100


def test_a_log_that_was_interrupted_while_it_forgot_has_forgotten() -> None:
    whole = log_of(filled())
    offset = whole.offset_of(whole.last_seq)
    shorter = whole.fresh()
    shorter.follow(lambda: offset)
    shorter.catch_up()
    for step in range(3, 10_000, STRIDE):  # by then it has begun
        log = whole.fresh()
        log.follow(lambda: whole.stop)
        log.catch_up()
        log.follow(lambda: offset)
        is_over = interrupted_at(step, partial(log.forget_behind, offset), is_read, passing=("with ",)) is None
        assert said_by(log) == said_by(shorter), step
        if is_over:
            break
    assert step > 100
