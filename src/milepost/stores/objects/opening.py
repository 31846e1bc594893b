"""Opening a bucket: its place from the URL, its credentials from the environment, its time limits from us."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from milepost.errors import InvalidArgument, MissingExtra
from milepost.stores.opening import redacted, seconds_in

try:
    from obstore.store import AzureStore, GCSStore, S3Store
except ImportError as error:
    raise MissingExtra("a store in object storage needs obstore: pip install 'milepost[objects]'") from error

from milepost.stores.objects.bucket import Bucket
from milepost.stores.objects.store import ObjectStore

_USUAL_SECONDS = 30.0
_USUAL_WINDOW_SECONDS = 0.05
_OWN = ("timeout_seconds", "window_seconds", "allow_http")
_SETTINGS = {
    "s3": ("endpoint", "region", "virtual_hosted_style_request", "skip_signature"),
    "gs": ("skip_signature",),
    "az": ("account_name", "endpoint", "use_emulator", "skip_signature"),
}


def open_objects(url: str) -> ObjectStore:
    """Return the store in the bucket at *url*; nothing is asked of the server yet.

    Args:
        url: ``s3://BUCKET/PREFIX``, ``gs://BUCKET/PREFIX`` or ``az://CONTAINER/PREFIX``. The query may name
            ``timeout_seconds`` (30), ``window_seconds`` (0.05), ``allow_http`` (1 lets credentials go over plain HTTP)
            and what the service needs: for S3 ``endpoint``, ``region``, ``virtual_hosted_style_request``. Credentials
            come from the environment, as the service's own tools read them, and never from the URL.

    Raises:
        InvalidArgument: It cannot be the URL of a bucket, or holds credentials.
        MissingExtra: obstore is not installed.
    """
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise InvalidArgument(f"store {redacted(url)}: credentials come from the environment, never from a URL.")
    if not parts.netloc:
        raise InvalidArgument(f"store {redacted(url)}: the name of a bucket is needed.")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(query.keys() - {*_OWN, *_SETTINGS[parts.scheme]})
    if unknown:
        known = ", ".join((*_SETTINGS[parts.scheme], *_OWN))
        raise InvalidArgument(f"store {redacted(url)}: {', '.join(unknown)}: known are {known}.")
    seconds = seconds_in(query, "timeout_seconds", _USUAL_SECONDS)
    window = seconds_in(query, "window_seconds", _USUAL_WINDOW_SECONDS, least=0)
    bucket = Bucket(_client(parts.scheme, parts.netloc, query, seconds), redacted(url), seconds)
    return ObjectStore(bucket, parts.path.strip("/"), redacted(url).rstrip("/"), window)


def _client(scheme: str, name: str, query: dict[str, str], seconds: float) -> Any:
    options: dict[str, Any] = {
        "timeout": timedelta(seconds=max(0.5, seconds / 3)),
        "connect_timeout": timedelta(seconds=max(0.5, min(5.0, seconds / 3))),
        "allow_http": _may_use_http(query),
    }
    settings: dict[str, Any] = {key: query[key] for key in _SETTINGS[scheme] if key in query}
    once = {"max_retries": 0}  # what may be made again is decided here, by the nonce
    if scheme == "gs":
        return GCSStore(name, config=settings or None, client_options=options, retry_config=once)  # type: ignore[arg-type]
    if scheme == "az":
        return AzureStore(name, config=settings or None, client_options=options, retry_config=once)  # type: ignore[arg-type]
    settings["conditional_put"] = "etag"
    return S3Store(name, config=settings, client_options=options, retry_config=once)  # type: ignore[arg-type]


def _may_use_http(query: dict[str, str]) -> bool:
    """Tell whether plain HTTP may be used: on this very machine, or where somebody says so."""
    endpoint = urlsplit(query.get("endpoint", ""))
    if query.get("allow_http") == "1":
        return True
    if endpoint.scheme != "http":
        return False
    host = endpoint.hostname or ""
    try:
        is_here = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        is_here = False
    if not is_here:
        raise InvalidArgument(
            f"endpoint {endpoint.scheme}://{host}: this is not encrypted; say allow_http=1 if it may be so."
        )
    return True
