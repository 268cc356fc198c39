"""Tori and cylinders: closed forms, an oracle with all copies, invariants modulo the periods."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest
from checks import mass_differences

import geomot
from geomot import BrenierMap, PowerDiagram, UniformBox, solve
from geomot._torus import TorusSites

rng = np.random.default_rng
TORUS = UniformBox([0.0, 0.0], [1.0, 1.0], periodic=True)
BOXES = [
    TORUS,
    UniformBox([-3.0, 1.0], [-1.0, 1.7], periodic=True),
    UniformBox([0.1, -0.3], [0.4, 2.0], periodic=(True, False)),
    UniformBox([1e3, 0.0], [1e3 + 1.0, 5.0], periodic=(False, True)),
]


# ---- the oracle: cells clipped by the bisectors of all copies ----


def clipped(polygon, labels, normal, offset, label):
    """The part of a polygon with normal . x <= offset; labels say what lies across each edge."""
    side = polygon @ normal - offset
    corners, names = [], []
    for k in range(len(polygon)):
        a, b = k, (k + 1) % len(polygon)
        if side[a] <= 0.0:
            corners.append(polygon[a])
            names.append(labels[k])
        if side[a] * side[b] < 0.0:
            t = side[a] / (side[a] - side[b])
            corners.append(polygon[a] + t * (polygon[b] - polygon[a]))
            names.append(label if side[a] < 0.0 else labels[k])
    return np.array(corners).reshape(-1, 2), names


def oracle(sites, weights, source):
    """Masses, centroids, costs and facets {(i, j, steps): measure}, for sites in the box."""
    joined, widths = source.periodic, source.upper - source.lower
    steps = list(itertools.product(*[(-1, 0, 1) if p else (0,) for p in joined]))
    n, area = len(sites), float(np.prod(widths))
    masses, centroids, costs, facets = np.zeros(n), np.full((n, 2), np.nan), np.zeros(n), {}
    for i in range(n):
        low = np.where(joined, -widths, source.lower - sites[i])
        high = np.where(joined, widths, source.upper - sites[i])
        polygon = np.array([low, (high[0], low[1]), high, (low[0], high[1])])
        labels: list = [None] * 4
        for j, step in itertools.product(range(n), steps):
            apart = sites[j] + np.array(step) * widths - sites[i]
            if len(polygon) and (apart != 0.0).any():
                offset = 0.5 * (apart @ apart + weights[i] - weights[j])
                polygon, labels = clipped(polygon, labels, apart, offset, (j, step))
        if len(polygon) < 3:
            continue
        x, y = polygon.T
        u, v = np.roll(polygon, -1, axis=0).T
        twice = x * v - u * y
        masses[i] = twice.sum() / 2 / area
        moments = np.array([((x + u) * twice).sum(), ((y + v) * twice).sum()]) / 6 / area
        centroids[i] = sites[i] + moments / masses[i]
        squares = (x * x + x * u + u * u + y * y + y * v + v * v) * twice
        costs[i] = squares.sum() / 12 / area
        for k, label in enumerate(labels):
            if label is not None and label[0] != i:
                key = (i, label[0], label[1])
                facets[key] = (
                    facets.get(key, 0.0) + float(np.hypot(u[k] - x[k], v[k] - y[k])) / area
                )
    return masses, centroids, costs, facets


@pytest.mark.parametrize("source", BOXES, ids=repr)
@pytest.mark.parametrize(("n", "spread"), [(1, 0.0), (2, 0.05), (3, 0.3), (12, 0.02), (40, 0.002)])
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
    wanted = {(i, j, *step): v for (i, j, step), v in facets.items() if i < j and v > 1e-9}
    assert set(wanted) <= set(found)
    for key, value in found.items():
        assert value == pytest.approx(wanted.get(key, 0.0), rel=1e-8, abs=1e-9)


def test_many_sites_need_few_copies():
    sites = rng(2).random((4000, 2))
    weights = solve(sites, source=TORUS, tol=1e-3).weights
    few, all_of_them = TorusSites(sites, TORUS), TorusSites(sites, TORUS)
    all_of_them._copied[:] = True
    all_of_them._make()
    assert len(all_of_them.copies.owner) == 9 * 4000
    found, wanted = few.diagram(weights), all_of_them.diagram(weights)
    assert len(few.copies.owner) < 1.6 * 4000
    np.testing.assert_allclose(found.masses, wanted.masses, rtol=1e-14)
    assert found.facets.sites.tolist() == wanted.facets.sites.tolist()
    np.testing.assert_allclose(found.facets.measures, wanted.facets.measures, atol=1e-15)


# ---- closed forms ----


def test_one_site_anywhere():
    for site in ([0.3, 0.7], [0.0, 0.0], [7.25, -3.5]):
        diagram = PowerDiagram([site], source=TORUS)
        assert diagram.masses.tolist() == [1.0]
        assert diagram.costs[0] == pytest.approx(1 / 6, rel=1e-15)
        np.testing.assert_allclose(diagram.centroids[0], site, atol=1e-15)
        assert len(diagram.facets) == 0
        assert diagram.cells.labels.tolist() == [0, 0, 0, 0]


def test_two_sites_share_two_facets():
    diagram = PowerDiagram([(0.25, 0.5), (0.75, 0.5)], source=TORUS)
    assert diagram.masses.tolist() == [0.5, 0.5]
    assert diagram.costs.sum() == pytest.approx(5 / 48, rel=1e-15)
    assert diagram.facets.sites.tolist() == [[0, 1], [0, 1]]
    assert sorted(diagram.facets.shifts.tolist()) == [[-1.0, 0.0], [0.0, 0.0]]
    assert diagram.facets.distances.tolist() == [0.5, 0.5]
    # conductance 2: two facets of length 1 between sites 1/2 apart
    assert (diagram.hessian().toarray() / 2).tolist() == [[2.0, -2.0], [-2.0, 2.0]]


@pytest.mark.parametrize("n", [1, 2, 5, 10])
def test_lattice(n):
    grid = (np.stack(np.meshgrid(*2 * [np.arange(n)]), -1).reshape(-1, 2) + 0.5) / n
    diagram = PowerDiagram(grid, source=TORUS)
    np.testing.assert_allclose(diagram.masses, 1 / n**2, rtol=1e-13)
    assert diagram.costs.sum() == pytest.approx(1 / (6 * n * n), rel=1e-14)
    if n > 2:
        assert len(diagram.facets) == 2 * n * n


@pytest.mark.parametrize(
    ("n", "cost"), [(3, 0.077141950418), (30, 0.014822624637), (1000, 0.000686466640)]
)
def test_known_costs_of_random_sites(n, cost):
    solution = solve(rng(0).random((n, 2)), source=TORUS)
    assert solution.converged
    assert solution.cost == pytest.approx(cost, abs=5e-13)
    low, high = solution.bracket
    assert low <= solution.cost <= high
    assert high - low <= 1e-8 * cost


# ---- invariants ----


def test_hessian_is_the_derivative_of_the_masses():
    sites, weights = rng(1).random((30, 2)), 0.01 * rng(2).random(30)
    hessian = PowerDiagram(sites, weights, TORUS).hessian().toarray() / 2
    differences = mass_differences(sites, weights, TORUS)
    np.testing.assert_allclose(differences, hessian, atol=1e-8 * np.abs(hessian).max())


@pytest.mark.parametrize("source", BOXES, ids=repr)
def test_whole_periods_change_nothing_but_places(source):
    sites = source.sample(50, random_state=3)
    weights = 0.01 * rng(4).random(50)
    turns = np.where(source.periodic, rng(5).integers(-3, 4, (50, 2)), 0)
    moves = turns * (source.upper - source.lower)
    first = PowerDiagram(sites, weights, source)
    second = PowerDiagram(sites + moves, weights, source)
    np.testing.assert_allclose(second.masses, first.masses, rtol=1e-9)
    np.testing.assert_allclose(second.costs, first.costs, rtol=1e-9)
    np.testing.assert_allclose(second.centroids - moves, first.centroids, atol=1e-11)
    np.testing.assert_allclose(second.facets.distances, first.facets.distances, rtol=1e-9)
    for i in range(50):
        np.testing.assert_allclose(second.cells[i] - moves[i], first.cells[i], atol=1e-10)
    points = source.sample(300, random_state=6)
    away = points + np.where(source.periodic, source.upper - source.lower, 0.0)
    assert (second.locate(away) == first.locate(points)).all()


def test_translations_of_all_sites_change_no_mass():
    sites, weights = rng(7).random((200, 2)), 0.002 * rng(8).random(200)
    first = PowerDiagram(sites, weights, TORUS)
    second = PowerDiagram(sites + [0.3, -0.6], weights, TORUS)
    np.testing.assert_allclose(second.masses, first.masses, rtol=1e-10, atol=1e-16)
    assert len(second.facets) == len(first.facets)
    assert len(first.triangulation) == 2 * np.count_nonzero(~first.empty)


def test_cells_lie_around_their_sites_and_fill_the_box():
    diagram = PowerDiagram(rng(9).random((100, 2)), 0.02 * rng(1).random(100), TORUS)
    areas = np.zeros(100)
    for i in np.flatnonzero(~diagram.empty):
        x, y = diagram.cells[i].T
        areas[i] = 0.5 * np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)
        assert (np.abs(diagram.cells[i] - diagram.sites[i]) <= 0.5 + 1e-12).all()
    np.testing.assert_allclose(areas, diagram.masses, atol=1e-15)
    assert (diagram.cells.vertices < 0.0).any()


def test_locate_finds_the_nearest_copy():
    sites, weights = rng(10).random((60, 2)), 0.02 * rng(11).random(60)
    points = 4.0 * rng(12).random((500, 2)) - 2.0
    copies = np.array(list(itertools.product(range(-4, 5), repeat=2)))
    gaps = points[:, None, None] - sites[:, None] - copies
    powers = (gaps**2).sum(axis=3).min(axis=2) - weights
    assert (PowerDiagram(sites, weights, TORUS).locate(points) == powers.argmin(axis=1)).all()


def test_one_giant_weight_needs_all_copies():
    sites, weights = rng(13).random((40, 2)), np.zeros(40)
    weights[0] = 0.3
    diagram = PowerDiagram(sites, weights, TORUS)
    masses = oracle(sites, weights, TORUS)[0]
    np.testing.assert_allclose(diagram.masses, masses, atol=1e-14)


def test_weights_in_turn_keep_the_copies_that_are_needed():
    sites = rng(14).random((300, 2))
    together = TorusSites(sites, TORUS)
    for scale in (0.0, 0.3, 0.01, 0.0):
        weights = scale * rng(15).random(300) ** 8
        alone = PowerDiagram(sites, weights, TORUS)
        found = together.diagram(weights)
        np.testing.assert_allclose(found.masses, alone.masses, atol=1e-15)
        assert found.facets.sites.tolist() == alone.facets.sites.tolist()


def test_sites_without_an_interior_at_the_seam():
    # the weight of the third makes its cell the segment between those of the first two
    sites = [(0.25, 0.5), (0.75, 0.5), (0.0, 0.5)]
    weights = [0.0, 0.0, -0.0625]
    diagram = PowerDiagram(sites, weights, TORUS)
    assert diagram.empty.tolist() == [False, False, True]
    assert diagram.facets.sites.tolist() == [[0, 1], [0, 1]]
    np.testing.assert_allclose(diagram.facets.measures, 1.0)


# ---- solves ----


@pytest.mark.parametrize("source", BOXES, ids=repr)
def test_solves_meet_their_masses(source):
    sites = source.sample(150, random_state=16)
    nu = rng(17).exponential(size=150)
    solution = solve(sites, nu / nu.sum(), source)
    assert solution.converged
    masses = PowerDiagram(sites, solution.weights_exact, source).masses
    np.testing.assert_allclose(masses, solution.target_masses, rtol=2e-9)
    assert solution.bracket[1] - solution.bracket[0] <= 1e-7 * solution.cost


def test_sites_outside_a_cylinder():
    box = UniformBox([0.0, 0.0], [1.0, 1.0], periodic=(True, False))
    sites = rng(18).random((60, 2)) * [5.0, 1.0] + [0.0, 20.0]
    assert solve(sites, source=box).converged


def test_clusters_on_a_torus():
    centres = rng(19).random((5, 2))
    sites = np.concatenate(
        [c + 1e-3 * rng(k).standard_normal((40, 2)) for k, c in enumerate(centres)]
    )
    assert solve(sites, source=TORUS).converged


def test_sites_that_coincide_modulo_the_periods():
    sites = [(0.25, 0.5), (1.25, -0.5), (0.75, 0.5)]
    solution = solve(sites, [0.2, 0.3, 0.5], TORUS)
    np.testing.assert_allclose(solution.masses, [0.2, 0.3, 0.5], rtol=1e-12)
    assert solution.rounded_mass_error <= 1e-9
    assert solution.weights[0] == solution.weights[1]


def test_sites_without_mass():
    sites = rng(20).random((30, 2))
    nu = np.where(np.arange(30) < 5, 0.0, 1.0 / 25)
    solution = solve(sites, nu, TORUS)
    assert solution.converged
    assert solution.diagram().empty.tolist() == (nu == 0.0).tolist()


def test_the_bracket_holds_away_from_the_solution():
    sites = rng(21).random((20, 2))
    cost = solve(sites, source=TORUS).cost
    with pytest.warns(geomot.errors.ConvergenceWarning):
        rough = solve(sites, source=TORUS, max_iter=1)
    assert rough.bracket[0] <= cost <= rough.bracket[1]


def test_transform_takes_the_nearest_copy():
    brenier = BrenierMap(TORUS).fit([(0.1, 0.5), (0.6, 0.5)])
    points = np.array([(0.95, 0.4), (0.05, 0.6), (0.4, 0.5)])
    np.testing.assert_allclose(brenier.transform(points), [(1.1, 0.5), (0.1, 0.5), (0.6, 0.5)])
    assert (np.abs(brenier.transform(points) - points) <= 0.5).all()
    phi = brenier.kantorovich_potential(points)
    nearest = ((points - brenier.transform(points)) ** 2).sum(axis=1)
    np.testing.assert_allclose(phi, nearest - brenier.weights_[brenier.predict(points)])
    np.testing.assert_allclose(brenier.kantorovich_potential(points + [1.0, -2.0]), phi)


def test_files_and_pickles(tmp_path):
    solution = solve(rng(22).random((20, 2)), source=BOXES[2])
    solution.save(tmp_path / "map.npz")
    loaded = geomot.load(tmp_path / "map.npz")
    assert loaded == solution
    assert loaded.source.periodic.tolist() == [True, False]
    diagram = solution.diagram()
    assert pickle.loads(pickle.dumps(diagram)) == diagram
    assert (pickle.loads(pickle.dumps(diagram)).facets.shifts == diagram.facets.shifts).all()


def test_gradient_of_the_cost():
    torch = pytest.importorskip("torch")
    from geomot.losses import wasserstein2

    sites = torch.tensor(rng(23).random((12, 2)), requires_grad=True)
    loss = wasserstein2(sites, source=TORUS, tol=1e-11)
    loss.backward()
    for i, k in [(0, 0), (5, 1)]:
        costs = []
        for h in (1e-5, -1e-5):
            moved = sites.detach().numpy().copy()
            moved[i, k] += h
            costs.append(solve(moved, source=TORUS, tol=1e-11).cost)
        assert sites.grad[i, k] == pytest.approx((costs[0] - costs[1]) / 2e-5, rel=1e-5)


def test_refusals():
    with pytest.raises(ValueError, match="periodic must be a bool or 2 bools"):
        UniformBox([0, 0], [1, 1], periodic="yes")
    with pytest.raises(ValueError, match="periodic must be a bool or 2 bools"):
        UniformBox([0, 0], [1, 1], periodic=(True, False, True))
    with pytest.raises(ValueError, match="periodic must be False except in 2 or 3 dimensions"):
        UniformBox([0], [1], periodic=True)
    sites = rng(24).random((10, 2))
    with pytest.raises(ValueError, match="must not be periodic for method montecarlo"):
        solve(sites, source=TORUS, method="montecarlo")
    with pytest.raises(ValueError, match="must not be periodic for extended maps"):
        BrenierMap(TORUS).fit(sites).extended()
    with pytest.raises(ValueError, match="must not be periodic for couplings"):
        geomot.coupling.SemiDiscreteCoupling(TORUS).fit(sites)
    with pytest.raises(ValueError, match="must not be periodic in a Mixture"):
        geomot.Mixture([TORUS, UniformBox.unit(2)])


def test_quantisation_ends_where_sites_are_centroids():
    found = geomot.quantize(TORUS, 12, random_state=0)
    diagram = PowerDiagram(found.points, source=TORUS)
    np.testing.assert_allclose(diagram.centroids, found.points, atol=1e-3)
    # on the torus no lattice of 12 squares is as good
    assert diagram.costs.sum() < 1 / (6 * 12)
