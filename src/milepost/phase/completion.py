"""The result of a phase: computed once from what this attempt's items came to, then remembered."""

from __future__ import annotations

import logging
from typing import Any

from milepost.errors import Unrecorded
from milepost.phase.changes import Makers
from milepost.phase.loops import Loops
from milepost.phase.settings import Within
from milepost.phase.steps import Steps
from milepost.records import Kind, digest
from milepost.run.session import Session

log = logging.getLogger(__name__)

_NAMED_KEYS = 5


def complete(
    session: Session,
    loops: Loops,
    steps: Steps,
    makers: Makers | None,
    value: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    within: Within | None = None,
) -> Any:
    """Return the phase's result: the stored one if it was made of the same items, else a new one, recorded.

    Args:
        session: The run.
        loops: The loops of this attempt.
        steps: The steps of this attempt.
        makers: Judges functions; None where Milepost is switched off.
        value: A ready value, or a function of *args* and *kwargs*.
        args: Positional arguments.
        kwargs: Keyword arguments.
        within: The workflow around the phase: its declared items and upstream outputs belong to the result as well.

    Raises:
        Unrecorded: Items were handed out and not recorded, or withheld.
        Changed: The stored result was made by another function and the word is "stop".
    """
    missing = loops.unrecorded()
    if missing:
        named = ", ".join(map(repr, missing[:_NAMED_KEYS])) + (", …" if len(missing) > _NAMED_KEYS else "")
        raise Unrecorded(
            f"{session.path}: {len(missing)} items were handed out and not recorded: {named}. Record each with "
            "record() or fail(), or run again: they come first."
        )
    if loops.withheld:
        raise Unrecorded(
            f"{session.path}: {loops.withheld} items did not run, because only those that failed were to; the phase is "
            "not complete. Run again without that."
        )
    stored = session.record(session.index.completed) if session.index.completed else None
    code = None
    made_of = [loops.identity()]
    if within is not None and within.declared is not None:
        made_of.append(within.declared)
    if callable(value):
        made_of.append(steps.digest_of_arguments(args, kwargs))
        if makers is not None:
            code = makers.admit(value, {stored.code} if stored and stored.code else set())
    given = digest("\n".join(made_of).encode())
    is_current = stored is not None and stored.input == given and steps.newest() < session.index.completed
    is_current = is_current and not (within is not None and _is_passed(session))
    if stored is not None and is_current and _is_same(stored.code, code, makers):
        return session.value(session.index.completed)
    if stored is not None:
        log.info("%s: items changed since the phase was completed, so its result is computed anew.", session.path)
    result = value(*args, **kwargs) if callable(value) else value
    declared = makers.unwritten(code) if makers else []
    items = within.declared if within is not None else None
    session.append([*declared, session.made(Kind.COMPLETED, items, result, input=given, code=code, name="result")])
    return result


def _is_passed(session: Session) -> bool:
    """Tell whether records of items that are none any more make the result look old: a new record says that it is not.

    Those are items done behind the result, and items that failed in an earlier attempt and were not tried in this one.
    """
    index = session.index
    if index.newest_item > index.completed:
        return True
    failures = [failure for group in index.loops.values() for failure in group.failed.values()]
    return any(session.record(failure.sequence).attempt < index.attempt for failure in failures)


def _is_same(stored: str | None, code: str | None, makers: Makers | None) -> bool:
    return stored is None or code is None or makers is None or stored in makers.same_as(code)
