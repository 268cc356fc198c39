"""Alexandrov's problem: the graph of a Brenier potential as a closed convex polytope.

The potential u(x) = max_i (<x, y_i> + h_i) is convex, and its graph over a convex domain has one
facet for each cell, with the normal (y_i, -1), which projects onto the cell. Walls over the border
of the domain and a level lid close it. Measures, walls and the lid are worked out on the corners of
the cells, which the diagram has exactly, rounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geomot import potentials
from geomot._frozen import Frozen, read_only
from geomot._validation import as_points, as_real
from geomot.diagram import PowerDiagram
from geomot.polytopes._measures import facet_measures
from geomot.polytopes.polytope import Polytope
from geomot.solution import Solution
from geomot.solver import solve
from geomot.sources import (
    ConvexPolygon,
    ConvexPolyhedron,
    Source,
    as_source,
    refuse_periodic,
)

__all__ = ["AlexandrovSolution", "alexandrov", "graph_polytope"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]

# The lid lies above the graph by this share of the range of the potential, so that no wall is
# without an upper end.
_ABOVE = 0.1

# Heights that differ by less than this share of themselves are those of a level graph.
_LEVEL = 1e-12


@dataclass(frozen=True, eq=False)
class AlexandrovSolution(Frozen):
    """What `alexandrov` returns.

    Attributes
    ----------
    polytope : Polytope
        The graph with walls and a lid, as `graph_polytope` makes it.
    solution : Solution
        The optimal transport behind it, whose sites are the slopes.

    Examples
    --------
    >>> from geomot.polytopes import alexandrov
    >>> result = alexandrov([(-1, 0, -1), (1, 0, -1)], [0.25, 0.75])
    >>> result.status, result.projected_masses.tolist()
    ('converged', [0.25, 0.75])
    """

    polytope: Polytope
    solution: Solution

    @property
    def status(self) -> str:
        """That of the solution."""
        return self.solution.status

    @property
    def converged(self) -> bool:
        """Whether the masses are right to the tolerance."""
        return self.solution.converged

    @property
    def projected_masses(self) -> FloatArray:
        """Masses of the projections of the facets, (n,)."""
        return self.solution.masses

    @property
    def vertices(self) -> FloatArray:
        """Corners of the polytope."""
        return self.polytope.vertices

    @property
    def facets(self) -> tuple[Any, ...]:
        """Facets of the polytope, as rows of `vertices`."""
        return self.polytope.facets

    @property
    def volume(self) -> float:
        """Volume of the polytope."""
        return self.polytope.volume


def alexandrov(
    normals: ArrayLike,
    masses: ArrayLike | None = None,
    source: Source | ArrayLike | None = None,
    *,
    top: float | None = None,
    **options: Any,
) -> AlexandrovSolution:
    """Find the convex surface over a domain with facets of given normals and projected masses.

    There is one, unique up to its height (Alexandrov): the graph of the potential of optimal
    transport from the source onto the slopes of the facets.

    Parameters
    ----------
    normals : array_like of shape (n, d + 1), d = 2 or 3
        Normals of the facets, of any length, all pointing downwards: the last column is negative.
    masses : array_like of shape (n,), optional
        Masses of the facets' projections, which sum to 1; equal if None.
    source : Source or array_like of shape (m, 2), optional
        The measure, exact and on a convex polygon or polyhedron; None is uniform on the unit box.
    top : float, optional
        Height of the lid, as in `graph_polytope`.
    **options
        Further arguments of `geomot.solve`, such as `tol`.

    Returns
    -------
    AlexandrovSolution

    Raises
    ------
    ValueError
        If an argument is invalid; the message names it.

    Examples
    --------
    A roof upside down, whose left side covers a quarter of the unit square:

    >>> from geomot.polytopes import alexandrov
    >>> result = alexandrov([(-1, 0, -1), (1, 0, -1)], [0.25, 0.75])
    >>> result.polytope
    Polytope(<7 facets, 10 corners in 3 dimensions>, volume 0.5125)
    >>> [round(x, 9) for x in result.polytope.areas[:2].tolist()]
    [0.353553391, 1.060660172]
    """
    n = as_points(normals, "normals")
    if n.shape[1] not in (3, 4):
        raise ValueError(f"normals must have 3 or 4 columns, got shape {n.shape}")
    if not (n[:, -1] < 0.0).all():
        k = int(np.argmax(n[:, -1] >= 0.0))
        raise ValueError(
            f"normals must point downwards, with a negative last column, and that of row {k} is "
            f"{n[k, -1]:g}"
        )
    sites = n[:, :-1] / -n[:, -1:]
    solution = solve(sites, masses, as_source(source, sites.shape[1]), **options)
    return AlexandrovSolution(graph_polytope(solution, top=top), solution)


def graph_polytope(
    solution: PowerDiagram | Solution | Any, *, top: float | None = None
) -> Polytope:
    """Return what lies between the graph of the Brenier potential and a lid above the domain.

    Parameters
    ----------
    solution : PowerDiagram, Solution or BrenierMap
        Sites and weights, in the plane or in space; the domain must be a convex polygon
        or polyhedron.
    top : float, optional
        Height of the lid, above the highest point of the graph; None: a tenth of the graph's range
        above it.

    Returns
    -------
    Polytope
        In three or four dimensions. Its facets are first those of the n sites, whose normals are
        (y_i, -1) up to their lengths, then the walls above the edges or faces of the domain, in
        their order, and at last the lid. A site without a cell has none.

    Raises
    ------
    ValueError
        If an argument is invalid; the message names it.

    Examples
    --------
    >>> import geomot
    >>> from geomot.polytopes import graph_polytope
    >>> solution = geomot.solve([[-1.0, 0.0], [1.0, 0.0]], source=geomot.UniformBox.unit(2))
    >>> graph_polytope(solution, top=1.0).vertices[:, 2].round(9).tolist()
    [-0.5, 0.0, 0.0, -0.5, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]
    """
    solution = getattr(solution, "solution_", solution)
    if not isinstance(solution, PowerDiagram | Solution):
        raise TypeError(
            "solution must be a PowerDiagram, a Solution or a fitted BrenierMap, "
            f"got {type(solution).__name__}"
        )
    diagram = solution.diagram() if isinstance(solution, Solution) else solution
    if diagram.source.dim not in (2, 3):
        raise ValueError(f"solution must have sites in 2 or 3 dimensions, got {diagram.source.dim}")
    domain = diagram.source.domain
    refuse_periodic(diagram.source, "graphs of potentials", "solution")
    straight = isinstance(domain, ConvexPolygon | ConvexPolyhedron)
    if not straight or not np.isfinite(diagram.source.bounds).all():
        raise ValueError("solution must have a source on a convex polygon or polyhedron")
    floor = _lifted(diagram)
    height = _lid_height(floor[:, -1], diagram.source.bounds, top)
    closed = _closed_in_plane if diagram.source.dim == 2 else _closed_in_space
    vertices, walls, facets = closed(diagram, floor, height)
    downwards = np.column_stack([diagram.sites, np.full(len(diagram), -1.0)])
    lengths = np.linalg.norm(downwards, axis=1)
    heights = potentials.heights_from_weights(diagram.sites, *diagram.weights_exact.T)[0]
    sides = np.column_stack([walls[:, :-1], np.zeros(len(walls))])
    lid = np.append(np.zeros(diagram.source.dim), 1.0)
    normals = np.vstack([downwards / lengths[:, None], sides, lid])
    supports = np.concatenate([-heights / lengths, walls[:, -1], [height]])
    areas = facet_measures(vertices, facets, normals)
    # pyramids over the facets, with a corner among all of them
    inside = vertices.mean(axis=0)
    volume = float(areas @ (supports - normals @ inside)) / normals.shape[1]
    return Polytope(normals, supports, areas, volume, vertices, facets)


def _lifted(diagram: PowerDiagram) -> FloatArray:
    """The diagram's corners on the graph."""
    cells: Any = diagram.cells
    if diagram.source.dim == 2:
        sizes = np.diff(cells.offsets[cells.parts])
    else:
        sizes = np.diff(cells.face_offsets[cells.offsets])
    owner = np.zeros(len(diagram.vertices), dtype=np.int64)
    owner[cells.indices] = np.repeat(np.arange(len(diagram)), sizes)
    heights = potentials.brenier_potential(
        diagram.vertices, owner, diagram.sites, *diagram.weights_exact.T
    )
    return np.column_stack([diagram.vertices, heights])


def _lid_height(heights: FloatArray, bounds: FloatArray, top: float | None) -> float:
    """Height of the lid."""
    low, high = float(heights.min()), float(heights.max())
    if top is None:
        # where the graph is level, the domain says what is large
        flat = high - low <= _LEVEL * max(abs(low), abs(high))
        return high + _ABOVE * (float(np.diff(bounds, axis=0).max()) if flat else high - low)
    top = as_real(top, "top")
    if not top > high:
        raise ValueError(f"top must be above the graph, whose highest point is {high!r}, got {top}")
    return top


def _closed_in_plane(
    diagram: PowerDiagram, floor: FloatArray, height: float
) -> tuple[FloatArray, FloatArray, tuple[IndexArray, ...]]:
    """Corners, the walls' normals with their offsets, and all facets."""
    cells: Any = diagram.cells
    domain: Any = diagram.source.domain
    corners = domain.vertices
    ends = np.roll(corners, -1, axis=0)
    along = ends - corners
    outward = np.column_stack([along[:, 1], -along[:, 0]])
    outward = outward / np.linalg.norm(outward, axis=1)[:, None]
    walls = np.column_stack([outward, np.sum(outward * corners, axis=1)])
    lid = np.column_stack([corners, np.full(len(corners), height)])
    # seen from below, cells run clockwise
    facets = [rows[::-1] for rows in np.split(cells.indices, cells.offsets[1:-1])]
    following = np.arange(1, len(cells.indices) + 1)
    drawn = np.diff(cells.offsets) > 0
    following[cells.offsets[1:][drawn] - 1] = cells.offsets[:-1][drawn]
    m, n = len(corners), len(floor)
    for e in range(m):
        edges = np.flatnonzero(cells.labels == -1 - e)
        rows = np.unique(cells.indices[np.concatenate([edges, following[edges]])])
        chain = rows[np.argsort(floor[rows, :2] @ along[e], kind="stable")]
        facets.append(np.append(chain, [n + (e + 1) % m, n + e]))
    facets.append(n + np.arange(m))
    return np.vstack([floor, lid]), walls, tuple(map(read_only, facets))


def _closed_in_space(
    diagram: PowerDiagram, floor: FloatArray, height: float
) -> tuple[FloatArray, FloatArray, tuple[Any, ...]]:
    """The same with polyhedra as facets, given by their polygons."""
    cells: Any = diagram.cells
    domain: Any = diagram.source.domain
    planes = domain.planes / np.linalg.norm(domain.planes[:, :3], axis=1)[:, None]
    whole: Any = PowerDiagram(domain.vertices[:1], None, diagram.source).cells[0]
    lid = np.column_stack([whole.vertices, np.full(len(whole.vertices), height)])
    n = len(floor)
    polygons = np.split(cells.indices, cells.face_offsets[1:-1])
    facets = [
        tuple(polygons[a:b]) for a, b in zip(cells.offsets[:-1], cells.offsets[1:], strict=True)
    ]
    below = [np.flatnonzero(cells.labels == -1 - k) for k in range(len(planes))]
    touching = [np.unique(np.concatenate([polygons[f] for f in faces])) for faces in below]
    side = {
        (int(a), int(b)): k
        for face, k in _faces(whole)
        for a, b in zip(face, np.roll(face, -1), strict=True)
    }
    for face, k in sorted(_faces(whole), key=lambda pair: pair[1]):
        parts = [polygons[f] for f in below[k]]
        for a, b in zip(face.tolist(), np.roll(face, -1).tolist(), strict=True):
            rows = np.intersect1d(touching[k], touching[side[b, a]])
            along = whole.vertices[b] - whole.vertices[a]
            chain = rows[np.argsort(floor[rows, :3] @ along, kind="stable")]
            parts.append(np.append(chain, [n + b, n + a]))
        facets.append((*parts, n + face))
    facets.append(tuple(n + face for face in whole.faces))
    return np.vstack([floor, lid]), planes, tuple(facets)


def _faces(whole: Any) -> list[tuple[IndexArray, int]]:
    """The faces of a domain, with their numbers."""
    return [(face, -1 - int(label)) for face, label in zip(whole.faces, whole.labels, strict=True)]
