"""Source measures: where the mass comes from.

A source is a probability measure on R^d that can be sampled. In the plane `UniformBox`,
`UniformPolygon`, `UniformBall`, `UniformEllipsoid`, `GridDensity`, `MeshDensity`, `Gaussian` and
each `Mixture` of such measures have exact power diagrams, in space `UniformBox`,
`UniformPolyhedron`, `UniformBall`, `UniformEllipsoid`, `GridDensity`, `MeshDensity` and `Gaussian`,
and on the line all measures with a distribution function. Boxes and grids in the plane and in space
may be periodic along each axis. Every source is immutable, comparable and picklable.

Examples
--------
>>> import geomot
>>> geomot.UniformBox([0, 0], [2, 1]).mean.tolist()
[1.0, 0.5]
>>> geomot.GridDensity([3.0, 1.0]).quantile([0.0, 0.75, 1.0]).tolist()
[0.0, 0.5, 1.0]
"""

from __future__ import annotations

from geomot.sources.ball import UniformBall
from geomot.sources.base import KINDS, Product, Source
from geomot.sources.blended import Blended
from geomot.sources.box import UniformBox
from geomot.sources.convert import (
    as_source,
    exact_domain,
    plane_domain,
    refuse_periodic,
    require_exact,
    space_domain,
)
from geomot.sources.domains import (
    ConvexPolygon,
    ConvexPolyhedron,
    Domain,
    EllipticDisk,
    PeriodicBox,
    PeriodicRectangle,
    PlaneDomain,
    PolygonRegion,
    PolyhedronRegion,
    SolidEllipsoid,
    SpaceDomain,
)
from geomot.sources.ellipsoid import UniformEllipsoid
from geomot.sources.gaussian import Gaussian
from geomot.sources.grid import GridDensity
from geomot.sources.mesh import MeshDensity
from geomot.sources.mixture import Mixture
from geomot.sources.polygon import UniformPolygon
from geomot.sources.polyhedron import UniformPolyhedron
from geomot.sources.remainder import Remainder
from geomot.sources.samples import Samples
from geomot.sources.wrapped import WrappedSource

__all__ = [
    "Blended",
    "ConvexPolygon",
    "ConvexPolyhedron",
    "Domain",
    "EllipticDisk",
    "Gaussian",
    "GridDensity",
    "MeshDensity",
    "Mixture",
    "PeriodicBox",
    "PeriodicRectangle",
    "PlaneDomain",
    "PolygonRegion",
    "PolyhedronRegion",
    "Product",
    "Remainder",
    "Samples",
    "SolidEllipsoid",
    "Source",
    "SpaceDomain",
    "UniformBall",
    "UniformBox",
    "UniformEllipsoid",
    "UniformPolygon",
    "UniformPolyhedron",
    "WrappedSource",
    "as_source",
    "exact_domain",
    "plane_domain",
    "refuse_periodic",
    "require_exact",
    "space_domain",
]

KINDS.update(
    (kind.__name__, kind)
    for kind in (
        Gaussian,
        GridDensity,
        MeshDensity,
        Mixture,
        Samples,
        UniformBall,
        UniformBox,
        UniformEllipsoid,
        UniformPolygon,
        UniformPolyhedron,
        WrappedSource,
    )
)
