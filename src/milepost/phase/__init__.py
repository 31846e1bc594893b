"""A loop made resumable: `Phase`, and reading one from outside."""

from milepost.phase.bless import bless
from milepost.phase.phase import Phase
from milepost.phase.reader import PhaseReader, open_phase
from milepost.phase.results import Results
from milepost.phase.steps import Ambiguous, Happened

__all__ = ["Ambiguous", "Happened", "Phase", "PhaseReader", "Results", "bless", "open_phase"]
