"""Small programs, written out, imported and fingerprinted: what the laws about code are stated with."""

from __future__ import annotations

import importlib
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any

from milepost.fingerprint import Change, Parts, code_parts, differences

Files = str | Mapping[str, str]
"""The text of ``job.py``, or path to text for more files."""

_count = itertools.count()


def write(folder: Path, files: Files) -> Path:
    """Write a program into *folder*."""
    for name, text in ({"job.py": files} if isinstance(files, str) else files).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
    return folder


@contextmanager
def imported(folder: Path, module: str = "job") -> Iterator[ModuleType]:
    """Import a module from *folder*, and forget all of it afterwards."""
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    dont_write, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        importlib.invalidate_caches()
        yield importlib.import_module(module)
    finally:
        sys.path.remove(str(folder))
        sys.dont_write_bytecode = dont_write
        for name in set(sys.modules) - before:
            loaded = sys.modules[name]
            places = [getattr(loaded, "__file__", None) or "", *getattr(loaded, "__path__", ())]  # or has no file
            if any(str(place).startswith(str(folder)) for place in places):
                del sys.modules[name]


def parts(tmp_path: Path, files: Files, name: str = "job.main") -> Parts:
    """Return the parts of one function of a program, which is written to a folder of its own."""
    folder = write(tmp_path / f"program{next(_count)}", files)
    module, _, function = name.partition(".") if "/" not in name else name.replace("/", ".").rpartition(".")
    with imported(folder, module) as loaded:
        found: Any = loaded
        for step in function.split("."):
            found = getattr(found, step)
        return code_parts([found])


def changes(tmp_path: Path, old: Files, new: Files, name: str = "job.main") -> list[Change]:
    """Return what differs between two versions of a program."""
    return differences("code", parts(tmp_path, old, name), parts(tmp_path, new, name))


def names(found: list[Change]) -> list[str]:
    """Return the names of what changed."""
    return [change.name for change in found]


def run(folder: Path, code: str, *, python: str = sys.executable, **environment: str) -> str:
    """Run *code* in a fresh process in *folder*, and return what it prints."""
    done = subprocess.run(
        [python, "-B", "-W", "error", "-c", dedent(code)],
        cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
