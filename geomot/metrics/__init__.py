"""How good generated points are: distances between clouds, coverage, modes, memorisation.

Every function takes arrays of shape (n, d) and says what it estimates and with which bias. Most are
deterministic functions of the clouds and return plain numbers; `jackknife` gives any of them its
standard error. Distances between clouds of n points are not 0 for clouds of one law: what a
generator reaches is to be read beside what the training data reach themselves, with as many points.
"""

from __future__ import annotations

from geomot.metrics._classifier_scores import frechet_distance, inception_score
from geomot.metrics._jackknife import Estimate, jackknife
from geomot.metrics._mmd import median_distance, mmd
from geomot.metrics._modes import ModeStatistics, mode_statistics
from geomot.metrics._neighbours import (
    PRDC,
    nearest_distances,
    precision_recall_density_coverage,
)
from geomot.metrics._wasserstein import sliced_wasserstein2, wasserstein2

__all__ = [
    "PRDC",
    "Estimate",
    "ModeStatistics",
    "frechet_distance",
    "inception_score",
    "jackknife",
    "median_distance",
    "mmd",
    "mode_statistics",
    "nearest_distances",
    "precision_recall_density_coverage",
    "sliced_wasserstein2",
    "wasserstein2",
]
