"""Files that the code names count by content, unless the code writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from milepost.fingerprint import differences
from tests.unit.fingerprint.program import names, parts

READ = {
    "opened": "open('prompts/extract.json').read()",
    "as a path": "Path('prompts/extract.json').read_text()",
    "beside the module": "(Path(__file__).parent / 'prompts' / 'extract.json').read_text()",
    "by a constant folder": "(PROMPTS / 'extract.json').read_bytes()",
    "by a constant path": "PROMPT.read_text()",
    "by a constant text": "open(PROMPT_NAME)",
    "joined": "open(os.path.join(os.path.dirname(__file__), 'prompts', 'extract.json'))",
    "by joinpath": "HERE.joinpath('prompts', 'extract.json').open('rb')",
    "only named": "ask('prompts/extract.txt', x)",
    "by a loader's name": "load_prompt('prompts/extract.json')",
}
WRITTEN = {
    "opened": "open('prompts/extract.txt', 'w')",
    "opened by word": "open('prompts/extract.txt', mode='a')",
    "as a path": "Path('prompts/extract.txt').write_text(x)",
    "path opened": "Path('prompts/extract.txt').open('w')",
    "by a constant": "PROMPT_TEXT.write_text(x)",
    "by a function's name": "save(x, 'prompts/extract.txt')",
    "data only named": "connect('prompts/extract.json')",
    "read and written": "(open('prompts/extract.txt'), open('prompts/extract.txt', 'w'))",
    "an address": "get('https://x.org/prompts/extract.txt')",
    "a module's name": "f('prompts.extract')",
}
TEXT = (
    "import os\nfrom pathlib import Path\nHERE = Path(__file__).parent\nPROMPTS = HERE / 'prompts'\nPROMPT = PROMPTS / 'extract.json'\n"
    "PROMPT_TEXT = PROMPTS / 'extract.txt'\nPROMPT_NAME = str(PROMPT)\ndef main(x):\n    return {}\n"
)


def found(tmp_path: Path, expression: str, content: str) -> dict[str, str]:
    files = {"job.py": TEXT.format(expression), "prompts/extract.txt": content, "prompts/extract.json": content}
    return parts(tmp_path, files)


@pytest.mark.parametrize("case", READ)
def test_a_file_that_is_read_counts(tmp_path: Path, case: str) -> None:
    """A prompt file counts by content, under its path from the module's folder."""
    change = differences("code", found(tmp_path, READ[case], "one"), found(tmp_path, READ[case], "two"))
    assert names(change) in (["prompts/extract.json"], ["prompts/extract.txt"])


@pytest.mark.parametrize("case", WRITTEN)
def test_a_file_that_is_written_does_not_count(tmp_path: Path, case: str) -> None:
    """A result of the job's own, and what is not surely a file to read, does not count."""
    assert [name for name in found(tmp_path, WRITTEN[case], "one") if "/" in name] == []


def test_a_result_written_through_a_variable_does_not_count(tmp_path: Path) -> None:
    """A file that is named here and written there is a result."""
    files = {
        "job.py": "def main(x):\n    place = 'summary.md'\n    with open(place, 'w') as file:\n        file.write(x)\n",
        "summary.md": "x",
    }
    assert parts(tmp_path, files).keys() == {"job.main"}


def test_a_file_found_through_a_variable_counts(tmp_path: Path) -> None:
    """A path put together in local variables is followed."""
    job = "from pathlib import Path\ndef main(x):\n    folder = Path(__file__).parent / 'asks'\n    path = folder / 'a.json'\n    return path.read_text()\n"
    assert "asks/a.json" in parts(tmp_path, {"job.py": job, "asks/a.json": "x"})


def test_a_file_relative_to_the_working_directory_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that is not below the module is looked for where the job runs."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here/ask.txt").write_text("x", encoding="utf-8")
    monkeypatch.chdir(tmp_path / "here")
    assert "ask.txt" in parts(tmp_path, "def main(x):\n    return open('ask.txt')\n")


def test_a_pipe_is_not_read(tmp_path: Path) -> None:
    """A named pipe with the name of a prompt is left alone, and nobody waits for a writer."""
    import os

    os.mkfifo(tmp_path / "ask.txt")
    text = f"def main(x):\n    return open({str(tmp_path / 'ask.txt')!r})\n"
    assert parts(tmp_path, text).keys() == {"job.main"}
