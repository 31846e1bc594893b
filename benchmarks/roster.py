"""Who takes part in which kind of work, and how each is configured. The page of the documentation says why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.model import Contender

MILEPOST = "Milepost"
RESUME = "Milepost, resume"
STATUS = "milepost status"
PLAN = "milepost plan"
ZSTD = "Milepost, zstd"
ZSTD_AES = "Milepost, zstd and AES-256-GCM"
DBOS_POSTGRES = "DBOS, PostgreSQL"
LANGGRAPH_POSTGRES = "LangGraph PostgresSaver"
FLOOR_A = "floor A: append, fdatasync"
FLOOR_Z = "floor Z: zeros written ahead"
FLOOR_F = "floor F: new file, rename"
UNSYNCED = "not synced: not comparable"


@dataclass(frozen=True)
class Way:
    """A peer as it is configured here, and the kinds of *work* that it takes part in."""

    name: str
    keeper: str
    work: frozenset[str]
    environment: str | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    is_synced: bool = True
    note: str = ""

    def contender(self, subject: str) -> Contender:
        """Return it as a contender that does *subject*."""
        note = self.note if self.is_synced else "; ".join(filter(None, (self.note, UNSYNCED)))
        settings = {"keeper": f"benchmarks.keepers.{self.keeper}", **self.settings}
        return Contender(self.name, subject, note, self.environment, settings, self.is_synced)


def _work(words: str) -> frozenset[str]:
    return frozenset(words.split())


_SMALL = "items batches growing save save-large four resume-2000 resume-100000"

PEERS: tuple[Way, ...] = (
    Way("sqlite3", "sqlite:Sqlite", _work(f"{_SMALL} resume-1000000 later overhead"), note="WAL, FULL"),
    Way("sqlite3, a file each", "sqlite:Sqlite", _work("four"), settings={"own_file": True}, note="WAL, FULL"),
    Way("lmdb", "lmdb:Lmdb", _work(f"{_SMALL} resume-1000000"), "lmdb", note="sync, its default"),
    Way(
        "diskcache, synced", "diskcache:Diskcache", _work(_SMALL), "diskcache", {"is_synced": True},
        note="sqlite_synchronous=2, values in the database",
    ),
    Way("batchledger", "batchledger:Batchledger", _work("items four resume-2000 resume-100000"), "batchledger"),
    Way(
        "LangGraph SqliteSaver", "langgraph_sqlite:LanggraphSqlite", _work(_SMALL), "langgraph",
        note="durability=sync",
    ),
    Way(
        "DBOS, SQLite", "dbos:Dbos", _work("items growing save save-large four resume-2000 resume-100000"), "dbos",
        {"one_for_all": True},
    ),
    Way(
        DBOS_POSTGRES, "dbos_postgres:DbosPostgres", _work("store-postgresql store-resume-postgresql-2000"), "dbos",
    ),
    Way(
        LANGGRAPH_POSTGRES, "langgraph_postgres:LanggraphPostgres",
        _work("store-postgresql store-resume-postgresql-2000 store-resume-postgresql-100000"), "langgraph-postgres",
        note="durability=sync",
    ),
    Way("sqlite3, NORMAL", "sqlite:Sqlite", _work("process"), settings={"synchronous": "NORMAL"}, note="WAL"),
    Way("lmdb, sync=False", "lmdb:Lmdb", _work("process"), "lmdb", {"sync": False}),
    Way("diskcache", "diskcache:Diskcache", _work("items process"), "diskcache", is_synced=False, note="as it comes"),
    Way("joblib.Memory", "joblib:Joblib", _work("items process resume-2000"), "joblib", is_synced=False),
    Way("shelve", "shelf:Shelf", _work("items process growing save resume-2000"), is_synced=False),
)  # fmt: skip


def peers(work: str, subject: str) -> tuple[Contender, ...]:
    """Return the peers that take part in a kind of *work*, as contenders that do *subject*."""
    return tuple(way.contender(subject) for way in PEERS if work in way.work)


def own(name: str, keeper: str, subject: str, note: str = "", **settings: object) -> Contender:
    """Return a floor, or Milepost, as a contender that does *subject*."""
    return Contender(name, subject, note, settings={"keeper": f"benchmarks.keepers.{keeper}", **settings})
