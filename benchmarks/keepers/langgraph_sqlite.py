"""LangGraph with its SqliteSaver."""

from __future__ import annotations

import sqlite3
from typing import Any

from langgraph.checkpoint.sqlite import SqliteSaver

from benchmarks.keepers.langgraph import Langgraph


class LanggraphSqlite(Langgraph):
    """One file for all runs."""

    def connect(self) -> tuple[Any, Any]:
        """Open the file."""
        db = sqlite3.connect(str(self.folder / "langgraph.sqlite"), check_same_thread=False, timeout=60)
        return db, SqliteSaver(db)
