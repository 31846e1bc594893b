"""What is measured: workloads and the contenders of each. The goals stand in `benchmarks.goals`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

POSTGRESQL, S3 = "postgresql", "s3"
"""The servers that a workload may ask for."""


@dataclass(frozen=True)
class Contender:
    """One way to do the work of a workload.

    *subject* names a `benchmarks.subject.Subject` as ``module:Class``; it is imported by a process of its own
    only. A peer lives in an *environment* of its own, which `benchmarks.environments` makes from its lock; all
    others use the interpreter that runs the benchmark. *settings* add to the workload's. What is not synced is
    not *comparable* with what is: a power cut decides.
    """

    name: str
    subject: str
    note: str = ""
    environment: str | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    is_comparable: bool = True


@dataclass(frozen=True)
class Workload:
    """A piece of work that all *contenders* do in turn.

    *floor* names the contender that the ratios refer to, *also_against* further ones. One repeat is *burst* turns
    of each contender; its time is their median. One turn does *operations* operations. *unit_cost* names the
    contender whose time above the floor is the unit A of what the others add to the floor (a bare loop).
    *is_slow* leaves it out of a quick run. *server* names what must run beside it; see `benchmarks.servers`.
    """

    name: str
    group: str
    label: str
    contenders: tuple[Contender, ...]
    floor: str
    settings: Mapping[str, object] = field(default_factory=dict)
    burst: int = 1
    operations: int = 1
    also_against: tuple[str, ...] = ()
    unit_cost: str | None = None
    counts_syncs: bool = True
    is_slow: bool = False
    server: str | None = None
