"""The command ``booksynth``: arguments in, exit code out."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

# What a command does is imported where it runs: help and completion are to come at once.
from booksynth.exits import BUDGET, BUSY, DONE, MEDIUM, PIPE, PROBLEMS, USAGE

__all__ = ["BUDGET", "BUSY", "DONE", "MEDIUM", "PIPE", "PROBLEMS", "USAGE", "app", "main"]

_EXIT_CODES = """
\b
Exit codes:
  0    done
  1    there are problems, and --strict was given
  2    the command line or a setting is wrong, or there is nothing to read
  4    a limit of what language models may cost is reached; allow more and run the same command again
  74   the disk is full or failed; put it right and run the same command again
  75   another process works on this run; try again later
  130  stopped by Ctrl-C
  141  whoever read the output has left
  143  stopped by SIGTERM
"""

_ONLY_STRICT = "  1    there are problems, and --strict was given\n"

# The sign before a paragraph keeps its lines as they are.
PHASE_3_HELP = """Consolidate the recommendations of many books into one list.

Stop it whenever you like and run it again: finished books are not read again. A further run with
the same books and settings gives the finished result back.

\b
Example:
  booksynth phase-3 --analysis-dir analyses --output-dir results

Settings come from the environment (BOOKSYNTH_CHECKPOINTS__TTL_HOURS=48), then from the file of
--config, then from the defaults. A relative checkpoint folder begins at the output folder.
"""

RUN_HELP = """Read a shelf of books, consolidate their advice into one list, and make a plan for each entry.

The whole of phases 2, 3 and 4. Stop it whenever you like and run it again: it goes on in the right phase, and what is
finished is not done again. Files in plans/ that you edit are never overwritten.

\b
Example:
  booksynth run books --output results

Settings come from the options below, then from the environment (BOOKSYNTH_PHASES__PHASE_3__MIN_CONFIDENCE=0.75),
then from the file of --config, then from the defaults. `milepost run booksynth:workflow` runs the same.
"""

EVALUATE_HELP = """Tell how well merging agrees with pairs that a person judged; writes nothing.

A line of the labels is {"a": "…", "b": "…", "same": 0 or 1, "weight": 8.3}. a and b are the first 16 hex digits of
SHA-256 over title, newline, description of a recommendation, in UTF-8. Pairs that are not in the folder are left out.

\b
Example:
  booksynth evaluate --labels labels.jsonl --analysis-dir analyses --json

Thresholds come from the environment (BOOKSYNTH_PHASES__PHASE_3__SIMILARITY_THRESHOLD=0.6), then from the file of
--config, then from the defaults.
"""

REPORT_HELP = """Make report.html again, from the consolidated_recommendations.json that stands in a folder.

Runs of phase 3 write the page by themselves. This is for a list that was made elsewhere, or a page that was lost.

\b
Example:
  booksynth report --output-dir results
"""

EXPLAIN_HELP = """Tell why two recommendations were merged, or why not; writes nothing.

An id is that of a merged recommendation, and stands for its title. A title may be any original one; how it is spelt
does not matter.

\b
Example:
  booksynth explain "Cache the index" "Use a cache" --output-dir results
"""

app = typer.Typer(
    name="booksynth",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="One prioritised, traceable list of recommendations from a shelf of technical books.",
)


def main() -> int:
    """Run the command line and return its exit code."""
    try:
        app()
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else DONE
    return DONE


def _version(wanted: bool) -> None:
    if wanted:
        from booksynth import __version__

        typer.echo(f"booksynth {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command("config-schema")
def config_schema() -> None:
    """Print the JSON schema of the configuration file, for editors."""
    import json

    from booksynth import settings

    typer.echo(json.dumps(settings.manager().json_schema(), ensure_ascii=False, indent=2))


Output = Annotated[Path | None, typer.Option(help="Folder of the results; made if it is not there.")]
Store = Annotated[
    str | None, typer.Option(metavar="PATH_OR_URL", help="Where progress is kept, instead of the output folder.")
]
Config = Annotated[Path | None, typer.Option(help="Settings (YAML) instead of the packaged defaults.")]


@app.command("evaluate", help=EVALUATE_HELP + _EXIT_CODES.replace(_ONLY_STRICT, ""))
def evaluate(
    labels: Annotated[Path, typer.Option(help="Judged pairs, one JSON object a line.")],
    analysis_dir: Annotated[Path, typer.Option(help="Folder of the *_convergence_tracker.json files.")],
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the score as JSON, and nothing else.")] = False,
) -> None:
    """Score the merging; every way out is an exit code."""
    from booksynth import commands

    commands.evaluate(labels=labels, analysis_dir=analysis_dir, config=config, as_json=as_json)


@app.command("explain", help=EXPLAIN_HELP + _EXIT_CODES.replace(_ONLY_STRICT, ""))
def explain(
    first: Annotated[str, typer.Argument(metavar="ID_OR_TITLE", help="A recommendation.")],
    second: Annotated[str, typer.Argument(metavar="ID_OR_TITLE", help="Another one.")],
    output_dir: Annotated[Path, typer.Option(help="Folder of the results of phase 3.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the reasons as JSON, and nothing else.")] = False,
) -> None:
    """Explain one decision; every way out is an exit code."""
    from booksynth import commands

    commands.explain(first=first, second=second, output_dir=output_dir, as_json=as_json)


@app.command("output-schema")
def output_schema() -> None:
    """Print the JSON schema of consolidated_recommendations.json."""
    import json

    from booksynth import document

    typer.echo(json.dumps(document.schema(), ensure_ascii=False, indent=2))


@app.command("phase-3", help=PHASE_3_HELP + _EXIT_CODES)
def phase_3(
    analysis_dir: Annotated[Path | None, typer.Option(help="Folder of the *_convergence_tracker.json files.")] = None,
    output_dir: Output = None,
    config: Config = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; write nothing at all.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget saved progress first; every book is read.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="With any problem: exit 1 and write no result.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the run report; all other text goes to stderr.")
    ] = False,
    store: Store = None,
) -> None:
    """Run phase 3; every way out is an exit code."""
    from booksynth import commands

    report = commands.phase_3(
        analysis_dir=analysis_dir,
        output_dir=output_dir,
        config=config,
        dry_run=dry_run,
        fresh=fresh,
        strict=strict,
        as_json=as_json,
        store=store,
    )
    if report.status == "refused":
        raise typer.Exit(PROBLEMS)


def _one(given: Path | None, former: Path | None, name: str, former_name: str) -> Path | None:
    """Return the folder that is given under its name, or under the one that it had before."""
    if given is not None and former is not None and given != former:
        message = f"{name} says {given}, and {former_name} says {former}: give one of them"
        raise typer.BadParameter(message)
    return former if given is None else given


@app.command("report", help=REPORT_HELP + _EXIT_CODES.replace(_ONLY_STRICT, ""))
def report(
    output_dir: Annotated[Path, typer.Option(help="Folder that holds consolidated_recommendations.json.")],
) -> None:
    """Make the page again; every way out is an exit code."""
    from booksynth import commands

    commands.report(output_dir)


class PhaseName(StrEnum):
    """The phases that a run can be limited to."""

    PHASE_2 = "phase_2"
    PHASE_3 = "phase_3"
    PHASE_4 = "phase_4"


@app.command("run", help=RUN_HELP + _EXIT_CODES.replace(_ONLY_STRICT, ""))
def run(
    shelf: Annotated[Path | None, typer.Argument(help="Folder of the books.", show_default=False)] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of the results; made if it is not there.")
    ] = None,
    config: Config = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Set saved progress aside and begin anew.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; write nothing at all.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what was done as JSON; all other text goes to stderr.")
    ] = False,
    start: Annotated[
        PhaseName | None, typer.Option("--from", help="The first phase; those before it are done.")
    ] = None,
    to: Annotated[PhaseName | None, typer.Option("--to", help="The last phase.")] = None,
    only: Annotated[list[PhaseName] | None, typer.Option("--only", help="This phase and no other.")] = None,
    store: Store = None,
    shelf_dir: Annotated[Path | None, typer.Option("--shelf-dir", hidden=True)] = None,
    output_dir: Annotated[Path | None, typer.Option("--output-dir", hidden=True)] = None,
) -> None:
    """Run the workflow; every way out is an exit code."""
    from booksynth import commands

    commands.run(
        shelf_dir=_one(shelf, shelf_dir, "SHELF", "--shelf-dir"),
        output_dir=_one(output, output_dir, "--output", "--output-dir"),
        config=config,
        fresh=fresh,
        dry_run=dry_run,
        as_json=as_json,
        start=start and start.value,
        to=to and to.value,
        only=[one.value for one in only or ()],
        store=store,
    )
