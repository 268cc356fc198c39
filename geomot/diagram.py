"""Exact power diagrams: one evaluation, everything measured.

The cell of site i holds the points of the domain where |x - y_i|^2 - w_i is least. Which cells
are empty and which are neighbours is decided exactly; masses, centroids, costs and facets are
integrals of the source measure.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, diags_array

from geomot._balls import BallDiagram
from geomot._core.laplacian import laplacian
from geomot._exact import ExactDiagram, exact_sites
from geomot._exchange.exports import Exports
from geomot._exchange.rings import closed_curves, uncovered
from geomot._facets import Facets
from geomot._frozen import Frozen, read_only
from geomot._power import PlaneDiagram
from geomot._region_cells import region_cells
from geomot._torus import TorusDiagram
from geomot._validation import (
    as_flag,
    as_masses,
    as_partial_masses,
    as_points,
    as_threads,
    as_weights,
    warn_if_masses,
    warn_if_outside_the_unit_box,
)
from geomot.derivatives import Derivatives
from geomot.potentials import arc_rates_in_heights, dual_value, mass_rates_in_heights
from geomot.sources import (
    EllipticDisk,
    PolygonRegion,
    Remainder,
    SolidEllipsoid,
    Source,
    UniformPolygon,
    UniformPolyhedron,
    as_source,
    require_exact,
)

__all__ = ["Cells", "Facets", "Polyhedra", "Polyhedron", "PowerDiagram"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class Cells(Frozen, Sequence[FloatArray]):
    """The cells of a diagram, as a sequence of convex polygons or of intervals.

    ``cells[i]`` is an array of shape (k, 2), the corners of cell i, counter-clockwise; on the line
    of shape (2, 1), its ends. It has no rows if the cell is empty. On a domain that is not convex
    it is a list of such arrays, one for each convex part of the domain that the cell meets, which
    together make the cell.

    Attributes
    ----------
    vertices : ndarray of shape (total, d)
        The corners of all polygons, one after the other.
    offsets : ndarray of shape (n_polygons + 1,), int64
        Polygon k is ``vertices[offsets[k]:offsets[k + 1]]``.
    labels : ndarray of shape (total,), int64
        What lies across the edge from each corner to the next one of its polygon: a site j >= 0, or
        -1 - e for the edge e of the domain (from corner e of the source's `polygon` to the next
        one of its ring). In partial transport arcs are drawn as short chords, whose e is the
        number of edges. The cell's own site stands where the next part of the domain goes on with
        the same cell, and on a torus where a cell meets a copy of itself; other copies there have
        the numbers of their sites. On the line, what lies beyond each end: a site, -1 below the
        source or -2 above it.
    indices : ndarray of shape (total,), int64
        The same corners as rows of the diagram's `vertices`, which holds each corner once: polygon
        k is ``diagram.vertices[indices[offsets[k]:offsets[k + 1]]]``.
    parts : ndarray of shape (n + 1,), int64
        Cell i has the polygons ``parts[i]`` to ``parts[i + 1]``: one, on a convex domain and on the
        line.
    convex : bool
        Whether the domain is convex.

    Notes
    -----
    Cells share their corners bit for bit: each has one row in the diagram's `vertices`, whichever
    cell it is seen from, and is the exact meeting point of the cells, rounded. Corners that round
    to the same point become one, so an edge shorter than the spacing of float64 numbers there may
    be missing from the polygons (not from `PowerDiagram.facets`), and so may a whole cell: it has
    no rows although its mass is positive.

    Examples
    --------
    >>> import geomot
    >>> cells = geomot.PowerDiagram([[0.25, 0.5], [0.75, 0.5]]).cells
    >>> len(cells), cells[0].tolist()
    (2, [[0.5, 1.0], [0.0, 1.0], [0.0, 0.0], [0.5, 0.0]])
    >>> cells.labels[: cells.offsets[1]].tolist()  # upper, left and lower edge, site 1
    [-3, -4, -1, 1]
    """

    vertices: FloatArray
    offsets: IndexArray
    labels: IndexArray
    indices: IndexArray
    parts: IndexArray
    convex: bool

    def __len__(self) -> int:
        return len(self.parts) - 1

    def polygons(self, index: int) -> list[FloatArray]:
        """Return the polygons of a cell, whether the domain is convex or not.

        Parameters
        ----------
        index : int
            The site.

        Returns
        -------
        list of ndarray of shape (k, d)
            None of them empty.

        Examples
        --------
        >>> import geomot
        >>> cells = geomot.PowerDiagram([[0.25, 0.5], [0.75, 0.5]]).cells
        >>> [polygon.shape for polygon in cells.polygons(0)]
        [(4, 2)]
        """
        i = range(len(self))[index]
        ends = self.offsets[self.parts[i] : self.parts[i + 1] + 1]
        return [self.vertices[a:b] for a, b in zip(ends[:-1], ends[1:], strict=True) if a < b]

    def outlines(self, index: int) -> list[FloatArray]:
        """Return the closed curves around a cell in the plane.

        Parameters
        ----------
        index : int
            The site.

        Returns
        -------
        list of ndarray of shape (k, 2)
            The cell lies on their left: outer curves run counter-clockwise, those around holes
            clockwise. None if the cell has no corners.

        Examples
        --------
        >>> import geomot
        >>> corner = geomot.UniformPolygon([(0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2)])
        >>> cells = geomot.PowerDiagram([(1.0, 1.0)], None, corner).cells
        >>> [len(cells.polygons(0)), len(cells.outlines(0)), len(cells.outlines(0)[0])]
        [3, 1, 6]
        """
        if self.convex:
            return self.polygons(index)
        i = range(len(self))[index]
        own = slice(self.offsets[self.parts[i]], self.offsets[self.parts[i + 1]])
        place = dict(zip(self.indices[own].tolist(), self.vertices[own].tolist(), strict=True))
        outer: list[tuple[int, int]] = []
        inner: list[tuple[int, int]] = []
        for k in range(self.parts[i], self.parts[i + 1]):
            here = slice(self.offsets[k], self.offsets[k + 1])
            corners, across = self.indices[here].tolist(), self.labels[here].tolist()
            for edge, label in zip(itertools.pairwise([*corners, corners[0]]), across, strict=True):
                # beyond edges that two of its polygons share lies the cell itself
                (inner if label == i else outer).append(edge)
        border = uncovered(outer, inner, place)
        return [np.array([place[c] for c in ring]) for ring in closed_curves(border, place)]

    @overload
    def __getitem__(self, index: int) -> FloatArray: ...
    @overload
    def __getitem__(self, index: slice) -> list[FloatArray]: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not self.convex:
            return self.polygons(index)
        i = range(len(self))[index]
        return self.vertices[self.offsets[i] : self.offsets[i + 1]]

    def __repr__(self) -> str:
        return f"Cells(<{len(self)} cells, {len(self.vertices)} corners>)"


@dataclass(frozen=True, eq=False)
class Polyhedron(Frozen):
    """A cell in space.

    Attributes
    ----------
    vertices : ndarray of shape (k, 3)
        The corners.
    faces : tuple of ndarray of int64
        The corners of each face, as rows of `vertices`, counter-clockwise seen from outside.
    labels : ndarray of shape (f,), int64
        What lies across each face: a site j >= 0, or -1 - k for the plane k of the domain (row k
        of the planes of the source's domain; those of a box are below and above along each axis).

    Examples
    --------
    >>> import geomot
    >>> cell = geomot.PowerDiagram([[0.25, 0.5, 0.5], [0.75, 0.5, 0.5]]).cells[0]
    >>> type(cell).__name__, cell.vertices.shape
    ('Polyhedron', (8, 3))
    """

    vertices: FloatArray
    faces: tuple[IndexArray, ...]
    labels: IndexArray

    def __len__(self) -> int:
        return len(self.faces)

    def __repr__(self) -> str:
        return f"Polyhedron(<{len(self.faces)} faces, {len(self.vertices)} corners>)"


@dataclass(frozen=True, eq=False, repr=False)
class Polyhedra(Frozen, Sequence[Polyhedron]):
    """The cells of a diagram in space, as a sequence of convex polyhedra.

    ``cells[i]`` is a `Polyhedron`, without faces if the cell is empty.

    Attributes
    ----------
    vertices : ndarray of shape (V, 3)
        The corners of all cells, each once: the diagram's `vertices`.
    offsets : ndarray of shape (n + 1,), int64
        Cell i has the faces ``offsets[i]`` to ``offsets[i + 1]``.
    face_offsets : ndarray of shape (F + 1,), int64
        Face f has the corners ``indices[face_offsets[f]:face_offsets[f + 1]]``.
    indices : ndarray of shape (total,), int64
        Corners as rows of `vertices`, counter-clockwise seen from outside the cell.
    labels : ndarray of shape (F,), int64
        What lies across each face, as in `Polyhedron`.

    Notes
    -----
    Cells share their corners bit for bit. Corners closer together than a few units in the last
    place of the largest coordinate are one, so that faces and cells smaller than that may be
    missing here (not from `PowerDiagram.facets` and `PowerDiagram.masses`).

    Examples
    --------
    >>> import geomot
    >>> cells = geomot.PowerDiagram([[0.25, 0.5, 0.5], [0.75, 0.5, 0.5]]).cells
    >>> len(cells), type(cells).__name__
    (2, 'Polyhedra')
    """

    vertices: FloatArray
    offsets: IndexArray
    face_offsets: IndexArray
    indices: IndexArray
    labels: IndexArray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, index: int) -> Polyhedron: ...
    @overload
    def __getitem__(self, index: slice) -> list[Polyhedron]: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        i = range(len(self))[index]
        ends = self.face_offsets[self.offsets[i] : self.offsets[i + 1] + 1]
        rows, local = np.unique(self.indices[ends[0] : ends[-1]], return_inverse=True)
        faces = tuple(map(read_only, np.split(local, ends[1:-1] - ends[0]))) if len(rows) else ()
        labels = self.labels[self.offsets[i] : self.offsets[i + 1]]
        return Polyhedron(read_only(self.vertices[rows]), faces, labels)

    def __repr__(self) -> str:
        return f"Polyhedra(<{len(self)} cells, {len(self.labels)} faces>)"


@dataclass(frozen=True, eq=False)
class PowerDiagram(Exports, Frozen):
    """Power diagram of sites in the plane or in space, clipped to a domain, or on the line.

    Computed once, when the object is made; immutable afterwards.

    Parameters
    ----------
    sites : array_like of shape (n, d), d = 1, 2 or 3
        The sites. They may lie anywhere, coincide, or stand on a line or a grid.
    weights : array_like of shape (n,) or (n, 2), optional
        Power weights: a bigger weight makes a bigger cell. Two columns hi, lo stand for the exact
        sum hi + lo. None makes the Voronoi diagram.
    source : Source or array_like of shape (m, 2), optional
        In the plane a `UniformBox` or `GridDensity` (periodic or not), `UniformPolygon`,
        `UniformBall`, `UniformEllipsoid`, `MeshDensity`, `Gaussian` or a `Mixture` of these; an
        array holds the vertices of a polygon. In space a `UniformBox` or `GridDensity` (periodic or
        not), `UniformPolyhedron`, `UniformBall`, `UniformEllipsoid`, `MeshDensity` or `Gaussian`,
        on the line any source with a distribution function. None stands for the unit box.
    threads : int, optional
        Number of threads, here, in `locate` and for `cells`; None: all available cores. The
        result does not depend on it.
    partial : bool, default False
        Partial transport: cells end where |x - y_i|^2 = w_i, and what lies in no such ball belongs
        to no site. In the plane, for uniform measures on polygons.

    Attributes
    ----------
    sites : ndarray of shape (n, d)
        The sites.
    weights : ndarray of shape (n,)
        The weights, rounded to float64.
    weights_exact : ndarray of shape (n, 2)
        The weights as pairs hi, lo.
    source : Source
        The source measure.
    masses : ndarray of shape (n,)
        Measure of each cell; they sum to 1, and are exactly 0.0 where a cell is empty.
    centroids : ndarray of shape (n, d)
        Barycentre of each cell; NaN where it has no mass.
    costs : ndarray of shape (n,)
        Integral of |x - y_i|^2 over each cell; their sum is the transport cost of the diagram's
        map.
    empty : ndarray of shape (n,), bool
        Whether the cell has no interior. Where a density is zero a cell may have one, and no mass.
    facets : Facets
        Neighbouring sites and the measures of their common borders.

    Warns
    -----
    UserWarning
        If the weights are positive and sum to 1, as masses do, or if no source is given and no site
        lies in the unit box.

    Notes
    -----
    Of sites at the same place, the one with the largest weight owns the cell, at equal weights
    the one with the lowest index; the others' cells are empty.

    In partial transport masses sum to less than 1, weights are not determined up to a constant, and
    polygons hold 1 / 96 of a circle in a chord.

    On a mesh of tetrahedra `cells` are those of its convex hull; masses, centroids, costs and
    facets are those of the mesh.

    On a torus cells are measured whole around their sites: centroids and corners may lie outside
    the box, and costs are those to the nearest copy of a site. `triangulation` names a triangle by
    its sites, not by their copies; where more than three cells meet at a point of the border it may
    split them differently on the two sides.

    Coordinates of sites and domain below 2^-200 of the largest one, in space below 2^-150, are
    taken as zero, and parts of weights below the square of that.

    Examples
    --------
    Two sites share the unit square; a weight moves the border between them.

    >>> from geomot import PowerDiagram
    >>> diagram = PowerDiagram([[0.25, 0.5], [0.75, 0.5]])
    >>> diagram.masses.tolist()
    [0.5, 0.5]
    >>> diagram.facets.sites.tolist(), diagram.facets.measures.tolist()
    ([[0, 1]], [1.0])
    >>> PowerDiagram([[0.25, 0.5], [0.75, 0.5]], weights=[0.25, 0.0]).masses.tolist()
    [0.75, 0.25]
    >>> diagram.locate([[0.1, 0.9], [0.6, 0.1]]).tolist()
    [0, 1]
    >>> len(diagram.cells[1])
    4

    The corners of all cells, each once, and those of the second cell by their rows.

    >>> diagram.vertices.shape
    (6, 2)
    >>> cells = diagram.cells
    >>> rows = cells.indices[cells.offsets[1] : cells.offsets[2]]
    >>> bool((diagram.vertices[rows] == cells[1]).all())
    True

    In space cells are polyhedra; a face of the second one borders on the first.

    >>> solid = PowerDiagram([[0.25, 0.5, 0.5], [0.75, 0.5, 0.5]])
    >>> solid.cells[1]
    Polyhedron(<6 faces, 8 corners>)
    >>> face = solid.cells[1].labels.tolist().index(0)
    >>> sorted(solid.cells[1].vertices[solid.cells[1].faces[face]][:, 0].tolist())
    [0.5, 0.5, 0.5, 0.5]
    """

    sites: FloatArray
    weights_exact: FloatArray
    source: Source
    masses: FloatArray
    centroids: FloatArray
    costs: FloatArray
    empty: NDArray[np.bool_]
    facets: Facets
    threads: int | None = field(compare=False)
    partial: bool = False

    def __init__(
        self,
        sites: ArrayLike,
        weights: ArrayLike | None = None,
        source: Source | ArrayLike | None = None,
        *,
        threads: int | None = None,
        partial: bool = False,
    ) -> None:
        points = as_points(sites, "sites").copy()
        hi, lo = as_weights(weights, len(points))
        measure = as_source(source, _exact_dimension(points))
        require_exact(measure)
        if source is None:
            warn_if_outside_the_unit_box(points, "sites")
        warn_if_masses(
            hi + lo,
            "weights",
            "weights are power weights, in units of squared lengths; geomot.solve finds the "
            "weights that give cells their target_masses",
        )
        compiled = _compiled(points, hi, lo, measure, threads, as_flag(partial, "partial"))
        self.__setstate__(
            {
                "sites": points,
                "weights_exact": np.column_stack([hi, lo]),
                "source": measure,
                "masses": compiled.masses,
                "centroids": compiled.centroids,
                "costs": compiled.costs,
                "empty": compiled.empty,
                "facets": compiled.facets,
                "threads": threads,
                "partial": bool(partial),
            }
        )
        self.__dict__["_compiled"] = compiled

    def __getstate__(self) -> dict[str, Any]:
        # facets know the sites, which need not be there twice
        facets = self.facets.sites, self.facets.measures, self.facets.shifts
        return {**super().__getstate__(), "facets": facets}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if isinstance(state["facets"], tuple):
            pairs, measures, shifts = state["facets"]
            state = {**state, "facets": Facets(pairs, measures, state["sites"], shifts)}
        super().__setstate__(state)

    def __len__(self) -> int:
        return len(self.sites)

    def __repr__(self) -> str:
        return f"PowerDiagram(<{len(self)} sites, {self.empty.sum()} empty cells>, {self.source})"

    @property
    def weights(self) -> FloatArray:
        """The weights, rounded to float64, shape (n,)."""
        return self.weights_exact[:, 0]

    @cached_property
    def cells(self) -> Cells | Polyhedra:
        """The cells as polygons, on the line as intervals, in space as polyhedra."""
        if self.source.dim == 3:
            return Polyhedra(*map(read_only, self._polygons))
        corners, offsets, indices, labels, parts = self._polygons
        return Cells(
            read_only(corners[indices]),
            read_only(offsets),
            read_only(labels),
            read_only(indices),
            read_only(parts),
            self._region is None,
        )

    @property
    def vertices(self) -> FloatArray:
        """The corners of the cells, each once, shape (V, d); `cells` says who has which."""
        return read_only(self._polygons[0])

    @cached_property
    def _polygons(self) -> tuple[Any, ...]:
        """Corners, offsets, indices, labels and parts; in space what `Polyhedra` holds."""
        threads = as_threads(self.threads)
        if isinstance(self.source.domain, EllipticDisk | SolidEllipsoid):
            return self._with_corners._polygons
        if self.source.dim == 3:
            return self._compiled.cells(threads=threads)
        if self._region is not None and isinstance(self._compiled, PlaneDiagram):
            return region_cells(self._compiled, self._region, threads=threads)
        if self._region is not None and isinstance(self._compiled, BallDiagram):
            whole = region_cells(self._compiled.plane, self._region, threads=threads)
            return self._compiled.cut(*whole)
        return (*self._compiled.cells(threads=threads), np.arange(len(self) + 1))

    @property
    def _with_corners(self) -> PowerDiagram:
        """The diagram on the polygon or the polyhedron that stands for a round domain."""
        domain: Any = self.source.domain
        flat: Source
        if isinstance(domain, SolidEllipsoid):
            flat = UniformPolyhedron(domain.surface)
        else:
            flat = UniformPolygon(domain.outlines[0])
        return PowerDiagram(self.sites, self.weights_exact, flat, threads=self.threads)

    @property
    def _region(self) -> PolygonRegion | None:
        """The domain, if it is not convex."""
        domain = self.source.domain
        return domain if isinstance(domain, PolygonRegion) else None

    @cached_property
    def triangulation(self) -> IndexArray:
        """Simplices of the regular triangulation of the sites, shape (k, d + 1).

        Triangles are counter-clockwise; of tetrahedra det(v0 - v3, v1 - v3, v2 - v3) is positive.
        It is the dual of the diagram in the whole space, before the domain clips it: a site whose
        cell is empty even there is in no simplex. There are none if all sites are collinear, in
        space coplanar.
        """
        return read_only(self._compiled.simplices())

    @cached_property
    def _compiled(self) -> ExactDiagram:
        """The compiled diagram; after unpickling it is evaluated again, to the same bits."""
        hi, lo = (np.ascontiguousarray(w) for w in self.weights_exact.T)
        return _compiled(self.sites, hi, lo, self.source, self.threads, self.partial)

    def hessian(self) -> csr_array:
        """Return the derivatives of the masses in the heights.

        Returns
        -------
        csr_array of shape (n, n)
            Entry (i, j) is d mass_i / d h_j: minus the facet's measure over |y_i - y_j| for
            neighbours, and minus the sum of the row's other entries on the diagonal. Symmetric,
            positive semi-definite; the derivatives in the weights are half of it. In partial
            transport the diagonal has the arcs as well, and the matrix is positive definite unless
            some cells together have none.

        Examples
        --------
        >>> import geomot
        >>> diagram = geomot.PowerDiagram([[0.25, 0.5], [0.75, 0.5]])
        >>> diagram.hessian().toarray().tolist()  # a border of length 1 between sites 0.5 apart
        [[2.0, -2.0], [-2.0, 2.0]]
        """
        n = len(self)
        pairs, rates = self.facets.joined(mass_rates_in_heights(self.facets))
        matrix = csr_array(laplacian(n, pairs, rates), shape=(n, n))
        if self.partial:
            compiled: Any = self._compiled
            return matrix + diags_array(arc_rates_in_heights(compiled.arcs, compiled.radii))
        return matrix

    def derivatives(self) -> Derivatives:
        """Return how masses, centroids and costs change with the sites and the weights.

        Returns
        -------
        Derivatives
            Sparse matrices and gradients, each made when it is first asked for.

        Examples
        --------
        >>> import geomot
        >>> diagram = geomot.PowerDiagram([[0.25, 0.5], [0.75, 0.5]])
        >>> diagram.derivatives().masses_in_sites.toarray()[0].tolist()
        [0.5, 0.0, 0.5, 0.0]
        """
        compiled, threads = self._compiled, as_threads(self.threads)
        facets, arcs = self.facets, None
        if isinstance(compiled, TorusDiagram):
            facets, means, covariances = compiled.border_moments(threads=threads)
        else:
            means, covariances = compiled.facet_moments(threads=threads)
        if isinstance(compiled, BallDiagram):
            arcs = compiled.rims
        return Derivatives(
            self.sites, self.masses, self.centroids, facets, means, covariances, arcs
        )

    def kantorovich(self, target_masses: ArrayLike | None = None) -> float:
        """Return the Kantorovich dual value of the weights.

        Parameters
        ----------
        target_masses : array_like of shape (n,), optional
            Masses of the sites, which must sum to 1; equal if None.

        Returns
        -------
        float
            A lower bound on W2^2 between the source and the target, equal to it where
            ``masses == target_masses``.

        Examples
        --------
        >>> import geomot
        >>> diagram = geomot.PowerDiagram([[0.25, 0.5], [0.75, 0.5]])
        >>> round(diagram.kantorovich(), 9)  # half and half: the costs of the cells
        0.104166667
        >>> diagram.kantorovich([0.3, 0.7]) < geomot.solve(diagram.sites, [0.3, 0.7]).cost
        True
        """
        hi, lo = self.weights_exact.T
        if self.partial:
            targets = as_partial_masses(target_masses, len(self))
            # what stays is one more cell, of weight 0
            masses, targets = (np.append(m, 1.0 - np.sum(m)) for m in (self.masses, targets))
            costs, hi, lo = (np.append(part, 0.0) for part in (self.costs, hi, lo))
            return dual_value(costs, masses, targets, hi, lo)
        targets = as_masses(target_masses, len(self))
        return dual_value(self.costs, self.masses, targets, hi, lo)

    @property
    def arcs(self) -> FloatArray:
        """Integral of the density along the arcs where each cell ends in its ball, shape (n,).

        Zero except in partial transport.

        Examples
        --------
        >>> import geomot
        >>> diagram = geomot.PowerDiagram([[0.5, 0.5]], [0.04], partial=True)
        >>> diagram.arcs.round(9).tolist()  # the circumference of a circle of radius 0.2
        [1.256637061]
        """
        if not self.partial:
            return read_only(np.zeros(len(self)))
        compiled: Any = self._compiled
        return read_only(compiled.arcs)

    @property
    def remainder(self) -> Remainder:
        """What no site takes in partial transport, as a measure that can be sampled.

        Examples
        --------
        >>> import geomot
        >>> diagram = geomot.PowerDiagram([[0.5, 0.5]], [0.04], partial=True)
        >>> round(diagram.remainder.mass, 9)  # but for a disk of radius 0.2
        0.874336294
        """
        if not self.partial:
            raise ValueError("remainder is defined for partial transport")
        return Remainder(self)

    def locate(self, points: ArrayLike, *, threads: int | None = None) -> IndexArray:
        """Return the site whose power distance to each point is least.

        The same rule as `Solution.assign`, which answers for a solve of any method, and as
        `BrenierMap.predict`, which returns labels.

        Parameters
        ----------
        points : array_like of shape (q, d)
            The points, inside or outside the domain.
        threads : int, optional
            Number of threads; None: that of the diagram. The result does not depend on it.

        Returns
        -------
        ndarray of shape (q,), int64
            Decided exactly, however far away or close to an axis a point lies; of equally near
            sites the one with the lowest index among those whose cell in the plane has an interior.
            In partial transport -1 for points that stay.

        Examples
        --------
        >>> import geomot
        >>> diagram = geomot.PowerDiagram([[0.25, 0.5], [0.75, 0.5]])
        >>> diagram.locate([[0.1, 0.9], [0.6, 0.1], [9.0, 9.0]]).tolist()
        [0, 1, 1]
        """
        queries = as_points(points, "points", self.source.dim, allow_empty=True)
        count = as_threads(self.threads if threads is None else threads)
        return self._compiled.locate(queries, threads=count)


def _compiled(
    sites: FloatArray,
    hi: FloatArray,
    lo: FloatArray,
    source: Source,
    threads: int | None,
    partial: bool = False,
) -> ExactDiagram:
    """The diagram that the compiled core, or the line, makes of sites and weights."""
    made = exact_sites(sites, source, partial)
    return made.diagram(hi, lo if lo.any() else None, threads=as_threads(threads))


def _exact_dimension(sites: FloatArray) -> int:
    """Dimension of the sites; diagrams exist on the line, in the plane and in space."""
    if sites.shape[1] > 3:
        raise ValueError(
            f"sites must have 1, 2 or 3 columns for exact diagrams, got shape {sites.shape}"
        )
    return sites.shape[1]
