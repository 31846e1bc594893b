"""Bytes that nobody wrote are refused with a typed error that says what to do."""

from __future__ import annotations

import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import orjson
import pytest

from milepost.codec import decode, decode_exact, encode
from milepost.errors import NotDecodable
from tests.unit.codec import samples

MALFORMED = [
    '{"$milepost":1}',
    '{"$milepost":null,"items":[]}',
    '{"$milepost":["tuple"],"items":[]}',
    '{"$milepost":"new-kind"}',
    '{"$milepost":"tuple"}',
    '{"$milepost":"tuple","items":[],"more":1}',
    '{"$milepost":"tuple","items":{}}',
    '{"$milepost":"tuple","things":[]}',
    '{"$milepost":"set","items":[1,1]}',
    '{"$milepost":"set","items":[[1]]}',
    '{"$milepost":"set","items":"ab"}',
    '{"$milepost":"frozenset","items":[{}]}',
    '{"$milepost":"dict","items":[[1,2],[1,3]]}',
    '{"$milepost":"dict","items":[[1]]}',
    '{"$milepost":"dict","items":["ab"]}',
    '{"$milepost":"dict","items":[[[],1]]}',
    '{"$milepost":"int","hex":"0x1"}',
    '{"$milepost":"int","hex":"10"}',
    '{"$milepost":"int","hex":5}',
    '{"$milepost":"int","hex":"0x0fffffffffffffffffffff"}',
    '{"$milepost":"float","value":"1.5"}',
    '{"$milepost":"float","value":1.5}',
    '{"$milepost":"float","value":[]}',
    '{"$milepost":"complex","real":1,"imag":1.0}',
    '{"$milepost":"complex","real":"1.0","imag":1.0}',
    '{"$milepost":"bytes","base64":"a"}',
    '{"$milepost":"bytes","base64":"YQ==YQ=="}',
    '{"$milepost":"bytes","base64":"\\u00fc"}',
    '{"$milepost":"bytearray","base64":null}',
    '{"$milepost":"datetime","value":"2025-01-01","fold":0,"zone":null}',
    '{"$milepost":"datetime","value":"2025-13-01T00:00:00","fold":0,"zone":null}',
    '{"$milepost":"datetime","value":"2025-01-01T00:00:00+01:00","fold":0,"zone":null}',
    '{"$milepost":"datetime","value":"2025-01-01T00:00:00","fold":2,"zone":null}',
    '{"$milepost":"datetime","value":"2025-01-01T00:00:00","fold":false,"zone":null}',
    '{"$milepost":"datetime","value":"2025-01-01T00:00:00","fold":0,"zone":"utc"}',
    '{"$milepost":"datetime","value":"2025-01-01T00:00:00","fold":0,"zone":{"$milepost":"tuple","items":[]}}',
    '{"$milepost":"datetime","value":"2025-01-01T00:00:00","fold":0,"zone":{"$milepost":"zoneinfo","key":"No/Where"}}',
    '{"$milepost":"date","value":"20250101"}',
    '{"$milepost":"date","value":20250101}',
    '{"$milepost":"time","value":"1","fold":0,"zone":null}',
    '{"$milepost":"timedelta","days":0,"seconds":86400,"microseconds":0}',
    '{"$milepost":"timedelta","days":99999999999,"seconds":0,"microseconds":0}',
    '{"$milepost":"timedelta","days":1.0,"seconds":0,"microseconds":0}',
    '{"$milepost":"timezone","offset":[1,0,0],"name":null}',
    '{"$milepost":"timezone","offset":[0,0],"name":null}',
    '{"$milepost":"timezone","offset":[0,0,0],"name":5}',
    '{"$milepost":"timezone","offset":null,"name":null}',
    '{"$milepost":"zoneinfo","key":"../../etc/passwd"}',
    '{"$milepost":"zoneinfo","key":"/etc/localtime"}',
    '{"$milepost":"zoneinfo","key":"Europe"}',
    '{"$milepost":"zoneinfo","key":""}',
    '{"$milepost":"zoneinfo","key":null}',
    '{"$milepost":"uuid","value":"x","is_safe":null}',
    '{"$milepost":"uuid","value":"{00000000-0000-0000-0000-000000000000}","is_safe":null}',
    '{"$milepost":"uuid","value":"00000000-0000-0000-0000-000000000000","is_safe":7}',
    '{"$milepost":"uuid","value":"00000000-0000-0000-0000-000000000000","is_safe":true}',
    '{"$milepost":"decimal","value":"1_0"}',
    '{"$milepost":"decimal","value":"1E+99999999999999999999"}',
    '{"$milepost":"decimal","value":" 1"}',
    '{"$milepost":"decimal","value":1}',
    '{"$milepost":"decimal","value":"0.0E+1"}',
    '{"$milepost":"path","flavour":"Path","value":"a"}',
    '{"$milepost":"path","flavour":"PosixPath","value":5}',
    '{"$milepost":"path","flavour":"WindowsPath","value":"a"}',
    '{"$milepost":"dataclass"}',
    '{"$milepost":"dataclass","class":"nobody","fields":{}}',
    '{"$milepost":"dataclass","class":5,"fields":{}}',
    '{"$milepost":"dataclass","class":"tests.point"}',
    '{"$milepost":"dataclass","class":"tests.point","fields":{"x":1}}',
    '{"$milepost":"dataclass","class":"tests.point","fields":{"x":1,"y":2,"z":3}}',
    '{"$milepost":"dataclass","class":"tests.point","fields":[1,2]}',
    '{"$milepost":"model","class":"tests.point","fields":{"x":1,"y":2}}',
    '{"$milepost":"namedtuple","class":"tests.pair","fields":{"left":1}}',
    '{"$milepost":"enum","class":"tests.colour","name":"BLUE"}',
    '{"$milepost":"enum","class":"tests.colour","name":1}',
    '{"$milepost":"flag","class":"tests.right","value":64}',
    '{"$milepost":"flag","class":"tests.right","value":"READ"}',
    '{"$milepost":"model","class":"tests.frozen","fields":{"value":1},"extra":null,"fields_set":[1],"private":null}',
    '{"$milepost":"model","class":"tests.frozen","fields":{"value":1},"extra":[],"fields_set":[],"private":null}',
    '{"$milepost":"model","class":"tests.frozen","fields":{"value":1},"extra":null,"fields_set":[],"private":{"_a":1}}',
    '{"$milepost":"model","class":"tests.frozen","fields":{},"extra":null,"fields_set":[],"private":null}',
]


@pytest.mark.parametrize("text", MALFORMED)
def test_a_malformed_tag_is_refused(text: str) -> None:
    """A tag that breaks the documented form is refused, wherever it stands, without an echo of its content."""
    assert samples.CLASSES
    with pytest.raises(NotDecodable, match=r"^value "):
        decode(text.encode())
    with pytest.raises(NotDecodable, match=r"^value\.a\[1\] ") as caught:
        decode(b'{"a":[0,' + text.encode() + b"]}")
    assert "passwd" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ('{"$milepost":"dataclass","class":"nobody","fields":{}}', "milepost.register(TheClass, 'nobody')"),
        ('{"$milepost":"dataclass","class":"tests.point","fields":{"x":1}}', "stored without y"),
        ('{"$milepost":"dataclass","class":"tests.point","fields":{"x":1,"y":2,"z":3}}', "stored with more fields"),
        ('{"$milepost":"enum","class":"tests.point","name":"A"}', "stored as a enum, and Point is a dataclass now"),
        ('{"$milepost":"soon"}', "or a newer one"),
        ('{"$milepost":"path","flavour":"WindowsPath","value":"a"}', "PurePath"),
        ('{"$milepost":"zoneinfo","key":"No/Where"}', "tzdata"),
    ],
)
def test_the_error_says_what_to_do(text: str, advice: str) -> None:
    """An error about stored bytes that a caller can help says how."""
    with pytest.raises(NotDecodable) as caught:
        decode(text.encode())
    assert advice in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [b"", b" ", b"{", b"[1,]", b"NaN", b"1e999", b"'a'", b'"\\ud800"', b"\xff", b"\xef\xbb\xbf1", b"[" * 5000, b"1 2"],
)
def test_what_is_not_json_is_refused(data: bytes) -> None:
    """Bytes that are not JSON are refused with the place where they stop being it."""
    with pytest.raises(NotDecodable, match="not JSON at line 1, column"):
        decode(data)


def test_a_deep_bomb_is_refused() -> None:
    """Tags nested deeper than anything that can be written are refused."""
    plain = b"[" * 500 + b'{"$milepost":"tuple","items":[]}' + b"]" * 500
    tagged = b'{"$milepost":"tuple","items":[' * 400 + b"]}" * 400
    for bomb in (plain, tagged):
        with pytest.raises(NotDecodable, match="deeper"):
            decode(bomb)


def test_a_full_stack_is_a_typed_error() -> None:
    """Loading deep values far down a call stack fails with a typed error."""
    data = b'{"$milepost":"tuple","items":[' * 120 + b"]}" * 120

    def descend(frames: int) -> object:
        return descend(frames - 1) if frames else decode(data)

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(__import__("inspect").stack()) + 300)
    try:
        with pytest.raises(NotDecodable, match="call stack"):
            descend(100)
    finally:
        sys.setrecursionlimit(limit)


def test_paths_of_loading() -> None:
    """An error about stored bytes names the place by keys and indexes."""
    with pytest.raises(NotDecodable, match=r"^value\.a\[0\]\[1\]\['b c'\] is a malformed int"):
        decode(b'{"a":[{"$milepost":"tuple","items":[0,{"b c":{"$milepost":"int","hex":""}}]}]}')
    with pytest.raises(NotDecodable, match=r"^value\.x is a malformed int"):
        decode(b'{"$milepost":"dataclass","class":"tests.point","fields":{"x":{"$milepost":"int","hex":""},"y":1}}')


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":2}',
        b"[1, 2]",
        b"100000000000000000000000000",
        b"1.50",
        b'"\\u0041"',
        b"-0",
        b'{"$milepost":"set","items":[2,1]}',
        b'{"items":[],"$milepost":"tuple"}',
        b'{"$milepost":"tuple","$milepost":"set","items":[]}',
        b'{"\\u0024milepost":"tuple"}',
        b"[" * 300 + b"]" * 300,
    ],
)
def test_the_exact_form_is_one(data: bytes) -> None:
    """`decode_exact` accepts only the bytes that `encode` writes."""
    decode(data)
    with pytest.raises(NotDecodable, match="exact form"):
        decode_exact(data)


def test_the_exact_form_is_accepted() -> None:
    """`decode_exact` gives back what `encode` wrote."""
    value = {"a": (1, {2}, 2**70, Decimal("1.0")), "b": [None]}
    assert decode_exact(encode(value)) == value
    assert decode_exact(memoryview(encode(value))) == value


def test_an_unhashable_instance_is_a_typed_error() -> None:
    """A caller's own class that fails while it is put into a set gives a typed error that names the failure."""
    with pytest.raises(NotDecodable, match="TypeError"):
        decode(b'{"$milepost":"set","items":[{"$milepost":"dataclass","class":"tests.point","fields":{"x":1,"y":2}}]}')


def test_memory_and_depth_errors_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Running out of memory is not reported as damage."""
    from milepost.codec import untagging

    def fail(*_arguments: Any) -> object:
        raise MemoryError

    builders: dict[str, Callable[..., object]] = {"tuple": fail}
    monkeypatch.setattr(untagging, "_BUILDERS", builders)
    with pytest.raises(MemoryError):
        decode(orjson.dumps({"$milepost": "tuple", "items": []}))
