"""All workloads, in the order in which they run. A new one is a module here and a line below."""

from benchmarks.workloads import booksynth, importing, loading, saving, throttled

WORKLOADS = (
    *importing.WORKLOADS,
    *throttled.WORKLOADS,
    *booksynth.WORKLOADS,
    *saving.WORKLOADS,
    *loading.WORKLOADS,
)
