"""Where bytes live: stores move bytes, promise durability, and know nothing of values."""

from milepost.stores.base import Damaged, Durability, JournalReading, RunStore, Visit
from milepost.stores.files import RunFiles
from milepost.stores.folder import write_durably

__all__ = ["Damaged", "Durability", "JournalReading", "RunFiles", "RunStore", "Visit", "write_durably"]
