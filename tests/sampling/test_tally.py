"""What fresh samples say about masses and costs: no bias, and errors that are what they claim."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from tallies import SQUARE, Known, design_of, made_of

import geomot
from geomot import Gaussian, PowerDiagram
from geomot._constants import CONFIDENCE
from geomot._constants.sampling import TEST_STREAMS
from geomot._mass_estimate import sampling_scales
from geomot._sampling.designs import PairDesign, PointDesign
from geomot._sampling.tally import Tally

DESIGNS = [PairDesign, PointDesign]


# ---- the formulas ----


def naive_still(counts, sizes, scales):
    """Variance at distance 0 of the mean over pairs of streams, one pair after the other."""
    share = counts.sum(axis=0) / sizes.sum()
    pairs = [(a, b) for a in range(TEST_STREAMS) for b in range(TEST_STREAMS) if a != b]
    products = [
        float(np.sum((counts[a] - sizes[a] * share) * (counts[b] - sizes[b] * share) / scales))
        for a, b in pairs
    ]
    both = np.array([float(sizes[a] * sizes[b]) for a, b in pairs])
    centred = np.array(products) - both * (np.sum(products) / both.sum())
    correction = (TEST_STREAMS / (TEST_STREAMS - 1)) ** 2
    return 2 * correction * np.sum(centred**2) / both.sum() ** 2


@pytest.mark.parametrize("equal", [True, False])
@pytest.mark.parametrize("n", [1, 2, 7])
def test_distance_is_the_double_sum_over_pairs_of_streams(n, equal):
    r = np.random.default_rng(n)
    masses = r.random(n) + 0.1
    masses /= masses.sum()
    sizes = np.full(TEST_STREAMS, 6) if equal else r.integers(1, 12, TEST_STREAMS)
    counts = np.array([r.multinomial(m, r.dirichlet(np.ones(n))) for m in sizes])
    tally = made_of(counts, sizes, masses)

    def naive(kept, scales):
        """sum_i (g_i^2 - 2 g_i nu_i + nu_i^2) / o_i, g_i^2 from pairs of different streams."""
        products = np.zeros(n)
        pairs = 0
        for a in kept:
            for b in kept:
                if a != b:
                    products += counts[a] * counts[b]
                    pairs += sizes[a] * sizes[b]
        share = counts[kept].sum(axis=0) / sizes[kept].sum()
        return float(np.sum((products / pairs - 2 * share * masses + masses**2) / scales))

    everyone = list(range(TEST_STREAMS))
    for scales in (masses, sampling_scales(masses)):
        found = tally.distance(scales)
        estimate, error = found.value, found.standard_error
        assert estimate == pytest.approx(naive(everyone, scales), rel=1e-10, abs=1e-13)
        without = np.array([naive(everyone[:b] + everyone[b + 1 :], scales) for b in everyone])
        jackknife = (TEST_STREAMS - 1) * np.mean((without - without.mean()) ** 2)
        still = naive_still(counts, sizes, scales)
        variance = max(jackknife - still, still)
        assert error == pytest.approx(float(np.sqrt(variance)), rel=1e-9, abs=1e-13)
    np.testing.assert_allclose(tally.measured(), counts.sum(axis=0) / sizes.sum(), rtol=1e-15)
    assert tally.samples == sizes.sum()


def test_costs_are_means_over_streams():
    r = np.random.default_rng(3)
    sites, weights = r.random((9, 2)), 0.02 * r.random(9)
    masses = np.full(9, 1 / 9)
    design = design_of(PointDesign, sites)
    tally = Tally(design, masses, np.random.default_rng(1))
    heights = design.heights(weights).astype(np.float32).astype(float)
    weights = design.weights(heights)
    tally.extend(heights, 40)
    tally.extend(heights, 25)
    streams = np.random.default_rng(1).spawn(TEST_STREAMS)
    draws = [design.plain_stream(s) for s in streams]
    batches = [np.concatenate([design.points(draw(k)) for k in (40, 25)]) for draw in draws]
    x = np.array([design.to_source(batch.astype(float)) for batch in batches])
    squares = ((x[:, :, None] - sites) ** 2).sum(axis=3)
    label = (squares - weights).argmin(axis=2)
    own = np.take_along_axis(squares, label[..., None], axis=2)[..., 0]
    phi = own - weights[label]
    # the mean of the source is known: what is linear in x - m is left out
    linear = 2.0 * (x - SQUARE.mean) @ (design.centre - SQUARE.mean)
    expected = (phi + linear).mean() + weights @ masses
    dual, dual_error, cost, cost_error = tally.costs(weights)
    assert dual == pytest.approx(expected, rel=1e-6)
    assert cost == pytest.approx((own + linear).mean(), rel=1e-6)
    for values, error in ((phi + linear, dual_error), (own + linear, cost_error)):
        means = values.mean(axis=1)
        spread = np.sqrt(means.var(ddof=1) / TEST_STREAMS)
        assert error == pytest.approx(float(spread), rel=1e-4)
    counts = np.array([np.bincount(row, minlength=9) for row in label])
    np.testing.assert_array_equal(tally.counts, counts)
    inner = x.reshape(-1, 2)[:, None] * (label.reshape(-1)[:, None] == np.arange(9))[..., None]
    np.testing.assert_allclose(tally.centroids(), inner.sum(axis=0) / counts.sum(axis=0)[:, None],
                               rtol=1e-5)  # fmt: skip


def test_centroids_of_cells_without_samples():
    masses = np.full(3, 1 / 3)
    sites = np.array([[0.2, 0.5], [0.8, 0.5], [50.0, 50.0]])
    design = design_of(PointDesign, sites)
    tally = Tally(design, masses, np.random.default_rng(0))
    tally.extend(design.heights(np.zeros(3)), 10)
    centroids = tally.centroids()
    assert np.isnan(centroids[2]).all()
    assert np.isfinite(centroids[:2]).all()
    estimate = tally.estimate(0, np.zeros(3), sampling_scales(masses))
    assert estimate.mass_standard_errors[2] == 0.0


# ---- what is measured, against exact masses ----


@pytest.mark.parametrize("cls", DESIGNS)
@pytest.mark.parametrize("n", [12, 150])
def test_distance_has_no_bias_and_an_honest_error(n, cls):
    known = Known(n)
    groups = 1 if cls is PairDesign else max(n // 4, 16)
    tests = 70
    for distance in (0.5, 0.02, 0.0):
        nu = known.targets(distance) if distance else known.masses
        tallies = list(known.tallies(cls, nu, tests, groups, seed=int(1000 * distance)))
        for scales in (nu, sampling_scales(nu)):
            true = known.distance(nu, scales)
            distances = [t.distance(scales) for t in tallies]
            found = np.array([d.value for d in distances])
            errors = np.array([d.standard_error for d in distances])
            spread = found.std(ddof=1)
            assert abs(found.mean() - true) <= 4.5 * spread / np.sqrt(tests)
            # at distance 0 the larger of two measures of the variance is taken
            assert 0.75 * spread <= np.sqrt(np.mean(errors**2)) <= 1.45 * spread


@pytest.mark.parametrize("cls", DESIGNS)
def test_masses_have_no_bias_in_many_dimensions(cls):
    """Two sites cut a normal source by a plane: the masses are values of its distribution."""
    d = 9
    r = np.random.default_rng(4)
    q = np.linalg.qr(r.standard_normal((d, d)))[0]
    cov = (q * np.linspace(0.2, 3.0, d)) @ q.T
    mean = r.standard_normal(d)
    sites = r.standard_normal((2, d))
    weights = np.array([0.0, 1.3])
    # |x - y_0|^2 - w_0 < |x - y_1|^2 - w_1
    normal = 2.0 * (sites[1] - sites[0])
    edge = (sites[1] ** 2).sum() - (sites[0] ** 2).sum() + weights[0] - weights[1]
    exact = stats.norm.cdf((edge - normal @ mean) / np.sqrt(normal @ cov @ normal))
    design = design_of(cls, sites, Gaussian(mean, cov))
    nu = np.array([0.4, 0.6])
    shares, found = [], []
    for rng in np.random.default_rng(5).spawn(60):
        tally = Tally(design, nu, rng)
        tally.extend(design.heights(weights), 1 if cls is PairDesign else 32)
        shares.append(tally.measured()[0])
        found.append(tally.distance(nu).value)
    for values, true in ((shares, exact), (found, (exact - 0.4) ** 2 / 0.24)):
        assert abs(np.mean(values) - true) <= 4.5 * np.std(values, ddof=1) / np.sqrt(60)


def test_parts_add_up():
    """Samples drawn in several goes are the same as in one."""
    known = Known(20)
    design = design_of(PointDesign, known.sites)
    heights = design.heights(known.weights)
    one, parts = (Tally(design, known.masses, np.random.default_rng(0)) for _ in range(2))
    one.extend(heights, 6)
    for groups in (1, 3, 2):
        parts.extend(heights, groups)
    np.testing.assert_array_equal(one.counts, parts.counts)
    np.testing.assert_array_equal(one.sizes, parts.sizes)
    np.testing.assert_allclose(one.sums, parts.sums, rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(one.costs(known.weights), parts.costs(known.weights), rtol=1e-9)


@pytest.mark.parametrize("cls", DESIGNS)
def test_streams_are_counted_apart(cls):
    known = Known(20)
    (tally,) = known.tallies(cls, known.masses, 1, 5)
    size = 5 * tally.design.group
    np.testing.assert_array_equal(tally.sizes, np.full(TEST_STREAMS, size))
    np.testing.assert_array_equal(tally.counts.sum(axis=1), tally.sizes)
    assert len(np.unique(tally.counts, axis=0)) == TEST_STREAMS
    again, other = (next(known.tallies(cls, known.masses, 1, 5, seed=k)) for k in (0, 1))
    np.testing.assert_array_equal(again.counts, tally.counts)
    assert not np.array_equal(other.counts, tally.counts)


@pytest.mark.parametrize("cls", DESIGNS)
def test_intervals_of_masses(cls):
    """Large masses by the streams' spread, small ones by counting: each at its level."""
    known = Known(40, spread=1.0)
    tests = 80
    for groups in (1, 40) if cls is PointDesign else (1, 4):
        inside = np.zeros(40)
        for tally in known.tallies(cls, known.masses, tests, groups, seed=groups):
            estimate = tally.estimate(0, known.weights, sampling_scales(known.masses))
            low, high = estimate.mass_intervals(tally.measured()).T
            assert ((low <= tally.measured()) & (tally.measured() <= high)).all()
            inside += (low <= known.masses) & (known.masses <= high)
        # cells of one test are not independent: allow for twice the binomial deviation
        total = 40 * tests
        assert inside.sum() / total >= CONFIDENCE - 2 * np.sqrt(0.05 * 0.95 / total)
        assert inside.min() / tests >= 0.8


def test_intervals_where_nothing_fell():
    tally = made_of(np.tile([3, 0], (TEST_STREAMS, 1)), np.full(TEST_STREAMS, 3), np.full(2, 0.5))
    estimate = tally.estimate(0, np.zeros(2), np.full(2, 0.5))
    low, high = estimate.mass_intervals(tally.measured()).T
    # the rule of three for 96 samples at one end
    assert low[1] == 0.0
    assert high[1] == pytest.approx(1.0 - 0.025 ** (1 / 96), rel=1e-6)
    assert high[0] <= 1.0 + 1e-12 or high[0] == pytest.approx(1.0)


@pytest.mark.parametrize("cls", DESIGNS)
def test_standard_errors_of_masses_and_design_effect(cls):
    known = Known(30)
    tallies = list(known.tallies(cls, known.masses, 100, 2 if cls is PairDesign else 60))
    shares = np.array([t.measured() for t in tallies])
    claimed = np.sqrt(np.mean([t.standard_errors() ** 2 for t in tallies], axis=0))
    spread = shares.std(axis=0, ddof=1)
    np.testing.assert_allclose(claimed, spread, rtol=0.3)
    assert np.mean(claimed / spread) == pytest.approx(1.0, abs=0.05)
    independent = np.sum(known.masses * (1 - known.masses)) / tallies[0].samples
    effect = np.mean([t.design_effect() for t in tallies])
    assert effect == pytest.approx(np.sum(spread**2) / independent, rel=0.1)


def test_design_effect_of_independent_samples_is_one():
    class Plain:
        dim = 2

        def sample(self, n, rng):
            return rng.random((n, 2))

    known = Known(30)
    design = design_of(PointDesign, known.sites, geomot.sources.WrappedSource(Plain()))
    effects = []
    for rng in np.random.default_rng(0).spawn(40):
        tally = Tally(design, known.masses, rng)
        tally.extend(design.heights(known.weights), 50)
        effects.append(tally.design_effect())
    assert np.mean(effects) == pytest.approx(1.0, abs=4 * np.std(effects) / np.sqrt(40))


@pytest.mark.parametrize("cls", DESIGNS)
def test_costs_of_fixed_weights(cls):
    """Dual value and cost of the map, against the exact diagram."""
    known = Known(50, spread=1.0)
    design = design_of(cls, known.sites)
    weights = design.weights(design.heights(known.weights).astype(np.float32).astype(float))
    diagram = PowerDiagram(known.sites, weights, SQUARE)
    nu = np.full(50, 0.02)
    true = (diagram.costs.sum() + weights @ (nu - diagram.masses), diagram.costs.sum())
    tests = 100
    known.weights = weights
    found = np.array([t.costs(weights) for t in known.tallies(cls, nu, tests, 2)])
    quantile = stats.t.ppf(0.975, TEST_STREAMS - 1)
    for k in (0, 1):
        values, errors = found[:, 2 * k], found[:, 2 * k + 1]
        assert abs(values.mean() - true[k]) <= 4.5 * values.std() / np.sqrt(tests)
        inside = int(np.sum(np.abs(values - true[k]) <= quantile * errors))
        assert stats.binom.cdf(inside, tests, 0.95) > 1e-3
        assert stats.binom.sf(inside - 1, tests, 0.95) > 1e-4  # nor far too wide


@pytest.mark.parametrize("cls", DESIGNS)
def test_interval_of_the_total_variation(cls):
    """At fixed heights, of many sites with Gaussian errors."""
    known = Known(144, lattice=True)
    tests = 60
    for wanted in (0.06, 0.03):
        nu = known.targets((wanted / 0.4) ** 2)
        true = known.total_variation(nu)
        assert true == pytest.approx(wanted, rel=0.08)
        inside = above = 0
        for tally in known.tallies(cls, nu, tests, 2 if cls is PairDesign else 256):
            low, high = tally.estimate(0, known.weights, sampling_scales(nu)).tv_interval
            # the ratio of the two norms varies by some .27 / sqrt(n) from case to case
            inside += low * 0.97 <= true <= high * 1.03
            above += true <= high * 1.03
        assert stats.binom.cdf(inside, tests, CONFIDENCE) > 1e-3
        assert stats.binom.cdf(above, tests, 0.975) > 1e-3


@pytest.mark.parametrize(
    ("n", "distance"),
    [
        (2, 0.01),
        (3, 0.01),
        (5, 0.01),
        (2, 1e-3),
    ],
)
def test_interval_of_the_total_variation_of_few_sites(n, distance):
    """Its upper end, well above the noise and below it."""
    tests, inside, seed = 0, 0, 0
    while tests < 160:
        seed += 1
        known = Known(n, seed=seed)
        if known.masses.min() < 0.5 / n:
            continue
        nu = known.targets(distance, seed=seed)
        true = known.total_variation(nu)
        for tally in known.tallies(PointDesign, nu, 4, 256, seed=seed):
            high = tally.estimate(0, known.weights, sampling_scales(nu)).tv_interval[1]
            # in one case of few sites the ratio of the norms differs from its mean
            inside += true <= (1.0 if n == 2 else 1.15) * high
            tests += 1
    assert stats.binom.cdf(inside, tests, 0.975) > 1e-3


class Normal:
    """A standard normal source, known by its samples only."""

    dim = 6

    def sample(self, n, rng):
        return rng.standard_normal((n, 6))


class Own(geomot.sources.Source):
    """The same as a kind of source of a user's own, without formulas for its moments."""

    dim = 6
    bounds = np.repeat([[-np.inf], [np.inf]], 6, axis=1)

    def sample(self, n, random_state=None):
        return np.random.default_rng(random_state).standard_normal((n, 6))

    def to_dict(self):
        return {"type": "Own"}


@pytest.mark.parametrize("shift", [10.0, -10.0])
@pytest.mark.parametrize(
    "source",
    [
        geomot.sources.WrappedSource(Normal()),
        Own(),
    ],
    ids=["wrapped", "own"],
)
def test_costs_of_a_source_whose_mean_is_estimated(source, shift):
    r = np.random.default_rng(0)
    sites = r.standard_normal((40, 6)) + shift
    nu = np.full(40, 1 / 40)
    # cells of <x, y - mean of y> - |y - mean of y|^2 / 2
    weights = (sites**2).sum(axis=1) - ((sites - sites.mean(axis=0)) ** 2).sum(axis=1)
    found = []
    for measure in (Gaussian(np.zeros(6), 1.0), source):
        design = design_of(PointDesign, sites, measure)
        tally = Tally(design, nu, np.random.default_rng(1))
        tally.extend(design.heights(weights), 400)
        found.append(tally.costs(weights))
    (dual, error, cost, cost_error), (other, its_error, its_cost, its_cost_error) = found
    assert abs(dual - other) <= 5 * np.hypot(error, its_error)
    assert abs(cost - its_cost) <= 5 * np.hypot(cost_error, its_cost_error)


# ---- the record ----


def estimate_of(n=20):
    known = Known(n)
    (tally,) = known.tallies(PointDesign, known.masses, 1, 20)
    return tally.estimate(1234, known.weights, sampling_scales(known.masses))


def test_the_record():
    estimate = estimate_of()
    assert estimate.n_fit_samples == 1234
    assert estimate.n_samples == 20 * TEST_STREAMS
    assert estimate.confidence == CONFIDENCE
    low, high = estimate.tv_interval
    assert 0.0 <= low <= estimate.tv <= high
    assert not estimate.mass_standard_errors.flags.writeable
    assert not estimate.centroids.flags.writeable
    assert "n_samples=640" in repr(estimate)
    again = replace(estimate)
    assert again == estimate
    assert hash(again) == hash(estimate)
    assert replace(estimate, tv=0.5) != estimate


def test_one_site():
    tally = Tally(design_of(PointDesign, np.array([[0.3, 0.4]])), np.ones(1),
                  np.random.default_rng(0))  # fmt: skip
    tally.extend(np.zeros(1), 10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimate = tally.estimate(0, np.zeros(1), np.ones(1))
    assert (estimate.chi2, estimate.tv, estimate.tv_interval) == (0.0, 0.0, (0.0, 0.0))
    assert estimate.design_effect == 1.0
    assert estimate.mass_intervals(np.ones(1)).tolist()[0][1] == pytest.approx(1.0)
