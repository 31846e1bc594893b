"""How one run takes the place of another: at every moment either the old one or the new one is the phase's.

1. The new run is made whole below ``runs/``; its manifest says that it counts for nothing yet (``making``).
2. The old run's manifest says that it leaves and who comes. **From here on the new run is the phase's**: readers
   find it below ``runs/``.
3. The old run's files move below ``runs/``. The manifest becomes the new run's (``arriving``).
4. The new run's files are copied to the phase's folder, each durable; readers still read them below ``runs/``.
5. The manifest says ``arrived``: readers read the phase's folder. The copy goes, then the word.

Whoever becomes the writer finishes first what a killed process began.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from milepost.errors import CorruptDocument, NotDecodable
from milepost.fs import TEMPORARY_SUFFIX
from milepost.run.manifest import (
    ARRIVED,
    ARRIVING,
    CLEARING,
    MAKING,
    MANIFEST,
    RUNS,
    Manifest,
    announce,
    free_name,
    read_manifest,
    remove_run,
    remove_set_aside,
    set_aside,
    write_manifest,
)
from milepost.stores import RunFiles
from milepost.stores.folder import Folder
from milepost.stores.lock import LOCK_NAME


def settled(store: RunFiles, manifest: Manifest | None) -> Manifest | None:
    """Finish what a killed process began; return the manifest of the run that is the phase's, None for none.

    Args:
        store: The phase's folder, locked.
        manifest: What its manifest says.

    Raises:
        StorageError: The medium refused; the next writer goes on from there.
    """
    if manifest is not None and manifest.stage == CLEARING:
        clear(store, manifest)
        return None
    if manifest is not None and manifest.leaving:
        set_aside(store, manifest)
        manifest = read_manifest(store)
    if manifest is not None and manifest.stage == ARRIVING:
        manifest = _copied(store, manifest)
    if manifest is not None and manifest.stage == ARRIVED:
        assert manifest.successor is not None, "it arrived from somewhere"
        with store.folder.child(RUNS) as runs:
            if manifest.successor in runs.names():
                remove_run(runs, manifest.successor)
            runs.sync()
        manifest = manifest.at_rest
        write_manifest(store, manifest)
    return manifest


@contextmanager
def staged(store: RunFiles, manifest: Manifest, *, named: bool = False) -> Iterator[tuple[str, RunFiles]]:
    """Make a run below ``runs/`` in the block, under a folder name that is given with its store.

    It counts for nothing until `take_over`, or where it is *named* until the block ends; if the block fails, it goes.

    Args:
        store: The phase's folder, locked and settled.
        manifest: What the run's manifest will say.
        named: Whether it is to stay there, in a folder of its own name.
    """
    with store.folder.child(RUNS, create=True) as runs:
        name = free_name(runs.names(), manifest.run) if named else store.folder.files.token()
        run = RunFiles(runs.child(name, create=True))
        try:
            write_manifest(run, manifest._replace(stage=MAKING))
            yield name, run
            run.close_journal()
            if named:
                write_manifest(run, manifest)
        except Exception:
            run.close(clean=False)
            with suppress(OSError, NotDecodable):
                remove_run(runs, name)
            raise
        run.close()


def take_over(store: RunFiles, manifest: Manifest | None, successor: str) -> Manifest:
    """Let the run in the folder *successor* below ``runs/`` be the phase's, the one so far set aside whole.

    Args:
        store: The phase's folder, locked and settled.
        manifest: The manifest of the run so far, None where there is none.
        successor: Where the new run stands.

    Raises:
        StorageError: The medium refused. Either the old run is the phase's or the new one is, and the next writer
            finishes.
    """
    if manifest is None:
        announce(store, successor)
    else:
        set_aside(store, manifest, successor)
    arrived = settled(store, read_manifest(store))
    assert arrived is not None, "the successor has a manifest"
    return arrived


def clear(store: RunFiles, manifest: Manifest) -> None:
    """Delete everything of a phase. Once the intention is durable nothing of it is loaded any more.

    Args:
        store: The phase's folder, locked.
        manifest: The manifest of its run, or one that says as much.
    """
    write_manifest(store, manifest.at_rest._replace(leaving=True, stage=CLEARING))
    names = [name for name in store.names() if name not in (LOCK_NAME, RUNS, MANIFEST)]
    store.delete(names, durable=True)
    remove_set_aside(store)
    store.delete([MANIFEST], durable=True)


def sweep(store: RunFiles) -> list[str]:
    """Delete what killed processes left half made below ``runs/``; return the folders' names.

    Args:
        store: The phase's folder, locked and settled.
    """
    names = half_made(store)
    if names:
        with store.folder.child(RUNS) as runs:
            for name in names:
                remove_run(runs, name)
            runs.sync()
    return names


def half_made(store: RunFiles) -> list[str]:
    """Return the names of folders below ``runs/`` whose making was broken off."""
    if RUNS not in store.folder.names():
        return []
    found = []
    with store.folder.child(RUNS) as runs:
        for name in runs.names():
            with runs.child(name) as one:
                manifest = None
                with suppress(CorruptDocument, NotDecodable):  # a damaged one is no half made one
                    manifest = read_manifest(RunFiles(one))
                if (manifest is not None and manifest.stage == MAKING) or is_empty(one):
                    found.append(name)
    return found


def is_empty(folder: Folder) -> bool:
    """Tell whether a folder holds nothing but files in the making."""
    return all(name.endswith(TEMPORARY_SUFFIX) for name in folder.names())


def present(store: RunFiles) -> RunFiles:
    """Return where the phase's run is to be read: *store*, or below ``runs/`` while a run takes another's place."""
    if not store.folder.still_has(RUNS):
        return store
    manifest = None
    with suppress(CorruptDocument, NotDecodable):  # whoever reads the run tells of it
        manifest = read_manifest(store)
    if manifest is None or manifest.successor is None or manifest.stage == ARRIVED:
        return store
    try:
        with store.folder.child(RUNS) as runs:
            arriving = RunFiles(runs.child(manifest.successor))
    except FileNotFoundError:  # it arrived meanwhile
        return store
    store.close()
    return arriving


def _copied(store: RunFiles, manifest: Manifest) -> Manifest:
    """Copy the files of the run that comes; a crash half way leaves it whole where it was."""
    assert manifest.successor is not None, "it arrives from somewhere"
    with store.folder.child(RUNS) as runs, runs.child(manifest.successor) as source:
        for name in source.names():
            if name not in (MANIFEST, LOCK_NAME):
                store.replace(name, source.read(name, group_may_write=True))
    manifest = manifest._replace(stage=ARRIVED)
    write_manifest(store, manifest)
    return manifest
