"""Search by vectors: which texts of a value are embedded, and how near stored vectors are to that of a query.

Scores are cosines, as `InMemoryStore` has them, in floats of 8 bytes; with numpy where it is installed, else in Python,
which takes 50 times as long. A vector without length, or of another length than the query's (made by another model),
is near nothing.
"""

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from math import sqrt
from typing import Any, Final

from langchain_core.embeddings import Embeddings
from langgraph.store.base import IndexConfig, ensure_embeddings, get_text_at_path, tokenize_path

from backpack.codec import pack_value
from backpack.errors import InvalidArgumentError
from backpack.integrations.langgraph.store_records import ITEM_SIZES, Index, Vector, vector_length
from backpack.memory.rendering import text_of_value
from backpack.store.names import checked_callable, checked_mapping, checked_whole

_WHOLE: Final = "$"
_TYPES: Final = {"f": "<f4", "d": "<f8"}
Paths = list[tuple[str, str | list[str]]]


class Indexing:
    """What is searched of values, and by what: vectors where something makes them, else words."""

    def __init__(self, config: IndexConfig | None) -> None:
        """`config`: as LangGraph has it; without `embed` its fields are searched by words."""
        if config is not None:
            checked_mapping("index", config)
        self.config = None if config is None else config.copy()
        fields = None if config is None else config.get("fields")
        if (
            not isinstance(fields, Iterable | None)
            or isinstance(fields, str)
            or not all(isinstance(field, str) for field in fields or ())
        ):
            raise InvalidArgumentError("index['fields'] must be a list of paths, such as ['text', 'notes[*].body']")
        self.fields = tuple(fields or (_WHOLE,))
        self.is_whole = self.fields == (_WHOLE,)
        """Is all of a value searched?"""
        self._paths = _tokenized(self.fields)
        embed = None if config is None else config.get("embed")
        if embed is not None and not isinstance(embed, str | Embeddings):
            checked_callable("index['embed']", embed)
        self.embeddings: Embeddings | None = None if embed is None else ensure_embeddings(embed)
        if config is not None and config.get("dims") is not None:
            checked_whole("index['dims']", config["dims"], 1)
        self._dims = None if config is None or self.embeddings is None else config.get("dims")

    def texts(self, value: Mapping[str, Any], index: Index) -> dict[str, str]:
        """What is embedded of a value, by paths."""
        if index is False:
            return {}
        found: dict[str, str] = {}
        plain = as_json(value)
        for path, tokens in self._paths if index is None else _tokenized(index):
            texts = get_text_at_path(plain, tokens)
            found.update((path if len(texts) == 1 else f"{path}.{number}", text) for number, text in enumerate(texts))
        return found

    def checked(self, texts: Sequence[str], vectors: Any) -> dict[str, Sequence[float]]:
        """The vectors by their texts; `InvalidArgumentError` when they are not what was asked for."""
        vectors = list(vectors)
        if len(vectors) != len(texts):
            raise InvalidArgumentError(
                f"one embedding is wanted for each text: texts={len(texts)} embeddings={len(vectors)}; "
                "look at what `embed` returns"
            )
        for vector in vectors:
            self.check(vector)
        return dict(zip(texts, vectors, strict=True))

    def check(self, vector: Sequence[float]) -> None:
        """Refuse a vector that is not as long as the index says."""
        if self._dims is not None and len(vector) != self._dims:
            raise InvalidArgumentError(
                f"an embedding is not as long as the index says: dims={self._dims} length={len(vector)}; "
                "set index['dims'] to what `embed` returns"
            )


def as_json(value: Mapping[str, Any]) -> Any:
    """The value as JSON can say it: what it can't is a text. `UnstorableValueError` for one that can't be stored."""
    try:
        return json.loads(json.dumps(dict(value), default=str, skipkeys=True))
    except (ValueError, RecursionError):  # packing tells what contains itself or is too deep; integers may be too long
        pack_value({"value": dict(value)})
    return json.loads(text_of_value(dict(value)))


def scores(query: Sequence[float], vectors: Sequence[Vector]) -> list[float]:
    """How near each vector is to the query's, from -1 to 1. Cost: 1 ns a number with numpy."""
    if not vectors:
        return []
    if find_spec("numpy") is None:
        return scores_in_python(query, vectors)
    return scores_by_numpy(query, vectors)


def scores_by_numpy(query: Sequence[float], vectors: Sequence[Vector]) -> list[float]:
    """The same, by numpy."""
    import numpy as np

    wanted = np.array(query, dtype=np.float64)
    found = np.zeros(len(vectors))
    with np.errstate(all="ignore"):
        length = float(np.linalg.norm(wanted))
    for code in _TYPES:
        size = len(wanted) * ITEM_SIZES[code]
        numbers = [number for number, (other, data) in enumerate(vectors) if other == code and len(data) == size]
        if not numbers or not length:
            continue
        joined = np.frombuffer(b"".join([vectors[number][1] for number in numbers]), dtype=_TYPES[code])
        rows = joined.astype(np.float64, copy=False).reshape(len(numbers), len(wanted))
        with np.errstate(all="ignore"):
            cosines = np.dot(rows, wanted) / (np.linalg.norm(rows, axis=1) * length)
        found[numbers] = np.where(np.isfinite(cosines), cosines, 0.0)
    return [float(score) for score in found]


def scores_in_python(query: Sequence[float], vectors: Iterable[Vector]) -> list[float]:
    """The same, without numpy."""
    length = sqrt(sum(number * number for number in query))
    return [_cosine(query, length, vector) for vector in vectors]


def _cosine(query: Sequence[float], length: float, vector: Vector) -> float:
    if vector_length(vector) != len(query):
        return 0.0
    numbers = struct.unpack(f"<{len(query)}{vector[0]}", vector[1])
    product = length * sqrt(sum(number * number for number in numbers))
    cosine = sum(one * other for one, other in zip(query, numbers, strict=True)) / product if product else 0.0
    return cosine if -2 < cosine < 2 else 0.0  # no number, where one of them was none


def _tokenized(paths: Iterable[str]) -> Paths:
    return [(path, path if path == _WHOLE else tokenize_path(path)) for path in paths]
