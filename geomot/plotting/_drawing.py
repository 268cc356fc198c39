"""What the functions return: the artists that they drew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

__all__ = ["Drawing"]


class Drawing(Mapping[str, Any]):
    """The artists that a function drew, by name, as attributes and as a mapping.

    ``drawing.cells`` and ``drawing["cells"]`` are the same artist; ``list(drawing)`` names those
    that were drawn. Numbers shown as colours are known to the artist: ``figure.colorbar(
    drawing.cells)`` makes a colour bar. ``ax.legend(*drawing.legend_elements())`` makes a legend.

    Attributes
    ----------
    axes : Axes
        Where they were drawn.
    figure : Figure or SubFigure
        The figure of the axes.

    Examples
    --------
    >>> from geomot import PowerDiagram, plotting
    >>> drawing = plotting.power_diagram(PowerDiagram([[0.2, 0.5], [0.6, 0.5]]))
    >>> list(drawing)
    ['cells', 'sites', 'outline']
    >>> drawing.sites.set_color("tab:red")
    >>> drawing.axes.get_xlabel()
    '$x_1$'
    """

    def __init__(
        self,
        axes: Axes,
        artists: Mapping[str, Any],
        legend: tuple[Sequence[Artist], Sequence[str]] = ((), ()),
    ) -> None:
        self.axes = axes
        self.figure = axes.figure
        self._artists = {name: artist for name, artist in artists.items() if artist is not None}
        self._legend = list(legend[0]), list(legend[1])

    def __getitem__(self, name: str) -> Any:
        return self._artists[name]

    def __getattr__(self, name: str) -> Any:
        artists = self.__dict__.get("_artists", {})
        if name in artists:
            return artists[name]
        raise AttributeError(f"there is no artist {name!r}, only: {', '.join(artists)}")

    def __iter__(self) -> Any:
        return iter(self._artists)

    def __len__(self) -> int:
        return len(self._artists)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._artists]

    def __repr__(self) -> str:
        return f"Drawing({', '.join(self._artists)})"

    def legend_elements(self) -> tuple[list[Artist], list[str]]:
        """Return handles and labels for a legend of one's own; none for numbers shown as colours.

        Returns
        -------
        handles : list of Artist
        labels : list of str

        Examples
        --------
        >>> from geomot import PowerDiagram, plotting
        >>> diagram = PowerDiagram([[0.2, 0.5], [0.6, 0.5]])
        >>> drawing = plotting.power_diagram(diagram, ["north", "south"], legend=False)
        >>> legend = drawing.axes.legend(*drawing.legend_elements(), loc="upper left")
        >>> drawing.legend_elements()[1]
        ['north', 'south']
        """
        handles, labels = self._legend
        return list(handles), list(labels)

    def remove(self) -> None:
        """Remove the artists from the axes.

        Examples
        --------
        >>> from geomot import PowerDiagram, plotting
        >>> drawing = plotting.power_diagram(PowerDiagram([[0.2, 0.5], [0.6, 0.5]]))
        >>> drawing.remove()
        >>> len(drawing.axes.collections)
        0
        """
        for artist in self._artists.values():
            for part in artist if isinstance(artist, list) else [artist]:
                part.remove()
        self._artists = {}
