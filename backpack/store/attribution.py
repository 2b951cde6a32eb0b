"""Which node the present task or thread acts for: what `with bp.as_node(name)` says.

A context variable holds the blocks that are open, innermost last, so overlapping tasks never see each other's, and a
thread starts with none. It knows stores by identity for as long as the block runs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, TypeVar

_S = TypeVar("_S")
_blocks: Final[ContextVar[tuple[tuple[object, str], ...]]] = ContextVar("backpack_nodes", default=())


@contextmanager
def attributed_to(store: _S, node: str) -> Iterator[_S]:
    """Inside, changes of this store are the node's."""
    blocks = (*_blocks.get(), (store, node))
    token = _blocks.set(blocks)
    try:
        yield store
    finally:
        try:
            _blocks.reset(token)
        except ValueError:  # left in another context than entered (a generator finished elsewhere)
            _blocks.set(tuple(block for block in _blocks.get() if block is not blocks[-1]))


def attributed_node(store: object) -> str | None:
    """The node of the innermost open block of this store."""
    for owner, node in reversed(_blocks.get()):
        if owner is store:
            return node
    return None
