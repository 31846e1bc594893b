"""The servers that workloads ask for: those of the tests, on loopback, each started when it is first needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Self

from benchmarks.model import POSTGRESQL, S3, Workload

Settings = Mapping[str, object]


class ServerMissing(Exception):
    """A server cannot be started here; the message says why."""


class Servers:
    """Running servers; all end with the block."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._stack = ExitStack()
        self._running: dict[str, Settings] = {}

    def ready(self, workload: Workload) -> Workload:
        """Return the workload with what its contenders must know of its server, which runs from now on.

        Raises:
            ServerMissing: It is not installed.
        """
        if workload.server is None:
            return workload
        if workload.server not in self._running:
            self._running[workload.server] = _STARTERS[workload.server](self._stack)
        return replace(workload, settings={**workload.settings, **self._running[workload.server]})

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(self, *_: object) -> None:
        """End them all."""
        self._stack.close()


def _postgresql(stack: ExitStack) -> Settings:
    from tests.support import postgres

    if postgres.programs() is None:
        raise ServerMissing("PostgreSQL is not installed: run scripts/services")
    return {"server": stack.enter_context(postgres.server()).url()}


def _s3(stack: ExitStack) -> Settings:
    from tests.support import s3

    server = stack.enter_context(s3.seaweed())
    return s3_settings(server.port)


def s3_settings(port: int) -> Settings:
    """Return what contenders must know of an S3 server of the tests that listens on *port*."""
    from tests.support import s3

    return {"server": f"http://127.0.0.1:{port}", "bucket": s3.BUCKET, "credentials": s3.CREDENTIALS}


_STARTERS: Mapping[str, Callable[[ExitStack], Settings]] = {POSTGRESQL: _postgresql, S3: _s3}
