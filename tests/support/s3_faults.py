"""An HTTP proxy on loopback in front of an S3 server, which answers a chosen request as a bad network would."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

FAULTS = ("timeout before", "timeout after", "500", "503", "412", "truncated body", "slow body")
_PASSED_ON = (
    "content-type",
    "etag",
    "last-modified",
    "content-length",
    "content-range",
    "accept-ranges",
    "x-amz-version-id",
)


class Asked:
    """One request as it came: *method*, *path* with its query, and its *headers*."""

    def __init__(self, method: str, path: str, headers: dict[str, str]) -> None:
        """Remember it."""
        self.method = method
        self.path = path
        self.headers = headers


class Faulty:
    """Forwards to an S3 server on this machine. *fault_at* names the fault of a request by its number, from 0."""

    def __init__(
        self, target_port: int, *, hang_seconds: float = 0.8, without: tuple[str, ...] = (), in_turn: bool = False
    ) -> None:
        """Forward to *target_port*; a hanging answer hangs for *hang_seconds*; headers *without* are not passed on.

        *in_turn* hands requests over one at a time, for a server that looks and writes in two steps.
        """
        self.asked: list[Asked] = []
        self.fault_at: Callable[[int, Asked], str | None] = lambda _number, _asked: None
        self.applied: list[str] = []
        self.mutex = threading.Lock()
        self.target_port = target_port
        self.hang_seconds = hang_seconds
        self.without = without
        self.turn: AbstractContextManager[Any] = threading.Lock() if in_turn else nullcontext()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": self}))
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]

    def __enter__(self) -> Self:
        """Listen."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """Answers for the proxy that it belongs to."""

    proxy: Faulty
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        asked = Asked(self.command, self.path, {name.lower(): value for name, value in self.headers.items()})
        with self.proxy.mutex:
            fault = self.proxy.fault_at(len(self.proxy.asked), asked)
            self.proxy.asked.append(asked)
            if fault is not None:
                self.proxy.applied.append(fault)
        try:
            self._answer(asked, body, fault)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _answer(self, asked: Asked, body: bytes, fault: str | None) -> None:
        if fault == "timeout before":
            time.sleep(self.proxy.hang_seconds)
            self.close_connection = True
            return
        if fault in {"500", "503", "412", "403"}:
            self._say(int(fault), {}, b"<Error><Code>Planted</Code></Error>")
            return
        status, headers, content = self._forwarded(asked, body)
        if fault == "timeout after":
            time.sleep(self.proxy.hang_seconds)
            self.close_connection = True
        elif fault == "truncated body":
            self._say(status, headers, content[: len(content) // 2], length=max(1, len(content)))
            self.close_connection = True
        elif fault == "slow body":
            self._say(status, headers, content[:1], length=max(1, len(content)))
            time.sleep(self.proxy.hang_seconds)
            self.close_connection = True
        else:
            self._say(status, headers, content)

    def _forwarded(self, asked: Asked, body: bytes) -> tuple[int, dict[str, str], bytes]:
        with self.proxy.turn:
            return self._in_turn(asked, body)

    def _in_turn(self, asked: Asked, body: bytes) -> tuple[int, dict[str, str], bytes]:
        onward = http.client.HTTPConnection("127.0.0.1", self.proxy.target_port, timeout=30)
        kept = {name: value for name, value in asked.headers.items() if name not in self.proxy.without}
        onward.request(asked.method, asked.path, body, kept)
        reply = onward.getresponse()
        content = reply.read()
        headers = {name.lower(): value for name, value in reply.getheaders() if name.lower() in _PASSED_ON}
        onward.close()
        return reply.status, headers, content

    def _say(self, status: int, headers: dict[str, str], content: bytes, *, length: int | None = None) -> None:
        self.send_response(status)
        size = headers.pop("content-length", None) if self.command == "HEAD" else None
        for name, value in headers.items():
            if name != "content-length":
                self.send_header(name, value)
        self.send_header("content-length", size or str(len(content) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
            self.wfile.flush()

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _handle  # noqa: N815
