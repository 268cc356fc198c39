"""Whether heights are right: looks at them on independent fresh samples.

A fit ends when an upper bound on the total variation of masses and targets, which holds for errors
of any distribution (`geomot._sampling.tally`), is below the tolerance, all looks together at one
level (`verdict_quantile`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from geomot._constants.sampling import (
    FIRST_LOOK,
    FIT_NOISE,
    FIT_NOISE_SPREAD,
    LARGEST_BATCH,
    LOOK_GROWTH,
    LOOK_QUANTILE,
    RESOLUTION,
    RESOLUTION_SAMPLES,
    TEST_QUANTILE,
    TEST_SHARE,
    TEST_STREAMS,
)
from geomot._mass_estimate import sampling_scales
from geomot._sampling.designs import Design
from geomot._sampling.tally import Distance, Tally

__all__ = ["Examiner", "Look"]

FloatArray = NDArray[np.float64]

# Far more than a cell needs to take all, and no overflow in float32.
_LARGEST_HEIGHT = 1e30

# Sites that the common part of all heights is taken from.
_LEVEL_SITES = 1024

# A wrong start is known well enough once the standard error is this share of its distance.
_KNOWN = 0.25

# The samples of a verdict grow by this factor at most from one to the next.
_MOST_SURPLUS = 4.0

# The next look aims at this share of the aim, so as not to miss it by rounding.
_BELOW_AIM = 0.99


@dataclass(frozen=True)
class Look:
    """What a test of heights found."""

    tally: Tally
    heights: FloatArray
    scales: FloatArray
    distance: Distance
    verdict: int  # the number of verdicts so far
    converged: bool
    unresolved: bool = False  # only to float32, which heights are fitted in, do they seem right

    @cached_property
    def weights(self) -> FloatArray:
        """The heights as weights of the sites that were solved for."""
        return self.tally.design.weights(self.heights)


class Examiner:
    """Looks at heights on fresh samples, and says when their masses are right.

    A verdict is sought on many samples only where the looks before promise one; all verdicts
    together are right at level CONFIDENCE.

    Parameters
    ----------
    design : Design
        Where the samples come from.
    masses : ndarray of shape (n,)
        The target masses.
    tol : float
        Tolerated total variation.
    rng : Generator
        Randomness of the tests.
    """

    def __init__(
        self, design: Design, masses: FloatArray, tol: float, rng: np.random.Generator
    ) -> None:
        self.design = design
        self.masses = masses
        self.tol = tol
        self.most = (2.0 * tol) ** 2  # squared distance that is tolerable whatever the errors
        self.rng = rng
        self.verdicts = 0
        self.excess: FloatArray | float = 0.0
        # sampling noise is that of so many equal targets
        n = float(np.sum(np.sqrt(masses)) ** 2)
        # Least sum of fitted and tested samples: with fitted V n / c to reach a distance of c, and
        # tested noise sqrt(2 n) / (most - c) for a significant verdict.
        noise = TEST_QUANTILE * design.test_noise * np.sqrt(2.0 * n)
        self.aim = self.most / (1.0 + np.sqrt(noise / (FIT_NOISE * n)))
        self.needed = int(noise / (self.most - self.aim))
        # distance times fitted samples, which settles to a constant as the start is forgotten
        self.usual = FIT_NOISE * n
        self.product = self.usual

    def look(self, heights: FloatArray, fitted: int) -> Look:
        """Test heights: briefly, and then for a verdict if one can be expected."""
        heights = _centred(heights)
        tally = Tally(self.design, self.masses, self.rng)
        scales = sampling_scales(self.masses, self.excess)
        self._extend(tally, heights, min(int(TEST_SHARE * fitted), self.needed))
        distance = tally.distance(scales)
        fit = tally.single(distance, scales)
        self._learn(fit, fitted)
        converged = unresolved = False
        promising = fit.bound(-LOOK_QUANTILE) <= self.most
        if promising and self._expected(fitted) <= self.aim:
            unresolved = self._lost(tally, distance)
            if not unresolved:
                self._extend(tally, heights, self.needed)
                distance = tally.distance(scales)
                fit = tally.single(distance, scales)
                self._learn(fit, fitted)
                converged = self._significant(tally, distance)
                promising = fit.bound(-LOOK_QUANTILE) <= self.most
                unresolved = promising and not converged and self._lost(tally, distance)
                self._plan(distance.standard_error)
        self.excess = tally.excess()
        return Look(tally, heights, scales, distance, self.verdicts, converged, unresolved)

    def blurred(self, tally: Tally) -> bool:
        """Whether float32 sends so many samples elsewhere that it cannot reach the tolerance."""
        return tally.moved > RESOLUTION * self.tol * tally.samples

    def _lost(self, tally: Tally, distance: Distance) -> bool:
        """Whether heights are surely wrong, and float32, which they are fitted in, may be why."""
        return self.blurred(tally) and distance.bound(-LOOK_QUANTILE) > self.most

    def resolves(self, look: Look, rng: np.random.Generator) -> bool:
        """Whether float32 tells the sites apart well enough for the tolerance.

        Under heights that are still wrong one site may be so far ahead of those next to it that
        float32 sends every sample where float64 does: that they lie too close together then shows
        in the distance of winner and runner-up, of samples drawn for this purpose.
        """
        if self.blurred(look.tally):
            return False
        batch = self.design.plain_stream(rng)(-(-RESOLUTION_SAMPLES // self.design.group))
        return self.design.blur(batch, look.heights) <= RESOLUTION * self.tol

    def assess(self, heights: FloatArray) -> Look:
        """Test heights of unknown quality: for a verdict, or until they are surely wrong."""
        heights = _centred(heights)
        tally = Tally(self.design, self.masses, self.rng)
        scales = sampling_scales(self.masses)
        goal = LARGEST_BATCH
        while True:
            self._extend(tally, heights, goal)
            distance = tally.distance(scales)
            wrong = distance.bound(-LOOK_QUANTILE) > self.most
            known = distance.standard_error <= _KNOWN * distance.value
            if (wrong and known) or tally.samples >= self.needed:
                break
            goal = min(2 * tally.samples, max(self.needed, tally.samples + 1))
        converged = self._significant(tally, distance)
        self.excess = tally.excess()
        return Look(tally, heights, scales, distance, self.verdicts, converged)

    def _extend(self, tally: Tally, heights: FloatArray, goal: int) -> None:
        """Bring the number of samples to the goal, in parts that an interrupt need not wait for."""
        size = TEST_STREAMS * self.design.group
        missing = max(-(-(goal - tally.samples) // size), int(tally.samples == 0))
        most = max(LARGEST_BATCH // self.design.group, 1)
        while missing > 0:
            groups = min(missing, most)
            tally.extend(heights, groups)
            missing -= groups

    def _significant(self, tally: Tally, distance: Distance) -> bool:
        """Whether the total variation is below the tolerance; a verdict that may be wrong."""
        self.verdicts += 1
        return tally.variation(distance, self.verdicts)[2] <= self.tol

    def _plan(self, error: float) -> None:
        """Ask for more samples of a verdict if their noise is larger than planned."""
        surplus = TEST_QUANTILE * error / (self.most - self.aim)
        self.needed = int(self.needed * min(max(surplus, 1.0), _MOST_SURPLUS))

    def _learn(self, distance: Distance, fitted: int) -> None:
        """Expect the product that this look and experience together suggest."""
        if fitted == 0:
            return
        usual = self.usual
        doubt, own = (FIT_NOISE_SPREAD * usual) ** 2, (distance.standard_error * fitted) ** 2
        learnt = usual + doubt / (doubt + own) * (distance.value * fitted - usual)
        self.product = max(learnt, 0.5 * usual)

    def _expected(self, fitted: int) -> float:
        """Expected distance after so many fitted samples."""
        return self.product / max(fitted, 1)

    def total_variation(self, look: Look) -> float:
        """Estimate of the total variation that a look found."""
        return look.tally.variation(look.distance, max(look.verdict, 1))[0]

    def worth(self, look: Look) -> int:
        """Fitted samples that would bring heights as near as a look found them."""
        return int(self.usual / max(look.distance.value, look.distance.standard_error))

    def next_look(self, fitted: int) -> int:
        """Fitted samples at which a verdict is expected, as far as one can look ahead."""
        low, high = LOOK_GROWTH
        ahead = self._expected(fitted) / (_BELOW_AIM * self.aim)
        return int(fitted * min(max(ahead, low), high)) + 1

    def first_look(self) -> int:
        """Fitted samples at the first look."""
        return int(FIRST_LOOK * len(self.masses))


def _level(heights: FloatArray) -> float:
    """The common part of most heights, however low those of far sites are."""
    step = -(-len(heights) // _LEVEL_SITES)
    return float(np.median(heights[::step]))


def _centred(heights: FloatArray) -> FloatArray:
    return np.clip(heights - _level(heights), -_LARGEST_HEIGHT, _LARGEST_HEIGHT)
