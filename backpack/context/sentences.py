"""Sentences of what was said, and how much each weighs.

A sentence weighs by who says it (users above all), whether it asks, decides, or denies, the facts in it, whether it
begins a message, and how late it comes. Weights are added; equal ones keep the later sentence.
"""

import re
from collections.abc import Iterator
from typing import Final

from backpack.context.facts import facts_in

SENTENCE_SIZE_MAX: Final = 300
"""Characters of a sentence that are looked at and shown."""

_BETWEEN: Final = re.compile(r"(?<=[.!?\u3002\uff01\uff1f])\s+|(?<=[\u3002\uff01\uff1f])|\n+")
_SIZE_MIN: Final = 12
_DECISION: Final = re.compile(
    r"\b(?:decid|agree|confirm|approv|choos|chose|prefer|want|need|must|should|plan|cancel|refund|request|instead|because"
    r"|therefore|important|remember|deadline|result|conclu|fix|cause|todo|next step)\w{0,12}\b",
    re.IGNORECASE,
)
_NEGATION: Final = re.compile(
    r"\b(?:not|no|never|none|cannot|can't|won't|don't|doesn't|didn't|isn't|unable|without|except|denied|refus\w{0,4}"
    r"|fail\w{0,4}|wrong|error)\b",
    re.IGNORECASE,
)
_BY_ROLE: Final = {"user": 3.0, "assistant": 1.0}
_FACTS_MAX: Final = 4


def sentences(text: str) -> Iterator[str]:
    """The sentences of a text in one line each, the very short ones left out. O(length)."""
    for part in _BETWEEN.split(text):
        line = " ".join(part[: 2 * SENTENCE_SIZE_MAX].split()).strip("*#->` ")
        if len(line) >= _SIZE_MIN:
            yield line if len(line) <= SENTENCE_SIZE_MAX else line[:SENTENCE_SIZE_MAX] + "..."


def weight(sentence: str, role: str, is_first: bool, lateness: float) -> float:
    """How much a sentence weighs; `lateness` goes from 0 (the oldest) to 1."""
    found = _BY_ROLE.get(role, 0.5) + lateness + (1.0 if is_first else 0.0)
    found += 1.0 if sentence.endswith(("?", "\uff1f")) else 0.0
    found += 1.5 if _DECISION.search(sentence) else 0.0
    found += 1.0 if _NEGATION.search(sentence) else 0.0
    return found + 0.5 * min(_FACTS_MAX, sum(1 for _ in facts_in(sentence)))
