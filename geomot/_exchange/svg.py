"""Cells in the plane as a picture in SVG, without matplotlib.

The picture has no background: fills cover the domain, and edges are white, so that it looks alike
on light and on dark pages. If cells are too many to be seen, the picture consists of pixels, each
in the colour of the cell that it lies in, clipped to the domain.
"""

from __future__ import annotations

import base64
import html
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST_PATHS", "draw_cells", "draw_pixels", "shades"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]

# More cells than this are drawn as pixels in notebooks: paths would take hundreds of kilobytes.
MOST_PATHS = 1000
# Sites up to which they are marked.
_MOST_DOTS = 300
# Pixels along the longer side.
_PIXELS = 240
# Standard deviations to each side of the mean that are drawn of a source without a border.
_SHOWN_DEVIATIONS = 3.0
# Values that span more than this factor are shaded by their logarithms.
_DECADES = 100.0
# Values that differ by less than this, relatively, are equal.
_FLAT_VALUES = 1e-6
# Digits after the point of a pixel's coordinates.
_PATH_DIGITS = 2

# Matplotlib's "viridis", dark to bright, at equal distances.
_ANCHORS = (
    "440154",
    "482878",
    "3e4989",
    "31688e",
    "26828e",
    "1f9e89",
    "35b779",
    "6ece58",
    "b5de2b",
)
# Number of shades between them.
_SHADES = 64
# Fractions of the golden ratio are spread evenly, also the first few.
_GOLDEN = 0.5 * (5.0**0.5 - 1.0)


def shades(values: FloatArray) -> IndexArray:
    """Return a shade for each value, from 0 (dark) to 63 (bright).

    Where all values are equal, shades only tell cells apart.
    """
    low, high = float(values.min()), float(values.max())
    if high - low <= _FLAT_VALUES * max(abs(low), abs(high)):
        place = np.arange(len(values)) * _GOLDEN % 1.0
    else:
        positive = values[values > 0.0]
        if low >= 0.0 and high > _DECADES * positive.min():
            values = np.log(np.maximum(values, positive.min()))
            low, high = float(values.min()), float(values.max())
        # halves, so that differences of large numbers are finite
        place = (0.5 * values - 0.5 * low) / (0.5 * high - 0.5 * low)
    return np.minimum((place * _SHADES).astype(np.int64), _SHADES - 1)


def draw_cells(
    diagram: Any, values: FloatArray, width: float, titles: Sequence[str] | None = None
) -> str:
    """Return a picture with a path for each cell.

    Parameters
    ----------
    diagram : PowerDiagram
        In the plane.
    values : ndarray of shape (n,)
        Shown as the colours of the cells.
    width : float
        Of the picture, in pixels; of a high one the height.
    titles : sequence of str, optional
        What browsers show where the mouse rests on a cell.
    """
    cells = diagram.cells
    box = _box(diagram)
    scale, size = _scale(box, width)
    colours = _colours()
    parts = []
    for i, shade in enumerate(shades(values).tolist()):
        rings = cells.outlines(i)
        if not rings:
            continue
        title = "" if titles is None else f"<title>{html.escape(titles[i])}</title>"
        path = _path(rings, box, scale)
        ends = f">{title}</path>" if title else "/>"
        parts.append(f'<path fill="#{colours[shade]}" d="{path}"{ends}')
    paths = "\n".join(parts)
    edges = 'stroke="#fff" stroke-width="0.7" stroke-opacity="0.7" stroke-linejoin="round"'
    return _svg(
        size,
        f'<g {edges} fill-rule="evenodd">\n{paths}\n</g>\n'
        f"{_border(_path(_outlines(diagram.source, box), box, scale))}{_dots(diagram, box, scale)}",
    )


def draw_pixels(diagram: Any, values: FloatArray, width: float) -> str:
    """Return a picture of the cells as pixels, with the arguments of `draw_cells`."""
    box = _box(diagram)
    scale, (across, down) = _scale(box, width)
    longer = max(across, down)
    columns, rows = (max(1, round(_PIXELS * side / longer)) for side in (across, down))
    low, high = box
    x = low[0] + (high[0] - low[0]) * (np.arange(columns) + 0.5) / columns
    y = high[1] - (high[1] - low[1]) * (np.arange(rows) + 0.5) / rows
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    found = diagram.locate(points)
    # the last colour is clear: points that stay, in partial transport
    shade = np.where(found < 0, _SHADES, shades(values)[found]).astype(np.uint8)
    image = base64.b64encode(_png(shade.reshape(rows, columns))).decode()
    outline = _path(_outlines(diagram.source, box), box, scale)
    name = f"geomot-{zlib.crc32(outline.encode()):08x}"
    return _svg(
        (across, down),
        f'<clipPath id="{name}"><path clip-rule="evenodd" d="{outline}"/></clipPath>\n'
        f'<image width="{across:g}" height="{down:g}" preserveAspectRatio="none" '
        f'clip-path="url(#{name})" href="data:image/png;base64,{image}"/>\n'
        f"{_border(outline)}",
    )


def _svg(size: tuple[float, float], content: str) -> str:
    across, down = size
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{across:g}" height="{down:g}" '
        f'viewBox="0 0 {across:g} {down:g}">\n{content}\n</svg>'
    )


def _box(diagram: Any) -> FloatArray:
    """Lower and upper corner of what is drawn."""
    source = diagram.source
    if source.periodic_domain is not None:
        # cells on a torus are whole, and reach beyond the box
        corners = np.concatenate([diagram.cells.vertices, source.bounds])
        return np.stack([corners.min(axis=0), corners.max(axis=0)])
    if np.isfinite(source.bounds).all():
        box: FloatArray = source.bounds
        return box
    reach = _SHOWN_DEVIATIONS * np.sqrt(np.diag(source.covariance))
    return np.stack([source.mean - reach, source.mean + reach])


def _outlines(source: Any, box: FloatArray) -> list[FloatArray]:
    if np.isfinite(source.bounds).all():
        outlines: list[FloatArray] = source.domain.outlines
        return outlines
    (x0, y0), (x1, y1) = box
    return [np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])]


def _scale(box: FloatArray, width: float) -> tuple[float, tuple[float, float]]:
    """Pixels to a unit of length, and width and height in pixels."""
    extent = box[1] - box[0]
    scale = width / float(extent.max())
    across, down = (max(1.0, round(scale * float(side), 1)) for side in extent)
    return scale, (across, down)


def _path(rings: Sequence[FloatArray], box: FloatArray, scale: float) -> str:
    """Closed rings in pixels, from above."""
    texts = []
    for ring in rings:
        x = np.round(scale * (ring[:, 0] - box[0, 0]), _PATH_DIGITS)
        y = np.round(scale * (box[1, 1] - ring[:, 1]), _PATH_DIGITS)
        corners = " ".join(f"{a:.12g} {b:.12g}" for a, b in zip(x, y, strict=True))
        texts.append(f"M{corners}Z")
    return "".join(texts)


def _border(outline: str) -> str:
    """The border of the domain, in the colour of the text around the picture."""
    return f'<path fill="none" stroke="currentColor" stroke-opacity="0.6" d="{outline}"/>'


def _dots(diagram: Any, box: FloatArray, scale: float) -> str:
    """The sites that lie in the picture, if they are few."""
    if len(diagram) > _MOST_DOTS:
        return ""
    low, high = box
    sites = diagram.sites
    seen = ((sites >= low) & (sites <= high)).all(axis=1)
    x = np.round(scale * (sites[seen, 0] - low[0]), _PATH_DIGITS)
    y = np.round(scale * (high[1] - sites[seen, 1]), _PATH_DIGITS)
    dots = "\n".join(f'<circle cx="{a:.12g}" cy="{b:.12g}" r="1.8"/>'
                     for a, b in zip(x, y, strict=True))  # fmt: skip
    return f'\n<g fill="#fff" stroke="#222" stroke-width="0.8">\n{dots}\n</g>'


def _colours() -> list[str]:
    anchors = np.array([[int(text[k : k + 2], 16) for k in (0, 2, 4)] for text in _ANCHORS])
    place = np.linspace(0.0, len(_ANCHORS) - 1.0, _SHADES)
    channels = [np.interp(place, np.arange(len(_ANCHORS)), column) for column in anchors.T]
    return [bytes(colour).hex() for colour in np.round(np.stack(channels, axis=1)).astype(np.uint8)]


def _png(shade: NDArray[np.uint8]) -> bytes:
    """Return a picture of shades as a png file with a palette."""
    rows, columns = shade.shape
    palette = bytes.fromhex("".join(_colours()) + "000000")
    opacity = bytes([255] * _SHADES + [0])
    lines = np.pad(shade, ((0, 0), (1, 0)))  # each row begins with the number of its filter, none
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)),
        (b"PLTE", palette),
        (b"tRNS", opacity),
        (b"IDAT", zlib.compress(lines.tobytes(), 9)),
        (b"IEND", b""),
    )
    written = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)
