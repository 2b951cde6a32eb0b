"""Making what would be sent fit: step by step, each of which is a commit, and none of which loses anything.

    1. results of tools in the turn under way share their budget
    2. a message that is larger than one may be has its content in the memory
    3. above the second figure of the governor large contents go there until it fits
    4. above the threshold old messages become a summary
    5. above the limit contents of what stays go to the memory, too, or `ContextOverflowError` says what can't

Each step looks at how things stand first and is not tried again before they stand otherwise. The steps are a generator
that yields when a summarizer is to be asked, so that a thread and a task run the same ones; no lock is held then.
"""

import logging
from collections.abc import Callable, Generator, Mapping
from typing import Any, Final

from backpack.context.compressing import Finisher, Job, planned, shorter_than
from backpack.context.config import ContextConfig
from backpack.context.fitting import overflow
from backpack.context.following import Following
from backpack.context.message import View, view
from backpack.context.present import Part, values_of
from backpack.context.record import Compression
from backpack.context.shortening import Shortener
from backpack.context.sizing import Sizes, next_at
from backpack.context.storable import SYSTEM, TOOL
from backpack.context.summarizing import Said, Summarizer, SummaryFailed
from backpack.errors import ContextOverflowError
from backpack.memory.memory import Memory
from backpack.store.events import Event

_logger: Final = logging.getLogger("backpack.context")

_CAP_PART: Final = 10
"""Where what stays is above the threshold, each message of it may have this part of the threshold."""

Ask = tuple[list[Any], list[View], int]
"""What a summarizer is asked: messages, views of them, a size in tokens."""

Steps = Generator[Ask, Said | SummaryFailed, list[Compression]]
"""Gives the compressions that were made, in order."""

SizesNow = Callable[[], Sizes]


class Preparing:
    """The steps for one conversation. All but `steps` want the lock of what it follows."""

    def __init__(
        self, following: Following, config: ContextConfig, summarizer: Summarizer | None, memory: Callable[[], Memory]
    ) -> None:
        self._following = following
        self._config = config
        self._summarizer = summarizer
        self._memory = memory
        self._tried: dict[str, tuple[int, ...]] = {}
        """By step, how things stood when it was over."""
        self._floor = 0
        """No compression by threshold before the total is above it."""
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
        governor = config.governing
        return governor is not None and sizes.current > governor.pointer and self._is_open("governor")

    def _is_compression_due(self, sizes: Sizes) -> bool:
        if sizes.threshold is None:
            return False
        return sizes.total > max(sizes.threshold, self._floor_of(sizes)) and self._is_open("compress")

    def _floor_of(self, sizes: Sizes) -> int:
        return min(self._floor, sizes.limit)

    def _is_open(self, step: str) -> bool:
        return self._tried.get(step) != self._standing()

    def _standing(self) -> tuple[int, ...]:
        following = self._following
        return following.generation, following.present.count, following.present.context_tokens

    def _close(self, *steps: str) -> None:
        for step in steps:
            self._tried[step] = self._standing()

    # -- the steps -----------------------------------------------------------------------------------------------

    def steps(self, sizes: SizesNow, *, is_asked: bool = False) -> Steps:
        """All that is due, and a compression in any case where one is asked for."""
        following = self._following
        with following.lock:
            following.keep_up()
            if sizes().room <= 0:
                raise _no_room(sizes())
            made = [*self._shorten(sizes)]
            job = self._job(sizes(), is_asked=is_asked)
        if job is not None:
            said: Said | SummaryFailed | None = None
            if self._summarizer is not None and job.wants_summary:
                said = yield (*job.asked(), job.plan.summary_tokens)
            with following.lock:
                following.keep_up()
                if following.generation == job.generation:
                    made += self._finish(job, said, sizes())
        with following.lock:
            following.keep_up()
            made += self._fit(sizes())
        return made

    def _shorten(self, sizes: SizesNow) -> list[Compression]:
        made: list[Compression] = []
        config = self._config
        if config.turn_results_tokens is not None and self._is_open("results") and self._results_excess() > 0:
            parts = self._turn_results()
            originals = self._following.originals([part.place for part in parts])
            shortener = self._shortener()
            shorter = shortener.results(parts, originals, config.turn_results_tokens, config.result_floor_tokens)
            made += self._replace(shorter, "results", "results", shortener)
            self._close("results")
        if config.recent_message_tokens_max is not None and self._is_open("caps"):
            made += self._cap(self._caps(), "size")
            self._close("caps")
        governor = config.governing
        if governor is not None and sizes().current > governor.pointer and self._is_open("governor"):
            now = sizes()
            try:
                caps = shorter_than(self._parts(), governor.pointer - now.overhead - self._summary_tokens())
            except ContextOverflowError:
                caps = {part.place: 1 for part in self._parts() if self._role(part) != SYSTEM}
            made += self._cap(caps, "governor")
            self._close("governor")
        return made

    def _job(self, sizes: Sizes, *, is_asked: bool) -> Job | None:
        """What is to be compressed; None when nothing is, or nothing may be."""
        is_due = self._is_compression_due(sizes)
        if not (is_asked or is_due or (sizes.is_over_limit and sizes.threshold is not None)):
            return None
        cause = "asked" if is_asked else "limit" if sizes.is_over_limit else "threshold"
        job = self.planned(sizes, cause)
        if job is None:
            self._close("compress")
            self._floor = next_at(sizes.threshold or sizes.limit, sizes.total)
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

    def _finish(self, job: Job, said: Said | SummaryFailed | None, sizes: Sizes) -> list[Compression]:
        following = self._following
        since = following.present.context_tokens - job.before
        name = getattr(self._summarizer, "__name__", type(self._summarizer).__name__)
        made = self.finisher().finish(job, said, str(name)[:80])
        usage = self._paid(job, said)
        if made.error is not None:
            self._tell(made.error, said.cause if isinstance(said, SummaryFailed) else None)
        if made.after >= job.before:
            self._close("compress")
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
            *usage,
            made.error,
            made.in_force.reference or None,
        )
        kept = [job.parts[at] for at in job.plan.kept]
        short = [part for part in (*kept, *self._parts()) if part.is_short]
        shown = set(made.in_force.kept)
        short = [part for part in short if part.place in shown or part.place >= job.covers]
        replaced = list({part.place: part for part in short}.values())
        commit = following.storage.compress(made.in_force, replaced, compression)
        following.adopt_compression(commit, compression)
        following.present.show(made.in_force, kept)
        self._floor = next_at(sizes.threshold or sizes.limit, sizes.with_messages(made.after + since).total)
        self._close("compress")
        return [compression]

    def _paid(self, job: Job, said: Said | SummaryFailed | None) -> tuple[int, int, int]:
        """Record what asking the summarizer took: tokens in and out, picodollars. Nobody was asked: nothing."""
        if said is None:
            return 0, 0, 0
        tracker = self._following.tracker
        usage = said.usage if isinstance(said, Said) else None
        if usage is None:
            text = said.text if isinstance(said, Said) else ""
            usage = {"input": job.original, "output": tracker.count_text(text)}
        cost = tracker.record(usage, purpose="compression")
        return cost.usage.input, cost.usage.output, cost.picodollars

    def _fit(self, sizes: Sizes) -> list[Compression]:
        """Shorten what stays where it is too much: above the threshold what is large, above the limit anything."""
        made: list[Compression] = []
        threshold = sizes.threshold
        if threshold is not None and sizes.total > threshold:
            cap = max(threshold // _CAP_PART, 1)
            if any(part.tokens > cap for part in self._following.present.parts()) and self._is_open("fit"):
                made += self._cap(self._caps(cap), "threshold")
                sizes = sizes.with_messages(self._following.present.context_tokens)
                self._close("fit")
        if sizes.is_over_limit:
            if threshold is None:
                raise _off(sizes)
            caps = shorter_than(self._parts(), sizes.room - self._summary_tokens())
            made += self._cap(caps, "limit")
            sizes = sizes.with_messages(self._following.present.context_tokens)
            if sizes.is_over_limit:
                parts = self._parts()
                views = [view(value) for value in values_of(parts)]
                raise overflow(views, [part.tokens for part in parts], range(len(parts)), sizes.room)
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
            if part.tokens > most and self._role(part) != SYSTEM
        }

    def _cap(self, caps: Mapping[int, int], cause: str) -> list[Compression]:
        if not caps:
            return []
        shortener = self._shortener()
        shorter = shortener.all_to(self._parts(), caps, self._following.originals)
        return self._replace(shorter, "offload", cause, shortener)

    def _replace(self, shorter: Mapping[int, Part], what: str, cause: str, shortener: Shortener) -> list[Compression]:
        """Have these parts instead of those of their places, in one commit."""
        if shortener.error is not None:
            self._tell(f"offloading failed: {type(shortener.error).__name__}", shortener.error)
        if not shorter:
            return []
        following = self._following
        before = following.present.context_tokens
        was = sum(part.tokens for part in self._parts() if part.place in shorter)
        after = before + sum(part.tokens for part in shorter.values()) - was
        compression = Compression(
            what, cause, what, before, after, before - was, original=was, messages_kept=len(self._parts())
        )
        commit = following.storage.replace(list(shorter.values()), compression)
        following.adopt_compression(commit, compression)
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
