"""A real PostgreSQL server on loopback, run by a user without privileges, from a temporary data folder."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

_UNPRIVILEGED = "nobody"
_STARTS_IN_SECONDS = 60

# Takes the server down with the process that started it, even with one that was killed.
_GUARD = """
import os, signal, sys, time
parent, folder = int(sys.argv[1]), sys.argv[2]
while os.getppid() == parent:
    time.sleep(0.5)
try:
    with open(os.path.join(folder, "postmaster.pid")) as file:
        os.kill(int(file.readline()), signal.SIGQUIT)
except (OSError, ValueError):
    pass
"""


def programs() -> Path | None:
    """Return the folder of the server's programs, None where it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def required() -> Path:
    """Return the folder of the server's programs; skip where there is none, and fail where CI should have one."""
    found = programs()
    if found is None:
        words = "PostgreSQL is not installed: apt-get install postgresql, or run scripts/services"
        if os.environ.get("CI"):
            pytest.fail(words)
        pytest.skip(words)
    return found


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Server:
    """A server that can be stopped, killed and started again."""

    def __init__(self, folder: Path, *, host: str = "127.0.0.1") -> None:
        """Make a data folder below *folder*; the server listens on *host*."""
        self.host = "127.0.0.1" if host == "*" else host
        self.port = free_port()
        self._programs = required()
        self._folder = folder
        self._data = folder / "data"
        self._as_user: dict[str, object] = {}
        if os.geteuid() == 0:
            user = pwd.getpwnam(_UNPRIVILEGED)
            self._as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            os.chown(folder, user.pw_uid, user.pw_gid)
        self._run("initdb", "-D", str(self._data), "-U", "owner", "-A", "trust", "-E", "UTF8", "--no-sync")
        with (self._data / "postgresql.conf").open("a") as settings:
            settings.write(
                f"listen_addresses = '{host}'\nport = {self.port}\nunix_socket_directories = '{self._data}'\n"
                "max_connections = 60\nshared_buffers = 32MB\n"
            )
        with (self._data / "pg_hba.conf").open("a") as settings:
            settings.write("host all all 0.0.0.0/0 trust\n")
        self._process: subprocess.Popen[bytes] | None = None

    def _run(self, program: str, *words: str) -> None:
        subprocess.run(
            [self._programs / program, *words], check=True, capture_output=True, timeout=120, cwd="/", **self._as_user
        )  # type: ignore[call-overload]

    def start(self) -> None:
        """Start the server, and wait until it lets somebody in."""
        with (self._folder / "log").open("ab") as told:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data],
                stdout=told, stderr=told, cwd="/", start_new_session=True, **self._as_user,
            )  # type: ignore[call-overload]  # fmt: skip
        until = time.monotonic() + _STARTS_IN_SECONDS
        while time.monotonic() < until:
            ready = subprocess.run(
                [self._programs / "pg_isready", "-h", self.host, "-p", str(self.port)], capture_output=True, check=False
            )
            if ready.returncode == 0:
                return
            time.sleep(0.05)
        raise AssertionError((self._folder / "log").read_text()[-2000:])

    def kill(self) -> None:
        """Kill every process of the server, as a machine that dies does."""
        assert self._process is not None
        postmaster = psutil.Process(self._process.pid)
        for process in [postmaster, *postmaster.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()
        self._process = None

    def crash(self) -> None:
        """Kill the server and start it again."""
        self.kill()
        self.start()

    def stop(self) -> None:
        """Stop the server."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=30)
            self._process = None

    def url(self, database: str = "postgres", *, user: str = "owner", port: int | None = None) -> str:
        """Return the URL of a database."""
        return f"postgresql://{user}@{self.host}:{port or self.port}/{database}"

    def fresh(self, **options: str) -> str:
        """Return the URL of a namespace that nobody has used."""
        words = "&".join(f"{name}={value}" for name, value in {"namespace": uuid.uuid4().hex, **options}.items())
        return f"{self.url()}?{words}"


@contextmanager
def server(host: str = "127.0.0.1") -> Iterator[Server]:
    """Run a server for the block, which listens on *host*."""
    folder = Path(tempfile.mkdtemp(prefix="milepost-postgres-"))
    folder.chmod(0o755)
    guard = None
    try:
        one = Server(folder, host=host)
        one.start()
        guard = subprocess.Popen([sys.executable, "-c", _GUARD, str(os.getpid()), str(folder / "data")])
        try:
            yield one
        finally:
            one.stop()
    finally:
        if guard is not None:
            guard.kill()
            guard.wait()
        shutil.rmtree(folder, ignore_errors=True)
