"""What fresh samples say about a map: masses, chi^2, total variation, cost, with their errors.

Squared distances of the masses g_i from their targets,

    D(o) = sum_i (g_i - nu_i)^2 / o_i,        chi^2 = D(nu),

are measured on independent streams of samples. With counts c_bi of site i in stream b, of m_b
samples, products of different streams estimate g_i^2 without bias,

    ((sum_b c_bi)^2 - sum_b c_bi^2) / ((sum_b m_b)^2 - sum_b m_b^2),

while the square of the plain share would add about n / samples to chi^2 even for exact heights. Its
variance has a part that is linear in the errors g - nu, and one that stays when they are 0. The
jackknife over the streams counts the latter twice (Efron, Stein 1981), so that it is measured by
itself, from the products of residuals of different streams, and taken off once.

The total variation is estimated from D(o) (`geomot._mass_estimate`).

What is claimed holds for errors of any distribution. From above, the total variation is at most
sqrt(D(o)) / 2 (Cauchy and Schwarz), and at most the mean of 1/2 sum_i |share_i - nu_i| (Jensen),
which is sharper where many samples fell into each cell and the errors are those of a few. From
below, it is at least 1/2 sum_i s_i (g_i - nu_i) for any signs s_i: those that one half of the
streams suggests, judged by the other half.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from geomot._constants import CONFIDENCE
from geomot._constants.sampling import (
    FAR_TOO_LARGE,
    LARGEST_BATCH,
    PLAIN_SHARE,
    REPAIR_BLOCKS,
    TEST_STREAMS,
)
from geomot._core.montecarlo import add_points
from geomot._mass_estimate import MassEstimate, sampling_floor, total_variation, variation_factor
from geomot._sampling.designs import Design, joined
from geomot._sampling.repair import LAWS, Repair
from geomot.potentials import potentials_of_scores

__all__ = ["Distance", "Tally"]

FloatArray = NDArray[np.float64]

# Samples in a cell below which the streams do not show what it adds to the variance of chi^2.
RARE = 5

# Samples from which on a cell that has too many of them is taken to be too large.
_CERTAIN = 5


def verdict_quantile(verdict: int, share: float = 1.0, streams: int = TEST_STREAMS) -> float:
    """Quantile of Student's distribution for the bounds of a verdict, of which this is the k-th.

    Bounds of all verdicts together hold at level CONFIDENCE, so that they still do at the one where
    the solve ended, because they were good. One of several bounds gets a share of the level.
    """
    # 1/2 + 1/6 + 1/12 + ... = 1
    tail = 0.5 * (1.0 - CONFIDENCE) / (verdict * (verdict + 1))
    return float(stdtrit(streams - 1, 1.0 - share * tail))


@dataclass(frozen=True)
class Distance:
    """Unbiased estimate of a squared distance D.

    Attributes
    ----------
    value : float
        The estimate, possibly negative.
    standard_error : float
        Its standard error.
    gain : float
        How fast its variance grows with D.
    """

    value: float
    standard_error: float
    gain: float

    def bound(self, quantile: float) -> float:
        """Upper bound on D at a quantile of Student's distribution; a lower one if it is negative.

        An estimate that is low by chance comes with a standard error that is low as well. That is
        allowed for: samples times D plus degrees of freedom are distributed as a noncentral
        chi^2, whose bounds these are exactly for one degree of freedom, and nearly for more.
        """
        spread = np.sqrt(self.standard_error**2 + 0.125 * self.gain**2)
        if spread < -0.5 * self.gain * quantile:
            return min(self.value, 0.0)
        return float(self.value + 0.25 * self.gain * (quantile**2 + 1.0) + quantile * spread)


class Tally:
    """Counts of samples over sites, stream by stream.

    Parameters
    ----------
    design : Design
        Where the samples come from.
    masses : ndarray of shape (n,)
        The target masses, all positive.
    rng : Generator
        Randomness of the streams.
    """

    def __init__(self, design: Design, masses: FloatArray, rng: np.random.Generator) -> None:
        n = len(masses)
        self.design = design
        self.masses = masses
        self.streams = [design.plain_stream(own) for own in rng.spawn(TEST_STREAMS)]
        self.counts = np.zeros((TEST_STREAMS, n), dtype=np.int32)
        self.sums = np.zeros((n, design.source.dim))
        # samples of each stream, and sums over them of |x - m|^2 and of the best score
        self.sizes = np.zeros(TEST_STREAMS)
        self.lengths = np.zeros(TEST_STREAMS)
        self.scores = np.zeros(TEST_STREAMS)
        # where the mean m is an estimate, also <x - m, c - m>, c being the centre of the sites
        self.drifts = np.zeros(TEST_STREAMS)
        # samples that float32 would have sent elsewhere, and what it would have added to the counts
        self.moved = 0
        self.shifts = np.zeros(n, dtype=np.int64)

    @property
    def samples(self) -> int:
        """Number of samples counted."""
        return int(self.sizes.sum())

    def extend(self, heights: FloatArray, groups: int) -> None:
        """Draw so many more groups from every stream, and count their winners."""
        # Small batches of several streams are assigned together: each call has its price.
        most = max(LARGEST_BATCH // (groups * self.design.group), 1)
        for start in range(0, TEST_STREAMS, most):
            self._extend(heights, groups, slice(start, min(start + most, TEST_STREAMS)))

    def _extend(self, heights: FloatArray, groups: int, streams: slice) -> None:
        """Extend some of the streams."""
        n, count = len(self.masses), streams.stop - streams.start
        batches = [draw(groups) for draw in self.streams[streams]]
        batch = joined(batches)
        points = self.design.points(batch)
        decision = self.design.decided(batch, points, heights)
        labels = decision.first.reshape(count, -1)
        places = labels + n * np.arange(count)[:, None]
        self.counts[streams] += np.bincount(places.ravel(), minlength=count * n).reshape(count, n)
        add_points(points, decision.first, self.sums)
        if decision.moved.size:
            self.moved += decision.moved.size
            self.shifts += np.bincount(decision.instead, minlength=n)
            self.shifts -= np.bincount(decision.first[decision.moved], minlength=n)
        self.sizes[streams] += labels.shape[1]
        self.scores[streams] += decision.best.reshape(count, -1).sum(axis=1)
        self.drifts[streams] += [self.design.drift(own) for own in batches]
        lengths = self.design.square_lengths(batch).reshape(count, -1).sum(axis=1)
        self.lengths[streams] += lengths * self.design.group

    def distance(self, scales: FloatArray) -> Distance:
        """Unbiased estimate of sum_i (g_i - nu_i)^2 / scales_i."""
        counts = self.counts.astype(np.float64)
        total = counts.sum(axis=0)
        # sums over sites of products of two streams' counts, and of counts with the targets
        products = (counts / scales) @ counts.T
        own, crossed = products.diagonal(), products.sum(axis=1)
        whole = float(crossed.sum())
        target = self.masses / scales
        linear = counts @ target
        size, samples = self.sizes, self.sizes.sum()
        pairs = samples**2 - np.sum(size**2)
        constant = float(self.masses @ target)
        value = (whole - own.sum()) / pairs - 2.0 * linear.sum() / samples + constant
        # without stream b: without the pairs that it takes part in, in either place
        left = whole - own.sum() - 2.0 * (crossed - own)
        left /= pairs - 2.0 * size * (samples - size)
        without = left - 2.0 * (linear.sum() - linear) / (samples - size) + constant
        variance = _jackknife_error(without) ** 2
        # what of it is there at distance 0, from products of residuals count - size * share
        share = total / samples
        along = counts @ (share / scales)
        residual = products - np.outer(along, size) - np.outer(size, along)
        np.fill_diagonal(residual, 0.0)
        # residuals from a mean of all streams have products of a common mean other than 0
        both = np.outer(size, size)
        np.fill_diagonal(both, 0.0)
        residual -= both * (residual.sum() / both.sum())
        streams = len(size) / (len(size) - 1.0)
        still = 2.0 * float(np.sum(residual**2)) * streams**2 / pairs**2
        variance = max(variance - still, still)
        # of independent samples, variances of the shares are spread like this
        # Cells that hardly any sample hits seldom add anything, and then much: their part of the
        # variance does not show in the streams. For independent samples it is known.
        few = total < RARE
        rare = np.maximum(share, self.masses)[few]
        known = 2.0 * float(np.sum((rare / scales[few]) ** 2 * np.abs(1.0 - 2.0 * rare))) / pairs
        variance += max(known * self.design_effect() ** 2 - still, 0.0)
        spread = share * (1.0 - share) / scales
        together = (
            np.sum((share / scales) ** 2 * (1.0 - 2.0 * share)) + np.sum(share**2 / scales) ** 2
        )
        gain = 4.0 * float(together / np.sum(spread)) / samples if np.any(spread > 0.0) else 0.0
        return Distance(float(value), float(np.sqrt(variance)), gain * self.design_effect())

    def single(self, distance: Distance, scales: FloatArray) -> Distance:
        """What a distance would be with the sites that float32 finds for the same samples."""
        error = self.measured() - self.masses
        shift = self.shifts / self.samples
        return replace(
            distance, value=distance.value + float(np.sum((2.0 * error + shift) * shift / scales))
        )

    def measured(self) -> FloatArray:
        """Share of the samples that each site got."""
        return self.counts.sum(axis=0, dtype=np.int64) / self.samples

    def standard_errors(self) -> FloatArray:
        """Standard error of each share, from the spread of the streams."""
        share = self.measured()
        spread = np.zeros(len(share))
        for count, size in zip(self.counts, self.sizes, strict=True):
            spread += (count - size * share) ** 2
        return np.sqrt(spread * (TEST_STREAMS / (TEST_STREAMS - 1.0))) / self.samples

    def centroids(self) -> FloatArray:
        """Mean sample of each cell in the source's coordinates; NaN where none fell."""
        counts = self.counts.sum(axis=0, dtype=np.int64)
        hit = counts > 0
        out = np.full_like(self.sums, np.nan)
        out[hit] = self.design.to_source(self.sums[hit] / counts[hit, None])
        return out

    def costs(self, weights: FloatArray) -> tuple[float, float, float, float]:
        """Dual value of the weights and cost of their map, each followed by its standard error.

        The weights must be those of the heights that the samples were assigned with.
        """
        phi = self._potentials()
        # where the dual value has the targets' weights, the cost of the map has the measured ones
        gained = self.counts @ weights
        dual, dual_error = _jackknife_mean(phi, self.sizes)
        cost, cost_error = _jackknife_mean(phi + gained, self.sizes)
        return dual + float(weights @ self.masses), dual_error, cost, cost_error

    def _potentials(self) -> FloatArray:
        """Sums of the Kantorovich potential over the samples of each stream."""
        # phi(x) = |x - m|^2 + |c - m|^2 - 2 s (best score) - 2 <x - m, c - m>, the last of mean 0
        apart = float(self.design.offset @ self.design.offset)
        phi = potentials_of_scores(self.lengths, self.design.unit * self.scores + self.drifts)
        return phi + apart * self.sizes

    def design_effect(self) -> float:
        """Variance of the shares over that of as many independent samples, all sites together."""
        share = self.measured()
        independent = np.sum(share * (1.0 - share)) / self.samples
        return float(np.sum(self.standard_errors() ** 2) / independent) if independent > 0 else 1.0

    def excess(self) -> FloatArray:
        """What cells have beyond their targets, where it is manifold and certain; else 0."""
        counts = self.counts.sum(axis=0, dtype=np.int64)
        share = counts / self.samples
        certain = (counts >= _CERTAIN) & (share > FAR_TOO_LARGE * self.masses)
        return np.where(certain, share - self.masses, 0.0)

    def cost_above(self, weights: FloatArray, tail: float) -> float:
        """Upper bound on W2^2 that fails with the probability `tail` at most.

        The dual value, and the cost of bringing the masses to their targets
        (`geomot._sampling.repair`). Both are on average what they should be, or more.
        """
        threads = self.design.threads
        phi = self._potentials()
        counts = self.counts.astype(np.float64)
        repair = Repair(self.design.sites, weights, self.measured(), self.centroids(), threads)

        def costs(streams: NDArray[np.intp]) -> FloatArray:
            size = self.sizes[streams].sum()
            dual = float(phi[streams].sum() / size + weights @ self.masses)
            return dual + repair.costs(counts[streams].sum(axis=0) / size - self.masses)

        everyone = np.arange(TEST_STREAMS)
        blocks = np.array_split(everyone, REPAIR_BLOCKS)
        without = np.array([costs(np.setdiff1d(everyone, block)) for block in blocks])
        errors = np.array([_jackknife_error(column) for column in without.T])
        quantile = float(stdtrit(REPAIR_BLOCKS - 1, 1.0 - tail / LAWS))
        return float(np.min(costs(everyone) + quantile * errors))

    def variation_below(self, verdict: int) -> float:
        """Upper bound on the total variation at the k-th verdict of a solve, by the plain shares.

        Their total variation from the targets is on average at least that of the masses.
        """
        total, samples = self.counts.sum(axis=0, dtype=np.int64), self.sizes.sum()
        without = np.empty(TEST_STREAMS)
        for b in range(TEST_STREAMS):
            left = (total - self.counts[b]) / (samples - self.sizes[b])
            without[b] = 0.5 * np.sum(np.abs(left - self.masses))
        plain = 0.5 * float(np.sum(np.abs(total / samples - self.masses)))
        return plain + verdict_quantile(verdict, PLAIN_SHARE) * _jackknife_error(without)

    def variation_above(self, verdict: int) -> float:
        """Lower bound on the total variation at the k-th verdict of a solve."""
        half = TEST_STREAMS // 2
        bounds = []
        for chosen, judged in (
            (slice(0, half), slice(half, None)),
            (slice(half, None), slice(half)),
        ):
            share = self.counts[chosen].sum(axis=0) / self.sizes[chosen].sum()
            signs = np.sign(share - self.masses)
            values = self.counts[judged] @ signs / self.sizes[judged] - signs @ self.masses
            error = float(np.std(values, ddof=1)) / np.sqrt(half)
            bounds.append(0.5 * (float(values.mean()) - verdict_quantile(verdict, 1, half) * error))
        # the mean of two bounds that need not be independent
        return max(0.5 * sum(bounds), 0.0)

    def variation(self, distance: Distance, verdict: int) -> tuple[float, float, float]:
        """Total variation, and its two-sided interval, at the k-th verdict of a solve.

        The estimate is that of Gaussian errors, moved into the interval, which holds for any. The
        distance must be that of scales of sum 1.
        """
        high = 0.5 * max(distance.bound(verdict_quantile(verdict, 1.0 - PLAIN_SHARE)), 0.0) ** 0.5
        high = min(high, self.variation_below(verdict), 1.0)
        low = min(self.variation_above(verdict), high)
        gaussian = total_variation(distance.value, variation_factor(self.masses))
        return min(max(gaussian, low), high), low, high

    def estimate(
        self, n_fit_samples: int, weights: FloatArray, scales: FloatArray, verdict: int = 1
    ) -> MassEstimate:
        """Everything at once, for the weights that the samples were assigned with.

        The interval of the total variation is that of the k-th verdict of a solve.
        """
        chi2, distance = self.distance(self.masses), self.distance(scales)
        variation, low, high = self.variation(distance, verdict)
        shares, errors = self.measured(), self.standard_errors()
        worst = int(np.argmax(np.abs(shares - self.masses) / self.masses))
        _, dual_error, map_cost, map_error = self.costs(weights)
        return MassEstimate(
            n_samples=self.samples,
            n_fit_samples=n_fit_samples,
            chi2=chi2.value,
            chi2_standard_error=chi2.standard_error,
            tv=variation,
            tv_interval=(low, high),
            tv_floor=float(sampling_floor(self.masses, self.samples)),
            confidence=CONFIDENCE,
            design_effect=self.design_effect(),
            mass_standard_errors=errors,
            mass_error_standard_error=float(errors[worst] / self.masses[worst]),
            cost_standard_error=dual_error,
            map_cost=map_cost,
            map_cost_standard_error=map_error,
            centroids=self.centroids(),
        )


def _jackknife_error(without: FloatArray) -> float:
    """Standard error from the estimates that leave out one stream each."""
    streams = len(without)
    deviations = without - without.mean()
    # squares of squared lengths may leave the range of float64
    size = float(np.abs(deviations).max())
    if size == 0.0:
        return 0.0
    return size * float(np.sqrt((streams - 1) / streams * np.sum((deviations / size) ** 2)))


def _jackknife_mean(sums: FloatArray, sizes: FloatArray) -> tuple[float, float]:
    """Mean over all streams, and its standard error."""
    without = (sums.sum() - sums) / (sizes.sum() - sizes)
    return float(sums.sum() / sizes.sum()), _jackknife_error(without)
