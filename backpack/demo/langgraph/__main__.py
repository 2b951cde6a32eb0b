"""Plays the demo and prints it: `python -m backpack.demo.langgraph`. Exit code 1 when something was not as it must."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from langgraph.checkpoint.memory import InMemorySaver

from backpack.demo.langgraph.killing import killed_on_day
from backpack.demo.langgraph.playing import FORK_DAY, THREAD, Played, newest, play
from backpack.demo.langgraph.trip import DAYS, GUIDE_SIZE
from backpack.integrations.langgraph import BackpackSaver
from backpack.terminal.words import size_shown

try:
    from langgraph.checkpoint.sqlite import SqliteSaver
except ImportError:
    SqliteSaver = None  # type: ignore[assignment,misc]

KILL_DAY: Final = 37
_COMMANDS: Final = (("log", "-n", "4"), ("diff", "HEAD~2"))
_KILLED: Final = 9
_NEEDS_SQLITE: Final = "pip install langgraph-checkpoint-sqlite, to see the same run on SqliteSaver"


class Telling:
    """What is printed, and whether all was as it must be."""

    def __init__(self) -> None:
        self.is_right = True

    def scene(self, title: str, *lines: str) -> None:
        """A scene: its title, and what happened."""
        print(f"\n{title}\n{'-' * len(title)}")
        for line in lines:
            print(line)

    def whether(self, is_so: bool) -> str:
        """A claim that was checked just now."""
        self.is_right &= is_so
        return "yes" if is_so else "NO"


def main() -> int:
    """Play it all in a folder that goes afterwards; the exit code."""
    telling = Telling()
    with tempfile.TemporaryDirectory(prefix="backpack-demo-") as name:
        _tell(telling, Path(name))
    return 0 if telling.is_right else 1


def _tell(telling: Telling, folder: Path) -> None:
    store = folder / "trip.backpack"
    print('LangGraph on a Backpack: graph = builder.compile(checkpointer=BackpackSaver("trip.backpack"))')
    _tell_killed(telling, store)
    expected = play(InMemorySaver(), is_begun=False)
    with BackpackSaver(str(store)) as saver:
        played = play(saver, is_begun=True)
    _tell_played(telling, played, expected)
    _tell_sizes(telling, folder, store, expected)
    _tell_commands(telling, store)


def _tell_killed(telling: Telling, store: Path) -> None:
    number = killed_on_day(str(store), THREAD, KILL_DAY)
    with BackpackSaver(str(store)) as saver:
        count, day = newest(saver)
    telling.scene(
        "1. Killed",
        f"A process plans a trip of {DAYS} days: {size_shown(GUIDE_SIZE)} of guidebook in its state, 1 KB more a day.",
        f'When it says "day {KILL_DAY}" it gets signal {number}: SIGKILL, in the middle of a step.',
        f"In its store are {count} checkpoints, the newest one after day {day}. "
        f"Nothing that was done is lost: {telling.whether(number == _KILLED and day == KILL_DAY - 1)}",
    )


def _tell_played(telling: Telling, played: Played, expected: Played) -> None:
    telling.scene(
        "2. Resumed",
        f'graph.invoke(None, config) goes on with day {KILL_DAY}, plans the rest, and asks: "{played.asked}"',
        f'graph.invoke(Command(resume="yes"), config): booked {played.ended["booked"]}. '
        f"Equal to a run that nobody killed: {telling.whether(played.ended == expected.ended)}",
    )
    telling.scene(
        "3. Travelled back",
        f"graph.get_state_history(config): {played.history} checkpoints, each the whole state as it was.",
        f"After day {FORK_DAY} it had {len(played.back['messages'])} messages. "
        f"As it was in the other run: {telling.whether(played.back == expected.back)}",
    )
    telling.scene(
        "4. Forked",
        f'graph.update_state(the checkpoint after day {FORK_DAY}, {{"wish": "rest"}}), and on from there to the end.',
        f'It asks: "{played.asked_in_fork}", and booked {played.forked["booked"]}. '
        f"As the other run, forked: {telling.whether(played.forked == expected.forked)}",
    )


def _tell_sizes(telling: Telling, folder: Path, store: Path, expected: Played) -> None:
    ours = _size(store)
    lines = [f"{'BackpackSaver':<16}{size_shown(ours):>12}"]
    if SqliteSaver is None:
        lines.append(_NEEDS_SQLITE)
    else:
        file = folder / "checkpoints.db"
        with SqliteSaver.from_conn_string(str(file)) as saver:
            is_same = play(saver, is_begun=False) == expected
        theirs = file.stat().st_size
        lines.insert(0, f"{'SqliteSaver':<16}{size_shown(theirs):>12}")
        lines[1] += f"   {theirs / ours:,.0f} times less"
        lines.append(f"The same calls, with the same answers: {telling.whether(is_same)}")
    telling.scene("5. What is on disk", *lines)


def _tell_commands(telling: Telling, store: Path) -> None:
    """Each is run as a user runs it."""
    lines: list[str] = []
    for words in _COMMANDS:
        command = [sys.executable, "-m", "backpack.cli.main", *words]
        environment = {**os.environ, "BACKPACK_STORE": str(store), "COLUMNS": "100"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        telling.whether(done.returncode == 0)
        lines += [f"$ backpack {' '.join(words)}", *(done.stdout + done.stderr).splitlines(), ""]
    telling.scene("6. On the command line", *lines[:-1])


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


if __name__ == "__main__":
    sys.exit(main())
