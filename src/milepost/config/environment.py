"""Overrides from the environment: ``PREFIX_SECTION__KEY=value``, read by pydantic-settings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from milepost.config.problems import KeyPath, Named, Problem, did_you_mean

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

DELIMITER = "__"


class Overrides(Named):
    """What the environment says for one schema: values, the variable behind each, problems."""

    kind = "environment variable"

    def __init__(self, schema: type[BaseModel], prefix: str) -> None:
        """Read the variables that begin with *prefix*, whatever their case; empty is unset."""
        super().__init__()
        self._refused: set[KeyPath] = set()
        if not prefix:
            return
        for name in sorted(os.environ):
            if name.upper().startswith(prefix.upper()) and os.environ[name]:
                self._note(schema, prefix, name)
        if self._names:
            self.values = self._coerced(self._read(schema, prefix), schema, ())

    def _note(self, schema: type[BaseModel], prefix: str, name: str) -> None:
        path = tuple(name[len(prefix) :].lower().split(DELIMITER))
        model: type[BaseModel] | None = schema
        for depth, part in enumerate(path):
            if model is None:
                break
            if part not in model.model_fields:
                before = (prefix + "".join(f"{name}{DELIMITER}" for name in path[:depth])).upper()
                known = [before + field.upper() for field in model.model_fields]
                reason = f"unknown key{did_you_mean(before + part.upper(), known)}"
                self.problems.append(self.problem(name, path[: depth + 1], reason))
                self._refused.add(path[: depth + 1])
                return
            model = section(model, part)
        self._names[path] = name

    def _read(self, schema: type[BaseModel], prefix: str) -> dict[str, Any]:
        # A tenth of a second that most programs never need: they are started without such a variable.
        from pydantic_settings import EnvSettingsSource, SettingsError

        # The source looks only at the fields and the configuration of the class it is given, which
        # a plain model has as well; so schemas need not read the environment by themselves.
        source = EnvSettingsSource(
            cast("type[BaseSettings]", schema),
            case_sensitive=False,
            env_prefix=prefix,
            env_nested_delimiter=DELIMITER,
            env_ignore_empty=True,
        )
        try:
            return source()
        except SettingsError as error:
            self.problems.append(Problem("environment", 0, 0, "", f"{error}: it must be JSON"))
            return {}

    def _coerced(self, values: dict[str, Any], model: type[BaseModel], path: KeyPath) -> dict[str, Any]:
        """Return *values* with text turned into what the field holds; text that cannot be stays."""
        result: dict[str, Any] = {}
        for name, value in values.items():
            here = (*path, name)
            if here in self._refused:
                continue
            field = model.model_fields.get(name)
            inner = section(model, name) if field else None
            if inner and isinstance(value, dict):
                result[name] = self._coerced(value, inner, here)
            elif field and isinstance(value, str):
                result[name] = from_text(value, field.annotation)
            else:
                result[name] = to_jsonable_python(value)
        return result


def section(model: type[BaseModel], name: str) -> type[BaseModel] | None:
    """Return the model of the section called *name*, or None where it is a plain value."""
    annotation = model.model_fields[name].annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return None


def from_text(text: str, annotation: Any) -> Any:
    """Return what *text* stands for in a field of that type, as JSON data; text that stands for nothing stays."""
    field = TypeAdapter(annotation)
    for read in (field.validate_strings, field.validate_json):
        try:
            return to_jsonable_python(read(text))
        except ValidationError:
            continue
    return text
