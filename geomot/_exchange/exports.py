"""What a diagram offers for other packages: the methods of `PowerDiagram` that export its cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geomot._exchange.meshes import to_meshio, to_pyvista
from geomot._exchange.notebook import as_html
from geomot._exchange.pieces import Pieces, as_cell_data
from geomot._exchange.regions import as_index, to_geojson, to_geopandas, to_shapely
from geomot._exchange.svg import draw_cells
from geomot._validation import as_tolerance, as_vector

__all__ = ["Exports"]


class Exports:
    """Methods that hand the cells of a diagram to other packages."""

    def to_meshio(self, cell_data: Mapping[str, ArrayLike] | None = None) -> Any:
        """Return the cells as a mesh of meshio, which writes VTU and other files.

        Parameters
        ----------
        cell_data : mapping from str to array_like of shape (n,) or (n, k), optional
            Further numbers of the sites, by their names.

        Returns
        -------
        meshio.Mesh
            In the plane polygons, with third coordinates 0, in space polyhedra, sorted by their
            numbers of corners; empty cells are left out. Its cell data are "site" (the index),
            "mass", "weight" (rounded to float64), and those given. On a domain that is not convex,
            a cell is as many polygons as it has convex parts, all with the data of the cell.

        Raises
        ------
        ImportError
            If meshio is missing: it is in the extra `view`.
        ValueError
            If an argument is invalid, or the diagram is on the line.

        Examples
        --------
        >>> import geomot
        >>> diagram = geomot.PowerDiagram([[0.25, 0.5, 0.5], [0.75, 0.5, 0.5]])
        >>> mesh = diagram.to_meshio({"grain": [7.0, 8.0]})  # doctest: +SKIP
        >>> sorted(mesh.cell_data), len(mesh.points)  # doctest: +SKIP
        (['grain', 'mass', 'site', 'weight'], 12)

        ``mesh.write("cells.vtu")`` writes a file that ParaView opens.
        """
        return to_meshio(_pieces(self, "to_meshio"), _cell_data(self, cell_data))

    def to_pyvista(self, cell_data: Mapping[str, ArrayLike] | None = None) -> Any:
        """Return the cells as an unstructured grid of PyVista, which draws it and writes files.

        Parameters
        ----------
        cell_data : mapping from str to array_like of shape (n,) or (n, k), optional
            Further numbers of the sites, by their names.

        Returns
        -------
        pyvista.UnstructuredGrid
            As in `to_meshio`, with the cells in the order of the sites.

        Raises
        ------
        ImportError
            If PyVista is missing: it is in the extra `view`.
        ValueError
            If an argument is invalid, or the diagram is on the line.

        Examples
        --------
        >>> import geomot
        >>> diagram = geomot.PowerDiagram([[0.25, 0.5, 0.5], [0.75, 0.5, 0.5]])
        >>> grid = diagram.to_pyvista()  # doctest: +SKIP
        >>> grid.n_cells, round(float(grid.volume), 12)  # doctest: +SKIP
        (2, 1.0)
        """
        return to_pyvista(_pieces(self, "to_pyvista"), _cell_data(self, cell_data))

    def to_shapely(self) -> NDArray[np.object_]:
        """Return the cells as geometries of shapely.

        Returns
        -------
        ndarray of shape (n,), object
            A `shapely.Polygon` for each site, empty if the cell is; on a domain that is not convex
            polygons with holes, and a `shapely.MultiPolygon` where the domain cuts a cell in
            pieces.

        Raises
        ------
        ImportError
            If shapely is missing: it is in the extra `geo`.
        ValueError
            If the diagram is not in the plane.

        Notes
        -----
        Corners are those of `cells`, which neighbours share bit for bit. Curved borders become
        chords with their ends on the curve: those of partial transport lie within 0.00054 of the
        radius (96 chords to a circle), and the rim of a disk within 5e-6 of it (1024 chords), while
        `masses` are those of the curved cells. On a torus cells are whole, and may reach beyond the
        box. Cells of sources without a border end at the polygon ``source.domain``.

        Examples
        --------
        >>> import geomot
        >>> diagram = geomot.PowerDiagram([[0.25, 0.5], [0.75, 0.5]])
        >>> [cell.area for cell in diagram.to_shapely()]  # doctest: +SKIP
        [0.5, 0.5]
        """
        return to_shapely(_plane_cells(self, "to_shapely"))

    def to_geojson(
        self, cell_data: Mapping[str, ArrayLike] | None = None, *, names: Any = None
    ) -> dict[str, Any]:
        """Return the cells as a GeoJSON object, for ``json.dump``.

        Parameters
        ----------
        cell_data : mapping from str to array_like of shape (n,) or (n, k), optional
            Further numbers of the sites, by their names.
        names : sequence of length n, optional
            Names of the sites, as the property "name".

        Returns
        -------
        dict
            A FeatureCollection, with a Polygon or MultiPolygon for each cell that has corners. Its
            properties are "site" (the index), "mass", "weight", "centroid_x", "centroid_y", and
            those given; NaN becomes null.

        Raises
        ------
        ValueError
            If an argument is invalid, or the diagram is not in the plane.

        Notes
        -----
        Coordinates are those of the diagram. GeoJSON wants degrees of longitude and latitude:
        ``diagram.to_geopandas(crs=...).to_crs(4326)`` converts them. See `to_shapely` for curved
        borders.

        Examples
        --------
        >>> import json
        >>> import geomot
        >>> diagram = geomot.PowerDiagram([[0.25, 0.5], [0.75, 0.5]])
        >>> left, right = diagram.to_geojson(names=["left", "right"])["features"]
        >>> json.dumps(left["geometry"]["coordinates"])
        '[[[0.5, 1.0], [0.0, 1.0], [0.0, 0.0], [0.5, 0.0], [0.5, 1.0]]]'
        >>> right["properties"]["name"], right["properties"]["mass"]
        ('right', 0.5)
        """
        cells = _plane_cells(self, "to_geojson")
        index = as_index(names, len(cells))
        return to_geojson(cells, _region_data(self, cell_data), index)

    def to_geopandas(
        self,
        cell_data: Mapping[str, ArrayLike] | None = None,
        *,
        names: Any = None,
        crs: Any = None,
    ) -> Any:
        """Return the cells as a table of GeoPandas.

        Parameters
        ----------
        cell_data : mapping from str to array_like of shape (n,) or (n, k), optional
            Further numbers of the sites, by their names; k columns are named name_0 and so on.
        names : sequence of length n, optional
            Names of the sites: the index of the table. None: the numbers of the sites.
        crs : optional
            Coordinate reference system of the sites and the source, as GeoPandas takes it
            ("EPSG:28992"). None: that of the table which the source was made of, if there was one
            (`UniformPolygon.crs`).

        Returns
        -------
        geopandas.GeoDataFrame
            A row for each site, with the columns "mass", "weight" (rounded to float64),
            "centroid_x", "centroid_y", those given, and "geometry", as in `to_shapely`.

        Raises
        ------
        ImportError
            If GeoPandas is missing: it is in the extra `geo`.
        ValueError
            If an argument is invalid, or the diagram is not in the plane.

        Examples
        --------
        >>> import geomot
        >>> diagram = geomot.PowerDiagram([[0.25, 0.5], [0.75, 0.5]])
        >>> frame = diagram.to_geopandas(names=["a", "b"], crs="EPSG:28992")  # doctest: +SKIP
        >>> float(frame.loc["b", "mass"]), float(frame.area["b"])  # doctest: +SKIP
        (0.5, 0.5)

        ``frame.to_file("cells.gpkg")`` writes a file that QGIS opens.
        """
        diagram: Any = self
        cells = _plane_cells(self, "to_geopandas")
        data = _region_data(self, cell_data)
        del data["site"]
        known = getattr(diagram.source, "crs", None) if crs is None else crs
        return to_geopandas(cells, data, names, known)

    def to_svg(
        self, values: ArrayLike | None = None, *, names: Any = None, width: float = 480.0
    ) -> str:
        """Return a picture of the cells as an SVG document, made without matplotlib.

        Parameters
        ----------
        values : array_like of shape (n,), optional
            Shown as the colours of the cells, dark to bright; None: the masses. Numbers above zero
            that span more than two decades are shown by their logarithms. If all are equal, colours
            only tell cells apart.
        names : sequence of length n, optional
            Names of the sites. Browsers show name and value where the mouse rests on a cell.
        width : float, default 480
            The longer side of the picture, in pixels.

        Returns
        -------
        str
            One path for each cell and one for the border, and a dot for each of up to 300 sites.
            `geomot.plotting` draws figures with axes, colour bars and names.

        Raises
        ------
        ValueError
            If an argument is invalid, or the diagram is not in the plane.

        Examples
        --------
        >>> import geomot
        >>> picture = geomot.PowerDiagram([[0.25, 0.5], [0.75, 0.5]]).to_svg()
        >>> picture[:4], picture.count("<title"), picture.count("<circle")
        ('<svg', 2, 2)
        """
        diagram: Any = self
        n = len(_plane_cells(self, "to_svg"))
        shown = diagram.masses if values is None else as_vector(values, n, "values")
        index = as_index(names, n)
        titles = range(n) if index is None else index
        texts = [f"{title}: {value:.6g}" for title, value in zip(titles, shown, strict=True)]
        return draw_cells(diagram, shown, as_tolerance(width, "width"), texts)

    def _repr_html_(self) -> str:
        return as_html(self)


def _plane_cells(diagram: Any, user: str) -> Any:
    if diagram.source.dim != 2:
        raise ValueError(
            f"{user} needs a diagram in the plane, got one in {diagram.source.dim} dimension(s)"
        )
    return diagram.cells


def _pieces(diagram: Any, user: str) -> Pieces:
    """The cells, as files of meshes want them."""
    n = len(diagram)
    cells = diagram.cells
    if diagram.source.dim == 1:
        raise ValueError(f"{user} needs a diagram in the plane or in space")
    if diagram.source.dim == 3:
        faces = cells.face_offsets, cells.indices, cells.offsets
        return Pieces(diagram.vertices, *faces, np.arange(n))
    owner = np.repeat(np.arange(n), np.diff(cells.parts))
    return Pieces(diagram.vertices, cells.offsets, cells.indices, None, owner)


def _cell_data(diagram: Any, given: Mapping[str, ArrayLike] | None) -> dict[str, np.ndarray]:
    own = {"site": np.arange(len(diagram)), "mass": diagram.masses, "weight": diagram.weights}
    return as_cell_data(own, given, len(diagram))


def _region_data(diagram: Any, given: Mapping[str, ArrayLike] | None) -> dict[str, np.ndarray]:
    own = _cell_data(diagram, None)
    own |= {"centroid_x": diagram.centroids[:, 0], "centroid_y": diagram.centroids[:, 1]}
    return as_cell_data(own, given, len(diagram))
