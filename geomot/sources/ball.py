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
from geomot._core.space.ellipsoid import EllipsoidDensity
from geomot._double_double import two_sum
from geomot._frozen import read_only
from geomot._validation import as_count, as_generator, as_real_array, as_tolerance, as_vector
from geomot.sources._distributions import Distribution, Uniform
from geomot.sources.base import Source
from geomot.sources.domains import EllipticDisk, SolidEllipsoid
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

    In the plane and in space it has exact power diagrams: cells end at the circle or the sphere,
    and their masses and facets are those of what it cuts out. Where cells have to be polygons or
    polyhedra, as in `PowerDiagram.cells` and in figures, the circle is a polygon of 1024 corners,
    and the sphere a polyhedron of 500. Whether a cell that holds less than 1e-20 of the disk, or
    1e-18 of the ball, counts as empty is decided up to rounding.

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
    exact_dims: ClassVar[tuple[int, ...]] = (1, 2, 3)

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
    def domain(self) -> EllipticDisk | SolidEllipsoid | None:
        """In the plane and in space, the ball."""
        return round_domain(self, self.center, self.radius * np.eye(self.dim), "radius")

    @property
    def polygon(self) -> FloatArray:
        """In the plane, the corners of the polygon that stands for the disk in figures."""
        return round_polygon(self)

    @property
    def scaled_density(self) -> Callable[[float], Any]:
        """Constant on the ball."""
        identity = _IDENTITY if self.dim == 2 else np.eye(3)
        return round_density(self, lambda scale: (identity, scale * self.radius))

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
) -> Callable[[float], Any]:
    """Return the density of a round source, as `Source.scaled_density` does.

    Parameters
    ----------
    source : Source
        Uniform within an ellipse or an ellipsoid.
    whitened : callable
        Called with the scale, it returns the map to a disk or a ball, and its radius.

    Returns
    -------
    callable
    """
    domain = source.domain
    if not isinstance(domain, EllipticDisk | SolidEllipsoid):
        raise ValueError(f"source must be in the plane or in space, got {source}")
    box = domain.bounds
    kernel: Any = EllipseDensity if domain.dim == 2 else EllipsoidDensity

    def density(scale: float) -> Any:
        size = float(np.prod(scale * (box[1] - box[0])))
        return kernel(scale * domain.center, *whitened(scale), size)

    return density


def round_domain(
    source: Source, center: FloatArray, factor: FloatArray, name: str
) -> EllipticDisk | SolidEllipsoid | None:
    """Return the domain of a round source in the plane or in space; None in other dimensions.

    Parameters
    ----------
    source : Source
        The source, for a message if it is no larger than the spacing of float64 numbers about it.
    center : ndarray of shape (d,)
        Its centre.
    factor : ndarray of shape (d, d)
        The points are center + factor @ z, with z of length at most 1.
    name : str
        The argument that sets its size.

    Returns
    -------
    EllipticDisk, SolidEllipsoid or None
    """
    if len(center) not in (2, 3):
        return None
    kind = EllipticDisk if len(center) == 2 else SolidEllipsoid
    domain = kind(center.copy(), factor.copy())
    half = domain.half_widths
    if not ((center - half < center) & (center < center + half)).all():
        raise ValueError(
            f"{name} must be large enough for float64 numbers about the center, got {source}"
        )
    return domain
