"""Types of entries: nine are there, others by registration, everything else is refused."""

import pytest

from backpack import Backpack
from backpack.errors import InvalidArgumentError
from backpack.memory import Memory
from backpack.memory.types import TYPES, check_type, types


def test_nine_types_need_no_registration() -> None:
    memory = Memory(Backpack())
    assert [memory.log("x", type=name).type for name in TYPES] == list(TYPES)
    assert len(TYPES) == 9


def test_an_unknown_type_is_refused_with_those_that_are_known() -> None:
    memory = Memory(Backpack())
    for use in (lambda: memory.log("x", type="tool_ouput"), lambda: memory.offload("x", type="tool_ouput")):
        with pytest.raises(InvalidArgumentError, match=r"'tool_ouput'; there are: .*tool_output.*register_type"):
            use()
    with pytest.raises(ValueError, match="'int'"):
        check_type(3)  # type: ignore[arg-type]


def test_a_registered_type_is_known_from_then_on() -> None:
    memory = Memory(Backpack())
    assert memory.register_type("test_report") == memory.register_type("test_report") == "test_report"
    assert memory.log("x", type="test_report").type == "test_report" and "test_report" in types()


@pytest.mark.parametrize("name", ["", "Tool", "a-b", "1a", "a" * 65, "é", None, "a\n"])
def test_a_name_that_is_none_is_not_registered(name: object) -> None:
    with pytest.raises(InvalidArgumentError):
        Memory(Backpack()).register_type(name)  # type: ignore[arg-type]
