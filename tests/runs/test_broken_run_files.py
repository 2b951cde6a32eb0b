"""What is wrong with a file is said with its line and the reason, whatever it is."""

import gzip
import json
import random
from typing import Any

import pytest

from backpack.runs import RunFileError, parse_runs, parse_value, unzipping

USER = {"role": "user", "content": "hello"}


def failure(data: bytes | str) -> tuple[int | None, str]:
    with pytest.raises(RunFileError) as caught:
        parse_runs(data.encode() if isinstance(data, str) else data)
    return caught.value.line, caught.value.reason


def lines(count: int) -> list[str]:
    return [json.dumps({"run": number, "messages": [USER, USER]}) for number in range(count)]


@pytest.mark.parametrize("data", ["", " \n\t\r\n", b"\xef\xbb\xbf", gzip.compress(b"")])
def test_an_empty_file_is_called_empty(data: bytes | str) -> None:
    line, reason = failure(data)
    assert line == 1
    assert reason.startswith("empty")


@pytest.mark.parametrize("broken", [1, 2, 57, 99, 100])
def test_a_line_that_is_cut_off_is_named(broken: int) -> None:
    texts = lines(100)
    for cut in (3, 20, len(texts[broken - 1]) - 1):
        cut_off = [*texts[: broken - 1], texts[broken - 1][:cut], *texts[broken:]]
        line, reason = failure("\n".join(cut_off))
        assert line == broken
        assert reason.startswith("not JSON: ")


def test_a_document_that_is_broken_names_its_line() -> None:
    text = json.dumps({"messages": [USER, USER]}, indent=2)
    assert failure(text.replace('"content": "hello"', '"content": hello', 1)) == (
        5,
        "not JSON: Expecting value, column 18",
    )
    line, reason = failure(text[:-20])
    assert line == text[:-20].count("\n") + 1
    assert reason.startswith("not JSON: ")


def test_a_broken_list_with_a_message_a_line_names_the_line() -> None:
    rows = ["[" + json.dumps(USER) + ",", json.dumps(USER), json.dumps(USER) + "]"]
    assert failure("\n".join(rows)) == (3, "not JSON: Expecting ',' delimiter, column 1")


def test_what_comes_after_the_end_is_no_json() -> None:
    assert failure(json.dumps([USER]) + "\n]")[0] == 2
    assert failure(json.dumps(USER) + "\n" + json.dumps(USER) + " x\n")[0] == 2
    assert failure("hello") == (1, "not JSON: Expecting value, column 1")


def test_bytes_that_are_no_utf_8_name_their_line() -> None:
    assert failure(b'[{"role": "user",\n"content": "\xe9"}]') == (2, "not UTF-8: byte 0xe9, invalid continuation byte")
    assert failure("[]".encode("utf-16"))[1].startswith("UTF-16")
    assert failure(b'[\n"a\0"]') == (2, "not text: it has a NUL byte")


def test_every_cut_of_a_gzip_is_called_cut_off() -> None:
    data = gzip.compress("\n".join(lines(50)).encode())
    for cut in range(2, len(data)):
        _, reason = failure(data[:cut])
        assert reason == "the gzip data is cut off"


def test_the_line_where_a_gzip_is_cut_off_is_named() -> None:
    chance = random.Random(1)
    texts = [json.dumps({"messages": [{"role": "user", "content": chance.randbytes(500).hex()}]}) for _ in range(400)]
    data = gzip.compress("\n".join(texts).encode())
    line, _ = failure(data[: len(data) // 2])
    assert line is not None
    assert 150 < line < 250


def test_damage_in_a_gzip_is_found_wherever_it_is() -> None:
    data = bytearray(gzip.compress("\n".join(lines(50)).encode()))
    for position in range(10, len(data)):
        damaged = bytes(data[:position]) + bytes([data[position] ^ 0xFF]) + bytes(data[position + 1 :])
        _, reason = failure(damaged)
        assert reason.startswith(("the gzip data is damaged", "the gzip data is cut off"))
    assert failure(bytes(data) + b"more")[1].startswith("the gzip data is damaged")


def test_a_gzip_bomb_is_stopped_at_the_limit() -> None:
    bomb = gzip.compress(b" " * 300_000)
    with pytest.raises(RunFileError, match="unpacks to more than 200,000 bytes"):
        unzipping.plain_bytes(bomb, size_max=200_000)
    with pytest.raises(RunFileError, match="larger than 200,000 bytes"):
        unzipping.plain_bytes(b" " * 200_001, size_max=200_000)
    assert unzipping.plain_bytes(bomb, size_max=300_000) == b" " * 300_000


def test_a_large_gzip_is_counted_before_it_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unzipping, "_HARMLESS_SIZE", 1)
    assert unzipping.plain_bytes(gzip.compress(b"abc" * 1_000)) == b"abc" * 1_000


@pytest.mark.parametrize("depth", [300, 900, 5_000, 200_000])
def test_deep_nesting_is_refused_with_its_line(depth: int) -> None:
    value = "[" * depth + "]" * depth
    line, reason = failure('[{"role": "user", "content": "x"},\n{"role": "user",\n"more": ' + value + "}]")
    assert line == 3
    assert reason.startswith("nested deeper than ")
    line, _ = failure(json.dumps(USER) + '\n{"role": "user", "content": "x", "more": ' + value + "}")
    assert line == 2
    assert failure("[" * depth)[0] == 1


def test_nesting_up_to_the_limit_is_taken() -> None:
    deep = "[" * 253 + "]" * 253
    assert parse_runs(b'[{"role": "user", "content": "x", "more": ' + deep.encode() + b"}]")
    assert parse_value(("[" * 256 + "]" * 256).encode())
    with pytest.raises(RunFileError, match="nested deeper than 256 levels"):
        parse_value(("[" * 257 + "]" * 257).encode())


def test_a_name_that_stands_twice_is_not_dropped_in_silence() -> None:
    assert failure('[{"role": "user",\n"content": "a",\n"role": "b"}]') == (
        3,
        'the name "role" stands twice in one object',
    )
    text = json.dumps(USER) + '\n{"role": "user", "content": "a", "x": [{"y": 1}, {"y": 1, "z": 2, "y": 3}]}'
    assert failure(text) == (2, 'the name "y" stands twice in one object')


def test_a_number_that_python_does_not_read_is_named() -> None:
    text = '[{"role": "user",\n"content": "x",\n"n": ' + "9" * 5_000 + "}]"
    assert failure(text) == (3, "a number with too many digits")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (5, "neither a run nor a message: not an object or a list"),
        (None, "neither a run nor a message: not an object or a list"),
        ("x", "neither a run nor a message: not an object or a list"),
        ({}, "neither a message (no `role`) nor a run (none of messages, traj, history)"),
        ([], "a run without messages"),
        ({"messages": []}, "a run without messages"),
        ({"messages": None}, "`messages` is not a list of messages"),
        ({"traj": {"role": "user"}}, "`traj` is not a list of messages"),
        ([1], "message 1 is a number, not an object"),
        ([USER, None], "message 2 is null, not an object"),
        ([USER, {"content": "x"}], "message 2 has no role"),
        ([{"role": 5}], "the role of message 1 is a number, not a name"),
        ([{"role": ""}], "the role of message 1 is empty, not a name"),
        ([{"role": "user", "content": 5}], "the content of message 1 is a number, not text, null or a list of parts"),
        ([{"role": "user", "content": {}}], "the content of message 1 is an object, not text, null or a list of parts"),
        ([{"role": "user", "content": ["a", 1]}], "part 2 of the content of message 1 is a number, not an object"),
        ([{"role": "assistant", "tool_calls": {}}], "the tool_calls of message 1 are an object, not a list"),
        ([{"role": "assistant", "tool_calls": ["a"]}], "tool call 1 of message 1 is text, not an object"),
        ([{"role": "assistant", "tool_calls": [{"id": "a"}]}], "a tool call of message 1 has no name"),
        ([{"role": "assistant", "function_call": {"name": ""}}], "a tool call of message 1 has no name"),
        ([{"role": "tool", "tool_call_id": 5}], "the tool_call_id of message 1 is a number, not text"),
    ],
)
def test_a_wrong_shape_says_what_is_wrong(value: Any, reason: str) -> None:
    assert failure(json.dumps(value)) == (1, reason)
    good = json.dumps({"messages": [USER]})
    if reason != "a run without messages" or value:
        assert failure(f"{good}\n{good}\n{json.dumps(value)}") == (3, reason)


def test_a_wrong_shape_in_a_document_names_the_line_within() -> None:
    text = json.dumps({"meta": {"role": "x"}, "messages": [USER, {"role": "user", "content": 5}]}, indent=2)
    line, _ = failure(text)
    assert line is not None
    assert text.splitlines()[line - 1].strip() == '"content": 5'
    text = json.dumps([{"messages": [USER]}, {"messages": [USER, {"name": "role"}]}], indent=2)
    line, reason = failure(text)
    assert line is not None
    assert reason == "message 2 has no role"
    assert '"name": "role"' in text.splitlines()[line]


def test_messages_and_runs_do_not_mix() -> None:
    run, message = json.dumps({"messages": [USER]}), json.dumps(USER)
    assert failure(f"{run}\n{message}")[0] == 2
    assert failure(f"{message}\n{run}") == (2, "message 2 has no role")


def test_the_error_says_file_line_and_reason_in_one_line() -> None:
    with pytest.raises(RunFileError) as caught:
        parse_runs(b"x")
    assert str(caught.value.in_file("runs.json")) == "runs.json, line 1: not JSON: Expecting value, column 1"
    assert isinstance(caught.value, ValueError)


def test_no_mutilation_of_a_file_raises_anything_else() -> None:
    chance = random.Random(7)
    good = "\n".join(
        [
            json.dumps(
                {"messages": [USER, {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f"}}]}]}
            )
        ]
        * 5
    ).encode()
    for data in (good, gzip.compress(good), json.dumps(json.loads(good.split(b"\n")[0]), indent=1).encode()):
        for _ in range(600):
            broken = bytearray(data)
            for _ in range(chance.randrange(1, 4)):
                at = chance.randrange(len(broken))
                if chance.random() < 0.5:
                    broken[at] = chance.choice(b'{}[]",:\\\n0n\x00\xff')
                else:
                    del broken[at : at + chance.randrange(1, 30)]
            try:
                parse_runs(bytes(broken))
            except RunFileError as error:
                assert error.line is not None
                assert "\n" not in str(error)
