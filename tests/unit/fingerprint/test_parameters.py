"""Parameters are canonical, named where they stand, and never give a secret away."""

from __future__ import annotations

import argparse
import enum
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from types import SimpleNamespace
from typing import Any, NamedTuple

import pydantic
import pytest

from milepost.errors import InvalidArgument, NotEncodable
from milepost.fingerprint import NOT_GIVEN, Change, differences, digest_of, parameter_parts


@dataclass
class Model:
    name: str = "m"
    options: dict[str, int] = field(default_factory=lambda: {"top": 1})


class Settings(pydantic.BaseModel):
    name: str = "m"
    options: dict[str, int] = {"top": 1}


class Login(pydantic.BaseModel):
    user: str = "u"
    key: pydantic.SecretStr = pydantic.SecretStr("hunter2")
    raw: pydantic.SecretBytes = pydantic.SecretBytes(b"hunter2")


class Mode(enum.Enum):
    FAST = 1
    SLOW = 2


class Pair(NamedTuple):
    name: str
    options: dict[str, int]


FLAT = {"name": '"m"', "options.top": "1"}


@pytest.mark.parametrize(
    "params",
    [
        {"name": "m", "options": {"top": 1}},
        OrderedDict(options={"top": 1}, name="m"),
        Model(),
        Settings(),
        Pair("m", {"top": 1}),
        argparse.Namespace(name="m", options=SimpleNamespace(top=1)),
        SimpleNamespace(options={"top": 1}, name="m"),
    ],
    ids=lambda params: type(params).__name__,
)
def test_every_form_of_settings_is_the_same(params: Any) -> None:
    """The same settings have the same parts in whatever object they are held."""
    assert parameter_parts(params) == FLAT


def test_nothing_given_is_nothing() -> None:
    """No parameters have no parts."""
    assert parameter_parts(None) == {}


@pytest.mark.parametrize("params", [[1], "text", 5, Model, Mode.FAST, {1: 2}])
def test_what_has_no_names_is_refused(params: Any) -> None:
    """Parameters without names are an error that says what is wanted."""
    with pytest.raises(InvalidArgument, match="params must be a dict"):
        parameter_parts(params)


@pytest.mark.parametrize(
    ("params", "path"),
    [
        ({"a": {"b": [1, object()]}}, r"params\.a\.b\[1\]"),
        ({"a b": {1: lambda: 0}}, r'params\["a b"\]\.values\(\)\[0\]'),
        ({"a": {object()}}, r"params\.a\[0\]"),
        (Model(name="\ud800"), r"params\.name"),
    ],
)
def test_what_cannot_be_encoded_is_named(params: Any, path: str) -> None:
    """A value without an encoding is an error that names its path."""
    with pytest.raises(NotEncodable, match=path):
        parameter_parts(params)


def test_a_circle_is_refused() -> None:
    """Settings that contain themselves are an error, not an endless walk."""
    ring: dict[str, Any] = {}
    ring["again"] = ring
    with pytest.raises(NotEncodable, match="contains itself"):
        parameter_parts(ring)


@pytest.mark.parametrize(
    "values",
    [
        (1, True, 1.0, "1", [1], (1,), {1}, frozenset({1}), {1: 1}, {"1": 1}, None, b"1", [[1]], {"a": [1]}),
        ({}, None, [], (), "", {"a": {}}, {"a": None}, set()),
        (Mode.FAST, Mode.SLOW, "FAST", PurePosixPath("FAST")),
        ("x" * 1000, "x" * 999 + "y", "x" * 1001),
        ({"a.b": 1}, {"a": {"b": 1}}, {"a": {"b.c": 1}}, {"a.b": {"c": 1}}),
        ({"$milepost": "tuple", "items": [1]}, (1,), [{"$milepost": "tuple", "items": [1]}], [(1,)]),
    ],
)
def test_other_values_are_other_parts(values: tuple[Any, ...]) -> None:
    """Values that differ in content or in type have different digests."""
    digests = {digest_of(parameter_parts({"value": value})) for value in values}
    assert len(digests) == len(values)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": [{"x": 1, "y": 2}]}, {"b": [{"y": 2, "x": 1}], "a": 1}),
        ({"a": {1: "x", (2,): "y"}}, {"a": {(2,): "y", 1: "x"}}),
        ({"a": {"x", "y", "z"}}, {"a": {"z", "y", "x"}}),
    ],
)
def test_order_does_not_count(one: Any, other: Any) -> None:
    """The order of dicts and sets does not count at any level."""
    assert parameter_parts(one) == parameter_parts(other)


def test_a_change_is_named_with_old_and_new() -> None:
    """A change names the parameter and shows both values, and an absent one says so."""
    old = parameter_parts({"model": {"name": "a", "top": 1}})
    new = parameter_parts({"model": {"name": "b", "top": 1}, "similarity": 0.8})
    assert differences("parameter", old, new) == [
        Change("parameter", "model.name", '"a"', '"b"'),
        Change("parameter", "similarity", NOT_GIVEN, "0.8"),
    ]
    assert differences("parameter", new, new) == []


def test_long_values_are_shown_short_and_apart() -> None:
    """Two long values that begin alike are shown short, and yet differ in print."""
    old, new = (parameter_parts({"prompt": "x" * 10_000 + end}) for end in "ab")
    [change] = differences("parameter", old, new)
    assert len(change.old) <= 100
    assert change.old != change.new
    assert len(old["prompt"]) < 500


SECRETS = {
    "password": "hunter2",
    "db": {"PASSWORD": "hunter2", "url": "postgresql://me:hunter2@host/db"},
    "openai_api_key": "hunter2",
    "apiKey": "hunter2",
    "token": "hunter2",
    "hf-token": "hunter2",
    "clientSecret": "hunter2",
    "credentials": {"user": "hunter2", "list": ["hunter2"]},
    "private_key": b"hunter2",
    "hosts": [{"passwd": "hunter2"}, {1: {"secret": "hunter2"}}, {1: "x", "password": "hunter2"}],
    "login": Login(),
}


def test_secrets_are_never_kept() -> None:
    """What looks like a secret is kept as a digest at any depth, in any spelling."""
    parts = parameter_parts(SECRETS)
    assert "hunter2" not in str(parts)
    assert "aHVudGVyMg" not in str(parts)


def test_a_changed_secret_is_noticed() -> None:
    """Another secret is another part, and the same secret the same."""
    old, same, new = (parameter_parts({"password": word}) for word in ("one", "one", "two"))
    assert old == same
    [change] = differences("parameter", old, new)
    assert change.name == "password"
    assert "secret" in change.old


@pytest.mark.parametrize(
    "name",
    ["max_tokens", "tokens", "tokenizer", "token_limit", "pad_token", "cost_per_token", "key", "keyboard", "secretary", "primary_key", "compass", "author"],
)  # fmt: skip
def test_ordinary_names_are_shown(name: str) -> None:
    """A name that only resembles a secret's is shown as it is."""
    assert parameter_parts({name: 5}) == {name: "5"}


def test_whether_there_is_a_secret_is_none() -> None:
    """A switch or an absent value is shown, whatever it is called."""
    assert parameter_parts({"use_password": True, "token": None}) == {"use_password": "true", "token": "null"}


def test_the_digest_knows_no_order() -> None:
    """The digest of parts has 32 hex digits and does not depend on their order."""
    assert digest_of({"a": "1", "b": "2"}) == digest_of({"b": "2", "a": "1"})
    assert len(digest_of({})) == 32
    assert len({digest_of({"a": "1", "b": "2"}), digest_of({"a": "2", "b": "1"}), digest_of({"a": '1","b":"2'})}) == 3
