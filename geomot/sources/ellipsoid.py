"""The uniform measure on an ellipsoid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geomot._double_double import two_sum
from geomot._frozen import read_only
from geomot._validation import as_count, as_generator, as_real_array, as_vector
from geomot.sources._distributions import Distribution, Uniform
from geomot.sources.ball import UniformBall, round_density, round_domain, round_polygon
from geomot.sources.base import Source
from geomot.sources.domains import EllipticDisk, SolidEllipsoid
from geomot.sources.gaussian import as_covariance, triangular_factor, whitening

__all__ = ["UniformEllipsoid"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class UniformEllipsoid(Source):
    """Uniform measure on an ellipsoid, in the plane on the region within an ellipse.

    The points x with (x - center)^T shape^-1 (x - center) at most 1. In the plane and in space it
    has exact power diagrams, as `UniformBall` has.

    Parameters
    ----------
    center : array_like of shape (d,)
        The centre.
    shape : float, or array_like of shape (d,) or (d, d)
        The squared half axis in all directions, those along each coordinate, or the matrix, which
        must be positive definite: its eigenvalues are the squared half axes. The covariance is
        shape / (d + 2).

    Attributes
    ----------
    center : ndarray of shape (d,)
        The centre.
    shape : ndarray of shape (d,) or (d, d)
        The squared half axes if they lie along the coordinates, else the matrix.

    Examples
    --------
    >>> import geomot
    >>> ellipse = geomot.UniformEllipsoid([0.0, 0.0], [4.0, 1.0])
    >>> ellipse.covariance.tolist()
    [[1.0, 0.0], [0.0, 0.25]]
    >>> diagram = geomot.PowerDiagram([(-1.0, 0.0), (1.0, 0.0)], None, ellipse)
    >>> diagram.masses.round(12).tolist()
    [0.5, 0.5]
    >>> geomot.UniformEllipsoid([0.0, 0.0], [[2.0, 1.0], [1.0, 2.0]]).bounds.round(6).tolist()
    [[-1.414214, -1.414214], [1.414214, 1.414214]]
    """

    center: FloatArray
    shape: FloatArray
    exact_dims: ClassVar[tuple[int, ...]] = (1, 2, 3)

    def __init__(self, center: ArrayLike, shape: ArrayLike) -> None:
        middle = as_real_array(center, "center")
        if middle.ndim != 1 or middle.size == 0:
            raise ValueError(f"center must have shape (d,), got {middle.shape}")
        middle = as_vector(middle, middle.size, "center")
        object.__setattr__(self, "center", read_only(middle.copy()))
        object.__setattr__(self, "shape", read_only(as_covariance(shape, middle.size, "shape")))
        _ = self._factor

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.center.size

    @cached_property
    def _factor(self) -> FloatArray:
        """The half axes, or the lower triangular matrix L with L L^T the shape."""
        return triangular_factor(self.shape, "shape")

    @cached_property
    def _matrix(self) -> FloatArray:
        return np.diag(self._factor) if self._factor.ndim == 1 else self._factor

    @cached_property
    def _shape_matrix(self) -> FloatArray:
        return np.diag(self.shape) if self.shape.ndim == 1 else self.shape

    @property
    def bounds(self) -> FloatArray:
        """Lower and upper corner of the bounding box, shape (2, d)."""
        half = np.sqrt(np.diag(self._shape_matrix))
        return np.stack([self.center - half, self.center + half])

    @property
    def domain(self) -> EllipticDisk | SolidEllipsoid | None:
        """In the plane and in space, the region within the ellipsoid."""
        return round_domain(self, self.center, self._matrix, "shape")

    @property
    def polygon(self) -> FloatArray:
        """In the plane, the corners of the polygon that stands for the ellipse in figures."""
        return round_polygon(self)

    @property
    def scaled_density(self) -> Callable[[float], Any]:
        """Constant within the ellipsoid."""
        if self.dim == 2:
            return round_density(self, lambda scale: (whitening(self._shape_matrix, scale), 1.0))
        inverse: FloatArray = np.linalg.inv(self._matrix).astype(np.float64)
        return round_density(self, lambda scale: (inverse / scale, 1.0))

    @cached_property
    def mean(self) -> FloatArray:
        """Centre, shape (d,)."""
        return self.center

    @cached_property
    def covariance(self) -> FloatArray:
        """Covariance matrix, shape (d, d): the shape divided by d + 2."""
        return read_only(self._shape_matrix / (self.dim + 2.0))

    @property
    def n_uniforms(self) -> int:
        """Number of uniform numbers for a point: d for its direction, 1 for its distance."""
        return self.dim + 1

    def sample(self, n: int, random_state: Any = None) -> FloatArray:
        """Draw points; see `Source.sample`.

        Examples
        --------
        >>> from geomot import UniformEllipsoid
        >>> points = UniformEllipsoid([5.0, 5.0], [4.0, 1.0]).sample(100, random_state=0)
        >>> bool((((points - 5.0) ** 2 / [4.0, 1.0]).sum(axis=1) <= 1.0 + 1e-15).all())
        True
        """
        n = as_count(n, "n")
        return self._image(self._ball.sample(n, as_generator(random_state)))

    def _from_uniforms(self, u: FloatArray) -> FloatArray:
        return self._image(self._ball.from_uniforms(u))

    @property
    def _ball(self) -> UniformBall:
        return UniformBall(np.zeros(self.dim), 1.0)

    def _image(self, z: FloatArray) -> FloatArray:
        factor = self._factor
        points = self.center + (z * factor if factor.ndim == 1 else z @ factor.T)
        return np.clip(points, *self.bounds)

    @cached_property
    def _line(self) -> Distribution:
        center, half = np.asarray(self.center[0]), np.asarray(self._factor[0])
        return Uniform(two_sum(center, -half), two_sum(center, half))

    def to_dict(self) -> dict[str, Any]:
        """Return the type's name, the centre and the shape.

        Examples
        --------
        >>> from geomot import UniformEllipsoid
        >>> UniformEllipsoid([0.0, 0.0], [4.0, 1.0]).to_dict()["shape"].tolist()
        [4.0, 1.0]
        """
        return {"type": "UniformEllipsoid", "center": self.center, "shape": self.shape}

    def __repr__(self) -> str:
        if self.dim <= 3:
            return f"UniformEllipsoid({self.center.tolist()}, {self.shape.tolist()})"
        return f"UniformEllipsoid(<{self.dim} dimensions>)"
