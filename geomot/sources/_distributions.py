"""Probability measures on the line.

What `Source` offers in one dimension, and what `geomot._line` builds on: borders between
given masses (`cuts`) and the masses, barycentres and spreads between given borders (`partition`).
Both work in pairs (`_pieces`): cells of tiny mass keep their relative accuracy wherever they lie.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx, ndtr, ndtri

from geomot._double_double import Pair, halve, negate, plus, two_product, two_sum
from geomot.sources._pieces import (
    as_keys,
    constant,
    cumulated,
    difference,
    from_keys,
    gather,
    merge,
    product,
    quotient,
    running_sum,
    where,
)

__all__ = ["Atoms", "Distribution", "Normal", "Steps", "Uniform"]

FloatArray = NDArray[np.float64]
Partition = tuple[FloatArray, Pair, FloatArray]


class Distribution(ABC):
    """A probability measure on the line.

    Attributes
    ----------
    ends : tuple of float
        Finite numbers; all mass that float64 can hold lies between them.
    """

    ends: tuple[float, float]

    @abstractmethod
    def cdf(self, x: FloatArray) -> FloatArray:
        """Return the mass of (-inf, x]."""

    @abstractmethod
    def sf(self, x: FloatArray) -> FloatArray:
        """Return the mass of (x, inf)."""

    @abstractmethod
    def quantile(self, p: FloatArray) -> FloatArray:
        """Return where the mass below reaches p."""

    @abstractmethod
    def isf(self, q: FloatArray) -> FloatArray:
        """Return where the mass above falls to q."""

    @abstractmethod
    def partial_moments(self, x: FloatArray) -> FloatArray:
        """Return the integrals of 1, t and t^2 over (-inf, x], along a new last axis."""

    @abstractmethod
    def density(self, x: FloatArray) -> FloatArray:
        """Return the density; zero for a discrete measure."""

    @abstractmethod
    def cuts(self, masses: FloatArray) -> Pair:
        """Return the borders that cut the measure into consecutive pieces.

        Parameters
        ----------
        masses : ndarray of shape (n,)
            Positive; taken relative to their sum.

        Returns
        -------
        hi, lo : ndarray of shape (n - 1,)
            Ascending.
        """

    @abstractmethod
    def partition(self, breaks: Pair) -> Partition:
        """Return mass, barycentre and spread between consecutive borders.

        Parameters
        ----------
        breaks : pair of ndarray of shape (k - 1,)
            Ascending borders of k cells, the first and last of which are unbounded.

        Returns
        -------
        masses : ndarray of shape (k,)
        centres : pair of ndarray of shape (k,)
            NaN where there is no mass.
        spreads : ndarray of shape (k,)
            Integral of the squared distance from the barycentre.
        """


class Uniform(Distribution):
    """Uniform measure on an interval whose ends are pairs, each of shape ()."""

    def __init__(self, lower: Pair, upper: Pair) -> None:
        self.lower = lower
        self.upper = upper
        self.width = difference(upper, lower)
        self.ends = lower[0].item(), upper[0].item()

    def _above(self, x: FloatArray) -> FloatArray:
        return np.clip((x - self.lower[0]) - self.lower[1], 0.0, self.width[0])

    def cdf(self, x: FloatArray) -> FloatArray:
        return self._above(x) / self.width[0]

    def sf(self, x: FloatArray) -> FloatArray:
        below = (self.upper[0] - x) + self.upper[1]
        return np.clip(below, 0.0, self.width[0]) / self.width[0]

    def quantile(self, p: FloatArray) -> FloatArray:
        # From the nearer end, so that both ends are met exactly.
        near = self.lower[0] + (self.lower[1] + p * self.width[0])
        far = self.upper[0] + (self.upper[1] - (1.0 - p) * self.width[0])
        return np.clip(np.where(p <= 0.5, near, far), *self.ends)

    def isf(self, q: FloatArray) -> FloatArray:
        near = self.upper[0] + (self.upper[1] - q * self.width[0])
        far = self.lower[0] + (self.lower[1] + (1.0 - q) * self.width[0])
        return np.clip(np.where(q <= 0.5, near, far), *self.ends)

    def partial_moments(self, x: FloatArray) -> FloatArray:
        low = self.lower[0]
        up = np.clip(x, *self.ends)
        mass = self.cdf(x)
        second = mass * (low * low + low * up + up * up) / 3.0
        return np.stack([mass, mass * (0.5 * low + 0.5 * up), second], axis=-1)

    def density(self, x: FloatArray) -> FloatArray:
        inside = (x >= self.ends[0]) & (x <= self.ends[1])
        return np.where(inside, 1.0 / self.width[0], 0.0)

    def cuts(self, masses: FloatArray) -> Pair:
        before, after, left = cumulated(masses)
        low = plus(self.lower, product(before, self.width))
        high = difference(self.upper, product(after, self.width))
        return where(left, low, high)

    def partition(self, breaks: Pair) -> Partition:
        low, high = as_keys(self.lower), as_keys(self.upper)
        inner = np.minimum(np.maximum(as_keys(breaks), low), high)
        knots = from_keys(np.concatenate([low[None], inner, high[None]]))
        start = knots[0][:-1], knots[1][:-1]
        width = difference((knots[0][1:], knots[1][1:]), start)[0]
        masses = width / self.width[0]
        centres = plus(start, (0.5 * width, np.zeros_like(width)))
        centres[0][masses == 0.0] = np.nan
        return masses, centres, masses * width**2 / 12.0


# Edges of the pieces in which the normal density is integrated: on each of them it changes by a
# factor of at most e, and beyond the last of them lies less than the smallest float64.
_TAIL = np.sqrt(1.0 + 2.0 * np.arange(761.0))
_NORMAL_EDGES = np.concatenate([-_TAIL[::-1], [0.0], _TAIL])
# So many nodes of Gauss and Legendre leave an error below 1e-19 of such a piece.
_GAUSS = 8
_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(_GAUSS)
# Deviations beyond which float64 has no mass left, and those beyond which the moments are those of
# nothing, or of all.
_REACH = 39.0
_NO_TAIL = 40.0
_ROOT_2PI = np.sqrt(2.0 * np.pi)


class Normal(Distribution):
    """Normal measure."""

    def __init__(self, mean: float, deviation: float) -> None:
        self.mean = mean
        self.deviation = deviation
        self.ends = mean - _REACH * deviation, mean + _REACH * deviation

    def _standard(self, x: FloatArray) -> FloatArray:
        with np.errstate(over="ignore"):
            return (x - self.mean) / self.deviation

    def cdf(self, x: FloatArray) -> FloatArray:
        return ndtr(self._standard(x))

    def sf(self, x: FloatArray) -> FloatArray:
        return ndtr(-self._standard(x))

    def quantile(self, p: FloatArray) -> FloatArray:
        return self.mean + self.deviation * ndtri(p)

    def isf(self, q: FloatArray) -> FloatArray:
        return self.mean - self.deviation * ndtri(q)

    def partial_moments(self, x: FloatArray) -> FloatArray:
        z = np.clip(self._standard(x), -_NO_TAIL, _NO_TAIL)
        mass = ndtr(z)
        # phi(z) / Phi(z), without the quotient of two tiny numbers.
        hazard = np.sqrt(2.0 / np.pi) / erfcx(z / -np.sqrt(2.0))
        centre = self.mean - self.deviation * hazard
        # The variance of what lies below z, in units of the whole: about 1 / z^2 far to the left.
        variance = np.maximum(1.0 - hazard * (z + hazard), 0.0)
        second = centre * centre + self.deviation**2 * variance
        return np.stack([mass, mass * centre, mass * second], axis=-1)

    def density(self, x: FloatArray) -> FloatArray:
        z = self._standard(x)
        with np.errstate(over="ignore", under="ignore"):
            return np.exp(-0.5 * z * z) / (_ROOT_2PI * self.deviation)

    def cuts(self, masses: FloatArray) -> Pair:
        before, after, left = cumulated(masses)
        z = np.where(left, ndtri(before[0]), -ndtri(after[0])), np.zeros_like(before[0])
        # One step brings quantiles from a few ulps to about 1e-30.
        z = _sharpened(z, before, after, left)
        scaled = product(z, constant(self.deviation))
        return plus(scaled, constant(self.mean))

    def partition(self, breaks: Pair) -> Partition:
        z = quotient(difference(breaks, constant(self.mean)), constant(self.deviation))
        masses, centres, spreads = _normal_partition(z)
        moved = plus(product(centres, constant(self.deviation)), constant(self.mean))
        return masses, moved, spreads * self.deviation**2


def _normal_partition(breaks: Pair) -> Partition:
    """Return `Distribution.partition` of the standard normal measure."""
    start, width, _, first = merge(_NORMAL_EDGES, breaks)
    half = 0.5 * width
    middle = two_sum(start[0], start[1] + half)
    # The exponent reaches 760, so that its own rounding would cost three digits.
    square, error = two_product(middle[0], middle[0])
    peak = np.exp(-0.5 * square) * (1.0 - (0.5 * error + middle[0] * middle[1])) / _ROOT_2PI
    m0, m1, m2 = np.zeros((3, len(half)))
    for node, weight in zip(_NODES, _NODE_WEIGHTS, strict=True):
        t = node * half
        e = weight * np.exp(-t * (middle[0] + 0.5 * t))
        m0 += e
        m1 += e * t
        m2 += e * t * t
    shift = m1 / m0
    spread = (m2 - m1 * shift) * half * peak
    return gather(first, start, m0 * half * peak, half + shift, spread)


def _sharpened(z: Pair, before: Pair, after: Pair, left: NDArray[np.bool_]) -> Pair:
    """Return quantiles of the standard normal measure after a step of Newton's method."""
    masses = _normal_partition(z)[0]
    got_before, got_after, _ = cumulated(masses)
    missing = np.where(left, difference(before, got_before)[0], -difference(after, got_after)[0])
    density = np.exp(-0.5 * z[0] * z[0]) / _ROOT_2PI
    step = np.divide(missing, density, where=density > 0.0, out=np.zeros_like(density))
    hi, lo = plus(z, (step, np.zeros_like(step)))
    return from_keys(np.maximum.accumulate(as_keys((hi, lo))))


class Steps(Distribution):
    """Measure with a density that is constant between consecutive edges.

    Parameters
    ----------
    masses : ndarray of shape (m,)
        Mass of each stretch; they sum to 1.
    edges : ndarray of shape (m + 1,)
        Ascending.
    """

    def __init__(self, masses: FloatArray, edges: FloatArray) -> None:
        held = np.flatnonzero(masses > 0.0)
        # Stretches without mass at the ends would only be in the way of the quantiles at 0 and 1.
        self.masses = masses[held[0] : held[-1] + 1]
        self.edges = edges[held[0] : held[-1] + 2]
        self.widths = np.diff(self.edges)
        self.ends = float(self.edges[0]), float(self.edges[-1])
        zero = np.zeros(1)
        forward = running_sum(self.masses)
        backward = running_sum(self.masses[::-1])
        # Mass below and above each edge.
        self.below = tuple(np.concatenate([zero, part]) for part in forward)
        self.above = tuple(np.concatenate([part[::-1], zero]) for part in backward)

    def _stretch(self, x: FloatArray) -> NDArray[np.int64]:
        found = np.searchsorted(self.edges, x, side="right") - 1
        return np.clip(found, 0, len(self.masses) - 1)

    def cdf(self, x: FloatArray) -> FloatArray:
        k = self._stretch(x)
        share = np.clip((x - self.edges[k]) / self.widths[k], 0.0, 1.0)
        return np.minimum(self.below[0][k] + share * self.masses[k], 1.0)

    def sf(self, x: FloatArray) -> FloatArray:
        k = self._stretch(x)
        share = np.clip((self.edges[k + 1] - x) / self.widths[k], 0.0, 1.0)
        return np.minimum(self.above[0][k + 1] + share * self.masses[k], 1.0)

    def quantile(self, p: FloatArray) -> FloatArray:
        k = np.minimum(np.searchsorted(self.below[0][1:], p), len(self.masses) - 1)
        share = (p - self.below[0][k]) / self.masses[k]
        return self._within(k, self.edges[k] + share * self.widths[k])

    def isf(self, q: FloatArray) -> FloatArray:
        k = len(self.masses) - 1 - np.searchsorted(self.above[0][-2::-1], q)
        k = np.maximum(k, 0)
        share = (q - self.above[0][k + 1]) / self.masses[k]
        return self._within(k, self.edges[k + 1] - share * self.widths[k])

    def _within(self, k: NDArray[np.int64], x: FloatArray) -> FloatArray:
        return np.clip(x, self.edges[k], self.edges[k + 1])

    def partial_moments(self, x: FloatArray) -> FloatArray:
        k = self._stretch(x)
        low, high = self.edges[:-1], self.edges[1:]
        up = np.clip(x, low[k], high[k])
        share = (up - low[k]) / self.widths[k] * self.masses[k]
        columns = []
        for full, part in zip(_powers(low, high), _powers(low[k], up), strict=True):
            sums = running_sum(self.masses * full)[0]
            columns.append(np.concatenate([[0.0], sums])[k] + share * part)
        return np.stack(columns, axis=-1)

    def density(self, x: FloatArray) -> FloatArray:
        k = self._stretch(x)
        inside = (x >= self.ends[0]) & (x <= self.ends[1])
        return np.where(inside, self.masses[k] / self.widths[k], 0.0)

    def cuts(self, masses: FloatArray) -> Pair:
        before, after, left = cumulated(masses)
        below = (self.below[0], self.below[1])
        above = (self.above[0], self.above[1])
        total = below[0][-1:], below[1][-1:]
        low = self._reach(product(before, total), below)
        # The same from the right end, on the mirrored line.
        mirrored = Steps(self.masses[::-1], -self.edges[::-1])
        high = mirrored._reach(product(after, total), (above[0][::-1], above[1][::-1]))
        return where(left, low, negate(high))

    def _reach(self, p: Pair, below: Pair) -> Pair:
        """Return where the mass below reaches p, in pairs."""
        k = np.searchsorted(as_keys(below)[1:], as_keys(p))
        k = np.minimum(k, len(self.masses) - 1)
        rest = difference(p, (below[0][k], below[1][k]))
        share = quotient(rest, (self.masses[k], np.zeros(len(k))))
        inside = product(share, (self.widths[k], np.zeros(len(k))))
        place = as_keys(plus((self.edges[k], np.zeros(len(k))), inside))
        low, high = (as_keys((self.edges[j], np.zeros(len(k)))) for j in (k, k + 1))
        return from_keys(np.minimum(np.maximum(place, low), high))

    def partition(self, breaks: Pair) -> Partition:
        start, width, stretch, first = merge(self.edges, breaks)
        masses = self.masses[stretch] * (width / self.widths[stretch])
        return gather(first, start, masses, 0.5 * width, masses * width**2 / 12.0)


def _powers(low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the means of 1, t and t^2 between low and high."""
    second = (low * low + low * high + high * high) / 3.0
    return np.ones_like(high), 0.5 * low + 0.5 * high, second


class Atoms(Distribution):
    """Discrete measure.

    Parameters
    ----------
    places : ndarray of shape (m,)
        In any order, possibly repeated.
    masses : ndarray of shape (m,)
        They sum to 1; zeros are left out.
    """

    def __init__(self, places: FloatArray, masses: FloatArray) -> None:
        held = masses > 0.0
        distinct, index = np.unique(places[held], return_inverse=True)
        weights = np.bincount(index.reshape(-1), masses[held]).astype(np.float64)
        self.places: FloatArray = distinct
        self.weights: FloatArray = weights
        self.ends = float(distinct[0]), float(distinct[-1])
        # Mass below each gap between atoms, the outer ones included; and above.
        self.below = np.concatenate([[0.0], running_sum(weights)[0]])
        self.above = np.concatenate([running_sum(weights[::-1])[0][::-1], [0.0]])

    def cdf(self, x: FloatArray) -> FloatArray:
        return np.minimum(self.below[np.searchsorted(self.places, x, side="right")], 1.0)

    def sf(self, x: FloatArray) -> FloatArray:
        return np.minimum(self.above[np.searchsorted(self.places, x, side="right")], 1.0)

    def quantile(self, p: FloatArray) -> FloatArray:
        k = np.searchsorted(self.below[1:], p)
        return self.places[np.minimum(k, len(self.places) - 1)]

    def isf(self, q: FloatArray) -> FloatArray:
        # The first atom above which at most q lies.
        k = len(self.places) - np.searchsorted(self.above[:0:-1], q, side="right")
        return self.places[np.maximum(k, 0)]

    def partial_moments(self, x: FloatArray) -> FloatArray:
        places, weights = self.places, self.weights
        k = np.searchsorted(places, x, side="right")
        columns = [weights, weights * places, weights * places * places]
        sums = [np.concatenate([[0.0], running_sum(column)[0]])[k] for column in columns]
        return np.stack(sums, axis=-1)

    def density(self, x: FloatArray) -> FloatArray:
        return np.zeros(np.shape(x))

    def cuts(self, masses: FloatArray) -> Pair:
        # In the middle of the gap at which the mass below is nearest: rounding moves no atom.
        before, _, _ = cumulated(masses)
        middle = 0.5 * (self.below[:-1] + self.below[1:])
        gap = np.searchsorted(middle, before[0])
        places = self.places
        room = places[-1] - places[0] or abs(places[0]) or 1.0
        padded = np.concatenate([[places[0] - room], places, [places[-1] + room]])
        return halve(two_sum(padded[gap], padded[gap + 1]))

    def partition(self, breaks: Pair) -> Partition:
        places = self.places
        keys = as_keys((places, np.zeros_like(places)))
        return self.grouped(np.searchsorted(as_keys(breaks), keys), len(breaks[0]) + 1)

    def grouped(self, labels: NDArray[np.int64], n: int) -> Partition:
        """Return what `partition` does for the atoms with each of the labels 0 to n - 1."""
        places, weights = self.places, self.weights
        masses: FloatArray = np.bincount(labels, weights, minlength=n).astype(np.float64)
        # Seen from an atom of the group, so that groups far from the origin keep their digits.
        origin = np.zeros(n)
        origin[labels] = places
        seen = places - origin[labels]
        moment = np.bincount(labels, weights * seen, minlength=n)
        mean = np.divide(moment, masses, where=masses > 0.0, out=np.full(n, np.nan))
        squares = weights * (seen - mean[labels]) ** 2
        spreads: FloatArray = np.bincount(labels, squares, minlength=n).astype(np.float64)
        return masses, two_sum(origin, mean), spreads
