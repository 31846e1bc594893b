"""A diamond of phases in a folder of its own."""

from pathlib import Path

import pytest

from tests.support.flows import Job


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Return a diamond that has not run yet."""
    return Job(tmp_path / "store")
