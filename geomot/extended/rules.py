"""Continuous maps through the images of cells: convex combinations of sites near each other.

Each rule gives every point of the source's space a few sites and weights that are at least 0 and
sum to 1, continuous in the point, so that the map x -> sum_j lambda_j(x) y_j is continuous. All but
the rules' own arithmetic is in `geomot.extended`.

- `LineRule`: in one dimension, linear between the centroids of neighbouring cells.
- `SimplicialRule`: in the plane, linear on the triangles of a triangulation of the centroids.
- `SolidRule`: in space, linear on the tetrahedra of Delaunay's triangulation of the centroids.
- `SmoothedRule`: anywhere. The Brenier potential u(x) = max_i s_i(x), s_i(x) = <x, y_i> + h_i, is
  smoothed to

      u_e(x) = max over convex weights of sum_i lambda_i s_i(x) - 1/2 sum_i e_i lambda_i^2,

  convex and once differentiable. The weights are lambda_i = max(0, s_i - tau) / e_i with tau such
  that they sum to 1 (for equal e_i the projection on the simplex; Martins, Astudillo 2016): few are
  positive, and the gradient of u_e is continuous, monotone and piecewise linear.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import QhullError

from geomot._search.k_nearest_cells import TopScores
from geomot.diagram import PowerDiagram
from geomot.extended.solid_mesh import SolidMesh
from geomot.extended.triangulation import Mesh, dual_triangles

__all__ = ["Combination", "LineRule", "Rule", "SimplicialRule", "SmoothedRule", "SolidRule"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Sites that are looked at for a point, at first, and growth of their number where they do not do.
_CANDIDATES = 32
_MORE = 4

# Depths below this share of the typical one are rounding or estimates, and count as typical.
_SHALLOW = 1e-3


@dataclass(frozen=True)
class Combination:
    """Convex combinations of sites, one for each of q points.

    Attributes
    ----------
    sites : ndarray of shape (q, k), int64
        Indices of sites; arbitrary where the weight is 0.
    weights : ndarray of shape (q, k)
        At least 0; rows sum to 1.
    """

    sites: IntArray
    weights: FloatArray


class Rule(Protocol):
    """Weights of sites for points."""

    def __call__(self, points: FloatArray, cell: IntArray, threads: int) -> Combination:
        """Combinations for points (q, d), which are in the cells of given sites (q,)."""


class LineRule:
    """Linear between neighbouring centroids on the line, constant beyond the outermost.

    Parameters
    ----------
    centroids : ndarray of shape (n, 1)
        Centroids of cells.
    labels : ndarray of shape (n,), int64
        The sites that they belong to.
    """

    def __init__(self, centroids: FloatArray, labels: IntArray) -> None:
        order = np.argsort(centroids[:, 0], kind="stable")
        self.places = centroids[order, 0]
        self.labels = labels[order]

    def __call__(self, points: FloatArray, cell: IntArray, threads: int) -> Combination:
        """Return the two sites that a point lies between."""
        x = points[:, 0]
        last = len(self.places) - 1
        right = np.clip(np.searchsorted(self.places, x), min(1, last), last)
        left = np.maximum(right - 1, 0)
        width = self.places[right] - self.places[left]
        ahead = np.clip(x - self.places[left], 0.0, width)
        share = np.divide(ahead, width, out=np.zeros(len(x)), where=width > 0.0)
        return Combination(
            np.column_stack([self.labels[left], self.labels[right]]),
            np.column_stack([1.0 - share, share]),
        )


class SimplicialRule:
    """Linear on the triangles between centroids in the plane.

    The triangulation is the dual of the power diagram, up to the convex hull of the centroids
    (`geomot.extended.triangulation`). Points outside are sent where the nearest point of the hull
    is.

    Parameters
    ----------
    diagram : PowerDiagram
        The cells, in the plane.
    centroids : ndarray of shape (n, 2), optional
        Those of the source's mass in the cells, if the diagram's domain only stands for the source;
        NaN where there is none. By default the diagram's own.

    Raises
    ------
    QhullError
        If the sites are on a line, or fewer than three have a centroid, or those are on a line.
    """

    def __init__(self, diagram: PowerDiagram, centroids: FloatArray | None = None) -> None:
        self.diagram = diagram
        centroids = diagram.centroids if centroids is None else centroids
        held = np.flatnonzero(~np.isnan(centroids[:, 0]))
        # coincident sites have one cell, which is the first one's
        self.labels = held
        self.place = np.zeros(len(centroids), dtype=np.int64)
        self.place[held] = np.arange(len(held))
        if len(held) < 3 or not len(diagram.triangulation):
            raise QhullError("a triangulation needs three points that are not on a line")
        triangles = dual_triangles(diagram)
        triangles = triangles[np.isin(triangles, held).all(axis=1)]
        self.mesh = Mesh(centroids[held], self.place[triangles])

    @property
    def triangles(self) -> IntArray:
        """Sites at the corners of the triangles, shape (m, 3)."""
        return self.labels[self.mesh.triangles]

    def __call__(self, points: FloatArray, cell: IntArray, threads: int) -> Combination:
        """Return the corners of the triangle that a point is in."""
        triangle = self.mesh.locate(points, self.place[cell])
        inside = triangle >= 0
        corners = self.mesh.triangles[triangle]
        weights = np.zeros((len(points), 3))
        weights[inside] = self.mesh.coordinates(points[inside], triangle[inside])
        corners[~inside, :2], share = self.mesh.on_hull(points[~inside])
        weights[~inside, 0], weights[~inside, 1] = 1.0 - share, share
        weights = np.maximum(weights, 0.0)
        weights /= weights.sum(axis=1, keepdims=True)
        return Combination(self.labels[corners], weights)


class SolidRule:
    """Linear on tetrahedra between centroids in space.

    Points outside the convex hull of the centroids are sent where its nearest point is.

    Parameters
    ----------
    centroids : ndarray of shape (n, 3)
        Centroids of cells; NaN where there is none.

    Raises
    ------
    QhullError
        If fewer than four cells have a centroid, or these lie in a plane.
    """

    def __init__(self, centroids: FloatArray) -> None:
        self.labels = np.flatnonzero(~np.isnan(centroids[:, 0]))
        self.place = np.zeros(len(centroids), dtype=np.int64)
        self.place[self.labels] = np.arange(len(self.labels))
        self.mesh = SolidMesh(centroids[self.labels])

    def __call__(self, points: FloatArray, cell: IntArray, threads: int) -> Combination:
        """Return the corners of the tetrahedron that a point is in."""
        found = self.mesh.locate(points, self.place[cell])
        inside = found >= 0
        corners = self.mesh.tetrahedra[found]
        weights = np.zeros((len(points), 4))
        weights[inside] = self.mesh.coordinates(points[inside], found[inside])
        corners[~inside, :3], weights[~inside, :3] = self.mesh.on_hull(points[~inside])
        weights = np.maximum(weights, 0.0)
        weights /= weights.sum(axis=1, keepdims=True)
        return Combination(self.labels[corners], weights)


class SmoothedRule:
    """Gradient of the smoothed Brenier potential; see the module.

    The width e_i of a site is its depth, times a factor: by how much its score exceeds all others
    at the centroid of its cell. There the weight of the site is then 1 for factors up to 1.

    Parameters
    ----------
    sites, weights : ndarrays of shapes (n, d) and (n,)
        Sites and power weights.
    centroids : ndarray of shape (n, d)
        Centroids of their cells; NaN where there is none.
    factor : float
        Width of the smoothing.
    threads : int
        Number of threads for the depths.
    labels : ndarray of shape (n,), int64, optional
        What the sites are called in combinations; their own indices if None.
    """

    def __init__(
        self,
        sites: FloatArray,
        weights: FloatArray,
        centroids: FloatArray,
        factor: float,
        threads: int,
        labels: IntArray | None = None,
    ) -> None:
        self.scores = TopScores(sites, weights)
        self.labels = np.arange(len(sites)) if labels is None else labels
        self.n = len(sites)
        self.widths = factor * self._depths(centroids, threads)

    def _depths(self, centroids: FloatArray, threads: int) -> FloatArray:
        depths = np.full(self.n, np.nan)
        held = np.flatnonzero(~np.isnan(centroids[:, 0]))
        if self.n > 1 and held.size:
            index, score = self.scores(centroids[held], 2, threads)
            # a centroid that is estimated may lie outside its cell
            own = index[:, 0] == held
            depths[held[own]] = (score[:, 0] - score[:, 1])[own]
        typical = np.nanmedian(depths) if np.any(depths > 0.0) else 1.0
        return np.where(depths > _SHALLOW * typical, depths, typical)

    def __call__(self, points: FloatArray, cell: IntArray, threads: int) -> Combination:
        """Return the sites of positive weight."""
        rows = np.arange(len(points))
        found: list[tuple[IntArray, IntArray, FloatArray]] = []
        k = min(_CANDIDATES, self.n)
        while rows.size:
            nearest, score = self.scores(points[rows], k, threads)
            index = nearest.astype(np.int64)
            lam, complete = self._project(index, score)
            complete |= k == self.n
            found.append((rows[complete], index[complete], lam[complete]))
            rows, k = rows[~complete], min(_MORE * k, self.n)
        size = max((int((lam > 0.0).sum(axis=1).max(initial=1)) for _, _, lam in found), default=1)
        sites = np.zeros((len(points), size), dtype=np.int64)
        weights = np.zeros((len(points), size))
        for part, index, lam in found:
            width = min(size, index.shape[1])
            sites[part, :width], weights[part, :width] = index[:, :width], lam[:, :width]
        return Combination(self.labels[sites], weights)

    def _project(self, index: IntArray, score: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Weights of candidates, and whether no site beyond them has any."""
        score = score - score[:, :1]
        inverse = 1.0 / self.widths[index]
        # with the first m candidates in use, tau is that of column m - 1
        tau = (np.cumsum(score * inverse, axis=1) - 1.0) / np.cumsum(inverse, axis=1)
        used = np.maximum((score > tau).sum(axis=1), 1)
        tau = tau[np.arange(len(tau)), used - 1, None]
        lam = np.maximum(score - tau, 0.0) * inverse
        lam /= lam.sum(axis=1, keepdims=True)
        return lam, score[:, -1] <= tau[:, 0]
