"""How one run takes the place of another: at every moment either the old one or the new one is the phase's.

A shared store does it in one step. In folders, where files move one by one, it goes like this:

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
from typing import TYPE_CHECKING

from milepost.errors import CorruptDocument, NotDecodable
from milepost.fs import TEMPORARY_SUFFIX
from milepost.run.coded import bare
from milepost.run.manifest import ARRIVED, ARRIVING, CLEARING, MAKING, Manifest, read_manifest, write_manifest
from milepost.stores import MANIFEST, RUNS, RunFiles, RunStore
from milepost.stores.lock import LOCK_NAME
from milepost.stores.translate import translated

if TYPE_CHECKING:
    from milepost.stores.stored import StoredRun


def settled(store: RunStore, manifest: Manifest | None) -> Manifest | None:
    """Finish what a killed process began; return the manifest of the run that is the phase's, None for none.

    Args:
        store: Where the phase is kept, locked.
        manifest: What its manifest says.

    Raises:
        StorageError: The medium refused; the next writer goes on from there.
    """
    store = bare(store)
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
        if manifest.successor in store.runs():
            store.remove_run(manifest.successor)
    if manifest is not None and manifest.stage is not None:
        manifest = manifest.at_rest
        write_manifest(store, manifest)
    return manifest


def set_aside(store: RunStore, manifest: Manifest, successor: str | None = None) -> None:
    """Move the whole run under ``runs/``, so that a new one can begin, or that of the name *successor* can come.

    The run under ``runs/`` has a manifest as it had before, and can be read there.

    Args:
        store: Where the phase is kept, locked.
        manifest: What its manifest says.
        successor: The name below ``runs/`` of the run that comes; None for none.

    Raises:
        StorageError: The medium refused; the next writer goes on from there.
    """
    store = bare(store)
    if isinstance(store, RunFiles):
        _move_aside(store, manifest, successor)
    else:
        _swapping(store).swap(free_name(store.runs(), manifest.run), successor)


@contextmanager
def staged(store: RunStore, manifest: Manifest, *, named: bool = False) -> Iterator[tuple[str, RunStore]]:
    """Make a run below ``runs/`` in the block, under a name that is given with its store.

    It counts for nothing until `take_over`, or where it is *named* until the block ends; if the block fails, it goes.

    Args:
        store: Where the phase is kept, locked and settled.
        manifest: What the run's manifest will say.
        named: Whether it is to stay there, under a name of its own.
    """
    name = free_name(store.runs(), manifest.run) if named else store.token()
    run = store.run(name, create=True)
    try:
        write_manifest(run, manifest._replace(stage=MAKING))
        yield name, run
        run.close_journal()
        if named:
            write_manifest(run, manifest)
    except Exception:
        run.close(clean=False)
        with suppress(OSError, NotDecodable):
            store.remove_run(name)
        raise
    run.close()


def take_over(store: RunStore, manifest: Manifest | None, successor: str) -> Manifest:
    """Let the run *successor* below ``runs/`` be the phase's, the one so far set aside whole.

    Args:
        store: Where the phase is kept, locked and settled.
        manifest: The manifest of the run so far, None where there is none.
        successor: The name of the new run.

    Raises:
        StorageError: The medium refused. Either the old run is the phase's or the new one is, and the next writer
            finishes.
    """
    store = bare(store)
    if manifest is not None:
        set_aside(store, manifest, successor)
    elif isinstance(store, RunFiles):
        _announce(store, successor)
    else:
        _swapping(store).swap(None, successor)
    arrived = settled(store, read_manifest(store))
    assert arrived is not None, "the successor has a manifest"
    return arrived


def clear(store: RunStore, manifest: Manifest) -> None:
    """Delete everything of a phase. Once the intention is durable nothing of it is loaded any more.

    Args:
        store: Where the phase is kept, locked.
        manifest: The manifest of its run, or one that says as much.
    """
    store = bare(store)
    write_manifest(store, manifest.at_rest._replace(leaving=True, stage=CLEARING))
    names = [name for name in store.names() if name not in (LOCK_NAME, RUNS, MANIFEST)]
    store.delete(names, durable=True)
    remove_set_aside(store)
    store.delete([MANIFEST], durable=True)


def remove_set_aside(store: RunStore) -> None:
    """Delete every run under ``runs/``."""
    store = bare(store)
    for name in store.runs():
        store.remove_run(name)
    if isinstance(store, RunFiles) and RUNS in store.names():
        with translated(store.folder.path / RUNS, "delete the folder"):
            store.folder.files.remove_directory(store.folder.handle, RUNS)
        store.folder.sync()


def sweep(store: RunStore) -> list[str]:
    """Delete what killed processes left half made below ``runs/``; return the names.

    Args:
        store: Where the phase is kept, locked and settled.
    """
    names = half_made(store)
    for name in names:
        store.remove_run(name)
    return names


def half_made(store: RunStore) -> list[str]:
    """Return the names of runs below ``runs/`` whose making was broken off."""
    found = []
    for name in store.runs():
        with store.run(name) as one:
            manifest = None
            with suppress(CorruptDocument, NotDecodable):  # a damaged one is no half made one
                manifest = read_manifest(one)
            if (manifest is not None and manifest.stage == MAKING) or is_empty(one):
                found.append(name)
    return found


def is_empty(run: RunStore) -> bool:
    """Tell whether a run holds nothing but files in the making."""
    return all(name.endswith(TEMPORARY_SUFFIX) for name in run.names())


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
        arriving = store.run(manifest.successor)
    except FileNotFoundError:  # it arrived meanwhile
        return store
    store.close()
    return arriving


def free_name(taken: list[str], run: str) -> str:
    """Return a name below ``runs/``: a run that was brought back from another machine may have left one already."""
    names = [run, *(f"{run}-{number}" for number in range(2, len(taken) + 3))]
    return next(name for name in names if name not in taken)


def _swapping(store: RunStore) -> StoredRun:
    from milepost.stores.stored import StoredRun

    assert isinstance(store, StoredRun), "a run is kept in a folder or in a shared store"
    return store


def _move_aside(store: RunFiles, manifest: Manifest, successor: str | None) -> None:
    """Move the files.

    The intention is durable before the first file moves, and the manifest goes last: a crash half way
    leaves a run that is known to be leaving, which readers pass over and the next writer finishes moving.
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
                _announce(store, manifest.successor)
                return
            folder.remove(MANIFEST)
            folder.sync()


def _announce(store: RunFiles, successor: str) -> None:
    """Let the run that stands whole below ``runs/`` be the phase's: readers find it there until its files arrive."""
    with store.run(successor) as source:
        manifest = read_manifest(source)
    assert manifest is not None, "a run that may come has a manifest"
    write_manifest(store, manifest._replace(leaving=False, aside=None, successor=successor, stage=ARRIVING))


def _copied(store: RunStore, manifest: Manifest) -> Manifest:
    """Copy the files of the run that comes; a crash half way leaves it whole where it was."""
    assert manifest.successor is not None, "it arrives from somewhere"
    with store.run(manifest.successor) as source:
        for name in source.names():
            if name not in (MANIFEST, LOCK_NAME):
                store.replace(name, source.read(name, group_may_write=True))
    manifest = manifest._replace(stage=ARRIVED)
    write_manifest(store, manifest)
    return manifest
