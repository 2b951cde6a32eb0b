"""Which runs a file holds, and who made each of their messages."""

import gzip
import json
from typing import Any

import pytest

from backpack.runs import RunFileError, parse_runs, parse_value

USER = {"role": "user", "content": "hello"}
ASSISTANT = {"role": "assistant", "content": "hi"}
RUN = [USER, ASSISTANT]


def call(name: str, call_id: str | None = "c1", arguments: Any = "{}") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def calls(*tool_calls: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": list(tool_calls)}


def parsed(value: Any) -> Any:
    return parse_runs(json.dumps(value).encode())


def lines(*values: Any) -> bytes:
    return "\n".join(json.dumps(value) for value in values).encode()


def messages_of(data: bytes) -> list[list[Any]]:
    return [[step.message for step in run.steps] for run in parse_runs(data)]


@pytest.mark.parametrize(
    "value", [RUN, {"messages": RUN}, {"history": RUN}, {"traj": RUN}, {"traj": RUN, "task_id": 0, "reward": 1.0}]
)
def test_a_list_of_messages_or_an_object_with_one_is_one_run(value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, indent=2), json.dumps(value) + "\n\n"):
        assert messages_of(text.encode()) == [RUN]


def test_one_message_is_a_run_of_one() -> None:
    assert messages_of(lines(USER)) == [[USER]]


def test_messages_count_before_traj_and_history() -> None:
    assert messages_of(lines({"history": [USER], "traj": [ASSISTANT], "messages": RUN})) == [RUN]


@pytest.mark.parametrize(
    "value",
    [
        [{"messages": RUN}, {"history": RUN}, {"traj": RUN}],
        [RUN, RUN, RUN],
        [{"messages": RUN}, RUN, {"traj": RUN}],
    ],
)
def test_a_list_of_objects_or_of_lists_is_many_runs(value: Any) -> None:
    assert messages_of(json.dumps(value).encode()) == [RUN, RUN, RUN]
    assert messages_of(json.dumps(value, indent=1).encode()) == [RUN, RUN, RUN]


def test_json_lines_of_runs_are_many_runs() -> None:
    assert messages_of(lines({"messages": RUN}, {"traj": [USER]}, [ASSISTANT])) == [RUN, [USER], [ASSISTANT]]


def test_json_lines_of_messages_are_one_run() -> None:
    assert messages_of(lines(*RUN, *RUN)) == [[*RUN, *RUN]]


def test_empty_lines_and_windows_line_ends_do_not_count() -> None:
    data = b"\r\n\r\n" + lines({"messages": RUN}).replace(b"\n", b"\r\n") + b"\r\n  \r\n" + lines(RUN) + b"\r\n\r\n"
    assert messages_of(data) == [RUN, RUN]


def test_several_documents_over_many_lines_are_many_runs() -> None:
    text = json.dumps({"messages": RUN}, indent=2) + "\n" + json.dumps(RUN, indent=2)
    assert messages_of(text.encode()) == [RUN, RUN]


def test_line_separators_within_a_text_separate_no_lines() -> None:
    odd = {"role": "user", "content": "one\u2028two\u0085three\x0cfour"}
    data = "\n".join(json.dumps(message, ensure_ascii=False) for message in (odd, ASSISTANT)).encode()
    assert messages_of(data) == [[odd, ASSISTANT]]


def test_gzip_is_known_by_its_content() -> None:
    packed = gzip.compress(lines({"messages": RUN}))
    assert messages_of(packed) == [RUN]


def test_gzip_members_in_a_row_are_one_file() -> None:
    data = lines(*RUN)
    assert messages_of(gzip.compress(data[:20]) + gzip.compress(data[20:])) == [RUN]


def test_a_byte_order_mark_is_no_content() -> None:
    assert messages_of(b"\xef\xbb\xbf" + lines(*RUN)) == [RUN]
    assert messages_of(gzip.compress(b"\xef\xbb\xbf" + lines(RUN))) == [RUN]


def test_lone_surrogates_and_nan_come_through() -> None:
    data = b'[{"role": "user", "content": "\\ud800", "score": NaN, "more": [Infinity, 1e999]}]'
    (message,) = messages_of(data)[0]
    assert message["content"] == "\ud800"
    assert repr(message["score"]) == "nan"
    assert message["more"] == [float("inf"), float("inf")]


def test_a_run_is_called_what_the_file_calls_it() -> None:
    runs = parsed(
        [{"run": "a", "messages": RUN}, {"id": 7, "messages": RUN}, {"messages": RUN}, {"traj": RUN, "id": None}]
    )
    assert [(run.place, run.name) for run in runs] == [(1, "a"), (2, "7"), (3, "3"), (4, "4")]


def test_every_message_has_the_node_that_made_it() -> None:
    (run,) = parsed(
        [
            {"role": "system", "content": "be brief"},
            USER,
            calls(call("search", "c1"), call("fetch", "c2")),
            {"role": "tool", "tool_call_id": "c2", "content": "two"},
            {"role": "tool", "tool_call_id": "c1", "content": "one"},
            ASSISTANT,
            {"role": "developer", "content": "x"},
        ]
    )
    nodes = ["system", "user", "assistant", "tool.fetch", "tool.search", "assistant", "developer"]
    assert [step.node for step in run.steps] == nodes
    assert [step.answers.key for step in run.steps if step.answers] == ["c2", "c1"]


def test_a_result_is_resolved_by_the_latest_call_of_its_id() -> None:
    (run,) = parsed(
        [
            calls(call("first", "same")),
            {"role": "tool", "tool_call_id": "same", "content": "1"},
            calls(call("second", "same")),
            {"role": "tool", "tool_call_id": "same", "content": "2", "name": "liar"},
        ]
    )
    assert [step.tool for step in run.steps if step.tool] == ["first", "second"]
    keys = [one.key for step in run.steps for one in step.calls]
    assert len(set(keys)) == 2


def test_a_result_without_an_id_is_resolved_by_name_or_by_being_the_only_one() -> None:
    (run,) = parsed(
        [
            calls(call("a", None), call("b", None)),
            {"role": "tool", "name": "b", "content": "1"},
            {"role": "tool", "content": "2"},
            {"role": "tool", "tool_call_id": "unheard of", "content": "3"},
        ]
    )
    assert [step.tool for step in run.steps if step.tool] == ["b", "a", "unknown"]
    assert run.steps[-1].answers is None


def test_calls_that_wait_cost_the_others_nothing() -> None:
    """20,000 calls at once: comparing each result with each of them would take minutes."""
    count = 20_000
    asked = calls(*(call(f"f{number % 2}", f"c{number}") for number in range(count)))
    by_id = [{"role": "tool", "tool_call_id": f"c{number}", "content": ""} for number in reversed(range(count))]
    by_name = [{"role": "tool", "name": "f1", "content": ""} for _ in range(count // 2)]
    strange = [{"role": "tool", "name": "g", "content": ""} for _ in range(count)]
    (run,) = parsed([asked, *by_id])
    assert [one.answers for one in run.steps[1:]] == list(run.steps[0].calls[::-1])
    (run,) = parsed([asked, *strange, *by_name])
    assert [one.answers for one in run.steps[count + 1 :]] == list(run.steps[0].calls[1::2])
    assert {one.answers for one in run.steps[1 : count + 1]} == {None}


def test_function_calls_of_the_old_kind_are_calls() -> None:
    (run,) = parsed(
        [
            {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "[1]"},
        ]
    )
    assert run.steps[0].calls[0].name == "f"
    assert run.steps[1].node == "tool.f"
    assert run.steps[1].answers == run.steps[0].calls[0]


def test_custom_tools_are_tools() -> None:
    (run,) = parsed([calls({"id": "c", "type": "custom", "custom": {"name": "sql", "input": "select 1"}})])
    assert [(one.name, one.arguments) for one in run.steps[0].calls] == [("sql", "select 1")]


def test_the_text_of_parts_is_put_together() -> None:
    parts = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "x"}}, "here"]
    (run,) = parsed([{"role": "user", "content": parts}])
    assert run.steps[0].text == "look\n[image_url]\nhere"
    assert run.steps[0].message["content"] == parts


def test_names_that_no_terminal_likes_are_escaped_and_bounded() -> None:
    (run,) = parsed([calls(call("a\x1b[31m\ud800", "c1"), call("x" * 5_000, "c2"), call("x" * 5_001, "c3"))])
    odd, long, longer = (one.name for one in run.steps[0].calls)
    assert odd == "a\\x1b[31m\\xd800"
    assert len(long) == len(longer) == 200
    assert long != longer


def test_a_value_is_any_json() -> None:
    assert parse_value(b"[1, null]") == [1, None]
    assert parse_value(gzip.compress(b'"text"')) == "text"
    assert parse_value(b'{"a": 1}\n{"a": 2}\n') == [{"a": 1}, {"a": 2}]
    with pytest.raises(RunFileError):
        parse_value(b"")
