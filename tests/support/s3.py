"""Real S3 servers on loopback: moto's, which keeps all in memory, and SeaweedFS, which keeps it on the disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.support.postgres import free_port

_STARTS_IN_SECONDS = 60
BUCKET = "milepost"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}

# Takes the server down with the process that started it, even with one that was killed.
_GUARD = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
parent = int(sys.argv[1])
server = subprocess.Popen(sys.argv[2:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
try:
    while os.getppid() == parent and server.poll() is None:
        time.sleep(0.2)
finally:
    server.kill()
    server.wait()
"""


class S3Server:
    """A running server. *host* and *port* say where it listens."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        """Know where it is."""
        self.host = host
        self.port = port

    def client(self) -> Any:
        """Return a client of its own, to look behind a store's back."""
        return boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.port}",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            region_name="us-east-1",
            config=Config(retries={"max_attempts": 2}, s3={"addressing_style": "path"}),
        )

    def fresh(self, port: int | None = None, **options: Any) -> str:
        """Return the URL of a prefix that nobody has used, reached through *port*."""
        words = {"endpoint": f"http://{self.host}:{port or self.port}", "allow_http": "1", **options}
        query = "&".join(f"{name}={value}" for name, value in words.items())
        return f"s3://{BUCKET}/{uuid.uuid4().hex}?{query}"

    def keys(self, url: str) -> list[str]:
        """Return the keys of all objects below the prefix of a store's URL."""
        prefix = url.removeprefix(f"s3://{BUCKET}/").partition("?")[0]
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix + "/")
        return [one["Key"] for page in pages for one in page.get("Contents", [])]


@contextmanager
def _running(words: list[str], server: S3Server, folder: Path) -> Iterator[S3Server]:
    guard = subprocess.Popen([sys.executable, "-c", _GUARD, str(os.getpid()), *words], cwd=folder)
    try:
        until = time.monotonic() + _STARTS_IN_SECONDS
        while True:
            try:
                server.client().create_bucket(Bucket=BUCKET)
                break
            except (BotoCoreError, ClientError):  # it does not listen yet, or not for this
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)
        yield server
    finally:
        guard.terminate()
        guard.wait(timeout=20)


@contextmanager
def moto(host: str = "127.0.0.1") -> Iterator[S3Server]:
    """Run moto's server for the block."""
    server = S3Server(free_port(), host)
    program = str(Path(sys.executable).parent / "moto_server")
    with _running([program, "-H", host, "-p", str(server.port)], server, Path.cwd()):
        yield server


@contextmanager
def seaweed(host: str = "127.0.0.1") -> Iterator[S3Server]:
    """Run SeaweedFS for the block, its data in a temporary folder."""
    server = S3Server(free_port(), host)
    folder = Path(tempfile.mkdtemp(prefix="milepost-seaweed-"))
    program = str(Path(sys.executable).parent / "weed")
    ports = [f"-{name}={free_port()}" for name in ("master.port", "volume.port", "filer.port")]
    grpc = [f"-{name}.port.grpc={free_port()}" for name in ("master", "volume", "filer", "s3")]
    words = [program, "server", f"-dir={folder}", f"-ip={host}", "-s3", f"-s3.port={server.port}", *ports, *grpc]
    try:
        with _running(
            [
                *words,
                "-volume.max=0",
                "-master.volumeSizeLimitMB=64",
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
                "-master.telemetry=false",
            ],
            server,
            folder,
        ):
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)
