"""The figures of a conversation, put together from what is known of it."""

from typing import Final

from backpack.context.compressing import Job
from backpack.context.following import Following
from backpack.context.leaving import LINE_TOKENS
from backpack.context.sizing import Sizes
from backpack.context.statistics import Preview, Stats
from backpack.context.totals import Totals

_KEPT: Final = (
    "nothing may go: system messages stay, the latest question, the last {kept:,} messages (messages_to_keep), and "
    "calls with their results"
)


def stats_of(following: Following, sizes: Sizes, model: str, window: int, last_error: str | None) -> Stats:
    """The figures now. Wants the lock. O(compressions)."""
    present, log, totals = following.present, following.log, following.tracker.totals
    calls = totals.by_purpose.get("call", Totals())
    asked = totals.by_purpose.get("compression", Totals())
    compressions = [one for one in log if one.what == "compression"]
    return Stats(
        model=model,
        window=window,
        limit=sizes.limit,
        threshold=sizes.threshold,
        messages=present.count,
        context_messages=len(list(present.parts())),
        current_tokens=sizes.current,
        overhead_tokens=sizes.overhead,
        full_tokens=present.full_tokens + sizes.overhead,
        unseen_tokens=sizes.unseen,
        calls=calls.calls,
        estimated_calls=following.estimated_calls,
        input_tokens=calls.input,
        output_tokens=calls.output,
        cached_tokens=calls.cached,
        cache_written_tokens=calls.cache_written,
        reasoning_tokens=calls.reasoning,
        compressions=len(compressions),
        last_strategy=compressions[-1].strategy if compressions else None,
        failed_summaries=sum(one.error is not None for one in log if one.what in ("compression", "failed")),
        tokens_saved=sum(one.saved for one in log),
        compression_tokens=asked.tokens,
        picodollars=totals.picodollars,
        compression_picodollars=asked.picodollars,
        is_default_price=totals.guessed_calls > 0,
        last_error=last_error,
    )


def preview_of(
    following: Following, sizes: Sizes, job: Job | None, kept: int, *, is_needed: bool, is_asked: bool
) -> Preview:
    """What this job would take and save. `kept`: the last messages that stay. `is_asked`: a summarizer of the caller's
    would be. Wants the lock."""
    tracker = following.tracker
    if job is None:
        shown = len(following.present.system) + len(following.present.rest)
        return Preview(
            is_needed,
            "",
            sizes.messages,
            sizes.messages,
            shown,
            0,
            0,
            original=0,
            summary=0,
            cost=tracker.cost_of(0).usd,
            threshold=sizes.threshold,
            why=_KEPT.format(kept=kept) if following.present.count else "there are no messages",
            overhead=sizes.overhead,
        )
    summary = job.plan.summary_tokens if job.wants_summary or job.previous_tokens else 0
    if job.is_leaving and not summary:
        summary = LINE_TOKENS
    is_paid = is_asked and job.wants_summary
    cost = tracker.cost_of(job.original if is_paid else 0, output=summary if is_paid else 0)
    return Preview(
        is_needed,
        job.plan.strategy,
        job.before,
        job.plan.kept_tokens + summary,
        len(job.plan.kept),
        len(job.plan.summarized),
        len(job.plan.dropped),
        original=sum(job.parts[at].tokens for at in job.gone),
        summary=summary,
        cost=cost.usd,
        threshold=sizes.threshold,
        overhead=sizes.overhead,
    )
