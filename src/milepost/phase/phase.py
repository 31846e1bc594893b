"""`Phase`: a loop, its steps and its paid calls, made resumable."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from milepost.clock import Clock, SystemClock
from milepost.codec.coding import Codec
from milepost.errors import InvalidArgument, PhaseClosed
from milepost.events import Listener
from milepost.phase.parallel import Parallel
from milepost.phase.settings import Settings
from milepost.phase.work import Ambiguous, Finished, Key
from milepost.run.place import terms_of

if TYPE_CHECKING:
    import random

    import numpy as np

    from milepost.phase.attempt import Attempt


class Phase(Parallel):
    """One named stage of long work: what it recorded is never lost, and never computed twice.

    Use it as a context manager. One process writes a phase at a time; any number read it with `milepost.open`.

    Args:
        name: The phase's name, which names its folder below *store*.
        store: The folder that holds the phases' folders, or the URL of a store.
        params: Settings the work depends on: a dict, a dataclass, a pydantic model or a namespace.
        inputs: Files and folders that the whole phase depends on, by content.
        code: Functions that the whole phase depends on, with what they call in their own package.
        on_change: What to do when params, inputs or code differ from what the run was made with: "stop" with an error
            that names each, "restart" with a new run (the old one is set aside under ``runs/``), or "keep" the
            results. ``MILEPOST_ON_CHANGE`` overrides it.
        on_damage: What to do when acknowledged records are lost or altered: "stop", or "salvage" what is proven
            (the damaged file is kept). ``MILEPOST_ON_DAMAGE`` overrides it.
        durability: What a record survives when the call returns: "power" (loss of power), "process" (SIGKILL), or
            "strict" (power, and the loss of the very last record by a bad medium is noticed).
        enabled: False, or ``MILEPOST_DISABLE=1``, turns all of it into a plain loop in memory.
        grace_seconds: How long the item in hand may go on after a first signal.
        seed: What `random` starts from.
        allow_network_filesystem: Write even where locks and syncs are not sound (NFS and its like).
        on_event: Hears what happens, as `milepost.events.Event`.
        max_cost_usd: What the paid calls of the run may cost, all attempts together, in US dollars.
        max_seconds: For how long an attempt begins new items, steps and calls.
        lease_seconds, take_over: As for `CheckpointManager`: they concern shared stores.
        codec: How values are written (`milepost.Codec`); None keeps to what the run has, and to plain for a new one.
        clock: The clock to go by, for tests.

    Raises:
        InvalidArgument: A name or setting that cannot be worked with.
    """

    def __init__(
        self,
        name: str,
        *,
        store: str | os.PathLike[str] = Path("checkpoints/"),
        params: object = None,
        inputs: Sequence[str | os.PathLike[str]] = (),
        code: Sequence[Callable[..., Any]] = (),
        on_change: str = "stop",
        on_damage: str = "stop",
        durability: str = "power",
        enabled: bool = True,
        grace_seconds: float = 20,
        seed: int = 0,
        allow_network_filesystem: bool = False,
        on_event: Listener | None = None,
        max_cost_usd: float | None = None,
        max_seconds: float | None = None,
        lease_seconds: float | None = None,
        take_over: bool = False,
        codec: Codec | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Hold the settings; nothing is read, made or locked yet."""
        self.name = name
        self._settings = Settings.checked(
            name=name,
            store=store,
            params=params,
            inputs=inputs,
            code=code,
            on_change=on_change,
            on_damage=on_damage,
            durability=durability,
            enabled=enabled,
            grace_seconds=grace_seconds,
            seed=seed,
            allow_network_filesystem=allow_network_filesystem,
            clock=clock or SystemClock(),
            on_event=on_event,
            max_cost_usd=max_cost_usd,
            max_seconds=max_seconds,
            codec=codec,
            terms=terms_of(lease_seconds, take_over=take_over),
        )
        self._open: Attempt | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the phase of checked *settings*: how a workflow makes its phases."""
        phase = cls.__new__(cls)
        phase.name, phase._settings, phase._open = settings.name, settings, None
        return phase

    def __enter__(self) -> Self:
        """Open an attempt: take the lock, recover, and compare what the run was made with.

        Raises:
            RunLocked: Another process writes this phase; names its host, pid and age.
            Changed: Params, inputs or code changed and *on_change* is "stop".
            DamageError: Acknowledged records are lost or altered and *on_damage* is "stop".
            ForeignRun: The folder is kept by a `CheckpointManager`.
            Interrupted: A signal arrived meanwhile; the run is as resumable as before.
            StorageError: The medium refused.
        """
        if self._open is not None:
            raise PhaseClosed(f"{self.name}: this phase is open already.")
        from milepost.phase.attempt import Attempt  # a program that only saves checkpoints need not load these
        from milepost.phase.signals import whole

        whole(Phase.__exit__)
        self._open = Attempt.begin(self._settings)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        """End the attempt; what is recorded is safe, whatever ended it."""
        attempt, self._open = self._attempt, None
        attempt.end(error)

    def __reduce__(self) -> Any:
        """Refuse to be sent to another process: one process records."""
        raise InvalidArgument(f"{self.name}: a phase stays in its process; send the item, and record what comes back.")

    # --- loops

    def each(
        self,
        items: Iterable[Any],
        key: Key | None = None,
        *,
        name: str | None = None,
        batch: int | None = None,
        version: Callable[[Any], Any] | None = None,
    ) -> Iterator[Any]:
        """Hand out the items that are not done, one by one as they are asked for.

        Args:
            items: Any iterable; it is read as the loop goes on.
            key: From item to text, by which the item is known; `str` and `Path` items are their own.
            name: The loop's name; needed for a second loop in one phase.
            batch: Hand out lists of up to this many items, to be recorded as one list with one sync.
            version: From item to a value that tells whether the item changed; by default its content does.

        Raises:
            InvalidArgument: A loop of that name has begun already, or an item has no key.
            DuplicateKey: Two items have one key.
            Interrupted: A signal asked to stop.
            BudgetReached: The attempt has had its max_seconds.
        """
        if batch is not None and (type(batch) is not int or batch < 1):
            raise InvalidArgument(f"batch={batch!r}: a whole number of at least 1 is needed.")
        attempt = self._attempt
        loop = attempt.begin_loop(items, name, key, version)
        if batch is None:
            return attempt.loops.one_by_one(loop, items, attempt.check)
        loop.batched = True
        return attempt.loops.in_batches(loop, items, batch, attempt.check)

    def record(self, value: Any, key: str | None = None, *, name: str | None = None) -> None:
        """Record the result of the item handed out last: when this returns, it is durable.

        Args:
            value: The result; it must come back equal. After `each(batch=…)` a list, one result for each item.
            key: The item it belongs to, if it is another one; needed off the iterating thread.
            name: The loop of that item, where several loops have it.

        Raises:
            NoItem: No item is in hand, or none of that key was handed out.
            AlreadyRecorded: The item has its record.
            NotEncodable: The value would not come back equal; the message names its path.
            DiskFull: There is no room; everything recorded before is whole.
            StorageError: The medium refused; everything recorded before is whole.
        """
        loops = self._attempt.loops
        if key is None:
            loops.record(value)
        else:
            loops.holding(key, name).record_one(key, value)

    def fail(self, error: BaseException | str, key: str | None = None, *, name: str | None = None) -> None:
        """Record that the item handed out last failed: never a result, and tried again by the next attempt.

        Args:
            error: What went wrong; its type and the beginning of its message are kept.
            key: The item it belongs to, if it is another one.
            name: The loop of that item, where several loops have it.

        Raises:
            NoItem: No item is in hand, or none of that key was handed out.
            AlreadyRecorded: The item has its record.
            StorageError: The medium refused; everything recorded before is whole.
        """
        loops = self._attempt.loops
        loop, named = loops.in_hand() if key is None else (loops.holding(key, name), key)
        loop.record([Finished(named, error=error)])

    # --- single steps, paid calls, the result

    def step(self, name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Return ``function(*args, **kwargs)``, computed once per run for the same arguments.

        Raises:
            Changed: The stored value was made by another function and *on_change* is "stop".
            StorageError: The medium refused; the value was not recorded.
        """
        self._attempt.check_within()
        return self._attempt.steps.step(name, function, args, kwargs)

    def call(
        self,
        key: str,
        function: Callable[..., Any],
        *args: Any,
        cost_usd: float | None = None,
        reconcile: Callable[[Ambiguous], Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Make a call that costs money: its intent is durable before, its answer after, and it is never made again.

        The function is called with ``call_id=``, which is the same in every attempt, fit for a provider's
        idempotency key. A call that was sent and not answered is *ambiguous*: it is listed with its price, and made
        again with the same id, unless *reconcile* says what happened.

        Args:
            key: What the call is known by.
            function: What makes the call; *args* and *kwargs* are handed on.
            cost_usd: What it costs, in US dollars.
            reconcile: Given an `Ambiguous`, returns ``milepost.Happened(result)``, or None if it did not happen.

        Raises:
            Changed: The stored answer was made by another function and *on_change* is "stop".
            BudgetReached: The call would exceed max_cost_usd; it is not made.
            InvalidArgument: *cost_usd* is no finite number of at least 0.
            StorageError: The medium refused; without a durable intent the call is not made.
        """
        self._attempt.check_within()
        return self._attempt.steps.call(key, function, args, kwargs, cost_usd=cost_usd, reconcile=reconcile)

    def output(self, path: str | os.PathLike[str]) -> None:
        """Declare a file or folder that the phase wrote: its digest is recorded, and stands in the receipt.

        Args:
            path: What was written. A workflow enters a finished phase again if it is missing or altered.

        Raises:
            InvalidArgument: There is no such file.
            StorageError: The medium refused; it was not recorded.
        """
        self._attempt.output(os.fspath(path))

    @property
    def ambiguous(self) -> list[Ambiguous]:
        """The paid calls that were sent and not answered, each with its price."""
        return self._attempt.steps.ambiguous()

    def complete(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the phase's result, computed once and then remembered while the items stay as they are.

        Args:
            value: A ready value, or a function of *args* and *kwargs*; a stored result wins.

        Raises:
            Unrecorded: Items were handed out and not recorded.
            Changed: The stored result was made by another function and *on_change* is "stop".
            NotEncodable: The result would not come back equal; the message names its path.
            StorageError: The medium refused; the result was not recorded.
        """
        self._attempt.check_within()
        return self._attempt.complete(value, args, kwargs)

    def finish(self, value: Any) -> tuple[Any, str] | None:
        """Complete the phase with what its body returned, unless the body completed it: how a workflow ends a phase.

        Returns:
            The result as it is stored, encoded (in memory as it is), and the digest of that; None where items were
            withheld and the phase is not complete.

        Raises:
            Unrecorded: Items were handed out and not recorded.
            Interrupted: A signal asked to stop, and the body has not completed the phase.
            NotEncodable: The result would not come back equal; the message names its path.
            StorageError: The medium refused; the result was not recorded.
        """
        return self._attempt.finish(value)

    @property
    def is_partial(self) -> bool:
        """Whether items did not run because only those that failed were to."""
        return self._attempt.loops.withheld > 0

    # --- state and random numbers

    @property
    def state(self) -> dict[str, Any]:
        """A dict beside the items, as it was saved last; change it, then `save`."""
        return self._attempt.state.value

    def save(self) -> None:
        """Journal what changed in `state`: when this returns, it is durable.

        Raises:
            NotEncodable: A value would not come back equal; the message names its path.
            StorageError: The medium refused; the state as saved before is whole.
        """
        self._attempt.save_state()

    def random(self, key: str | None = None, *, name: str | None = None) -> random.Random:
        """Return the item's own random generator: a resumed run draws what the uninterrupted one would have drawn.

        Args:
            key: The item; by default the one in hand.
            name: The loop of that item.

        Raises:
            NoItem: No item is in hand.
        """
        return self._attempt.random(key, name)

    def numpy_random(self, key: str | None = None, *, name: str | None = None) -> np.random.Generator:
        """Return the item's own numpy generator; see `random`.

        Raises:
            MissingExtra: numpy is not installed.
        """
        return self._attempt.numpy_random(key, name)

    @property
    def _attempt(self) -> Attempt:
        if self._open is None:
            raise PhaseClosed(f"{self.name}: this phase is not open; use it inside `with milepost.Phase(…) as phase:`.")
        return self._open
