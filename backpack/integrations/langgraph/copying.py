"""A thread under another name: its keys again, in the same bytes; or record by record, into a thread that is there."""

from backpack.integrations.langgraph import names, words
from backpack.integrations.langgraph.rewriting import Copy, in_order, without_checkpoint
from backpack.integrations.langgraph.thread import Thread
from backpack.integrations.langgraph.threads import Threads
from backpack.store.copying import copy_keys


def copy(threads: Threads, source: Thread, target: Thread) -> None:
    """All checkpoints and writes of one thread in the other too: one commit. Wants the lock.

    Cost: O(keys) and no bytes where the target has nothing yet; else what the two threads have.
    """
    if not source.is_stored or source.name == target.name:
        return
    described = words.of_thread(target.name, f'copies thread "{names.shown(source.name)}"')
    if target.is_stored:
        both = Copy(threads, target)
        for thread in (target, source):
            both.read_from(thread)
            for row in in_order(thread):
                both.add(row)
            for row in without_checkpoint(thread):
                both.add_writes(row)
        both.replace(described)
        return
    name_key = names.name_key(source.segment)
    begin = len(names.PREFIX) + len(source.segment)
    targets = {
        key: f"{names.PREFIX}{target.segment}{key[begin:]}" for key in threads.keys(source.segment) if key != name_key
    }
    label = threads.bp._label(described.node, described.message, described.tags)
    is_named = names.name_of(target.segment) is not None
    copy_keys(threads.bp, targets, label, None if is_named else {names.name_key(target.segment): target.name})
