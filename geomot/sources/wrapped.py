"""Any object that can draw points, as a source measure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geomot._frozen import read_only
from geomot._validation import as_count, as_generator, as_points, as_real_array
from geomot.sources.base import Source, symmetric
from geomot.sources.samplers import Moments, as_sampler, draws_points, plain_array

__all__ = ["WrappedSource"]

FloatArray = NDArray[np.float64]

# Longer descriptions of objects are cut.
_DESCRIPTION_LIMIT = 200

# Dimensions that a stored source may have are less: an int32.
_DIMENSIONS = 2.0**31


@dataclass(frozen=True, eq=False)
class WrappedSource(Source):
    """Measure from which an object draws points.

    The object has a method ``sample(n, rng)`` that returns an array of shape (n, d), drawn with the
    `numpy.random.Generator` that it is given. Samplers of other libraries work too: mixtures and
    kernel densities of scikit-learn, distributions of scipy.stats (frozen ones, new ones and
    `gaussian_kde`) and of torch.distributions, and any object with ``sample(n, random_state=)``,
    ``sample(n, seed=)`` or ``sample(n)``. Where the result is a tuple, as with labels, the points
    are its first entry.

    Mean and covariance are exact where scikit-learn, scipy or torch tells them, and else estimated
    from 4096 points with a fixed seed. A source cannot be stored: a file keeps the object's
    description, and what is loaded is a placeholder that draws no points.

    Parameters
    ----------
    sampler : object
        The object. It may have an attribute ``dim``.
    dim : int, optional
        Number of coordinates; needed where the sampler does not say it.

    Notes
    -----
    An integer as `random_state` gives the same points each time, except from objects with
    ``sample(n)`` that keep a generator of their own. (For ``sample(n)``, the global generators of
    numpy, Python and torch are seeded during the call, and restored.)

    Examples
    --------
    >>> from geomot.sources import WrappedSource
    >>> class Ring:
    ...     dim = 2
    ...     def sample(self, n, rng):
    ...         points = rng.standard_normal((n, 2))
    ...         return points / np.linalg.norm(points, axis=1, keepdims=True)
    >>> WrappedSource(Ring()).sample(3, random_state=0).shape
    (3, 2)

    A distribution of scipy, with its exact moments:

    >>> from scipy import stats
    >>> source = WrappedSource(stats.multivariate_t([1.0, 2.0], [[2.0, 1.0], [1.0, 2.0]], df=4))
    >>> source.mean.tolist(), source.covariance.tolist()
    ([1.0, 2.0], [[4.0, 2.0], [2.0, 4.0]])
    """

    sampler: Any
    dimension: int
    description: str

    def __init__(self, sampler: Any, dim: int | None = None) -> None:
        if not draws_points(sampler):
            raise TypeError(f"source must have a method sample(n, rng), got {sampler!r}")
        own = as_sampler(sampler).dim
        if own is None and dim is None:
            raise ValueError("source must have an attribute dim where no dimension is given")
        size = as_count(dim if own is None else own, "source.dim", 1)
        self.__setstate__(
            {"sampler": sampler, "dimension": size, "description": _describe(sampler)}
        )

    @classmethod
    def _from_arguments(cls, **arguments: Any) -> Source:
        """Build the placeholder of a source that was stored."""
        if set(arguments) != {"dim", "repr"} or not isinstance(arguments["repr"], str):
            raise TypeError("it must hold dim and repr")
        size = as_real_array(arguments["dim"], "dim")
        if size.size != 1 or not (1.0 <= size.item() < _DIMENSIONS) or size.item() % 1.0 != 0.0:
            raise ValueError(f"dim must be a positive integer, got {size.tolist()}")
        placeholder = cls.__new__(cls)
        placeholder.__setstate__(
            {
                "sampler": None,
                "dimension": int(size.item()),
                "description": arguments["repr"][:_DESCRIPTION_LIMIT],
            }
        )
        return placeholder

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.dimension

    @property
    def bounds(self) -> FloatArray:
        """Infinite corners, shape (2, d): nothing is known."""
        return np.repeat([[-np.inf], [np.inf]], self.dim, axis=1)

    def sample(self, n: int, random_state: Any = None) -> FloatArray:
        """Draw points; see `Source.sample`.

        Examples
        --------
        >>> from geomot.sources import WrappedSource
        >>> from scipy import stats
        >>> WrappedSource(stats.norm(10.0, 0.1)).sample(3, random_state=0).round(1).tolist()
        [[10.0], [10.0], [10.1]]
        """
        n = as_count(n, "n")
        rng = as_generator(random_state)
        if self.sampler is None:
            raise ValueError(
                f"source {self.description} was saved as a description only and cannot draw "
                "points: use the original object"
            )
        if n == 0:
            return np.empty((0, self.dim))
        drawn = plain_array(as_sampler(self.sampler).draw(n, rng))
        if (n == 1 or self.dim == 1) and drawn.shape in ((), (n,), (self.dim,)):
            # Libraries leave out an axis of length 1.
            drawn = drawn.reshape(n, -1)
        points = as_points(drawn, "the result of source.sample", self.dim)
        if len(points) != n:
            raise ValueError(
                f"the result of source.sample must have shape ({n}, {self.dim}), got {points.shape}"
            )
        # The sampler may use its buffer again.
        return points.copy() if np.may_share_memory(points, drawn) else points

    @cached_property
    def mean(self) -> FloatArray:
        """Barycentre, shape (d,); estimated from points if the object does not tell it."""
        exact = self._moments[0]
        return self._estimated_mean() if exact is None else read_only(exact)

    @cached_property
    def covariance(self) -> FloatArray:
        """Covariance matrix, shape (d, d); estimated from points if it is not told."""
        exact = self._moments[1]
        return self._estimated_covariance() if exact is None else symmetric(exact)

    @property
    def mean_is_estimated(self) -> bool:
        """Whether `mean` comes from points, because the object does not tell it."""
        return self._moments[0] is None

    @cached_property
    def _moments(self) -> Moments:
        """What the object tells of its moments."""
        if self.sampler is None:
            return None, None
        moments = as_sampler(self.sampler).moments()
        for name, value in zip(("mean", "variance"), moments, strict=True):
            if value is not None and not np.isfinite(value).all():
                raise ValueError(f"source must have a finite {name}, got {self}")
        return moments

    def to_dict(self) -> dict[str, Any]:
        """Return the type's name, the dimension and the description.

        Examples
        --------
        >>> from geomot.sources import WrappedSource
        >>> from sklearn.mixture import GaussianMixture
        >>> mixture = GaussianMixture().fit([[0.0, 0.0], [1.0, 2.0], [2.0, 1.0]])
        >>> WrappedSource(mixture).to_dict()
        {'type': 'WrappedSource', 'dim': array([2.]), 'repr': 'GaussianMixture()'}
        """
        return {
            "type": "WrappedSource",
            "dim": np.array([float(self.dim)]),
            "repr": self.description,
        }

    def __hash__(self) -> int:
        # The object itself need not be hashable.
        return hash((type(self), self.dim, self.description))

    def __repr__(self) -> str:
        stored = ", stored" if self.sampler is None else ""
        return f"WrappedSource(<{self.description}, {self.dim} dimensions{stored}>)"


def _describe(sampler: Any) -> str:
    kind = type(sampler)
    if kind.__repr__ is object.__repr__:
        # No address in memory: the same object describes itself alike in every run.
        return f"{kind.__module__}.{kind.__qualname__}"
    text = repr(sampler)
    return text if len(text) <= _DESCRIPTION_LIMIT else text[: _DESCRIPTION_LIMIT - 3] + "..."
