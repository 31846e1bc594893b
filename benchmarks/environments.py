"""Environments of the peers: one each below build/peers/, made from its lock when it is first asked for."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
LOCKS = CHECKOUT / "requirements" / "peers"
_PLACE = CHECKOUT / "build" / "peers"
_SECONDS = 600


def interpreter(name: str) -> Path:
    """Return the interpreter of the environment *name*."""
    return _PLACE / name / "bin" / "python"


def versions() -> dict[str, str]:
    """Return which version of each peer is pinned."""
    pinned = {}
    for path in sorted(LOCKS.glob("*.in")):
        for line in path.read_text(encoding="utf-8").splitlines():
            package, separator, version = line.partition("==")
            if separator:
                pinned[package] = version
    return pinned


@cache
def missing(name: str) -> str | None:
    """Make the environment *name* unless it is there as its lock asks; return why it could not be made, or None.

    It takes the interpreter that runs the benchmark: the same Python for all contenders.
    """
    lock = LOCKS / f"{name}.lock"
    if not lock.is_file():
        return f"no lock {lock.relative_to(CHECKOUT)}"
    wanted = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()
    stamp = _PLACE / name / "made-from"
    if stamp.is_file() and stamp.read_text(encoding="ascii") == wanted and interpreter(name).exists():
        return None
    uv = _uv()
    if uv is None:
        return "its environment needs uv: run `make install` once"
    print(f"making the environment of {name} …", file=sys.stderr, flush=True)
    python = str(interpreter(name))
    for words in (
        ["venv", "--quiet", "--clear", "--python", sys.executable, str(_PLACE / name)],
        ["pip", "sync", "--quiet", "--python", python, "--require-hashes", str(lock)],
    ):
        try:
            done = subprocess.run([uv, *words], capture_output=True, text=True, check=False, timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            return f"its environment was not ready after {_SECONDS} seconds"
        if done.returncode:
            return f"its environment cannot be made: {' '.join(done.stderr.split())}"
    stamp.write_text(wanted, encoding="ascii")
    return None


def _uv() -> str | None:
    own = CHECKOUT / ".tools" / "uv"
    return str(own) if own.exists() else shutil.which("uv")
