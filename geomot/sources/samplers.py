"""Samplers of other libraries: how each draws points, and what it tells of its moments.

A sampler is known by its methods, not by its class, so that no library is imported for it. What
none of them has is a common way to pass the randomness:

========================================  ==============================================
sampler                                   how it draws n points
========================================  ==============================================
``sample(n, rng)``                        as it is: the protocol of geomot
``sample(n, random_state=)``, ``seed=``   with a stream of numpy's, or a number
``sample(n)``, attribute `random_state`   on a copy that has a stream of numpy's
``sample(n)``                             with the global generators seeded for the call
``sample(sample_shape)``                  torch.distributions: with torch's seeded for the call
``sample(shape, rng=)``                   scipy.stats, new distributions
``rvs(size=, random_state=)``             scipy.stats, frozen distributions
``resample(size, seed=)``                 scipy.stats.gaussian_kde
========================================  ==============================================

Points of samplers that do not take the generator may come sorted, as those of mixtures come
component by component. They are shuffled, so that any part of them is a sample too.
"""

from __future__ import annotations

import copy
import inspect
import random
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geomot._moments import weighted_moments

__all__ = ["Sampler", "as_sampler", "draws_points", "plain_array"]

FloatArray = NDArray[np.float64]
Moments = tuple[FloatArray | None, FloatArray | None]

# Names of an optional second parameter that takes a generator.
# Seeds that the legacy generators of numpy and torch take lie below this.
_LEGACY_SEEDS = 2**31

_GENERATOR_NAMES = frozenset(["rng", "generator", "gen", "random", "random_generator", "prng"])


class Sampler(ABC):
    """How an object draws points.

    Parameters
    ----------
    thing : object
        The object.
    """

    def __init__(self, thing: Any) -> None:
        self.thing = thing

    @property
    def dim(self) -> int | None:
        """Number of coordinates, if the object says it."""
        own = getattr(self.thing, "dim", None)
        return None if callable(own) else own

    @abstractmethod
    def draw(self, n: int, rng: np.random.Generator) -> Any:
        """Draw n points, in the form that the object gives them."""

    def moments(self) -> Moments:
        """Mean and covariance matrix; None for what the object does not tell exactly."""
        return None, None


class _Native(Sampler):
    """An object with ``sample(n, rng)``."""

    def draw(self, n: int, rng: np.random.Generator) -> Any:
        return self.thing.sample(n, rng)


class _Keyword(Sampler):
    """An object whose `sample` takes the randomness by a keyword."""

    def __init__(self, thing: Any, keyword: str) -> None:
        super().__init__(thing)
        self.keyword = keyword

    def draw(self, n: int, rng: np.random.Generator) -> Any:
        randomness = {"random_state": _legacy, "seed": _seed}.get(self.keyword, _unchanged)(rng)
        return _shuffled(self.thing.sample(n, **{self.keyword: randomness}), rng)

    @property
    def dim(self) -> int | None:
        return super().dim or getattr(self.thing, "n_features_in_", None)

    def moments(self) -> Moments:
        if hasattr(self.thing, "tree_") and hasattr(self.thing, "bandwidth_"):
            return _kernel_density_moments(self.thing)
        return None, None


class _OwnState(Sampler):
    """An estimator whose `sample` uses its attribute `random_state`, as scikit-learn's mixtures.

    With a number as its state it would draw the same points in every call.
    """

    def draw(self, n: int, rng: np.random.Generator) -> Any:
        thing = copy.copy(self.thing)
        thing.random_state = _legacy(rng)
        return _shuffled(thing.sample(n), rng)

    @property
    def dim(self) -> int | None:
        return super().dim or getattr(self.thing, "n_features_in_", None)

    def moments(self) -> Moments:
        if all(hasattr(self.thing, name) for name in ("means_", "weights_", "covariances_")):
            return _mixture_moments(self.thing)
        return None, None


class _Plain(Sampler):
    """An object with ``sample(n)`` alone, which can only draw from global generators."""

    def draw(self, n: int, rng: np.random.Generator) -> Any:
        with _global_numpy(rng), _global_torch(rng):
            points = self.thing.sample(n)
        return _shuffled(points, rng)


class _Torch(Sampler):
    """A distribution of torch.distributions, or of a library built on it."""

    @property
    def _shape(self) -> tuple[int, ...]:
        thing = self.thing
        return tuple(getattr(thing, "batch_shape", ())) + tuple(getattr(thing, "event_shape", ()))

    @property
    def dim(self) -> int | None:
        if not hasattr(self.thing, "event_shape"):
            return super().dim
        return _one_axis(self._shape)

    def draw(self, n: int, rng: np.random.Generator) -> Any:
        with _global_torch(rng):
            return self.thing.sample((n,))

    def moments(self) -> Moments:
        d = self.dim
        mean = _told(self.thing, "mean", (d,))
        covariance = _told(self.thing, "covariance_matrix", (d, d))
        if covariance is None and self._independent:
            variance = _told(self.thing, "variance", (d,))
            covariance = None if variance is None else np.diag(variance)
        return mean, covariance

    @property
    def _independent(self) -> bool:
        """Whether the coordinates are known to be independent."""
        thing = self.thing
        if type(thing).__name__ == "Independent":
            thing = thing.base_dist
        return tuple(getattr(thing, "event_shape", (None,))) == ()


class _Scipy(Sampler):
    """A frozen distribution of scipy.stats."""

    @property
    def _batch(self) -> tuple[int, ...] | None:
        """The shape of the parameters of a univariate distribution; None for another kind."""
        thing = self.thing
        if not hasattr(thing, "ppf"):
            return None
        parameters = [*getattr(thing, "args", ()), *getattr(thing, "kwds", {}).values()]
        return np.broadcast_shapes(*map(np.shape, parameters))

    @property
    def dim(self) -> int | None:
        if self._batch is not None:
            return _one_axis(self._batch)
        mean = _told(self.thing, "mean", None)
        return super().dim if mean is None else _one_axis(mean.shape)

    def draw(self, n: int, rng: np.random.Generator) -> Any:
        size = n if not self._batch else (n, *self._batch)
        return self.thing.rvs(size=size, random_state=rng)

    def moments(self) -> Moments:
        d = self.dim
        if type(self.thing).__name__ == "multivariate_t_frozen":
            return _student_moments(self.thing)
        mean, covariance = _told(self.thing, "mean", (d,)), _told(self.thing, "cov", (d, d))
        if covariance is None and self._batch is not None:
            variance = _told(self.thing, "var", (d,))
            covariance = None if variance is None else np.diag(variance)
        return mean, covariance


class _NewScipy(Sampler):
    """A distribution of scipy.stats' new kind, such as scipy.stats.Normal()."""

    @property
    def dim(self) -> int | None:
        mean = _told(self.thing, "mean", None)
        return super().dim if mean is None else _one_axis(mean.shape)

    def draw(self, n: int, rng: np.random.Generator) -> Any:
        return self.thing.sample(shape=(n,), rng=rng)

    def moments(self) -> Moments:
        mean = _told(self.thing, "mean", (self.dim,))
        variance = _told(self.thing, "variance", (self.dim,))
        return mean, None if variance is None else np.diag(variance)


class _GaussianKde(Sampler):
    """scipy.stats.gaussian_kde."""

    @property
    def dim(self) -> int | None:
        return len(self.thing.dataset)

    def draw(self, n: int, rng: np.random.Generator) -> Any:
        return self.thing.resample(n, seed=rng).T

    def moments(self) -> Moments:
        weights = getattr(self.thing, "weights", None)
        return _smoothed_moments(self.thing.dataset.T, weights, self.thing.covariance)


def draws_points(thing: Any) -> bool:
    """Return whether an object can draw points.

    Parameters
    ----------
    thing : object
        Anything.

    Returns
    -------
    bool
    """
    if isinstance(thing, type):
        return False
    return any(callable(getattr(thing, name, None)) for name in ("sample", "rvs")) or (
        callable(getattr(thing, "resample", None)) and hasattr(thing, "dataset")
    )


def as_sampler(thing: Any) -> Sampler:
    """Return how an object draws points.

    Parameters
    ----------
    thing : object
        For which `draws_points` is true.

    Returns
    -------
    Sampler
    """
    if not callable(getattr(thing, "sample", None)):
        return _Scipy(thing) if callable(getattr(thing, "rvs", None)) else _GaussianKde(thing)
    try:
        parameters = list(inspect.signature(thing.sample).parameters.values())
    except (TypeError, ValueError):
        return _Native(thing)
    names = [parameter.name for parameter in parameters]
    if names[:1] == ["key"]:
        raise TypeError(f"source must have a method sample(n, rng), got sample({', '.join(names)})")
    if "sample_shape" in names:
        return _Torch(thing)
    if names[:1] == ["shape"] and "rng" in names:
        return _NewScipy(thing)
    for keyword in ("random_state", "seed"):
        if keyword in names:
            return _Keyword(thing, keyword)
    if _takes_generator(parameters):
        return _Native(thing)
    if "rng" in names:
        return _Keyword(thing, "rng")
    return _OwnState(thing) if hasattr(thing, "random_state") else _Plain(thing)


def _takes_generator(parameters: list[inspect.Parameter]) -> bool:
    """Whether the second argument is the generator: one that is required, or has its name."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters[:2]):
        return True
    second = [p for p in parameters if p.kind in kinds][1:2]
    return any(p.default is p.empty or p.name in _GENERATOR_NAMES for p in second)


# ---------------------------------------------------------------------------------------------
# Randomness
# ---------------------------------------------------------------------------------------------


def _unchanged(rng: np.random.Generator) -> np.random.Generator:
    return rng


def _legacy(rng: np.random.Generator) -> np.random.RandomState:
    """The generator's stream, as libraries take it that know numpy's older interface only."""
    return np.random.RandomState(rng.bit_generator)


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(_LEGACY_SEEDS))


@contextmanager
def _global_numpy(rng: np.random.Generator) -> Iterator[None]:
    """Seed numpy's and Python's global generators, and leave them as they were."""
    numpys, pythons = np.random.get_state(), random.getstate()  # noqa: NPY002
    np.random.seed(_seed(rng))  # noqa: NPY002
    random.seed(_seed(rng))
    try:
        yield
    finally:
        np.random.set_state(numpys)  # noqa: NPY002
        random.setstate(pythons)


@contextmanager
def _global_torch(rng: np.random.Generator) -> Iterator[None]:
    """Seed torch's global generators if torch is loaded, and leave them as they were."""
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "random"):
        yield
        return
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    with torch.random.fork_rng(devices=list(devices)):
        seed = _seed(rng)
        torch.default_generator.manual_seed(seed)
        if devices:
            torch.cuda.manual_seed_all(seed)
        yield


def _shuffled(points: Any, rng: np.random.Generator) -> Any:
    """Points in random order, without what some libraries return beside them, such as labels."""
    array = plain_array(points)
    if array.ndim == 0 or array.dtype.kind not in "fiu":
        return array  # refused by the caller
    return array[rng.permutation(len(array))]


def plain_array(points: Any) -> Any:
    """Return what a sampler drew as a numpy array: the first of several, tensors detached.

    Parameters
    ----------
    points : array_like, tensor, or tuple that begins with one
        What was drawn.

    Returns
    -------
    ndarray
    """
    if isinstance(points, tuple) and len(points) > 0 and np.ndim(plain_array(points[0])) == 2:
        points = points[0]
    if hasattr(points, "detach") and hasattr(points, "cpu"):
        points = points.detach().cpu().numpy()
    return np.asarray(points)


def _one_axis(shape: tuple[int, ...]) -> int:
    """The dimension of points of a shape; a number is a point of the line."""
    if len(shape) > 1:
        raise ValueError(
            f"source must draw points with one axis of coordinates, got points of shape {shape}"
        )
    return shape[0] if shape else 1


# ---------------------------------------------------------------------------------------------
# Moments
# ---------------------------------------------------------------------------------------------


def _told(thing: Any, name: str, shape: tuple[int | None, ...] | None) -> FloatArray | None:
    """What an attribute or method of a name gives, in a shape; None if it gives nothing such."""
    try:
        value = getattr(thing, name, None)
        value = value() if callable(value) else value
        if value is None:
            return None
        array = np.asarray(plain_array(value), dtype=np.float64)
    except (NotImplementedError, TypeError, ValueError, AttributeError):
        return None
    if shape is None:
        return array
    size = int(np.prod([k or 1 for k in shape]))
    if array.size != size or (array.ndim not in (0, len(shape)) and size != 1):
        return None
    return array.reshape([k or 1 for k in shape])


def _mixture_moments(mixture: Any) -> Moments:
    """Of a mixture of normals of scikit-learn."""
    means, weights, given = mixture.means_, mixture.weights_, mixture.covariances_
    k, d = means.shape
    eye = np.eye(d)
    spread = {
        "full": lambda: given,
        "tied": lambda: np.broadcast_to(given, (k, d, d)),
        "diag": lambda: given[:, :, None] * eye,
        "spherical": lambda: given[:, None, None] * eye,
    }[mixture.covariance_type]()
    weights = weights / weights.sum()
    mean, between = weighted_moments(means, weights)
    return mean, np.einsum("k,kij->ij", weights, spread) + between


def _kernel_density_moments(density: Any) -> Moments:
    """Of a kernel density of scikit-learn; it samples from two kernels only."""
    points = np.asarray(density.tree_.data)
    weights = getattr(density.tree_, "sample_weight", None)
    d = points.shape[1]
    share = {"gaussian": 1.0, "tophat": 1.0 / (d + 2)}.get(density.kernel)
    if share is None:
        return None, None
    return _smoothed_moments(points, weights, share * density.bandwidth_**2 * np.eye(d))


def _smoothed_moments(points: FloatArray, weights: Any, kernel: FloatArray) -> Moments:
    """Of weighted points to each of which noise of a covariance is added."""
    n = len(points)
    shares = np.full(n, 1.0 / n) if weights is None else np.asarray(weights) / np.sum(weights)
    mean, covariance = weighted_moments(points, shares)
    return mean, covariance + kernel


def _student_moments(student: Any) -> Moments:
    """Of scipy's multivariate t distribution, which tells its parameters only."""
    df = float(student.df)
    factor = np.inf if df <= 2.0 else 1.0 if np.isinf(df) else df / (df - 2.0)
    mean = np.asarray(student.loc, float) + (np.nan if df <= 1.0 else 0.0)
    shape = np.asarray(student.shape, float)
    return mean, factor * shape if np.isfinite(factor) else np.full_like(shape, factor)
