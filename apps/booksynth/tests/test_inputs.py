"""The laws of looking at and reading the trackers of a folder."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from apps.booksynth.tests import support
from booksynth import inputs
from booksynth.inputs import UnreadableError, discover, read
from booksynth.trackers import SUFFIX


def test_order_is_that_of_the_bytes(tmp_path: Path) -> None:
    """Trackers come in the byte order of their names, and nothing else of the folder does."""
    for name in ("b", "B", "\u00e4", "a", "a-b", "a_b", "Z"):
        support.write(tmp_path, name, "{}")
    (tmp_path / "notes.json").write_text("{}")
    support.write(tmp_path / "deeper", "c", "{}")
    found = [one.name.removesuffix(SUFFIX) for one in discover(tmp_path, 1)]
    assert found == ["B", "Z", "a-b", "a_b", "a", "b", "\u00e4"]


def test_too_large_is_not_read(tmp_path: Path) -> None:
    """A file larger than allowed is known as such without being read."""
    support.write(tmp_path, "large", "x" * 2000)
    (found,) = discover(tmp_path, 0.001)
    assert found.problem is not None
    assert found.problem.code == "too-large"
    assert "2000 bytes" in found.problem.reason


def test_growing_over_the_limit_is_noticed(tmp_path: Path) -> None:
    """A file that grew over the limit since it was listed is not taken for whole."""
    path = support.write(tmp_path, "grows", "x" * 500)
    (found,) = discover(tmp_path, 0.001)
    path.write_text("x" * 5000)
    with pytest.raises(UnreadableError) as caught:
        read(found, 0.001)
    assert caught.value.problem.code == "changed-while-read"


def test_change_while_reading_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that changes while it is read is reported, whatever its size and length stay."""
    path = support.write(tmp_path, "moving", "x" * 500)
    (found,) = discover(tmp_path, 1)
    looks: list[int] = []
    fstat = os.fstat

    def changing(handle: int) -> Any:
        looks.append(handle)
        if len(looks) == 2:
            time.sleep(0.02)
            path.write_text("y" * 500)
        return fstat(handle)

    monkeypatch.setattr(os, "fstat", changing)
    with pytest.raises(UnreadableError) as caught:
        read(found, 1)
    assert caught.value.problem.code == "changed-while-read"


def test_fifo_in_place_of_a_file_does_not_hang(tmp_path: Path) -> None:
    """A FIFO that takes the place of a listed file is an error, not a wait."""
    path = support.write(tmp_path, "pipe", "{}")
    (found,) = discover(tmp_path, 1)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(UnreadableError) as caught:
        read(found, 1)
    assert caught.value.problem.code == "not-a-file"


def test_vanished_file(tmp_path: Path) -> None:
    """A file that vanished since it was listed is reported with the system's reason."""
    path = support.write(tmp_path, "gone", "{}")
    (found,) = discover(tmp_path, 1)
    path.unlink()
    with pytest.raises(UnreadableError, match="No such file"):
        read(found, 1)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_forbidden_file(tmp_path: Path) -> None:
    """A file that may not be read is reported with the system's reason."""
    path = support.write(tmp_path, "secret", "{}")
    path.chmod(0)
    (found,) = discover(tmp_path, 1)
    with pytest.raises(UnreadableError, match="Permission denied"):
        read(found, 1)


def test_link_to_a_file_is_followed(tmp_path: Path) -> None:
    """A link to a tracker is read like the tracker."""
    real = support.write(tmp_path / "elsewhere", "real", "{}")
    (tmp_path / f"link{SUFFIX}").symlink_to(real)
    (found,) = discover(tmp_path, 1)
    assert found.problem is None
    assert read(found, 1).data == b"{}"


def test_young_file_is_racy(tmp_path: Path) -> None:
    """The signature of a file that was just written is marked as not to be trusted."""
    path = support.write(tmp_path, "young", "{}")
    (found,) = discover(tmp_path, 1)
    content = read(found, 1)
    assert content.is_racy
    assert content.signature == inputs.signature(path.stat())
