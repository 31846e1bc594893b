"""Settings from a YAML file and the environment; a mistake is refused with its file and line.

An application describes its settings as a pydantic model (a tree of `Section`), and asks:

    manager = ConfigManager(Settings, Path("workflow_config.yaml"), env_prefix="MYJOB_")
    settings = manager.load()

Needs ``pip install milepost[config]``; ``import milepost`` loads nothing of it.
"""

from __future__ import annotations

from importlib.util import find_spec

from milepost.stores.opening import without_secrets

try:
    # These are imported where there is a variable or a file to read; that they are missing is told at once.
    for needed in ("pydantic_settings", "ruamel", "ruamel.yaml"):
        if find_spec(needed) is None:
            raise ModuleNotFoundError(name=needed)
    from milepost.config.manager import ConfigManager
    from milepost.config.sections import CheckpointSettings, Section
except ModuleNotFoundError as missing:  # pragma: no cover - a test runs it in a bare interpreter
    if (missing.name or "").startswith("milepost"):
        raise
    message = f"milepost.config needs {missing.name}: pip install 'milepost[config]'"
    raise ModuleNotFoundError(message, name=missing.name) from missing

__all__ = ["CheckpointSettings", "ConfigManager", "Section", "without_secrets"]
