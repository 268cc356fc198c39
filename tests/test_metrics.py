"""Metrics: definitions against slow ones, expectations against theory, errors against spreads."""

from __future__ import annotations

import inspect
import itertools

import numpy as np
import pytest
from scipy import stats
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist

from geomot import metrics
from geomot.metrics import (
    Estimate,
    frechet_distance,
    inception_score,
    jackknife,
    median_distance,
    mmd,
    mode_statistics,
    nearest_distances,
    precision_recall_density_coverage,
    sliced_wasserstein2,
    wasserstein2,
)


def clouds(n, m, d, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), 0.5 * rng.standard_normal((m, d)) + 1.0


def some_masses(n, seed=0):
    masses = np.random.default_rng(seed).dirichlet(np.full(n, 0.5))
    return masses / masses.sum()


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks of few rows, so that every test puts several together."""
    monkeypatch.setattr("geomot._plans.costs._BLOCK", 300)


# ---- W2 ----


@pytest.mark.parametrize("d", [1, 3])
def test_wasserstein_against_all_permutations(d):
    a, b = clouds(6, 6, d)
    costs = cdist(a, b, "sqeuclidean")
    best = min(costs[range(6), p].mean() for p in itertools.permutations(range(6)))
    assert wasserstein2(a, b) == pytest.approx(best, rel=1e-14)
    assert wasserstein2(b, a) == pytest.approx(best, rel=1e-14)
    assert wasserstein2(a, a[::-1]) == 0.0


@pytest.mark.parametrize(("n", "m"), [(20, 20), (13, 20), (1, 9)])
@pytest.mark.parametrize("weighted", [False, True])
def test_wasserstein_on_the_line(n, m, weighted):
    """The same as in the plane, for clouds on a line in it."""
    a, b = clouds(n, m, 1)
    mu, nu = (some_masses(n), some_masses(m, 1)) if weighted else (None, None)
    wide = wasserstein2(np.column_stack([a, 0 * a]), np.column_stack([b, 0 * b]), mu, nu)
    assert wasserstein2(a, b, mu, nu) == pytest.approx(wide, rel=1e-9)
    if weighted:
        mu[0] = 0.0
        mu = mu / mu.sum() if n > 1 else np.ones(1)
        assert wasserstein2(a, b, mu, nu) == pytest.approx(
            wasserstein2(a[mu > 0], b, mu[mu > 0], nu), rel=1e-12
        )


def test_wasserstein_of_larger_clouds_is_that_of_discrete(monkeypatch):
    from geomot import discrete

    a, b = clouds(60, 60, 2)
    small = wasserstein2(a, b)
    monkeypatch.setattr("geomot.metrics._wasserstein._FEW", 10)
    assert wasserstein2(a, b) == pytest.approx(small, rel=1e-13)
    assert wasserstein2(a, b) == discrete.assignment(a, b).cost
    assert wasserstein2(a, b[:30]) == discrete.plan(a, b[:30]).cost


@pytest.mark.parametrize("far", [1e4, 1e8, 1e12])
@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize(("n", "m"), [(40, 40), (30, 40)])
def test_w2_of_clusters_that_are_far_apart(far, d, n, m):
    """As many points of both clouds in each: W2^2 is that of the clusters alone, on the average."""
    r = np.random.default_rng(int(far) % 97)
    a, b = (
        far * (np.arange(k) % 2)[:, None] + r.integers(8192, size=(k, d)) / 8192 for k in (n, m)
    )
    alone = np.mean([wasserstein2(a[k::2] - far * k, b[k::2] - far * k) for k in range(2)])
    assert wasserstein2(a, b) == pytest.approx(alone, rel=1e-12)


def test_wasserstein_of_gaussians():
    """The closed form between two laws, from large clouds on the line."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((200_000, 1)), 2.0 * rng.standard_normal((200_000, 1)) + 3.0
    assert wasserstein2(a, b) == pytest.approx(9.0 + 1.0, rel=0.02)


def test_sliced():
    a, b = clouds(50, 50, 4)
    shift = np.array([1.0, -2.0, 0.5, 3.0])
    estimate = sliced_wasserstein2(a, a + shift, n_projections=4000, random_state=0)
    assert estimate.value == pytest.approx(shift @ shift / 4, abs=4 * estimate.standard_error)
    assert estimate.standard_error < 0.1 * estimate.value
    assert float(estimate) == estimate.value
    # below W2^2 / d, by the definition of W2 as a minimum
    assert sliced_wasserstein2(a, b, random_state=1).value <= wasserstein2(a, b)
    again = sliced_wasserstein2(a, b, random_state=1)
    assert again == sliced_wasserstein2(a, b, random_state=1)
    assert again != sliced_wasserstein2(a, b, random_state=2)
    assert sliced_wasserstein2(a[:, :1], b[:, :1]) == Estimate(
        wasserstein2(a[:, :1], b[:, :1]), 0.0
    )


def test_sliced_error_is_right():
    a, b = clouds(30, 20, 3)
    many = [
        sliced_wasserstein2(a, b, some_masses(30), n_projections=50, random_state=seed)
        for seed in range(60)
    ]
    spread = np.std([e.value for e in many], ddof=1)
    claimed = np.sqrt(np.mean([e.standard_error**2 for e in many]))
    assert 0.75 < claimed / spread < 1.35


def test_global_generator_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    a, b = clouds(30, 30, 3)
    sliced_wasserstein2(a, b)
    jackknife(mmd, a, b)
    median_distance(np.random.default_rng(0).random((1500, 2)))
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002


# ---- MMD ----


def slow_mmd(a, b, kernel):
    n, m = len(a), len(b)
    within_a = sum(kernel(a[i], a[j]) for i in range(n) for j in range(n) if i != j)
    within_b = sum(kernel(b[i], b[j]) for i in range(m) for j in range(m) if i != j)
    across = sum(kernel(x, y) for x in a for y in b)
    return within_a / (n * (n - 1)) + within_b / (m * (m - 1)) - 2 * across / (n * m)


def test_mmd_against_its_definition():
    a, b = clouds(17, 23, 3)
    slow = slow_mmd(a, b, lambda x, y: np.exp(-np.sum((x - y) ** 2) / (2 * 0.7**2)))
    assert mmd(a, b, bandwidth=0.7) == pytest.approx(slow, rel=1e-12)
    slow = slow_mmd(a, b, lambda x, y: -np.linalg.norm(x - y))
    assert mmd(a, b, kernel="energy") == pytest.approx(slow, rel=1e-12)
    assert mmd(a, b) == mmd(a, b, bandwidth=median_distance(a, b))


def test_energy_distance_on_the_line():
    a, b = clouds(400, 300, 1)
    biased = stats.energy_distance(a[:, 0], b[:, 0]) ** 2
    assert mmd(a, b, kernel="energy") == pytest.approx(biased, abs=0.01)


def test_mmd_has_no_bias():
    """Its mean over many samples of two known laws is what integration gives."""
    rng = np.random.default_rng(0)
    values = [
        mmd(rng.standard_normal((6, 1)), rng.standard_normal((5, 1)) + 0.5, bandwidth=1.0)
        for _ in range(3000)
    ]
    # E k(X, Y) for X - Y of law N(t, 2) and bandwidth 1
    apart = np.exp(-0.25 / 6.0)
    true = (2.0 - 2.0 * apart) / np.sqrt(3.0)
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values) - true) < 4 * error
    assert error < 0.2 * true


def test_median_distance():
    a, b = clouds(20, 30, 2)
    both = np.concatenate([a, b])
    assert median_distance(a, b) == np.median(cdist(both, both)[np.triu_indices(50, 1)])
    big = np.random.default_rng(0).random((3000, 2))
    assert median_distance(big) == median_distance(big)
    assert median_distance(big) == pytest.approx(0.512, rel=0.03)
    with pytest.raises(ValueError, match="a must hold at least 2 points"):
        median_distance(a[:1])


def test_mmd_refuses():
    a, b = clouds(5, 5, 2)
    with pytest.raises(ValueError, match="a must hold at least 2 points"):
        mmd(a[:1], b)
    with pytest.raises(ValueError, match="kernel must be one of"):
        mmd(a, b, kernel="laplace")
    with pytest.raises(ValueError, match="bandwidth must be None"):
        mmd(a, b, kernel="energy", bandwidth=1.0)
    with pytest.raises(ValueError, match="bandwidth must be positive"):
        mmd(a, b, bandwidth=0.0)
    with pytest.raises(ValueError, match="bandwidth must be given"):
        mmd(0 * a, 0 * b)


# ---- neighbours ----


def slow_prdc(real, generated, k):
    def radius(cloud, i):
        return sorted(np.linalg.norm(cloud - cloud[i], axis=1))[k]

    near_real = np.array(
        [[np.linalg.norm(g - x) < radius(real, i) for g in generated] for i, x in enumerate(real)]
    )
    near_generated = np.array(
        [
            [np.linalg.norm(g - x) < radius(generated, j) for j, g in enumerate(generated)]
            for x in real
        ]
    )
    return (
        near_real.any(axis=0).mean(),
        near_generated.any(axis=1).mean(),
        near_real.sum(axis=0).mean() / k,
        near_real.any(axis=1).mean(),
    )


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize(("n", "m"), [(30, 30), (20, 35)])
def test_prdc_against_its_definition(n, m, k):
    real, generated = clouds(n, m, 2)
    found = precision_recall_density_coverage(real, generated, k)
    assert found == pytest.approx(slow_prdc(real, generated, k), rel=1e-14)
    assert found.coverage == found[3]


def test_prdc_against_the_reference(capsys):
    prdc = pytest.importorskip("prdc")
    real, generated = clouds(300, 250, 5)
    reference = prdc.compute_prdc(real, generated, 5)
    capsys.readouterr()
    found = precision_recall_density_coverage(real, generated)
    assert found._asdict() == pytest.approx({name: float(v) for name, v in reference.items()})


def test_prdc_of_one_law():
    """Expectations for equal laws and sizes: the documented coverage, and density 1."""
    n, k = 60, 3
    rng = np.random.default_rng(0)
    found = [
        precision_recall_density_coverage(*rng.standard_normal((2, n, 2)), k) for _ in range(60)
    ]
    expected = 1.0 - np.prod([(n - i) / (2 * n - i) for i in range(1, k + 1)])
    for values, true in (
        (np.array([f.coverage for f in found]), expected),
        (np.array([f.density for f in found]), 1.0),
    ):
        assert abs(values.mean() - true) < 4 * values.std() / np.sqrt(len(values))
        assert values.std() / np.sqrt(len(values)) < 0.05


def test_prdc_of_collapse_and_noise():
    real = np.random.default_rng(0).standard_normal((200, 2))
    half = real[real[:, 0] > 0]
    collapsed = half[np.random.default_rng(1).integers(len(half), size=200)]
    scores = precision_recall_density_coverage(real, collapsed + 0.01)
    assert scores.precision > 0.9
    assert scores.recall < 0.75
    assert scores.coverage < 0.75
    far = precision_recall_density_coverage(real, real + 100.0)
    assert far == (0.0, 0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="generated must hold at least 6 points, got 5"):
        precision_recall_density_coverage(real, real[:5])
    with pytest.raises(ValueError, match="k must be at least 1"):
        precision_recall_density_coverage(real, real, 0)


@pytest.mark.parametrize("d", [2, 15])
def test_nearest_distances(d):
    a, b = clouds(25, 40, d)
    slow = cdist(a, b)
    distances, indices = nearest_distances(a, b, return_indices=True)
    assert np.allclose(distances, slow.min(axis=1), rtol=1e-14)
    assert np.array_equal(indices, slow.argmin(axis=1))
    assert np.array_equal(nearest_distances(a, b), distances)
    assert nearest_distances(b, b).max() == 0.0


# ---- features ----


def test_frechet_against_its_formula():
    a, b = clouds(200, 150, 6)
    b = b @ np.random.default_rng(3).standard_normal((6, 6))
    first, second = np.cov(a.T), np.cov(b.T)
    apart = a.mean(axis=0) - b.mean(axis=0)
    formula = apart @ apart + np.trace(first + second - 2 * np.real(sqrtm(first @ second)))
    assert frechet_distance(a, b) == pytest.approx(formula, rel=1e-9)
    assert frechet_distance(b, a) == pytest.approx(formula, rel=1e-9)


def test_frechet_of_singular_covariances():
    a, b = clouds(5, 4, 20)
    assert frechet_distance(a, a) == pytest.approx(0.0, abs=1e-12)
    assert frechet_distance(a, a + 2.0) == pytest.approx(80.0, rel=1e-12)
    assert np.isfinite(frechet_distance(a, b))
    line = np.linspace(0, 1, 50)[:, None]
    assert frechet_distance(line, 3 * line) == pytest.approx(
        1.0 + (2 * line.std(ddof=1)) ** 2, rel=1e-12
    )
    assert frechet_distance(1e8 + a, 1e8 + a) == 0.0
    with pytest.raises(ValueError, match="features_b must hold at least 2"):
        frechet_distance(a, a[:1])


def test_inception_score():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.full(5, 0.2), size=40)
    mean = p.mean(axis=0)
    slow = np.exp(
        np.mean([sum(q * np.log(q / m) for q, m in zip(r, mean, strict=True)) for r in p])
    )
    assert inception_score(p) == pytest.approx(slow, rel=1e-12)
    assert inception_score(p.astype(np.float32)) == pytest.approx(slow, rel=1e-5)
    assert inception_score(np.eye(10)[rng.permutation(10)]) == pytest.approx(10.0)
    assert inception_score(np.tile(p[0], (7, 1))) == pytest.approx(1.0, abs=1e-12)
    with pytest.raises(ValueError, match="rows of sum 1, got 2.0 in row 0"):
        inception_score([[1.0, 1.0]])
    with pytest.raises(ValueError, match="probabilities must not be negative"):
        inception_score([[1.5, -0.5]])


# ---- modes ----

RING = 10.0 * np.column_stack([np.cos(np.arange(8) * np.pi / 4), np.sin(np.arange(8) * np.pi / 4)])


def ring(n, rng, masses=None):
    return RING[rng.choice(8, size=n, p=masses)] + rng.standard_normal((n, 2))


def test_modes_of_the_right_law():
    """Share outside as documented, and p-values that are uniform: with many points and with few."""
    rng = np.random.default_rng(0)
    found = mode_statistics(ring(20_000, rng), RING, 3.0)
    assert found.found == 8
    assert found.counts.sum() + found.outside == 20_000
    low, high = found.mixture_interval
    assert low < found.mixture_rate < high
    assert abs(found.mixture_rate - np.exp(-4.5)) < 0.004
    for n in (200, 20):
        values = [mode_statistics(ring(n, rng), RING, 3.0).p_value for _ in range(60)]
        assert stats.kstest(values, "uniform").pvalue > 1e-3


def test_modes_of_wrong_masses_and_between():
    rng = np.random.default_rng(0)
    masses = np.array([4, 1, 1, 1, 1, 1, 1, 2]) / 12
    points = ring(600, rng, masses)
    assert mode_statistics(points, RING, 3.0).p_value < 1e-6
    assert mode_statistics(points, RING, 3.0, masses).p_value > 1e-3
    found = mode_statistics(points, RING, 3.0, masses)
    inside = found.counts
    reference = stats.chisquare(inside, inside.sum() * masses)
    assert (found.chi2, found.p_value) == pytest.approx(tuple(reference), rel=1e-9)
    between = 0.5 * (RING + np.roll(RING, 1, axis=0))
    found = mode_statistics(np.concatenate([RING[:3], between]), RING, 1.0)
    assert found.counts.tolist() == [1, 1, 1, 0, 0, 0, 0, 0]
    assert (found.outside, found.found) == (8, 3)
    assert found.mixture_rate == 8 / 11
    reference = stats.binomtest(8, 11).proportion_ci(method="exact")
    assert found.mixture_interval == pytest.approx(tuple(reference))
    assert found.p_value > 0.5
    assert found == mode_statistics(np.concatenate([RING[:3], between]), RING, np.ones(8))


def test_modes_at_the_ends():
    nothing = mode_statistics([[100.0, 0.0]], RING, 1.0)
    assert (nothing.found, nothing.outside, nothing.mixture_rate) == (0, 1, 1.0)
    assert nothing.mixture_interval[1] == 1.0
    assert np.isnan(nothing.chi2)
    assert np.isnan(nothing.p_value)
    one = mode_statistics(RING[:1] + np.zeros((9, 2)), RING[:1], 1.0)
    assert (one.chi2, one.p_value, one.mixture_interval[0]) == (0.0, 1.0, 0.0)
    # different radii: the nearest mode decides, then its own radius
    found = mode_statistics([[1.0], [2.6]], [[0.0], [3.0]], [2.0, 0.1])
    assert found.counts.tolist() == [1, 0]


def test_modes_refuse():
    for radius, message in [
        (0.0, "radius must be positive"),
        (np.nan, "radius must be positive"),
        (np.ones(3), "radius must be a number or have shape"),
    ]:
        with pytest.raises(ValueError, match=message):
            mode_statistics(RING, RING, radius)
    with pytest.raises(ValueError, match="masses must be positive, got 0 at index 0"):
        mode_statistics(RING, RING[:2], 1.0, [0.0, 1.0])
    with pytest.raises(ValueError, match=r"modes must have shape \(n, 2\)"):
        mode_statistics(RING, np.zeros((2, 3)), 1.0)


# ---- the jackknife ----


def test_jackknife_of_a_mean():
    x = np.random.default_rng(0).standard_normal(200)
    each = jackknife(np.mean, x, groups=200)
    assert each.value == x.mean()
    assert each.standard_error == pytest.approx(x.std(ddof=1) / np.sqrt(200), rel=1e-12)


@pytest.mark.parametrize("metric", [frechet_distance, mmd, wasserstein2])
def test_jackknife_errors_are_right(metric):
    """Not too small, and not by much too large, beside the spread over fresh samples."""
    rng = np.random.default_rng(0)
    values, claimed = [], []
    for _ in range(40):
        a, b = rng.standard_normal((60, 2)), rng.standard_normal((60, 2)) + [0.8, 0.0]
        estimate = jackknife(metric, a, b, random_state=rng)
        assert estimate.value == metric(a, b)
        values.append(estimate.value)
        claimed.append(estimate.standard_error**2)
    ratio = np.sqrt(np.mean(claimed)) / np.std(values, ddof=1)
    assert 0.75 < ratio < 1.6


def test_jackknife_keeps_the_kind_of_value():
    a, b = clouds(50, 60, 2)
    found = jackknife(precision_recall_density_coverage, a, b, random_state=0)
    assert found.value == precision_recall_density_coverage(a, b)
    assert isinstance(found.standard_error, metrics.PRDC)
    assert all(0.0 <= error < 1.0 for error in found.standard_error)
    assert found.standard_error.density > 0.0
    found = jackknife(lambda x: (x.mean(), x.std()), a)
    assert len(found.standard_error) == 2
    sliced = jackknife(
        lambda x, y: sliced_wasserstein2(x, y, n_projections=20, random_state=0), a, b
    )
    assert sliced.value == sliced_wasserstein2(a, b, n_projections=20, random_state=0).value
    assert sliced.standard_error > 0.0
    assert jackknife(mmd, a, b, random_state=3) == jackknife(mmd, a, b, random_state=3)


def test_jackknife_refuses():
    a, b = clouds(9, 20, 2)
    with pytest.raises(ValueError, match="at least groups = 10 points"):
        jackknife(mmd, a, b)
    with pytest.raises(ValueError, match="groups must be at least 2"):
        jackknife(mmd, b, b, groups=1)
    with pytest.raises(TypeError, match="samples must hold"):
        jackknife(mmd)


# ---- all of them ----


@pytest.mark.parametrize(
    "metric",
    [wasserstein2, sliced_wasserstein2, mmd, precision_recall_density_coverage, nearest_distances,
     frechet_distance],
)  # fmt: skip
def test_clouds_that_cannot_be_meant(metric):
    first, second = list(inspect.signature(metric).parameters)[:2]
    good = np.random.default_rng(0).random((10, 3))
    bad = good.copy()
    bad[3, 1] = np.nan
    with pytest.raises(ValueError, match=f"^{first} must be finite, got nan"):
        metric(bad, good)
    with pytest.raises(ValueError, match=f"^{second} must be finite, got nan"):
        metric(good, bad)
    with pytest.raises(ValueError, match=rf"^{second} must have shape \(n, 3\)"):
        metric(good, good[:, :2])
    with pytest.raises(ValueError, match=rf"^{first} must have shape \(n, d\)"):
        metric(good[0], good)
    with pytest.raises(TypeError, match=f"^{first} must be an array"):
        metric(None, good)
    kept = good.copy()
    metric(good, good)
    assert np.array_equal(good, kept)
