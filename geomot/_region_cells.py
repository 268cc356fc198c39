"""The cells of a diagram on a domain that is not convex: those in its convex parts, together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geomot._core.plane.polygons import first_equal
from geomot._power import PlaneDiagram
from geomot.sources import PolygonRegion

__all__ = ["region_cells"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]


def region_cells(
    diagram: PlaneDiagram, region: PolygonRegion, *, threads: int
) -> tuple[FloatArray, IndexArray, IndexArray, IndexArray, IndexArray]:
    """Return the cells as convex polygons, each in one part of the domain.

    Parameters
    ----------
    diagram : PlaneDiagram
        Clipped to the container of the region.
    region : PolygonRegion
        The domain.
    threads : int
        Number of threads.

    Returns
    -------
    corners : ndarray of shape (V, 2)
        Each once.
    offsets, indices, labels, parts : ndarray of int64
        As in `geomot.diagram.Cells`.
    """
    near = _Boxes(diagram, threads)
    owner, size, points, indices, labels = [], [], [], [], []
    n_points = 0
    for k, part in enumerate(region.parts):
        across = region.labels[region.offsets[k] : region.offsets[k + 1]]
        found = diagram.cells_in_part(part, across == 0, near.meet(part), threads=threads)
        corners, offsets, rows, sides = found
        counts = np.diff(offsets)
        cells = np.flatnonzero(counts)
        own = np.repeat(np.arange(len(counts)), counts)
        border = sides < 0
        outline = across[-1 - sides[border]]
        sides[border] = np.where(outline < 0, outline, own[border])
        owner.append(cells)
        size.append(counts[cells])
        points.append(corners)
        indices.append(rows + n_points)
        labels.append(sides)
        n_points += len(corners)
    owners, sizes = np.concatenate(owner), np.concatenate(size)
    all_points, rows = np.concatenate(points), np.concatenate(indices)
    # the polygons of a cell one after the other
    order = np.argsort(owners, kind="stable")
    starts = np.cumsum(sizes) - sizes
    sizes = sizes[order]
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    moved = np.repeat(starts[order] - offsets[:-1], sizes) + np.arange(len(rows))
    rows, sides = rows[moved], np.concatenate(labels)[moved]
    same = first_equal(all_points)
    if same is not None:
        rows = same[rows]
    used, rows = np.unique(rows, return_inverse=True)
    parts = np.searchsorted(owners[order], np.arange(len(near) + 1))
    return all_points[used], offsets, rows.reshape(-1), sides, parts


class _Boxes:
    """Bounding boxes of the cells in the container."""

    def __init__(self, diagram: PlaneDiagram, threads: int) -> None:
        corners, offsets, indices, _ = diagram.cells(threads=threads)
        has_corners = np.diff(offsets) > 0
        drawn = np.flatnonzero(has_corners)
        self.low = np.full((len(offsets) - 1, 2), -np.inf)
        self.high = np.full((len(offsets) - 1, 2), np.inf)
        if len(drawn):
            at = corners[indices]
            # corners are rounded
            slack = 4.0 * np.spacing(np.abs(at).max())
            self.low[drawn] = np.minimum.reduceat(at, offsets[drawn]) - slack
            self.high[drawn] = np.maximum.reduceat(at, offsets[drawn]) + slack
        # in partial transport cells without mass have neighbours, too
        self.empty = diagram.empty & ~has_corners

    def __len__(self) -> int:
        return len(self.low)

    def meet(self, part: FloatArray) -> NDArray[np.bool_]:
        """Which cells may meet a polygon."""
        apart = (self.low > part.max(axis=0)) | (self.high < part.min(axis=0))
        return ~self.empty & ~apart.any(axis=1)
