"""What all kinds of sources promise: values, moments, samples and uniform maps."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import numpy as np
import pytest
from scipy import stats
from scipy.stats import qmc

import geomot
from geomot import (
    Gaussian,
    GridDensity,
    MeshDensity,
    Mixture,
    PowerDiagram,
    Samples,
    UniformBall,
    UniformBox,
    UniformEllipsoid,
    UniformPolygon,
    UniformPolyhedron,
)
from geomot.sources import Product, Source, WrappedSource, as_source, require_exact
from geomot.sources.base import KINDS

pytestmark = pytest.mark.usefixtures("silent")
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


GRID = GridDensity(IMAGE, [-1.0, 2.0], [2.0, 2.5])
# At least one of every kind, in any order.
MESH = MeshDensity(
    [(0, 0), (1, 0), (1, 1), (0, 1), (3, 2)], [(0, 1, 2), (0, 3, 2), (1, 4, 2)], [1, 2, 0, 1, 5]
)
SOLID_MESH = MeshDensity(
    [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (2, 1, 1)],
    [(0, 1, 2, 3), (1, 2, 3, 4)],
    [1, 2, 0, 3, 5],
)
KNOWN = [
    UniformBox([0, -1], [2, 1]),
    UniformBox([0, -1], [2, 1], periodic=(True, False)),
    UniformBox(np.arange(5.0), np.arange(5.0) + rng(5).random(5) + 0.1),
    UniformPolygon([(0, 0), (3, 1), (1, 2)]),
    UniformPolygon.regular(97, (3.0, -2.0), 0.5),
    UniformPolyhedron([(0, 0, 0), (3, 0, 1), (0, 2, 0), (1, 1, 4), (2, 2, 2)]),
    Samples(rng(0).random((20, 3)), rng(1).random(20)),
    Gaussian([1.0], 4.0),
    Gaussian([1.0, -2.0], [4.0, 0.25]),
    Gaussian([1.0, -2.0, 0.5], COV),
    Gaussian(np.zeros(12), np.eye(12) + 0.5),
    UniformBall([1.0], 2.0),
    UniformBall([1.0, -3.0], 2.0),
    UniformBall(np.arange(7.0), 0.5),
    UniformEllipsoid([1.0], 4.0),
    UniformEllipsoid([1.0, -3.0], [[4.0, 1.0], [1.0, 0.5]]),
    UniformEllipsoid(np.arange(4.0), [1.0, 4.0, 9.0, 16.0]),
    GridDensity([1.0, 0.0, 2.0, 5.0, 0.0], [-1.0], [4.0]),
    GRID,
    GridDensity(IMAGE, [-1.0, 2.0], [2.0, 2.5], periodic=(True, False)),
    GridDensity(rng(3).random((3, 4, 2, 2)) ** 4),
    GridDensity(rng(4).random((3, 4, 2)) ** 4, [-1.0, 0.0, 2.0], [1.0, 1.0, 5.0]),
    MESH,
    SOLID_MESH,
    Mixture([Gaussian([1.0, -2.0], [4.0, 0.25]), UniformBox([0, -1], [2, 1])], [0.25, 0.75]),
    Mixture([UniformBall(np.zeros(3), 2.0), Gaussian([1.0, -2.0, 0.5], COV)]),
]
WRAPPED = WrappedSource(Ring())
ALL = [*KNOWN, WRAPPED]


def test_every_kind_has_an_example():
    assert {type(source) for source in ALL} == set(KINDS.values())


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
    x = [-0.5, 0.5, 1.5], [2.0625, 2.1875, 2.3125, 2.4375]
    mass = IMAGE / IMAGE.sum()
    mean = [(mass.sum(axis=1) * x[0]).sum(), (mass.sum(axis=0) * x[1]).sum()]
    np.testing.assert_allclose(GRID.mean, mean, rtol=1e-14)
    cross = sum(
        mass[i, j] * (x[0][i] - mean[0]) * (x[1][j] - mean[1]) for i in range(3) for j in range(4)
    )
    assert GRID.covariance[0, 1] == pytest.approx(cross, rel=1e-12)
    assert GRID.covariance[0, 0] == pytest.approx(
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
    points = GRID.from_uniforms(u[:, :3])
    cells = np.floor((points - GRID.lower) / (GRID.upper - GRID.lower) * [3, 4]).astype(int)
    counts = np.zeros((3, 4))
    np.add.at(counts, tuple(np.minimum(cells, [2, 3]).T), 1)
    assert (counts[IMAGE == 0.0] == 0).all()
    held = IMAGE > 0.0
    assert stats.chisquare(counts[held], len(u) * GRID.values[held]).pvalue > 1e-3
    inside = (points - GRID.lower) / (GRID.upper - GRID.lower) * [3, 4] % 1.0
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
    assert WRAPPED.n_uniforms is None
    with pytest.raises(ValueError, match="from_uniforms needs"):
        WRAPPED.from_uniforms([[0.5]])


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


@pytest.mark.parametrize("source", KNOWN, ids=repr)
def test_sources_own_their_arrays(source):
    data = source.to_dict()
    arguments = {k: np.array(v) for k, v in data.items() if not isinstance(v, str)}
    made = Source.from_dict({**data, **arguments})
    for array in arguments.values():
        array[...] = 7.0
    assert made == source


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


# ---- the rest of the package ----


def test_only_some_have_exact_diagrams_in_the_plane():
    for source in ALL:
        if source.dim == 2 and not source.exact:
            assert source.domain is None
            with pytest.raises(ValueError, match="source must be a .* for exact diagrams"):
                require_exact(source)
            with pytest.raises(ValueError, match="source must be a .* for exact diagrams"):
                PowerDiagram([[0.5, 0.5]], source=source)
        elif source.dim == 2:
            assert source.domain.dim == 2
            assert len(PowerDiagram([[0.5, 0.5]], source=source).masses) == 1
        assert as_source(source, source.dim) is source
        with pytest.raises(ValueError, match="source must have dimension"):
            as_source(source, source.dim + 1)


def test_new_names_are_exported():
    for name in ("Gaussian", "GridDensity", "UniformBall"):
        assert name in geomot.__all__ and getattr(geomot, name) is getattr(geomot.sources, name)


SOURCES = [
    UniformBox([0, -1], [2, 1]),
    UniformBox.unit(5),
    UniformPolygon([(0, 0), (3, 1), (1, 2)]),
    UniformPolygon.regular(256, (3.0, -2.0), 0.5),
    Samples(rng(0).random((20, 3)), rng(1).random(20)),
]


@pytest.mark.parametrize("source", SOURCES, ids=repr)
def test_kinds_of_the_plane(source):
    d = source.dim
    low, high = source.bounds
    assert source.bounds.shape == (2, d)
    points = source.sample(1000, random_state=0)
    assert points.shape == (1000, d) and points.dtype == np.float64
    assert (low <= points).all() and (points <= high).all()
    np.testing.assert_array_equal(points, source.sample(1000, random_state=rng(0)))
    assert (points != source.sample(1000, random_state=1)).any()
    assert source.sample(0).shape == (0, d)
    source.sample(3, np.random.RandomState(0))
    with pytest.raises(ValueError, match="n must be"):
        source.sample(-1)
    with pytest.raises(TypeError, match="random_state"):
        source.sample(1, "seed")


@pytest.mark.parametrize("source", SOURCES, ids=repr)
def test_sources_are_values(source):
    others = [s for s in SOURCES if s is not source]
    copies = [copy.copy(source), copy.deepcopy(source), Source.from_dict(source.to_dict())]
    copies += [pickle.loads(pickle.dumps(source, p)) for p in range(2, 6)]
    for other in copies:
        assert other == source and hash(other) == hash(source) and repr(other) == repr(source)
        assert all(other != s for s in others)
        for f in dataclasses.fields(other):
            array = getattr(other, f.name)
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0.0
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(other, f.name, array)
    assert source != "source"


@pytest.mark.parametrize("source", SOURCES, ids=repr)
def test_sources_do_not_share_memory_with_what_made_them(source):
    arguments = {
        f.name: np.array(getattr(source, f.name))
        for f in dataclasses.fields(type(source))
        if f.init
    }
    made = type(source)(**arguments)
    for array in arguments.values():
        assert array.flags.writeable
        array[...] = 7.0
    assert made == source


def test_from_dict_refuses():
    for bad, words in [
        ({"type": "Nothing"}, "Nothing"),
        ({}, "None"),
        ({"type": "UniformBox", "lower": [0.0, 0.0]}, "upper"),
        ({"type": "UniformBox", "lower": [0.0], "upper": [1.0], "shape": [2]}, "shape"),
        ({"type": "UniformPolygon", "vertices": np.zeros((3, 2))}, "area"),
    ]:
        with pytest.raises(ValueError, match=words):
            Source.from_dict(bad)
