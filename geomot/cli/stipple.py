"""The command stipple: draw a picture with dots of the same size."""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

import geomot
from geomot._files.replacing import replacing_figure, replacing_text
from geomot._stderr import is_terminal
from geomot.cli._shared import (
    EXIT_NOT_CONVERGED,
    EXIT_OK,
    BadInput,
    check_folder,
    check_seed,
    check_suffix,
    complain,
    refuse_overwriting,
)

if TYPE_CHECKING:
    from geomot.quantization import Quantization

__all__ = ["add"]

# Pixels per inch of png files.
_DPI = 300
# Inches: what widths may be.
_WIDTHS = 1.0, 40.0


def add(commands: Any) -> None:
    """Add the command's arguments to a parser."""
    stipple = commands.add_parser(
        "stipple",
        help="draw a picture with dots",
        description="Draw a picture with black dots of the same size, each for the same share of "
        "its darkness, placed by optimal transport (blue noise).",
    )
    stipple.add_argument("image", metavar="IMAGE", help="a picture; colours count by luminance")
    stipple.add_argument(
        "-o", "--output", required=True, help="a .svg, .pdf or .png file, or a .csv of the points"
    )
    stipple.add_argument("-n", type=int, default=5000, metavar="N", help="number of dots (5000)")
    stipple.add_argument(
        "--invert", action="store_true", help="white dots on black, where the picture is bright"
    )
    stipple.add_argument(
        "--size",
        type=float,
        default=1.0,
        metavar="S",
        help="diameter of the dots; at 1, the default, they cover the same share of the paper as "
        "the ink of the picture, if they do not overlap",
    )
    stipple.add_argument(
        "--width", type=float, default=7.0, metavar="W", help="width in inches (7)"
    )
    stipple.add_argument("--seed", type=int, default=0, help="seed of the start (0)")
    stipple.add_argument(
        "--tol",
        type=float,
        default=0.02,
        help="root mean square distance of the dots from the centroids of their cells, relative "
        "to the radius of the cells (0.02)",
    )
    stipple.add_argument("--max-iter", type=int, default=200, metavar="K", help="most steps (200)")
    stipple.add_argument("--threads", type=int, metavar="T", help="threads (default: all cores)")
    stipple.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    suffix = check_suffix(args.output, (".svg", ".pdf", ".png", ".csv"))
    check_folder(args.output)
    refuse_overwriting([args.output], [args.image])
    check_seed(args.seed)
    if args.n < 1:
        raise BadInput(f"-n must be at least 1, got {args.n}")
    if not (0.0 < args.size < np.inf):
        raise BadInput(f"--size must be positive, got {args.size:g}")
    least, most = _WIDTHS
    if not least <= args.width <= most:
        raise BadInput(f"--width must lie between {least:g} and {most:g}, got {args.width:g}")
    ink = _brightness(args.image)
    if not args.invert:
        ink = 1.0 - ink
    if not ink.any():
        tone = "black" if args.invert else "white"
        raise BadInput(f"{args.image}: is {tone} everywhere, so there is nothing to draw")
    start = time.perf_counter()
    found = _points(args, ink)
    seconds = time.perf_counter() - start
    height, width = ink.shape
    radius = args.size * float(np.sqrt(ink.sum() / (np.pi * args.n)))
    colours = ("black", "white") if args.invert else ("white", "black")
    if suffix == ".csv":
        rows = "\n".join(f"{x:.17g},{y:.17g}" for x, y in found.points)
        replacing_text(args.output, f"x,y\n{rows}\n")
    elif suffix == ".svg":
        replacing_text(
            args.output, _svg(found.points, radius, (width, height), args.width, colours)
        )
    else:
        _draw(args.output, suffix, found.points, radius, (width, height), args.width, colours)
    sys.stdout.write(
        f"{args.output}: {args.n} dots, {found.n_iter} steps, {100 * found.gradient_norm:.2g} % "
        f"of a cell's radius from centroids, {seconds:.2f} s\n"
    )
    if found.converged:
        return EXIT_OK
    return complain(
        "geomot stipple",
        f"not converged ({found.status}): tolerance {args.tol:.2g}; the picture was written",
        EXIT_NOT_CONVERGED,
    )


def _brightness(path: str) -> np.ndarray:
    """Grey values from 0 to 1, shape (height, width), the upper row first; on white paper."""
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ImportError:
        raise ImportError("geomot stipple needs Pillow: pip install pillow") from None

    try:
        with Image.open(path) as opened:
            picture = ImageOps.exif_transpose(opened)
            if picture.mode == "F" or picture.mode.startswith("I"):
                values = np.asarray(picture.convert("F"), dtype=np.float64)
                most = 65535.0 if picture.mode.startswith("I") else 1.0
                return np.clip(values / most, 0.0, 1.0)
            clear = picture.convert("RGBA")
    except UnidentifiedImageError:
        raise BadInput(f"{path}: is not a picture, or is damaged") from None
    except (SyntaxError, Image.DecompressionBombError) as error:
        raise BadInput(f"{path}: cannot be read: {error}") from None
    paper = Image.new("RGBA", clear.size, "white")
    grey = Image.alpha_composite(paper, clear).convert("L")
    return np.asarray(grey, dtype=np.float64) / 255.0


def _points(args: argparse.Namespace, ink: np.ndarray) -> Quantization:
    """Points of equal shares of the ink, in pixels, from below and from the left."""
    height, width = ink.shape
    source = geomot.GridDensity(ink.T[:, ::-1], [0.0, 0.0], [float(width), float(height)])
    with warnings.catch_warnings():
        # The exit code and the last line say it already.
        warnings.simplefilter("ignore", geomot.ConvergenceWarning)
        return geomot.quantize(
            source,
            args.n,
            masses="equal",
            tol=args.tol,
            max_iter=args.max_iter,
            random_state=args.seed,
            threads=args.threads,
            progress=is_terminal(),
        )


def _svg(
    points: np.ndarray,
    radius: float,
    size: tuple[int, int],
    inches: float,
    colours: Sequence[str],
) -> str:
    """The dots as circles, in pixels."""
    width, height = size
    paper, ink = colours
    dots = "\n".join(f'<circle cx="{x:.3f}" cy="{height - y:.3f}" r="{radius:.3f}"/>'
                     for x, y in points)  # fmt: skip
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{inches:g}in" height="{inches * height / width:.4g}in">\n'
        f'<rect width="{width}" height="{height}" fill="{paper}"/>\n'
        f'<g fill="{ink}">\n{dots}\n</g>\n</svg>\n'
    )


def _draw(
    path: str,
    suffix: str,
    points: np.ndarray,
    radius: float,
    size: tuple[int, int],
    inches: float,
    colours: Sequence[str],
) -> None:
    """The dots by matplotlib, without pyplot."""
    from matplotlib.collections import EllipseCollection
    from matplotlib.figure import Figure

    width, height = size
    paper, ink = colours
    figure = Figure(figsize=(inches, inches * height / width), facecolor=paper)
    ax = figure.add_axes((0.0, 0.0, 1.0, 1.0), xlim=(0, width), ylim=(0, height))
    ax.set_axis_off()
    diameters = np.full(len(points), 2.0 * radius)
    ax.add_collection(
        EllipseCollection(
            diameters,
            diameters,
            np.zeros(len(points)),
            units="x",
            offsets=points,
            offset_transform=ax.transData,
            facecolor=ink,
            edgecolor="none",
        )
    )
    # The same picture gives the same bytes: no dates.
    dates = {"CreationDate": None} if suffix == ".pdf" else None
    replacing_figure(path, figure, dpi=_DPI, metadata=dates)
