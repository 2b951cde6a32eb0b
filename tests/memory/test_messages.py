"""Walking messages: every text is found, everything else stays, the original is not touched."""

import copy
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pydantic
import pytest

from backpack.memory.messages import ABSENT, REFS, rewrite


class Upper:
    """A rewriter that shouts, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str | bytes, str, str, bool]] = []
        self.begun: list[Any] = []
        self.payloads: list[tuple[Any, str]] = []

    def begin(self, refs: Any) -> list[str | bytes]:
        self.begun.append(refs)
        return []

    def text(self, text: str | bytes, field: str, role: str, scope: list[str | bytes] | None) -> str | bytes:
        self.asked.append((text, field, role, scope is not None))
        if scope is not None:
            scope.append(text)
        return text.upper()

    def payload(self, value: Any, rewritten: Callable[[], Any], role: str, scope: list[str | bytes] | None) -> Any:
        self.payloads.append((value, role))
        return rewritten()

    def end(self, scope: list[str | bytes]) -> Any:
        return list(scope) if scope else ABSENT


class Pair(NamedTuple):
    left: str
    right: int


def rewritten(value: Any) -> tuple[Any, Upper]:
    upper = Upper()
    return rewrite(value, upper), upper


def test_texts_are_found_wherever_they_stand() -> None:
    value = {"a": ["x", ("y", b"z", {"b": "w"})], "n": 1, "none": None}
    before = copy.deepcopy(value)
    made, upper = rewritten(value)
    assert made == {"a": ["X", ("Y", b"Z", {"b": "W"})], "n": 1, "none": None, REFS: ["x", "y", b"z", "w"]}
    assert value == before
    assert [asked[1] for asked in upper.asked] == ["a", "a", "a", "b"]


def test_a_text_outside_of_any_message_has_no_scope() -> None:
    assert rewritten("x")[1].asked == [("x", "", "", False)]
    assert rewritten(["x", ("y",)])[0] == ["X", ("Y",)]


def test_each_message_owns_its_references() -> None:
    state = {"note": "n", "messages": [{"role": "user", "content": "a"}, {"type": "ai", "content": "b"}]}
    assert rewritten(state)[0] == {
        "note": "N",
        "messages": [
            {"role": "USER", "content": "A", REFS: ["user", "a"]},
            {"type": "ai", "content": "B", REFS: ["b"]},
        ],
        REFS: ["n"],
    }


def test_classes_of_containers_stay() -> None:
    counted: defaultdict[str, list[str]] = defaultdict(list, {"a": ["x"]})
    made, _ = rewritten([OrderedDict(b="y"), counted, Pair("z", 1)])
    assert [type(one) for one in made] == [OrderedDict, defaultdict, Pair]
    assert made == [{"b": "Y", REFS: ["y"]}, {"a": ["X"], REFS: ["x"]}, Pair("Z", 1)]
    assert made[1].default_factory is list and counted == {"a": ["x"]}


def test_what_a_tool_said_is_known_as_such() -> None:
    block = {"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "deep"}]}
    _, upper = rewritten({"role": "user", "content": [block, {"type": "text", "text": "mine"}]})
    assert {(text, role) for text, _, role, _ in upper.asked} >= {("deep", "tool"), ("mine", "user")}
    assert {asked[2] for asked in rewritten({"type": "tool", "content": "x"})[1].asked} == {"tool"}


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo"}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0"}},
        {"type": "image", "source_type": "base64", "mime_type": "image/png", "data": "iVBORw0KGgo"},
        {"type": "input_audio", "input_audio": {"data": "UklGR", "format": "wav"}},
        {"inline_data": {"mime_type": "image/png", "data": b"iVBORw0KGgo"}},
        {"type": "thinking", "thinking": "iVBORw0KGgo", "signature": "iVBORw0KGgo"},
        {"type": "redacted_thinking", "data": "iVBORw0KGgo"},
    ],
)
def test_media_and_signed_reasoning_are_left_alone(block: dict[str, Any]) -> None:
    _, upper = rewritten({"role": "user", "content": [block]})
    assert not any(str(text)[:2] in ("da", "iV", "JV", "Uk", "b'") for text, *_ in upper.asked)


def test_a_document_that_is_text_is_a_text() -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "words"}
    assert ("words", "data", "user", True) in rewritten({"role": "user", "content": [{"source": source}]})[1].asked


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    content: Any
    additional_kwargs: dict[str, Any] = {}
    type: str = "human"
    _private: int = pydantic.PrivateAttr(default=7)


class Block(pydantic.BaseModel):
    text: str


@dataclass(frozen=True)
class Frozen:
    content: str
    tags: list[str] = field(default_factory=list)


def test_a_message_object_is_copied_with_its_references_in_additional_kwargs() -> None:
    inner: list[Any] = [Block(text="a")]
    message = Model(content=inner, other="b", additional_kwargs={"k": "c"})
    before = message.model_copy(deep=True)
    made, _ = rewritten(message)
    assert message == before and message.content is inner
    assert made.content == [Block(text="A")] and made.other == "B" and made._private == 7 and made.type == "human"
    assert made.additional_kwargs == {"k": "C", REFS: ["c", "a", "b"]}
    assert made.model_fields_set == message.model_fields_set


def test_an_object_without_additional_kwargs_has_them_as_an_attribute() -> None:
    message = Frozen("a", ["t"])
    made, _ = rewritten(message)
    assert isinstance(made, Frozen) and (made.content, made.tags) == ("A", ["T"])
    assert getattr(made, REFS) == ["a", "t"]
    assert message == Frozen("a", ["t"]) and not hasattr(message, REFS)


class Sharing:
    """A message whose copies share its attributes, as a model of pydantic 1 does."""

    def __init__(self, content: str) -> None:
        self.content = content

    def __copy__(self) -> "Sharing":
        made = Sharing.__new__(Sharing)
        object.__setattr__(made, "__dict__", self.__dict__)
        return made


def test_a_copy_that_shares_its_attributes_does_not_change_the_original() -> None:
    message = Sharing("a")
    made, _ = rewritten(message)
    assert made.content == "A" and vars(message) == {"content": "a"}


def test_references_are_only_copied() -> None:
    refs = [{"id": "x", "more": ["y"]}]
    made, upper = rewritten({"content": "a", REFS: refs})
    assert upper.begun == [refs]
    assert [asked[0] for asked in upper.asked] == ["a"]
    assert made[REFS] == ["a"]


def test_an_inner_field_of_the_same_name_is_a_field() -> None:
    made, upper = rewritten({"role": "user", "content": {REFS: "x"}})
    assert made["content"] == {REFS: "X"} and len(upper.begun) == 1


def test_what_contains_itself_is_taken_over() -> None:
    value: dict[str, Any] = {"text": "x"}
    value["self"] = value
    made, _ = rewritten(value)
    assert made["text"] == "X" and made["self"] is value


def test_nesting_beyond_what_a_value_may_have_is_taken_over() -> None:
    value: Any = "x"
    for _ in range(2_000):
        value = [value]
    made, upper = rewritten(value)
    assert made is not value and upper.asked == []


def test_what_is_no_message_stays_the_object_it_is() -> None:
    class Thing:
        def __init__(self) -> None:
            self.name = "n"

    for value in (Thing(), {1, 2}, Thing, 1.5, len, bytearray(b"x")):
        assert rewritten(value)[0] is value
