"""Tables of text that fit a terminal."""

import shutil
import textwrap
from collections.abc import Sequence
from typing import Final

from backpack.terminal.words import columns_of, cut

WIDTH_MIN: Final = 80
WIDTH_MAX: Final = 160
_GAP: Final = 2
_COLUMN_MIN: Final = 6


def terminal_width(*, elsewhere: int = WIDTH_MIN) -> int:
    """The columns to write in: those of the terminal, 80 at least; `elsewhere` where there is none to ask."""
    return max(WIDTH_MIN, min(WIDTH_MAX, shutil.get_terminal_size((elsewhere, 24)).columns))


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], width: int, *, right: str = "", firm: str = "", whole: str = ""
) -> list[str]:
    """Lines with aligned columns, no wider than `width`: the widest columns give way first.

    `right` names the heads of columns that are numbers, separated by spaces: they stand to the right and are not cut.
    `whole` names one that is not cut and stands to the left, `firm` one that gives way only when others are a third as
    wide.
    """
    aligned = set(right.split())
    cells = [list(head), *(list(row) for row in rows)]
    widths = [max(columns_of(row[column]) for row in cells) for column in range(len(head))]
    flexible = [column for column, name in enumerate(head) if name not in aligned and name != whole]
    while flexible and sum(widths) + _GAP * (len(head) - 1) > width:
        widest = max(flexible, key=lambda column: widths[column] / (3 if head[column] == firm else 1))
        if widths[widest] <= _COLUMN_MIN:
            break
        widths[widest] -= 1
    lines = [_line(row, widths, head, aligned) for row in cells]
    lines.insert(1, (" " * _GAP).join("-" * size for size in widths))
    return lines


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """A text as lines of at most that width, the second and later ones behind an indent."""
    return textwrap.wrap(text, width, subsequent_indent=indent)


def _line(row: Sequence[str], widths: Sequence[int], head: Sequence[str], aligned: set[str]) -> str:
    shown = []
    for cell, size, name in zip(row, widths, head, strict=True):
        text = cut(cell, size)
        space = " " * (size - columns_of(text))
        shown.append(space + text if name in aligned else text + space)
    return (" " * _GAP).join(shown).rstrip()
