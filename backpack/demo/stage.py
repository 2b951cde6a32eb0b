"""What the scenes play on, and what a scene is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from backpack import Backpack
from backpack.demo.checking import Checked
from backpack.demo.packed import Packed
from backpack.demo.showcase import Showcase
from backpack.runs import Run
from backpack.terminal.tables import wrapped
from backpack.terminal.words import columns_of


@dataclass(slots=True)
class Stage:
    """A run in its Backpack, and what is asked of the scenes."""

    bp: Backpack
    run: Run
    packed: Packed
    showcase: Showcase
    budget: int | None
    """Bytes of history to prune to; None: less than there is."""
    width: int
    checked: Checked = field(default_factory=Checked)


@dataclass(frozen=True, slots=True)
class Scene:
    """One thing that a Backpack does: in words, in Python, in lines to read and in facts for a program."""

    name: str
    title: str
    about: str
    code: tuple[str, ...]
    lines: tuple[str, ...]
    facts: Mapping[str, Any]

    def text(self, number: int, width: int) -> list[str]:
        """The lines to print."""
        title = f"{number}. {self.title}"
        code = [f">>> {line}" for line in self.code]
        return [title, "=" * columns_of(title), *wrapped(self.about, width), "", *code, *self.lines, ""]
