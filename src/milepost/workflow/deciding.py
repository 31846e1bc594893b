"""What is to become of a phase: reused, gone on with, begun, begun anew, or stopped at; and why. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import xxhash

from milepost.errors import DuplicateKey
from milepost.phase.changes import Description, changes_between, upstream_between
from milepost.phase.digests import Digests
from milepost.phase.keys import key_of
from milepost.phase.settings import OnChange, Settings
from milepost.phase.work import DeclaredItems
from milepost.records import digest
from milepost.run.index import Group, short
from milepost.workflow.looking import Look

_SECONDS_PER_HOUR = 3600


class Action(StrEnum):
    """What a run does with a phase.

    `REUSE`: it is finished, and not entered. `RESUME`: it is entered; what is recorded and still true stays. `START`:
    nothing was recorded yet. `AGAIN`: its run is set aside, and a new one begins. `STOP`: something changed and the
    user is to say what is to be done. `WAIT`: a phase before it runs first, and its output decides.
    """

    REUSE = "reuse"
    RESUME = "resume"
    START = "start"
    AGAIN = "again"
    STOP = "stop"
    WAIT = "wait"


class ReasonKind(StrEnum):
    """Why a phase is entered."""

    NEW = "new"
    UNFINISHED = "unfinished"
    FAILED = "failed"
    ITEM_NEW = "item new"
    ITEM_CHANGED = "item changed"
    ITEM_REMOVED = "item removed"
    ITEM_SET = "other items, or in another order"
    PARAMETER = "parameter changed"
    INPUT = "input changed"
    CODE = "code changed"
    UPSTREAM = "upstream changed"
    UPSTREAM_RUNS = "upstream runs first"
    EXPIRED = "expired"
    OUTPUT = "output missing or altered"
    FRESH = "asked for"


class Reason(NamedTuple):
    """One thing that makes a phase run: *name* says which parameter, file, function or item, *old* and *new* how."""

    kind: ReasonKind
    name: str = ""
    old: str | None = None
    new: str | None = None

    def __str__(self) -> str:
        """Return it as a person reads it."""
        text = f"{self.kind}: {self.name}" if self.name else str(self.kind)
        return f"{text}: {self.old} -> {self.new}" if self.old is not None else text


@dataclass
class Items:
    """What is to become of the items that a phase declares, by key."""

    total: int = 0
    reused: int = 0
    new: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    identity: str = ""

    @property
    def to_run(self) -> int:
        """How many items run."""
        return len(self.new) + len(self.changed) + len(self.failed)


@dataclass
class Decision:
    """What is to become of one phase.

    *items* is None where they are not declared or cannot be known yet; *made_of* says which items and upstream
    outputs a result would be made of.
    """

    action: Action
    reasons: list[Reason] = field(default_factory=list)
    items: Items | None = None
    output_digest: str | None = None
    kept: list[Reason] = field(default_factory=list)
    made_of: str = ""


class Wish(NamedTuple):
    """What the caller of a run asks for beyond the graph."""

    fresh: bool = False
    only_failed: bool = False


def decide(
    look: Look,
    settings: Settings,
    upstream: Mapping[str, str | None],
    items: DeclaredItems | None,
    *,
    ttl_hours: float | None,
    wish: Wish,
) -> Decision:
    """Return what is to become of a phase.

    Args:
        look: Its run as it stands.
        settings: Its settings as they would be used now.
        upstream: The digests of the outputs it builds on; None where one is not known yet.
        items: The declared items, None where there are none or they cannot be known yet.
        ttl_hours: The age, in hours, beyond which a result is expired.
        wish: What is asked for.

    Raises:
        InvalidArgument: An input is missing, or an item has no key.
        NotEncodable: An item or parameter has no stored form.
    """
    if not settings.enabled:
        return _switched_off(upstream, items)
    digests = Digests(look, settings.clock)
    now = digests.description(settings)
    counted = compare_items(look.index.group(None), items, digests) if items is not None else None
    made_of = result_of(counted, settings)
    decision = _decide(look, settings, now, upstream, counted, made_of, ttl_hours=ttl_hours, wish=wish)
    decision.items, decision.made_of = counted, made_of
    if decision.action is Action.AGAIN and items is not None:
        decision.items = compare_items(Group(), items, digests)
    return decision


def _switched_off(upstream: Mapping[str, str | None], items: DeclaredItems | None) -> Decision:
    """Return what becomes of a phase that is plain calls: it is entered, and nothing is digested for that."""
    waits = [Reason(ReasonKind.UPSTREAM_RUNS, name) for name, one in upstream.items() if one is None]
    keys = None if items is None else [key_of(item, items.key) for item in items]
    found = None if keys is None else Items(total=len(keys), new=keys)
    return Decision(Action.WAIT if waits else Action.START, [Reason(ReasonKind.NEW), *waits], found)


def result_of(items: Items | None, settings: Settings) -> str:
    """Return what a result is made of beside the loops' records: digests of the declared items and of the upstream.

    It stands as the key of the `completed` record, so that a finished phase is judged without entering its body.
    """
    upstream = settings.within.upstream if settings.within is not None else {}
    named = "\n".join(f"{name}={output}" for name, output in upstream.items())
    return f"{'' if items is None else items.identity}:{digest(named.encode()) if upstream else ''}"


def _decide(
    look: Look,
    settings: Settings,
    now: Description,
    upstream: Mapping[str, str | None],
    items: Items | None,
    made_of: str,
    *,
    ttl_hours: float | None,
    wish: Wish,
) -> Decision:
    waits = [Reason(ReasonKind.UPSTREAM_RUNS, name) for name, one in upstream.items() if one is None]
    if look.is_empty:
        return Decision(Action.WAIT if waits else Action.START, [Reason(ReasonKind.NEW), *waits])
    if wish.fresh:
        return Decision(Action.AGAIN, [Reason(ReasonKind.FRESH), *waits])
    changed = _reasons(changes_between(look.description, now))
    if changed and settings.on_change is not OnChange.KEEP:
        return Decision(Action.STOP if settings.on_change is OnChange.STOP else Action.AGAIN, changed)
    kept = changed
    if waits:
        return Decision(Action.WAIT, waits, kept=kept)
    moved = _reasons(upstream_between(look.description, now))
    within = settings.within
    if moved:
        keeps = within is not None and within.keeps_items
        return Decision(Action.RESUME if keeps else Action.AGAIN, moved, kept=kept)
    if not look.is_complete:
        return Decision(Action.RESUME, [Reason(ReasonKind.UNFINISHED), *_of_items(items, look)], kept=kept)
    if ttl_hours is not None and settings.clock.now() - look.completed_at > ttl_hours * _SECONDS_PER_HOUR:
        age = (settings.clock.now() - look.completed_at) / _SECONDS_PER_HOUR
        return Decision(Action.AGAIN, [Reason(ReasonKind.EXPIRED, "", f"{ttl_hours:g} h", f"{age:.1f} h")], kept=kept)
    again = [*_stale_result(items, look, made_of), *altered_outputs(look)]
    if again:
        return Decision(Action.RESUME, again, kept=kept)
    return Decision(Action.REUSE, output_digest=look.output_digest, kept=kept)


def compare_items(group: Group, items: DeclaredItems, digests: Digests) -> Items:
    """Return which of the declared *items* have a record in *group* that is still true.

    Raises:
        InvalidArgument: An item has no key.
        DuplicateKey: Two items have one key.
    """
    of_item = digests.of_items(items.key, items.version)
    found = Items(total=len(items))
    identity = xxhash.xxh3_128()
    seen: set[str] = set()
    for item in items:
        key = key_of(item, items.key)
        if key in seen:
            raise DuplicateKey(f"two declared items have the key {key!r}. Give each its own with key=.")
        given = of_item(item)
        identity.update(f"{key}\0{given or ''}\n".encode())
        seen.add(key)
        sequence = group.sequence(key)
        if key in group.failed:
            found.failed.append(key)
        elif not sequence:
            found.new.append(key)
        elif group.inputs[group.ordinals[key]] != short(given):
            found.changed.append(key)
        else:
            found.reused += 1
    found.removed = [key for key in group.done_keys() if key not in seen]
    found.identity = identity.hexdigest()
    return found


def _stale_result(items: Items | None, look: Look, made_of: str) -> list[Reason]:
    """Return what a finished phase's result does not tell: other items, outputs that changed since, failures."""
    failed = [Reason(ReasonKind.FAILED, key) for key in look.failed_since()]
    if look.declared == made_of:
        is_older = look.index.newest_item > look.index.completed  # an attempt ended between an item and the result
        return [*failed, *([Reason(ReasonKind.UNFINISHED)] if is_older else [])]
    identity, _, upstream = made_of.partition(":")
    stored, _, before = (look.declared or "").partition(":")
    found: list[Reason] = []
    if identity != stored:
        found = [one for one in _of_items(items, look) if one.kind is not ReasonKind.FAILED]
        found = found or [Reason(ReasonKind.ITEM_SET)]
    if upstream != before:
        found.append(Reason(ReasonKind.UPSTREAM))  # accepted by an attempt that did not come to its end
    return [*failed, *(found or [Reason(ReasonKind.UNFINISHED)])]


def _of_items(items: Items | None, look: Look) -> list[Reason]:
    """Return a reason for each item that runs or went."""
    if items is None:
        return [Reason(ReasonKind.FAILED, key) for group in look.index.loops.values() for key in group.failed]
    kinds = (
        (ReasonKind.FAILED, items.failed),
        (ReasonKind.ITEM_CHANGED, items.changed),
        (ReasonKind.ITEM_NEW, items.new),
        (ReasonKind.ITEM_REMOVED, items.removed),
    )
    return [Reason(kind, key) for kind, keys in kinds for key in keys]


def altered_outputs(look: Look) -> list[Reason]:
    """Return a reason for each file that the phase declared as written and that is not there as it was."""
    recorded = look.outputs()
    if not recorded:
        return []
    from milepost.fingerprint import FileDigests, item_digest

    files = FileDigests(None)
    found = []
    for output in recorded:
        if not Path(output.path).exists():
            found.append(Reason(ReasonKind.OUTPUT, output.path, "written", "missing"))
        elif (now := item_digest(Path(output.path), files) or "") != output.digest:
            found.append(Reason(ReasonKind.OUTPUT, output.path, output.digest[:12], now[:12]))
    return found


def _reasons(changes: Sequence[Any]) -> list[Reason]:
    kinds = {
        "parameter": ReasonKind.PARAMETER,
        "input": ReasonKind.INPUT,
        "code": ReasonKind.CODE,
        "upstream": ReasonKind.UPSTREAM,
    }
    return [Reason(kinds[one.kind], one.name, one.old, one.new) for one in changes]
