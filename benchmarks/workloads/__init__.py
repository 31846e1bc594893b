"""All workloads, in the order in which they run. A new one is a module here and a line below."""

from benchmarks.workloads import (
    booksynth,
    growing,
    importing,
    items,
    loading,
    overhead,
    parallel,
    phases,
    resuming,
    saving,
    stores,
)

WORKLOADS = (
    *importing.WORKLOADS,
    *items.WORKLOADS,
    *growing.WORKLOADS,
    *parallel.WORKLOADS,
    *overhead.WORKLOADS,
    *booksynth.WORKLOADS,
    *phases.WORKLOADS,
    *saving.WORKLOADS,
    *loading.WORKLOADS,
    *resuming.WORKLOADS,
    *stores.WORKLOADS,
)
