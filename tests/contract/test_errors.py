"""Errors: of ours and of Python's, with their facts, and without anybody's values."""

from __future__ import annotations

import copy
import inspect
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from backpack import Backpack, errors
from backpack.errors import BackpackError

BUILTINS: dict[str, type[BaseException]] = {
    "KeyNotFoundError": KeyError,
    "CommitNotFoundError": LookupError,
    "CommitPrunedError": LookupError,
    "ValueUnavailableError": LookupError,
    "InvalidKeyError": ValueError,
    "UnstorableValueError": TypeError,
    "CheckpointExistsError": ValueError,
    "ReadOnlyError": PermissionError,
    "ClosedError": ValueError,
    "AccessDeniedError": PermissionError,
    "HistoryFullError": MemoryError,
    "DiskFullError": OSError,
    "StorageError": OSError,
    "MissingFileError": FileNotFoundError,
    "StoreLockedError": OSError,
    "StoreNotFoundError": FileNotFoundError,
    "CorruptionError": ValueError,
    "UnknownTypeError": BackpackError,
    "WrongKeyError": ValueError,
}

CLASSES = [
    found
    for _, found in inspect.getmembers(errors, inspect.isclass)
    if issubclass(found, BackpackError) and found.__module__ == errors.__name__
]

SECRET = "SECRETWORD"


@pytest.mark.parametrize("name", BUILTINS)
def test_an_error_is_ours_and_the_builtin_that_people_catch(name: str) -> None:
    found = getattr(errors, name)
    assert issubclass(found, BackpackError)
    assert issubclass(found, BUILTINS[name])


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_error_class_pickles_and_copies_with_its_facts(cls: Any) -> None:
    error = cls("it went wrong key='a'", key="a", at=3, oldest=7)
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(other) is cls
        assert str(other) == str(error) == "it went wrong key='a'"
        assert (other.key, other.at, other.oldest) == ("a", 3, 7)


def raising() -> dict[str, tuple[str, Callable[[], Any]]]:
    """Name of an error -> an act that raises it; every act has SECRET in its hands."""
    bp = Backpack({"a": SECRET, "b": [SECRET]}, max_commits=3)
    bp.checkpoint("taken")
    for number in range(10):
        bp.pack("b", [SECRET, number])
    closed = Backpack({"a": SECRET})
    closed.close()
    full = Backpack({"a": SECRET}, max_history_size=50, hard_limit=True)
    large = Backpack({"a": SECRET * 100, "b": 1}, max_value_size=50)
    large.purge("a")
    node = bp.node("n", reads=["b"], writes=["b"])
    return {
        "missing": ("KeyNotFoundError", lambda: bp["missing"]),
        "delete": ("KeyNotFoundError", lambda: bp.delete("missing")),
        "snapshot": ("KeyNotFoundError", lambda: bp.snapshot()["missing"]),
        "unknown": ("CommitNotFoundError", lambda: bp.snapshot(99)),
        "pruned": ("CommitPrunedError", lambda: bp.snapshot(2)),
        "unavailable": ("ValueUnavailableError", lambda: large.snapshot(1)["a"]),
        "key": ("InvalidKeyError", lambda: bp.pack("", SECRET)),
        "long key": ("InvalidKeyError", lambda: bp.pack("k" * 2_000, SECRET)),
        "limit": ("InvalidArgumentError", lambda: bp.configure(max_commits=0)),
        "value": ("UnstorableValueError", lambda: bp.pack("a", {"x": [SECRET, {"y": object(), "z": SECRET}]})),
        "exception": ("UnstorableValueError", lambda: bp.pack("a", [ValueError(SECRET)])),
        "checkpoint": ("CheckpointExistsError", lambda: bp.checkpoint("taken")),
        "closed": ("ClosedError", lambda: closed.pack("a", SECRET)),
        "read": ("AccessDeniedError", lambda: node["a"]),
        "write": ("AccessDeniedError", lambda: node.pack("a", SECRET)),
        "full": ("HistoryFullError", lambda: full.pack("b", SECRET * 50)),
    }


NAMES = [
    "missing",
    "delete",
    "snapshot",
    "unknown",
    "pruned",
    "unavailable",
    "key",
    "long key",
    "limit",
    "value",
    "exception",
    "checkpoint",
    "closed",
    "read",
    "write",
    "full",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_raised_error_pickles_carries_facts_and_no_value(name: str) -> None:
    expected, act = raising()[name]
    with pytest.raises(getattr(errors, expected)) as caught:
        act()
    error = caught.value
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert {key: str(fact) for key, fact in vars(again).items()} == {
        key: str(fact) for key, fact in vars(error).items()
    }
    chain: BaseException | None = error
    while chain is not None:
        assert SECRET not in str(chain)
        assert SECRET not in repr(chain)
        assert SECRET not in repr(vars(chain))
        chain = chain.__cause__ or chain.__context__
    assert SECRET not in "".join(traceback.format_exception_only(error))
    assert str(error)
    assert len(str(error)) < 1_500


def test_facts_are_attributes() -> None:
    acts = {name: act for name, (_, act) in raising().items()}

    def raised(name: str) -> Any:
        with pytest.raises(BackpackError) as caught:
            acts[name]()
        return caught.value

    assert raised("missing").key == "missing"
    assert raised("unknown").at == 99
    assert raised("pruned").at == 2
    assert raised("pruned").oldest >= 1
    assert raised("unavailable").key == "a"
    assert raised("unavailable").size > 900
    assert raised("unavailable").reason == "purged"
    assert "x[1].y" in raised("value").path
    assert raised("checkpoint").name == "taken"
    assert (raised("read").node, raised("read").key) == ("n", "a")
    assert raised("read").operation != raised("write").operation
    assert raised("full").size > 0
    assert raised("full").limit == 50


def test_the_text_of_a_key_error_is_no_repr_of_itself() -> None:
    with pytest.raises(KeyError) as caught:
        Backpack()["missing"]
    assert not str(caught.value).startswith(("'", '"'))
    assert "missing" in str(caught.value)


def test_no_repr_contains_a_value() -> None:
    bp = Backpack({"a": SECRET, "b": {SECRET + "x": [SECRET]}})
    commit = bp.pack("a", [SECRET])
    node = bp.node("n")
    with bp.transaction() as tx:
        tx.pack("a", SECRET)
        inside = repr(tx)
    bp.checkpoint("c")
    things: list[Any] = [
        bp,
        commit,
        commit.changes,
        commit.changes["a"],
        bp.head,
        bp.item("a"),
        bp.snapshot(),
        bp.snapshot().item("a"),
        bp.snapshot(1),
        bp.diff(1),
        bp.diff(0).added["a"],
        node,
        node.snapshot(),
        tx,
        bp.memory_usage(),
        bp.checkpoints(),
        bp.quarantined(),
        bp.fork(),
        bp.history(),
        bp.keys(),
        bp.subscribe(lambda event: None),
    ]
    for thing in things:
        assert SECRET not in repr(thing)
        assert SECRET not in str(thing)
    assert SECRET not in inside


def test_logs_never_contain_a_value(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    bp = Backpack({"a": SECRET}, max_history_size=100)
    bp.subscribe(lambda event: 1 / 0)
    for number in range(20):
        bp.pack("a", SECRET + str(number))
    with pytest.raises(TypeError):
        bp.pack("a", [SECRET, object()])
    assert SECRET not in caplog.text
