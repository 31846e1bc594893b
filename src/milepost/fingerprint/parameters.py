"""What a run was asked to do, as parts: one for each setting, however deep it stands."""

from __future__ import annotations

from typing import Any

from milepost.errors import InvalidArgument
from milepost.fingerprint.canonical import as_dict, canonical, step
from milepost.fingerprint.parts import Parts, kept
from milepost.fingerprint.secrecy import is_secret_name

_ROOT = "params"
_MOST_LEVELS = 100


def parameter_parts(params: object | None) -> Parts:
    """Return the parts of the parameters of a run.

    Nested settings are flattened to dotted names, so that a change is named where it is. The order of dicts does not
    count at any level; types do: ``1``, ``True`` and ``1.0`` are three values. What looks like a secret is kept only
    as a digest.

    Args:
        params: a dict, dataclass, pydantic model, ``Namespace``, ``SimpleNamespace`` or named tuple; None for nothing.

    Returns:
        Dotted name to the JSON encoding of the value, or to its beginning and digest where it is long.

    Raises:
        InvalidArgument: *params* is of another kind.
        NotEncodable: a value has no stable encoding; names its path.
    """
    if params is None:
        return {}
    fields = as_dict(params)
    if fields is None:
        raise InvalidArgument(
            f"params must be a dict with names as keys, a dataclass, a pydantic model, a namespace or a named tuple, "
            f"not {type(params).__name__}"
        )
    parts: Parts = {}
    _flatten(fields, _ROOT, 0, parts, secret=False)
    return {name[len(_ROOT) :].removeprefix("."): text for name, text in parts.items()}


def _flatten(fields: dict[str, Any], path: str, level: int, parts: Parts, *, secret: bool) -> None:
    for key, value in fields.items():
        name = path + step(key)
        hidden = secret or is_secret_name(key)
        # An empty group has no leaf that could speak for it, and one too deep (or within itself) is for the error.
        inner = as_dict(value) if level < _MOST_LEVELS else None
        if inner:
            _flatten(inner, name, level + 1, parts, secret=hidden)
        else:
            parts[name] = kept(canonical(value, name, secret=hidden))
