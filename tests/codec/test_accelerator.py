"""What ormsgpack packs and reads is what msgpack would have, and what it must not be asked it is not."""

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgpack import Packer, unpackb

from backpack.codec import accelerator, pack_checked, pack_value, unpack_value
from backpack.errors import CorruptionError, UnstorableValueError
from tests.codec.values import same

ormsgpack = pytest.importorskip("ormsgpack")

SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text()
VALUES = st.recursive(
    SCALARS | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers() | st.binary(), inner),
    max_leaves=30,
)


@given(VALUES)
def test_bytes_and_values_are_those_of_msgpack(value: Any) -> None:
    payload = Packer(strict_types=True).pack(value) if _fits(value) else pack_value(value)
    assert pack_value(value) == payload == pack_checked(value)[0]
    assert same(unpack_value(payload), value)
    if _fits(value):
        assert same(unpackb(payload, strict_map_key=False), value)


def _fits(value: Any) -> bool:
    if type(value) is dict:
        return all(type(key) is not int or -(2**63) <= key < 2**64 for key in value) and all(map(_fits, value.values()))
    return type(value) is not list or all(map(_fits, value))


@pytest.mark.parametrize(
    "forged", [("Ext", 5, b"\x90"), ("Ext", 1, b"x" * 300), ("Fragment", b"\x01"), ("Fragment", b"\x81\xa1a\x01")]
)
def test_a_forgery_of_its_own_is_refused_wherever_it_stands(forged: tuple[Any, ...]) -> None:
    name, *arguments = forged
    for wrap in (
        lambda odd: odd,
        lambda odd: [odd],
        lambda odd: {"a": odd, "b": [1] * 500},
        lambda odd: [{"a": [odd]}],
    ):
        value = wrap(getattr(ormsgpack, name)(*arguments))
        with pytest.raises(UnstorableValueError):
            pack_value(value)
        with pytest.raises(UnstorableValueError):
            pack_checked(value, depth=1)


def test_another_reference_to_its_classes_changes_nothing() -> None:
    held = [ormsgpack.Ext, ormsgpack.Fragment]
    assert not accelerator.has_no_instances()
    value = {"a": [1, {"b": "x" * 5_000}], "c": bytearray(b"x")}
    assert same(unpack_value(pack_value(value)), value) and pack_checked([1, {"a": 2}])[1]
    held.clear()
    assert accelerator.has_no_instances()


def test_a_reference_that_went_since_it_was_counted_leaves_no_room_for_an_instance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(accelerator, "_ext_count", accelerator._ext_count + 1)
    assert not accelerator.has_no_instances()
    assert accelerator.has_no_instances()
    forged = ormsgpack.Ext(5, b"x")
    assert not accelerator.has_no_instances()
    del forged


def test_a_forgery_that_was_made_before_is_refused_too() -> None:
    program = (
        "import ormsgpack\n"
        "forged = [ormsgpack.Ext(5, b'\\x90'), ormsgpack.Fragment(b'\\xd4\\x05\\x00')]\n"
        "from backpack.codec import accelerator, pack_value\n"
        "from backpack.errors import UnstorableValueError\n"
        "while forged:\n"
        "    assert accelerator.QUICK_TYPES and not accelerator.has_no_instances()\n"
        "    for value in ([forged[0]], {'a': forged[0]}):\n"
        "        try: pack_value(value)\n"
        "        except UnstorableValueError: pass\n"
        "        else: raise AssertionError(value)\n"
        "    value = forged.pop(0)\n"
        "    del value\n"
        "assert pack_value([1]) == b'\\x91\\x01' and accelerator.has_no_instances()\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_what_follows_a_value_is_noticed_even_the_seal_of_another_process() -> None:
    for payload in (b"\x90", b"\x81\xa1a\x01", b"\xdc\x00\x01\xc0"):
        unpack_value(payload)
        for tail in (b"\x00", b"\xc4\x08" + bytes(8), b"\xc4\x08" + bytes(8) + b"\x00", payload):
            with pytest.raises(CorruptionError):
                unpack_value(payload + tail)


@pytest.mark.parametrize("blocked", ["sys.modules['ormsgpack'] = None", "import ormsgpack; del ormsgpack.Fragment"])
def test_without_it_or_with_an_old_one_msgpack_does_all(blocked: str) -> None:
    program = (
        f"import sys; {blocked}\n"
        "from backpack import Backpack\n"
        "from backpack.codec import accelerator\n"
        "assert not accelerator.QUICK_TYPES and not any(accelerator.IS_QUICK)\n"
        "bp = Backpack({'a': [{'b': 1}] * 100})\n"
        "bp.append('a', (1,))\n"
        "assert bp['a'] == [{'b': 1}] * 100 + [(1,)]\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


_FILLING = """
import sys
{blocked}
from pathlib import Path
from backpack import Backpack


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


bp = Backpack(max_history_size=1 << 30)
keys = [f"key{{i}}" for i in range(200)]
for number in range(1_000):
    bp.pack(keys[number % 200], {{"id": -number}})
before = resident()
for number in range(60_000):
    bp.pack(keys[number % 200], {{"id": number, "role": "tool", "text": f"{{number}} and some more words of it"}})
print((resident() - before) // 60_000)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_it_packs_takes_no_more_memory_than_what_msgpack_packs() -> None:
    def bytes_a_commit(blocked: str) -> int:
        program = _FILLING.format(blocked=blocked)
        return int(subprocess.run([sys.executable, "-c", program], check=True, timeout=60, capture_output=True).stdout)

    assert bytes_a_commit("") <= bytes_a_commit("sys.modules['ormsgpack'] = None") + 8
