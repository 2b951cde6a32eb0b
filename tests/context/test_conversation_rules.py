"""For any messages and any budget: the limit holds, groups never break, what must stay stays; or the typed error."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from backpack.context import ContextConfig, Conversation, view
from backpack.context.groups import groups
from backpack.context.leaving import left_count
from backpack.errors import ContextOverflowError

from . import conversations
from .talks import talk

SIZES = st.sampled_from([0, 1, 5, 40, 200, 900, 3_000])


def text(size: int, number: int) -> str:
    return " ".join([f"say{number}", *(f"w{number}x{one}" for one in range(size))])


STEPS = st.lists(
    st.tuples(st.sampled_from("uuaacrrs"), SIZES, st.integers(1, 5), st.booleans()), min_size=1, max_size=40
)
"""Who speaks, how long, how many calls, and whether a result that nobody waits for comes all the same."""


def said_by(steps: list[tuple[str, int, int, bool]], *, is_blocks: bool) -> list[dict[str, Any]]:
    """Messages of OpenAI's shape or of Anthropic's, with calls, results, orphans, and system messages anywhere."""
    found: list[dict[str, Any]] = []
    waiting: list[str] = []
    for number, (kind, size, count, is_orphan) in enumerate(steps):
        said = text(size, number)
        if kind == "u":
            found.append({"role": "user", "content": [{"type": "text", "text": said}] if is_blocks else said})
        elif kind == "a":
            found.append({"role": "assistant", "content": said})
        elif kind == "s":
            found.append({"role": "system", "content": ("be kind", "be brief", said[:2_000])[count % 3]})
        elif kind == "c":
            waiting = [f"c{number}_{one}" for one in range(count)]
            uses = [{"type": "tool_use", "id": id, "name": "look", "input": {"at": number}} for id in waiting]
            found.append(
                {"role": "assistant", "content": uses} if is_blocks else conversations.calls(*waiting, at=number)
            )
        elif waiting or is_orphan:
            id = waiting.pop(0) if waiting else f"nobody{number}"
            block = {"type": "tool_result", "tool_use_id": id, "content": said}
            found.append({"role": "user", "content": [block]} if is_blocks else conversations.result(id, said))
    return found


CONFIGS = st.fixed_dictionaries(
    {},
    optional={
        "strategy": st.sampled_from(["auto", "sliding_window", "selective", "deletion"]),
        "messages_to_keep": st.sampled_from([0, 1, 4, 20]),
        "compression_ratio": st.sampled_from([0.1, 0.3, 0.9]),
        "compression_threshold": st.sampled_from([50, 400, 2_000]),
        "adaptive": st.booleans(),
        "governor": st.booleans(),
        "answer_reserve": st.sampled_from([0, 100]),
        "turn_results_tokens": st.sampled_from([100, 1_000]),
        "recent_message_tokens_max": st.sampled_from([100, 800]),
        "preserve_system_prompts": st.booleans(),
        "preserve_tool_calls": st.booleans(),
    },
)


def marked(message: dict[str, Any]) -> bool:
    return "mem://" in str(message)


def check(conversation: Conversation, said: list[Any], all: list[Any]) -> None:
    """All the rules, of what is sent and everything that was added."""
    config: ContextConfig = conversation.config
    assert conversation.full() == all
    tokens = conversation.tracker.count_messages(said)
    assert tokens + config.answer_reserve <= conversation.window
    assert tokens <= conversation.stats().current_tokens
    starts = ("[Summary", "Summary of", "[Note")
    own = [
        message
        for message in said
        if not str(message.get("content")).startswith(starts) and left_count(str(message.get("content"))) is None
    ]
    kept = places(own, all)
    rest = [place for place in kept if all[place].get("role") != "system"]
    assert rest == sorted(rest)
    for group in groups([view(message) for message in all]):
        assert len({place in kept for place in group}) == 1, "a group is broken"
    talk = [place for place, message in enumerate(all) if view(message).role != "system"]
    if config.messages_to_keep:
        assert set(talk[-config.messages_to_keep :]) <= set(kept)
    questions = [place for place, message in enumerate(all) if view(message).role == "user"]
    assert set(questions[-1:]) <= set(kept)
    if config.preserve_system_prompts:
        wanted = list(dict.fromkeys(str(m["content"]) for m in all if m["role"] == "system"))
        systems = [place for place in kept if all[place]["role"] == "system"]
        assert kept[: len(systems)] == systems
        assert [str(all[place]["content"]) for place in systems] == wanted


def places(own: list[Any], all: list[Any]) -> list[int]:
    """Which message each one is: the same, or the same with its content in the memory."""
    found: list[int] = []
    for message in own:
        taken = set(found)
        same = [place for place, one in enumerate(all) if one == message and place not in taken]
        if not same:
            assert marked(message), message
            same = [place for place, one in enumerate(all) if place not in taken and is_beginning(message, one)]
        assert same, message
        later = [place for place in same if not found or place > found[-1]]
        found.append((later or same)[0])
    return found


def is_beginning(short: dict[str, Any], whole: dict[str, Any]) -> bool:
    if {**short, "content": 0} != {**whole, "content": 0}:
        return False
    one, other = view(short), view(whole)
    if (one.role, one.calls, one.result_of) != (other.role, other.calls, other.result_of):
        return False
    return (
        len(one.text) < len(other.text) + 200
        and one.text.partition("\n[")[0].partition("[the whole")[0][:20].strip() in other.text
    )


@given(STEPS, st.booleans(), st.sampled_from([120, 400, 1_500, 8_192]), CONFIGS)
def test_the_rules_hold_or_the_typed_error_is_raised(
    steps: list[tuple[str, int, int, bool]], is_blocks: bool, window: int, config: dict[str, Any]
) -> None:
    messages = said_by(steps, is_blocks=is_blocks)
    conversation = talk(window=window, config=config, on_warning=lambda said: None)
    for number, message in enumerate(messages):
        conversation.add(message)
        if number % 3 == 0 or number == len(messages) - 1:
            try:
                said = conversation.context()
            except ContextOverflowError as error:
                assert error.tokens > 0
                assert conversation.full() == messages[: number + 1]
                continue
            check(conversation, said, messages[: number + 1])
            assert conversation.context() == said
    again = talk(conversation.bp, window=window, config=config, on_warning=lambda said: None)
    assert again.present() == conversation.present()
    assert again.stats() == conversation.stats()
