"""Axes: new ones, their frames and sizes, what stands beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import Normalize, to_rgb, to_rgba

from geomot.plotting._rc import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "PLANE_AXES",
    "add_colorbar",
    "axes_size",
    "figure_size",
    "flat_norm",
    "frame",
    "ink",
    "name_axes",
    "new_axes",
    "paper",
    "shade",
    "site_pitch",
]

# Inches beside and below axes for labels, and for a colour bar; a figure's least and greatest
# height over its width.
_LABELS = 0.6
_BAR = 0.9
_SHAPES = 0.3, 1.3

# Names of the axes of the plane.
PLANE_AXES = "$x_1$", "$x_2$"

# Most ticks of a colour bar.
_BAR_TICKS = 6

# Marks on light and on dark backgrounds.
_INKS = "#222222", "#E6E6E6"


def new_axes(
    bounds: np.ndarray | None = None,
    *,
    columns: int = 1,
    projection: str | None = None,
    bar: bool = False,
) -> Any:
    """Return axes of a new figure, in the style of geomot and of a size that fits the bounds."""
    import matplotlib.pyplot as plt

    width = mpl.rcParams["figure.figsize"][0]
    with style():
        figure, axes = plt.subplots(
            ncols=columns,
            figsize=figure_size(bounds, width, columns=columns, bar=bar),
            # Unlike "constrained", it knows of axes with equal aspect: labels are not cut.
            layout="compressed",
            subplot_kw={"projection": projection} if projection else {},
        )
    for ax in np.ravel(axes):
        if projection is None:
            ax.locator_params(nbins=min(5, max(2, int(1.6 * width / columns))))
        if bounds is not None:
            ax.margins(0.02)
    return axes


def figure_size(
    bounds: np.ndarray | None, width: float, *, columns: int = 1, bar: bool = False
) -> tuple[float, float]:
    """Return width and height of a figure whose panels have the shape of some bounds."""
    if bounds is None:
        return width, width * 0.75 / columns
    low, high = bounds
    extent = np.maximum(high - low, np.finfo(np.float64).tiny)
    room = width / columns - _LABELS - (_BAR if bar else 0.0)
    height = max(room, 0.5 * width / columns) * float(extent[1] / extent[0]) + _LABELS
    least, greatest = (share * width / columns for share in _SHAPES)
    return width, float(np.clip(height, least, greatest))


def frame(ax: Axes, bounds: np.ndarray, labels: tuple[str, str] = PLANE_AXES) -> None:
    """Make room for some bounds with equal scales, and name axes without names.

    Limits that the user has set stay, and so do scales, names and the aspect.
    """
    ax.update_datalim(bounds)
    ax.autoscale_view()
    linear = ax.get_xscale() == ax.get_yscale() == "linear"
    if linear and not _twinned(ax) and ax.get_aspect() == "auto":
        ax.set_aspect("equal")
    name_axes(ax, *labels)


def _twinned(ax: Axes) -> bool:
    """Whether other axes lie on the same place: their box cannot be changed by one of them."""
    place = ax.get_position(original=True).bounds
    others = (other for other in ax.figure.axes if other is not ax)
    return any(other.get_position(original=True).bounds == place for other in others)


def name_axes(ax: Axes, xlabel: str, ylabel: str) -> None:
    """Label axes that have no labels; an empty text leaves them without."""
    if not ax.get_xlabel():
        ax.set_xlabel(xlabel)
    if not ax.get_ylabel():
        ax.set_ylabel(ylabel)


def paper(ax: Axes) -> tuple[float, float, float]:
    """Colour of what is behind the marks: of the axes, or of the figure if they are clear."""
    for thing in (ax, ax.figure):
        red, green, blue, alpha = to_rgba(thing.get_facecolor())
        if alpha > 0.5:
            return red, green, blue
    return to_rgb("white")


def ink(ax: Axes) -> str:
    """Colour of marks that stand out from the background."""
    dark = np.dot(paper(ax), (0.299, 0.587, 0.114)) < 0.5
    return _INKS[int(dark)]


def shade(ax: Axes, colour: Any, share: float) -> tuple[float, float, float]:
    """Return a share of a colour on the background."""
    mixed = share * np.array(to_rgb(colour)) + (1.0 - share) * np.array(paper(ax))
    red, green, blue = mixed.tolist()
    return red, green, blue


def axes_size(ax: Axes) -> tuple[float, float]:
    """Width and height of the axes in points (1/72 inch)."""
    box = ax.get_window_extent()
    scale = 72.0 / ax.figure.dpi
    return box.width * scale, box.height * scale


def site_pitch(ax: Axes, n: int) -> float:
    """Points (1/72 inch) between neighbours if n items filled the axes evenly."""
    return min(axes_size(ax)) / max(n, 1) ** 0.5


def add_colorbar(ax: Axes, mappable: Any, label: str) -> Any:
    """A slim colour bar beside the axes."""
    pad = 0.1 if hasattr(ax, "get_zlim") else 0.02
    bar = ax.figure.colorbar(mappable, ax=ax, shrink=0.8, pad=pad, aspect=25)
    bar.set_label(label, size=ax.xaxis.label.get_size())
    bar.outline.set_visible(False)
    values = np.ma.compressed(np.ma.asarray(mappable.get_array()))
    if len(values) and flat_norm(values) is not None:
        # The ends of a scale about one value mean nothing.
        bar.set_ticks([float(values[0])])
    levels = getattr(mappable, "levels", ())
    if len(levels) > _BAR_TICKS:
        bar.set_ticks(levels[:: -(-len(levels) // _BAR_TICKS)])
    sizes = {label.get_size() for label in ax.get_xticklabels()}
    bar.ax.tick_params(length=2.5, **({"labelsize": sizes.pop()} if len(sizes) == 1 else {}))
    return bar


def flat_norm(values: np.ndarray) -> Normalize | None:
    """A scale for values that are equal up to rounding, which matplotlib would blow up."""
    if len(values) == 0:
        return None
    low, high = float(values.min()), float(values.max())
    size = max(abs(low), abs(high))
    if high - low > 1e-6 * size:
        return None
    return Normalize(low - 0.05 * (size or 1.0), high + 0.05 * (size or 1.0))
