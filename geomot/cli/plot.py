"""The command plot: draw a map."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import geomot
from geomot._files.replacing import replacing_figure
from geomot.cli._shared import (
    EXIT_OK,
    BadInput,
    check_folder,
    check_suffix,
    refuse_overwriting,
)
from geomot.cli._tables import file_of, read_values

__all__ = ["add"]


def add(commands: Any) -> None:
    """Add the command's arguments to a parser."""
    plot = commands.add_parser(
        "plot", help="draw a map", description="Draw a map into a png, svg or pdf file."
    )
    plot.add_argument("map", metavar="MAP", help="a map that `geomot fit` wrote")
    plot.add_argument("-o", "--output", required=True, help="a .png, .svg or .pdf file")
    plot.add_argument(
        "--kind",
        choices=("diagram", "potential", "contours", "map", "sites", "masses", "convergence"),
        default="diagram",
        help="what to draw (diagram); in any dimension: sites, masses, convergence",
    )
    plot.add_argument(
        "--color",
        metavar="WHAT",
        help="weights, masses, costs, or a file with one number or class per site (FILE:COLUMN if "
        "it has several columns or arrays)",
    )
    plot.add_argument("--triangulation", action="store_true", help="draw the dual triangulation")
    plot.add_argument("--no-sites", action="store_true", help="leave the sites out")
    plot.add_argument("--samples", type=int, default=1000, metavar="N", help="samples of a map")
    plot.add_argument("--seed", type=int, default=0, help="seed of the samples (0)")
    plot.add_argument("--title", help="title of the figure")
    plot.add_argument("--dpi", type=float, default=200, help="pixels per inch (200)")
    plot.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    check_suffix(args.output, (".png", ".svg", ".pdf"))
    check_folder(args.output)
    refuse_overwriting([args.output], [args.map, file_of(args.color)])
    if not 10 <= args.dpi <= 2400:
        raise BadInput(f"--dpi must lie between 10 and 2400, got {args.dpi:g}")
    if args.color is not None and args.kind in ("contours", "map", "masses", "convergence"):
        raise BadInput(f"--color does not apply to --kind {args.kind}")
    solution = geomot.Solution.load(args.map)
    dim = solution.sites.shape[1]
    if dim != 2 and args.kind in ("diagram", "potential", "contours", "map"):
        raise BadInput(
            f"--kind {args.kind} needs sites in the plane, and {args.map} has {dim} dimension(s): "
            "--kind sites, masses and convergence work in any"
        )
    values = args.color
    if values is not None and values not in ("weights", "masses", "costs"):
        values = read_values(values, len(solution.sites))

    # Figures without pyplot: no display is looked for, and no state is left behind.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    from geomot import plotting

    figure = Figure(figsize=(8.4 if args.kind == "map" else 5.2, 4.2), layout="compressed")
    if args.kind == "diagram":
        plotting.power_diagram(
            solution,
            values,
            sites=not args.no_sites,
            triangulation=args.triangulation,
            ax=figure.subplots(),
        )
    elif args.kind == "potential":
        plotting.brenier_potential(solution, values, ax=figure.add_subplot(projection="3d"))
    elif args.kind == "contours":
        plotting.brenier_contours(solution, ax=figure.subplots())
    elif args.kind == "map":
        plotting.transport_map(
            solution, args.samples, random_state=args.seed, ax=figure.subplots(ncols=2)
        )
    elif args.kind == "sites":
        plotting.site_cloud(solution, values, ax=figure.subplots())
    elif args.kind == "masses":
        plotting.mass_errors(solution, ax=figure.subplots())
    else:
        plotting.convergence(solution, ax=figure.subplots())
    if args.title:
        figure.suptitle(args.title)
    # The same map gives the same bytes: no dates, no random identifiers.
    dates = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    with mpl.rc_context({"svg.hashsalt": "geomot"}):
        suffix = Path(args.output).suffix.lower()
        replacing_figure(args.output, figure, dpi=args.dpi, metadata=dates.get(suffix))
    return EXIT_OK
