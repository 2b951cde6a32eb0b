"""Ctrl-C between two steps of work that is better not cut in the middle."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interruption:
    """Whether somebody asked to stop. `check` raises `KeyboardInterrupt` if so."""

    def __init__(self) -> None:
        self.is_asked = False

    def check(self) -> None:
        """Stop here, if that was asked for."""
        if self.is_asked:
            raise KeyboardInterrupt

    def ask(self, _number: int, _frame: FrameType | None) -> None:
        """What the signal calls; a second time it stops at once."""
        if self.is_asked:
            raise KeyboardInterrupt
        self.is_asked = True


@contextmanager
def between_steps() -> Iterator[Interruption]:
    """Inside, Ctrl-C only notes that it came; the work asks with `check`. A second Ctrl-C does not wait.

    Where signals can't be handled (another thread), or someone else handles this one, nothing is different.
    """
    interruption = Interruption()
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield interruption
        return
    signal.signal(signal.SIGINT, interruption.ask)
    try:
        yield interruption
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
