"""The user's own proof: a job interrupted again and again, resumed, and compared with itself undisturbed."""

from milepost.drill.experiments import CLOCKS, FAULTS, ONE_FAULT, WHENS, Experiment, faults_of
from milepost.drill.harness import Drill, Settings, Step
from milepost.drill.outcomes import Difference, Outcome, Report
from milepost.drill.processes import Stopped
from milepost.drill.telling import as_html, as_json, as_markdown, as_text, write_report

__all__ = [
    "CLOCKS",
    "FAULTS",
    "ONE_FAULT",
    "WHENS",
    "Difference",
    "Drill",
    "Experiment",
    "Outcome",
    "Report",
    "Settings",
    "Step",
    "Stopped",
    "as_html",
    "as_json",
    "as_markdown",
    "as_text",
    "faults_of",
    "write_report",
]
