"""Tags for numpy scalars and arrays. numpy is never imported to save, and only on demand to load."""

from __future__ import annotations

import math
import re
import sys
from typing import Any

from milepost.codec.form import RESERVED_KEY, Malformed, Refused, check_fields, expect_int, expect_list, require
from milepost.codec.scalars import from_base64, to_base64

SCALAR_KIND = "numpy.scalar"
ARRAY_KIND = "numpy.array"
KINDS = frozenset({SCALAR_KIND, ARRAY_KIND})

_SCALAR_FIELDS = ("dtype", "base64")
_ARRAY_FIELDS = ("dtype", "shape", "order", "base64")
_DTYPE = re.compile(
    r"(?:\|b1|\|[iu]1|[<>][iu][248]|[<>]f[248]|[<>]c(?:8|16)"
    r"|\|S[1-9][0-9]{0,9}|[<>]U[1-9][0-9]{0,8}|[<>][mM]8(?:\[(?:[1-9][0-9]{0,8})?[a-zA-Z]{1,2}\])?)"
)
_TEXT_DTYPE = re.compile(r"\|S[0-9]+|<U[0-9]+")
_LARGEST_CODE_POINT = 0x10FFFF


def pack_numpy(value: object) -> dict[str, object] | None:
    """Return the tag of a numpy scalar or array, or None if *value* is neither. Raises Refused."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not hasattr(numpy, "generic"):
        return None
    if isinstance(value, numpy.ndarray):
        return _pack_array(numpy, value)
    if isinstance(value, numpy.generic):
        return _pack_scalar(numpy, value)
    return None


def _dtype_name(numpy: Any, dtype: Any) -> str:
    """Return the text that gives *dtype* back exactly. Raises Refused where none does."""
    name: str = dtype.str
    if not _DTYPE.fullmatch(name):
        raise Refused(f"numpy dtype {ascii(dtype.name)[:40]}; booleans, numbers, text and times can be stored")
    if dtype.metadata or numpy.dtype(name).char != dtype.char:
        # Two C types of one size (long and long long) differ as Python types, and their text does not tell which.
        raise Refused(
            f"numpy dtype {dtype.name!r} with metadata or of a second C type; convert it with astype({name!r})"
        )
    return name


def _pack_array(numpy: Any, array: Any) -> dict[str, object]:
    if type(array) is not numpy.ndarray:
        raise Refused(f"{type(array).__name__}, a subclass of numpy.ndarray; convert it with numpy.asarray")
    name = _dtype_name(numpy, array.dtype)
    order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    return {
        RESERVED_KEY: ARRAY_KIND,
        "dtype": name,
        "shape": list(array.shape),
        "order": order,
        "base64": to_base64(array.tobytes(order)),
    }


def _pack_scalar(numpy: Any, value: Any) -> dict[str, object]:
    kind = type(value)
    if kind is numpy.str_:
        # As text, not through the dtype: numpy drops trailing NULs from the elements of arrays.
        return _scalar(f"<U{len(value)}", str.encode(value, "utf-32-le", "surrogatepass"))
    if kind is numpy.bytes_:
        return _scalar(f"|S{len(value)}", bytes(value))
    if value.dtype.type is not kind:
        raise Refused(f"{kind.__name__}, a subclass of a numpy scalar")
    return _scalar(_dtype_name(numpy, value.dtype), value.tobytes())


def _scalar(name: str, data: bytes) -> dict[str, object]:
    return {RESERVED_KEY: SCALAR_KIND, "dtype": name, "base64": to_base64(data)}


def restore_numpy(tag: dict[str, Any]) -> object:
    """Return the scalar or array of a parsed *tag*. Raises Malformed, or ValueError for wrong content."""
    kind = tag[RESERVED_KEY]
    check_fields(tag, kind, _SCALAR_FIELDS if kind == SCALAR_KIND else _ARRAY_FIELDS)
    try:
        import numpy as np  # the one fixed name that loading may import, and only for such a tag
    except ImportError:
        raise Malformed("is a numpy value, and numpy is not installed here; install numpy") from None
    data = from_base64(tag["base64"])
    if kind == SCALAR_KIND:
        return _restore_scalar(np, tag["dtype"], data)
    return _restore_array(np, tag, data)


def _restore_scalar(numpy: Any, name: object, data: bytes) -> object:
    if type(name) is str and _TEXT_DTYPE.fullmatch(name):
        text = data.decode("utf-32-le", "surrogatepass") if name[1] == "U" else data
        require(len(text) == int(name[2:]))
        return numpy.str_(text) if name[1] == "U" else numpy.bytes_(text)
    array = _elements(numpy, name, data)
    require(array.size == 1)
    return array[0]


def _restore_array(numpy: Any, tag: dict[str, Any], data: bytes) -> object:
    shape = tuple(expect_int(length) for length in expect_list(tag["shape"]))
    order = tag["order"]
    require(order in ("C", "F") and all(length >= 0 for length in shape))
    flat = _elements(numpy, tag["dtype"], data)
    # Compared as Python integers before numpy sees the shape, so that a false one can ask for no memory.
    require(math.prod(shape) == flat.size)
    return flat.reshape(shape, order=order)


def _elements(numpy: Any, name: object, data: bytes) -> Any:
    """Return a writable flat array of *data*; refuse elements that no value of the dtype has."""
    require(type(name) is str and _DTYPE.fullmatch(name) is not None)
    dtype = numpy.dtype(name)
    require(dtype.str == name and len(data) % dtype.itemsize == 0)
    array = numpy.frombuffer(data, dtype=dtype).copy()
    if dtype.kind == "b":
        require(not data.strip(b"\x00\x01"))
    if dtype.kind == "U" and array.size:
        points = array.view(dtype.byteorder.replace("=", "<" if sys.byteorder == "little" else ">") + "u4")
        require(int(points.max()) <= _LARGEST_CODE_POINT)
    return array
