"""The style of geomot's figures, as settings of matplotlib."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType

import matplotlib as mpl
from matplotlib import cycler

from geomot._validation import as_tolerance
from geomot.plotting._palette import GREY, TEN_COLOURS

__all__ = ["Style", "style"]

# Width and height of figures, as a rule.
_SHAPE = 1.0, 0.75

_RC = {
    "axes.prop_cycle": cycler(color=TEN_COLOURS),
    "image.cmap": GREY,
    # Thin frames without their upper and right sides; marks of print.
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 1.5,
    "ytick.minor.size": 1.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 4.0,
    "grid.linewidth": 0.5,
    "grid.alpha": 0.4,
    "axes.axisbelow": True,
    # Sizes are relative: they follow `font.size`, as names of fonts are left to the user.
    "axes.titlesize": "medium",
    "axes.labelsize": "medium",
    "figure.titlesize": "medium",
    "xtick.labelsize": "small",
    "ytick.labelsize": "small",
    "legend.fontsize": "small",
    "legend.title_fontsize": "small",
    "legend.frameon": False,
    "axes.formatter.use_mathtext": True,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.w_pad": 0.03,
    "figure.constrained_layout.h_pad": 0.03,
    # Letters in pdf files stay letters, of a kind that journals accept.
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
}


class Style(dict):
    """Settings of matplotlib that are also a context manager."""

    def __enter__(self) -> Style:
        self._context: AbstractContextManager[None] = mpl.rc_context(self)
        self._context.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._context.__exit__(kind, error, trace)


def style(width: float | None = None) -> Style:
    """Return the style of geomot's figures, for a ``with`` statement or for a whole script.

    It sets thin frames, ten colours that readers with colour blindness can tell apart, grey images
    of which large values are white, and a layout in which labels are not cut. It names no font and
    no font size: titles and labels are sized relative to the `font.size` of the user, and no colour
    of text, frames or backgrounds is set, so that dark styles remain dark.

    Parameters
    ----------
    width : float, optional
        Width of figures in inches, such as 3.3 for a column and 7 for a page of a journal; their
        height is three quarters of it. None keeps the user's `figure.figsize`.

    Returns
    -------
    Style
        A dictionary of `matplotlib.rcParams` that is also a context manager.

    Raises
    ------
    ValueError
        If `width` is not positive.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from geomot import plotting
    >>> with plotting.style(width=3.3):
    ...     figure, ax = plt.subplots()
    >>> figure.get_size_inches().round(3).tolist()
    [3.3, 2.475]
    >>> bool(ax.spines["top"].get_visible())
    False

    For all figures of a script: ``plt.style.use(plotting.style())``.
    """
    rc = Style(_RC)
    if width is not None:
        inches = as_tolerance(width, "width")
        rc["figure.figsize"] = tuple(inches * side for side in _SHAPE)
    return rc
