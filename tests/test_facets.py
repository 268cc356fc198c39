"""Facets: neighbours, measures of their borders, distances of their sites."""

from __future__ import annotations

import numpy as np
import pytest

from geomot import PowerDiagram
from geomot._facets import Facets
from geomot.potentials import mass_rates_in_heights, mass_rates_in_weights


@pytest.mark.parametrize("exponent", [-1000, -600, 0, 600, 1000])
def test_distances_neither_overflow_nor_underflow(exponent):
    sites = np.ldexp([(0.0, 0.0), (3.0, 4.0), (3.0, 5.0)], exponent)
    pairs = np.array([(0, 1), (1, 2)])
    facets = Facets(pairs, np.ones(2), sites)
    assert facets.distances.tolist() == np.ldexp([5.0, 1.0], exponent).tolist()
    on_the_line = Facets(pairs, np.ones(2), sites[:, 1:])
    assert on_the_line.distances.tolist() == np.ldexp([4.0, 1.0], exponent).tolist()


def test_there_may_be_none():
    facets = Facets(np.zeros((0, 2), np.int64), np.zeros(0), np.zeros((1, 2)))
    assert len(facets) == 0 and facets.distances.shape == (0,)


def test_rates_of_masses_are_differences_of_masses():
    sites = np.random.default_rng(0).random((12, 2))
    d = PowerDiagram(sites)
    rates = mass_rates_in_weights(d.facets)
    np.testing.assert_array_equal(mass_rates_in_heights(d.facets), 2.0 * rates)
    step = 1e-6
    for (i, j), rate in zip(d.facets.sites, rates, strict=True):
        up, down = (PowerDiagram(sites, s * step * np.eye(12)[j]).masses[i] for s in (1.0, -1.0))
        assert (down - up) / (2.0 * step) == pytest.approx(rate, abs=1e-6)
