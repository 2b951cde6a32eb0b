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

from collections.abc import Callable, Generator
from typing import Any, Final

from backpack.context.attempts import Attempts
from backpack.context.compressing import Job, planned
from backpack.context.concluding import COMPRESS, Concluding
from backpack.context.config import ContextConfig
from backpack.context.fitting import fit_parts, overflow_of
from backpack.context.following import Following
from backpack.context.governor import Pointing
from backpack.context.message import View
from backpack.context.record import Compression
from backpack.context.replacing import Replacing
from backpack.context.sizing import Sizes
from backpack.context.summarizing import Said, Summarizer, SummaryFailed
from backpack.errors import ContextOverflowError
from backpack.memory.memory import Memory

_RESULTS: Final = "results"
_CAPS: Final = "caps"
_FIT: Final = "fit"

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
        self._has_summarizer = summarizer is not None
        self._attempts = Attempts(following)
        self._replacing = Replacing(following, memory)
        self._concluding = Concluding(following, summarizer, memory, self._attempts)
        governor = config.governing
        self._pointing = None if governor is None else Pointing(governor, following, self._attempts)

    # -- what is due ---------------------------------------------------------------------------------------------

    def is_due(self, sizes: Sizes) -> bool:
        """Is there anything to do before this is sent? O(1), but O(the context) where single messages have sizes."""
        return (
            sizes.is_over_limit
            or self._is_compression_due(sizes)
            or self._are_results_due()
            or bool(self._large())
            or (self._pointing is not None and self._pointing.is_due(sizes))
        )

    def _is_compression_due(self, sizes: Sizes) -> bool:
        if sizes.threshold is None:
            return False
        return sizes.total > sizes.threshold and self._attempts.is_open(COMPRESS)

    def _are_results_due(self) -> bool:
        budget = self._config.turn_results_tokens
        if budget is None or not self._attempts.is_open(_RESULTS):
            return False
        return sum(part.tokens for part in self._following.present.turn_results()) > budget

    def _large(self) -> dict[int, int]:
        """The messages that are larger than one may be, and what they may have."""
        most = self._config.recent_message_tokens_max
        return {} if most is None or not self._attempts.is_open(_CAPS) else self._replacing.larger_than(most)

    # -- the steps -----------------------------------------------------------------------------------------------

    def steps(self, sizes: SizesNow, *, is_asked: bool = False) -> Steps:
        """All that is due, and a compression in any case where one is asked for."""
        following = self._following
        with following.lock:
            following.keep_up()
            if sizes().room <= 0:
                raise _no_room(sizes())
        made = [*self._shorten_results(), *self._shorten_large(), *self._point(sizes)]
        with following.lock:
            following.keep_up()
            job, count = self._job(sizes(), is_asked=is_asked), following.present.count
        if job is not None:
            said: Said | SummaryFailed | None = None
            if self._has_summarizer and job.wants_summary and not self._concluding.is_refused(job, sizes):
                said = yield (*job.asked(), job.plan.summary_tokens)
            concluded = self._concluding.conclude(job, said)
            if concluded is None:
                return made
            made += concluded
        return [*made, *self._fit(sizes, count)]

    def _shorten_results(self) -> list[Compression]:
        """The results of tools in the turn under way share their budget."""
        config, following = self._config, self._following
        with following.lock:
            generation = following.generation
            parts = following.present.turn_results() if self._are_results_due() else []
        if not parts or config.turn_results_tokens is None:
            return []
        made = self._replacing.shorten_results(
            parts, config.turn_results_tokens, config.result_floor_tokens, generation
        )
        self._attempts.close(_RESULTS, generation)
        return made

    def _shorten_large(self) -> list[Compression]:
        """A message that is larger than one may be has its content in the memory."""
        with self._following.lock:
            generation, caps = self._following.generation, self._large()
        if not caps:
            return []
        made = self._replacing.shorten(caps, "size", generation)
        self._attempts.close(_CAPS, generation)
        return made

    def _point(self, sizes: SizesNow) -> list[Compression]:
        """Above the second figure of the governor large contents go to the memory until it fits."""
        pointing, following = self._pointing, self._following
        if pointing is None:
            return []
        with following.lock:
            generation, now = following.generation, sizes()
            if not pointing.is_due(now):
                return []
            caps = pointing.caps(now)
        made = self._replacing.shorten(caps, "governor", generation)
        with following.lock:
            pointing.close(sizes(), generation)
        return made

    def _job(self, sizes: Sizes, *, is_asked: bool) -> Job | None:
        """What is to be compressed; None when nothing is, nothing may be, or it isn't worth a summary."""
        is_due = self._is_compression_due(sizes)
        if not (is_asked or is_due or (sizes.is_over_limit and sizes.threshold is not None)):
            return None
        cause = "asked" if is_asked else "limit" if sizes.is_over_limit else "threshold"
        job = self.planned(sizes, cause)
        if job is None or (cause == "threshold" and job.saving < (sizes.threshold or 0) // _WORTH_PART):
            self._attempts.close(COMPRESS, self._following.generation)
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

    def _fit(self, sizes: SizesNow, looked_at: int) -> list[Compression]:
        """Shorten what stays where it is too much: above the threshold what is large, above the limit anything.

        looked_at -- how many messages there were when a compression was planned: it could not take others, so whoever
            wants them to fit looks again
        """
        following = self._following
        made: list[Compression] = []
        with following.lock:
            following.keep_up()
            generation, count, now = following.generation, following.present.count, sizes()
            if count != looked_at:
                return made
            threshold = now.threshold
            caps = {}
            if threshold is not None and now.total > threshold and self._attempts.is_open(_FIT):
                caps = self._replacing.larger_than(max(threshold // _CAP_PART, 1))
        if caps:
            made += self._replacing.shorten(caps, "threshold", generation)
            self._attempts.close(_FIT, generation)
        with following.lock:
            now = sizes()
            if (following.generation, following.present.count) != (generation, count) or not now.is_over_limit:
                return made
            if threshold is None:
                raise _off(now)
            caps = fit_parts(following.present.messages(), now.room - following.present.summary_tokens)
        made += self._replacing.shorten(caps, "limit", generation)
        with following.lock:
            now = sizes()
            if (following.generation, following.present.count) == (generation, count) and now.is_over_limit:
                raise overflow_of(following.present.messages(), now.room)
        return made


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
