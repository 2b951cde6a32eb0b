"""The words of a refusal: what is wrong, where, and what to do."""

import dataclasses
import threading
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import Any

import numpy as np
import pytest

from backpack.codec import pack_checked, pack_value, register, unpack_value
from backpack.codec.faults import find_fault, unstorable
from backpack.errors import UnstorableValueError
from tests.codec.values import nest


class Zone(tzinfo):
    pass


class Broken:
    pass


def fail(value: Any) -> Any:
    raise KeyError("secret")


register(Broken, name="broken", encode=fail, decode=fail)

NAME = __name__
CONVERT = "convert it, or register its class if that is yours"
QUIET = "pack a copy that nothing changes meanwhile"
LOOP: list[Any] = []
LOOP.append({"again": LOOP})
DTYPE = "an array of this dtype cannot be stored: {}type=numpy.ndarray; convert it with astype() or tolist()"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (object(), f"a value of this type cannot be stored: type=object; {CONVERT}"),
        ({"a": [threading.Lock()]}, f"a value of this type cannot be stored: path=a[0] type=_thread.lock; {CONVERT}"),
        ([memoryview(b"")], "a value of this type cannot be stored: path=[0] type=memoryview; pack bytes() of it"),
        (LOOP, "a value contains itself: path=[0].again type=list; name what it would contain by a key or an id"),
        (
            {"a": nest({}, "d", 255)},
            f"containers nest more than 256 deep: path=a{'.k' * 255} type=dict; "
            "pack a flatter value, or its parts under keys of their own",
        ),
        (
            {"a": (defaultdict(lambda: 0),)},
            "a defaultdict whose factory is not a builtin type cannot be stored: path=a[0] "
            "type=collections.defaultdict; give it a builtin factory, or pack dict() of it",
        ),
        (
            datetime(2020, 1, 1, tzinfo=Zone()),
            f"a time zone of type {NAME}.Zone cannot be stored: type=datetime.datetime; use a ZoneInfo or a timezone",
        ),
        (
            {"b": Broken()},
            f"the encode function of {NAME}.Broken raised KeyError: path=b type={NAME}.Broken; "
            "have it return a value that can be stored",
        ),
        (
            np.array([None]),
            "an array of objects cannot be stored: type=numpy.ndarray; pack its tolist(), or give it another dtype",
        ),
        (np.zeros(1, np.dtype("i4", metadata={"a": 1})), DTYPE.format("")),
    ],
)
def test_a_refusal_says_what_is_wrong_where_and_what_to_do(value: Any, words: str) -> None:
    with pytest.raises(UnstorableValueError) as caught:
        pack_value(value)
    assert str(caught.value) == words


def test_what_is_good_has_no_fault() -> None:
    assert find_fault({"a": [(1, {2}), bytearray(b"x")], 1: None}) is None


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (unstorable([1]), f"the value was changed while it was packed: type=list; {QUIET}"),
        (unstorable({}, RuntimeError), f"packing raised RuntimeError: type=dict; {QUIET}, or smaller parts of it"),
    ],
)
def test_a_fault_that_is_gone_when_it_is_looked_for_is_told_too(error: UnstorableValueError, words: str) -> None:
    assert str(error) == words and error.path == ""


@pytest.mark.parametrize(
    ("cls", "words"),
    [
        (7, "only a class can be registered, and this is an object: type=int; give its class"),
        (tuple, "this class needs no registration and allows none: class=tuple; pack its objects as they are"),
        (Zone, f"nothing tells how objects of this class are stored: class={NAME}.Zone; give encode and decode"),
    ],
)
def test_a_refusal_to_register_says_what_to_give(cls: Any, words: str) -> None:
    with pytest.raises(UnstorableValueError) as caught:
        register(cls)
    assert str(caught.value) == words


def test_the_fault_of_a_registered_object_is_where_its_field_is() -> None:
    @register(name="faulty")
    @dataclasses.dataclass
    class Faulty:
        handle: Any

    with pytest.raises(UnstorableValueError) as caught:
        pack_value([Faulty(object())])
    assert str(caught.value) == f"a value of this type cannot be stored: path=[0].handle type=object; {CONVERT}"
    assert caught.value.path == "[0].handle"


class Changes:
    """Changes a list or a dict when it is packed, as another thread could at that moment."""

    def __init__(self, how: Callable[[], object]) -> None:
        self.how = how


register(Changes, name="changes", encode=lambda changes: (changes.how(), None)[1], decode=lambda _: None)


def _around(held: Any, depth: int) -> Any:
    for _ in range(depth):
        held = (held,)
    return held


@pytest.mark.parametrize("depth", [0, 1, 3])
@pytest.mark.parametrize("is_longer", [False, True])
def test_a_list_that_changes_while_it_is_packed_is_stored_as_it_was_or_refused(depth: int, is_longer: bool) -> None:
    for pack in (pack_value, lambda value: pack_checked(value)[0], lambda value: pack_checked([value], depth=3)[0]):
        held: list[Any] = [1, 2, 3]
        held.insert(0, Changes(lambda held=held: held.append(4) if is_longer else held.pop()))  # type: ignore[misc]
        try:
            payload = pack(_around(held, depth))
        except UnstorableValueError:
            continue
        assert unpack_value(payload) is not None


@pytest.mark.parametrize("kind", [dict, set])
def test_a_container_that_changes_while_a_fault_is_looked_for_is_refused(kind: type) -> None:
    held: Any = kind()

    def change() -> None:
        held.update({object(): 1} if kind is dict else {object()})

    held.update({1: Changes(change), 2: object()} if kind is dict else {Changes(change), object()})
    with pytest.raises(UnstorableValueError):
        pack_value([held])
