"""What all phases of one run of a workflow share: its config, its store, and the words about changes and signals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from milepost.clock import Clock
from milepost.codec.coding import Codec
from milepost.events import Listener
from milepost.phase.settings import Settings, Within
from milepost.run.place import Location, Where, location_for_job
from milepost.stores.terms import Terms
from milepost.workflow.calling import inputs_of, params_of
from milepost.workflow.graph import Node

ORDER = "(order)"
"""Stands among the upstream outputs of a phase for their order."""


@dataclass(frozen=True)
class Frame:
    """The settings of one run or plan of the workflow *name*."""

    name: str
    root: Location
    config: Any
    on_change: str
    durability: str
    enabled: bool
    grace_seconds: float
    seed: int
    clock: Clock
    on_event: Listener | None = None
    allow_network_filesystem: bool = False

    def settings(self, node: Node, within: Within) -> Settings:
        """Return the settings of a phase.

        Raises:
            InvalidArgument: One of them cannot be worked with; the message names it.
        """
        checked = Settings.checked(
            name=node.name,
            store=self.root,
            params=params_of(node, self.config),
            inputs=inputs_of(node, self.config),
            code=[node.function, *node.code],
            on_change=node.on_change or self.on_change,
            on_damage="stop",
            durability=self.durability,
            enabled=self.enabled,
            grace_seconds=self.grace_seconds,
            seed=self.seed,
            allow_network_filesystem=self.allow_network_filesystem,
            clock=self.clock,
            on_event=self.on_event,
            max_cost_usd=None,
            max_seconds=None,
        )
        return checked._replace(budget=node.budget, within=within)


def store_of(
    declared: Where | Callable[[Any], Where], config: Any, codec: Codec | None = None, terms: Terms | None = None
) -> Location:
    """Return where a workflow's runs are kept: the one declared, or what a function of the config says.

    Raises:
        InvalidArgument: It names another kind of store.
    """
    return location_for_job(declared(config) if callable(declared) else declared, terms, codec=codec)


def within_of(
    workflow: str,
    node: Node,
    upstream: Mapping[str, str | None],
    *,
    declared: str | None = None,
    fresh: str | None = None,
    only_failed: bool = False,
) -> Within:
    """Return what the workflow tells one of its phases; an upstream output that is not known yet is left out."""
    known = {name: digest for name, digest in upstream.items() if digest is not None}
    if len(node.after) > 1:  # the body gets the outputs in this order
        known[ORDER] = ", ".join(node.after)
    return Within(
        workflow, known, keeps_items=node.keeps_items, fresh=fresh, only_failed=only_failed, declared=declared
    )
