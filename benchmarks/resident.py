"""A contender's process, as the harness sees it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from benchmarks import environments
from benchmarks.environments import CHECKOUT
from benchmarks.model import Contender, Workload
from benchmarks.subject import Facts

_BROKE_OFF = "its process broke off; see standard error"
_CLOSING_SECONDS = 60


class ContenderFailed(Exception):
    """A contender has no environment, or its process ended early; the message says which."""


@dataclass(frozen=True)
class Turn:
    """What one turn took, and what else was observed."""

    seconds: float
    facts: Facts


class Resident:
    """The process of *contender*, ready for turns once it is built; *before* is put before its command line."""

    def __init__(
        self, workload: Workload, contender: Contender, folder: Path, *, shared: Path, before: Sequence[str] = ()
    ) -> None:
        """Start it, and wait until it is ready. Raises ContenderFailed."""
        folder.mkdir(parents=True)
        self.contender = contender
        settings = {**workload.settings, **contender.settings, "shared": str(shared)}
        order = {
            "subject": contender.subject,
            "folder": str(folder),
            "settings": settings,
            "traced": bool(before),
        }
        self._process = subprocess.Popen(
            [*before, _interpreter(contender), "-m", "benchmarks.worker", json.dumps(order)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=CHECKOUT,
            env=_environment(os.environ),
            text=True,
        )
        try:
            self._answer()
        except ContenderFailed:
            self.close()
            raise

    def turn(self, number: int) -> Turn:
        """Let it do its work once. Raises ContenderFailed."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{number}\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise ContenderFailed(_BROKE_OFF) from error
        answer = self._answer()
        return Turn(answer["seconds"], answer["facts"])

    def close(self) -> None:
        """Let it end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.close()
            self._process.wait(_CLOSING_SECONDS)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise ContenderFailed(_BROKE_OFF)
        answer: dict[str, Any] = json.loads(line)
        return answer


def _interpreter(contender: Contender) -> str:
    if contender.environment is None:
        return sys.executable
    reason = environments.missing(contender.environment)
    if reason is not None:
        raise ContenderFailed(reason)
    return str(environments.interpreter(contender.environment))


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    """Let strings hash alike for every contender, and keep compiled modules, as an installed package has them."""
    chosen = {**own, "PYTHONHASHSEED": "0"}
    chosen.pop("PYTHONDONTWRITEBYTECODE", None)
    return chosen
