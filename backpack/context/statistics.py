"""What a conversation is and has cost: figures that print as a block."""

import json
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any, Final

from backpack.context.cost import usd_of, usd_text

_PERCENT: Final = 100


@dataclass(frozen=True, slots=True)
class Stats:
    """The figures of one conversation, in tokens where nothing else is said. They are those of its store: after
    reopening they go on, and after a restore they are those of then.

    `tokens_saved` is what later calls don't send because of compressions: the sum of what each took out of the context
    less what it put there instead. Nothing is in it twice: it is what all messages come to, less what the context does,
    as far as compressing is the reason. `tokens_saved_net` has the tokens taken off that asking summarizers took, and
    is below zero where they took more.
    """

    model: str
    window: int
    limit: int
    """What may be sent."""
    threshold: int | None
    """Above it a compression runs; None is never."""
    messages: int
    context_messages: int
    current_tokens: int
    """What would be sent now: messages, tools, and what a reply is primed with."""
    overhead_tokens: int
    """What of it is no message: tools, notes, and what a reply is primed with."""
    full_tokens: int
    """The same without any compression."""
    unseen_tokens: int
    """What the last call has counted beyond that, system prompts and tools that nobody told of, say."""
    calls: int
    estimated_calls: int
    """Those of them whose usage nobody gave: they count with what was to be sent and what came."""
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cache_written_tokens: int
    reasoning_tokens: int
    compressions: int
    failed_summaries: int
    tokens_saved: int
    compression_tokens: int
    """What asking summarizers took, input and output."""
    picodollars: int
    """What all calls cost, those of summarizers included."""
    compression_picodollars: int
    is_default_price: bool
    """Is a price among those that is a guess?"""
    last_error: str | None = None
    last_strategy: str | None = None
    """Of the last compression; of `auto` the one it chose."""

    @property
    def tokens_saved_net(self) -> int:
        """Saved, less what compressing took."""
        return self.tokens_saved - self.compression_tokens

    @property
    def percent_saved(self) -> float:
        """Of what would be sent without compression, the part that isn't."""
        return _PERCENT * self.tokens_saved / self.full_tokens if self.full_tokens else 0.0

    @property
    def total_tokens(self) -> int:
        """Input and output of all calls."""
        return self.input_tokens + self.output_tokens

    @property
    def cost(self) -> Decimal:
        """Of all calls, in USD."""
        return usd_of(self.picodollars)

    @property
    def compression_cost(self) -> Decimal:
        """The part of it that summarizers took."""
        return usd_of(self.compression_picodollars)

    def to_dict(self) -> dict[str, Any]:
        """Every figure by name, amounts in USD as numbers."""
        found = asdict(self)
        del found["picodollars"], found["compression_picodollars"]
        found["tokens_saved_net"] = self.tokens_saved_net
        found["percent_saved"] = round(self.percent_saved, 1)
        found["total_tokens"] = self.total_tokens
        found["cost"] = float(self.cost)
        found["compression_cost"] = float(self.compression_cost)
        return found

    def to_json(self) -> str:
        """The same as JSON."""
        return json.dumps(self.to_dict(), indent=2)

    def __str__(self) -> str:
        return self.text()

    def text(self, settings: str = "") -> str:
        """The figures as a block. `settings`: whose they are, said beside the threshold."""
        guess = " (a guess: the price is not known)" if self.is_default_price else ""
        by = "" if self.last_strategy is None else f", the last one by {self.last_strategy}"
        rows = [
            ("model", f"{self.model}, window {self.window:,}"),
            ("messages", f"{self.messages:,}, in the context {self.context_messages:,}"),
            (
                "context",
                f"{self.current_tokens:,} tokens of {self.limit:,}, {_threshold_text(self.threshold, settings)}",
            ),
            ("tools", f"{self.overhead_tokens:,} tokens of these, with notes and what a reply is primed with"),
            ("without", f"{self.full_tokens:,} tokens without compression"),
            ("calls", f"{self.calls:,}, of which {self.estimated_calls:,} estimated"),
            ("input", f"{self.input_tokens:,} tokens, {self.cached_tokens:,} of them cached"),
            ("output", f"{self.output_tokens:,} tokens"),
            ("compressions", f"{self.compressions:,}{by}, with {self.failed_summaries:,} failed summaries"),
            ("saved", f"{self.tokens_saved:,} tokens ({self.percent_saved:.1f} %)"),
            ("less the cost", f"{self.tokens_saved_net:,} tokens, compressing took {self.compression_tokens:,}"),
            ("cost", f"{usd_text(self.cost)}, of which compressing {usd_text(self.compression_cost)}{guess}"),
        ]
        if self.last_error is not None:
            rows.append(("last error", self.last_error))
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a compression would take and save, in tokens. Nothing has changed."""

    is_needed: bool
    """Would it run by itself, before the next call?"""
    strategy: str
    before: int
    """Messages and summary alone: `overhead` goes with every call besides."""
    after: int
    """Estimated by the size that the summary aims at, where a summarizer of the caller's would be asked."""
    messages_kept: int
    messages_summarized: int
    messages_dropped: int
    original: int
    """Tokens of what would be compressed."""
    summary: int
    cost: Decimal
    """What asking the summarizer would cost, in USD; 0 for the built-in one."""
    threshold: int | None = None
    """Above it a compression runs; None is never."""
    why: str = ""
    """Why nothing may go, where nothing may."""
    overhead: int = 0
    """Tools, notes, and what a reply is primed with, which `stats()` counts in."""

    @property
    def saved(self) -> int:
        """Before less after."""
        return self.before - self.after

    def to_dict(self) -> dict[str, Any]:
        """Every figure by name."""
        return {**asdict(self), "cost": float(self.cost), "saved": self.saved}

    def __str__(self) -> str:
        return self.text()

    def text(self, settings: str = "") -> str:
        """The figures as a block. `settings`: whose they are, said beside the threshold."""
        when = "now" if self.is_needed else "not yet"
        return "\n".join(
            (
                f"needed      {when}, {_threshold_text(self.threshold, settings)}",
                f"strategy    {self.strategy or 'none'}{self.why and f': {self.why}'}",
                f"context     {self.before:,} tokens to {self.after:,}: {self.saved:,} less",
                f"tools       {self.overhead:,} tokens besides, with notes and what a reply is primed with",
                f"messages    {self.messages_kept:,} kept, {self.messages_summarized:,} summarized, "
                f"{self.messages_dropped:,} dropped",
                f"summary     {self.original:,} tokens to {self.summary:,}",
                f"cost        {usd_text(self.cost)}",
            )
        )


def _threshold_text(threshold: int | None, settings: str) -> str:
    """When a compression runs, in words."""
    return f"compressed {'never' if threshold is None else f'above {threshold:,}'}{settings and f' ({settings})'}"
