"""Integrals over convex pieces, against rational clipping piece by piece."""

from __future__ import annotations

import numpy as np
import pytest
from density_oracles import PiecewiseOracle

import geomot
from geomot import PowerDiagram, UniformPolygon

SQUARE = [(0, 0), (3, 0), (3, 3), (0, 3)]
# Regions on the integer lattice: rings, holes.
LATTICE = {
    "L": ([[(0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2)]], []),
    "ring": ([SQUARE], [[(1, 1), (2, 1), (2, 2), (1, 2)]]),
    "U": ([[(0, 0), (3, 0), (3, 3), (2, 3), (2, 1), (1, 1), (1, 3), (0, 3)]], []),
    "two squares and a triangle that touches one": (
        [
            [(0, 0), (1, 0), (1, 1), (0, 1)],
            [(2, 0), (3, 0), (3, 1), (2, 1)],
            [(0, 1), (1, 2), (0, 3)],
        ],
        [],
    ),
    "holes that touch in a corner": (
        [[(0, 0), (4, 0), (4, 4), (0, 4)]],
        [[(1, 0), (2, 1), (1, 2)], [(2, 2), (3, 2), (3, 3), (2, 3)]],
    ),
}


def star(rng, n, center=(0.0, 0.0), radius=1.0):
    angle = 2.0 * np.pi * (np.arange(n) + 0.9 * rng.random(n)) / n
    r = radius * (0.3 + 0.7 * rng.random(n))
    return np.column_stack([r * np.cos(angle), r * np.sin(angle)]) + center


def agree(sites, weights, region, *, facets=1e-7):
    """Compare everything with the oracle, masses and costs relative to themselves."""
    diagram = PowerDiagram(sites, weights, region)
    exact = PiecewiseOracle([(part, 1.0) for part in region.domain.parts]).measure(sites, weights)
    held = exact.masses > 0.0
    np.testing.assert_array_equal(diagram.empty, ~held)
    np.testing.assert_array_equal(diagram.masses > 0.0, held)
    np.testing.assert_allclose(diagram.masses[held], exact.masses[held], rtol=1e-12)
    np.testing.assert_allclose(diagram.costs[held], exact.costs[held], rtol=1e-11)
    np.testing.assert_allclose(diagram.centroids[held], exact.centroids[held], atol=1e-13)
    found = dict(
        zip(map(tuple, diagram.facets.sites.tolist()), diagram.facets.measures, strict=True)
    )
    # the oracle has facets of cells that lie beyond the border too
    both = {pair: m for pair, m in exact.facets.items() if held[list(pair)].all()}
    assert set(found) == set(both)
    for pair, measure in both.items():
        assert found[pair] == pytest.approx(measure, rel=facets)
    return diagram


@pytest.mark.parametrize("seed", range(12))
def test_stars_with_holes(seed):
    rng = np.random.default_rng(seed)
    holes = [0.2 * star(rng, 3 + seed % 4)] if seed % 2 else []
    region = UniformPolygon(star(rng, 5 + seed), holes)
    n = int(rng.integers(1, 30))
    agree(0.6 * rng.normal(size=(n, 2)), 0.05 * rng.random(n) * (seed % 3 == 0), region)


@pytest.mark.parametrize("name", LATTICE)
@pytest.mark.parametrize("seed", range(3))
def test_sites_on_the_lattice_of_the_region(name, seed):
    # borders of cells run along borders of parts, and through their corners
    rng = np.random.default_rng(seed)
    sites = np.unique(rng.integers(0, 9, (12, 2)) / 2.0, axis=0)
    weights = 0.25 * rng.integers(0, 3, len(sites)) * (seed % 2)
    agree(sites, weights, UniformPolygon(*LATTICE[name]))


@pytest.mark.parametrize("size", [1e-2, 1e-5, 1e-8, 1e-11])
@pytest.mark.parametrize("center", [(1.0, 1.0), (1.5, 1.0), (1.7, 0.3)])
def test_tiny_cells_at_a_corner_at_an_edge_and_inside(size, center):
    rng = np.random.default_rng(1)
    sites = center + size * rng.normal(size=(15, 2))
    agree(sites, np.zeros(15), UniformPolygon(*LATTICE["U"]), facets=1e-4)


@pytest.mark.parametrize("gap", [1e-3, 1e-7, 1e-12])
def test_thin_cells_across_a_notch(gap):
    rng = np.random.default_rng(2)
    chain = np.array([0.4, 1.3]) + gap * np.arange(6)[:, None] * np.array([0.1, 1.0])
    sites = np.vstack([chain, 3.0 * rng.random((4, 2))])
    agree(sites, np.zeros(10), UniformPolygon(*LATTICE["U"]), facets=1e-4)


def test_an_l_cut_along_the_borders_of_its_parts():
    region = UniformPolygon(*LATTICE["L"])
    diagram = PowerDiagram([(0.5, 0.5), (1.5, 0.5), (0.5, 1.5)], None, region)
    np.testing.assert_allclose(diagram.masses, 1 / 3, rtol=1e-15)
    assert diagram.costs.sum() == pytest.approx(1 / 6, rel=1e-15)
    assert diagram.facets.sites.tolist() == [[0, 1], [0, 2]]
    # d mass / d weight: the facet over twice the distance
    np.testing.assert_allclose(diagram.facets.measures / 2.0, 1 / 6, rtol=1e-15)


def test_a_ring_of_eight_squares():
    centres = [(x + 0.5, y + 0.5) for x in range(3) for y in range(3) if (x, y) != (1, 1)]
    diagram = PowerDiagram(centres, None, UniformPolygon(*LATTICE["ring"]))
    np.testing.assert_allclose(diagram.masses, 1 / 8, rtol=1e-15)
    assert diagram.costs.sum() == pytest.approx(1 / 6, rel=1e-15)
    assert len(diagram.facets) == 8


def test_two_squares_have_weights_between_them():
    squares = UniformPolygon([[(0, 0), (1, 0), (1, 1), (0, 1)], [(2, 0), (3, 0), (3, 1), (2, 1)]])
    sites = [(0.5, 0.5), (2.5, 0.5)]
    equal = geomot.solve(sites, None, squares)
    assert equal.converged and equal.cost == pytest.approx(1 / 6, rel=1e-12)
    assert len(equal.diagram().facets) == 0
    uneven = geomot.solve(sites, [0.3, 0.7], squares)
    assert uneven.cost == pytest.approx(0.72666666666666667, rel=1e-9)
    assert uneven.weights[0] - uneven.weights[1] == pytest.approx(-3.6, rel=1e-9)


@pytest.mark.parametrize("exponent", [-100, -30, 30, 100])
def test_units_change_no_bit(exponent):
    rings, holes = LATTICE["ring"]
    size = 2.0**exponent
    sites = 3.0 * np.random.default_rng(3).random((60, 2))
    plain = PowerDiagram(sites, None, UniformPolygon(rings, holes))
    scaled = PowerDiagram(
        size * sites,
        None,
        UniformPolygon([size * np.array(r) for r in rings], [size * np.array(h) for h in holes]),
    )
    assert scaled.masses.tobytes() == plain.masses.tobytes()
    assert (scaled.facets.measures * size).tobytes() == plain.facets.measures.tobytes()


def test_threads_change_no_bit():
    sites = 3.0 * np.random.default_rng(4).random((20_000, 2))
    region = UniformPolygon(*LATTICE["U"])
    one, two = (PowerDiagram(sites, None, region, threads=k) for k in (1, 2))
    assert one.masses.tobytes() == two.masses.tobytes()
    assert one.facets.measures.tobytes() == two.facets.measures.tobytes()
    assert one.vertices.tobytes() == two.vertices.tobytes()


def test_masses_follow_the_facets():
    rng = np.random.default_rng(5)
    region = UniformPolygon(star(rng, 11), [0.2 * star(rng, 5)])
    sites, weights, h = rng.normal(size=(12, 2)), np.zeros(12), 1e-6
    hessian = PowerDiagram(sites, weights, region).hessian().toarray()
    for j in range(12):
        step = h * (np.arange(12) == j)
        rates = (
            PowerDiagram(sites, step, region).masses - PowerDiagram(sites, -step, region).masses
        ) / (2.0 * h)
        np.testing.assert_allclose(rates, hessian[:, j] / 2.0, atol=1e-8)


@pytest.mark.parametrize("name", LATTICE)
def test_cells_tile_the_region(name):
    region = UniformPolygon(*LATTICE[name])
    sites = 4.0 * np.random.default_rng(6).random((40, 2))
    diagram = PowerDiagram(sites, None, region)
    cells, border = diagram.cells, 0.0
    assert not cells.convex and len(cells) == 40
    assert (diagram.vertices[cells.indices] == cells.vertices).all()
    assert len(np.unique(diagram.vertices, axis=0)) == len(diagram.vertices)
    lengths = {}
    for i in range(40):
        areas = [_area(polygon) for polygon in cells[i]]
        assert sum(areas) / region.area == pytest.approx(diagram.masses[i], abs=1e-15)
        for k in range(cells.parts[i], cells.parts[i + 1]):
            ring = cells.vertices[cells.offsets[k] : cells.offsets[k + 1]]
            sides = np.hypot(*(np.roll(ring, -1, axis=0) - ring).T)
            for label, side in zip(
                cells.labels[cells.offsets[k] : cells.offsets[k + 1]], sides, strict=True
            ):
                lengths[i, label] = lengths.get((i, label), 0.0) + side
    for (i, j), measure in zip(diagram.facets.sites, diagram.facets.measures, strict=True):
        assert lengths[i, j] / region.area == pytest.approx(measure, abs=1e-14)
    # every edge of the domain is covered once
    for e, (a, b) in enumerate(_edges(region)):
        border = sum(x for (_, label), x in lengths.items() if label == -1 - e)
        assert border == pytest.approx(np.hypot(*(b - a)), rel=1e-14)


def _area(ring):
    (x, y), (u, v) = ring.T, np.roll(ring, -1, axis=0).T
    return 0.5 * float(x @ v - y @ u)


def _edges(region):
    for ring in (*region.rings, *region.holes):
        yield from zip(ring, np.roll(ring, -1, axis=0), strict=True)


@pytest.mark.parametrize("name", LATTICE)
def test_solves_from_sites_anywhere(name):
    region = UniformPolygon(*LATTICE[name])
    rng = np.random.default_rng(7)
    for sites in (region.sample(150, 0), 4.0 * rng.random((150, 2)), 9.0 + rng.random((40, 2))):
        masses = rng.random(len(sites)) + 0.1
        solution = geomot.solve(sites, masses / masses.sum(), region)
        assert solution.converged and solution.mass_error <= 1e-9
        low, high = solution.bracket
        assert low <= solution.cost <= high and high - low <= 1e-7 * solution.cost
