"""Making what would be sent fit: step by step, each of which is a commit, and none of which loses anything.

    1. results of tools in the turn under way share their budget
    2. a message that is larger than one may be has its content in the memory
    3. above the second figure of the governor large contents go there until it fits
    4. above the threshold old messages become a summary
    5. above the limit contents of what stays go to the memory, too, or `ContextOverflowError` says what can't

Each step looks at how things stand first and is not tried again before they stand otherwise. The steps are a generator
that yields when a summarizer is to be asked, so that a thread and a task run the same ones; no lock is held then, nor
while anything is committed. What was read anew since a step was planned has another generation: then the step is given
up, and whoever wants it to fit looks again.
"""

import logging
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any, Final

from backpack.context.compressing import Finisher, Job, planned, shorter_than
from backpack.context.config import ContextConfig
from backpack.context.cost import Cost
from backpack.context.fitting import FLOORS, overflow
from backpack.context.following import Following
from backpack.context.message import View, view
from backpack.context.present import Part, values_of
from backpack.context.record import Compression
from backpack.context.shortening import Shortener
from backpack.context.sizing import Sizes
from backpack.context.storable import SYSTEM, TOOL
from backpack.context.summarizing import Said, Summarizer, SummaryFailed
from backpack.errors import BudgetExceededError, ContextOverflowError, UsageError
from backpack.memory.memory import Memory
from backpack.store.events import Event

_logger: Final = logging.getLogger("backpack.context")

_MARGIN_PERCENT: Final = 75
"""The governor brings the context down to this part of its second figure, so that it isn't crossed again at once."""

_LARGE_PART: Final = 20
"""Where it could not, it tries again when this part of the figure came that it could take."""

_WORTH_PART: Final = 50
"""Above the threshold, and below the limit, a compression runs that saves this part of the threshold, or more."""

_CAP_PART: Final = 10
"""Where what stays is above the threshold, each message of it may have this part of the threshold."""

Ask = tuple[list[Any], list[View], int]
"""What a summarizer is asked: messages, views of them, a size in tokens."""

Steps = Generator[Ask, Said | SummaryFailed, list[Compression]]
"""Gives the compressions that were made, in order."""

SizesNow = Callable[[], Sizes]


class Preparing:
    """The steps for one conversation. All but `steps` want the lock of what it follows; the steps want it free."""

    def __init__(
        self, following: Following, config: ContextConfig, summarizer: Summarizer | None, memory: Callable[[], Memory]
    ) -> None:
        self._following = following
        self._config = config
        self._summarizer = summarizer
        self._memory = memory
        self._tried: dict[str, tuple[int, ...]] = {}
        """By step, how things stood when it was over."""
        self._halted_in = -1
        """The generation in which the governor could not bring the context down to its margin."""
        self._halted_at = 0
        """How many messages there were then, or were looked at since."""
        self._large = 0
        """What of these it could take."""
        self._stuck: dict[tuple[int, int], int] = {}
        """Of messages (place, tokens) that couldn't be made smaller, to what they were to be."""
        self._stuck_in = 0
        """The generation of these."""
        self.error: str | None = None
        """What went wrong last without losing anything."""

    # -- what is due ---------------------------------------------------------------------------------------------

    def is_due(self, sizes: Sizes) -> bool:
        """Is there anything to do before this is sent? O(1), but O(the context) where single messages have sizes."""
        if sizes.is_over_limit or self._is_compression_due(sizes):
            return True
        config = self._config
        if config.turn_results_tokens is not None and self._is_open("results") and self._results_excess() > 0:
            return True
        if config.recent_message_tokens_max is not None and self._is_open("caps") and self._caps():
            return True
        return self._is_governor_due(sizes)

    def _is_governor_due(self, sizes: Sizes) -> bool:
        """Is it above the second figure, and is there anything to do about it? O(messages since it was asked last)."""
        governor, following = self._config.governing, self._following
        if governor is None or sizes.current <= governor.pointer or not self._is_open("governor"):
            return False
        if self._halted_in != following.generation:
            return True
        added = following.present.tokens[self._halted_at :]
        self._halted_at += len(added)
        self._large += sum(max(0, tokens - FLOORS[-1]) for tokens in added)
        return self._large >= max(1, governor.pointer // _LARGE_PART)

    def _is_compression_due(self, sizes: Sizes) -> bool:
        if sizes.threshold is None:
            return False
        return sizes.total > sizes.threshold and self._is_open("compress")

    def _is_open(self, step: str) -> bool:
        return self._tried.get(step) != self._standing()

    def _standing(self) -> tuple[int, ...]:
        following = self._following
        return following.generation, following.present.count, following.present.context_tokens

    def _close(self, step: str, generation: int) -> None:
        """It was tried, unless all was read anew since."""
        with self._following.lock:
            if self._following.generation == generation:
                self._tried[step] = self._standing()

    # -- the steps -----------------------------------------------------------------------------------------------

    def steps(self, sizes: SizesNow, *, is_asked: bool = False) -> Steps:
        """All that is due, and a compression in any case where one is asked for."""
        following = self._following
        with following.lock:
            following.keep_up()
            if sizes().room <= 0:
                raise _no_room(sizes())
        made = self._shorten(sizes)
        with following.lock:
            following.keep_up()
            job = self._job(sizes(), is_asked=is_asked)
        if job is not None:
            said: Said | SummaryFailed | None = None
            if self._summarizer is not None and job.wants_summary and not self._is_refused(job, sizes):
                said = yield (*job.asked(), job.plan.summary_tokens)
            finished = self._finish(job, said)
            if finished is None:
                return made
            made += finished
        return [*made, *self._fit(sizes)]

    def _is_refused(self, job: Job, sizes: SizesNow) -> bool:
        """Does the budget refuse the summarizer, or the call that comes after it? Then nobody is asked."""
        tracker = self._following.tracker
        if tracker.budget is None or tracker.budget.on_exceed != "refuse":
            return False
        after = 0
        if job.cause != "asked":
            with self._following.lock:
                after = job.plan.kept_tokens + job.plan.summary_tokens + sizes().overhead
        try:
            tracker.check(tracker.cost_of(job.original + after, output=job.plan.summary_tokens))
        except BudgetExceededError:
            self._tell("the budget refuses the summarizer: the summary is made by rule")
            return True
        return False

    def _shorten(self, sizes: SizesNow) -> list[Compression]:
        made: list[Compression] = []
        config, following = self._config, self._following
        if config.turn_results_tokens is not None:
            with following.lock:
                generation = following.generation
                parts = self._turn_results() if self._is_open("results") and self._results_excess() > 0 else []
                originals = following.originals([part.place for part in parts])
            if parts:
                shortener = self._shortener()
                shorter = shortener.results(parts, originals, config.turn_results_tokens, config.result_floor_tokens)
                made += self._replace(shorter, "results", "results", shortener, generation)
                self._close("results", generation)
        if config.recent_message_tokens_max is not None:
            with following.lock:
                generation = following.generation
                caps = self._caps() if self._is_open("caps") else {}
            if caps:
                made += self._cap(caps, "size", generation)
                self._close("caps", generation)
        governor = config.governing
        if governor is not None:
            with following.lock:
                generation, now, caps = following.generation, sizes(), {}
                is_due = self._is_governor_due(now)
                margin = governor.pointer * _MARGIN_PERCENT // 100
                if is_due:
                    caps = self._governed(margin - now.overhead, governor.pointer - now.overhead)
            if is_due:
                made += self._cap(caps, "governor", generation)
                self._close("governor", generation)
                with following.lock:
                    self._halted_in = generation if sizes().current > margin else -1
                    self._halted_at, self._large = following.present.count, 0
        return made

    def _governed(self, margin: int, pointer: int) -> dict[int, int]:
        """What each message may have, system messages not counted, so that all comes to the margin; or to the figure;
        or as near as it gets."""
        parts = [part for part in self._parts() if self._role(part) != SYSTEM]
        others = self._following.present.context_tokens - sum(part.tokens for part in parts)
        for figure in (margin, pointer):
            try:
                return shorter_than(parts, figure - others)
            except ContextOverflowError:
                continue
        return {part.place: FLOORS[-1] for part in parts if part.tokens > FLOORS[-1]}

    def _job(self, sizes: Sizes, *, is_asked: bool) -> Job | None:
        """What is to be compressed; None when nothing is, nothing may be, or it isn't worth a summary."""
        is_due = self._is_compression_due(sizes)
        if not (is_asked or is_due or (sizes.is_over_limit and sizes.threshold is not None)):
            return None
        cause = "asked" if is_asked else "limit" if sizes.is_over_limit else "threshold"
        job = self.planned(sizes, cause)
        if job is None or (cause == "threshold" and job.saving < (sizes.threshold or 0) // _WORTH_PART):
            self._close("compress", self._following.generation)
            return None
        return job

    def planned(self, sizes: Sizes, cause: str) -> Job | None:
        """The job of a compression now. `ContextOverflowError` when what has to stay can't be made to fit."""
        following = self._following
        target = (sizes.limit if sizes.threshold is None else sizes.threshold) // 2 - sizes.overhead
        return planned(
            following.present,
            self._config,
            sizes.soft_room,
            sizes.room,
            max(1, target),
            cause=cause,
            generation=following.generation,
        )

    def _finish(self, job: Job, said: Said | SummaryFailed | None) -> list[Compression] | None:
        """Work in what was said, and commit it. None: all was read anew since the job was planned."""
        following = self._following
        paid, fault = self._paid(job, said)
        with following.lock:
            following.keep_up()
            is_same = following.generation == job.generation
        if not is_same:
            self._note_failed(job, paid, "the conversation was changed meanwhile")
            return None
        made = self.finisher().finish(job, said, self._name())
        error = made.error or fault
        if error is not None:
            self._tell(error, said.cause if isinstance(said, SummaryFailed) else None)
        if made.after >= job.before:
            self._close("compress", job.generation)
            self._note_failed(job, paid, error or "the summary is no smaller than what it stands for")
            return []
        compression = Compression(
            "compression",
            job.cause,
            job.plan.strategy,
            job.before,
            made.after,
            job.plan.kept_tokens,
            job.original,
            made.summary_tokens,
            job.plan.summary_tokens,
            len(job.plan.kept),
            len(job.plan.summarized),
            len(job.plan.dropped),
            made.summarizer,
            error=error,
            reference=made.in_force.reference or None,
            **_taken(paid),
        )
        kept = [job.parts[at] for at in job.plan.kept]
        with following.lock:
            short = [part for part in (*kept, *self._parts()) if part.is_short]
        shown = set(made.in_force.kept)
        short = [part for part in short if part.place in shown or part.place >= job.covers]
        replaced = list({part.place: part for part in short}.values())
        commit = following.storage.compress(made.in_force, replaced, compression)
        with following.lock:
            if following.adopt_compression(commit, compression, job.generation):
                following.present.show(made.in_force, kept)
            self._close("compress", job.generation)
        return [compression]

    def _paid(self, job: Job, said: Said | SummaryFailed | None) -> tuple[Cost | None, str | None]:
        """What asking the summarizer took, recorded, and what is wrong with what it said of that. Nobody was asked:
        nothing. What isn't said, or can't be, is estimated."""
        if said is None:
            return None, None
        tracker = self._following.tracker
        text = said.text if isinstance(said, Said) else ""
        fault = None
        cost: Cost | None = None
        if isinstance(said, Said) and said.usage is not None:
            try:
                cost = tracker.cost_of(said.usage)
            except UsageError:
                fault = "the summarizer's usage can't be, so its cost is estimated"
        if cost is None:
            cost = tracker.cost_of(job.original, output=tracker.count_text(text))
        tracker.record_cost(cost, purpose="compression", is_kept=True)
        return cost, fault

    def _note_failed(self, job: Job, paid: Cost | None, error: str) -> None:
        """Keep what asking took, where nothing came of it."""
        if paid is None:
            return
        generation = self._following.generation
        failed = Compression(
            "failed",
            job.cause,
            job.plan.strategy,
            job.before,
            job.before,
            job.before,
            summarizer=self._name(),
            error=error,
            **_taken(paid),
        )
        commit = self._following.storage.log(failed)
        with self._following.lock:
            self._following.adopt_compression(commit, failed, generation)

    def _name(self) -> str:
        """Of the caller's summarizer."""
        return str(getattr(self._summarizer, "__name__", type(self._summarizer).__name__))[:80]

    def _fit(self, sizes: SizesNow) -> list[Compression]:
        """Shorten what stays where it is too much: above the threshold what is large, above the limit anything."""
        following = self._following
        made: list[Compression] = []
        with following.lock:
            following.keep_up()
            generation, count, now = following.generation, following.present.count, sizes()
            threshold = now.threshold
            caps = {}
            if threshold is not None and now.total > threshold and self._is_open("fit"):
                caps = self._caps(max(threshold // _CAP_PART, 1))
        if caps:
            made += self._cap(caps, "threshold", generation)
            self._close("fit", generation)
        with following.lock:
            now = sizes()
            if (following.generation, following.present.count) != (generation, count) or not now.is_over_limit:
                return made
            if threshold is None:
                raise _off(now)
            caps = shorter_than(self._parts(), now.room - self._summary_tokens())
        made += self._cap(caps, "limit", generation)
        with following.lock:
            now = sizes()
            if (following.generation, following.present.count) == (generation, count) and now.is_over_limit:
                parts = self._parts()
                views = [view(value) for value in values_of(parts)]
                raise overflow(views, [part.tokens for part in parts], range(len(parts)), now.room)
        return made

    # -- parts ---------------------------------------------------------------------------------------------------

    def _parts(self) -> list[Part]:
        """The context without its summary, by place."""
        present = self._following.present
        return sorted((*present.system, *present.rest), key=lambda part: part.place)

    def _summary_tokens(self) -> int:
        summary = self._following.present.summary
        return 0 if summary is None else summary.tokens

    def _role(self, part: Part) -> int:
        return self._following.present.roles[part.place]

    def _turn_results(self) -> list[Part]:
        """The results of tools in the turn under way."""
        start = self._following.present.last_user()
        return [part for part in self._following.present.rest if part.place > start and self._role(part) == TOOL]

    def _results_excess(self) -> int:
        budget = self._config.turn_results_tokens
        return sum(part.tokens for part in self._turn_results()) - (budget or 0)

    def _caps(self, tokens_max: int | None = None) -> dict[int, int]:
        """The messages that are larger than one may be, system messages not counted."""
        most = self._config.recent_message_tokens_max if tokens_max is None else tokens_max
        assert most is not None
        return {
            part.place: most
            for part in self._following.present.rest
            if part.tokens > most and self._role(part) != SYSTEM and not self._is_stuck(part, most)
        }

    def _is_stuck(self, part: Part, tokens_max: int) -> bool:
        """Is it known that nothing makes it smaller?"""
        if self._stuck_in != self._following.generation:
            self._stuck, self._stuck_in = {}, self._following.generation
        tried = self._stuck.get((part.place, part.tokens))
        return tried is not None and tried <= tokens_max

    def _cap(self, caps: Mapping[int, int], cause: str, generation: int) -> list[Compression]:
        if not caps:
            return []
        shortener = self._shortener()
        with self._following.lock:
            parts = [one for one in self._parts() if one.place in caps and not self._is_stuck(one, caps[one.place])]
        shorter = shortener.all_to(parts, caps, self._originals)
        with self._following.lock:
            if shortener.error is None and self._following.generation == generation:
                stuck = [one for one in parts if one.place not in shorter]
                self._stuck.update({(one.place, one.tokens): caps[one.place] for one in stuck})
        return self._replace(shorter, "offload", cause, shortener, generation)

    def _originals(self, places: Iterable[int]) -> Mapping[int, bytes]:
        with self._following.lock:
            return self._following.originals(places)

    def _replace(
        self, shorter: Mapping[int, Part], what: str, cause: str, shortener: Shortener, generation: int
    ) -> list[Compression]:
        """Have these parts instead of those of their places, in one commit."""
        if shortener.error is not None:
            self._tell(f"offloading failed: {type(shortener.error).__name__}", shortener.error)
        if not shorter:
            return []
        following = self._following
        with following.lock:
            if following.generation != generation:
                return []
            before = following.present.context_tokens
            parts = self._parts()
        was = sum(part.tokens for part in parts if part.place in shorter)
        after = before + sum(part.tokens for part in shorter.values()) - was
        compression = Compression(
            what, cause, what, before, after, before - was, original=was, messages_kept=len(parts)
        )
        commit = following.storage.replace(list(shorter.values()), compression)
        with following.lock:
            if following.adopt_compression(commit, compression, generation):
                following.present.replace(shorter)
        return [compression]

    def finisher(self) -> Finisher:
        """Works summaries in."""
        tracker = self._following.tracker
        return Finisher(tracker.count_message, tracker.count_text, self._memory, self._following.storage.keys.messages)

    def _shortener(self) -> Shortener:
        tracker = self._following.tracker
        return Shortener(self._memory(), tracker.count_message, tracker.count_text)

    def _tell(self, error: str, cause: BaseException | None = None) -> None:
        """Something went wrong, nothing is lost by it, and it has to be seen."""
        self.error = error
        _logger.warning("compressing a conversation: %s", error, exc_info=cause)
        self._following.storage.bp._events.publish(
            Event("error", (self._following.storage.keys.messages,), detail=error)
        )


def _taken(paid: Cost | None) -> dict[str, Any]:
    """The fields of a compression that say what asking took."""
    if paid is None:
        return {}
    return {
        "input_tokens": paid.usage.input,
        "output_tokens": paid.usage.output,
        "picodollars": paid.picodollars,
        "model": paid.model,
        "is_default_price": paid.is_default_price,
    }


def _off(sizes: Sizes) -> ContextOverflowError:
    return ContextOverflowError(
        f"all messages are more than may be sent, and compression is off: tokens={sizes.total} limit={sizes.limit}; "
        "turn it on (enable_compression, a threshold below 100 percent), or take a larger window",
        what="all messages",
        tokens=sizes.total,
        limit=sizes.limit,
    )


def _no_room(sizes: Sizes) -> ContextOverflowError:
    taken = sizes.overhead + sizes.unseen + sizes.reserve
    return ContextOverflowError(
        f"tools, notes and the reserve for the answer leave no room for messages: tokens={taken} limit={sizes.limit}; "
        "give fewer tools, a smaller answer_reserve or a larger window",
        what="tools, notes and the reserve",
        tokens=taken,
        limit=sizes.limit,
    )
