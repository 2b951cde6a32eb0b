"""How many tokens a text has: exactly where an offline tokenizer is there, else by an estimate.

OpenAI's two encodings are counted by the package bpe-openai, which brings their tables along (`pip install
'backpack-state[tokens]'`) and reaches no network. Models of other providers are counted as OpenAI's and scaled by the
factor that `models.py` says. Anything with a `count` can stand in their place: see `Counter`.
"""

import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, Protocol, runtime_checkable

from backpack.context.estimating import estimate
from backpack.context.models import Encoding, Model
from backpack.errors import InvalidArgumentError, MissingExtraError

ENCODINGS: Final[tuple[Encoding, ...]] = ("o200k_base", "cl100k_base")


@runtime_checkable
class Counter(Protocol):
    """What counts the tokens of a text. Called once a text; has to be safe in several threads."""

    name: str
    is_exact: bool

    def count(self, text: str) -> int:
        """Tokens of the text, 0 or more."""
        ...


class ExactCounter:
    """OpenAI's own count, for one of its encodings. About 50 MB/s; the first count loads tables (0.6 s, 130 MB).

    What looks like a special token (`<|endoftext|>`) is counted as the text it is. A lone surrogate, which has no
    UTF-8, counts as U+FFFD does, as in tiktoken.
    """

    is_exact = True

    def __init__(self, encoding: Encoding = "o200k_base") -> None:
        if encoding not in ENCODINGS:
            raise InvalidArgumentError(f"no such encoding: encoding={encoding!r}, known: {', '.join(ENCODINGS)}")
        self.name: str = encoding
        self._tokenizer = _tokenizer(encoding)

    def count(self, text: str) -> int:
        """Tokens of the text. O(its length)."""
        checked_text(text)
        try:
            count: int = self._tokenizer.count(text)
        except UnicodeEncodeError:
            count = self._tokenizer.count(text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))
        return count

    def __repr__(self) -> str:
        return f"ExactCounter({self.name!r})"


class EstimatingCounter:
    """An estimate of OpenAI's count (o200k) that needs nothing; see `estimating.py` for how right it is."""

    name = "estimate"
    is_exact = False

    def count(self, text: str) -> int:
        """Estimated tokens of the text. O(its length)."""
        return estimate(checked_text(text))

    def __repr__(self) -> str:
        return "EstimatingCounter()"


class ScaledCounter:
    """Another counter's tokens times a factor, in percent, rounded up."""

    is_exact = False

    def __init__(self, counter: Counter, percent: int) -> None:
        self.name: str = f"{counter.name}*{percent / 100:g}"
        self._counter = counter
        self._percent = percent

    def count(self, text: str) -> int:
        """Estimated tokens of the text: 0 only where the other counter says 0."""
        return -(-self._counter.count(text) * self._percent // 100)

    def __repr__(self) -> str:
        return f"ScaledCounter({self._counter!r}, {self._percent})"


class FunctionCounter:
    """A function of the caller's, as a counter. Its results are looked at: tokens are an int, 0 or more."""

    is_exact = False

    def __init__(self, function: Callable[[str], int], name: str | None = None) -> None:
        if not callable(function) or not (name is None or isinstance(name, str)):
            raise InvalidArgumentError(
                f"a counter is a function of a text, and its name a str: type={type(function).__name__}, "
                f"name={type(name).__name__}"
            )
        self.name: str = name or str(getattr(function, "__name__", type(function).__name__))
        self._function = function

    def count(self, text: str) -> int:
        """What the function says; raises InvalidArgumentError for what can be no count."""
        return checked_count(self._function(text), self.name)


def checked_text(text: Any) -> str:
    """A text to be counted, or `InvalidArgumentError`."""
    if not isinstance(text, str):
        raise InvalidArgumentError(f"a text is a str: type={type(text).__name__}")
    return text


def checked_count(count: Any, name: str) -> int:
    """A count that somebody else's code has made."""
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        fact = f"count={count}" if type(count) in (int, float) else f"type={type(count).__name__}"
        raise InvalidArgumentError(f"a counter gives a whole number of tokens, 0 or more: counter={name!r}, {fact}")
    return count


def counter_for(model: Model) -> Counter:
    """The best counter for a model that is there: exact for OpenAI's with bpe-openai, else estimated, and scaled."""
    try:
        counter: Counter = ExactCounter(model.encoding or "o200k_base")
    except MissingExtraError:
        counter = EstimatingCounter()
    return counter if model.percent == 100 else ScaledCounter(counter, model.percent)


def counter_of(given: "Counter | Callable[[str], int]") -> Counter:
    """What a caller brings to count with, as a counter."""
    if isinstance(given, Counter):
        return given
    if callable(given):
        return FunctionCounter(given)
    raise InvalidArgumentError(
        f"a counter has name, is_exact and count(text), or is a function of a text: type={type(given).__name__}"
    )


@lru_cache(maxsize=len(ENCODINGS))
def _tokenizer(encoding: Encoding) -> Any:
    """The tokenizer in Rust itself: the class around it refuses texts of 1,000,000 characters, and makes lists."""
    try:
        with warnings.catch_warnings():  # it opens its tables by a function that Python 3.11 calls deprecated
            warnings.filterwarnings("ignore", "open_binary is deprecated", DeprecationWarning)
            from bpe_openai import _bindings
    except ImportError:
        raise MissingExtraError(
            "exact counts need the package bpe-openai: pip install 'backpack-state[tokens]'", extra="tokens"
        ) from None
    return _bindings.tokenizer_for_encoding(encoding)
