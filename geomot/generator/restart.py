"""Whether a map that is fitted again, with other masses, had better start from the one at hand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geomot._duplicates import representatives
from geomot._search.nearest_cell import Assigner
from geomot._validation import as_threads
from geomot.diagram import PowerDiagram
from geomot.solution import Solution

__all__ = ["start_of"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Total variation of the masses below which old weights are nearer than what a solver begins with
# by itself. On digits, whole and in classes: insertion leaves 0.34 to 0.65 in the plane, levels of
# clusters 0.04 to 0.2 elsewhere.
_NEAR = {"newton": 0.35, "montecarlo": 0.1}

# Samples for each site that masses are measured by, and the seed of their randomness.
_LOOKS = 16
_SEED = 0


def start_of(known: Solution, place: IntArray, masses: FloatArray) -> FloatArray | None:
    """Weights to start from, or None if the solver's own start is nearer.

    Parameters
    ----------
    known : Solution
        The map at hand.
    place : ndarray of shape (m,), int64
        Which of its sites the new one has.
    masses : ndarray of shape (m,)
        The masses that they shall get.

    Returns
    -------
    ndarray of shape (m, 2), or None
    """
    if known.method not in _NEAR:
        return None
    weights = known.weights_exact[place]
    sites = known.sites[place]
    own = representatives(sites)
    # coincident sites have one cell
    wanted = np.bincount(own, masses, minlength=len(sites))
    found = np.bincount(own, _measured(known, sites, weights), minlength=len(sites))
    apart = float(np.abs(found - wanted).sum())
    if known.method == "montecarlo":
        apart -= float(np.sqrt(2.0 * wanted / (np.pi * _LOOKS * len(sites))).sum())
    return weights if 0.5 * apart < _NEAR[known.method] else None


def _measured(known: Solution, sites: FloatArray, weights: FloatArray) -> FloatArray:
    """Masses of the cells: exact, or of samples."""
    if known.method == "newton":
        return PowerDiagram(sites, weights, known.source).masses
    n = _LOOKS * len(sites)
    points = known.source.sample(n, np.random.default_rng(_SEED))
    cell = Assigner(sites, weights.sum(axis=1))(points, as_threads(None))
    return np.bincount(cell, minlength=len(sites)) / n
