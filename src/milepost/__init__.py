"""Milepost: crash-proof progress checkpoints for long-running Python workflows."""

from milepost.codec import register
from milepost.errors import MilepostError
from milepost.manager import CheckpointManager
from milepost.stores import write_durably

__all__ = ["CheckpointManager", "MilepostError", "register", "write_durably"]
