"""Exact diagrams, whatever the dimension: what they offer, and who makes them."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from geomot._balls import BallSites
from geomot._facets import Facets
from geomot._line import LineSites
from geomot._mixture import MixtureDiagram, MixtureSites
from geomot._power import PlaneDiagram, PlaneSites
from geomot._space import SpaceDiagram, SpaceSites
from geomot._torus import TorusDiagram, TorusSites, torus_places
from geomot.sources import Mixture, Source, plane_domain, require_exact, space_domain

__all__ = [
    "ExactDiagram",
    "ExactSites",
    "InsertingDiagram",
    "exact_sites",
    "inserting_sites",
    "places_of",
]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]


class ExactDiagram(Protocol):
    """A power diagram and what it measures, in the order of the sites that it was made of."""

    @property
    def masses(self) -> FloatArray:
        """Measure of each cell, (n,)."""

    @property
    def centroids(self) -> FloatArray:
        """Barycentre of each cell, (n, d); NaN where it has no mass."""

    @property
    def costs(self) -> FloatArray:
        """Integral of |x - y_i|^2 over each cell, (n,)."""

    @property
    def empty(self) -> NDArray[np.bool_]:
        """Whether the cell has no interior, (n,); without one it has no mass."""

    @property
    def facets(self) -> Facets:
        """Neighbours, and the measures of their common borders."""

    def facet_moments(self, *, threads: int = 1) -> tuple[FloatArray, FloatArray]:
        """Mean (m, d) and covariance (m, d, d) of the density along each of the facets."""

    def cells(self, *, threads: int = 1) -> tuple[Any, ...]:
        """Corners, each once; offsets, indices and labels, as in `diagram.Cells`.

        In space what `diagram.Polyhedra` holds.
        """

    def simplices(self) -> IndexArray:
        """Simplices of the triangulation that is dual to the diagram of the whole space."""

    def locate(self, points: FloatArray, *, threads: int = 1) -> IndexArray:
        """Site whose power distance to each point is least, decided exactly."""


class ExactSites(Protocol):
    """Sites under a source, sorted once for the diagrams of many weights."""

    def diagram(
        self, weights: FloatArray, weights_low: FloatArray | None = None, *, threads: int = 1
    ) -> ExactDiagram:
        """Return the power diagram of weights hi, and lo where given."""


def exact_sites(sites: FloatArray, source: Source, partial: bool = False) -> ExactSites:
    """Return sites that make exact diagrams.

    Parameters
    ----------
    sites : ndarray of shape (n, d)
        The sites.
    source : Source
        The source measure; refused if it has no exact diagrams.
    partial : bool
        Whether cells end in balls around the sites.

    Returns
    -------
    ExactSites
    """
    require_exact(source)
    if partial:
        return BallSites(sites, source)
    return LineSites(sites, source) if source.dim == 1 else inserting_sites(sites, source)


# Diagrams that can tell the weights of further sites.
InsertingDiagram = PlaneDiagram | MixtureDiagram | SpaceDiagram | TorusDiagram


def places_of(sites: FloatArray, source: Source) -> FloatArray:
    """Return where sites are: rows are equal where sites share a cell."""
    torus = source.periodic_domain
    return sites if torus is None else torus_places(sites, torus)


def inserting_sites(
    sites: FloatArray, source: Source
) -> PlaneSites | MixtureSites | SpaceSites | TorusSites:
    """Return sites in the plane or in space, whose diagrams can also insert further sites."""
    if source.periodic_domain is not None:
        return TorusSites(sites, source)
    if source.dim == 2:
        if isinstance(source, Mixture) and len(source.normals) < len(source.sources):
            return MixtureSites(sites, source)
        container = plane_domain(source).container
        return PlaneSites(sites, container.vertices, source.scaled_density)
    hull = space_domain(source).container
    return SpaceSites(sites, hull.planes, hull.bounds, density=source.scaled_density)
