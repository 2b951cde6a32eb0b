"""Writing to a terminal, or to whatever is in its place."""

from collections.abc import Iterable
from typing import TextIO


class OutputError(Exception):
    """The output can't be written, and not because its reader went away."""


class Console:
    """Writes lines; letters that the encoding of the stream lacks are escaped instead of failing."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._encoding = getattr(stream, "encoding", None) or "utf-8"

    def line(self, text: str) -> None:
        """One line."""
        self.lines((text,))

    def lines(self, lines: Iterable[str]) -> None:
        """Lines, all of them out before this returns. A reader that went away raises `BrokenPipeError`."""
        text = "".join(f"{line}\n" for line in lines)
        safe = text.encode(self._encoding, "backslashreplace").decode(self._encoding)
        try:
            self._stream.write(safe)
            self._stream.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(f"can't write: {error.strerror or error}") from None
