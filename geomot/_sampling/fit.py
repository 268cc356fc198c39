"""Stochastic approximation of the heights from samples, in any dimension.

Each step assigns a batch of samples and moves the heights against the excess of the masses, scaled
by what the Hessian is estimated to be (`geomot._sampling.hessian`): its diagonal alone would leave
the masses of whole clusters of sites behind. Heights are averaged over the steps (Polyak, Juditsky
1992), later ones weighing more; the average is the result.

It is looked at from time to time on fresh samples (`geomot._sampling.verdict`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geomot._constants.sampling import (
    AVERAGING,
    GAPS_EVERY,
    LARGEST_BATCH,
    LEAST_BATCH,
    LENGTHEN,
    SAMPLES_PER_BATCH,
    SITES_PER_SAMPLE,
    START_WORTH,
    STEP_DECAY,
    STEP_SAMPLES,
)
from geomot._mass_estimate import sampling_scales, variation_factor
from geomot._sampling.clusters import hierarchy
from geomot._sampling.designs import Design
from geomot._sampling.hessian import Curvature
from geomot._sampling.levels import look_samples, start_from_levels
from geomot._sampling.lost_sites import place_sites
from geomot._sampling.progress import Progress

__all__ = ["Fit"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


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
