"""Two machines on one: network namespaces with names and process numbers of their own, joined to this one by a wire."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest


class Machine:
    """A network namespace called *name*; *here* is the address at which it reaches this machine."""

    def __init__(self, name: str, number: int) -> None:
        """Make it, with a wire to this machine."""
        self.name = name
        self.here = f"10.213.{number}.1"
        self._space, self._wire = f"mp-{name}", f"mp{number}"
        _ip("netns", "add", self._space)
        _ip("link", "add", self._wire, "type", "veth", "peer", "name", "eth0", "netns", self._space)
        _ip("addr", "add", f"{self.here}/24", "dev", self._wire)
        _ip("link", "set", self._wire, "up")
        _ip("-n", self._space, "addr", "add", f"10.213.{number}.2/24", "dev", "eth0")
        _ip("-n", self._space, "link", "set", "eth0", "up")
        _ip("-n", self._space, "link", "set", "lo", "up")

    def plug(self, *, into: bool) -> None:
        """Plug the wire in, or pull it out."""
        _ip("link", "set", self._wire, "up" if into else "down")

    def start(self, *words: str, environment: dict[str, str]) -> subprocess.Popen[str]:
        """Start a program there, under the machine's own host name and with process numbers of its own."""
        inside = f'hostname {self.name} && exec "$@"'
        return subprocess.Popen(
            ["ip", "netns", "exec", self._space, "unshare", "--uts", "--pid", "--fork", "--mount-proc", "--kill-child",
             "sh", "-c", inside, "sh", *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | environment,
        )  # fmt: skip

    def end(self) -> None:
        """Take it away."""
        with suppress(subprocess.CalledProcessError):
            _ip("netns", "del", self._space)
        with suppress(subprocess.CalledProcessError):
            _ip("link", "del", self._wire)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=30)


@contextmanager
def two_machines() -> Iterator[tuple[Machine, Machine]]:
    """Run two machines for the block; skip where this user may not make any."""
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("unshare"):
        pytest.skip("network namespaces need root, and the package iproute2")
    tag, made = uuid.uuid4().hex[:4], []
    try:
        for number, name in enumerate(("a", "b")):
            try:
                made.append(Machine(f"{name}-{tag}", 2 * (os.getpid() % 100) + number))
            except subprocess.CalledProcessError as error:
                pytest.skip(f"this machine makes no network namespaces: {error.stderr.decode()[:100]}")
        yield made[0], made[1]
    finally:
        for machine in made:
            machine.end()
