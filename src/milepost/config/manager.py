"""`ConfigManager`: the environment wins over the file, the file over the defaults."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from milepost.config import yaml_file
from milepost.config.environment import Overrides, section
from milepost.config.problems import KeyPath, Problem, did_you_mean, echo, report
from milepost.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic_core import ErrorDetails

S = TypeVar("S", bound=BaseModel)

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_MAPPING = {"model_type", "model_attributes_type", "dict_type"}


class ConfigManager(Generic[S]):
    """Settings of one application, read from a YAML file and the environment, and validated.

    Args:
        schema: A pydantic model of the settings, best a tree of `milepost.config.Section`.
        path: The YAML file; None for defaults and environment alone.
        env_prefix: What the names of overriding variables begin with (``MYJOB_``); two underscores
            separate sections (``MYJOB_CHECKPOINTS__TTL_HOURS=48``). Empty turns them off.
    """

    def __init__(self, schema: type[S], path: Path | None = None, *, env_prefix: str = "") -> None:
        self._schema = schema
        self._path = path
        self._env_prefix = env_prefix
        self._config: S | None = None

    @property
    def config(self) -> S:
        """The settings; the first access loads them.

        Raises:
            ConfigError: As `load` does.
        """
        return self.load() if self._config is None else self._config

    def load(self) -> S:
        """Read the file and the environment anew, and return the settings.

        Raises:
            ConfigError: Something is wrong; the message lists all of it, each with file, line and
                column (or the variable), key, and what would be right.
        """
        path = self._path
        loaded = yaml_file.Loaded("defaults") if path is None else yaml_file.load(path)
        overrides = Overrides(self._schema, self._env_prefix)
        problems = [*loaded.problems, *overrides.problems]
        # The values came as JSON's own types, and strict JSON takes a text for a path
        # but never for a number.
        text = json.dumps(_merged(loaded.values, overrides.values))
        try:
            config = self._schema.model_validate_json(text, strict=True)
        except ValidationError as error:
            details = error.errors(include_url=False, include_context=False)
            problems += [
                self._problem(detail, loaded, overrides) for detail in details if not loaded.is_unbuilt(detail["loc"])
            ]
        else:
            if not problems:
                self._config = config
                return config
        raise ConfigError(report(loaded.source, problems)) from None

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON schema of the file, for editors."""
        return {"$schema": _DIALECT, **self._schema.model_json_schema()}

    def _problem(self, detail: ErrorDetails, loaded: yaml_file.Loaded, overrides: Overrides) -> Problem:
        path: KeyPath = detail["loc"]
        kind = detail["type"]
        if kind == "extra_forbidden":
            reason = f"unknown key{did_you_mean(str(path[-1]), self._fields(path[:-1]))}"
        elif kind in _MAPPING:
            reason = "must be a mapping of settings"
        else:
            reason = detail["msg"] + echo(path, detail["input"])
        name = overrides.variable(path)
        return overrides.problem(name, path, reason) if name else loaded.problem(path, reason)

    def _fields(self, path: KeyPath) -> list[str]:
        model: type[BaseModel] | None = self._schema
        for part in path:
            if model is None or part not in model.model_fields:
                return []
            model = section(model, str(part))
        return list(model.model_fields) if model else []


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return *below* with every value of *above* laid over it, section by section."""
    result = dict(below)
    for name, value in above.items():
        under = result.get(name)
        if isinstance(value, dict) and isinstance(under, dict):
            result[name] = _merged(under, value)
        else:
            result[name] = value
    return result
