"""Where bytes live: stores move bytes, promise durability, and know nothing of values."""

from milepost.stores.base import Damaged, Durability, JournalReading, RunStore, Spot, Visit
from milepost.stores.documents import MANIFEST, RUNS
from milepost.stores.files import RunFiles
from milepost.stores.folder import write_durably

__all__ = [
    "MANIFEST",
    "RUNS",
    "Damaged",
    "Durability",
    "JournalReading",
    "RunFiles",
    "RunStore",
    "Spot",
    "Visit",
    "write_durably",
]
