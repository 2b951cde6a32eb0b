"""Registered classes of every kind, and objects of them."""

import dataclasses
import enum
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, PrivateAttr, RootModel

from backpack.codec import register


@register
class Point(NamedTuple):
    x: int
    y: Any = 5


@register
class Color(enum.Enum):
    RED = "r"
    ALSO_RED = "r"
    BLUE = object()


@register
class Count(enum.IntEnum):
    ONE = 1


@register
class Word(enum.StrEnum):
    HI = "hi"


@register
class Access(enum.Flag):
    READ = 1
    WRITE = 2


@register
class Mode(enum.IntFlag):
    A = 1
    B = 4


@register
@dataclasses.dataclass
class Finding:
    handle: Any
    tags: list[Any] = dataclasses.field(default_factory=list)
    made: int = dataclasses.field(init=False, default=1)
    unset: int = dataclasses.field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        self.made += 1


@register
@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    a: Any


@register
@dataclasses.dataclass(frozen=True)
class Derived(Frozen):
    b: int = 2


@register
class Model(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: Any
    size: int = 3
    _secret: int = PrivateAttr(default=7)


@register
class Root(RootModel[list[int]]):
    pass


class Box:
    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __eq__(self, other: object) -> bool:
        return type(other) is Box and other.inner == self.inner

    def __hash__(self) -> int:
        return 1


register(Box, name="box", encode=lambda box: box.inner, decode=Box)


class MyDict(dict[Any, Any]):
    pass


register(MyDict, encode=dict, decode=MyDict)

OBJECTS: list[Any] = [
    Point(1),
    Point(1, [2, (3,)]),
    Color.RED,
    Color.ALSO_RED,
    Color.BLUE,
    Count.ONE,
    Word.HI,
    Access.READ | Access.WRITE,
    Access(0),
    Mode.A | Mode.B,
    Mode(8),
    Finding({"a": (1,)}),
    Finding(bytearray(b"x"), ["\ud800"]),
    Frozen((1,)),
    Derived(1, 3),
    Model(name="n", other=[1]),
    Model(name=(1, b"x")),
    Root([1, 2]),
    Box(1),
    Box(Box([Box(None)])),
    MyDict(a=(1,)),
    MyDict(),
]
