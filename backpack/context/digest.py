"""What a summary knows, and the text that it is written as; the text can be read again, so nothing is lost twice.

    Summary of 980 earlier messages. Their exact words: mem://mem-20261121-151102-0af31c77
    References (582 more in the exact words): mem://..., mem://...
    Repeated calls:
    - poll({"id":7}) (called 60 times, same result)
    Errors:
    - Error: no seats on flight HAT290 (x2)
    Codes from user: BX1; ...
    Numbers from tools: ...
    Calls:
    - get_user({"id":"u1"}) (x3)
    Talk:
    - user: ...

Each line of facts has one kind and one source, in the order in which they came up. References are the newest ones: the
text that has the exact words names the others, and the text before it, in which there are more.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

from backpack.context.facts import KINDS, facts_in
from backpack.context.message import View
from backpack.context.sentences import sentences

SOURCES: Final = ("user", "assistant", "tools")
"""Who says a fact first, by rank: what users say weighs most."""

_HEAD: Final = re.compile(r"Summary of (\d{1,12}) earlier messages?\.(?: Their exact words: (.*))?")
_FACTS: Final = re.compile(rf"({'|'.join(kind.capitalize() for kind in KINDS)}) from ({'|'.join(SOURCES)}): (.*)")
_COUNT: Final = re.compile(r" \(x(\d{1,9})\)\Z")
_REFERENCE: Final = re.compile(r"mem://mem-[0-9]{8}-[0-9]{6}-[0-9a-f]{8}(?:#[\w=,-]{1,40})?")
_REFERENCES: Final = re.compile(r"References(?: \((\d{1,12}) more in the exact words\))?: (.*)")
_REFERENCES_MAX: Final = 16
"""A summary names so many of those that messages have named. All of them would crowd out what was said."""

REPEATED: Final = "Repeated calls"
_SECTIONS: Final = (REPEATED, "Errors", "Calls", "Talk")


@dataclass(slots=True)
class Digest:
    """Everything that a summary may say. Dicts are in the order in which things came up."""

    message_count: int = 0
    references: dict[str, None] = field(default_factory=dict)
    references_left: int = 0
    """How many were left to the exact words by summaries before."""
    facts: dict[tuple[str, str], int] = field(default_factory=dict)
    """Of each kind and fact the rank of its source, an index into `SOURCES`."""
    errors: dict[str, int] = field(default_factory=dict)
    """How often each was said."""
    calls: dict[str, int] = field(default_factory=dict)
    talk: dict[str, float] = field(default_factory=dict)
    """`role: sentence`, and what it weighs."""

    def add_fact(self, kind: str, fact: str, rank: int) -> None:
        """A fact came up: it moves to the end; the best source it ever had stays."""
        known = self.facts.pop((kind, fact), rank)
        self.facts[kind, fact] = min(known, rank)

    def add_facts(self, text: str, rank: int) -> None:
        """All facts of a text."""
        for kind, fact in facts_in(text):
            self.add_fact(kind, fact, rank)

    def add_line(self, lines: dict[str, int], line: str, count: int = 1) -> None:
        """A line came up: it moves to the end and is counted."""
        lines[line] = lines.pop(line, 0) + count

    def add_reference(self, reference: str) -> None:
        """A reference came up: it moves to the end."""
        self.references.pop(reference, None)
        self.references[reference] = None

    def add_references(self, text: str) -> None:
        """All references to the memory that a text names."""
        for found in _REFERENCE.finditer(text):
            self.add_reference(found[0])

    def add_names(self, summary: str) -> None:
        """All references that a summary names, and the number of those that it doesn't."""
        self.add_references(summary)
        for line in summary.splitlines():
            if others := _REFERENCES.fullmatch(line):
                self.references_left += int(others[1] or 0)


def names(count: int, previous: str, gone: Iterable[View]) -> Digest:
    """So many messages have left: what these of them, and the summary before, refer to."""
    digest = Digest(count)
    digest.add_names(previous)
    for one in gone:
        for id in one.refs:
            digest.add_reference(f"mem://{id}")
    return digest


def read(summary: str, digest: Digest) -> None:
    """Add what a summary knows. One that was not written here is taken for what an assistant said."""
    digest.add_references(summary)
    lines = summary.splitlines()
    head = _HEAD.fullmatch(lines[0]) if lines else None
    if head is None:
        digest.add_facts(summary, 1)
        for place, sentence in enumerate(sentences(summary)):
            digest.talk[f"earlier: {sentence}"] = 2.0 if place else 3.0
        return
    digest.message_count += int(head[1])
    for reference in (head[2] or "").split(", "):
        if reference:
            digest.add_reference(reference)
    section = ""
    for line in lines[1:]:
        if line[:-1] in _SECTIONS and line.endswith(":"):
            section = line[:-1]
        elif others := _REFERENCES.fullmatch(line):
            digest.references_left += int(others[1] or 0)
            for reference in others[2].split(", "):
                digest.add_reference(reference)
        elif facts := _FACTS.fullmatch(line):
            for fact in facts[3].split("; "):
                digest.add_fact(facts[1].lower(), fact, SOURCES.index(facts[2]))
        elif line.startswith("- ") and section:
            _read_line(line[2:], section, digest)


def _read_line(line: str, section: str, digest: Digest) -> None:
    if section == "Talk":
        digest.talk[line] = 1.5
        return
    count = _COUNT.search(line)
    digest.add_line(
        digest.errors if section == "Errors" else digest.calls,
        line[: count.start()] if count else line,
        int(count[1]) if count else 1,
    )


def counted(line: str, count: int) -> str:
    """A line, and how often it was said if more than once."""
    return f"- {line}" if count == 1 else f"- {line} (x{count})"


def head(digest: Digest, exact: Iterable[str]) -> list[str]:
    """The lines that a summary never leaves out: what it is of, where the exact words are, and the newest references;
    all of them where no exact words are kept."""
    named = dict.fromkeys(exact)
    first = f"Summary of {digest.message_count} earlier message{'' if digest.message_count == 1 else 's'}."
    return [f"{first} Their exact words: {', '.join(named)}" if named else first, *references_line(digest, named)]


def references_line(digest: Digest, named: Collection[str]) -> list[str]:
    """The line of references besides those that `named` says; no line where there are none."""
    others = [reference for reference in digest.references if reference not in named]
    left = digest.references_left
    if named and len(others) > _REFERENCES_MAX:
        left += len(others) - _REFERENCES_MAX
        others = others[-_REFERENCES_MAX:]
    more = f" ({left} more in the exact words)" if left and named else ""
    return [f"References{more}: {', '.join(others)}"] if others else []
