"""What the name of a model means: who makes it, how much fits into its window, how its tokens are counted.

A table of families, longest name first found. It is there to be right about families and cautious about what it does
not know: an unknown model has the window `WINDOW_DEFAULT` and the factor `PERCENT_DEFAULT`.

**Factors.** Only OpenAI publishes its tokenizers, so tokens of other providers are the OpenAI count (o200k) times a
factor. The factors are cautious round figures, not measurements: vocabularies of 200,000 and more (Google, Cohere) are
about as dense as o200k, those of 128,000 to 152,000 (Llama 3, DeepSeek, Qwen, Mistral's Tekken) a little less, those of
32,000 (Llama 2, early Mistral) and Anthropic's (which its own counting endpoint shows to be denser in code) clearly
less. Where exact figures matter, bring a counter: `TokenTracker(model, counter=...)`.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from backpack.context.names import checked_name, longest_match

Encoding = Literal["o200k_base", "cl100k_base"]

WINDOW_DEFAULT: Final = 128_000
"""Tokens in the window of a model nobody has heard of."""

PERCENT_DEFAULT: Final = 120
"""Its tokens, in percent of the OpenAI count: rather too many than too few."""


@dataclass(frozen=True, slots=True)
class Model:
    """What is known of a model. `window` in tokens; `percent` of the OpenAI count are its tokens."""

    name: str
    family: str
    """The name in the table; empty for an unknown model."""
    provider: str
    """Empty for an unknown model."""
    window: int
    encoding: Encoding | None
    """The OpenAI encoding whose count is exact for it; None for a model that has none."""
    percent: int


_PERCENT: Final = {
    "openai": 100,
    "anthropic": 125,
    "google": 105,
    "mistral": 115,
    "deepseek": 110,
    "meta": 110,
    "qwen": 115,
    "xai": 110,
    "cohere": 105,
    "amazon": 120,
    "moonshot": 110,
    "zhipu": 115,
    "minimax": 110,
    "microsoft": 110,
    "nvidia": 110,
    "perplexity": 110,
}
"""By provider. Cautious round figures; see above."""

_DENSER: Final = {"llama-2": 125, "mixtral": 125, "mistral-7b": 125, "codellama": 125, "open-mistral-7b": 125}
"""By family, where it differs from its provider's: vocabularies of 32,000."""

_WINDOWS: Final[dict[str, dict[int, str]]] = {
    "openai": {
        8_192: "gpt-4 gpt-4-0314 gpt-4-0613 computer-use-preview text-embedding-3-large text-embedding-3-small "
        "text-embedding-ada-002",
        16_385: "gpt-3.5-turbo gpt-35-turbo",
        32_000: "gpt-4o-realtime gpt-realtime",
        32_768: "gpt-4-32k",
        128_000: "gpt-4o chatgpt-4o gpt-4-turbo gpt-4-vision gpt-4-1106 gpt-4-0125 gpt-4.5 gpt-5-chat o1-mini "
        "o1-preview gpt-audio gpt-5.3",
        131_072: "gpt-oss",
        200_000: "o1 o1-pro o3 o3-mini o3-pro o4-mini codex-mini",
        400_000: "gpt-5 gpt-5.1 gpt-5.2 gpt-5.3-codex gpt-5.4-mini gpt-5.4-nano",
        1_000_000: "gpt-5.5",
        1_047_576: "gpt-4.1",
        1_050_000: "gpt-5.4 gpt-5.6 gpt-6 gpt-6.1",
    },
    "anthropic": {
        100_000: "claude-instant claude-2.0",
        200_000: "claude",
        1_000_000: "claude-opus-4-6 claude-opus-4-7 claude-opus-4-8 claude-opus-5 claude-sonnet-4-6 claude-sonnet-5 "
        "claude-opus-4.6 claude-opus-4.7 claude-opus-4.8 claude-sonnet-4.6",
    },
    "google": {
        8_192: "gemma gemma-2",
        32_768: "gemini-pro gemini-1.0",
        131_072: "gemma-3",
        262_144: "gemma-4",
        1_048_576: "gemini",
        2_097_152: "gemini-1.5-pro gemini-pro-1.5",
    },
    "mistral": {
        32_768: "mixtral mistral-7b open-mistral-7b mistral-tiny codestral-mamba",
        65_536: "mixtral-8x22b open-mixtral-8x22b",
        131_072: "mistral ministral magistral pixtral devstral",
        256_000: "codestral",
        262_144: "mistral-large-2512 mistral-large-3 devstral-2512 devstral-2 mistral-small-2603",
    },
    "deepseek": {64_000: "deepseek-chat deepseek-reasoner", 128_000: "deepseek", 1_000_000: "deepseek-v4"},
    "meta": {
        4_096: "llama-2 llama2",
        8_192: "llama-3 llama3 meta-llama-3",
        16_384: "codellama",
        131_072: "llama llama-3.1 llama-3.2 llama-3.3 llama3.1 llama3.2 llama3.3 llama3-1 llama3-2 llama3-3 "
        "llama-3_1 llama-3_3 meta-llama-3.1 meta-llama-3.3 meta-llama",
        1_048_576: "llama-4 llama4",
        10_000_000: "llama-4-scout llama4-scout",
    },
    "qwen": {
        32_768: "qwen-max qwen2.5 qwen2.5-vl qwq",
        131_072: "qwen qwen-plus qwen-turbo qwen3 qwen-3",
        262_144: "qwen3-coder qwen3-next qwen3-max qwen3.5 qwen3.6 qwen3-235b-a22b-instruct-2507 "
        "qwen3-235b-a22b-thinking-2507",
    },
    "xai": {
        32_768: "grok-2-vision",
        131_072: "grok grok-2 grok-3",
        256_000: "grok-4 grok-code",
        2_000_000: "grok-4-fast grok-4-1-fast",
    },
    "cohere": {4_096: "command command-light", 128_000: "command-r command-r7b c4ai", 256_000: "command-a"},
    "amazon": {128_000: "nova-micro", 300_000: "nova nova-lite nova-pro", 1_000_000: "nova-premier nova-2"},
    "moonshot": {131_072: "kimi kimi-k2 moonshot", 262_144: "kimi-k2-0905 kimi-k2-thinking kimi-k2-turbo kimi-k2.5"},
    "zhipu": {128_000: "glm glm-4", 131_072: "glm-4.5", 200_000: "glm-4.6 glm-4.7 glm-5"},
    "minimax": {204_800: "minimax minimax-m2", 1_000_000: "minimax-01 minimax-m1 minimax-m3"},
    "microsoft": {16_384: "phi-4", 131_072: "phi phi-3 phi-3.5 phi-4-mini phi-4-multimodal"},
    "nvidia": {131_072: "nemotron llama-3.1-nemotron llama-3.3-nemotron"},
    "perplexity": {128_000: "sonar sonar-reasoning", 200_000: "sonar-pro"},
}
"""Tokens in the window of each family, as the providers publish them."""

_CL100K: Final = frozenset(
    (
        *("gpt-4", "gpt-4-0314", "gpt-4-0613", "gpt-4-32k", "gpt-4-turbo", "gpt-4-vision", "gpt-4-1106", "gpt-4-0125"),
        *("gpt-3.5-turbo", "gpt-35-turbo"),
        *("text-embedding-3-large", "text-embedding-3-small", "text-embedding-ada-002"),
    )
)
"""OpenAI's families from before o200k."""

_FAMILIES: Final[dict[str, tuple[str, int]]] = {
    family: (provider, window)
    for provider, windows in _WINDOWS.items()
    for window, families in windows.items()
    for family in families.split()
}


def model_of(name: str) -> Model:
    """What is known of the model of that name; never fails for a name, raises InvalidArgumentError for what is none.

    >>> model_of("gpt-4o-2024-08-06").window, model_of("claude-sonnet-4-5").percent, model_of("mine").family
    (128000, 125, '')
    """
    return _model_of(checked_name(name))


@lru_cache(maxsize=256)
def _model_of(name: str) -> Model:
    family = longest_match(name, _FAMILIES)
    if family is None:
        return Model(name, "", "", WINDOW_DEFAULT, None, PERCENT_DEFAULT)
    provider, window = _FAMILIES[family]
    encoding: Encoding | None = None
    if provider == "openai":
        encoding = "cl100k_base" if family in _CL100K else "o200k_base"
    return Model(name, family, provider, window, encoding, _DENSER.get(family, _PERCENT[provider]))
