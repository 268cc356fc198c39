"""Derivatives in sites and weights: differences, and motions that leave cells as they are."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import geomot
from geomot import PowerDiagram
from geomot.derivatives import Derivatives
from geomot.sources import Blended

STEP = 1e-6
pytestmark = pytest.mark.usefixtures("silent")
rng = np.random.default_rng

RING = geomot.UniformPolygon(
    [(0, 0), (3, 0), (3, 3), (0, 3)], holes=[[(1, 1), (2, 1), (2, 2), (1, 2)]]
)
IMAGE = geomot.GridDensity(rng(4).random((7, 5)) + 0.2, [-1.0, 0.0], [2.0, 1.5])
BELL = geomot.Gaussian([0.5, -0.2], [[1.0, 0.3], [0.3, 0.5]])
MESH = geomot.MeshDensity(
    [(0, 0), (3, 0), (3, 2), (0, 1), (1, 0.5)],
    [(0, 1, 4), (1, 2, 4), (2, 3, 4), (3, 0, 4)],
    [1.0, 2.0, 0.5, 3.0, 4.0],
)
EVERY = {
    "square": geomot.UniformBox([0, 0], [1, 1]),
    "triangle": geomot.UniformPolygon([(0, 0), (3, 1), (1, 2)]),
    "ring": RING,
    "image": IMAGE,
    "gaussian": BELL,
    "disk": geomot.UniformBall([0.5, 1.0], 2.0),
    "ellipse": geomot.UniformEllipsoid([0.5, 1.0], [[4.0, 1.0], [1.0, 0.5]]),
    "mesh": MESH,
    "mixture": geomot.Mixture([BELL, IMAGE, RING], [0.5, 0.25, 0.25]),
    "blend": Blended(IMAGE, 0.3),
    "blend of parts": Blended(RING, 0.3),
    "interval": geomot.UniformBox([0], [2]),
    "normal": geomot.Gaussian([1.0], 2.0),
    "cube": geomot.UniformBox([0, 0, 0], [1, 1, 2]),
    "solid": geomot.UniformPolyhedron([(0, 0, 0), (3, 0, 1), (0, 2, 0), (1, 1, 4), (2, 2, 2)]),
}
AROUND = {
    "torus": geomot.UniformBox([0, 0], [1, 2], periodic=True),
    "cylinder": geomot.UniformBox([0, 0], [1, 2], periodic=(False, True)),
    "image around": geomot.GridDensity(rng(4).random((7, 5)) + 0.2, periodic=True),
    "torus in space": geomot.UniformBox([0, 0, 0], [1, 1, 2], periodic=True),
    "voxels around": geomot.GridDensity(rng(4).random((3, 2, 2)) + 0.2, periodic=True),
}
IN_THE_PLANE = [name for name, source in EVERY.items() if source.dim == 2]


def spread_of(source):
    return np.sqrt(np.trace(np.atleast_2d(source.covariance)))


def problem(source, n=9, seed=0):
    """Sites of the source and weights with which no cell is empty."""
    sites = source.sample(n, rng(seed))
    weights = (0.2 / n) ** (2.0 / source.dim) * spread_of(source) ** 2 * rng(seed + 1).random(n)
    return sites, weights


def measured(sites, weights, source, partial):
    diagram = PowerDiagram(sites, weights, source, partial=partial)
    moments = diagram.masses[:, None] * diagram.centroids
    return diagram.masses, moments.ravel(), diagram.centroids.ravel()


def differences(sites, weights, source, direction, partial=False):
    """Central differences of masses, moments and centroids."""
    step = STEP * spread_of(source)
    by_sites, by_weights = direction
    ends = [
        measured(sites + s * step * by_sites, weights + s * step * by_weights, source, partial)
        for s in (1, -1)
    ]
    return [(a - b) / (2 * step) for a, b in zip(*ends, strict=True)]


def compare_with_differences(sites, weights, source, partial=False):
    n, d = sites.shape
    rates = PowerDiagram(sites, weights, source, partial=partial).derivatives()
    assert (rates.masses > 0).all()
    matrices = [
        (rates.masses_in_sites, rates.moments_in_sites, rates.centroids_in_sites),
        (rates.masses_in_weights, rates.moments_in_weights, rates.centroids_in_weights),
    ]
    for of_weights, known in enumerate(matrices):
        for k in range(n if of_weights else n * d):
            direction = np.zeros((n, d)), np.zeros(n)
            direction[of_weights].flat[k] = 1.0
            for matrix, expected in zip(
                known, differences(sites, weights, source, direction, partial), strict=True
            ):
                column = matrix.toarray()[:, k]
                scale = max(np.abs(matrix.data).max(), 1e-3)
                np.testing.assert_allclose(column, expected, rtol=0, atol=2e-6 * scale)


@pytest.mark.parametrize("name", EVERY)
def test_against_central_differences(name):
    source = EVERY[name]
    compare_with_differences(*problem(source), source)


@pytest.mark.parametrize("name", AROUND)
@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_around_a_torus(name, n):
    # few cells also meet copies of themselves
    source = AROUND[name]
    sites, weights = problem(source, n)
    compare_with_differences(sites, weights, source)
    if n == 9:
        # whole periods away: the same rates
        widths = np.where(source.periodic, source.upper - source.lower, 0.0)
        moved = sites + rng(6).integers(-2, 3, sites.shape) * widths
        first = PowerDiagram(sites, weights, source).derivatives()
        second = PowerDiagram(moved, weights, source).derivatives()
        for matrix in ("masses_in_sites", "centroids_in_sites", "centroids_in_weights"):
            np.testing.assert_allclose(
                getattr(second, matrix).toarray(), getattr(first, matrix).toarray(), atol=1e-9
            )


@pytest.mark.parametrize("name", ["torus", "torus in space"])
def test_cells_of_a_uniform_torus_move_with_their_sites(name):
    source = AROUND[name]
    for n in (1, 3, 30):
        sites, weights = problem(source, n)
        rates = PowerDiagram(sites, weights, source).derivatives()
        shift = rng(5).standard_normal(sites.shape[1])
        moves = np.tile(shift, n)
        np.testing.assert_allclose(rates.masses_in_sites @ moves, 0.0, atol=1e-12)
        np.testing.assert_allclose(rates.centroids_in_sites @ moves, moves, rtol=1e-10)


@pytest.mark.parametrize("source", [EVERY["square"], EVERY["triangle"], RING], ids=repr)
@pytest.mark.parametrize("size", [0.05, 0.3, 2.0])
def test_in_partial_transport(source, size):
    # balls apart, balls that meet, balls of which some reach around their cells
    sites, _ = problem(source, 7)
    weights = size * spread_of(source) ** 2 * (0.6 + 0.4 * rng(1).random(7)) / 4
    compare_with_differences(sites, weights, source, partial=True)


def test_one_disk():
    diagram = PowerDiagram([[0.5, 0.5]], [0.04], partial=True)
    rates = diagram.derivatives()
    np.testing.assert_allclose(rates.masses_in_weights.toarray(), np.pi)
    np.testing.assert_allclose(rates.masses_in_sites.toarray(), 0.0, atol=1e-15)
    np.testing.assert_allclose(rates.centroids_in_sites.toarray(), np.eye(2), atol=1e-14)
    np.testing.assert_allclose(rates.arcs.means, [[0.5, 0.5]], atol=1e-15)
    np.testing.assert_allclose(rates.arcs.covariances[0], 0.02 * np.eye(2), atol=1e-15)


def test_half_a_disk():
    # against the left side: the arc's barycentre lies at 2 r / pi, the half disk's at 4 r / 3 pi
    rates = PowerDiagram([[0.0, 0.5]], [0.04], partial=True).derivatives()
    np.testing.assert_allclose(rates.arcs.means, [[0.4 / np.pi, 0.5]], atol=1e-15)
    np.testing.assert_allclose(rates.masses_in_weights.toarray(), np.pi / 2)
    np.testing.assert_allclose(rates.masses_in_sites.toarray(), [[0.4, 0.0]], atol=1e-15)


def test_gradients_in_partial_transport():
    sites, nu = rng(3).random((9, 2)), rng(4).dirichlet(np.full(9, 3.0)) * 0.6
    move, step = rng(5).standard_normal((9, 2)), 1e-5

    def solved(at):
        return geomot.solve(at, nu, partial=True, tol=1e-12, strict=False)

    rates = solved(sites).diagram().derivatives()
    up, down = (solved(sites + s * step * move) for s in (1, -1))
    found = np.sum(rates.cost_in_sites(nu) * move)
    assert found == pytest.approx((up.cost - down.cost) / (2 * step), rel=1e-6)
    np.testing.assert_allclose(rates.dual_in_weights(nu), nu - rates.masses)
    weights = (up.weights - down.weights) / (2 * step)
    np.testing.assert_allclose(rates.weight_rates(move), weights, atol=1e-6 * np.ptp(weights))
    costs = [end.diagram().derivatives().cost_in_sites(nu).ravel() for end in (up, down)]
    expected = (costs[0] - costs[1]) / (2 * step)
    np.testing.assert_allclose(
        rates.cost_hessian(nu) @ move.ravel(), expected, atol=1e-6 * np.abs(expected).max()
    )
    with pytest.raises(ValueError, match="target_masses must be given"):
        rates.cost_in_sites()


@pytest.mark.parametrize("name", EVERY)
def test_motions_that_leave_the_cells_as_they_are(name):
    source = EVERY[name]
    sites, weights = problem(source, 60)
    rates = PowerDiagram(sites, weights, source).derivatives()
    pairs = (
        (rates.masses_in_sites, rates.masses_in_weights),
        (rates.moments_in_sites, rates.moments_in_weights),
        (rates.centroids_in_sites, rates.centroids_in_weights),
    )
    shift = rng(5).standard_normal(sites.shape[1])
    motions = (
        # all sites shifted: power distances change by what is the same for all cells
        (np.broadcast_to(shift, sites.shape), 2 * sites @ shift),
        # all heights scaled
        (sites, np.sum(sites**2, axis=1) + weights),
        (np.zeros_like(sites), np.ones(len(sites))),
    )
    for by_sites, by_weights in motions:
        for in_sites, in_weights in pairs:
            first, second = in_sites @ by_sites.ravel(), in_weights @ by_weights
            size = abs(in_sites) @ abs(by_sites).ravel() + abs(in_weights) @ abs(by_weights)
            assert (abs(first + second) <= 1e-14 * size).all()


@pytest.mark.parametrize("name", EVERY)
def test_second_derivatives_of_the_dual_are_symmetric(name):
    source = EVERY[name]
    sites, weights = problem(source, 60)
    n, d = sites.shape
    rates = PowerDiagram(sites, weights, source).derivatives()
    # of 2 g_i (y_i - c_i) = 2 g_i y_i - 2 m_i in weights, and of nu - g in sites
    place = np.repeat(np.arange(n), d)
    at = sites.ravel()[:, None]
    mixed = 2 * (at * rates.masses_in_weights.toarray()[place] - rates.moments_in_weights.toarray())
    other = -rates.masses_in_sites.toarray()
    np.testing.assert_allclose(mixed, other.T, rtol=0, atol=1e-12 * np.abs(other).max())
    pure = 2 * (at * rates.masses_in_sites.toarray()[place] - rates.moments_in_sites.toarray())
    np.testing.assert_allclose(pure, pure.T, rtol=0, atol=1e-12 * np.abs(pure).max())
    for matrix in (rates.masses_in_sites, rates.masses_in_weights):
        np.testing.assert_allclose(matrix.sum(axis=0), 0.0, atol=1e-13 * np.abs(matrix.data).max())
    for k in range(d):
        total = rates.moments_in_sites.toarray()[k::d].sum(axis=0)
        np.testing.assert_allclose(total, 0.0, atol=1e-12 * np.abs(rates.moments_in_sites).max())


def test_cells_of_a_round_gaussian_turn_with_the_sites():
    source = geomot.Gaussian([0.0, 0.0], 0.7)
    sites, weights = problem(source, 40)
    rates = PowerDiagram(sites, weights, source).derivatives()
    turned = np.column_stack([-sites[:, 1], sites[:, 0]])
    expected = np.column_stack([-rates.centroids[:, 1], rates.centroids[:, 0]])
    np.testing.assert_allclose(rates.masses_in_sites @ turned.ravel(), 0.0, atol=1e-13)
    moved = rates.centroids_in_sites @ turned.ravel()
    np.testing.assert_allclose(moved, expected.ravel(), atol=1e-10)


@pytest.mark.parametrize("name", [*IN_THE_PLANE, "torus", "image around"])
def test_gradient_of_the_cost(name):
    source = (EVERY | AROUND)[name]
    sites = source.sample(12, rng(3))
    nu = rng(4).dirichlet(np.full(12, 3.0))
    rates = geomot.solve(sites, nu, source, tol=1e-12).diagram().derivatives()
    move = rng(5).standard_normal(sites.shape)
    step = 1e-5 * spread_of(source)
    up, down = (geomot.solve(sites + s * step * move, nu, source, tol=1e-12).cost for s in (1, -1))
    found = np.sum(rates.cost_in_sites(nu) * move)
    assert found == pytest.approx((up - down) / (2 * step), rel=1e-6)


@pytest.mark.parametrize("name", EVERY | AROUND)
def test_weights_that_keep_the_masses(name):
    source = (EVERY | AROUND)[name]
    sites, weights = problem(source, 30)
    rates = PowerDiagram(sites, weights, source).derivatives()
    moves = rng(5).standard_normal(sites.shape)
    change = rates.masses_in_sites @ moves.ravel()
    kept = change + rates.masses_in_weights @ rates.weight_rates(moves)
    np.testing.assert_allclose(kept, 0.0, atol=1e-12 * np.abs(change).max())


@pytest.mark.parametrize("name", EVERY | AROUND)
def test_second_derivatives_of_the_cost(name):
    source = (EVERY | AROUND)[name]
    sites = source.sample(8, rng(3))
    nu = rng(4).dirichlet(np.full(8, 3.0))
    move = rng(5).standard_normal(sites.shape)
    step = 1e-6 * spread_of(source)

    def rates(at):
        return geomot.solve(at, nu, source, tol=1e-13, strict=False).diagram().derivatives()

    up, down = (rates(sites + s * step * move).cost_in_sites(nu).ravel() for s in (1, -1))
    hessian = rates(sites).cost_hessian(nu)
    found = hessian @ move.ravel()
    np.testing.assert_allclose(found, (up - down) / (2 * step), atol=2e-6 * np.abs(found).max())
    matrix = hessian @ np.eye(sites.size)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-11 * np.abs(matrix).max())
    assert np.linalg.eigvalsh(matrix).max() <= 2 * nu.max() * (1 + 1e-12)


def test_weights_between_islands_do_not_matter():
    islands = geomot.UniformPolygon([[(0, 0), (1, 0), (1, 1), (0, 1)],
                                     [(3, 0), (4, 0), (4, 1), (3, 1)]])  # fmt: skip
    sites = np.array([[0.2, 0.5], [0.8, 0.5], [3.2, 0.5], [3.8, 0.5]])
    rates = PowerDiagram(sites, None, islands).derivatives()
    moves = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0], [2.0, 0.0]])
    found = rates.weight_rates(moves)
    np.testing.assert_allclose(rates.masses_in_weights @ found + rates.masses_in_sites
                               @ moves.ravel(), 0.0, atol=1e-15)  # fmt: skip
    np.testing.assert_allclose(found[:2].sum(), 0.0, atol=1e-15)
    np.testing.assert_allclose(found[2:].sum(), 0.0, atol=1e-15)


def test_moves_are_checked():
    rates = PowerDiagram([(0.5, 0.5)]).derivatives()
    assert rates.weight_rates([(1.0, 2.0)]).tolist() == [0.0]
    assert (rates.cost_hessian() @ [1.0, 2.0]).tolist() == [2.0, 4.0]
    with pytest.raises(ValueError, match=r"moves must have shape \(1, 2\), got \(2,\)"):
        rates.weight_rates([1.0, 2.0])


def test_gradients_of_the_dual_value():
    sites, weights = problem(BELL, 12)
    nu = rng(2).dirichlet(np.ones(12))
    rates = PowerDiagram(sites, weights, BELL).derivatives()
    for k in range(12):
        unit = STEP * np.eye(12)[k]
        up, down = (PowerDiagram(sites, weights + s * unit, BELL).kantorovich(nu) for s in (1, -1))
        assert rates.dual_in_weights(nu)[k] == pytest.approx((up - down) / (2 * STEP), abs=1e-8)
        move = unit[:, None] * [1.0, 0.0]
        up, down = (PowerDiagram(sites + s * move, weights, BELL).kantorovich(nu) for s in (1, -1))
        assert rates.dual_in_sites[k, 0] == pytest.approx((up - down) / (2 * STEP), abs=1e-8)


def test_facets_are_the_edges_of_cells():
    # clusters: facets of all sizes
    diagram = PowerDiagram(geomot.datasets.clust2d(400))
    rates, cells = diagram.derivatives(), diagram.cells
    row = {tuple(pair): k for k, pair in enumerate(diagram.facets.sites.tolist())}
    found = 0
    for i in range(len(cells)):
        corners = cells[i]
        labels = cells.labels[cells.offsets[i] : cells.offsets[i + 1]]
        for start, end, j in zip(corners, np.roll(corners, -1, axis=0), labels, strict=True):
            if j > i:
                k = row[i, int(j)]
                np.testing.assert_allclose(rates.facet_means[k], (start + end) / 2, atol=1e-15)
                expected = np.outer(end - start, end - start) / 12
                np.testing.assert_allclose(rates.facet_covariances[k], expected, atol=1e-15)
                found += 1
    assert found == len(row)


def test_facets_of_several_segments():
    # the border of two cells of a ring is cut by the hole
    diagram = PowerDiagram([(1.0, 1.5), (2.0, 1.5)], None, RING)
    rates = diagram.derivatives()
    np.testing.assert_allclose(rates.facet_means, [[1.5, 1.5]], rtol=1e-14)
    # of the segments from 0 to 1 and from 2 to 3
    np.testing.assert_allclose(
        rates.facet_covariances, [[[0, 0], [0, 1 / 12 + 1]]], rtol=1e-14, atol=1e-14
    )


def test_sides_along_jumps_have_the_mean_of_both():
    steps = geomot.GridDensity([[1.0, 1.0], [3.0, 3.0]])
    rates = PowerDiagram([(0.25, 0.5), (0.75, 0.5)], None, steps).derivatives()
    np.testing.assert_allclose(rates.facet_means, [[0.5, 0.5]], rtol=1e-14)
    assert rates.masses_in_weights[0, 0] == pytest.approx(1.0)


def test_long_sides_of_a_narrow_gaussian():
    # the sides reach over 24 standard deviations, and the error function takes them
    source = geomot.Gaussian([0.3, 0.2], [[0.04, 0.0], [0.0, 1.0]])
    rates = PowerDiagram([(0.0, 0.0), (0.4, 0.1)], None, source).derivatives()
    normal = np.array([0.4, 0.1]) / np.hypot(0.4, 0.1)
    along = np.array([-normal[1], normal[0]])
    # a normal measure, conditioned to a line
    inverse = np.linalg.inv(source.covariance)
    variance = 1.0 / (along @ inverse @ along)
    start = np.array([0.2, 0.05])
    mean = start - variance * (along @ inverse @ (start - source.mean)) * along
    np.testing.assert_allclose(rates.facet_means[0], mean, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(
        rates.facet_covariances[0], variance * np.outer(along, along), rtol=1e-9, atol=1e-12
    )


def test_cells_without_mass_have_rows_of_zeros():
    dark = geomot.GridDensity([[0.0, 1.0]] * 2)
    rates = PowerDiagram([(0.5, 0.1), (0.5, 0.2), (0.5, 0.9)], None, dark).derivatives()
    assert rates.masses[0] == 0.0
    for matrix in (rates.masses_in_sites, rates.centroids_in_sites, rates.centroids_in_weights):
        rows = matrix.toarray()
        assert np.isfinite(rows).all()
        assert not rows[: len(rows) // 3].any()
    assert not rates.cost_in_sites()[0].any()


def test_one_site_has_no_facets():
    rates = PowerDiagram([(0.5, 0.5)]).derivatives()
    assert rates.masses_in_sites.shape == (1, 2)
    assert rates.masses_in_sites.nnz == rates.centroids_in_weights.nnz == 0


@pytest.mark.parametrize("scale", [2.0**-40, 2.0**40])
def test_units_change_no_bit(scale):
    sites, weights = problem(BELL, 20)
    small = geomot.Gaussian(scale * BELL.mean, scale**2 * BELL.covariance)
    rates = PowerDiagram(sites, weights, BELL).derivatives()
    others = PowerDiagram(scale * sites, scale**2 * weights, small).derivatives()
    np.testing.assert_array_equal(rates.facet_means * scale, others.facet_means)
    np.testing.assert_array_equal(
        rates.masses_in_sites.toarray(), others.masses_in_sites.toarray() * scale
    )


def test_threads_change_no_bit_and_pickles_are_equal():
    sites = geomot.datasets.u2d(9000)
    one, two = (PowerDiagram(sites, threads=k).derivatives() for k in (1, 2))
    assert one == two
    assert isinstance(one, Derivatives)
    assert pickle.loads(pickle.dumps(one)) == one
    assert repr(one) == "Derivatives(<9000 sites in 2 dimensions>)"
    assert len(one) == 9000


def test_border_of_two_cells_of_a_normal_measure():
    source = geomot.Gaussian([0.0], 1.0)
    rates = PowerDiagram([[-1.0], [1.0]], None, source).derivatives()
    # half the density at the border, for each site
    expected = 0.5 / np.sqrt(2 * np.pi)
    np.testing.assert_allclose(rates.masses_in_sites.toarray()[0], [expected, expected])
