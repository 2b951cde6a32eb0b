"""Shorter forms in the places of messages that are too large: their contents go to the memory, and one commit says so.

What nothing makes smaller is remembered, and not tried again before it is to have more tokens than then.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from backpack.context.following import Following
from backpack.context.present import Part
from backpack.context.record import Compression
from backpack.context.shortening import Shortener
from backpack.context.storable import SYSTEM
from backpack.memory.memory import Memory


class Replacing:
    """The shorter forms of one conversation. `larger_than` wants the lock of what it follows, the others want it free.

    What is asked for is given up when all was read anew since the generation that is named.
    """

    def __init__(self, following: Following, memory: Callable[[], Memory]) -> None:
        self._following = following
        self._memory = memory
        self._stuck: dict[tuple[int, int], int] = {}
        """Of messages (place, tokens) that couldn't be made smaller, to what they were to be."""
        self._stuck_in = 0
        """The generation of these."""

    def larger_than(self, tokens_max: int) -> dict[int, int]:
        """The messages that have more tokens, system messages not counted, and that they may have so many."""
        present = self._following.present
        return {
            part.place: tokens_max
            for part in present.rest
            if part.tokens > tokens_max and present.roles[part.place] != SYSTEM and not self._is_stuck(part, tokens_max)
        }

    def shorten(self, caps: Mapping[int, int], cause: str, generation: int) -> list[Compression]:
        """Have the messages of these places with so many tokens each, or as few as there can be."""
        if not caps:
            return []
        following, shortener = self._following, self._shortener()
        with following.lock:
            messages = following.present.messages()
            parts = [one for one in messages if one.place in caps and not self._is_stuck(one, caps[one.place])]
        shorter = shortener.all_to(parts, caps, self._originals)
        with following.lock:
            if shortener.error is None and following.generation == generation:
                stuck = [one for one in parts if one.place not in shorter]
                self._stuck.update({(one.place, one.tokens): caps[one.place] for one in stuck})
        return self._replace(shorter, "offload", cause, shortener, generation)

    def shorten_results(
        self, parts: Sequence[Part], tokens_max: int, floor_tokens: int, generation: int
    ) -> list[Compression]:
        """Have these results of tools with so many tokens of text in all; none is cut below the floor."""
        shortener = self._shortener()
        originals = self._originals([part.place for part in parts])
        shorter = shortener.results(parts, originals, tokens_max, floor_tokens)
        return self._replace(shorter, "results", "results", shortener, generation)

    def _replace(
        self, shorter: Mapping[int, Part], what: str, cause: str, shortener: Shortener, generation: int
    ) -> list[Compression]:
        """Have these parts instead of those of their places, in one commit."""
        following = self._following
        if shortener.error is not None:
            following.tell(f"offloading failed: {type(shortener.error).__name__}", shortener.error)
        if not shorter:
            return []
        with following.lock:
            if following.generation != generation:
                return []
            before = following.present.context_tokens
            parts = following.present.messages()
        was = sum(part.tokens for part in parts if part.place in shorter)
        after = before + sum(part.tokens for part in shorter.values()) - was
        compression = Compression(
            what, cause, what, before, after, before - was, original=was, messages_kept=len(parts)
        )
        following.commit(
            lambda: following.storage.replace(list(shorter.values()), compression),
            compression,
            None,
            generation,
            lambda: following.present.replace(shorter),
        )
        return [compression]

    def _is_stuck(self, part: Part, tokens_max: int) -> bool:
        """Is it known that nothing makes it smaller?"""
        if self._stuck_in != self._following.generation:
            self._stuck, self._stuck_in = {}, self._following.generation
        tried = self._stuck.get((part.place, part.tokens))
        return tried is not None and tried <= tokens_max

    def _originals(self, places: Iterable[int]) -> Mapping[int, bytes]:
        with self._following.lock:
            return self._following.originals(places)

    def _shortener(self) -> Shortener:
        tracker = self._following.tracker
        return Shortener(self._memory(), tracker.count_message, tracker.count_text)
