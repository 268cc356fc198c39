"""Modes of synthetic data: which are found, with what masses, and what lies between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv, chdtrc

from geomot._constants import CONFIDENCE
from geomot._frozen import Frozen, read_only
from geomot._validation import as_masses, as_real_array
from geomot.metrics._clouds import two_clouds
from geomot.metrics._neighbours import nearest_distances

__all__ = ["ModeStatistics", "mode_statistics"]

FloatArray = NDArray[np.float64]

# Below so many expected points in a mode chi^2 is not distributed as its limit: the p-value is then
# found from so many draws, with a fixed seed.
_FEW_EXPECTED = 5.0
_DRAWS = 9999
_DRAW_SEED = 0
# Sums of squares over the same counts in another order differ by less, relatively.
_CHI2_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class ModeStatistics(Frozen):
    """Points in known modes and between them, and a test of the modes' masses.

    Attributes
    ----------
    counts : ndarray of shape (k,), int64
        Points in each mode.
    outside : int
        Points in none.
    found : int
        Modes with at least one point.
    mixture_rate : float
        Share of the points that lie outside of all modes.
    mixture_interval : tuple of float
        Its interval of Clopper and Pearson, at level 0.95, for independent points.
    chi2 : float
        Sum over the modes of (count - expected)^2 / expected, the points inside being shared out by
        the masses of the modes; NaN if there are none.
    p_value : float
        Probability of at least this chi2 for independent points with the right masses: from its
        limit distribution of k - 1 degrees of freedom, or where less than 5 points are expected in
        some mode, from 9999 draws of the counts. NaN if there are no points inside.

    Examples
    --------
    >>> from geomot.metrics import mode_statistics
    >>> found = mode_statistics([[0.1], [-0.2], [4.9], [2.5]], modes=[[0.0], [5.0]], radius=1.0)
    >>> found.counts.tolist(), found.outside, found.found, found.mixture_rate
    ([2, 1], 1, 2, 0.25)
    """

    counts: NDArray[np.int64]
    outside: int
    found: int
    mixture_rate: float
    mixture_interval: tuple[float, float]
    chi2: float
    p_value: float


def mode_statistics(
    points: ArrayLike,
    modes: ArrayLike,
    radius: ArrayLike,
    *,
    masses: ArrayLike | None = None,
) -> ModeStatistics:
    """Count the points in known modes, and those between them, and test the modes' masses.

    Parameters
    ----------
    points : array_like of shape (n, d)
        Generated points.
    modes : array_like of shape (k, d)
        Centres of the modes.
    radius : float or array_like of shape (k,)
        Points belong to the nearest mode, if they are within its radius. For modes of standard
        deviation s, 3 s is usual in the plane, where the data themselves have a share of
        exp(-9/2) = 0.011 outside; in d dimensions it is the tail of the chi distribution.
    masses : array_like of shape (k,), optional
        Positive masses of the modes, which must sum to 1; equal ones by default.

    Returns
    -------
    ModeStatistics

    Notes
    -----
    Number of modes and share of points near them as in Srivastava et al. 2017 (VEEGAN,
    arXiv:1705.07761) and Lin et al. 2018 (PacGAN, arXiv:1712.04086).

    Examples
    --------
    >>> from geomot.metrics import mode_statistics
    >>> found = mode_statistics([[0.1, 0.0], [0.0, 0.2], [5.0, 0.1], [2.5, 0.0]],
    ...                         [[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]], radius=1.0)
    >>> found.counts.tolist(), found.outside, found.found, found.mixture_rate
    ([2, 1, 0], 1, 2, 0.25)
    """
    x, centres = two_clouds(points, modes, ("points", "modes"))
    k = len(centres)
    radii = as_real_array(radius, "radius")
    if radii.shape not in ((), (k,)):
        raise ValueError(f"radius must be a number or have shape ({k},), got {radii.shape}")
    if not (np.isfinite(radii).all() and (radii > 0.0).all()):
        raise ValueError(f"radius must be positive and finite, got {radius!r}")
    nu = as_masses(masses, k, "masses")
    if not (nu > 0.0).all():
        raise ValueError(f"masses must be positive, got 0 at index {int(nu.argmin())}")
    distances, nearest = nearest_distances(x, centres, return_indices=True)
    inside = distances <= np.broadcast_to(radii, (k,))[nearest]
    counts = np.bincount(nearest[inside], minlength=k).astype(np.int64)
    outside = int(len(x) - counts.sum())
    chi2, p_value = _mass_test(counts, nu)
    return ModeStatistics(
        counts=read_only(counts),
        outside=outside,
        found=int(np.count_nonzero(counts)),
        mixture_rate=outside / len(x),
        mixture_interval=_clopper_pearson(outside, len(x)),
        chi2=chi2,
        p_value=p_value,
    )


def _mass_test(counts: NDArray[np.int64], masses: FloatArray) -> tuple[float, float]:
    total = int(counts.sum())
    if total == 0:
        return float("nan"), float("nan")
    expected = total * masses
    chi2 = float(np.sum((counts - expected) ** 2 / expected))
    if expected.min() >= _FEW_EXPECTED:
        return chi2, float(chdtrc(len(counts) - 1.0, chi2)) if len(counts) > 1 else 1.0
    draws = np.random.default_rng(_DRAW_SEED).multinomial(total, masses / masses.sum(), size=_DRAWS)
    drawn = np.sum((draws - expected) ** 2 / expected, axis=1)
    # rounding must not tell equal counts apart
    return chi2, float((1 + np.sum(drawn >= chi2 * (1.0 - _CHI2_ROUNDING))) / (1 + _DRAWS))


def _clopper_pearson(hits: int, n: int) -> tuple[float, float]:
    tail = 0.5 * (1.0 - CONFIDENCE)
    low = float(betaincinv(hits, n - hits + 1.0, tail)) if hits > 0 else 0.0
    high = float(betaincinv(hits + 1.0, n - hits, 1.0 - tail)) if hits < n else 1.0
    return low, high
