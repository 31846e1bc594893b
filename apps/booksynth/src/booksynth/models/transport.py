"""The HTTP client below the providers' own: no faster than allowed, each try within its time, each try counted."""

from __future__ import annotations

from collections import Counter
from typing import Any

import anyio
import httpx2
from aiolimiter import AsyncLimiter

KEY_HEADER = "Idempotency-Key"
_ERRORS = 400
# Somebody on the way gave up waiting: what is behind it may have done the work.
_MAYBE_DONE = {408, 502, 504}


class MeteredClient(httpx2.AsyncClient):
    """Sends what the providers' clients ask for. They try again by themselves; here each try is waited for and counted.

    A timeout of httpx bounds the pause between two bytes, so an answer that drips would never end: here a try has so
    many seconds from its sending to its last byte.
    """

    def __init__(self, requests_per_minute: float, timeout_seconds: float) -> None:
        """Send at most so many tries a minute, evenly spread."""
        super().__init__(timeout=timeout_seconds, follow_redirects=False)
        self._limiter = AsyncLimiter(1, 60 / requests_per_minute)
        self._timeout_seconds = timeout_seconds
        self.unanswered: Counter[str] = Counter()

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Send one try, and read its answer whole.

        Raises:
            httpx2.ReadTimeout: It took longer than it may.
            httpx2.TransportError: The connection failed.
        """
        await self._limiter.acquire()
        name = request.headers.get(KEY_HEADER, "")
        self.unanswered[name] += 1
        try:
            with anyio.fail_after(self._timeout_seconds):
                response = await super().send(request, **options)
        except TimeoutError as error:
            message = f"no answer within {self._timeout_seconds:g} seconds"
            raise httpx2.ReadTimeout(message, request=request) from error
        except (httpx2.ConnectError, httpx2.ConnectTimeout):
            self.unanswered[name] -= 1  # nothing was sent, so nothing is billed
            raise
        if response.status_code >= _ERRORS and response.status_code not in _MAYBE_DONE:
            self.unanswered[name] -= 1  # the server said itself that it did not do it
        return response
