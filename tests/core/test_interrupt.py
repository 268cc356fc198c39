"""Ctrl-C ends long work of the kernels soon, and harms nothing."""

from __future__ import annotations

import time

import numpy as np
import pytest
from effort import Interruption, needs_timers
from oracles import UNIT_SQUARE

import geomot
from geomot._power import PlaneSites

rng = np.random.default_rng
SQ = UNIT_SQUARE
pytestmark = pytest.mark.usefixtures("silent")
SITES = rng(0).random((20, 2))


def _hub(n):
    """A site inside a circle of others, all of which are its neighbours."""
    angle = 2 * np.pi * np.arange(n) / n
    circle = 0.5 + 0.3 * np.column_stack([np.cos(angle), np.sin(angle)])
    return np.vstack([circle, [(0.5, 0.5)]]), np.append(np.zeros(n), 0.05)


def _long_work(kind):
    """Something that takes long, as a function of the number of threads."""
    if kind == "diagram":
        sites = rng(0).random((10**6, 2))
        return lambda threads: geomot.PowerDiagram(sites, threads=threads).masses
    if kind == "facets of a hub":
        sites, weights = _hub(2 * 10**5)
        return lambda threads: geomot.PowerDiagram(sites, weights, threads=threads)
    if kind == "solve":
        sites = rng(0).random((30000, 2))
        return lambda threads: geomot.solve(sites, threads=threads)
    if kind == "locate":
        points, diagram = rng(0).random((10**7, 2)), geomot.PowerDiagram(rng(1).random((1000, 2)))
        return lambda threads: diagram.locate(points)
    points = rng(0).random((10**6, 2))
    core = PlaneSites(points[: 10**5], SQ).diagram(np.zeros(10**5))
    if kind == "cells":
        return lambda threads: core.cells(threads=threads)
    return lambda threads: core.insert(points, points[:, 0] / 1e6, threads=threads)


@needs_timers
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    "kind", ["diagram", "facets of a hub", "cells", "solve", "locate", "insert"]
)
def test_an_interrupt_ends_it_within_a_quarter_of_a_second(kind, threads):
    work = _long_work(kind)
    before = geomot.PowerDiagram(SITES).masses.tobytes()
    late = []
    for after in (0.05, 0.6) if threads == 1 else (0.3,):
        with Interruption(after) as interruption:
            while time.process_time() < interruption.due + 15:
                work(threads)
        late.append(interruption.late / threads)
        assert geomot.PowerDiagram(SITES).masses.tobytes() == before
    assert max(late) <= 0.25, late
