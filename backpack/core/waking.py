"""How a key that slept comes back into memory."""

from typing import TYPE_CHECKING

from backpack.core.chain import PACK, Chain, Mark
from backpack.core.past import Woken
from backpack.core.payload import LargeRef

if TYPE_CHECKING:
    from backpack.core.engine import Engine


def wake(engine: "Engine", woken: Woken) -> Chain | None:
    """A key that slept: its newest change becomes the only entry of its chain, of a commit that has left."""
    if woken.form is None:
        engine.retired[woken.key] = woken.version
        engine.retired_seqs[woken.key] = woken.seq
        return None
    chain = Chain(woken.key, woken.version - 1)
    form = woken.form
    if type(form) is bytes:
        form = engine.ledger.add_payload(chain, form)
    else:
        engine.ledger.add(chain, form, is_new=True)
    entry = form if woken.kind == PACK else Mark(woken.kind, form, woken.reason)
    chain.append(woken.seq, entry)
    chain.is_settled = True
    engine.ledger.settle(entry)
    if isinstance(form, LargeRef):
        chain.content = woken.content
        engine.large.add(chain)
    engine.chains[woken.key] = chain
    engine.entry_offset += 1
    return chain
