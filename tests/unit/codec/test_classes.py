"""Instances of registered classes come back whole, without running their constructors."""

from __future__ import annotations

import abc
import enum
from collections import namedtuple
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from milepost.codec import decode, encode, register
from milepost.errors import InvalidArgument, NotDecodable, NotEncodable
from tests.unit.codec import samples as s
from tests.unit.codec.sameness import same


def touched(odd: s.Odd) -> s.Odd:
    assert odd.doubled == 2 * odd.total
    return odd


def with_area(whole: s.Whole) -> s.Whole:
    assert whole.area == whole.part.size**2
    return whole


INSTANCES: list[Any] = [
    s.Colour.RED,
    s.Colour.ROUGE,
    s.Colour.GREEN,
    s.Level.HIGH,
    s.Name.FIRST,
    s.Right.READ,
    s.Right(0),
    s.Right.READ | s.Right.WRITE,
    s.Mask.ONE,
    s.Mask(64 | 1),
    s.Mask(1 << 80),
    [s.Level.LOW, 1],
    {s.Colour.RED: {s.Name.FIRST}},
    s.Point(1, (2, {3})),
    s.Point(s.Point(None)),
    s.Span([1], {"a": s.Span(1, 2)}),
    {s.Span(1, 2), s.Span(1, "x")},
    s.Odd(5),
    touched(s.Odd(6)),
    s.Odd(1, [s.Odd(2)]),
    s.Base(1),
    s.Derived(1, (2,)),
    s.Box(s.Box({1: 2})),
    s.Pair(1),
    s.Pair((1,), s.Pair(2)),
    [s.Pair(1, 2), (1, 2)],
    s.Part(size=1),
    s.Part(size=1, label="none"),
    s.Whole(part=s.Part(size=2), parts=[s.Part(size=3)], anything=(1, {2})),
    s.Whole.model_validate({"part": {"size": 2}, "more": (1,), "$milepost": 5, "x y": b"z"}),
    with_area(s.Whole(part=s.Part(size=4))),
    s.Frozen(value={1: s.Colour.RED}),
    s.Roots([1, 2]),
    s.Checked(value=3),
    s.Checked.model_construct(value="no int"),
]


@pytest.mark.parametrize("value", INSTANCES, ids=lambda value: type(value).__name__)
def test_instances_come_back(value: Any) -> None:
    """An instance of a registered class comes back equal and of its class, and is written again as the same bytes."""
    data = encode(value)
    assert same(decode(data), value)
    assert decode(data) == value
    assert encode(decode(data)) == data


def test_private_attributes_come_back() -> None:
    """Private attributes of a model come back, and unset ones stay unset."""
    whole = s.Whole(part=s.Part(size=1))
    whole._secret = 9
    loaded: Any = decode(encode(whole))
    assert loaded._secret == 9
    with pytest.raises(AttributeError):
        assert loaded._unset


def test_a_field_set_comes_back() -> None:
    """A model remembers which of its fields were given."""
    loaded: Any = decode(encode([s.Part(size=1), s.Part(size=1, label="none")]))
    assert [part.model_fields_set for part in loaded] == [{"size"}, {"size", "label"}]


def test_a_cached_property_is_computed_again() -> None:
    """A cached property is not stored, and does not stand in the way."""
    loaded: Any = decode(encode([touched(s.Odd(6)), with_area(s.Whole(part=s.Part(size=4)))]))
    assert "doubled" not in vars(loaded[0])
    assert "area" not in vars(loaded[1])
    assert (loaded[0].doubled, loaded[1].area) == (14, 16)


def without_x() -> s.Point:
    point = s.Point(1)
    del point.x
    return point


def with_more(instance: Any) -> Any:
    object.__setattr__(instance, "more", 1)
    return instance


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (partial(with_more, s.Point(1)), "attributes that are no fields (more)"),
        (partial(with_more, s.Checked(value=1)), "attributes that are no fields (more)"),
        (without_x, "a field that is not set"),
        (partial(s.Part.model_construct, label="x"), "a field that is not set"),
        (partial(tuple.__new__, s.Pair, [1, 2, 3]), "another length"),
        (partial(type("Sub", (s.Point,), {}), 1), "register(Sub"),
        (partial(type("SubPair", (s.Pair,), {}), 1), 'register(SubPair, "sub_pair")'),
    ],
)
def test_what_would_be_lost_is_refused(build: Any, reason: str) -> None:
    """An instance that holds more or less than its fields is refused."""
    with pytest.raises(NotEncodable) as caught:
        encode([build()])
    assert reason in caught.value.reason
    assert caught.value.path == "value[0]"


def test_an_unregistered_class_says_how(own_registry: None) -> None:
    """An unregistered class is refused with the very call that registers it."""

    @dataclass
    class HTTPSettings2:
        a: int = 1

    with pytest.raises(NotEncodable, match=r'milepost\.register\(HTTPSettings2, "httpsettings2"\)'):
        encode(HTTPSettings2())
    register(HTTPSettings2, "httpsettings2")
    assert decode(encode(HTTPSettings2())) == HTTPSettings2()


def test_a_class_defined_again_takes_the_place(own_registry: None) -> None:
    """A class that is defined again under its name replaces the older one, whose instances are then refused."""

    def define() -> Any:
        @dataclass
        class Cell:
            a: int = 1

        return Cell

    older, newer = define(), define()
    register(older, "cell")
    data = encode(older())
    register(newer, "cell")
    register(newer, "cell")
    assert type(decode(data)) is newer
    with pytest.raises(NotEncodable, match="older definition of Cell"):
        encode(older())


def test_a_name_belongs_to_one_class(own_registry: None) -> None:
    """One name means one class, and one class has one name."""
    with pytest.raises(InvalidArgument, match=r"'tests\.point' belongs to another class"):
        register(Fresh, "tests.point")
    with pytest.raises(InvalidArgument, match=r"Point is registered already, as 'tests\.point'"):
        register(s.Point, "point")
    register(s.Point, "tests.point")


class Fresh(enum.Enum):
    A = 1


@pytest.mark.parametrize("name", ["", "1a", "a b", "a/b", "\u00fc", "a" * 101, None, 5, "a\n"])
def test_names_are_checked(own_registry: None, name: Any) -> None:
    """A name is 1 to 100 harmless characters."""
    with pytest.raises(InvalidArgument, match="1 to 100 letters"):
        register(Fresh, name)


class Abstract(abc.ABC):
    @abc.abstractmethod
    def run(self) -> None: ...


@pytest.mark.parametrize(
    "cls",
    [
        int,
        dict,
        object,
        Exception,
        dataclass(type("D", (dict,), {})),
        dataclass(type("E", (Exception,), {})),
        dataclass(type("A", (Abstract,), {})),
        type("Plain", (), {}),
        s.Point(1),
        "Point",
        list[int],
    ],
    ids=str,
)
def test_other_classes_cannot_be_registered(own_registry: None, cls: Any) -> None:
    """A class whose instances are more than their fields, or have none, is refused when it is registered."""
    with pytest.raises(InvalidArgument):
        register(cls, "other")


def test_a_computed_field_cannot_be_registered(own_registry: None) -> None:
    """A dataclass whose field is a property is refused, because setting and reading it need not agree."""

    @dataclass
    class Late:
        a: int

    Late.a = property(lambda self: 1, lambda self, value: None)  # type: ignore[assignment]
    with pytest.raises(InvalidArgument, match="field a is a computed attribute"):
        register(Late, "late")
    instance = object.__new__(Late)
    with pytest.raises(NotEncodable, match="computed attribute"):
        encode(instance)


def test_slots_outside_the_fields_are_refused(own_registry: None) -> None:
    """A slot that is no field must be empty, or it would be lost."""

    class Base:
        __slots__ = ("hidden",)

    @dataclass(slots=True)
    class Slotted(Base):
        a: int

    register(Slotted, "slotted")
    instance: Any = Slotted(1)
    assert decode(encode(instance)) == instance
    instance.hidden = 1
    with pytest.raises(NotEncodable, match=r"no fields \(hidden\)"):
        encode(instance)


def test_classes_that_changed_say_so(own_registry: None) -> None:
    """What was stored for an older form of a class is refused with what differs."""
    plain = namedtuple("plain", "a b")  # noqa: PYI024  # untyped named tuples can be registered as well
    register(plain, "plain")
    data = encode(plain(1, 2))
    assert same(decode(data), plain(1, 2))
    register(namedtuple("plain3", "a c"), "plain3")  # noqa: PYI024  # as above
    with pytest.raises(NotDecodable, match="stored without c"):
        decode(data.replace(b'"plain"', b'"plain3"'))
    model = encode(s.Whole(part=s.Part(size=1)))
    with pytest.raises(NotDecodable, match="private attributes"):
        decode(model.replace(b"_secret", b"_older"))


def test_strange_enum_members_are_refused() -> None:
    """A member that its class does not know by name, or a flag without a number, is refused."""
    stray = object.__new__(s.Colour)
    stray._name_ = "RED"
    with pytest.raises(NotEncodable, match="no member of its class"):
        encode(stray)
    flag: Any = object.__new__(s.Right)
    flag._value_ = None
    with pytest.raises(NotEncodable, match="value is no int"):
        encode(flag)


def test_enums_with_any_values(own_registry: None) -> None:
    """A member is stored by its name, so its value may be anything."""

    class Tool(enum.Enum):
        FIRST = object()

    register(Tool, "tool")
    assert decode(encode(Tool.FIRST)) is Tool.FIRST
