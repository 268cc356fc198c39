"""The uniform measure on a box."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geomot._frozen import read_only
from geomot._validation import as_count, as_generator, as_real_array, as_vector
from geomot.sources._distributions import Distribution, Uniform
from geomot.sources._pieces import constant
from geomot.sources.base import Product, Source
from geomot.sources.domains import (
    ConvexPolygon,
    ConvexPolyhedron,
    Domain,
    PeriodicBox,
    PeriodicRectangle,
)

__all__ = ["UniformBox"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class UniformBox(Source):
    """Uniform measure on a box with sides along the axes.

    Parameters
    ----------
    lower, upper : array_like of shape (d,)
        Opposite corners, lower < upper in each coordinate.
    periodic : bool or tuple of bool, default False
        In the plane and in space: whether opposite sides are joined, for all axes or for each. If
        all are joined the box is a torus, if some are a cylinder or a slab. The cost is then the
        squared distance to the nearest of all copies of a site, whole periods apart.

    Notes
    -----
    On a torus each cell is measured whole, around its site: centroids and corners of cells may lie
    outside the box. Sites may lie anywhere; only their places modulo the periods count, to 2^-50
    of the box.

    Examples
    --------
    >>> from geomot import UniformBox
    >>> box = UniformBox([0, 0], [2, 1])
    >>> box.dim, box.area
    (2, 2.0)
    >>> box.sample(3, random_state=0).shape
    (3, 2)

    On the torus a single site takes the whole box, from half a period on its left to half a period
    on its right:

    >>> import geomot
    >>> torus = UniformBox([0.0, 0.0], [1.0, 1.0], periodic=True)
    >>> geomot.PowerDiagram([(0.25, 0.5)], source=torus).cells[0].round(9).tolist()
    [[0.75, 0.0], [0.75, 1.0], [-0.25, 1.0], [-0.25, 0.0]]
    """

    lower: FloatArray
    upper: FloatArray
    periodic: NDArray[np.bool_]
    exact_dims: ClassVar[tuple[int, ...]] = (1, 2, 3)

    def __init__(self, lower: ArrayLike, upper: ArrayLike, periodic: ArrayLike = False) -> None:
        low, high = as_corners(lower, upper)
        object.__setattr__(self, "lower", read_only(low.copy()))
        object.__setattr__(self, "upper", read_only(high.copy()))
        object.__setattr__(self, "periodic", read_only(as_periodic(periodic, low.size)))
        if self.dim == 2 and self.area == 0.0:
            raise ValueError(f"upper must enclose an area that float64 can hold, got {self}")

    @classmethod
    def unit(cls, dim: int = 2) -> UniformBox:
        """Return the unit box [0, 1]^dim.

        Parameters
        ----------
        dim : int, default 2
            Number of coordinates.

        Returns
        -------
        UniformBox

        Examples
        --------
        >>> from geomot import UniformBox
        >>> UniformBox.unit(3)
        UniformBox([0.0, 0.0, 0.0], [1.0, 1.0, 1.0])
        """
        dim = as_count(dim, "dim", 1)
        return cls(np.zeros(dim), np.ones(dim))

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.lower.size

    @property
    def bounds(self) -> FloatArray:
        """Lower and upper corner, shape (2, d)."""
        return np.stack([self.lower, self.upper])

    @property
    def volume(self) -> float:
        """Product of the side lengths."""
        return math.prod((self.upper - self.lower).tolist())

    @property
    def area(self) -> float:
        """Area of a box in the plane."""
        if self.dim != 2:
            raise ValueError(f"area is defined in 2 dimensions, got a box of {self.dim}")
        return self.volume

    @property
    def polygon(self) -> FloatArray:
        """Corners of a box in the plane, counter-clockwise, shape (4, 2)."""
        if self.dim != 2:
            raise ValueError(f"polygon is defined in 2 dimensions, got a box of {self.dim}")
        (x0, y0), (x1, y1) = self.lower, self.upper
        return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])

    @property
    def domain(self) -> Domain | None:
        """A box in the plane as a polygon, one in space as a polyhedron, or a periodic one."""
        return box_domain(self.lower, self.upper, self.periodic)

    @property
    def scaled_density(self) -> None:
        """Uniform."""
        return None

    def sample(self, n: int, random_state: Any = None) -> FloatArray:
        """Draw points; see `Source.sample`.

        Examples
        --------
        >>> from geomot import UniformBox
        >>> UniformBox([0.0, 0.0], [2.0, 1.0]).sample(2, random_state=0).round(3).tolist()
        [[1.274, 0.27], [0.082, 0.017]]
        """
        n = as_count(n, "n")
        return self._from_uniforms(as_generator(random_state).random((n, self.dim)))

    @cached_property
    def mean(self) -> FloatArray:
        """Centre, shape (d,)."""
        return read_only(0.5 * self.lower + 0.5 * self.upper)

    @cached_property
    def covariance(self) -> FloatArray:
        """Covariance matrix, shape (d, d), diagonal."""
        return read_only(np.diag((self.upper - self.lower) ** 2 / 12.0))

    @property
    def product(self) -> Product:
        """The box as the image of [0, 1]^d."""
        return Product("uniform", self.lower, read_only(self.upper - self.lower))

    @property
    def n_uniforms(self) -> int:
        """Number of uniform numbers for a point: d."""
        return self.dim

    def _from_uniforms(self, u: FloatArray) -> FloatArray:
        return np.clip(self.lower + u * (self.upper - self.lower), self.lower, self.upper)

    @cached_property
    def _line(self) -> Distribution:
        return Uniform(constant(self.lower[0]), constant(self.upper[0]))

    def to_dict(self) -> dict[str, Any]:
        """Return the type's name and the two corners; of a periodic box which axes are.

        Examples
        --------
        >>> from geomot import UniformBox
        >>> UniformBox([0.0, 0.0], [2.0, 1.0]).to_dict()
        {'type': 'UniformBox', 'lower': array([0., 0.]), 'upper': array([2., 1.])}
        """
        known: dict[str, Any] = {"type": "UniformBox", "lower": self.lower, "upper": self.upper}
        return {**known, **periodic_to_dict(self.periodic)}

    @classmethod
    def _from_arguments(cls, **arguments: Any) -> UniformBox:
        return cls(**periodic_from_dict(arguments))

    def __repr__(self) -> str:
        corners = f"{self.lower.tolist()}, {self.upper.tolist()}"
        return f"UniformBox({corners}{periodic_words(self.periodic)})"


def box_domain(lower: FloatArray, upper: FloatArray, periodic: NDArray[np.bool_]) -> Domain | None:
    """Return a box in the plane or in space, periodic or not, as a domain; None of other ones."""
    if periodic.any():
        kind = PeriodicRectangle if lower.size == 2 else PeriodicBox
        return kind(lower, upper, periodic)
    if lower.size == 3:
        return ConvexPolyhedron.box(lower, upper)
    return ConvexPolygon(UniformBox(lower, upper).polygon) if lower.size == 2 else None


def periodic_to_dict(periodic: NDArray[np.bool_]) -> dict[str, Any]:
    """Return the entry of a dictionary or a file that says which axes are periodic, if any are."""
    return {"periodic": periodic.astype(np.float64)} if periodic.any() else {}


def periodic_from_dict(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return arguments of a dictionary or a file with bools in the entry "periodic"."""
    periodic = np.asarray(arguments.get("periodic", False))
    if periodic.dtype.kind == "f" and np.isin(periodic, (0.0, 1.0)).all():
        periodic = periodic != 0.0
    return {**arguments, "periodic": periodic}


def periodic_words(periodic: NDArray[np.bool_]) -> str:
    """Return the argument of a periodic box as its representation ends with it."""
    if not periodic.any():
        return ""
    return f", periodic={True if periodic.all() else tuple(periodic.tolist())}"


def as_periodic(periodic: Any, dim: int) -> NDArray[np.bool_]:
    """Which axes of a box are periodic, shape (d,)."""
    axes = np.asarray(periodic)
    if axes.dtype.kind != "b" or axes.shape not in ((), (dim,)):
        raise ValueError(f"periodic must be a bool or {dim} bools, got {periodic!r}")
    if axes.any() and dim not in (2, 3):
        raise ValueError(f"periodic must be False except in 2 or 3 dimensions, got a box of {dim}")
    return np.broadcast_to(axes, (dim,)).copy()


def as_corners(lower: Any, upper: Any) -> tuple[FloatArray, FloatArray]:
    """Return opposite corners of a box, shape (d,), lower < upper in each coordinate."""
    low = as_real_array(lower, "lower")
    if low.ndim != 1 or low.size == 0:
        raise ValueError(f"lower must have shape (d,), got {low.shape}")
    low = as_vector(low, low.size, "lower")
    high = as_vector(upper, low.size, "upper")
    if not (low < high).all():
        k = int(np.flatnonzero(~(low < high))[0])
        raise ValueError(
            f"upper must exceed lower in each coordinate, got lower {low[k]} and "
            f"upper {high[k]} in coordinate {k}"
        )
    return low, high
