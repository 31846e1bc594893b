"""The laws of `milepost.config`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, SecretStr

from milepost.config import CheckpointSettings, ConfigManager, Section
from milepost.config.yaml_file import MAX_BYTES
from milepost.errors import ConfigError


class Server(Section):
    host: str = "localhost"
    api_key: str = Field(default="none", min_length=4)
    password: SecretStr = SecretStr("")
    ports: list[int] = Field(default_factory=list)
    log: Path | None = None


class Settings(Section):
    checkpoints: CheckpointSettings = CheckpointSettings()
    server: Server = Server()
    level: str = "INFO"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith("JOB_"):
            monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def load(file: Path, text: str | bytes) -> Settings:
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return ConfigManager(Settings, file, env_prefix="JOB_").load()


def refusal(file: Path, text: str | bytes) -> str:
    with pytest.raises(ConfigError) as caught:
        load(file, text)
    return str(caught.value)


def test_defaults() -> None:
    """Without file and variables the settings are the defaults."""
    assert ConfigManager(Settings).load() == Settings()


def test_file_over_defaults(file: Path) -> None:
    """A value of the file wins over the default, and leaves its neighbours alone."""
    settings = load(file, "checkpoints:\n  ttl_hours: 48\n  checkpoint_dir: 2025-10-18\n")
    assert settings.checkpoints.ttl_hours == 48
    assert settings.checkpoints.checkpoint_dir == Path("2025-10-18")
    assert settings.checkpoints.max_checkpoints == 10


def test_environment_over_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable wins over the file, whatever its case, and becomes the type of the field."""
    monkeypatch.setenv("JOB_CHECKPOINTS__TTL_HOURS", "72")
    monkeypatch.setenv("job_checkpoints__enabled", "false")
    monkeypatch.setenv("JOB_SERVER__PORTS", "[1, 2]")
    monkeypatch.setenv("JOB_SERVER__LOG", "a/b.log")
    settings = load(file, "checkpoints:\n  ttl_hours: 48\n  max_checkpoints: 3\n")
    assert settings.checkpoints.ttl_hours == 72
    assert settings.checkpoints.enabled is False
    assert settings.checkpoints.max_checkpoints == 3
    assert settings.server.ports == [1, 2]
    assert settings.server.log == Path("a/b.log")


def test_section_as_json(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole section may be given as JSON in one variable."""
    monkeypatch.setenv("JOB_SERVER", '{"host": "there"}')
    assert load(file, "level: DEBUG\n").server.host == "there"


def test_empty_variable(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable counts as unset."""
    monkeypatch.setenv("JOB_CHECKPOINTS__TTL_HOURS", "")
    assert load(file, "level: DEBUG\n").checkpoints.ttl_hours == 24


def test_config_is_remembered(file: Path) -> None:
    """`config` loads once; `load` reads anew."""
    file.write_text("level: A\n")
    manager = ConfigManager(Settings, file)
    assert manager.config.level == "A"
    file.write_text("level: B\n")
    assert manager.config.level == "A"
    assert manager.load().level == "B"
    assert manager.config.level == "B"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("checkpoints:\n  ttl_hour: 5\n", ["2:3: checkpoints.ttl_hour", "mean ttl_hours?"]),
        ("chekpoints:\n  ttl_hours: 5\n", ["1:1", "chekpoints", "did you mean checkpoints?"]),
        ("zzz: 1\n", ["1:1", "zzz", "valid here: checkpoints, level, server"]),
        ('checkpoints:\n  ttl_hours: "5"\n', ["2:3", "ttl_hours", "valid number", "got '5'"]),
        ("checkpoints:\n  ttl_hours: true\n", ["2:3", "ttl_hours", "valid number"]),
        ("checkpoints:\n  max_checkpoints: 2.5\n", ["2:3", "max_checkpoints", "got 2.5"]),
        ("checkpoints:\n  enabled: yes\n", ["2:3", "enabled", "valid boolean", "got 'yes'"]),
        ("checkpoints:\n  ttl_hours: 0\n", ["2:3", "greater than 0", "got 0"]),
        ("checkpoints:\n  ttl_hours: .inf\n", ["2:3", "ttl_hours", "finite number"]),
        ("checkpoints:\n  ttl_hours: .nan\n", ["2:3", "ttl_hours"]),
        ("checkpoints:\n  save_interval_seconds: -1\n", ["2:3", "greater than or equal to 0"]),
        ("checkpoints:\n", ["1:1", "checkpoints", "must be a mapping"]),
        ("checkpoints: [1]\n", ["1:1", "checkpoints", "must be a mapping"]),
        ("- 1\n", ["1:1", "must hold a mapping"]),
        ("level: A\nlevel: B\n", ["2:1", "level", "given twice", "line 1"]),
        ("level: A\n1: B\n", ["2:1", "key must be text"]),
        ("? [a]\n: B\n", ["1:3", "key must be text"]),
        ("level: [\n", ["config.yaml:2:1", "not valid YAML"]),
        ("a: b: c\n", ["1:5", "not valid YAML"]),
        ("level: A\n---\nlevel: B\n", ["not valid YAML", "another document"]),
        ("", ["config.yaml", "empty"]),
        ("# nothing\n", ["config.yaml", "empty"]),
        (b"level: A\nhost: \xff\n", ["2:7", "not UTF-8"]),
        ("level: A\n# \x00\n", ["2:3", "character that YAML does not allow"]),
        ("level: !!python/object/apply:os.system [id]\n", ["1:8", "level", "tags are not allowed"]),
        ("level: !secret x\n", ["1:8", "tags are not allowed"]),
        ("level: !!binary aGk=\n", ["1:8", "tags are not allowed"]),
        ("<<: {level: A}\n", ["1:1", "key must be text"]),
        ("server: &s\n  ports: *s\n", ["1:9", "contains itself"]),
        ("level: " + "[" * 40 + "]" * 40 + "\n", ["deeper than 32"]),
        ("level: " + "[" * 5000 + "\n", ["deeper than 32"]),
        ("level: 2001-99-99\nlevle: 1\n", ["2:1", "levle", "did you mean level?"]),
        ("server:\n  ports: [1, x]\n", ["2:3", "server.ports[1]", "valid integer"]),
        ("checkpoints:\n  max_checkpoints: " + "9" * 5000 + "\n", ["2:20", "not a value"]),
    ],
)  # fmt: skip
def test_refusal_names_the_place(file: Path, text: str | bytes, expected: list[str]) -> None:
    """A mistake in the file is refused with its line and column, its key, and what is right."""
    message = refusal(file, text)
    assert str(file) in message
    for part in expected:
        assert part in message
    assert len(message.splitlines()) == 1


def test_all_problems_at_once(file: Path) -> None:
    """One refusal lists every problem of file and environment, in the order of the file."""
    os.environ["JOB_LEVLE"] = "x"
    try:
        lines = refusal(
            file,
            "levle: A\ncheckpoints:\n  ttl_hours: x\n  ttl_hours: 1\n  enabled: 3\nserver:\n  prots: 1\n",
        ).splitlines()
    finally:
        del os.environ["JOB_LEVLE"]
    assert lines[0].endswith("6 problems")
    keys = ["levle", "ttl_hours", "ttl_hours", "enabled", "prots", "JOB_LEVLE"]
    assert [key in line for key, line in zip(keys, lines[1:], strict=True)] == [True] * 6


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("JOB_CHECKPOINTS__TTL_HOUR", "5", "did you mean JOB_CHECKPOINTS__TTL_HOURS?"),
        ("JOB_CHEKPOINTS__TTL_HOURS", "5", "did you mean JOB_CHECKPOINTS?"),
        ("JOB_CHECKPOINTS__TTL_HOURS", "soon", "valid number (got 'soon')"),
        ("JOB_CHECKPOINTS__TTL_HOURS", "-5", "greater than 0"),
        ("JOB_CHECKPOINTS", "5", "must be a mapping"),
        ("JOB_SERVER__PORTS", "1,2", "must be JSON"),
        ("JOB_SERVER", '{"hots": "x"}', "did you mean host?"),
    ],
)
def test_wrong_variable(file: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str) -> None:
    """A mistake in a variable is refused, and the message names the variable."""
    monkeypatch.setenv(name, value)
    message = refusal(file, "level: A\n")
    assert expected in message
    assert name in message or "environment" in message


def test_secrets_are_not_echoed(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The value of a setting that is named like a secret appears in no message."""
    message = refusal(file, "server:\n  api_key: k9\n  password: 77001\n")
    assert "server.api_key" in message
    assert "k9" not in message
    assert "77001" not in message
    monkeypatch.setenv("JOB_SERVER__API_KEY", "k9z")
    assert "k9z" not in refusal(file, "level: A\n")
    assert "k9z" not in refusal(file, "server:\n  api_key: 'k9z\n")
    assert "k9z" not in refusal(file, "server:\n  api_key: k9z\x00\n")
    assert "k9z" not in refusal(file, "level: http://me:k9z@host\n")


def test_alias_bomb(file: Path) -> None:
    """Aliases that multiply are refused before they cost memory."""
    lines = ['a0: &a0 ["x", "x", "x", "x", "x", "x", "x", "x", "x"]']
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert "aliases included" in refusal(file, "\n".join(lines))


def test_alias_and_reused_anchor(file: Path) -> None:
    """An honest alias works, and so does an anchor that is used again."""
    settings = load(file, "level: &x A\nserver:\n  host: *x\n  api_key: &x long\n")
    assert settings.server.host == "A"


def test_huge_file(file: Path) -> None:
    """A file larger than any settings file is refused unread."""
    assert "larger than" in refusal(file, b"#" * (MAX_BYTES + 1))


def test_missing_file(file: Path) -> None:
    """A missing file is refused by name, never replaced by defaults in silence."""
    with pytest.raises(ConfigError, match=r"config\.yaml: cannot be read: No such file"):
        ConfigManager(Settings, file).load()


def test_folder_and_fifo(tmp_path: Path) -> None:
    """A folder or a FIFO in place of the file is an error, not a wait."""
    with pytest.raises(ConfigError, match=r"not a regular file|Is a directory"):
        ConfigManager(Settings, tmp_path).load()
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(ConfigError, match="not a regular file"):
        ConfigManager(Settings, fifo).load()


def test_byte_order_mark(file: Path) -> None:
    """A byte order mark, which some editors write, does no harm."""
    assert load(file, b"\xef\xbb\xbflevel: A\n").level == "A"


def test_message_cannot_steer_a_terminal(file: Path) -> None:
    """Control characters of a file appear as escapes in messages."""
    message = refusal(file, '"\\e[31mred": 1\n')
    assert "\x1b" not in message
    assert "\\x1b[31mred" in message


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_any_file_loads_or_is_refused(tmp_path_factory: pytest.TempPathFactory, text: str | bytes) -> None:
    """Whatever the bytes of a file are, they load or are refused with a `ConfigError`."""
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_bytes(text.encode("utf-8", "replace") if isinstance(text, str) else text)
    try:
        outcome: object = ConfigManager(Settings, file).load()
    except ConfigError as error:
        outcome = str(error)
    assert isinstance(outcome, Settings) or "any.yaml" in str(outcome)


def test_json_schema() -> None:
    """The JSON schema knows every key, its range and its meaning, and refuses unknown keys."""
    schema = json.loads(json.dumps(ConfigManager(Settings).json_schema()))
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert schema["additionalProperties"] is False
    section = schema["$defs"]["CheckpointSettings"]
    assert section["additionalProperties"] is False
    assert section["properties"]["ttl_hours"]["exclusiveMinimum"] == 0
    assert "Hours" in section["properties"]["ttl_hours"]["description"]
    assert all("description" in value for value in section["properties"].values())


def test_sections_are_frozen() -> None:
    """Settings do not change after loading."""
    with pytest.raises(ValueError, match="frozen"):
        CheckpointSettings().ttl_hours = 5


def test_import_milepost_loads_nothing_of_it() -> None:
    """`import milepost` loads neither the configuration nor the libraries below it."""
    code = (
        "import sys, milepost\n"
        "heavy = ('pydantic', 'pydantic_settings', 'ruamel', 'milepost.config')\n"
        "print([name for name in sys.modules if name.startswith(heavy)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_missing_extra_says_what_to_install() -> None:
    """Without the extra, the import error names the package to install."""
    code = "import sys; sys.modules['ruamel.yaml'] = None; import milepost.config"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'milepost[config]'" in done.stderr
