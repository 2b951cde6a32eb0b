"""Writing to a terminal, or to whatever is in its place."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, TextIO

from backpack.terminal.tables import WIDTH_MAX, table, terminal_width
from backpack.terminal.values import json_text

_INDENT: Final = 2


class OutputError(Exception):
    """The output can't be written, and not because its reader went away."""


class Console:
    """Writes lines; letters that the encoding of the stream lacks are escaped instead of failing."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._encoding = getattr(stream, "encoding", None) or "utf-8"

    @property
    def width(self) -> int:
        """Columns for a table: those of the terminal, and as many as one may have where there is none."""
        return terminal_width(elsewhere=WIDTH_MAX)

    def document(self, facts: Any) -> None:
        """What `--json` asks for: facts, in kinds that JSON has, as one document."""
        self.line(json_text(facts, indent=_INDENT))

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]], **how: str) -> None:
        """Rows in columns; `how` as of `table`."""
        self.lines(table(head, rows, self.width, **how))

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
