"""How a change finds its form, and what it will cost. Nothing that is counted changes here."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from backpack.core.chain import DELETED, PACK, Chain, Mark, form_of
from backpack.core.payload import LargeRef, form_size
from backpack.core.requests import Planned, Request
from backpack.core.shaping import Shaped, as_large, as_small, shape, shape_append
from backpack.core.sharing import Undo

if TYPE_CHECKING:
    from backpack.core.engine import Engine


def plan_all(engine: "Engine", requests: Sequence[Request], undo: Undo) -> list[Planned]:
    """The changes of one commit. Each may take back what it did to buffers itself, and nothing of what others did."""
    if engine.past is not None:
        for request in requests:
            engine.chain_of(request.key)  # before any buffer has grown: who is interrupted here repairs the engine
    planned = []
    for request in requests:
        own: Undo = []
        try:
            planned.append(plan(engine, request, own))
        finally:
            undo += own
    return planned


def plan(engine: "Engine", request: Request, undo: Undo) -> Planned:
    """The change with the form that its bytes take; `undo` gets what was done to buffers. Cost: O(payload)."""
    chain = engine.chain_of(request.key)
    if chain is None:
        chain = Chain(request.key, engine.retired.get(request.key, 0))
    if request.kind == "delete":
        return Planned(chain, DELETED, None, False, False)
    if request.kind != PACK:
        last = chain.last
        assert last is not None
        return Planned(chain, Mark(request.kind, form_of(last), request.reason), chain.content, False, chain.is_plain)
    if request.form is not None:
        form = request.form
        if isinstance(form, LargeRef):
            content = request.content or form.content()
            if form.size <= engine.large_size and content is not None:
                return _shaped(chain, request, as_small(content))
            return Planned(chain, form, content, request.is_new, request.is_plain)
        if form_size(form) > engine.large_size:
            return _shaped(chain, request, as_large(form, engine.large_refs))
        return Planned(chain, form, None, False, request.is_plain)
    if request.payload is not None:
        shaped = shape(chain, request.payload, request.grown, engine.large_size, engine.large_refs, undo)
    else:
        shaped = shape_append(chain, request.header, request.appended, engine.large_size, engine.large_refs, undo)
    return _shaped(chain, request, shaped)


def _shaped(chain: Chain, request: Request, shaped: Shaped) -> Planned:
    form, content, is_new = shaped
    return Planned(chain, form, content, is_new, request.is_plain)


def cost_of(engine: "Engine", planned: Sequence[Planned]) -> int:
    """How many bytes of history the changes bring in."""
    return engine.ledger.cost([(plan.chain, plan.entry, plan.is_new) for plan in planned])
