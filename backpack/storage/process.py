"""Which process this is.

A fork tells it, so that asking costs an attribute and no system call (0.15 us, a third of a write): whoever opened
something for writing remembers the pid, and refuses when it isn't the present one.
"""

import os
from collections.abc import Callable

pid: int = os.getpid()
"""The present process. Read it as an attribute of the module, never by `from ... import pid`."""


def after_fork(act: Callable[[], None]) -> None:
    """Do that in each child of a fork, in the order of these calls. Nothing where there are no forks."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=act)


def _renew() -> None:
    global pid
    pid = os.getpid()


after_fork(_renew)
