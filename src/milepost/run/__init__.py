"""One run of a phase: loading its progress, and being its one writer."""

from milepost.run.index import Index
from milepost.run.memory import MemorySession
from milepost.run.place import Place, root_of
from milepost.run.progress import Entry, Loaded, Progress, list_entries, load, load_current
from milepost.run.reading import ReadSession
from milepost.run.session import Draft, FolderSession, Recorded, Session
from milepost.run.shared import leave, open_writer, running_writer
from milepost.run.writer import RunWriter

__all__ = [
    "Draft",
    "Entry",
    "FolderSession",
    "Index",
    "Loaded",
    "MemorySession",
    "Place",
    "Progress",
    "ReadSession",
    "Recorded",
    "RunWriter",
    "Session",
    "leave",
    "list_entries",
    "load",
    "load_current",
    "open_writer",
    "root_of",
    "running_writer",
]
