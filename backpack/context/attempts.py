"""Which steps were tried, and how things stood when each was over: none is tried again before they stand otherwise."""

from backpack.context.following import Following


class Attempts:
    """The attempts of one conversation. `is_open` wants the lock of what it follows."""

    def __init__(self, following: Following) -> None:
        self._following = following
        self._tried: dict[str, tuple[int, ...]] = {}
        """By step, how things stood when it was over."""

    def is_open(self, step: str) -> bool:
        """Do things stand otherwise than when the step was tried last? O(1)."""
        return self._tried.get(step) != self._standing()

    def close(self, step: str, generation: int) -> None:
        """The step was tried, unless all was read anew since that generation."""
        with self._following.lock:
            if self._following.generation == generation:
                self._tried[step] = self._standing()

    def _standing(self) -> tuple[int, ...]:
        following = self._following
        return following.generation, following.present.count, following.present.context_tokens
