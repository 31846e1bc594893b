"""Workers for `milepost.phase.mapping`: threads, processes, and other people's executors."""

from __future__ import annotations

from milepost.phase.pools.base import Outcome, Pool
from milepost.phase.pools.opening import Workers, open_pool

__all__ = ["Outcome", "Pool", "Workers", "open_pool"]
