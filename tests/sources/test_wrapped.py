"""Sources wrapped around an object that draws points."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from geomot import (
    UniformPolygon,
)
from geomot.sources import Source, WrappedSource, as_source

pytestmark = pytest.mark.usefixtures("silent")


class Ring:
    """Points on the unit circle."""

    dim = 2

    def sample(self, n, rng):
        points = rng.standard_normal((n, 2))
        return points / np.linalg.norm(points, axis=1, keepdims=True)

    def __eq__(self, other):
        return type(other) is Ring

    __hash__ = None


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
        with pytest.raises(ValueError, match="source .*Ring was saved as a description only"):
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
