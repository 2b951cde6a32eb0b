"""A descriptor that is not lost, and not closed twice, wherever a Ctrl-C comes.

An interrupt is raised between two instructions, most likely right behind a call of the system, when the number that it
returned stands nowhere yet. So the number goes from `os.open` into a list, and from there to `os.close`, by iterators
of C, with no instruction in between.
"""

import os
from functools import partial


class Held:
    """One open descriptor. Use it in a `with` block, or keep it: it is closed when nobody refers to it any more."""

    __slots__ = ("_numbers",)

    def __init__(self, path: str, flags: int, mode: int = 0o600, *, folder: int | None = None) -> None:
        """As `os.open`: an OSError as the system raises it. `folder`: the descriptor of that which the path is in."""
        self._numbers: list[int] = []
        self._numbers.extend(map(partial(os.open, dir_fd=folder), (path,), (flags,), (mode,)))

    @property
    def number(self) -> int:
        """What the system calls it; -1 when it is closed."""
        return self._numbers[0] if self._numbers else -1

    def close(self) -> None:
        """Idempotent. An OSError as the system raises it; it is closed then."""
        numbers = getattr(self, "_numbers", None)  # none where the interrupt came first of all
        if numbers:
            for _ in map(os.close, map(list.pop, (numbers,))):
                pass

    def __enter__(self) -> int:
        return self._numbers[0]

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        try:
            self.close()
        except OSError:
            return  # nobody refers to it: there is nobody left to tell
