"""The kinds of sources in any dimension: their values, refusals, moments and uniform maps."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from scipy import stats
from scipy.stats import qmc

import geomot
from geomot import (
    Gaussian,
    GridDensity,
    PowerDiagram,
    Samples,
    UniformBall,
    UniformBox,
    UniformPolygon,
)
from geomot.sources import Product, Source, WrappedSource, as_source, exact_polygon

rng = np.random.default_rng

COV = np.array([[4.0, 1.0, 0.5], [1.0, 2.0, -0.25], [0.5, -0.25, 1.0]])
IMAGE = np.array([[0.0, 1.0, 0.0, 2.0], [0.5, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 3.0]])


class Ring:
    """Points on the unit circle."""

    dim = 2

    def sample(self, n, rng):
        points = rng.standard_normal((n, 2))
        return points / np.linalg.norm(points, axis=1, keepdims=True)

    def __eq__(self, other):
        return type(other) is Ring

    __hash__ = None


KNOWN = [
    UniformBox([0, -1], [2, 1]),
    UniformBox(np.arange(5.0), np.arange(5.0) + rng(5).random(5) + 0.1),
    UniformPolygon([(0, 0), (3, 1), (1, 2)]),
    UniformPolygon.regular(97, (3.0, -2.0), 0.5),
    Samples(rng(0).random((20, 3)), rng(1).random(20)),
    Gaussian([1.0], 4.0),
    Gaussian([1.0, -2.0], [4.0, 0.25]),
    Gaussian([1.0, -2.0, 0.5], COV),
    Gaussian(np.zeros(12), np.eye(12) + 0.5),
    UniformBall([1.0], 2.0),
    UniformBall([1.0, -3.0], 2.0),
    UniformBall(np.arange(7.0), 0.5),
    GridDensity([1.0, 0.0, 2.0, 5.0, 0.0], [-1.0], [4.0]),
    GridDensity(IMAGE, [-1.0, 2.0], [2.0, 2.5]),
    GridDensity(rng(3).random((3, 4, 2, 2)) ** 4),
]
ALL = [*KNOWN, WrappedSource(Ring())]
OLD = (UniformBox, UniformPolygon, Samples)


def coordinates(source, points):
    """The points with their products of two coordinates: what moments are means of."""
    d = source.dim
    i, j = np.triu_indices(d)
    seen = points - source.mean
    return np.hstack([points, seen[:, i] * seen[:, j]]), np.concatenate(
        [source.mean, source.covariance[i, j]]
    )


@pytest.mark.parametrize("source", KNOWN, ids=repr)
def test_moments_are_those_of_samples(source):
    assert source.mean.shape == (source.dim,)
    assert source.covariance.shape == (source.dim, source.dim)
    np.testing.assert_array_equal(source.covariance, source.covariance.T)
    points = source.sample(100_000, random_state=0)
    values, expected = coordinates(source, points)
    error = values.std(axis=0) / np.sqrt(len(points)) + 1e-12
    np.testing.assert_array_less(np.abs(values.mean(axis=0) - expected) / error, 5.0)
    for array in (source.mean, source.covariance):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0.0


def test_moments_in_closed_form():
    box = UniformBox([0, -1], [6, 1])
    assert box.mean.tolist() == [3.0, 0.0]
    np.testing.assert_allclose(box.covariance, [[3.0, 0.0], [0.0, 1 / 3]])
    triangle = UniformPolygon([(0, 0), (2, 0), (0, 1)])
    np.testing.assert_allclose(triangle.mean, [2 / 3, 1 / 3], rtol=1e-15)
    np.testing.assert_allclose(
        triangle.covariance, [[4 / 18, -2 / 36], [-2 / 36, 1 / 18]], rtol=1e-14
    )
    square = UniformPolygon(np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) + 2.0**30)
    assert square.mean.tolist() == [2.0**30 + 0.5] * 2
    np.testing.assert_allclose(square.covariance, np.eye(2) / 12, rtol=1e-14, atol=1e-16)
    thin = UniformPolygon([(0, 0), (1, 0), (1, 2.0**-40), (0, 2.0**-40)])
    np.testing.assert_allclose(thin.covariance[1, 1], 2.0**-80 / 12, rtol=1e-13)
    assert UniformBall(np.ones(4), 3.0).covariance[2, 2] == 1.5
    assert Gaussian([0.0, 1.0], 2.0).covariance.tolist() == [[2.0, 0.0], [0.0, 2.0]]
    cloud = Samples([[1e8, 0.0], [1e8 + 1, 2.0]], [3, 1])
    np.testing.assert_allclose(cloud.mean, [1e8 + 0.25, 0.5], rtol=1e-16)
    np.testing.assert_allclose(cloud.covariance, 0.1875 * np.outer([1, 2], [1, 2]), rtol=1e-12)
    # An image against its own cells, one by one.
    grid = KNOWN[-2]
    x = [-0.5, 0.5, 1.5], [2.0625, 2.1875, 2.3125, 2.4375]
    mass = IMAGE / IMAGE.sum()
    mean = [(mass.sum(axis=1) * x[0]).sum(), (mass.sum(axis=0) * x[1]).sum()]
    np.testing.assert_allclose(grid.mean, mean, rtol=1e-14)
    cross = sum(
        mass[i, j] * (x[0][i] - mean[0]) * (x[1][j] - mean[1]) for i in range(3) for j in range(4)
    )
    assert grid.covariance[0, 1] == pytest.approx(cross, rel=1e-12)
    assert grid.covariance[0, 0] == pytest.approx(
        (mass.sum(axis=1) * (np.array(x[0]) - mean[0]) ** 2).sum() + 1 / 12, rel=1e-13
    )


@pytest.mark.parametrize("source", KNOWN, ids=repr)
def test_uniform_map_preserves_mass(source):
    """Moments over a net of the unit cube: much closer than random points come."""
    k = source.n_uniforms
    u = qmc.Sobol(k, seed=0).random_base2(15)
    points = source.from_uniforms(u)
    assert points.shape == (len(u), source.dim)
    low, high = source.bounds
    assert (low <= points).all() and (points <= high).all()
    values, expected = coordinates(source, points)
    error = values.std(axis=0) / np.sqrt(len(points)) + 1e-12
    miss = np.abs(values.mean(axis=0) - expected) / error
    # Random points would have a root mean square of 1.
    assert np.sqrt((miss**2).mean()) < 0.7 and miss.max() < 3.0
    # One at a time as well as together, and at the corners and the middle of the cube.
    np.testing.assert_allclose(source.from_uniforms(u[7:8]), points[7:8], rtol=1e-13, atol=1e-14)
    corners = np.stack([np.zeros(k), np.ones(k), np.full(k, 0.5), np.full(k, 1.0 - 2.0**-53)])
    corners = source.from_uniforms(corners)
    assert np.isfinite(corners).all()
    assert (low <= corners).all() and (corners <= high).all()
    assert source.from_uniforms(np.empty((0, k))).shape == (0, source.dim)


@pytest.mark.parametrize("source", KNOWN, ids=repr)
def test_uniform_map_has_the_law_of_samples(source):
    points = source.from_uniforms(rng(1).random((4000, source.n_uniforms)))
    others = source.sample(4000, random_state=2)
    directions = rng(3).standard_normal((source.dim, 3))
    for direction in (*np.eye(source.dim)[:3], *directions.T):
        assert stats.ks_2samp(points @ direction, others @ direction).pvalue > 1e-4


def test_uniform_maps_against_the_law_itself():
    u = rng(0).random((20_000, 8))
    ball = UniformBall(np.zeros(7), 3.0).from_uniforms(u)
    radius = np.linalg.norm(ball, axis=1)
    assert radius.max() <= 3.0
    assert stats.kstest((radius / 3.0) ** 7, "uniform").pvalue > 1e-3
    # A coordinate of a point of the sphere has the density (1 - t^2)^2 in 7 dimensions.
    law = stats.beta(3.0, 3.0, loc=-1.0, scale=2.0)
    assert stats.kstest(ball[:, 0] / radius, law.cdf).pvalue > 1e-3
    normal = Gaussian([1.0, -2.0, 0.5], COV)
    z = np.linalg.solve(np.linalg.cholesky(COV), (normal.from_uniforms(u[:, :3]) - normal.mean).T)
    for row in z:
        assert stats.kstest(row, "norm").pvalue > 1e-3
    assert np.abs(np.corrcoef(z) - np.eye(3)).max() < 5 / np.sqrt(len(u))
    grid = KNOWN[-2]
    points = grid.from_uniforms(u[:, :3])
    cells = np.floor((points - grid.lower) / (grid.upper - grid.lower) * [3, 4]).astype(int)
    counts = np.zeros((3, 4))
    np.add.at(counts, tuple(np.minimum(cells, [2, 3]).T), 1)
    assert (counts[IMAGE == 0.0] == 0).all()
    held = IMAGE > 0.0
    assert stats.chisquare(counts[held], len(u) * grid.values[held]).pvalue > 1e-3
    inside = (points - grid.lower) / (grid.upper - grid.lower) * [3, 4] % 1.0
    for column in inside.T:
        assert stats.kstest(column, "uniform").pvalue > 1e-3
    cloud = Samples([[0.0], [1.0], [2.0], [3.0], [4.0]], [1, 0, 2, 1, 0])
    u = np.array([0.0, 0.25 - 2.0**-54, 0.25, 0.75 - 2.0**-53, 0.75, 1.0])[:, None]
    assert cloud.from_uniforms(u)[:, 0].tolist() == [0, 0, 2, 2, 3, 3]


def test_polygon_map_is_continuous():
    fan = UniformPolygon([(0, 0), (2, -1), (3, 1), (1, 2)])
    # The triangles of the fan at (0, 0) have areas 2.5 and 2.5: the sweep changes over at 1/2.
    for u in (0.25, 1.0):
        before, at, after = fan.from_uniforms([[0.5 - 1e-12, u], [0.5, u], [0.5 + 1e-12, u]])
        np.testing.assert_allclose(at, np.sqrt(u) * np.array([3, 1]), rtol=1e-14)
        np.testing.assert_allclose(before, at, atol=1e-11)
        np.testing.assert_allclose(after, at, atol=1e-11)
    ends = fan.from_uniforms([[0.0, 1.0], [1.0, 1.0]])
    np.testing.assert_allclose(ends, [(2, -1), (1, 2)], rtol=1e-15)


def test_uniforms_refused():
    box = UniformBox.unit(2)
    for bad, words in [
        ([[0.5, 0.5, 0.5]], r"u must have shape \(n, 2\)"),
        ([0.5, 0.5], r"u must have shape \(n, 2\)"),
        ([[0.5, -1e-300]], "u must lie between 0 and 1"),
        ([[0.5, 1.0 + 1e-15]], "u must lie between 0 and 1"),
        ([[0.5, np.nan]], "u must be finite"),
    ]:
        with pytest.raises(ValueError, match=words):
            box.from_uniforms(bad)
    assert ALL[-1].n_uniforms is None
    with pytest.raises(ValueError, match="from_uniforms needs"):
        ALL[-1].from_uniforms([[0.5]])


@pytest.mark.parametrize("source", ALL, ids=repr)
def test_product(source):
    product = source.product
    if isinstance(source, UniformBox):
        assert (product.kind, product.linear.ndim) == ("uniform", 1)
    elif isinstance(source, Gaussian):
        assert product.kind == "normal"
    else:
        assert product is None
        return
    linear = product.linear if product.linear.ndim == 2 else np.diag(product.linear)
    u = rng(0).random((100, source.dim))
    z = u if product.kind == "uniform" else stats.norm.ppf(u)
    np.testing.assert_allclose(product.offset + z @ linear.T, source.from_uniforms(u), rtol=1e-12)
    spread = linear @ linear.T / (12.0 if product.kind == "uniform" else 1.0)
    np.testing.assert_allclose(spread, source.covariance, rtol=1e-13, atol=1e-14)
    assert product == source.product == pickle.loads(pickle.dumps(product))
    assert isinstance(product, Product) and len(repr(product)) < 80


@pytest.mark.parametrize("source", ALL, ids=repr)
def test_values(source):
    others = [s for s in ALL if s is not source]
    again = [copy.copy(source), copy.deepcopy(source)]
    again += [pickle.loads(pickle.dumps(source, p)) for p in range(2, 6)]
    if not isinstance(source, WrappedSource):
        again.append(Source.from_dict(source.to_dict()))
        again.append(Source.from_dict({k: copy.copy(v) for k, v in source.to_dict().items()}))
    _ = source.mean, source.covariance
    for other in again:
        assert other == source and hash(other) == hash(source) and repr(other) == repr(source)
        assert all(other != s for s in others)
        np.testing.assert_array_equal(other.sample(50, 3), source.sample(50, 3))
        np.testing.assert_array_equal(other.mean, source.mean)
        np.testing.assert_array_equal(other.covariance, source.covariance)
    assert len(repr(source)) < 250
    for value in source.to_dict().values():
        assert isinstance(value, str) or (value.dtype == np.float64 and value.ndim in (1, 2))


@pytest.mark.parametrize("source", ALL, ids=repr)
def test_samples(source):
    points = source.sample(500, random_state=0)
    assert points.shape == (500, source.dim) and points.dtype == np.float64
    low, high = source.bounds
    assert (low <= points).all() and (points <= high).all()
    np.testing.assert_array_equal(points, source.sample(500, random_state=rng(0)))
    assert (points != source.sample(500, random_state=1)).any()
    assert source.sample(0).shape == (0, source.dim)
    with pytest.raises(ValueError, match="n must be"):
        source.sample(-1)
    with pytest.raises(TypeError, match="random_state"):
        source.sample(1, "seed")


@pytest.mark.parametrize("source", KNOWN[5:], ids=repr)
def test_sources_own_their_arrays(source):
    data = source.to_dict()
    arguments = {k: np.array(v) for k, v in data.items() if k != "type"}
    made = Source.from_dict({"type": data["type"], **arguments})
    for array in arguments.values():
        array[...] = 7.0
    assert made == source


# ---- Gaussian ----


def test_spellings_of_a_gaussian_are_equal():
    plain = Gaussian([0.0, 1.0], 4.0)
    for cov in (4, [4, 4], np.diag([4.0, 4.0]), np.asfortranarray(4 * np.eye(2))):
        assert Gaussian([0, 1], cov) == plain
    assert Gaussian([0.0], 4.0) == Gaussian([0.0], [4.0]) == Gaussian([0.0], [[4.0]])
    assert Gaussian([0.0, 1.0], [[4.0, 1.0], [1.0, 4.0]]) != plain
    assert Gaussian([0.0, 1.0], [4.0, 4.5]) != plain
    # Rounding of a computed matrix is averaged out.
    rounded = np.array([[4.0, 1.0], [1.0 + 2.0**-50, 4.0]])
    normal = Gaussian([0.0, 1.0], rounded)
    assert (normal.cov == normal.cov.T).all() and Source.from_dict(normal.to_dict()) == normal


@pytest.mark.parametrize("scale", [1e-150, 1e-59, 1.0, 1e59])
def test_gaussian_scales(scale):
    normal = Gaussian([0.0, 0.0, 0.0], scale**2 * COV)
    factor = normal.product.linear / scale
    np.testing.assert_allclose(factor @ factor.T, COV, rtol=1e-13, atol=1e-15)
    points = normal.sample(20_000, random_state=0) / scale
    np.testing.assert_allclose(np.cov(points.T), COV, atol=0.15)
    # Very different units in one matrix.
    units = np.array([scale, 1.0, 1.0 / max(scale, 1e-59)])
    mixed = Gaussian([0.0, 0.0, 0.0], COV * np.outer(units, units))
    factor = mixed.product.linear / units[:, None]
    np.testing.assert_allclose(factor @ factor.T, COV, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("mean", "cov", "words"),
    [
        (0.0, 1.0, r"mean must have shape \(d,\)"),
        ([], 1.0, r"mean must have shape \(d,\)"),
        ([np.nan], 1.0, "mean must be finite"),
        ([1e150], 1.0, "mean must not exceed"),
        ([0.0], 0.0, "cov must be positive definite"),
        ([0.0], -1.0, "cov must be positive definite"),
        ([0.0], np.nan, "cov must be finite"),
        ([0.0], np.inf, "cov must be finite"),
        ([0.0], 1e150, "cov must not exceed"),
        ([0.0, 0.0], [1.0, 0.0], "cov must be positive definite, .* coordinate 1"),
        ([0.0, 0.0], [1.0, 1.0, 1.0], r"cov must be a number or have shape \(2,\) or \(2, 2\)"),
        ([0.0, 0.0], np.eye(3), "cov must be a number or have shape"),
        ([0.0, 0.0], [[1.0, 0.5], [0.4, 1.0]], "cov must be symmetric"),
        ([0.0, 0.0], [[1e-200, 5e-201], [4e-201, 1e-200]], "cov must be symmetric"),
        ([0.0, 0.0], [[1.0, 2.0], [2.0, 1.0]], "cov must be positive definite"),
        ([0.0, 0.0], [[1.0, 1.0], [1.0, 1.0]], "cov must be positive definite"),
        ([0.0, 0.0], [[1e-300, 1e-300], [1e-300, 1e-300]], "cov must be positive definite"),
        ([0.0] * 30, np.cov(rng(0).random((30, 20))), "cov must be positive definite"),
    ],
)
def test_gaussian_refused(mean, cov, words):
    with pytest.raises(ValueError, match=words):
        Gaussian(mean, cov)
    # Rounding leaves of a singular matrix whatever it likes.
    for seed in range(300):
        points = rng(seed).random((3, 2))
        with pytest.raises(ValueError, match="cov must be positive definite"):
            Gaussian(np.zeros(3), points @ points.T)
    for bad in (None, "one", 1j, True):
        with pytest.raises(TypeError, match="cov must"):
            Gaussian([0.0], bad)


# ---- ball ----


@pytest.mark.parametrize("d", [1, 2, 3, 10, 200])
@pytest.mark.parametrize("radius", [1e-150, 1.0, 1e60])
def test_ball(d, radius):
    ball = UniformBall(np.zeros(d), radius)
    points = ball.sample(2000, random_state=0) / radius
    assert np.linalg.norm(points, axis=1).max() <= 1.0
    u = np.column_stack([rng(1).random((2000, d)), np.ones(2000)])
    outer = np.linalg.norm(ball.from_uniforms(u) / radius, axis=1)
    assert outer.min() > 1.0 - 1e-14 and outer.max() <= 1.0
    share = np.linalg.norm(points, axis=1) ** d
    assert stats.kstest(share, "uniform").pvalue > 1e-3
    assert ball.exact == (d == 1) and ball.n_uniforms == d + 1
    middle = ball.from_uniforms(np.full((1, d + 1), 0.5))
    assert np.linalg.norm(middle / radius) == pytest.approx(0.5 ** (1.0 / d))


@pytest.mark.parametrize(
    ("center", "radius", "error", "words"),
    [
        (0.0, 1.0, ValueError, r"center must have shape \(d,\)"),
        ([], 1.0, ValueError, r"center must have shape \(d,\)"),
        ([0.0, np.inf], 1.0, ValueError, "center must be finite"),
        ([0.0], 0.0, ValueError, "radius must be positive"),
        ([0.0], -1.0, ValueError, "radius must be positive"),
        ([0.0], np.nan, ValueError, "radius must be positive"),
        ([0.0], 1e150, ValueError, "radius must not exceed"),
        ([0.0], [1.0], TypeError, "radius must be a positive number"),
        ([0.0], True, TypeError, "radius must be a positive number"),
        (["a"], 1.0, TypeError, "center must hold real numbers"),
    ],
)
def test_ball_refused(center, radius, error, words):
    with pytest.raises(error, match=words):
        UniformBall(center, radius)


# ---- grid ----


def test_grid():
    grid = GridDensity(IMAGE)
    assert grid.dim == 2 and grid.bounds.tolist() == [[0, 0], [1, 1]]
    assert grid.values.sum() == pytest.approx(1.0, rel=1e-15)
    assert grid == GridDensity(7 * IMAGE) == GridDensity(IMAGE.tolist(), [0, 0], [1, 1])
    assert grid == GridDensity(np.asfortranarray(IMAGE)) != GridDensity(IMAGE, [0, 0], [1, 2])
    # Axis k of the array is coordinate k.
    corner = np.zeros((2, 5))
    corner[1, 0] = 1.0
    points = GridDensity(corner).sample(100, random_state=0)
    assert (points[:, 0] >= 0.5).all() and (points[:, 1] <= 0.2).all()
    # Extreme contrasts and scales keep every cell.
    wide = GridDensity([1e-200, 1e100, 1e-150])
    assert (wide.values > 0.0).all()
    tiny = GridDensity(1e-300 * IMAGE, [0.0, 0.0], [1e-150, 1e60])
    np.testing.assert_allclose(tiny.values, grid.values, rtol=1e-15)
    np.testing.assert_allclose(tiny.mean, grid.mean * [1e-150, 1e60], rtol=1e-14)
    same = GridDensity(np.full((4, 4), 1e120))
    np.testing.assert_allclose(same.covariance, np.eye(2) / 12, rtol=1e-14, atol=1e-17)


@pytest.mark.parametrize(
    ("values", "lower", "upper", "words"),
    [
        (1.0, None, None, "values must have at least one axis"),
        ([], None, None, "values must have at least one axis and one cell"),
        (np.zeros((2, 0)), None, None, "values must have at least one axis and one cell"),
        ([0.0, 0.0], None, None, "values must have a positive sum"),
        ([[1.0, 2.0], [1.0, -1.0]], None, None, r"values must .*, got -1.0 at \(1, 1\)"),
        ([1.0, np.nan], None, None, "values must .*, got nan at 1"),
        ([1.0, np.inf], None, None, "values must .*, got inf at 1"),
        ([[1.0], [1.0, 2.0]], None, None, "values must be rectangular"),
        ([1.0], [0.0], [0.0], "upper must exceed lower"),
        ([1.0], [0.0, 0.0], [1.0, 1.0], r"lower must have shape \(1,\)"),
        ([[1.0]], None, [1.0], r"upper must have shape \(2,\)"),
        ([1.0], [np.nan], None, "lower must be finite"),
        (np.ones(10), [1.0], [1.0 + 2.0**-50], "values must not have more cells"),
    ],
)
def test_grid_refused(values, lower, upper, words):
    with pytest.raises(ValueError, match=words):
        GridDensity(values, lower, upper)


def test_stored_shapes_are_checked():
    data = GridDensity(IMAGE).to_dict()
    for shape in ([3.0, 5.0], [12.0, 1.5], [-3.0, -4.0], [[3.0, 4.0]], [np.inf, 1.0], [np.nan]):
        with pytest.raises(ValueError, match="shape must fit 12 values"):
            Source.from_dict({**data, "shape": np.array(shape)})
    assert Source.from_dict({"type": "GridDensity", "values": IMAGE}) == GridDensity(IMAGE)
    with pytest.raises(ValueError, match="lower"):
        Source.from_dict({**data, "shape": np.array([12.0])})
    with pytest.raises(ValueError, match="radius"):
        Source.from_dict({"type": "UniformBall", "center": np.zeros(2)})
    with pytest.raises(ValueError, match="cov"):
        Source.from_dict({"type": "Gaussian", "mean": np.zeros(2), "cov": np.zeros(2)})


# ---- wrapped objects ----


class Returns:
    """Returns what it was given, whatever was asked for."""

    def __init__(self, value):
        self.value = value

    def sample(self, n, rng):
        return self.value


def test_wrapped():
    source = as_source(Ring(), 2)
    assert isinstance(source, WrappedSource) and source == WrappedSource(Ring())
    assert not source.exact and source.dim == 2
    np.testing.assert_allclose(source.mean, [0, 0], atol=0.05)
    np.testing.assert_allclose(source.covariance, np.eye(2) / 2, atol=0.05)
    np.testing.assert_array_equal(source.mean, WrappedSource(Ring()).mean)
    assert (source.bounds == [[-np.inf] * 2, [np.inf] * 2]).all()
    assert as_source(source, 2) is source
    # Without a dimension of its own it has the one that is asked for.
    assert (
        as_source(Returns(np.zeros((4, 3))), 3).sample(4, 0).tolist() == np.zeros((4, 3)).tolist()
    )
    with pytest.raises(ValueError, match="source must have dimension 3, got 2"):
        as_source(Ring(), 3)
    # Vertices that come as a table are not mistaken for something that draws points.
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame([(0, 0), (1, 0), (0, 1)])
    assert as_source(table, 2) == UniformPolygon([(0, 0), (1, 0), (0, 1)])


def test_wrapped_refused():
    for value, words in [
        (np.zeros((4, 3)), r"shape \(n, 2\), got \(4, 3\)"),
        (np.zeros((3, 2)), r"shape \(4, 2\), got \(3, 2\)"),
        (np.zeros(4), r"shape \(n, 2\), got \(4,\)"),
        (np.full((4, 2), np.nan), "finite"),
        (np.full((4, 2), np.inf), "finite"),
    ]:
        with pytest.raises(ValueError, match=f"source.sample must .*{words}"):
            WrappedSource(Returns(value), 2).sample(4)
    for value in (None, "points", np.zeros((4, 2), complex)):
        with pytest.raises(TypeError, match="source.sample must"):
            WrappedSource(Returns(value), 2).sample(4)
    with pytest.raises(ValueError, match="source must have an attribute dim"):
        WrappedSource(Returns(0))
    for bad in (Ring, 3.0, object()):
        with pytest.raises(TypeError, match="source must have a method sample"):
            WrappedSource(bad)
    with pytest.raises(TypeError, match="source must be a source measure or a polygon"):
        as_source(Ring, 2)
    misled = Returns(0)
    misled.dim = "two"
    with pytest.raises(TypeError, match=r"source\.dim must be an integer"):
        as_source(misled, 2)


def test_stored_wrapped_source_is_a_placeholder():
    source = WrappedSource(Ring())
    data = source.to_dict()
    assert data["type"] == "WrappedSource" and "Ring" in data["repr"]
    loaded = Source.from_dict(data)
    assert loaded.dim == 2 and loaded != source
    assert loaded == Source.from_dict(loaded.to_dict()) == pickle.loads(pickle.dumps(loaded))
    assert hash(loaded) == hash(Source.from_dict(loaded.to_dict()))
    assert "Ring" in repr(loaded) and "stored" in repr(loaded)
    for call in (lambda: loaded.sample(3), lambda: loaded.mean, lambda: loaded.covariance):
        with pytest.raises(ValueError, match="source .*Ring was stored by its description only"):
            call()
    for bad in ({"dim": np.array([1.5])}, {"dim": np.array([0.0])}, {"dim": np.array([1.0, 2.0])}):
        with pytest.raises(ValueError):
            Source.from_dict({**data, **bad})
    for missing in ("dim", "repr"):
        with pytest.raises(ValueError, match="data must hold the arguments"):
            Source.from_dict({k: v for k, v in data.items() if k != missing})
    with pytest.raises(ValueError, match="data must hold the arguments"):
        Source.from_dict({**data, "sampler": "x"})
    long = Source.from_dict({**data, "repr": "x" * 10_000})
    assert len(repr(long)) < 300


# ---- the rest of the package ----


def test_only_some_have_exact_diagrams_in_the_plane():
    for source in ALL:
        if source.dim == 2 and not isinstance(source, (UniformBox, UniformPolygon)):
            assert not source.exact
            with pytest.raises(ValueError, match="source must be a UniformBox or UniformPolygon"):
                exact_polygon(source)
            with pytest.raises(ValueError, match="source must be a UniformBox or UniformPolygon"):
                PowerDiagram([[0.5, 0.5]], source=source)
        elif source.dim == 2:
            assert source.exact and exact_polygon(source).shape[1] == 2
        assert as_source(source, source.dim) is source
        with pytest.raises(ValueError, match="source must have dimension"):
            as_source(source, source.dim + 1)


def test_new_names_are_exported():
    for name in ("Gaussian", "GridDensity", "UniformBall"):
        assert name in geomot.__all__ and getattr(geomot, name) is getattr(geomot.sources, name)


# ---- samplers of other libraries ----


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
        return np.random.RandomState(random_state.get_state()[1][:1]).rand(n, 2)


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


@pytest.mark.parametrize(
    ("shape", "dim", "words"),
    [
        ((480, 640), 2, "GridDensity"),
        ((48, 64, 3), 2, r"GridDensity\(image.mean\(axis=2\)\)"),
        ((48, 64, 4), 2, r"GridDensity\(image.mean\(axis=2\)\)"),
        ((8, 9, 10), 3, "GridDensity"),
        ((100,), 1, "GridDensity"),
        ((100, 3), 3, r"Samples\(points\)"),
        ((100, 1), 1, r"Samples\(points\)"),
        ((4, 3), 2, "GridDensity"),
    ],
)
def test_an_image_as_source_is_told_of_grid_density(shape, dim, words):
    expected = rf"source must be a source measure or the vertices.*got an array of shape .*{words}"
    for dtype in (float, np.uint8, bool):
        with pytest.raises(ValueError, match=expected):
            geomot.solve(rng(0).random((5, dim)), source=np.ones(shape, dtype))


def test_a_picture_as_source_is_told_of_grid_density():
    image = pytest.importorskip("PIL.Image")
    for mode, shape in (("L", r"\(20, 30\)"), ("RGB", r"\(20, 30, 3\)"), ("RGBA", "4")):
        with pytest.raises(ValueError, match=f"shape .*{shape}.*GridDensity"):
            geomot.solve(rng(0).random((5, 2)), source=image.new(mode, (30, 20)))


@pytest.mark.parametrize("weighted", [False, True])
def test_samples_are_drawn_as_numpy_draws_them(weighted):
    """The sums of a million masses are made once, not for each block of samples."""
    r = rng(5)
    cloud = Samples(r.random((500, 2)), r.random(500) * (r.random(500) < 0.5) if weighted else None)
    chosen = rng(6).choice(500, size=3000, p=cloud.weights)
    np.testing.assert_array_equal(cloud.sample(3000, 6), cloud.points[chosen])
    # no point without mass, up to the last number below 1
    u = np.array([[0.0], [0.5], [1.0 - 2.0**-53]])
    drawn = cloud._from_uniforms(u)
    assert np.isin(drawn[:, 0], cloud.points[cloud.weights > 0.0, 0]).all()
