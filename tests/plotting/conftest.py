"""Solutions to draw; figures are closed after every test."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

import geomot
from geomot import datasets

mpl.use("Agg")


@pytest.fixture(autouse=True)
def close_figures():
    before = dict(mpl.rcParams)
    yield
    plt.close("all")
    assert dict(mpl.rcParams) == before


@pytest.fixture(scope="module")
def solution():
    disk = geomot.UniformPolygon.regular(32, center=(0.5, 0.5), radius=0.6)
    return geomot.solve(datasets.moons(60), source=disk, tol=1e-6)


@pytest.fixture(scope="module")
def diagram():
    rng = np.random.default_rng(0)
    return geomot.PowerDiagram(rng.random((80, 2)), 0.02 * rng.random(80))


@pytest.fixture(scope="module")
def sampled():
    """A map in five dimensions, of equal masses."""
    points = np.random.default_rng(0).standard_normal((150, 5)) * [5, 4, 1, 1, 1]
    source = geomot.Gaussian(np.zeros(5), 1.0)
    return geomot.solve(points, source=source, tol=0.05, random_state=0)
