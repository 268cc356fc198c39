"""The command plot: draw a map."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import geomot
from geomot._files.replacing import replacing_figure
from geomot.cli._shared import (
    EXIT_OK,
    BadInput,
    check_folder,
    check_suffix,
    refuse_overwriting,
)
from geomot.cli._tables import file_of, read_names, read_values

if TYPE_CHECKING:
    from geomot.solution import Solution

__all__ = ["add"]

# What can be drawn, and in which dimensions; None stands for all.
_KINDS = {
    "diagram": (1, 2, 3),
    "potential": (1, 2),
    "contours": (2,),
    "map": (1, 2),
    "density": (1, 2),
    "distribution": (1,),
    "sites": None,
    "masses": None,
    "convergence": None,
}
_PLACES = {
    (1, 2, 3): "on the line, in the plane or in space",
    (1, 2): "on the line or in the plane",
    (2,): "in the plane",
    (1,): "on the line",
}

# The kinds that options apply to; the others apply to all.
_APPLIES = {
    "color": ("diagram", "potential", "sites"),
    "cmap": ("diagram", "potential", "contours", "sites"),
    "label": ("diagram", "potential", "contours", "sites"),
    "names": ("diagram", "sites"),
    "links": ("diagram",),
    "triangulation": ("diagram",),
    "no_sites": ("diagram",),
    "cut": ("diagram",),
    "explode": ("diagram",),
    "samples": ("map",),
    "seed": ("map",),
}

# Inches: widths of figures with one panel and with two, and what sizes may be.
_WIDTH, _WIDE = 5.2, 8.4
_SIZES = 1.0, 40.0


def add(commands: Any) -> None:
    """Add the command's arguments to a parser."""
    plot = commands.add_parser(
        "plot", help="draw a map", description="Draw a map into a png, svg or pdf file."
    )
    plot.add_argument("map", metavar="MAP", help="a map that `geomot fit` wrote")
    plot.add_argument("-o", "--output", required=True, help="a .png, .svg or .pdf file")
    plot.add_argument(
        "--kind",
        choices=tuple(_KINDS),
        default="diagram",
        help="what to draw (diagram); in any dimension: sites, masses, convergence; on the line: "
        "distribution; in the plane: contours; others on both, a diagram also in space",
    )
    plot.add_argument(
        "--color",
        metavar="WHAT",
        help="weights, masses, costs, or a file with one number or class per site (FILE:COLUMN if "
        "it has several columns or arrays); of a diagram, a potential or sites",
    )
    plot.add_argument("--cmap", help="colormap of numbers, by its name in matplotlib (viridis)")
    plot.add_argument("--label", metavar="TEXT", help="title of the colour bar or legend")
    plot.add_argument(
        "--names",
        metavar="FILE",
        help="a file with one name per site, or FILE:COLUMN, written at the sites",
    )
    plot.add_argument(
        "--links",
        action=argparse.BooleanOptionalAction,
        help="draw lines from sites to the centroids of their cells (default: from sites outside "
        "their own cells, if there are few)",
    )
    plot.add_argument("--triangulation", action="store_true", help="draw the dual triangulation")
    plot.add_argument("--no-sites", action="store_true", help="leave the sites out")
    plot.add_argument(
        "--cut",
        metavar="AXIS[=PLACE]",
        help="in space: where the cells meet a plane, as in z or x=0.3 (default for more than 100 "
        "cells: z, through the middle)",
    )
    plot.add_argument(
        "--explode",
        type=float,
        metavar="SHARE",
        help="in space: draw the cells as polyhedra, so far apart (default for up to 100: 0.3)",
    )
    plot.add_argument("--samples", type=int, metavar="N", help="samples of a map (1000)")
    plot.add_argument("--seed", type=int, help="seed of the samples (0)")
    plot.add_argument("--title", help="title of the figure")
    plot.add_argument(
        "--size",
        metavar="W[xH]",
        help="width of the figure in inches, or width and height, as in 3.3 or 7x4; the height "
        "fits the domain",
    )
    plot.add_argument("--dpi", type=float, default=200, help="pixels per inch (200)")
    plot.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    check_suffix(args.output, (".png", ".svg", ".pdf"))
    check_folder(args.output)
    refuse_overwriting([args.output], [args.map, file_of(args.color), file_of(args.names)])
    if not 10 <= args.dpi <= 2400:
        raise BadInput(f"--dpi must lie between 10 and 2400, got {args.dpi:g}")
    size = _size(args.size)
    _refuse_what_does_not_apply(args)
    solution = geomot.Solution.load(args.map)
    _check_dimension(args, solution)
    figure = _draw(args, solution, size)
    if args.title:
        figure.suptitle(args.title)
    # The same map gives the same bytes: no dates, no random identifiers.
    dates = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    import matplotlib as mpl

    with mpl.rc_context({"svg.hashsalt": "geomot"}):
        suffix = Path(args.output).suffix.lower()
        replacing_figure(args.output, figure, dpi=args.dpi, metadata=dates.get(suffix))
    return EXIT_OK


def _size(text: str | None) -> tuple[float, float | None] | None:
    """Width and height in inches; the height is None if it is to fit."""
    if text is None:
        return None
    number = r"(\d+\.?\d*|\.\d+)"
    found = re.fullmatch(rf"{number}(?:[x,]{number})?", text.strip())
    sides = [float(side) for side in found.groups() if side] if found else []
    least, most = _SIZES
    if not sides or not all(least <= side <= most for side in sides):
        raise BadInput(
            f"--size must be a width in inches or a width and a height, as in 3.3 or 7x4, each "
            f"between {least:g} and {most:g}, got {text}"
        )
    return sides[0], sides[1] if len(sides) > 1 else None


def _refuse_what_does_not_apply(args: argparse.Namespace) -> None:
    for name, kinds in _APPLIES.items():
        value = getattr(args, name)
        option = "--" + name.replace("_", "-")
        if value is None or (value is False and name != "links"):
            continue
        if args.kind not in kinds:
            others = " and ".join(filter(None, [", ".join(kinds[:-1]), kinds[-1]]))
            raise BadInput(f"{option} does not apply to --kind {args.kind}, only to {others}")
        coloured = args.kind == "contours" or args.color is not None
        by_height = args.kind == "potential" and name == "cmap"
        if name in ("cmap", "label") and not (coloured or by_height):
            raise BadInput(f"{option} applies to a {args.kind} with --color")


def _check_dimension(args: argparse.Namespace, solution: Solution) -> None:
    dim, dims = solution.sites.shape[1], _KINDS[args.kind]
    if dims is not None and dim not in dims:
        raise BadInput(
            f"--kind {args.kind} needs sites {_PLACES[dims]}, and {args.map} has {dim} "
            "dimension(s): --kind sites, masses and convergence work in any"
        )
    if args.kind == "diagram" and dim == 3:
        for name in ("names", "links", "triangulation"):
            if getattr(args, name):
                raise BadInput(f"--{name} does not apply to --kind {args.kind} in space")
        if args.cut is not None and args.explode is not None:
            raise BadInput("--cut and --explode exclude each other")
    elif args.cut is not None or args.explode is not None:
        raise BadInput("--cut and --explode apply to maps in space")
    if dim == 1:
        for name in ("samples", "seed", "color", "cmap", "label"):
            drawn_at_random = name in ("samples", "seed")
            if getattr(args, name) is not None and (drawn_at_random or args.kind == "potential"):
                raise BadInput(f"--{name} does not apply to --kind {args.kind} on the line")


def _draw(
    args: argparse.Namespace, solution: Solution, size: tuple[float, float | None] | None
) -> Any:
    """The figure, without pyplot: no display is looked for, and no state is left behind."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    from geomot import plotting
    from geomot.plotting.space import EXPLODED

    if args.cmap is not None and args.cmap not in mpl.colormaps:
        raise BadInput(
            f"--cmap must be a colormap of matplotlib, such as viridis, cividis or magma, "
            f"got {args.cmap}"
        )
    n, dim = solution.sites.shape
    values = args.color
    if values is not None and values not in ("weights", "masses", "costs"):
        values = read_values(values, n)
    names = None if args.names is None else read_names(args.names, n)
    look = {"cmap": args.cmap, "label": args.label}
    given = {name: value for name, value in look.items() if value is not None}
    with plotting.style():
        figure = Figure(figsize=_figure_size(args, solution, size), layout="compressed")
        if args.kind == "map" and dim == 2:
            plotting.transport_map(
                solution,
                1000 if args.samples is None else args.samples,
                random_state=args.seed or 0,
                axes=figure.subplots(ncols=2),
            )
            return figure
        cut = _cut(args, solution) if args.kind == "diagram" and dim == 3 else None
        in_space = (args.kind == "potential" and dim == 2) or (
            args.kind == "diagram" and dim == 3 and cut is None
        )
        ax = figure.add_subplot(projection="3d" if in_space else None)
        drawing = None
        if cut is not None:
            drawing = plotting.planar_cut(solution, values, **cut, ax=ax, **given)
        elif args.kind == "diagram" and dim == 3:
            explode = EXPLODED if args.explode is None else args.explode
            drawing = plotting.solid_cells(solution, values, explode=explode, ax=ax, **given)
        elif args.kind == "diagram":
            drawing = plotting.power_diagram(
                solution,
                values,
                sites=not args.no_sites,
                names=names,
                links=args.links,
                triangulation=args.triangulation,
                ax=ax,
                **given,
            )
        elif args.kind == "potential":
            drawing = plotting.brenier_potential(solution, values, ax=ax, **given)
        elif args.kind == "contours":
            plotting.brenier_contours(solution, ax=ax, **given)
        elif args.kind == "map":
            plotting.monotone_map(solution, ax=ax)
        elif args.kind == "density":
            plotting.source_density(solution.source, ax=ax)
        elif args.kind == "distribution":
            plotting.distribution_functions(solution, ax=ax)
        elif args.kind == "sites":
            drawing = plotting.site_cloud(solution, values, names=names, ax=ax, **given)
        elif args.kind == "masses":
            plotting.mass_errors(solution, ax=ax)
        else:
            plotting.convergence(solution, ax=ax)
    if args.cmap is not None and drawing is not None and "legend" in drawing:
        raise BadInput("--cmap applies to numbers, and --color names classes")
    return figure


def _cut(args: argparse.Namespace, solution: Solution) -> dict[str, Any] | None:
    """The plane that cuts a diagram in space; None if its cells are drawn whole."""
    from geomot.plotting.space import MOST_SOLIDS

    if args.cut is None:
        whole = args.explode is not None or len(solution.sites) <= MOST_SOLIDS
        return None if whole else {}
    name, _, place = args.cut.strip().lower().partition("=")
    if name not in tuple("xyz"):
        raise BadInput(f"--cut must be x, y or z, or have a place as in x=0.3, got {args.cut}")
    axis = "xyz".index(name)
    if not place:
        return {"axis": axis}
    low, high = solution.source.bounds[:, axis]
    try:
        position = float(place)
    except ValueError:
        position = np.nan
    if not low < position < high:
        raise BadInput(
            f"--cut {args.cut}: the place must be a number between {low:g} and {high:g}, where the "
            "domain is"
        )
    return {"axis": axis, "position": position}


def _figure_size(
    args: argparse.Namespace, solution: Solution, size: tuple[float, float | None] | None
) -> tuple[float, float]:
    """Width and height of the figure: as given, or of the shape of the domain."""
    from geomot.plotting._axes import figure_size

    columns = 2 if args.kind == "map" and solution.sites.shape[1] == 2 else 1
    width, height = size or (_WIDE if columns == 2 else _WIDTH, None)
    if height is not None:
        return width, height
    bounds = None
    cut = args.kind == "diagram" and solution.sites.shape[1] == 3 and _cut(args, solution)
    if isinstance(cut, dict):
        bounds = np.delete(solution.source.bounds, cut.get("axis", 2), axis=1)
    if solution.sites.shape[1] == 2:
        if args.kind in ("diagram", "contours", "map", "density"):
            bounds = solution.source.bounds
        if args.kind == "sites" or (bounds is not None and not np.isfinite(bounds).all()):
            bounds = np.array([solution.sites.min(axis=0), solution.sites.max(axis=0)])
    bar = args.kind == "contours" or args.color is not None
    return figure_size(bounds, width, columns=columns, bar=bar)
