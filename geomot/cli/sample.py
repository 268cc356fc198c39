"""The command sample: draw samples of a map, or images of a model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import geomot
from geomot._files.replacing import replacing
from geomot.cli._shared import (
    EXIT_OK,
    BadInput,
    check_folder,
    check_seed,
    check_suffix,
    refuse_overwriting,
)

__all__ = ["add"]


def add(commands: Any) -> None:
    """Add the command's arguments to a parser."""
    sample = commands.add_parser(
        "sample",
        help="draw samples from a map or a model",
        description="Draw points from the source of a map and write the sites to which it sends "
        "them; for a model, write generated images.",
    )
    sample.add_argument(
        "map",
        metavar="MAP",
        help="a map that `geomot fit` wrote, or a model (the folder) of `geomot generate`",
    )
    sample.add_argument("-n", type=int, required=True, metavar="N", help="number of samples")
    sample.add_argument(
        "-o", "--output", required=True, help="output file, .npy or .csv (images: .npy)"
    )
    sample.add_argument("--seed", type=int, help="seed of the random numbers")
    sample.add_argument(
        "--pairs",
        action="store_true",
        help="write columns x1..xd, y1..yd, site: the source point, its image, the index "
        "of the site (default: only y1..yd)",
    )
    sample.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    suffix = check_suffix(args.output, (".npy", ".csv"))
    check_folder(args.output)
    refuse_overwriting([args.output], [args.map])
    if args.n < 0:
        raise BadInput(f"-n must not be negative, got {args.n}")
    check_seed(args.seed)
    if Path(args.map).is_dir():
        return _images(args, suffix)
    solution = geomot.Solution.load(args.map)
    if solution.partial:
        raise BadInput(
            f"{args.map} is a map of partial transport, which has no image of all points"
        )
    points = solution.source.sample(args.n, args.seed)
    index = solution.assign(points)
    images = solution.sites[index]
    rows = np.column_stack([points, images, index]) if args.pairs else images
    if suffix == ".npy":
        with replacing(args.output) as file:
            np.save(file, rows, allow_pickle=False)
    else:
        names = [f"{letter}{k + 1}" for letter in "xy" for k in range(points.shape[1])]
        header = ",".join([*names, "site"] if args.pairs else names[points.shape[1] :])
        formats = ["%.17g"] * len(names) + ["%d"] if args.pairs else "%.17g"
        with replacing(args.output) as file:
            np.savetxt(file, rows, fmt=formats, delimiter=",", header=header, comments="")
    return EXIT_OK


def _images(args: argparse.Namespace, suffix: str) -> int:
    from geomot.generator import LatentGenerator

    if args.pairs or suffix != ".npy":
        raise BadInput(
            f"{args.map} is a model: its images can only be written to .npy files, without --pairs"
        )
    samples = LatentGenerator.load(args.map).sample(args.n, args.seed)
    with replacing(args.output) as file:
        np.save(file, samples.astype(np.float32), allow_pickle=False)
    return EXIT_OK
