"""Gives a test a registry of its own."""

from __future__ import annotations

import pytest

from milepost.codec import registry


@pytest.fixture
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registrations of this test end with it."""
    monkeypatch.setattr(registry, "_by_class", dict(registry._by_class))
    monkeypatch.setattr(registry, "_by_name", dict(registry._by_name))
