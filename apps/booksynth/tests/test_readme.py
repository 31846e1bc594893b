"""The README of booksynth says what is so."""

from __future__ import annotations

import re
from pathlib import Path

from apps.booksynth.tests.support import booksynth
from booksynth import catalogue, cli, outputs, phases, plans, request

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def read(path: Path) -> str:
    return path.read_text()


def test_every_exit_code_is_documented() -> None:
    """README and help name the same exit codes, and those of the code are among them."""
    in_readme = set(re.findall(r"^\| (\d+) \|", README, re.MULTILINE))
    in_help = set(re.findall(r"^ +(\d+) +\w", booksynth("phase-3", "--help").out, re.MULTILINE))
    assert in_readme == in_help
    codes = {cli.DONE, cli.PROBLEMS, cli.USAGE, cli.BUDGET, cli.MEDIUM, cli.BUSY, cli.PIPE, 130, 143}
    assert in_readme == {str(code) for code in codes}


def test_every_module_is_on_the_map() -> None:
    """The map of the code names every module."""
    source = ROOT / "src" / "booksynth"
    modules = {path.stem for path in source.glob("[a-z]*") if path.suffix == ".py" or path.is_dir()}
    modules |= {f"{path.parent.name}.{path.stem}" for path in source.glob("*/[a-z]*.py")}
    named = set(re.findall(r"`([a-z_0-9]+(?:\.\w+)?)`", README.split("## The code")[1]))
    assert modules == named


def test_every_output_is_named() -> None:
    """The README names every file that a run writes."""
    folders = (f"{phases.ANALYSES}/", f"{phases.PLANS}/", f"{phases.PLANS}/{outputs.MANIFEST}")
    plan = (plans.PLAN, plans.SOURCES, plans.DATA, plans.ORDER)
    on_top = (catalogue.INDEX, catalogue.INDEX_TABLE, catalogue.ISSUES, catalogue.ISSUES_TABLE)
    for name in (request.CONSOLIDATED, request.SUMMARY, request.PAGE, request.REPORT, *folders, *plan, *on_top):
        assert f"`{name}`" in README


def test_every_problem_of_a_book_is_documented() -> None:
    """The README lists each code that the reading of a book can give."""
    source = ROOT / "src" / "booksynth"
    files = [source / f"{name}.py" for name in ("books", "inputs", "analysing")] + list(source.glob("reading/*.py"))
    before = r'Problem\([^)"]*?(?:"", |str\(name\), )|Error\(\s*|code, reason = |Note\([^"]*?|\w: \(|is_cut else |images, |broken, '
    code = r"[a-z0-9]+(?:-[a-z0-9]+)+|drm|encrypted|scanned|unsupported"
    codes = set(re.findall(rf'(?:{before})"({code})"', "".join(map(read, files))))
    assert {"unsupported", "not-utf8", "too-large", "no-advice", "bad-name", "drm", "scanned", "broken-pages"} <= codes
    assert {code for code in codes if f"`{code}`" not in README} == set()
