"""Retention that applies itself, as threads grow.

Every so many checkpoints of a thread the rule is asked. What it no longer keeps goes out of sight with a small record;
the thread is written anew when as many checkpoints have left as are in sight, so each byte is written again about once.
What has left the present stays in the history of the store until half of what is on disk is such; then it is erased.
"""

from collections.abc import Callable
from typing import Final

from langgraph.checkpoint.serde.base import SerializerProtocol

from backpack.integrations.langgraph.retention import Retention
from backpack.integrations.langgraph.rewriting import erased, leave, rewrite
from backpack.integrations.langgraph.selecting import Known, within
from backpack.integrations.langgraph.thread import Thread
from backpack.integrations.langgraph.threads import Threads
from backpack.limits import MIB

_ASKED_MIN: Final = 8
_LEFT_MIN: Final = 32
_ERASED_MIN: Final = 16 * MIB


def retain(
    threads: Threads, thread: Thread, serde: SerializerProtocol, rule: Retention, clock: Callable[[], float]
) -> bool:
    """Apply the rule if it is due. True when bytes have left the present. Wants the lock.

    Cost: O(1) a checkpoint, on average.
    """
    count = thread.count()
    if not rule.is_bounded or thread.counted < max(_ASKED_MIN, count // 4):
        return False
    thread.counted = 0
    selection = within(Known(thread, serde), rule, clock())
    if len(selection.stays) < count:
        leave(threads, thread, selection)
    if thread.left < max(_LEFT_MIN, len(selection.stays)):
        return False
    weight = thread.weight
    rewrite(threads, thread, within(Known(thread, serde), rule, clock()))
    threads.dropped += max(0, weight - threads.thread(thread.name).weight)
    return True


def erase_when_due(threads: Threads) -> None:
    """Erase what has left if it is much of what is on disk. Not under the lock."""
    if threads.dropped < max(_ERASED_MIN, threads.bp.memory_usage().archive_bytes // 2):
        return
    threads.dropped = 0
    erased(threads, None)
