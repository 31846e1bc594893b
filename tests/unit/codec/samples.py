"""One class of every kind that can be registered, under names that only these tests use."""

from __future__ import annotations

import enum
import functools
from dataclasses import InitVar, dataclass, field
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import pydantic

from milepost.codec import register

T = TypeVar("T")


class Colour(enum.Enum):
    RED = "red"
    GREEN = ("green", 2)
    ROUGE = "red"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Name(enum.StrEnum):
    FIRST = "first"


class Right(enum.Flag):
    READ = enum.auto()
    WRITE = enum.auto()


class Mask(enum.IntFlag, boundary=enum.KEEP):
    ONE = 1
    TWO = 2


@dataclass
class Point:
    x: Any
    y: Any = None


@dataclass(frozen=True, slots=True)
class Span:
    first: Any
    last: Any


@dataclass
class Odd:
    """Everything a dataclass may do besides holding its fields."""

    shared: ClassVar[int] = 7
    start: InitVar[int]
    total: int = field(init=False)
    fixed: int = field(init=False, default=3)
    notes: list[Any] = field(default_factory=list, compare=False, repr=False)

    def __post_init__(self, start: int) -> None:
        self.total = start + 1

    @functools.cached_property
    def doubled(self) -> int:
        return self.total * 2


@dataclass
class Base:
    a: Any


@dataclass
class Derived(Base):
    b: Any


@dataclass
class Box(Generic[T]):
    content: T


class Pair(NamedTuple):
    left: Any
    right: Any = 0


class Part(pydantic.BaseModel):
    size: int
    label: str = "none"


class Whole(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow", arbitrary_types_allowed=True)

    part: Part
    parts: list[Part] = []
    anything: Any = None
    _secret: int = pydantic.PrivateAttr(default=5)
    _unset: int = pydantic.PrivateAttr()

    @functools.cached_property
    def area(self) -> int:
        return self.part.size**2


class Frozen(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True)

    value: Any


class Roots(pydantic.RootModel[list[int]]):
    pass


class Checked(pydantic.BaseModel):
    """A model whose validator would refuse, or change, what it is given a second time."""

    value: int

    @pydantic.field_validator("value")
    @classmethod
    def _double(cls, value: int) -> int:
        return value * 2


CLASSES: dict[str, type] = {
    "tests.colour": Colour,
    "tests.level": Level,
    "tests.name": Name,
    "tests.right": Right,
    "tests.mask": Mask,
    "tests.point": Point,
    "tests.span": Span,
    "tests.odd": Odd,
    "tests.base": Base,
    "tests.derived": Derived,
    "tests.box": Box,
    "tests.pair": Pair,
    "tests.part": Part,
    "tests.whole": Whole,
    "tests.frozen": Frozen,
    "tests.roots": Roots,
    "tests.checked": Checked,
}

for _name, _class in CLASSES.items():
    register(_class, _name)
