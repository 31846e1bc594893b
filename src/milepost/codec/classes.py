"""How instances of registered classes are taken apart and put together: enums, dataclasses, models, named tuples.

Nothing here runs an ``__init__``, a ``__post_init__`` or a validator: an instance is given back the fields it was
saved with, because a constructor may compute something else the second time.
"""

from __future__ import annotations

import enum
import functools
import sys
from collections.abc import Callable
from types import MemberDescriptorType
from typing import Any, NamedTuple

from milepost.codec.form import Malformed, Refused, expect_dict, expect_int, expect_list, expect_str, require
from milepost.errors import InvalidArgument


class Shape(NamedTuple):
    """One kind of class: the parts of its tag, and the two ways between an instance and those parts.

    `take` raises Refused. `build` gets values already decoded; it raises Malformed or ValueError.
    """

    kind: str
    parts: tuple[str, ...]
    take: Callable[[Any], tuple[object, ...]]
    build: Callable[..., object]


def shape_of(cls: type) -> Shape | None:
    """Return how instances of *cls* are stored, or None if it is not of a kind that can be registered.

    Raises InvalidArgument for a class of such a kind whose instances hold more than their fields.
    """
    if issubclass(cls, enum.Flag):
        return Shape("flag", ("value",), functools.partial(_take_flag, cls), functools.partial(_build_flag, cls))
    if issubclass(cls, enum.Enum):
        return Shape("enum", ("name",), functools.partial(_take_enum, cls), functools.partial(_build_enum, cls))
    pydantic = sys.modules.get("pydantic")
    if pydantic is not None and issubclass(cls, getattr(pydantic, "BaseModel", ())):
        return _model_shape(cls, pydantic)
    if hasattr(cls, "__dataclass_fields__"):
        return _dataclass_shape(cls)
    names = getattr(cls, "_fields", None)
    if issubclass(cls, tuple) and type(names) is tuple and all(type(name) is str for name in names):
        take = functools.partial(_take_namedtuple, names)
        return Shape("namedtuple", ("fields",), take, functools.partial(_build_namedtuple, cls, names))
    return None


def _take_enum(cls: type[enum.Enum], member: enum.Enum) -> tuple[object, ...]:
    if cls.__members__.get(member._name_) is not member:
        raise Refused(f"{cls.__name__} that is no member of its class")
    return (member._name_,)


def _build_enum(cls: type[enum.Enum], name: object) -> enum.Enum:
    member = cls.__members__.get(expect_str(name))
    if member is None:
        raise Malformed(f"is a member that {cls.__name__} no longer has; bring the member back")
    return member


def _take_flag(cls: type[enum.Flag], flags: enum.Flag) -> tuple[object, ...]:
    if type(flags._value_) is not int:
        raise Refused(f"{cls.__name__} whose value is no int")
    return (flags._value_,)


def _build_flag(cls: type[enum.Flag], value: object) -> enum.Flag:
    try:
        flags = cls(expect_int(value))
    except ValueError:
        flags = None
    if type(flags) is not cls or flags._value_ != value:
        raise Malformed(f"holds bits that {cls.__name__} no longer has; bring the members back")
    return flags


def _same_fields(names: tuple[str, ...], stored: dict[Any, Any], cls: type) -> None:
    """Pass if *stored* has exactly the fields *names*. Raises Malformed that names what is missing."""
    missing = [name for name in names if name not in stored]
    if missing or len(stored) != len(names):
        lack = f"stored without {', '.join(missing)}" if missing else "stored with more fields"
        raise Malformed(
            f"is an instance of {cls.__name__} whose fields have changed since ({lack}); "
            "bring the class back to its stored form, or start the run again"
        )


def _refuse_unstored(instance: object, state: dict[str, Any], known: frozenset[str]) -> None:
    """Refuse an *instance* with attributes beyond the *known* ones, because they would be lost."""
    beyond = sorted(ascii(name)[1:-1][:60] for name in state if name not in known)
    if beyond:
        raise Refused(f"{type(instance).__name__} with attributes that are no fields ({', '.join(beyond[:5])})")


def _cached_names(cls: type) -> frozenset[str]:
    """Return the cached properties of *cls*: what they leave in an instance is computed again when asked for."""
    return frozenset(
        name
        for base in cls.__mro__
        for name, attribute in vars(base).items()
        if isinstance(attribute, functools.cached_property)
    )


def _instance_dict(instance: object) -> dict[str, Any]:
    try:
        state: dict[str, Any] = object.__getattribute__(instance, "__dict__")
    except AttributeError:
        return {}
    return state


def _dataclass_shape(cls: type) -> Shape:
    import dataclasses  # only a program that has dataclasses pays for it

    names = tuple(field.name for field in dataclasses.fields(cls))
    try:
        object.__new__(cls)
    except TypeError:
        raise InvalidArgument(
            f"{cls.__name__} cannot be registered: it is abstract, or it extends a built-in class whose content "
            "is not in its fields"
        ) from None
    slots: set[str] = set()
    for base in cls.__mro__:
        for name, attribute in vars(base).items():
            if isinstance(attribute, MemberDescriptorType):
                slots.add(name)
            elif name in names and hasattr(type(attribute), "__set__"):
                raise InvalidArgument(f"{cls.__name__} cannot be registered: its field {name} is a computed attribute")
    known = frozenset(names) | _cached_names(cls)
    take = functools.partial(_take_dataclass, names, known, tuple(sorted(slots - set(names))))
    return Shape("dataclass", ("fields",), take, functools.partial(_build_dataclass, cls, names))


def _take_dataclass(
    names: tuple[str, ...], known: frozenset[str], other_slots: tuple[str, ...], instance: object
) -> tuple[object, ...]:
    state = {name: True for name in other_slots if hasattr(instance, name)}
    _refuse_unstored(instance, state | _instance_dict(instance), known)
    try:
        return ({name: object.__getattribute__(instance, name) for name in names},)
    except AttributeError:
        raise Refused(f"{type(instance).__name__} with a field that is not set") from None


def _build_dataclass(cls: type, names: tuple[str, ...], fields: object) -> object:
    stored = expect_dict(fields)
    _same_fields(names, stored, cls)
    instance: object = object.__new__(cls)
    for name in names:
        object.__setattr__(instance, name, stored[name])
    return instance


def _take_namedtuple(names: tuple[str, ...], instance: tuple[object, ...]) -> tuple[object, ...]:
    if tuple.__len__(instance) != len(names):
        raise Refused(f"{type(instance).__name__} of another length than its fields")
    _refuse_unstored(instance, _instance_dict(instance), frozenset())
    return (dict(zip(names, tuple.__iter__(instance), strict=True)),)


def _build_namedtuple(cls: type, names: tuple[str, ...], fields: object) -> object:
    stored = expect_dict(fields)
    _same_fields(names, stored, cls)
    build: Callable[..., object] = tuple.__new__
    return build(cls, [stored[name] for name in names])


def _model_shape(cls: Any, pydantic: Any) -> Shape:
    names = tuple(cls.model_fields)
    known = frozenset(names) | _cached_names(cls)
    # The library's own methods, not the ones a caller's class may have put in their place.
    base = pydantic.RootModel if issubclass(cls, pydantic.RootModel) else pydantic.BaseModel
    take = functools.partial(_take_model, base.__getstate__, names, known)
    build = functools.partial(_build_model, cls, base.__setstate__, names)
    return Shape("model", ("fields", "extra", "fields_set", "private"), take, build)


def _take_model(
    getstate: Callable[[object], dict[str, Any]], names: tuple[str, ...], known: frozenset[str], instance: object
) -> tuple[object, ...]:
    try:
        state = getstate(instance)
        values = state["__dict__"]
        _refuse_unstored(instance, values, known)
        fields = {name: values[name] for name in names}
    except (AttributeError, KeyError):
        raise Refused(f"{type(instance).__name__} with a field that is not set") from None
    extra = state.get("__pydantic_extra__")
    return fields, extra, sorted(state["__pydantic_fields_set__"]), state.get("__pydantic_private__")


def _build_model(
    cls: Any, setstate: Callable[[object, dict[str, Any]], None], names: tuple[str, ...], *parts: object
) -> object:
    fields, extra, fields_set, private = parts
    stored = expect_dict(fields)
    _same_fields(names, stored, cls)
    require(all(type(name) is str for name in expect_list(fields_set)))
    for attributes in (extra, private):
        require(attributes is None or all(type(name) is str for name in expect_dict(attributes)))
    if not set(expect_dict(private or {})) <= set(cls.__private_attributes__):
        raise Malformed(f"holds private attributes that {cls.__name__} no longer has; bring them back")
    instance: object = object.__new__(cls)
    state = {"__dict__": stored, "__pydantic_extra__": extra, "__pydantic_private__": private}
    setstate(instance, state | {"__pydantic_fields_set__": set(expect_list(fields_set))})
    return instance
