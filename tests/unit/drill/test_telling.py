"""A report in its forms."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from milepost.drill import Difference, Report, as_html, as_json, as_markdown, as_text, write_report
from milepost.drill.outcomes import Verdict
from milepost.errors import InvalidArgument

HOSTILE = "<script>alert(1)</script>\x1b[31m`|*"


def hostile() -> Report:
    """Return a report in which everything that a job can say is hostile."""
    difference = Difference(
        [f"out {HOSTILE}"], f"milepost drill --at 1 -- {HOSTILE}", "SIGKILL before commit 1", HOSTILE
    )
    return Report(
        command=HOSTILE, folder=HOSTILE, verdict=Verdict.DIFFERENT, compared=[HOSTILE], differences=[difference],
        ambiguous=[HOSTILE], notes=[HOSTILE], planned=2, tried=1, said="line\n" * 100 + HOSTILE,
    )  # fmt: skip


@pytest.mark.parametrize("form", [as_text, as_json, as_markdown, as_html])
def test_nothing_that_a_job_says_steers_its_reader(form: object) -> None:
    """No form of a report passes on control characters, and none with markup passes on markup."""
    assert callable(form)
    text = form(hostile())
    assert "\x1b" not in text
    assert "SIGKILL before commit 1" in text
    assert text.count("line") < 50, "what a job said is cut"
    if form in (as_markdown, as_html):
        outside = [line for line in text.splitlines() if not line.startswith("    ")]
        assert "<script>" not in "\n".join(outside)


def test_json_is_the_whole_report() -> None:
    """The JSON form holds verdict and exit code beside every field."""
    document = json.loads(as_json(hostile()))
    assert (document["verdict"], document["exit_code"]) == ("different", 1)
    assert document["differences"][0]["reproduce"].startswith("milepost drill --at 1")


@pytest.mark.parametrize(("verdict", "code"), [(Verdict.IDENTICAL, 0), (Verdict.DIFFERENT, 1), (Verdict.FAILED, 2)])
def test_a_verdict_has_an_exit_code(verdict: Verdict, code: int) -> None:
    """Each verdict has its exit code, and its word in the text."""
    report = Report("job", ".", verdict=verdict, problem="no commit was seen")
    assert report.exit_code == code
    word = {0: "IDENTICAL", 1: "DIFFERENT", 2: "nothing is proved: no commit was seen"}[code]
    assert as_text(report).startswith(word)


def test_a_report_has_a_known_ending(tmp_path: Path) -> None:
    """The ending of the file decides its form, and an unknown one is refused."""
    for ending in ("html", "md", "json"):
        write_report(tmp_path / f"drill.{ending}", hostile())
    assert len(list(tmp_path.iterdir())) == 3
    with pytest.raises(InvalidArgument, match=r"drill\.pdf"):
        write_report(tmp_path / "drill.pdf", hostile())
