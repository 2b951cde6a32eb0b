"""Classes of the user's own: which may be stored, under which name, and how.

A registered object is stored as an extension with the body `[name, part...]`. `RECORD` is written by the adapters
of this module; its parts stand where the object stands, so a chain of 256 dataclasses is 256 deep. `CUSTOM` is
written by a user's `encode` function; its one part is the value that function returned, one level further in.

Only names that were registered in this process are ever looked up; nothing is imported because bytes name it.
The table is replaced under a lock and read without one.
"""

import dataclasses
import enum
import threading
from collections.abc import Callable
from typing import Any, Final, TypeVar, overload

from msgpack import ExtType, Timestamp

from backpack.codec.extensions import (
    CONTAINERS,
    CUSTOM,
    FORGED,
    LEAVES,
    PLAIN,
    RECORD,
    RawExtension,
    Refusal,
    type_name,
)
from backpack.errors import BackpackError, CorruptionError, InvalidArgumentError, UnstorableValueError
from backpack.limits import NAME_SIZE_MAX

Encoder = Callable[[Any], Any]
Decoder = Callable[[Any], Any]
C = TypeVar("C", bound=type)

_BUILTIN_BASES: Final = (
    int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset, BaseException,
)  # fmt: skip
"""Bases that hold content of their own, which the adapter of a dataclass would lose."""


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """How one class is stored. `to_parts` and `from_parts` are each other's inverse."""

    cls: type
    name: str
    code: int
    to_parts: Callable[[Any], list[Any]]
    from_parts: Callable[[list[Any]], Any]

    def state(self, value: Any) -> list[Any]:
        """`[name, part...]`; raises `Refusal`, in words that cannot hold a value of the user's."""
        reason = ""
        try:
            return [self.name, *self.to_parts(value)]
        except RecursionError:
            raise
        except Exception as error:
            reason = f"the encode function of {type_name(self.cls)} raised {type_name(type(error))}"
        raise Refusal(reason, "have it return a value that can be stored")

    def build(self, parts: list[Any]) -> Any:
        """The object; raises `CorruptionError`, naming class and exception, when the parts do not make one."""
        reason = ""
        try:
            return self.from_parts(parts)
        except BackpackError:
            raise
        except Exception as error:
            reason = f"the decode function of {type_name(self.cls)} raised {type_name(type(error))}"
        raise CorruptionError(reason)


_lock = threading.Lock()
_by_class: dict[type, Entry] = {}
_by_name: dict[str, Entry] = {}


def renew_lock() -> None:
    """This is a forked child, and who held the lock may not be here."""
    global _lock
    _lock = threading.Lock()


def entry_of_class(cls: type) -> Entry | None:
    return _by_class.get(cls)


def entry_of_name(name: Any) -> Entry | None:
    return _by_name.get(name) if type(name) is str else None


@overload
def register(cls: C, *, name: str | None = None, encode: Encoder | None = None, decode: Decoder | None = None) -> C: ...
@overload
def register(
    cls: None = None, *, name: str | None = None, encode: Encoder | None = None, decode: Decoder | None = None
) -> Callable[[C], C]: ...
def register(
    cls: Any = None, *, name: str | None = None, encode: Encoder | None = None, decode: Decoder | None = None
) -> Any:
    """Let objects of exactly this class be stored; returns the class, so it also serves as a decorator.

    Named tuples, enums, dataclasses and pydantic models need nothing more. Any other class needs `encode`, which
    takes the object and returns a storable value, and `decode`, which takes that value back. `name` is what is
    stored; it defaults to module and qualified name, so give one when the class may move.

    Classes may evolve. By field name: a field that stored bytes lack gets its default, and without one the read
    raises `CorruptionError`; a stored field that the class no longer has is left out. Dataclasses and models are
    restored without calling `__init__` or any validator. A class registered under a second name is written under
    the newer and read under both.

    Raises `UnstorableValueError` (a TypeError) for what is no class, is storable anyway, or needs functions;
    `InvalidArgumentError` (a ValueError) for a bad name or one that another class has. A class of the same module and
    qualified name is no other: it takes the place of the earlier one, of which objects can still be written.
    """
    if cls is None:
        return lambda cls: register(cls, name=name, encode=encode, decode=decode)
    if not isinstance(cls, type):
        what = f"only a class can be registered, and this is an object: type={type_name(type(cls))}"
        raise UnstorableValueError(f"{what}; give its class", path="")
    if _is_storable_type(cls):
        what = f"this class needs no registration and allows none: class={type_name(cls)}"
        raise UnstorableValueError(f"{what}; pack its objects as they are", path="")
    if (encode is None) != (decode is None):
        raise UnstorableValueError("encode and decode belong together: give both or neither", path="")
    name = _checked_name(f"{cls.__module__}.{cls.__qualname__}" if name is None else name)
    if encode is not None and decode is not None:
        if not (callable(encode) and callable(decode)):
            raise UnstorableValueError("encode and decode must be callable: give functions", path="")
        entry = _custom(cls, name, encode, decode)
    else:
        entry = _adapted(cls, name)
    with _lock:
        taken = _by_name.get(name)
        if taken is not None and not _is_redefined(taken.cls, cls):
            raise InvalidArgumentError(f"the name of another registered class: name={name!r}; give name=")
        _by_name[name] = entry
        _by_class[cls] = entry
    return cls


def _is_redefined(old: type, new: type) -> bool:
    """Whether they are one class, or one definition that was run twice, as when a notebook's cell is run again."""
    return old is new or (old.__module__, old.__qualname__) == (new.__module__, new.__qualname__)


def _is_storable_type(cls: type) -> bool:
    if cls in PLAIN or cls is bytes or cls in LEAVES or cls in CONTAINERS or cls in FORGED or cls is RawExtension:
        return True
    return cls.__module__.partition(".")[0] == "numpy" or cls in (ExtType, Timestamp, type(...), type(NotImplemented))


def _checked_name(name: Any) -> str:
    try:
        size = len(name.encode("utf-8")) if type(name) is str else 0
    except UnicodeEncodeError:
        size = 0
    if not 0 < size <= NAME_SIZE_MAX:
        raise InvalidArgumentError(f"a name is a non-empty str of at most {NAME_SIZE_MAX} bytes of UTF-8")
    return str(name)


# -- adapters ----------------------------------------------------------------------------------------------


def _custom(cls: type, name: str, encode: Encoder, decode: Decoder) -> Entry:
    def from_parts(parts: list[Any]) -> Any:
        (state,) = parts
        return decode(state)

    return Entry(cls, name, CUSTOM, lambda value: [encode(value)], from_parts)


def _adapted(cls: type, name: str) -> Entry:
    if issubclass(cls, enum.Flag):
        return Entry(cls, name, RECORD, lambda value: [int(value.value)], lambda parts: _flag(cls, parts))
    if issubclass(cls, enum.Enum):
        return Entry(cls, name, RECORD, lambda value: [value.name], lambda parts: _member(cls, parts))
    if issubclass(cls, tuple) and hasattr(cls, "_fields") and hasattr(cls, "_field_defaults"):
        to_parts, from_parts = _named_tuple(cls)
    elif "__dataclass_fields__" in cls.__dict__ and not issubclass(cls, _BUILTIN_BASES):
        to_parts, from_parts = _dataclass(cls)
    elif any(base.__module__ == "pydantic.main" and base.__name__ == "BaseModel" for base in cls.__mro__):
        to_parts, from_parts = _model(cls)
    else:
        what = f"nothing tells how objects of this class are stored: class={type_name(cls)}"
        raise UnstorableValueError(f"{what}; give encode and decode", path="")
    return Entry(cls, name, RECORD, to_parts, from_parts)


def _flag(cls: type[enum.Flag], parts: list[Any]) -> enum.Flag:
    (value,) = parts
    if type(value) is not int:
        raise CorruptionError(f"a stored {type_name(cls)} is no number")
    return cls(value)


def _member(cls: type[enum.Enum], parts: list[Any]) -> enum.Enum:
    (name,) = parts
    member = cls.__members__.get(name) if type(name) is str else None
    if member is None:
        raise CorruptionError(f"a stored member of {type_name(cls)} is not in the class")
    return member


def _fields_of(cls: type, parts: list[Any]) -> dict[str, Any]:
    (fields,) = parts
    if type(fields) is not dict:
        raise CorruptionError(f"the stored fields of {type_name(cls)} are no dict")
    return fields


def _missing(cls: type, field: str) -> CorruptionError:
    return CorruptionError(f"a stored {type_name(cls)} lacks a field that has no default: field={field!r}")


def _named_tuple(cls: Any) -> tuple[Callable[[Any], list[Any]], Callable[[list[Any]], Any]]:
    names, defaults = cls._fields, cls._field_defaults

    def from_parts(parts: list[Any]) -> Any:
        fields = {**defaults, **_fields_of(cls, parts)}
        for name in names:
            if name not in fields:
                raise _missing(cls, name)
        return tuple.__new__(cls, [fields[name] for name in names])

    return lambda value: [dict(zip(names, value, strict=True))], from_parts


def _dataclass(cls: type) -> tuple[Callable[[Any], list[Any]], Callable[[list[Any]], Any]]:
    names = [field.name for field in dataclasses.fields(cls)]

    def to_parts(value: Any) -> list[Any]:
        return [{name: getattr(value, name) for name in names if hasattr(value, name)}]

    def from_parts(parts: list[Any]) -> Any:
        stored = _fields_of(cls, parts)
        made: Any = object.__new__(cls)
        for field in dataclasses.fields(cls):
            if field.name in stored:
                object.__setattr__(made, field.name, stored[field.name])
            elif field.default is not dataclasses.MISSING:
                object.__setattr__(made, field.name, field.default)
            elif field.default_factory is not dataclasses.MISSING:
                object.__setattr__(made, field.name, field.default_factory())
            elif field.init:
                raise _missing(cls, field.name)
        return made

    return to_parts, from_parts


def _model(cls: Any) -> tuple[Callable[[Any], list[Any]], Callable[[list[Any]], Any]]:
    """Pydantic 2.10 or later, never imported here: `[__dict__, fields set, extra, private]`, as its own pickling."""

    def to_parts(value: Any) -> list[Any]:
        private = value.__pydantic_private__
        if private is not None:
            private = {k: v for k, v in private.items() if type(v).__name__ != "PydanticUndefinedType"}
        extra = value.__pydantic_extra__
        return [dict(value.__dict__), sorted(value.__pydantic_fields_set__), extra and dict(extra), private]

    def from_parts(parts: list[Any]) -> Any:
        stored, fields_set, extra, private = parts
        if type(stored) is not dict or type(fields_set) is not list:
            raise CorruptionError(f"the stored parts of {type_name(cls)} are of the wrong type")
        declared = cls.__pydantic_fields__
        fields = {name: value for name, value in stored.items() if name in declared or hasattr(cls, str(name))}
        for name, field in declared.items():
            if name not in fields:
                if field.is_required():
                    raise _missing(cls, name)
                fields[name] = field.get_default(call_default_factory=True, validated_data=fields)
        made = object.__new__(cls)
        object.__setattr__(made, "__dict__", fields)
        object.__setattr__(made, "__pydantic_fields_set__", set(fields_set))
        object.__setattr__(made, "__pydantic_extra__", extra)
        object.__setattr__(made, "__pydantic_private__", private)
        return made

    return to_parts, from_parts
