"""Phases 2, 3 and 4 as one `milepost.Workflow`: books to analyses, to one list, to a plan for each entry.

Each phase records its items, and writes its files from what is recorded when all of them are done: never inside its
loop. So whatever stops it, the files are those of an undisturbed run.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import astuple
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import milepost
from booksynth import analysing, books, catalogue, inputs, outputs, plans, synthesis
from booksynth.inputs import Content, Found, UnreadableError
from booksynth.report import shown
from booksynth.request import CONSOLIDATED
from booksynth.settings import load
from booksynth.shards import SHARD_FORMAT, Entry, Problem, load_entry, vectors_of, with_vectors
from booksynth.trackers import parse
from milepost.errors import InvalidArgument

if TYPE_CHECKING:
    from booksynth.settings import Settings

log = logging.getLogger(__name__)

ANALYSES = "analyses"
PLANS = "plans"
# The settings are an item of phase 3 beside the analyses: a changed one makes the list anew, and parses nothing again.
SETTINGS = "(settings)"

Row = tuple[str, Any]


def shelf_dir(config: Settings) -> Path:
    """Return the folder of the books.

    Raises:
        InvalidArgument: No setting says which.
    """
    return _said("shelf", "SHELF", config.paths.shelf_dir)


def output_dir(config: Settings) -> Path:
    """Return the folder of the results.

    Raises:
        InvalidArgument: No setting says which.
    """
    return _said("output", "--output DIR", config.paths.output_dir)


def _said(name: str, argument: str, folder: Path | None) -> Path:
    if folder is None:
        message = f"no {name} folder: give `booksynth run {argument}`, or set paths.{name}_dir"
        raise InvalidArgument(message)
    return folder


def store(config: Settings) -> Path | str:
    """Return where progress is kept: in the store that is set, or a folder that begins at the output folder."""
    return config.checkpoints.store or output_dir(config) / config.checkpoints.checkpoint_dir


workflow = milepost.Workflow("booksynth", store=store, config=load, on_change="restart")


def _first(row: Row) -> str:
    return row[0]


def _name(found: Found) -> str:
    return found.name


# --- phase 2: the books


def find_books(*, config: Settings) -> list[Found]:
    """Return every book of the shelf.

    Raises:
        InvalidArgument: The folder is missing, cannot be listed, holds none, or is that of the results.
    """
    folder = shelf_dir(config)
    if folder.resolve() == output_dir(config).resolve():
        message = f"the shelf {shown(folder)} is the output folder too; results would be read as books: give another"
        raise InvalidArgument(message)
    try:
        found = books.find(folder, config.phases.phase_2.max_file_mb)
    except OSError as error:
        message = f"the shelf {shown(folder)} cannot be listed: {error.strerror}"
        raise InvalidArgument(message) from error
    kept = [one for one in found if not _holds_results(one, config)]
    if not kept:
        raise InvalidArgument(f"no book in {shown(folder)}: nothing to read")
    return [books.seen(one) for one in kept]


def _holds_results(found: Found, config: Settings) -> bool:
    """Tell whether an entry of the shelf is where this run writes: what it wrote before is no book."""
    where = store(config)
    ours = [output_dir(config)] + ([Path(where)] if "://" not in str(where) else [])
    return any(one.resolve().is_relative_to(found.path.resolve()) for one in ours)


@workflow.phase(items=find_books, key=_name, version=books.version, params=analysing.parts_of_results)
def phase_2(phase: milepost.Phase, found: list[Found], *, config: Settings) -> dict[str, Any]:
    """Read the books; return the analyses by file, and what is wrong with which book."""
    failed: list[Problem] = []
    partial: dict[str, books.Analysis] = {}
    with analysing.analyser_of(config) as analyser:
        for book in phase.each(found):
            analysis, failure = analysing.analyse(phase, book, analyser, config.phases.phase_2)
            if failure is None:
                phase.record(analysis.dump(), key=book.name)
                continue
            # Not a result: the next run tries this book again. What of it succeeded is used meanwhile.
            partial[book.name] = analysis
            failed.append(failure)
            phase.fail(f"{failure.code}: {failure.reason}", key=book.name)
    read = partial | {name: books.Analysis.load(record) for name, record in phase.results().items()}
    problems = [*failed, *(problem for analysis in read.values() for problem in analysis.problems)]
    files = {name: analysis.data for name, analysis in read.items() if analysis.data is not None}
    folder = output_dir(config) / ANALYSES
    names = books.file_names(files)
    outcome = outputs.sync(folder, {names[name]: data for name, data in files.items()})
    _declare(phase, folder)
    digests = {names[name]: outputs.digest(data) for name, data in files.items()}
    for name in sorted(outcome.edited.keys() & digests.keys()):
        # Somebody put an analysis right by hand: their word counts, and is said to be theirs.
        digests[name] = _standing(folder, name, "remove it, and it is made anew").digest
        problems.append(Problem(name, "", "edited", "edited by hand since it was made; the edit is used"))
    _tell_edits(folder, outcome)
    # Milepost remembers a result while the items are as they were. What failed now and what was edited is no item, so
    # the result is a step of these: one that differs is remembered anew.
    rows = sorted(map(list, map(astuple, problems)))
    result: dict[str, Any] = phase.step("result", _analysed, dict(sorted(digests.items())), rows)
    return result


def _analysed(files: dict[str, str], problems: list[list[str]]) -> dict[str, Any]:
    return {"files": files, "problems": problems}


def _declare(phase: milepost.Phase, path: Path) -> None:
    # As it is given, it would be another file wherever the next run is started from.
    phase.output(path.absolute())


def _standing(folder: Path, name: str, advice: str) -> Content:
    found = inputs.look(folder, name, float("inf"))
    try:
        return inputs.read(found, (found.size + 1) / 1_000_000)
    except UnreadableError as error:
        raise InvalidArgument(f"{shown(found.path)}: {error.problem.reason}; {advice}") from None


# --- phase 3: the list


def rows_of_phase_3(analyses: Mapping[str, Any], *, config: Settings) -> list[Row]:
    """Return the settings and each analysis, with what tells whether it changed."""
    settings = config.phases.phase_3
    files = analyses["files"].items()
    rows = files if settings.matching == "words" else [(name, [sha, settings.matching]) for name, sha in files]
    return [(SETTINGS, settings.model_dump(mode="json") | synthesis.parts_of_results(config.models)), *rows]


@workflow.phase(after="phase_2", items=rows_of_phase_3, key=_first, params=lambda _: None, upstream="keep_items")
def phase_3(phase: milepost.Phase, rows: list[Row], analyses: Mapping[str, Any], *, config: Settings) -> dict[str, Any]:
    """Consolidate the analyses into one list; return its digest, and one for each recommendation of it."""
    from booksynth import lineage, results
    from booksynth.consolidate import consolidate

    folder = output_dir(config)
    settings = config.phases.phase_3
    phase.map(
        partial(_entry, (folder / ANALYSES).absolute()),
        rows,
        workers=config.execution.workers,
        executor="threads" if config.execution.workers == 1 else "processes",
    )
    loaded = {name: load_entry(record) for name, record in phase.results().items() if name != SETTINGS}
    entries = {name: one for name, one in loaded.items() if one is not None}
    shards = {name: one.shard for name, one in entries.items() if one.shard is not None}
    problems = [problem for one in entries.values() for problem in one.problems]
    problems += [Problem(*row) for row in analyses["problems"]]
    vectors = vectors_of(entries.values(), settings.matching)
    document = synthesis.synthesise(phase, consolidate(shards, problems, settings, vectors).document, config)
    written = {name: text.encode() for name, text in results.render(document).items()}
    lineage.keep(folder, document, outputs.write)
    for name, data in written.items():
        outputs.write(folder / name, data)
        _declare(phase, folder / name)
    return {
        "document": outputs.digest(written[CONSOLIDATED]),
        "recommendations": plans.versions(document),
        "totals": document["totals"],
        "synthesis": synthesis.outcome(document),
    }


def _entry(folder: Path, row: Row) -> dict[str, Any] | None:
    name, version = row
    if name == SETTINGS:
        return None
    sha256, matching = (version, "words") if isinstance(version, str) else version
    content = _standing(folder, name, "run phase 2 again")
    if content.digest != sha256:
        raise InvalidArgument(f"{shown(folder / name)} is not what phase 2 left; run phase 2 again")
    return with_vectors(Entry(SHARD_FORMAT, [], False, sha256, *parse(name, content.data)), matching).dump()


# --- phase 4: the plans


def rows_of_phase_4(consolidated: Mapping[str, Any]) -> list[Row]:
    """Return the id of each recommendation, with a digest of what its plan shows."""
    return list(consolidated["recommendations"].items())


def _params_of_phase_4(config: Settings) -> dict[str, Any]:
    settings = config.phases.phase_4
    return {
        "max_slug_chars": settings.max_slug_chars,
        "low_cohesion": settings.low_cohesion,
        "format_version": plans.FORMAT_VERSION,
    }


@workflow.phase(
    after="phase_3",
    items=rows_of_phase_4,
    key=_first,
    params=_params_of_phase_4,
    upstream="keep_items",
)
def phase_4(
    phase: milepost.Phase, rows: list[Row], consolidated: Mapping[str, Any], *, config: Settings
) -> dict[str, Any]:
    """Make a plan for each recommendation; return how many, and which edits were met."""
    settings = config.phases.phase_4
    document = _document(output_dir(config), consolidated["document"])
    planner = plans.Planner(document, settings.max_slug_chars, settings.low_cohesion)
    for batch in phase.each(rows, batch=settings.plans_per_batch):
        phase.record([planner.plan(id_) for id_, _ in batch])
    files = {
        f"{planner.folder(id_)}/{name}": text.encode()
        for id_, made in phase.results().items()
        for name, text in made.items()
    }
    folder = output_dir(config) / PLANS
    on_top = {name: text.encode() for name, text in catalogue.files(planner).items()}
    outcome = outputs.sync(folder, {**files, **on_top})
    _declare(phase, folder)
    _tell_edits(folder, outcome)
    result: dict[str, Any] = phase.step("result", _planned, len(rows), outcome.edited, outcome.orphans)
    return result


def _planned(count: int, edited: dict[str, str], orphans: list[str]) -> dict[str, Any]:
    return {"plans": count, "edited": edited, "orphans": orphans}


def _document(folder: Path, sha256: str) -> dict[str, Any]:
    path = folder / CONSOLIDATED
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidArgument(f"{shown(path)}: cannot be read: {error.strerror}; run phase 3 again") from error
    if outputs.digest(data) != sha256:
        raise InvalidArgument(f"{shown(path)} is not what phase 3 left; run phase 3 again")
    document: dict[str, Any] = json.loads(data)
    return document


def _tell_edits(folder: Path, outcome: outputs.Outcome) -> None:
    for path, new in outcome.edited.items():
        beside = f"; the new version is {shown(folder / new)}" if new else ""
        log.warning("%s was edited and is left as it is%s", shown(folder / path), beside)
    for path in outcome.orphans:
        log.warning("%s was edited; nothing stands for it any more, so it is left and now yours", shown(folder / path))
