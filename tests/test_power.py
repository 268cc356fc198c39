"""The compiled door: lengths, units, and domains and weights that it refuses."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import ExactDiagram

from geomot._power import PlaneSites

BOX = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])


def test_wrong_lengths_are_refused():
    plane = PlaneSites(np.random.default_rng(0).random((5, 2)), BOX)
    with pytest.raises(ValueError, match=r"weights must have shape \(5,\), got \(4,\)"):
        plane.diagram(np.zeros(4))
    with pytest.raises(ValueError, match=r"weights_low must have shape \(5,\), got \(6,\)"):
        plane.diagram(np.zeros(5), np.zeros(6))


def test_tiny_coordinates_are_zero():
    # without the flush, determinants of 1e-120 underflow and emptiness goes wrong
    sites = np.array([(0.0, 0.25), (0.0, 0.5), (0.25, 0.25), (0.75, 1e-120), (0.5, 2e-120)])
    plain = PlaneSites(np.where(sites < 1e-100, 0.0, sites), BOX).diagram(np.zeros(5))
    tiny = PlaneSites(sites, BOX).diagram(np.zeros(5))
    assert_array_equal(plain.masses, tiny.masses, strict=True)


def test_weights_beyond_the_range_of_exact_arithmetic_are_refused():
    plane = PlaneSites(2.0**-250 * np.random.default_rng(0).random((3, 2)), 2.0**-250 * BOX)
    with pytest.raises(ValueError, match="weights must not exceed"):
        plane.diagram(np.array([2.0**303, 0.0, 0.0]))
    assert plane.diagram(np.array([2.0**301, 0.0, 0.0])).masses.tolist() == [1.0, 0.0, 0.0]


def test_a_domain_with_an_edge_far_below_its_size():
    # beside the centre the edge at the origin rounds to one point: its normal was 0 / 0
    e = 2.0**-60
    domain = np.array([(0.0, 0.0), (e, -e / 4), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])
    sites = np.random.default_rng(0).random((30, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        diagram = PlaneSites(sites, domain).diagram(np.zeros(30))
        corners, offsets, indices, _ = diagram.cells()
    assert_allclose(diagram.masses, ExactDiagram(sites, None, domain).masses, rtol=1e-12)
    assert {tuple(p) for p in domain} <= {tuple(p) for p in corners[indices[: offsets[-1]]]}


def test_domain_lost_beside_its_sites_is_refused():
    with pytest.raises(ValueError, match="sites must not be"):
        PlaneSites(np.array([(1e40, 0.0)]), BOX)
