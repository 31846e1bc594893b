"""The lease by which one process at a time writes a phase in a shared store.

A lease only saves work that would be done twice. What makes it safe is that the store itself refuses who was
superseded: each write of a document names the version it replaces, and each record a slot that a successor takes.

The holder goes by its monotonic clock, expiry is judged by the store's time (Gray and Cheriton, "Leases", 1989, have
both sides keep time; here a wrong clock costs work, never data).
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable
from typing import Any

from milepost.clock import Clock
from milepost.errors import Fenced, MilepostError, RunLocked, StorageError, VersionConflict
from milepost.stores.head import Head, Lease, Mark, parse_head
from milepost.stores.presence import is_gone, is_here, myself
from milepost.stores.store import Found, Store
from milepost.stores.terms import Terms

log = logging.getLogger(__name__)

RENEWING = "milepost lease"
"""The name of the threads that renew leases."""

_RENEWALS = 3  # in the time after which a lease expires
_in_use: weakref.WeakSet[Tenure] = weakref.WeakSet()


class Tenure:
    """The lease while it is held: *head* as written last; *taken_over* tells that nobody had let go of it."""

    def __init__(self, store: Store, key: str, terms: Terms, clock: Clock, head: Head, version: str) -> None:
        """Hold the lease that stands in *head*."""
        self.store = store
        self.head = head
        self.taken_over = False
        self.mark: Callable[[], Mark | None] = lambda: None
        self._key = key
        self._seconds = terms.seconds
        self._clock = clock
        self._version = version
        self._renewed = clock.monotonic()
        self._mutex = threading.RLock()
        self._lost: Fenced | None = None
        self._ended = threading.Event()

    @classmethod
    def begun(cls, store: Store, key: str, terms: Terms, clock: Clock) -> Tenure:
        """Become the writer of the phase whose head stands under *key*; wait for a lease that may be a dead one's.

        Where the holder runs on this machine that is known at once. Else it shows within a third of the lease's time:
        a holder at work renews it.

        Raises:
            RunLocked: Another process is the writer.
            StorageError: The store refused.
        """
        terms.checked()
        while True:
            found = store.read(key)
            head = parse_head(f"{store.url}/{key}", found.data)
            left_over = _left_over(store, key, terms, clock, head, found)
            lease = Lease(myself(), terms.seconds, clock.now())
            mine = head._replace(lease=lease, token=head.token + 1)
            tenure = cls(store, key, terms, clock, mine, found.version)
            _in_use.add(tenure)  # before anybody can read it: another thread must not take it for one that was dropped
            try:
                tenure._version = store.replace(key, mine.encoded(), found.version)
            except VersionConflict:
                tenure.abandon()
                continue  # somebody else was faster, or a holder renewed its lease: look again
            except BaseException:
                tenure.abandon()
                raise
            tenure.taken_over = left_over
            if head.lease is not None:
                who = f"process {head.lease.owner.pid} on host {head.lease.owner.host}"
                log.warning("%s/%s: taken over from %s, which did not let go.", store.url, key, who)
            threading.Thread(
                target=_renew,
                args=(weakref.ref(tenure), tenure._ended, terms.seconds),
                name=RENEWING,
                daemon=True,
            ).start()
            return tenure

    def ensure(self) -> None:
        """Make sure that the lease is held, renewed where this process's own clock says that it may have expired.

        Raises:
            Fenced: Another process took over.
            StorageError: The store refused.
        """
        if self._lost is not None:
            raise self._lost
        if self._clock.monotonic() - self._renewed > self._seconds:
            self.write()

    def write(self, **changes: Any) -> None:
        """Write the head with *changes*, the newest mark and a lease renewed by it.

        Raises:
            Fenced: Another process took over; nothing changed.
            StorageError: The store refused.
        """
        with self._mutex:
            if self._lost is not None:
                raise self._lost
            begun = self._clock.monotonic()
            head = self.head._replace(mark=self.mark() or self.head.mark)._replace(**changes)
            try:
                self._version = self.store.replace(self._key, head.encoded(), self._version)
            except VersionConflict as error:
                self._lost = superseded(self.store, self._key)
                raise self._lost from error
            self.head, self._renewed = head, begun

    def end(self) -> None:
        """Let go of the lease; one that was lost already is no error."""
        self._ended.set()
        if self._lost is None:
            try:
                self.write(lease=None)
            except Fenced as error:
                log.warning("%s", error)

    def abandon(self) -> None:
        """Forget the lease without giving it back: in a forked child it is the parent's; elsewhere it is to expire."""
        self._mutex = threading.RLock()
        self._ended.set()

    @property
    def is_over(self) -> bool:
        """Whether the lease was let go of or lost."""
        return self._lost is not None or self._ended.is_set()


def superseded(store: Store, key: str) -> Fenced:
    """Return the error of a writer whose lease another took, which it names."""
    who = "Another process"
    try:
        lease = parse_head(key, store.read(key).data).lease
    except (MilepostError, FileNotFoundError):
        lease = None
    if lease is not None:
        who = f"Process {lease.owner.pid} on host {lease.owner.host}"
    return Fenced(
        f"{_place(store, key)}: {who} took this run over, since this process did not renew its lease in time. "
        "Nothing more was written by this one; everything acknowledged before is whole. Let the other one work, "
        "or stop it and run the same command again."
    )


def _left_over(store: Store, key: str, terms: Terms, clock: Clock, head: Head, found: Found) -> bool:
    """Tell that the lease can be taken though nobody let it go; wait for that where it may be a dead process's.

    Raises:
        RunLocked: Its holder is alive.
    """
    lease = head.lease
    if lease is None:
        return False
    if terms.take_over or is_gone(lease.owner) or _was_dropped(key, lease, head):
        return True
    left = lease.seconds - (store.now() - found.modified)
    if left <= 0:
        return True
    if is_here(lease.owner):
        raise _locked(store, key, clock, lease, left)
    owner = lease.owner
    log.warning(
        "%s/%s: process %d on host %s holds the lease for %.0f s more; waiting to see whether it is at work.",
        *(store.url, key, owner.pid, owner.host, left),
    )
    from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

    still = Retrying(
        retry=retry_if_result(lambda same: same),
        wait=wait_fixed(min(1.0, left / 10)),
        stop=stop_after_delay(left),
        retry_error_callback=lambda _: True,
    )
    if not still(lambda: store.read(key).version == found.version):
        renewed = parse_head(key, store.read(key).data).lease
        if renewed is not None:
            raise _locked(store, key, clock, renewed, renewed.seconds)
    return True


def _was_dropped(key: str, lease: Lease, head: Head) -> bool:
    """Tell that this very process held the lease with an object that nobody uses any more."""
    if lease.owner != myself():
        return False
    used = [one.head for one in list(_in_use) if one._key == key and not one.is_over]
    return all((one.area, one.token) != (head.area, head.token) for one in used)  # by whichever handle it was opened


def _locked(store: Store, key: str, clock: Clock, lease: Lease, left_seconds: float) -> RunLocked:
    owner, age = lease.owner, max(0.0, clock.now() - lease.since)
    me = " (this very process)" if owner == myself() else ""
    return RunLocked(
        f"{_place(store, key)}: this run is being written by process {owner.pid} on host {owner.host}{me}, for "
        f"{age:.0f} s; its lease ends in {left_seconds:.0f} s unless it is renewed. Wait for it or stop it, then run "
        "the same command again; reading is possible all the while. If it hangs, MILEPOST_TAKE_OVER=1 (or --take-over) "
        "takes the run over now.",
        host=owner.host,
        pid=owner.pid,
        age_seconds=age,
    )


def _place(store: Store, key: str) -> str:
    return f"{store.url}/{key.rpartition('/')[0]}"


def _renew(tenure: weakref.ref[Tenure], ended: threading.Event, seconds: float) -> None:
    """Renew the lease until it is let go of, lost, or nobody uses it any more."""
    while not ended.wait(seconds / _RENEWALS):
        held = tenure()
        if held is None or held.is_over:
            return
        try:
            held.write()
        except Fenced as error:
            log.error("%s", error)  # noqa: TRY400 -- the next write of the job raises it
            return
        except StorageError as error:
            log.warning("%s The lease could not be renewed; trying again.", error)
        del held
