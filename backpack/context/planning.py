"""The plan of one compression: what must stay, what is said twice, and what the strategy makes of the rest.

What must stay, whatever the strategy:

    system messages            unless `preserve_system_prompts` is off; of identical ones the first
    the latest user question
    the last `messages_to_keep` messages, system messages not counted
    all of a group of which one message stays
    calls that have no result yet

A plan is made of views and counts alone: nothing is read, written or sent. O(n log n) in the messages.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from backpack.context.auto import Auto
from backpack.context.collapsing import call_text, reason_of, repeated
from backpack.context.config import ContextConfig
from backpack.context.deletion import Deletion
from backpack.context.groups import Group, groups
from backpack.context.message import View
from backpack.context.selective import Selective
from backpack.context.sliding import SlidingWindow
from backpack.context.strategy import Plan, Request, Strategy
from backpack.errors import InvalidArgumentError

_BUILT_IN: Final[Mapping[str, Strategy]] = {
    strategy.name: strategy for strategy in (SlidingWindow(), Selective(), Deletion(), Auto())
}
SUMMARY_TOKENS_MIN: Final = 64
"""Less than this says nothing."""

REPEATED: Final = "identical"
"""Why a system message goes whose text an earlier one has."""


def plan(
    views: Sequence[View],
    tokens: Sequence[int],
    config: ContextConfig,
    limit_tokens: int,
    *,
    target_tokens: int | None = None,
    previous_tokens: int = 0,
) -> Plan:
    """What becomes of each message, so that with its summary all comes to `limit_tokens` at most.

    `tokens` are those of each message; `limit_tokens` what messages and summary may have (tools and reserve taken
    off); `target_tokens` what they should come to, the limit if None; `previous_tokens` those of the summary that the
    next one will contain. Where what must stay is more than the limit, the plan keeps it all the same: `fitting.py`
    says what can be shortened, and whether it fits then. `InvalidArgumentError` when a strategy breaks the rules.
    """
    if len(tokens) != len(views):
        raise InvalidArgumentError(f"each message has its tokens: messages={len(views)}, tokens={len(tokens)}")
    together = groups(views)
    repeats = _repeated_systems(views) if config.preserve_system_prompts else frozenset()
    protected = _protected(views, together, config, repeats)
    reasons = dict(protected)
    may_go = [group for group in together if group[0] not in protected and group[0] not in repeats]
    runs = [run for run in repeated(views, together) if run[0][0] not in protected]
    gone = {group: reason_of(run) for run in runs for group in run[:-1] if group[0] not in protected}
    request = Request(
        views,
        tokens,
        config,
        limit_tokens if target_tokens is None else min(target_tokens, limit_tokens),
        limit_tokens,
        frozenset(protected),
        tuple(group for group in may_go if group not in gone),
        previous_tokens,
    )
    strategy = _BUILT_IN[config.strategy] if isinstance(config.strategy, str) else config.strategy
    made = strategy.plan(request)
    kept, summarized, dropped = _checked(made, request, strategy)
    reasons.update({place: made.reasons[place] for place in (*kept, *dropped) if place in made.reasons})
    reasons.update({place: REPEATED for place in repeats})
    reasons.update({place: reason for group, reason in gone.items() for place in group})
    kept = sorted({*kept, *protected})
    kept_tokens = sum(tokens[place] for place in kept)
    said = [run for run in runs if not set(run[-1]) <= set(dropped)]
    notes = tuple(f"{call_text(views, run[-1])} ({reason_of(run)})" for run in said)
    is_summary = bool(summarized or previous_tokens or notes)
    size = request.summary_of(sum(tokens[place] for place in summarized)) if is_summary else 0
    room = limit_tokens - kept_tokens
    return Plan(
        tuple(kept),
        tuple(summarized),
        tuple(sorted({*dropped, *repeats, *(place for group in gone for place in group)})),
        reasons,
        made.strategy or str(getattr(strategy, "name", type(strategy).__name__)),
        notes,
        max(0, min(max(size, SUMMARY_TOKENS_MIN), room)) if is_summary else 0,
        kept_tokens,
    )


def _repeated_systems(views: Sequence[View]) -> frozenset[int]:
    """System messages whose text an earlier one has."""
    seen: set[str] = set()
    repeats = set()
    for place, one in enumerate(views):
        if one.role == "system":
            if one.text in seen:
                repeats.add(place)
            seen.add(one.text)
    return frozenset(repeats)


def _protected(
    views: Sequence[View], together: Sequence[Group], config: ContextConfig, repeats: frozenset[int]
) -> dict[int, str]:
    """What must stay, and why."""
    found: dict[int, str] = {}
    if config.preserve_system_prompts:
        found = {place: "system" for place, one in enumerate(views) if one.role == "system" and place not in repeats}
    question = next((place for place in reversed(range(len(views))) if views[place].role == "user"), None)
    if question is not None:
        found[question] = "question"
    talk = [place for place, one in enumerate(views) if one.role != "system"]
    for place in talk[len(talk) - min(len(talk), config.messages_to_keep) :]:
        found.setdefault(place, "recent")
    for group in together:
        if any(place in found for place in group):
            for place in group:
                found.setdefault(place, "group")
        elif _is_unanswered([views[place] for place in group]):
            found.update(dict.fromkeys(group, "unanswered"))
    return found


def _is_unanswered(members: Sequence[View]) -> bool:
    """Are there calls whose results are still to come? They must find their calls when they do."""
    return sum(len(one.calls) for one in members) > sum(len(one.results) for one in members)


def _checked(made: Plan, request: Request, strategy: Strategy) -> tuple[list[int], list[int], list[int]]:
    """What a strategy said of each open place; what it said nothing of is summarized."""
    name = str(getattr(strategy, "name", type(strategy).__name__))[:40]
    if not isinstance(made, Plan):
        raise InvalidArgumentError(f"a strategy gives a Plan: strategy={name!r}, type={type(made).__name__}")
    kept, dropped = set(made.kept), set(made.dropped)
    open = {place for group in request.open for place in group}
    if kept & dropped or (kept | dropped) & set(made.summarized):
        raise InvalidArgumentError(f"a strategy says of a message that it is kept and that it goes: strategy={name!r}")
    if not (kept | dropped | set(made.summarized)) <= open | request.protected:
        raise InvalidArgumentError(f"a strategy names messages that it was not asked about: strategy={name!r}")
    for group in request.open:
        if len({(place in kept, place in dropped) for place in group}) > 1:
            raise InvalidArgumentError(f"a strategy breaks a group of calls and results: strategy={name!r}")
    return sorted(open & kept), sorted(open - kept - dropped), sorted(open & dropped)
