"""The measure with a density that is constant on the cells of a grid: an image, or voxels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geomot._constants import WEIGHT_LIMIT
from geomot._core.plane.pixels import Pixels
from geomot._core.space.voxels import Voxels
from geomot._frozen import read_only
from geomot._validation import as_count, as_generator, as_masses, as_real_array
from geomot.sources._distributions import Distribution, Steps
from geomot.sources.base import Source
from geomot.sources.box import (
    as_corners,
    as_periodic,
    box_domain,
    periodic_from_dict,
    periodic_to_dict,
    periodic_words,
)
from geomot.sources.domains import Domain

__all__ = ["GridDensity"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class GridDensity(Source):
    """Measure with a density that is constant on each of the equal cells of a box.

    Parameters
    ----------
    values : array_like of d axes
        The density in the cells, up to a factor; axis k runs along coordinate k. (The rows of an
        image run downwards and come first: ``image.T[:, ::-1]`` stands upright.)
    lower, upper : array_like of shape (d,), optional
        Opposite corners of the box; the unit box if None.
    periodic : bool or tuple of bool, default False
        In the plane and in space: whether opposite sides are joined, for all axes or for each, as
        in `UniformBox`. The image then goes on beyond the sides with copies of itself.

    Attributes
    ----------
    values : ndarray of d axes
        The mass of each cell.
    lower, upper : ndarray of shape (d,)
        The corners.
    periodic : ndarray of shape (d,), bool
        Which axes are periodic.

    Notes
    -----
    In space solves of a periodic grid hold the copies next to it, up to 27 times the voxels.

    Examples
    --------
    >>> from geomot import GridDensity
    >>> grid = GridDensity([[1.0, 0.0], [2.0, 1.0]])
    >>> grid.values.tolist()
    [[0.25, 0.0], [0.5, 0.25]]
    >>> grid.mean.tolist()
    [0.625, 0.375]

    On the torus half of the cell of a dark site lies beyond the left side, which is the right one
    from within:

    >>> import geomot
    >>> torus = GridDensity([[1.0], [0.0], [0.0], [3.0]], periodic=True)
    >>> diagram = geomot.PowerDiagram([(0.0, 0.5), (0.5, 0.5)], source=torus)
    >>> diagram.masses.tolist(), diagram.centroids[0].tolist()
    ([1.0, 0.0], [-0.0625, 0.5])
    """

    values: FloatArray
    lower: FloatArray
    upper: FloatArray
    periodic: NDArray[np.bool_]
    exact_dims: ClassVar[tuple[int, ...]] = (1, 2, 3)

    def __init__(
        self,
        values: ArrayLike,
        lower: ArrayLike | None = None,
        upper: ArrayLike | None = None,
        *,
        periodic: ArrayLike = False,
    ) -> None:
        masses = _as_cell_masses(values)
        d = masses.ndim
        low, high = as_corners(
            np.zeros(d) if lower is None else lower, np.ones(d) if upper is None else upper
        )
        if low.size != d:
            raise ValueError(f"lower must have shape ({d},), got {low.shape}")
        object.__setattr__(self, "values", read_only(masses))
        object.__setattr__(self, "lower", read_only(low.copy()))
        object.__setattr__(self, "upper", read_only(high.copy()))
        object.__setattr__(self, "periodic", read_only(as_periodic(periodic, d)))
        for k, edges in enumerate(self._edges):
            if not (np.diff(edges) > 0.0).all():
                raise ValueError(
                    "values must not have more cells than there are floats between lower and "
                    f"upper, got {masses.shape[k]} along axis {k}"
                )

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.values.ndim

    @property
    def bounds(self) -> FloatArray:
        """Lower and upper corner of the box, shape (2, d)."""
        return np.stack([self.lower, self.upper])

    @property
    def domain(self) -> Domain | None:
        """A box in the plane as a polygon, one in space as a polyhedron, or a periodic one."""
        return box_domain(self.lower, self.upper, self.periodic)

    @property
    def scaled_density(self) -> Callable[[float], Any]:
        """Constant on each pixel or voxel."""
        if self.dim == 3:
            edges = self._edges
            return lambda scale: Voxels(self.values, [scale * along for along in edges])
        values = np.ascontiguousarray(self.values.T)
        return lambda scale: Pixels(values, scale * self.lower, scale * self.upper)

    def periodic_density(self, lower: FloatArray, upper: FloatArray) -> Callable[[float], Any]:
        """Return the density of a periodic grid and its copies; see `Source.periodic_density`.

        Examples
        --------
        >>> import numpy as np
        >>> from geomot import GridDensity
        >>> torus = GridDensity([[1.0, 2.0]], periodic=True)
        >>> type(torus.periodic_density(np.zeros(2), np.ones(2))(1.0)).__name__
        'Pixels'
        """
        repeats = [3 if joined else 1 for joined in self.periodic]
        if self.dim == 2:
            values = np.ascontiguousarray(self.values.T)
            beyond = np.where(self.periodic, upper - lower, 0.0)
            low, high = lower - beyond, upper + beyond
            return lambda scale: Pixels(values, scale * low, scale * high, repeats)
        voxels = np.tile(self.values, repeats)
        edges = []
        for k, along in enumerate(_edges_between(lower, upper, self.values.shape)):
            if self.periodic[k]:
                period = upper[k] - lower[k]
                along = np.concatenate([along[:-1] - period, along[:-1], along + period])
            edges.append(along)
        copies = math.prod(repeats)
        return lambda scale: Voxels(voxels, [scale * along for along in edges], copies)

    @property
    def darkest(self) -> float:
        """The least density on the box, relative to the mean."""
        return float(self.values.min()) * self.values.size

    @cached_property
    def _edges(self) -> list[FloatArray]:
        """Borders between the cells along each axis, the ends included."""
        return _edges_between(self.lower, self.upper, self.values.shape)

    @cached_property
    def _marginals(self) -> list[FloatArray]:
        axes = range(self.dim)
        return [self.values.sum(axis=tuple(j for j in axes if j != k)) for k in axes]

    @cached_property
    def mean(self) -> FloatArray:
        """Barycentre, shape (d,)."""
        centres = [0.5 * edges[:-1] + 0.5 * edges[1:] for edges in self._edges]
        pairs = zip(self._marginals, centres, self.lower, strict=True)
        return read_only(np.array([low + mass @ (c - low) for mass, c, low in pairs]))

    @cached_property
    def covariance(self) -> FloatArray:
        """Covariance matrix, shape (d, d)."""
        seen = [
            (0.5 * edges[:-1] + 0.5 * edges[1:]) - m
            for edges, m in zip(self._edges, self.mean, strict=True)
        ]
        matrix = np.zeros((self.dim, self.dim))
        for k, (mass, c, edges) in enumerate(zip(self._marginals, seen, self._edges, strict=True)):
            matrix[k, k] = mass @ (c * c + np.diff(edges) ** 2 / 12.0)
        for j, k in combinations(range(self.dim), 2):
            others = tuple(i for i in range(self.dim) if i not in (j, k))
            matrix[j, k] = matrix[k, j] = seen[j] @ self.values.sum(axis=others) @ seen[k]
        return read_only(matrix)

    @property
    def n_uniforms(self) -> int:
        """Number of uniform numbers for a point: 1 for its cell, d for its place there."""
        return self.dim + 1

    def sample(self, n: int, random_state: Any = None) -> FloatArray:
        """Draw points; see `Source.sample`.

        Examples
        --------
        >>> from geomot import GridDensity
        >>> GridDensity([[0.0, 0.0], [0.0, 1.0]]).sample(2, random_state=0).round(2).tolist()
        [[0.63, 0.52], [0.91, 0.96]]
        """
        n = as_count(n, "n")
        return self._from_uniforms(as_generator(random_state).random((n, self.n_uniforms)))

    @cached_property
    def _cells(self) -> tuple[NDArray[np.int64], FloatArray]:
        """The cells that have mass, and the mass up to and including each."""
        masses = self.values.reshape(-1)
        held = np.flatnonzero(masses > 0.0)
        return held, np.cumsum(masses[held])

    def _from_uniforms(self, u: FloatArray) -> FloatArray:
        held, share = self._cells
        k = np.searchsorted(share, u[:, 0], side="right")
        cells = np.unravel_index(held[np.minimum(k, len(held) - 1)], self.values.shape)
        points = np.empty((len(u), self.dim))
        for axis, (edges, cell) in enumerate(zip(self._edges, cells, strict=True)):
            low, high = edges[cell], edges[cell + 1]
            points[:, axis] = np.clip(low + u[:, axis + 1] * (high - low), low, high)
        return points

    @cached_property
    def _line(self) -> Distribution:
        return Steps(self.values, self._edges[0])

    def to_dict(self) -> dict[str, Any]:
        """Return the type's name, the masses of the cells, their array's shape, and the corners.

        Examples
        --------
        >>> from geomot import GridDensity
        >>> words = GridDensity([[1.0, 0.0], [2.0, 1.0]]).to_dict()
        >>> words["values"].tolist(), words["shape"].tolist()
        ([0.25, 0.0, 0.5, 0.25], [2.0, 2.0])
        """
        return {
            "type": "GridDensity",
            "values": self.values.reshape(-1),
            "shape": np.array(self.values.shape, np.float64),
            "lower": self.lower,
            "upper": self.upper,
            **periodic_to_dict(self.periodic),
        }

    @classmethod
    def _from_arguments(cls, **arguments: Any) -> Source:
        shape = arguments.pop("shape", None)
        if shape is not None:
            values = as_real_array(arguments.get("values"), "values")
            sizes = as_real_array(shape, "shape")
            whole = (sizes >= 1.0) & (sizes <= values.size) & (sizes == np.floor(sizes))
            counts = [int(k) for k in sizes[whole]]
            if sizes.ndim != 1 or not whole.all() or math.prod(counts) != values.size:
                raise ValueError(f"shape must fit {values.size} values, got {sizes.tolist()}")
            arguments["values"] = values.reshape(counts)
        return cls(**periodic_from_dict(arguments))

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.values.shape))
        if self.dim > 3:
            return f"GridDensity(<{shape} cells>)"
        corners = f"{self.lower.tolist()}, {self.upper.tolist()}"
        return f"GridDensity(<{shape} cells>, {corners}{periodic_words(self.periodic)})"


def _edges_between(
    lower: FloatArray, upper: FloatArray, counts: tuple[int, ...]
) -> list[FloatArray]:
    """Borders between equal cells along each axis, the ends included."""
    edges = []
    for low, high, m in zip(lower, upper, counts, strict=True):
        along = low + (high - low) * (np.arange(m + 1) / m)
        along[-1] = high
        edges.append(along)
    return edges


def _as_cell_masses(values: Any) -> FloatArray:
    """Return masses of sum 1 from densities on equal cells, a new array."""
    array = as_real_array(values, "values")
    if array.ndim == 0 or array.size == 0:
        raise ValueError(f"values must have at least one axis and one cell, got {array.shape}")
    good = (array >= 0.0) & (array <= WEIGHT_LIMIT)
    if not good.all():
        index = tuple(int(k) for k in np.argwhere(~good)[0])
        raise ValueError(
            "values must be finite and not negative, "
            f"got {array[index]} at {index if len(index) > 1 else index[0]}"
        )
    masses = as_masses(array.reshape(-1), array.size, "values", normalize=True)
    return masses.reshape(array.shape)
