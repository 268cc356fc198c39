"""The command fit: compute the map from a domain onto points."""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import geomot
from geomot.cli._domains import DOMAINS, read_source
from geomot.cli._files import read_table, read_vector
from geomot.cli._shared import (
    EXIT_NOT_CONVERGED,
    EXIT_OK,
    BadInput,
    check_folder,
    check_seed,
    complain,
    describe_error,
    one_sided,
)
from geomot.distributed import initialise

if TYPE_CHECKING:
    from geomot.solution import Solution

__all__ = ["add"]


def add(commands: Any) -> None:
    """Add the command's arguments to a parser."""
    fit = commands.add_parser(
        "fit",
        help="compute the map from a domain onto points",
        description="Compute the optimal map from a continuous measure onto points.",
        epilog=DOMAINS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    fit.add_argument("file", metavar="FILE", help="the sites, one per row")
    fit.add_argument("-o", "--output", metavar="MAP", required=True, help="where to write the map")
    fit.add_argument(
        "--masses",
        metavar="FILE|COLUMN",
        help="masses of the sites: a file, or a column of FILE (number from 1, or name)",
    )
    fit.add_argument("--normalize", action="store_true", help="divide the masses by their sum")
    fit.add_argument("--array", metavar="NAME", help="which array of an npz FILE holds the sites")
    fit.add_argument("--domain", metavar="DOMAIN", default="unit", help="source measure; see below")
    fit.add_argument(
        "--method",
        choices=("auto", "quantile", "newton", "montecarlo"),
        default="auto",
        help="quantile is exact on the line, newton in the plane, montecarlo samples the source; "
        "auto (the default) is exact where it can be",
    )
    fit.add_argument(
        "--tol",
        type=float,
        help="exact: largest relative error of a mass (1e-9); Monte Carlo: largest total variation "
        "between the masses and their targets (0.01)",
    )
    fit.add_argument("--max-iter", type=int, metavar="K", help="most steps")
    fit.add_argument("--seed", type=int, help="seed of Monte Carlo: the same map each time")
    fit.add_argument("--threads", type=int, metavar="T", help="threads (all cores)")
    fit.add_argument(
        "--checkpoint", metavar="FILE", help="where to save what has been reached, now and then"
    )
    fit.add_argument(
        "--device", metavar="NAME", help="device of torch for Monte Carlo, such as cuda"
    )
    fit.add_argument(
        "--shard",
        choices=("samples", "sites"),
        default="samples",
        help="what the processes of torchrun share out among them (samples)",
    )
    fit.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    """Fit in this process, or with the others that torchrun has started."""
    with initialise(args.device) as ranks:
        args.device = ranks.device
        return _fit(args, args.shard if ranks.size > 1 else False, ranks.rank == 0)


def _fit(args: argparse.Namespace, distributed: bool | str, speaks: bool) -> int:
    check_folder(args.output)
    if args.checkpoint is not None:
        check_folder(args.checkpoint)
    table, names = read_table(args.file, args.array)
    masses = None
    if args.masses is not None:
        table, masses = _masses(args.masses, table, names, args.file)
    elif args.normalize:
        raise BadInput("--normalize needs --masses")
    if table.ndim != 2 or 0 in table.shape:
        raise BadInput(f"{args.file}: sites must be the rows of a table, got shape {table.shape}")
    check_seed(args.seed)
    source = read_source(args.domain, table, masses)
    start = time.perf_counter()
    with warnings.catch_warnings():
        # The exit code and the line below say it already.
        warnings.simplefilter("ignore", geomot.ConvergenceWarning)
        solution = geomot.solve(
            table,
            masses,
            source,
            method=args.method,
            tol=args.tol,
            max_iter=args.max_iter,
            threads=args.threads,
            random_state=args.seed,
            normalize=args.normalize,
            progress=sys.stderr.isatty(),
            checkpoint=args.checkpoint,
            device=args.device,
            distributed=distributed,
        )
    seconds = time.perf_counter() - start
    if not speaks:
        return EXIT_OK if solution.converged else EXIT_NOT_CONVERGED
    solution.save(args.output)
    sys.stdout.write(f"{args.output}: {_outcome(solution)}, {seconds:.2f} s\n")
    if solution.converged:
        return EXIT_OK
    return complain(
        "geomot fit",
        f"not converged ({solution.status}): {describe_error(solution)}, "
        f"wanted {solution.tol:.2g}; the map was written",
        EXIT_NOT_CONVERGED,
    )


def _outcome(solution: Solution) -> str:
    low, high = solution.bracket
    n, d = solution.sites.shape
    if solution.estimate is None:
        return (
            f"{n} sites, {describe_error(solution)} after {solution.n_iter} steps, "
            f"W2^2 in [{low:.12g}, {high:.12g}]"
        )
    estimate = solution.estimate
    return (
        f"{n} sites in {d} dimensions, {describe_error(solution)}, "
        f"{estimate.n_fit_samples} samples fitted and {estimate.n_samples} tested, "
        f"W2^2 in [{low:.6g}, {high:.6g}] "
        f"({one_sided(solution):g} % each)"
    )


def _masses(
    spec: str, table: np.ndarray, names: list[str] | None, file: str
) -> tuple[np.ndarray, np.ndarray]:
    """The sites' columns and the masses, from a column of the table or another file."""
    if not spec.isdecimal() and Path(spec).exists():
        return table, read_vector(spec)
    if table.ndim != 2:
        raise BadInput(f"{file}: --masses {spec}: the file has no columns")
    if spec.isdecimal():
        column = int(spec) - 1
    elif names is not None and names.count(spec) == 1:
        column = names.index(spec)
    else:
        raise BadInput(f"--masses: {spec!r} is neither a file nor the name of a column of {file}")
    if not 0 <= column < table.shape[1]:
        raise BadInput(f"--masses: {file} has columns 1 to {table.shape[1]}, not {spec}")
    return np.delete(table, column, axis=1), table[:, column]
