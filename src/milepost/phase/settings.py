"""What a phase is told when it is made, checked."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple, cast

from milepost.clock import Clock
from milepost.codec.coding import Codec
from milepost.errors import InvalidArgument
from milepost.events import Listener
from milepost.phase.limits import Budget
from milepost.run.place import Location, Where, folder_name, location_for_job
from milepost.stores import Durability
from milepost.stores.terms import Terms

VARIABLE = "MILEPOST_ON_CHANGE"
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"", "0", "false", "no", "off"})


class OnChange(StrEnum):
    """What to do when something changed."""

    STOP = "stop"
    RESTART = "restart"
    KEEP = "keep"


def on_change_of(argument: str, variable: str | None) -> OnChange:
    """Return what to do: the environment's word, else the argument's.

    Raises:
        InvalidArgument: It is none of the three.
    """
    word = variable or argument
    try:
        return OnChange(word)
    except ValueError:
        where = VARIABLE if variable else "on_change"
        raise InvalidArgument(f"{where} {word!r}: 'stop', 'restart' or 'keep' is needed.") from None


class Within(NamedTuple):
    """What a workflow tells one of its phases.

    *upstream* names the phases it builds on, each with the digest of its output; where one differs, the run begins
    anew, unless *keeps_items*: then only its result does. *fresh* says why the run is to begin anew in any case.
    *only_failed* hands out nothing but items that failed. *declared* says which items and upstream outputs the result
    is made of. *stop* is asked before each item and raises if the workflow is to stop; *stopping* tells whether it
    would.
    """

    workflow: str
    upstream: dict[str, str]
    keeps_items: bool = False
    fresh: str | None = None
    only_failed: bool = False
    declared: str | None = None
    stop: Callable[[], None] = lambda: None
    stopping: Callable[[], bool] = lambda: False


class Settings(NamedTuple):
    """The arguments of `Phase`, with the environment's word where it has one."""

    name: str
    root: Location
    params: object
    inputs: list[Path]
    code: list[Callable[..., Any]]
    on_change: OnChange
    salvage: bool
    durability: Durability
    enabled: bool
    grace_seconds: float
    seed: int
    allow_network_filesystem: bool
    clock: Clock
    on_event: Listener | None = None
    budget: Budget = Budget()
    within: Within | None = None

    @classmethod
    def checked(
        cls,
        *,
        name: str,
        store: Where,
        params: object,
        inputs: Sequence[str | os.PathLike[str]],
        code: Sequence[Callable[..., Any]],
        on_change: str,
        on_damage: str,
        durability: str,
        enabled: bool,
        grace_seconds: float,
        seed: int,
        allow_network_filesystem: bool,
        clock: Clock,
        on_event: Listener | None,
        max_cost_usd: float | None,
        max_seconds: float | None,
        codec: Codec | None = None,
        terms: Terms | None = None,
    ) -> Settings:
        """Return the settings.

        Raises:
            InvalidArgument: One of them cannot be worked with; the message names it.
        """
        folder_name(name)
        if isinstance(inputs, str | os.PathLike):
            raise InvalidArgument("inputs: a list of paths is needed, not one path.")
        if not all(map(callable, code)):
            raise InvalidArgument("code: a list of functions is needed.")
        if type(seed) is not int:
            raise InvalidArgument(f"seed {seed!r}: a whole number is needed.")
        if not _is_duration(grace_seconds):
            raise InvalidArgument(f"grace_seconds {grace_seconds!r}: a number of seconds of at least 0 is needed.")
        for budget, limit in (("max_cost_usd", max_cost_usd), ("max_seconds", max_seconds)):
            check_limit(budget, limit)
        return cls(
            name=name,
            root=location_for_job(store, terms, codec=codec),
            params=params,
            inputs=[Path(path) for path in inputs],
            code=list(code),
            on_change=on_change_of(on_change, os.environ.get(VARIABLE)),
            salvage=_one_of("on_damage", "MILEPOST_ON_DAMAGE", on_damage, ("stop", "salvage")) == "salvage",
            durability=Durability(_one_of("durability", None, durability, tuple(Durability))),
            enabled=bool(enabled) and not _flag("MILEPOST_DISABLE"),
            grace_seconds=grace_seconds,
            seed=seed,
            allow_network_filesystem=allow_network_filesystem,
            clock=clock,
            on_event=on_event,
            budget=Budget(max_cost_usd, max_seconds),
        )


def check_limit(name: str, limit: float | None) -> None:
    """Refuse a *limit* that is no number of at least 0.

    Raises:
        InvalidArgument: It is not; None is no limit.
    """
    if limit is not None and not _is_duration(limit):
        raise InvalidArgument(f"{name} {limit!r}: a number of at least 0 is needed, or None for no limit.")


def _is_duration(seconds: object) -> bool:
    return type(seconds) in (int, float) and math.isfinite(cast("float", seconds)) and cast("float", seconds) >= 0


def _one_of(argument: str, variable: str | None, word: str, words: Sequence[str]) -> str:
    said = os.environ.get(variable) if variable else None
    chosen = said or word
    if chosen not in words:
        raise InvalidArgument(f"{variable if said else argument} {chosen!r}: one of {', '.join(words)} is needed.")
    return chosen


def _flag(variable: str) -> bool:
    word = os.environ.get(variable, "").strip().lower()
    if word not in _TRUE | _FALSE:
        raise InvalidArgument(f"{variable} {word!r}: 1 or 0 is needed.")
    return word in _TRUE
