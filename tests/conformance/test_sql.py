"""SQLite and a PostgreSQL server, put through the suites that any store can be put through."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from milepost.stores.sql import open_sql
from milepost.testing.conformance import BackDoor, Opener, RunConformance, StoreConformance
from tests.support.back_doors import postgres_door, sqlite_door
from tests.support.postgres import Server


class TestSqlite(StoreConformance, RunConformance):
    examples = 6

    @pytest.fixture
    def opener(self, tmp_path: Path) -> Opener:
        return partial(open_sql, f"sqlite:///{tmp_path / 'runs.db'}?namespace=ours")

    @pytest.fixture
    def back_door(self, tmp_path: Path, opener: Opener) -> Iterator[BackDoor]:
        opener().close()
        with sqlite_door(tmp_path / "runs.db", "ours") as door:
            yield door


class TestPostgresql(StoreConformance, RunConformance):
    examples = 6

    @pytest.fixture
    def url(self, postgres: Server) -> str:
        return postgres.fresh()

    @pytest.fixture
    def opener(self, url: str) -> Opener:
        return partial(open_sql, url)

    @pytest.fixture
    def back_door(self, postgres: Server, url: str, opener: Opener) -> Iterator[BackDoor]:
        opener().close()
        with postgres_door(postgres.url(), parse_qs(urlsplit(url).query)["namespace"][0]) as door:
            yield door
