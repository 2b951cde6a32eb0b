import dataclasses
from typing import Any, NamedTuple

import pytest

from backpack.codec import pack_checked, pack_value, register, registry, unpack_value
from backpack.errors import BackpackError, CorruptionError, InvalidArgumentError, UnknownTypeError, UnstorableValueError
from tests.codec.classes import OBJECTS, Access, Box, Color, Count, Finding, Frozen, Model, Point, Word
from tests.codec.values import nest


@pytest.mark.parametrize("index", range(len(OBJECTS)))
def test_an_object_of_a_registered_class_comes_back_at_every_depth(index: int) -> None:
    value = OBJECTS[index]
    for wrapped in (value, [value], {"a": (value,)}, Box([value]), nest(value, "ltdoqf", 40)):
        found = unpack_value(pack_value(wrapped))
        assert found == wrapped and type(found) is type(wrapped)
        assert pack_checked(wrapped) == (pack_value(wrapped), False)
    assert type(unpack_value(pack_value([value]))[0]) is type(value)


def test_enum_members_keep_their_identity_and_serve_as_keys() -> None:
    value = {Color.RED: 1, Count.ONE: 2, Access.READ: 3, Frozen(1): 4, Point(1, 2): 5, Word.HI: 6}
    found = unpack_value(pack_value(value))
    assert list(map(type, found)) == list(map(type, value)) and found == value
    assert next(iter(found)) is Color.RED


def test_a_dataclass_is_restored_without_init_and_an_unset_field_stays_unset() -> None:
    found = unpack_value(pack_value(Finding(1)))
    assert found.made == 2 and not hasattr(found, "unset")


def test_a_model_keeps_fields_set_extra_and_private() -> None:
    value = Model(name="n", more=(1, 2))
    value._secret = 9
    found = unpack_value(pack_value(value))
    assert (found._secret, found.model_fields_set, found.model_extra) == (9, {"name", "more"}, {"more": (1, 2)})


@pytest.mark.parametrize("make", [Box, Frozen, lambda v: Finding(v, 0), Point, lambda v: Model(name=v)])
def test_registered_objects_count_as_one_level_each(make: Any) -> None:
    value: Any = 1
    for _ in range(256):
        value = make(value)
    payload = pack_value(value)
    assert pack_value(unpack_value(payload)) == payload
    for deeper in (make(value), [value], (value,)):
        with pytest.raises(UnstorableValueError, match="256"):
            pack_value(deeper)
    value = 1
    for _ in range(20_000):
        value = Box(value)
    with pytest.raises(UnstorableValueError, match="256"):
        pack_value(value)


def test_the_path_leads_through_registered_objects() -> None:
    for value, path in (
        ({"findings": [1, Finding(object())]}, "findings[1].handle"),
        ([Model(name=[object()])], "[0].name[0]"),
        (Point(1, object()), "y"),
    ):
        with pytest.raises(UnstorableValueError) as caught:
            pack_value(value)
        assert caught.value.path == path


def test_an_encode_function_that_raises_is_named_and_its_words_are_not() -> None:
    class Bad:
        pass

    def fail(value: Any) -> Any:
        raise UnicodeEncodeError("utf-8", "secret", 0, 1, "secret")

    register(Bad, name="bad", encode=fail, decode=lambda state: state)
    with pytest.raises(UnstorableValueError, match=r"Bad raised UnicodeEncodeError") as caught:
        pack_value({"a": [Bad()]})
    assert caught.value.path == "a[0]" and "secret" not in str(caught.value)
    assert caught.value.__context__ is None


def test_an_encode_function_may_pack_by_itself() -> None:
    class Inner:
        pass

    register(
        Inner,
        name="inner",
        encode=lambda v: [pack_value({"x": (1, [Box(2)])}), unpack_value(pack_value((3,)))],
        decode=lambda state: unpack_value(state[0]),
    )
    assert unpack_value(pack_value([Inner(), (Inner(),)])) == [{"x": (1, [Box(2)])}, ({"x": (1, [Box(2)])},)]


def test_an_encode_function_that_returns_its_object_is_refused() -> None:
    class Self:
        pass

    register(Self, name="self", encode=lambda v: v, decode=lambda v: v)
    with pytest.raises(UnstorableValueError):
        pack_value(Self())


def test_a_state_may_not_hold_a_forgery() -> None:
    from msgpack import ExtType

    for forged in (ExtType(5, b"\x90"), [ExtType(5, b"\x90")], memoryview(b"x")):
        with pytest.raises(UnstorableValueError):
            pack_value([Box(forged)])


def test_a_class_that_is_not_registered_here_is_named() -> None:
    payload = pack_value([Box(1)]).replace(b"box", b"bux")
    with pytest.raises(UnknownTypeError) as caught:
        unpack_value(payload)
    assert caught.value.name == "bux"


def test_a_decode_function_that_raises_means_corruption() -> None:
    class Picky:
        pass

    def fail(state: Any) -> Any:
        raise KeyError("secret")

    register(Picky, name="picky", encode=lambda v: 1, decode=fail)
    with pytest.raises(CorruptionError, match="Picky raised KeyError") as caught:
        unpack_value(pack_value([Picky()]))
    assert "secret" not in str(caught.value) and caught.value.__context__ is None


def test_a_class_may_gain_fields_with_defaults_and_lose_fields() -> None:
    def versions(old: Any, new: Any) -> Any:
        register(old, name="evolving")
        payload = pack_value(old(1, 2))
        registry._by_name.pop("evolving")
        register(new, name="evolving")
        try:
            return unpack_value(payload)
        finally:
            registry._by_name.pop("evolving")

    old = dataclasses.make_dataclass("E", ["a", "gone"])
    new = dataclasses.make_dataclass("E", ["a", ("b", list, dataclasses.field(default_factory=list))])
    found = versions(old, new)
    assert found == new(1) and not hasattr(found, "gone")
    with pytest.raises(CorruptionError):
        versions(old, dataclasses.make_dataclass("E", ["a", "b"]))

    class OldTuple(NamedTuple):
        a: int
        gone: int

    class NewTuple(NamedTuple):
        b: int = 9
        a: int = 0

    assert versions(OldTuple, NewTuple) == NewTuple(9, 1)


def test_a_name_belongs_to_one_class_and_a_class_may_be_registered_again() -> None:
    register(Box, name="box", encode=lambda box: box.inner, decode=Box)
    with pytest.raises(ValueError) as caught:
        register(Frozen, name="box")
    assert isinstance(caught.value, InvalidArgumentError)
    for name in ("", "x" * 1025, "\ud800", 5):
        with pytest.raises(InvalidArgumentError):
            register(Frozen, name=name)  # type: ignore[call-overload]


def test_what_is_no_class_or_storable_anyway_or_lacks_functions_is_a_type_error() -> None:
    import collections

    import numpy as np
    from msgpack import ExtType

    class Plain:
        pass

    @dataclasses.dataclass
    class DataDict(dict[Any, Any]):
        a: int

    class Undecorated(Finding):
        pass

    for bad in (
        5,
        Plain(),
        int,
        dict,
        tuple,
        collections.Counter,
        memoryview,
        ExtType,
        np.ndarray,
        np.float64,
        Plain,
        DataDict,
        Undecorated,
    ):
        with pytest.raises(TypeError):
            register(bad)  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        register(Plain, encode=str)
    with pytest.raises(TypeError):
        register(Plain, encode=str, decode=5)  # type: ignore[call-overload]


def test_register_serves_as_a_decorator_with_and_without_arguments() -> None:
    @register(name="decorated")
    @dataclasses.dataclass
    class Decorated:
        a: int

    assert unpack_value(pack_value(Decorated(1))) == Decorated(1)


def test_a_class_that_is_defined_again_takes_the_place_of_the_earlier_one() -> None:
    def cell(default: int) -> Any:
        @register
        @dataclasses.dataclass
        class Cell:
            a: int
            b: int = default

        return Cell

    old, new = cell(1), cell(2)
    for value in (old(5), new(5)):
        found = unpack_value(pack_value(value))
        assert type(found) is new and found.a == 5 and found.b == value.b


@pytest.mark.parametrize("bad", [5, "x", int, object, lambda: 0])
def test_a_refusal_to_register_is_a_plain_error_that_is_also_a_type_error(bad: Any) -> None:
    with pytest.raises(UnstorableValueError) as caught:
        register(bad)
    assert isinstance(caught.value, BackpackError) and isinstance(caught.value, TypeError)
