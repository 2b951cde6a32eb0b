"""A run in a process of its own, which is killed in the middle: SIGKILL, so nothing of it can tidy up."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from backpack.demo.langgraph.running import DAY

_MODULE: Final = "backpack.demo.langgraph.running"


def killed_on_day(store: str, thread: str, day: int) -> int:
    """Begin the trip, kill the process when it says that day; the number of its signal."""
    root = str(Path(__file__).parents[3])
    path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH", "")) if part)
    process = subprocess.Popen(
        [sys.executable, "-m", _MODULE, store, thread],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert process.stdout is not None
    with process.stdout as said:
        for line in said:
            if line == f"{DAY}{day}\n":
                process.kill()
                break
    return -process.wait()
