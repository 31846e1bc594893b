"""The manifest of a run, and the setting aside of a whole run under ``runs/<id>/``."""

from __future__ import annotations

from typing import Any, NamedTuple

from milepost.errors import CorruptDocument, NotDecodable
from milepost.records import seal, unseal
from milepost.stores import MANIFEST, RunStore

MANAGER_KEEPER = "manager"
PHASE_KEEPER = "phase"
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


def read_manifest(store: RunStore) -> Manifest | None:
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
        raise CorruptDocument(f"{store.path / MANIFEST}: it is not what was written.")
    if fields.get("format") != _FORMAT:
        path = store.path / MANIFEST
        raise NotDecodable(f"{path}: its format is not known here; was it written by a newer Milepost?")
    try:
        return _manifest_of(fields)
    except (KeyError, TypeError) as error:
        raise CorruptDocument(f"{store.path / MANIFEST}: it does not say what a manifest says.") from error


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


def write_manifest(store: RunStore, manifest: Manifest) -> None:
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
