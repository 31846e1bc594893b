"""An OpenAI-compatible chat server on loopback that does what a test scripts, and keeps the books.

Each request takes the next word of the script, or ``ok`` when there is none left. An answer is made of the request
alone, so the same question has the same answer in every run. What was answered in full is billed, once for each
idempotency key, as a provider that honours the header does.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

INPUT_USD = Decimal(3)
OUTPUT_USD = Decimal(15)
LONG_SECONDS = 30.0
CORRECTIONS = ("bad-json", "wrong-schema", "invented")
"""What is answered in full, and must be corrected."""


@dataclass
class Received:
    """One request as it came: its idempotency key, its body, and what was done with it."""

    key: str
    body: dict[str, Any]
    authorization: str
    word: str
    at: float
    usd: Decimal = Decimal(0)


@dataclass
class ModelServer:
    """What a running server knows. *moment* is called when a scripted word has been acted out."""

    script: list[str] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    answer: Callable[[dict[str, Any]], Any] | None = None
    moment: Callable[[str], None] = lambda word: None
    retry_after: str = "0.2"
    port: int = 0
    released: threading.Event = field(default_factory=threading.Event)
    mutex: threading.Lock = field(default_factory=threading.Lock)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def keys(self) -> list[str]:
        return [one.key for one in self.received]

    @property
    def bill(self) -> Decimal:
        """What is owed: each key that was answered in full, once."""
        return sum({one.key: one.usd for one in self.received if one.usd}.values(), Decimal(0))


def asked(body: dict[str, Any]) -> dict[str, Any]:
    """Return what the first message of the user holds, whichever interface it came by."""
    said = next(one["content"] for one in body["messages"] if one["role"] == "user")
    found: dict[str, Any] = json.loads(said if isinstance(said, str) else said[0]["text"])
    return found


def synthesis_of(body: dict[str, Any]) -> dict[str, Any]:
    """Answer a question of phase 3 by the records in it."""
    records = asked(body)["records"]
    return {
        "title": f"Written: {records[0]['title']}",
        "description": " / ".join(one.get("description", "") for one in records) or "Nothing said.",
        "technical_details": "As written.",
        "steps": [{"text": f"Do as {', '.join(one['books'])} says", "sources": [one["id"]]} for one in records[:3]],
    }


def completion(arguments: str | None, *, usage: tuple[int, int], **message: Any) -> dict[str, Any]:
    """Return a chat completion that calls the tool with *arguments*, or says what *message* holds."""
    call = {"id": "call-1", "type": "function", "function": {"name": "final_result", "arguments": arguments}}
    said = {
        "role": "assistant",
        "content": None,
        **({"tool_calls": [call]} if arguments is not None else {}),
        **message,
    }
    return {
        "id": "chat-1",
        "object": "chat.completion",
        "created": 1,
        "model": "loop-1",
        "choices": [{"index": 0, "finish_reason": "tool_calls" if arguments is not None else "stop", "message": said}],
        "usage": {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)},
    }


def message(arguments: str, *, usage: tuple[int, int]) -> dict[str, Any]:
    """Return an answer by Anthropic's interface that calls the tool with *arguments*."""
    call = {"type": "tool_use", "id": "call-1", "name": "final_result", "input": json.loads(arguments)}
    counted = {"input_tokens": usage[0], "output_tokens": usage[1]}
    said = {"id": "message-1", "type": "message", "role": "assistant", "model": "loop-1", "content": [call]}
    return {**said, "stop_reason": "tool_use", "stop_sequence": None, "usage": counted}


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    known: ModelServer

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.known
        with server.mutex:
            word = server.script.pop(0) if server.script else "ok"
            authorization = self.headers.get("Authorization") or self.headers.get("X-Api-Key") or ""
            one = Received(self.headers.get("Idempotency-Key", ""), body, authorization, word, time.monotonic())
            server.received.append(one)
            server.paths.append(self.path)
        try:
            self._act(one)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _act(self, one: Received) -> None:
        server = self.known
        if one.word in {"401", "400", "429", "500", "504"}:
            echo = {"error": {"message": f"{one.word} for {one.authorization}", "type": "scripted"}}
            headers = {"Retry-After": server.retry_after} if one.word == "429" else {}
            self._send(int(one.word), json.dumps(echo), **headers)
        elif one.word == "hang":
            server.moment(one.word)
            server.released.wait(LONG_SECONDS)
            self.close_connection = True
            return
        elif one.word in {"half", "drip"}:
            self._broken_off(one)
            return
        elif one.word == "garbage":
            one.usd = self._price(one)
            self._send(200, "<html>not what you asked for</html>")
        else:
            one.usd = self._price(one)
            self._send(200, json.dumps(self._completion(one)))
        server.moment(one.word)

    def _broken_off(self, one: Received) -> None:
        data = json.dumps(self._completion(one)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2])
        self.wfile.flush()
        self.known.moment(one.word)
        rest = data[len(data) // 2 : -1] if one.word == "drip" else b""
        for byte in rest:
            if self.known.released.wait(0.05):
                break
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
        self.close_connection = True

    def _send(self, status: int, text: str, **headers: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    @staticmethod
    def _usage(one: Received) -> tuple[int, int]:
        return len(json.dumps(one.body)) // 4, 50 + len(one.body["messages"])

    def _price(self, one: Received) -> Decimal:
        read, wrote = self._usage(one)
        return (INPUT_USD * read + OUTPUT_USD * wrote) / 1_000_000

    def _completion(self, one: Received) -> dict[str, Any]:
        answer = (self.known.answer or synthesis_of)(one.body)
        usage = self._usage(one)
        if self.path.endswith("/messages"):
            return message(json.dumps(answer), usage=usage)
        if one.word == "bad-json":
            return completion('{"title": "half a', usage=usage)
        if one.word == "wrong-schema":
            return completion(json.dumps({"heading": "x"}), usage=usage)
        if one.word == "invented":
            answer["steps"] = [{"text": "Made up", "sources": ["000000000000"]}]
        if one.word == "empty":
            return completion(None, usage=usage, content="")
        if one.word == "refusal":
            return completion(None, usage=usage, refusal="I will not.")
        return completion(json.dumps(answer), usage=usage)


@contextmanager
def model_server() -> Iterator[ModelServer]:
    """Run a server while the block lasts."""
    known = ModelServer()
    handler = type("BoundHandler", (Handler,), {"known": known})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    http.daemon_threads = True
    known.port = http.server_address[1]
    thread = threading.Thread(target=http.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield known
    finally:
        known.released.set()
        http.shutdown()
        http.server_close()
        thread.join()
