"""Samplers of other libraries: points, moments, random numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import geomot
from geomot.sources import WrappedSource, as_source

pytestmark = pytest.mark.usefixtures("silent")
rng = np.random.default_rng
COV = np.array([[4.0, 1.0, 0.5], [1.0, 2.0, -0.25], [0.5, -0.25, 1.0]])


def sklearn_mixture(covariance_type, **options):
    from sklearn.mixture import GaussianMixture

    data = np.concatenate([rng(0).normal([0, 0], [1, 3], (200, 2)), rng(1).normal(9, 1, (99, 2))])
    return GaussianMixture(2, covariance_type=covariance_type, random_state=0, **options).fit(data)


def kernel_density(kernel, **options):
    from sklearn.neighbors import KernelDensity

    data = rng(2).normal([1, -2], [1, 4], (80, 2))
    return KernelDensity(bandwidth=1.5, kernel=kernel).fit(data, **options)


def torch_distribution(name):
    torch = pytest.importorskip("torch")
    d = torch.distributions
    zero, one = torch.zeros(2), torch.tensor([1.0, 2.0])
    # Without moments of its own.
    warped = d.TransformedDistribution(d.Normal(zero, one), d.transforms.ExpTransform().inv.inv)
    return {
        "normal": d.Normal(1.0, 2.0),
        "batch": d.Normal(one, one),
        "independent": d.Independent(d.Laplace(one, one), 1),
        "multivariate": d.MultivariateNormal(one, torch.tensor([[2.0, 1.0], [1.0, 3.0]])),
        "mixture": d.MixtureSameFamily(
            d.Categorical(torch.tensor([0.25, 0.75])),
            d.Independent(d.Normal(torch.tensor([[0.0, 0.0], [5.0, 5.0]]), torch.ones(2, 2)), 1),
        ),
        "warped": warped,
    }[name]


class Plain:
    """Draws from numpy's global generator, sorted."""

    def sample(self, n):
        points = np.random.random((n, 2))  # noqa: NPY002
        return points[points[:, 0].argsort()]


class Seeded:
    def sample(self, n, *, seed):
        return rng(seed).random((n, 2)) * [1, 2]


class Keyword:
    def sample(self, n, *, rng):
        return rng.random((n, 2))


class Options:
    """Has options after n, which are no generators."""

    def sample(self, n, scale=3.0, labels=None):
        assert scale == 3.0 and labels is None
        return np.random.random((n, 2))  # noqa: NPY002


class Estimator:
    def sample(self, n, random_state=None):
        return random_state.random_sample((n, 2))


SAMPLERS = {
    "mixture full": (lambda: sklearn_mixture("full"), 2, True),
    "mixture tied": (lambda: sklearn_mixture("tied"), 2, True),
    "mixture diag": (lambda: sklearn_mixture("diag"), 2, True),
    "mixture spherical": (lambda: sklearn_mixture("spherical"), 2, True),
    "kernels": (lambda: kernel_density("gaussian"), 2, True),
    "weighted kernels": (
        lambda: kernel_density("gaussian", sample_weight=rng(3).random(80) ** 4), 2, True,
    ),
    "round kernels": (lambda: kernel_density("tophat"), 2, True),
    "scipy norm": (lambda: stats.norm(3.0, 2.0), 1, True),
    "scipy gamma": (lambda: stats.gamma(2.0, scale=0.5), 1, True),
    "scipy columns": (lambda: stats.norm([0.0, 5.0, 1.0], [1.0, 2.0, 0.5]), 3, True),
    "scipy histogram": (lambda: stats.rv_histogram(np.histogram([0.0, 1, 1, 3], 3)), 1, True),
    "scipy multivariate": (lambda: stats.multivariate_normal([1, 2, 0.0], COV), 3, True),
    "scipy one": (lambda: stats.multivariate_normal([1.0], [[4.0]]), 1, True),
    "scipy t": (lambda: stats.multivariate_t([1, 2, 0.0], COV, df=7), 3, True),
    "scipy dirichlet": (lambda: stats.dirichlet([1.0, 2.0, 3.0]), 3, True),
    "scipy kde": (lambda: stats.gaussian_kde(rng(4).normal(size=(2, 50)) * [[1], [3]]), 2, True),
    "torch normal": (lambda: torch_distribution("normal"), 1, True),
    "torch batch": (lambda: torch_distribution("batch"), 2, True),
    "torch independent": (lambda: torch_distribution("independent"), 2, True),
    "torch multivariate": (lambda: torch_distribution("multivariate"), 2, True),
    "torch mixture": (lambda: torch_distribution("mixture"), 2, False),
    "torch warped": (lambda: torch_distribution("warped"), 2, False),
    "plain": (Plain, 2, False),
    "seed": (Seeded, 2, False),
    "rng": (Keyword, 2, False),
    "options": (Options, 2, False),
    "random_state": (Estimator, 2, False),
}  # fmt: skip
if hasattr(stats, "Normal"):
    SAMPLERS["scipy new"] = lambda: stats.Normal(mu=[1.0, 2.0], sigma=[3.0, 1.0]), 2, True


@pytest.mark.parametrize("name", SAMPLERS)
def test_samplers_of_other_libraries(name):
    make, d, exact = SAMPLERS[name]
    source = as_source(make(), d)
    assert source.dim == d
    n = 40_000
    points = source.sample(n, 1)
    assert points.shape == (n, d) and points.dtype == np.float64
    # The same points each time, by any kind of generator, and others for another seed.
    np.testing.assert_array_equal(points, as_source(make(), d).sample(n, 1))
    np.testing.assert_array_equal(points, source.sample(n, rng(1)))
    assert not np.isin(source.sample(n, 2)[:, 0], points[:, 0]).all()
    assert source.sample(1, 0).shape == (1, d) and source.sample(0).shape == (0, d)
    stream = rng(5)
    assert (source.sample(100, stream) != source.sample(100, stream)).any()
    # Moments are those of the points within five standard errors of their estimates.
    centred = points - source.mean
    root = np.sqrt(n if exact else 4096)
    scale = np.sqrt(np.diag(source.covariance))
    assert (np.abs(centred.mean(axis=0)) < 5 * scale / root).all()
    products = centred[:, :, None] * centred[:, None, :]
    error = products.mean(axis=0) - source.covariance
    assert (np.abs(error) < 5 * (products.std(axis=0) + 1e-12) / root).all()
    assert source.mean_is_estimated == (not exact and "torch mixture" not in name)
    # Any part of the points is a sample: the first half is not one component of a mixture.
    difference = points[: n // 2].mean(axis=0) - points[n // 2 :].mean(axis=0)
    assert (np.abs(difference) < 5 * scale * 2 / np.sqrt(n)).all()


def test_moments_that_libraries_tell_are_exact():
    for source, mean, covariance in [
        (WrappedSource(stats.norm(3.0, 2.0)), [3.0], [[4.0]]),
        (WrappedSource(stats.uniform([0, 1], [1, 6])), [0.5, 4.0], [[1 / 12, 0], [0, 3]]),
        (WrappedSource(stats.multivariate_normal([1, 2, 0.0], COV)), [1, 2, 0], COV),
        (WrappedSource(stats.multivariate_t([1, 2, 0.0], COV, df=4)), [1, 2, 0], 2 * COV),
        (WrappedSource(torch_distribution("batch")), [1, 2], [[1, 0], [0, 4]]),
        (WrappedSource(torch_distribution("independent")), [1, 2], [[2, 0], [0, 8]]),
        (WrappedSource(torch_distribution("multivariate")), [1, 2], [[2, 1], [1, 3]]),
    ]:
        np.testing.assert_allclose(source.mean, mean, rtol=1e-14)
        np.testing.assert_allclose(source.covariance, covariance, rtol=1e-6, atol=1e-15)
        assert not source.mean_is_estimated
    # Two points with kernels: by hand.
    from sklearn.neighbors import KernelDensity

    density = KernelDensity(bandwidth=2.0).fit([[0.0, 0.0], [2.0, 4.0]], sample_weight=[3.0, 1.0])
    source = WrappedSource(density)
    np.testing.assert_allclose(source.mean, [0.5, 1.0])
    np.testing.assert_allclose(source.covariance, [[0.75 + 4, 1.5], [1.5, 3 + 4]])
    mean, covariance = WrappedSource(torch_distribution("mixture")).mean, None
    np.testing.assert_allclose(mean, [3.75, 3.75])
    # Its coordinates are not independent, so that variances alone do not tell the covariance.
    covariance = WrappedSource(torch_distribution("mixture")).covariance
    assert covariance[0, 1] == pytest.approx(25 * 0.25 * 0.75, rel=0.1)


@pytest.mark.parametrize(
    ("sampler", "words"),
    [
        (stats.cauchy(), "finite mean"),
        (stats.t(2), "finite variance"),
        (stats.multivariate_t([0.0, 1.0], df=1), "finite mean"),
        (stats.multivariate_t([0.0, 1.0], df=2), "finite variance"),
    ],
)
def test_heavy_tails_have_no_transport_cost(sampler, words):
    source = WrappedSource(sampler)
    with pytest.raises(ValueError, match=f"source must have a {words}"):
        geomot.solve(np.zeros((3, source.dim)) + np.arange(3.0)[:, None], source=source,
                     method="montecarlo", tol=0.1)  # fmt: skip


def test_samplers_with_another_dimension():
    for sampler in (sklearn_mixture("full"), stats.multivariate_normal([0.0, 0.0])):
        with pytest.raises(ValueError, match="source must have dimension 3, got 2"):
            as_source(sampler, 3)
    with pytest.raises(ValueError, match="source must have dimension 2, got 1"):
        as_source(stats.norm(), 2)
    for sampler in (stats.norm(np.zeros((2, 2))), stats.matrix_normal(np.zeros((2, 2)))):
        with pytest.raises(ValueError, match=r"one axis of coordinates, got .* shape \(2, 2\)"):
            as_source(sampler, 2)
    torch = pytest.importorskip("torch")
    batch = torch.distributions.MultivariateNormal(torch.zeros(3, 2), torch.eye(2))
    with pytest.raises(ValueError, match=r"one axis of coordinates, got points of shape \(3, 2\)"):
        as_source(batch, 2)


def test_samplers_leave_the_global_generators_alone():
    torch = pytest.importorskip("torch")
    mixture = sklearn_mixture("full")
    np.random.seed(3)  # noqa: NPY002
    torch.manual_seed(3)
    expected = np.random.random(), float(torch.rand(()))  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    torch.manual_seed(3)
    for sampler in (Plain(), mixture, torch_distribution("batch"), kernel_density("gaussian")):
        as_source(sampler, 2).sample(10, 0)
    assert (np.random.random(), float(torch.rand(()))) == expected  # noqa: NPY002
    assert mixture.random_state == 0


def test_solves_from_samplers_of_other_libraries():
    sites = rng(0).normal(size=(20, 2)) * 3 + 3
    for sampler in (sklearn_mixture("full"), torch_distribution("batch"), Plain()):
        first, second = (
            geomot.solve(sites, source=sampler, tol=0.05, random_state=0) for _ in range(2)
        )
        assert first.converged
        np.testing.assert_array_equal(first.weights, second.weights)
    # The masses hold on points that the library itself draws, sorted as they are.
    mixture = sklearn_mixture("full")
    solution = geomot.solve(sites, source=mixture, tol=0.02, random_state=0)
    shares = np.bincount(solution.assign(mixture.sample(200_000)[0]), minlength=20) / 200_000
    assert 0.5 * np.abs(shares - 0.05).sum() < 0.03


class OneBuffer:
    """Draws into the same array each time."""

    dim = 2

    def __init__(self):
        self.buffer = np.empty((0, 2))

    def sample(self, n, rng):
        if len(self.buffer) < n:
            self.buffer = np.empty((n, 2))
        self.buffer[:n] = rng.random((n, 2))
        return self.buffer[:n]


def test_samplers_may_use_their_buffer_again():
    class Fresh(OneBuffer):
        def sample(self, n, rng):
            return rng.random((n, 2))

    source = WrappedSource(OneBuffer())
    first = source.sample(50, 0)
    kept = first.copy()
    source.sample(50, 1)
    np.testing.assert_array_equal(first, kept)
    sites = rng(0).random((10, 2))
    a, b = (geomot.solve(sites, source=s, tol=0.05, random_state=0) for s in (OneBuffer(), Fresh()))
    np.testing.assert_array_equal(a.weights, b.weights)
    assert a.estimate == b.estimate
