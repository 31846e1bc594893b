"""A TCP proxy on loopback that can lose replies, cut connections, and drop everything."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

Judge = Callable[[bytes], bool]


class Proxy:
    """Forwards to a port of this machine. *judge* sees each piece sent to the server, and cuts the reply if it says so."""

    def __init__(self, target_port: int, *, host: str = "127.0.0.1") -> None:
        """Forward to *target_port*."""
        self._target = (host, target_port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.judge: Judge | None = None
        self.cuts = 0
        self._dropping = False
        self._open: list[socket.socket] = []
        self._ended = False
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        """Return the proxy."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._ended = True
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Cut all connections."""
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._open = []

    def blackhole(self, *, on: bool = True) -> None:
        """Take what is sent, and let nothing through in either direction; the connections stay."""
        self._dropping = on

    def _accept(self) -> None:
        while not self._ended:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._dropping:
                self._open.append(client)
                continue
            with suppress(OSError):
                server = socket.create_connection(self._target)
                self._open += [client, server]
                lost = threading.Event()
                threading.Thread(target=self._there, args=(client, server, lost), daemon=True).start()
                threading.Thread(target=self._back, args=(client, server, lost), daemon=True).start()

    def _there(self, client: socket.socket, server: socket.socket, lost: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if self.judge is not None and self.judge(data):
                    lost.set()
                    self.cuts += 1
                if not self._dropping:
                    server.sendall(data)
        self._end(client, server)

    def _back(self, client: socket.socket, server: socket.socket, lost: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if lost.is_set():  # the server has answered, so it has done what it was asked to
                    break
                if not self._dropping:
                    client.sendall(data)
        self._end(client, server)

    def _end(self, *ends: socket.socket) -> None:
        for one in ends:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
