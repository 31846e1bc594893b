"""The manifest: what it says, what older ones did not say, and what is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from milepost.errors import CorruptDocument, NotDecodable
from milepost.fs import current
from milepost.records import seal
from milepost.run.manifest import Manifest, Origin, read_manifest, write_manifest
from milepost.stores import MANIFEST, RunFiles
from milepost.stores.folder import Folder

OLD = (
    b'{"kind":"run","format":1,"run":"8aa3d0540103e230","phase":"phase_3","created":1795000000.0,"leaving":false,'
    b'"keeper":"manager","check":"4bc41d39f37ad8c6e3e68689da94d85c"}\n'
)
PLAIN = Manifest("8aa3d0540103e230", "phase_3", 1_795_000_000.0)


@pytest.fixture
def store(tmp_path: Path) -> RunFiles:
    """Return an empty run's folder."""
    return RunFiles(Folder.make(current(), tmp_path / "run"))


def test_an_older_manifest_still_loads(store: RunFiles) -> None:
    """A manifest from before forks says the same as ever, and one without a fork is still written in those bytes."""
    store.replace(MANIFEST, OLD)
    assert read_manifest(store) == PLAIN
    write_manifest(store, PLAIN)
    assert store.read(MANIFEST) == OLD


def test_the_first_manifests_did_not_say_who_keeps_them(store: RunFiles) -> None:
    """A manifest without a keeper is a manager's."""
    store.replace(
        MANIFEST, seal({"kind": "run", "format": 1, "run": "a", "phase": "p", "created": 1, "leaving": False})
    )
    manifest = read_manifest(store)
    assert manifest is not None
    assert manifest.keeper == "manager"


@pytest.mark.parametrize(
    "manifest",
    [
        PLAIN,
        PLAIN._replace(origin=Origin("b" * 16, 7, item="x")),
        PLAIN._replace(origin=Origin("b" * 16, 7, checkpoint="checkpoint_20260101_000000_iter1.json")),
        PLAIN._replace(leaving=True, aside="c", successor="d"),
        PLAIN._replace(successor="d", stage="arriving"),
    ],
)
def test_what_is_written_is_read(store: RunFiles, manifest: Manifest) -> None:
    """Every manifest comes back as it was written."""
    write_manifest(store, manifest)
    assert read_manifest(store) == manifest
    assert manifest.at_rest._replace(origin=None) == PLAIN


@pytest.mark.parametrize("fields", [{}, {"run": "a"}, {"origin": {"x": 1}}, {"origin": 5}])
def test_what_says_something_else_is_corrupt(store: RunFiles, fields: dict[str, object]) -> None:
    """A sealed document that does not say what a manifest says is told as corrupt, with its path."""
    whole = {"run": "a", "phase": "p", "created": 1, "leaving": False} if "origin" in fields else {}
    store.replace(MANIFEST, seal({"kind": "run", "format": 1, **whole, **fields}) + b"\n")
    with pytest.raises(CorruptDocument, match=MANIFEST):
        read_manifest(store)


def test_a_newer_format_is_not_corrupt(store: RunFiles) -> None:
    """A manifest of a newer format is told as such."""
    store.replace(MANIFEST, seal({"kind": "run", "format": 2}) + b"\n")
    with pytest.raises(NotDecodable, match="newer Milepost"):
        read_manifest(store)
