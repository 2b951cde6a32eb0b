"""Ctrl-C at any line of a saver: what it holds in memory is what stands in the store, or is read anew."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from backpack import Backpack
from backpack.integrations.langgraph import BackpackSaver
from backpack.integrations.langgraph.retention import Retention
from tests.interrupting import interrupted_at

from .graphs import Config, config_of
from .test_saver import checkpoint_of

TRACED = ("/langgraph/threads.py", "/langgraph/thread.py", "/langgraph/writing.py", "/langgraph/rewriting.py")
"""Where a thread is changed."""
STEPS = 25
"""After how many interrupts the run goes on undisturbed for once."""


def is_traced(name: str) -> bool:
    return name.endswith(TRACED)


def told(saver: BackpackSaver) -> list[Any]:
    return [
        (one.config["configurable"]["checkpoint_id"], one.checkpoint["channel_values"], one.pending_writes)
        for one in saver.list(config_of("t1"))
    ]


def written(saver: BackpackSaver, parent: Config, text: str) -> Config:
    """A checkpoint that is cut from its parent, with a pending write that is cut from it."""
    found = saver.get_tuple(parent)
    words = [] if found is None else found.checkpoint["channel_values"]["words"]
    checkpoint = checkpoint_of({"words": [*words, text], "note": text * 4}, str(len(words) + 1).zfill(4))
    config = dict(saver.put(parent, checkpoint, {"step": len(words)}, checkpoint["channel_versions"]))
    saver.put_writes(config, [("words", [f"{text} again"])], f"task {len(words)}")
    return config


@pytest.mark.parametrize("kind", ["memory", "disk", "retention"])
def test_an_interrupt_at_any_line_leaves_what_the_store_has(kind: str, tmp_path: Path) -> None:
    retention = Retention(keep_last=3) if kind == "retention" else None
    parent = config_of("t1", checkpoint_ns="")
    interrupts = 0
    with BackpackSaver(tmp_path / "store" if kind == "disk" else Backpack(), retention=retention) as saver:
        for number in range(3):
            parent = written(saver, parent, f"message {number} " * 20)
        step = 1
        while interrupted_at(step, partial(written, saver, parent, f"step {step} " * 20), is_traced):
            interrupts += 1
            in_memory = told(saver)
            saver._threads().discard()
            assert told(saver) == in_memory, f"step {step}"
            if not interrupts % STEPS:
                parent = written(saver, parent, f"message after {step} " * 20)
            step += 1
        saver.bp._check()
        in_memory = told(saver)
    assert interrupts > 40
    if kind == "disk":
        with BackpackSaver(tmp_path / "store") as saver:
            assert told(saver) == in_memory
