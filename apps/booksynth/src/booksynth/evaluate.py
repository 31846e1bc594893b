"""How well merging agrees with pairs that a person judged: the command ``evaluate``."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from booksynth import inputs
from booksynth.clusters import clusters
from booksynth.inputs import UnreadableError
from booksynth.report import shown
from booksynth.request import InputError
from booksynth.shards import SHARD_FORMAT, Entry, vectors_of, with_vectors
from booksynth.shelf import books
from booksynth.trackers import SUFFIX, parse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from booksynth.clusters import Clusters
    from booksynth.settings import Phase3Settings
    from booksynth.shards import Problem, Shard

DIGITS = 6


class Label(BaseModel):
    """One judged pair; `a` and `b` are as `label_of` gives them. Further fields are allowed and have no part."""

    model_config = ConfigDict(strict=True, frozen=True)

    a: str = Field(pattern="^[0-9a-f]{16}$")
    b: str = Field(pattern="^[0-9a-f]{16}$")
    same: Literal[0, 1]
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False, strict=False)


@dataclass(frozen=True)
class Score:
    """The score of one folder; sums of weights, but for the three counts of pairs."""

    precision: float | None
    recall: float | None
    f1: float | None
    pairs: int
    used: int
    left_out: int
    true_positive: float
    false_positive: float
    false_negative: float
    true_negative: float


def label_of(fields: Mapping[str, Any]) -> str:
    """Return what a label calls a record: the first 16 hex digits of SHA-256 over title, newline, description."""
    text = f"{fields['title']}\n{fields.get('description') or ''}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_labels(path: Path) -> list[Label]:
    """Return the labels of a file with one JSON object a line; empty lines count for nothing.

    Raises:
        InputError: The file cannot be read or holds no label, or a line of it is no label; the message names the line.
    """
    try:
        lines = path.read_bytes().decode().splitlines()
    except OSError as error:
        raise InputError(f"the labels {shown(path)} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"the labels {shown(path)} are not UTF-8 (at byte {error.start})") from error
    labels = [_label(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not labels:
        raise InputError(f"no label in {shown(path)}: nothing to evaluate")
    return labels


def _label(path: Path, number: int, line: str) -> Label:
    try:
        return Label.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the line"
        raise InputError(f"{shown(path)}, line {number}: {place}: {first['msg']}") from error


def read_shards(folder: Path, settings: Phase3Settings) -> tuple[dict[str, Shard], list[Problem]]:
    """Return the shards of all trackers in *folder* by file name, and what is wrong with which file.

    Raises:
        InputError: The folder cannot be listed, or holds no tracker.
    """
    try:
        found = inputs.discover(folder, settings.max_file_mb)
    except OSError as error:
        raise InputError(f"the analysis folder {shown(folder)} cannot be listed: {error.strerror}") from error
    if not found:
        raise InputError(f"no file named *{SUFFIX} in {shown(folder)}: nothing to read")
    shards: dict[str, Shard] = {}
    problems: list[Problem] = []
    for one in found:
        if one.problem is not None:
            problems.append(one.problem)
            continue
        try:
            content = inputs.read(one, settings.max_file_mb)
        except UnreadableError as error:
            problems.append(error.problem)
            continue
        shard, more = parse(one.name, content.data)
        problems += more
        if shard is not None:
            shards[one.name] = shard
    return shards, problems


def evaluate(labels: list[Label], found: Clusters) -> Score:
    """Return how well *found* agrees with *labels*; pairs of records that it does not hold are left out."""
    place = {
        label_of(voice.member.fields): number
        for number, cluster in enumerate(found.clusters)
        for voice in cluster.voices
    }
    used = [one for one in labels if one.a in place and one.b in place]
    sums = {(same, merged): 0.0 for same in (0, 1) for merged in (False, True)}
    for one in sorted(used, key=lambda label: (label.a, label.b, label.weight)):
        sums[one.same, place[one.a] == place[one.b]] += one.weight
    right, wrong, missed = sums[1, True], sums[0, True], sums[1, False]
    return Score(
        precision=_share(right, right + wrong),
        recall=_share(right, right + missed),
        f1=_share(2 * right, 2 * right + wrong + missed),
        pairs=len(labels),
        used=len(used),
        left_out=len(labels) - len(used),
        true_positive=round(right, DIGITS),
        false_positive=round(wrong, DIGITS),
        false_negative=round(missed, DIGITS),
        true_negative=round(sums[0, False], DIGITS),
    )


def _share(part: float, whole: float) -> float | None:
    """Return a share, or None where there is nothing to take it of."""
    return round(part / whole, DIGITS) if whole else None


def run(labels_file: Path, folder: Path, settings: Phase3Settings) -> tuple[Score, list[Problem]]:
    """Return the score of *folder* by the labels of a file, and what is wrong with its trackers.

    Raises:
        InputError: The labels or the folder cannot be used; the message says why.
    """
    labels = read_labels(labels_file)
    shards, problems = read_shards(folder, settings)
    shelf, more = books(shards, settings.max_field_chars)
    entries = (Entry(SHARD_FORMAT, [], False, "", shard) for shard in shards.values())
    vectors = vectors_of([with_vectors(entry, settings.matching) for entry in entries], settings.matching)
    return evaluate(labels, clusters(shelf, settings, vectors)), [*problems, *more]


def lines(score: Score, threshold: float) -> list[str]:
    """Return the score for people."""

    def percent(value: float | None) -> str:
        return "cannot be told" if value is None else f"{value:.1%}"

    return [
        f"{score.used:,} of {score.pairs:,} judged pairs are in the folder; {score.left_out:,} are left out.",
        f"At the threshold {threshold:g}, by the weights of the pairs:",
        f"  precision  {percent(score.precision)}   of what is merged, so much should be",
        f"  recall     {percent(score.recall)}   of what should be merged, so much is",
        f"  f1         {percent(score.f1)}",
    ]


def as_json(score: Score) -> str:
    """Return the score for machines."""
    return json.dumps(vars(score), indent=2)
