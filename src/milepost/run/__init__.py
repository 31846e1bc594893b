"""One run of a phase: loading its progress, and being its one writer. What only a `Phase` needs stands in modules."""

from milepost.run.place import Location, Place, location_for_job, location_of
from milepost.run.progress import Entry, Loaded, Progress, list_entries, load, load_current
from milepost.run.shared import leave, open_writer, running_writer
from milepost.run.writer import RunWriter

__all__ = [
    "Entry",
    "Loaded",
    "Location",
    "Place",
    "Progress",
    "RunWriter",
    "leave",
    "list_entries",
    "load",
    "load_current",
    "location_for_job",
    "location_of",
    "open_writer",
    "running_writer",
]
