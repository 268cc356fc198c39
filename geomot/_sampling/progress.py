"""What the masses of one batch after the other say about the steps of a fit.

Errors of the heights persist from batch to batch, while the noise of samples does not: the products
of the excess masses of two batches tell them apart, whatever the noise is. A step in the direction
of the noise makes products negative (Kesten 1958): they are positive only as long as the steps are
too short for the error that is left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geomot._constants.sampling import ALARM

__all__ = ["Progress", "Report"]

FloatArray = NDArray[np.float64]

# Weight of the last batch in running means.
_RECENT = 0.2


@dataclass(frozen=True)
class Report:
    """Means over the batches since the last report, of squared distances of masses.

    Attributes
    ----------
    persistent : float
        What two batches have in common.
    standard_error : float
        Its standard error.
    noise : float
        What they have not.
    """

    persistent: float
    standard_error: float
    noise: float


class Progress:
    """Squared distances sum_i (g_i - nu_i)^2 / o_i of batches, and products of two batches.

    Parameters
    ----------
    masses, scales : ndarrays of shape (n,)
        The targets nu_i and the scales o_i.
    noise : float
        Standard error of a distance over that of independent samples.
    """

    def __init__(self, masses: FloatArray, scales: FloatArray, noise: float) -> None:
        self.masses = masses
        self.scales = scales
        self.noise = noise
        self.before: FloatArray | None = None
        # running means, by which the next batch is judged
        self.square: float | None = None
        self.product = 0.0
        self._begin()

    def _begin(self) -> None:
        """Forget what was reported."""
        self.batches = 0
        self.squares = self.products = self.variance = 0.0

    def sound(self, shares: FloatArray, size: int, *, known: bool = False) -> bool:
        """Take a batch in, unless its masses are far worse than those before.

        Parameters
        ----------
        shares : ndarray of shape (n,)
            Parts of the batch that the sites won.
        size : int
            Number of its samples.
        known : bool
            Whether its heights were found sound before.
        """
        relative = (shares - self.masses) / np.sqrt(self.scales)
        square = float(relative @ relative)
        variances = shares * (1.0 - shares) / (size * self.scales)
        error = self.noise * float(np.sqrt(2.0 * (variances @ variances)))
        if self.square is not None and not known:
            tolerated = ALARM[0] * max(self.product, 0.0) + ALARM[1] * error
            if square - self.square > tolerated:
                return False
        if self.before is not None:
            product = float(relative @ self.before)
            self.batches += 1
            self.squares += square
            self.products += product
            self.variance += float(np.sum((relative * self.before) ** 2))
            self.product += _RECENT * (product - self.product)
        self.square = (
            square if self.square is None else self.square + _RECENT * (square - self.square)
        )
        self.before = relative
        return True

    def report(self) -> Report | None:
        """Return the means since the last report; None if there are none."""
        if self.batches == 0:
            return None
        persistent = self.products / self.batches
        error = float(np.sqrt(self.variance)) / self.batches
        report = Report(persistent, error, self.squares / self.batches - persistent)
        self._begin()
        return report
