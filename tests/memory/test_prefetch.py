"""Prefetching: few slices, the ones that a query names."""

import pytest

from backpack import Backpack
from backpack.errors import InvalidArgumentError
from backpack.memory import Memory


@pytest.fixture
def memory() -> Memory:
    return Memory(Backpack())


def test_what_a_title_or_a_tag_names_comes(memory: Memory) -> None:
    parser = memory.log("parser output\n", title="Tests of the parser")
    deploy = memory.log("deploy output\n", title="a run", tags=["deploy"])
    memory.log("about the parser too\n", title="something else")
    assert [found.text for found in memory.prefetch("Why does the PARSER fail?")] == ["parser output\n"]
    (found,) = memory.prefetch("look at deploy again")
    assert found.reference == f"mem://{deploy.id}#L1" and found.title == "a run"
    assert memory.fetch(found.reference) == found.text
    assert {found.text for found in memory.prefetch("parser deploy")} == {"parser output\n", "deploy output\n"}
    assert parser.id in memory.prefetch("parser")[0].reference


def test_at_most_three_slices_of_at_most_120_lines(memory: Memory) -> None:
    for number in range(5):
        memory.log(f"{number}\n" + "x\n" * 500, title=f"parser {number}")
    slices = memory.prefetch("parser")
    assert [found.text[0] for found in slices] == ["4", "3", "2"]
    assert all(found.text.count("\n") == 120 and found.reference.endswith("#L1-120") for found in slices)


def test_what_is_named_by_rarer_words_and_by_tags_comes_first(memory: Memory) -> None:
    memory.log("tagged", title="parser", tags=["ci/nightly"])
    memory.log("rare", title="parser lexer")
    for number in range(3):
        memory.log(f"common {number}", title="parser")
    assert memory.prefetch("parser lexer")[0].text == "rare"
    assert memory.prefetch("parser of ci/nightly")[0].text == "tagged"


def test_words_and_tags_of_two_letters_count(memory: Memory) -> None:
    memory.log("rows", title="a run", tags=["db", "pytest"])
    memory.log("pages", title="UI of the shop")
    assert [found.text for found in memory.prefetch("look into the DB")] == ["rows"]
    assert [found.text for found in memory.prefetch("db")] == ["rows"]
    assert [found.text for found in memory.prefetch("what is on the ui")] == ["pages"]
    assert memory.prefetch("is it of an age to be so") == []


def test_a_query_that_names_nothing_gets_nothing(memory: Memory) -> None:
    memory.log("x", title="What is the answer to you")
    for query in ("", "what is the", "unknown words", "a b c", "to is we", "?!"):
        assert memory.prefetch(query) == []
    with pytest.raises(InvalidArgumentError):
        memory.prefetch(3)  # type: ignore[arg-type]


def test_the_same_content_comes_once_and_bytes_do_not_come(memory: Memory) -> None:
    memory.log("same", title="parser")
    memory.log("same", title="parser")
    memory.log(b"\x00\x01", title="parser")
    memory.log("", title="parser")
    assert [found.text for found in memory.prefetch("parser")] == ["same"]


def test_long_lines_are_fewer_and_one_too_long_comes_in_part(memory: Memory) -> None:
    memory.log(("x" * 2_000 + "\n") * 120, title="wide")
    memory.log("é" * 100_000, title="endless")
    (wide,) = memory.prefetch("wide")
    assert wide.reference.endswith("#L1-30") and len(wide.text) == 30 * 2_001
    (endless,) = memory.prefetch("endless")
    assert endless.reference.endswith("#bytes=0,4000") and endless.text == "é" * 2_000
