"""What the page on offloading shows is what happens."""

from types import SimpleNamespace
from typing import Any

import pydantic

from .blocks import run

NAME = "run_tests"


class Block(pydantic.BaseModel):
    """As the SDKs give blocks and messages."""

    model_config = pydantic.ConfigDict(extra="allow")


class OpenAi:
    """A model that runs the tests, fetches a slice of what they said, and answers. Strict about fields."""

    def __init__(self) -> None:
        self.chat = SimpleNamespace(completions=self)

    def create(self, *, model: str, messages: list[dict[str, Any]], tools: list[Any]) -> Any:
        assert all(set(one) <= {"role", "content", "tool_calls", "tool_call_id"} for one in messages) and tools
        asked = len(messages)
        if asked == 2:
            return _choice(name=NAME, arguments="{}")
        assert len(messages[3]["content"]) < 1_000 and "mem://" in messages[3]["content"]
        if asked == 4:
            id = messages[3]["content"].split("mem://")[1].split()[0]
            return _choice(name="memory_fetch", arguments=f'{{"id": "{id}", "lines": [1, 900]}}')
        assert len(messages[5]["content"]) > 10_000
        return _choice()


class Anthropic:
    """The same."""

    def __init__(self) -> None:
        self.messages = self

    def create(
        self, *, model: str, max_tokens: int, system: str, messages: list[dict[str, Any]], tools: list[Any]
    ) -> Any:
        assert all(set(one) == {"role", "content"} for one in messages) and tools and "mem://" in system
        asked = len(messages)
        if asked == 1:
            return _blocks(name=NAME, input={})
        shown = messages[2]["content"][0]["content"]
        assert len(shown) < 1_000
        if asked == 3:
            id = shown.split("mem://")[1].split()[0]
            return _blocks(name="memory_fetch", input={"id": id, "lines": [1, 900]})
        assert len(messages[4]["content"][0]["content"]) > 10_000
        return _blocks()


def _choice(**function: str) -> Any:
    call = Block.model_validate({"id": "call_2", "type": "function", "function": Block.model_validate(function)})
    facts = {
        "role": "assistant",
        "content": None if function else "none did",
        "tool_calls": [call] if function else None,
    }
    return SimpleNamespace(choices=[SimpleNamespace(message=Block.model_validate(facts))])


def _blocks(**use: Any) -> Any:
    facts = {"type": "tool_use", "id": "use_2", **use} if use else {"type": "text", "text": "none did"}
    return SimpleNamespace(stop_reason="tool_use" if use else "end_turn", content=[Block.model_validate(facts)])


def test_the_examples_of_offloading_run_and_show_what_happens() -> None:
    assert run("docs/offload.md", {"openai_client": OpenAi(), "anthropic_client": Anthropic()}) > 25
