"""Axes in space, and polygons on them that are shaded by where they face."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.colors import LightSource

from geomot.plotting._axes import name_axes, new_axes, paper
from geomot.plotting._marks import rasterise

__all__ = ["ROOM_FOR_LABELS", "add_polygons", "axes_in_space", "quiet_walls", "shaded"]

# Room for the labels of axes in space, which layouts do not know.
ROOM_FOR_LABELS = 0.84

# Brightness of polygons that face away from the light.
_DARK = 0.62


def axes_in_space(ax: Any) -> Any:
    """Axes in space: the given ones, or new ones."""
    ax = new_axes(projection="3d") if ax is None else ax
    if not hasattr(ax, "get_zlim"):
        raise ValueError('ax must be three-dimensional, made with projection="3d"')
    return ax


def quiet_walls(ax: Any, labels: Sequence[str]) -> None:
    """Few ticks, thin lines and no colours behind what is drawn, and names of the axes."""
    ax.locator_params(nbins=3)
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.pane.set(facecolor=paper(ax), edgecolor="#CCCCCC", linewidth=0.5)
        axis._axinfo["grid"].update(linewidth=0.5)
    name_axes(ax, *labels[:2])
    if len(labels) > 2 and not ax.get_zlabel():
        ax.set_zlabel(labels[2])


def shaded(face: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Colours (k, 4) of polygons with given outward unit normals (k, 3) in a light from above."""
    light = LightSource(azdeg=250, altdeg=55).direction
    # half light from all sides keeps polygons in the dark apart
    brightness = 0.5 + 0.5 * normals @ light
    colours = face.copy()
    colours[:, :3] *= (_DARK + (1.0 - _DARK) * brightness)[:, None]
    return colours


def add_polygons(
    ax: Any, polygons: Sequence[np.ndarray], settings: dict[str, Any], bounds: np.ndarray
) -> Any:
    """Draw polygons in space, and make room for bounds (2, 3) with equal scales."""
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection

    had_data = ax.has_data()
    collection = Poly3DCollection(polygons, **settings)
    ax.add_collection3d(collection, autolim=False)
    rasterise(collection, len(polygons), sum(map(len, polygons)))
    ax.auto_scale_xyz(*bounds.T, had_data=had_data)
    if not had_data:
        limits = [ax.get_xlim3d(), ax.get_ylim3d(), ax.get_zlim3d()]
        ax.set_box_aspect(np.diff(limits, axis=1).ravel(), zoom=ROOM_FOR_LABELS)
    return collection
