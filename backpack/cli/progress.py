"""How far some work has come: a bar where someone is watching, a line now and then elsewhere, or nothing."""

from collections.abc import Callable
from time import monotonic
from typing import Final, Self, TextIO

from backpack.terminal.tables import terminal_width

_BAR_WIDTH: Final = 30
_LINE_SHARE: Final = 10
"""A line for each tenth of the work, at most."""
_QUIET_S: Final = 2.0
_BETWEEN_S_MAX: Final = 60.0


class Pace:
    """When a line is due: not before two seconds, then when the work has taken twice as long, or a minute more."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._start = clock()
        self._due_s = _QUIET_S

    def is_due(self) -> bool:
        """Whether a line is; if so, the next one is due later."""
        elapsed = self._clock() - self._start
        if elapsed < self._due_s:
            return False
        self._due_s = elapsed + min(elapsed, _BETWEEN_S_MAX)
        return True


class Progress:
    """Called with what is done and what there is; the work says how much that is worth."""

    def __init__(
        self, stream: TextIO, what: str, *, has_lines: bool = True, is_quiet: bool = False, pace: Pace | None = None
    ) -> None:
        """`pace`: that of several works that follow each other."""
        self._is_terminal = stream.isatty()
        self._stream = None if is_quiet or not (self._is_terminal or has_lines) else stream
        self._what = what
        self._pace = Pace() if pace is None else pace
        self._shown = -1
        self._width = 0

    def __call__(self, done: int, total: int) -> None:
        """So many of so many are done; when all are, the bar is wiped. Cost: little unless there is something new."""
        parts = _BAR_WIDTH if self._is_terminal else _LINE_SHARE
        part = done * parts // max(1, total)
        if self._stream is None or part == self._shown:
            return
        self._shown = part
        text = f"{done:,} of {total:,} {self._what}"
        if self._is_terminal and done >= total:
            self.end()
        elif self._is_terminal:
            bar = "#" * part + "." * (_BAR_WIDTH - part)
            self._draw(f"[{bar}] {text}"[: terminal_width() - 1])
        elif part and self._pace.is_due():
            self._write(f"{text}\n")

    def end(self) -> None:
        """Wipe the bar; what comes next stands in its place."""
        if self._width:
            self._write("\r" + " " * self._width + "\r")
            self._width = 0

    def _draw(self, text: str) -> None:
        self._write("\r" + text.ljust(self._width))
        self._width = len(text)

    def _write(self, text: str) -> None:
        """Progress that can't be shown is no reason to stop the work."""
        assert self._stream is not None
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            self._stream, self._width = None, 0


class Steps:
    """The progress of works that follow each other, each with a bar of its own. The end of a `with` wipes the last."""

    def __init__(
        self,
        stream: TextIO,
        between: Callable[[], None],
        *,
        is_quiet: bool = False,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._stream = stream
        self._between = between
        """Called at every step; whatever it raises ends the work there."""
        self._is_quiet = is_quiet
        self._pace = Pace(clock)
        self._what = ""
        self._progress: Progress | None = None

    def __call__(self, what: str, done: int, total: int) -> None:
        """So many of so many of this are done. Cost: that of `Progress`."""
        self._between()
        if what != self._what or self._progress is None:
            self.end()
            self._what, self._progress = what, self._begun(what)
        self._progress(done, total)

    def _begun(self, what: str) -> Progress:
        return Progress(self._stream, what, is_quiet=self._is_quiet, pace=self._pace)

    def end(self) -> None:
        """Wipe the bar."""
        if self._progress is not None:
            self._progress.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
