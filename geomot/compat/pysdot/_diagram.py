"""Power diagrams with the interface of pysdot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array, csr_array

import geomot.diagram
from geomot._validation import as_points, as_real, as_real_array, as_vector
from geomot.compat.pysdot._measures import Measures, diagram_of, with_copies
from geomot.compat.pysdot._vtk import write_cells
from geomot.compat.pysdot.domain_types import ConvexPolyhedraAssembly
from geomot.compat.pysdot.radial_funcs import RadialFuncUnit, kind_of

__all__ = ["DerResult", "PowerDiagram"]

FloatArray = NDArray[np.float64]


@dataclass
class DerResult:
    """Integrals and their derivatives: a sparse matrix by rows, and values.

    Attributes
    ----------
    error : int
        1 if a cell is empty and that was to be told, else 0.
    m_offsets, m_columns, m_values : ndarray
        Row i of the matrix has the columns ``m_columns[m_offsets[i]:m_offsets[i + 1]]``: those of
        ``scipy.sparse.csr_array((m_values, m_columns, m_offsets))``.
    v_values : ndarray
        The values.

    Examples
    --------
    >>> from geomot.compat.pysdot import PowerDiagram
    >>> result = PowerDiagram([[0.25, 0.5], [0.75, 0.5]], [0, 0]).der_integrals_wrt_weights()
    >>> result.m_values.tolist(), result.v_values.tolist()
    ([1.0, -1.0, -1.0, 1.0], [0.5, 0.5])
    """

    error: int
    m_offsets: NDArray[np.uint64]
    m_columns: NDArray[np.uint64]
    m_values: FloatArray
    v_values: FloatArray


class PowerDiagram:
    """Power diagram with the methods of pysdot's.

    Parameters
    ----------
    positions : array_like of shape (n, d), d = 2 or 3
        The sites.
    weights : array_like of shape (n,), optional
        Their weights; 1 if None.
    domain : ConvexPolyhedraAssembly or ScaledImage, optional
        Where the mass is; the unit box if None.
    radial_func : optional
        What is integrated, see `radial_funcs`.
    replications : sequence of array_like of shape (d,), optional
        Where further copies of all sites lie, as in `add_replication`.

    Examples
    --------
    >>> from geomot.compat.pysdot import ConvexPolyhedraAssembly, PowerDiagram
    >>> domain = ConvexPolyhedraAssembly()
    >>> domain.add_box([0, 0], [2, 1])
    >>> diagram = PowerDiagram([[0.5, 0.5], [1.5, 0.5]], [0.0, 0.5], domain)
    >>> diagram.integrals().tolist(), diagram.centroids().tolist()
    ([0.75, 1.25], [[0.375, 0.5], [1.375, 0.5]])
    """

    def __init__(
        self,
        positions: ArrayLike | None = None,
        weights: ArrayLike | None = None,
        domain: Any = None,
        radial_func: Any = None,
        replications: Any = (),
    ) -> None:
        self.radial_func = RadialFuncUnit() if radial_func is None else radial_func
        self.positions: Any = None
        self.weights: Any = None
        self.domain: Any = None
        self._replications: list[Any] = list(replications)
        self._measured: tuple[Any, ...] | None = None
        if domain is not None:
            self.set_domain(domain)
        if positions is not None:
            self.set_positions(positions)
        if weights is not None:
            self.set_weights(weights)

    def add_replication(self, trans: ArrayLike) -> None:
        """Add copies of all sites, for periodic domains.

        As in pysdot the cell of a site ends where those of copies begin, and is still clipped to
        the domain: for whole cells the domain must be larger than a period.

        Parameters
        ----------
        trans : array_like of shape (d,)
            Where the copies lie, relative to the sites.

        Examples
        --------
        >>> from geomot.compat.pysdot import PowerDiagram
        >>> pd = PowerDiagram([[0.25, 0.5]])
        >>> pd.add_replication([0.5, 0.0])
        >>> pd.integrals().tolist()
        [0.5]
        """
        self._replications.append(as_real_array(trans, "trans"))

    def get_positions(self) -> Any:
        """Return the sites.

        Examples
        --------
        >>> from geomot.compat.pysdot import PowerDiagram
        >>> PowerDiagram([[0.25, 0.5]]).get_positions().tolist()
        [[0.25, 0.5]]
        """
        return self.positions

    def set_positions(self, positions: ArrayLike) -> None:
        """Set the sites, of shape (n, d).

        Examples
        --------
        >>> from geomot.compat.pysdot import PowerDiagram
        >>> pd = PowerDiagram()
        >>> pd.set_positions([[0.25, 0.5]])
        >>> pd.integrals().tolist()
        [1.0]
        """
        self.positions = as_points(positions, "positions")

    def get_weights(self) -> Any:
        """Return the weights.

        Examples
        --------
        >>> from geomot.compat.pysdot import PowerDiagram
        >>> PowerDiagram([[0.25, 0.5]], [2.0]).get_weights().tolist()
        [2.0]
        """
        return self.weights

    def set_weights(self, weights: ArrayLike) -> None:
        """Set the weights, of shape (n,).

        Examples
        --------
        >>> from geomot.compat.pysdot import PowerDiagram
        >>> pd = PowerDiagram([[0.25, 0.5], [0.75, 0.5]])
        >>> pd.set_weights([0.25, 0.0])
        >>> pd.integrals().tolist()
        [0.75, 0.25]
        """
        self.weights = as_vector(weights, np.size(weights), "weights")

    def get_domain(self) -> Any:
        """Return the domain.

        Examples
        --------
        >>> from geomot.compat.pysdot import PowerDiagram
        >>> PowerDiagram([[0.25, 0.5]]).get_domain() is None  # the unit box, once it is needed
        True
        """
        return self.domain

    def set_domain(self, domain: Any) -> None:
        """Set the domain.

        Examples
        --------
        >>> from geomot.compat.pysdot import PowerDiagram, ScaledImage
        >>> pd = PowerDiagram([[0.25, 0.5]])
        >>> pd.set_domain(ScaledImage([0, 0], [1, 1], [[3.0]]))
        >>> pd.integrals().tolist()
        [3.0]
        """
        if not hasattr(domain, "_parts"):
            raise TypeError(
                "domain must be a ConvexPolyhedraAssembly or a ScaledImage of "
                f"geomot.compat.pysdot, got {type(domain).__name__}"
            )
        self.domain = domain

    def integrals(self) -> FloatArray:
        """Return the integrals of the radial function over the cells.

        Returns
        -------
        ndarray of shape (n,)
            In units of the domain's measure.

        Examples
        --------
        >>> from geomot.compat.pysdot import PowerDiagram
        >>> PowerDiagram([[0.25, 0.5], [0.75, 0.5]]).integrals().tolist()
        [0.5, 0.5]
        """
        kind = kind_of(self.radial_func)
        measures = self._measures()
        if kind == "positive":
            return np.maximum(self.weights, 0.0) * measures.masses - measures.costs
        return measures.costs if kind == "square" else measures.masses

    def second_order_moments(self) -> FloatArray:
        """Return the integrals of r^2 times the radial function, shape (n,).

        Examples
        --------
        >>> from geomot.compat.pysdot import PowerDiagram
        >>> PowerDiagram([[0.5, 0.5]]).second_order_moments().round(9).tolist()
        [0.166666667]
        """
        self._need("second_order_moments", "unit", "ball")
        return self._measures().costs

    def centroids(self, rand_ratio: float = 0.0) -> FloatArray:
        """Return the barycentres of the cells.

        Parameters
        ----------
        rand_ratio : float
            Only 0.

        Returns
        -------
        ndarray of shape (n, d)
            0 where a cell has no mass.

        Examples
        --------
        >>> from geomot.compat.pysdot import PowerDiagram
        >>> PowerDiagram([[0.25, 0.75], [0.75, 0.75]]).centroids().tolist()
        [[0.25, 0.5], [0.75, 0.5]]
        """
        self._need("centroids", "unit", "ball")
        if as_real(rand_ratio, "rand_ratio") != 0.0:
            raise NotImplementedError(
                "rand_ratio must be 0: for points in cells assign samples of the source, "
                "diagram.to_geomot().locate(source.sample(n))"
            )
        return self._measures().centroids

    def der_integrals_wrt_weights(self, stop_if_void: bool = False) -> DerResult:
        """Return the integrals and their derivatives in the weights.

        Parameters
        ----------
        stop_if_void : bool, default False
            Return no matrix, and an error, if a cell is empty.

        Returns
        -------
        DerResult
            The integrals as `v_values`; the matrix of shape (n, n) has their derivatives.

        Examples
        --------
        >>> from geomot.compat.pysdot import PowerDiagram
        >>> result = PowerDiagram([[0.25, 0.5], [0.75, 0.5]]).der_integrals_wrt_weights()
        >>> result.m_offsets.tolist(), result.m_columns.tolist(), result.m_values.tolist()
        ([0, 2, 4], [0, 1, 0, 1], [1.0, -1.0, -1.0, 1.0])
        """
        self._need("der_integrals_wrt_weights", "unit", "ball")
        measures = self._measures()
        masses = measures.masses
        if stop_if_void and not (masses > 0.0).all():
            nothing = np.zeros(0, np.uint64)
            return DerResult(1, nothing, nothing, np.zeros(0), masses)
        return _by_rows(measures.masses_in_weights, masses)

    def der_centroids_and_integrals_wrt_weight_and_positions(self) -> DerResult:
        """Return centroids and integrals, and their derivatives in sites and weights.

        Returns
        -------
        DerResult
            Rows and columns ``(d + 1) * i + k``: coordinate k of the centroid or the site, or for
            k = d the integral or the weight. `v_values` has the same order.

        Examples
        --------
        >>> from geomot.compat.pysdot import PowerDiagram
        >>> pd = PowerDiagram([[0.25, 0.5], [0.75, 0.5]])
        >>> pd.der_centroids_and_integrals_wrt_weight_and_positions().v_values.tolist()
        [0.25, 0.5, 0.5, 0.75, 0.5, 0.5]
        """
        self._need("der_centroids_and_integrals_wrt_weight_and_positions", "unit")
        measures = self._measures()
        values = np.column_stack([measures.centroids, measures.masses]).ravel()
        return _by_rows(csr_array(measures.all_derivatives()), values)

    def cell_coordinates(self) -> list[Any]:
        """Return the corners of the cells.

        Returns
        -------
        list
            In the plane arrays of corners, one for each site; where the domain has several pieces,
            a list of arrays for each site. In space lists of polygons.

        Examples
        --------
        >>> from geomot.compat.pysdot import PowerDiagram
        >>> [len(cell) for cell in PowerDiagram([[0.25, 0.5], [0.75, 0.5]]).cell_coordinates()]
        [4, 4]
        """
        diagrams = self._shown("cell_coordinates")
        if self.positions.shape[1] == 3:
            return [_faces(cell) for cell in diagrams[0].cells[: len(self.positions)]]
        if len(diagrams) == 1:
            return list(diagrams[0].cells[: len(self.positions)])
        return [
            [d.cells[i] for d in diagrams if len(d.cells[i])] for i in range(len(self.positions))
        ]

    def vtk_mesh_data(self, shrink_factor: float = 0.0) -> tuple[list[int], list[int], list[float]]:
        """Return the cells as `pyvista.UnstructuredGrid` takes them, in the plane.

        Parameters
        ----------
        shrink_factor : float
            Not used, as in pysdot.

        Returns
        -------
        cells, celltypes : list of int
            Numbers of corners and corners of polygons; VTK's numbers of kinds.
        points : list of float
            Three coordinates of each corner.

        Examples
        --------
        >>> from geomot.compat.pysdot import PowerDiagram
        >>> cells, kinds, points = PowerDiagram([[0.5, 0.5]]).vtk_mesh_data()
        >>> cells, kinds, len(points)
        ([4, 0, 1, 2, 3], [7], 12)
        """
        polygons = [polygon for _, polygon in self._polygons("vtk_mesh_data")]
        starts = np.cumsum([0, *map(len, polygons)])
        cells = [
            k for a, b in zip(starts[:-1], starts[1:], strict=True) for k in (b - a, *range(a, b))
        ]
        corners = np.concatenate([np.zeros((0, 2)), *polygons])
        points = np.pad(corners, ((0, 0), (0, 1))).ravel()
        return [int(k) for k in cells], [7] * len(polygons), points.tolist()

    def display_vtk(self, filename: str, points: bool = False, centroids: bool = False) -> None:
        """Write the cells to a file that ParaView reads.

        Parameters
        ----------
        filename : str
            The file; its folder is made.
        points, centroids : bool
            Whether to write sites and centroids, too.

        Examples
        --------
        >>> from geomot.compat.pysdot import PowerDiagram
        >>> import os, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     PowerDiagram([[0.5, 0.5]]).display_vtk(os.path.join(folder, "cells.vtk"))
        ...     os.listdir(folder)
        ['cells.vtk']
        """
        shapes = self._polygons("display_vtk")
        owners = [np.array([i for i, _ in shapes], dtype=np.int64)]
        polygons = [polygon for _, polygon in shapes]
        kinds = [np.zeros(len(polygons))]
        middles = self.centroids()
        for kind, places in (
            (1, self.positions if points else ()),
            (2, middles if centroids else ()),
        ):
            polygons += [place[None] for place in places]
            owners.append(np.arange(len(places)))
            kinds.append(np.full(len(places), kind))
        owner = np.concatenate(owners)
        axes = dict(zip("xyz", np.pad(middles, ((0, 0), (0, 3 - middles.shape[1]))).T, strict=True))
        numbers = {
            "weight": self.weights[owner],
            "num": owner,
            "kind": np.concatenate(kinds),
            **{f"centroid_{axis}": values[owner] for axis, values in axes.items()},
        }
        write_cells(filename, polygons, numbers)

    def display_vtk_points(self, filename: str, points: ArrayLike | None = None) -> None:
        """Write points, or the sites, to a file that ParaView reads.

        Parameters
        ----------
        filename : str
            The file; its folder is made.
        points : array_like of shape (k, d), optional
            The points; None: the sites.

        Examples
        --------
        >>> from geomot.compat.pysdot import PowerDiagram
        >>> import os, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     PowerDiagram([[0.5, 0.5]]).display_vtk_points(os.path.join(folder, "sites.vtk"))
        ...     os.listdir(folder)
        ['sites.vtk']
        """
        places = self._ready() if points is None else as_points(points, "points")
        write_cells(filename, [place[None] for place in places], {"num": np.arange(len(places))})

    def display_jupyter(self, *arguments: Any, **options: Any) -> Any:
        """Return the diagram of geomot, which notebooks show as a picture.

        Parameters
        ----------
        *arguments, **options
            Those of pysdot, which are not used: the picture has cells and sites.

        Examples
        --------
        >>> from geomot.compat.pysdot import PowerDiagram
        >>> PowerDiagram([[0.5, 0.5]]).display_jupyter()
        PowerDiagram(<1 sites, 0 empty cells>, UniformBox([0.0, 0.0], [1.0, 1.0]))
        """
        return self.to_geomot()

    def display_asy(self, filename: str, *arguments: Any, **options: Any) -> None:
        """Refuse: geomot draws with matplotlib.

        Examples
        --------
        >>> from geomot.compat.pysdot import PowerDiagram
        >>> PowerDiagram([[0.5, 0.5]]).display_asy("cells.asy")
        Traceback (most recent call last):
        ...
        NotImplementedError: display_asy is not supported: ...
        """
        raise NotImplementedError(
            "display_asy is not supported: use geomot.plotting.power_diagram(diagram.to_geomot()), "
            "whose figures are saved as pdf"
        )

    def image_integrals(self, min_pos: Any, max_pos: Any, dimensions: Any) -> None:
        """Refuse: geomot has no integrals over pixels.

        Examples
        --------
        >>> from geomot.compat.pysdot import PowerDiagram
        >>> PowerDiagram([[0.5, 0.5]]).image_integrals([0, 0], [1, 1], [2, 2])
        Traceback (most recent call last):
        ...
        NotImplementedError: image_integrals is not supported: ...
        """
        raise NotImplementedError(
            "image_integrals is not supported: use diagram.to_geomot().locate(pixels)"
        )

    def distances_from_boundaries(self, points: Any, count_domain_boundaries: bool = False) -> None:
        """Refuse: shapely has distances.

        Examples
        --------
        >>> from geomot.compat.pysdot import PowerDiagram
        >>> PowerDiagram([[0.5, 0.5]]).distances_from_boundaries([[0.5, 0.5]])
        Traceback (most recent call last):
        ...
        NotImplementedError: distances_from_boundaries is not supported: ...
        """
        raise NotImplementedError(
            "distances_from_boundaries is not supported: use shapely on "
            "diagram.to_geomot().to_shapely()"
        )

    def to_geomot(self) -> geomot.diagram.PowerDiagram:
        """Return the diagram of geomot, whose masses are shares of the domain's measure.

        Returns
        -------
        geomot.PowerDiagram

        Examples
        --------
        >>> from geomot.compat.pysdot import PowerDiagram
        >>> PowerDiagram([[0.25, 0.5], [0.75, 0.5]], [0.0, 0.0]).to_geomot()
        PowerDiagram(<2 sites, 0 empty cells>, UniformBox([0.0, 0.0], [1.0, 1.0]))
        """
        positions = self._ready()
        if self._replications:
            raise NotImplementedError(
                "diagrams with replications are not those of geomot: use "
                "geomot.UniformBox(lower, upper, periodic=True) as the source"
            )
        if kind_of(self.radial_func) == "ball":
            return diagram_of(positions, self.weights, self.domain._uniform().source, partial=True)
        return diagram_of(positions, self.weights, self.domain._whole().source)

    def _ready(self) -> FloatArray:
        """The sites; weights and the domain have their defaults from now on."""
        if self.positions is None:
            raise RuntimeError("positions in PowerDiagram must be specified")
        self.positions = as_points(self.positions, "positions")
        n, d = self.positions.shape
        if self.domain is None:
            domain = ConvexPolyhedraAssembly()
            domain.add_box(np.zeros(d), np.ones(d))
            self.domain = domain
        self.weights = as_vector(np.ones(n) if self.weights is None else self.weights, n, "weights")
        positions: FloatArray = self.positions
        return positions

    def _shifts(self) -> list[FloatArray]:
        """Where the copies lie."""
        return [as_vector(t, self.positions.shape[1], "trans") for t in self._replications]

    def _partial(self) -> bool:
        """Whether cells end in balls, which they can in the plane."""
        partial = kind_of(self.radial_func) in ("ball", "positive")
        if partial and self.positions.shape[1] != 2:
            raise NotImplementedError(
                f"{self.radial_func.name()!r} has exact integrals in the plane only"
            )
        return partial

    def _need(self, user: str, *kinds: str) -> None:
        """Refuse a radial function that a method has no exact integrals of."""
        if kind_of(self.radial_func) not in kinds:
            raise NotImplementedError(
                f"{user} has no exact integrals of {self.radial_func.name()!r} in geomot"
            )

    def _measures(self) -> Measures:
        """What was measured last, if nothing has changed since; arrays may be written to."""
        positions = self._ready()
        partial = self._partial()
        shifts = self._shifts()
        state = (self.domain, self.domain._version, partial, len(shifts))
        kept = self._measured
        if (
            kept is None
            or kept[0] != state
            or not np.array_equal(kept[1], positions)
            or not np.array_equal(kept[2], self.weights)
        ):
            pieces = self.domain._pieces() if partial else ()
            parts = [piece.part for piece in pieces] if partial else self.domain._parts()
            measures = Measures(positions, self.weights, parts, shifts, partial)
            kept = self._measured = (state, positions.copy(), self.weights.copy(), measures)
        measured: Measures = kept[3]
        return measured

    def _shown(self, user: str) -> list[geomot.diagram.PowerDiagram]:
        """A diagram for each convex piece of the domain; for an image one on its box.

        Copies of the sites come last.
        """
        positions = self._ready()
        partial = self._partial()
        if isinstance(self.domain, ConvexPolyhedraAssembly):
            sources = [piece.source for piece in self.domain._pieces()]
        else:
            sources = [self.domain._whole().source]
        if positions.shape[1] == 3 and len(sources) > 1:
            raise NotImplementedError(f"{user} shows one piece in space, got {len(sources)}")
        sites, weights = with_copies(positions, self.weights, self._shifts())
        return [diagram_of(sites, weights, source, partial) for source in sources]

    def _polygons(self, user: str) -> list[tuple[int, FloatArray]]:
        """Cells in all pieces, or the faces of cells in space, and the sites they belong to."""
        found: list[tuple[int, FloatArray]] = []
        for diagram in self._shown(user):
            cells: Any = diagram.cells
            for i in range(len(self.positions)):
                flat = diagram.source.dim == 2
                shapes = cells.polygons(i) if flat else _faces(cells[i])
                found += [(i, shape) for shape in shapes]
        return found


def _faces(cell: Any) -> list[FloatArray]:
    """The polygons of a polyhedron."""
    return [cell.vertices[face] for face in cell.faces]


def _by_rows(matrix: csr_array, values: FloatArray) -> DerResult:
    """A matrix with its diagonal, zeros there included, as pysdot returns it."""
    n = matrix.shape[0]
    entries = matrix.tocoo()
    rows, columns = np.append(entries.row, np.arange(n)), np.append(entries.col, np.arange(n))
    numbers = np.append(entries.data, np.zeros(n))
    whole = coo_array((numbers, (rows, columns)), shape=(n, n)).tocsr()
    whole.sort_indices()
    return DerResult(
        0, whole.indptr.astype(np.uint64), whole.indices.astype(np.uint64), whole.data, values
    )
