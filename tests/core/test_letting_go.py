"""What nothing refers to any more is really gone, at once."""

import gc
import weakref
from typing import Any

import pytest

from backpack import Backpack, Unavailable
from backpack.core.payload import Buffer, Pieces


def sources_of(bp: Backpack, key: str) -> list[weakref.ref[Buffer]]:
    content = bp._engine.chains[key].content
    assert isinstance(content, Pieces)
    return [weakref.ref(source) for source in content.sources if isinstance(source, Buffer)]


@pytest.mark.parametrize("value", ["x" * 500, ["message"] * 100])
@pytest.mark.parametrize("end", ["delete", "pack", "clear", "purge", "update"])
def test_a_large_value_is_gone_when_it_is_replaced_or_deleted(end: str, value: Any) -> None:
    bp = Backpack(max_value_size=200)
    bp.pack("k", value)
    if isinstance(value, list):
        bp.append("k", "one more")
        bp.append("k", "and another")
    links = sources_of(bp, "k")
    acts: dict[str, Any] = {
        "delete": lambda: bp.delete("k"),
        "pack": lambda: bp.pack("k", 1),
        "clear": bp.clear,
        "purge": lambda: bp.purge("k"),
        "update": lambda: bp.update({"k": 1, "other": 2}),
    }
    acts[end]()
    gc.collect()
    assert [link() for link in links] == [None] * len(links)
    assert isinstance(bp.snapshot(1).unpack("k"), Unavailable)
    bp._check()


def test_a_large_value_that_a_snapshot_shows_goes_with_the_snapshot() -> None:
    bp = Backpack({"k": "x" * 500}, max_value_size=200)
    snapshot = bp.snapshot()
    links = sources_of(bp, "k")
    bp.delete("k")
    assert snapshot["k"] == "x" * 500
    del snapshot
    gc.collect()
    assert [link() for link in links] == [None]
