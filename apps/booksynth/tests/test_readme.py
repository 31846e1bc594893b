"""The README of booksynth says what is so."""

from __future__ import annotations

import re
from pathlib import Path

from apps.booksynth.tests.support import booksynth
from booksynth import cli, outputs, phases, plans, request

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_every_exit_code_is_documented() -> None:
    """README and help name the same exit codes, and those of the code are among them."""
    in_readme = set(re.findall(r"^\| (\d+) \|", README, re.MULTILINE))
    in_help = set(re.findall(r"^ +(\d+) +\w", booksynth("phase-3", "--help").out, re.MULTILINE))
    assert in_readme == in_help
    codes = {cli.DONE, cli.PROBLEMS, cli.USAGE, cli.MEDIUM, cli.BUSY, cli.PIPE, 130, 143}
    assert in_readme == {str(code) for code in codes}


def test_every_module_is_on_the_map() -> None:
    """The map of the code names every module."""
    home = ROOT / "src" / "booksynth"
    modules = {path.stem for path in (*home.glob("[a-z]*.py"), *(one.parent for one in home.glob("*/__init__.py")))}
    named = set(re.findall(r"`(\w+)`", README.split("## The code")[1]))
    assert modules == named


def test_every_output_is_named() -> None:
    """The README names every file that a run writes."""
    folders = (f"{phases.ANALYSES}/", f"{phases.PLANS}/", f"{phases.PLANS}/{outputs.MANIFEST}")
    plan = (plans.PLAN, plans.SOURCES, plans.DATA, plans.INDEX)
    for name in (request.CONSOLIDATED, request.SUMMARY, request.PAGE, request.REPORT, *folders, *plan):
        assert f"`{name}`" in README


def test_every_problem_of_a_book_is_documented() -> None:
    """The README lists each code that the reading of a book can give."""
    sources = "".join((ROOT / "src" / "booksynth" / f"{name}.py").read_text() for name in ("books", "inputs"))
    codes = set(re.findall(r'(?:Problem\([^)]*?"", |FileError\(|code, reason = )"([a-z0-9-]+)"', sources)) - {""}
    assert {"unsupported", "not-utf8", "too-large", "no-advice", "bad-name"} <= codes
    assert {code for code in codes if f"`{code}`" not in README} == set()
