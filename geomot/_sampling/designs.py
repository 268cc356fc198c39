"""Sampling designs: how samples of a source are drawn, and which site each goes to.

A design works in a frame of its own, in which samples and sites are centred and of unit size, so
that float32 scores lose nothing to units or a far origin. Heights in the frame are

    g_i = (w_i - |y_i - m|^2 + |c - m|^2) / (2 s),

m being the source's mean, c a point amid the sites and s the unit of squared length. The winner of
a sample is the site of largest <z, s_i> + g_i, z and s_i being sample and site in the frame. Two
designs exist:

- `PairDesign`, for sources that are affine images of product measures: 16 left halves and 16 right
  halves of a sample's coordinates are combined to 256 samples, each exactly distributed. A
  sample-site pair then costs an addition and a maximum, whatever the dimension.
- `PointDesign`, for all others, sample by sample.

What float32 finds is good enough to fit heights by. To tell the masses of given weights, samples
are assigned as `Solution.assign` does it (`Design.decided`): where the lead of the float32 winner
is within what rounding may have added to it, `Assigner` decides.

Both draw from streams. One for fitting is a Sobol sequence under random digital shifts wherever the
source has a map from the unit cube: each sample is exactly distributed, and the masses of many vary
less than those of independent ones. Streams for tests are plain samples: products of two shifted
copies of one net vary far more than those of independent samples, above all in few dimensions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from geomot._constants import UNIT_ROUNDOFF_SINGLE
from geomot._constants.sampling import (
    NEAR_DIMENSIONS,
    NEAR_SITES,
    PAIR_DIMENSIONS,
    PAIR_SITES,
    SOBOL_ROWS,
)
from geomot._core.montecarlo import GROUP_SIDE
from geomot._search.backends import Backend, WinnersLike
from geomot._search.nearest_cell import Assigner, central_point
from geomot.potentials import heights_in_frame, weights_in_frame
from geomot.sources import Product, Source

__all__ = [
    "Batch",
    "Decision",
    "Design",
    "PairDesign",
    "PointDesign",
    "joined",
    "make_design",
    "power_of_two",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Float32Array = NDArray[np.float32]

GROUP = GROUP_SIDE * GROUP_SIDE

# Largest coordinate of a sample in the frame.
_FARTHEST = 2.0**40

# Roundings of float32 that a term of a score takes part in, beside one for each coordinate; what
# all may add up to for the bound to hold; and what a score may lose to underflow.
_SCORE_ROUNDINGS = 5
_MOST_ROUNDING = 0.125
_UNDERFLOW = 2.0**-123

# The bound of src/assign.h on a score, 2 |x| |y| + |s|, for two scores that do not exceed |x| |y|,
# and the rounding of a length for each coordinate.
_LEAD_PARTS = 6.0
_LENGTH_ROUNDING = 2.0**-22

# Where float64 rounds on the way from the frame to the sites' own, times the number of coordinates
# and of further operations.
_FRAME_ROUNDING = 2.0**-48
_FRAME_OPERATIONS = 8

# Coordinates in the frame beyond which float32 scores could overflow, and a height that float32
# holds, below all that win.
_LARGEST_SITE = 2.0**60
_LOWEST_HEIGHT = -3e38

# Extent of a source, and product of those of source and sites, below which covariances and weights
# lose digits.
_LEAST_LENGTH = 2.0**-500
_LEAST_AREA = 2.0**-960

# Bits of a Sobol coordinate, and rows that are transformed at once.
_BITS = 30
_TRANSFORMED = 1024

# Noise of chi^2 in a test over that of independent samples: of single ones, and of product groups,
# with what few sites add. Measured in 10 dimensions.
_POINT_NOISE = 1.15
_PAIR_NOISE = 2.0
_FEW_NOISE = 100.0
_FEW_DECAY = 0.7


@dataclass(frozen=True)
class Batch:
    """Samples in the frame of a design: points, or the two halves of product groups."""

    points: tuple[Float32Array, ...]

    def __getitem__(self, groups: slice) -> Batch:
        return Batch(tuple(part[groups] for part in self.points))

    def __len__(self) -> int:
        """Number of groups; a point is a group of its own."""
        return len(self.points[0])


def joined(batches: Sequence[Batch]) -> Batch:
    """One batch of several, in their order."""
    if len(batches) == 1:
        return batches[0]
    return Batch(tuple(map(np.concatenate, zip(*(b.points for b in batches), strict=True))))


@dataclass(frozen=True)
class Decision:
    """Sites of samples, as float64 has it."""

    first: NDArray[np.int32]  # the sites
    best: FloatArray  # their scores in the design's frame
    moved: IntArray  # samples that float32 would have sent elsewhere
    instead: NDArray[np.int32]  # where to


class Design(ABC):
    """Samples of a source, and the sites they go to.

    Parameters
    ----------
    sites : ndarray of shape (n, d)
        The sites.
    source : Source
        The source measure.
    rng : Generator
        Randomness of what all streams have in common.
    threads : int
        Number of threads; no result depends on it.
    backend : Backend
        Where scores are computed.
    """

    group: int  # samples in a group

    def __init__(self, sites: FloatArray, source: Source, threads: int) -> None:
        self.sites = sites
        self.source = source
        self.sites = sites
        self.threads = threads
        self._ruled: tuple[FloatArray, Assigner] | None = None
        self.mean = source.mean
        self.centre = central_point(sites)
        self.offset = self.centre - self.mean
        # Squared distances of the sites from the source's mean, less that of the centre, which
        # would leave weights few digits where it is large: they turn heights into weights.
        moved = sites - self.centre
        self.squares = np.einsum("nk,nk->n", moved, moved + 2.0 * self.offset)
        self.extent = float(_lengths_of(moved).max())

    def __len__(self) -> int:
        return len(self.squares)

    @property
    @abstractmethod
    def test_noise(self) -> float:
        """Standard error of chi^2 in a verdict, over that of independent samples at chi^2 = 0."""

    frame_sites: FloatArray  # the sites s_i
    metric_sites: FloatArray  # the same where all directions of the source are alike
    unit: float  # squared length that a unit of height in the frame stands for

    def weights(self, heights: FloatArray) -> FloatArray:
        """Power weights of heights in the frame."""
        return weights_in_frame(heights, self.squares, self.unit)

    def heights(self, weights: FloatArray) -> FloatArray:
        """Heights in the frame of power weights."""
        return heights_in_frame(weights, self.squares, self.unit)

    @abstractmethod
    def stream(self, rng: np.random.Generator) -> Callable[[int], Batch]:
        """Start a stream for fitting: a function that draws the next so many groups."""

    @abstractmethod
    def plain_stream(self, rng: np.random.Generator) -> Callable[[int], Batch]:
        """Start a stream of independent groups."""

    @abstractmethod
    def winners(
        self,
        batch: Batch,
        heights: FloatArray,
        *,
        runner: bool = False,
        lead: Float32Array | None = None,
    ) -> WinnersLike:
        """Winners of all samples of a batch, group after group; see `geomot._search.backends`."""

    @cached_property
    def _assigner(self) -> Assigner:
        return Assigner(self.sites, self.squares)

    @cached_property
    def _reach(self) -> float:
        """Largest distance of a site from the centre, in the frame."""
        return float(_lengths_of(self.frame_sites).max())

    def decided(self, batch: Batch, points: Float32Array, heights: FloatArray) -> Decision:
        """Sites of samples under heights, by the rule of `Assigner` for the heights' weights.

        Parameters
        ----------
        batch : Batch
            The samples.
        points : ndarray of shape (m, d)
            The same, `points(batch)`.
        heights : ndarray of shape (n,)
            Heights in the frame.

        Returns
        -------
        Decision
        """
        level = float(heights.max())
        lead = self._lead(batch, heights)
        found = self.winners(batch, np.maximum(heights - level, _LOWEST_HEIGHT), lead=lead)
        first, best = found.first.copy(), found.best.astype(np.float64) + level
        rows = np.flatnonzero(~(found.best - found.runner > lead))
        if rows.size == 0:
            return Decision(first, best, rows, first[rows])
        z = points[rows].astype(np.float64)
        exact = self._rule(heights)(self.to_source(z), self.threads)
        best[rows] = np.einsum("mk,mk->m", z, self.frame_sites[exact]) + heights[exact]
        moved = exact != first[rows]
        instead = first[rows[moved]]
        first[rows] = exact
        return Decision(first, best, rows[moved], instead)

    def blur(self, batch: Batch, heights: FloatArray) -> float:
        """Share of a batch that float32 sends to a wrong site, were all heights right.

        The border between two cells, as float32 sees it, is off by about what the scores of its
        samples are rounded by, over the distance of the two sites. Samples vary in the direction
        across it by `spread`, and half as many as would if they were uniform change sides.
        """
        heights = np.maximum(heights - heights.max(), _LOWEST_HEIGHT)
        found = self.winners(batch, heights, runner=True)
        if len(self) == 1:
            return 0.0
        first, second = self.frame_sites[found.first], self.frame_sites[found.second]
        lengths = self._lengths(batch).astype(np.float64)
        spread = float(np.sqrt(np.mean(lengths**2) / self.source.dim))
        own = _lengths_of(first)
        apart = _lengths_of(first - second)
        rounding = UNIT_ROUNDOFF_SINGLE * (lengths * own + np.abs(found.best))
        with np.errstate(all="ignore"):
            share = np.nan_to_num(0.5 * rounding / (apart * spread), nan=1.0)
        return float(np.minimum(share, 1.0).mean())

    def _rule(self, heights: FloatArray) -> Assigner:
        """The assigner of these heights, kept until others come."""
        if self._ruled is None or not np.array_equal(self._ruled[0], heights):
            self._ruled = heights.copy(), self._assigner.under(self.weights(heights))
        return self._ruled[1]

    def _lead(self, batch: Batch, heights: FloatArray) -> Float32Array:
        """Lead beyond which the float32 winner of a sample is that of float64.

        The bound of src/assign.h on each score, for sums in any order, and what float64 rounds
        where scores are computed anew. The largest of the heights counts as 0, so that no best
        score exceeds the products in magnitude.
        """
        d, reach = self.source.dim, self._reach
        lengths = self._lengths(batch)
        share = (d + _SCORE_ROUNDINGS) * UNIT_ROUNDOFF_SINGLE
        if share > _MOST_ROUNDING or not reach < _LARGEST_SITE:
            return np.full_like(lengths, np.inf)
        far = float(np.sqrt(self.mean @ self.mean) + np.sqrt(self.offset @ self.offset))
        double = _FRAME_ROUNDING * (d + _FRAME_OPERATIONS) / self.unit
        fixed = self.extent * (4.0 * far + 2.0 * self.extent)
        fixed = double * (fixed + 4.0 * self.unit * float(np.abs(heights).max()))
        fixed += _UNDERFLOW * (d + 1) * (1.0 + reach)
        slope = share / (1.0 - 4.0 * share) * _LEAD_PARTS * reach
        slope += double * self.extent * self._stretch() + _UNDERFLOW * (d + 1)
        slope *= 1.0 + d * _LENGTH_ROUNDING  # lengths are rounded too
        with np.errstate(over="ignore"):  # an infinite lead leaves all to float64
            return lengths * np.float32(slope) + np.float32(fixed)

    @abstractmethod
    def _lengths(self, batch: Batch) -> Float32Array:
        """Lengths of all samples in the frame, group after group."""

    @abstractmethod
    def _stretch(self) -> float:
        """How much longer differences of points may be in the source than in the frame."""

    @abstractmethod
    def points(self, batch: Batch) -> Float32Array:
        """All samples of a batch in the frame, shape (groups * group, d)."""

    @abstractmethod
    def to_source(self, points: FloatArray) -> FloatArray:
        """Points of the frame in the source's coordinates."""

    def drift(self, batch: Batch) -> float:
        """Sum of <x - m, c - m> over a batch, where m is not the mean but an estimate."""
        if not self.source.mean_is_estimated:
            return 0.0
        moved = self.to_source(self.points(batch).mean(axis=0, dtype=np.float64)[None])[0]
        return float((moved - self.mean) @ self.offset) * len(batch) * self.group

    @abstractmethod
    def square_lengths(self, batch: Batch) -> FloatArray:
        """Mean of |x - m|^2 over each group, in the source's units."""


class PointDesign(Design):
    """Samples taken one by one; see `Design`."""

    group = 1

    def __init__(
        self,
        sites: FloatArray,
        source: Source,
        rng: np.random.Generator,
        threads: int,
        backend: Backend,
    ) -> None:
        super().__init__(sites, source, threads)
        self.scale = power_of_two(np.sqrt(np.trace(source.covariance) / source.dim))
        centred = sites - self.centre
        size = power_of_two(_root_mean_square(centred))
        self.unit = self.scale * size
        self.frame_sites = centred / size
        # scores differ by <z, s - s'>: distances count as the source is spread along them
        values, vectors = np.linalg.eigh(source.covariance / self.scale**2)
        root = np.sqrt(np.maximum(values, 0.0))
        self.metric_sites = self.frame_sites @ (vectors * root)
        self.scores = backend.points(self.frame_sites)
        self.net = None if source.n_uniforms is None else _Net(source.n_uniforms, rng)

    @property
    def test_noise(self) -> float:
        """What chi^2 itself adds is all there is."""
        return _POINT_NOISE

    def _frame(self, x: FloatArray) -> Float32Array:
        z = (x - self.mean) / self.scale
        # so far out the direction alone decides, and float32 products would overflow
        far = np.abs(z).max(axis=1, initial=0.0) > _FARTHEST
        if far.any():
            z[far] *= (_FARTHEST / np.abs(z[far]).max(axis=1))[:, None]
        return z.astype(np.float32)

    def stream(self, rng: np.random.Generator) -> Callable[[int], Batch]:
        """Start a stream of samples, of low discrepancy where the source allows it."""
        if self.net is None:
            return self.plain_stream(rng)
        shifted = _Shifted(self.net, rng, lambda u: self._frame(self.source.from_uniforms(u)))
        return lambda count: Batch((shifted.take(count),))

    def plain_stream(self, rng: np.random.Generator) -> Callable[[int], Batch]:
        """Start a stream of independent samples."""
        return lambda count: Batch((self._frame(self.source.sample(count, rng)),))

    def winners(
        self,
        batch: Batch,
        heights: FloatArray,
        *,
        runner: bool = False,
        lead: Float32Array | None = None,
    ) -> WinnersLike:
        """Return the winners of all samples."""
        return self.scores.winners(
            batch.points[0], heights, runner=runner, lead=lead, threads=self.threads
        )

    def points(self, batch: Batch) -> Float32Array:
        """Return the samples themselves."""
        return batch.points[0]

    def to_source(self, points: FloatArray) -> FloatArray:
        """Return points of the frame in the source's coordinates."""
        return self.mean + self.scale * points

    def square_lengths(self, batch: Batch) -> FloatArray:
        """Return |x - m|^2 of each sample, in the source's units."""
        z = batch.points[0].astype(np.float64)
        return self.scale**2 * np.einsum("mk,mk->m", z, z)

    def _lengths(self, batch: Batch) -> Float32Array:
        z = batch.points[0]
        return _lengths_of(z)

    def _stretch(self) -> float:
        return self.scale


class PairDesign(Design):
    """Product groups; see `Design`. The source must be an affine image of a product measure."""

    group = GROUP

    def __init__(
        self,
        sites: FloatArray,
        source: Source,
        rng: np.random.Generator,
        threads: int,
        backend: Backend,
    ) -> None:
        super().__init__(sites, source, threads)
        if source.product is None:
            raise ValueError(f"source must be an image of a product measure, got {source}")
        product: Product = source.product
        self.kind = product.kind
        self.linear = product.linear
        # <x - m, y> = <z, L'y> with x = m + L z: the sites move, the samples stay standard
        pulled = (sites - self.centre) @ self._matrix()
        size = power_of_two(_root_mean_square(pulled))
        self.unit = size
        # Coordinates are dealt to the halves in turn, by the spread of the sites along them: the
        # more evenly a sample's variation is shared, the less do samples of a group have in common.
        order = np.argsort(-(pulled / size).var(axis=0), kind="stable")
        self.order = np.concatenate([order[::2], order[1::2]])
        self.split = (source.dim + 1) // 2
        self.frame_sites = self.metric_sites = pulled[:, self.order] / size
        self.scores = backend.pairs(self.frame_sites, self.split)
        widths = self.split, source.dim - self.split
        self.nets = [_Net(width, rng, GROUP_SIDE) for width in widths]

    @property
    def test_noise(self) -> float:
        """More for fewer sites, as then more pairs that share a half share the cell."""
        return _PAIR_NOISE + _FEW_NOISE / len(self) ** _FEW_DECAY

    def _matrix(self) -> FloatArray:
        return np.diag(self.linear) if self.linear.ndim == 1 else self.linear

    def _standard(self, u: FloatArray) -> Float32Array:
        z = ndtri(u) if self.kind == "normal" else u - 0.5
        return z.astype(np.float32)

    def stream(self, rng: np.random.Generator) -> Callable[[int], Batch]:
        """Start a stream of groups, whose halves come from two sequences."""
        # Only the right halves' runs are shuffled: two sequences in step would repeat their pairs.
        halves = [
            _Shifted(net, rng, self._standard, shuffled)
            for net, shuffled in zip(self.nets, (False, True), strict=True)
        ]

        def draw(groups: int) -> Batch:
            rows = (half.take(groups * GROUP_SIDE) for half in halves)
            return Batch(tuple(r.reshape(groups, GROUP_SIDE, -1) for r in rows))

        return draw

    def plain_stream(self, rng: np.random.Generator) -> Callable[[int], Batch]:
        """Start a stream of groups with independent halves."""

        def draw(groups: int) -> Batch:
            shapes = [(groups, GROUP_SIDE, net.rows.shape[1]) for net in self.nets]
            if self.kind == "normal":
                return Batch(tuple(rng.standard_normal(s, dtype=np.float32) for s in shapes))
            half = np.float32(0.5)
            return Batch(tuple(rng.random(s, dtype=np.float32) - half for s in shapes))

        return draw

    def winners(
        self,
        batch: Batch,
        heights: FloatArray,
        *,
        runner: bool = False,
        lead: Float32Array | None = None,
    ) -> WinnersLike:
        """Return the winners of all pairs, left halves in the outer loop."""
        left, right = batch.points
        return self.scores.winners(
            left, right, heights, runner=runner, lead=lead, threads=self.threads
        )

    def points(self, batch: Batch) -> Float32Array:
        """Return all pairs as points, left halves in the outer loop."""
        left, right = batch.points
        groups = len(left)
        out = np.empty((groups, GROUP_SIDE, GROUP_SIDE, self.source.dim), dtype=np.float32)
        out[..., : self.split] = left[:, :, None]
        out[..., self.split :] = right[:, None]
        return out.reshape(groups * GROUP, -1)

    def to_source(self, points: FloatArray) -> FloatArray:
        """Return points of the frame in the source's coordinates."""
        z = np.empty_like(points)
        z[:, self.order] = points
        return self.mean + z @ self._matrix().T

    def _lengths(self, batch: Batch) -> Float32Array:
        left, right = (np.einsum("gsk,gsk->gs", half, half) for half in batch.points)
        return np.sqrt(left[:, :, None] + right[:, None]).ravel()

    def _stretch(self) -> float:
        return float(np.sqrt(np.sum(self.linear**2)))

    def square_lengths(self, batch: Batch) -> FloatArray:
        """Return the mean of |x - m|^2 over each group: |a + b|^2 for all pairs of halves."""
        matrix = self._matrix()[:, self.order]
        left, right = batch.points
        a = left.astype(np.float64) @ matrix[:, : self.split].T
        b = right.astype(np.float64) @ matrix[:, self.split :].T
        squares = (a * a).sum(axis=2).mean(axis=1) + (b * b).sum(axis=2).mean(axis=1)
        return squares + 2.0 * np.einsum("gk,gk->g", a.mean(axis=1), b.mean(axis=1))


class _Net:
    """A scrambled Sobol net of SOBOL_ROWS points, as integers of 30 bits.

    Parameters
    ----------
    width : int
        Number of coordinates.
    rng : Generator
        Randomness of the scrambling.
    run : int
        Rows that stay together when the net is shuffled.
    """

    def __init__(self, width: int, rng: np.random.Generator, run: int = 1) -> None:
        from scipy.stats.qmc import Sobol  # slow to import

        points = Sobol(width, bits=_BITS, seed=rng).random(SOBOL_ROWS)
        self.rows = (points * 2.0**_BITS).astype(np.uint32)
        self.run = run


class _Shifted:
    """Points of a net under random digital shifts, a new one after every SOBOL_ROWS.

    Parameters
    ----------
    net : _Net
        The net.
    rng : Generator
        Randomness of the shifts.
    transform : callable
        From the unit cube to the frame, row by row.
    shuffled : bool
        Whether the runs of the net come in random order.
    """

    def __init__(
        self,
        net: _Net,
        rng: np.random.Generator,
        transform: Callable[[FloatArray], Float32Array],
        shuffled: bool = False,
    ) -> None:
        self.net = net
        self.rng = rng
        self.transform = transform
        self.shuffled = shuffled
        self.next = SOBOL_ROWS  # row of the net
        self.ready: Float32Array | None = None

    def take(self, count: int) -> Float32Array:
        """Return the next `count` points."""
        if self.ready is None:
            self.ready = self._more()
        while len(self.ready) < count:
            self.ready = np.concatenate([self.ready, self._more()])
        taken, self.ready = self.ready[:count], self.ready[count:]
        return taken

    def _more(self) -> Float32Array:
        """Transform the next rows of the net, many at once: each call has its price."""
        if self.next == SOBOL_ROWS:
            self.next = 0
            width = self.net.rows.shape[1]
            self.shift = self.rng.integers(2**_BITS, size=width, dtype=np.uint32)
            if self.shuffled:
                self.order = self.rng.permutation(SOBOL_ROWS // self.net.run)
        part = slice(self.next, self.next + _TRANSFORMED)
        rows = self.net.rows[part]
        if self.shuffled:
            run = self.net.run
            runs = self.order[part.start // run : part.stop // run]
            rows = self.net.rows.reshape(-1, run, rows.shape[1])[runs].reshape(rows.shape)
        self.next = part.stop
        # the middle of the interval that the integer stands for: never 0 or 1
        return self.transform(((rows ^ self.shift) + 0.5) * 2.0**-_BITS)


def make_design(
    sites: FloatArray,
    source: Source,
    rng: np.random.Generator,
    threads: int,
    backend: Backend,
) -> Design:
    """Return the design that reaches a given error soonest.

    Product groups make many pairs of samples that share half of their coordinates: with few sites,
    or in few dimensions, these often share the cell too, and then tell little more than one sample.
    With many sites and not many dimensions, single samples can skip most sites, which pairs cannot.
    """
    _check_range(sites, source)
    n, d = sites.shape
    skipping = d <= NEAR_DIMENSIONS and n >= NEAR_SITES * 2**d
    shared = d < PAIR_DIMENSIONS or n < PAIR_SITES
    paired = source.product is not None and not (shared or skipping)
    return (PairDesign if paired else PointDesign)(sites, source, rng, threads, backend)


def _check_range(sites: FloatArray, source: Source) -> None:
    """Refuse lengths whose squares float64 does not hold to all digits."""
    widths = np.ptp(source.bounds, axis=0)
    if not np.isfinite(widths).all():
        widths = np.sqrt(source.covariance.diagonal())
    extent, width = float(np.ptp(sites, axis=0).max()), float(widths.max())
    advice = "multiply source and sites by a power of two"
    if 0.0 < width < _LEAST_LENGTH:
        raise ValueError(
            f"source must have an extent of at least {_LEAST_LENGTH:.0e}, got {width:.3g}: squares "
            f"of its lengths are too small for float64; {advice}"
        )
    if width > 0.0 and 0.0 < extent < _LEAST_AREA / width:
        raise ValueError(
            f"sites must have an extent of at least {_LEAST_AREA / width:.0e} for a source of "
            f"extent {width:.3g}, got {extent:.3g}: weights are too small for float64; {advice}"
        )


def _root_mean_square(values: FloatArray) -> float:
    """Return it without underflow or overflow of the squares."""
    largest = float(np.abs(values).max())
    return largest * float(np.sqrt(np.mean((values / largest) ** 2))) if largest > 0.0 else 0.0


def _lengths_of(rows: NDArray[Any]) -> NDArray[Any]:
    """Euclidean length of each row, in its own precision."""
    return np.sqrt(np.einsum("mk,mk->m", rows, rows))


def power_of_two(size: float) -> float:
    """Return a power of two near a size, so that scaling by it is exact; 1 for 0."""
    return float(2.0 ** np.round(np.log2(size))) if size > 0.0 else 1.0
