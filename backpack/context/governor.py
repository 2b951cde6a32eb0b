"""The governor: what happens when the context rises above two figures.

Above the first one the model and the caller are told; above the second one large contents go to the memory until it
fits. Each is told once per crossing: again only after the context was at or below the figure. Above which it was stands
beside the conversation, so reopening tells nothing twice. The note for the model is in what is sent until the next
message is added.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from backpack.codec import pack_value
from backpack.context.config import Governor
from backpack.context.following import Following
from backpack.context.present import Part
from backpack.context.storable import LANGCHAIN, PLAIN
from backpack.errors import ReadOnlyError

NOTE: Final = (
    "[Note: this conversation has more than {limit:,} tokens. Be brief, ask for slices instead of whole contents, and "
    "don't repeat what is already said.]"
)
"""What the model is told."""

_CROSSED: Final = "crossed"
_DEPTH: Final = 1


class GovernorWarning(UserWarning):
    """The context has risen above a figure of the governor."""


@dataclass(frozen=True, slots=True)
class Crossed:
    """Above which figures the context is."""

    is_warned: bool = False
    is_pointing: bool = False


class Governing:
    """The governor of one conversation. All but `keep` and `tell` want the lock of what it follows."""

    def __init__(
        self,
        governor: Governor | None,
        following: Following,
        count: Callable[[Any], int],
        on_warning: Callable[[str], object] | None,
    ) -> None:
        self._governor = governor
        self._following = following
        self._on_warning = on_warning
        self._noted_at = -1
        """How many messages there were at the last warning."""
        self._value: dict[str, Any] = {}
        self.tokens = 0
        """What its note takes, kept free all the time."""
        if governor is not None:
            self._value = {"role": "system", "content": NOTE.format(limit=governor.warn)}
            self.tokens = count(self._value)

    def look(self, tokens: int) -> tuple[list[str], bool]:
        """Compare what is about to be sent with the figures.

        What the caller is to be told, and whether `keep` has something to do.
        """
        governor = self._governor
        if governor is None:
            return [], False
        before = self._crossed()
        now = Crossed(tokens > governor.warn, tokens > governor.pointer)
        said = []
        if now.is_warned and not before.is_warned:
            self._noted_at = self._following.present.count
            said.append(f"the context has risen above a figure: tokens={tokens} warn={governor.warn}")
        if now.is_pointing and not before.is_pointing:
            said.append(f"large contents leave the context for the memory: tokens={tokens} pointer={governor.pointer}")
        if now != before:
            crossed = [now.is_warned, now.is_pointing]
            self._following.about = {**self._following.about, _CROSSED: crossed}
        return said, now != before

    def noted(self, parts: Sequence[Part]) -> list[Part]:
        """What is sent, with the note for the model behind its system messages if there is one."""
        present = self._following.present
        if self._noted_at != present.count:
            return list(parts)
        is_langchain = bool(parts) and parts[-1].kind == LANGCHAIN
        value = {"type": "system", "content": self._value["content"]} if is_langchain else self._value
        if not present.system and _is_anthropic(parts):  # its API has no system messages among the others
            value = {**self._value, "role": "user"}
        note = Part(-1, pack_value(value, _DEPTH), self.tokens, LANGCHAIN if is_langchain else PLAIN)
        at = len(present.system)
        return [*parts[:at], note, *parts[at:]]

    def tell(self, said: Sequence[str]) -> None:
        """Tell the caller: by his callback, or by warnings."""
        for one in said:
            if self._on_warning is not None:
                self._on_warning(one)
            else:
                warnings.warn(one, GovernorWarning, stacklevel=4)

    def _crossed(self) -> Crossed:
        flags = self._following.about.get(_CROSSED)
        return Crossed(*map(bool, flags)) if type(flags) is list and len(flags) == 2 else Crossed()

    def keep(self) -> None:
        """Commit above which figures the context is. Wants that the lock isn't held: it may wait for a disk."""
        with self._following.lock:
            about = self._following.about
        try:
            self._following.storage.note(about)
        except ReadOnlyError:  # who only reads is told each time that he opens it
            return


def _is_anthropic(parts: Sequence[Part]) -> bool:
    """Do tools answer in blocks of the user's messages?"""
    return any(b"\xa4type\xabtool_result" in part.packed for part in parts)
