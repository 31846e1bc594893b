"""Instruments for crash tests and drills: a simulated disk, its crash states, and fault-injecting wrappers."""

from milepost.fs.intercepted import ALL, MUTATING, NEEDING_SPACE, Intercepted, Operation
from milepost.testing.atoms import NOTHING, CrashState, Tear
from milepost.testing.crashes import legal_states, surviving_disks
from milepost.testing.disk import SimulatedDisk
from milepost.testing.driver import Counts, for_each_crash
from milepost.testing.faults import (
    CrashAt,
    ErrorAt,
    Interrupted,
    KillAt,
    Recorded,
    ShortWrites,
    SimulatedCrash,
)

__all__ = [
    "ALL",
    "MUTATING",
    "NEEDING_SPACE",
    "NOTHING",
    "Counts",
    "CrashAt",
    "CrashState",
    "ErrorAt",
    "Intercepted",
    "Interrupted",
    "KillAt",
    "Operation",
    "Recorded",
    "ShortWrites",
    "SimulatedCrash",
    "SimulatedDisk",
    "Tear",
    "for_each_crash",
    "legal_states",
    "surviving_disks",
]
