"""LangGraph's own suite for checkpointers, with the exact count of each of its parts."""

import asyncio
from collections.abc import AsyncGenerator
from itertools import count
from pathlib import Path

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.conformance import checkpointer_test, validate

from backpack import Backpack
from backpack.integrations.langgraph import BackpackSaver

COUNTS = {
    "put": 17,
    "put_writes": 10,
    "get_tuple": 10,
    "list": 16,
    "delete_thread": 5,
    "delete_for_runs": 7,
    "copy_thread": 8,
    "prune": 8,
}


@pytest.mark.parametrize("place", ["memory", "disk"])
def test_every_capability_passes_with_its_exact_count(tmp_path: Path, place: str) -> None:
    numbers = count()

    @checkpointer_test(name=f"BackpackSaver in {place}")
    async def saver() -> AsyncGenerator[BaseCheckpointSaver[str], None]:
        async with BackpackSaver(Backpack() if place == "memory" else tmp_path / str(next(numbers))) as made:
            yield made
            made.bp._check()

    report = asyncio.run(validate(saver))
    passed = {name: result.tests_passed for name, result in report.results.items()}
    failures = [failure for result in report.results.values() for failure in result.failures]
    assert (passed, failures) == (COUNTS, [])
    assert sum(passed.values()) == 81 and all(result.detected for result in report.results.values())


def test_every_method_is_defined_on_the_class_itself() -> None:
    names = ("get_tuple", "list", "put", "put_writes", "delete_thread", "delete_for_runs", "copy_thread", "prune")
    names += ("get_delta_channel_history",)
    own = vars(BackpackSaver)
    assert [name for name in (*names, *(f"a{name}" for name in names)) if name not in own] == []
    assert "get_next_version" in own and "with_allowlist" in own
