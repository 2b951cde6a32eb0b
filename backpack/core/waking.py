"""How a key that slept comes back into memory."""

from typing import TYPE_CHECKING

from backpack.core.chain import PACK, Chain, Mark
from backpack.core.past import Past, Woken
from backpack.core.payload import LargeRef
from backpack.core.repairing import count_anew
from backpack.errors import CorruptionError

if TYPE_CHECKING:
    from backpack.core.engine import Engine


def wake(engine: "Engine", past: Past, key: str) -> Chain | None:
    """Have a key that sleeps in memory: its newest change becomes the only entry of its chain, of a commit that has
    left. None when there is none, or nothing but a delete. Cost: reading it.

    `CorruptionError` when the list of keys that was read has it and nothing else does.
    """
    woken = past.wake(key)
    if woken is None:
        if key in engine.visible:
            raise CorruptionError(f"a key that is listed has no value where its values stand: key={key!r}", key=key)
        return None
    try:
        return _entered(engine, past, woken)
    except BaseException:
        if key in engine.chains or key in engine.retired:
            past.woke(key)
        count_anew(engine)
        raise


def _entered(engine: "Engine", past: Past, woken: Woken) -> Chain | None:
    if woken.form is None:
        engine.retired_seqs[woken.key] = woken.seq
        engine.retired[woken.key] = woken.version
        if woken.kind != "delete":  # a quarantine whose value was purged: there is nothing to release
            engine.names.discard(woken.key)
        past.woke(woken.key)
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
    past.woke(woken.key)
    return chain
