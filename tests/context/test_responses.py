"""What SDKs answer goes in as it comes, and what comes out is what their APIs take."""

from typing import Any

import pytest

from backpack.context.responses import input_of
from backpack.errors import InvalidArgumentError

from .talks import talk, user

pydantic = pytest.importorskip("pydantic")


class Answer(pydantic.BaseModel):  # type: ignore[misc, name-defined]
    """As the SDKs make them: fields of any name."""

    model_config = pydantic.ConfigDict(extra="allow")


def anthropic(**fields: Any) -> Any:
    block = Answer(type="text", text="on time", citations=None)
    usage = Answer(input_tokens=40, output_tokens=2, cache_read_input_tokens=8, cache_creation_input_tokens=0)
    facts = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": [block]}
    return Answer(**{**facts, "stop_reason": "end_turn", "stop_sequence": None, "usage": usage, **fields})


def test_of_a_response_of_anthropic_role_and_content_are_kept_and_its_usage_counts() -> None:
    conversation = talk()
    conversation.add(user("Is BX1 late?"))
    conversation.add(anthropic())
    assert conversation.context()[1] == {"role": "assistant", "content": [{"type": "text", "text": "on time"}]}
    stats = conversation.stats()
    assert (stats.input_tokens, stats.output_tokens, stats.cached_tokens, stats.estimated_calls) == (48, 2, 8, 0)


def test_a_usage_that_cannot_be_is_estimated() -> None:
    conversation = talk()
    conversation.add(anthropic(usage=Answer(input_tokens=-1)))
    assert conversation.stats().estimated_calls == 1


def test_a_dict_stays_as_it_stands() -> None:
    conversation = talk()
    given = anthropic().model_dump(exclude_none=True)
    conversation.add(given)
    assert conversation.context() == [given]


def test_an_item_of_openai_s_responses_stays_whole() -> None:
    item = Answer(id="msg_1", type="message", role="assistant", status="completed", content=[])
    assert input_of(item) is item


@pytest.mark.parametrize("is_dict", [False, True])
@pytest.mark.parametrize(
    ("fields", "instead"),
    [({"choices": []}, r"response\.choices\[0\]\.message"), ({"output": []}, r"response\.output")],
)
def test_a_whole_response_is_refused_with_what_to_give(fields: dict[str, Any], instead: str, is_dict: bool) -> None:
    conversation = talk()
    with pytest.raises(InvalidArgumentError, match=instead):
        conversation.add({"id": "r", **fields} if is_dict else Answer(id="r", **fields))
    assert len(conversation) == 0
