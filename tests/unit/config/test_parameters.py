"""The laws of parameters: settings that a command line gives by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field, SecretStr

from milepost.config import CheckpointSettings, ConfigManager, Section
from milepost.errors import ConfigError


class Server(Section):
    host: str = "localhost"
    password: SecretStr = SecretStr("")
    ports: list[int] = Field(default_factory=list)
    log: Path | None = None


class Settings(Section):
    checkpoints: CheckpointSettings = CheckpointSettings()
    server: Server = Server()
    level: str = "INFO"


def refusal(given: dict[str, str], path: Path | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        ConfigManager(Settings, path, env_prefix="JOB_").load(given)
    return str(caught.value)


def test_parameter_wins_over_variable_and_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A parameter wins over the variable, which wins over the file, and what none of them names stays."""
    file = tmp_path / "config.yaml"
    file.write_text("level: FILE\nserver: {host: file}\ncheckpoints: {ttl_hours: 3, max_checkpoints: 4}\n")
    monkeypatch.setenv("JOB_SERVER__HOST", "variable")
    monkeypatch.setenv("JOB_CHECKPOINTS__TTL_HOURS", "5")
    settings = ConfigManager(Settings, file, env_prefix="JOB_").load({"checkpoints.ttl_hours": "6.5"})
    assert (settings.level, settings.server.host) == ("FILE", "variable")
    assert (settings.checkpoints.ttl_hours, settings.checkpoints.max_checkpoints) == (6.5, 4)


def test_texts_become_what_the_setting_holds() -> None:
    """A text becomes the number, truth value, path or list that its setting holds."""
    given = {"checkpoints.enabled": "false", "server.ports": "[1, 2]", "server.log": "a/b", "level": "7"}
    settings = ConfigManager(Settings).load(given)
    assert settings.checkpoints.enabled is False
    assert settings.server.ports == [1, 2]
    assert settings.server.log == Path("a/b")
    assert settings.level == "7"


def test_none_are_the_defaults() -> None:
    """No parameter at all leaves the settings as they are."""
    assert ConfigManager(Settings).load({}) == ConfigManager(Settings).load() == Settings()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"server.hots": "x"}, "parameter server.hots: server.hots: unknown key; did you mean server.host?"),
        ({"servr.host": "x"}, "parameter servr.host: servr: unknown key; did you mean server?"),
        ({"level.deep": "x"}, "parameter level.deep: level.deep: unknown key; nothing is valid here"),
        ({"level": "x", "": "y"}, "unknown key; valid here: checkpoints, level, server"),
        (
            {"server": "x"},
            "a section, not a setting; valid here: server.host, server.log, server.password, server.ports",
        ),
        (
            {"checkpoints.ttl_hours": "soon"},
            "parameter checkpoints.ttl_hours: checkpoints.ttl_hours: Input should be a valid number (got 'soon')",
        ),
    ],
)
def test_refused(given: dict[str, str], expected: str) -> None:
    """A wrong parameter is refused by its name, with the nearest valid one or what would be right."""
    assert expected in refusal(given)


def test_all_mistakes_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mistakes of file, environment and parameters are told together, each with its place."""
    file = tmp_path / "config.yaml"
    file.write_text("lvel: X\n")
    monkeypatch.setenv("JOB_SERVER__HOTS", "x")
    message = refusal({"checkpoints.ttl_hours": "-1", "server.prots": "[]"}, file)
    assert "config.yaml:1:1: lvel: unknown key" in message
    assert "environment variable JOB_SERVER__HOTS" in message
    assert "parameter checkpoints.ttl_hours: checkpoints.ttl_hours: Input should be greater than 0" in message
    assert "parameter server.prots: server.prots: unknown key; did you mean server.ports?" in message


def test_secrets_are_not_told() -> None:
    """A message never shows the value of a setting that is named like a secret."""
    message = refusal({"server.password": "hunter22", "server.pasword": "hunter33", "checkpoints.ttl_hours": "x"})
    assert "hunter" not in message
