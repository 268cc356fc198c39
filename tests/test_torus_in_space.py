"""Boxes in space that are periodic along some axes: closed forms, all copies, invariants."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest
from checks import mass_differences
from scipy.spatial import ConvexHull

import geomot
from geomot import BrenierMap, PowerDiagram, UniformBox, solve
from geomot._torus import TorusSites

rng = np.random.default_rng
TORUS = UniformBox([0.0, 0.0, 0.0], [1.0, 1.0, 1.0], periodic=True)
BOXES = [
    TORUS,
    UniformBox([-3.0, 1.0, 5.0], [-1.0, 1.7, 6.0], periodic=True),
    UniformBox([0.1, -0.3, 0.0], [0.6, 1.0, 0.7], periodic=(True, False, False)),
    UniformBox([1e3, 0.0, -1.0], [1e3 + 1.0, 2.0, 0.0], periodic=(False, True, True)),
]


# ---- the oracle: the diagram of all copies in a larger box ----


def oracle(sites, weights, source):
    """Masses, centroids, costs and facets {(i, j, steps): measure}, for sites in the box."""
    widths, joined = source.upper - source.lower, source.periodic
    steps = list(itertools.product(*[(0, -1, 1) if p else (0,) for p in joined]))
    n = len(sites)
    reach = np.where(joined, widths, 0.0)
    copies = np.concatenate([sites + np.array(step) * widths for step in steps])
    around = UniformBox(source.lower - reach, source.upper + reach)
    diagram = PowerDiagram(copies, np.tile(weights, len(steps)), around)
    scale = around.volume / source.volume
    facets = {}
    for (a, b), measure in zip(diagram.facets.sites.tolist(), diagram.facets.measures, strict=True):
        for p, q in ((a, b), (b, a)):
            if p < n and p != q % n and p < q % n:
                facets[p, q % n, *steps[q // n]] = measure * scale
    own = slice(0, n)
    return diagram.masses[own] * scale, diagram.centroids[own], diagram.costs[own] * scale, facets


@pytest.mark.parametrize("source", BOXES, ids=repr)
@pytest.mark.parametrize(("n", "spread"), [(1, 0.0), (2, 0.05), (3, 0.3), (15, 0.05), (60, 0.01)])
def test_cells_are_those_of_all_copies(source, n, spread):
    sites = source.sample(n, random_state=n)
    widths = source.upper - source.lower
    weights = spread * rng(n).random(n) * float((widths**2).min())
    diagram = PowerDiagram(sites, weights, source)
    masses, centroids, costs, facets = oracle(sites, weights, source)
    np.testing.assert_allclose(diagram.masses, masses, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(diagram.costs, costs, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(diagram.centroids, centroids, rtol=1e-11, atol=1e-11)
    np.testing.assert_array_equal(diagram.empty, masses == 0.0)
    assert diagram.masses.sum() == pytest.approx(1.0, abs=1e-14)
    found = {
        (*pair, *np.rint(shift / widths).astype(int).tolist()): measure
        for pair, shift, measure in zip(
            diagram.facets.sites.tolist(),
            diagram.facets.shifts,
            diagram.facets.measures,
            strict=True,
        )
    }
    assert {key for key, value in facets.items() if value > 1e-8} <= set(found)
    for key, value in found.items():
        assert value == pytest.approx(facets.get(key, 0.0), rel=1e-8, abs=1e-9)


def test_many_sites_need_few_copies():
    sites = rng(2).random((1500, 3))
    weights = 0.1 * 1500 ** (-2 / 3) * rng(1).random(1500)
    few, all_of_them = TorusSites(sites, TORUS), TorusSites(sites, TORUS)
    all_of_them._copied[:] = True
    all_of_them._make()
    assert len(all_of_them.copies.owner) == 27 * 1500
    found, wanted = few.diagram(weights), all_of_them.diagram(weights)
    assert len(few.copies.owner) < 3.2 * 1500
    np.testing.assert_allclose(found.masses, wanted.masses, rtol=1e-12)
    assert found.facets.sites.tolist() == wanted.facets.sites.tolist()
    np.testing.assert_allclose(found.facets.measures, wanted.facets.measures, atol=1e-14)


# ---- closed forms ----


def test_one_site_anywhere():
    for site in ([0.3, 0.7, 0.1], [0.0, 0.0, 0.0], [7.25, -3.5, 0.5]):
        diagram = PowerDiagram([site], source=TORUS)
        assert diagram.masses.tolist() == [1.0]
        assert diagram.costs[0] == pytest.approx(1 / 4, rel=1e-15)
        np.testing.assert_allclose(diagram.centroids[0], site, atol=1e-15)
        assert len(diagram.facets) == 0
        assert diagram.cells[0].labels.tolist() == [0] * 6
        np.testing.assert_allclose(diagram.cells[0].vertices.mean(axis=0), site, atol=1e-12)


def test_two_sites_share_two_facets():
    diagram = PowerDiagram([(0.25, 0.5, 0.5), (0.75, 0.5, 0.5)], source=TORUS)
    assert diagram.masses.tolist() == [0.5, 0.5]
    assert diagram.facets.sites.tolist() == [[0, 1], [0, 1]]
    assert sorted(diagram.facets.shifts.tolist()) == [[-1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    assert diagram.facets.distances.tolist() == [0.5, 0.5]
    assert (diagram.hessian().toarray() / 2).tolist() == [[2.0, -2.0], [-2.0, 2.0]]


def lattice(n, *offsets):
    grid = np.stack(np.meshgrid(*3 * [np.arange(n)]), -1).reshape(-1, 3)
    return np.concatenate([(grid + np.array(offset)) / n for offset in offsets])


# normalised second moments of the Voronoi cells (Conway and Sloane, table 2.3)
@pytest.mark.parametrize(
    ("offsets", "neighbours", "moment"),
    [
        ([(0.25, 0.25, 0.25)], 6, 1 / 12),
        ([(0.0, 0.0, 0.0), (0.5, 0.5, 0.5)], 14, 19 / (192 * 2 ** (1 / 3))),
        ([(0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)], 12, 2 ** (-11 / 3)),
    ],
    ids=["cubic", "body-centred", "face-centred"],
)
def test_lattices(offsets, neighbours, moment):
    sites = lattice(2, *offsets)
    diagram = PowerDiagram(sites, source=TORUS)
    n = len(sites)
    np.testing.assert_allclose(diagram.masses, 1 / n, rtol=1e-13)
    assert diagram.costs.sum() == pytest.approx(3 * moment * n ** (-2 / 3), rel=1e-13)
    assert len(diagram.facets) == n * neighbours / 2


# ---- invariants ----


def test_hessian_is_the_derivative_of_the_masses():
    sites, weights = rng(1).random((25, 3)), 0.02 * rng(2).random(25)
    hessian = PowerDiagram(sites, weights, TORUS).hessian().toarray() / 2
    differences = mass_differences(sites, weights, TORUS)
    np.testing.assert_allclose(differences, hessian, atol=1e-8 * np.abs(hessian).max())


@pytest.mark.parametrize("source", BOXES, ids=repr)
def test_whole_periods_change_nothing_but_places(source):
    sites = source.sample(40, random_state=3)
    weights = 0.01 * rng(4).random(40)
    turns = np.where(source.periodic, rng(5).integers(-3, 4, (40, 3)), 0)
    moves = turns * (source.upper - source.lower)
    first = PowerDiagram(sites, weights, source)
    second = PowerDiagram(sites + moves, weights, source)
    np.testing.assert_allclose(second.masses, first.masses, rtol=1e-9)
    np.testing.assert_allclose(second.costs, first.costs, rtol=1e-9)
    np.testing.assert_allclose(second.centroids - moves, first.centroids, atol=1e-10)
    np.testing.assert_allclose(second.facets.distances, first.facets.distances, rtol=1e-9)
    for i in range(40):
        corners = [
            (s.cells[i].vertices.min(0), s.cells[i].vertices.max(0)) for s in (first, second)
        ]
        np.testing.assert_allclose(corners[1] - moves[i], corners[0], atol=1e-9)
    points = source.sample(300, random_state=6)
    away = points + np.where(source.periodic, source.upper - source.lower, 0.0)
    assert (second.locate(away) == first.locate(points)).all()


def test_cells_lie_around_their_sites_and_fill_the_box():
    diagram = PowerDiagram(rng(9).random((80, 3)), 0.03 * rng(1).random(80), TORUS)
    volumes = np.zeros(80)
    for i in np.flatnonzero(~diagram.empty):
        cell = diagram.cells[i]
        volumes[i] = ConvexHull(cell.vertices).volume
        assert (np.abs(cell.vertices - diagram.sites[i]) <= 0.5 + 1e-12).all()
        # what lies across lies across the same border, seen from there
        for j in cell.labels:
            assert i in diagram.cells[j].labels
    np.testing.assert_allclose(volumes, diagram.masses, atol=1e-14)
    assert (diagram.cells.vertices < 0.0).any()
    # of each corner of the diagram one translate is a simplex of the dual
    assert len(diagram.triangulation) == len(
        {tuple((x % 1.0).round(9) % 1.0) for x in diagram.cells.vertices}
    )


def test_locate_finds_the_nearest_copy():
    sites, weights = rng(10).random((40, 3)), 0.03 * rng(11).random(40)
    points = 3.0 * rng(12).random((200, 3)) - 1.0
    copies = np.array(list(itertools.product(range(-3, 4), repeat=3)))
    gaps = points[:, None, None] - sites[:, None] - copies
    powers = (gaps**2).sum(axis=3).min(axis=2) - weights
    assert (PowerDiagram(sites, weights, TORUS).locate(points) == powers.argmin(axis=1)).all()


def test_weights_in_turn_keep_the_copies_that_are_needed():
    sites = rng(14).random((200, 3))
    together = TorusSites(sites, TORUS)
    for scale in (0.0, 0.4, 0.02, 0.0):
        weights = scale * rng(15).random(200) ** 8
        alone = PowerDiagram(sites, weights, TORUS)
        found = together.diagram(weights)
        np.testing.assert_allclose(found.masses, alone.masses, atol=1e-14)
        assert found.facets.sites.tolist() == alone.facets.sites.tolist()


def test_sites_without_an_interior_at_the_seam():
    # the weight of the third makes its cell the face between those of the first two
    sites = [(0.25, 0.5, 0.5), (0.75, 0.5, 0.5), (0.0, 0.5, 0.5)]
    diagram = PowerDiagram(sites, [0.0, 0.0, -0.0625], TORUS)
    assert diagram.empty.tolist() == [False, False, True]
    assert diagram.facets.sites.tolist() == [[0, 1], [0, 1]]
    np.testing.assert_allclose(diagram.facets.measures, 1.0)


def test_threads_change_no_bit():
    sites = rng(30).random((1500, 3))
    one, two = (PowerDiagram(sites, source=TORUS, threads=k) for k in (1, 2))
    assert one.masses.tobytes() == two.masses.tobytes()
    assert one.facets.measures.tobytes() == two.facets.measures.tobytes()


# ---- solves ----


@pytest.mark.parametrize("source", BOXES, ids=repr)
def test_solves_meet_their_masses(source):
    sites = source.sample(100, random_state=16)
    nu = rng(17).exponential(size=100)
    solution = solve(sites, nu / nu.sum(), source)
    assert solution.converged
    masses = PowerDiagram(sites, solution.weights_exact, source).masses
    np.testing.assert_allclose(masses, solution.target_masses, rtol=2e-9)
    assert solution.bracket[0] <= solution.cost <= solution.bracket[1]
    assert solution.bracket[1] - solution.bracket[0] <= 1e-7 * solution.cost


def test_sites_outside_a_slab():
    slab = UniformBox([0.0] * 3, [1.0] * 3, periodic=(True, True, False))
    sites = rng(18).random((40, 3)) * [5.0, 1.0, 1.0] + [0.0, 0.0, 20.0]
    assert solve(sites, source=slab).converged


def test_clusters_on_a_torus():
    centres = rng(19).random((4, 3))
    sites = np.concatenate(
        [c + 1e-3 * rng(k).standard_normal((30, 3)) for k, c in enumerate(centres)]
    )
    assert solve(sites, source=TORUS).converged


def test_sites_that_coincide_modulo_the_periods():
    sites = [(0.25, 0.5, 0.5), (1.25, -0.5, 0.5), (0.75, 0.5, 0.5)]
    solution = solve(sites, [0.2, 0.3, 0.5], TORUS)
    np.testing.assert_allclose(solution.masses, [0.2, 0.3, 0.5], rtol=1e-12)
    assert solution.weights[0] == solution.weights[1]


def test_transform_takes_the_nearest_copy():
    brenier = BrenierMap(TORUS).fit([(0.1, 0.5, 0.5), (0.6, 0.5, 0.5)])
    points = np.array([(0.95, 0.4, 0.5), (0.05, 0.6, 0.2), (0.4, 0.5, 0.9)])
    np.testing.assert_allclose(
        brenier.transform(points), [(1.1, 0.5, 0.5), (0.1, 0.5, 0.5), (0.6, 0.5, 0.5)]
    )


def test_files_and_pickles(tmp_path):
    solution = solve(rng(22).random((20, 3)), source=BOXES[3])
    solution.save(tmp_path / "map.npz")
    loaded = geomot.load(tmp_path / "map.npz")
    assert loaded == solution
    assert loaded.source.periodic.tolist() == [False, True, True]
    diagram = solution.diagram()
    assert pickle.loads(pickle.dumps(diagram)) == diagram
    assert pickle.loads(pickle.dumps(diagram)).cells == diagram.cells


def test_gradient_of_the_cost():
    torch = pytest.importorskip("torch")
    from geomot.losses import wasserstein2

    sites = torch.tensor(rng(23).random((10, 3)), requires_grad=True)
    loss = wasserstein2(sites, source=TORUS, tol=1e-11)
    loss.backward()
    costs = []
    for h in (1e-5, -1e-5):
        moved = sites.detach().numpy().copy()
        moved[4, 2] += h
        costs.append(solve(moved, source=TORUS, tol=1e-11).cost)
    assert sites.grad[4, 2] == pytest.approx((costs[0] - costs[1]) / 2e-5, rel=1e-5)


def test_refusals():
    sites = rng(24).random((10, 3))
    with pytest.raises(ValueError, match="must not be periodic for method montecarlo"):
        solve(sites, source=TORUS, method="montecarlo")
    with pytest.raises(ValueError, match="must not be periodic for extended maps"):
        BrenierMap(TORUS).fit(sites).extended()
    with pytest.raises(ValueError, match="partial"):
        PowerDiagram(sites, source=TORUS, partial=True)
