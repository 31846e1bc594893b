"""Milepost: crash-proof progress checkpoints for long-running Python workflows."""

from milepost import keys
from milepost.codec import register
from milepost.codec.coding import Codec
from milepost.errors import BudgetReached, Changed, Interrupted, MilepostError
from milepost.manager import CheckpointManager
from milepost.phase import Ambiguous, Happened, Phase, bless
from milepost.phase import open_phase as open  # noqa: A004 -- milepost.open, as the field spells it
from milepost.stores import write_durably
from milepost.workflow import Workflow

__all__ = [
    "Ambiguous",
    "BudgetReached",
    "Changed",
    "CheckpointManager",
    "Codec",
    "Happened",
    "Interrupted",
    "MilepostError",
    "Phase",
    "Workflow",
    "bless",
    "keys",
    "open",
    "register",
    "write_durably",
]
