"""The saved progress of phase 3: what a checkpoint holds, and what of it is still true."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from booksynth import texts
from booksynth.consolidate import FORMAT_VERSION
from booksynth.inputs import Found
from booksynth.settings import Phase3Settings
from booksynth.shards import SHARD_FORMAT, Entry, Problem, load_entry, with_vectors

log = logging.getLogger(__name__)

PHASE = "phase_3"
STATE_FORMAT = 1
COMPLETE = {"status": "complete"}


@dataclass
class Progress:
    """Finished files by name, the names that the run began with, and a finished result, if any."""

    entries: dict[str, Entry] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    iteration: int | None = None
    fingerprint: str | None = None
    outputs: dict[str, str] = field(default_factory=dict)

    @property
    def exists(self) -> bool:
        """Whether anything was saved before."""
        return self.iteration is not None


@dataclass
class Plan:
    """What a run has to do: the files to read, and what became of those that were finished."""

    to_read: list[Found] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    verified: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def load(checkpoint: Mapping[str, Any] | None, matching: str) -> Progress:
    """Return the progress that a checkpoint holds; none where it is of another release.

    A file that lacks the vectors that *matching* needs gets them.
    """
    if checkpoint is None:
        return Progress()
    state, metadata = checkpoint["state"], checkpoint["metadata"]
    ours = isinstance(state, dict) and isinstance(state.get("books"), dict) and isinstance(metadata, dict)
    if not ours or state.get("format") != STATE_FORMAT:
        log.warning("the saved progress is of another version of booksynth: every book is read")
        return Progress()
    entries = {name: load_entry(data) for name, data in state["books"].items()}
    progress = Progress(
        {name: with_vectors(entry, matching) for name, entry in entries.items() if entry is not None},
        list(state.get("inputs", [])),
        checkpoint["iteration"],
    )
    if metadata.get("status") == COMPLETE["status"]:
        progress.fingerprint = state["result"]["fingerprint"]
        progress.outputs = state["result"]["outputs"]
    return progress


def compare(progress: Progress, found: Iterable[Found], digest_of: Callable[[Found], Entry | None]) -> Plan:
    """Return what is to be done for the files *found*; puts *progress* right as it goes.

    A finished file is known by its signature. Where that differs, or was taken of a file too young
    for it to be trusted, *digest_of* reads the file and returns an entry without a shard: the digest
    decides. It returns None where the file cannot be read.
    """
    plan = Plan()
    names = set()
    for one in found:
        names.add(one.name)
        if progress.exists and one.name not in progress.inputs:
            plan.new.append(one.name)
        entry = progress.entries.get(one.name)
        if one.problem is not None:
            plan.problems.append(one.problem)
            progress.entries.pop(one.name, None)
        elif entry is None:
            plan.to_read.append(one)
        else:
            _compare_finished(progress, plan, one, entry, digest_of)
    known = dict.fromkeys([*progress.inputs, *progress.entries])
    plan.removed = sorted(name for name in known if name not in names)
    for name in plan.removed:
        progress.entries.pop(name, None)
    progress.inputs = sorted(names)
    return plan


def _compare_finished(
    progress: Progress,
    plan: Plan,
    one: Found,
    entry: Entry,
    digest_of: Callable[[Found], Entry | None],
) -> None:
    if one.signature == entry.signature and not entry.is_racy:
        plan.restored.append(one.name)
        return
    now = digest_of(one)
    if now is not None and now.digest == entry.digest:
        plan.restored.append(one.name)
        plan.verified.append(one.name)
        progress.entries[one.name] = Entry(
            entry.format, now.signature, now.is_racy, entry.digest, entry.shard, entry.problems, entry.vectors
        )
        return
    plan.changed.append(one.name)
    plan.to_read.append(one)
    # It joins the end again when it is read, so that saving it costs only what it adds.
    del progress.entries[one.name]


def fingerprint(entries: Mapping[str, Entry], unread: Iterable[Problem], settings: Phase3Settings) -> str:
    """Return a digest of everything that the results depend on."""
    return texts.digest(
        {
            "format": [STATE_FORMAT, SHARD_FORMAT, FORMAT_VERSION],
            "settings": settings.model_dump(mode="json"),
            "files": {name: entry.digest for name, entry in entries.items()},
            "unread": sorted([one.file, one.code, one.reason] for one in unread),
        }
    )
