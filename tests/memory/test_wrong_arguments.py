"""What is of a wrong type, or no number that makes sense, is refused at the call, by the name of the argument."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from backpack import Backpack
from backpack.errors import InvalidArgumentError
from backpack.memory import Memory
from backpack.store.names import (
    checked_callable,
    checked_flag,
    checked_list,
    checked_number,
    checked_parts,
    checked_whole,
)

NAN = float("nan")
NO_COUNTS = ("x", True, -1, NAN, 1.5, None, [], b"x", float("inf"))
NO_CALLS = (3, "x", True, [])
SHORT, LONG = {"role": "tool", "content": "x"}, {"role": "tool", "content": "x" * 9_000}


@pytest.mark.parametrize("name", ["max_fetch_lines", "max_fetch_bytes", "hot_size_max"])
def test_a_memory_refuses_what_is_no_count(name: str) -> None:
    for wrong in NO_COUNTS if name == "hot_size_max" else (*NO_COUNTS, 0):
        with pytest.raises(InvalidArgumentError, match=name):
            Memory(Backpack(), **{name: wrong})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "wrongs"),
    [
        ("hot_time_s", ("x", True, -1, NAN, None)),
        ("summarize", NO_CALLS),
        ("clock", (*NO_CALLS, None)),
        ("make_random", (*NO_CALLS, None)),
        ("count_tokens", (*NO_CALLS, None)),
        ("sink", NO_CALLS),
        ("values", NO_CALLS),
        ("sink", [dict]),
    ],
)
def test_a_memory_refuses_what_it_cannot_work_with(name: str, wrongs: tuple[Any, ...]) -> None:
    for wrong in wrongs:
        with pytest.raises(InvalidArgumentError, match=name):
            Memory(Backpack(), **{name: wrong})


@pytest.mark.parametrize(
    ("name", "wrongs"),
    [
        ("limit", (*NO_COUNTS, 0)),
        ("preview", NO_COUNTS),
        ("title", (3, [], "\ud800")),
        ("subtype", (3, [], "")),
        ("type", (3, "", "unheard_of")),
        ("tag", (3, None, "abc", [3])),
        ("on_error", NO_CALLS),
    ],
)
@pytest.mark.parametrize("message", [SHORT, LONG], ids=["short", "long"])
def test_offloading_refuses_at_once_whatever_the_message_is(
    name: str, wrongs: tuple[Any, ...], message: dict[str, str]
) -> None:
    memory = Memory(Backpack())
    for wrong in wrongs:
        settings: dict[str, Any] = {"tags" if name == "tag" else name: wrong}
        with pytest.raises(InvalidArgumentError, match=name):
            memory.offload(message, **settings)
        with pytest.raises(InvalidArgumentError, match=name):
            asyncio.run(memory.aoffload(message, **settings))
    assert memory.stats().failures == {} and not memory.list()


def test_reading_and_taking_out_refuse_nonsense_by_its_name(tmp_path: Path) -> None:
    memory = Memory(Backpack())
    entry = memory.log("one")
    memory.checkpoint()
    calls: dict[str, list[Any]] = {
        "keep": [lambda wrong=wrong: memory.checkpoints.prune(wrong) for wrong in NO_COUNTS],
        "checkpoint": [lambda wrong=wrong: memory.list(checkpoint=wrong) for wrong in (3, [], b"x", True)],
        "checkpoints": [lambda wrong=wrong: memory.checkpoints.sums(wrong) for wrong in (3, None, [3], "x")],
        "type": [lambda wrong=wrong: memory.list(type=wrong) for wrong in (3, [], b"x")],
        "tag": [lambda wrong=wrong: memory.list(tag=wrong) for wrong in (3, [], b"x")],
        "context_lines": [lambda wrong=wrong: memory.fetch(entry, context_lines=wrong) for wrong in NO_COUNTS],
        "view": [lambda wrong=wrong: memory.view(wrong) for wrong in (3, None, entry.id)],
        "dry_run": [lambda wrong=wrong: memory.prune(dry_run=wrong) for wrong in ("no", 0, None)],
        "keep_days": [lambda wrong=wrong: memory.prune(wrong) for wrong in ("x", True, -1, NAN, None)],
        "keep_entries": [lambda wrong=wrong: memory.prune(1, wrong) for wrong in NO_COUNTS],
        "directory": [lambda wrong=wrong: memory.update_status(wrong, task="x") for wrong in (3, None, [])],
        "done": [lambda wrong=wrong: memory.update_status(tmp_path, task="x", done=wrong) for wrong in (3, None, "x")],
    }

    for name, acts in calls.items():
        for act in acts:
            with pytest.raises(InvalidArgumentError, match=name):
                act()
    assert memory.list() == [entry] and len(memory.checkpoints) == 1


def test_a_refusal_shows_no_value_but_numbers() -> None:
    acts = (
        lambda: checked_whole("limit", "a secret"),
        lambda: checked_number("limit", ["a secret"]),
        lambda: checked_callable("hook", "a secret"),  # type: ignore[type-var]
        lambda: checked_flag("flag", "a secret"),
        lambda: checked_list("tags", "a secret"),
        lambda: checked_parts("sink", "a secret", ["put"]),
    )
    for act in acts:
        with pytest.raises(InvalidArgumentError) as caught:
            act()
        assert "secret" not in str(caught.value)
    with pytest.raises(InvalidArgumentError, match="limit must be a whole number, 1 or more, not -3"):
        checked_whole("limit", -3, 1)


@pytest.mark.parametrize("inner", ["a.entries", "a.content", "a.parts", "a.checkpoints.b", "x.a.content", "a..entries"])
def test_no_memory_is_made_among_the_keys_of_another_one(inner: str) -> None:
    with pytest.raises(InvalidArgumentError, match="belongs to a memory at"):
        Memory(Backpack(), namespace=inner)


@pytest.mark.parametrize(
    ("one", "other"), [("a", "a.b"), ("a", "a.operations"), ("a", "a.contents"), ("content", "content.b"), ("a", "a.")]
)
def test_memories_one_within_the_name_of_the_other_share_nothing(one: str, other: str) -> None:
    bp = Backpack()
    memories = [Memory(bp, namespace=namespace) for namespace in (one, other)]
    long = "a line of a long text\n" * 60_000
    entries = [[memory.log(text) for text in ("a text", long, long)] for memory in memories]
    for memory, mine in zip(memories, entries, strict=True):
        assert memory.list() == mine[::-1] and memory.stats().entries == 3 and not memory.stats().failures
        assert {found.entry.id for found in memory.search("text", limit=9)} == {entry.id for entry in mine}
        assert memory.checkpoint().references == tuple(entry.id for entry in mine)
    assert len(memories[0].checkpoints.prune(0)) == 1 and not memories[0].prune(0, 0).removed
    bp.delete_checkpoint(memories[1].checkpoints.load().id)
    assert len(memories[0].prune(0, 0).removed) == 3
    assert memories[0].list() == [] and memories[1].read(entries[1][2]) == long
    memories[1].delete(entries[1][0])
    assert memories[1].list() == entries[1][:0:-1]
