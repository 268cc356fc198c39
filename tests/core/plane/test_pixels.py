"""Integrals of pixels over power cells, against rational clipping pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from density_oracles import PiecewiseOracle, compare
from effort import some

import geomot
from geomot import GridDensity, PowerDiagram
from geomot.sources.base import KINDS


def agree(sites, weights, values, lower=(0.0, 0.0), upper=(1.0, 1.0), *, facets=1e-12):
    """The diagram of an image, after a comparison with the oracle."""
    diagram = PowerDiagram(sites, weights, GridDensity(values, lower, upper))
    oracle = PiecewiseOracle.grid(values, lower, upper)
    compare(diagram, oracle.measure(sites, weights), facets=facets)
    return diagram


@pytest.mark.parametrize("seed", some(range(20), quick=7))
def test_random_grids(seed):
    rng = np.random.default_rng(seed)
    values = rng.random(rng.integers(1, 9, 2)) * 10.0 ** (4.0 * rng.random())
    values[rng.random(values.shape) < 0.4 * (seed % 3 == 0)] = 0.0
    values[0, 0] += 1.0
    lower = rng.normal(size=2)
    upper = lower + 2.0 * rng.random(2) + 0.1
    n = int(rng.integers(1, 25))
    sites = lower + (upper - lower) * rng.random((n, 2))
    agree(sites, 0.02 * rng.random(n) * (seed % 2), values, lower, upper)


@pytest.mark.parametrize("gap", [1e-3, 1e-6, 1e-9, 1e-12])
def test_cells_as_thin_as_sites_are_close(gap):
    rng = np.random.default_rng(1)
    values = rng.random((7, 5)) * np.array([1.0, 100.0, 1.0, 1000.0, 1.0])
    along = np.array([np.cos(0.7), np.sin(0.7)])
    chain = np.array([0.43, 0.2]) + gap * np.arange(6)[:, None] * along
    # how long the pieces of a side in two pixels are depends on the last digit of its corners
    agree(np.vstack([chain, rng.random((4, 2))]), np.zeros(10), values, facets=1e-7)


@pytest.mark.parametrize("size", [1e-3, 1e-6, 1e-10, 1e-13])
def test_tiny_cells_where_lines_of_the_grid_cross(size):
    rng = np.random.default_rng(2)
    values = rng.random((7, 5)) * np.array([1.0, 100.0, 1.0, 1000.0, 1.0])
    sites = np.array([3 / 7, 0.4]) + size * rng.normal(size=(12, 2))
    agree(sites, -1e-3 * size * rng.random(12), values, facets=1e-4)


def test_facets_along_lines_of_the_grid_have_the_mean_of_both_sides():
    values = np.random.default_rng(3).random((8, 4))
    values[2, 1] = 0.0
    middles = (np.arange(4) + 0.5) / 4
    sites = np.stack(np.meshgrid(middles, middles), -1).reshape(-1, 2)
    agree(sites, np.zeros(16), values)


def test_columns_of_an_image():
    values = np.array([[1.0], [2.0], [3.0], [4.0]])
    diagram = agree([(0.125 + 0.25 * k, 0.5) for k in range(4)], np.zeros(4), values)
    np.testing.assert_allclose(diagram.masses, [0.1, 0.2, 0.3, 0.4], rtol=1e-15)
    np.testing.assert_allclose(diagram.facets.measures / 0.5, [1.2, 2.0, 2.8], rtol=1e-14)


def test_a_facet_through_dark_pixels_alone_is_none():
    diagram = agree([(0.25, 0.25), (0.75, 0.75)], np.zeros(2), np.eye(2))
    assert diagram.masses.tolist() == [0.5, 0.5] and len(diagram.facets) == 0
    four = PowerDiagram(
        [(0.25, 0.25), (0.25, 0.75), (0.75, 0.25), (0.75, 0.75)], None, GridDensity(np.eye(2))
    )
    assert four.masses.tolist() == [0.5, 0.0, 0.0, 0.5]
    assert not four.empty.any()  # they have an inside, and no mass


def test_a_constant_image_is_the_uniform_measure():
    rng = np.random.default_rng(4)
    sites, weights = rng.random((300, 2)), 1e-3 * rng.random(300)
    one = PowerDiagram(sites, weights, GridDensity(np.full((7, 11), 3.0)))
    other = PowerDiagram(sites, weights)
    np.testing.assert_allclose(one.masses, other.masses, rtol=1e-12)
    np.testing.assert_allclose(one.costs, other.costs, rtol=1e-11)
    np.testing.assert_allclose(one.facets.measures, other.facets.measures, rtol=1e-12)
    assert one.vertices.tobytes() == other.vertices.tobytes()


@pytest.mark.parametrize("exponent", [-100, -40, 40, 100])
def test_units_change_no_bit(exponent):
    rng = np.random.default_rng(5)
    sites, values = rng.random((50, 2)), rng.random((9, 6))
    plain = PowerDiagram(sites, None, GridDensity(values))
    size = 2.0**exponent
    scaled = PowerDiagram(size * sites, None, GridDensity(values, [0.0, 0.0], [size, size]))
    assert scaled.masses.tobytes() == plain.masses.tobytes()
    assert (scaled.centroids / size).tobytes() == plain.centroids.tobytes()


def test_threads_change_no_bit():
    rng = np.random.default_rng(6)
    source = GridDensity(rng.random((200, 300)))
    sites = rng.random((20_000, 2))
    one, two = (PowerDiagram(sites, None, source, threads=k) for k in (1, 2))
    assert one.masses.tobytes() == two.masses.tobytes()
    assert one.facets.measures.tobytes() == two.facets.measures.tobytes()


def test_hessian_is_the_derivative_of_the_masses():
    rng = np.random.default_rng(7)
    source = GridDensity(rng.random((5, 4)) + 0.1)
    sites = rng.random((8, 2))
    hessian = 0.5 * PowerDiagram(sites, None, source).hessian().toarray()
    step = 1e-6
    for j in range(8):
        up, down = (PowerDiagram(sites, s * step * np.eye(8)[j], source).masses for s in (1, -1))
        np.testing.assert_allclose((up - down) / (2.0 * step), hessian[j], atol=1e-6)


# One of every kind that is exact in the plane.
EXACT = [
    geomot.Gaussian([0.3, 0.1], [[1.0, 0.2], [0.2, 0.5]]),
    geomot.MeshDensity([(0, 0), (2, 0), (0, 1), (2, 2)], [(0, 1, 2), (1, 3, 2)], [0, 1, 2, 5]),
    geomot.Mixture([geomot.Gaussian([0.0, 0.0], 1.0), geomot.UniformBox.unit(2)]),
    geomot.UniformBall([0.5, 0.0], 2.0),
    geomot.UniformBox.unit(2),
    geomot.UniformEllipsoid([1.0, 0.0], [[4.0, 1.0], [1.0, 0.5]]),
    geomot.UniformPolygon.regular(5),
    GridDensity([[1.0, 5.0, 0.0], [2.0, 2.0, 9.0]]),
]


def test_every_kind_in_the_plane_has_an_example():
    assert {type(source) for source in EXACT} == {k for k in KINDS.values() if 2 in k.exact_dims}


@pytest.mark.parametrize("kind", EXACT, ids=repr)
def test_samples_of_a_source_fall_into_cells_with_their_masses(kind):
    sites = kind.sample(20, 1)
    diagram = PowerDiagram(sites, None, kind)
    shares = np.bincount(diagram.locate(kind.sample(200_000, 2)), minlength=20) / 200_000
    spread = np.sqrt(diagram.masses / 200_000)
    assert (np.abs(shares - diagram.masses) <= 5.0 * spread + 1e-12).all()


@pytest.mark.parametrize("seed", range(5))
def test_sides_as_short_as_rounding_on_lines_of_the_grid(seed):
    # they may lead to a row or a column beyond those of the cell, whose sums there are none
    rng = np.random.default_rng(seed)
    sites = np.unique(np.round(rng.random((115, 2)) * 12) / 12, axis=0)
    values = rng.random((25, 10))
    for size in 2.0 ** -np.arange(47, 60):
        weights = size * rng.integers(-3, 4, len(sites))
        diagram = geomot.PowerDiagram(sites, weights, GridDensity(values))
        uniform = geomot.PowerDiagram(sites, weights)
        whole = geomot.PowerDiagram(sites, weights, GridDensity(np.ones((25, 10))))
        assert diagram.masses.sum() == pytest.approx(1.0, rel=1e-13)
        np.testing.assert_allclose(whole.masses, uniform.masses, rtol=1e-12, atol=1e-16)
