"""The manifest of a run, and the setting aside of a whole run under ``runs/<id>/``."""

from __future__ import annotations

from typing import Any, NamedTuple

from milepost.errors import CorruptDocument, NotDecodable
from milepost.records import seal, unseal
from milepost.stores import RunFiles
from milepost.stores.lock import LOCK_NAME
from milepost.stores.translate import translated

MANIFEST = "run.json"
MANAGER_KEEPER = "manager"
PHASE_KEEPER = "phase"
RUNS = "runs"
_FORMAT = 1


class Manifest(NamedTuple):
    """What ``run.json`` says: the run's id, its phase, when it began, whether it is being set aside, who keeps it.

    *workflow* names the workflow that began it, if one did.
    """

    run: str
    phase: str
    created: float
    leaving: bool = False
    keeper: str = MANAGER_KEEPER
    workflow: str | None = None


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
    keeper = fields.get("keeper", MANAGER_KEEPER)  # the first manifests did not say
    return Manifest(
        fields["run"], fields["phase"], fields["created"], fields["leaving"], keeper, fields.get("workflow")
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
    store.replace(MANIFEST, seal(fields) + b"\n")


def set_aside(store: RunFiles, manifest: Manifest) -> None:
    """Move the whole run under ``runs/<id>/``, so that a new one can begin.

    The intention is durable before the first file moves, and the manifest goes last: a crash half way
    leaves a run that is known to be leaving, which readers pass over and the next writer finishes moving.
    The run under ``runs/`` has a manifest as it had before, and can be read there.
    """
    leaving = manifest._replace(leaving=True)
    if not manifest.leaving:
        write_manifest(store, leaving)
    folder = store.folder
    with folder.child(RUNS, create=True) as runs, runs.child(manifest.run, create=True) as target:
        moving = [name for name in folder.names() if name not in (LOCK_NAME, RUNS, MANIFEST)]
        for name in moving:
            with translated(folder.path / name, "move the file"):
                folder.files.rename(folder.handle, name, target.handle, name)
        target.sync()
        folder.sync()
        write_manifest(RunFiles(target), manifest._replace(leaving=False))
        folder.remove(MANIFEST)
        folder.sync()


def remove_set_aside(store: RunFiles) -> None:
    """Delete every run under ``runs/``."""
    folder = store.folder
    if RUNS not in folder.names():
        return
    with folder.child(RUNS) as runs:
        for run in runs.names():
            with runs.child(run) as one:
                for name in one.names():
                    one.remove(name)
                one.sync()
            with translated(runs.path / run, "delete the folder"):
                folder.files.remove_directory(runs.handle, run)
        runs.sync()
    with translated(folder.path / RUNS, "delete the folder"):
        folder.files.remove_directory(folder.handle, RUNS)
    folder.sync()
