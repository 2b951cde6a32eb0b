"""Where a log goes when another process writes to the store: into a letter for its inbox."""

from collections.abc import Mapping

from backpack.memory.content import compressed
from backpack.store.posting import Letter


class PostSink:
    """One log into a letter, which is posted by whoever made it. For one thread.

    A letter holds all that its entry needs, also what the store has already: who knows what becomes of that until the
    letter is adopted. What is there then is not packed again.
    """

    __slots__ = ("_letter",)

    def __init__(self, letter: Letter) -> None:
        self._letter = letter

    def has(self, key: str) -> bool:
        return key in self._letter

    def put(self, key: str, value: object) -> int:
        self._letter.put(key, value)
        return len(compressed(value)[1]) if isinstance(value, bytes) else 0

    def finish(
        self,
        values: Mapping[str, object],
        *,
        node: str | None,
        message: str | None,
        tags: tuple[str, ...],
    ) -> None:
        self._letter.finish(values, node=node, message=message, tags=tags)
