"""Every setting of booksynth, with its default, its range and its unit.

These defaults are the ones of ``config/workflow_config.yaml``; a test keeps the two equal.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from booksynth.models.settings import CostLimits, ModelsSettings
from milepost.config import CheckpointSettings, ConfigManager, Section

ENV_PREFIX = "BOOKSYNTH_"
FILE_PARAMETER = "config"


class Phase2Settings(Section):
    """Reading the books: what that may take, and what is quoted as advice."""

    max_file_mb: float = Field(
        default=64.0,
        gt=0,
        le=4_096,
        description="A larger book is not read but reported. Megabytes of 1,000,000 bytes.",
    )
    max_sentence_chars: int = Field(
        default=400,
        ge=20,
        le=20_000,
        description="A longer sentence of advice is not quoted but reported. Characters.",
    )
    following_sentences: int = Field(
        default=2,
        ge=0,
        le=20,
        description=(
            "Up to so many sentences behind the advice, of the same paragraph, are quoted with it, because "
            "they often give the reason. The next advice ends them."
        ),
    )
    max_pages: int = Field(
        default=5_000,
        ge=1,
        le=1_000_000,
        description="A book of more pages (PDF), parts (EPUB) or files (a folder of HTML) is not read but reported.",
    )
    max_seconds: float = Field(
        default=120.0,
        ge=1,
        le=86_400,
        description="A book that takes longer to be read counts as failed. Seconds of processor time.",
    )
    max_memory_mb: float = Field(
        default=1_024.0,
        ge=256,
        le=1_048_576,
        description=(
            "A PDF, EPUB or HTML book that needs more to be read is not read but reported. Megabytes of "
            "1,000,000 bytes, of address space."
        ),
    )
    max_unpacked_mb: float = Field(
        default=256.0,
        gt=0,
        le=65_536,
        description="An EPUB that unpacks to more is not read but reported. Megabytes of 1,000,000 bytes.",
    )
    chapters_per_batch: int = Field(
        default=64,
        ge=1,
        le=10_000,
        description="So many chapters are recorded at once, with one sync, where advice is quoted.",
    )


class Phase3Settings(Section):
    """Consolidation and Synthesis."""

    matching: Literal["words", "embeddings"] = Field(
        default="words",
        description=(
            "words: recommendations are compared by their words. embeddings: also by a small language model that runs "
            "here, which finds more that is said in other words; it needs booksynth[embeddings]."
        ),
    )
    similarity_threshold: float = Field(
        default=0.55,
        gt=0,
        le=1,
        description=(
            "Recommendations at least this alike, on the average, become one. 1.0: only those whose titles are equal "
            "once case, spaces, punctuation and ligatures are set aside."
        ),
    )
    theme_threshold: float = Field(
        default=0.25,
        gt=0,
        le=1,
        description=(
            "Recommendations at least this alike belong to one theme; no theme ends within a recommendation, so above "
            "similarity_threshold this counts as that."
        ),
    )
    min_confidence: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description=(
            "Recommendations below this confidence go to a list of their own. One book gives 0.5, "
            "two 0.75, three 0.875."
        ),
    )
    max_field_chars: int = Field(
        default=20_000,
        ge=1,
        le=100_000_000,
        description="A recommendation with a longer field is left out and reported. Characters.",
    )
    max_file_mb: float = Field(
        default=64.0,
        gt=0,
        le=4_096,
        description="A larger tracker is not read but reported. Megabytes of 1,000,000 bytes.",
    )


class Phase4Settings(Section):
    """A plan for each recommendation."""

    max_slug_chars: int = Field(
        default=60,
        ge=8,
        le=120,
        description="The title's share of a plan's folder name is cut to so many characters, between words.",
    )
    low_cohesion: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Merged wordings that are less alike than this on average are an open point of the plan.",
    )
    plans_per_batch: int = Field(
        default=16,
        ge=1,
        le=10_000,
        description="So many plans are recorded at once, with one sync.",
    )


class PhasesSettings(Section):
    """One section for each phase."""

    phase_2: Phase2Settings = Phase2Settings()
    phase_3: Phase3Settings = Phase3Settings()
    phase_4: Phase4Settings = Phase4Settings()


class ExecutionSettings(Section):
    """How much is worked on at once; has no part in the results."""

    workers: int = Field(
        default=1,
        ge=1,
        le=256,
        description="Processes that phase 3 reads the analyses with. More than one pays for embeddings.",
    )


class PathsSettings(Section):
    """Folders that the command line may leave out; relative ones begin at the current folder."""

    shelf_dir: Path | None = Field(default=None, description="Folder of the books, where SHELF is not given.")
    analysis_dir: Path | None = Field(
        default=None, description="Folder of the trackers, where --analysis-dir is not given."
    )
    output_dir: Path | None = Field(default=None, description="Folder of the results, where none is given.")


class LoggingSettings(Section):
    """What is told beside the results."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="WARNING", description="The least severe messages that are shown."
    )
    file: Path | None = Field(
        default=None,
        description=(
            "File that the messages are added to, beside the terminal. A relative one begins at "
            "the output folder. A dry run does not write it."
        ),
    )


class Settings(Section):
    """The whole file."""

    checkpoints: CheckpointSettings = Field(
        default=CheckpointSettings(),
        description=(
            "How progress is kept. A relative checkpoint_dir begins at the output folder, so that "
            "two output folders never share progress."
        ),
    )
    phases: PhasesSettings = PhasesSettings()
    execution: ExecutionSettings = ExecutionSettings()
    models: ModelsSettings = ModelsSettings()
    cost_limits: CostLimits = CostLimits()
    paths: PathsSettings = PathsSettings()
    logging: LoggingSettings = LoggingSettings()


def manager(path: Path | None = None) -> ConfigManager[Settings]:
    """Return the manager of booksynth's settings; *path* None stands for the packaged defaults."""
    return ConfigManager(Settings, path, env_prefix=ENV_PREFIX)


def load(parameters: Mapping[str, str] | None = None) -> Settings:
    """Return the settings that a run is given.

    Args:
        parameters: Dotted names of settings to texts, as ``--param`` gives them; ``config`` names the file.

    Raises:
        milepost.errors.ConfigError: Something is wrong; the message lists all of it.
    """
    given = dict(parameters or {})
    file = given.pop(FILE_PARAMETER, None)
    return manager(None if file is None else Path(file)).load(given)
