"""One run of a phase: loading its progress, and being its one writer."""

from milepost.run.manifest import read_manifest
from milepost.run.place import Place
from milepost.run.progress import Entry, Loaded, Progress, list_entries, load
from milepost.run.shared import open_writer, running_writer
from milepost.run.writer import RunWriter

__all__ = [
    "Entry",
    "Loaded",
    "Place",
    "Progress",
    "RunWriter",
    "list_entries",
    "load",
    "open_writer",
    "read_manifest",
    "running_writer",
]
