"""Integrals of normal densities over power cells, against quadrature in 50 digits and formulas."""

from __future__ import annotations

import math
import time

import mpmath
import numpy as np
import pytest
from density_oracles import GaussianOracle
from effort import some
from scipy.integrate import quad
from scipy.special import ndtr, ndtri

from geomot import Gaussian, PowerDiagram, UniformBox
from geomot._exact import inserting_sites

NORMAL = Gaussian([0.0, 0.0], 1.0)


def rotated(ratio, angle=0.7):
    """A covariance with the deviations `ratio` and 1 along turned axes."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    cov = turn @ np.diag([ratio**2, 1.0]) @ turn.T
    return 0.5 * (cov + cov.T)


def agree(sites, weights, source, *, rtol=1e-12, facets=1e-11):
    """Compare everything that float64 can hold with the oracle, relative to itself."""
    diagram = PowerDiagram(sites, weights, source)
    oracle = GaussianOracle(source.mean, source.covariance, angle=1.0)
    exact = oracle.measure(sites, np.zeros(len(sites)) if weights is None else weights)
    held = exact.masses > 1e-290
    np.testing.assert_allclose(diagram.masses[held], exact.masses[held], rtol=rtol)
    np.testing.assert_allclose(diagram.costs[held], exact.costs[held], rtol=10 * rtol)
    spread = np.sqrt(source.covariance.diagonal().max())
    np.testing.assert_allclose(
        diagram.centroids[held], exact.centroids[held], rtol=0.0, atol=1e-12 * spread
    )
    found = dict(
        zip(map(tuple, diagram.facets.sites.tolist()), diagram.facets.measures, strict=True)
    )
    for pair, measure in exact.facets.items():
        if measure > 1e-290:
            assert found[pair] == pytest.approx(measure, rel=facets)
    assert set(found) <= set(exact.facets)
    return diagram


@pytest.mark.parametrize("seed", some(range(3), quick=1))
def test_random_problems(seed):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(2, 2))
    source = Gaussian(rng.normal(size=2), a @ a.T)
    agree(source.sample(4, rng), 0.1 * rng.random(4), source)


def test_sites_far_away():
    """Masses down to 1e-198, each to its own relative accuracy."""
    rng = np.random.default_rng(0)
    agree(20.0 + 5.0 * rng.normal(size=(4, 2)), None, NORMAL)


@pytest.mark.parametrize("ratio", [30.0, 1e3])
def test_deviations_that_differ(ratio):
    rng = np.random.default_rng(1)
    source = Gaussian([0.0, 0.0], rotated(ratio))
    agree(source.sample(4, rng), None, source)


def test_tiny_cells():
    rng = np.random.default_rng(2)
    sites = np.vstack([[0.5, 0.5] + 1e-9 * rng.normal(size=(4, 2)), [(1.0, 2.0), (-1.0, 0.0)]])
    agree(sites, None, NORMAL)


def test_the_tiniest_cells_have_the_density_times_their_areas():
    rng = np.random.default_rng(2)
    sites = [0.5, 0.5] + 1e-13 * rng.normal(size=(12, 2))
    corners = [0.5 - 1e-9, 0.5 - 1e-9], [0.5 + 1e-9, 0.5 + 1e-9]
    small = PowerDiagram(sites, None, UniformBox(*corners))
    inner = small.masses * small.source.area < 1e-24
    assert inner.any()
    density = np.exp(-0.5 * (small.centroids**2).sum(axis=1)) / (2.0 * np.pi)
    exact = small.masses * small.source.area * density
    masses = PowerDiagram(sites, None, NORMAL).masses
    np.testing.assert_allclose(masses[inner], exact[inner], rtol=1e-12)


@pytest.mark.parametrize("gap", [1e-3, 1e-9])
def test_cells_as_thin_as_sites_are_close(gap):
    along = np.array([np.cos(0.7), np.sin(0.7)])
    chain = np.array([0.43, 0.2]) + gap * np.arange(4)[:, None] * along
    agree(np.vstack([chain, [(2.0, 1.0), (-1.0, 0.5)]]), None, NORMAL)


def test_half_planes_to_the_end_of_the_range():
    for border in (0.0, 1.0, 8.0, 20.0, 37.0):
        diagram = PowerDiagram([(0.0, 0.0), (2.0 * border + 1.0, 0.0)], (0.0, 2 * border + 1),
                               NORMAL)  # fmt: skip
        exact = float(mpmath.mp.ncdf(-border))
        density = math.exp(-0.5 * border**2) / math.sqrt(2.0 * math.pi)
        # the border is the middle, less half of the weight over the distance
        assert diagram.masses[1] == pytest.approx(exact, rel=1e-13)
        assert diagram.masses[0] == pytest.approx(1.0 - exact, rel=1e-14)
        assert diagram.facets.measures[0] == pytest.approx(density, rel=1e-13)
        mean = density / exact
        assert diagram.centroids[1, 0] == pytest.approx(mean, rel=1e-12)
        assert abs(diagram.centroids[1, 1]) < 1e-12


def test_strips_of_sites_on_a_line():
    """Four cells between parallel lines, along and across the coordinates."""
    b = ndtri([0.1, 0.3, 0.6])
    sites = np.array([-1.5, -0.5, 0.25, 1.25])
    weights = np.concatenate([[0.0], np.cumsum(np.diff(sites**2) - 2.0 * b * np.diff(sites))])
    for angle in (0.0, 0.5 * np.pi, 0.3):
        direction = np.array([np.cos(angle), np.sin(angle)])
        diagram = PowerDiagram(sites[:, None] * direction, weights, NORMAL)
        np.testing.assert_allclose(diagram.masses, [0.1, 0.2, 0.3, 0.4], rtol=1e-13)
        density = np.exp(-0.5 * b**2) / np.sqrt(2.0 * np.pi)
        np.testing.assert_allclose(diagram.facets.measures, density, rtol=1e-13)
        means = -np.diff(np.concatenate([[0.0], density, [0.0]])) / diagram.masses
        np.testing.assert_allclose(diagram.centroids @ direction, means, atol=1e-13)
        np.testing.assert_allclose(diagram.costs.sum(), 1.273529347841195, rtol=1e-14)


def test_thin_strips_keep_their_masses():
    width = 2.0**-40
    for centre in (0.0, 3.0, 20.0):
        sites = [(centre - 1.0, 0.0), (centre, 0.0), (centre + 1.0, 0.0)]
        diagram = PowerDiagram(sites, [0.0, width - 1.0, 0.0], NORMAL)
        exact = width * math.exp(-0.5 * centre**2) / math.sqrt(2.0 * math.pi)
        assert diagram.masses[1] == pytest.approx(exact, rel=1e-12 + width * centre)


def test_quadrants():
    a = math.sqrt(2.0 / math.pi)
    sites = [(a, a), (-a, a), (-a, -a), (a, -a)]
    diagram = PowerDiagram(sites, None, NORMAL)
    np.testing.assert_allclose(diagram.masses, 0.25, rtol=1e-14)
    np.testing.assert_allclose(diagram.centroids, sites, atol=1e-14)
    assert diagram.costs.sum() == pytest.approx(2.0 * (1.0 - 2.0 / math.pi), rel=1e-14)
    rho = 0.625
    source = Gaussian([0.0, 0.0], [[1.0, rho], [rho, 1.0]])
    even = 0.25 + math.asin(rho) / (2.0 * math.pi)
    masses = PowerDiagram(sites, None, source).masses
    np.testing.assert_allclose(masses, [even, 0.5 - even, even, 0.5 - even], rtol=1e-13)


def test_wedges():
    """Cells of sites on a circle about the mean, and one moved off it: quadrature by scipy."""
    angles = 2.0 * np.pi * np.arange(7) / 7
    sites = np.column_stack([np.cos(angles), np.sin(angles)])
    np.testing.assert_allclose(PowerDiagram(sites, None, NORMAL).masses, 1.0 / 7.0, rtol=1e-13)
    source = Gaussian([-2.0, 0.0], 1.0)
    half = np.pi / 7

    def across(x):
        width = x * np.tan(half)
        return np.exp(-0.5 * (x + 2.0) ** 2) / np.sqrt(2.0 * np.pi) * (ndtr(width) - ndtr(-width))

    wedge = quad(across, 0.0, 12.0, epsabs=0.0, epsrel=1e-13)[0]
    assert PowerDiagram(sites, None, source).masses[0] == pytest.approx(wedge, rel=1e-12)


def test_one_site():
    source = Gaussian([1.0, 2.0], [[2.0, 1.0], [1.0, 3.0]])
    diagram = PowerDiagram([(0.0, 0.0)], None, source)
    assert diagram.masses[0] == pytest.approx(1.0, rel=1e-15)
    np.testing.assert_allclose(diagram.centroids, [[1.0, 2.0]], rtol=1e-14)
    assert diagram.costs[0] == pytest.approx(2 + 3 + 1 + 4, rel=1e-14)
    assert len(diagram.facets) == 0


def test_coincident_sites_share_a_place():
    sites = np.array([(0.0, 0.0), (1.0, 0.5), (0.0, 0.0)])
    diagram = PowerDiagram(sites, [0.0, 0.1, 0.2], NORMAL)
    assert diagram.masses[0] == 0.0 and diagram.empty[0]
    assert diagram.masses.sum() == pytest.approx(1.0, rel=1e-15)


def test_what_float64_cannot_hold_is_nothing():
    diagram = PowerDiagram([(0.0, 0.0), (78.0, 0.0), (1000.0, 0.0)], None, NORMAL)
    assert diagram.masses[0] == pytest.approx(1.0, rel=1e-14)
    assert diagram.masses[1:].tolist() == [0.0, 0.0]
    assert diagram.empty.tolist() == [False, False, True]
    assert np.isnan(diagram.centroids[1:]).all()


def test_cells_end_forty_deviations_from_the_mean():
    source = Gaussian([1.0, -2.0], [4.0, 0.25])
    diagram = PowerDiagram([(0.0, 0.0), (1.0, 0.0)], None, source)
    assert source.domain.bounds.tolist() == [[-79.0, -22.0], [81.0, 18.0]]
    assert diagram.vertices.min(axis=0).tolist() == [-79.0, -22.0]
    assert diagram.vertices.max(axis=0).tolist() == [81.0, 18.0]


def test_far_sides_whose_line_passes_near_the_mean():
    # the density at the foot of the line, over that in the cell, is beyond float64
    diagram = PowerDiagram([(-0.4, -60.0), (0.4, -60.0), (0.0, -15.6)], None, NORMAL)
    top = -(60.0**2 + 0.4**2 - 15.6**2) / (2 * (60.0 - 15.6))
    assert diagram.facets.sites[0].tolist() == [0, 1]
    expected = ndtr(top) / np.sqrt(2 * np.pi)
    assert diagram.facets.measures[0] == pytest.approx(expected, rel=1e-9)


def test_a_deviation_below_the_spacing_of_numbers_is_refused():
    with pytest.raises(ValueError, match="cov must be large enough"):
        PowerDiagram([(1e9, 0.0)], None, Gaussian([1e9, 0.0], 1e-20))


@pytest.mark.parametrize("exponent", [-100, -40, 40, 100])
def test_units_change_no_bit(exponent):
    rng = np.random.default_rng(5)
    cov = np.array([[2.0, 0.7], [0.7, 1.0]])
    sites = rng.normal(size=(50, 2))
    plain = PowerDiagram(sites, None, Gaussian([0.5, -1.0], cov))
    size = 2.0**exponent
    other = Gaussian([0.5 * size, -size], size**2 * cov)
    scaled = PowerDiagram(size * sites, None, other)
    assert scaled.masses.tobytes() == plain.masses.tobytes()
    assert (scaled.centroids / size).tobytes() == plain.centroids.tobytes()


def test_affine_maps_change_no_mass():
    """Sites A^-T y with the same heights have the cells A C under the image of the source."""
    rng = np.random.default_rng(6)
    sites, heights = rng.normal(size=(200, 2)), 0.1 * rng.random(200)
    plain = PowerDiagram(sites, 2.0 * heights + (sites**2).sum(axis=1), NORMAL)
    for a in (
        rotated(3.0),
        np.array([[0.6, -0.8], [0.8, 0.6]]),
        np.array([[1.0, 5.0], [0.0, 1.0]]),
    ):
        moved = sites @ np.linalg.inv(a)
        source = Gaussian([0.0, 0.0], a @ a.T)
        other = PowerDiagram(moved, 2.0 * heights + (moved**2).sum(axis=1), source)
        held = plain.masses > 1e-200
        np.testing.assert_allclose(other.masses[held], plain.masses[held], rtol=1e-10)


def test_partition_of_many_cells():
    rng = np.random.default_rng(7)
    sites = rng.normal(size=(5000, 2))
    diagram = PowerDiagram(sites, None, NORMAL)
    assert diagram.masses.sum() == pytest.approx(1.0, rel=1e-14)
    np.testing.assert_allclose(diagram.masses @ diagram.centroids, 0.0, atol=1e-14)
    second = np.sum(diagram.costs) + np.sum(
        diagram.masses * (2.0 * (sites * diagram.centroids).sum(axis=1) - (sites**2).sum(axis=1))
    )
    assert second == pytest.approx(2.0, rel=1e-13)


def test_costs_no_more_than_a_few_uniform_diagrams():
    """2.1 to 2.6 of them at ten thousand sites, and 6 for strips across the plane."""
    rng = np.random.default_rng(10)
    for sites, most in (
        (rng.normal(size=(10_000, 2)), 4.0),
        (np.column_stack([rng.normal(size=2000), np.zeros(2000)]), 12.0),
    ):
        plain, normal = (
            min(cost_of_diagram(sites, source) for _ in range(3))
            for source in (UniformBox(*NORMAL.domain.bounds), NORMAL)
        )
        assert normal < most * plain


def cost_of_diagram(sites, source):
    made, weights = inserting_sites(sites, source), np.zeros(len(sites))
    began = time.process_time()
    _ = made.diagram(weights).facets
    return time.process_time() - began


def test_threads_change_no_bit():
    sites = np.random.default_rng(8).normal(size=(20_000, 2))
    one, two = (PowerDiagram(sites, None, NORMAL, threads=k) for k in (1, 2))
    assert one.masses.tobytes() == two.masses.tobytes()
    assert one.facets.measures.tobytes() == two.facets.measures.tobytes()


def test_hessian_is_the_derivative_of_the_masses():
    sites = np.random.default_rng(9).normal(size=(8, 2))
    hessian = 0.5 * PowerDiagram(sites, None, NORMAL).hessian().toarray()
    step = 1e-5
    for j in range(8):
        up, down = (PowerDiagram(sites, s * step * np.eye(8)[j], NORMAL).masses for s in (1, -1))
        np.testing.assert_allclose((up - down) / (2.0 * step), hessian[j], atol=1e-9)
