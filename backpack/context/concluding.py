"""The end of a compression: what the summary took is noted, and what came of it is one commit, or why nothing did.

What was read anew since the job was planned has another generation: then only what asking took is kept.
"""

from collections.abc import Callable
from typing import Any, Final

from backpack.context.attempts import Attempts
from backpack.context.compressing import Finisher, Job
from backpack.context.cost import Cost
from backpack.context.following import Following
from backpack.context.record import Compression
from backpack.context.sizing import Sizes
from backpack.context.summarizing import Said, Summarizer, SummaryFailed
from backpack.errors import BudgetExceededError, UsageError
from backpack.memory.memory import Memory

COMPRESS: Final = "compress"
"""The step that a compression is."""


class Concluding:
    """Ends the compressions of one conversation. Wants the lock of what it follows free."""

    def __init__(
        self, following: Following, summarizer: Summarizer | None, memory: Callable[[], Memory], attempts: Attempts
    ) -> None:
        tracker = following.tracker
        self._following = following
        self._summarizer = summarizer
        self._finisher = Finisher(tracker.count_message, tracker.count_text, memory, following.storage.keys.messages)
        self._attempts = attempts

    def is_refused(self, job: Job, sizes: Callable[[], Sizes]) -> bool:
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
            self._following.tell("the budget refuses the summarizer: the summary is made by rule")
            return True
        return False

    def conclude(self, job: Job, said: Said | SummaryFailed | None) -> list[Compression] | None:
        """Work in what was said, and commit it. None: all was read anew since the job was planned."""
        following = self._following
        paid, fault = self._paid(job, said)
        with following.lock:
            following.keep_up()
            is_same = following.generation == job.generation
        if not is_same:
            self._note_failed(job, paid, "the conversation was changed meanwhile")
            return None
        made = self._finisher.finish(job, said, self._name())
        error = made.error or fault
        if error is not None:
            following.tell(error, said.cause if isinstance(said, SummaryFailed) else None)
        if made.after >= job.before:
            self._attempts.close(COMPRESS, job.generation)
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
            short = [part for part in (*kept, *following.present.messages()) if part.is_short]
        shown = set(made.in_force.kept)
        short = [part for part in short if part.place in shown or part.place >= job.covers]
        replaced = list({part.place: part for part in short}.values())
        following.commit(
            lambda: following.storage.compress(made.in_force, replaced, compression),
            compression,
            paid,
            job.generation,
            lambda: following.present.show(made.in_force, kept),
        )
        self._attempts.close(COMPRESS, job.generation)
        return [compression]

    def _paid(self, job: Job, said: Said | SummaryFailed | None) -> tuple[Cost | None, str | None]:
        """What asking the summarizer took, and what is wrong with what it said of that. Nobody was asked:
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
        following = self._following
        following.commit(lambda: following.storage.log(failed), failed, paid, generation, lambda: None)

    def _name(self) -> str:
        """Of the caller's summarizer."""
        return str(getattr(self._summarizer, "__name__", type(self._summarizer).__name__))[:80]


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
