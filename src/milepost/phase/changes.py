"""Whether a run may go on with what is given now: its parameters, inputs and code against what it was made with."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from milepost.errors import Changed, InvalidArgument
from milepost.phase.command import again
from milepost.phase.settings import VARIABLE, OnChange, Settings
from milepost.records import Kind, Record, seal, unseal
from milepost.run.session import REFUSED, Recorded, Session

log = logging.getLogger(__name__)

_MOST_TAKEN = 1000
_SECTIONS = {"params": "parameter", "inputs": "input", "code": "code"}

Description = Mapping[str, Mapping[str, str]]


def settle_run(session: Session, now: Description, settings: Settings) -> Description | None:
    """Decide whether the run goes on with what it is described as *now*; return what its `opened` record must say.

    Args:
        session: The recovered run; *restart* sets it aside.
        now: Names and readable values by section: ``params``, ``inputs``, ``code``, in a workflow ``upstream`` too.
        settings: What to do about changes, and the phase's name for messages.

    Returns:
        The description, where it is new or accepted now; None where it is as before.

    Raises:
        Changed: Something changed and the word is "stop"; nothing was touched, and `milepost.bless` accepts it.
    """
    before, within = described(session), settings.within
    fresh = within.fresh if within is not None else None
    if before == now and not fresh:
        return None if session.index.described else now
    if session.index.is_empty:
        return now
    changes = changes_between(before, now)
    if changes and settings.on_change is OnChange.STOP and not fresh:
        accepts = {section: parts for section, parts in now.items() if section != "upstream"}
        # What `bless` accepts is not that an upstream output changed: that begins the run anew.
        _refuse(
            session, {"description": accepts | {"upstream": before["upstream"]} if "upstream" in before else accepts}
        )
        raise _changed(settings.name, changes, session)
    moved = [] if within is None or within.keeps_items else upstream_between(before, now)
    if fresh or moved or (changes and settings.on_change is OnChange.RESTART):
        log.info("%s: begins anew: %s.", settings.name, fresh or listed(changes + moved, "; "))
        session.restart()
    elif changes:
        log.warning("%s: kept, although %s.", settings.name, listed(changes, "; "))
    return now


class Makers:
    """The functions that made a run's values, by digest, and which of them count as the same."""

    def __init__(self, session: Session, on_change: OnChange, phase: str) -> None:
        """Judge the functions of *session*'s records."""
        self._session = session
        self._on_change = on_change
        self._phase = phase
        self._parts: dict[str, dict[str, str]] = {}
        self._same: dict[str, set[str]] = {}
        self._taken: dict[tuple[int, int], tuple[Callable[..., Any], str, dict[str, str]]] = {}
        self._unwritten: dict[str, Record] = {}
        for code, sequence in session.index.codes.items():
            stored = session.value(sequence)
            self._know(code, stored["parts"], stored["accepts"])

    def admit(self, function: Callable[..., Any], made_by: set[str]) -> str:
        """Return the digest of *function*, which goes on with what functions of the digests *made_by* recorded.

        Raises:
            Changed: They were made by another function and the word is "stop".
        """
        code, parts = self._fingerprint(function)
        others = sorted(made_by - self.same_as(code))
        if others and self._on_change is OnChange.STOP:
            entry = {"code": code, "parts": parts, "accepts": others}
            _refuse(self._session, {"function": entry})
            raise _changed(self._phase, self._changes(others, parts), self._session)
        if others and self._on_change is OnChange.KEEP:
            log.warning("%s: kept, although %s.", self._phase, listed(self._changes(others, parts), "; "))
            self._session.append([code_record(self._session, code, parts, others)])
            self._know(code, parts, others)
        elif code not in self._parts:
            self._know(code, parts, [])
            self._unwritten[code] = code_record(self._session, code, parts, [])
        return code

    def _fingerprint(self, function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
        """Return a function's digest and its parts; taken once per function and attempt, for it may take long."""
        from milepost.fingerprint import digest_of, function_parts

        # A bound method is a new object each time it is looked up; what it is bound to is not.
        identity = id(getattr(function, "__func__", function)), id(getattr(function, "__self__", None))
        taken = self._taken.get(identity)
        if taken is None:
            if len(self._taken) >= _MOST_TAKEN:  # functions made in a loop are new ones each time
                self._taken.clear()
            parts = function_parts(function)
            taken = self._taken[identity] = function, digest_of(parts), parts  # kept, so that no other gets its id
        return taken[1:]

    def same_as(self, code: str) -> set[str]:
        """Return the digests that count as the same as *code*: itself, and all that were accepted for it."""
        found, new = set(), {code}
        while new:
            found |= new
            new = set().union(*(self._same.get(one, set()) for one in new)) - found
        return found

    def unwritten(self, code: str | None) -> list[Record]:
        """Return the record that must stand before the first one made by *code*, until it is in the journal."""
        entry = self._unwritten.get(code) if code else None
        return [entry] if entry and code not in self._session.index.codes else []

    def _know(self, code: str, parts: dict[str, str], accepts: Sequence[str]) -> None:
        self._parts[code] = parts
        for other in accepts:
            self._same.setdefault(code, set()).add(other)
            self._same.setdefault(other, set()).add(code)

    def _changes(self, others: Iterable[str], parts: dict[str, str]) -> list[Any]:
        return [change for other in others for change in _of_code(self._parts.get(other, {}), parts)]


def code_record(session: Session, code: str, parts: Mapping[str, str], accepts: Sequence[str]) -> Record:
    """Return the record that says what a function's digest is made of, and which others count as the same."""
    return session.made(Kind.CODE, code, {"parts": dict(parts), "accepts": list(accepts)})


def refused(session: Session) -> dict[str, Any] | None:
    """Return the change that a run stopped at, or None: ``{"description": …}`` or ``{"function": …}``."""
    data = session.document(REFUSED)
    return unseal(data.rstrip(b"\n")) if data else None


def accept(session: Session, change: Mapping[str, Any]) -> list[str]:
    """Record that the refused *change* is accepted; return a line for each thing that changed.

    Raises:
        InvalidArgument: The run that stopped there was set aside or cleared since.
    """
    if change["run"] != session.run:
        raise InvalidArgument(f"{session.path}: the change that waits is of another run; start the job again.")
    function = change.get("function")
    if function is not None:
        session.begin(None)
        session.append([code_record(session, function["code"], function["parts"], function["accepts"])])
        before = [session.value(session.index.codes[one])["parts"] for one in function["accepts"]]
        changes = [one for parts in before for one in _of_code(parts, function["parts"])]
    else:
        changes = changes_between(described(session), change["description"])
        session.begin(change["description"])
    session.keep_document(REFUSED, None)
    return _lines(changes)


def described(recorded: Recorded) -> Description:
    """Return what the run was described as last."""
    found: Description = recorded.value(recorded.index.described) if recorded.index.described else {}
    return found


def _refuse(session: Session, change: dict[str, Any]) -> None:
    """Keep the refused change, so that `milepost.bless` accepts that one and no other."""
    session.keep_document(REFUSED, seal({"kind": "refused", "run": session.run} | change) + b"\n")


def upstream_between(before: Description, now: Description) -> list[Any]:
    """Return the upstream phases whose output differs, each as a change."""
    from milepost.fingerprint import differences

    return differences("upstream", dict(before.get("upstream", {})), dict(now.get("upstream", {})))


def changes_between(before: Description, now: Description) -> list[Any]:
    """Return what differs in params, inputs and code, each as a change."""
    from milepost.fingerprint import differences

    return [
        change
        for section, kind in _SECTIONS.items()
        for change in differences(kind, dict(before.get(section, {})), dict(now.get(section, {})))
    ]


def _changed(phase: str, changes: Sequence[Any], session: Session) -> Changed:
    done = session.index.done
    return Changed(
        f"{phase}: changed since {done} results were recorded in {session.path}:\n  "
        + listed(changes, "\n  ")
        + "\nNothing was run, and nothing was thrown away. To go on with these results:\n  "
        + again(**{VARIABLE: "keep"})
        + "\nor accept the change with milepost.bless(). To set them aside and start over:\n  "
        + again(**{VARIABLE: "restart"}),
        changes=changes,
    )


def _of_code(before: dict[str, str], now: dict[str, str]) -> list[Any]:
    from milepost.fingerprint import differences

    return differences("code", before, now)


def listed(changes: Sequence[Any], separator: str) -> str:
    """Return the changes as one text."""
    return separator.join(_lines(changes))


def _lines(changes: Sequence[Any]) -> list[str]:
    return [f"{one.kind} {one.name}: {one.old} -> {one.new}" for one in changes]
