"""What a job keeps in its checkpoints only: the results of its phases, compared where it writes no file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from milepost import codec, report
from milepost.drill.folders import NO_OUTPUT, is_phase
from milepost.errors import DamageError, NotDecodable

ENDING = " (result)"
"""Stands behind the folder of a phase where its result is meant."""


def kept(folder: Path) -> dict[str, bytes]:
    """Return what each phase below *folder* keeps, in a readable form; those of unknown classes are left out."""
    found = {path.relative_to(folder).as_posix() + ENDING: _content(path) for path in _phases(folder)}
    return {name: content for name, content in found.items() if content is not None}


def _phases(folder: Path) -> Iterator[Path]:
    for base, names, _ in os.walk(folder):
        names[:] = sorted(name for name in names if name not in NO_OUTPUT)
        if is_phase(Path(base)):
            names.clear()
            yield Path(base)


def _content(path: Path) -> bytes | None:
    name = unquote(path.name)
    try:
        items = report.items(path.parent, name)
        if items is not None:
            value = {"result": items.result, "done": items.done, "failed": items.failed, "state": items.state}
        else:
            latest, _ = report.latest(path.parent, name)
            value = {"state": None if latest is None else latest.state}
        return json.dumps(json.loads(codec.encode(value)), indent=1, ensure_ascii=False).encode()
    except NotDecodable:
        return None
    except DamageError as error:
        return f"damaged: {type(error).__name__}".encode()
