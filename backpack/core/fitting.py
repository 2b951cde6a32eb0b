"""Under a hard limit: does a commit fit, and what leaves for it.

A commit that is refused changes nothing, so whether there will be room is found out before anything leaves. What can't
leave is what the states of pinned commits need, and what the commit itself brings; the newest commit may go as soon as
there is a newer one. So with nothing pinned the answer costs no more than the commit.

With pins, bytes that leave for sure are looked for among the commits that may, and as a rule enough are found at the
cost of what is going to leave; else all that the pins need is counted.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from backpack.core.chain import Chain, Entry, form_of
from backpack.core.ledger import Ledger, holders_of, weight_of
from backpack.core.planning import cost_of, plan
from backpack.core.requests import Planned, Request
from backpack.core.sharing import Undo, undo_growth
from backpack.errors import HistoryFullError

if TYPE_CHECKING:
    from backpack.core.engine import Engine


def made_to_fit(engine: "Engine", requests: Sequence[Request], planned: list[Planned], undo: Undo) -> list[Planned]:
    """The changes, once enough has left for them. `HistoryFullError`, and nothing has left, when not enough may.

    What the commit costs is looked at again when something has left: it may have shared with that, and then costs more.
    """
    limit, ledger = engine.limits.max_history_size, engine.ledger
    size = cost_of(engine, planned)
    if ledger.history_bytes + size <= limit:
        return planned
    if engine.limits.prune_strategy == "none" or not _will_fit(engine, planned):
        raise HistoryFullError(
            f"the history is full and hard_limit is set: size={size} limit={limit}; "
            "nothing that may be pruned makes room: raise max_history_size, close snapshots or delete checkpoints",
            size=size,
            limit=limit,
        )
    try:
        while ledger.history_bytes + size > limit and engine.pruner.make_room(size):
            planned = [_still(engine, *one, undo) for one in zip(requests, planned, strict=True)]
            size = cost_of(engine, planned)
    except BaseException:
        undo_growth(undo)
        undo.clear()
        engine.repair()
        raise
    return planned  # if it is still too long, the commit before it leaves right after it


def _still(engine: "Engine", request: Request, planned: Planned, undo: Undo) -> Planned:
    """The change as planned, after commits have left: its chain may have gone with them, or the form that it had."""
    chain = planned.chain
    if chain.columns[1] and engine.chains.get(request.key) is not chain:
        return plan(engine, request, undo)
    if request.form is not None and not planned.is_new:
        form = form_of(planned.entry)
        planned.is_new = all(entry is None or form_of(entry) is not form for entry in chain.columns[1])
    return planned


def _will_fit(engine: "Engine", planned: Sequence[Planned]) -> bool:
    """Will the history be within its limit when everything has left that may, the newest commit included?"""
    limit, ledger = engine.limits.max_history_size, engine.ledger
    needed: dict[int | bytes, int] = {}
    for one in planned:
        _need(needed, ledger, one.entry)
    size = sum(needed.values())
    if size > limit:
        return False
    pins = sorted(engine.pins.seqs())
    if not pins:
        return True
    hidden: dict[int | bytes, int] = {}
    for one in planned:
        _need(hidden, ledger, one.chain.last)
    if _may_leave(engine, pins, ledger.history_bytes + size + sum(hidden.values()) - limit):
        return True
    changed = {one.chain for one in planned}
    for chain in engine.chains.values():
        for index, following in _spans(chain, engine.timeline.head + 1):
            seq = chain.columns[0][index]
            is_live = index == len(chain.columns[1]) - 1 and chain not in changed
            if _holds(pins, seq, seq + 1 if is_live else following):
                _need(needed, ledger, chain.columns[1][index])
    return sum(needed.values()) <= limit


def _may_leave(engine: "Engine", pins: Sequence[int], size: int) -> bool:
    """Do so many bytes leave for sure with the commits that may? Looks at no more of them than it takes, the ones
    behind the newest pin first, and counts only what nobody shares. False says nothing."""
    timeline, records = engine.timeline, engine.ledger.records
    stop = timeline.head
    for pin in (*reversed(pins), 0):
        for seq in timeline.seqs(pin):
            if seq >= stop or size <= 0:
                break
            for chain in timeline.changed(seq):
                forms = chain.columns[1]
                index = chain.index_of(seq)
                following = index + 1
                while following < len(forms) and forms[following] is None:
                    following += 1
                entry = forms[index]
                form = None if entry is None else form_of(entry)
                is_live = following == len(forms)
                if form is not None and id(form) not in records and (is_live or chain.columns[0][following] <= stop):
                    size -= weight_of(form)
        if size <= 0:
            return True
        stop = pin
    return False


def _spans(chain: Chain, stop: int) -> Iterator[tuple[int, int]]:
    """`(index, the seq of the entry behind it)` of each entry that is no hole; `stop` behind the newest."""
    seqs, forms = chain.columns
    for index in range(len(forms) - 1, -1, -1):
        if forms[index] is not None:
            yield index, stop
            stop = seqs[index]


def _holds(pins: Sequence[int], start: int, stop: int) -> bool:
    """Is one of the pinned commits at or behind `start` and before `stop`?"""
    at = bisect_left(pins, start)
    return at < len(pins) and pins[at] < stop


def _need(needed: dict[int | bytes, int], ledger: Ledger, entry: Entry | None) -> None:
    """Add what the entry holds, with its bytes; what is there already is counted once."""
    for holder in () if entry is None else holders_of(entry):
        needed[ledger.identity(holder)] = weight_of(holder)
