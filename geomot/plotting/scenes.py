"""Scenes of PyVista, for diagrams with too many cells for matplotlib and for looking around."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from geomot._exchange.optional import optional
from geomot._validation import as_real
from geomot.plotting._classes import Colours
from geomot.plotting._inputs import as_diagram

if TYPE_CHECKING:
    from geomot.brenier import BrenierMap
    from geomot.diagram import PowerDiagram
    from geomot.solution import Solution

__all__ = ["scene"]

# A colour bar beside the cells and not over them.
_BAR = {
    "vertical": True,
    "position_x": 0.86,
    "position_y": 0.2,
    "height": 0.6,
    "width": 0.06,
    "color": "black",
    "n_labels": 4,
    "title_font_size": 18,
    "label_font_size": 16,
}


def scene(
    diagram: PowerDiagram | Solution | BrenierMap,
    values: Any = None,
    *,
    explode: float = 0.0,
    shown: Any = None,
    cmap: Any = "viridis",
    norm: Any = None,
    label: str | None = None,
    off_screen: bool | None = None,
    **kwargs: Any,
) -> Any:
    """Return a PyVista plotter that shows the cells of a power diagram.

    Needs the extra ``view``.

    Parameters
    ----------
    diagram : PowerDiagram, Solution or BrenierMap
        What to show, in the plane or in space.
    values : None, "weights", "masses", "costs" or array_like of shape (n,)
        What colours the cells, as in `power_diagram`.
    explode : float, default 0
        By how much cells move away from the middle, as a share of their distance to it.
    shown : array_like of shape (n,), bool, optional
        Which cells to show; None: all.
    cmap, norm : optional
        As in `power_diagram`.
    label : str, optional
        Title of the colour bar.
    off_screen : bool, optional
        Render without a window, for ``scene.screenshot("cells.png")``; None: as PyVista is set.
    **kwargs
        Settings of the cells, as for `pyvista.Plotter.add_mesh`.

    Returns
    -------
    pyvista.Plotter
        ``show()`` opens it.

    Raises
    ------
    ImportError
        If pyvista is missing.
    ValueError
        If an argument is invalid, or the diagram is on the line.

    Examples
    --------
    >>> import numpy as np
    >>> from geomot import PowerDiagram, plotting
    >>> diagram = PowerDiagram(np.random.default_rng(0).random((20, 3)))
    >>> scene = plotting.scene(diagram, "masses", off_screen=True)  # doctest: +SKIP
    >>> type(scene).__name__  # doctest: +SKIP
    'Plotter'
    >>> scene.close()  # doctest: +SKIP
    """
    pyvista = optional("pyvista", "plotting.scene", "view")
    diagram = as_diagram(diagram, dims=(2, 3))
    if not as_real(explode, "explode") >= 0.0:
        raise ValueError(f"explode must not be negative, got {explode}")
    grid = diagram.to_pyvista()
    settings: dict[str, Any] = {"color": "#9DBAD5", "ambient": 0.35, "scalar_bar_args": dict(_BAR)}
    if values is not None:
        colours = Colours(diagram, values, cmap, norm, label)
        rgba = colours.rgba(grid["site"])
        settings["color"] = None
        if colours.classes is None:
            title = colours.label or "value"
            grid.cell_data[title] = colours.values[grid["site"]]
            low, high = colours.mappable.get_clim()
            settings |= {
                "scalars": title,
                "cmap": colours.mappable.cmap,
                "clim": (low, high),
                "log_scale": norm == "log",
            }
        else:
            grid.cell_data["colour"] = np.round(255.0 * rgba[:, :3]).astype(np.uint8)
            settings |= {"scalars": "colour", "rgb": True}
    if shown is not None:
        grid = grid.extract_cells(np.flatnonzero(np.asarray(shown)[grid["site"]]))
    if explode:
        grid = grid.explode(explode)
    plotter = pyvista.Plotter(off_screen=off_screen)
    plotter.set_background("white")
    plotter.add_mesh(grid, **{**settings, **kwargs})
    return plotter
