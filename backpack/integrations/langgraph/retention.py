"""What of a thread is to stay: a rule that a saver is given once, or that one call of `prune` names."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from backpack.errors import InvalidArgumentError

KEEP_LATEST: Final = "keep_latest"
DELETE: Final = "delete"
STRATEGIES: Final = (KEEP_LATEST, DELETE)

_AGE_MAX: Final = timedelta(days=50_000)


@dataclass(frozen=True, slots=True)
class Retention:
    """What a thread keeps: what several bounds keep least of counts. `InvalidArgumentError` for nonsense.

    `keep_last`: so many of its newest checkpoints (1 or more); those of subgraphs stay with the ones they belong to.
    `older_than`: a timedelta; checkpoints of at least this age go. `max_bytes`: the oldest go until what is stored of
    the thread is no longer than this.

    Whatever they say, there stay: the newest checkpoint of each namespace that still belongs to one that stays, those
    with an interrupt that nobody has resolved, and of older ones what the state of a `DeltaChannel` is made of.
    """

    keep_last: int | None = None
    older_than: timedelta | None = None
    max_bytes: int | None = None

    def __post_init__(self) -> None:
        for name in ("keep_last", "max_bytes"):
            count: Any = getattr(self, name)
            if count is not None and (type(count) is not int or count < 1):
                raise InvalidArgumentError(f"{name} must be a whole number, 1 or more, or None")
        age: Any = self.older_than
        if age is not None:
            if not isinstance(age, timedelta):
                raise InvalidArgumentError(
                    f"older_than must be a timedelta, not {type(age).__name__}: timedelta(days=...)"
                )
            if not timedelta() <= age <= _AGE_MAX:
                raise InvalidArgumentError(f"older_than must be between 0 and {_AGE_MAX.days} days")

    @property
    def is_bounded(self) -> bool:
        """Does it say anything?"""
        return self.keep_last is not None or self.older_than is not None or self.max_bytes is not None
