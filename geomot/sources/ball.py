"""The uniform measure on a ball."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geomot._constants import COORDINATE_LIMIT
from geomot._core.plane.ellipse import EllipseDensity
from geomot._double_double import two_sum
from geomot._frozen import read_only
from geomot._validation import as_count, as_generator, as_real_array, as_tolerance, as_vector
from geomot.sources._distributions import Distribution, Uniform
from geomot.sources.base import Source
from geomot.sources.domains import EllipticDisk
from geomot.sources.gaussian import normals

__all__ = ["UniformBall"]

FloatArray = NDArray[np.float64]

# Points are drawn nearer to the centre by this share, so that rounding leaves none outside a ball
# around the origin.
_INWARDS = 2.0**-51

# The map that takes a disk to itself, as kernels take it.
_IDENTITY = np.array([[1.0, 0.0], [0.0, 0.0], [1.0, 0.0]])


@dataclass(frozen=True, eq=False)
class UniformBall(Source):
    """Uniform measure on a ball.

    In the plane it has exact power diagrams: cells end at the circle, and their masses and facets
    are those of circular segments. Where cells have to be polygons, as in `PowerDiagram.cells` and
    in figures, the circle is one of 1024 corners. Whether a cell that holds less than 1e-20 of the
    disk counts as empty is decided up to rounding.

    Parameters
    ----------
    center : array_like of shape (d,)
        The centre.
    radius : float
        The radius, positive.

    Examples
    --------
    >>> from geomot import UniformBall
    >>> ball = UniformBall([0.0, 0.0, 0.0], 2.0)
    >>> ball.covariance.diagonal().tolist()
    [0.8, 0.8, 0.8]
    >>> points = ball.sample(100, random_state=0)
    >>> bool(((points**2).sum(axis=1) <= 4.0).all())
    True
    """

    center: FloatArray
    radius: float
    exact_dims: ClassVar[tuple[int, ...]] = (1, 2)

    def __init__(self, center: ArrayLike, radius: float) -> None:
        middle = as_real_array(center, "center")
        if middle.ndim != 1 or middle.size == 0:
            raise ValueError(f"center must have shape (d,), got {middle.shape}")
        middle = as_vector(middle, middle.size, "center")
        length = as_tolerance(radius, "radius")
        if length > COORDINATE_LIMIT:
            raise ValueError(f"radius must not exceed {COORDINATE_LIMIT:.3g}, got {length}")
        object.__setattr__(self, "center", read_only(middle.copy()))
        object.__setattr__(self, "radius", length)

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.center.size

    @property
    def bounds(self) -> FloatArray:
        """Lower and upper corner of the bounding box, shape (2, d)."""
        return np.stack([self.center - self.radius, self.center + self.radius])

    @property
    def domain(self) -> EllipticDisk | None:
        """In the plane, the disk."""
        if self.dim != 2:
            return None
        disk = EllipticDisk(self.center.copy(), self.radius * np.eye(2))
        require_room(disk, "radius", self)
        return disk

    @property
    def polygon(self) -> FloatArray:
        """In the plane, the corners of the polygon that stands for the disk in figures."""
        return round_polygon(self)

    @property
    def plane_density(self) -> Callable[[float], EllipseDensity]:
        """Constant on the disk."""
        return round_density(self, lambda scale: (_IDENTITY, scale * self.radius))

    @cached_property
    def mean(self) -> FloatArray:
        """Centre, shape (d,)."""
        return self.center

    @cached_property
    def covariance(self) -> FloatArray:
        """Covariance matrix, shape (d, d): radius^2 / (d + 2) on the diagonal."""
        return read_only(np.diag(np.full(self.dim, self.radius**2 / (self.dim + 2.0))))

    @property
    def n_uniforms(self) -> int:
        """Number of uniform numbers for a point: d for its direction, 1 for its distance."""
        return self.dim + 1

    def sample(self, n: int, random_state: Any = None) -> FloatArray:
        """Draw points; see `Source.sample`.

        Examples
        --------
        >>> from geomot import UniformBall
        >>> UniformBall([5.0, 5.0], 1.0).sample(2, random_state=0).round(3).tolist()
        [[5.622, 4.347], [5.943, 5.154]]
        """
        n = as_count(n, "n")
        rng = as_generator(random_state)
        return self._placed(rng.standard_normal((n, self.dim)), rng.random(n))

    def _from_uniforms(self, u: FloatArray) -> FloatArray:
        return self._placed(normals(u[:, :-1]), u[:, -1])

    def _placed(self, vectors: FloatArray, share: FloatArray) -> FloatArray:
        """Return points in the directions of vectors, such that the given shares lie nearer."""
        lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
        # The middle of the cube has no direction: any will do.
        still = lengths == 0.0
        vectors[still, 0], lengths[still] = 1.0, 1.0
        distances = self.radius * (1.0 - _INWARDS) * share ** (1.0 / self.dim)
        points = self.center + vectors * (distances / lengths)[:, None]
        return np.clip(points, *self.bounds)

    @cached_property
    def _line(self) -> Distribution:
        # The ends as pairs: far from the origin a radius is not a difference of floats.
        center, radius = np.asarray(self.center[0]), np.asarray(self.radius)
        return Uniform(two_sum(center, -radius), two_sum(center, radius))

    def to_dict(self) -> dict[str, Any]:
        """Return the type's name, the centre and the radius.

        Examples
        --------
        >>> from geomot import UniformBall
        >>> UniformBall([0.0, 0.0], 2.0).to_dict()
        {'type': 'UniformBall', 'center': array([0., 0.]), 'radius': array([2.])}
        """
        return {"type": "UniformBall", "center": self.center, "radius": np.array([self.radius])}

    @classmethod
    def _from_arguments(cls, **arguments: Any) -> Source:
        radius = np.asarray(arguments.get("radius"))
        if radius.shape == (1,):
            arguments["radius"] = radius.item()
        return cls(**arguments)

    def __repr__(self) -> str:
        if self.dim <= 3:
            return f"UniformBall({self.center.tolist()}, {self.radius})"
        return f"UniformBall(<{self.dim} dimensions>, {self.radius})"


def round_polygon(source: Source) -> FloatArray:
    """The polygon that stands for the border of a round source in the plane."""
    domain = source.domain
    if not isinstance(domain, EllipticDisk):
        raise ValueError(f"source must be in the plane, got {source}")
    return domain.outlines[0]


def round_density(
    source: Source, whitened: Callable[[float], tuple[FloatArray, float]]
) -> Callable[[float], EllipseDensity]:
    """Return the density of a round source in the plane, as `Source.plane_density` does.

    Parameters
    ----------
    source : Source
        Uniform within an ellipse about its mean.
    whitened : callable
        Called with the scale, it returns the map of the ellipse to a disk, and the disk's radius.

    Returns
    -------
    callable
    """
    domain = source.domain
    if not isinstance(domain, EllipticDisk):
        raise ValueError(f"source must be in the plane, got {source}")
    box = domain.bounds

    def density(scale: float) -> EllipseDensity:
        area = float(np.prod(scale * (box[1] - box[0])))
        return EllipseDensity(scale * domain.center, *whitened(scale), area)

    return density


def require_room(domain: EllipticDisk, name: str, source: Source) -> None:
    """Refuse an ellipse that is no larger than the spacing of float64 numbers about it."""
    half, center = np.hypot(*domain.factor.T), domain.center
    if not ((center - half < center) & (center < center + half)).all():
        raise ValueError(
            f"{name} must be large enough for float64 numbers about the center, got {source}"
        )
