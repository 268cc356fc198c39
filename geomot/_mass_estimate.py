"""What a test on fresh samples has measured, and the noise that samples leave.

The total variation of masses is estimated as sqrt(D(o) / (2 pi)), with a little more for few sites,
where D(o) = sum_i (g_i - nu_i)^2 / o_i and the scales o_i are in proportion to sqrt(nu_i), of
sum 1. Errors that come from sampling have standard deviations in that proportion, and then this is
their total variation if they are Gaussian. For equal targets D(o) is chi^2. Cells that earlier
looks have found far too large get larger scales.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, gammaln, stdtrit

from geomot._constants.sampling import TEST_STREAMS
from geomot._frozen import Frozen, read_only

__all__ = [
    "MassEstimate",
    "sampling_floor",
    "sampling_scales",
    "total_variation",
    "variation_factor",
]

FloatArray = NDArray[np.float64]

# Samples in a cell from which on the share's distribution is taken as normal.
FEW = 50

# A positive parameter of the beta distribution, in place of 0 where its value is not used.
_NO_HITS = 1e-9


def variation_factor(masses: FloatArray) -> float:
    """Mean total variation of Gaussian errors at distance 1.

    Errors of n equal masses sum to 0: the mean of |e_1| + ... + |e_n| on the unit sphere of such
    vectors gives 1/2 for 2 sites, and soon 1 / sqrt(2 pi).
    """
    n = max(float(np.sum(np.sqrt(masses)) ** 2 / np.sum(masses)), 2.0)
    ratio = np.exp(gammaln(0.5 * (n - 1.0)) - gammaln(0.5 * n))
    return 0.5 * float(np.sqrt((n - 1.0) / np.pi) * ratio)


def total_variation(distance: float, factor: float) -> float:
    """Total variation at a squared distance, by `variation_factor`; at most 1, as it always is."""
    return min(factor * max(distance, 0.0) ** 0.5, 1.0)


def sampling_floor(masses: FloatArray, samples: FloatArray | float) -> FloatArray:
    """Mean total variation between masses and the shares that so many samples have in them."""
    # what the others have: 0 for a single one, whose mass may exceed 1 by rounding
    others = np.maximum(masses.sum() - masses, 0.0)
    deviations = np.sum(np.sqrt(masses * others))
    return deviations / np.sqrt(2.0 * np.pi * np.asarray(samples, dtype=np.float64))


def sampling_scales(masses: FloatArray, excess: FloatArray | float = 0.0) -> FloatArray:
    """Scales o_i of the squared distance that the total variation is estimated from.

    Parameters
    ----------
    masses : ndarray of shape (n,)
        The targets.
    excess : ndarray of shape (n,), optional
        What cells are known to have beyond a multiple of their targets, from other samples than
        the distance is measured on.

    Returns
    -------
    ndarray of shape (n,)
        Positive, of sum 1.
    """
    root = np.sqrt(masses + excess)
    return root / root.sum()


@dataclass(frozen=True, eq=False)
class MassEstimate(Frozen):
    """What was measured on samples that the fit never saw.

    Attributes
    ----------
    n_samples : int
        Samples measured on.
    n_fit_samples : int
        Samples used for fitting, not counting those used to place lost sites again.
    chi2, chi2_standard_error : float
        Unbiased estimate of sum_i (g_i - nu_i)^2 / nu_i, so possibly negative, and its error.
    tv : float
        Estimate of the total variation 1/2 sum_i |g_i - nu_i| of masses and targets: what it is if
        their differences are Gaussian, as those that come from sampling are; for equal targets
        sqrt(chi2 / (2 pi)). Moved into `tv_interval` where it lies outside.
    tv_interval : tuple of float
        Two-sided interval for the total variation, whatever the distribution of the differences.
        It holds although the solve chose when to end.
    tv_floor : float
        What 1/2 sum_i |share of samples_i - nu_i| would be for exact masses: sampling noise alone.
    confidence : float
        Level of the intervals.
    design_effect : float
        Variance of the masses over that of as many independent samples.
    mass_standard_errors : ndarray of shape (n,)
        Standard error of each mass; too small where few samples fell, see `mass_intervals`.
    mass_error_standard_error : float
        That of the solution's `mass_error`, at the site where it is attained.
    cost_standard_error : float
        That of the solution's `cost`, which is the dual value: sampling noise alone, without what
        the dual value is too low by as long as masses are off. `Solution.bracket` holds for W2^2.
    map_cost, map_cost_standard_error : float
        Mean of |x - T(x)|^2 for the map of the weights, whose masses differ from the targets.
    centroids : ndarray of shape (n, d)
        Mean sample of each cell; NaN where none fell.
    """

    n_samples: int
    n_fit_samples: int
    chi2: float
    chi2_standard_error: float
    tv: float
    tv_interval: tuple[float, float]
    tv_floor: float
    confidence: float
    design_effect: float
    mass_standard_errors: FloatArray
    mass_error_standard_error: float
    cost_standard_error: float
    map_cost: float
    map_cost_standard_error: float
    centroids: FloatArray = field(repr=False)

    def __post_init__(self) -> None:
        for name in ("mass_standard_errors", "centroids"):
            object.__setattr__(self, name, read_only(np.array(getattr(self, name), dtype=float)))

    def __repr__(self) -> str:
        low, high = self.tv_interval
        return (
            f"MassEstimate(tv={self.tv:.3g} in [{low:.3g}, {high:.3g}], "
            f"n_samples={self.n_samples}, n_fit_samples={self.n_fit_samples})"
        )

    def mass_intervals(self, masses: FloatArray) -> FloatArray:
        """Two-sided intervals for the masses of the cells, at level `confidence` each.

        Parameters
        ----------
        masses : ndarray of shape (n,)
            The measured masses, `Solution.masses`.

        Returns
        -------
        ndarray of shape (n, 2)
            Those of Student's t where `FEW` samples or more fell, elsewhere those of Clopper and
            Pearson for as many independent samples as the samples are worth.
        """
        tail = 0.5 * (1.0 - self.confidence)
        size = self.n_samples / max(self.design_effect, 1.0)
        hits = masses * size
        low = np.where(
            hits > 0.0, betaincinv(np.maximum(hits, _NO_HITS), size - hits + 1.0, tail), 0.0
        )
        high = np.where(
            hits < size, betaincinv(hits + 1.0, np.maximum(size - hits, _NO_HITS), 1.0 - tail), 1.0
        )
        # the standard errors come from the spread of so many streams
        half = float(stdtrit(TEST_STREAMS - 1, 1.0 - tail)) * self.mass_standard_errors
        many = masses * self.n_samples >= FEW
        return np.column_stack(
            [np.where(many, masses - half, low), np.where(many, masses + half, high)]
        )
