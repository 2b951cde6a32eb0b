"""Checkpoints in parts: every channel's bytes are those that the serializer makes of the value by itself."""

import json
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.types import Send

from backpack.integrations.langgraph.raw import Raw
from backpack.integrations.langgraph.splitting import check, joined, split

SERDE = JsonPlusSerializer()
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def checkpoint(values: dict[str, Any]) -> dict[str, Any]:
    versions = {channel: f"{number:032}.1" for number, channel in enumerate(values)}
    return {"v": 4, "id": "1f", "ts": "t", "channel_values": values, "channel_versions": versions, "versions_seen": {}}


@given(st.dictionaries(st.text(), PLAIN, max_size=4))
def test_the_value_of_a_channel_is_what_the_serializer_makes_of_it_alone(values: dict[str, Any]) -> None:
    whole = checkpoint(values)
    parts = split(*SERDE.dumps_typed(whole))
    assert parts.rest == {name: value for name, value in whole.items() if name != "channel_values"}
    assert parts.values == {
        channel: Raw("msgpack", SERDE.dumps_typed([value])[1][1:]) for channel, value in values.items()
    }
    assert SERDE.loads_typed((joined(parts).type, joined(parts).data)) == whole


def test_what_is_of_a_class_goes_through_as_it_is() -> None:
    messages = [HumanMessage("hello", id="1"), AIMessage("hi", id="2")]
    whole = checkpoint({"messages": messages, "next": Send("node", {"at": messages[0]})})
    whole["pending_sends"] = [Send("other", 1)]
    parts = split(*SERDE.dumps_typed(whole))
    assert parts.values["messages"].data == SERDE.dumps_typed(messages)[1]
    assert SERDE.loads_typed((joined(parts).type, joined(parts).data)) == whole


def test_json_of_early_releases_is_split_where_its_members_are() -> None:
    whole = checkpoint({"a": [1, {"x": '}"'}], "é": {"lc": 2, "id": ["x"]}})
    data = json.dumps(whole, ensure_ascii=False, indent=1).encode()
    parts = split("json", data)
    assert parts.values["a"] == Raw("json", b'[\n   1,\n   {\n    "x": "}\\""\n   }\n  ]')
    assert json.loads(joined(parts).data) == whole
    assert split("json", b" { } ").values == {}


def test_other_serialized_forms_of_a_value_stand_in_a_checkpoint_as_msgpack_has_them() -> None:
    parts = split(*SERDE.dumps_typed(checkpoint({})))
    parts.values.update({"none": Raw("null", b""), "data": Raw("bytes", b"\x00a"), "more": Raw("bytearray", b"b")})
    loaded = SERDE.loads_typed((joined(parts).type, joined(parts).data))
    assert loaded["channel_values"] == {"none": None, "data": b"\x00a", "more": b"b"}


def test_plain_json_beside_msgpack_becomes_msgpack() -> None:
    parts = split(*SERDE.dumps_typed(checkpoint({"a": 1})))
    parts.values["b"] = Raw("json", b'{"x": [1]}')
    assert SERDE.loads_typed((joined(parts).type, joined(parts).data))["channel_values"] == {"a": 1, "b": {"x": [1]}}


@pytest.mark.parametrize(
    ("type_", "data"), [("json", b'[{"lc": 2, "type": "constructor"}]'), ("pickle", b"1"), ("msgpack+aes", b"1")]
)
def test_a_value_that_only_its_serializer_reads_is_refused_by_name(type_: str, data: bytes) -> None:
    parts = split(*SERDE.dumps_typed(checkpoint({"a": 1})))
    parts.values["b"] = Raw(type_, data)
    with pytest.raises(ValueError, match=r"can't stand in a checkpoint of msgpack: channel='b'"):
        joined(parts)


def test_a_checkpoint_that_only_its_serializer_reads_is_refused() -> None:
    with pytest.raises(ValueError, match="which only its serializer can read"):
        split("pickle", b"cos\nsystem\n(S'x'\ntR.")


def test_a_cut_checkpoint_is_refused_at_every_length() -> None:
    for type_, data in (SERDE.dumps_typed(checkpoint({"a": [1, "x" * 40]})), ("json", b'{"channel_values": {"a": 1}}')):
        for size in range(len(data)):
            with pytest.raises(ValueError, match=r"not msgpack|not JSON|after the end"):
                split(type_, data[:size])
        with pytest.raises(ValueError, match="after the end"):
            split(type_, data + b"1")


@given(st.binary(max_size=60))
def test_any_bytes_are_split_or_refused(data: bytes) -> None:
    for type_ in ("msgpack", "json"):
        try:
            split(type_, data)
            check(Raw(type_, data))
        except ValueError:
            continue


def test_bytes_that_promise_or_nest_too_much_are_refused() -> None:
    deep = b"\x91" * 100_000
    for data in (
        b"\xdf\xff\xff\xff\xff",
        b"\x81\xa1a\xdd\xff\xff\xff\xff",
        b"\x81\xa1a" + deep,
        b"\x81\xaechannel_values\x81\xa1a" + deep,
    ):
        with pytest.raises(ValueError, match="not msgpack"):
            split("msgpack", data)
    with pytest.raises(ValueError, match="not msgpack"):
        check(Raw("msgpack", deep))
    with pytest.raises(ValueError, match="after the end"):
        check(Raw("msgpack", msgpack.packb(1) + b"\xc0"))


def test_of_a_name_that_is_there_twice_the_last_one_counts_as_a_reader_of_it_has_it() -> None:
    first, last = {"a": 1, "b": 2}, {"b": 3, "c": 4}
    packed = [msgpack.packb(one) for one in ("v", 1, "channel_values", first, "v", 2, "channel_values", last)]
    data = b"\x84" + b"".join(packed)
    text = f'{{"v": 1, "channel_values": {json.dumps(first)}, "v": 2, "channel_values": {json.dumps(last)}}}'.encode()
    loads = JsonPlusSerializer().loads_typed
    for type_, whole in (("msgpack", data), ("json", text)):
        parts = split(type_, whole)
        values = {channel: loads((type_, value.data)) for channel, value in parts.values.items()}
        assert {**parts.rest, "channel_values": values} == loads((type_, whole)) == {"v": 2, "channel_values": last}
