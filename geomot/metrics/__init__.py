"""Scores for judging generated points: distances between clouds, coverage, modes, copies.

Every function takes arrays of shape (n, d) and says what it estimates and with which bias. Where
two clouds play different parts, real points come first and generated ones second, as `y_true` and
`y_pred` in scikit-learn; `nearest_distances` and `mode_statistics` go from the points that are
judged to the others. Most functions are deterministic and return plain numbers; `jackknife` gives
any of them its standard error.

Two samples of one distribution have distances above 0: compare the score of a generator with the
score of as many training data.
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
