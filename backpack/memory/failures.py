"""What went wrong where the caller goes on regardless, such as an offload whose original stays: it must be seen.

Each failure is counted by what was tried (`Memory.stats().failures`), logged as a warning, and told as an `error` event
of the store. None of that holds anything of the content.
"""

from logging import getLogger
from threading import Lock
from typing import TYPE_CHECKING, Final

from backpack.store.events import Event

if TYPE_CHECKING:
    from backpack.memory.memory import Memory

_logger: Final = getLogger("backpack.memory")
_counting: Final = Lock()


def tell_failure(memory: "Memory", what: str, error: Exception) -> None:
    """Something of this name failed with this error."""
    name = type(error).__name__
    with _counting:
        memory.failures[what] += 1
    _logger.warning("%s failed: error=%s", what, name)
    memory.bp._events.publish(Event("error", node=memory.acting_node(), detail=name))
