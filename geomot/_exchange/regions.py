"""Cells in the plane as GeoJSON, as geometries of shapely, and as a table of GeoPandas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geomot._exchange.optional import optional
from geomot._exchange.rings import nested

__all__ = ["as_index", "to_geojson", "to_geopandas", "to_shapely"]

FloatArray = NDArray[np.float64]


def as_index(names: Any, n: int) -> list[Any] | None:
    """Return names of sites, one for each."""
    if names is None:
        return None
    if isinstance(names, str):
        raise TypeError("names must be a sequence of one name per site, got str")
    index = list(names)
    if len(index) != n:
        raise ValueError(f"names must have {n} entries, got {len(index)}")
    return index


def to_geojson(
    cells: Any, data: Mapping[str, np.ndarray], names: Sequence[Any] | None
) -> dict[str, Any]:
    """Return a FeatureCollection, without the cells that have no corners."""
    features = []
    columns = {name: _without_nan(values) for name, values in data.items()}
    for i in range(len(cells)):
        polygons = [[_closed(ring) for ring in polygon] for polygon in _polygons(cells, i)]
        if not polygons:
            continue
        several = len(polygons) > 1
        geometry = {
            "type": "MultiPolygon" if several else "Polygon",
            "coordinates": polygons if several else polygons[0],
        }
        name = {} if names is None else {"name": str(names[i])}
        properties = {**name, **{key: values[i] for key, values in columns.items()}}
        features.append({"type": "Feature", "properties": properties, "geometry": geometry})
    return {"type": "FeatureCollection", "features": features}


def to_shapely(cells: Any, user: str = "to_shapely") -> NDArray[np.object_]:
    """Return one geometry for each cell, an empty polygon where it has no corners."""
    shapely = optional("shapely", user, "geo")
    if cells.convex:
        return _convex(shapely, cells.vertices, cells.offsets)
    found = np.empty(len(cells), dtype=object)
    for i in range(len(cells)):
        parts = [shapely.Polygon(ring, holes) for ring, *holes in _polygons(cells, i)]
        if not parts:
            found[i] = shapely.Polygon()
        else:
            found[i] = parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)
    return found


def to_geopandas(cells: Any, data: Mapping[str, np.ndarray], names: Any, crs: Any) -> Any:
    """Return a `geopandas.GeoDataFrame`, a row for each cell."""
    geopandas = optional("geopandas", "to_geopandas", "geo")
    geometry = to_shapely(cells, "to_geopandas")
    columns: dict[str, np.ndarray] = {}
    for name, values in data.items():
        if values.ndim == 1:
            columns[name] = values
        else:
            columns |= {f"{name}_{k}": column for k, column in enumerate(values.T)}
    index = None if names is None else as_index(names, len(cells))
    frame = geopandas.GeoDataFrame(columns, geometry=geometry, crs=crs, index=index)
    frame.index.name = "site" if names is None else getattr(names, "name", None)
    return frame


def _convex(shapely: Any, vertices: FloatArray, offsets: NDArray[np.int64]) -> Any:
    """Polygons with one ring, made at once."""
    sizes = np.diff(offsets)
    drawn = sizes > 0
    starts, ends = offsets[:-1][drawn], offsets[1:][drawn]
    # rings end where they began
    corners = np.insert(vertices, ends, vertices[starts], axis=0)
    rings = np.concatenate([[0], np.cumsum(sizes[drawn] + 1)])
    polygons = np.concatenate([[0], np.cumsum(drawn)])
    return shapely.from_ragged_array(shapely.GeometryType.POLYGON, corners, (rings, polygons))


def _without_nan(values: np.ndarray) -> list[Any]:
    """Numbers as JSON has them: None in place of NaN."""
    numbers = values.astype(object)
    numbers[np.isnan(values)] = None
    return list(numbers.tolist())


def _polygons(cells: Any, i: int) -> list[list[FloatArray]]:
    if cells.convex:
        return [[ring] for ring in cells.outlines(i)]
    return nested(cells.outlines(i))


def _closed(ring: FloatArray) -> list[list[float]]:
    corners = ring.tolist()
    return [*corners, corners[0]]
