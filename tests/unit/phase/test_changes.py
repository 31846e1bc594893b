"""What a run was made with: changes are named, and nothing is silently reused or thrown away."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import milepost
from milepost.errors import InvalidArgument

_NUMBERS = itertools.count()


def attempt(folder: Path, **settings: Any) -> dict[str, Any]:
    """Run a small job to its end, and return its results."""
    with milepost.Phase("job", store=folder, **settings) as phase:
        for item in phase.each(["a", "b"]):
            phase.record(item.upper())
        return dict(phase.results())


def module(folder: Path, source: str) -> ModuleType:
    """Write a module named `job` and load it anew."""
    path = folder / "job.py"
    path.write_text(textwrap.dedent(source))
    spec = spec_from_file_location("job", path)
    assert spec is not None
    assert spec.loader is not None
    loaded = module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def mapped(folder: Path, function: Callable[..., Any], **settings: Any) -> dict[str, Any]:
    with milepost.Phase("job", store=folder, **settings) as phase:
        return dict(phase.map(function, ["a", "b"], workers=1))


def test_a_changed_parameter_stops_the_run_by_name(tmp_path: Path) -> None:
    """The error names each parameter that changed, old and new, and the commands that go on."""
    attempt(tmp_path, params={"threshold": 0.8, "deep": {"x": 1, "y": 2}})
    with pytest.raises(milepost.Changed) as caught:
        attempt(tmp_path, params={"deep": {"y": 2, "x": 3}, "threshold": 0.85})
    told = str(caught.value)
    assert "parameter threshold: 0.8 -> 0.85" in told
    assert "parameter deep.x: 1 -> 3" in told
    assert "deep.y" not in told
    assert "MILEPOST_ON_CHANGE=keep " in told
    assert [(one.kind, one.name) for one in caught.value.changes] == [
        ("parameter", "deep.x"),
        ("parameter", "threshold"),
    ]


def test_a_stopped_run_is_as_it_was(tmp_path: Path) -> None:
    """After a stop the old settings go on with all results, as if the stop had not been."""
    first = attempt(tmp_path, params={"x": 1})
    with pytest.raises(milepost.Changed):
        attempt(tmp_path, params={"x": 2})
    with milepost.Phase("job", store=tmp_path, params={"x": 1}) as phase:
        assert list(phase.each(["a", "b"])) == []
        assert dict(phase.results()) == first


def test_the_order_of_parameters_is_no_change(tmp_path: Path) -> None:
    """Parameters are compared by name, not by the order in which they are given."""
    attempt(tmp_path, params={"a": 1, "b": [1, 2]})
    assert attempt(tmp_path, params={"b": [1, 2], "a": 1}) == {"a": "A", "b": "B"}


def test_parameters_that_were_absent_are_a_change(tmp_path: Path) -> None:
    """Settings given now and not before may have mattered, so they are told."""
    attempt(tmp_path)
    with pytest.raises(milepost.Changed, match=r"parameter x: \(not given\) -> 1"):
        attempt(tmp_path, params={"x": 1})


def test_a_run_without_results_takes_any_parameters(tmp_path: Path) -> None:
    """Where nothing was recorded, nothing can be stale."""
    with milepost.Phase("job", store=tmp_path, params={"x": 1}):
        pass
    assert attempt(tmp_path, params={"x": 2}) == {"a": "A", "b": "B"}
    with pytest.raises(milepost.Changed):
        attempt(tmp_path, params={"x": 1})


def test_restart_sets_the_old_run_aside(tmp_path: Path) -> None:
    """With "restart" every item runs again, and the old run lies whole under runs/."""
    attempt(tmp_path, params={"x": 1})
    with milepost.Phase("job", store=tmp_path, params={"x": 2}, on_change="restart") as phase:
        assert list(phase.each(["a", "b"])) == ["a", "b"]
    (old,) = (tmp_path / "job" / "runs").iterdir()
    assert b'"key":"a"' in (old / "journal_000001.jsonl").read_bytes()
    with milepost.open(old.name, store=old.parent) as reader:
        assert dict(reader.results()) == {"a": "A", "b": "B"}


def test_keep_goes_on_and_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MILEPOST_ON_CHANGE=keep goes on with the results, once; the next run needs no word."""
    attempt(tmp_path, params={"x": 1})
    monkeypatch.setenv("MILEPOST_ON_CHANGE", "keep")
    with milepost.Phase("job", store=tmp_path, params={"x": 2}) as phase:
        assert list(phase.each(["a", "b"])) == []
    monkeypatch.delenv("MILEPOST_ON_CHANGE")
    with milepost.Phase("job", store=tmp_path, params={"x": 2}) as phase:
        assert list(phase.each(["a", "b"])) == []


def test_bless_accepts_the_very_change_that_stopped(tmp_path: Path) -> None:
    """A blessed change goes on with the results; another change is noticed as before."""
    attempt(tmp_path, params={"x": 1})
    with pytest.raises(milepost.Changed):
        attempt(tmp_path, params={"x": 2})
    assert milepost.bless("job", store=tmp_path) == ["parameter x: 1 -> 2"]
    with milepost.Phase("job", store=tmp_path, params={"x": 2}) as phase:
        assert list(phase.each(["a", "b"])) == []
    with pytest.raises(milepost.Changed, match="2 -> 3"):
        attempt(tmp_path, params={"x": 3})


def test_bless_without_a_change_says_so(tmp_path: Path) -> None:
    """There is nothing to accept where no run stopped, and where there is no phase; nothing is made."""
    with pytest.raises(InvalidArgument, match="no such phase"):
        milepost.bless("job", store=tmp_path)
    assert list(tmp_path.iterdir()) == []
    attempt(tmp_path)
    with pytest.raises(InvalidArgument, match="no change waits"):
        milepost.bless("job", store=tmp_path)


def test_a_changed_input_is_named(tmp_path: Path) -> None:
    """A file that the whole run depends on counts by content, not by time."""
    taxonomy = tmp_path / "taxonomy.json"
    taxonomy.write_text("{}")
    attempt(tmp_path / "s", inputs=[taxonomy])
    taxonomy.write_text("{}")
    attempt(tmp_path / "s", inputs=[taxonomy])
    taxonomy.write_text("{ }")
    with pytest.raises(milepost.Changed, match=r"input .*taxonomy\.json"):
        attempt(tmp_path / "s", inputs=[taxonomy])


def test_changed_code_of_the_run_is_named(tmp_path: Path) -> None:
    """A function given in code= counts with the helpers it calls, and not with its comments."""
    source = """
        def helper(x):
            return x + {number}

        def extract(x):{comment}
            return helper(x)
    """
    for comment in ("", "  # a remark"):
        job = module(tmp_path, source.format(number=1, comment=comment))
        attempt(tmp_path / "s", code=[job.extract])
    job = module(tmp_path, source.format(number=2, comment=""))
    with pytest.raises(milepost.Changed, match=r"code job\.helper"):
        attempt(tmp_path / "s", code=[job.extract])


def test_changed_code_of_a_map_is_named_and_can_be_kept(tmp_path: Path) -> None:
    """A function given to map counts per record: a change stops, "keep" accepts it for good."""
    source = "def work(x):\n    return x * {}\n"
    assert mapped(tmp_path / "s", module(tmp_path, source.format(2)).work) == {"a": "aa", "b": "bb"}
    changed = module(tmp_path, source.format(3)).work
    with pytest.raises(milepost.Changed, match=r"code job\.work"):
        mapped(tmp_path / "s", changed)
    with milepost.Phase("job", store=tmp_path / "s") as phase:
        for _ in range(2):  # a refused function leaves the loop's name free
            with pytest.raises(milepost.Changed):
                phase.map(changed, ["a", "b"])
    assert mapped(tmp_path / "s", changed, on_change="keep") == {"a": "aa", "b": "bb"}
    assert mapped(tmp_path / "s", changed) == {"a": "aa", "b": "bb"}


def test_changed_code_of_a_map_can_be_blessed(tmp_path: Path) -> None:
    """A blessed function goes on with what the old one made."""
    source = "def work(x):\n    return x * {}\n"
    mapped(tmp_path / "s", module(tmp_path, source.format(2)).work)
    changed = module(tmp_path, source.format(3)).work
    with pytest.raises(milepost.Changed):
        mapped(tmp_path / "s", changed)
    (line,) = milepost.bless("job", store=tmp_path / "s")
    assert line.startswith("code job.work: ")
    assert mapped(tmp_path / "s", changed) == {"a": "aa", "b": "bb"}


def test_restart_after_changed_code_of_a_map_runs_its_items_again(tmp_path: Path) -> None:
    """With "restart" the items of the changed function run again, and nothing else is thrown away."""
    source = "def work(x):\n    return x * {}\n"
    mapped(tmp_path / "s", module(tmp_path, source.format(2)).work)
    changed = module(tmp_path, source.format(3)).work
    assert mapped(tmp_path / "s", changed, on_change="restart") == {"a": "aaa", "b": "bbb"}
    assert mapped(tmp_path / "s", changed) == {"a": "aaa", "b": "bbb"}


@pytest.mark.parametrize("word", ["go", "STOP", ""])
def test_an_unknown_word_is_refused(tmp_path: Path, word: str) -> None:
    """on_change is one of three words; anything else is refused before anything is made."""
    with pytest.raises(InvalidArgument, match="on_change"):
        milepost.Phase("job", store=tmp_path, on_change=word)


def test_a_big_unchanged_item_is_not_read_again(tmp_path: Path) -> None:
    """The digest of a big file is kept beside the run, and trusted while size, times and inode stand."""
    book = tmp_path / "book.bin"
    book.write_bytes(b"x" * 200_000)
    import os

    os.utime(book, (1_700_000_000, 1_700_000_000))
    with milepost.Phase("job", store=tmp_path / "s") as phase:
        for _ in phase.each([book]):
            phase.record(1)
    assert (tmp_path / "s" / "job" / "digests.json").exists()


def test_bless_makes_no_run_in_a_strangers_folder(tmp_path: Path) -> None:
    """A folder without a run of a phase is refused, and nothing is made in it."""
    (tmp_path / "photos").mkdir()
    with pytest.raises(InvalidArgument, match="no run of a"):
        milepost.bless("photos", store=tmp_path)
    assert list((tmp_path / "photos").iterdir()) == []
