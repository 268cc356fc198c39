"""Stochastic approximation of the heights from samples, in any dimension.

Each step assigns a batch of samples and moves the heights against the excess of the masses, scaled
by what the Hessian is estimated to be (`geomot._sampling.hessian`): its diagonal alone would leave
the masses of whole clusters of sites behind. Heights are averaged over the steps (Polyak, Juditsky
1992), later ones weighing more; the average is the result.

It is looked at from time to time on independent fresh samples. The fit ends when an upper bound on
the total variation of masses and targets, which holds for errors of any distribution
(`geomot._sampling.tally`), is below the tolerance, all looks together at one level
(`verdict_quantile`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geomot._constants import (
    AVERAGING,
    FIRST_LOOK,
    FIT_NOISE,
    FIT_NOISE_SPREAD,
    GAPS_EVERY,
    LARGEST_BATCH,
    LEAST_BATCH,
    LENGTHEN,
    LOOK_GROWTH,
    LOOK_QUANTILE,
    RESOLUTION,
    RESOLUTION_SAMPLES,
    SAMPLES_PER_BATCH,
    SITES_PER_SAMPLE,
    START_WORTH,
    STEP_DECAY,
    STEP_SAMPLES,
    TEST_QUANTILE,
    TEST_SHARE,
    TEST_STREAMS,
)
from geomot._sampling.clusters import hierarchy
from geomot._sampling.designs import Design
from geomot._sampling.hessian import Curvature
from geomot._sampling.levels import look_samples, start_from_levels
from geomot._sampling.lost_sites import place_sites
from geomot._sampling.progress import Progress
from geomot._sampling.tally import Distance, Tally, sampling_scales, variation_factor

__all__ = ["Examiner", "Fit", "Look"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Far more than a cell needs to take all, and no overflow in float32.
_LARGEST_HEIGHT = 1e30

# Sites that the common part of all heights is taken from.
_LEVEL_SITES = 1024


class Fit:
    """Heights that are fitted step by step.

    Parameters
    ----------
    design : Design
        Samples, and which sites they go to.
    masses : ndarray of shape (n,)
        The target masses, all positive.
    heights : ndarray of shape (n,) or None
        Where to start, in the frame of the design; found on levels of clusters if None.
    rng : Generator
        Randomness of the samples.
    samples : int
        How many samples the heights are worth: more makes steps smaller.
    """

    def __init__(
        self,
        design: Design,
        masses: FloatArray,
        heights: FloatArray | None,
        rng: np.random.Generator,
        samples: int = 0,
    ) -> None:
        self.design = design
        self.draw = design.stream(rng)
        self.masses = masses
        owners = hierarchy(design.metric_sites, rng)
        self.hessian = Curvature(design, masses, owners)
        self.progress = Progress(masses, sampling_scales(masses), design.test_noise)
        self.drawn = 0
        self.n_iter = 0
        # samples by which steps have shrunk at the start, and until now
        self.young = self.age = float(samples)
        self.averaged = self.samples = samples
        if heights is None:
            self.latest = self._start(owners)
        else:
            self.latest = heights - heights.mean()
            self._look()
        self.average = self.latest.copy()
        self.sound = self.latest  # the last heights that were found sound

    def _start(self, owners: list[IntArray]) -> FloatArray:
        """Find heights on levels of clusters."""
        start = start_from_levels(self.design, self.draw, self.masses, owners)
        self.samples = start.samples
        self.drawn = start.drawn
        # nothing of it belongs in an average, while it is worth more than single steps make of it
        self.averaged = 0
        self.young = self.age = START_WORTH * start.samples
        self.hessian.update(start.winners)
        self.hessian.observe(start.total_variation)
        return start.heights

    def _look(self) -> None:
        """Learn from samples what the Hessian is at the start."""
        groups = -(-look_samples(len(self.masses)) // self.design.group)
        winners = self.design.winners(self.draw(groups), self.latest, runner=True)
        self.hessian.update(winners)
        self.drawn += groups * self.design.group

    @property
    def batch_groups(self) -> int:
        """Groups of a step: more as steps become smaller, since each has its price."""
        n = len(self.masses)
        size = max(n // 2, self.samples // SAMPLES_PER_BATCH)
        size = min(max(size, LEAST_BATCH), max(LARGEST_BATCH, n // SITES_PER_SAMPLE))
        return max(size // self.design.group, 1)

    @property
    def batch_size(self) -> int:
        """Samples of a step."""
        return self.batch_groups * self.design.group

    @property
    def step_factor(self) -> float:
        """Share of the full step that the next one takes."""
        return float(self._decay(self.age))

    def _decay(self, age: FloatArray | float) -> FloatArray:
        return (1.0 + np.divide(age, self.batch_size) / STEP_SAMPLES) ** -STEP_DECAY

    def _factors(self) -> FloatArray:
        """Share of the full step for each site.

        One hit may not change a small mass beyond recognition, and every site has an age of its
        own, the hits that it can expect: what a few have taught is not yet to be frozen.
        """
        batch = self.batch_size
        young = min(self.young, self.age)
        age = young + (self.age - young) * np.minimum(1.0, self.masses * batch)
        masses = self.hessian.masses(self.masses)
        return np.minimum(1.0, masses * batch) * self._decay(age)

    def step(self) -> None:
        """Assign a batch, and move heights and their average."""
        size = self.batch_size
        gaps = self.n_iter % GAPS_EVERY == 0
        winners = self.design.winners(self.draw(self.batch_groups), self.latest, runner=gaps)
        if gaps:
            self.hessian.update(winners)
        self.samples += size
        self.drawn += size
        self.n_iter += 1
        shares = np.bincount(winners.first, minlength=len(self.masses)) / size
        excess = shares - self.masses
        if not self.progress.sound(shares, size, known=self.latest is self.sound):
            self.latest = self.sound
            self.hessian.refuse()
            return
        self.sound = self.latest
        self.averaged += size
        weight = min(1.0, AVERAGING * size / self.averaged)
        self.average += weight * (self.latest - self.average)
        roots = np.sqrt(self._factors())
        step = roots * self.hessian.newton_step(roots * excess)
        self.latest = self.latest - (step - step.mean())
        self.hessian.accept()
        self.age += size

    def observe(self, total_variation: float) -> None:
        """Note how far the averaged heights' masses were found from their targets."""
        self.hessian.observe(total_variation)
        report = self.progress.report()
        if report is None:
            return
        factor = self.step_factor
        # as the noise moves them: of steps by a factor, heights keep half of it as their variance
        kept = max(report.persistent, 0.0) + 0.5 * factor * report.noise
        distance = (total_variation / variation_factor(self.masses)) ** 2
        if distance > kept + 2.0 * report.standard_error:
            self.averaged = 0  # worse than what it is the average of: that has moved on
        if report.persistent > 2.0 * report.standard_error:
            longer = min(LENGTHEN * factor, 1.0)
            age = self.batch_size * STEP_SAMPLES * (longer ** (-1.0 / STEP_DECAY) - 1.0)
            self.age = min(self.age, age)

    def place(self, lost: IntArray) -> None:
        """Give sites that have no cell one of about their mass."""
        self.latest = self.latest.copy()
        for fitted in (self.average, self.latest):
            fitted[:] = place_sites(self.design, self.draw, fitted, self.masses, lost)


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
            known = distance.standard_error <= 0.25 * distance.value
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
        self.needed = int(self.needed * min(max(surplus, 1.0), 4.0))

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
        ahead = self._expected(fitted) / (0.99 * self.aim)
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
