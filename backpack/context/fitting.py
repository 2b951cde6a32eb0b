"""What must stay and is too large: how far each message is shortened, by offloading its content, so that all fits.

Results of tools are shortened first, then what assistants said, then what users said, then the latest question, and
system messages last. Those of one kind share: the largest are cut down to one size, and no message further than a floor
as long as that does. Where even the smallest floor is too much for all, `ContextOverflowError` says what is in the way.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from backpack.context.message import View, view
from backpack.context.present import Part, values_of
from backpack.errors import ContextOverflowError

FLOORS: Final = (200, 64)
"""Tokens that a shortened message keeps: of these the first one that fits. The least is a marker and its frame."""

_STAGES: Final = ("tool", "assistant", "user", "question", "system")


def fit(views: Sequence[View], tokens: Sequence[int], kept: Sequence[int], room_tokens: int) -> dict[int, int]:
    """The places to shorten and the tokens that each may have then; empty when all fits. O(n log n).

    `ContextOverflowError` when nothing makes it fit.
    """
    if sum(tokens[place] for place in kept) <= room_tokens:
        return {}
    stages = _staged(views, kept)
    for floor in FLOORS:
        caps: dict[int, int] = {}
        for stage in _STAGES:
            members = stages[stage]
            others = sum(caps.get(place, tokens[place]) for place in kept) - sum(tokens[place] for place in members)
            cap = _cap([tokens[place] for place in members], room_tokens - others)
            caps.update({place: max(cap, floor) for place in members if tokens[place] > max(cap, floor)})
            if sum(caps.get(place, tokens[place]) for place in kept) <= room_tokens:
                return caps
    raise overflow(views, tokens, kept, room_tokens)


def fit_parts(parts: Sequence[Part], room_tokens: int) -> dict[int, int]:
    """The same for parts, by the places of their messages."""
    caps = fit(_views(parts), [part.tokens for part in parts], range(len(parts)), room_tokens)
    return {parts[at].place: tokens for at, tokens in caps.items()}


def overflow_of(parts: Sequence[Part], room_tokens: int) -> ContextOverflowError:
    """The error that says which of these parts can't fit, and why."""
    return overflow(_views(parts), [part.tokens for part in parts], range(len(parts)), room_tokens)


def overflow(
    views: Sequence[View], tokens: Sequence[int], kept: Sequence[int], room_tokens: int
) -> ContextOverflowError:
    """The error that says what cannot fit, and why."""
    sizes = {stage: sum(tokens[place] for place in places) for stage, places in _staged(views, kept).items() if places}
    names = {"tool": "tool results", "assistant": "assistant messages", "user": "user messages"}
    names |= {"question": "the latest question", "system": "system messages"}
    what = ", ".join(f"{names[stage]} ({sizes[stage]} tokens)" for stage in _STAGES if stage in sizes)
    total = sum(sizes.values())
    return ContextOverflowError(
        f"what must be sent as it stands does not fit: {what or 'nothing'}; tokens={total}, "
        f"limit={max(0, room_tokens)}; send less in system prompts and questions, "
        "keep fewer messages (messages_to_keep), or take a larger window",
        what=what,
        tokens=total,
        limit=max(0, room_tokens),
    )


def _views(parts: Sequence[Part]) -> list[View]:
    return [view(value) for value in values_of(parts)]


def _staged(views: Sequence[View], kept: Sequence[int]) -> Mapping[str, list[int]]:
    """The places by when they are shortened."""
    stages: dict[str, list[int]] = {stage: [] for stage in _STAGES}
    question = next((place for place in reversed(kept) if views[place].role == "user"), None)
    for place in kept:
        stages["question" if place == question else views[place].role].append(place)
    return stages


def _cap(sizes: list[int], room: int) -> int:
    """The largest size to which all larger ones can be cut so that they come to `room` at most; 0 when none can."""
    left = room
    for number, size in enumerate(ordered := sorted(sizes)):
        share = left // (len(ordered) - number)
        if size > share:
            return max(0, share)
        left -= size
    return max(ordered, default=0)
