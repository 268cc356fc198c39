"""Grids of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np

from geomot._constants import IMAGE_CHANNELS
from geomot._validation import as_count, as_real_array
from geomot.plotting._axes import new_axes
from geomot.plotting._drawing import Drawing
from geomot.plotting._palette import GREY

if TYPE_CHECKING:
    from matplotlib.axes import Axes


__all__ = ["image_grid"]


_BLANK = "#DBE3EB"  # between images


def image_grid(
    images: Any,
    *,
    columns: int | None = None,
    shape: tuple[int, int] | None = None,
    row_labels: Sequence[str] | None = None,
    gap: int = 1,
    cmap: Any = GREY,
    vmin: float | None = None,
    vmax: float | None = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Drawing:
    """Draw images side by side, row by row: generated samples, or steps of an interpolation.

    Parameters
    ----------
    images : array_like of shape (n, height, width), (n, height * width) or (n, c, height, width)
        Grey values; with three or four channels red, green and blue, the fourth being left out.
    columns : int, optional
        Images per row; None makes the grid about square.
    shape : (int, int), optional
        Height and width of flat images; None takes them to be square.
    row_labels : sequence of str, optional
        One text beside each row.
    gap : int, default 1
        Pixels left blank between images.
    cmap : str or Colormap, default "gray"
        Colours of grey values: black where they are small, as `geomot.images.save_grid` has it.
    vmin, vmax : float, optional
        Values of the ends of `cmap`, or of a channel; None takes the extremes of the images.
    ax : Axes, optional
        Where to draw; None makes a figure. They are cleared of ticks and frames.
    **kwargs
        Settings of the image, as for `matplotlib.axes.Axes.imshow`.

    Returns
    -------
    Drawing
        Artist image: all of them as one.

    Raises
    ------
    ValueError
        If the images have no shape that is known, or there are not as many labels as rows.

    Examples
    --------
    >>> import numpy as np
    >>> from geomot import plotting
    >>> images = np.random.default_rng(0).random((6, 8, 8))
    >>> drawing = plotting.image_grid(images, columns=3, row_labels=["first", "second"])
    >>> drawing.image.get_array().shape
    (17, 26)
    """
    stack = _as_images(images, shape)
    n, channels, height, width = stack.shape
    gap = as_count(gap, "gap", 0)
    columns = int(np.ceil(np.sqrt(n))) if columns is None else as_count(columns, "columns", 1)
    rows = -(-n // columns)
    if row_labels is not None and len(row_labels) != rows:
        raise ValueError(f"row_labels must have {rows} entries, got {len(row_labels)}")
    tile_h, tile_w = height + gap, width + gap
    canvas = np.full((rows * tile_h - gap, columns * tile_w - gap, channels), np.nan)
    for k, image in enumerate(stack):
        top, left = (k // columns) * tile_h, (k % columns) * tile_w
        canvas[top : top + height, left : left + width] = np.moveaxis(image, 0, -1)
    if ax is None:
        ax = new_axes(np.array([[0.0, 0.0], canvas.shape[1::-1]]))
    if channels == 1:
        colours = mpl.colormaps[cmap] if isinstance(cmap, str) else cmap
        # Blank pixels differ from the images' own background, so that each image is seen as one.
        settings = {"vmin": vmin, "vmax": vmax, "interpolation": "nearest", **kwargs}
        image = ax.imshow(
            np.ma.masked_invalid(canvas[..., 0]),
            cmap=colours.with_extremes(bad=_BLANK),
            **settings,
        )
    else:
        low = float(stack.min()) if vmin is None else vmin
        high = float(stack.max()) if vmax is None else vmax
        shown = np.clip((canvas - low) / ((high - low) or 1.0), 0.0, 1.0)
        blank = mpl.colors.to_rgb(_BLANK)
        image = ax.imshow(
            np.where(np.isnan(shown), blank, shown), **{"interpolation": "nearest", **kwargs}
        )
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    if row_labels is not None:
        ax.set_yticks(np.arange(rows) * tile_h + (height - 1) / 2, row_labels)
        ax.tick_params(axis="y", length=0)
    return Drawing(ax, {"image": image})


def _as_images(images: Any, shape: tuple[int, int] | None) -> np.ndarray:
    array = as_real_array(images, "images")
    if array.ndim == 2:
        if shape is None:
            side = int(np.rint(array.shape[1] ** 0.5))
            if side * side != array.shape[1]:
                raise ValueError(
                    f"shape must be given for images that are not square, got {array.shape[1]} "
                    "pixels: pass shape=(height, width)"
                )
            shape = (side, side)
        if shape[0] * shape[1] != array.shape[1]:
            raise ValueError(f"shape must be that of {array.shape[1]} pixels, got {shape}")
        array = array.reshape(len(array), *shape)
    if array.ndim == 3:
        array = array[:, None]
    if array.ndim != 4 or 0 in array.shape:
        raise ValueError(
            "images must have shape (n, height, width) or (n, channels, height, width), "
            f"got {array.shape}"
        )
    if array.shape[1] not in IMAGE_CHANNELS:
        raise ValueError(f"images must have 1, 3 or 4 channels, got {array.shape[1]}")
    return array[:, :3]
