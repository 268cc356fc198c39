"""Colours of classes, and their legends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_rgba_array
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from geomot._data import as_classes
from geomot._validation import as_count, as_vector
from geomot.plotting._axes import add_colorbar, axes_size, flat_norm, ink, new_axes, paper
from geomot.plotting._drawing import Drawing
from geomot.plotting._inputs import as_diagram
from geomot.plotting._palette import TEN_COLOURS, spread_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from geomot.diagram import PowerDiagram
    from geomot.solution import Solution

__all__ = ["Colours", "MOST_LABELS", "class_colors", "class_names"]


# Points of a permutation that are numbered by default.
MOST_LABELS = 20
# Integers with more distinct values than the longest palette are treated as numbers.
_MOST_INTEGERS = len(TEN_COLOURS)
# Classes that have colours.
_MOST_CLASSES = 256
# Letters of a name in a legend of one or two columns; more of either would squeeze the figure.
_LEGEND_LETTERS = (24, 14)


def class_colors(n: int) -> list[str]:
    """Return colours for classes that readers with colour blindness can tell apart.

    The colours of n classes are the first n of one list, so that a class keeps its colour when
    others are added. The first ten differ clearly for readers without red, green or blue cones too;
    from the eleventh on, each is as far as possible from the ones before it. More than about twenty
    are hard to tell apart.

    Parameters
    ----------
    n : int
        Number of classes, at most 256.

    Returns
    -------
    list of str
        Hexadecimal colours, all different.

    Raises
    ------
    ValueError
        If there are more classes than colours.

    Examples
    --------
    >>> from geomot import plotting
    >>> plotting.class_colors(3)
    ['#0072B2', '#E69F00', '#994466']
    """
    n = as_count(n, "n", 0)
    if n > _MOST_CLASSES:
        raise ValueError(f"n must be at most {_MOST_CLASSES}, got {n}")
    return list(spread_colours(TEN_COLOURS, n))


def class_names(
    points: ArrayLike, labels: Any, *, ax: Axes | None = None, **kwargs: Any
) -> Drawing:
    """Write the name of each class in the middle of its points.

    Colours alone do not tell classes apart in grey print, nor for all readers. With sites it names
    the dots of `site_cloud`, with centroids the cells of `power_diagram`.

    Parameters
    ----------
    points : array_like of shape (n, 2)
        Where the members of the classes are. Those with NaN, as centroids of empty cells, are left
        out.
    labels : array_like of shape (n,)
        The class of each point.
    ax : Axes, optional
        Where to write; None makes a figure.
    **kwargs
        Settings of the texts, as for `matplotlib.axes.Axes.text`.

    Returns
    -------
    Drawing
        Artists names: a list of texts, each at the point of its class that is nearest to their
        median.

    Raises
    ------
    ValueError
        If an argument has the wrong shape.

    Examples
    --------
    >>> import numpy as np
    >>> import geomot
    >>> from geomot import plotting
    >>> solution = geomot.solve(np.random.default_rng(0).random((40, 2)))
    >>> side = np.where(solution.sites[:, 0] < 0.5, "west", "east")
    >>> drawing = plotting.power_diagram(solution, side, legend=False)
    >>> named = plotting.class_names(solution.centroids, side, ax=drawing.axes)
    >>> [text.get_text() for text in named.names]
    ['east', 'west']
    """
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"points must have shape (n, 2), got {points.shape}")
    found = as_classes(labels, len(points), "labels", len(points))
    if found is None:
        raise ValueError("labels must be classes, got numbers with decimals")
    ax = new_axes() if ax is None else ax
    halo = [withStroke(linewidth=2.5, foreground=paper(ax))]
    style = {
        "ha": "center",
        "va": "center",
        "weight": "bold",
        "color": ink(ax),
        "zorder": 5,
        "clip_on": True,
    }
    classes, index = found
    ax.update_datalim(points[np.isfinite(points).all(axis=1)])
    ax.autoscale_view()
    texts = []
    for k, name in enumerate(classes):
        own = points[(index == k) & np.isfinite(points).all(axis=1)]
        if len(own):
            x, y = own[np.linalg.norm(own - np.median(own, axis=0), axis=1).argmin()]
            texts.append(ax.text(x, y, str(name), **{**style, "path_effects": halo, **kwargs}))
    return Drawing(ax, {"names": texts})


class Colours:
    """One value per site, and how it is shown: as numbers on a scale, or as classes."""

    def __init__(
        self, diagram: PowerDiagram | Solution, values: Any, cmap: Any, norm: Any, label: str | None
    ) -> None:
        names = {"weights": "weight $w_i$", "masses": "mass of cell", "costs": "cost of cell"}
        n = len(diagram.masses)
        self.classes: np.ndarray | None = None
        self.label = label
        if isinstance(values, str):
            if values not in names:
                raise ValueError(f"values must be an array or one of {sorted(names)}: {values!r}")
            self.label = names[values] if label is None else label
            if values == "costs":
                diagram = as_diagram(diagram, dims=(1, 2, 3))
            if values == "masses" and norm is None:
                positive = diagram.masses[diagram.masses > 0]
                norm = "log" if positive.max() > 100 * positive.min() else None
            values = getattr(diagram, values)
        classes = as_classes(values, n, "values", _MOST_INTEGERS)
        if classes is not None:
            self.classes, self.index = classes
            if len(self.classes) > _MOST_CLASSES:
                raise ValueError(
                    f"values must have at most {_MOST_CLASSES} classes, got {len(self.classes)}"
                )
            self.palette = to_rgba_array(class_colors(len(self.classes)))
            return
        array = np.asarray(values)
        # Numbers as objects; all else has been refused or is a class.
        self.values = as_vector(
            array.astype(float) if array.dtype == object else array, n, "values"
        )
        shown = self.values[diagram.masses > 0]
        self.mappable = mpl.cm.ScalarMappable(cmap=cmap)
        self.mappable.set_norm(flat_norm(shown) if norm is None else norm)
        self.mappable.set_array(shown)
        self.mappable.autoscale_None()

    def rgba(self, shown: Any) -> np.ndarray:
        if self.classes is not None:
            return self.palette[self.index[shown]]
        return self.mappable.to_rgba(self.values[shown])

    def paint(self, collection: Any, shown: Any, *, edges: bool) -> None:
        """Give a collection its colours; numbers stay attached to it for later changes."""
        if self.classes is not None:
            collection.set_facecolor(self.rgba(shown))
        else:
            collection.set(cmap=self.mappable.cmap, norm=self.mappable.norm)
            collection.set_array(self.values[shown])
        if not edges:
            collection.set_edgecolor("face")

    def explain(self, ax: Axes, collection: Any) -> dict[str, Any]:
        """Draw the colour bar or the legend, and return it by name."""
        if self.classes is None:
            shown = self.mappable if collection is None else collection
            return {"colorbar": add_colorbar(ax, shown, self.label or "")}
        size = "small" if len(self.classes) <= _legend_rows(ax, "small") else "x-small"
        rows = _legend_rows(ax, size)
        named, rest = self._named(len(_LEGEND_LETTERS) * rows)
        columns = -(-(len(named) + (rest > 0)) // rows)
        handles = self._handles(named)
        labels = [_shortened(str(self.classes[k]), _LEGEND_LETTERS[columns - 1]) for k in named]
        if rest:
            handles.append(Line2D([], [], linestyle=""))
            labels.append(f"and {rest} more")
        legend = ax.legend(
            handles,
            labels,
            title=self.label,
            loc="center left",
            bbox_to_anchor=(1.1 if hasattr(ax, "get_zlim") else 1.0, 0.5),
            ncols=columns,
            frameon=False,
            handletextpad=0.2,
            columnspacing=0.8,
            fontsize=size,
            title_fontsize="small",
        )
        return {"legend": legend}

    def legend_elements(self) -> tuple[list[Line2D], list[str]]:
        """Handles and labels of all classes; none of numbers."""
        if self.classes is None:
            return [], []
        every = np.arange(len(self.classes))
        return self._handles(every), [str(name) for name in self.classes]

    def _handles(self, named: np.ndarray) -> list[Line2D]:
        return [
            Line2D([], [], linestyle="", marker="o", markersize=6, color=self.palette[k])
            for k in named
        ]

    def _named(self, most: int) -> tuple[np.ndarray, int]:
        """The classes that a legend of so many entries names, and how many others there are."""
        count = len(self.classes)
        if count <= most:
            return np.arange(count), 0
        sizes = np.bincount(self.index, minlength=count)
        largest = np.argsort(-sizes, kind="stable")[: most - 1]
        return np.sort(largest), count - len(largest)


def _legend_rows(ax: Axes, size: str) -> int:
    """Entries of a legend below each other that are not higher than the axes."""
    entry = 1.5 * FontProperties(size=size).get_size_in_points()
    return max(int(axes_size(ax)[1] / entry) - 1, 4)


def _shortened(name: str, letters: int) -> str:
    # A leading underscore would hide the entry.
    name = " ".join(name.split()).lstrip("_") or name
    return name if len(name) <= letters else name[: letters - 1].rstrip() + "\u2026"
