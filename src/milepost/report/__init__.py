"""What a checkpoint folder holds, told to people and machines. Reads only; takes no lock."""

from milepost.report.contents import (
    Items,
    Latest,
    checkpoint,
    item,
    items,
    kept_by,
    latest,
    record,
)
from milepost.report.overview import PhaseReport, RunReport, names, phases
from milepost.report.status import PhaseStatus, RunState, status

__all__ = [
    "Items",
    "Latest",
    "PhaseReport",
    "PhaseStatus",
    "RunReport",
    "RunState",
    "checkpoint",
    "item",
    "items",
    "kept_by",
    "latest",
    "names",
    "phases",
    "record",
    "status",
]
