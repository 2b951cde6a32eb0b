"""Counters: exact ones, estimates, other providers' models, the caller's own."""

import sys

import pytest

from backpack.context import Counter, EstimatingCounter, ExactCounter, FunctionCounter, model_of
from backpack.context.counting import ScaledCounter, _tokenizer, counter_for, counter_of
from backpack.errors import InvalidArgumentError, MissingExtraError

TEXTS = (
    "",
    "a",
    "Hello, world!",
    "日本語のテキスト",
    "x = {'a': [1, 2.5]}\n" * 50,
    "<|endoftext|>",
    "\0 \0",
    "naïve 🎉",
)


@pytest.mark.parametrize("encoding", ["o200k_base", "cl100k_base"])
def test_an_exact_count_is_the_tokenizers_own(encoding: str) -> None:
    from bpe_openai import get_encoding

    tokenizer, counter = get_encoding(encoding), ExactCounter(encoding)  # type: ignore[arg-type]
    assert [counter.count(text) for text in TEXTS] == [len(tokenizer.encode_ordinary(text)) for text in TEXTS]
    assert counter.is_exact and counter.name == encoding


def test_long_texts_and_lone_surrogates_are_counted_too() -> None:
    counter = ExactCounter()
    assert counter.count("word " * 400_000) == 400_001
    assert counter.count("a\ud800b") == counter.count("a\ufffdb")


def test_an_unknown_encoding_is_named() -> None:
    with pytest.raises(InvalidArgumentError, match="o200k_base, cl100k_base"):
        ExactCounter("p50k_base")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("model", "name", "is_exact"),
    [
        ("gpt-4o", "o200k_base", True),
        ("gpt-4.1-mini", "o200k_base", True),
        ("openai/gpt-5", "o200k_base", True),
        ("gpt-4-0613", "cl100k_base", True),
        ("gpt-3.5-turbo-0125", "cl100k_base", True),
        ("claude-sonnet-4-5", "o200k_base*1.25", False),
        ("gemini-2.5-pro", "o200k_base*1.05", False),
        ("mine", "o200k_base*1.2", False),
    ],
)
def test_each_model_has_its_counter(model: str, name: str, is_exact: bool) -> None:
    counter = counter_for(model_of(model))
    assert (counter.name, counter.is_exact) == (name, is_exact)


def test_without_the_tokenizer_there_are_estimates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bpe_openai", None)
    _tokenizer.cache_clear()
    try:
        with pytest.raises(MissingExtraError, match=r"pip install 'backpack-state\[tokens\]'") as caught:
            ExactCounter()
        assert caught.value.extra == "tokens"
        assert isinstance(caught.value, ImportError)
        assert isinstance(counter_for(model_of("gpt-4o")), EstimatingCounter)
        assert counter_for(model_of("claude-opus-4-5")).name == "estimate*1.25"
    finally:
        _tokenizer.cache_clear()


def test_scaling_rounds_up_and_keeps_nothing_nothing() -> None:
    counter = ScaledCounter(FunctionCounter(len), 125)
    assert [counter.count("a" * length) for length in (0, 1, 2, 4, 5)] == [0, 2, 3, 5, 7]


def test_a_function_is_a_counter() -> None:
    counter = counter_of(lambda text: len(text.split()))
    assert isinstance(counter, Counter) and not counter.is_exact
    assert counter.count("one two three") == 3
    own = EstimatingCounter()
    assert counter_of(own) is own


@pytest.mark.parametrize("count", [-1, 1.5, None, True, "3"])
def test_a_counter_that_gives_nonsense_is_told(count: object) -> None:
    with pytest.raises(InvalidArgumentError, match="counter='f'"):
        FunctionCounter(lambda text: count, "f").count("text")  # type: ignore[arg-type, return-value]


def test_what_is_no_counter_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="type=int"):
        counter_of(3)  # type: ignore[arg-type]
