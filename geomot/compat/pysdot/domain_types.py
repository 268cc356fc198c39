"""Where the mass is: convex pieces of constant density, or an image, as in pysdot."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geomot._validation import as_real, as_real_array, as_vector
from geomot.compat.pysdot._parts import Part, Piece, box, merged, mixed, polyhedron, uniform
from geomot.compat.pysdot._vtk import write_cells
from geomot.sources import GridDensity

__all__ = ["ConvexPolyhedraAssembly", "ScaledImage"]

FloatArray = NDArray[np.float64]


class ConvexPolyhedraAssembly:
    """A sum of constant densities on boxes and convex polyhedra, in the plane or in space.

    Where pieces overlap their densities add up; densities may be negative (`sub_box`), though not
    where masses are prescribed.

    Parameters
    ----------
    type : optional
        Not used: numbers are float64.

    Examples
    --------
    >>> from geomot.compat.pysdot import ConvexPolyhedraAssembly
    >>> domain = ConvexPolyhedraAssembly()
    >>> domain.add_box([0, 0], [2, 1])
    >>> domain.add_box([1, 0], [2, 1], 2.0)
    >>> domain.measure(), domain.coeff_at([1.5, 0.5]), domain.contains([3.0, 0.5])
    (4.0, 3.0, False)
    >>> triangle = ConvexPolyhedraAssembly()
    >>> triangle.add_convex_polyhedron([[0, 0, -1, 0], [0, 0, 0, -1], [1, 0, 1, 1]])
    >>> triangle.measure()
    0.5
    """

    def __init__(self, type: Any = np.float64) -> None:
        self._version = 0
        self._added: list[Piece] = []
        self._merged: list[Part] | None = None

    def add_box(
        self, min_pos: ArrayLike, max_pos: ArrayLike, coeff: float = 1.0, cut_id: int = -1
    ) -> None:
        """Add a constant density on a box.

        Parameters
        ----------
        min_pos, max_pos : array_like of shape (d,)
            Opposite corners.
        coeff : float, default 1.0
            The density.
        cut_id : int, optional
            Not used.

        Examples
        --------
        >>> from geomot.compat.pysdot import ConvexPolyhedraAssembly
        >>> domain = ConvexPolyhedraAssembly()
        >>> domain.add_box([0, 0], [2, 1], 0.5)
        >>> domain.measure()
        1.0
        """
        lower = self._as_place(min_pos, "min_pos")
        upper = as_vector(max_pos, len(lower), "max_pos")
        self._add(box(lower, upper, as_real(coeff, "coeff")))

    def sub_box(
        self, min_pos: ArrayLike, max_pos: ArrayLike, coeff: float = 1.0, cut_id: int = -1
    ) -> None:
        """Subtract a constant density on a box; the arguments are those of `add_box`.

        Examples
        --------
        >>> from geomot.compat.pysdot import ConvexPolyhedraAssembly
        >>> domain = ConvexPolyhedraAssembly()
        >>> domain.add_box([0, 0], [3, 3])
        >>> domain.sub_box([1, 1], [2, 2])
        >>> domain.measure()
        8.0
        """
        self.add_box(min_pos, max_pos, -as_real(coeff, "coeff"), cut_id)

    def add_img(
        self, min_pos: ArrayLike, max_pos: ArrayLike, img: ArrayLike, cut_id: int = -1
    ) -> None:
        """Add an image as a box for each pixel; `ScaledImage` is faster.

        Parameters
        ----------
        min_pos, max_pos : array_like of shape (2,)
            Opposite corners of the image.
        img : array_like of shape (rows, columns)
            The densities, ``img[y, x]``, upwards.
        cut_id : int, optional
            Not used.

        Examples
        --------
        >>> from geomot.compat.pysdot import ConvexPolyhedraAssembly
        >>> domain = ConvexPolyhedraAssembly()
        >>> domain.add_img([0, 0], [2, 1], [[1.0, 3.0]])
        >>> domain.coeff_at([1.5, 0.5])
        3.0
        """
        values = as_real_array(img, "img")
        if values.ndim != 2:
            raise ValueError(f"img must have 2 axes, got shape {values.shape}")
        lower, upper = as_vector(min_pos, 2, "min_pos"), as_vector(max_pos, 2, "max_pos")
        x, y = (np.linspace(lower[k], upper[k], values.shape[1 - k] + 1) for k in range(2))
        for (row, column), value in np.ndenumerate(values):
            self.add_box([x[column], y[row]], [x[column + 1], y[row + 1]], float(value))

    def add_convex_polyhedron(
        self, positions_and_normals: ArrayLike, coeff: float = 1.0, cut_id: int = -1
    ) -> None:
        """Add a constant density on an intersection of half-spaces.

        Parameters
        ----------
        positions_and_normals : array_like of shape (k, 2 * d)
            A point of each side, and the normal that points outwards.
        coeff : float, default 1.0
            The density.
        cut_id : int, optional
            Not used.

        Examples
        --------
        >>> from geomot.compat.pysdot import ConvexPolyhedraAssembly
        >>> domain = ConvexPolyhedraAssembly()
        >>> domain.add_convex_polyhedron([[0, 0, 0, -1], [1, 0, 1, 1], [0, 1, -1, 0]])
        >>> domain.measure()
        0.5
        """
        planes = as_real_array(positions_and_normals, "positions_and_normals")
        if planes.ndim != 2 or planes.shape[1] not in (4, 6):
            raise ValueError(
                f"positions_and_normals must have 4 or 6 columns, got shape {planes.shape}"
            )
        self._as_place(planes[0, : planes.shape[1] // 2], "positions_and_normals")
        self._add(polyhedron(planes, as_real(coeff, "coeff"), "positions_and_normals"))

    def measure(self) -> float:
        """Return the mass of all pieces.

        Examples
        --------
        >>> from geomot.compat.pysdot import ConvexPolyhedraAssembly
        >>> domain = ConvexPolyhedraAssembly()
        >>> domain.measure()
        0.0
        """
        return float(sum(piece.coeff * piece.size for piece in self._added))

    def coeff_at(self, point: ArrayLike) -> float:
        """Return the density at a point, 0 where there is no piece.

        Examples
        --------
        >>> from geomot.compat.pysdot import ConvexPolyhedraAssembly
        >>> domain = ConvexPolyhedraAssembly()
        >>> domain.add_box([0, 0], [1, 1], 2.0)
        >>> domain.coeff_at([0.5, 0.5]), domain.coeff_at([1.5, 0.5])
        (2.0, 0.0)
        """
        place = self._as_place(point, "point")
        return float(sum(piece.coeff for piece in self._added if piece.holds(place)))

    def contains(self, point: ArrayLike) -> bool:
        """Return whether the density at a point is not 0.

        Examples
        --------
        >>> from geomot.compat.pysdot import ConvexPolyhedraAssembly
        >>> domain = ConvexPolyhedraAssembly()
        >>> domain.add_box([0, 0], [1, 1])
        >>> domain.contains([0.5, 0.5])
        True
        """
        return self.coeff_at(point) != 0.0

    def min_position(self) -> FloatArray:
        """Return the lower corner of the bounding box, shape (d,).

        Examples
        --------
        >>> from geomot.compat.pysdot import ConvexPolyhedraAssembly
        >>> domain = ConvexPolyhedraAssembly()
        >>> domain.add_box([0, 0], [2, 1])
        >>> domain.min_position().tolist()
        [0.0, 0.0]
        """
        return np.min([piece.source.bounds[0] for piece in self._pieces()], axis=0)

    def max_position(self) -> FloatArray:
        """Return the upper corner of the bounding box, shape (d,).

        Examples
        --------
        >>> from geomot.compat.pysdot import ConvexPolyhedraAssembly
        >>> domain = ConvexPolyhedraAssembly()
        >>> domain.add_box([0, 0], [2, 1])
        >>> domain.max_position().tolist()
        [2.0, 1.0]
        """
        return np.max([piece.source.bounds[1] for piece in self._pieces()], axis=0)

    def display_boundaries_vtk(self, filename: str) -> None:
        """Write the pieces to a file that ParaView reads, in the plane.

        Parameters
        ----------
        filename : str
            The file; its folder is made.

        Examples
        --------
        >>> from geomot.compat.pysdot import ConvexPolyhedraAssembly
        >>> domain = ConvexPolyhedraAssembly()
        >>> domain.add_box([0, 0], [2, 1])
        >>> import os, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     domain.display_boundaries_vtk(os.path.join(folder, "domain.vtk"))
        ...     os.listdir(folder)
        ['domain.vtk']
        """
        polygons = [_polygon(piece) for piece in self._pieces()]
        numbers = {"coeff": np.array([piece.coeff for piece in self._pieces()])}
        write_cells(filename, polygons, numbers)

    def _parts(self) -> list[Part]:
        """Return the measure as a sum of source measures of geomot."""
        if self._merged is None:
            self._merged = merged(self._pieces())
        return self._merged

    def _pieces(self) -> list[Piece]:
        """Return the convex pieces."""
        if not self._added:
            raise ValueError("domain must have at least one piece: call add_box")
        return self._added

    def _whole(self) -> Part:
        """Return the measure as one source measure of geomot, and its mass."""
        return mixed(self._parts())

    def _uniform(self) -> Part:
        """Return the measure as one uniform source measure of geomot, and its mass."""
        return uniform(self._pieces())

    def _as_place(self, point: Any, name: str) -> FloatArray:
        place = as_real_array(point, name)
        if place.shape not in ((2,), (3,)):
            raise ValueError(f"{name} must have shape (2,) or (3,), got {place.shape}")
        if self._added and len(place) != self._added[0].source.dim:
            raise ValueError(
                f"{name} must have {self._added[0].source.dim} coordinates, got {len(place)}"
            )
        return place

    def _add(self, piece: Piece) -> None:
        self._added.append(piece)
        self._merged = None
        self._version += 1


class ScaledImage:
    """A density that is constant on the pixels of an image.

    Parameters
    ----------
    min_pt, max_pt : array_like of shape (d,)
        Opposite corners.
    img : array_like
        The densities: ``img[y, x]``, upwards.

    Examples
    --------
    >>> import numpy as np
    >>> from geomot.compat.pysdot import ScaledImage
    >>> image = ScaledImage([0, 0], [3, 1], np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
    >>> image.measure(), image.coeff_at([2.9, 0.1])
    (10.5, 3.0)
    """

    _version = 0

    def __init__(self, min_pt: ArrayLike, max_pt: ArrayLike, img: ArrayLike) -> None:
        self._values = as_real_array(img, "img").copy()
        d = self._values.ndim
        self._lower = as_vector(min_pt, np.size(min_pt), "min_pt")
        self._upper = as_vector(max_pt, len(self._lower), "max_pt")
        if len(self._lower) != d:
            raise NotImplementedError(
                f"img must have {len(self._lower)} axes, got shape {self._values.shape}: densities "
                "that are polynomials have no exact integrals in geomot, use geomot.MeshDensity "
                "for linear ones"
            )
        if self._values.min() < 0.0:
            raise NotImplementedError("img must not be negative: an image is a source measure")
        self._source = GridDensity(self._values.T, self._lower, self._upper)
        if not self._source.exact:
            raise NotImplementedError(f"images of {d} axes have no exact diagrams in geomot")

    def measure(self) -> float:
        """Return the mass.

        Examples
        --------
        >>> from geomot.compat.pysdot import ScaledImage
        >>> ScaledImage([0, 0], [2, 1], [[1.0, 3.0]]).measure()
        4.0
        """
        size = float(np.prod(self._upper - self._lower))
        return float(self._values.sum()) * size / self._values.size

    def coeff_at(self, point: ArrayLike) -> float:
        """Return the density at a point, 0 outside.

        Examples
        --------
        >>> from geomot.compat.pysdot import ScaledImage
        >>> ScaledImage([0, 0], [2, 1], [[1.0, 3.0]]).coeff_at([1.5, 0.5])
        3.0
        """
        place = as_vector(point, len(self._lower), "point")
        share = (place - self._lower) / (self._upper - self._lower)
        if not ((share >= 0.0) & (share < 1.0)).all():
            return 0.0
        counts = np.array(self._values.shape[::-1])
        return float(self._values[tuple((share * counts).astype(np.int64)[::-1])])

    def contains(self, point: ArrayLike) -> bool:
        """Return whether the density at a point is not 0.

        Examples
        --------
        >>> from geomot.compat.pysdot import ScaledImage
        >>> ScaledImage([0, 0], [2, 1], [[1.0, 3.0]]).contains([2.5, 0.5])
        False
        """
        return self.coeff_at(point) != 0.0

    def min_position(self) -> FloatArray:
        """Return the lower corner, shape (d,).

        Examples
        --------
        >>> from geomot.compat.pysdot import ScaledImage
        >>> ScaledImage([0, 0], [2, 1], [[1.0, 3.0]]).min_position().tolist()
        [0.0, 0.0]
        """
        return self._lower.copy()

    def max_position(self) -> FloatArray:
        """Return the upper corner, shape (d,).

        Examples
        --------
        >>> from geomot.compat.pysdot import ScaledImage
        >>> ScaledImage([0, 0], [2, 1], [[1.0, 3.0]]).max_position().tolist()
        [2.0, 1.0]
        """
        return self._upper.copy()

    def display_boundaries_vtk(self, filename: str) -> None:
        """Write the border to a file that ParaView reads.

        Parameters
        ----------
        filename : str
            The file; its folder is made.

        Examples
        --------
        >>> from geomot.compat.pysdot import ScaledImage
        >>> image = ScaledImage([0, 0], [2, 1], [[1.0, 3.0]])
        >>> import os, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     image.display_boundaries_vtk(os.path.join(folder, "image.vtk"))
        ...     os.listdir(folder)
        ['image.vtk']
        """
        border = box(self._lower, self._upper, self.measure())
        write_cells(filename, [_polygon(border)], {"coeff": np.array([border.coeff])})

    def _parts(self) -> list[Part]:
        """Return the measure as a source measure of geomot."""
        return [self._whole()]

    def _pieces(self) -> list[Piece]:
        """Refuse: there are as many as pixels."""
        raise NotImplementedError(
            "cells that end in balls have no exact integrals over images: build the domain of a "
            "few boxes"
        )

    def _whole(self) -> Part:
        """Return the measure as one source measure of geomot, and its mass."""
        return Part(self._source, self.measure())

    def _uniform(self) -> Part:
        """Refuse: partial transport needs a uniform density."""
        raise NotImplementedError("partial transport needs a uniform density, got an image")


def _polygon(piece: Piece) -> FloatArray:
    source: Any = piece.source
    if source.dim != 2:
        raise NotImplementedError("files of borders are for the plane: use geomot's to_pyvista")
    return np.asarray(source.polygon)
