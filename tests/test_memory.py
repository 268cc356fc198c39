"""Memory that stays where it is after many calls."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from effort import linux
from refusals import REFUSALS

import geomot

rng = np.random.default_rng
pytestmark = pytest.mark.usefixtures("silent")


def _resident():
    """Bytes resident in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class _Stop(Exception):
    pass


def _stop(*_):
    raise _Stop


def _solve_once():
    geomot.solve(rng(0).random((50, 2)))


def _refused_once():
    for _, call, _ in REFUSALS[:: max(1, len(REFUSALS) // 20)]:
        with pytest.raises((ValueError, TypeError)):
            call()


def _interrupted_once():
    with pytest.raises(_Stop):
        geomot.solve(rng(0).random((50, 2)), callback=_stop)


def _diagram_once():
    d = geomot.PowerDiagram(rng(0).random((50, 2)))
    d.locate(rng(1).random((10, 2)))
    assert len(d.cells) == 50 and len(d.triangulation) > 0


def _growth(call, count):
    for _ in range(max(10, count // 10)):
        call()
    before = _resident()
    for _ in range(count):
        call()
    return _resident() - before


@linux
@pytest.mark.parametrize(
    ("call", "count"),
    [(_solve_once, 300), (_refused_once, 100), (_interrupted_once, 300), (_diagram_once, 3000)],
    ids=["solve", "refused", "interrupted", "diagram"],
)
def test_memory_does_not_grow(call, count):
    assert _growth(call, count) <= 5 * 2**20


@linux
@pytest.mark.slow
@pytest.mark.parametrize(
    ("call", "count"),
    [(_solve_once, 10**4), (_refused_once, 500), (_interrupted_once, 1000)],
    ids=["solve", "refused", "interrupted"],
)
def test_memory_does_not_grow_in_ten_thousand_calls(call, count):
    assert _growth(call, count) <= 5 * 2**20
