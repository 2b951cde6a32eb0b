"""How long work in the background gives way to threads that commit.

A thread that commits lets go of the interpreter with every write, for a microsecond. Whoever has work without end takes
it there and keeps it for 5 ms (`sys.getswitchinterval`), so a commit would cost 5 ms while a log is being sealed.
Giving the interpreter back for a moment does not help: it is taken again before the other thread has woken. So the work
is cut into steps of about 100 us, and between two of them it sleeps, if there was a commit since it slept last; else
only now and then, to find out.
"""

from collections.abc import Callable, Iterable, Iterator
from time import sleep
from typing import Final

SLEEP_S: Final = 50e-6
_LOOK_EVERY: Final = 8
"""Steps without a sleep, where nobody seems to commit."""
_LOOK_RARELY: Final = 64
"""The same where nobody can commit any more: about as long as the interpreter lets any thread run. It sleeps for the
other threads of the process."""


class Yielding:
    """Called between two steps of the work."""

    __slots__ = ("_every", "_head", "_left", "_newest")

    def __init__(self, head: Callable[[], int], *, is_last: bool = False) -> None:
        """`head`: the newest commit; `is_last`: there won't be another."""
        self._head = head
        self._newest = head()
        self._every = _LOOK_RARELY if is_last else _LOOK_EVERY
        self._left = 0

    def __call__(self) -> None:
        newest = self._head()
        self._left -= 1
        if newest != self._newest or self._left < 0:
            self._newest = newest
            self._left = self._every
            sleep(SLEEP_S)

    def between(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The same pieces, with a pause at each."""
        for piece in pieces:
            if piece:
                yield piece
            self()
