"""LangGraph with its PostgresSaver."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg
from langgraph.checkpoint.postgres import PostgresSaver
from psycopg.rows import dict_row

from benchmarks.keepers.base import Pair
from benchmarks.keepers.langgraph import Langgraph


class LanggraphPostgres(Langgraph):
    """On the server of the workload, connected as ``PostgresSaver.from_conn_string`` does it."""

    def connect(self) -> tuple[Any, Any]:
        """Connect; the tables are made by the first one who comes."""
        db = psycopg.connect(self.settings["server"], autocommit=True, prepare_threshold=0, row_factory=dict_row)
        saver = PostgresSaver(db)
        saver.setup()
        return db, saver

    def fill(self, run: str, pairs: Iterable[Pair], count: int) -> None:
        """Tell stores of different sizes apart: they are in one database."""
        super().fill(f"{run}-{count}", pairs, count)

    def first_pending(self, run: str, keys: Iterable[str]) -> str:
        """Load the one of this size."""
        return super().first_pending(f"{run}-{self.settings['done']}", keys)
