"""Exact semi-discrete transport on the line.

The power diagram of sites on the line is the upper envelope of the lines <x, y_i> + h_i: which
sites have a cell is decided exactly, and the borders between cells are pairs hi + lo. The optimal
weights follow from the source's quantiles, without iteration.

The envelope is the chain of collinear sites that the kernel of the plane makes, by exact decisions
(Andrew 1979); numbers too small for its arithmetic beside others go to Python's integers. Cost:
O(n log n), for sorting.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geomot import _double_double
from geomot._constants import MANTISSA_BITS
from geomot._core.plane.regular import visible_along
from geomot._double_double import Pair, double, halve, plus, two_sum
from geomot._facets import Facets
from geomot._frozen import read_only
from geomot.sources import Source
from geomot.sources._distributions import Atoms
from geomot.sources._pieces import (
    as_keys,
    difference,
    from_keys,
    product,
    quotient,
    running_sum,
)

__all__ = ["LineDiagram", "LineSites", "solve_line"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

# Pairs are accurate to about 2^-104 of the terms; a few operations multiply that.
_BORDER_ROUNDING = 2.0**-96
# Products below this lose their trailing parts to underflow; in units of the sites and the roots of
# the weights, borders beyond the other lie outside all sources.
_FLOOR = 2.0**-950
_CEILING = 2.0**800
# What the parts of a border, two numbers, may lose together to underflow: twice the least float.
_UNDERFLOWN = 2.0**-1073

# Coordinates below this, and weights below its square, in units of the largest, would leave the
# range of the kernel's exact arithmetic.
_LEAST_COORDINATE = 2.0**-200


class LineSites:
    """Sites on the line under a source, as `geomot._exact` wants them."""

    def __init__(self, sites: FloatArray, source: Source) -> None:
        self.sites = sites
        self.source = source

    def diagram(
        self, weights: FloatArray, weights_low: FloatArray | None = None, *, threads: int = 1
    ) -> LineDiagram:
        """Return the diagram of weights hi, and lo where given; one thread makes it."""
        return LineDiagram(self.sites, weights, weights_low, self.source)


class LineDiagram:
    """Power diagram of sites on the line, under a source with a distribution function.

    Parameters
    ----------
    sites : ndarray of shape (n,) or (n, 1)
        The sites, in any order.
    weights : ndarray of shape (n,)
        The power weights, or their leading parts.
    weights_low : ndarray of shape (n,) or None
        The trailing parts; zero if None.
    source : Source
        The source measure, in one dimension.

    Attributes
    ----------
    masses : ndarray of shape (n,)
        Measure of each cell.
    centroids : ndarray of shape (n, 1)
        Barycentre of each cell; NaN where it has no mass.
    costs : ndarray of shape (n,)
        Integral of (x - y_i)^2 over each cell.
    empty : ndarray of shape (n,), bool
        Whether the cell has no mass.
    order : ndarray of shape (m,), int64
        The sites whose cell on the whole line has an interior, from left to right.
    breaks : pair of ndarray of shape (m - 1,)
        The borders between the cells of `order`, ascending, as exact sums.
    facets : Facets
        Neighbours that both have mass, and the density of the source at their border.

    Notes
    -----
    Of sites at the same place, the one with the largest weight owns the cell, at equal weights the
    one with the lowest index. An atom of a discrete source on the border of two cells belongs to
    the one of `locate`.

    Examples
    --------
    >>> import numpy as np
    >>> from geomot.sources import UniformBox
    >>> diagram = LineDiagram(np.array([0.75, 0.25]), np.zeros(2), None, UniformBox([0.0], [1.0]))
    >>> diagram.masses.tolist(), diagram.order.tolist(), diagram.breaks[0].tolist()
    ([0.5, 0.5], [1, 0], [0.5])
    """

    def __init__(
        self,
        sites: FloatArray,
        weights: FloatArray,
        weights_low: FloatArray | None,
        source: Source,
    ) -> None:
        y = np.asarray(sites, np.float64).reshape(-1)
        low = np.zeros_like(y) if weights_low is None else weights_low
        self._lift = _Lift(y, two_sum(np.asarray(weights, np.float64), low))
        self.source = source
        self.order = read_only(self._lift.upper_envelope())
        breaks, self._doubt = self._lift.crossings(self.order[:-1], self.order[1:])
        # Consecutive borders may change places by rounding: cells of no width.
        hi, lo = from_keys(np.maximum.accumulate(as_keys(breaks)))
        self.breaks = read_only(hi), read_only(lo)
        self._measure()

    def _measure(self) -> None:
        n, y = len(self._lift.sites), self._lift.sites[self.order]
        distribution = self.source.distribution
        if isinstance(distribution, Atoms):
            cells = self._cells_of(distribution.places)
            masses, centres, spreads = distribution.grouped(cells, len(y))
        else:
            masses, centres, spreads = distribution.partition(self.breaks)
        held = masses > 0.0
        offsets = (centres[0][held] - y[held]) + centres[1][held]
        owners = self.order[held]
        self.masses, self.costs = np.zeros(n), np.zeros(n)
        self.centroids = np.full((n, 1), np.nan)
        self.masses[owners] = masses[held]
        self.costs[owners] = spreads[held] + masses[held] * offsets**2
        self.centroids[owners, 0] = centres[0][held]
        self.empty = self.masses == 0.0
        pairs = np.sort(np.column_stack([self.order[:-1], self.order[1:]]), axis=1)
        measures = distribution.density(self.breaks[0])
        kept = np.flatnonzero(held[:-1] & held[1:] & (measures > 0.0))
        kept = kept[np.lexsort((pairs[kept, 1], pairs[kept, 0]))]
        places = self._lift.sites[:, None]
        self.facets = Facets(pairs[kept], measures[kept], places)
        self._facet_places = self.breaks[0][kept]

    def facet_moments(self, *, threads: int = 1) -> tuple[FloatArray, FloatArray]:
        """Return where the facets are, which are points.

        Parameters
        ----------
        threads : int
            Accepted for symmetry with diagrams in the plane.

        Returns
        -------
        means : ndarray of shape (m, 1)
            In the order of `facets`.
        covariances : ndarray of shape (m, 1, 1)
            Zero.
        """
        return self._facet_places[:, None], np.zeros((len(self.facets), 1, 1))

    def locate(self, points: FloatArray, *, threads: int = 1) -> IndexArray:
        """Return the site whose power distance to each point is least.

        Parameters
        ----------
        points : ndarray of shape (q,) or (q, 1)
            The points, finite.
        threads : int
            Accepted for symmetry with diagrams in the plane.

        Returns
        -------
        ndarray of shape (q,), int64
            Decided exactly; of equally near sites the one with the lowest index among those whose
            cell on the line has an interior.
        """
        x = np.asarray(points, np.float64).reshape(-1)
        return self.order[self._cells_of(x)]

    def _cells_of(self, x: FloatArray) -> IndexArray:
        """Return the place in `order` of the cell of each point."""
        last = len(self.order) - 1
        keys = as_keys((x, np.zeros_like(x)))
        cells = np.searchsorted(as_keys(self.breaks), keys)
        if last == 0:
            return cells
        near = np.zeros(len(x), bool)
        for border in (np.maximum(cells - 1, 0), np.minimum(cells, last - 1)):
            gap = np.abs((x - self.breaks[0][border]) - self.breaks[1][border])
            near |= ~(gap > self._doubt[border])
        if near.any():
            # Each place once: points on a grid may repeat the same ones.
            places, where = np.unique(x[near], return_inverse=True)
            start = np.zeros(len(places), np.int64)
            start[where.reshape(-1)] = cells[near]
            cells[near] = self._settled(places, start)[where.reshape(-1)]
        return cells

    def _settled(self, x: FloatArray, cells: IndexArray) -> IndexArray:
        """Return the cells of points, from cells nearby, by exact comparisons."""
        last = len(self.order) - 1
        moving = np.arange(len(x))
        while len(moving):
            here = cells[moving]
            left, right = np.ones(len(moving), np.int64), -np.ones(len(moving), np.int64)
            some = here > 0
            left[some] = self._sides(x[moving[some]], here[some] - 1)
            some = here < last
            right[some] = self._sides(x[moving[some]], here[some])
            # Where a border is met, the cell of the lower index.
            index = self.order[here]
            to_left = (left == 0) & (self.order[np.maximum(here - 1, 0)] < index)
            to_right = (right == 0) & (self.order[np.minimum(here + 1, last)] < index)
            cells[moving] += ((right > 0) | to_right).astype(np.int64) - ((left < 0) | to_left)
            moving = moving[(left < 0) | (right > 0)]
        return cells

    def _sides(self, x: FloatArray, borders: IndexArray) -> IndexArray:
        """Return the sign of each point minus a border, exactly."""
        return self._lift.sides(x, self.order[borders], self.order[borders + 1])

    def touching(self, points: FloatArray) -> Pair:
        """Return the largest weights at which further sites would have no mass.

        Parameters
        ----------
        points : ndarray of shape (k,) or (k, 1)
            The further sites, each taken by itself.

        Returns
        -------
        hi, lo : ndarray of shape (k,)
            Exact sums, up to about 2^-100 of their terms.
        """
        y = np.asarray(points, np.float64).reshape(-1)
        # The line of slope y touches the envelope where the slopes pass y, or at an end.
        slope = np.searchsorted(self._lift.sites[self.order], y)
        low, high = (
            as_keys((np.array([end]), np.zeros(1))) for end in self.source.distribution.ends
        )
        padded = np.concatenate([low, as_keys(self.breaks), high])
        at = np.minimum(np.maximum(padded[slope], low), high)
        owner = self.order[np.searchsorted(as_keys(self.breaks), at)]
        site, (hi, lo) = self._lift.sites[owner], self._lift.weights
        across = difference(two_sum(y, site), double(from_keys(at)))
        return plus((hi[owner], lo[owner]), product(two_sum(y, -site), across))

    def cells(self, *, threads: int = 1) -> tuple[FloatArray, IndexArray, IndexArray, IndexArray]:
        """Return the cells as intervals, in the form of `geomot.diagram.Cells`.

        Parameters
        ----------
        threads : int
            Accepted for symmetry with diagrams in the plane.

        Returns
        -------
        corners : ndarray of shape (v, 1)
            The ends of all cells, each once.
        offsets : ndarray of shape (n + 1,), int64
            Cell i has the ends ``corners[indices[offsets[i]:offsets[i + 1]]]``, the lower one
            first, clipped to the source's bounds; none if it has no mass.
        indices : ndarray of shape (2 k,), int64
            Rows of `corners`.
        labels : ndarray of shape (2 k,), int64
            The site beyond each end; -1 beyond the lower and -2 beyond the upper end of the source.
        """
        bottom, top = self.source.bounds[:, 0]
        hi, m = self.breaks[0], len(self.order)
        low, high = np.concatenate([[-np.inf], hi]), np.concatenate([hi, [np.inf]])
        before = np.concatenate([[-1], self.order[:-1]])
        after = np.concatenate([self.order[1:], [-2]])
        ends = np.column_stack([np.maximum(low, bottom), np.minimum(high, top)])
        labels = np.column_stack(
            [np.where(low > bottom, before, -1), np.where(high < top, after, -2)]
        )
        held = ~self.empty[self.order]
        place = np.zeros(len(self.empty), np.int64)
        place[self.order] = np.arange(m)
        owners = place[np.sort(self.order[held])]
        offsets = np.concatenate([[0], np.cumsum(2 * ~self.empty)])
        corners, indices = np.unique(ends[owners], return_inverse=True)
        indices = indices.reshape(-1).astype(np.int64)
        return corners[:, None], offsets, indices, labels[owners].reshape(-1)

    def simplices(self) -> IndexArray:
        """Return the pairs of neighbours on the whole line, shape (m - 1, 2), left one first."""
        return np.column_stack([self.order[:-1], self.order[1:]])


class _Lift:
    """Sites with weights: the lines whose upper envelope makes the diagram."""

    def __init__(self, sites: FloatArray, weights: Pair) -> None:
        self.sites = sites
        self.weights = weights
        # In units of 2^scale everything is at most 1: no overflow, and little underflow.
        size = np.frexp(np.abs(sites).max())[1]
        weight_size = np.frexp(np.abs(weights[0]).max())[1]
        self.scale = int(max(size, -(-weight_size // 2)))
        self.y = np.ldexp(sites, -self.scale)
        self.w = np.ldexp(weights[0], -2 * self.scale), np.ldexp(weights[1], -2 * self.scale)

    def _weight(self, i: IndexArray) -> Pair:
        return self.w[0][i], self.w[1][i]

    def _crossings(self, i: IndexArray, j: IndexArray) -> tuple[Pair, FloatArray]:
        """Return where lines of ascending slopes cross, and bounds on the error, scaled."""
        width = two_sum(self.y[j], -self.y[i])
        with np.errstate(all="ignore"):
            hi, lo = quotient(difference(self._weight(j), self._weight(i)), width)
            # Beyond all sources, or of sites that underflow: only the side matters.
            sound = np.abs(hi) < _CEILING
            hi = np.clip(np.nan_to_num(hi, nan=0.0), -_CEILING, _CEILING)
            size = np.abs(self.y[i]) + np.abs(self.y[j]) + np.abs(hi)
            doubt = np.where(sound, _BORDER_ROUNDING * size + _FLOOR / width[0], np.inf)
        middle = two_sum(self.y[i], self.y[j])
        return halve(difference(middle, (hi, np.where(sound, lo, 0.0)))), doubt

    def crossings(self, i: IndexArray, j: IndexArray) -> tuple[Pair, FloatArray]:
        """Return where lines of ascending slopes cross, and bounds on the error."""
        (hi, lo), doubt = self._crossings(i, j)
        with np.errstate(over="ignore", under="ignore"):
            at = np.ldexp(hi, self.scale), np.ldexp(lo, self.scale)
            # What underflows in the trailing part is below the smallest float.
            return at, np.ldexp(doubt, self.scale) + _UNDERFLOWN

    def upper_envelope(self) -> IndexArray:
        """Return the sites whose line is the highest one over an interval, from left to right."""
        hi, lo = self.weights
        order = np.lexsort((np.arange(len(hi)), -lo, -hi, self.sites))
        fresh = np.ones(len(order), bool)
        fresh[1:] = self.sites[order[1:]] > self.sites[order[:-1]]
        order = order[fresh]
        site = np.column_stack([self.y, np.zeros_like(self.y), *self.w])[order]
        if _in_range(self.sites, self.y, _LEAST_COORDINATE) and all(
            _in_range(part, scaled, _LEAST_COORDINATE**2)
            for part, scaled in zip(self.weights, self.w, strict=True)
        ):
            return order[visible_along(site, np.arange(len(order), dtype=np.int32))]
        return order[self._visible_in_integers(order)]

    def _visible_in_integers(self, order: IndexArray) -> IndexArray:
        """The places of the visible sites, where the numbers span too much for the kernel."""
        (y,), (w,) = _integers(self._raw(order))
        chain: list[int] = []
        for k in range(len(order)):
            while len(chain) > 1:
                i, j = chain[-2:]
                turn = (y[k] - y[i]) * (y[j] - y[i]) * (y[k] - y[j])
                turn += (w[j] - w[i]) * (y[k] - y[j]) - (w[k] - w[j]) * (y[j] - y[i])
                if turn > 0:
                    break
                chain.pop()
            chain.append(k)
        return np.array(chain, dtype=np.int64)

    def _raw(self, i: IndexArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        return self.sites[i], self.weights[0][i], self.weights[1][i]

    def sides(self, x: FloatArray, i: IndexArray, j: IndexArray) -> IndexArray:
        """Return the sign of x minus the crossing of lines i and j of ascending slopes, exactly."""
        none = np.zeros_like(x)
        y, w = _integers(self._raw(i), self._raw(j), (x, none, none))
        side = (2 * y[2] - y[0] - y[1]) * (y[1] - y[0]) + (w[1] - w[0])
        return (side > 0).astype(np.int64) - (side < 0).astype(np.int64)


def _in_range(x: FloatArray, scaled: FloatArray, least: float) -> bool:
    """Whether no number but 0 becomes smaller than the least one."""
    return bool(((x == 0.0) | (np.abs(scaled) >= least)).all())


def _integers(
    *rows: tuple[FloatArray, FloatArray, FloatArray],
) -> tuple[list[NDArray[np.object_]], list[NDArray[np.object_]]]:
    """Return sites, and weights hi + lo, as integers: in units of some 2^-b and of 2^(-2 b)."""

    def digits(x: FloatArray) -> tuple[IndexArray, IndexArray]:
        mantissa, exponent = np.frexp(x)
        whole = np.ldexp(mantissa, MANTISSA_BITS).astype(np.int64)
        return whole, exponent.astype(np.int64) - MANTISSA_BITS

    split = [[digits(x) for x in row] for row in rows]
    bits = 0
    for row in split:
        for column, (mantissa, exponent) in enumerate(row):
            finest = -int(exponent[mantissa != 0].min(initial=0))
            bits = max(bits, finest if column == 0 else -(-finest // 2))

    def integers(number: tuple[IndexArray, IndexArray], unit: int) -> NDArray[np.object_]:
        mantissa, exponent = number
        shift = np.where(mantissa == 0, 0, exponent + unit)
        return mantissa.astype(object) << shift.astype(object)

    sites = [integers(row[0], bits) for row in split]
    weights = [integers(row[1], 2 * bits) + integers(row[2], 2 * bits) for row in split]
    return sites, weights


def solve_line(sites: FloatArray, masses: FloatArray, source: Source) -> Pair:
    """Return the weights under which the cells of sites on the line have given masses.

    Parameters
    ----------
    sites : ndarray of shape (n,) or (n, 1)
        Distinct sites, in any order.
    masses : ndarray of shape (n,)
        Positive; taken relative to their sum.
    source : Source
        The source measure, in one dimension, with a distribution function.

    Returns
    -------
    hi, lo : ndarray of shape (n,)
        The weights as exact sums; the largest and the smallest one are opposite. Masses of a
        discrete source come out as near as its atoms allow.

    Notes
    -----
    The border between consecutive sites is the quantile b of the masses up to there, and the
    weights differ by (y' - y) (y' + y - 2 b).

    Examples
    --------
    >>> import numpy as np
    >>> from geomot.sources import UniformBox
    >>> hi, lo = solve_line(np.array([0.25, 0.75]), np.array([0.3, 0.7]), UniformBox([0.0], [1.0]))
    >>> round(float(hi[0] - hi[1]), 15)
    -0.2
    """
    y = np.asarray(sites, np.float64).reshape(-1)
    order = np.argsort(y, kind="stable")
    breaks = source.distribution.cuts(np.asarray(masses, np.float64)[order])
    # In units in which everything is at most 1, products neither overflow nor underflow.
    size = max(np.abs(y).max(), np.abs(breaks[0]).max(initial=0.0))
    scale = int(np.frexp(size)[1])
    y = np.ldexp(y[order], -scale)
    hi, lo = (np.ldexp(part, -scale) for part in breaks)
    across = difference(two_sum(y[1:], y[:-1]), double((hi, lo)))
    rises = product(two_sum(y[1:], -y[:-1]), across)
    start = np.zeros(1)
    climb = running_sum(*(np.concatenate([start, part]) for part in rises))
    middle = 0.5 * (climb[0].min() + climb[0].max())
    climb = _double_double.add(climb, np.full_like(climb[0], -middle))
    weights = np.empty((2, len(y)))
    weights[:, order] = climb
    return np.ldexp(weights[0], 2 * scale), np.ldexp(weights[1], 2 * scale)
