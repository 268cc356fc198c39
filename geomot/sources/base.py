"""What all source measures have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geomot._frozen import Frozen, read_only
from geomot._validation import as_points, as_real_array
from geomot.sources._distributions import Distribution
from geomot.sources.domains import Domain, PeriodicBox

__all__ = ["Product", "Source"]

FloatArray = NDArray[np.float64]

# The kinds of sources that `Source.from_dict` knows, by name; filled by the package.
KINDS: dict[str, type[Source]] = {}

# Points from which the moments of a source without formulas are estimated, and their seed.
_ESTIMATION_SIZE = 4096
_ESTIMATION_SEED = 0


@dataclass(frozen=True, eq=False)
class Product(Frozen):
    """A source as an affine image of independent coordinates.

    Attributes
    ----------
    kind : {"uniform", "normal"}
        The law of each coordinate of z: uniform on [0, 1], or standard normal.
    offset : ndarray of shape (d,)
        The source is the law of x = offset + linear @ z.
    linear : ndarray of shape (d, d) or (d,)
        A matrix, or the diagonal of one.

    Examples
    --------
    >>> import geomot
    >>> product = geomot.UniformBox([1.0, 0.0], [3.0, 1.0]).product
    >>> product.kind, product.offset.tolist(), product.linear.tolist()
    ('uniform', [1.0, 0.0], [2.0, 1.0])
    """

    kind: Literal["uniform", "normal"]
    offset: FloatArray
    linear: FloatArray

    def __repr__(self) -> str:
        shape = "diagonal" if self.linear.ndim == 1 else "full"
        return f"Product({self.kind!r}, <{len(self.offset)} coordinates, {shape}>)"


class Source(Frozen, ABC):
    """Base of the source measures; each has total mass 1.

    Attributes
    ----------
    exact_dims : tuple of int
        The dimensions in which exact power diagrams of this kind of source are available.

    Examples
    --------
    >>> import geomot
    >>> source = geomot.UniformBall([0.0, 0.0, 0.0], 2.0)
    >>> isinstance(source, geomot.sources.Source), source.dim, source.exact
    (True, 3, True)
    >>> source.bounds.tolist()
    [[-2.0, -2.0, -2.0], [2.0, 2.0, 2.0]]
    """

    exact_dims: ClassVar[tuple[int, ...]] = ()

    @property
    @abstractmethod
    def dim(self) -> int:
        """Number of coordinates."""

    @property
    @abstractmethod
    def bounds(self) -> FloatArray:
        """Lower and upper corner of the bounding box, shape (2, d); infinite if there is none."""

    @abstractmethod
    def sample(self, n: int, random_state: Any = None) -> FloatArray:
        """Draw points.

        Parameters
        ----------
        n : int
            Number of points; 0 is allowed.
        random_state : None, int, Generator or RandomState, optional
            The randomness: an integer gives the same points each time, None others.

        Returns
        -------
        ndarray of shape (n, d)

        Examples
        --------
        >>> import geomot
        >>> ball = geomot.UniformBall([0.0, 0.0, 0.0], 2.0)
        >>> points = ball.sample(100, random_state=0)
        >>> points.shape, bool((np.linalg.norm(points, axis=1) <= 2.0).all())
        ((100, 3), True)
        """

    @property
    def exact(self) -> bool:
        """Whether exact power diagrams of this source are available."""
        return self.dim in self.exact_dims

    @property
    def domain(self) -> Domain | None:
        """Where the mass is, for exact diagrams in the plane or in space; else None."""
        return None

    @property
    def periodic_domain(self) -> PeriodicBox | None:
        """The domain, if it is a torus or a cylinder; None if it is not."""
        return self.domain if isinstance(self.domain, PeriodicBox) else None

    @property
    def scaled_density(self) -> Callable[[float], Any] | None:
        """The density that kernels integrate over cells; None for the uniform one on `domain`.

        A function. Called with the power of two by which kernels multiply all coordinates, it
        returns one of the densities of `geomot._core.plane`, in space of `geomot._core.space`, with
        its lengths multiplied by that number and an integral of 1. Every source with exact diagrams
        in the plane or in space defines it.
        """
        raise NotImplementedError(f"{type(self).__name__} has no density for exact diagrams")

    def periodic_density(
        self, lower: FloatArray, upper: FloatArray
    ) -> Callable[[float], Any] | None:
        """Return the density of a periodic source and its copies, as `scaled_density` is one.

        Parameters
        ----------
        lower, upper : ndarray of shape (d,)
            The corners of the box, where kernels have it.

        Returns
        -------
        function or None
            Of the box and its copies up to one period away along each periodic axis, with an
            integral of 1 over each of them. None for the uniform density.

        Examples
        --------
        >>> import numpy as np
        >>> import geomot
        >>> torus = geomot.UniformBox([0.0, 0.0], [1.0, 1.0], periodic=True)
        >>> torus.periodic_density(np.zeros(2), np.ones(2)) is None
        True
        """
        if self.scaled_density is None:
            return None
        raise NotImplementedError(f"{type(self).__name__} has no periodic density")

    @property
    def darkest(self) -> float:
        """The least density on `domain`, relative to the mean; 0.0 where it vanishes somewhere.

        Of a domain that is not convex: on its container.
        """
        return 1.0

    @cached_property
    def mean(self) -> FloatArray:
        """Barycentre, shape (d,); estimated from points if there is no formula."""
        return self._estimated_mean()

    @cached_property
    def covariance(self) -> FloatArray:
        """Covariance matrix, shape (d, d); estimated from points if there is no formula."""
        return self._estimated_covariance()

    def _estimated_mean(self) -> FloatArray:
        return read_only(self._estimation_points.mean(axis=0))

    def _estimated_covariance(self) -> FloatArray:
        deviations = self._estimation_points - self.mean
        return symmetric(deviations.T @ deviations / (len(deviations) - 1.0))

    @property
    def mean_is_estimated(self) -> bool:
        """Whether `mean` comes from points, for want of a formula."""
        return type(self).mean is Source.mean

    @cached_property
    def _estimation_points(self) -> FloatArray:
        return self.sample(_ESTIMATION_SIZE, _ESTIMATION_SEED)

    @property
    def product(self) -> Product | None:
        """The source as an affine image of independent coordinates; None if it is no such image."""
        return None

    @property
    def n_uniforms(self) -> int | None:
        """Number of uniform numbers that `from_uniforms` takes for a point; None without one."""
        return None

    def from_uniforms(self, u: ArrayLike) -> FloatArray:
        """Map points of the unit cube to points of the source, so that volume becomes mass.

        Quasi-random points can be used in place of random ones.

        Parameters
        ----------
        u : array_like of shape (n, n_uniforms)
            Numbers in [0, 1].

        Returns
        -------
        ndarray of shape (n, d)

        Examples
        --------
        >>> import geomot
        >>> box = geomot.UniformBox([0.0, 0.0], [2.0, 1.0])
        >>> box.n_uniforms, box.from_uniforms([[0.5, 0.25]]).tolist()
        (2, [[1.0, 0.25]])
        """
        if self.n_uniforms is None:
            raise ValueError(f"from_uniforms needs a map from the unit cube, which {self} lacks")
        points = as_points(u, "u", self.n_uniforms, allow_empty=True)
        _check_unit(points, "u")
        return self._from_uniforms(points)

    def _from_uniforms(self, u: FloatArray) -> FloatArray:
        raise NotImplementedError

    @property
    def distribution(self) -> Distribution:
        """The source on the line, as `geomot._line` uses it."""
        return self._on_line("distribution")

    @cached_property
    def _line(self) -> Distribution | None:
        """The distribution of a source in one dimension; None if it is not known."""
        return None

    def _on_line(self, name: str) -> Distribution:
        if self.dim != 1:
            raise ValueError(f"{name} is defined in 1 dimension, got a source of {self.dim}")
        if self._line is None:
            raise ValueError(f"{name} needs a source with a distribution function, got {self}")
        return self._line

    def cdf(self, x: ArrayLike) -> FloatArray:
        """Return the mass of (-inf, x], in one dimension.

        Parameters
        ----------
        x : array_like
            Places, of any shape; they may be infinite.

        Returns
        -------
        ndarray of the shape of x

        Examples
        --------
        >>> import geomot
        >>> geomot.UniformBox([0.0], [4.0]).cdf([-1.0, 1.0, 9.0]).tolist()
        [0.0, 0.25, 1.0]
        """
        return self._on_line("cdf").cdf(_as_places(x))[()]

    def sf(self, x: ArrayLike) -> FloatArray:
        """Return the mass of (x, inf), in one dimension, without loss in the upper tail.

        Parameters
        ----------
        x : array_like
            Places, of any shape; they may be infinite.

        Returns
        -------
        ndarray of the shape of x

        Examples
        --------
        >>> import geomot
        >>> normal = geomot.Gaussian([0.0], 1.0)
        >>> f"{normal.sf(10.0):.6g}", float(1.0 - normal.cdf(10.0))
        ('7.61985e-24', 0.0)
        """
        return self._on_line("sf").sf(_as_places(x))[()]

    def quantile(self, p: ArrayLike) -> FloatArray:
        """Return the smallest x with cdf(x) >= p, in one dimension.

        Parameters
        ----------
        p : array_like
            Probabilities, of any shape. 0 and 1 give the ends of the source.

        Returns
        -------
        ndarray of the shape of p

        Examples
        --------
        >>> import geomot
        >>> geomot.UniformBox([0.0], [4.0]).quantile([0.0, 0.25, 1.0]).tolist()
        [0.0, 1.0, 4.0]
        """
        return self._on_line("quantile").quantile(_as_shares(p, "p"))[()]

    def isf(self, q: ArrayLike) -> FloatArray:
        """Return the smallest x with sf(x) <= q, in one dimension.

        Parameters
        ----------
        q : array_like
            Probabilities, of any shape. 0 and 1 give the ends of the source.

        Returns
        -------
        ndarray of the shape of q

        Examples
        --------
        >>> import geomot
        >>> geomot.UniformBox([0.0], [4.0]).isf([0.0, 0.25, 1.0]).tolist()
        [4.0, 3.0, 0.0]
        """
        return self._on_line("isf").isf(_as_shares(q, "q"))[()]

    def partial_moments(self, x: ArrayLike) -> FloatArray:
        """Return the integrals of 1, t and t^2 over (-inf, x], in one dimension.

        Parameters
        ----------
        x : array_like of shape (k,)
            Places; they may be infinite.

        Returns
        -------
        ndarray of shape (k, 3)

        Examples
        --------
        >>> import geomot
        >>> geomot.UniformBox([0.0], [2.0]).partial_moments([1.0]).round(6).tolist()
        [[0.5, 0.25, 0.166667]]
        """
        return self._on_line("partial_moments").partial_moments(_as_places(x))

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return the type's name under "type" and what defines the source.

        Returns
        -------
        dict
            The other values are texts, or arrays of at most two axes.

        Examples
        --------
        >>> import geomot
        >>> geomot.Gaussian([0.0, 1.0], 2.0).to_dict()
        {'type': 'Gaussian', 'mean': array([0., 1.]), 'cov': array([2., 2.])}
        """

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Source:
        """Build the source that `to_dict` described.

        Parameters
        ----------
        data : mapping
            What `to_dict` returned.

        Returns
        -------
        Source

        Examples
        --------
        >>> import geomot
        >>> source = geomot.UniformBox([0.0, 0.0], [2.0, 1.0])
        >>> geomot.sources.Source.from_dict(source.to_dict()) == source
        True
        """
        arguments = dict(data)
        name = arguments.pop("type", None)
        if name not in KINDS:
            raise ValueError(f"data must describe one of {sorted(KINDS)}, got type {name!r}")
        try:
            return KINDS[name]._from_arguments(**arguments)
        except TypeError as error:
            raise ValueError(f"data must hold the arguments of {name}: {error}") from None

    @classmethod
    def _from_arguments(cls, **arguments: Any) -> Source:
        return cls(**arguments)


def symmetric(matrix: FloatArray) -> FloatArray:
    """Return a matrix whose mirrored entries have equal bits, from one where rounding differs."""
    return read_only(0.5 * matrix + 0.5 * matrix.T)


def _as_places(x: Any) -> FloatArray:
    places = as_real_array(x, "x")
    if np.isnan(places).any():
        raise ValueError("x must not be NaN")
    return places


def _as_shares(p: Any, name: str) -> FloatArray:
    shares = as_real_array(p, name)
    _check_unit(shares, name)
    return shares


def _check_unit(shares: FloatArray, name: str) -> None:
    if shares.size and not (shares.min() >= 0.0 and shares.max() <= 1.0):
        raise ValueError(f"{name} must lie between 0 and 1")
