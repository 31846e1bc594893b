"""What is measured: workloads, the contenders of each, and the targets they are held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

RATIO = "ratio"
"""The measure that every contender has: its median over the floor's."""


@dataclass(frozen=True)
class Contender:
    """One way to do the work of a workload.

    *subject* names a `benchmarks.subject.Subject` as ``module:Class``; it is imported by a process of its own
    only, run by *python*, so that a peer may live in an environment of its own. *settings* add to the workload's.
    """

    name: str
    subject: str
    note: str = ""
    python: str | None = None
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Target:
    """At most *limit* of a *measure* (a ratio, or a fact that the subject states) for one contender."""

    contender: str
    measure: str
    limit: float
    unit: str


@dataclass(frozen=True)
class Workload:
    """A piece of work that all *contenders* do in turn.

    *floor* names the contender that the ratios refer to, *also_against* further ones. One repeat is *burst* turns
    of each contender; its time is their median. One turn does *operations* operations, for the count of syncs.
    *is_slow* leaves it out of a quick run.
    """

    name: str
    group: str
    label: str
    contenders: tuple[Contender, ...]
    floor: str
    targets: tuple[Target, ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)
    burst: int = 1
    operations: int = 1
    also_against: tuple[str, ...] = ()
    counts_syncs: bool = True
    is_slow: bool = False
