"""The command line: ``python -m benchmarks``."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import environments, readme, syncs, tables
from benchmarks.environments import CHECKOUT
from benchmarks.harness import Series, measure
from benchmarks.model import Workload
from benchmarks.results import Result, result_of
from benchmarks.servers import ServerMissing, Servers
from benchmarks.surroundings import describe
from benchmarks.workloads import WORKLOADS

_QUICK_BURST = 3


def main(
    only: Annotated[list[str] | None, typer.Option(help="A workload, or all that begin so: save, load-1MB …")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes and fewer turns: a look, no evidence.")] = False,
    repeats: Annotated[int, typer.Option(min=5, help="How many repeats; at least five.")] = 7,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures to this file.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown tables on a terminal too.")] = False,
    in_brief: Annotated[bool, typer.Option("--readme", help="Print the README's tables as well.")] = False,
    peers: Annotated[bool, typer.Option(help="Measure the peers too, each in an environment of its own.")] = True,
    folder: Annotated[Path | None, typer.Option(help="Work here instead of build/bench: another disk, say.")] = None,
    list_names: Annotated[bool, typer.Option("--list", help="Name the workloads and leave.")] = False,
) -> None:
    """Measure what Milepost costs, as ratios of medians to the floor of the same run."""
    chosen = _chosen(only or [], quick=quick, peers=peers)
    if list_names:
        print("\n".join(workload.name for workload in chosen))
        return
    place = folder or CHECKOUT / "build" / "bench"
    place.mkdir(parents=True, exist_ok=True)
    surroundings = describe(place)
    print(", ".join(f"{name}: {value}" for name, value in surroundings.items()))
    if surroundings["filesystem"] in {"tmpfs", "ramfs", "overlay"}:
        print("This filesystem keeps files in memory or in layers, so syncs say little here; see --folder.")
    strace = syncs.counter()
    begun = time.monotonic()
    results = []
    with tempfile.TemporaryDirectory(dir=place) as scratch, Servers() as servers:
        for workload in chosen:
            print(f"… {workload.name}", file=sys.stderr, flush=True)
            burst = min(workload.burst, _QUICK_BURST) if quick else workload.burst
            series = _measured(workload, servers, burst, repeats, Path(scratch), strace)
            results.append(result_of(workload, series))
    tables.show(results, markdown=markdown)
    if in_brief:
        print("\n".join(readme.tables(results)))
    took = time.monotonic() - begun
    print(f"\nAll of it took {took / 60:.0f} minutes.")
    if json_file is not None:
        json_file.write_text(json.dumps(_document(surroundings, results), indent=2) + "\n", encoding="utf-8")
    if _name_unmeasured(results):
        raise typer.Exit(1)


def _measured(
    workload: Workload, servers: Servers, burst: int, repeats: int, scratch: Path, strace: str | None
) -> list[Series]:
    try:
        return measure(servers.ready(workload), burst, repeats, scratch, strace)
    except ServerMissing as error:
        return [Series(contender, reason=str(error)) for contender in workload.contenders]


def _name_unmeasured(results: list[Result]) -> bool:
    """Say at the very end what was asked for and not measured."""
    unmeasured = [(result, row) for result in results for row in result.rows if row.seconds is None]
    for result, row in unmeasured:
        print(f"NOT MEASURED: {result.workload.name}, {row.contender}: {row.reason}", file=sys.stderr)
    return bool(unmeasured)


def _chosen(only: list[str], *, quick: bool, peers: bool) -> list[Workload]:
    unknown = [name for name in only if not any(_matches(workload, name) for workload in WORKLOADS)]
    if unknown:
        names = ", ".join(workload.name for workload in WORKLOADS)
        raise typer.BadParameter(f"{', '.join(unknown)}: no such workload; there are {names}")
    return [
        workload if peers else without_peers(workload)
        for workload in WORKLOADS
        if (any(_matches(workload, name) for name in only) if only else not (quick and workload.is_slow))
    ]


def without_peers(workload: Workload) -> Workload:
    """Return the workload with those contenders only that need no environment of their own."""
    return replace(workload, contenders=tuple(one for one in workload.contenders if one.environment is None))


def _matches(workload: Workload, name: str) -> bool:
    return workload.name == name or workload.name.startswith(f"{name}-")


def _document(surroundings: dict[str, str | int], results: list[Result]) -> dict[str, object]:
    return {
        "surroundings": surroundings,
        "peers": environments.versions(),
        "workloads": [
            {
                "name": result.workload.name,
                "group": result.workload.group,
                "label": result.workload.label,
                "floor": result.workload.floor,
                "operations": result.workload.operations,
                "contenders": [asdict(row) for row in result.rows],
            }
            for result in results
        ],
    }


if __name__ == "__main__":
    typer.run(main)
