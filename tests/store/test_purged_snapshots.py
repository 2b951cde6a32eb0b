"""What a snapshot of an opened store has loaded is gone from it when it was purged, also while it loads."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import backpack
from backpack import Backpack, Snapshot
from backpack.store import archived, remembered

SECRET = "PERSONALDATA-" * 200


def opened_again(path: Path) -> Backpack:
    """A store whose commits 1 and 2 are on disk, and 3 is in memory too. The value of the key is large."""
    with backpack.open(path, max_value_size=1_000) as bp:
        bp.pack("user.photo", SECRET)
        bp.pack("other", 1)
    bp = backpack.open(path, max_value_size=1_000)
    bp.pack("other", 2)
    return bp


def loaded(bp: Backpack, at: int) -> Snapshot:
    return asyncio.run(bp.asnapshot(at, keys=["user.photo", "other"]))


@pytest.mark.parametrize("is_fork", [False, True])
@pytest.mark.parametrize("at", [2, 3])
def test_a_large_value_that_was_loaded_is_gone_when_it_was_purged(tmp_path: Path, at: int, is_fork: bool) -> None:
    with opened_again(tmp_path / "store") as bp, bp.fork() as fork:
        store = fork if is_fork else bp
        store.pack("other", 3)
        snapshot = loaded(store, at)
        assert snapshot["user.photo"] == SECRET
        store.purge("user.*")
        assert snapshot.unpack("user.photo").reason == "purged"
        assert snapshot["other"] == at - 1
        assert SECRET.encode() not in held_by(snapshot)


@pytest.mark.parametrize(("at", "module"), [(2, archived), (3, remembered)])
def test_a_large_value_that_is_purged_while_it_is_loaded_is_gone(
    tmp_path: Path, at: int, module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened_again(tmp_path / "store") as bp:
        join: Callable[[Any], bytes] = module.join

        def purging_meanwhile(content: Any) -> bytes:
            payload = join(content)
            if SECRET.encode() in payload:
                bp.purge("user.*")
            return payload

        monkeypatch.setattr(module, "join", purging_meanwhile)
        snapshot = loaded(bp, at)
        assert snapshot.unpack("user.photo").reason == "purged" and snapshot["other"] == at - 1
        assert SECRET.encode() not in held_by(snapshot)


def held_by(snapshot: Snapshot) -> bytes:
    """All bytes that the state of a snapshot has by itself."""
    state: Any = snapshot._state
    known = state._known if isinstance(state, archived.Archived) else {**state.loaded, **state.held}
    return repr(list(known.values())).encode()
