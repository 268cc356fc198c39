"""Methods that a test registers are gone after it."""

from __future__ import annotations

import pytest

from geomot.compare import _methods


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    """Methods that a test registers are gone after it; nothing is loaded ahead."""
    monkeypatch.setattr(_methods, "_REGISTRY", dict(_methods._REGISTRY))
    monkeypatch.setattr("geomot.compare._harness.warm_up", lambda device: None)
