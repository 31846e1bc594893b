"""`Workflow`: phases with their dependencies, carried on across phases."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

from milepost.clock import Clock, SystemClock
from milepost.codec.coding import Codec
from milepost.errors import InvalidArgument
from milepost.events import Listener, all_of
from milepost.phase.limits import Budget
from milepost.phase.retrying import waits
from milepost.phase.settings import check_limit, on_change_of
from milepost.phase.work import Key, Version
from milepost.run.place import DEFAULT, Where, folder_name, terms_of
from milepost.workflow.graph import Graph, Node

if TYPE_CHECKING:
    from milepost.workflow.frame import Frame
    from milepost.workflow.outcome import Outputs
    from milepost.workflow.planning import Plan

log = logging.getLogger(__name__)

Body = TypeVar("Body", bound=Callable[..., Any])

_UPSTREAM = ("restart", "keep_items")


class Workflow:
    """Phases and what they build on: interrupted anywhere, `run` goes on in the right phase and item.

    A finished phase is not entered again. It is stale when its own code, parameters, inputs or items changed, or the
    *output* of a phase before it; an upstream phase that ran again to the same output makes nothing stale.

    Args:
        name: The workflow's name.
        store: The folder that holds the phases' folders, the URL of a store, or a function of the config.
        config: Handed to bodies that take ``config=``: a value, or a function of the overrides (dotted key to text).
        on_change: What a phase does when its code, parameters or inputs changed: "stop", "restart" or "keep".
        durability: What a record survives: "power", "process" or "strict".
        enabled: False, or ``MILEPOST_DISABLE=1``, turns all of it into plain calls in memory.
        grace_seconds: How long items in hand may go on after a first signal.
        seed: What `Phase.random` starts from.
        allow_network_filesystem: Write even where locks and syncs are not sound (NFS and its like).
        on_event: Hears what happens in all phases, as `milepost.events.Event`.
        codec: How values are written (`milepost.Codec`); None keeps to what each run has.
        clock: The clock to go by, for tests.

    Raises:
        InvalidArgument: A setting that cannot be worked with.
    """

    def __init__(
        self,
        name: str,
        *,
        store: Where | Callable[[Any], Where] = DEFAULT,
        config: Any = None,
        on_change: str = "stop",
        durability: str = "power",
        enabled: bool = True,
        grace_seconds: float = 20,
        seed: int = 0,
        allow_network_filesystem: bool = False,
        on_event: Listener | None = None,
        codec: Codec | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Hold the settings; nothing is read or made yet."""
        folder_name(name)
        on_change_of(on_change, None)
        self.name = name
        self._store = store
        self._config = config
        self._on_change = on_change
        self._durability = durability
        self._enabled = enabled
        self._grace_seconds = grace_seconds
        self._seed = seed
        self._allow_network_filesystem = allow_network_filesystem
        self._on_event = on_event
        self._codec = codec
        self._clock = clock or SystemClock()
        self._graph = Graph(name)

    # --- declaring

    @overload
    def phase(self, function: Body, /) -> Body: ...
    @overload
    def phase(
        self,
        function: None = None,
        /,
        *,
        name: str | None = None,
        after: str | Callable[..., Any] | Sequence[str | Callable[..., Any]] = (),
        items: Callable[..., Iterable[Any]] | Iterable[Any] | None = None,
        key: Key | None = None,
        version: Version | None = None,
        params: Any = None,
        inputs: Sequence[str | Path] | Callable[..., Sequence[str | Path]] = (),
        code: Sequence[Callable[..., Any]] = (),
        upstream: str = "restart",
        on_change: str | None = None,
        retries: int = 0,
        retry_wait_seconds: float = 1.0,
        timeout_seconds: float | None = None,
        max_cost_usd: float | None = None,
        max_seconds: float | None = None,
        ttl_hours: float | None = None,
    ) -> Callable[[Body], Body]: ...
    def phase(self, function: Body | None = None, /, **options: Any) -> Any:
        """Declare a phase: the function is its body, and what it returns is the phase's output.

        The body is called with the open `milepost.Phase`, then the declared items, then the outputs of the phases it
        comes after, in their order; with ``config=`` if it takes that.

        Args:
            function: The body; left out where options are given.
            name: The phase's name; by default the function's.
            after: The phases whose outputs it builds on: names, or the functions themselves.
            items: What it loops over: a list, or a function of the upstream outputs (and ``config=``); `plan` knows
                them then. The body gets them as a list that carries *key* and *version* to `Phase.each` and `map`.
            key: From item to text, by which it is known; `str` and `Path` items are their own.
            version: From item to a value that tells whether it changed; by default its content does.
            params: What it depends on: a value, or a function of the config; by default all of the config, if the
                body takes it.
            inputs: Files and folders it depends on as a whole, or a function of the config that gives them.
            code: Functions it depends on beside its body.
            upstream: What a changed upstream output means: "restart" sets the run aside and begins anew,
                "keep_items" keeps the records of items that are themselves unchanged, and computes the result anew.
            on_change: As the workflow's, for this phase.
            retries: How often a body that raised is entered again; what it recorded stays.
            retry_wait_seconds: The pause before the second try; it doubles from try to try, up to 60 seconds.
            timeout_seconds: How long one try may take.
            max_cost_usd: What the paid calls of a run may cost, all attempts together, in US dollars.
            max_seconds: For how long an attempt begins new items, steps and calls.
            ttl_hours: The age, in hours, beyond which a finished result is expired and computed anew.

        Raises:
            InvalidArgument: An option that cannot be worked with, or a name that is declared already.
        """

        def declare(body: Body) -> Body:
            after = options.get("after", ())
            before = [after] if isinstance(after, str) or callable(after) else list(after)
            self._graph.add(_node(body, **options | {"after": [self._graph.name_of(one) for one in before]}))
            return body

        return declare if function is None else declare(function)

    # --- running

    def run(
        self,
        *,
        params: Mapping[str, str] | None = None,
        store: Where | None = None,
        start: str | None = None,
        to: str | None = None,
        only: str | Sequence[str] | None = None,
        fresh: bool = False,
        retry_failed: bool = False,
        on_change: str | None = None,
        on_event: Listener | None = None,
        jobs: int = 1,
        take_over: bool = False,
    ) -> Outputs:
        """Carry the workflow on, and return the outputs of its phases.

        Args:
            params: Overrides of the config: dotted keys to values as text.
            store: Where runs are kept, instead of the workflow's word.
            start: The first phase: what it leads to runs, and what it builds on must be finished.
            to: The last phase: only what leads to it runs.
            only: These phases and no others.
            fresh: Set the runs of these phases aside and begin anew.
            retry_failed: Run what failed and nothing else.
            on_change: What to do about changes, instead of the workflow's word; ``MILEPOST_ON_CHANGE`` overrides it.
            on_event: Hears what happens, beside the workflow's own listener.
            jobs: How many independent phases run side by side, in threads.
            take_over: In a shared store: take the phases from another process that holds them, at once.

        Raises:
            PhaseFailed: The body of a phase raised; the cause is its error.
            Changed: Something changed and the word is "stop".
            BudgetReached: A budget is spent; run again with more.
            Interrupted: A signal asked to stop.
            RunLocked: Another process runs one of these phases.
            DamageError: A journal is damaged.
            StorageError: The medium refused.
            InvalidArgument: An argument that cannot be worked with.
        """
        if type(jobs) is not int or jobs < 1:
            raise InvalidArgument(f"jobs={jobs!r}: a whole number of at least 1 is needed.")
        from milepost.workflow.deciding import Wish
        from milepost.workflow.looking import strangers
        from milepost.workflow.running import Runner

        frame = self._frame(params, store, on_change, all_of([self._on_event, on_event]), take_over=take_over)
        nodes = self._graph.selected(start=start, to=to, only=[only] if isinstance(only, str) else only)
        gone = strangers(frame.root, self.name, set(self._graph.nodes))
        if gone:
            log.warning(
                "%s: %s made by this workflow and no longer in it. Nothing of it is used. If a phase was renamed, give "
                "its function name=%r to go on with its results.",
                self.name,
                ", ".join(gone) + (" was" if len(gone) == 1 else " were"),
                gone[0],
            )
        return Runner(frame, self._graph, nodes, Wish(fresh, retry_failed)).run(jobs)

    def plan(
        self,
        *,
        params: Mapping[str, str] | None = None,
        store: Where | None = None,
        start: str | None = None,
        to: str | None = None,
        only: str | Sequence[str] | None = None,
        fresh: bool = False,
        on_change: str | None = None,
    ) -> Plan:
        """Return what `run` with the same arguments would do, why, and what it would take; nothing is written.

        Raises:
            DamageError: A journal is damaged.
            StorageError: The medium refused.
            InvalidArgument: An argument that cannot be worked with.
        """
        from milepost.workflow.deciding import Wish
        from milepost.workflow.planning import plan_of

        frame = self._frame(params, store, on_change, None)
        nodes = self._graph.selected(start=start, to=to, only=[only] if isinstance(only, str) else only)
        return plan_of(frame, nodes, set(self._graph.nodes), Wish(fresh))

    @property
    def phases(self) -> list[str]:
        """The names of the phases, each behind those it builds on.

        Raises:
            InvalidArgument: A phase builds on one that is not declared, or in a circle.
        """
        return [node.name for node in self._graph.order()]

    def store_for(self, params: Mapping[str, str] | None = None, store: Where | None = None) -> Path | str:
        """Return the folder where the phases' runs are kept.

        Raises:
            InvalidArgument: The config or the store cannot be worked with.
        """
        return self._frame(params, store, None, None).root.named

    def _frame(
        self,
        params: Mapping[str, str] | None,
        store: Where | None,
        on_change: str | None,
        on_event: Listener | None,
        *,
        take_over: bool = False,
    ) -> Frame:
        from milepost.workflow.calling import config_of
        from milepost.workflow.frame import Frame, store_of

        config = config_of(self._config, params or {})
        return Frame(
            name=self.name,
            root=store_of(self._store if store is None else store, config, self._codec, terms_of(take_over=take_over)),
            config=config,
            on_change=self._on_change if on_change is None else on_change,
            durability=self._durability,
            enabled=self._enabled,
            grace_seconds=self._grace_seconds,
            seed=self._seed,
            clock=self._clock,
            on_event=on_event,
            allow_network_filesystem=self._allow_network_filesystem,
        )


def _node(
    body: Callable[..., Any],
    *,
    name: str | None = None,
    after: Sequence[str] = (),
    items: Callable[..., Iterable[Any]] | Iterable[Any] | None = None,
    code: Sequence[Callable[..., Any]] = (),
    upstream: str = "restart",
    retries: int = 0,
    retry_wait_seconds: float = 1.0,
    timeout_seconds: float | None = None,
    max_cost_usd: float | None = None,
    max_seconds: float | None = None,
    **options: Any,
) -> Node:
    """Return a checked declaration."""
    named = name or str(getattr(body, "__name__", ""))
    folder_name(named)
    if any(one(body) for one in (iscoroutinefunction, isgeneratorfunction, isasyncgenfunction)):
        raise InvalidArgument(
            f"phase {named!r}: its body is a coroutine or generator function, which gives no output when it is called; "
            "use a plain function, with asyncio.run(…) inside."
        )
    if upstream not in _UPSTREAM:
        raise InvalidArgument(f"phase {named!r}: upstream={upstream!r}: one of {', '.join(_UPSTREAM)} is needed.")
    waits(retries, retry_wait_seconds)
    for limit, value in (
        ("timeout_seconds", timeout_seconds),
        ("max_cost_usd", max_cost_usd),
        ("max_seconds", max_seconds),
        ("ttl_hours", options.get("ttl_hours")),
    ):
        check_limit(limit, value)
    if options.get("on_change") is not None:
        on_change_of(options["on_change"], None)
    return Node(
        name=named,
        function=body,
        after=tuple(after),
        items=list(items) if isinstance(items, Iterator) else items,  # it can be gone through only once
        code=tuple(code),
        keeps_items=upstream == "keep_items",
        retries=retries,
        retry_wait_seconds=retry_wait_seconds,
        budget=Budget(max_cost_usd, max_seconds, timeout_seconds),
        **options,
    )
