"""Source measures: where the mass comes from.

A source is a probability measure on R^d that can be sampled. In the plane `UniformBox`,
`UniformPolygon`, `GridDensity`, `Gaussian` and each `Mixture` of such measures have exact power
diagrams, and so have, on the line, all measures with a distribution function. Every source is
immutable, comparable and picklable.

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
from geomot.sources.box import UniformBox
from geomot.sources.convert import as_source, convex_polygon, exact_domain, require_exact
from geomot.sources.domains import ConvexPolygon, Domain
from geomot.sources.gaussian import Gaussian
from geomot.sources.grid import GridDensity
from geomot.sources.mixture import Mixture
from geomot.sources.polygon import UniformPolygon
from geomot.sources.samples import Samples
from geomot.sources.wrapped import WrappedSource

__all__ = [
    "ConvexPolygon",
    "Domain",
    "Gaussian",
    "GridDensity",
    "Mixture",
    "Product",
    "Samples",
    "Source",
    "UniformBall",
    "UniformBox",
    "UniformPolygon",
    "WrappedSource",
    "as_source",
    "convex_polygon",
    "exact_domain",
    "require_exact",
]

KINDS.update(
    (kind.__name__, kind)
    for kind in (
        Gaussian,
        GridDensity,
        Mixture,
        Samples,
        UniformBall,
        UniformBox,
        UniformPolygon,
        WrappedSource,
    )
)
