"""A loop made resumable: `Phase`, and what is done to one from outside. What is not always needed loads on use."""

from milepost.phase.outside import bless, open_phase
from milepost.phase.phase import Phase
from milepost.phase.work import Ambiguous, Happened

__all__ = ["Ambiguous", "Happened", "Phase", "bless", "open_phase"]
