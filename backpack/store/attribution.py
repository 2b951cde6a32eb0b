"""Which node the present task or thread acts for: what `with bp.as_node(name)` says.

A context variable holds the blocks that are open, innermost last, so overlapping tasks never see each other's, and a
thread starts with none. It knows stores by identity for as long as the block runs.

Blocks of one context may end in any order, as those of generators that take turns do: each takes out itself and no
other, so the innermost of those still open counts. What a context copied while it was open it keeps (a task goes on
under the node of the block that it began in) until it leaves the block itself.
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
    own = (store, node)
    _blocks.set((*_blocks.get(), own))
    try:
        yield store
    finally:  # not by resetting: that would end the blocks begun since, and bring back those that ended since
        _blocks.set(tuple([block for block in _blocks.get() if block is not own]))


def attributed_node(store: object) -> str | None:
    """The node of the innermost open block of this store."""
    blocks = _blocks.get()
    if blocks:
        for owner, node in reversed(blocks):
            if owner is store:
                return node
    return None
