"""Fingerprints: digests of parameters, inputs and code that name what differs."""

from milepost.fingerprint.code import code_parts, function_parts
from milepost.fingerprint.filedigests import FileDigests
from milepost.fingerprint.inputs import input_parts, item_digest
from milepost.fingerprint.parameters import parameter_parts
from milepost.fingerprint.parts import NOT_GIVEN, Change, Parts, differences, digest_of

__all__ = [
    "NOT_GIVEN",
    "Change",
    "FileDigests",
    "Parts",
    "code_parts",
    "differences",
    "digest_of",
    "function_parts",
    "input_parts",
    "item_digest",
    "parameter_parts",
]
