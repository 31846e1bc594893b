"""The commands that change a store while no job runs: fork, export, import, repair, prune, clear, rekey, bless."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

import milepost
from milepost import keys, report, upkeep
from milepost.cli.common import (
    DEFAULT_ROOT,
    DIFFERENT,
    AsJson,
    PhaseName,
    PhaseNames,
    Root,
    complain,
    confirmed,
    escaped,
    help_of,
    place_of,
    print_json,
    size_text,
)
from milepost.errors import InvalidArgument, KeyMissing

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    text = (
        "Start a new run from an older checkpoint, or from an item or record on. What came before is kept, the job "
        "does the rest again. The run so far is set aside whole."
    )
    app.command("fork", help=help_of(text, "milepost fork phase_3 --from-item 'Deep Learning'"))(fork)
    text = "Write phases into one archive that `milepost import` reads on another machine. A job may go on meanwhile."
    app.command("export", help=help_of(text, "milepost export phase_2 phase_3 -o progress.tar.gz"))(export)
    text = "Read an archive of `milepost export`: verified whole before anything appears, and the jobs go on here."
    app.command("import", help=help_of(text, "milepost import progress.tar.gz --dir checkpoints"))(import_archive)
    text = (
        "Bring a damaged run into order. Without --yes it says what it would do. Originals are kept as *.quarantine, "
        "and the run goes on from what is proven."
    )
    app.command("repair", help=help_of(text, "milepost repair phase_3 --yes"))(repair)
    text = (
        "Remove what is no longer needed: runs that were set aside, *.quarantine files, surplus checkpoints. Never "
        "the newest progress."
    )
    app.command("prune", help=help_of(text, "milepost prune --older-than 168 --keep 1"))(prune)
    text = "Delete everything of a phase: its run and all that were set aside."
    app.command("clear", help=help_of(text, "milepost clear phase_3 --yes"))(clear)
    text = (
        "Write a phase's runs anew, encrypted under the first key of MILEPOST_KEY or --key-file: to change the key, or "
        "to encrypt what is plain. The old ones are removed once the new ones stand."
    )
    app.command("rekey", help=help_of(text, "milepost --key-file keys.txt rekey phase_3"))(rekey)
    text = "Accept the change of code, parameters or inputs at which the phase's last attempt stopped."
    app.command("bless", help=help_of(text, "milepost bless phase_3"))(bless)


def fork(
    phase: PhaseName,
    root: Root = DEFAULT_ROOT,
    checkpoint: Annotated[str | None, typer.Option(help="A checkpoint: its file, or its iteration.")] = None,
    from_item: Annotated[str | None, typer.Option(help="The key of the first item to run again.")] = None,
    loop: Annotated[str | None, typer.Option(help="The item's loop, where there are several.")] = None,
    from_record: Annotated[int | None, typer.Option(help="The number of the first record not to keep.")] = None,
    run: Annotated[
        str | None, typer.Option(help="Fork from this run, which was set aside; a Phase's as a whole.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Start a new run from an older point."""
    done = upkeep.fork(root, phase, checkpoint_name=checkpoint, item=from_item, loop=loop, record=from_record, run=run)
    if as_json:
        print_json(asdict(done))
        return
    kept = done.origin["checkpoint"] or f"{done.records:,} records"
    typer.echo(escaped(f"{phase}: run {done.run} begins with {kept} of run {done.origin['run']}."))
    typer.echo(escaped(f"The run so far is set aside as runs/{done.set_aside}. Start the job to go on."))


def export(
    output: Annotated[Path, typer.Option("--output", "-o", help="The archive: .tar, or .tar.gz to compress it.")],
    phases: PhaseNames = None,
    root: Root = DEFAULT_ROOT,
    everything: Annotated[bool, typer.Option("--all", help="All phases of the folder.")] = False,
    with_runs: Annotated[bool, typer.Option("--with-runs", help="Take along runs that were set aside.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write phases into an archive."""
    if everything == bool(phases):
        raise InvalidArgument("name phases, or say --all.")
    if not output.name.endswith((".tar", ".tar.gz", ".tgz")):
        raise InvalidArgument(f"{output}: the name of an archive ends in .tar, .tar.gz or .tgz.")
    names = report.names(root) if everything else list(dict.fromkeys(phases or []))
    packed = upkeep.export_runs(root, names, output, with_runs=with_runs)
    if as_json:
        print_json(
            {"file": str(output), "size_bytes": output.stat().st_size, "runs": [one._asdict() for one in packed]}
        )
        return
    for one in packed:
        aside = " (set aside)" if one.aside else ""
        typer.echo(
            escaped(f"{one.phase}: run {one.run}{aside}, {one.records:,} records, {one.checkpoints} checkpoints")
        )
    typer.echo(escaped(f"{output}: {size_text(output.stat().st_size)}"))


def import_archive(
    file: Annotated[Path, typer.Argument(help="An archive of `milepost export`.")],
    root: Root = DEFAULT_ROOT,
    name: Annotated[str | None, typer.Option("--as", help="The phase's name here.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Set aside a run that is there already.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read an archive."""
    done = upkeep.import_runs(file, root, name=name, replace=replace)
    if as_json:
        print_json([one._asdict() for one in done])
        return
    for one in done:
        what = "was here already" if one.was_there else "set aside" if one.aside else "is here; start its job to go on"
        typer.echo(escaped(f"{one.phase}: run {one.run}, {one.records:,} records, {what}"))


def repair(phase: PhaseName, root: Root = DEFAULT_ROOT, yes: Yes = False, as_json: AsJson = False) -> None:
    """Bring a damaged run into order."""
    done = upkeep.repair(root, phase, really=yes)
    if as_json:
        print_json({**asdict(done), "done": yes and done.needed})
    elif not done.needed:
        typer.echo(escaped(f"{phase}: nothing is damaged."))
    else:
        complain(*done.found)
        word = "done" if yes else "to do"
        typer.echo(escaped("\n".join(f"{word}: {action}" for action in done.actions)))
        if not yes:
            typer.echo(escaped(f"Nothing was changed. To do it: milepost repair {phase} --yes"))
    if done.needed and not yes:
        raise typer.Exit(DIFFERENT)


def prune(
    phases: PhaseNames = None,
    root: Root = DEFAULT_ROOT,
    older_than: Annotated[float, typer.Option(help="Only runs whose newest record is older, in hours.")] = 0,
    keep: Annotated[int, typer.Option(help="How many of the newest runs set aside stay, per phase.")] = 1,
    checkpoints: Annotated[
        int | None, typer.Option(help="How many checkpoints stay, at least 2. Without it all do.")
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Remove what is no longer needed."""
    names = list(dict.fromkeys(phases or report.names(root)))
    limits = upkeep.Limits(older_than, keep, checkpoints)
    going = [one for name in names for one in upkeep.prunable(root, name, limits)]
    size = sum(one.size_bytes for one in going)
    if not as_json:
        for one in going:
            typer.echo(escaped(f"{one.phase}: {one.kind} {one.name}, {size_text(one.size_bytes)}"))
        typer.echo(f"{len(going)} to remove, {size_text(size)}" if going else "nothing to remove")
    if going and not confirmed("Remove them?", yes=yes):
        raise typer.Exit(DIFFERENT)
    wanted = dict.fromkeys(one.phase for one in going)
    gone = [one for name in wanted for one in upkeep.prune(root, name, limits)]
    size = sum(one.size_bytes for one in gone)
    if as_json:
        print_json({"removed": [asdict(one) for one in gone], "size_bytes": size})
    elif gone:
        typer.echo(f"removed {len(gone)}, {size_text(size)}")


def clear(phase: PhaseName, root: Root = DEFAULT_ROOT, yes: Yes = False, as_json: AsJson = False) -> None:
    """Delete everything of a phase."""
    if not confirmed(escaped(f"Delete everything of {place_of(root, phase)}?"), yes=yes):
        raise typer.Exit(DIFFERENT)
    size = upkeep.clear(root, phase)
    if as_json:
        print_json({"phase": phase, "size_bytes": size})
    else:
        typer.echo(escaped(f"{phase}: cleared, {size_text(size)}"))


def rekey(
    phase: PhaseName,
    root: Root = DEFAULT_ROOT,
    plain: Annotated[bool, typer.Option("--plain", help="Write them readable instead.")] = False,
    compress: Annotated[
        bool | None, typer.Option("--compress/--no-compress", help="Compress or not; without it as it is.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write runs anew under another key."""
    ring = None if plain else keys.given()
    if ring is None and not plain:
        raise KeyMissing("no key was given: set MILEPOST_KEY, or say milepost --key-file FILE rekey …, or --plain.")
    done = upkeep.rekey(root, phase, ring, compress=compress)
    if as_json:
        print_json([asdict(one) for one in done])
        return
    for one in done:
        aside = f" (runs/{one.folder})" if one.folder else ""
        how = "plain" if one.key is None else f"encrypted under key {one.key}"
        what = "is now" if one.changed else "was already"
        typer.echo(escaped(f"{phase}: run {one.run}{aside}, {one.records:,} records, {what} {how}"))


def bless(phase: PhaseName, root: Root = DEFAULT_ROOT, as_json: AsJson = False) -> None:
    """Accept a change."""
    if report.kept_by(root, phase) is None:  # so that no lock is put into a stranger's folder
        raise InvalidArgument(f"{place_of(root, phase)}: nothing of Milepost is kept here.")
    accepted = milepost.bless(phase, store=root)
    if as_json:
        print_json({"phase": phase, "accepted": accepted})
    else:
        typer.echo(escaped("\n".join([f"{phase}: accepted:", *(f"  {line}" for line in accepted)])))
