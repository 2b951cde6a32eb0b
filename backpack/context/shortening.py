"""Long contents of messages out of the context and into the memory, until a message has as few tokens as it may have.

A message that is shortened is made of the original each time, whatever it was shortened to before; so what it says is
the beginning of the original and a marker that names the entry with all of it. How much of the beginning stays is tried
on a memory of its own first, so that nothing is stored but what the message then names.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from backpack.codec import pack_value, unpack_value
from backpack.context.message import View, view
from backpack.context.present import Part
from backpack.context.record import check_of
from backpack.context.results import compact_results
from backpack.errors import BackpackError
from backpack.memory.memory import Memory
from backpack.memory.messages import REFS
from backpack.store.store import Backpack

_MARKER_TOKENS: Final = 48
"""What a marker is expected to have."""

_TRIES: Final = 6
_LIMIT_MIN: Final = 64
"""Characters: a shorter text is shorter than its marker."""

_DEPTH: Final = 1
_TAGS: Final = ("context",)
_TITLE: Final = "result of a tool"

Originals = Callable[[Iterable[int]], Mapping[int, bytes]]
"""The packed messages of places, as they were added."""


class Shortener:
    """Shortens parts of one context."""

    def __init__(self, memory: Memory, count: Callable[[Any], int], count_text: Callable[[str], int]) -> None:
        self._memory = memory
        self._count = count
        self._count_text = count_text
        self._trial: Memory | None = None
        self.error: Exception | None = None
        """Why a content could not be stored, the last time that one couldn't."""

    def to(self, part: Part, original: bytes | None, tokens_max: int) -> Part | None:
        """The part with so many tokens at most, or as few as there can be; None where nothing makes it smaller."""
        if original is None or part.tokens <= tokens_max:
            return None
        value = unpack_value(original)
        if self._trial is None:
            self._trial = Memory(Backpack())
        full = max(self._count(value), 1)
        size = max(_LIMIT_MIN, (tokens_max - _MARKER_TOKENS) * len(original) // full)
        best: tuple[int, int] | None = None
        for _ in range(_TRIES):
            made = self._offloaded(self._trial, value, size)
            tokens = part.tokens if made is None else self._count(made)
            if tokens < (part.tokens if best is None else best[0]):
                best = (tokens, size)
            if tokens <= tokens_max or size == _LIMIT_MIN:
                break
            size = max(_LIMIT_MIN, size // 2)
        if best is None:
            return None
        made = self._offloaded(self._memory, value, best[1])
        if made is None:
            return None
        return self._short(part, original, made)

    def all_to(self, parts: Sequence[Part], caps: Mapping[int, int], originals: Originals) -> dict[int, Part]:
        """The parts of these places with so many tokens each, or as few as there can be."""
        wanted = [part for part in parts if part.place in caps]
        packed = originals([part.place for part in wanted])
        found = {}
        for part in wanted:
            shorter = self.to(part, packed.get(part.place), caps[part.place])
            if shorter is not None:
                found[part.place] = shorter
        return found

    def results(
        self, parts: Sequence[Part], originals: Mapping[int, bytes], tokens_max: int, floor: int
    ) -> dict[int, Part]:
        """The results of one turn, so many tokens of text together at most: those of them that become others."""
        values = {part.place: unpack_value(originals[part.place]) for part in parts if part.place in originals}
        texts = {place: [result.text for result in view(value).results] for place, value in values.items()}
        given = [text for place in texts for text in texts[place]]
        try:
            made = iter(compact_results(given, tokens_max, self._count_text, floor_tokens=floor, offload=self._stored))
        except BackpackError as error:
            self.error = error
            return {}
        found = {}
        by_place = {part.place: part for part in parts}
        for place, value in values.items():
            said = [next(made) for _ in texts[place]]
            if said == texts[place]:
                continue
            changed = with_results(value, said)
            if changed is not None:
                found[place] = self._short(by_place[place], originals[place], changed)
        return found

    def _short(self, part: Part, original: bytes, made: Any) -> Part:
        """What was made of the original of a part."""
        return Part(part.place, pack_value(made, _DEPTH), self._count(made), part.kind, check_of(original))

    def _stored(self, text: str) -> str:
        entry = self._memory.log(text, type="tool_output", title=_TITLE, tags=_TAGS)
        return f"[the whole result: mem://{entry.id}]"

    def _offloaded(self, memory: Memory, value: Any, size: int) -> Any:
        """A copy whose longer texts are in a memory; None when nothing is, or nothing could be stored."""
        try:
            made = memory.offload(value, limit=size, preview=size, tags=_TAGS, on_error=self._failed)
        except BackpackError as error:
            self.error = error
            return None
        if made is value or not isinstance(made, dict) or REFS not in made:
            return None
        if REFS in value:
            made[REFS] = value[REFS]
        else:
            del made[REFS]
        return made

    def _failed(self, error: Exception) -> None:
        self.error = error


def with_results(value: Mapping[str, Any], texts: Sequence[str]) -> dict[str, Any] | None:
    """A stored message whose results of tools say these texts; None when they can't be put there."""
    made = dict(value)
    content = made.get("content")
    left = iter(texts)
    if isinstance(content, list) and any(_is_result(block) for block in content):
        made["content"] = [{**block, "content": next(left, "")} if _is_result(block) else block for block in content]
    else:
        name = next((name for name in ("content", "parts", "text", "output") if made.get(name) is not None), None)
        if name is None:
            return None
        made[name] = next(left, "")
    found: View = view(made)
    return made if [result.text for result in found.results] == list(texts) else None


def _is_result(block: Any) -> bool:
    return isinstance(block, dict) and str(block.get("type", "")).endswith("_result")
