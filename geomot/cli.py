"""The command line: fit, sample, plot, info and demo.

Exit codes: 0 done, 2 bad input (one line on stderr says what), 3 not converged (the file is
written all the same), 4 a process of a distributed run was lost, 130 interrupted. Files are read as
plain numbers; nothing is unpickled.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

import geomot
from geomot._validation import as_masses, as_points
from geomot.distributed import DistributedError, initialise, launched_rank

if TYPE_CHECKING:
    from geomot.solution import Solution
    from geomot.sources import Source

__all__ = ["main"]

EXIT_OK = 0
EXIT_BAD_INPUT = 2
EXIT_NOT_CONVERGED = 3
EXIT_LOST = 4
EXIT_INTERRUPTED = 130

# A compressed array may unpack to this many bytes whatever the size of its file; beyond, to four
# times the file, so that a small hostile file cannot fill the memory.
_UNPACKED_ALLOWANCE = 64 * 2**20

_DOMAINS = """\
domains (--domain), for sites with d columns:
  unit                     uniform on the unit box [0, 1]^d (default)
  bounds                   uniform on the bounding box of the sites
  box:X1,...,Z1,...        uniform on a box: lower corner, then upper corner (box:X0,Y0,X1,Y1)
  ball:CX,...,R            uniform on a ball: centre, then radius
  normal                   the standard normal distribution
  gaussian:FILE            a normal distribution: npz with mean and cov, or a table of the mean and
                           below it the covariance matrix (d + 1 rows)
  match                    the normal distribution with mean and covariance of the sites
  samples:FILE             the points of a file, equally likely
  grid:FILE                densities on a grid over the unit box: an array with d axes
  regular:N[,CX,CY,R]      a regular polygon of N sides (centre 0,0 and radius 1 if not given)
  polygon:FILE             a convex polygon, one vertex per row
  polygon:X,Y,X,Y,X,Y...   the same, spelt out

files: .npy, .npz, and text with one point per row (.csv and others; commas, semicolons, tabs or
blanks; a header row is recognised). Exit codes: 0 done, 2 bad input, 3 not converged (the map is
written), 4 a process of a distributed run was lost, 130 interrupted.

several processes: torchrun --nproc-per-node=K -m geomot fit ... --method montecarlo"""


class _BadInput(Exception):
    """Input that the command line itself refuses."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # argparse would print the usage as well: one line is enough to act on.
        line = f"{self.prog}: error: {message} (see {self.prog} --help)\n"
        self.exit(EXIT_BAD_INPUT, line if launched_rank() == 0 else None)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments after the program's name; None takes those of the process.

    Returns
    -------
    int
        The exit code.
    """
    parser = _build_parser()
    try:
        args = parser.parse_args(argv)
    except SystemExit as stop:
        return int(stop.code or 0)
    name = f"geomot {args.command}"
    try:
        code = args.run(args)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return _complain(name, "interrupted", EXIT_INTERRUPTED)
    except BrokenPipeError:
        # The reader has gone (as in `geomot info map.npz | head -1`): leave quietly, and keep the
        # interpreter from flushing into the closed pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _complain(name, f"{where}{error.strerror or error}", EXIT_BAD_INPUT)
    except MemoryError:
        return _complain(name, "not enough memory", EXIT_BAD_INPUT)
    except DistributedError as error:
        return _complain(name, str(error), EXIT_LOST)
    except (_BadInput, ValueError, TypeError, ImportError) as error:
        return _complain(name, str(error), EXIT_BAD_INPUT)


def _complain(name: str, message: str, code: int) -> int:
    # what all processes of a run find is said once
    if launched_rank() == 0 or code == EXIT_LOST:
        line = " ".join(message.split())
        sys.stderr.write(f"{name}: {'' if code == EXIT_INTERRUPTED else 'error: '}{line}\n")
    return code


def _build_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="geomot",
        description="Semi-discrete optimal transport: exact on the line and in the plane, "
        "by sampling above.",
    )
    parser.add_argument("--version", action="version", version=f"geomot {geomot.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    fit = commands.add_parser(
        "fit",
        help="compute the map from a domain onto points",
        description="Compute the optimal map from a continuous measure onto points.",
        epilog=_DOMAINS,
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
    fit.set_defaults(run=_fit_together)

    sample = commands.add_parser(
        "sample",
        help="draw samples of a map",
        description="Draw points of the source and write where the map sends them.",
    )
    sample.add_argument("map", metavar="MAP", help="a map that `geomot fit` wrote")
    sample.add_argument("-n", type=int, required=True, metavar="N", help="how many")
    sample.add_argument("-o", "--output", required=True, help="an .npy or .csv file")
    sample.add_argument("--seed", type=int, help="seed of the randomness")
    sample.add_argument(
        "--pairs",
        action="store_true",
        help="columns x1..xd, y1..yd, site: source point, image, index; without, y1..yd alone",
    )
    sample.set_defaults(run=_sample)

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
        help="weights, masses, costs, or a file with one number or class per site",
    )
    plot.add_argument("--triangulation", action="store_true", help="draw the dual triangulation")
    plot.add_argument("--no-sites", action="store_true", help="leave the sites out")
    plot.add_argument("--samples", type=int, default=1000, metavar="N", help="samples of a map")
    plot.add_argument("--seed", type=int, default=0, help="seed of the samples (0)")
    plot.add_argument("--title", help="title of the figure")
    plot.add_argument("--dpi", type=float, default=200, help="pixels per inch (200)")
    plot.set_defaults(run=_plot)

    info = commands.add_parser(
        "info", help="describe a map", description="Say what a map file holds."
    )
    info.add_argument("map", metavar="MAP", help="a map that `geomot fit` wrote")
    info.add_argument("--json", action="store_true", help="as JSON")
    info.set_defaults(run=_info)

    demo = commands.add_parser(
        "demo",
        help="generate handwritten digits through a map",
        description="Train an autoencoder on scikit-learn's handwritten digits, map a disk onto "
        "their codes, sample, decode, and write figures, the map and a summary into a folder.",
    )
    demo.add_argument("-o", "--output", default="geomot-demo", metavar="DIR", help="(geomot-demo)")
    demo.add_argument("--seed", type=int, default=0, help="seed of all randomness (0)")
    demo.add_argument(
        "--no-torch", action="store_true", help="principal components in place of the autoencoder"
    )
    demo.set_defaults(run=_demo)
    return parser


# ---------------------------------------------------------------------------------------------
# Commands
# ---------------------------------------------------------------------------------------------


def _fit_together(args: argparse.Namespace) -> int:
    """Fit in this process, or with the others that torchrun has started."""
    with initialise(args.device) as ranks:
        args.device = ranks.device
        return _fit(args, args.shard if ranks.size > 1 else False, ranks.rank == 0)


def _fit(args: argparse.Namespace, distributed: bool | str, speaks: bool) -> int:
    _check_folder(args.output)
    if args.checkpoint is not None:
        _check_folder(args.checkpoint)
    table, names = _read_table(args.file, args.array)
    masses = None
    if args.masses is not None:
        table, masses = _masses(args.masses, table, names, args.file)
    elif args.normalize:
        raise _BadInput("--normalize needs --masses")
    if table.ndim != 2 or 0 in table.shape:
        raise _BadInput(f"{args.file}: sites must be the rows of a table, got shape {table.shape}")
    if args.seed is not None and args.seed < 0:
        raise _BadInput(f"--seed must not be negative, got {args.seed}")
    source = _source(args.domain, table, masses)
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
    return _complain(
        "geomot fit",
        f"not converged ({solution.status}): {_error(solution)}, wanted {solution.tol:.2g}; "
        "the map was written",
        EXIT_NOT_CONVERGED,
    )


def _error(solution: Solution) -> str:
    """The error that the tolerance bounds."""
    if solution.estimate is None:
        return f"mass error {solution.mass_error:.2g}"
    low, high = solution.estimate.tv_interval
    level = 100 * solution.estimate.confidence
    return f"total variation {solution.estimate.tv:.2g} in [{low:.2g}, {high:.2g}] ({level:g} %)"


def _outcome(solution: Solution) -> str:
    low, high = solution.bracket
    n, d = solution.sites.shape
    if solution.estimate is None:
        return (
            f"{n} sites, {_error(solution)} after {solution.n_iter} steps, "
            f"W2^2 in [{low:.12g}, {high:.12g}]"
        )
    estimate = solution.estimate
    return (
        f"{n} sites in {d} dimensions, {_error(solution)}, {estimate.n_fit_samples} samples fitted "
        f"and {estimate.n_samples} tested, W2^2 in [{low:.6g}, {high:.6g}] "
        f"({_one_sided(solution):g} % each)"
    )


def _one_sided(solution: Solution) -> float:
    """Level of each bound of the bracket in Monte Carlo, in per cent."""
    if solution.estimate is None:
        return 100.0
    return 50.0 * (1.0 + solution.estimate.confidence)


def _sample(args: argparse.Namespace) -> int:
    suffix = _check_suffix(args.output, (".npy", ".csv"))
    _check_folder(args.output)
    if args.n < 0:
        raise _BadInput(f"-n must not be negative, got {args.n}")
    solution = geomot.load(args.map)
    points = solution.source.sample(args.n, args.seed)
    index = solution.assign(points)
    images = solution.sites[index]
    rows = np.column_stack([points, images, index]) if args.pairs else images
    if suffix == ".npy":
        np.save(args.output, rows, allow_pickle=False)
    else:
        names = [f"{letter}{k + 1}" for letter in "xy" for k in range(points.shape[1])]
        header = ",".join([*names, "site"] if args.pairs else names[points.shape[1] :])
        formats = ["%.17g"] * len(names) + ["%d"] if args.pairs else "%.17g"
        np.savetxt(args.output, rows, fmt=formats, delimiter=",", header=header, comments="")
    return EXIT_OK


def _plot(args: argparse.Namespace) -> int:
    _check_suffix(args.output, (".png", ".svg", ".pdf"))
    _check_folder(args.output)
    if not 10 <= args.dpi <= 2400:
        raise _BadInput(f"--dpi must lie between 10 and 2400, got {args.dpi:g}")
    if args.color is not None and args.kind in ("contours", "map", "masses", "convergence"):
        raise _BadInput(f"--color does not apply to --kind {args.kind}")
    solution = geomot.load(args.map)
    dim = solution.sites.shape[1]
    if dim != 2 and args.kind in ("diagram", "potential", "contours", "map"):
        raise _BadInput(
            f"--kind {args.kind} needs sites in the plane, and {args.map} has {dim} dimension(s): "
            "--kind sites, masses and convergence work in any"
        )
    values = args.color
    if values is not None and values not in ("weights", "masses", "costs"):
        values = _read_values(values, len(solution.sites))

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
        figure.savefig(args.output, dpi=args.dpi, metadata=dates.get(suffix))
    return EXIT_OK


def _info(args: argparse.Namespace) -> int:
    solution = geomot.load(args.map)
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


def _demo(args: argparse.Namespace) -> int:
    from geomot import demo

    if args.seed < 0:
        raise _BadInput(f"--seed must not be negative, got {args.seed}")
    result = demo.run(
        args.output,
        random_state=args.seed,
        use_torch=False if args.no_torch else None,
        progress=sys.stderr.isatty(),
    )
    sys.stdout.write(result.summary)
    return EXIT_OK if result.solution.converged else EXIT_NOT_CONVERGED


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
            "level of each bound": 0.01 * _one_sided(solution),
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


# ---------------------------------------------------------------------------------------------
# Arguments and files
# ---------------------------------------------------------------------------------------------


def _check_folder(path: str) -> None:
    """Refuse an output that cannot be written before the work starts."""
    folder = Path(path).parent
    if not folder.is_dir():
        raise _BadInput(f"{path}: there is no folder {folder}")
    if Path(path).is_dir():
        raise _BadInput(f"{path}: is a folder")


def _check_suffix(path: str, allowed: tuple[str, ...]) -> str:
    suffix = Path(path).suffix.lower()
    if suffix not in allowed:
        raise _BadInput(f"{path}: must end in {', '.join(allowed[:-1])} or {allowed[-1]}")
    return suffix


def _source(spec: str, sites: np.ndarray, masses: np.ndarray | None) -> Source:
    """The source of the sites' dimension that --domain asks for."""
    try:
        source = _domain(spec, sites, masses)
    except (_BadInput, ValueError, TypeError) as error:
        said = str(error)
        raise _BadInput(said if "--domain" in said else f"--domain {spec}: {said}") from None
    if source.dim != sites.shape[1]:
        raise _BadInput(
            f"--domain {spec} has {source.dim} dimension(s), and the sites have "
            f"{sites.shape[1]} column(s)"
        )
    return source


def _domain(spec: str, sites: np.ndarray, masses: np.ndarray | None) -> Source:
    kind, _, rest = spec.partition(":")
    d = sites.shape[1]
    if not rest:
        if kind == "unit":
            return geomot.UniformBox.unit(d)
        if kind == "bounds":
            return geomot.UniformBox(sites.min(axis=0), sites.max(axis=0))
        if kind == "normal":
            return geomot.Gaussian(np.zeros(d), 1.0)
        if kind == "match":
            return _matching(sites, masses)
    elif kind == "polygon" and "," not in rest:
        return geomot.UniformPolygon(_read_table(rest)[0])
    elif kind == "gaussian":
        return _gaussian(rest, d)
    elif kind == "samples":
        return geomot.Samples(_read_table(rest)[0])
    elif kind == "grid":
        return geomot.GridDensity(_read_table(rest)[0])
    try:
        numbers = [float(part) for part in rest.split(",")] if rest else []
    except ValueError:
        raise _BadInput(f"--domain: not a list of numbers: {rest!r}") from None
    wanted = {"box": 2 * d, "ball": d + 1}.get(kind)
    if numbers and wanted is not None and len(numbers) != wanted:
        raise _BadInput(
            f"--domain {kind} must have {wanted} numbers for sites with {d} column(s), "
            f"got {len(numbers)}"
        )
    if numbers and kind == "box":
        return geomot.UniformBox(numbers[:d], numbers[d:])
    if numbers and kind == "ball":
        return geomot.UniformBall(numbers[:d], numbers[d])
    if kind == "regular" and len(numbers) in (1, 4) and numbers[0].is_integer():
        n, *circle = numbers
        x, y, radius = circle or (0.0, 0.0, 1.0)
        return geomot.UniformPolygon.regular(int(n), (x, y), radius)
    if kind == "polygon" and numbers and len(numbers) % 2 == 0:
        return geomot.UniformPolygon(np.reshape(numbers, (-1, 2)))
    raise _BadInput(
        "--domain must be unit, bounds, box:..., ball:..., normal, gaussian:FILE, match, "
        "samples:FILE, grid:FILE, regular:N[,CX,CY,R], polygon:FILE or polygon:X,Y,..., "
        f"got {spec!r}"
    )


def _matching(sites: np.ndarray, masses: np.ndarray | None) -> Source:
    """The normal measure with the moments of the sites."""
    weights = as_masses(masses, len(sites), "masses", normalize=True)
    points = as_points(sites, "sites")
    mean = weights @ points
    centred = points - mean
    covariance = (centred * weights[:, None]).T @ centred
    # What rounding leaves of a column of equal numbers is no variance.
    flat = np.sqrt(np.diag(covariance)) <= 1e-13 * np.abs(points).max(axis=0)
    try:
        if flat.any():
            raise ValueError
        return geomot.Gaussian(mean, covariance)
    except ValueError:
        raise _BadInput(
            "the sites must vary in all directions, and these span less than "
            f"{points.shape[1]} dimension(s)"
        ) from None


def _gaussian(path: str, d: int) -> Source:
    if Path(path).suffix.lower() == ".npz":
        return geomot.Gaussian(*(_read_table(path, name)[0] for name in ("mean", "cov")))
    table, _ = _read_table(path)
    if table.shape != (d + 1, d):
        raise _BadInput(
            f"{path}: must hold the mean and below it the covariance matrix, shape {(d + 1, d)} "
            f"for sites with {d} column(s), got {table.shape}"
        )
    return geomot.Gaussian(table[0], table[1:])


def _masses(
    spec: str, table: np.ndarray, names: list[str] | None, file: str
) -> tuple[np.ndarray, np.ndarray]:
    """The sites' columns and the masses, from a column of the table or another file."""
    if not spec.isdecimal() and Path(spec).exists():
        return table, _read_vector(spec)
    if table.ndim != 2:
        raise _BadInput(f"{file}: --masses {spec}: the file has no columns")
    if spec.isdecimal():
        column = int(spec) - 1
    elif names is not None and names.count(spec) == 1:
        column = names.index(spec)
    else:
        raise _BadInput(f"--masses: {spec!r} is neither a file nor the name of a column of {file}")
    if not 0 <= column < table.shape[1]:
        raise _BadInput(f"--masses: {file} has columns 1 to {table.shape[1]}, not {spec}")
    return np.delete(table, column, axis=1), table[:, column]


def _read_vector(path: str) -> np.ndarray:
    table, _ = _read_table(path)
    if table.ndim == 2 and 1 in table.shape:
        table = table.ravel()
    if table.ndim != 1:
        raise _BadInput(f"{path}: must hold one number per site, got shape {table.shape}")
    return table


def _read_values(path: str, n: int) -> np.ndarray:
    """One number per site, or one class (whole numbers or text)."""
    if Path(path).suffix.lower() in (".npy", ".npz"):
        values = _read_vector(path)
    else:
        with open(path, encoding="utf-8-sig") as file:
            words = [word for line in file if (word := line.strip()) and not word.startswith("#")]
        if len(words) == n + 1:
            del words[0]
        values = np.array(words)
        for kind in (np.int64, np.float64):
            try:
                values = values.astype(kind)
                break
            except ValueError:
                continue
    if values.shape != (n,):
        raise _BadInput(f"{path}: must hold {n} values, got {values.size}")
    return values


def _read_table(path: str, array: str | None = None) -> tuple[np.ndarray, list[str] | None]:
    """An array of real numbers from a file, and the names of its columns if it has some."""
    suffix = Path(path).suffix.lower()
    if array is not None and suffix != ".npz":
        raise _BadInput(f"--array applies to npz files, got {path}")
    try:
        if suffix == ".npy":
            # Mapping checks the length against the header before anything is allocated.
            table = np.array(np.load(path, mmap_mode="r", allow_pickle=False))
        elif suffix == ".npz":
            table = _read_npz(path, array)
        else:
            return _read_text(path)
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise _BadInput(f"{path}: {error}") from None
    if table.dtype.kind not in "fiu":
        raise _BadInput(f"{path}: must hold real numbers, got dtype {table.dtype}")
    return table, None


def _read_npz(path: str, array: str | None) -> np.ndarray:
    with zipfile.ZipFile(path) as archive:
        members = {
            info.filename.removesuffix(".npy"): info
            for info in archive.infolist()
            if info.filename.endswith(".npy")
        }
        if array is None:
            known = [name for name in ("sites", "points", "X") if name in members]
            array = known[0] if known else next(iter(members)) if len(members) == 1 else None
        if array is not None and array not in members:
            names = ", ".join(members) or "none"
            raise _BadInput(f"{path}: there is no array {array}, only: {names}")
        if array is None:
            raise _BadInput(f"{path}: choose an array with --array: {', '.join(members) or 'none'}")
        info = members[array]
        allowed = max(4 * os.path.getsize(path), _UNPACKED_ALLOWANCE)
        with archive.open(info) as member:
            version = np.lib.format.read_magic(member)
            if version not in ((1, 0), (2, 0)):
                raise ValueError(f"array {array} has an unknown version")
            read_header = getattr(np.lib.format, f"read_array_header_{version[0]}_0")
            shape, _, dtype = read_header(member)
        if max(info.file_size, math.prod(shape) * dtype.itemsize) > allowed:
            raise ValueError(f"array {array} is far larger than its file")
        with archive.open(info) as member:
            return np.lib.format.read_array(member, allow_pickle=False)


def _read_text(path: str) -> tuple[np.ndarray, list[str] | None]:
    with open(path, encoding="utf-8-sig") as file:
        skip = 0
        for line in file:
            if line.strip() and not line.lstrip().startswith("#"):
                break
            skip += 1
        else:
            raise _BadInput(f"{path}: holds no numbers")
    delimiter = next((mark for mark in ",;\t" if mark in line), None)
    words = [word.strip().strip('"') for word in line.split(delimiter)]
    names = None if all(_is_number(word) for word in words) else words
    try:
        with warnings.catch_warnings():
            # An empty table is refused by the caller, in its own words.
            warnings.simplefilter("ignore", UserWarning)
            table = np.loadtxt(
                path,
                delimiter=delimiter,
                skiprows=skip + (names is not None),
                ndmin=2,
                encoding="utf-8-sig",
            )
    except ValueError as error:
        raise _BadInput(f"{path}: {error}") from None
    if names is not None and table.size and table.shape[1] != len(names):
        raise _BadInput(f"{path}: {len(names)} column names for {table.shape[1]} columns")
    return table, names


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
