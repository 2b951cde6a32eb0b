"""Patterns: the matching lines and those around, exactly; bounded; what may take for ever is refused."""

import re
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpack import Backpack
from backpack.errors import FetchLimitError, InvalidArgumentError
from backpack.memory import Memory
from backpack.memory.matching import TIME_MAX_S


@given(
    st.lists(st.text(alphabet="ab\r", max_size=4), max_size=30),
    st.booleans(),
    st.integers(0, 3),
    st.sampled_from(["a", "^b", "a$", "ab", "^$", "b.a"]),
)
def test_it_is_what_grep_does(lines: list[str], is_ended: bool, context: int, pattern: str) -> None:
    text = "\n".join(lines) + ("\n" if is_ended else "")
    memory = Memory(Backpack())
    all_lines = text.split("\n")
    parts = [line + "\n" for line in all_lines[:-1]] + ([all_lines[-1]] if all_lines[-1] else [])
    searched = [line.removesuffix("\n").removesuffix("\r") for line in parts]
    hits = [number for number, line in enumerate(searched) if re.search(pattern, line)]
    wanted = sorted({n for hit in hits for n in range(hit - context, hit + context + 1) if 0 <= n < len(parts)})
    expected = "".join(parts[number] for number in wanted)
    assert memory.fetch(memory.log(text), pattern=pattern, context_lines=context) == expected


def test_lines_over_the_edges_of_parts_are_found_whole() -> None:
    memory = Memory(Backpack())
    text = "".join(f"{number:06} {'x' * (number % 90)} end\n" for number in range(60_000))
    entry = memory.log(text)
    expected = "".join(line for line in text.splitlines(True) if re.search("^0.*77 .*end$", line))
    assert memory.fetch(entry, pattern="^0.*77 .*end$") == expected
    with pytest.raises(FetchLimitError, match="lines=60000 limit=2000"):
        memory.fetch(entry, pattern="end")


def test_a_very_long_line_is_searched_in_pieces() -> None:
    memory = Memory(Backpack())
    entry = memory.log("a\n" + "x" * 500_000 + "needle" + "y" * 500_000 + "\nb")
    with pytest.raises(FetchLimitError, match="bytes=1000007"):
        memory.fetch(entry, pattern="needle")
    assert memory.fetch(entry, pattern="^b$") == "b"


REFUSED: Final = [
    *[
        "(a+)+$",
        "(a*)*b",
        r"(\w+\s*)+:",
        "(?:(x+x+)+y)",
        "((a+)|(b+))*c",
        "(a+?)+",
        "(a|aa)*$",
        "(a|a)+b",
        "^(.*a){12}b",
    ],
    *["(a*a)*b", "(a*){30}b", "(.+?,?)+;", "((a)*)*b", r"(\w+\s?)+x", "(a{1,9}){1,9}b", r"(\w+\w+,)+;", "(ab|a)*c"],
    *[
        ".*.*x",
        r"\s*.*x",
        "a+[ab]*$",
        ".*a.*a.*a.*a.*b",
        "(?=(a+)+b)",
        "(?>(a+)+b)",
        r"(a|ab)(c|bcd)*(d*)*e",
        "(|a)+b",
        "((,*?)?a){40}x",
        "(a+|b)+c",
    ],
]
ACCEPTED: Final = [
    *[r"(foo\s+)*bar", "(a++)+$", "a+b+", r"^\s*(\d+,)+", "(?i)ERROR|fail", "(a|b)+", r"(\w+\.)+com", "(foo|bar)+"],
    *[r"\d{1,3}(\.\d{1,3}){3}", r"error.*disk.*full", ".*x", r"\w+.*", "^.*$", r"def \w+\(.*\):", r"(\d+-\d+,)+;"],
    *[r"\b(\w+) \1\b", r"([A-Z]\w*Error): .*", r"https?://[^\s/]+/", r"\((?:[^()]|\([^()]*\))*\)", "(a+,|b)+c"],
]


@pytest.mark.parametrize("pattern", REFUSED)
def test_a_pattern_that_may_take_for_ever_is_refused(pattern: str) -> None:
    memory = Memory(Backpack())
    entry = memory.log("a" * 40)
    with pytest.raises(InvalidArgumentError, match="for ever"):
        memory.fetch(entry, pattern=pattern)
    assert "for ever" in memory.call_tool("memory_fetch", {"id": entry.id, "pattern": pattern})


@pytest.mark.parametrize("pattern", ACCEPTED)
def test_common_patterns_are_not(pattern: str) -> None:
    memory = Memory(Backpack())
    assert memory.fetch(memory.log("nothing"), pattern=pattern) in ("", "nothing")


def test_a_pattern_that_the_program_has_compiled_is_taken_as_it_is() -> None:
    memory = Memory(Backpack())
    assert memory.fetch(memory.log("aab"), pattern=re.compile("(a|aa)*b")) == "aab"


def test_what_is_no_pattern_says_why() -> None:
    memory = Memory(Backpack())
    entry = memory.log("text")
    for bad in ("(", "x" * 1_001, 7, "(" * 900):
        with pytest.raises(InvalidArgumentError):
            memory.fetch(entry, pattern=bad)  # type: ignore[arg-type]
    for lines in (-1, True, 2_001):
        with pytest.raises(InvalidArgumentError):
            memory.fetch(entry, pattern="t", context_lines=lines)
    with pytest.raises(InvalidArgumentError):
        memory.fetch(entry, context_lines=1)
    with pytest.raises(InvalidArgumentError):
        memory.fetch(entry, lines=(1, 1), chunk=0)


def test_a_search_that_takes_too_long_ends() -> None:
    memory = Memory(Backpack())
    entry = memory.log("line\n" * 1_000)
    times = iter(range(0, 10**6, int(TIME_MAX_S)))
    memory.monotonic = lambda: float(next(times))
    with pytest.raises(FetchLimitError, match="takes longer than"):
        memory.fetch(entry, pattern="x")


def test_bytes_give_bytes() -> None:
    memory = Memory(Backpack())
    assert memory.fetch(memory.log(b"\xff one\ntwo\n"), pattern="one") == b"\xff one\n"


def test_the_end_of_a_line_is_before_its_carriage_return_unless_the_pattern_names_that() -> None:
    memory = Memory(Backpack())
    entry = memory.log("one fail\r\ntwo\r\nfail\n")
    assert memory.fetch(entry, pattern="fail$") == "one fail\r\nfail\n"
    assert memory.fetch(entry, pattern="fail\r$") == memory.fetch(entry, pattern=r"fail\r$") == "one fail\r\n"
    assert memory.fetch(entry, pattern=re.compile("^two$")) == "two\r\n"


def test_the_numbers_of_lines_count_where_they_are_returned() -> None:
    memory = Memory(Backpack())
    entry = memory.log(("y" * 31 + "\n") * 2_000)
    assert len(memory.fetch(entry, pattern="y")) == 64_000
    answer = memory.call_tool("memory_fetch", {"id": entry.id, "pattern": "y"})
    assert answer.startswith("error: ") and len(answer) < 1_000
    entry = memory.log(("y" * 23 + "\n") * 2_000)
    assert len(memory.call_tool("memory_fetch", {"id": entry.id, "pattern": "y"})) < 65_536
