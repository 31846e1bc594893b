"""numpy scalars and arrays come back with their dtype, shape and layout."""

from __future__ import annotations

import base64
import subprocess
import sys
from typing import Any

import numpy as np
import orjson
import pytest

from milepost.codec import decode, encode
from milepost.errors import NotDecodable, NotEncodable
from tests.unit.codec.sameness import same

VALUES: list[Any] = [
    np.float64(1.5),
    np.float64("nan"),
    np.float32(-0.0),
    np.float16(2),
    np.int8(-1),
    np.uint64(2**64 - 1),
    np.int64(5),
    np.bool_(True),
    np.complex64(1 + 2j),
    np.complex128(1j),
    np.str_("\u00fcx"),
    np.str_(""),
    np.bytes_(b"ab"),
    np.bytes_(b""),
    np.str_("\ud800"),
    np.datetime64("2025-01-01T00:00:00", "ns"),
    np.datetime64("NaT"),
    np.array([5], dtype="m8[25s]")[0],
    np.datetime64("2025", "Y"),
    np.timedelta64(7),
    np.arange(6).reshape(2, 3),
    np.asfortranarray(np.arange(6).reshape(2, 3)),
    np.arange(10)[::3],
    np.array(5),
    np.zeros((0, 3)),
    np.array([1.5, np.nan, -np.inf]),
    np.array([1, 2], dtype=">i4"),
    np.array([True, False]),
    np.array(["a", "\u00fcbc", ""]),
    np.array(["a\x00b"]),
    np.array([b"a", b"xyz"]),
    np.array(["2025-01-01", "NaT"], dtype="M8[D]"),
    np.array([1], dtype="m8[ms]"),
    np.arange(4, dtype=">f8"),
    np.ones((2, 2, 2), dtype="c8").T,
    np.zeros((1, 0, 2), dtype="u1"),
    np.array(["x"], dtype=">U3"),
    {"a": [np.arange(3), (np.float64(2), 2.0)], "b": {np.int64(3): np.int8(3)}},
    {np.float64(1.5)},
    np.zeros((1, 3), order="F"),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{type(value).__name__}-{getattr(value, 'dtype', '')}")
def test_numpy_values_come_back(value: Any) -> None:
    """A numpy value comes back with the same type, dtype, shape, layout and bytes."""
    data = encode(value)
    assert same(decode(data), value)
    assert encode(decode(data)) == data


def test_loaded_arrays_can_be_written_to() -> None:
    """A loaded array owns its memory."""
    loaded: Any = decode(encode(np.arange(4).reshape(2, 2, order="F")))
    loaded[0, 0] = 9
    assert loaded.flags.owndata or loaded.base.flags.owndata
    assert loaded[0, 0] == 9


class Mine(np.float64):
    pass


@pytest.mark.parametrize(
    "value",
    [
        np.array([object()]),
        np.array([(1, 2)], dtype="i4,i4"),
        np.array([(1, 2)], dtype="i4,i4")[0],
        np.void(b"ab"),
        np.ma.masked_array([1]),
        np.rec.array([(1,)], dtype=[("a", int)]),
        np.longdouble(1),
        np.array([1], dtype="g"),
        np.longlong(1),
        np.array([1], dtype="q"),
        np.zeros(2, dtype=np.dtype("i4", metadata={"a": 1})),
        Mine(1.0),
        np.zeros(2, dtype="V4"),
        np.dtype("i4"),
        np.zeros(2, dtype=[("a", "U0")])["a"],
        np.array(["x"], dtype=np.dtypes.StringDType()),
        np.zeros(3).view(type("Sub", (np.ndarray,), {})),
        np.random.default_rng(),
    ],
    ids=lambda value: f"{type(value).__name__}-{getattr(value, 'dtype', '')}",
)
def test_other_numpy_values_are_refused(value: Any) -> None:
    """A numpy value that its text form would not give back exactly is refused."""
    with pytest.raises(NotEncodable):
        encode([value])


def array(dtype: Any = "<i8", shape: Any = (1,), order: Any = "C", data: bytes = b"\0" * 8) -> bytes:
    fields = {"dtype": dtype, "shape": shape, "order": order, "base64": base64.b64encode(data).decode()}
    return orjson.dumps({"$milepost": "numpy.array", **fields})


@pytest.mark.parametrize(
    "data",
    [
        array(shape=[2**62]),
        array(shape=[2**62, 0], data=b""),
        array(shape=[0] * 100, data=b""),
        array(shape=[-1]),
        array(shape=[1.0]),
        array(shape=1),
        array(shape=[True]),
        array(shape=[2]),
        array(shape=[10**19, 0], data=b""),
        array(order="K"),
        array(order=None),
        array("object"),
        array("|O"),
        array("<i8,<i8"),
        array("int64"),
        array(">i1"),
        array("<U0", [5], data=b""),
        array("|S0", [2**40], data=b""),
        array("<U2000000000"),
        array("|b1", [1], data=b"\x02"),
        array("<U1", [1], data=b"\xff\xff\xff\xff"),
        array("<M8[xx]"),
        array("<M8[0s]"),
        array(5),
        array(data=b"\0" * 7),
        b'{"$milepost":"numpy.array","dtype":"<i8"}',
        b'{"$milepost":"numpy.scalar","dtype":"<i8","base64":""}',
        b'{"$milepost":"numpy.scalar","dtype":"<U2","base64":"AA=="}',
        b'{"$milepost":"numpy.scalar","dtype":"<U2","base64":"YQAAAA=="}',
        b'{"$milepost":"numpy.scalar","dtype":"|S9","base64":""}',
        b'{"$milepost":"numpy.scalar","dtype":null,"base64":""}',
        b'{"$milepost":"numpy.scalar","dtype":"|S99999","base64":5}',
    ],
)
def test_malformed_numpy_tags_are_refused(data: bytes) -> None:
    """A numpy tag whose parts do not fit together is refused before numpy allocates anything for it."""
    with pytest.raises(NotDecodable, match=r"^value "):
        decode(data)


PROGRAM = """
import sys
for name in {blocked!r}:
    sys.modules[name] = None
from milepost.codec import decode, encode, register
from milepost.errors import NotDecodable
import dataclasses, enum

@dataclasses.dataclass
class Point:
    x: object

class Colour(enum.Enum):
    RED = 1

register(Point, "point")
register(Colour, "colour")
value = {{"a": (1, {{2}}), "b": Point(Colour.RED), "c": 2**70}}
assert decode(encode(value)) == value
try:
    decode({array!r})
except NotDecodable as error:
    assert "install numpy" in str(error), error
    print("refused")
else:
    print("loaded", "numpy" in sys.modules)
"""


@pytest.mark.parametrize(("blocked", "said"), [(["numpy", "pydantic"], "refused"), ([], "loaded True")])
def test_the_codec_works_without_its_guests(blocked: list[str], said: str) -> None:
    """The codec needs neither numpy nor pydantic, and loads numpy only for a value of it."""
    program = PROGRAM.format(blocked=blocked, array=array())
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (run.stdout.strip(), run.stderr) == (said, "")


def test_saving_never_imports() -> None:
    """Importing the codec and saving plain and tagged values leaves numpy and pydantic alone."""
    program = (
        "import sys; from milepost.codec import encode; encode({'a': (1, 2.5)});"
        "print(sorted({'numpy', 'pydantic'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_a_half_loaded_numpy_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A numpy that is still being imported is treated as not there."""
    monkeypatch.setitem(sys.modules, "numpy", type(sys)("numpy"))
    with pytest.raises(NotEncodable):
        encode(object())


def test_a_missing_numpy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stored numpy value says what to install where numpy is missing."""
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(NotDecodable, match="install numpy"):
        decode(array())
