"""A source with a share of the uniform measure around it mixed in, as solvers start from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from geomot._core.plane.measure import Blend, Uniform
from geomot._validation import as_count, as_generator
from geomot.sources.base import Source
from geomot.sources.convert import plane_domain
from geomot.sources.domains import ConvexPolygon, Domain
from geomot.sources.polygon import UniformPolygon

__all__ = ["Blended"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Blended(Source):
    """A source in the plane and the uniform measure on its domain's container.

    Attributes
    ----------
    measure : Source
        It has exact diagrams in the plane.
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
    exact_dims: ClassVar[tuple[int, ...]] = (2,)

    @property
    def dim(self) -> int:
        """Number of coordinates: 2."""
        return 2

    @property
    def bounds(self) -> FloatArray:
        """Lower and upper corner of the bounding box, shape (2, 2)."""
        return self.measure.bounds

    @property
    def container(self) -> ConvexPolygon:
        """Where the uniform part is."""
        return plane_domain(self.measure).container

    @property
    def uniform(self) -> UniformPolygon:
        """The uniform part."""
        return UniformPolygon(self.container.vertices)

    @property
    def domain(self) -> Domain:
        """The container, all of which has mass."""
        return self.container

    @property
    def plane_density(self) -> Callable[[float], Any]:
        """The measure's density and the uniform one."""
        inner, area = self.measure.plane_density, self.uniform.area

        def make(scale: float) -> Any:
            uniform = Uniform(1.0 / (area * scale * scale))
            return uniform if inner is None else Blend(inner(scale), uniform, self.share)

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
