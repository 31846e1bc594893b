"""`ConfigManager`: parameters win over the environment, the environment over the file, the file over the defaults."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from milepost.config.environment import Overrides, section
from milepost.config.loaded import Loaded
from milepost.config.parameters import Parameters
from milepost.config.problems import KeyPath, Problem, did_you_mean, echo, report
from milepost.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
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

    def load(self, parameters: Mapping[str, str] | None = None) -> S:
        """Read the file and the environment anew, and return the settings.

        Args:
            parameters: What wins over both: dotted names of settings to texts, as a command line gives them
                (``{"checkpoints.ttl_hours": "48"}``).

        Raises:
            ConfigError: Something is wrong; the message lists all of it, each with file, line and
                column (or the variable or parameter), key, and what would be right.
        """
        loaded = self._loaded()
        layers = (Parameters(self._schema, parameters or {}), Overrides(self._schema, self._env_prefix))
        problems = [*loaded.problems, *(problem for layer in layers for problem in layer.problems)]
        values = loaded.values
        for layer in reversed(layers):
            values = _merged(values, layer.values)
        try:
            # The values came as JSON's own types, and strict JSON takes a text for a path
            # but never for a number.
            config = self._schema.model_validate_json(json.dumps(values), strict=True)
        except ValidationError as error:
            details = error.errors(include_url=False, include_context=False)
            problems += [
                self._problem(detail, loaded, layers) for detail in details if not loaded.is_unbuilt(detail["loc"])
            ]
        else:
            if not problems:
                self._config = config
                return config
        raise ConfigError(report(loaded.source, problems)) from None

    def _loaded(self) -> Loaded:
        if self._path is None:
            return Loaded("defaults")
        # The parser of YAML is loaded where there is a file to parse.
        from milepost.config import yaml_file

        return yaml_file.load(self._path)

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON schema of the file, for editors."""
        return {"$schema": _DIALECT, **self._schema.model_json_schema()}

    def _problem(self, detail: ErrorDetails, loaded: Loaded, layers: Sequence[Parameters | Overrides]) -> Problem:
        path: KeyPath = detail["loc"]
        kind = detail["type"]
        if kind == "extra_forbidden":
            reason = f"unknown key{did_you_mean(str(path[-1]), self._fields(path[:-1]))}"
        elif kind in _MAPPING:
            reason = "must be a mapping of settings"
        else:
            reason = detail["msg"] + echo(path, detail["input"])
        for layer in layers:
            if name := layer.variable(path):
                return layer.problem(name, path, reason)
        return loaded.problem(path, reason)

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
