"""Exact solves under normal densities."""

from __future__ import annotations

import math

import numpy as np
import pytest

import geomot
from geomot import Gaussian

NORMAL = Gaussian([0.0, 0.0], 1.0)
TURNED = Gaussian([3.0, -1.0], [[2.0, 0.9], [0.9, 0.5]])


def clustered(rng, n, width):
    return rng.random((10, 2))[rng.integers(10, size=n)] + width * rng.standard_normal((n, 2))


SITES = {
    "normal": lambda rng, n: rng.standard_normal((n, 2)),
    "uniform": lambda rng, n: rng.random((n, 2)),
    "clusters": lambda rng, n: clustered(rng, n, 1e-2),
    "tight clusters": lambda rng, n: clustered(rng, n, 1e-6),
    "far away": lambda rng, n: 1000.0 + 50.0 * rng.random((n, 2)) ** 3,
    "heavy tails": lambda rng, n: rng.standard_cauchy((n, 2)),
    "lattice": lambda rng, n: np.stack(np.divmod(np.arange(n), 20), axis=1).astype(float),
    "line": lambda rng, n: np.outer(rng.random(n), [1.0, 0.7]),
}
MASSES = {
    "equal": lambda rng, n: np.full(n, 1.0 / n),
    "six decades": lambda rng, n: 10.0 ** (-6.0 * rng.random(n)),
}


@pytest.mark.parametrize("masses", MASSES)
@pytest.mark.parametrize("sites", SITES)
@pytest.mark.parametrize("source", [NORMAL, TURNED], ids=["round", "turned"])
def test_solves(source, sites, masses):
    rng = np.random.default_rng(3)
    y, nu = SITES[sites](rng, 300), MASSES[masses](rng, 300)
    nu /= nu.sum()
    solution = geomot.solve(y, nu, source)
    assert solution.method == "newton" and solution.converged
    assert solution.mass_error <= solution.tol == 1e-9
    diagram = geomot.PowerDiagram(y, solution.weights_exact, source)
    np.testing.assert_allclose(diagram.masses, nu, rtol=1e-9)
    low, high = solution.bracket
    assert low <= solution.cost <= high <= low * (1.0 + 1e-7)
    # quadratic convergence after a start that is near
    assert solution.n_iter <= (60 if masses == "six decades" else 20)


def test_closed_forms():
    two = geomot.solve([(-1.0, 0.0), (1.0, 0.0)], source=NORMAL)
    assert two.cost == pytest.approx(3.0 - 2.0 * math.sqrt(2.0 / math.pi), abs=1e-14)
    assert -two.diagram().hessian()[0, 1] / 2.0 == pytest.approx(0.0997355701003582, rel=1e-13)
    a = math.sqrt(2.0 / math.pi)
    four = geomot.solve([(a, a), (-a, a), (-a, -a), (a, -a)], source=NORMAL)
    assert four.cost == pytest.approx(2.0 * (1.0 - 2.0 / math.pi), abs=1e-14)
    sites = np.array([(-1.5, 0.0), (-0.5, 0.0), (0.25, 0.0), (1.25, 0.0)])
    strips = geomot.solve(sites, [0.1, 0.2, 0.3, 0.4], NORMAL)
    assert strips.cost == pytest.approx(1.273529347841195, abs=1e-14)
    assert strips.weights[1] - strips.weights[0] == pytest.approx(0.563103131089201, abs=1e-9)


def test_one_site():
    solution = geomot.solve([(2.0, 1.0)], source=NORMAL)
    assert solution.cost == pytest.approx(7.0, rel=1e-14)
    assert solution.converged


def test_the_same_map_as_by_samples():
    sites = np.random.default_rng(1).standard_normal((50, 2))
    exact = geomot.solve(sites, source=TURNED)
    rough = geomot.solve(sites, source=TURNED, method="montecarlo", tol=0.02, random_state=0)
    assert rough.bracket[0] <= exact.cost <= rough.bracket[1]
    points = TURNED.sample(20_000, 4)
    assert (exact.assign(points) == rough.assign(points)).mean() > 0.95
    shares = np.bincount(exact.assign(points), minlength=50) / 20_000
    assert np.abs(shares - 0.02).max() < 5.0 * math.sqrt(0.02 / 20_000)


def test_affine_maps_change_no_cell():
    """The cells of sites A^-T y under the image of the source by A are images of those of y."""
    sites = np.random.default_rng(2).random((100, 2))
    a = np.array([[1.0, 3.0], [-0.5, 1.0]])
    plain = geomot.solve(sites, source=NORMAL)
    other = geomot.solve(sites @ np.linalg.inv(a), source=Gaussian([0.0, 0.0], a @ a.T))
    np.testing.assert_allclose(
        other.diagram().centroids, plain.diagram().centroids @ a.T, atol=1e-8
    )


def test_twins_and_idle_sites():
    rng = np.random.default_rng(5)
    sites = rng.standard_normal((40, 2))
    sites[1] = sites[0]
    masses = rng.random(40)
    masses[2] = 0.0
    solution = geomot.solve(sites, masses / masses.sum(), NORMAL)
    assert solution.converged
    assert solution.diagram().masses[2] == 0.0


def test_a_solve_goes_on_where_it_stopped():
    sites = clustered(np.random.default_rng(6), 200, 1e-2)
    whole = geomot.solve(sites, source=NORMAL)
    seen = []
    with pytest.warns(geomot.ConvergenceWarning):
        part = geomot.solve(
            sites, source=NORMAL, callback=lambda s: seen.append(s) or len(seen) > 2
        )
    again = geomot.solve(sites, source=NORMAL, initial_weights=part)
    assert again.weights_exact.tobytes() == whole.weights_exact.tobytes()


def test_nothing_depends_on_threads():
    sites = np.random.default_rng(7).random((5000, 2))
    one = geomot.solve(sites, source=TURNED, threads=1)
    two = geomot.solve(sites, source=TURNED, threads=2)
    assert one.weights_exact.tobytes() == two.weights_exact.tobytes()


@pytest.mark.parametrize("exponent", [-60, 60])
def test_units_change_no_step(exponent):
    sites, size = np.random.default_rng(8).random((100, 2)), 2.0**exponent
    plain = geomot.solve(sites, source=NORMAL)
    other = geomot.solve(size * sites, source=Gaussian([0.0, 0.0], size**2))
    assert other.n_iter == plain.n_iter
    assert other.cost == pytest.approx(size**2 * plain.cost, rel=1e-12)


def test_wasserstein_and_the_extended_map():
    sites = np.random.default_rng(9).standard_normal((200, 2))
    brenier = geomot.BrenierMap(NORMAL).fit(sites)
    assert brenier.solution_.converged
    extended = brenier.extended()
    assert extended.rule == "simplicial"
    held = brenier.solution_.centroids
    np.testing.assert_allclose(extended.transform(held), sites, atol=1e-9)
    assert np.isfinite(extended.sample(1000, 0)).all()


def hard_problem(seed):
    """Deviations, places and masses over decades; clusters, lines and far sites."""
    rng = np.random.default_rng([seed, 11])
    n = int(rng.choice([1, 2, 3, 20, 100, 300]))
    a = rng.normal(size=(2, 2)) * 10.0 ** rng.uniform(-2.0, 2.0, 2)
    cov = 10.0 ** rng.uniform(-6.0, 6.0) * (a @ a.T)
    source = Gaussian(rng.normal(size=2) * 10.0 ** rng.uniform(-3.0, 4.0), 0.5 * (cov + cov.T))
    sites = [
        lambda: source.sample(n, rng),
        lambda: 1e-4 * rng.random((n, 2)) + 0.5,
        lambda: rng.standard_cauchy((n, 2)),
        lambda: np.round(12.0 * rng.random((n, 2))) / 12.0,
        lambda: 1e6 + rng.normal(size=(n, 2)),
        lambda: clustered(rng, n, 10.0 ** rng.uniform(-8.0, -1.0)),
        lambda: np.outer(rng.normal(size=n), [1.0, 0.7]),
        lambda: rng.normal(size=(n, 2)) * 10.0 ** rng.uniform(-4.0, 4.0, 2),
    ][int(rng.integers(8))]()
    masses = [
        np.full(n, 1.0 / n),
        rng.dirichlet(np.full(n, 0.3)),
        10.0 ** (-8.0 * rng.random(n)),
    ][int(rng.integers(3))]
    return sites, masses / masses.sum(), source


@pytest.mark.parametrize("seed", range(24))
def test_hard_problems(seed):
    sites, masses, source = hard_problem(seed)
    assert geomot.solve(sites, masses, source).converged
