"""The manifest of a run, and the setting aside of a whole run under ``runs/<id>/``."""

from __future__ import annotations

from typing import Any, NamedTuple

from milepost.errors import CorruptDocument, NotDecodable
from milepost.records import seal, unseal
from milepost.stores import RunFiles
from milepost.stores.folder import Folder
from milepost.stores.lock import LOCK_NAME
from milepost.stores.translate import translated

MANIFEST = "run.json"
MANAGER_KEEPER = "manager"
PHASE_KEEPER = "phase"
RUNS = "runs"
_FORMAT = 1


MAKING, ARRIVING, ARRIVED, CLEARING = "making", "arriving", "arrived", "clearing"


class Origin(NamedTuple):
    """Where a run came from: it began with what *run* had up to record *sequence*, or with its *checkpoint*.

    *item* is the key from which on it was to run again, where one was named.
    """

    run: str
    sequence: int
    checkpoint: str | None = None
    item: str | None = None


class Manifest(NamedTuple):
    """What ``run.json`` says: the run's id, its phase, when it began, whether it is being set aside, who keeps it.

    *workflow* names the workflow that began it, if one did.
    *origin* is the run it was forked from. The rest stands only while runs change places: *aside* is the folder
    below ``runs/`` that it leaves for, *successor* the one whose run comes, *stage* how far that is (see
    `milepost.run.handover`).
    """

    run: str
    phase: str
    created: float
    leaving: bool = False
    keeper: str = MANAGER_KEEPER
    workflow: str | None = None
    origin: Origin | None = None
    aside: str | None = None
    successor: str | None = None
    stage: str | None = None

    @property
    def at_rest(self) -> Manifest:
        """The same where nothing is on its way."""
        return self._replace(leaving=False, aside=None, successor=None, stage=None)


def read_manifest(store: RunFiles) -> Manifest | None:
    """Return the manifest, or None if there is none.

    Raises:
        CorruptDocument: It is not what was written.
        NotDecodable: It is of a newer format.
    """
    try:
        data = store.read(MANIFEST)
    except FileNotFoundError:
        return None
    fields = unseal(data.rstrip(b"\n"))
    if fields is None:
        raise CorruptDocument(f"{store.folder.path / MANIFEST}: it is not what was written.")
    if fields.get("format") != _FORMAT:
        path = store.folder.path / MANIFEST
        raise NotDecodable(f"{path}: its format is not known here; was it written by a newer Milepost?")
    try:
        return _manifest_of(fields)
    except (KeyError, TypeError) as error:
        raise CorruptDocument(f"{store.folder.path / MANIFEST}: it does not say what a manifest says.") from error


def _manifest_of(fields: dict[str, Any]) -> Manifest:
    keeper = fields.get("keeper", MANAGER_KEEPER)  # the first manifests did not say
    origin = fields.get("origin")
    return Manifest(
        run=fields["run"],
        phase=fields["phase"],
        created=fields["created"],
        leaving=fields["leaving"],
        keeper=keeper,
        origin=Origin(**origin) if origin else None,
        aside=fields.get("aside"),
        successor=fields.get("successor"),
        stage=fields.get("stage"),
        workflow=fields.get("workflow"),
    )


def is_of_a_phase(store: RunFiles) -> bool:
    """Tell whether a `Phase` keeps the run; a manifest that cannot be read tells nothing."""
    try:
        manifest = read_manifest(store)
    except CorruptDocument:
        return False
    return manifest is not None and manifest.keeper == PHASE_KEEPER


def write_manifest(store: RunFiles, manifest: Manifest) -> None:
    """Write the manifest durably."""
    fields: dict[str, Any] = {
        "kind": "run",
        "format": _FORMAT,
        "run": manifest.run,
        "phase": manifest.phase,
        "created": manifest.created,
        "leaving": manifest.leaving,
        "keeper": manifest.keeper,
    }
    if manifest.workflow is not None:
        fields["workflow"] = manifest.workflow
    if manifest.origin is not None:
        fields["origin"] = manifest.origin._asdict()
    on_the_way = {"aside": manifest.aside, "successor": manifest.successor, "stage": manifest.stage}
    fields |= {name: value for name, value in on_the_way.items() if value is not None}
    store.replace(MANIFEST, seal(fields) + b"\n")


def set_aside(store: RunFiles, manifest: Manifest, successor: str | None = None) -> None:
    """Move the whole run under ``runs/``, so that a new one can begin, or that of the folder *successor* can come.

    The intention is durable before the first file moves, and the manifest goes last: a crash half way
    leaves a run that is known to be leaving, which readers pass over and the next writer finishes moving.
    The run under ``runs/`` has a manifest as it had before, and can be read there.
    """
    folder = store.folder
    with folder.child(RUNS, create=True) as runs:
        if not manifest.leaving:
            name = free_name(runs.names(), manifest.run)
            manifest = manifest._replace(leaving=True, aside=name, successor=successor)
            write_manifest(store, manifest)
        with runs.child(manifest.aside or manifest.run, create=True) as target:
            moving = [name for name in folder.names() if name not in (LOCK_NAME, RUNS, MANIFEST)]
            for name in moving:
                with translated(folder.path / name, "move the file"):
                    folder.files.rename(folder.handle, name, target.handle, name)
            target.sync()
            folder.sync()
            write_manifest(RunFiles(target), manifest.at_rest)
            if manifest.successor is not None:
                announce(store, manifest.successor)
                return
            folder.remove(MANIFEST)
            folder.sync()


def announce(store: RunFiles, successor: str) -> None:
    """Let the run that stands whole below ``runs/`` be the phase's: readers find it there until its files arrive."""
    with store.folder.child(RUNS) as runs, runs.child(successor) as source:
        manifest = read_manifest(RunFiles(source))
    assert manifest is not None, "a run that may come has a manifest"
    write_manifest(store, manifest._replace(leaving=False, aside=None, successor=successor, stage=ARRIVING))


def free_name(taken: list[str], run: str) -> str:
    """Return a name below ``runs/``: a run that was brought back from another machine may have left one already."""
    names = [run, *(f"{run}-{number}" for number in range(2, len(taken) + 3))]
    return next(name for name in names if name not in taken)


def remove_set_aside(store: RunFiles) -> None:
    """Delete every run under ``runs/``."""
    folder = store.folder
    if RUNS not in folder.names():
        return
    with folder.child(RUNS) as runs:
        for run in runs.names():
            remove_run(runs, run)
        runs.sync()
    with translated(folder.path / RUNS, "delete the folder"):
        folder.files.remove_directory(folder.handle, RUNS)
    folder.sync()


def remove_run(runs: Folder, name: str) -> None:
    """Delete one run below ``runs/``: its manifest last, so that what a crash leaves is still known for a run."""
    with runs.child(name) as one:
        for file in sorted(one.names(), key=lambda file: file == MANIFEST):
            one.remove(file)
        one.sync()
    with translated(runs.path / name, "delete the folder"):
        runs.files.remove_directory(runs.handle, name)
