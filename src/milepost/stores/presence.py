"""Who a process is, and whether one that left its name is certainly gone: only ever told of this very machine."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any, NamedTuple

_BOOT = "/proc/sys/kernel/random/boot_id"
_PID_SPACE = "/proc/self/ns/pid"
_STARTED = 19  # of the fields behind the name: the time the process started, in ticks after boot (proc(5))


class Owner(NamedTuple):
    """A process: its *host* and *pid*; *boot* and *space* tell one machine's process numbers from another's.

    *started* is what tells it from a later process of the same number. What the system does not tell is empty.
    """

    host: str
    pid: int
    boot: str = ""
    space: str = ""
    started: str = ""

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Owner:
        """Return the owner that `_asdict` described."""
        return cls(*(fields[name] for name in cls._fields))


def myself() -> Owner:
    """Return this process."""
    pid = os.getpid()
    return Owner(os.uname().nodename, pid, _boot(), _space(), _started(pid) or "")


def is_gone(owner: Owner) -> bool:
    """Tell whether *owner* is certainly no running process any more; of another machine's nobody here can tell."""
    here = myself()
    if not owner.boot or not owner.space or (owner.host, owner.boot, owner.space) != (here.host, here.boot, here.space):
        return False
    return _started(owner.pid) != owner.started


def is_here(owner: Owner) -> bool:
    """Tell whether *owner* certainly runs on this machine."""
    here = myself()
    return bool(owner.boot) and (owner.boot, owner.space) == (here.boot, here.space) and not is_gone(owner)


def _boot() -> str:
    with suppress(OSError), open(_BOOT, encoding="ascii") as file:
        return file.read().strip()
    return ""


def _space() -> str:
    with suppress(OSError):
        return os.readlink(_PID_SPACE)
    return ""


def _started(pid: int) -> str | None:
    """Return when a process started, None if there is none; a dead one that nobody has waited for yet is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in {"Z", "X"} else fields[_STARTED]
