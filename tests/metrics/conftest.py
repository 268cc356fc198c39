"""What all tests of metrics share."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks of few rows, so that every test puts several together."""
    monkeypatch.setattr("geomot._plans.costs._BLOCK", 300)
