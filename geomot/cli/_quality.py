"""How good generated images are, beside what data of the same number reach: scores with yardsticks.

Without a classifier images are compared by their codes: those that the autoencoder gives to
training images, and those that it gives to generated ones when it encodes them again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial import cKDTree

from geomot.generator.calls import encode
from geomot.metrics import frechet_distance, precision_recall_density_coverage

if TYPE_CHECKING:
    from geomot.generator import LatentGenerator

__all__ = ["judge"]

# Levels of the distances that are told.
_QUANTILES = (0.05, 0.5, 0.95)

# Images of each kind that are compared, at most and at least.
_MOST_JUDGED = 1000
_LEAST = 20


def judge(
    generator: LatentGenerator,
    codes: np.ndarray,
    samples: np.ndarray,
    images: np.ndarray,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Distances of codes to training codes, and scores of generated images.

    Parameters
    ----------
    generator : LatentGenerator
        Fitted to the images.
    codes, samples : ndarray
        Generated codes and images.
    images : ndarray
        The training images.
    rng : numpy.random.Generator
        Chooses what is compared.

    Returns
    -------
    dict
        What JSON can hold. Scores are None where there are too few images.
    """
    known = generator.codes_[generator.support_]
    # data that occur twice tell nothing of how far others are
    distinct = np.unique(known, axis=0)
    to_others = cKDTree(distinct).query(distinct, 2)[0][:, 1]
    distances = {
        "levels": list(_QUANTILES),
        "generated": np.quantile(generator.nearest_codes(codes)[0], _QUANTILES).tolist(),
        "training codes, to others": np.quantile(to_others, _QUANTILES).tolist(),
    }
    size = min(_MOST_JUDGED, len(samples), len(known) // 2)
    facts = {"distances to the nearest training code": distances, "images compared": size}
    if size < _LEAST:
        return {**facts, "quality": None}
    masses = generator.transport_.solution_.target_masses
    # one half of the data is the reference, the other the yardstick
    order = generator.support_[rng.permutation(len(known))]
    half = len(known) // 2
    first, second = (_drawn(part, generator, masses, size, rng) for part in np.split(order, [half]))
    kinds = {
        "generated": samples[:size],
        "decoded training codes": generator.reconstruct(images[second]),
        "other training images": images[second],
    }
    encoded = {name: encode(generator.autoencoder_, kind) for name, kind in kinds.items()}
    reference = generator.codes_[first]
    return {**facts, "quality": {name: _scores(reference, own) for name, own in encoded.items()}}


def _drawn(
    rows: np.ndarray,
    generator: LatentGenerator,
    masses: np.ndarray,
    size: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Rows drawn with their masses, none of them twice."""
    chance = masses[np.searchsorted(generator.support_, rows)]
    return rng.choice(rows, min(size, len(rows)), replace=False, p=chance / chance.sum())


def _scores(reference: np.ndarray, own: np.ndarray) -> dict[str, float]:
    found = precision_recall_density_coverage(reference, own)
    return {
        "Frechet distance": frechet_distance(reference, own),
        "precision": found.precision,
        "recall": found.recall,
    }
