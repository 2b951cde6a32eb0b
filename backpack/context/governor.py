"""The governor: what happens when the context rises above two figures.

Above the first one the model and the caller are told; above the second one large contents go to the memory until it
fits. Each is told once per crossing: again only after the context was at or below the figure. Above which it was stands
beside the conversation, so reopening tells nothing twice. The note for the model is in what is sent until the next
message is added.

What goes to the memory brings the context down to a margin below the second figure, so that it isn't crossed again at
once. Where nothing can, it is tried again when enough came that could go.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from backpack.codec import pack_value
from backpack.context.attempts import Attempts
from backpack.context.config import Governor
from backpack.context.fitting import FLOORS, fit_parts
from backpack.context.following import Following
from backpack.context.present import Part
from backpack.context.sizing import Sizes
from backpack.context.storable import LANGCHAIN, PLAIN, SYSTEM
from backpack.errors import ContextOverflowError, ReadOnlyError

NOTE: Final = (
    "[Note: this conversation has more than {limit:,} tokens. Be brief, ask for slices instead of whole contents, and "
    "don't repeat what is already said.]"
)
"""What the model is told."""

_MARGIN_PERCENT: Final = 75
"""The context is brought down to this part of the second figure."""

_LARGE_PART: Final = 20
"""Where it could not, it is tried again when this part of the figure came that could go."""

_STEP: Final = "governor"
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


class Pointing:
    """What goes to the memory above the second figure. Wants the lock of what it follows."""

    def __init__(self, governor: Governor, following: Following, attempts: Attempts) -> None:
        self._pointer = governor.pointer
        self._margin = governor.pointer * _MARGIN_PERCENT // 100
        self._following = following
        self._attempts = attempts
        self._halted_in = -1
        """The generation in which the context could not be brought down to the margin."""
        self._halted_at = 0
        """How many messages there were then, or were looked at since."""
        self._large = 0
        """What of these could go."""

    def is_due(self, sizes: Sizes) -> bool:
        """Is it above the figure, and is there anything to do about it? O(messages since it was asked last)."""
        following = self._following
        if sizes.current <= self._pointer or not self._attempts.is_open(_STEP):
            return False
        if self._halted_in != following.generation:
            return True
        added = following.present.tokens[self._halted_at :]
        self._halted_at += len(added)
        self._large += sum(max(0, tokens - FLOORS[-1]) for tokens in added)
        return self._large >= max(1, self._pointer // _LARGE_PART)

    def caps(self, sizes: Sizes) -> dict[int, int]:
        """What each message may have, system messages not counted, so that all comes to the margin; or to the figure;
        or as near as it gets."""
        present = self._following.present
        parts = [part for part in present.messages() if present.roles[part.place] != SYSTEM]
        others = present.context_tokens - sum(part.tokens for part in parts)
        for figure in (self._margin, self._pointer):
            try:
                return fit_parts(parts, figure - sizes.overhead - others)
            except ContextOverflowError:
                continue
        return {part.place: FLOORS[-1] for part in parts if part.tokens > FLOORS[-1]}

    def close(self, sizes: Sizes, generation: int) -> None:
        """It was tried in that generation, and this is what came of it."""
        self._attempts.close(_STEP, generation)
        self._halted_in = generation if sizes.current > self._margin else -1
        self._halted_at, self._large = self._following.present.count, 0


def _is_anthropic(parts: Sequence[Part]) -> bool:
    """Do tools answer in blocks of the user's messages?"""
    return any(b"\xa4type\xabtool_result" in part.packed for part in parts)
