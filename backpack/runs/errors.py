"""The one error of reading runs."""

from __future__ import annotations

from typing import Any

from backpack.errors import BackpackError


class RunFileError(BackpackError, ValueError):
    """A file that is no run. Facts: `reason`, and `file` and `line` (from 1) where they are known."""

    file: str | None
    line: int | None
    reason: str

    def __init__(self, reason: str = "", *, line: int | None = None, file: str | None = None, **_: Any) -> None:
        super().__init__(reason, reason=reason, line=line, file=file)

    def __str__(self) -> str:
        where = [] if self.file is None else [self.file]
        if self.line is not None:
            where.append(f"line {self.line}")
        return f"{', '.join(where)}: {self.reason}" if where else self.reason

    def in_file(self, file: str) -> RunFileError:
        """The same error with the name of the file."""
        return RunFileError(self.reason, line=self.line, file=file)
