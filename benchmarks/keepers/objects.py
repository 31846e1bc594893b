"""The floor of an S3 server: one put for each item or batch, through the client that Milepost uses too."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import obstore
import orjson
from obstore.store import S3Store

from benchmarks.keepers.base import Keeper, Pair

_AT_ONCE = 16


class Objects(Keeper):
    """Objects of lines, below a prefix for each run; no condition, unless the setting *is_conditional* asks for one."""

    def open(self, run: str, keys: Sequence[str] = ()) -> None:
        """Make the client."""
        del keys
        os.environ.update(self.settings["credentials"])
        config: Any = {"endpoint": self.settings["server"], "region": "us-east-1", "conditional_put": "etag"}
        self.client = S3Store(self.settings["bucket"], config=config, client_options={"allow_http": True})
        self.mode: Any = "create" if self.settings.get("is_conditional") else "overwrite"
        self.prefix = f"bare-{self.mode}/{run}-{self.settings.get('done', 0)}-{self.settings.get('batch', 1)}"
        self.count = 0

    def record(self, pairs: Iterable[Pair]) -> None:
        """Put each."""
        self.record_batches([pair] for pair in pairs)

    def record_batches(self, batches: Iterable[Sequence[Pair]]) -> None:
        """Put each batch as one object."""
        for batch in batches:
            body = b"".join(orjson.dumps(pair) + b"\n" for pair in batch)
            obstore.put(self.client, f"{self.prefix}/{self.count:016d}", body, mode=self.mode)
            self.count += len(batch)

    def fill(self, run: str, pairs: Iterable[Pair], count: int) -> None:
        """Put as many at once as the setting *filled_at_once* says."""
        self.open(run)
        iterator, size = iter(pairs), self.settings["filled_at_once"]
        self.record_batches(list(islice(iterator, size)) for _ in range(0, count, size))

    def first_pending(self, run: str, keys: Iterable[str]) -> str:
        """List, get as many side by side as Milepost does, decode everything and keep it."""
        self.open(run)
        paths = [meta["path"] for page in obstore.list(self.client, self.prefix) for meta in page]
        done: dict[str, Any] = {}
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for body in pool.map(self._body, paths):
                done.update(map(orjson.loads, body.splitlines()))
        return next(key for key in keys if key not in done)

    def _body(self, path: str) -> bytes:
        return bytes(obstore.get(self.client, path).bytes())
