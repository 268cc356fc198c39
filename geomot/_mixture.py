"""Exact diagrams of mixtures in the plane: sums of what the parts have in the same cells.

The normal parts, whose densities reach everywhere, are one density on the whole domain, and one
diagram measures them all. Every other part has a diagram of its own, with cells cut at its own
domain, so that each decision is as exact as without the others.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from geomot._facets import Facets, moments_of_sides
from geomot._power import PlaneDiagram, PlaneSites
from geomot.sources import Gaussian, Mixture, plane_domain

__all__ = ["MixtureDiagram", "MixtureSites"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]


class MixtureSites:
    """Sites in the plane under a mixture, sorted once for many diagrams.

    Parameters
    ----------
    sites : ndarray of shape (n, 2)
        The sites.
    source : Mixture
        All its parts have exact diagrams.
    """

    def __init__(self, sites: FloatArray, source: Mixture) -> None:
        self.sites = sites
        vertices = plane_domain(source).container.vertices
        density = source.scaled_density if source.normals else None
        self.whole = PlaneSites(sites, vertices, density)
        self.whole_counts = bool(source.normals)
        self.parts = [
            (share, PlaneSites(sites, plane_domain(part).container.vertices, part.scaled_density))
            for part, share in zip(source.sources, source.shares.tolist(), strict=True)
            if not isinstance(part, Gaussian)
        ]

    def diagram(
        self, weights: FloatArray, weights_low: FloatArray | None = None, *, threads: int = 1
    ) -> MixtureDiagram:
        """Return the power diagram of weights hi, and lo where given."""
        whole = self.whole.diagram(weights, weights_low, threads=threads)
        measured = [(1.0, whole)] if self.whole_counts else []
        measured += [
            (share, part.diagram(weights, weights_low, threads=threads))
            for share, part in self.parts
        ]
        return MixtureDiagram(self.sites, whole, measured)


class MixtureDiagram:
    """Power diagram under a mixture: shapes from one diagram, measures from several.

    Parameters
    ----------
    sites : ndarray of shape (n, 2)
        The sites.
    whole : PlaneDiagram
        With cells cut at the domain of the mixture.
    measured : list of (float, PlaneDiagram)
        Diagrams whose measures, times these numbers, add up to those of the mixture.
    """

    def __init__(
        self, sites: FloatArray, whole: PlaneDiagram, measured: list[tuple[float, PlaneDiagram]]
    ) -> None:
        self.sites = sites
        self.measured = measured
        self.empty: NDArray[np.bool_] = whole.empty
        self.cells = whole.cells
        self.simplices = whole.simplices
        self.locate = whole.locate
        self.insert = whole.insert

    @cached_property
    def masses(self) -> FloatArray:
        """Measure of each cell, (n,)."""
        return np.sum([share * part.masses for share, part in self.measured], axis=0)

    @cached_property
    def costs(self) -> FloatArray:
        """Integral of |x - y_i|^2 over each cell, (n,)."""
        return np.sum([share * part.costs for share, part in self.measured], axis=0)

    @cached_property
    def centroids(self) -> FloatArray:
        """Barycentre of each cell, (n, 2); NaN where it has no mass."""
        centre = np.full_like(self.sites, np.nan)
        total = np.zeros(len(self.sites))
        for share, part in self.measured:
            held = part.masses > 0.0
            total[held] += share * part.masses[held]
            first = held & np.isnan(centre[:, 0])
            centre[first] = part.centroids[first]
            step = (share * part.masses[held] / total[held])[:, None]
            centre[held] += step * (part.centroids[held] - centre[held])
        return centre

    @cached_property
    def facets(self) -> Facets:
        """Neighbours, and the measures of their common borders."""
        if len(self.measured) == 1 and self.measured[0][0] == 1.0:
            facets: Facets = self.measured[0][1].facets
            return facets
        n = len(self.sites)
        pairs = np.concatenate([part.facets.sites for _, part in self.measured])
        keys, place = np.unique(pairs[:, 0] * n + pairs[:, 1], return_inverse=True)
        sizes = np.concatenate([share * part.facets.measures for share, part in self.measured])
        measures = np.bincount(place, sizes, len(keys)).astype(np.float64)
        return Facets(np.column_stack(np.divmod(keys, n)), measures, self.sites)

    def facet_moments(self, *, threads: int = 1) -> tuple[FloatArray, FloatArray]:
        """Mean (m, 2) and covariance (m, 2, 2) of the density along each of the facets."""
        parts = [
            (share, part, *part.facet_moments(threads=threads)) for share, part in self.measured
        ]
        return moments_of_sides(
            self.facets,
            np.concatenate([part.facets.sites for _, part, _, _ in parts]),
            np.concatenate([share * part.facets.measures for share, part, _, _ in parts]),
            np.concatenate([means for _, _, means, _ in parts]),
            np.concatenate([np.trace(c, axis1=1, axis2=2) for _, _, _, c in parts]),
        )
