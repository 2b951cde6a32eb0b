"""Which node the present task or thread acts for: what `with bp.as_node(name)` says.

A context variable holds the blocks that are open, innermost last, so overlapping tasks never see each other's, and a
thread starts with none. It knows stores by identity for as long as the block runs.

Blocks of one context may end in any order, as those of generators that take turns do: each takes out itself and no
other, so the innermost of those still open counts. What a context copied while it was open it keeps (a task goes on
under the node of the block that it began in) until it leaves the block itself.

One block may be entered again, after its end or inside itself: it stands there as often as it is open, and which of
its entries an end takes out makes no difference.
"""

from contextlib import ContextDecorator
from contextvars import ContextVar
from typing import Final, Generic, TypeVar

_S = TypeVar("_S")
_blocks: Final[ContextVar[tuple[tuple[object, str], ...]]] = ContextVar("backpack_nodes", default=())


class Attribution(ContextDecorator, Generic[_S]):
    """Inside, changes of this store are the node's; also a decorator of functions."""

    def __init__(self, store: _S, node: str) -> None:
        self._store = store
        self._own = (store, node)

    def __enter__(self) -> _S:
        _blocks.set((*_blocks.get(), self._own))
        return self._store

    def __exit__(self, *_: object) -> None:
        # not by resetting: that would end the blocks begun since, and bring back those that ended since
        blocks = _blocks.get()
        for index in reversed(range(len(blocks))):
            if blocks[index] is self._own:
                _blocks.set(blocks[:index] + blocks[index + 1 :])
                break


def attributed_node(store: object) -> str | None:
    """The node of the innermost open block of this store."""
    blocks = _blocks.get()
    if blocks:
        for owner, node in reversed(blocks):
            if owner is store:
                return node
    return None
