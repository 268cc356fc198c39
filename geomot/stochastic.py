"""Stochastic approximation of the heights from samples, in any dimension.

Each step assigns a batch of samples and moves the heights against the excess of the masses, scaled
by what the Hessian is estimated to be (`geomot.curvature`): its diagonal alone would leave the
masses of whole clusters of sites behind. Heights are averaged over the steps (Polyak,
Juditsky 1992), later ones weighing more; the average is the result.

It is looked at from time to time on independent fresh samples. The fit ends when an upper bound on
the total variation of masses and targets, which holds for errors of any distribution
(`geomot.estimate`), is below the tolerance, all looks together at one level (`verdict_quantile`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geomot._constants import (
    AVERAGING,
    DIAGONAL_FLOOR,
    DIAGONAL_HITS,
    FIRST_GAPS,
    FIRST_LOOK,
    FIT_NOISE,
    FIT_NOISE_SPREAD,
    FORESIGHT,
    GAPS_EVERY,
    LARGEST_BATCH,
    LEAST_BATCH,
    LOOK_GROWTH,
    LOOK_QUANTILE,
    RARE_AVERAGING,
    RARE_HITS,
    RESOLUTION,
    RESOLUTION_SAMPLES,
    SAMPLES_PER_BATCH,
    SITES_PER_SAMPLE,
    STEP_DECAY,
    STEP_SAMPLES,
    TEST_QUANTILE,
    TEST_SHARE,
    TEST_STREAMS,
)
from geomot.curvature import Curvature
from geomot.design import Design, power_of_two
from geomot.estimate import (
    Distance,
    Tally,
    sampling_scales,
)
from geomot.rare import place_sites

__all__ = ["Fit", "Look", "gaussian_start"]

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
    heights : ndarray of shape (n,)
        Where to start, in the frame of the design.
    rng : Generator
        Randomness of the samples.
    samples : int
        How many samples the start is worth: 0 for a guess; more makes steps smaller.
    """

    def __init__(
        self,
        design: Design,
        masses: FloatArray,
        heights: FloatArray,
        rng: np.random.Generator,
        samples: int = 0,
    ) -> None:
        self.design = design
        self.draw = design.stream(rng)
        self.masses = masses
        self.latest = heights - heights.mean()
        self.average = self.latest.copy()
        self.samples = samples
        self.drawn = 0
        self.n_iter = 0
        self.averaged = samples
        self.hessian = Curvature(design, rng)

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
        mass = 1.0 / len(self.masses)
        return float(self._factors(mass, mass))

    def _factors(self, targets: FloatArray | float, masses: FloatArray | float) -> FloatArray:
        """Share of the full step for sites of given targets and masses.

        One hit may not change a small mass beyond recognition, and every site has a clock of its
        own, the hits that it can expect: what a few have taught is not yet to be frozen.
        """
        batch = self.batch_size
        clock = self.samples / batch * np.minimum(1.0, np.multiply(targets, batch))
        decay = (1.0 + clock / STEP_SAMPLES) ** -STEP_DECAY
        return np.minimum(1.0, np.multiply(masses, batch)) * decay

    def foresee_masses(self) -> None:
        """Move a start that suits equal masses towards the targets.

        Masses grow about exponentially with heights, at a rate that the gaps of one batch tell. Not
        to be used on heights that know their targets.
        """
        if self.masses.max() <= 2.0 * self.masses.min():
            return
        winners = self.design.winners(self.draw(self.batch_groups), self.latest, runner=True)
        self.hessian.update(winners)
        relative = np.log(self.masses * len(self.masses))
        self.latest += FORESIGHT * relative / self.hessian.trace
        self.latest -= self.latest.mean()
        self.average[:] = self.latest

    def step(self) -> None:
        """Assign a batch, and move heights and their average."""
        gaps = self.n_iter < FIRST_GAPS or self.n_iter % GAPS_EVERY == 0
        size = self.batch_size
        batch = self.draw(self.batch_groups)
        winners = self.design.winners(batch, self.latest, runner=gaps)
        if gaps:
            self.hessian.update(winners)
        shares = np.bincount(winners.first, minlength=len(self.masses)) / size
        # what the diagonal is raised by matters less the more samples it has been estimated from
        floor = DIAGONAL_FLOOR / np.sqrt(1.0 + self.samples * self.masses / DIAGONAL_HITS)
        fine, coarse = self.hessian.newton_step(shares - self.masses, floor * self.masses)
        factors = self._factors(self.masses, self.hessian.masses(self.masses))
        self.latest -= factors * fine + self.step_factor * coarse
        self.latest -= self.latest.mean()
        self.samples += size
        self.drawn += size
        self.n_iter += 1
        self.averaged += size
        weight = np.minimum(1.0, (AVERAGING + self._rarity()) * (size / self.averaged))
        self.average += weight * (self.latest - self.average)

    def observe(self, total_variation: float) -> None:
        """Note how far the averaged heights' masses were found from their targets."""
        self.hessian.observe(total_variation)

    def place(self, lost: IntArray) -> None:
        """Give sites that have no cell one of about their mass."""
        heights = place_sites(self.design, self.draw, self.average, self.masses, lost)
        for fitted in (self.average, self.latest):
            fitted[lost] = heights[lost]

    def _rarity(self) -> FloatArray:
        """Addition to the averaging exponent of sites that few samples have hit so far."""
        rare = np.maximum(1.0 - self.masses * len(self.masses), 0.0)
        return rare * RARE_AVERAGING / (1.0 + self.samples * self.masses / RARE_HITS)


def gaussian_start(design: Design, sites: FloatArray, masses: FloatArray) -> FloatArray:
    """Heights, in the frame, of the optimal map between Gaussians with the moments at hand.

    For sites that fill the space evenly they are close; they are exact in the limit of Gaussian
    source and target. The optimal map from N(m, A) to N(n, B) is x -> n + M (x - m), and its
    inverse's potential (y - n)' M^-1 (y - n) / 2 is minus the heights sought.
    """
    if len(sites) == 1:
        return np.zeros(1)
    # both in units of their own: products of four lengths may leave the range of float64
    length = power_of_two(float(np.ptp(sites, axis=0).max()))
    spread = power_of_two(float(np.sqrt(design.source.covariance.trace())))
    centred = (sites - masses @ sites) / length
    target = (centred * masses[:, None]).T @ centred
    values, vectors = np.linalg.eigh(target)
    # directions in which the sites do not spread: any positive number does
    values = np.maximum(values, 1e-12 * values.max())
    root = np.sqrt(values)
    half = (vectors * root) @ vectors.T
    inner, turn = np.linalg.eigh(half @ (design.source.covariance / spread / spread) @ half)
    middle = (turn * np.sqrt(np.maximum(inner, 0.0))) @ turn.T
    undo = (vectors / root) @ vectors.T
    inverse = undo @ middle @ undo
    heights = -0.5 * np.einsum("nk,kl,nl->n", centred, inverse, centred)
    # the frame's heights are those for scores <x - m, y - c>: only squares differ
    return heights * (length * spread / design.unit)


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
