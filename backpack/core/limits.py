"""The limits of one store, checked as a whole."""

from dataclasses import dataclass, replace
from typing import Any, Final, Literal, get_args

from backpack.errors import InvalidArgumentError
from backpack.limits import HISTORY_SIZE_LIMIT_DEFAULT, PRUNE_PERCENTAGE_DEFAULT, VALUE_SIZE_LIMIT_DEFAULT

PruneStrategy = Literal["oldest", "least-accessed", "none"]
_STRATEGIES: Final[tuple[str, ...]] = get_args(PruneStrategy)

_COUNT_MAX: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds the history of a store; sizes are bytes.

    Nonsense is refused with `InvalidArgumentError`, a ValueError: zero, negative, NaN, the wrong type.
    """

    max_value_size: int = VALUE_SIZE_LIMIT_DEFAULT
    max_history_size: int = HISTORY_SIZE_LIMIT_DEFAULT
    max_commits: int | None = None
    prune_strategy: str = "oldest"
    prune_percentage: float = PRUNE_PERCENTAGE_DEFAULT
    hard_limit: bool = False

    def __post_init__(self) -> None:
        checked_count("max_value_size", self.max_value_size)
        checked_count("max_history_size", self.max_history_size)
        if self.max_commits is not None:
            checked_count("max_commits", self.max_commits)
        if self.prune_strategy not in _STRATEGIES:
            raise InvalidArgumentError(
                f"prune_strategy must be one of {', '.join(_STRATEGIES)}, not {self.prune_strategy!r}"
            )
        share = self.prune_percentage
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
            raise InvalidArgumentError(f"prune_percentage must be a number above 0 and up to 1, not {as_shown(share)}")
        if not isinstance(self.hard_limit, bool):
            raise InvalidArgumentError(f"hard_limit must be True or False, not {self.hard_limit!r}")

    def changed(self, changes: dict[str, Any]) -> "Limits":
        """The same limits with some changed; an unknown name is a TypeError, as in any call."""
        for name in changes:
            if name not in self.__slots__:
                raise TypeError(f"unknown limit {name!r}; there are: {', '.join(self.__slots__)}")
        return replace(self, **changes)

    @property
    def history_target(self) -> int:
        """The bytes that pruning goes down to."""
        return int((1 - self.prune_percentage) * self.max_history_size)

    @property
    def commits_target(self) -> int | None:
        """The commits that pruning goes down to; never none at all."""
        return None if self.max_commits is None else max(1, int((1 - self.prune_percentage) * self.max_commits))


def as_shown(number: object) -> str:
    """A number, or what was given for one, as a message says it."""
    if isinstance(number, int) and abs(number) > _COUNT_MAX:
        return f"a number of {number.bit_length()} bits"  # Python refuses to write very long ones
    return repr(number)[:40]


def checked_count(name: str, number: object) -> None:
    """Refuse what is no count, with `InvalidArgumentError`."""
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number <= _COUNT_MAX:
        raise InvalidArgumentError(f"{name} must be a whole number above 0 and up to 2**62, not {as_shown(number)}")
