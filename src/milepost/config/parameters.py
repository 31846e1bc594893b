"""Overrides by name: ``{"phases.phase_3.min_confidence": "0.75"}``, as a command line gives them."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from milepost.config.environment import from_text, section
from milepost.config.problems import Named, did_you_mean


class Parameters(Named):
    """What a command line says for one schema: values, the parameter behind each, problems."""

    kind = "parameter"

    def __init__(self, schema: type[BaseModel], given: Mapping[str, str]) -> None:
        """Read *given*: dotted names of settings to their texts."""
        super().__init__()
        for name in sorted(given):
            self._note(schema, name, given[name])

    def _note(self, schema: type[BaseModel], name: str, text: str) -> None:
        path = tuple(name.split("."))
        parent = schema
        model: type[BaseModel] | None = schema
        for depth, part in enumerate(path):
            if model is None or part not in model.model_fields:
                before = ".".join(path[:depth])
                known = [] if model is None else [f"{before}.{field}".lstrip(".") for field in model.model_fields]
                reason = f"unknown key{did_you_mean('.'.join(path[: depth + 1]), known)}"
                self.problems.append(self.problem(name, path[: depth + 1], reason))
                return
            parent, model = model, section(model, part)
        if model is not None:
            known = [f"{name}.{field}" for field in model.model_fields]
            reason = f"a section, not a setting; valid here: {', '.join(sorted(known))}"
            self.problems.append(self.problem(name, path, reason))
            return
        self._names[path] = name
        values = self.values
        for part in path[:-1]:
            values = values.setdefault(part, {})
        values[path[-1]] = from_text(text, parent.model_fields[path[-1]].annotation)
