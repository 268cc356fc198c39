"""Convex polytopes by their half-spaces, with exact combinatorics.

The points with <x, u_i> <= h_i for all i are those where max(0, <x, u_i> - h_i) is zero: the cell
of the site 0 in the power diagram of 0 and the u_i whose heights are 0 and -h_i. So which facets
there are and where they meet is decided exactly, and areas are those of the diagram's facets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array, csr_array

from geomot._exchange.optional import optional
from geomot._frozen import Frozen, read_only
from geomot._validation import as_points, as_threads, as_vector
from geomot.diagram import PowerDiagram
from geomot.potentials import weights_from_heights
from geomot.sources import UniformBox

__all__ = ["Polytope", "as_normals"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]

# The first box that may hold a polytope, in units of its largest support number, and the factor by
# which it grows until it does; polytopes larger than the last box count as unbounded.
_FIRST_BOX = 4.0
_BOX_GROWTH = 8.0
_BOXES = 14

# Room between a polytope and the box that it is measured in, as a share of its extent.
_ROOM_AROUND = 0.125


@dataclass(frozen=True, eq=False, repr=False)
class Polytope(Frozen):
    """A bounded convex polytope: the points with <x, u_i> <= h_i for all i.

    Attributes
    ----------
    normals : ndarray of shape (m, D)
        The outward unit normals u_i, D = 2, 3 or 4.
    supports : ndarray of shape (m,)
        The support numbers h_i. Those of half-spaces that leave no facet may be larger than needed.
    areas : ndarray of shape (m,)
        Measure of each facet: a length in the plane, an area in space; 0 where there is none.
    volume : float
        Measure of the polytope: an area in the plane.
    vertices : ndarray of shape (V, D)
        The corners, each once.
    facets : tuple of length m
        The corners of each facet, as rows of `vertices`: in the plane its two ends, in space its
        corners counter-clockwise seen from outside, in four dimensions a tuple of its polygons. It
        has no rows where there is no facet.

    Examples
    --------
    >>> import numpy as np
    >>> from geomot.polytopes import Polytope
    >>> cube = Polytope.from_halfspaces(np.vstack([np.eye(3), -np.eye(3)]), np.full(6, 0.5))
    >>> cube
    Polytope(<6 facets, 8 corners in 3 dimensions>, volume 1)
    >>> cube.areas.tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    """

    normals: FloatArray
    supports: FloatArray
    areas: FloatArray
    volume: float
    vertices: FloatArray
    facets: tuple[Any, ...]

    def __post_init__(self) -> None:
        for name in ("normals", "supports", "areas", "vertices"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    def __repr__(self) -> str:
        dim = self.normals.shape[1]
        return (
            f"Polytope(<{np.count_nonzero(self.areas)} facets, {len(self.vertices)} corners in "
            f"{dim} dimensions>, volume {self.volume:.6g})"
        )

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        names = ("normals", "supports", "areas", "vertices")
        return all(np.array_equal(getattr(self, name), getattr(other, name)) for name in names)

    def __hash__(self) -> int:
        return hash((self.normals.tobytes(), self.supports.tobytes()))

    @classmethod
    def from_halfspaces(
        cls, normals: ArrayLike, supports: ArrayLike, *, threads: int | None = None
    ) -> Polytope:
        """Return the polytope of half-spaces in the plane or in space.

        Parameters
        ----------
        normals : array_like of shape (m, D), D = 2 or 3
            Outward normals, all different; they are divided by their lengths.
        supports : array_like of shape (m,)
            Support numbers: distances of the facets' planes from the origin, negative if the origin
            lies outside.
        threads : int, optional
            Number of threads; None: all available cores.

        Returns
        -------
        Polytope

        Raises
        ------
        ValueError
            If an argument is invalid, or the half-spaces have no common interior, or have points
            without bound in common; the message names it.

        Examples
        --------
        >>> from geomot.polytopes import Polytope
        >>> square = Polytope.from_halfspaces([(1, 0), (0, 1), (-1, 0), (0, -1)], [1, 1, 0, 0])
        >>> square.volume, square.vertices[square.facets[0]].tolist()
        (1.0, [[1.0, 0.0], [1.0, 1.0]])
        """
        u = as_normals(normals)
        h = as_vector(supports, len(u), "supports")
        return cls._of(u, h, None, as_threads(threads))

    @classmethod
    def _of(cls, u: FloatArray, h: FloatArray, box: FloatArray | None, threads: int) -> Polytope:
        """The same for checked arguments; `box`, a guess, need not hold the polytope."""
        dim = u.shape[1]
        sites = np.vstack([np.zeros(dim), u])
        weights = np.column_stack(weights_from_heights(sites, np.append(0.0, -h)))
        extent = _FIRST_BOX * max(float(np.abs(h).max()), np.finfo(np.float64).tiny)
        guesses = [] if box is None else [box]
        guesses += [
            extent * _BOX_GROWTH**k * np.array([[-1.0] * dim, [1.0] * dim]) for k in range(_BOXES)
        ]
        for guess in guesses:
            diagram, inside = _measured(sites, weights, guess, threads)
            if inside:
                break
        else:
            if diagram.empty[0]:
                raise ValueError("supports must leave an interior: the half-spaces have none")
            raise ValueError("normals must surround the origin: the half-spaces hold a ray")
        if guess is not box:
            corners = _corners(diagram)
            room = _ROOM_AROUND * (corners.max(axis=0) - corners.min(axis=0)).max()
            near = np.array([corners.min(axis=0) - room, corners.max(axis=0) + room])
            diagram, _ = _measured(sites, weights, near, threads)
        measure = float(np.prod(np.diff(diagram.source.bounds, axis=0)))
        areas = np.zeros(len(u))
        of_zero = diagram.facets.sites[:, 0] == 0
        areas[diagram.facets.sites[of_zero, 1] - 1] = diagram.facets.measures[of_zero] * measure
        vertices, facets = _boundary(diagram)
        return cls(u, h, areas, float(diagram.masses[0]) * measure, vertices, facets)

    @property
    def bounds(self) -> FloatArray:
        """Lower and upper corner of the bounding box, shape (2, D)."""
        return np.array([self.vertices.min(axis=0), self.vertices.max(axis=0)])

    def triangles(self) -> IndexArray:
        """Return the surface of a polytope in space as triangles.

        Returns
        -------
        ndarray of shape (k, 3), int64
            Rows of `vertices`, counter-clockwise seen from outside.

        Examples
        --------
        >>> import numpy as np
        >>> from geomot.polytopes import Polytope
        >>> cube = Polytope.from_halfspaces(np.vstack([np.eye(3), -np.eye(3)]), np.full(6, 0.5))
        >>> cube.triangles().shape
        (12, 3)
        """
        self._check_dimension((3,), "triangles")
        fans = [
            np.column_stack([np.full(len(f) - 2, f[0]), f[1:-1], f[2:]])
            for f in self.facets
            if len(f)
        ]
        return np.concatenate(fans)

    def to_meshio(self) -> Any:
        """Return the surface of a polytope in space as a mesh of meshio, for STL, VTU and others.

        Returns
        -------
        meshio.Mesh
            Triangles, with the cell data "facet" (the index) and "area" (of the facet).

        Raises
        ------
        ImportError
            If meshio is missing: it is in the extra `view`.

        Examples
        --------
        >>> import numpy as np
        >>> from geomot.polytopes import Polytope
        >>> cube = Polytope.from_halfspaces(np.vstack([np.eye(3), -np.eye(3)]), np.full(6, 0.5))
        >>> mesh = cube.to_meshio()  # doctest: +SKIP
        >>> len(mesh.cells_dict["triangle"])  # doctest: +SKIP
        12
        """
        triangles = self.triangles()
        meshio = optional("meshio", "to_meshio", "view")
        sizes = np.array([len(f) for f in self.facets])
        facet = np.repeat(np.arange(len(sizes)), np.maximum(sizes - 2, 0))
        data = {"facet": [facet], "area": [self.areas[facet]]}
        return meshio.Mesh(self.vertices, [("triangle", triangles)], cell_data=data)

    def area_derivatives(self) -> csr_array:
        """Return the derivatives of the areas in the support numbers: mixed areas.

        Returns
        -------
        csr_array of shape (m, m)
            Entry (i, j) is d areas_i / d h_j, the second derivative of the volume: for two facets
            that meet at an angle t between their normals, the measure of their common border over
            sin t; minus that measure over tan t, summed over its borders, on the diagonal.
            Symmetric; zero on the d translations, and negative on the rest of the complement of
            `areas` (Minkowski).

        Examples
        --------
        >>> import numpy as np
        >>> from geomot.polytopes import Polytope
        >>> cube = Polytope.from_halfspaces(np.vstack([np.eye(3), -np.eye(3)]), np.full(6, 0.5))
        >>> cube.area_derivatives().toarray()[0].round(12).tolist()  # neighbours are orthogonal
        [0.0, 1.0, 1.0, 0.0, 1.0, 1.0]
        """
        self._check_dimension((2, 3), "area_derivatives")
        i, j, borders = _borders(self)
        u, v = self.normals[i], self.normals[j]
        cosines = np.sum(u * v, axis=1)
        # the sine by the difference or the sum, whichever is short: normals may be nearly parallel
        sines = 0.5 * np.linalg.norm(u - v, axis=1) * np.linalg.norm(u + v, axis=1)
        rates = borders / sines
        m = len(self.normals)
        rows, columns = np.concatenate([i, i]), np.concatenate([j, i])
        values = np.concatenate([rates, -rates * cosines])
        return csr_array(coo_array((values, (rows, columns)), shape=(m, m)))

    def _check_dimension(self, dims: tuple[int, ...], what: str) -> None:
        dim = self.normals.shape[1]
        if dim not in dims:
            places = " or ".join(map(str, dims))
            raise ValueError(f"{what} needs a polytope in {places} dimensions, got {dim}")


def as_normals(normals: Any) -> FloatArray:
    """Unit normals in the plane or in space, all different."""
    u = as_points(normals, "normals")
    if u.shape[1] not in (2, 3):
        raise ValueError(f"normals must have 2 or 3 columns, got shape {u.shape}")
    lengths = np.linalg.norm(u, axis=1)
    if not (lengths > 0.0).all():
        raise ValueError(f"normals must not be zero, and row {np.argmin(lengths)} is")
    u = u / lengths[:, None]
    _, first, count = np.unique(u, axis=0, return_inverse=True, return_counts=True)
    if (count > 1).any():
        rows = np.flatnonzero(first.ravel() == np.argmax(count > 1))
        raise ValueError(
            f"normals must be different, and rows {rows[0]} and {rows[1]} have the same direction: "
            "a convex polytope has one facet in each; add their areas"
        )
    return u


def _measured(
    sites: FloatArray, weights: FloatArray, box: FloatArray, threads: int
) -> tuple[PowerDiagram, bool]:
    """The diagram in a box, and whether the cell of the first site ends within it."""
    diagram = PowerDiagram(sites, weights, UniformBox(*box), threads=threads)
    if diagram.empty[0]:
        return diagram, False
    cells: Any = diagram.cells
    labels = cells.labels[cells.offsets[0] : cells.offsets[1]]
    return diagram, len(labels) > 0 and bool((labels >= 0).all())


def _corners(diagram: PowerDiagram) -> FloatArray:
    cell: Any = diagram.cells[0]
    return cell if diagram.source.dim == 2 else cell.vertices


def _boundary(diagram: PowerDiagram) -> tuple[FloatArray, tuple[IndexArray, ...]]:
    """Corners of the first cell, and those of the facet towards each other site."""
    cells: Any = diagram.cells
    none = read_only(np.zeros(0, dtype=np.int64))
    facets = [none] * (len(diagram) - 1)
    if diagram.source.dim == 2:
        corners = cells[0]
        for k, label in enumerate(cells.labels[: cells.offsets[1]]):
            facets[label - 1] = read_only(np.array([k, (k + 1) % len(corners)], dtype=np.int64))
        return corners, tuple(facets)
    cell = cells[0]
    for face, label in zip(cell.faces, cell.labels, strict=True):
        facets[label - 1] = face
    return cell.vertices, tuple(facets)


def _borders(polytope: Polytope) -> tuple[IndexArray, IndexArray, FloatArray]:
    """Facets that meet, in both orders, and the measures of what they have in common."""
    sizes = np.array([len(f) for f in polytope.facets])
    owner = np.repeat(np.arange(len(sizes)), sizes)
    corners = np.concatenate(polytope.facets)
    if polytope.normals.shape[1] == 2:
        order = np.argsort(corners, kind="stable").reshape(-1, 2)
        i, j = owner[order].T
        ones = np.ones(2 * len(i))
        return np.concatenate([i, j]), np.concatenate([j, i]), ones
    starts = np.cumsum(sizes) - sizes
    following = np.arange(len(corners)) + 1
    kept = sizes > 0
    following[(starts + sizes)[kept] - 1] = starts[kept]
    a, b = corners, corners[following]
    n = len(polytope.vertices)
    keys, twins = a * n + b, b * n + a
    order = np.argsort(keys)
    place = order[np.minimum(np.searchsorted(keys, twins, sorter=order), len(keys) - 1)]
    both = keys[place] == twins
    lengths = np.linalg.norm(polytope.vertices[a] - polytope.vertices[b], axis=1)
    return owner[both], owner[place[both]], lengths[both]
