"""The demonstration behind ``geomot demo``: handwritten digits through a planar latent space.

A codec maps scikit-learn's 1797 digits to codes in the plane. The exact optimal map from a disk
(a regular polygon of 256 sides) onto the codes turns uniform noise into codes, and the decoder
turns those into images. Everything measured goes into a summary beside the figures.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import geomot
from geomot import datasets
from geomot._files.replacing import replacing_figure, replacing_text
from geomot._validation import as_generator
from geomot.extended import ExtendedMap
from geomot.generator import matching_disk
from geomot.latent import Autoencoder, PCACodec

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from geomot.solution import Solution

__all__ = ["DemoResult", "balanced_masses", "matching_disk", "run"]

# Samples behind the shares in the summary, and images in each grid.
_DRAWN = 10_000
_IMAGES = 100

# Digits at the two ends of each row of the interpolation, and images in a row.
_PAIRS = ((0, 6), (1, 7), (2, 3), (4, 9), (5, 8))
_MIXED = 9


@dataclass(frozen=True)
class DemoResult:
    """What a run of the demonstration made.

    Attributes
    ----------
    folder : Path
        Where the files are.
    files : tuple of str
        Their names.
    codec : Autoencoder or PCACodec
        The trained codec.
    solution : Solution
        The map from the disk onto the codes.
    labels : ndarray of shape (1797,)
        The digit of each code.
    summary : str
        The text of summary.txt.
    """

    folder: Path
    files: tuple[str, ...]
    codec: Autoencoder | PCACodec
    solution: Solution
    labels: np.ndarray
    summary: str


def balanced_masses(labels: np.ndarray) -> np.ndarray:
    """Masses that give every class the same probability, equal within each class.

    Parameters
    ----------
    labels : ndarray of shape (n,)
        The class of each site.

    Returns
    -------
    ndarray of shape (n,)
        Sums to 1.
    """
    _, index, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return 1.0 / (len(counts) * counts[index])


def run(
    folder: str | os.PathLike[str],
    *,
    random_state: Any = 0,
    use_torch: bool | None = None,
    threads: int | None = None,
    progress: bool = False,
) -> DemoResult:
    """Run the demonstration and write its figures, map and summary.

    Parameters
    ----------
    folder : path
        Where to write; made if it does not exist.
    random_state : int or numpy.random.Generator, default 0
        Seed of the training, the samples and the choice of images.
    use_torch : bool, optional
        True trains the autoencoder, False takes principal components; None takes the autoencoder
        if PyTorch is installed.
    threads : int, optional
        Threads of the solver; None: all available cores.
    progress : bool, default False
        Whether to show progress bars on stderr.

    Returns
    -------
    DemoResult
    """
    from geomot import plotting

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    clock = time.perf_counter
    begin = clock()
    rng = as_generator(random_state)
    images, labels = datasets.digits()
    has_torch = find_spec("torch") is not None
    if use_torch is None:
        use_torch = has_torch

    codec: Autoencoder | PCACodec
    if use_torch:
        codec = Autoencoder(random_state=rng, progress=progress)
        described = "autoencoder (encoder 64-256-128-2, decoder mirrored)"
    else:
        codec = PCACodec()
        described = "two principal components"
        if not has_torch:
            described += ' (for the autoencoder: pip install "geomot[torch]")'
    codec.fit(images)
    codes = codec.encode(images)
    trained = clock()

    masses = balanced_masses(labels)
    solution = geomot.solve(
        codes, masses, matching_disk(codes, masses), threads=threads, progress=progress
    )
    solved = clock()

    index = solution.assign(solution.source.sample(_DRAWN, rng))
    decoded = codec.decode(solution.sites[index[:_IMAGES]])
    extended = ExtendedMap(solution, threads=threads)
    new = codec.decode(extended.sample(_IMAGES, rng))
    copies, error_of_copies = extended.copy_rate(_DRAWN, rng)
    singular, _ = extended.rejection_rate(_DRAWN, rng)
    sampled = clock()

    real = images[rng.choice(len(images), _IMAGES, replace=False)]
    with plotting.style():
        figures = {
            "power_diagram.png": _draw_diagram(solution, labels),
            "brenier_potential.png": _draw_potential(solution, labels),
            "digits.png": _draw_digits(real, decoded, new),
            "interpolation.png": _draw_interpolation(codec, solution, labels),
        }
    for name, figure in figures.items():
        replacing_figure(folder / name, figure, dpi=160)
    solution.save(folder / "map.npz")
    drawn = clock()

    shares = np.bincount(labels[index], minlength=10) / _DRAWN
    low, high = solution.bracket
    summary = f"""\
geomot {geomot.__version__}: handwritten digits through a planar latent space

Data        {len(images)} digits of 8 x 8 pixels (scikit-learn)
Codec       {described}
            mean squared reconstruction error {codec.reconstruction_error(images):.4f} per pixel \
(pixels in [0, 1])
Source      uniform on a regular polygon of {len(solution.source.polygon)} sides \
with the mean and variance of the codes,
            centre ({", ".join(f"{c:.4g}" for c in solution.source.bounds.mean(axis=0))}), \
radius {np.ptp(solution.source.bounds[:, 0]) / 2:.4g}
Target      the {len(codes)} codes; each digit has mass 1/10, shared equally by its codes

Map         {solution.status} after {solution.n_iter} Newton steps
            largest relative error of a mass {solution.mass_error:.2e} \
(of the weights rounded to float64: {solution.rounded_mass_error:.2e})
            W2^2 = {solution.cost:.12g}
            certified bracket [{low:.15g}, {high:.15g}], relative width {(high - low) / high:.1e}
Samples     share of each digit among {_DRAWN} samples (wanted 0.1, standard error 0.003):
            {"  ".join(f"{digit}: {share:.3f}" for digit, share in enumerate(shares))}
            {len(np.unique(index))} of the {len(codes)} codes occur among them
New digits  the extended map is linear on triangles between neighbouring codes:
            {100 * copies:.1f} +- {100 * error_of_copies:.1f} % of its samples are training codes;
            {100 * singular:.1f} % of the disk is singular
Seconds     codec {trained - begin:.1f}, map {solved - trained:.2f}, \
{_DRAWN} samples and {_IMAGES} images {sampled - solved:.2f}, files {drawn - sampled:.1f}, \
total {drawn - begin:.1f}

digits.png shows three grids. The exact map sends every point of the disk to a training code, so
the images in the middle decode training codes and none of them is new. The extended map sends
points between cells to points between codes: the images on the right are new, except for the share
of copies given above. In interpolation.png, the paths on the left are straight in the latent space,
and decode points between training codes; those on the right are straight in the disk, and the exact
map turns them into training codes again.
"""
    replacing_text(folder / "summary.txt", summary)
    files = (*figures, "map.npz", "summary.txt")
    return DemoResult(folder, files, codec, solution, labels, summary)


def _figure(width: float, height: float) -> Figure:
    # Without pyplot: no display is looked for, and no figure stays open.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="compressed")


def _draw_diagram(solution: Solution, labels: np.ndarray) -> Figure:
    from geomot import plotting

    figure = _figure(7.0, 3.5)
    left, right = figure.subplots(ncols=2)
    plotting.site_cloud(solution, labels, legend=False, ax=left)
    left.set_title("codes of the digits")
    plotting.power_diagram(solution, labels, sites=False, legend=False, ax=right)
    right.set_title("the cell that is sent to each code")
    # Ten colours are not told apart by all readers, nor in grey.
    plotting.class_names(solution.centroids, labels, ax=right)
    return figure


def _draw_potential(solution: Solution, labels: np.ndarray) -> Figure:
    from geomot import plotting

    figure = _figure(5.0, 4.2)
    ax = figure.add_subplot(projection="3d")
    plotting.brenier_potential(solution, labels, label="digit", ax=ax)
    ax.set_title("Brenier potential over the power diagram", y=0.93)
    return figure


def _draw_digits(real: np.ndarray, decoded: np.ndarray, new: np.ndarray) -> Figure:
    from geomot import plotting

    figure = _figure(7.0, 2.6)
    grids = {
        "real": real,
        "exact map: training codes": decoded,
        "extended map: new digits": new,
    }
    for ax, (title, images) in zip(figure.subplots(ncols=len(grids)), grids.items(), strict=True):
        plotting.image_grid(images, cmap="gray", vmin=0, vmax=1, ax=ax)
        ax.set_title(title)
    return figure


def _draw_interpolation(
    codec: Autoencoder | PCACodec, solution: Solution, labels: np.ndarray
) -> Figure:
    from geomot import plotting

    codes, centroids = solution.sites, solution.diagram().centroids
    ends = np.array([[_medoid(codes, labels == digit) for digit in pair] for pair in _PAIRS])
    t = np.linspace(0.0, 1.0, _MIXED)[None, :, None]

    def segments(points: np.ndarray) -> np.ndarray:
        a, b = points[ends[:, 0], None], points[ends[:, 1], None]
        return ((1.0 - t) * a + t * b).reshape(-1, 2)

    straight = codec.decode(segments(codes))
    mapped = codec.decode(codes[solution.assign(segments(centroids))])
    figure = _figure(7.0, 2.2)
    left, right = figure.subplots(ncols=2)
    rows = [f"{a} to {b}" for a, b in _PAIRS]
    plotting.image_grid(
        straight, cmap="gray", columns=_MIXED, row_labels=rows, vmin=0, vmax=1, ax=left
    )
    left.set_title("straight in the latent space")
    plotting.image_grid(mapped, cmap="gray", columns=_MIXED, vmin=0, vmax=1, ax=right)
    right.set_title("straight in the disk, then mapped")
    return figure


def _medoid(codes: np.ndarray, chosen: np.ndarray) -> int:
    """The chosen code nearest to the median of all chosen ones."""
    candidates = np.flatnonzero(chosen)
    distance = np.linalg.norm(codes[candidates] - np.median(codes[candidates], axis=0), axis=1)
    return int(candidates[distance.argmin()])
