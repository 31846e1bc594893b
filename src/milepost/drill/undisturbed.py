"""The undisturbed runs: what a job gives when nothing happens to it, and whether it gives the same again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from milepost.drill.attempts import HASH_SEED, Bench, Ended, attempt
from milepost.drill.folders import Selection, contents, copy_of, plain
from milepost.drill.kept import kept
from milepost.drill.naming import Run, hash_difference, undisturbed_difference
from milepost.drill.observed import Observation, observe
from milepost.drill.processes import end_all
from milepost.fs.drilled import Plan
from milepost.records import digest

USUAL_SEED, OTHER_SEED = "0", "1"
_APART_SECONDS = 1.1
"""How long after the first run the second one begins at least: a time in whole seconds differs then."""


class Undisturbed(NamedTuple):
    """An undisturbed run: its folder with all it wrote, and digests of the *files* that are compared.

    *only_kept* tells that it wrote none, so that what its phases keep is compared instead.
    """

    folder: Path
    ended: Ended
    seen: Observation
    files: dict[str, str]
    before: dict[str, str]
    selection: Selection
    only_kept: bool = False

    @property
    def run(self) -> Run:
        """What is known of the run that wrote the files."""
        return self.ended.run

    def takes(self, name: str) -> bool:
        """Tell whether the file *name* of another run is compared: one that this run made or changed, or a new one."""
        if not self.selection.takes(name):
            return False
        return bool(self.selection.paths) or name in self.files or name not in self.before

    def found_in(self, folder: Path) -> dict[str, str]:
        """Return digests of what another run left in *folder*, as far as it is compared."""
        found = _kept(folder, self.selection) if self.only_kept else {}
        return contents(folder, self.takes) | found


class Three(NamedTuple):
    """Undisturbed runs: two with one hash seed, and one with another where the user pins none."""

    first: Undisturbed
    second: Undisturbed
    other_seed: Undisturbed | None


def three_runs(bench: Bench, pristine: Path, selection: Selection, workers: int) -> Three:
    """Run the job undisturbed, as far apart in time as a clock in whole seconds can tell.

    Raises:
        Stopped: The drill was asked to stop.
        OSError: A copy cannot be made, or the command cannot be started.
    """
    pinned = bench.environment.get(HASH_SEED, "random")
    usual = pinned if pinned != "random" else USUAL_SEED
    before = contents(pristine, lambda _: True)

    def run(name: str, seed: str) -> Undisturbed:
        return _run(
            bench._replace(environment={**bench.environment, HASH_SEED: seed}), pristine, name, before, selection
        )

    with ThreadPoolExecutor(workers) as pool:
        since = time.monotonic()
        one = pool.submit(run, "u000001", usual)
        three = pool.submit(run, "u000003", OTHER_SEED) if pinned == "random" else None
        try:
            first = one.result()
            if first.ended.exit_code != 0:
                return Three(first, first, None)
            bench.stop.wait(_APART_SECONDS - (time.monotonic() - since))
            second = run("u000002", usual)
            return Three(first, second, None if three is None else three.result())
        except BaseException:
            bench.stop.ask()  # the others are not waited for
            raise


def _run(bench: Bench, pristine: Path, name: str, before: dict[str, str], selection: Selection) -> Undisturbed:
    folder, control = bench.scratch / name, bench.scratch / f"of_{name}"
    copy_of(pristine, folder, bench.scratch, bench.stop.check)
    try:
        ended = attempt(bench, folder, control, Plan())
    finally:
        end_all(control)
    found = contents(folder, selection.takes)
    files = found if selection.paths else {one: it for one, it in found.items() if before.get(one) != it}
    only_kept = not files and not selection.paths
    files = files or (_kept(folder, selection) if only_kept else {})
    return Undisturbed(folder, ended, observe([control]), files, before, selection, only_kept)


def _kept(folder: Path, selection: Selection) -> dict[str, str]:
    return {name: digest(content) for name, content in kept(folder).items() if selection.takes(name)}


def bytes_of(folder: Path, name: str) -> bytes | None:
    """Return what a run left under *name* in *folder*, None where there is nothing."""
    path = folder / name
    return plain(folder, name) if path.is_symlink() or path.is_file() else kept(folder).get(name)


def unlike(runs: Three) -> dict[str, str]:
    """Return the files that differ between undisturbed runs, each with what makes it differ."""
    texts: dict[str, str] = {}
    first, second, third = runs
    for name in _differing(first, second):
        one, other = _bytes(first, name), _bytes(second, name)
        texts[name] = undisturbed_difference(name, one, other, (first.run, second.run))
    for name in () if third is None else _differing(first, third):
        if name not in texts:
            assert third is not None
            texts[name] = hash_difference(name, _bytes(first, name), _bytes(third, name))
    return texts


def _differing(one: Undisturbed, other: Undisturbed) -> Sequence[str]:
    names = sorted(one.files.keys() | other.files.keys())
    return [name for name in names if one.files.get(name) != other.files.get(name)]


def _bytes(run: Undisturbed, name: str) -> bytes | None:
    return bytes_of(run.folder, name) if name in run.files else None
