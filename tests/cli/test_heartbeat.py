"""Lines now and then from commands that nobody watches."""

from __future__ import annotations

import sys
import time

import pytest

from geomot.cli import _heartbeat
from geomot.cli._heartbeat import doing, heartbeat


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(_heartbeat, "_FIRST", 0.05)


def test_lines_become_rarer(capsys):
    with heartbeat("geomot fit"):
        time.sleep(0.07)
        with doing("the map"):
            time.sleep(0.6)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "geomot fit: running for 0 seconds"
    assert lines[1] == "geomot fit: running for 0 seconds, now the map"
    assert 3 <= len(lines) <= 4


def test_no_lines_beside_bars_and_after_the_end(capsys, monkeypatch):
    with heartbeat("geomot fit"):
        pass
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with heartbeat("geomot fit"):
        time.sleep(0.1)
    time.sleep(0.1)
    assert capsys.readouterr().err == ""


def test_it_ends_with_an_error():
    with pytest.raises(ValueError, match="x"), heartbeat("geomot fit"):
        raise ValueError("x")
