"""A batch of operations as LangGraph hands them over: checked, sorted by what they do, doubles taken out.

All reads of a batch come before its puts, wherever they stand in it, and of several puts of one item the last one
counts: as `InMemoryStore` has it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from langgraph.store.base import (
    GetOp,
    InvalidNamespaceError,
    ListNamespacesOp,
    MatchCondition,
    Op,
    PutOp,
    SearchOp,
)

from backpack.errors import InvalidArgumentError
from backpack.integrations.langgraph.store_expiry import checked_minutes
from backpack.integrations.langgraph.store_names import Namespace, name_of, shelf_of
from backpack.integrations.langgraph.store_records import Index
from backpack.store.names import checked_items, checked_mapping, checked_whole


@dataclass(frozen=True, slots=True)
class Put:
    """An item to be put, or (`value` None) to be deleted."""

    name: str
    shelf: str
    namespace: Namespace
    key: str
    value: dict[str, Any] | None
    index: Index
    minutes: float | None


@dataclass(slots=True)
class Batch:
    """The operations of one batch, with their places in it."""

    count: int = 0
    gets: list[tuple[int, GetOp]] = field(default_factory=list)
    searches: list[tuple[int, SearchOp]] = field(default_factory=list)
    listings: list[tuple[int, ListNamespacesOp]] = field(default_factory=list)
    puts: dict[str, Put] = field(default_factory=dict)

    @property
    def queries(self) -> list[str]:
        """What is asked for in words, each once."""
        return list(dict.fromkeys(op.query for _, op in self.searches if op.query))

    @property
    def is_quick(self) -> bool:
        """Does it take no longer than a few items do?"""
        return not self.listings and all(not op.filter and not op.query for _, op in self.searches)


def batch_of(ops: Iterable[Op]) -> Batch:
    """The batch. `InvalidNamespaceError`, `InvalidArgumentError`, and ValueError for an operation that there isn't."""
    batch = Batch()
    for number, op in enumerate(checked_items("ops", ops, "operations")):
        batch.count += 1
        if isinstance(op, GetOp):
            checked_namespace(op.namespace)
            batch.gets.append((number, op))
        elif isinstance(op, SearchOp):
            checked_namespace(op.namespace_prefix)
            _check_page(op)
            if op.filter is not None:
                checked_mapping("filter", op.filter)
            if op.query is not None and not isinstance(op.query, str):
                raise InvalidArgumentError(f"query must be a str, not {type(op.query).__name__}")
            batch.searches.append((number, op))
        elif isinstance(op, ListNamespacesOp):
            _check_page(op)
            if op.max_depth is not None:
                checked_whole("max_depth", op.max_depth, None)
            for condition in op.match_conditions or ():
                checked_namespace(condition.path)
                if condition.match_type not in ("prefix", "suffix"):
                    raise ValueError(f"Unsupported match type: {condition.match_type}")
            batch.listings.append((number, op))
        elif isinstance(op, PutOp):
            put = _put_of(op)
            batch.puts[put.name] = put
        else:
            raise ValueError(f"Unknown operation type: {type(op)}")
    return batch


def checked_namespace(namespace: Any) -> Namespace:
    """A namespace, or `InvalidNamespaceError`. What labels may hold, LangGraph's own methods check before."""
    if (
        isinstance(namespace, str)
        or not isinstance(namespace, Iterable)
        or not all(isinstance(label, str) for label in namespace)
    ):
        raise InvalidNamespaceError(f"Namespace labels must be strings. Got {type(namespace).__name__}.")
    return tuple(namespace)


def listed(namespaces: Iterable[Namespace], op: ListNamespacesOp) -> list[Namespace]:
    """Those of the namespaces that an operation asks for, sorted."""
    found: Iterable[Namespace] = (
        one for one in namespaces if all(_does_match(condition, one) for condition in op.match_conditions or ())
    )
    if op.max_depth is not None:
        found = {namespace[: op.max_depth] for namespace in found}
    return sorted(found)[op.offset : op.offset + op.limit]


def literal_prefix(op: ListNamespacesOp) -> Namespace:
    """What all that an operation asks for begins with."""
    longest: Namespace = ()
    for condition in op.match_conditions or ():
        if condition.match_type == "prefix":
            labels = tuple(_until_star(condition.path))
            longest = max(longest, labels, key=len)
    return longest


def _check_page(op: SearchOp | ListNamespacesOp) -> None:
    """Negative ones mean what they mean to `InMemoryStore`: they are counted from the end."""
    checked_whole("limit", op.limit, None)
    checked_whole("offset", op.offset, None)


def _put_of(op: PutOp) -> Put:
    namespace, key = checked_namespace(op.namespace), str(op.key)
    shelf = shelf_of(namespace)
    name = name_of(shelf, key)
    if op.value is None:
        return Put(name, shelf, namespace, key, None, None, None)
    if not hasattr(op.value, "keys"):
        raise InvalidArgumentError(f"the value of an item must be a dict: type={type(op.value).__name__}")
    index: Index = None
    if op.index is False:
        index = False
    elif op.index is not None:
        if not isinstance(op.index, list | tuple) or not all(isinstance(path, str) for path in op.index):
            raise InvalidArgumentError("index must be False, None or a list of paths, such as ['text']")
        index = tuple(op.index)
    minutes = None if op.ttl is None else checked_minutes(op.ttl)
    return Put(name, shelf, namespace, key, dict(op.value), index, minutes)


def _until_star(path: Iterable[str]) -> Iterator[str]:
    for label in path:
        if label == "*":
            return
        yield label


def _does_match(condition: MatchCondition, namespace: Namespace) -> bool:
    """Does a namespace begin or end so? A star stands for any one label."""
    path = condition.path
    if len(namespace) < len(path):
        return False
    part = namespace[: len(path)] if condition.match_type == "prefix" else namespace[len(namespace) - len(path) :]
    return all(wanted in ("*", label) for label, wanted in zip(part, path, strict=True))
