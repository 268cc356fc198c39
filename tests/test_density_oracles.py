"""The density oracles against closed forms, their definitions, and exact finite differences."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from itertools import pairwise
from math import acos, asin, erf, exp, pi, sqrt

import numpy as np
import pytest
from density_oracles import (
    MP,
    BallOracle,
    Diagram,
    GaussianOracle,
    MixtureOracle,
    PartialOracle,
    PiecewiseOracle,
    TorusOracle,
    mp,
)

UNIT_SQUARE = [(0, 0), (1, 0), (1, 1), (0, 1)]
QUADRANTS = [(1, 1), (-1, 1), (-1, -1), (1, -1)]
TIGHT = {"rtol": 1e-15, "atol": 1e-15}

RNG = np.random.default_rng(20261)
SITES = RNG.random((9, 2))
WEIGHTS = 0.03 * RNG.standard_normal(9)
IMAGE = RNG.integers(0, 3, (4, 3))
# A square with vertex values, cut into triangles around an inner vertex.
MESH = (
    [*UNIT_SQUARE, (0.375, 0.5)],
    [(0, 1, 4), (1, 2, 4), (2, 3, 4), (3, 0, 4)],
    [1, 0, 2, 0.5, 3],
)
RING = [
    [(0, 0), (1, 0), (0.75, 0.25), (0.25, 0.25)],
    [(1, 0), (1, 1), (0.75, 0.75), (0.75, 0.25)],
    [(1, 1), (0, 1), (0.25, 0.75), (0.75, 0.75)],
    [(0, 1), (0, 0), (0.25, 0.25), (0.25, 0.75)],
]


def normal(t):
    return (1 + erf(t / sqrt(2))) / 2


def relative_error(value, reference):
    return abs(mp(value) / mp(reference) - 1)


# What every source has in common


def inside_disk(x, y):
    return ((x - 0.5) ** 2 + (y - 0.5) ** 2 <= 0.25) / (pi / 4)


def gaussian_density(x, y):
    u, v = x - 0.5, y - 0.4
    a, b, d = 0.005, 0.0025, 0.0075
    det = a * d - b * b
    return np.exp(-(d * u * u - 2 * b * u * v + a * v * v) / (2 * det)) / (2 * pi * sqrt(det))


GAUSSIAN = GaussianOracle((0.5, 0.4), [[0.005, 0.0025], [0.0025, 0.0075]])
SOURCES = {
    # oracle, density on the unit square, whether differences of masses are exact
    "square": (PiecewiseOracle.union([UNIT_SQUARE]), lambda x, y: 1 + 0 * x, True),
    "ramp": (PiecewiseOracle([(UNIT_SQUARE, (0, 1, 0))]), lambda x, y: 2 * x, False),
    "image": (
        PiecewiseOracle.grid(IMAGE, (0, 0), (1, 1)),
        lambda x, y: IMAGE[(4 * x).astype(int), (3 * y).astype(int)] / IMAGE.mean(),
        True,
    ),
    "ring": (
        PiecewiseOracle.union(RING),
        lambda x, y: (np.maximum(abs(x - 0.5), abs(y - 0.5)) > 0.25) / 0.75,
        True,
    ),
    "gaussian": (GAUSSIAN, gaussian_density, False),
    "ball": (BallOracle((0.5, 0.5), 0.5), inside_disk, False),
    "torus": (TorusOracle((0, 0), (1, 1)), lambda x, y: 1 + 0 * x, True),
    "cylinder": (TorusOracle((0, 0), (1, 1), (False, True)), lambda x, y: 1 + 0 * x, True),
    "mixture": (
        MixtureOracle([PiecewiseOracle.union([UNIT_SQUARE]), BallOracle((0.5, 0.5), 0.5)], [1, 3]),
        lambda x, y: 0.25 + 0.75 * inside_disk(x, y),
        False,
    ),
    "partial": (PartialOracle(UNIT_SQUARE), lambda x, y: 1 + 0 * x, False),
}


@cache
def measured(name):
    """Sites, weights and measures of a source; few sites where the oracle is slow."""
    n = {"gaussian": 3, "torus": 6, "cylinder": 6}.get(name, 9)
    weights = WEIGHTS[:n] + 0.04 * (name == "partial")
    return SITES[:n], weights, SOURCES[name][0].measure(SITES[:n], weights)


@pytest.fixture(params=SOURCES)
def case(request):
    return request.param, *SOURCES[request.param], *measured(request.param)


def test_sums_match_a_grid_of_points(case):
    name, oracle, density, _, sites, weights, measures = case
    n = 320
    x, y = ((np.indices((n, n)) + 0.5) / n).reshape(2, -1)
    gaps = np.stack([x, y], axis=1) - sites[:, None]
    if isinstance(oracle, TorusOracle):
        gaps -= np.round(gaps) * np.array(oracle.periodic)
    squares = (gaps**2).sum(axis=2)
    power = squares - weights[:, None]
    cell = power.argmin(axis=0)
    value = density(x, y) / n**2
    if name == "partial":
        value = value * (power.min(axis=0) <= 0)
    points = np.arange(n * n)
    k = len(sites)
    masses = np.bincount(cell, value, k)
    costs = np.bincount(cell, value * squares[cell, points], k)
    moments = np.stack([np.bincount(cell, value * gaps[cell, points, a], k) for a in (0, 1)], 1)
    np.testing.assert_allclose(measures.masses, masses, atol=2e-3)
    np.testing.assert_allclose(measures.costs, costs, atol=1e-3)
    exact_moments = np.array([[float(u), float(v)] for u, v in measures.exact_moments])
    np.testing.assert_allclose(exact_moments, moments, atol=1e-3)
    alive = measures.masses > 0
    centroids = sites[alive] + exact_moments[alive] / measures.masses[alive, None]
    np.testing.assert_allclose(measures.centroids[alive], centroids, rtol=1e-14)
    assert np.isnan(measures.centroids[~alive]).all()


def test_masses_sum_to_one(case):
    name, *_, measures = case
    total = sum(measures.exact_masses)
    if name == "partial":
        assert 0.1 < total < 1
    elif isinstance(total, Fraction):
        assert total == 1
    else:
        assert abs(total - 1) < (1e-25 if name == "gaussian" else 1e-45)


def test_facets_are_derivatives_of_masses(case):
    """Where the density is constant on pieces, masses are quadratic: differences are exact.

    Elsewhere the error is the third derivative times the square of the step.
    """
    name, oracle, _, quadratic, sites, weights, measures = case
    step = Fraction(1, 2**30)
    jacobian = measures.exact_jacobian()
    weights = [Fraction(float(w)) for w in weights]
    for j in [0] if name == "gaussian" else [0, 3]:
        up, down = list(weights), list(weights)
        up[j] += step
        down[j] -= step
        above = oracle.measure(sites, up).exact_masses
        below = oracle.measure(sites, down).exact_masses
        for i in range(len(sites)):
            if quadratic:
                assert (above[i] - below[i]) / (2 * step) == jacobian[i][j]
            else:
                difference = mp(above[i] - below[i]) / mp(2 * step)
                assert abs(difference - mp(jacobian[i][j])) < 1e-14


def test_facets_and_ratios_agree(case):
    _, oracle, *_, sites, _, measures = case
    assert list(measures.exact_facets) == list(measures.exact_ratios)
    assert len(measures.facets) >= 2
    facets = {(i, j, (0, 0)): facet for (i, j), facet in measures.facets.items()}
    if isinstance(oracle, TorusOracle):
        facets = {key: f for key, f in measures.by_shift.items() if key[0] < key[1]}
    facet_sums, ratio_sums = dict.fromkeys(measures.facets, 0), dict.fromkeys(measures.facets, 0)
    for (i, j, shift), facet in facets.items():
        facet_sums[i, j] += facet
        ratio_sums[i, j] += facet / np.linalg.norm(sites[i] - sites[j] - shift)
    assert facet_sums == pytest.approx(measures.facets, rel=1e-14)
    ratios = {pair: float(r) for pair, r in measures.exact_ratios.items()}
    assert ratio_sums == pytest.approx(ratios, rel=1e-14)


@pytest.mark.parametrize("name", ["square", "ramp", "image", "ball", "torus", "mixture"])
def test_a_constant_added_to_weights_changes_nothing(name):
    sites, weights, measures = measured(name)
    moved = [Fraction(float(w)) + 7 for w in weights]
    assert SOURCES[name][0].measure(sites, moved) == measures


# Diagrams


def test_a_cell_of_width_zero_has_no_facet():
    diagram = Diagram([(-1, 0), (0, 0), (1, 0)], [0, -1, 0])
    assert [(i, j) for i, j, _ in diagram.facets()] == [(0, 2)]


def test_facets_of_a_lattice_have_no_diagonals():
    diagram = Diagram(QUADRANTS, [0, 0, 0, 0])
    assert [(i, j) for i, j, _ in diagram.facets()] == [(0, 1), (0, 3), (1, 2), (2, 3)]


def test_coincident_sites():
    square = PiecewiseOracle.union([UNIT_SQUARE])
    measures = square.measure([(0.5, 0.5), (0.5, 0.5)], [0, 1])
    assert measures.exact_masses == [0, 1]
    assert measures.facets == {}
    with pytest.raises(ValueError, match="same place and weight"):
        square.measure([(0.5, 0.5), (0.5, 0.5)], [1, 1])


# Piecewise densities


def test_one_site_in_the_unit_square():
    measures = PiecewiseOracle.union([UNIT_SQUARE]).measure([(0.5, 0.25)], [3])
    assert measures.exact_masses == [1]
    assert measures.exact_costs == [Fraction(1, 6) + Fraction(1, 16)]
    np.testing.assert_array_equal(measures.centroids, [[0.5, 0.5]])
    assert measures.facets == {}
    assert measures.components() == [[0]]
    assert measures.massless == []


def test_a_ramp_and_a_line():
    """Density 2x; the line is x = 1/2."""
    ramp = PiecewiseOracle.mesh(UNIT_SQUARE, [(0, 1, 2), (0, 2, 3)], [0, 1, 1, 0])
    measures = ramp.measure([(0.25, 0.5), (0.75, 0.5)], [0, 0])
    assert measures.exact_masses == [Fraction(1, 4), Fraction(3, 4)]
    assert measures.exact_costs[0] == Fraction(5, 192)
    np.testing.assert_allclose(measures.centroids, [[1 / 3, 0.5], [7 / 9, 0.5]], **TIGHT)
    assert measures.facets == {(0, 1): 1}
    assert measures.exact_ratios == {(0, 1): 2}
    np.testing.assert_array_equal(measures.jacobian(), [[1, -1], [-1, 1]])


def test_two_triangulations_of_one_density():
    plane = PiecewiseOracle([(UNIT_SQUARE, (1, 2, -0.5))])
    values = [1, 3, 2.5, 0.5]
    for triangles in ([(0, 1, 2), (0, 2, 3)], [(1, 2, 3), (3, 1, 0)]):
        mesh = PiecewiseOracle.mesh(UNIT_SQUARE, triangles, values)
        assert mesh.measure(SITES, WEIGHTS) == plane.measure(SITES, WEIGHTS)


def test_a_mesh_is_the_limit_of_images():
    mesh = PiecewiseOracle.mesh(*MESH).measure(SITES[:4], WEIGHTS[:4])
    vertices, triangles, values = MESH
    n = 8
    centres = (np.indices((n, n)) + 0.5).reshape(2, -1).T / n
    image = np.zeros(n * n)
    for triangle in triangles:
        corners = np.vstack([np.array([vertices[k] for k in triangle]).T, np.ones(3)])
        barycentric = np.linalg.solve(corners, np.vstack([centres.T, np.ones(n * n)]))
        inside = (barycentric > 1e-9).all(axis=0)
        image[inside] = (np.array([values[k] for k in triangle]) @ barycentric)[inside]
    fine = PiecewiseOracle.grid(image.reshape(n, n), (0, 0), (1, 1))
    pixels = fine.measure(SITES[:4], WEIGHTS[:4])
    np.testing.assert_allclose(mesh.masses, pixels.masses, atol=2e-2)
    np.testing.assert_allclose(mesh.costs, pixels.costs, atol=2e-2)
    assert mesh.facets == pytest.approx(pixels.facets, abs=0.1)


def test_pixels_of_one_value_are_a_rectangle():
    rectangle = PiecewiseOracle.union([[(0, 0), (2, 0), (2, 1), (0, 1)]])
    pixels = PiecewiseOracle.grid(np.full((4, 3), 7), (0, 0), (2, 1))
    assert pixels.measure(SITES, WEIGHTS) == rectangle.measure(SITES, WEIGHTS)


def test_grid_indices():
    measures = PiecewiseOracle.grid([[1, 2, 3], [4, 5, 6]]).measure(
        [(i + 0.5, j + 0.5) for i in range(2) for j in range(3)], np.zeros(6)
    )
    assert measures.exact_masses == [Fraction(k, 21) for k in range(1, 7)]


@pytest.mark.parametrize("left, right", [(1, 3), (0, 2), (2, 0)])
def test_a_facet_along_a_jump_is_the_mean_of_both_sides(left, right):
    oracle = PiecewiseOracle.grid([[left], [right]])
    sites = [(0.5, 0.5), (1.5, 0.5)]
    measures = oracle.measure(sites, [0, 0])
    assert measures.exact_ratios == {(0, 1): Fraction(1, 2)}
    step = Fraction(1, 8)
    above, below = (oracle.measure(sites, [0, s]).exact_masses for s in (step, -step))
    assert (above[0] - below[0]) / (2 * step) == measures.exact_jacobian()[0][1]


def test_a_facet_along_the_border_of_the_domain_is_halved():
    measures = PiecewiseOracle.union([UNIT_SQUARE]).measure([(0.5, 0.5), (-0.5, 0.5)], [0, 0])
    assert measures.exact_masses == [1, 0]
    assert measures.reached == [True, False]
    assert measures.facets == {(0, 1): 0.5}
    assert measures.massless == []
    assert measures.components() == [[0]]


def test_massless_cells_and_components():
    sites = [(0.5, 0.5), (1.5, 0.5), (2.5, 0.5), (2.5, 0.75), (1.5, 9)]
    measures = PiecewiseOracle.grid([[1], [0], [1]]).measure(sites, np.zeros(5))
    assert measures.massless == [1]
    assert measures.components() == [[0], [2, 3]]
    # The facets of the massless cell lie along jumps of the density.
    assert measures.facets == {(0, 1): 0.25, (1, 2): 0.15625, (2, 3): 0.5}


def test_islands():
    far = [(x + 5, y) for x, y in UNIT_SQUARE]
    sites = [(0.5, 0.25), (0.5, 0.75), (5.5, 0.25), (5.5, 0.75)]
    measures = PiecewiseOracle.union([UNIT_SQUARE, far]).measure(sites, np.zeros(4))
    assert measures.exact_masses == [Fraction(1, 4)] * 4
    assert measures.facets == {(0, 1): 0.5, (2, 3): 0.5}
    assert measures.components() == [[0, 1], [2, 3]]


def test_a_hole():
    """A cell within a hole is outside of the domain; in a piece of density 0 it is massless."""
    # The line is x = 2/3, which crosses the hole.
    sites = [(0.5, 0.5), (2, 0.5)]
    measures = PiecewiseOracle.union(RING).measure(sites, [-0.875, 0.875])
    assert measures.exact_masses == [Fraction(11, 18), Fraction(7, 18)]
    assert measures.facets == pytest.approx({(0, 1): 2 / 3}, rel=1e-15)
    sites, weights = [(0.5, 0.5), *np.add(np.multiply(QUADRANTS, 0.5), 0.5)], [-0.45, 0, 0, 0, 0]
    assert PiecewiseOracle.union(RING).measure(sites, weights).massless == []
    hole = [(0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)]
    filled = PiecewiseOracle([(p, 1) for p in RING] + [(hole, 0)])
    assert filled.measure(sites, weights).massless == [0]


def test_invalid_pieces():
    with pytest.raises(ValueError, match="convex"):
        PiecewiseOracle.union([[(0, 0), (2, 0), (0.5, 0.5), (0, 2)]])
    with pytest.raises(ValueError, match="convex"):
        PiecewiseOracle.union([[(0, 0), (1, 1), (2, 2)]])
    pentagram = [(np.cos(4 * pi * k / 5), np.sin(4 * pi * k / 5)) for k in range(5)]
    with pytest.raises(ValueError, match="convex"):
        PiecewiseOracle.union([pentagram])
    with pytest.raises(ValueError, match="negative"):
        PiecewiseOracle([(UNIT_SQUARE, (0.5, -1, 0))])
    with pytest.raises(ValueError, match="0 everywhere"):
        PiecewiseOracle.grid([[0, 0]])


# The normal distribution


def test_gaussian_half_planes():
    """The line is x = 1/2, in a distribution of deviation 2 around x = 1."""
    oracle = GaussianOracle((1, -3), [[4, 0], [0, 1]])
    measures = oracle.measure([(0, -3), (1, -3)], [0, 0])
    np.testing.assert_allclose(measures.masses, [normal(-0.25), normal(0.25)], **TIGHT)
    density = exp(-(0.25**2) / 2) / sqrt(2 * pi) / 2
    assert measures.facets == pytest.approx({(0, 1): density}, rel=1e-15)
    # The integral of (x - 1) phi over the left half-plane is -4 phi.
    left = 1 - 4 * density / normal(-0.25)
    np.testing.assert_allclose(measures.centroids[0], [left, -3], rtol=1e-14)
    # With z = (x - 1) / 2, integral of (2 z)^2 over z > -1/4 and of (y + 3)^2.
    moment2 = 4 * (normal(0.25) - 0.25 * exp(-(0.25**2) / 2) / sqrt(2 * pi))
    np.testing.assert_allclose(measures.costs[1], moment2 + normal(0.25), rtol=1e-14)


def test_gaussian_one_site():
    measures = GaussianOracle((1, 2), [[2, 1], [1, 3]], angle=0.3).measure([(0, 0)], [5])
    np.testing.assert_allclose(measures.masses, [1], **TIGHT)
    np.testing.assert_allclose(measures.centroids, [[1, 2]], **TIGHT)
    np.testing.assert_allclose(measures.costs, [2 + 3 + 1 + 4], **TIGHT)


def test_gaussian_quadrants():
    rho = 0.625
    measures = GaussianOracle((0, 0), [[1, rho], [rho, 1]]).measure(QUADRANTS, np.zeros(4))
    even = 0.25 + asin(rho) / (2 * pi)
    np.testing.assert_allclose(measures.masses, [even, 0.5 - even, even, 0.5 - even], rtol=1e-15)
    # The density on an axis, over half of it.
    facet = 1 / (2 * sqrt(2 * pi))
    borders = [(0, 1), (0, 3), (1, 2), (2, 3)]
    assert measures.facets == pytest.approx(dict.fromkeys(borders, facet), rel=1e-15)


def test_gaussian_does_not_depend_on_the_direction_of_lines():
    sites, weights, one = measured("gaussian")
    other = GaussianOracle(GAUSSIAN.mean, GAUSSIAN.covariance, angle=1).measure(sites, weights)
    for i in range(len(sites)):
        assert relative_error(one.exact_masses[i], other.exact_masses[i]) < 1e-24
        assert relative_error(one.exact_costs[i], other.exact_costs[i]) < 1e-24
        for u, v in zip(one.exact_moments[i], other.exact_moments[i], strict=True):
            assert relative_error(u, v) < 1e-24


def test_gaussian_far_tail():
    """A half-plane 40 deviations away, of mass 3.7e-350."""
    measures = GaussianOracle((0, 0), [[1, 0], [0, 1]], angle=0.7).measure(
        [(-1, 0), (81, 0)], [0, 0]
    )
    tail = MP.erfc(40 / MP.sqrt(2)) / 2
    density = MP.exp(-800) / MP.sqrt(2 * MP.pi)
    assert relative_error(measures.exact_masses[1], tail) < 1e-25
    assert relative_error(measures.exact_moments[1][0], density - 81 * tail) < 1e-25
    cost = (40 * density + tail) - 2 * 81 * density + 81**2 * tail + tail
    assert relative_error(measures.exact_costs[1], cost) < 1e-25
    assert relative_error(measures.exact_facets[0, 1], density) < 1e-40


def test_gaussian_without_common_scales():
    """The whitened sites are 1e8 times farther apart along one axis; a mass is 1e-522207288."""
    sites, weights = [(1e-3, 0), (1e3, 1), (-50, 3)], [0, 1e-8, -3]
    one, other = (
        GaussianOracle((1, 2), [[1e-4, 0], [0, 1e4]], angle).measure(sites, weights)
        for angle in (0, 0.6)
    )
    for i in range(3):
        assert relative_error(one.exact_masses[i], other.exact_masses[i]) < 1e-24
        assert relative_error(one.exact_costs[i], other.exact_costs[i]) < 1e-24
    assert sum(one.exact_masses) == pytest.approx(1, abs=1e-30)


def test_gaussian_thin_strip():
    """The cell between two parallel lines at a distance of 2^-40."""
    width = Fraction(1, 2**40)
    sites = [(0, 0), (1, 0), (2, 0)]
    # The lines are x = (1 - w) / 2 and x = (3 + w) / 2.
    measures = GaussianOracle((0, 0), [[1, 0], [0, 1]], angle=0.25).measure(
        sites, [0, width - 1, 0]
    )
    a, b = (MP.mpf(1) + s * mp(width) / 2 for s in (-1, 1))
    strip = (MP.erfc(a / MP.sqrt(2)) - MP.erfc(b / MP.sqrt(2))) / 2
    assert relative_error(measures.exact_masses[1], strip) < 1e-18
    # About x = 1 the strip has second moment width^2 / 12, except for terms of order width^3.
    assert relative_error(measures.exact_costs[1], strip * (1 + mp(width) ** 2 / 12)) < 1e-24
    assert sorted(measures.facets) == [(0, 1), (1, 2)]


def test_gaussian_invalid():
    with pytest.raises(ValueError, match="positive definite"):
        GaussianOracle((0, 0), [[1, 1], [1, 1]])


# Disks


def test_quarter_disks():
    measures = BallOracle((0, 0), 1).measure(QUADRANTS, np.zeros(4))
    np.testing.assert_allclose(measures.masses, [0.25] * 4, **TIGHT)
    centroid = 4 / (3 * pi)
    np.testing.assert_allclose(measures.centroids, np.multiply(QUADRANTS, centroid), **TIGHT)
    np.testing.assert_allclose(measures.costs, [(0.5 + 2 - 4 * centroid) / 4] * 4, **TIGHT)
    borders = [(0, 1), (0, 3), (1, 2), (2, 3)]
    assert measures.facets == pytest.approx(dict.fromkeys(borders, 1 / pi), rel=1e-15)


def test_circular_segment():
    """The line is x = 3 + 1/4 in a disk of radius 2 around x = 3."""
    measures = BallOracle((3, -1), 2).measure([(2.75, 5), (3.75, 5)], [0, 0])
    h = 0.125
    segment = (acos(h) - h * sqrt(1 - h * h)) / pi
    np.testing.assert_allclose(measures.masses, [1 - segment, segment], **TIGHT)
    assert measures.facets == pytest.approx({(0, 1): 4 * sqrt(1 - h * h) / (4 * pi)}, rel=1e-15)
    centroid = 2 * 2 * (1 - h * h) ** 1.5 / (3 * pi * segment)
    np.testing.assert_allclose(measures.centroids[1], [3 + centroid, -1], rtol=1e-14)


def test_disk_within_one_cell_and_tangent_to_a_line():
    measures = BallOracle((0, 0), 1).measure([(0, 0), (2, 0)], [0, 0])
    assert float(measures.exact_masses[0]) == 1
    assert measures.exact_masses[1] == 0
    assert measures.facets == {}
    assert float(measures.exact_costs[0]) == 0.5


def test_strips_of_a_disk():
    """Many parallel lines: differences of circular segments."""
    sites = [(k / 4, 0) for k in range(-4, 5)]
    measures = BallOracle((0, 0), 1).measure(sites, np.zeros(9))

    def left(h):
        h = min(max(h, -1), 1)
        return 1 - (acos(h) - h * sqrt(1 - h * h)) / pi

    cuts = [left(x / 4 + 0.125) for x in range(-5, 5)]
    np.testing.assert_allclose(measures.masses, [b - a for a, b in pairwise(cuts)], atol=1e-15)
    assert measures.components() == [list(range(9))]


# Partial transport


def test_partial_disks_that_do_not_meet():
    oracle = PartialOracle([(-5, -5), (5, -5), (5, 5), (-5, 5)])
    measures = oracle.measure([(-2, 0), (2, 0), (0, 4)], [1, 2.25, -1])
    np.testing.assert_allclose(measures.masses, [pi / 100, 2.25 * pi / 100, 0], rtol=1e-15)
    np.testing.assert_allclose(measures.centroids[:2], [[-2, 0], [2, 0]], **TIGHT)
    np.testing.assert_allclose(measures.costs[:2], [pi / 200, 1.5**4 * pi / 200], rtol=1e-15)
    assert measures.facets == {}
    # The derivative of pi w.
    np.testing.assert_allclose(measures.jacobian(), np.diag([pi, pi, 0]) / 100, **TIGHT)


def test_partial_lens():
    oracle = PartialOracle([(-5, -5), (5, -5), (5, 5), (-5, 5)])
    measures = oracle.measure([(-0.5, 0), (0.5, 0)], [1, 1])
    segment = acos(0.5) - 0.5 * sqrt(0.75)
    np.testing.assert_allclose(measures.masses, [(pi - segment) / 100] * 2, rtol=1e-15)
    assert measures.facets == pytest.approx({(0, 1): 2 * sqrt(0.75) / 100}, rel=1e-15)
    arc = 2 * (pi - acos(0.5))
    facet = sqrt(0.75)
    expected = np.array([[arc / 2 + facet, -facet], [-facet, arc / 2 + facet]]) / 100
    np.testing.assert_allclose(measures.jacobian(), expected, rtol=1e-15)


def test_partial_ball_at_a_corner():
    measures = PartialOracle(UNIT_SQUARE).measure([(0, 0)], [0.25])
    np.testing.assert_allclose(measures.masses, [pi / 16], rtol=1e-15)
    np.testing.assert_allclose(measures.centroids, [[2 / (3 * pi)] * 2], rtol=1e-15)
    np.testing.assert_allclose(measures.costs, [pi / 128], rtol=1e-15)


def test_partial_with_large_weights_is_complete():
    whole = PiecewiseOracle.union([UNIT_SQUARE]).measure(SITES, WEIGHTS)
    partial = PartialOracle(UNIT_SQUARE).measure(SITES, [Fraction(float(w)) + 9 for w in WEIGHTS])
    np.testing.assert_allclose(partial.masses, whole.masses, **TIGHT)
    np.testing.assert_allclose(partial.costs, whole.costs, **TIGHT)
    np.testing.assert_allclose(partial.centroids, whole.centroids, **TIGHT)
    assert partial.facets == pytest.approx(whole.facets, rel=1e-15)
    assert partial.arc_rates == [0] * 9


# The torus


def test_torus_lattice():
    k = 3
    sites = [(Fraction(a, k), Fraction(b, k)) for a in range(k) for b in range(k)]
    measures = TorusOracle((0, 0), (1, 1)).measure(sites, np.zeros(k * k))
    assert measures.exact_masses == [Fraction(1, 9)] * 9
    assert measures.exact_costs == [Fraction(1, 9) * Fraction(1, 9) / 6] * 9
    assert measures.exact_moments == [(0, 0)] * 9
    # Every cell has four neighbours.
    assert sorted(measures.facets.values()) == pytest.approx([1 / 3] * 18, rel=1e-15)
    assert measures.by_shift[0, 2, (0, -1)] == pytest.approx(1 / 3)
    assert len(measures.by_shift) == 18


def test_torus_one_site():
    measures = TorusOracle((1, 1), (3, 2)).measure([(0, 0)], [0])
    assert measures.exact_masses == [1]
    assert measures.exact_costs == [Fraction(5, 12)]
    np.testing.assert_array_equal(measures.centroids, [[0, 0]])
    assert measures.by_shift == {(0, 0, (0, 1)): 1, (0, 0, (1, 0)): 0.5}
    assert measures.facets == {}


def test_torus_two_sites_meet_twice():
    """Strips: |x| <= 1/4 + 1/8 belongs to the first site."""
    measures = TorusOracle((0, 0), (1, 1)).measure([(0, 0), (0.5, 0)], [0.125, 0])
    assert measures.exact_masses == [Fraction(3, 4), Fraction(1, 4)]
    assert measures.facets == {(0, 1): 2}
    # Between copies of one site: the horizontal borders of the strips.
    assert measures.by_shift == {
        (0, 1, (0, 0)): 1,
        (0, 1, (-1, 0)): 1,
        (0, 0, (0, 1)): 0.75,
        (1, 1, (0, 1)): 0.25,
    }


def test_torus_second_ring_changes_nothing():
    # Weights so large that single cells reach half a period from their sites.
    weights = WEIGHTS[:5] + [0.3, 0, 0, 0.2, 0]
    for periodic in [(True, True), (False, True)]:
        one, two = (
            TorusOracle((0, 0), (1, 0.75), periodic, rings).measure(SITES[:5], weights)
            for rings in (1, 2)
        )
        assert one == two


def test_torus_sites_outside_of_the_box():
    torus = TorusOracle((0, 0), (1, 1))
    shifts = RNG.integers(-3, 4, (6, 2))
    sites = [[Fraction(float(c)) for c in site] for site in SITES[:6]]
    moved = [
        [c + int(k) for c, k in zip(s, shift, strict=True)]
        for s, shift in zip(sites, shifts, strict=True)
    ]
    one, other = (torus.measure(s, WEIGHTS[:6]) for s in (sites, moved))
    assert one.exact_masses == other.exact_masses
    assert one.exact_moments == other.exact_moments
    assert one.exact_costs == other.exact_costs
    assert one.exact_ratios == other.exact_ratios
    assert sorted(one.by_shift.values()) == sorted(other.by_shift.values())


def test_torus_without_periodic_axes_is_a_box():
    torus = TorusOracle((0, 0), (1, 1), (False, False)).measure(SITES, WEIGHTS)
    square = PiecewiseOracle.union([UNIT_SQUARE]).measure(SITES, WEIGHTS)
    assert torus.exact_masses == square.exact_masses
    assert torus.exact_moments == square.exact_moments
    assert torus.exact_costs == square.exact_costs
    assert torus.exact_ratios == square.exact_ratios
    assert torus.facets == pytest.approx(square.facets, rel=1e-15)


# Mixtures


def test_a_mixture_of_pixels_is_an_image():
    left = PiecewiseOracle.union([[(0, 0), (0.5, 0), (0.5, 1), (0, 1)]])
    right = PiecewiseOracle.union([[(0.5, 0), (1, 0), (1, 1), (0.5, 1)]])
    mixture = MixtureOracle([left, right], [3, 1]).measure(SITES, WEIGHTS)
    image = PiecewiseOracle.grid([[3], [1]], (0, 0), (1, 1)).measure(SITES, WEIGHTS)
    assert mixture.exact_masses == image.exact_masses
    assert mixture.exact_moments == image.exact_moments
    assert mixture.exact_costs == image.exact_costs
    assert mixture.exact_ratios == image.exact_ratios
    assert mixture.facets == pytest.approx(image.facets, rel=1e-15)


def test_a_mixture_of_normal_distributions():
    parts = [GaussianOracle((c, 0), [[1, 0], [0, 1]]) for c in (-1, 2)]
    measures = MixtureOracle(parts, [1, 3]).measure([(-1, 0), (1, 0)], [0, 0])
    left = (normal(1) + 3 * normal(-2)) / 4
    np.testing.assert_allclose(measures.masses, [left, 1 - left], rtol=1e-14)
    density = (exp(-0.5) + 3 * exp(-2)) / 4 / sqrt(2 * pi)
    assert measures.facets == pytest.approx({(0, 1): density}, rel=1e-14)
