"""The command line: fit, sample, plot, info and demo.

Exit codes: 0 done, 2 bad input (one line on stderr says what), 3 not converged (the file is
written all the same), 130 interrupted. Files are read as plain numbers; nothing is unpickled.
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

if TYPE_CHECKING:
    from geomot.solution import Solution
    from geomot.sources import Source

__all__ = ["main"]

EXIT_OK = 0
EXIT_BAD_INPUT = 2
EXIT_NOT_CONVERGED = 3
EXIT_INTERRUPTED = 130

# A compressed array may unpack to this many bytes whatever the size of its file; beyond, to four
# times the file, so that a small hostile file cannot fill the memory.
_UNPACKED_ALLOWANCE = 64 * 2**20

_DOMAINS = """\
domains (--domain):
  unit                     the unit square (default)
  bounds                   the bounding box of the sites
  box:X0,Y0,X1,Y1          a box by two corners
  regular:N[,CX,CY,R]      a regular polygon of N sides (centre 0,0 and radius 1 if not given)
  polygon:FILE             a convex polygon, one vertex per row
  polygon:X,Y,X,Y,X,Y...   the same, spelt out

files: .npy, .npz, and text with one point per row (.csv and others; commas, semicolons, tabs or
blanks; a header row is recognised). Exit codes: 0 done, 2 bad input, 3 not converged (the map is
written), 130 interrupted."""


class _BadInput(Exception):
    """Input that the command line itself refuses."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # argparse would print the usage as well: one line is enough to act on.
        self.exit(EXIT_BAD_INPUT, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


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
    except (_BadInput, ValueError, TypeError, ImportError) as error:
        return _complain(name, str(error), EXIT_BAD_INPUT)


def _complain(name: str, message: str, code: int) -> int:
    line = " ".join(message.split())
    sys.stderr.write(f"{name}: {'' if code == EXIT_INTERRUPTED else 'error: '}{line}\n")
    return code


def _build_parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="geomot", description="Semi-discrete optimal transport in the plane.")
    parser.add_argument("--version", action="version", version=f"geomot {geomot.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    fit = commands.add_parser(
        "fit",
        help="compute the map from a domain onto points",
        description="Compute the optimal map from the uniform measure on a domain onto points.",
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
    fit.add_argument("--domain", metavar="DOMAIN", default="unit", help="source domain; see below")
    fit.add_argument("--tol", type=float, help="largest relative error of a mass (1e-9)")
    fit.add_argument("--max-iter", type=int, metavar="K", help="most Newton steps")
    fit.add_argument("--threads", type=int, metavar="T", help="threads (all cores)")
    fit.set_defaults(run=_fit)

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
        help="columns x1, x2, y1, y2, site: source point, image, index; without, y1, y2 alone",
    )
    sample.set_defaults(run=_sample)

    plot = commands.add_parser(
        "plot", help="draw a map", description="Draw a map into a png, svg or pdf file."
    )
    plot.add_argument("map", metavar="MAP", help="a map that `geomot fit` wrote")
    plot.add_argument("-o", "--output", required=True, help="a .png, .svg or .pdf file")
    plot.add_argument(
        "--kind",
        choices=("diagram", "potential", "contours", "map", "sites", "convergence"),
        default="diagram",
        help="what to draw (diagram)",
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


def _fit(args: argparse.Namespace) -> int:
    _check_folder(args.output)
    table, names = _read_table(args.file, args.array)
    masses = None
    if args.masses is not None:
        table, masses = _masses(args.masses, table, names, args.file)
    elif args.normalize:
        raise _BadInput("--normalize needs --masses")
    if table.ndim != 2 or table.shape[1] != 2:
        raise _BadInput(f"{args.file}: sites must have 2 columns, got shape {table.shape}")
    source = _domain(args.domain, table)
    start = time.perf_counter()
    with warnings.catch_warnings():
        # The exit code and the line below say it already.
        warnings.simplefilter("ignore", geomot.ConvergenceWarning)
        solution = geomot.solve(
            table,
            masses,
            source,
            tol=args.tol,
            max_iter=args.max_iter,
            threads=args.threads,
            normalize=args.normalize,
            progress=sys.stderr.isatty(),
        )
    seconds = time.perf_counter() - start
    solution.save(args.output)
    low, high = solution.bracket
    sys.stdout.write(
        f"{args.output}: {len(solution.sites)} sites, mass error {solution.mass_error:.2g} after "
        f"{solution.n_iter} steps, W2^2 in [{low:.12g}, {high:.12g}], {seconds:.2f} s\n"
    )
    if solution.converged:
        return EXIT_OK
    return _complain(
        "geomot fit",
        f"not converged ({solution.status}): mass error {solution.mass_error:.2g}, wanted "
        f"{solution.tol:.2g}; the map was written",
        EXIT_NOT_CONVERGED,
    )


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
        header = "x1,x2,y1,y2,site" if args.pairs else "y1,y2"
        formats = ["%.17g"] * 4 + ["%d"] if args.pairs else "%.17g"
        np.savetxt(args.output, rows, fmt=formats, delimiter=",", header=header, comments="")
    return EXIT_OK


def _plot(args: argparse.Namespace) -> int:
    _check_suffix(args.output, (".png", ".svg", ".pdf"))
    _check_folder(args.output)
    if not 10 <= args.dpi <= 2400:
        raise _BadInput(f"--dpi must lie between 10 and 2400, got {args.dpi:g}")
    if args.color is not None and args.kind in ("contours", "map", "convergence"):
        raise _BadInput(f"--color does not apply to --kind {args.kind}")
    solution = geomot.load(args.map)
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
    facts["bracket"] = "[{:.15g}, {:.15g}]".format(*facts["bracket"])
    for key, value in facts.items():
        text = f"{value:.15g}" if isinstance(value, float) else str(value)
        sys.stdout.write(f"{key:20} {text}\n")
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


def _facts(solution: Solution) -> dict[str, Any]:
    return {
        "sites": len(solution.sites),
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


def _domain(spec: str, sites: np.ndarray) -> Source:
    kind, _, rest = spec.partition(":")
    if kind == "unit" and not rest:
        return geomot.UniformBox([0, 0], [1, 1])
    if kind == "bounds" and not rest:
        return geomot.UniformBox(sites.min(axis=0), sites.max(axis=0))
    if kind == "polygon" and rest and "," not in rest:
        return geomot.UniformPolygon(_read_table(rest)[0])
    try:
        numbers = [float(part) for part in rest.split(",")] if rest else []
    except ValueError:
        raise _BadInput(f"--domain: not a list of numbers: {rest!r}") from None
    if kind == "box" and len(numbers) == 4:
        return geomot.UniformBox(numbers[:2], numbers[2:])
    if kind == "regular" and len(numbers) in (1, 4) and numbers[0].is_integer():
        n, *circle = numbers
        x, y, radius = circle or (0.0, 0.0, 1.0)
        return geomot.UniformPolygon.regular(int(n), (x, y), radius)
    if kind == "polygon" and numbers and len(numbers) % 2 == 0:
        return geomot.UniformPolygon(np.reshape(numbers, (-1, 2)))
    raise _BadInput(
        "--domain must be unit, bounds, box:X0,Y0,X1,Y1, regular:N[,CX,CY,R], polygon:FILE or "
        f"polygon:X,Y,..., got {spec!r}"
    )


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
            array = known[0] if known else next(iter(members), "") if len(members) == 1 else None
        if array not in members:
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
