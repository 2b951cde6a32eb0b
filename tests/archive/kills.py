"""A process that writes to a store and is killed, again and again; run as a program by `test_kills`.

    python -m tests.archive.kills FOLDER ROUNDS SEED

Each round a child is forked. It opens the store, commits as fast as it can, and says each acknowledged seq over a pipe.
After some acknowledgements, or in the middle of opening, the parent kills it, opens the store itself, and holds it
against what every commit is known to be: it follows from its seq alone.
"""

import os
import random
import signal
import struct
import sys
import time
from pathlib import Path
from typing import Any, Final

import backpack
import backpack.archive.opened
import backpack.archive.placing
from backpack.store.store import Backpack

KEYS: Final = 7
APPENDED_EVERY: Final = 5
LARGE_EVERY: Final = 11
ROUNDS_A_STORE: Final = 20
_ACK: Final = struct.Struct("<Q")


def text_of(seq: int) -> str:
    """A large value."""
    return "".join(random.Random(seq).choices("abcdefghijklmnop", k=3_000))


def commit(store: Backpack, seq: int) -> int:
    """Make the commit of that number; its seq."""
    if not seq % LARGE_EVERY:
        return store.pack("page", text_of(seq)).seq
    if not seq % APPENDED_EVERY:
        return store.append("log", seq).seq
    return store.pack(f"k{seq % KEYS}", {"seq": seq, "text": "x" * (seq % 90)}).seq


def values_at(head: int) -> dict[str, Any]:
    """What the store has after that many commits."""
    values: dict[str, Any] = {}
    log = [seq for seq in range(APPENDED_EVERY, head + 1, APPENDED_EVERY) if seq % LARGE_EVERY]
    if log:
        values["log"] = log
    for seq in range(max(1, head - 40 * KEYS), head + 1):
        if not seq % LARGE_EVERY:
            values["page"] = seq
        elif seq % APPENDED_EVERY:
            values[f"k{seq % KEYS}"] = {"seq": seq, "text": "x" * (seq % 90)}
    if "page" in values:
        values["page"] = text_of(values["page"])
    return values


def write(path: Path, durability: Any, pipe: int) -> None:
    """The child."""
    store = backpack.open(path, durability=durability, max_value_size=1_000, max_history_size=20_000)
    seq = store.head.seq if store.head else 0
    while True:
        seq += 1
        assert commit(store, seq) == seq
        os.write(pipe, _ACK.pack(seq))


def round_of(path: Path, chance: random.Random) -> int:
    """Have a child write, kill it; the last seq that it acknowledged."""
    reader, writer = os.pipe()
    durability = chance.choice(("process", "process", "power"))
    child = os.fork()
    if not child:
        try:
            write(path, durability, writer)
        finally:
            os._exit(1)
    os.close(writer)
    wanted = chance.choice((0, 1, 8) if durability == "power" else (0, 1, 50, 300))
    received = b""
    if wanted:
        while len(received) < _ACK.size * wanted:
            more = os.read(reader, 4096)
            if not more:
                break
            received += more
    time.sleep(chance.random() * 0.01)  # the moment of the kill is what is random here
    os.kill(child, signal.SIGKILL)
    while more := os.read(reader, 65_536):
        received += more
    os.close(reader)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"the child ended by itself: {status}"
    usable = len(received) - len(received) % _ACK.size
    return max((seq for (seq,) in _ACK.iter_unpack(received[:usable])), default=0)


def verify(path: Path, acknowledged: int, chance: random.Random) -> int:
    """All that was acknowledged is there, and what is there is right; the head."""
    if not (path / "manifest").exists():
        assert not acknowledged
        return 0
    mode: Any = chance.choice(("rw", "r"))
    store = backpack.open(path, mode, max_value_size=1_000)
    head = store.head.seq if store.head else 0
    assert head >= acknowledged, f"{acknowledged} was acknowledged, and the head is {head}"
    for seq in {head, max(0, head - 1), *(chance.randrange(head + 1) for _ in range(6))}:
        assert store.snapshot(seq).to_dict() == values_at(seq), f"commit {seq} is not what it was"
    assert [one.seq for one in store.history(limit=50)] == list(range(head, max(0, head - 50), -1))
    if mode == "rw":
        assert commit(store, head + 1) == head + 1
    store.close()
    return head + (mode == "rw")


def main(folder: str, rounds: int, seed: int) -> None:
    backpack.archive.opened.SEGMENT_SIZE = 30_000  # type: ignore[misc]
    backpack.archive.opened.SEAL_SIZE_MIN = 3_000  # type: ignore[misc]
    backpack.archive.placing.TAIL_SIZE_MAX = 500  # type: ignore[misc]
    chance = random.Random(seed)
    acknowledged = commits = 0
    for number in range(rounds):
        path = Path(folder) / str(number // ROUNDS_A_STORE)
        if not number % ROUNDS_A_STORE:
            acknowledged = 0
        before = acknowledged
        acknowledged = max(acknowledged, round_of(path, chance))
        acknowledged = verify(path, acknowledged, chance)
        commits += acknowledged - before
    print(f"rounds={rounds} commits={commits}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
