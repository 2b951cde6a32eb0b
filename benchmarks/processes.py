"""Interpreters of their own, where nothing else has touched the memory, and how much of it they take.

A peak is the high-water mark of the resident size, which Linux keeps and lets a process reset; elsewhere there is none.
"""

import gc
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Final, TypeVar

Result = TypeVar("Result")

MB: Final = 1_000_000
_ANSWER: Final = "from benchmarks.processes import _answer; _answer()"


def in_new_process(function: Callable[..., Result], *arguments: Any) -> Result:
    """Call a function of a module in a new interpreter, which imports that module and nothing else."""
    module = function.__module__
    if module == "__main__":
        spec = sys.modules[module].__spec__
        module = f"benchmarks.{Path(sys.argv[0]).stem}" if spec is None else spec.name
    asked = pickle.dumps((module, function.__name__, arguments))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in [os.getcwd(), *sys.path] if path)}
    done = subprocess.run([sys.executable, "-c", _ANSWER], input=asked, stdout=subprocess.PIPE, env=environment)
    if done.returncode:
        raise RuntimeError(f"the process failed: function={module}.{function.__name__} code={done.returncode}")
    result: Result = pickle.loads(done.stdout)
    return result


def _answer() -> None:
    """What the new interpreter does."""
    module, name, arguments = pickle.load(sys.stdin.buffer)
    answer = getattr(import_module(module), name)(*arguments)
    sys.stdout.buffer.write(pickle.dumps(answer))


def resident_size() -> int | None:
    """Bytes of this process in memory; None where the system does not say."""
    return _status("VmRSS")


def peak_size() -> int | None:
    """The most bytes of this process that were in memory since `reset_peak`; None where the system does not say."""
    return _status("VmHWM")


def reset_peak() -> int | None:
    """Begin a new peak; the resident size from which it begins."""
    gc.collect()
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    return resident_size()


def _status(field: str) -> int | None:
    try:
        lines = Path("/proc/self/status").read_text("ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:")), None)
