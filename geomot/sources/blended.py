"""A source with a share of the uniform measure around it mixed in, as solvers start from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from geomot._core.plane.measure import Blend, Uniform
from geomot._core.space.measure import Blend3D, Uniform3D
from geomot._validation import as_count, as_generator
from geomot.sources.base import Source
from geomot.sources.box import UniformBox
from geomot.sources.convert import plane_domain, space_domain
from geomot.sources.domains import ConvexPolygon, ConvexPolyhedron, Domain, PeriodicBox
from geomot.sources.polygon import UniformPolygon
from geomot.sources.polyhedron import UniformPolyhedron

__all__ = ["Blended"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Blended(Source):
    """A source in the plane or in space and the uniform measure on its domain's container.

    Attributes
    ----------
    measure : Source
        It has exact diagrams in the plane or in space.
    share : float
        How much of the mass is uniform.

    Examples
    --------
    >>> import geomot
    >>> dark = geomot.GridDensity([[0.0, 1.0]])
    >>> diagram = geomot.PowerDiagram([[0.5, 0.25], [0.5, 0.75]], None, dark)
    >>> mixed = geomot.sources.Blended(dark, 0.5)
    >>> diagram.masses.tolist(), mixed.share
    ([0.0, 1.0], 0.5)
    """

    measure: Source
    share: float
    exact_dims: ClassVar[tuple[int, ...]] = (2, 3)

    @property
    def dim(self) -> int:
        """Number of coordinates: 2 or 3."""
        return self.measure.dim

    @property
    def bounds(self) -> FloatArray:
        """Lower and upper corner of the bounding box, shape (2, d)."""
        return self.measure.bounds

    @property
    def container(self) -> ConvexPolygon | ConvexPolyhedron | PeriodicBox:
        """Where the uniform part is."""
        if self.measure.periodic_domain is not None:
            return self.measure.periodic_domain
        of = plane_domain if self.dim == 2 else space_domain
        return of(self.measure).container

    @property
    def uniform(self) -> UniformPolygon | UniformPolyhedron | UniformBox:
        """The uniform part."""
        around = self.container
        if isinstance(around, PeriodicBox):
            return UniformBox(around.lower, around.upper, around.periodic)
        of = UniformPolygon if self.dim == 2 else UniformPolyhedron
        return of(around.vertices)

    @property
    def domain(self) -> Domain:
        """The container, all of which has mass."""
        return self.container

    @property
    def scaled_density(self) -> Callable[[float], Any]:
        """The measure's density and the uniform one."""
        return self._mixed(self.measure.scaled_density)

    def periodic_density(self, lower: FloatArray, upper: FloatArray) -> Callable[[float], Any]:
        """Return the densities of the measure and the uniform one; see `Source.periodic_density`.

        Examples
        --------
        >>> import numpy as np
        >>> import geomot
        >>> torus = geomot.GridDensity([[0.0, 1.0]], periodic=True)
        >>> mixed = geomot.sources.Blended(torus, 0.5)
        >>> type(mixed.periodic_density(np.zeros(2), np.ones(2))(1.0)).__name__
        'Blend'
        """
        return self._mixed(self.measure.periodic_density(lower, upper))

    def _mixed(self, inner: Callable[[float], Any] | None) -> Callable[[float], Any]:
        """A density of the measure, mixed with the uniform one."""
        whole = self.uniform
        size = whole.area if isinstance(whole, UniformPolygon) else whole.volume
        simple: Any = Uniform if self.dim == 2 else Uniform3D
        blend: Any = Blend if self.dim == 2 else Blend3D

        def make(scale: float) -> Any:
            uniform = simple(1.0 / (size * scale**self.dim))
            return uniform if inner is None else blend(inner(scale), uniform, self.share)

        return make

    def sample(self, n: int, random_state: Any = None) -> FloatArray:
        """Draw points; see `Source.sample`.

        Examples
        --------
        >>> import geomot
        >>> geomot.sources.Blended(geomot.GridDensity([[0.0, 1.0]]), 0.5).sample(3, 0).shape
        (3, 2)
        """
        n = as_count(n, "n")
        rng = as_generator(random_state)
        points = self.measure.sample(n, rng)
        uniform = rng.random(n) < self.share
        points[uniform] = self.uniform.sample(int(uniform.sum()), rng)
        return points

    def to_dict(self) -> dict[str, Any]:
        """Not stored: no solution has such a source.

        Examples
        --------
        >>> import geomot
        >>> geomot.sources.Blended(geomot.UniformBox.unit(2), 0.5).to_dict()
        Traceback (most recent call last):
        ...
        NotImplementedError: blended sources are not stored
        """
        raise NotImplementedError("blended sources are not stored")
