"""What `geomot generate` writes beside the model: samples, grids, and what was measured."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial import cKDTree

from geomot import _data
from geomot._files.replacing import replacing
from geomot.cli._quality import judge
from geomot.cli._shared import describe_error
from geomot.images import save_animation, save_grid

if TYPE_CHECKING:
    from geomot.generator import LatentGenerator

__all__ = ["describe", "make"]

# Images in a grid, in a row of pairs, and steps of an interpolation.
_SHOWN = 100
_COLUMNS = 16
_GRID_ROWS = 4
_PAIRS_SHOWN = 6
_STEPS = 12

# Images of each class in a row of the conditional grid, for at most so many classes.
_PER_CLASS = 12
_CLASSES_SHOWN = 20

# Dimensions of paths of grey images, channels that can be animated, and pixels across.
_GREY_NDIM = 5
_SHOWN_CHANNELS = (1, 3)
_WIDE = 900

# Source points that tell the rate of rejection, and data that tell their distance to each other.
_COUNTED = 10_000
_COMPARED = 1000

# Bytes of a MiB.
_MIB = 2**20

# Samples are mixtures if no label has this share of the codes that they are made of.
_PURE = 0.9

_SINGULAR = {
    "side": "such points stay on the side of their cell",
    "discrete": "such points take the code of their cell",
    "reject": "such points are redrawn",
}


def make(
    folder: Path,
    generator: LatentGenerator,
    images: np.ndarray,
    labels: np.ndarray | None,
    n: int,
    seed: int,
    clock: Any,
    suffix: str = "png",
) -> dict[str, Any]:
    """Generate, compare and draw; return what was measured.

    Parameters
    ----------
    folder : Path
        Where to write.
    generator : LatentGenerator
        Fitted to the images.
    images, labels : ndarray
        The data.
    n : int
        How many images to generate.
    seed : int
        Of the samples and the choice of what is shown.
    clock : callable
        Takes the time of a part of the work, see `geomot.cli.generate`.
    suffix : str, default "png"
        Format of the grids: png, svg or pdf.

    Returns
    -------
    dict
        What JSON can hold.
    """
    rng = np.random.default_rng([seed, 1])
    codec = generator.autoencoder_
    with clock("extended map"):
        extended = generator.extended_
    with clock("samples"):
        samples, codes = generator.sample(n, rng, return_codes=True)
    with clock("singular set"):
        singular, error_of_it = extended.rejection_rate(_COUNTED, rng)
        mixed = None if labels is None else _mixed(generator, labels, rng)
        copied, error_of_copies = generator.copy_rate(_COUNTED, rng)
    shown = rng.permutation(len(images))[:_SHOWN]
    discrete = generator.sample(min(n, _COMPARED), rng, mode="discrete")
    with clock("nearest training images"):
        distances, nearest = generator.nearest_training(samples)
    with clock("quality"):
        quality = judge(generator, codes, samples, images, rng)
    with clock("reconstruction error"):
        error = codec.reconstruction_error(images)
    unit = _units(images)
    with clock("files"):
        with replacing(folder / "samples.npz") as file:
            np.savez(
                file,
                images=unit.stored(samples),
                codes=codes,
                nearest=nearest,
                distances=distances,
                code_distances=generator.nearest_codes(codes)[0],
            )
        unit.grid(folder / f"real.{suffix}", images[shown], title="training images")
        unit.grid(folder / f"samples.{suffix}", samples[:_SHOWN], title="generated images")
        unit.grid(
            folder / f"samples_discrete.{suffix}",
            discrete[:_SHOWN],
            title="decoded training codes (discrete map)",
        )
        _pairs(unit, folder / f"reconstructions.{suffix}", generator, images[shown])
        _nearest(unit, folder / f"nearest.{suffix}", samples, images[nearest])
        animations = _interpolation(
            unit, folder / f"interpolation.{suffix}", generator, labels, rng
        )
    grids = ["real", "samples", "samples_discrete", "reconstructions", "nearest", "interpolation"]
    conditional = None
    classes = None if labels is None else np.unique(labels[generator.support_])
    if labels is not None and classes is not None and 1 < len(classes) <= _CLASSES_SHOWN:
        with clock("conditional maps"):
            path = folder / f"conditional.{suffix}"
            conditional = _conditional(unit, path, generator, images, labels, rng)
        grids.append("conditional")

    solution = generator.transport_.solution_
    estimate = solution.estimate
    return {
        "images": len(images),
        "shape": list(images.shape[1:]),
        "dtype": str(images.dtype),
        "autoencoder": type(codec).__name__,
        "latent dimension": generator.codes_.shape[1],
        "epochs": len(codec.history_) if hasattr(codec, "history_") else None,
        "reconstruction error": error,
        "variance of the data": _variance(images),
        "held-out reconstruction error": _held_out(codec),
        "codes with mass": len(generator.support_),
        "method": solution.method,
        "status": solution.status,
        "tolerance": solution.tol,
        "mass error": solution.mass_error,
        "total variation": None if estimate is None else estimate.tv,
        "total variation interval": None if estimate is None else list(estimate.tv_interval),
        "level of the interval": None if estimate is None else estimate.confidence,
        "W2^2": solution.cost,
        "singular share of the source": singular,
        "its standard error": error_of_it,
        "singular points": generator.singular,
        "share of mixed labels": mixed,
        "samples": n,
        "share of copies": copied,
        "standard error of the copies": error_of_copies,
        "smoothing": generator.smoothing,
        "threshold": extended.threshold if np.isfinite(extended.threshold) else None,
        "whitened": generator.whitened_,
        **quality,
        "shares of the labels": _shares(labels, generator, codes),
        "conditional maps": conditional,
        "files": [
            *(f"{name}.{suffix}" for name in grids),
            *animations,
            "samples.npz",
            "model/",
            "summary.json",
        ],
        "seconds": {part: round(taken, 3) for part, taken in clock.seconds.items()},
        "peak memory in bytes": _peak_memory(),
    }


def describe(facts: dict[str, Any], generator: LatentGenerator) -> str:
    """The summary as text.

    Parameters
    ----------
    facts : dict
        What `make` returned, and what goes before it.
    generator : LatentGenerator
        The generator.

    Returns
    -------
    str
    """
    solution = generator.transport_.solution_
    shape = " x ".join(map(str, facts["shape"]))
    held_out = facts["held-out reconstruction error"]
    extra = "" if held_out is None else f", {held_out:.5g} on held-out images"
    epochs = "" if facts["epochs"] is None else f", {facts['epochs']} epochs"
    ratio = facts["reconstruction error"] / (facts["variance of the data"] or 1.0)
    lines = [
        f"geomot {facts['geomot']}: {facts['samples']} images generated from {facts['input']}",
        "",
        f"Data           {facts['images']} images of {shape} pixels, {facts['dtype']}",
        f"Codec          {facts['autoencoder']}, {facts['latent dimension']} dimensions{epochs}",
        f"               mean squared error {facts['reconstruction error']:.5g} per pixel{extra}",
        f"               ({100 * ratio:.1f} % of the variance of the data)",
        f"Map            from {_source(solution.source)} onto {facts['codes with mass']} codes: "
        f"{solution.method}, {solution.status}",
        f"               {describe_error(solution)}, tolerance {solution.tol:.2g}",
        f"Extended map   {100 * facts['singular share of the source']:.2f} "
        f"+- {100 * facts['its standard error']:.2f} % of the source is singular "
        f"({_SINGULAR[facts['singular points']]})",
    ]
    lines.append(
        f"               {100 * facts['share of copies']:.1f} "
        f"+- {100 * facts['standard error of the copies']:.1f} % of the samples are copies: "
        "they decode a training code"
    )
    if facts["share of mixed labels"] is not None:
        lines.append(
            f"               {100 * facts['share of mixed labels']:.2f} % of the samples mix codes "
            f"of several labels (no label has {100 * _PURE:g} % or more)"
        )
    lines += _quality_lines(facts)
    if facts["shares of the labels"] is not None:
        lines.append("Labels         target mass, and share of the samples (by the nearest code):")
        for label, (wanted, share) in facts["shares of the labels"].items():
            lines.append(f"               {label:28}{wanted:8.4f}   {share:8.4f}")
    if facts["conditional maps"] is not None:
        worst = max(facts["conditional maps"].values())
        lines.append(
            f"Conditional    one map per class, refitted: worst total variation {worst:.4f}"
            if generator.transport_.solution_.estimate is not None
            else f"Conditional    one map per class, refitted: worst mass error {worst:.1e}"
        )
    seconds = ", ".join(f"{part} {taken:.1f}" for part, taken in facts["seconds"].items())
    lines.append(f"Seconds        {seconds}, total {sum(facts['seconds'].values()):.1f}")
    if facts["peak memory in bytes"] is not None:
        lines.append(f"Peak memory    {facts['peak memory in bytes'] / _MIB:.0f} MiB")
    lines.append(f"Files          {', '.join(facts['files'])}")
    return "\n".join(lines) + "\n"


def _quality_lines(facts: dict[str, Any]) -> list[str]:
    lines = [
        "Copies         distance to the nearest training code, 5 %, 50 % and 95 % (0 for copies):"
    ]
    for name, values in facts["distances to the nearest training code"].items():
        if name != "levels":
            lines.append(f"               {name:28}{'   '.join(f'{v:8.4g}' for v in values)}")
    if facts["quality"] is not None:
        lines.append(
            f"Quality        of {facts['images compared']} images, in the autoencoder's codes "
            "of the data and of what is judged:"
        )
        lines.append(f"               {'':28}{'Frechet':>8}   precision   recall")
        for name, row in facts["quality"].items():
            lines.append(
                f"               {name:28}{row['Frechet distance']:8.4g}   "
                f"{row['precision']:9.3f}   {row['recall']:6.3f}"
            )
    return lines


# ---------------------------------------------------------------------------------------------
# Grids
# ---------------------------------------------------------------------------------------------


class _Units:
    """The scale of the images, and how they are drawn and stored."""

    def __init__(self, byte: bool, low: float, high: float) -> None:
        self.byte, self.low, self.high = byte, low, high

    def stored(self, samples: np.ndarray) -> np.ndarray:
        """Samples in the type of the data."""
        if self.byte:
            return np.rint(255.0 * np.clip(samples, 0.0, 1.0)).astype(np.uint8)
        return samples.astype(np.float32)

    def grid(self, path: Path, images: np.ndarray, **options: Any) -> None:
        if images.dtype == np.uint8:
            images = images / 255.0
        save_grid(path, images, vmin=self.low, vmax=self.high, **options)

    def mixed(self, *rows: np.ndarray) -> np.ndarray:
        """Rows of images, one of the first, one of the second ..."""
        scaled = [row / 255.0 if row.dtype == np.uint8 else row for row in rows]
        return np.concatenate(scaled)


def _units(images: np.ndarray) -> _Units:
    if images.dtype == np.uint8:
        return _Units(True, 0.0, 1.0)
    return _Units(False, float(images.min()), float(images.max()))


def _pairs(unit: _Units, path: Path, generator: LatentGenerator, images: np.ndarray) -> None:
    rows, labels = [], []
    for start in range(0, min(len(images), _GRID_ROWS * _COLUMNS), _COLUMNS):
        part = images[start : start + _COLUMNS]
        if len(part) == min(_COLUMNS, len(images)):
            rows += [part, generator.reconstruct(part)]
            labels += ["data", "decoded"]
    unit.grid(
        path,
        unit.mixed(*rows),
        columns=len(rows[0]),
        row_labels=labels,
        title="training images and their reconstructions",
    )


def _nearest(unit: _Units, path: Path, samples: np.ndarray, found: np.ndarray) -> None:
    rows, labels = [], []
    for start in range(0, min(len(samples), _GRID_ROWS * _COLUMNS), _COLUMNS):
        part = slice(start, start + _COLUMNS)
        if len(samples[part]) == min(_COLUMNS, len(samples)):
            rows += [samples[part], found[part]]
            labels += ["generated", "nearest"]
    unit.grid(
        path,
        unit.mixed(*rows),
        columns=len(rows[0]),
        row_labels=labels,
        title="generated images and the training images nearest to them",
    )


def _interpolation(
    unit: _Units,
    path: Path,
    generator: LatentGenerator,
    labels: np.ndarray | None,
    rng: np.random.Generator,
) -> list[str]:
    """Draw the paths, and animate them side by side; return the names of the animations."""
    a, b = _ends(generator.support_, labels, rng)
    spaces = ("latent", "source")
    rows = np.stack([generator.interpolate(a, b, _STEPS, space=s) for s in spaces], axis=1)
    unit.grid(
        path,
        rows.reshape(-1, *rows.shape[3:]),
        columns=_STEPS,
        row_labels=len(a) * spaces,
        title="straight paths between two training images, in the latent space and the source",
    )
    if find_spec("PIL") is None or rows.ndim > _GREY_NDIM and rows.shape[3] not in _SHOWN_CHANNELS:
        return []
    animation = path.with_suffix(".gif")
    save_animation(
        animation, np.concatenate(rows[:, 1], axis=-1), vmin=unit.low, vmax=unit.high, size=_WIDE
    )
    return [animation.name]


def _ends(
    support: np.ndarray, labels: np.ndarray | None, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the data: half of the pairs within a class, if there are classes."""
    pairs = min(_PAIRS_SHOWN, len(support))
    a, b = rng.choice(support, pairs, replace=False), rng.choice(support, pairs)
    if labels is not None:
        for k in range(0, pairs, 2):
            same = support[labels[support] == labels[a[k]]]
            b[k] = rng.choice(same)
    return a, b


def _conditional(
    unit: _Units,
    path: Path,
    generator: LatentGenerator,
    images: np.ndarray,
    labels: np.ndarray,
    rng: np.random.Generator,
) -> dict[str, float]:
    """Draw rows of data and of new images of each class; return the errors of their maps."""
    rows, errors = [], {}
    for label in np.unique(labels[generator.support_]).tolist():
        one = generator.conditional({label: 1.0})
        rows += [images[rng.choice(one.support_, _PER_CLASS)], one.sample(_PER_CLASS, rng)]
        solution = one.transport_.solution_
        estimate = solution.estimate
        errors[str(label)] = solution.mass_error if estimate is None else estimate.tv
    unit.grid(
        path,
        unit.mixed(*rows),
        columns=_PER_CLASS,
        row_labels=[f"{label}{kind}" for label in errors for kind in (" (data)", "")],
        title="training images and generated ones of each class",
    )
    return errors


# ---------------------------------------------------------------------------------------------
# Numbers
# ---------------------------------------------------------------------------------------------


def _mixed(generator: LatentGenerator, labels: np.ndarray, rng: np.random.Generator) -> float:
    """Share of the samples that are made of codes of different labels."""
    extended = generator.extended_
    points = generator.transport_.solution_.source.sample(_COUNTED, rng)
    if generator.singular == "reject":
        points = points[~extended.is_singular(points)]
    shares = extended.shares(points, "discrete" if generator.singular == "discrete" else "side")
    _, members = np.unique(labels[generator.support_], return_inverse=True)
    return float(np.mean((shares @ np.eye(members.max() + 1)[members]).max(axis=1) < _PURE))


def _variance(images: np.ndarray) -> float:
    """Mean squared distance from the mean image, per pixel."""
    n = len(images)
    mean = sum(part.sum(axis=0) for part in _data.float_chunks(images)) / n
    total = sum(float(((part - mean) ** 2).sum()) for part in _data.float_chunks(images))
    return total / images.size


def _held_out(codec: Any) -> float | None:
    """The error on the images that the training kept for validation, if it did."""
    history, best = getattr(codec, "history_", None), getattr(codec, "best_epoch_", None)
    if history is None or best is None or not getattr(codec, "validation_fraction", 0.0):
        return None
    return float(history[best][1])


def _shares(
    labels: np.ndarray | None, generator: LatentGenerator, codes: np.ndarray
) -> dict[str, list[float]] | None:
    """The mass of each label, and its share of the training codes nearest to the samples'."""
    if labels is None:
        return None
    masses = generator.transport_.solution_.target_masses
    # Not the nearest images: reconstructions are smooth, and so nearer to some kinds than others.
    nearest = cKDTree(generator.codes_).query(codes)[1]
    wanted, found = labels[generator.support_], labels[nearest]
    return {
        str(label): [float(masses[wanted == label].sum()), float(np.mean(found == label))]
        for label in np.unique(labels)
    }


def _source(source: Any) -> str:
    kind = type(source).__name__
    known = {"UniformPolygon": "a disk", "Gaussian": "a normal measure"}
    return f"{known.get(kind, kind)} in {source.dim} dimensions"


def _peak_memory() -> int | None:
    """Most memory that the process has held, in bytes; None where the system does not say."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else 1024 * peak)
