"""A lease is its process's, through whichever handle it was taken."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from milepost.clock import SystemClock
from milepost.errors import RunLocked
from milepost.stores.sql import open_sql
from milepost.stores.stored import StoredRun
from milepost.stores.terms import Terms


def test_a_living_writer_is_known_through_another_handle(tmp_path: Path) -> None:
    """A process that opens a store by two handles cannot take its own living writer's lease with the other one."""
    one, other = (open_sql(f"sqlite:///{tmp_path / 'runs.db'}") for _ in range(2))
    writer = StoredRun.made(one, "phase", Terms())
    writer.lock(SystemClock())
    with pytest.raises(RunLocked, match="this very process"):
        StoredRun.made(other, "phase", Terms()).lock(SystemClock())
    writer.close()
    with StoredRun.made(other, "phase", Terms()) as second:
        second.lock(SystemClock())
    one.close()
    other.close()


def test_a_dropped_writer_is_known_through_another_handle(tmp_path: Path) -> None:
    """A writer that nobody uses any more hinders no other handle of its process, though it never let go."""
    one, other = (open_sql(f"sqlite:///{tmp_path / 'runs.db'}") for _ in range(2))
    writer = StoredRun.made(one, "phase", Terms())
    writer.lock(SystemClock())
    del writer
    gc.collect()
    with StoredRun.made(other, "phase", Terms()) as second:
        second.lock(SystemClock())
        assert second.holder() is not None
    one.close()
    other.close()
