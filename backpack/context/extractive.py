"""The summarizer that needs no model: what was said exactly, in lists, and the sentences that weigh most.

Of the size that it aims at: first the head, that names where the exact words are and the newest references, and is
never left out, and calls that were repeated; then errors, up to a part; then facts by kind, each kind with a share of
its own, and what kinds leave is taken by others; then calls; then sentences of users and assistants fill the rest, in
the order in which they were said. Within a kind the facts that users or assistants said come before those that only
tools said, and late ones before early ones.

The same input gives the same text, always. What a summary before says is read again and has its place among the rest.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from backpack.context.collapsing import shortened
from backpack.context.digest import REPEATED, SOURCES, Digest, counted, head, read
from backpack.context.facts import KINDS
from backpack.context.message import View
from backpack.context.sentences import sentences, weight
from backpack.store.names import checked_callable, checked_whole

_ERRORS_PART: Final = 0.15
_FACTS_PART: Final = 0.65
_CALLS_PART: Final = 0.12
_SHARES: Final = {
    "codes": 0.25,
    "ids": 0.18,
    "amounts": 0.14,
    "dates": 0.12,
    "numbers": 0.08,
    "emails": 0.05,
    "urls": 0.05,
    "paths": 0.05,
    "hashes": 0.03,
    "times": 0.03,
    "names": 0.02,
}
"""What each kind may have of the facts' part before the rest is divided."""

_ERROR_SIZE_MAX: Final = 300

Count = Callable[[str], int]


def summarize_extractive(
    views: Sequence[View],
    target_tokens: int,
    count: Count,
    previous: str | None = None,
    *,
    references: Iterable[str] = (),
    notes: Sequence[str] = (),
    names: Digest | None = None,
) -> str:
    """A summary of messages and of the summary before, of at most `target_tokens` by `count`, a counter of text.

    Only when the head alone is more it is longer: the head, and nothing else. It names `references` (where the exact
    words are) and the newest 16 of those that messages and the summary before name, with how many more there are; all
    of them where there are no exact words. `names` says in their place how many messages it is of, and what they refer
    to. `notes`, calls that were dropped as repeated, come before all that has a share. O(text).
    """
    checked_whole("target_tokens", target_tokens, None)
    checked_callable("count", count)
    digest = Digest()
    if previous:
        read(previous, digest)
    exact = list(references)
    digest.message_count += len(views)
    _gather(views, digest)
    return _written(digest, head(names or digest, exact), notes, target_tokens, count)


def _gather(views: Sequence[View], digest: Digest) -> None:
    """Everything that these messages say, into the digest."""
    for place, one in enumerate(views):
        for id in one.refs:
            digest.add_reference(f"mem://{id}")
        rank = 0 if one.role == "user" and not one.results else 2 if one.results else 1
        digest.add_facts(one.text, rank)
        for call in one.calls:
            digest.add_facts(call.arguments, 1)
            digest.add_line(digest.calls, f"{call.name}({shortened(call.arguments)})")
        for result in one.results:
            if result.is_error:
                digest.add_line(
                    digest.errors, " ".join(result.text[:_ERROR_SIZE_MAX].split()) or "an error without text"
                )
        if not one.results and one.role != "system":
            for number, sentence in enumerate(sentences(one.text)):
                line = f"{one.role}: {sentence}"
                digest.talk.pop(line, None)
                digest.talk[line] = weight(sentence, one.role, number == 0, place / len(views))


def _written(digest: Digest, first: list[str], notes: Sequence[str], target_tokens: int, count: Count) -> str:
    """The text: the head, and of each section as much as there is room for."""
    room = target_tokens - count("\n".join(first))
    if room <= 0:
        return "\n".join(first)
    costs = _Costs(count)
    repeated = costs.latest([f"- {note}" for note in notes], room)
    if repeated:
        first = [*first, *_section(REPEATED, repeated)]
        room = max(0, target_tokens - count("\n".join(first)))
    errors = costs.latest([counted(line, times) for line, times in digest.errors.items()], int(room * _ERRORS_PART))
    left = room - costs.of_lines(errors)
    facts = _fact_lines(digest, int(left * _FACTS_PART), costs)
    left -= costs.of_lines(facts)
    calls = costs.latest(
        [counted(line, times) for line, times in digest.calls.items()], min(int(room * _CALLS_PART), left)
    )
    left -= costs.of_lines(calls)
    weights = {f"- {line}": value for line, value in digest.talk.items()}
    talk = costs.heaviest(weights, left)
    is_filled = False
    while True:
        lines = [*first, *_section("Errors", errors), *facts, *_section("Calls", calls), *_section("Talk", talk)]
        text = "\n".join(lines)
        over = count(text) - target_tokens
        if over < 0 and not is_filled:  # lines come to less as a whole than one by one
            is_filled = True
            talk = costs.heaviest(weights, left - over)
            continue
        if over <= 0 or len(lines) == len(first):
            return text
        for part in (talk, calls, facts, errors):  # what was counted line by line may come to more as a whole
            if part:
                part[:] = part[:-1] if part is facts else part[max(1, len(part) // 8) :]
                break


def _section(name: str, lines: list[str]) -> list[str]:
    return [f"{name}:", *lines] if lines else []


class _Costs:
    """What lines cost; each is counted once."""

    def __init__(self, count: Count) -> None:
        self._count = count
        self._known: dict[str, int] = {}

    def of(self, text: str) -> int:
        found = self._known.get(text)
        if found is None:
            found = self._known[text] = self._count(text) + 1
        return found

    def of_lines(self, lines: Iterable[str]) -> int:
        return sum(map(self.of, lines)) + 2

    def latest(self, lines: Sequence[str], room: int) -> list[str]:
        """As many of the last lines as there is room for, in order."""
        kept: list[str] = []
        left = room - 2
        for line in reversed(lines):
            if self.of(line) <= left:
                left -= self.of(line)
                kept.append(line)
        return kept[::-1]

    def heaviest(self, weights: dict[str, float], room: int) -> list[str]:
        """The lines that weigh most, as many as there is room for, in order."""
        places = {line: place for place, line in enumerate(weights)}
        kept = []
        left = room - 2
        for line in sorted(weights, key=lambda line: (-weights[line], -places[line])):
            if self.of(line) <= left:
                left -= self.of(line)
                kept.append(line)
        return sorted(kept, key=places.__getitem__)


def _fact_lines(digest: Digest, room: int, costs: _Costs) -> list[str]:
    """The lists of facts, each kind with its share; what is left over goes to those that want more, in order."""
    by_kind: dict[str, list[tuple[int, int, str]]] = {kind: [] for kind in KINDS}
    for place, ((kind, fact), rank) in enumerate(digest.facts.items()):
        by_kind[kind].append((rank, -place, fact))
    waiting = {kind: sorted(facts, reverse=True) for kind, facts in by_kind.items() if facts}
    taken: dict[str, list[tuple[int, int, str]]] = {kind: [] for kind in waiting}
    left = room
    for shares in (_SHARES, dict.fromkeys(KINDS, 1.0)):
        pool = left
        for kind, facts in waiting.items():
            share = min(left, int(pool * shares[kind]))
            while facts:
                cost = costs.of(facts[-1][2] + ";") - 1 + (_HEADING if not taken[kind] else 0)
                if cost > share:
                    break
                share -= cost
                left -= cost
                taken[kind].append(facts.pop())
    lines = []
    for kind, facts in taken.items():
        for rank, source in enumerate(SOURCES):
            said = [fact for found, _, fact in sorted(facts, key=lambda entry: -entry[1]) if found == rank]
            if said:
                lines.append(f"{kind.capitalize()} from {source}: {'; '.join(said)}")
    return lines


_HEADING: Final = 12
"""Tokens of what stands before the facts of a kind, up to three times."""
