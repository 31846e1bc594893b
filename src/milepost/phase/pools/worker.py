"""What runs in a worker process of ours."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing import connection
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any

from milepost.phase.pools.base import Outcome, attempt
from milepost.phase.pools.travel import fit_to_travel, pack, unpack

SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1})
"""What tells the program to stop. The program then waits for its workers, so they must not end by it."""


def serve(line: Connection, function: bytes) -> None:
    """Make the tries that come over *line* until it ends.

    Args:
        line: Jobs in, outcomes out. The first message out is None, or why *function* cannot be loaded.
        function: The user's function, packed.
    """
    _stand_apart()
    try:
        call = unpack(function)
    except Exception as error:  # noqa: BLE001 -- told to the one who waits for it
        line.send_bytes(pack(f"{type(error).__name__}: {error}"))
        return
    line.send_bytes(pack(None))
    while True:
        try:
            line.send_bytes(_answer(call, line.recv_bytes()))
        except (EOFError, ConnectionError):
            return


def _answer(call: Callable[..., Any], job: bytes) -> memoryview:
    try:
        item, options = unpack(job)
    except Exception as error:  # noqa: BLE001 -- the item's own code may fail in any way
        error.add_note("The item could not be loaded in a worker process.")
        return pack(fit_to_travel(Outcome(0.0, error=error, final=True)))
    outcome = fit_to_travel(attempt(call, item, options))
    try:
        return pack(outcome)
    except Exception as error:  # noqa: BLE001 -- the value's own code may fail in any way
        error.add_note("The result could not be sent back from a worker process.")
        return pack(fit_to_travel(Outcome(outcome.seconds, error=error, final=True)))


def _stand_apart() -> None:
    """Leave signals to the program, and end when it is gone."""
    for number in SIGNALS:
        # A handler, not SIG_IGN: what the function starts with exec would inherit that and never stop.
        signal.signal(number, _do_nothing)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    os.setpgid(0, 0)  # so that what the function starts can be ended with it
    threading.Thread(target=_watch_parent, name="milepost-watch", daemon=True).start()


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    """Stay."""


def _watch_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    # Asked for by number as well: a child that the program forked can hold the sentinel's pipe open.
    while not connection.wait([parent.sentinel], timeout=1.0) and os.getppid() == parent.pid:
        pass
    if os.getpgrp() == os.getpid():  # never the group of somebody else
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
