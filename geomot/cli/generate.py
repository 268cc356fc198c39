"""The command generate: from a file or folder of images to new ones."""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import geomot
from geomot._constants import LATENT_DIM
from geomot._files.replacing import replacing_text
from geomot._stderr import is_terminal
from geomot.cli._heartbeat import doing
from geomot.cli._shared import (
    EXIT_NOT_CONVERGED,
    EXIT_OK,
    BadInput,
    check_seed,
    complain,
    describe_error,
    refuse_overwriting,
)

__all__ = ["add"]

_DESCRIPTION = """\
Train an autoencoder on images, fit the optimal map from a simple measure onto their codes, and
generate new images with the extended map. Written into the folder: grids of images (png),
interpolation.gif (paths between training images), samples.npz (images, their codes, nearest
training images), the model (a folder, for geomot.LatentGenerator.load), and what was measured
(summary.txt and summary.json)."""

_EPILOG = """\
images: an npy or npz array of shape (n, h, w), (n, c, h, w), (n, h, w, c) or (n, h * h); an idx
file (MNIST's format), gzipped or not; or a folder of png or jpg files of one size (or of subfolders
of them, one per class).

exit codes: 0 done, 2 bad input, 3 map not converged (all files are written), 130 interrupted"""

# The files written into the folder, beside those in its folder model: grids, without their ending,
# and others.
GRIDS = (
    "real",
    "samples",
    "samples_discrete",
    "reconstructions",
    "nearest",
    "interpolation",
    "conditional",
)
_FORMATS = ("png", "svg", "pdf")
WRITTEN = ("samples.npz", "summary.json", "summary.txt", "interpolation.gif")


def add(commands: Any) -> None:
    """Add the command's arguments to a parser."""
    generate = commands.add_parser(
        "generate",
        help="learn from images and generate more",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    generate.add_argument("images", metavar="IMAGES", help="a file or folder; see below")
    generate.add_argument("-o", "--output", metavar="DIR", required=True, help="output folder")
    generate.add_argument("--labels", metavar="FILE", help="labels: npy, npz, idx or text")
    generate.add_argument(
        "--array", metavar="NAME", help="array of an npz file that holds the images"
    )
    generate.add_argument(
        "--size",
        type=int,
        metavar="S",
        help="for folders: crop to the middle square and scale to S x S pixels",
    )
    generate.add_argument("--first", type=int, metavar="N", help="use only the first N images")
    generate.add_argument(
        "--latent-dim", type=int, metavar="D", help="dimensions of the codes (default: 10)"
    )
    generate.add_argument(
        "--epochs", type=int, metavar="E", help="maximum number of training epochs"
    )
    generate.add_argument(
        "--architecture", choices=("auto", "dense", "conv"), help="kind of networks (default: auto)"
    )
    generate.add_argument("--autoencoder", metavar="FILE", help="use this trained autoencoder")
    generate.add_argument(
        "--no-torch", action="store_true", help="use principal components instead of an autoencoder"
    )
    generate.add_argument(
        "--tv-tol",
        type=float,
        metavar="T",
        help="largest total variation between the map's masses and their targets "
        "(default: 0.01 for up to 6000 images, more for more, at most 0.1)",
    )
    generate.add_argument(
        "--singular",
        choices=("side", "discrete", "reject"),
        default="side",
        help="samples that fall between unrelated codes: move them to their own side, use the "
        "code of their cell, or redraw them (default: side)",
    )
    generate.add_argument(
        "--smoothing",
        type=float,
        default=1.0,
        metavar="S",
        help="width of the smoothing: more of it makes fewer copies and more mixtures (1)",
    )
    generate.add_argument(
        "--threshold",
        type=float,
        metavar="R",
        help="largest distance of codes to mix, in units of their spacing; inf mixes all "
        "(what stands out)",
    )
    generate.add_argument(
        "--whiten",
        action=argparse.BooleanOptionalAction,
        help="fit the map to codes of covariance 1 (where it does not converge otherwise)",
    )
    generate.add_argument(
        "--class-weight",
        metavar="SPEC",
        help="how often each class occurs: LABEL=W,LABEL=W,... (other classes never), or balanced",
    )
    generate.add_argument(
        "--samples",
        type=int,
        default=1000,
        metavar="N",
        help="number of images to generate (default: 1000)",
    )
    generate.add_argument(
        "--format", choices=_FORMATS, default="png", help="format of the grids (default: png)"
    )
    generate.add_argument(
        "--seed", type=int, default=0, help="seed of all random numbers (default: 0)"
    )
    generate.add_argument("--threads", type=int, metavar="T", help="threads (default: all cores)")
    generate.add_argument(
        "--device", default="cpu", metavar="NAME", help="torch device, such as cuda (default: cpu)"
    )
    generate.set_defaults(run=_run)


class _Clock:
    """Seconds of the parts of the work, in order."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        start = time.perf_counter()
        with doing(part):
            yield
        self.seconds[part] = time.perf_counter() - start


def _run(args: argparse.Namespace) -> int:
    _check(args)
    with warnings.catch_warnings():
        # The exit code and the summary say the first; what arithmetic warns of is checked.
        warnings.simplefilter("ignore", geomot.ConvergenceWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        return _generate(args, Path(args.output), _Clock())


def _generate(args: argparse.Namespace, folder: Path, clock: _Clock) -> int:

    from geomot import images as files

    with clock("reading"):
        images, labels = files.load_images(
            args.images, array=args.array, labels=args.labels, size=args.size, limit=args.first
        )
    if len(images) < 2:
        raise BadInput(f"{args.images}: must hold at least 2 images, got {len(images)}")
    weights = _class_weight(args.class_weight, labels)

    from geomot.cli._report import describe, make
    from geomot.generator import LatentGenerator

    codec = _codec(args, images)
    # Made before the work, so that nothing is lost for want of a place.
    folder.mkdir(parents=True, exist_ok=True)
    with clock("autoencoder"):
        if args.autoencoder is None:
            codec.fit(images)
    generator = LatentGenerator(
        codec,
        tv_tol=args.tv_tol,
        singular=args.singular,
        smoothing=args.smoothing,
        threshold=args.threshold,
        whiten=args.whiten,
        random_state=args.seed,
        threads=args.threads,
        device=args.device,
        progress=is_terminal(),
    )
    with clock("codes and map"):
        generator.fit(images, labels, class_weight=weights)
    with clock("model file"):
        generator.save(folder / "model")
    report = make(folder, generator, images, labels, args.samples, args.seed, clock, args.format)
    facts = {"geomot": geomot.__version__, "input": str(args.images), "seed": args.seed, **report}
    text = describe(facts, generator)
    replacing_text(folder / "summary.json", json.dumps(facts, indent=1) + "\n")
    replacing_text(folder / "summary.txt", text)
    sys.stdout.write(text)

    solution = generator.transport_.solution_
    if solution.converged:
        return EXIT_OK
    return complain(
        "geomot generate",
        f"not converged ({solution.status}): {describe_error(solution)}, "
        f"tolerance {solution.tol:.2g}; all files were written",
        EXIT_NOT_CONVERGED,
    )


def _check(args: argparse.Namespace) -> None:
    """Refuse arguments that do not fit together before anything is read or written."""
    check_seed(args.seed)
    for name in ("first", "size", "latent_dim", "epochs", "threads", "samples"):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise BadInput(f"--{name.replace('_', '-')} must be at least 1, got {value}")
    if args.tv_tol is not None and not 0.0 < args.tv_tol < 1.0:
        raise BadInput(f"--tv-tol must lie between 0 and 1, got {args.tv_tol:g}")
    if not 0.0 < args.smoothing < np.inf:
        raise BadInput(f"--smoothing must be positive and finite, got {args.smoothing:g}")
    if args.threshold is not None and not args.threshold > 0.0:
        raise BadInput(f"--threshold must be positive, got {args.threshold:g}")
    training = {"epochs": args.epochs, "architecture": args.architecture}
    given = [name for name, value in training.items() if value is not None]
    if args.latent_dim is not None and args.autoencoder is not None:
        given.append("latent-dim")
    if args.autoencoder is not None and args.no_torch:
        raise BadInput("--no-torch does not go with --autoencoder")
    if given and (args.autoencoder is not None or args.no_torch):
        other = "--autoencoder" if args.autoencoder is not None else "--no-torch"
        raise BadInput(f"--{given[0]} does not go with {other}")
    folder = Path(args.output)
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"{folder}: is not a folder")
    _refuse_overwriting(args, folder)


def _refuse_overwriting(args: argparse.Namespace, folder: Path) -> None:
    if folder.is_dir() and Path(args.images).is_dir() and folder.samefile(args.images):
        raise BadInput(f"{folder}: is the folder of the input images: choose another output")
    grids = (f"{name}.{args.format}" for name in GRIDS)
    written = [*(folder / name for name in (*WRITTEN, *grids)), *folder.glob("model/*")]
    refuse_overwriting(written, [args.images, args.labels, args.autoencoder])


def _codec(args: argparse.Namespace, images: np.ndarray) -> Any:
    """The autoencoder to train, or one from a file."""
    from geomot.latent import Autoencoder, PCACodec

    if args.autoencoder is not None:
        codec = _load_codec(args.autoencoder, args.device)
        expected = tuple(codec.sample_shape_)
        if expected != images.shape[1:]:
            raise BadInput(
                f"{args.autoencoder}: was trained for shape {expected}, and {args.images} has "
                f"images of shape {images.shape[1:]}"
            )
        return codec
    latent_dim = args.latent_dim
    if latent_dim is None:
        latent_dim = min(LATENT_DIM, len(images) - 1, int(np.prod(images.shape[1:])))
    if args.no_torch:
        return PCACodec(latent_dim)
    try:
        import torch  # noqa: F401
    except ImportError:
        raise BadInput(
            'the autoencoder needs PyTorch: pip install "geomot[torch]"; '
            "--no-torch uses principal components instead"
        ) from None
    options = {"epochs": args.epochs, "architecture": args.architecture, "threads": args.threads}
    return Autoencoder(
        latent_dim,
        random_state=args.seed,
        device=args.device,
        progress=is_terminal(),
        **{name: value for name, value in options.items() if value is not None},
    )


def _load_codec(path: str, device: str) -> Any:
    from geomot.latent import Autoencoder, PCACodec

    codec = geomot.load(path, device=device)
    if not isinstance(codec, (Autoencoder, PCACodec)):
        raise BadInput(f"{path}: holds a {type(codec).__name__}, not an autoencoder")
    return codec


def _class_weight(spec: str | None, labels: np.ndarray | None) -> Any:
    """The masses of --class-weight, by label."""
    if spec is None:
        return None
    if labels is None:
        raise BadInput("--class-weight needs labels: see --labels")
    if spec == "balanced":
        return spec
    known = {str(label): label.item() for label in np.unique(labels)}
    weights = {}
    for part in spec.split(","):
        label, equals, number = part.rpartition("=")
        if not equals or label.strip() not in known:
            raise BadInput(
                f"--class-weight must be balanced or LABEL=W,LABEL=W,... with the labels "
                f"{', '.join(list(known)[:20])}, got {part!r}"
            )
        try:
            weights[known[label.strip()]] = float(number)
        except ValueError:
            raise BadInput(f"--class-weight must hold numbers, got {number!r}") from None
    if not all(0.0 <= weight < np.inf for weight in weights.values()) or not any(weights.values()):
        raise BadInput(f"--class-weight must not be negative or all zero, got {spec!r}")
    return weights
