"""One compression, in two halves: a job is planned, a summarizer is asked elsewhere, and what it said is worked in.

Planning reads views and counts and changes nothing. Finishing takes the summary, or makes one by rule where there is no
summarizer or it failed; makes it tighter where it doesn't fit; shortens contents that stay where that is needed; and
says what the context is then. Only that is written down, as one commit. So a summarizer that is interrupted, raises or
never ends leaves everything as it was.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from backpack.context.config import ContextConfig
from backpack.context.digest import REPEATED as REPEATED_CALLS
from backpack.context.digest import Digest, names, references_line
from backpack.context.extractive import summarize_extractive
from backpack.context.fitting import fit
from backpack.context.leaving import LINE_TOKENS, left_count, left_line
from backpack.context.message import View, view
from backpack.context.planning import REPEATED, SUMMARY_TOKENS_MIN
from backpack.context.planning import plan as plan_of
from backpack.context.present import Part, Present, messages_of, values_of
from backpack.context.record import InForce
from backpack.context.storable import LANGCHAIN
from backpack.context.strategy import Plan
from backpack.context.summarizing import Said, SummaryFailed, transcript
from backpack.errors import ContextOverflowError
from backpack.memory.memory import Memory

_TRANSCRIPT: Final = "transcript"
_TAGS: Final = ("context",)
_TIGHTER: Final = 3
"""How often a summary that doesn't fit is made anew, each time of half the size."""

_SUMMARY_PART: Final = 10
"""Where what stays takes all the room, a summary has this part of it all the same."""

_HEAD: Final = "[Summary of {count} earlier message{s} of this conversation.{exact}]"
_OWN_HEAD: Final = re.compile(
    r"\A\[Summary of \d{1,12} earlier messages? of this conversation\.[^\]\n]*\](?:\nReferences\b[^\n]*)?\s*"
)


@dataclass(frozen=True, slots=True)
class Job:
    """What one compression is about to do. Places are those of messages; `at` are indexes into `parts`."""

    cause: str
    generation: int
    """Of what was known of the store: a conversation that was read anew since has another one."""
    parts: tuple[Part, ...]
    """The context without its summary, by place."""
    views: tuple[View, ...]
    plan: Plan
    previous: InForce | None
    previous_tokens: int
    covers: int
    digest: str
    before: int
    """Tokens of the context: messages and summary."""
    room: int
    """What messages and summary may come to."""
    reserved: int
    """What of it is free for the summary whatever stays: contents of what stays are shortened for it."""

    @property
    def gone(self) -> tuple[int, ...]:
        """At: what is summarized or dropped."""
        return tuple(sorted((*self.plan.summarized, *self.plan.dropped)))

    @property
    def gone_count(self) -> int:
        """How many messages are no longer sent, those that left before included."""
        return len(self.gone) + (0 if self.previous is None else self.previous.summarized)

    @property
    def is_leaving(self) -> bool:
        """Do messages go of which no summary says anything? A system message that is there twice is no such one."""
        is_said = self.wants_summary or bool(self.plan.notes)
        return not is_said and any(self.plan.reasons.get(at) != REPEATED for at in self.gone)

    @property
    def original(self) -> int:
        """Tokens of what the summary will stand for, the summary before it included."""
        return self.previous_tokens + sum(self.parts[at].tokens for at in self.plan.summarized)

    @property
    def wants_summary(self) -> bool:
        """Is there anything to summarize? A summary of nothing but a summary is made when it doesn't fit."""
        return bool(self.plan.summarized) and self.plan.summary_tokens > 0

    @property
    def saving(self) -> int:
        """What the context will have less, with a summary of the size that is aimed at."""
        return self.before - self.plan.kept_tokens - self.plan.summary_tokens

    def asked(self) -> tuple[list[Any], list[View]]:
        """The messages for the summarizer, as fresh objects in their shapes, and views of them."""
        parts = [self.parts[at] for at in self.plan.summarized]
        views = [self.views[at] for at in self.plan.summarized]
        if self.previous is not None and self.previous.summary:
            value = {"role": "user", "content": self.previous.summary}
            return [value, *messages_of(parts)], [view(value), *views]
        return messages_of(parts), views


@dataclass(frozen=True, slots=True)
class Made:
    """What the context is after a compression."""

    in_force: InForce
    after: int
    summary_tokens: int
    summarizer: str
    error: str | None


def planned(
    present: Present,
    config: ContextConfig,
    soft_room: int,
    room: int,
    target: int,
    *,
    cause: str,
    generation: int,
) -> Job | None:
    """The job for a context; None when nothing of it may go. O(the context and its text).

    Messages and summary should come to `target`, and to `soft_room` so that no compression is due soon; they may
    come to `room`. Where what has to stay is more than the soft one, the summary still has its size; where it is more
    than `room`, a part of that.
    """
    parts = tuple(present.messages())
    views = tuple(view(value) for value in values_of(parts))
    tokens = [part.tokens for part in parts]
    previous = present.summary_tokens
    soft = max(0, min(soft_room, room))
    plan = plan_of(views, tokens, config, soft, target_tokens=target, previous_tokens=previous)
    if plan.is_empty:
        return None
    least = LINE_TOKENS
    if plan.summarized and plan.kept_tokens + plan.summary_tokens >= soft:
        wanted = max(SUMMARY_TOKENS_MIN, config.summary_tokens(previous + sum(tokens[at] for at in plan.summarized)))
        least = min(wanted, max(SUMMARY_TOKENS_MIN, room // _SUMMARY_PART))
        plan = replace(plan, summary_tokens=max(plan.summary_tokens, min(wanted, room - plan.kept_tokens), least))
    reserved = _reserved(views, tokens, plan.kept, room, least)
    if plan.kept_tokens + plan.summary_tokens > room:
        plan = replace(plan, summary_tokens=max(reserved, room - plan.kept_tokens))
    return Job(
        cause,
        generation,
        parts,
        views,
        plan,
        present.in_force,
        previous,
        present.count,
        present.digest,
        present.context_tokens,
        room,
        reserved,
    )


def _reserved(views: Sequence[View], tokens: Sequence[int], kept: Sequence[int], room: int, least: int) -> int:
    """What of the room stays free for the summary: `least`, or a line, or nothing, whichever first lets the rest fit.

    `ContextOverflowError` where nothing does: before anybody is asked.
    """
    for reserved in (least, LINE_TOKENS):
        try:
            fit(views, tokens, kept, room - reserved)
        except ContextOverflowError:
            continue
        return reserved
    fit(views, tokens, kept, room)
    return 0


class Finisher:
    """Works a summary in: counts, and keeps the whole text of what goes."""

    def __init__(
        self, count: Callable[[Any], int], count_text: Callable[[str], int], memory: Callable[[], Memory], key: str
    ) -> None:
        self._count = count
        self._count_text = count_text
        self._memory = memory
        self._key = key

    def finish(self, job: Job, said: Said | SummaryFailed | None, name: str) -> Made:
        """What the context is with this summary; by rule where there is none. Stores what goes in the memory."""
        error = said.reason if isinstance(said, SummaryFailed) else None
        text: str | None = None
        if isinstance(said, Said):
            if self._count_text(said.text) > job.original:
                error = "the summarizer returned more than it got"
            else:
                text = said.text
        reference = self._kept(job)
        kept = [job.parts[at] for at in job.plan.kept]
        kept_tokens = sum(part.tokens for part in kept)
        most = max(job.room - kept_tokens, job.reserved)
        room = most
        summary = self._summary(job, text, reference, room)
        tokens = self._tokens(summary, job)
        if text is not None and tokens > room:  # a second pass, by rule: what the caller's said, and the facts
            summary = self._summary(job, None, reference, room, said=text)
            tokens = self._tokens(summary, job)
        for _ in range(_TIGHTER):
            if tokens <= max(room, 0):
                break
            room //= 2
            summary = self._summary(job, None, reference, room)
            tokens = self._tokens(summary, job)
        else:
            for shorter in (left_line(job.gone_count, reference), ""):  # the line, unless even that can't fit
                if tokens > max(most, 0):
                    summary, tokens = shorter, self._tokens(shorter, job)
        in_force = InForce(
            job.covers,
            job.digest,
            tuple(part.place for part in kept),
            summary,
            tokens,
            self._kind(job),
            min(job.gone_count, job.covers),
            reference,
        )
        is_summary = bool(summary) and left_count(summary) is None
        used = ("extractive" if text is None else name) if is_summary else ""
        return Made(in_force, kept_tokens + tokens, tokens, used, error)

    def _summary(self, job: Job, text: str | None, reference: str, room: int, said: str | None = None) -> str:
        """The text of the summary: the caller's under a head, or one by rule; of messages that just leave, a line."""
        previous = said
        if previous is None and job.previous is not None:
            previous = job.previous.summary
            if job.previous.reference:  # the text that is kept now names it
                previous = previous.replace(f" Their exact words: {job.previous.reference}", "")
        left = left_count(previous or "")
        known = self._names(job)
        line = "\n".join((left_line(job.gone_count, reference), *references_line(known, [reference])))
        if not (job.wants_summary or job.plan.notes) and (not previous or left is not None):
            return line if job.is_leaving or previous else ""
        if left is not None:
            previous = None
        notes = "".join(f"\n- {note}" for note in job.plan.notes)
        if text is not None:
            head = "\n".join((self._head(job, reference), *references_line(known, [reference])))
            return f"{head}\n\n{text}" + (f"\n\n{REPEATED_CALLS}:{notes}" if notes else "")
        if room <= 0:
            return line
        frame = self._tokens("", job, is_frame=True)
        views = [job.views[at] for at in job.plan.summarized]
        size = job.plan.summary_tokens + (self._count_text(f"{REPEATED_CALLS}:{notes}") if notes else 0)
        target = max(1, min(size, room) - frame)
        references = [reference] if reference else []
        last = f"\n{left_line(job.gone_count, reference)}" if job.is_leaving else ""
        if last:
            target = max(1, target - self._count_text(last))
        made = summarize_extractive(
            views,
            target,
            self._count_text,
            previous and _OWN_HEAD.sub("", previous),
            references=references,
            notes=job.plan.notes,
            names=known,
        )
        return made + last

    def _names(self, job: Job) -> Digest:
        """How many messages have left, and what they refer to."""
        previous = ""
        if job.previous is not None:
            previous = job.previous.summary
            if job.previous.reference:
                previous = previous.replace(job.previous.reference, "")
        return names(job.gone_count, previous, [job.views[at] for at in job.gone])

    def _head(self, job: Job, reference: str) -> str:
        count = job.gone_count
        exact = f" Their exact words: {reference}" if reference else ""
        return _HEAD.format(count=count, s="" if count == 1 else "s", exact=exact)

    def _kept(self, job: Job) -> str:
        """Store the whole text of what goes, behind the summary before it; what names it. Empty where nothing goes."""
        gone = [job.views[at] for at in job.gone]
        if not gone:
            return "" if job.previous is None else job.previous.reference
        text = transcript(gone)
        if job.previous is not None and job.previous.summary:
            text = f"{job.previous.summary}\n\n{text}"
        places = [job.parts[at].place for at in job.gone]
        entry = self._memory().log(
            text,
            type=_TRANSCRIPT,
            title=f"messages {places[0]} to {places[-1]} of {self._key}",
            tags=_TAGS,
        )
        return f"mem://{entry.id}"

    def _tokens(self, summary: str, job: Job, *, is_frame: bool = False) -> int:
        if not summary and not is_frame:
            return 0
        name = "type" if self._kind(job) == LANGCHAIN else "role"
        return self._count({name: "human" if name == "type" else "user", "content": summary})

    def _kind(self, job: Job) -> int:
        """The shape of most messages."""
        kinds = [part.kind for part in job.parts]
        return max(set(kinds), key=kinds.count)
