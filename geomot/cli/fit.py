"""The command fit: compute the map from a domain onto points."""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from typing import TYPE_CHECKING, Any

import geomot
from geomot._stderr import is_terminal
from geomot.cli._columns import add_table_options
from geomot.cli._domains import DOMAINS, domain_file, read_source, warn_if_outside
from geomot.cli._shared import (
    EXIT_NOT_CONVERGED,
    EXIT_OK,
    BadInput,
    check_folder,
    check_seed,
    complain,
    describe_error,
    one_sided,
    refuse_overwriting,
)
from geomot.cli._tables import file_of, read_points
from geomot.distributed import initialize

if TYPE_CHECKING:
    import numpy as np

    from geomot.solution import Solution
    from geomot.sources import Source

__all__ = ["add"]


def add(commands: Any) -> None:
    """Add the command's arguments to a parser."""
    fit = commands.add_parser(
        "fit",
        help="compute the optimal map from a domain onto points",
        description="Compute the optimal map from a continuous measure onto points.",
        epilog=DOMAINS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    fit.add_argument("file", metavar="FILE", help="the sites, one per row")
    fit.add_argument("-o", "--output", metavar="MAP", required=True, help="where to write the map")
    fit.add_argument(
        "--masses",
        metavar="COLUMN|ARRAY|FILE",
        help="masses of the sites: a column of FILE (its name, or number from 1), an array of the "
        "same npz file, or another file (FILE2:COLUMN if it has several columns or arrays)",
    )
    fit.add_argument("--normalize", action="store_true", help="divide the masses by their sum")
    fit.add_argument("--array", metavar="NAME", help="which array of an npz FILE holds the sites")
    fit.add_argument(
        "--domain",
        metavar="DOMAIN",
        default="unit",
        help="source measure (default: unit); see below",
    )
    fit.add_argument(
        "--method",
        choices=("auto", "quantile", "newton", "montecarlo"),
        default="auto",
        help="quantile: exact, on the line; newton: exact, in the plane and in space; "
        "montecarlo: from samples, anywhere; "
        "auto (the default): exact if possible, else montecarlo",
    )
    fit.add_argument(
        "--tol",
        type=float,
        help="tolerance. Exact methods: largest relative error of a mass (default: 1e-9). Monte "
        "Carlo: largest total variation between masses and targets (default: 0.01)",
    )
    fit.add_argument("--max-iter", type=int, metavar="K", help="maximum number of steps")
    fit.add_argument("--seed", type=int, help="seed of Monte Carlo, for the same map each time")
    fit.add_argument("--threads", type=int, metavar="T", help="threads (default: all cores)")
    fit.add_argument(
        "--checkpoint", metavar="FILE", help="write checkpoints to this file during the solve"
    )
    fit.add_argument("--device", metavar="NAME", help="torch device for Monte Carlo, such as cuda")
    fit.add_argument(
        "--shard",
        choices=("samples", "sites"),
        default="samples",
        help="what to split across torchrun processes (default: samples)",
    )
    add_table_options(fit, "reading FILE")
    fit.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    """Fit in this process, or with the others that torchrun has started."""
    with initialize(args.device) as ranks:
        args.device = ranks.device
        return _fit(args, args.shard if ranks.size > 1 else False, ranks.rank == 0)


def _fit(args: argparse.Namespace, distributed: bool | str, speaks: bool) -> int:
    outputs = [path for path in (args.output, args.checkpoint) if path is not None]
    for path in outputs:
        check_folder(path)
    refuse_overwriting(outputs, [args.file, file_of(args.masses), domain_file(args.domain)])
    if args.normalize and args.masses is None:
        raise BadInput("--normalize needs --masses")
    check_seed(args.seed)
    sites, masses = read_points(
        args.file,
        args.array,
        columns=args.columns,
        drop=args.drop,
        decimal=args.decimal,
        header=args.header,
        masses=args.masses,
    )
    source = read_source(args.domain, sites, masses, args.decimal)
    warn_if_outside(args.domain, source, sites)
    start = time.perf_counter()
    solution = _solve(args, sites, masses, source, distributed)
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
        f"tolerance {solution.tol:.2g}; the map was written",
        EXIT_NOT_CONVERGED,
    )


def _solve(
    args: argparse.Namespace,
    sites: np.ndarray,
    masses: np.ndarray | None,
    source: Source,
    distributed: bool | str,
) -> Solution:
    with warnings.catch_warnings():
        # The exit code and the last line say it already.
        warnings.simplefilter("ignore", geomot.ConvergenceWarning)
        return geomot.solve(
            sites,
            masses,
            source,
            method=args.method,
            tol=args.tol,
            max_iter=args.max_iter,
            threads=args.threads,
            random_state=args.seed,
            normalize=args.normalize,
            progress=is_terminal(),
            checkpoint=args.checkpoint,
            device=args.device,
            distributed=distributed,
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
