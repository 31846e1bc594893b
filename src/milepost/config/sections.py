"""The base of every settings section, and the one section that all applications share."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A group of settings: unknown keys are refused, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class CheckpointSettings(Section):
    """How progress is kept; the fields are the arguments of `milepost.CheckpointManager`, and *store* the place."""

    enabled: bool = Field(
        default=True,
        description="Keep progress. With false no checkpoint file is read or written.",
    )
    checkpoint_dir: Path = Field(
        default=Path("checkpoints"),
        description="Folder of the checkpoints. The application says where a relative one begins.",
    )
    store: str | None = Field(
        default=None,
        description=(
            "Folder, or URL of a store (sqlite:///progress.db, postgresql://HOST/DATABASE, s3://BUCKET/PREFIX), "
            "instead of checkpoint_dir. MILEPOST_STORE wins over both."
        ),
    )
    save_interval_seconds: float = Field(
        default=300.0,
        ge=0,
        le=31_536_000,
        description=(
            "Seconds between two checkpoint files; what happens in between is kept in the journal. "
            "0 turns timed saving off: only forced saves are kept."
        ),
    )
    ttl_hours: float = Field(
        default=24.0,
        gt=0,
        le=876_000,
        description="Hours after which a checkpoint counts as expired.",
    )
    max_checkpoints: int = Field(
        default=10,
        ge=1,
        le=10_000,
        description="Checkpoint files kept for one phase; the oldest go first.",
    )
