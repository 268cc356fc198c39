"""The command info: describe a map."""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

import geomot
from geomot._files.replacing import replacing_text
from geomot.cli._shared import EXIT_OK, BadInput, check_folder, one_sided, refuse_overwriting
from geomot.cli._tables import file_of, read_names

if TYPE_CHECKING:
    from geomot.solution import Solution

__all__ = ["add"]


def add(commands: Any) -> None:
    """Add the command's arguments to a parser."""
    info = commands.add_parser(
        "info", help="describe a map", description="Show what a map file contains."
    )
    info.add_argument("map", metavar="MAP", help="a map that `geomot fit` wrote")
    info.add_argument("--json", action="store_true", help="print JSON")
    info.add_argument(
        "--table",
        metavar="CSV",
        help="also write a table with a row for each site: its place, its mass and what it should "
        "be, power weight, and the centroid of its cell",
    )
    info.add_argument(
        "--names",
        metavar="FILE",
        help="a file with one name per site, or FILE:COLUMN, for the table",
    )
    info.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    if args.names is not None and args.table is None:
        raise BadInput("--names needs --table")
    if args.table is not None:
        check_folder(args.table)
        refuse_overwriting([args.table], [args.map, file_of(args.names)])
    solution = geomot.Solution.load(args.map)
    if args.table is not None:
        names = None if args.names is None else read_names(args.names, len(solution.sites))
        replacing_text(args.table, _table(solution, names))
    facts = _facts(solution)
    if args.json:
        sys.stdout.write(json.dumps(facts, indent=2) + "\n")
        return EXIT_OK
    for key, value in facts.items():
        text = (
            f"[{_text(value[0])}, {_text(value[1])}]" if isinstance(value, list) else _text(value)
        )
        sys.stdout.write(f"{key:36} {text}\n")
    return EXIT_OK


def _table(solution: Solution, names: list[str] | None) -> str:
    """Rows of comma-separated values, numbers with all their digits."""
    axes = range(1, solution.sites.shape[1] + 1)
    titles = [] if names is None else ["name"]
    titles += [f"y{k}" for k in axes]
    titles += ["target_mass", "mass", "weight", *(f"centroid{k}" for k in axes)]
    numbers = np.column_stack(
        [
            solution.sites,
            solution.target_masses,
            solution.masses,
            solution.weights,
            solution.centroids,
        ]
    )
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(titles)
    for k, row in enumerate(numbers.tolist()):
        rows.writerow(row if names is None else [names[k], *row])
    return text.getvalue()


def _text(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _facts(solution: Solution) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "sites": len(solution.sites),
        "dimensions": solution.sites.shape[1],
        "source": repr(solution.source),
        "method": solution.method,
        "status": solution.status,
        "steps": solution.n_iter,
        "tolerance": solution.tol,
        "mass error": solution.mass_error,
        "rounded mass error": solution.rounded_mass_error,
        "W2^2": solution.cost,
        "bracket": list(solution.bracket),
    }
    estimate = solution.estimate
    if estimate is not None:
        facts |= {
            "level of each bound": 0.01 * one_sided(solution),
            "W2^2 standard error": estimate.cost_standard_error,
            "total variation": estimate.tv,
            "total variation interval": list(estimate.tv_interval),
            "level of the interval": estimate.confidence,
            "total variation of sampling noise": estimate.tv_floor,
            "chi^2": estimate.chi2,
            "chi^2 standard error": estimate.chi2_standard_error,
            "mass error standard error": estimate.mass_error_standard_error,
            "samples fitted": estimate.n_fit_samples,
            "samples tested": estimate.n_samples,
            "cost of the map": estimate.map_cost,
            "cost of the map standard error": estimate.map_cost_standard_error,
        }
    return facts
