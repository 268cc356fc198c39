"""The command demo: handwritten digits through a map."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from geomot._stderr import is_terminal
from geomot.cli._shared import EXIT_NOT_CONVERGED, EXIT_OK, check_seed

__all__ = ["add"]


def add(commands: Any) -> None:
    """Add the command's arguments to a parser."""
    demo = commands.add_parser(
        "demo",
        help="demonstration: generate handwritten digits",
        description="Train an autoencoder on scikit-learn's handwritten digits, compute the "
        "optimal map from a disk onto their codes, draw samples, decode them, and write figures, "
        "the map and a summary to a folder.",
    )
    demo.add_argument(
        "-o",
        "--output",
        default="geomot-demo",
        metavar="DIR",
        help="output folder (default: geomot-demo)",
    )
    demo.add_argument("--seed", type=int, default=0, help="seed of all random numbers (default: 0)")
    demo.add_argument(
        "--no-torch", action="store_true", help="use principal components instead of an autoencoder"
    )
    demo.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from geomot.cli import _demo as demo

    check_seed(args.seed)
    result = demo.run(
        args.output,
        random_state=args.seed,
        use_torch=False if args.no_torch else None,
        progress=is_terminal(),
    )
    sys.stdout.write(result.summary)
    return EXIT_OK if result.solution.converged else EXIT_NOT_CONVERGED
