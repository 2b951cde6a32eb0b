"""Identical calls, one after the other with identical results, are said once: the latest stays, with a count.

Only neighbours among the calls of one name with the same arguments collapse. So when a result changed and changed
back, each change stays.
"""

from collections.abc import Sequence
from typing import Final

from backpack.context.groups import Group
from backpack.context.message import View

ARGUMENTS_SHOWN: Final = 200
"""Characters of the arguments of a call that a note says."""


Run = tuple[Group, ...]
"""Groups that say the same, in order; the last one stays."""


def repeated(views: Sequence[View], together: Sequence[Group]) -> list[Run]:
    """The runs of groups that are the same, call by call, result by result, text by text. O(text of the groups)."""
    runs: dict[tuple[str, ...], list[Group]] = {}
    said: dict[tuple[str, ...], tuple[str, ...]] = {}
    done: list[list[Group]] = []
    for group in together:
        members = [views[place] for place in group]
        calls = [call for one in members for call in one.calls]
        if not calls or sum(len(one.results) for one in members) < len(calls):
            continue
        asked = tuple(part for call in calls for part in (call.name, call.arguments))
        answered = tuple(one.text for one in members)
        if said.get(asked) == answered:
            runs[asked].append(group)
        else:
            if asked in runs:
                done.append(runs[asked])
            runs[asked], said[asked] = [group], answered
    done += runs.values()
    return sorted((tuple(run) for run in done if len(run) > 1), key=lambda run: run[-1])


def reason_of(run: Run) -> str:
    """Why all of a run but its last group may go."""
    return f"called {len(run)} times, same result"


def call_text(views: Sequence[View], group: Group) -> str:
    """The calls of a group in one line: `name(arguments)`."""
    calls = [call for place in group for call in views[place].calls]
    return ", ".join(f"{call.name}({shortened(call.arguments)})" for call in calls)


def shortened(arguments: str) -> str:
    """The arguments, their beginning when they are long."""
    return arguments if len(arguments) <= ARGUMENTS_SHOWN else arguments[:ARGUMENTS_SHOWN] + "..."
