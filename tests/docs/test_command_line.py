"""The page of the command line does not lie: every command, option and exit code of the program is on it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from milepost.cli.app import app
from milepost.cli.common import EXIT_CODES

PAGE = (Path(__file__).parents[2] / "docs/reference/cli.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## ([a-z]+)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))


def commands() -> dict[str, Any]:
    """Return every command of the program, by name."""
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    return dict(group.commands)


def test_every_command_has_a_section_and_no_other() -> None:
    """Each command has a section on the page, and no section is of a command that there is not."""
    assert set(SECTIONS) == set(commands())


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_option_is_on_the_page(name: str) -> None:
    """A command's section names each of its options, none that it does not have, and shows it at work."""
    options = {option for one in commands()[name].params for option in one.opts if option.startswith("-")}
    named = set(re.findall(r"`(--?[a-z][a-z-]*)`", SECTIONS[name]))
    assert options - {"--help"} <= named
    assert named <= options
    assert f"\nmilepost {name}" in SECTIONS[name]


def test_every_exit_code_is_on_the_page() -> None:
    """The page has the exit codes that every command's help shows."""
    codes = re.findall(r"^  (\d+) ", EXIT_CODES, re.MULTILINE)
    assert codes
    assert re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE) == codes
