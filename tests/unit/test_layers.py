"""Imports go downward only, and an upward one is caught."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import booksynth
import milepost

ROOT = Path(__file__).resolve().parents[2]
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")


def lint(cwd: Path, *, source: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the import linter on the installed packages, or on those in *source*."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if source is not None:
        environment["PYTHONPATH"] = str(source)
    return subprocess.run(
        [LINT_IMPORTS, "--no-cache", "--config", ROOT / "pyproject.toml"],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Copy both installed packages to where a fault can be planted."""
    copy = tmp_path / "source"
    for package in (milepost, booksynth):
        assert package.__file__ is not None
        home = Path(package.__file__).parent
        shutil.copytree(home, copy / home.name, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def module(source: Path, name: str) -> Path:
    """Return the file of a module, which is made where nobody has written it yet."""
    base = source.joinpath(*name.split("."))
    if base.is_dir():
        return base / "__init__.py"
    base.with_suffix(".py").touch()
    return base.with_suffix(".py")


def test_the_layers_hold(tmp_path: Path) -> None:
    """No module of the installed wheels imports upward or sideways."""
    result = lint(tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


def test_an_untouched_copy_holds(tmp_path: Path, source: Path) -> None:
    """The copy that faults are planted in is sound before one is."""
    result = lint(tmp_path, source=source)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("milepost.records", "milepost.manager"),
        ("milepost.errors", "milepost.fs"),
        ("milepost.fs", "milepost.journal"),
        ("milepost.codec", "milepost.stores"),
        ("milepost.journal", "milepost.retention"),
        ("milepost.manager", "milepost.config"),
        ("milepost.report", "milepost.cli"),
        ("booksynth", "milepost.journal"),
        ("booksynth.cli", "milepost.stores"),
        ("milepost.records", "booksynth"),
    ],
)
def test_a_planted_import_is_caught(tmp_path: Path, source: Path, importer: str, imported: str) -> None:
    """An import against the layers breaks the check and is named by it."""
    module(source, imported)
    with module(source, importer).open("a", encoding="utf-8") as file:
        file.write(f"\nimport {imported}\n")
    result = lint(tmp_path, source=source)
    assert result.returncode == 1, result.stdout + result.stderr
    assert f"{importer} -> {imported}" in result.stdout


def test_a_module_without_a_place_is_caught(tmp_path: Path, source: Path) -> None:
    """A new module that no layer names breaks the check."""
    module(source, "milepost.homeless")
    result = lint(tmp_path, source=source)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "homeless" in result.stdout
