"""The Monte-Carlo solver: against exact answers, over seeds, sources, shapes and abuses.

In the plane exact diagrams tell the true masses of the weights that it returns. They do the same in
more dimensions for sites that differ in two coordinates only, if the source is a box: see `Flat`.
"""

from __future__ import annotations

import copy
import os
import pickle
import re
import warnings

import numpy as np
import pytest
from checks import validate
from effort import Interruption, needs_timers
from scipy import stats

import geomot
from geomot import Gaussian, GridDensity, PowerDiagram, Samples, UniformBall, UniformBox
from geomot._core import montecarlo as core
from geomot._mass_estimate import sampling_scales, variation_factor
from geomot._sampling.levels import look_samples

BUFFERS = ("sites", "weights_exact", "target_masses", "masses")


class Cube:
    """Uniform on the unit cube, known by its samples only."""

    def __init__(self, dim):
        self.dim = dim

    def sample(self, n, rng):
        return rng.random((n, self.dim))


def solve(sites, target_masses=None, source=None, warned=(), **keywords):
    """A checked solution: what it says holds together, and only what is expected is warned of."""
    arguments = {"method": "montecarlo", "random_state": 0, "threads": 1, **keywords}
    arrays = [a for a in (sites, target_masses, arguments.get("initial_weights"))
              if isinstance(a, np.ndarray)]  # fmt: skip
    before = [a.tobytes() for a in arrays]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        solution = geomot.solve(sites, target_masses, source, **arguments)
    assert [a.tobytes() for a in arrays] == before, "an input was changed"
    said = [w for w in caught if not issubclass(w.category, geomot.ConvergenceWarning)]
    messages = [str(w.message) for w in said]
    assert len(said) == len(warned), messages
    assert all(map(re.search, warned, messages)), messages
    assert len(caught) - len(said) == (0 if solution.converged else 1)
    check(solution)
    return solution


def check(s):
    """The rules of every solution by samples."""
    e, n = s.estimate, len(s.sites)
    validate(s)
    assert s.method == "montecarlo"
    assert (s.weights_exact[:, 1] == 0.0).all()
    assert (s.masses[s.target_masses == 0] == 0).all()
    low, high = e.tv_interval
    assert 0.0 <= low <= e.tv <= high
    assert s.cost == max(s.dual_value, 0.0)
    assert e.cost_standard_error >= 0 and e.map_cost_standard_error >= 0
    assert (e.mass_standard_errors >= 0).all() and e.design_effect >= 0
    assert e.centroids.shape == s.sites.shape
    assert np.isfinite(e.centroids[s.masses > 0]).all()
    assert len(s.history) >= 1
    assert (np.diff(s.history.samples) >= 0).all()
    assert s.history.residual[-1] == pytest.approx(e.tv, rel=1e-12)
    # masses are whole samples
    hits = s.masses[s.target_masses > 0] * e.n_samples
    if len(np.unique(s.sites, axis=0)) == n:
        np.testing.assert_allclose(hits, np.round(hits), atol=1e-6)


def normal(d):
    return Gaussian(np.zeros(d), 1.0)


def z_scores(solution, masses, least=50):
    """Errors of the measured masses in standard errors, where enough samples fell."""
    e = solution.estimate
    many = masses * e.n_samples >= least
    error = solution.masses[many] - masses[many]
    # the spread of 32 streams is itself uncertain: not less than what all sites together say
    known = np.sqrt(e.design_effect * masses[many] * (1.0 - masses[many]) / e.n_samples)
    return error / np.maximum(np.maximum(e.mass_standard_errors[many], known), 1e-12)


class Flat:
    """A problem in d dimensions whose cells are those of one in the plane times an interval."""

    def __init__(self, plane, d=2, masses=None):
        self.plane = plane
        self.sites = np.column_stack([plane, np.full((len(plane), d - 2), 0.5)])
        self.source = UniformBox.unit(d)
        self.masses = masses
        self.offset = (d - 2) / 12.0

    def solve(self, **keywords):
        return solve(self.sites, self.masses, self.source, **keywords)

    def exact(self):
        """W2^2, from Newton's method."""
        return geomot.solve(self.plane, self.masses).cost + self.offset

    def diagram(self, solution):
        """The exact diagram of a solution's weights."""
        return PowerDiagram(self.plane, solution.weights)

    def dual(self, solution):
        d = self.diagram(solution)
        missing = solution.target_masses - d.masses
        return d.costs.sum() + self.offset + float(solution.weights @ missing)


def credible(successes, trials, level):
    """Whether so many successes can be had at a level of at least this."""
    return stats.binom.cdf(successes, trials, level) > 1e-3


# ---- against exact answers ----


@pytest.mark.parametrize("d", [2, 6])
@pytest.mark.parametrize("n", [2, 20, 300])
@pytest.mark.parametrize("equal", [True, False])
def test_masses_are_those_of_the_exact_cells(n, d, equal):
    r = np.random.default_rng([n, d])
    masses = None if equal else r.dirichlet(np.ones(n))
    flat = Flat(r.random((n, 2)), d, masses)
    s = flat.solve(tol=0.05)
    assert s.converged
    diagram = flat.diagram(s)
    true = diagram.masses
    assert np.abs(z_scores(s, true)).max(initial=0) <= 5
    low, high = s.estimate.mass_intervals(s.masses).T
    if n > 20:  # the intervals of few cells err together
        assert np.mean((low <= true) & (true <= high)) >= 0.85
    hit = s.masses * s.estimate.n_samples >= 200
    away = np.sum((diagram.centroids - flat.plane) ** 2, axis=1)
    deviation = np.sqrt(diagram.costs[hit] / true[hit] - away[hit])
    error = deviation / np.sqrt(s.masses[hit] * s.estimate.n_samples / s.estimate.design_effect)
    apart = np.linalg.norm(s.centroids[hit, :2] - diagram.centroids[hit], axis=1)
    assert (apart <= 5 * error).all()


def test_heights_approach_the_exact_ones():
    """At the rate of the root of the samples, over a factor of about 45, or faster: these are of
    low discrepancy.
    """
    r = np.random.default_rng(1)
    sites = r.random((30, 2))
    exact = geomot.solve(sites).weights
    exact = exact - exact.mean()
    errors, samples = [], []
    # tolerances that are out of reach, so that no look ends it before
    for steps, tol in ((10, 1e-2), (400, 1e-3)):
        squares = []
        for seed in range(6):
            s = solve(sites, tol=tol, max_iter=steps, random_state=seed)
            assert s.n_iter == steps
            squares.append(np.mean((s.weights - s.weights.mean() - exact) ** 2))
        errors.append(np.sqrt(np.mean(squares)))
        samples.append(s.estimate.n_fit_samples)
    assert 30 <= samples[1] / samples[0] <= 150
    rate = np.log(errors[0] / errors[1]) / np.log(samples[1] / samples[0])
    assert 0.35 <= rate <= 1.0, (rate, errors, samples)


@pytest.mark.parametrize("d", [1, 2, 5, 40])
def test_two_mirrored_sites_halve_a_normal_source(d):
    sites = np.zeros((2, d))
    sites[:, 0] = 1.0, -1.0
    s = solve(sites, source=normal(d), tol=0.05, initial_weights=np.zeros(2), max_iter=0)
    assert np.abs(s.masses - 0.5).max() <= 5 * 0.5 / np.sqrt(s.estimate.n_samples)
    s = solve(sites, source=normal(d), tol=0.02)
    assert s.converged
    # the mass of a cell is that of a half-space
    edge = (s.weights[0] - s.weights[1]) / 4.0
    true = stats.norm.cdf(edge)
    assert abs(s.masses[0] - true) <= 5 * 0.5 / np.sqrt(s.estimate.n_samples)
    assert abs(true - 0.5) <= 0.02 * 1.2534
    # W2^2 = E |x|^2 - 2 E |x_1| + 1
    assert s.bracket[0] <= d + 1.0 - 2.0 * np.sqrt(2.0 / np.pi) <= s.bracket[1]


@pytest.mark.parametrize("d", [3, 7])
def test_orthants_of_a_normal_source(d):
    """2^d sites: equal weights give equal masses, and W2^2 = d E (|x_1| - a)^2."""
    a = 0.7
    sites = a * (2.0 * np.array(np.unravel_index(np.arange(2**d), (2,) * d)).T - 1.0)
    s = solve(sites, source=normal(d), tol=0.3, initial_weights=np.zeros(2**d), max_iter=0)
    effect = max(s.estimate.design_effect, 1.0)
    limit = stats.chi2.isf(1e-4, 2**d - 1) * effect * 2.0
    assert s.estimate.n_samples * 2**d * np.sum((s.masses - 2.0**-d) ** 2) <= limit
    assert np.isfinite(s.cost)
    cost = d * (1.0 - 2.0 * a * np.sqrt(2.0 / np.pi) + a * a)
    # the weights are the exact solution: dual value and cost of the map are W2^2
    e = s.estimate
    assert abs(s.cost - cost) <= 5 * e.cost_standard_error
    assert abs(e.map_cost - cost) <= 5 * e.map_cost_standard_error
    s = solve(sites, source=normal(d), tol=0.05)
    assert s.converged
    assert s.bracket[0] <= cost <= s.bracket[1]
    assert abs(s.cost - cost) <= 0.05 * cost


@pytest.mark.parametrize("n", [30, 100])
def test_translated_sites(n):
    """w_i + 2 <t, y_i> are weights of sites moved by t, and of a source moved by -t."""
    r = np.random.default_rng(2)
    sites = r.integers(-64, 65, (n, 6)) / 32.0
    sites[-1] -= sites.sum(axis=0)  # their mean is 0, also after rounding
    shift = np.array([0.0, 4.0, -8.0, 16.0, 0.0, 1.0])
    plain = solve(sites, source=normal(6), tol=0.1)
    moved = solve(sites + shift, source=normal(6), tol=0.1)
    np.testing.assert_array_equal(moved.masses, plain.masses)
    gained = moved.weights - plain.weights - 2 * sites @ shift
    np.testing.assert_allclose(gained, gained[0], atol=1e-10)
    assert moved.cost == pytest.approx(plain.cost + shift @ shift, rel=1e-9)
    both = solve(sites + shift, source=Gaussian(shift, 1.0), tol=0.1)
    np.testing.assert_array_equal(both.masses, plain.masses)
    np.testing.assert_allclose(both.weights, plain.weights, atol=1e-10)
    assert both.cost == pytest.approx(plain.cost, rel=1e-9)


@pytest.mark.parametrize("k", [-475, -270, -100, -3, 100, 195])
@pytest.mark.parametrize("n", [20, 80])
def test_units_change_no_bit(n, k):
    r = np.random.default_rng(3)
    sites, u = r.random((n, 6)), 2.0**k
    plain = solve(sites, source=UniformBox.unit(6), tol=0.1)
    other = solve(u * sites, source=UniformBox(np.zeros(6), np.full(6, u)), tol=0.1)
    np.testing.assert_array_equal(other.masses, plain.masses)
    np.testing.assert_array_equal(other.weights, u * u * plain.weights)
    assert other.cost == u * u * plain.cost
    assert other.bracket == tuple(u * u * bound for bound in plain.bracket)
    for name in ("cost_standard_error", "map_cost", "map_cost_standard_error"):
        assert getattr(other.estimate, name) == u * u * getattr(plain.estimate, name) != 0.0
    for name in ("chi2", "chi2_standard_error", "tv_interval", "design_effect"):
        assert getattr(other.estimate, name) == getattr(plain.estimate, name)
    x = UniformBox.unit(6).sample(2000, 1)
    np.testing.assert_array_equal(other.assign(u * x, threads=1), plain.assign(x, threads=1))


@pytest.mark.parametrize(
    ("size", "width", "message"),
    [
        (1e-150, 1e-150, "sites must have an extent of at least 1e-139"),
        (1e-300, 1.0, "sites must have an extent of at least 1e-289"),
        (1e-160, 1e-160, "source must have an extent of at least 3e-151"),
        (1.0, 1e-200, "source must have an extent of at least 3e-151"),
        (1e-200, 5e-324, "source must have an extent of at least 3e-151"),
    ],
)
@pytest.mark.parametrize("n", [20, 80])
def test_lengths_without_squares_are_refused(n, size, width, message):
    sites = size * np.random.default_rng(3).random((n, 6))
    with pytest.raises(ValueError, match=message):
        solve(sites, source=UniformBox(np.zeros(6), np.full(6, width)), tol=0.1)


def test_small_sites_beside_a_large_source():
    sites = np.random.default_rng(3).random((30, 6))
    s = solve(1e-200 * sites, source=UniformBox.unit(6), tol=0.1)
    assert s.converged
    assert np.abs(np.ptp(s.weights)) < 1e-199


# ---- levels that are claimed ----


@pytest.mark.parametrize(("n", "d", "tol"), [(12, 2, 0.05), (80, 6, 0.1)])
def test_claims_over_many_seeds(n, d, tol):
    """Cost, bracket, masses and verdict, each at its level over independent solves."""
    seeds = 60
    counts = dict.fromkeys(("dual", "map", "below", "above", "right", "masses"), 0)
    cells = 0
    for seed in range(seeds):
        flat = Flat(np.random.default_rng([7, seed]).random((n, 2)), d)
        s = flat.solve(tol=tol, random_state=seed)
        assert s.converged
        e, diagram = s.estimate, flat.diagram(s)
        quantile = stats.t.ppf(0.975, 31)
        error = np.abs(diagram.masses - s.target_masses).sum() / 2
        w2 = flat.exact()
        map_cost = diagram.costs.sum() + flat.offset
        counts["dual"] += abs(s.cost - flat.dual(s)) <= quantile * e.cost_standard_error
        counts["map"] += abs(e.map_cost - map_cost) <= quantile * e.map_cost_standard_error
        counts["below"] += s.bracket[0] <= w2
        counts["above"] += w2 <= s.bracket[1]
        counts["right"] += error <= tol
        low, high = e.mass_intervals(s.masses).T
        counts["masses"] += int(np.sum((low <= diagram.masses) & (diagram.masses <= high)))
        cells += n
    assert credible(counts["dual"], seeds, 0.95), counts
    assert credible(counts["map"], seeds, 0.95), counts
    assert credible(counts["below"], seeds, 0.975), counts
    assert credible(counts["above"], seeds, 0.975), counts
    assert credible(counts["right"], seeds, 0.95), counts
    # cells of a solve depend on each other
    assert counts["masses"] / cells >= 0.93, counts


@pytest.mark.slow
def test_the_upper_end_of_the_interval_after_a_fit():
    seeds, below = 100, 0
    for seed in range(seeds):
        flat = Flat(np.random.default_rng(seed + 10**6).random((100, 2)), 6)
        s = flat.solve(tol=0.05, random_state=seed)
        assert s.converged
        errors = flat.diagram(s).masses - s.target_masses
        distance = float(np.sum(errors**2 / sampling_scales(s.target_masses)))
        true = variation_factor(s.target_masses) * np.sqrt(distance)
        below += true <= s.estimate.tv_interval[1]
    assert credible(below, seeds, 0.975), below


# ---- masses ----


def six_decades(n, seed):
    masses = np.geomspace(1e-6, 1.0, n)
    return np.random.default_rng(seed).permutation(masses / masses.sum())


def test_masses_over_six_decades():
    r = np.random.default_rng(4)
    n = 200
    flat = Flat(r.random((n, 2)), 2, six_decades(n, 4))
    s = flat.solve(tol=0.01)
    assert s.converged
    nu, e, true = s.target_masses, s.estimate, flat.diagram(s).masses
    # the masses measured are those of the cells
    assert np.abs(z_scores(s, true)).max() <= 5
    low, high = e.mass_intervals(s.masses).T
    assert np.mean((low <= true) & (true <= high)) >= 0.93
    # and the larger cells' are the wanted ones, up to the noise of fit and test
    many = nu * e.n_fit_samples >= 1e4
    assert many.sum() >= 10
    both = np.sqrt(e.mass_standard_errors**2 + 9 * nu / e.n_fit_samples)
    assert np.mean((np.abs(s.masses - nu) <= 3 * both)[many]) >= 0.9


def test_intervals_of_few_cells_cover_their_masses():
    flat = Flat(np.random.default_rng(20).random((20, 2)), 6, None)
    covered = []
    for seed in range(10):
        s = flat.solve(tol=0.05, random_state=seed)
        low, high = s.estimate.mass_intervals(s.masses).T
        true = flat.diagram(s).masses
        covered.append(np.mean((low <= true) & (true <= high)))
    assert 0.88 <= np.mean(covered) <= 0.99


@pytest.mark.parametrize("seed", [0, 1])
def test_no_site_is_lost(seed):
    """Where 20 samples of the test were expected, some fell."""
    n, d = 300, 10
    nu = six_decades(n, seed)
    s = solve(np.random.default_rng(seed).standard_normal((n, d)), nu, normal(d), tol=0.02)
    assert s.converged
    wanted = nu * s.estimate.n_samples >= 20
    assert wanted.sum() > n / 4
    assert (s.masses[wanted] > 0).all()
    low, high = s.estimate.mass_intervals(s.masses).T
    # the noise of the fit counts too
    spread = 3 * np.sqrt(nu / s.estimate.n_fit_samples)
    many = nu * s.estimate.n_fit_samples >= 500
    inside = (low - spread <= nu) & (nu <= high + spread)
    assert inside[many].mean() >= 0.95


def test_no_site_is_lost_in_the_plane():
    lost = 0
    for seed in (1, 3):
        nu = six_decades(200, seed)
        s = solve(np.random.default_rng(seed).random((200, 2)), nu, tol=0.01)
        assert s.converged
        lost += np.sum((s.masses == 0) & (nu * s.estimate.n_samples >= 20))
    assert lost == 0


def test_sites_without_mass():
    r = np.random.default_rng(5)
    for d, source in ((2, UniformBox.unit(2)), (5, normal(5)), (5, UniformBall(np.zeros(5), 1.0))):
        sites = r.random((60, d))
        idle = np.arange(60) % 3 == 0
        masses = np.where(idle, 0.0, 1 / 40)
        s = solve(sites, masses, source, tol=0.1)
        assert s.converged
        assert (s.masses[idle] == 0).all()
        assert np.isnan(s.centroids[idle]).all()
        assert (s.estimate.mass_standard_errors[idle] == 0).all()
        labels = s.assign(source.sample(20000, 1), threads=1)
        assert not idle[labels].any()
        if d == 2:
            assert (s.diagram().masses[idle] == 0).all()
        alone = solve(sites[~idle], None, source, tol=0.1)
        np.testing.assert_array_equal(s.masses[~idle], alone.masses)
        np.testing.assert_array_equal(s.weights[~idle], alone.weights)
    only = solve(sites, np.eye(60)[7], source, tol=0.1)
    assert only.masses[7] == 1.0
    assert (only.assign(source.sample(1000, 1), threads=1) == 7).all()


def test_coincident_sites():
    r = np.random.default_rng(6)
    sites = r.random((40, 3))
    twins = np.concatenate([sites, sites[:10], sites[:5]])
    masses = r.dirichlet(np.ones(55))
    s = solve(twins, masses, tol=0.1)
    together = np.bincount(np.concatenate([np.arange(40), np.arange(10), np.arange(5)]), masses)
    merged = solve(sites, together, tol=0.1)
    groups = [[k, *([40 + k] if k < 10 else []), *([50 + k] if k < 5 else [])] for k in range(40)]
    for k, group in enumerate(groups):
        assert s.masses[group].sum() == pytest.approx(merged.masses[k], abs=1e-15)
        np.testing.assert_allclose(
            s.masses[group] * masses[group].sum(), merged.masses[k] * masses[group], atol=1e-15
        )
        assert (s.weights[group] == merged.weights[k]).all()
    assert s.cost == merged.cost
    assert (s.assign(r.random((2000, 3)), threads=1) < 40).all()


# ---- shapes ----


@pytest.mark.parametrize("d", [1, 2, 3, 10])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_sites(n, d):
    sites = np.random.default_rng([n, d]).random((n, d))
    for source in (UniformBox.unit(d), normal(d), Cube(d)):
        s = solve(sites, None, source, tol=0.1)
        assert s.converged
        if n == 1:
            assert s.masses.tolist() == [1.0]
            assert s.estimate.tv_interval == (0.0, 0.0)
            if source is not None and not isinstance(source, Cube):
                cost = np.trace(source.covariance) + ((sites - source.mean) ** 2).sum()
                assert abs(s.cost - cost) <= 6 * s.estimate.cost_standard_error


def test_all_sites_at_one_place():
    s = solve(np.full((5, 3), 0.25), [0.1, 0.2, 0.3, 0.4, 0.0], tol=0.1)
    assert s.converged
    np.testing.assert_allclose(s.masses, [0.1, 0.2, 0.3, 0.4, 0.0])
    cost = 0.25 + 3 * 0.0625
    assert abs(s.cost - cost) <= 6 * s.estimate.cost_standard_error


@pytest.mark.parametrize(("n", "rank"), [(15, 1), (30, 2), (100, 2), (100, 1)])
def test_sites_on_a_line_or_plane_in_five_dimensions(n, rank):
    r = np.random.default_rng(rank)
    base = r.standard_normal((n, rank))
    s = solve(base @ r.standard_normal((rank, 5)) + 1.0, source=normal(5), tol=0.05)
    assert s.converged
    # a normal source projects to a normal one: the same in fewer dimensions
    q = np.linalg.qr(r.standard_normal((5, 5)))[0][:, :rank]
    one = solve(base @ q.T, source=normal(5), tol=0.05)
    labels = one.assign(normal(5).sample(20000, 1), threads=1)
    share = np.bincount(labels, minlength=n) / 20000
    assert np.abs(share - 1 / n).max() <= 5 * np.sqrt(1 / n / 20000) + 0.5 / n


@pytest.mark.parametrize("shift", [1e2, 1e5, 1e8])
def test_sites_far_outside(shift):
    plane = np.random.default_rng(8).integers(0, 2**12, (40, 2)) / 2.0**12 + shift
    s = solve(plane, None, UniformBox.unit(2), tol=0.02)
    assert s.converged
    true = PowerDiagram(plane, s.weights_exact, UniformBox.unit(2)).masses
    assert np.abs(z_scores(s, true)).max() <= 5
    assert 0.5 * np.abs(true - 1 / 40).sum() <= 0.02
    assert s.cost == pytest.approx(2 * shift**2, rel=3 / shift)


def rotated(d, seed=0):
    q = np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d)))[0]
    return (q * np.geomspace(0.3, 3.0, d) ** 2) @ q.T


def sources(d):
    r = np.random.default_rng(d)
    yield UniformBox(np.full(d, -1.0), np.arange(d) + 0.5)
    yield UniformBall(np.full(d, 0.2), 1.5)
    yield Gaussian(np.full(d, 0.1), rotated(d))
    yield Gaussian(np.zeros(d), np.linspace(0.5, 2.0, d))
    yield Cube(d)
    if d <= 3:
        values = r.random((5, 6, 7)[:d])
        values[values < 0.5] = 0.0  # holes
        yield GridDensity(values, np.full(d, -1.0), np.full(d, 1.0))
    yield Samples(r.standard_normal((4000, d)))


@pytest.mark.parametrize("d", [1, 2, 3, 10, 64])
def test_every_source(d):
    """Masses, cost and map agree with plain samples of the source, assigned in float64."""
    r = np.random.default_rng(d)
    n, m = (12 if d == 1 else 70), 8000
    sites = r.standard_normal((n, d))
    for source in sources(d):
        s = solve(sites, None, source, tol=0.1)
        assert s.converged, source
        drawn = source if isinstance(source, geomot.sources.Source) else s.source
        x = drawn.sample(m, 12345)
        centre = sites.mean(axis=0)
        power = ((x - centre) ** 2).sum(axis=1)[:, None] - 2 * (x - centre) @ (sites - centre).T
        power += ((sites - centre) ** 2).sum(axis=1)
        label = (power - s.weights).argmin(axis=1)
        if not s.source.exact:
            np.testing.assert_array_equal(s.assign(x, threads=1), label)
        share = np.bincount(label, minlength=n) / m
        # the spread of 32 streams is itself uncertain: not less than what all sites together say
        e = s.estimate
        least = e.design_effect * s.masses / e.n_samples
        error = np.sqrt(s.masses / m + np.maximum(e.mass_standard_errors**2, least) + 1e-8)
        assert np.abs((share - s.masses) / error).max() <= 5.5, source
        cost = power[np.arange(m), label]
        error = np.hypot(cost.std() / np.sqrt(m), e.map_cost_standard_error)
        assert abs(cost.mean() - e.map_cost) <= 5 * error, source
        # total variation within the tolerance, as far as m samples can tell
        floor = 0.4 * np.sqrt(n / m)
        assert 0.5 * np.abs(share - 1 / n).sum() <= np.hypot(0.1 * 1.26, 1.3 * floor), source


@pytest.mark.slow
def test_many_sites_on_the_line():
    sites = np.random.default_rng(1).standard_normal((70, 1))
    s = solve(sites, None, UniformBox([-1.0], [0.5]), tol=0.1)
    assert s.converged


# ---- what float32 cannot hold ----


@pytest.mark.parametrize(
    "size",
    [
        1e-2,
        1e-3,
        1e-6,
    ],
)
def test_two_small_clusters_far_apart(size):
    """Differences between sites that float32 loses must not pass for a solution."""
    base = np.random.default_rng(9).random((100, 2))
    s = solve(np.concatenate([0.2 + size * base, 0.8 + size * base[::-1]]), tol=0.05)
    true = s.diagram().masses
    low, high = s.estimate.tv_interval
    error = 0.5 * np.abs(true - 1 / 200).sum()
    assert error <= 1.5 * high + 0.01, (error, s.estimate)
    assert not s.converged or error <= 0.0625
    assert np.abs(z_scores(s, true)).max(initial=0) <= 6


def test_a_dual_value_of_samples_that_float32_does_not_decide():
    """Scores in float64 are in the same frame as those in float32, also of product groups."""
    base = np.random.default_rng(9).random((50, 6))
    sites = np.concatenate([0.2 + 1e-6 * base, 0.8 + 1e-6 * base[::-1]])
    # a box of sides 4, so that the units differ
    s = solve(sites, None, UniformBox(np.full(6, -1.5), np.full(6, 2.5)), tol=0.1)
    assert s.status == "precision"
    assert s.history.dual[-1] == s.dual_value


# ---- starting elsewhere ----


@pytest.mark.parametrize("source", [UniformBox.unit(6), Cube(6)])
def test_a_warm_start_needs_fewer_samples(source):
    sites = np.random.default_rng(10).random((200, 6))
    cold = solve(sites, None, source, tol=0.05)
    fitted = []
    for seed, start in enumerate((cold, cold.weights, cold.weights_exact, cold)):
        warm = solve(sites, None, source, tol=0.05, initial_weights=start, random_state=1 + seed)
        assert warm.converged
        fitted.append(warm.estimate.n_fit_samples)
    assert np.mean(fitted) <= 0.5 * cold.estimate.n_fit_samples
    # from half-way, what was done counts too
    rough = solve(sites, None, source, tol=0.05, max_iter=cold.n_iter // 2)
    states = []
    solve(sites, None, source, tol=0.05, max_iter=cold.n_iter // 2, callback=states.append)
    assert states[-1].n_iter == cold.n_iter // 2
    np.testing.assert_array_equal(states[-1].weights_exact, rough.weights_exact)
    for start in (rough, states[-1]):
        warm = solve(sites, None, source, tol=0.05, initial_weights=start, random_state=1)
        assert warm.converged
        assert warm.n_iter <= cold.n_iter + 10
    near = solve(sites + 1e-4, None, source, tol=0.05, initial_weights=cold, random_state=1)
    assert near.converged
    assert near.estimate.n_fit_samples <= cold.estimate.n_fit_samples


def test_exact_weights_as_a_start():
    plane = np.random.default_rng(11).random((100, 2))
    exact = geomot.solve(plane)
    s = solve(plane, tol=0.03, initial_weights=exact)
    assert s.converged
    assert s.n_iter == 0
    np.testing.assert_allclose(s.weights - s.weights[0], exact.weights - exact.weights[0],
                               atol=1e-6)  # fmt: skip


@pytest.mark.parametrize(
    "constant",
    [
        1.0,
        1e3,
        1e7,
        1e10,
    ],
)
def test_constants_in_the_start_do_not_matter(constant):
    sites = np.random.default_rng(12).random((100, 3))
    cold = solve(sites, tol=0.05)
    plain, warm = (
        solve(sites, tol=0.05, initial_weights=cold.weights + c, max_iter=200)
        for c in (0.0, constant)
    )
    assert warm.converged
    assert warm.n_iter <= plain.n_iter + 3


@pytest.mark.parametrize(
    "weight",
    [
        0.1,
        10.0,
        1e6,
        1e60,
    ],
)
def test_a_start_where_one_cell_takes_all(weight):
    sites = np.random.default_rng(13).random((100, 3))
    said = () if weight < 1.0 else ("initial_weights are ignored",)
    start = weight * np.eye(100)[3]
    s = solve(sites, tol=0.1, initial_weights=start, max_iter=500, warned=said)
    assert s.converged


# ---- claims ----


def test_errors_of_one_size_are_not_taken_for_gaussian_ones():
    # half of the cells a third too large, half too small: the total variation is half the distance
    sites = np.random.default_rng(0).random((400, 2))
    masses = (1.0 + 0.3 * (-1.0) ** np.arange(400)) / 400
    weights = geomot.solve(sites, masses).weights
    s = solve(sites, tol=0.135, initial_weights=weights, max_iter=0)
    assert not s.converged
    low, high = s.estimate.tv_interval
    assert low <= 0.15 <= high
    near = solve(sites, tol=0.17, initial_weights=weights, max_iter=0)
    assert near.converged


class _Recorded:
    """A sampler that keeps what it drew."""

    dim = 2

    def __init__(self):
        self.drawn = []

    def sample(self, n, random_state=None):
        points = np.random.default_rng(random_state).random((n, 2))
        self.drawn.append(points)
        return points


def test_no_sample_is_used_twice():
    # two clusters that float32 does not tell apart: all kinds of streams are drawn from
    rng = np.random.default_rng(1)
    sites = np.vstack([0.25 + 1e-8 * rng.random((20, 2)), 0.75 + 1e-8 * rng.random((20, 2))])
    sampler = _Recorded()
    s = solve(sites, source=sampler, tol=0.3, max_iter=20)
    assert s.status == "precision"
    drawn = np.concatenate(sampler.drawn)
    assert len(np.unique(drawn, axis=0)) == len(drawn)


@pytest.mark.parametrize("max_iter", [0, 1, 5, 20])
@pytest.mark.parametrize("arithmetic", ["avx512", "avx2", "plain", "torch"])
def test_too_close_for_float32_whatever_the_heights(arithmetic, max_iter):
    """Also where one site of a cluster takes all, in float32 as in float64."""
    if arithmetic == "torch":
        pytest.importorskip("torch")
        _check_too_close("cpu", max_iter)
        return
    before = core.instructions()
    try:
        core.use_instructions(arithmetic)
    except ValueError:
        pytest.skip(f"this machine has no {arithmetic}")
    try:
        _check_too_close(None, max_iter)
    finally:
        core.use_instructions(before)


def _check_too_close(device, max_iter):
    for seed in range(4):
        rng = np.random.default_rng(seed)
        sites = np.vstack([0.25 + 1e-8 * rng.random((20, 2)), 0.75 + 1e-8 * rng.random((20, 2))])
        keywords = {"tol": 0.3, "max_iter": max_iter, "random_state": seed, "device": device}
        assert solve(sites, **keywords).status == "precision"
        keywords["max_iter"] = min(max_iter, 1)
        assert solve(sites + rng.random((40, 2)), **keywords).status != "precision"


@pytest.mark.parametrize("tol", [1e-9, 1e-6])
def test_a_tolerance_out_of_reach_is_refused_at_once(tol):
    sites = np.random.default_rng(2).random((60, 3))
    with pytest.raises(ValueError, match=r"tol must be at least .* would need about"):
        geomot.solve(sites, method="montecarlo", tol=tol)


def test_a_total_variation_of_one_is_no_tolerance():
    with pytest.raises(ValueError, match="tol must be less than 1"):
        geomot.solve(np.eye(3), method="montecarlo", tol=1.0)


def test_a_long_solve_is_announced(monkeypatch):
    from geomot._sampling import solve as montecarlo

    monkeypatch.setattr(montecarlo, "LONG_SECONDS", 0.0)
    monkeypatch.setattr(montecarlo, "FORECAST_SECONDS", 0.0)
    sites = np.random.default_rng(3).random((200, 3))
    s = solve(
        sites,
        tol=0.02,
        warned=(
            r"tol=0\.02 needs about .* samples, .* on this machine; tol=.* takes about a minute",
        ),
    )
    assert s.converged


def test_the_upper_bound_is_near_the_cost():
    # the largest price anywhere, for all that is to be moved, made it 1000 times too large
    rng = np.random.default_rng(4)
    sites = rng.random((1000, 2))
    true = geomot.solve(sites).cost
    s = solve(sites, tol=0.02)
    assert s.bracket[0] <= true <= s.bracket[1] <= 1.5 * true


# ---- limits, callbacks, files ----


def test_no_step_and_two():
    sites = np.random.default_rng(14).random((100, 6))
    start = solve(sites, tol=0.05, max_iter=0)
    assert start.n_iter == 0
    assert start.status in ("max_iter", "converged")
    # the start is found from samples too
    assert start.estimate.n_fit_samples == start.history.samples[-1] == look_samples(100)
    # what a step moves counts from the next one on
    two = solve(sites, tol=0.05, max_iter=2)
    assert two.n_iter == 2
    assert two.estimate.n_fit_samples == two.history.samples[-1] > look_samples(100)
    assert not np.array_equal(two.weights, start.weights)


def test_samples_are_counted():
    """What was fitted to is counted as it is drawn; a start is worth no samples."""
    drawn = []

    class Counted(Cube):
        def sample(self, n, rng):
            drawn.append(n)
            return super().sample(n, rng)

    sites = np.random.default_rng(15).random((80, 3))
    for start in (None, np.zeros(80)):
        drawn.clear()
        s = solve(sites, None, Counted(3), tol=0.1, initial_weights=start)
        e = s.estimate
        # moments, tests at all looks and, once, gaps of a batch for the start
        assert 4096 + e.n_samples + e.n_fit_samples <= sum(drawn)
        assert e.n_fit_samples == s.history.samples[-1]


def test_the_callback_stops_it():
    sites = np.random.default_rng(16).random((200, 6))
    seen = []

    def stop_at_the_third(state):
        seen.append(state)
        return len(seen) == 3

    s = solve(sites, tol=0.01, callback=stop_at_the_third)
    assert s.status == "stopped"
    assert not s.converged
    assert len(seen) == len(s.history) == 3
    np.testing.assert_array_equal(seen[-1].weights_exact, s.weights_exact)
    assert seen[-1].n_iter == s.n_iter
    assert seen[-1].residual == s.estimate.tv
    assert seen[-1].mass_error == s.mass_error
    assert seen[-1].dual == s.cost
    assert seen[-1].min_mass == s.masses.min()
    assert [state.residual for state in seen] == s.history.residual.tolist()
    # anything but True goes on
    assert solve(sites, tol=0.1, callback=lambda state: 1).converged


def test_strict_raises_with_the_solution():
    sites = np.random.default_rng(17).random((100, 3))
    with pytest.raises(geomot.ConvergenceError, match="max_iter was reached") as info:
        solve(sites, tol=0.01, max_iter=2, strict=True)
    s = info.value.solution
    check(s)
    assert s.status == "max_iter" and s.n_iter == 2
    with pytest.warns(geomot.ConvergenceWarning, match="total variation in"):
        geomot.solve(sites, method="montecarlo", tol=0.01, max_iter=2, random_state=0, threads=1)


def test_a_checkpoint_at_every_look(tmp_path):
    sites = np.random.default_rng(18).random((100, 4))
    path = tmp_path / "run.npz"
    found = []

    def read(state):
        saved = geomot.load(path)
        check(saved)
        assert saved.status == "stopped"
        np.testing.assert_array_equal(saved.weights_exact, state.weights_exact)
        assert saved.n_iter == state.n_iter
        found.append(saved)

    s = solve(sites, tol=0.05, callback=read, checkpoint=path)
    assert len(found) == len(s.history) >= 2
    assert os.listdir(tmp_path) == ["run.npz"]
    resumed = solve(sites, tol=0.05, initial_weights=found[-1])
    assert resumed.converged


@pytest.mark.parametrize("source", [None, Cube(4), Gaussian(np.zeros(4), rotated(4))])
def test_save_load_and_pickle(source, tmp_path):
    sites = np.random.default_rng(19).random((60, 4))
    masses = np.where(np.arange(60) == 5, 0.0, 1 / 59)
    s = solve(sites, masses, source, tol=0.1)
    s.save(tmp_path / "s.npz")
    loaded = geomot.load(tmp_path / "s.npz")
    if isinstance(source, Cube):
        assert loaded.estimate == s.estimate
        with pytest.raises(ValueError, match="cannot draw points"):
            loaded.source.sample(3)
    else:
        assert loaded == s
    for again in (*(pickle.loads(pickle.dumps(s, p)) for p in range(2, 6)), copy.copy(s),
                  copy.deepcopy(s)):  # fmt: skip
        assert again.estimate == s.estimate
        assert again.history.tobytes() == s.history.tobytes()
        for name in BUFFERS:
            assert getattr(again, name).tobytes() == getattr(s, name).tobytes()
        assert isinstance(source, Cube) or again == s
        with pytest.raises(ValueError, match="read-only"):
            again.masses[0] = 1.0
    assert len(pickle.dumps(s)) < 20000


# ---- the same bits ----


def bits(s):
    arrays = [getattr(s, name).tobytes() for name in BUFFERS]
    return arrays, s.cost, s.bracket, s.estimate, s.history.tobytes(), s.status, s.n_iter


@pytest.mark.parametrize(
    ("n", "d", "source"),
    [(30, 3, UniformBox.unit(3)), (200, 6, UniformBox.unit(6)), (100, 3, Cube(3)),
     (4200, 2, UniformBox.unit(2))],
)  # fmt: skip
def test_reproducible(n, d, source):
    sites = np.random.default_rng(20).random((n, d))
    keywords = {"tol": 0.1, "max_iter": 4 if n > 1000 else 20}
    first = solve(sites, None, source, **keywords)
    for threads in (1, 2, 7):
        again = solve(sites, None, source, threads=threads, **keywords)
        if isinstance(source, Cube):
            assert again.weights.tobytes() == first.weights.tobytes()
            assert again.estimate == first.estimate
        else:
            assert bits(again) == bits(first)
    for seed in (np.int64(0), np.random.default_rng(0), np.random.SeedSequence(0)):
        again = solve(sites, None, source, random_state=seed, **keywords)
        np.testing.assert_array_equal(again.weights, first.weights)
    other = solve(sites, None, source, random_state=1, **keywords)
    assert not np.array_equal(other.weights, first.weights)
    assert not np.array_equal(other.masses, first.masses)


def test_a_generator_moves_on():
    sites = np.random.default_rng(21).random((30, 3))
    rng = np.random.default_rng(0)
    one, two = (solve(sites, tol=0.1, random_state=rng) for _ in range(2))
    assert not np.array_equal(one.weights, two.weights)
    fresh = [solve(sites, tol=0.1, random_state=None) for _ in range(2)]
    assert not np.array_equal(fresh[0].weights, fresh[1].weights)


def test_a_random_state():
    sites = np.random.default_rng(22).random((30, 3))
    one, two = (solve(sites, tol=0.1, random_state=np.random.RandomState(3)) for _ in range(2))  # noqa: NPY002
    np.testing.assert_array_equal(one.weights, two.weights)
    state = np.random.RandomState(3)  # noqa: NPY002
    solve(sites, tol=0.1, random_state=state)
    other = solve(sites, tol=0.1, random_state=state)
    assert not np.array_equal(other.weights, one.weights)


@pytest.mark.usefixtures("silent")
def test_inputs_are_left_alone_and_nothing_is_printed():
    r = np.random.default_rng(23)
    sites, masses = r.random((50, 6)), r.dirichlet(np.ones(50))
    plain = solve(sites, masses, tol=0.1)
    for array in (sites, masses):
        array.flags.writeable = False
    wide = np.zeros((50, 12))
    wide[:, ::2] = sites
    for y in (sites, np.asfortranarray(sites), wide[:, ::2], sites.astype(">f8"), sites.tolist()):
        s = solve(y, masses, tol=0.1)
        assert bits(s) == bits(plain)
        assert not s.sites.flags.writeable
    backwards = solve(sites[::-1], masses[::-1], tol=0.1)
    assert backwards.converged


# ---- interruptions ----


def test_an_interrupt_in_the_callback():
    sites = np.random.default_rng(24).random((100, 3))

    def interrupt(state):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        solve(sites, tol=0.05, callback=interrupt)
    assert solve(sites, tol=0.1).converged


@needs_timers
@pytest.mark.parametrize("threads", [1, 2])
def test_an_interrupt_by_signal(threads):
    """In the middle of the largest call: it ends after the chunks that are under way."""
    n, d = 40000, 48
    r = np.random.default_rng(25)
    sites = r.standard_normal((n, d)).astype(np.float32).astype(float)

    class Normal(Cube):
        def sample(self, k, rng):
            return rng.standard_normal((k, d))

    with Interruption(1.5) as interruption:
        solve(sites, None, Normal(d), tol=0.05, threads=threads, max_iter=40)
    assert interruption.late <= 0.25 * threads


# ---- refusals ----


def test_arguments_that_cannot_be_meant():
    sites = np.random.default_rng(26).random((20, 3))
    for error, name, keywords in (
        (ValueError, "tol", {"tol": 0.0}),
        (ValueError, "tol", {"tol": -1.0}),
        (ValueError, "tol", {"tol": np.nan}),
        (TypeError, "tol", {"tol": "fine"}),
        (ValueError, "method", {"method": "adam"}),
        (ValueError, "method", {"method": None}),
        (TypeError, "source", {"source": object()}),
        (TypeError, "source", {"source": Cube}),
        (ValueError, "source", {"source": Cube(4)}),
        (ValueError, "source", {"source": normal(2)}),
        (ValueError, "target_masses", {"target_masses": np.ones(20)}),
        (ValueError, "target_masses", {"target_masses": np.full(19, 1 / 19)}),
        (ValueError, "initial_weights", {"initial_weights": np.zeros(19)}),
        (ValueError, "initial_weights", {"initial_weights": np.full(20, np.nan)}),
        (ValueError, "max_iter", {"max_iter": -1}),
        (TypeError, "max_iter", {"max_iter": 1.5}),
        (ValueError, "threads", {"threads": 0}),
        (TypeError, "random_state", {"random_state": "seed"}),
        (ValueError, "random_state", {"random_state": -1}),
        (TypeError, "callback", {"callback": 3}),
    ):
        with pytest.raises(error, match=name):
            solve(sites, **{"tol": 0.1, **keywords})
    with pytest.raises(ValueError, match="sites"):
        solve(np.full((3, 3), np.nan), tol=0.1)


@pytest.mark.parametrize("late", [False, True])
def test_a_source_that_fails(late):
    """At once or in the middle of the fit: the message names the source."""
    sites = np.random.default_rng(27).random((80, 3))

    def make(bad):
        class Broken(Cube):
            calls = 0

            def sample(self, n, rng):
                Broken.calls += 1
                good = super().sample(n, rng)
                return bad(good) if not late or Broken.calls > 3 else good

        return Broken(3)

    def with_nan(x):
        x[-1, 0] = np.nan
        return x

    for bad, error in (
        (with_nan, ValueError),
        (lambda x: x[:-1], ValueError),
        (lambda x: x[:, :2], ValueError),
        (lambda x: x * np.inf, ValueError),
        (lambda x: None, TypeError),
        (lambda x: "points", TypeError),
    ):
        with pytest.raises(error, match=r"source\.sample"):
            solve(sites, None, make(bad), tol=0.05)


def test_a_source_with_samples_beyond_float32():
    class Heavy(Cube):
        def sample(self, n, rng):
            x = super().sample(n, rng)
            if n != 4096:
                x[0] = [1e50, -1e50, 1e50]
            return x

    sites = np.random.default_rng(28).random((80, 3))
    solve(sites, None, Heavy(3), tol=0.1, max_iter=5)
