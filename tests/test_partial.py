"""Partial transport: closed forms, quadrature, differences, and what it refuses."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from checks import mass_differences

import geomot
from geomot import PowerDiagram, UniformBox, UniformPolygon, solve
from geomot._balls import nearest_inside

pytestmark = pytest.mark.filterwarnings("error")
rng = np.random.default_rng
SQUARE = UniformBox.unit(2)
HOLED = UniformPolygon(
    [(0, 0), (3, 0), (3, 2), (2, 2), (2, 1.5), (0, 1.5)],
    holes=[[(0.5, 0.5), (1.1, 0.4), (1.0, 0.9)], [(2.0, 0.7), (2.4, 0.7), (2.2, 1.2)]],
)
BOXES = [
    SQUARE,
    UniformBox([1e3, -2.0], [1e3 + 4.0, 1.0]),
    UniformPolygon([(0, 0), (3, 0.5), (2, 2), (0.2, 1.5)]),
]


def square_side(source):
    return float(np.sqrt(source.area))


# ---- closed forms ----


@pytest.mark.parametrize("mass", [0.1, 0.3, 0.7])
def test_one_disk_in_the_middle(mass):
    solution = solve([(0.5, 0.5)], [mass], partial=True, tol=1e-13)
    assert solution.converged
    assert solution.weights[0] == pytest.approx(mass / np.pi, rel=1e-12)
    assert solution.cost == pytest.approx(mass**2 / (2 * np.pi), rel=1e-13)
    low, high = solution.bracket
    assert low <= solution.cost <= high
    assert high - low <= 1e-12
    diagram = solution.diagram()
    assert diagram.hessian().toarray()[0, 0] / 2 == pytest.approx(np.pi, rel=1e-12)
    assert diagram.kantorovich([mass]) == pytest.approx(solution.cost, rel=1e-12)


@pytest.mark.parametrize("mass", [0.05, 0.5, 0.75])
def test_a_quarter_of_a_disk_in_a_corner(mass):
    solution = solve([(0.0, 0.0)], [mass], partial=True, tol=1e-13)
    assert solution.weights[0] == pytest.approx(4 * mass / np.pi, rel=1e-12)
    assert solution.cost == pytest.approx(2 * mass**2 / np.pi, rel=1e-12)
    assert solution.diagram().hessian()[0, 0] / 2 == pytest.approx(np.pi / 4, rel=1e-12)


def test_two_disks_with_a_common_chord():
    r, h = 0.2, 0.1
    diagram = PowerDiagram([(0.4, 0.5), (0.6, 0.5)], [r * r, r * r], partial=True)
    half = np.pi * r**2 - (r**2 * np.arccos(h / r) - h * np.sqrt(r**2 - h**2))
    np.testing.assert_allclose(diagram.masses, half, rtol=1e-14)
    assert half == pytest.approx(0.101096312171417, rel=1e-14)
    np.testing.assert_allclose(diagram.facets.measures, 2 * np.sqrt(0.03), rtol=1e-14)
    np.testing.assert_allclose(diagram.arcs / r, 2 * np.pi - 2 * np.arccos(0.5), rtol=1e-14)


def test_disks_apart_are_the_solution_at_once():
    sites = [(0.25, 0.25), (0.75, 0.25), (0.5, 0.75)]
    solution = solve(sites, [0.01, 0.01, 0.01], partial=True)
    assert solution.n_iter == 0
    np.testing.assert_allclose(solution.weights, 0.01 / np.pi, rtol=1e-14)


def test_all_balls_cover_the_domain():
    sites, weights = rng(0).random((30, 2)), 0.01 * rng(1).random(30)
    whole = PowerDiagram(sites, weights, SQUARE)
    covered = PowerDiagram(sites, weights + 3.0, SQUARE, partial=True)
    np.testing.assert_allclose(covered.masses, whole.masses, rtol=1e-12)
    np.testing.assert_allclose(covered.costs, whole.costs, rtol=1e-12)
    assert not covered.arcs.any()
    assert covered.facets.sites.tolist() == whole.facets.sites.tolist()


def test_balls_of_no_radius():
    diagram = PowerDiagram([(0.2, 0.2), (0.7, 0.7)], [0.0, 0.01], partial=True)
    assert diagram.masses[0] == 0.0
    assert diagram.empty.tolist() == [True, False]
    assert np.isnan(diagram.centroids[0]).all()
    assert PowerDiagram([(0.2, 0.2)], [-1.0], partial=True).masses.tolist() == [0.0]


# ---- oracles ----


def quadrature(sites, weights, source, n=700):
    """Masses, first moments and costs by the midpoint rule."""
    low, high = source.bounds
    axes = [
        np.linspace(a, b, n, endpoint=False) + (b - a) / (2 * n)
        for a, b in zip(low, high, strict=True)
    ]
    points = np.stack(np.meshgrid(*axes), -1).reshape(-1, 2)
    inside = (nearest_inside(points, source.domain.parts) == points).all(axis=1)
    points = points[inside]
    squares = np.stack([((points - y) ** 2).sum(axis=1) for y in sites], axis=1)
    powers = squares - weights
    best = powers.argmin(axis=1)
    taken = powers[np.arange(len(points)), best] < 0.0
    weight = np.prod((high - low) / n) / source.area
    masses = np.bincount(best[taken], minlength=len(sites)) * weight
    costs = np.bincount(best[taken], squares[np.arange(len(points)), best][taken], len(sites))
    return masses, costs * weight


@pytest.mark.parametrize("source", BOXES, ids=repr)
def test_masses_and_costs_are_those_of_quadrature(source):
    side = square_side(source)
    sites = source.bounds[0] + rng(2).random((12, 2)) * np.ptp(source.bounds, axis=0)
    weights = (0.25 * side * rng(3).random(12)) ** 2
    diagram = PowerDiagram(sites, weights, source, partial=True)
    masses, costs = quadrature(sites, weights, source)
    np.testing.assert_allclose(diagram.masses, masses, atol=1e-4)
    np.testing.assert_allclose(diagram.costs, costs, atol=1e-4 * side**2)


def test_masses_in_multiple_precision():
    mp = pytest.importorskip("mpmath")
    # a corner of the square, and a neighbour whose bisector cuts the disk
    r2, x, y, other = 0.09, 0.12, 0.17, (0.42, 0.23)
    with mp.workdps(30):
        radius = mp.sqrt(mp.mpf(r2))

        def height(t):
            root = mp.sqrt(mp.mpf(r2) - (t - mp.mpf(x)) ** 2)
            low, high = max(mp.mpf(y) - root, mp.mpf(0)), mp.mpf(y) + root
            # equal weights: the side of the first site
            dx, dy = mp.mpf(other[0]) - mp.mpf(x), mp.mpf(other[1]) - mp.mpf(y)
            middle = dx * (mp.mpf(other[0]) + x) / 2 + dy * (mp.mpf(other[1]) + y) / 2
            high = min(high, (middle - dx * t) / dy)
            return max(high - low, mp.mpf(0))

        # where the circle meets the axes, and the bisector
        dx, dy = mp.mpf(other[0]) - mp.mpf(x), mp.mpf(other[1]) - mp.mpf(y)
        far = mp.sqrt(dx * dx + dy * dy)
        chord = mp.sqrt(mp.mpf(r2) - far * far / 4)
        kinks = [mp.mpf(x) + dx / 2 + sign * chord * dy / far for sign in (-1, 1)]
        kinks.append(mp.mpf(x) + mp.sqrt(mp.mpf(r2) - mp.mpf(y) ** 2))
        kinks.append((dx * (mp.mpf(other[0]) + x) + dy * (mp.mpf(other[1]) + y)) / (2 * dx))
        ends = [mp.mpf(0), *sorted(k for k in kinks if k > 0), mp.mpf(x) + radius]
        exact = mp.quad(height, ends)
    diagram = PowerDiagram([(x, y), other], [r2, r2], partial=True)
    assert diagram.masses[0] == pytest.approx(float(exact), rel=1e-13)


def test_hessian_is_the_derivative_of_the_masses():
    sites, weights = rng(4).random((30, 2)), 0.01 + 0.01 * rng(5).random(30)
    diagram = PowerDiagram(sites, weights, partial=True)
    hessian = diagram.hessian().toarray() / 2
    assert np.linalg.eigvalsh(hessian).min() > 0.0
    differences = mass_differences(sites, weights, partial=True)
    np.testing.assert_allclose(differences, hessian, atol=2e-6)


def test_cells_are_polygons_with_short_chords():
    sites, weights = rng(6).random((25, 2)), 0.03 * rng(7).random(25)
    diagram = PowerDiagram(sites, weights, partial=True)
    for i in range(25):
        x, y = diagram.cells[i].T
        area = 0.5 * np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)
        assert area == pytest.approx(diagram.masses[i], rel=2e-3, abs=1e-12)
        assert (np.hypot(*(diagram.cells[i] - sites[i]).T) <= np.sqrt(weights[i]) + 1e-9).all()


def test_units_change_no_bit():
    sites, weights = rng(8).random((40, 2)), 0.02 * rng(9).random(40)
    first = PowerDiagram(sites, weights, SQUARE, partial=True)
    box = UniformBox([0.0, 0.0], [2.0**20, 2.0**20])
    second = PowerDiagram(sites * 2.0**20, weights * 2.0**40, box, partial=True)
    assert first.masses.tolist() == second.masses.tolist()
    assert (first.arcs / 2.0**20).tolist() == second.arcs.tolist()


# ---- polygons that are not convex ----


def share_of_disk(source, site, radius):
    """Mass and first moments in a disk, by Green's theorem around each ring."""
    total = np.zeros(3)
    for ring in [*source.rings, *source.holes]:
        # each side seen from the site: triangles where it is inside, sectors where it is not
        total += sum(
            _fan(a, b, radius)
            for a, b in zip(ring - site, np.roll(ring, -1, axis=0) - site, strict=True)
        )
    return total[0] / source.area, total[1:] / source.area


def _fan(a, b, r):
    """Area and first moments of the triangle (0, a, b) in the disk about 0, with their sign."""
    step = b - a
    square, half, rest = step @ step, a @ step, a @ a - r * r
    root = half * half - square * rest
    cuts = [0.0, 1.0]
    if root > 0.0:
        cuts += [t for t in ((-half + s * np.sqrt(root)) / square for s in (-1, 1)) if 0 < t < 1]
    total = np.zeros(3)
    cuts.sort()
    for s, t in zip(cuts, cuts[1:], strict=False):
        p, q, middle = a + s * step, a + t * step, a + 0.5 * (s + t) * step
        cross = p[0] * q[1] - p[1] * q[0]
        if middle @ middle < r * r:
            total += np.append(0.5 * cross, cross * (p + q) / 6.0)
        else:
            angle = np.arctan2(cross, p @ q)
            u, v = p / np.hypot(*p), q / np.hypot(*q)
            turn = np.array([v[1] - u[1], u[0] - v[0]])
            total += np.append(0.5 * r * r * angle, r**3 / 3.0 * turn)
    return total


@pytest.mark.parametrize("radius", [0.05, 0.3, 0.7, 1.2, 2.5, 9.0])
def test_one_disk_in_a_polygon_with_holes(radius):
    for site in rng(20).random((8, 2)) * [3.4, 2.4] - 0.2:
        diagram = PowerDiagram([site], [radius**2], HOLED, partial=True)
        mass, moment = share_of_disk(HOLED, site, radius)
        assert diagram.masses[0] == pytest.approx(mass, rel=1e-12, abs=1e-15)
        if mass > 1e-12:
            np.testing.assert_allclose((diagram.centroids[0] - site) * mass, moment, atol=1e-14)
        h = 1e-6
        more, less = (share_of_disk(HOLED, site, radius + d)[0] for d in (h, -h))
        np.testing.assert_allclose(diagram.arcs, (more - less) / (2 * h), atol=1e-8)


def test_a_polygon_cut_up_is_the_polygon():
    # the halves of a square, and a notch that makes the hull larger than the polygon
    square = UniformPolygon([(0, 0), (1, 0), (1, 1), (0, 1)])
    notched = UniformPolygon([(0, 0), (2, 0), (2, 1), (1, 1), (1, 3), (0, 3)])
    sites, weights = rng(21).random((30, 2)), 0.01 * rng(22).random(30)
    sites[:, 1] = 0.2 + 0.6 * sites[:, 1]
    sites[:, 0] = 0.2 + 0.6 * sites[:, 0]
    whole = PowerDiagram(sites, weights, square, partial=True)
    part = PowerDiagram(sites, weights, notched, partial=True)
    np.testing.assert_allclose(part.masses * 4.0, whole.masses, rtol=1e-12)
    np.testing.assert_allclose(part.costs * 4.0, whole.costs, rtol=1e-12)
    np.testing.assert_allclose(part.arcs * 4.0, whole.arcs, rtol=1e-12)
    np.testing.assert_allclose(part.centroids, whole.centroids, rtol=1e-12)
    assert part.facets.sites.tolist() == whole.facets.sites.tolist()
    np.testing.assert_allclose(part.facets.measures * 4.0, whole.facets.measures, rtol=1e-12)


def test_masses_on_a_polygon_with_holes_are_those_of_quadrature():
    sites = rng(23).random((25, 2)) * [3.2, 2.2] - 0.1
    weights = 0.15 * rng(24).random(25)
    diagram = PowerDiagram(sites, weights, HOLED, partial=True)
    masses, costs = quadrature(sites, weights, HOLED)
    np.testing.assert_allclose(diagram.masses, masses, atol=1e-4)
    np.testing.assert_allclose(diagram.costs, costs, atol=1e-4)
    for i in range(25):
        x = sum(_area(p) for p in diagram.cells[i])
        assert x == pytest.approx(diagram.masses[i] * HOLED.area, rel=3e-3, abs=1e-12)
        outlined = sum(_area(p) for p in diagram.cells.outlines(i))
        assert outlined == pytest.approx(x, abs=1e-14)


def _area(polygon):
    x, y = polygon.T
    return 0.5 * float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))


def test_hessian_on_a_polygon_with_holes():
    sites, weights = rng(25).random((25, 2)) * [3, 2], 0.05 + 0.1 * rng(26).random(25)
    diagram = PowerDiagram(sites, weights, HOLED, partial=True)
    differences = mass_differences(sites, weights, HOLED, partial=True)
    np.testing.assert_allclose(differences, diagram.hessian().toarray() / 2, atol=1e-7)


def test_balls_that_cover_a_polygon_with_holes():
    sites, weights = rng(27).random((30, 2)) * [3, 2], 0.01 * rng(28).random(30)
    whole = PowerDiagram(sites, weights, HOLED)
    covered = PowerDiagram(sites, weights + 20.0, HOLED, partial=True)
    np.testing.assert_allclose(covered.masses, whole.masses, rtol=1e-12)
    assert covered.masses.sum() == pytest.approx(1.0, rel=1e-13)
    assert not covered.arcs.any()


@pytest.mark.parametrize("total", [0.1, 0.6, 0.95, 0.999])
def test_solves_on_a_polygon_with_holes(total):
    sites = rng(29).random((150, 2)) * [3.4, 2.4] - 0.2
    nu = 0.3 + rng(30).random(150)
    solution = solve(sites, total * nu / nu.sum(), HOLED, partial=True)
    assert solution.converged
    masses = PowerDiagram(sites, solution.weights_exact, HOLED, partial=True).masses
    np.testing.assert_allclose(masses, solution.target_masses, rtol=2e-9)
    assert solution.bracket[0] <= solution.cost <= solution.bracket[1]
    again = solve(sites, 0.99 * solution.target_masses, HOLED, partial=True,
                  initial_weights=solution)  # fmt: skip
    assert again.converged
    assert again.cost < solution.cost


# ---- solves ----


@pytest.mark.parametrize("total", [0.1, 0.5, 0.9, 0.99, 0.999])
def test_solves_of_random_sites(total):
    sites = rng(10).random((300, 2))
    solution = solve(sites, np.full(300, total / 300), partial=True)
    assert solution.converged
    diagram = PowerDiagram(sites, solution.weights_exact, partial=True)
    np.testing.assert_allclose(diagram.masses, total / 300, rtol=1e-9)
    assert diagram.masses.sum() == pytest.approx(total, rel=1e-9)
    assert solution.weights.min() > 0.0
    assert solution.bracket[0] <= solution.cost <= solution.bracket[1]
    assert np.ptp(solution.bracket) <= 1e-6 * solution.cost


@pytest.mark.parametrize("source", BOXES, ids=repr)
@pytest.mark.parametrize("total", [0.2, 0.8])
def test_unequal_masses_and_sites_outside(source, total):
    extent = np.ptp(source.bounds, axis=0)
    sites = source.bounds[0] + (1.4 * rng(11).random((80, 2)) - 0.2) * extent
    nu = rng(12).exponential(size=80)
    solution = solve(sites, total * nu / nu.sum(), source, partial=True)
    assert solution.converged
    masses = PowerDiagram(sites, solution.weights_exact, source, partial=True).masses
    np.testing.assert_allclose(masses, solution.target_masses, rtol=2e-9)


@pytest.mark.parametrize(("n", "seed", "total"), [(6, 61, 0.5), (8, 106, 0.5), (12, 21, 0.1)])
def test_light_sites_far_away_and_close_together(n, seed, total):
    """Newton's steps alone crawl: the solution is reached from one in which less stays."""
    r = rng([seed, n])
    sites = 0.5 + 1e-3 * r.random((n, 2))
    masses = total * r.dirichlet(np.full(n, 0.3))
    if seed % 2:
        sites = 10 * r.normal(size=(n, 2))
    solution = solve(sites, masses, SQUARE, partial=True)
    assert solution.converged
    again = PowerDiagram(sites, solution.weights_exact, SQUARE, partial=True).masses
    np.testing.assert_allclose(again, masses, rtol=1e-9)
    assert len(solution.history.dual) == solution.n_iter + 1


def test_few_steps_are_few_in_all():
    r = rng([61, 6])
    r.random((6, 2))
    masses = 0.5 * r.dirichlet(np.full(6, 0.3))
    sites = 10 * r.normal(size=(6, 2))
    with pytest.warns(geomot.ConvergenceWarning):
        assert solve(sites, masses, SQUARE, partial=True, max_iter=7).n_iter == 7


def test_coincident_sites_and_sites_without_mass():
    sites = [(0.3, 0.3), (0.3, 0.3), (0.7, 0.6), (0.72, 0.6)]
    solution = solve(sites, [0.1, 0.2, 0.3, 0.0], partial=True)
    np.testing.assert_allclose(solution.masses, [0.1, 0.2, 0.3, 0.0], rtol=1e-8)
    assert solution.weights[0] == solution.weights[1]
    assert solution.diagram().empty.tolist() == [False, True, False, True]


def test_the_total_that_is_cheapest_is_nearest():
    sites = rng(13).random((20, 2))
    costs = [solve(sites, np.full(20, t / 20), partial=True).cost for t in (0.3, 0.6, 0.9)]
    assert costs[0] < costs[1] < costs[2] < solve(sites).cost


def test_the_bracket_holds_away_from_the_solution():
    sites, nu = rng(14).random((40, 2)), np.full(40, 0.9 / 40)
    cost = solve(sites, nu, partial=True).cost
    with pytest.warns(geomot.errors.ConvergenceWarning):
        rough = solve(sites, nu, partial=True, max_iter=1)
    assert rough.bracket[0] <= cost <= rough.bracket[1]
    again = solve(sites, nu, partial=True, initial_weights=rough)
    assert again.cost == pytest.approx(cost, rel=1e-9)


# ---- what stays, files, refusals ----


def test_what_stays_can_be_sampled():
    sites = rng(15).random((10, 2))
    solution = solve(sites, np.full(10, 0.06), partial=True)
    rest = solution.remainder
    assert rest.mass == pytest.approx(0.4, rel=1e-8)
    points = rest.sample(20_000, random_state=0)
    assert points.shape == (20_000, 2)
    assert (solution.assign(points) == -1).all()
    np.testing.assert_allclose(points.mean(axis=0), rest.mean, atol=0.02)
    everywhere = SQUARE.sample(20_000, random_state=1)
    labels = solution.assign(everywhere)
    assert np.mean(labels < 0) == pytest.approx(0.4, abs=0.02)
    taken = labels >= 0
    gaps = ((everywhere[taken] - sites[labels[taken]]) ** 2).sum(axis=1)
    assert (gaps <= solution.weights[labels[taken]]).all()
    assert rest.sample(0).shape == (0, 2)
    with pytest.raises(TypeError, match="cannot be saved"):
        rest.to_dict()


def test_files_and_pickles(tmp_path):
    solution = solve(rng(16).random((15, 2)), np.full(15, 0.04), partial=True)
    solution.save(tmp_path / "partial.npz")
    loaded = geomot.load(tmp_path / "partial.npz")
    assert loaded == solution
    assert loaded.partial
    diagram = pickle.loads(pickle.dumps(solution.diagram()))
    assert diagram.arcs.tolist() == solution.diagram().arcs.tolist()
    assert "0.6 of the source is moved, 0.4 stays" in solution.report()


def test_refusals():
    sites = [(0.3, 0.3), (0.6, 0.6)]
    torus = UniformBox([0, 0], [1, 1], periodic=True)
    for source in (torus, geomot.Gaussian([0, 0], 1.0), geomot.GridDensity([[1, 2]])):
        with pytest.raises(ValueError, match="must be uniform on a polygon in the plane"):
            solve(sites, [0.2, 0.3], source, partial=True)
        with pytest.raises(ValueError, match="must be uniform on a polygon in the plane"):
            PowerDiagram(sites, [0.2, 0.3], source, partial=True)
    with pytest.raises(ValueError, match="must be uniform on a polygon in the plane"):
        solve([(0.5,) * 3], [0.2], partial=True)
    for masses in ([0.5, 0.5], [0.7, 0.6], [0.0, 0.0]):
        with pytest.raises(ValueError, match="sum between 0 and 1 for partial transport"):
            solve(sites, masses, partial=True)
    with pytest.raises(ValueError, match="target_masses must be given for partial transport"):
        solve(sites, partial=True)
    with pytest.raises(ValueError, match="normalize must be False"):
        solve(sites, [0.2, 0.3], partial=True, normalize=True)
    with pytest.raises(ValueError, match='method must be "auto" or "newton"'):
        solve(sites, [0.2, 0.3], partial=True, method="montecarlo")
    with pytest.raises(ValueError, match="must sum to 1"):
        solve(sites, [0.2, 0.3])
    with pytest.raises(ValueError, match="remainder is defined for partial transport"):
        _ = solve(sites).remainder
    with pytest.raises(ValueError, match="must not be of partial transport for extended maps"):
        geomot.extended.ExtendedMap(solve(sites, [0.2, 0.3], partial=True))


# ---- sites on grids, whose cells have corners that coincide ----


CHIMNEY = UniformPolygon(
    [(0, 0), (1, 0), (1, 1), (0.6, 1), (0.6, 1.5), (0.3, 1.5), (0.3, 1), (0, 1)]
)


@pytest.mark.parametrize("source", [SQUARE, CHIMNEY])
@pytest.mark.parametrize("n", [3, 8, 20])
def test_balls_that_do_not_touch(n, source):
    radius = 0.25 / (n - 1)
    places = np.linspace(radius, 0.5 + radius, n)
    sites = np.stack(np.meshgrid(places, places), axis=-1).reshape(-1, 2)
    weight = 0.9 * radius**2
    diagram = PowerDiagram(sites, np.full(n * n, weight), source, partial=True)
    share = np.pi * weight / source.area
    np.testing.assert_allclose(diagram.masses, share, rtol=1e-12)
    np.testing.assert_allclose(diagram.costs, 0.5 * weight * share, rtol=1e-11)
    np.testing.assert_allclose(diagram.centroids, sites, rtol=1e-12)
    solution = solve(sites, np.full(n * n, share), source, partial=True)
    np.testing.assert_allclose(solution.weights, weight, rtol=1e-8)
    assert solution.n_iter <= 6
    for cell in diagram.cells[:5]:
        polygons = cell if isinstance(cell, list) else [cell]
        area = sum(UniformPolygon(polygon).area for polygon in polygons)
        assert area / source.area == pytest.approx(share, rel=2e-3)
