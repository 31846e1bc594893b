"""What changes a store while no job runs: forking, moving, repairing and tidying runs. Always under the lock."""

from milepost.upkeep.copying import Copied, copy_runs
from milepost.upkeep.forking import Forked, fork
from milepost.upkeep.packing import export_runs
from milepost.upkeep.pruning import Limits, Pruned, clear, prunable, prune
from milepost.upkeep.rekeying import Rekeyed, rekey
from milepost.upkeep.repairing import Repair, repair
from milepost.upkeep.unpacking import Imported, import_runs

__all__ = [
    "Copied",
    "Forked",
    "Imported",
    "Limits",
    "Pruned",
    "Rekeyed",
    "Repair",
    "clear",
    "copy_runs",
    "export_runs",
    "fork",
    "import_runs",
    "prunable",
    "prune",
    "rekey",
    "repair",
]
