"""Names of models: which of some known names a given one means.

Providers and routers write one model in many ways: `gpt-4o-2024-08-06`, `openai/gpt-4o`, `models/gemini-2.5-pro`,
`us.anthropic.claude-sonnet-4-v1:0`, `ft:gpt-4o-mini:org`. So a known name counts where the given one begins, or begins
anew after one of `/ : . @`, and has to end where a part of the name ends: `gpt-4` is neither `gpt-4o` nor `gpt-4.1`.
The longest match wins. Case says nothing.
"""

import re
from collections.abc import Iterable
from typing import Final

from backpack.errors import InvalidArgumentError

NAME_LENGTH_MAX: Final = 512
"""Characters in the name of a model: far above real ones; each is a key of a table that is stored."""

_STARTS: Final = re.compile(r"(?:^|(?<=[/:.@]))(?=.)")


def checked_name(name: object) -> str:
    """A name of a model as it is kept; raises InvalidArgumentError for what can be none."""
    if not isinstance(name, str):
        raise InvalidArgumentError(f"a model is named by a str: type={type(name).__name__}")
    if not name.strip() or len(name) > NAME_LENGTH_MAX or not name.isprintable():
        raise InvalidArgumentError(
            f"the name of a model is 1 to {NAME_LENGTH_MAX} printable characters: length={len(name)}"
        )
    return name


def longest_match(name: str, known: Iterable[str]) -> str | None:
    """The longest of the known names that the given one means; None when it is none of them.

    O(known names * parts of the name).

    >>> longest_match("gpt-4o-mini-2024-07-18", ["gpt-4", "gpt-4o", "gpt-4o-mini"])
    'gpt-4o-mini'
    >>> longest_match("openai/gpt-4.1", ["gpt-4"])
    """
    given = name.lower()
    starts = [match.start() for match in _STARTS.finditer(given)]
    best: str | None = None
    for candidate in known:
        if best is not None and len(candidate) <= len(best):
            continue
        wanted = candidate.lower()
        if wanted and any(given.startswith(wanted, start) and _ends(given, start + len(wanted)) for start in starts):
            best = candidate
    return best


def parts(name: str) -> tuple[str, str]:
    """The part before the last `/`, which says who offers the model, and the model; the first may be empty."""
    offered_by, _, model = name.rpartition("/")
    return offered_by, model


def _ends(name: str, at: int) -> bool:
    """Does a part of the name end there? A version such as 4.1 is one part."""
    if at >= len(name) or name[at - 1] in "-/:.@":
        return True
    return not (name[at].isalnum() or (name[at] == "." and name[at - 1].isdigit()))
