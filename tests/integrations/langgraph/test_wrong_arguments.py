"""What is of a wrong type, or no number that makes sense, is refused at the call, by the name of the argument."""

from collections.abc import Callable
from typing import Any

import pytest

from backpack import Backpack
from backpack.errors import InvalidArgumentError
from backpack.integrations.langgraph import BackpackSaver, BackpackStore

NAN = float("nan")
NO_CALLS = (3, "x", True, [], None)
CONFIG: Any = {"configurable": {"thread_id": "1", "checkpoint_ns": ""}}
SAVER = BackpackSaver(Backpack())
STORE = BackpackStore(Backpack(), ttl={"default_ttl": 5})


def of(act: Callable[[Any], object], *wrongs: Any) -> list[Callable[[], object]]:
    return [lambda wrong=wrong: act(wrong) for wrong in wrongs]  # type: ignore[misc]


def embed(texts: Any) -> list[list[float]]:
    return [[1.0] for _ in texts]


ACTS = {
    "serde": of(lambda wrong: BackpackSaver(Backpack(), serde=wrong), 3, "x", [], True),
    "allowed_types": of(lambda wrong: BackpackSaver(Backpack(), allowed_types=wrong), 3, "x", None, [3], ["x"], [()]),
    "extra_allowlist": of(SAVER.with_allowlist, 3, "x", None, [3], [("one",)]),
    "clock": of(lambda wrong: BackpackSaver(Backpack(), clock=wrong), *NO_CALLS),
    "limit": of(lambda wrong: SAVER.list(CONFIG, limit=wrong), "x", True, -1, NAN, 1.5, []),
    "filter": of(lambda wrong: SAVER.list(CONFIG, filter=wrong), 3, "x", []),
    "before": of(lambda wrong: SAVER.list(CONFIG, before=wrong), 3, "x"),
    "config": [*of(SAVER.list, 3, "x"), *of(SAVER.get_tuple, 3, "x", None)],
    "run_ids": of(SAVER.delete_for_runs, 3, "x", None),
    "thread_ids": of(SAVER.prune, 3, "x", None),
    "channels": of(lambda wrong: SAVER.get_delta_channel_history(config=CONFIG, channels=wrong), 3, "x", None),
    "clock ": of(lambda wrong: BackpackStore(Backpack(), clock=wrong), *NO_CALLS),
    "index": of(lambda wrong: BackpackStore(Backpack(), index=wrong), 3, "x", True, []),
    "embed": of(lambda wrong: BackpackStore(Backpack(), index={"dims": 2, "embed": wrong}), 3, [], True),
    "dims": of(lambda wrong: BackpackStore(Backpack(), index={"dims": wrong, "embed": embed}), "x", True, 0, -1, NAN),
    "fields": of(lambda wrong: BackpackStore(Backpack(), index={"fields": wrong}), 3, "x", [3]),  # type: ignore[typeddict-item]
    "ttl": of(lambda wrong: BackpackStore(Backpack(), ttl=wrong), 3, "x", True, []),
    "refresh_on_read": of(lambda wrong: BackpackStore(Backpack(), ttl={"refresh_on_read": wrong}), 3, "x"),
    "sweep_interval_minutes": [
        *of(lambda wrong: BackpackStore(Backpack(), ttl={"sweep_interval_minutes": wrong}), "x", -1, NAN, True),
        *of(STORE.start_ttl_sweeper, "x", True, -1, 0, NAN, []),
    ],
    "timeout": of(STORE.stop_ttl_sweeper, "x", True, -1, NAN, []),
    "ops": of(STORE.batch, 3, None),
    "limit ": of(lambda wrong: STORE.search(("a",), limit=wrong), "x", True, NAN, 1.5, None, []),
    "offset": of(lambda wrong: STORE.search(("a",), offset=wrong), "x", True, NAN, 1.5, None, []),
    "query": of(lambda wrong: STORE.search(("a",), query=wrong), 3, [], b"x"),
    "filter ": of(lambda wrong: STORE.search(("a",), filter=wrong), 3, "x", [3]),
    "max_depth": of(lambda wrong: STORE.list_namespaces(max_depth=wrong), "x", True, NAN, 1.5, []),
    "index ": of(lambda wrong: STORE.put(("a",), "k", {"x": 1}, index=wrong), 3, True, "x", [3], {}),
}


@pytest.mark.parametrize("name", ACTS)
def test_nonsense_is_refused_by_its_name(name: str) -> None:
    for act in ACTS[name]:
        with pytest.raises(InvalidArgumentError, match=name.strip()):
            act()
