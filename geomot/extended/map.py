"""The extended Brenier map: continuous where the optimal map jumps between neighbouring sites.

The optimal map sends each cell to one site, so that it returns the data themselves. The extended
map sends points to convex combinations of the sites of cells around them (`geomot.extended.rules`)
and so makes new ones, but not where these sites lie farther apart than the data's spacing explains
(`geomot.extended.separation`): there the optimal map has its singular set, across which mixtures of
unlike data would arise.
"""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.spatial import QhullError

from geomot._validation import as_count, as_generator, as_points, as_threads, as_tolerance
from geomot.diagram import PowerDiagram
from geomot.extended.balance import frequencies
from geomot.extended.rules import (
    Combination,
    LineRule,
    Rule,
    SimplicialRule,
    SmoothedRule,
    SolidRule,
)
from geomot.extended.separation import Neighbourhoods, Spacing, angles
from geomot.extended.twins import Twins, coincident_owners, near_owners
from geomot.solution import Solution
from geomot.sources import Source, UniformPolygon, refuse_periodic

__all__ = ["SINGULAR", "ExtendedMap"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Where `sample` sends singular points: `transform` knows the first two.
SINGULAR = ("side", "discrete", "reject")

# Seed of the points for the default threshold, which is a function of the solution alone.
_THRESHOLD_SEED = 0

# Points that the default threshold is found from.
_THRESHOLD_POINTS = 20_000

# Sites nearer to each other than this share of their spacing do not enter it.
_CLOSE = 0.125

# Shares that are less than this short of 1 are 1: scores are float32.
_ROUNDED = 1e-6

# Points that balance cells and images, for each site and at most; the seed of their randomness.
_BALANCED_PER_SITE = 32
_BALANCED_MOST = 2**18
_BALANCED_SEED = 0

# Times that more points are drawn in place of rejected ones; points that are mapped at once.
_ROUNDS = 1000
_MAPPED = 2**16

# What stands for a source in the plane without a border: an ellipse of so many of its standard
# deviations, the first that does, and sides. Where cells meet farther out, the order of their
# centroids may be another; where the ellipse is small, outer sites have no triangle in it.
_DEVIATIONS = (3.0, 4.0, 6.0)
_ELLIPSE_SIDES = 64

# A smaller ratio of variances is a line.
_FLAT_SOURCE = 1e-12


class ExtendedMap:
    """Continuous extension of an optimal map, for points that are not in the data.

    In one dimension it is linear between the centroids of neighbouring cells, in the plane linear
    on the triangles between them, and in space, after exact solves, on tetrahedra; elsewhere it is
    the gradient of the smoothed Brenier potential, piecewise linear too (`geomot.extended.rules`).

    A point is singular if its image would mix the site of its own cell with one that is too far
    away.

    Parameters
    ----------
    solution : Solution
        The optimal map.
    threshold : float, optional
        How far apart two sites may lie to be combined, in units of the spacing of the sites around
        them. None takes what stands out among the neighbours of sampled points: 1.5 times the range
        of the quartiles above the upper one, on a logarithmic scale. With the smoothed potential,
        where distances are alike, it also keeps apart sites that have none of their 20 nearest
        sites in common. ``numpy.inf`` combines all.
    angle_threshold : float, optional
        In place of `threshold`: the largest angle, in radians, between the normals (y, -1) of the
        graph of the Brenier potential. It depends on the unit of length and the origin.
    smoothing : float, default 1.0
        Width of the smoothing, in units of the depth of the cells: up to 1, centroids of cells go
        to their sites. The less, the more images are sites themselves (`copy_rate`); the more, the
        more mix unlike ones. Used with the smoothed potential only.
    threads : int, optional
        Number of threads; None: all available cores. The result does not depend on it.

    Attributes
    ----------
    solution : Solution
        The optimal map.
    rule : str
        "line", "simplicial" or "smoothed".
    threshold : float
        The largest ratio of distance and spacing of sites that are combined; infinite where
        `angle_threshold` is given.
    angle_threshold : float
        The largest angle; infinite where it is not given.

    Examples
    --------
    Two clusters stay apart, and points between the sites of one are made:

    >>> import numpy as np
    >>> from geomot import BrenierMap
    >>> rng = np.random.default_rng(0)
    >>> Y = np.concatenate([0.2 + 0.05 * rng.random((50, 2)), 0.8 + 0.05 * rng.random((50, 2))])
    >>> extended = BrenierMap().fit(Y).extended()
    >>> images = extended.sample(1000, random_state=0)
    >>> bool(np.any((images[:, 0] > 0.26) & (images[:, 0] < 0.79)))
    False
    >>> len(np.unique(images, axis=0)) > 900
    True
    """

    def __init__(
        self,
        solution: Solution,
        *,
        threshold: float | None = None,
        angle_threshold: float | None = None,
        smoothing: float = 1.0,
        threads: int | None = None,
    ) -> None:
        if not isinstance(solution, Solution):
            raise TypeError(f"solution must be a Solution, got {type(solution).__name__}")
        if threshold is not None and angle_threshold is not None:
            raise ValueError("threshold and angle_threshold must not both be given")
        refuse_periodic(solution.source, "extended maps")
        if solution.partial:
            raise ValueError("solution must not be of partial transport for extended maps")
        self.solution = solution
        self.threads = as_threads(threads)
        self.smoothing = as_tolerance(smoothing, "smoothing")
        masses = solution.target_masses
        same = coincident_owners(solution.sites, masses)
        self._alike = near_owners(solution.sites, same, masses, solution.masses, self.threads)
        self._rule, self.rule = self._choose_rule()
        # triangles and lines keep twins apart, unless they are at the same place
        owner = self._alike if self.rule == "smoothed" else same
        self._twins = Twins(owner, solution.sites, masses)
        held = np.unique(self._alike[masses > 0.0])
        self._spacing = Spacing(solution.sites, self.threads, held)
        self.threshold = self.angle_threshold = np.inf
        self._often: dict[str, FloatArray] = {}
        self._neighbourhoods: Neighbourhoods | None = None
        if angle_threshold is not None:
            self.angle_threshold = _as_positive(angle_threshold, "angle_threshold")
        elif threshold is not None:
            self.threshold = _as_positive(threshold, "threshold")
        elif len(solution.sites) > 1:
            self.threshold = self._find_threshold(as_generator(_THRESHOLD_SEED))
            if self.rule == "smoothed":
                self._neighbourhoods = Neighbourhoods(solution.sites, self.threads, held)

    def __repr__(self) -> str:
        n, d = self.solution.sites.shape
        return f"ExtendedMap(<{n} sites in {d} dimensions>, {self.rule!r})"

    def _choose_rule(self) -> tuple[Rule, str]:
        """The rule, and its name."""
        s = self.solution
        centroids = s.centroids
        d = s.source.dim
        if s.source.exact and d == 1:
            held = np.flatnonzero(~np.isnan(centroids[:, 0]))
            return LineRule(centroids[held], held), "line"
        if d == 2:
            try:
                return _simplicial(s), "simplicial"
            except QhullError:
                pass  # on a line, or too few
        if s.source.exact and d == 3:
            try:
                return SolidRule(centroids), "simplicial"
            except QhullError:
                pass  # in a plane, or too few
        # what is blended has mass, and is not its own twin
        groups = Twins(self._alike, s.sites, s.target_masses)
        held = np.unique(self._alike[s.target_masses > 0.0])
        own = s.sites[held], s.weights[held], groups.mean(centroids)[held]
        return SmoothedRule(*own, self.smoothing, self.threads, held), "smoothed"

    def _find_threshold(self, rng: np.random.Generator) -> float:
        combination, cell = self._combine(self.solution.source.sample(_THRESHOLD_POINTS, rng))
        # of the other sites that have a share, the one with the largest; twins tell no spacing
        ratios = self._spacing.ratios(cell[:, None], combination.sites)
        share = np.where(ratios > _CLOSE, combination.weights, 0.0)
        best = np.argmax(share, axis=1)
        rows = np.flatnonzero(share[np.arange(len(cell)), best] > 0.0)
        return Spacing.fence(ratios[rows, best[rows]]) if len(rows) else np.inf

    def _combine(self, points: FloatArray) -> tuple[Combination, IntArray]:
        """Combinations for points, with everything that has a share, and the points' cells.

        Both are of sites that stand for their twins.
        """
        cell = self._twins.owner[self.solution.assign(points, threads=self.threads)]
        return self._rule(points, cell, self.threads), cell

    def _too_far(self, combination: Combination, cell: IntArray) -> NDArray[np.bool_]:
        """Which sites of the combinations lie too far from those of the cells, shape (q, k)."""
        first, second = cell[:, None], combination.sites
        if np.isfinite(self.angle_threshold):
            sites = self.solution.sites
            far = angles(sites[first], sites[second]) > self.angle_threshold
        else:
            far = self._spacing.ratios(first, second) > self.threshold
        other = (self._alike[first] != self._alike[second]) & (combination.weights > 0.0)
        if self._neighbourhoods is not None:
            row, column = np.nonzero(other & ~far)
            pair = self._alike[cell[row]], self._alike[second[row, column]]
            far[row, column] = self._neighbourhoods.apart(*pair)
        return np.asarray(far & other)

    def _as_points(self, X: ArrayLike) -> FloatArray:
        return as_points(X, "X", self.solution.source.dim, allow_empty=True)

    def is_singular(self, X: ArrayLike) -> NDArray[np.bool_]:
        """Tell which points would be sent to mixtures of sites that lie too far apart.

        Parameters
        ----------
        X : array_like of shape (q, d)
            Points of the source space.

        Returns
        -------
        ndarray of shape (q,), bool

        Examples
        --------
        >>> import numpy as np
        >>> from geomot import BrenierMap
        >>> Y = np.random.default_rng(0).random((50, 2))
        >>> extended = BrenierMap().fit(Y).extended()
        >>> extended.is_singular([[0.5, 0.5], [0.2, 0.7]])
        array([False, False])
        """
        points = self._as_points(X)
        singular = np.zeros(len(points), dtype=bool)
        for start in range(0, len(points), _MAPPED):
            part = slice(start, start + _MAPPED)
            singular[part] = self._too_far(*self._combine(points[part])).any(axis=1)
        return singular

    def shares(self, X: ArrayLike, singular: str = "side") -> csr_array:
        """Shares of the sites in the images of points.

        Parameters
        ----------
        X : array_like of shape (q, d)
            Points of the source space.
        singular : {"side", "discrete"}, default "side"
            See `transform`.

        Returns
        -------
        csr_array of shape (q, n)
            At least 0; rows sum to 1. Sites at the same place share in proportion to their masses.
            The product with labels of the sites, one column for each class, gives probabilities of
            the classes.

        Examples
        --------
        >>> import numpy as np
        >>> from geomot import BrenierMap
        >>> Y = np.random.default_rng(0).random((50, 2))
        >>> extended = BrenierMap().fit(Y).extended()
        >>> table = extended.shares([[0.5, 0.5]])
        >>> table.shape, round(float(table.sum()), 9)
        ((1, 50), 1.0)
        """
        _check_choice(singular, SINGULAR[:2])
        return self._twins.spread(self._groups(self._as_points(X), singular))

    def _groups(self, points: FloatArray, singular: str) -> csr_array:
        """Shares of sites that stand for their twins."""
        n = len(self.solution.sites)
        sites, shares, starts = [], [], [np.zeros(1, dtype=np.int64)]
        for start in range(0, len(points), _MAPPED):
            combination, _ = self._settled(points[start : start + _MAPPED], singular)
            used = combination.weights > 0.0
            sites.append(combination.sites[used])
            shares.append(combination.weights[used])
            starts.append(used.sum(axis=1))
        data = np.concatenate(shares) if shares else np.empty(0)
        indices = np.concatenate(sites) if sites else np.empty(0, dtype=np.int64)
        table = csr_array((data, indices, np.cumsum(np.concatenate(starts))), (len(points), n))
        table.sum_duplicates()
        return table

    def _settled(self, points: FloatArray, singular: str) -> tuple[Combination, NDArray[np.bool_]]:
        """Combinations without sites that lie too far apart, and which points are singular."""
        combination, cell = self._combine(points)
        far = self._too_far(combination, cell)
        lost = np.asarray(far.any(axis=1))
        weights = combination.weights.copy()
        sites = combination.sites.copy()
        weights[far] = 0.0
        if singular == "discrete":
            weights[lost] = 0.0
        # the site of the cell takes it all where nothing else is left
        total = weights.sum(axis=1)
        alone = total <= 0.0
        sites[alone, 0], weights[alone, 0], total[alone] = cell[alone], 1.0, 1.0
        return Combination(sites, weights / total[:, None]), lost

    def _images(self, points: FloatArray, singular: str) -> tuple[FloatArray, NDArray[np.bool_]]:
        images = np.empty_like(points)
        lost = np.empty(len(points), dtype=bool)
        for start in range(0, len(points), _MAPPED):
            part = slice(start, start + _MAPPED)
            combination, lost[part] = self._settled(points[part], singular)
            images[part] = np.einsum(
                "qk,qkd->qd", combination.weights, self._twins.places[combination.sites]
            )
        return images, lost

    def transform(self, X: ArrayLike, singular: str = "side") -> FloatArray:
        """Return the images of points.

        Parameters
        ----------
        X : array_like of shape (q, d)
            Points of the source space, inside or outside the source's domain.
        singular : {"side", "discrete"}, default "side"
            Where singular points go: "side" leaves out the sites that lie too far from the one of
            the cell, "discrete" sends them to that one, as the optimal map does.

        Returns
        -------
        ndarray of shape (q, d)

        Examples
        --------
        >>> import numpy as np
        >>> from geomot import BrenierMap
        >>> Y = np.random.default_rng(0).random((50, 2))
        >>> extended = BrenierMap().fit(Y).extended()
        >>> image = extended.transform([[0.5, 0.5]])
        >>> bool(np.allclose(image, extended.shares([[0.5, 0.5]]) @ Y))
        True
        """
        _check_choice(singular, SINGULAR[:2])
        return self._images(self._as_points(X), singular)[0]

    def sample(
        self,
        n: int,
        random_state: Any = None,
        singular: str = "side",
        *,
        keep_masses: bool = True,
    ) -> FloatArray:
        """Draw images of source points.

        Parameters
        ----------
        n : int
            Number of images.
        random_state : None, int, Generator or RandomState, optional
            The randomness.
        singular : {"side", "discrete", "reject"}, default "side"
            See `transform`. "reject" draws other points in place of singular ones.
        keep_masses : bool, default True
            Draw points of some cells more often than others, so that the shares of each site in the
            images sum to its mass (`geomot.extended.balance`). Otherwise points are drawn from the
            source: the cells then have the masses, and images of sparse groups of sites may lose a
            tenth to their neighbours.

        Returns
        -------
        ndarray of shape (n, d)

        Raises
        ------
        ValueError
            If almost all points are singular, and are to be rejected.

        Examples
        --------
        >>> import numpy as np
        >>> from geomot import BrenierMap
        >>> Y = np.random.default_rng(0).random((50, 2))
        >>> extended = BrenierMap().fit(Y).extended()
        >>> extended.sample(3, random_state=0).shape
        (3, 2)
        """
        n = as_count(n, "n")
        _check_choice(singular, SINGULAR)
        rng = as_generator(random_state)
        if n == 0:
            return np.empty((0, self.solution.source.dim))
        rounds = 0
        kept: list[FloatArray] = []
        missing = n
        while missing:
            points = self._drawn(missing, rng, singular, keep_masses)
            images, lost = self._images(points, "side" if singular == "side" else "discrete")
            kept.append(images[~lost] if singular == "reject" else images)
            missing -= len(kept[-1])
            rounds += 1
            if rounds == _ROUNDS and missing:
                raise ValueError(
                    "singular='reject' found no regular point: almost all points are singular"
                )
        return np.concatenate(kept)

    def _drawn(
        self, n: int, rng: np.random.Generator, singular: str, keep_masses: bool
    ) -> FloatArray:
        """Up to n source points, which more often are in the cells that lose to others."""
        points = self.solution.source.sample(n, rng)
        if not keep_masses:
            return points
        often = self._frequencies(singular)
        cell = self._twins.owner[self.solution.assign(points, threads=self.threads)]
        accepted: FloatArray = points[rng.random(n) * often.max() < often[cell]]
        return accepted

    def _frequencies(self, singular: str) -> FloatArray:
        """How often points of each cell are drawn; found when first asked for."""
        if singular not in self._often:
            s = self.solution
            n = len(s.sites)
            points = s.source.sample(
                min(_BALANCED_PER_SITE * n, _BALANCED_MOST), np.random.default_rng(_BALANCED_SEED)
            )
            cell = self._twins.owner[s.assign(points, threads=self.threads)]
            table = self._groups(points, "side" if singular == "side" else "discrete")
            if singular == "reject":
                regular = (~self.is_singular(points)).astype(np.float64)
                table = csr_array(table.multiply(regular[:, None]))
            together = np.bincount(self._twins.owner, s.target_masses, minlength=n)
            self._often[singular] = frequencies(table, cell, together.astype(np.float64))
        return self._often[singular]

    def rejection_rate(self, n: int = 20_000, random_state: Any = None) -> tuple[float, float]:
        """Share of the source that is singular.

        Parameters
        ----------
        n : int, default 20000
            Number of points that it is measured on.
        random_state : None, int, Generator or RandomState, optional
            The randomness.

        Returns
        -------
        rate, standard_error : float

        Examples
        --------
        >>> import numpy as np
        >>> from geomot import BrenierMap
        >>> Y = np.random.default_rng(0).random((50, 2))
        >>> extended = BrenierMap().fit(Y).extended()
        >>> rate, error = extended.rejection_rate(1000)
        >>> 0.0 <= rate < 0.1
        True
        """
        n = as_count(n, "n", 1)
        points = self.solution.source.sample(n, as_generator(random_state))
        rate = float(np.mean(self.is_singular(points)))
        return rate, float(np.sqrt(max(rate * (1.0 - rate), 1.0 / n) / n))

    def copy_rate(
        self, n: int = 20_000, random_state: Any = 0, singular: str = "side"
    ) -> tuple[float, float]:
        """Share of samples that are sites themselves, and nothing new.

        The map is flat around the centroids of cells: there a site has the whole share.

        Parameters
        ----------
        n : int, default 20000
            Number of points that it is measured on.
        random_state : None, int, Generator or RandomState, default 0
            The randomness.
        singular : {"side", "discrete", "reject"}, default "side"
            As in `sample`.

        Returns
        -------
        rate, standard_error : float

        Examples
        --------
        >>> import numpy as np
        >>> from geomot import BrenierMap, UniformBox
        >>> Y = np.random.default_rng(0).random((50, 4))
        >>> brenier = BrenierMap(UniformBox.unit(4), tv_tol=0.1, random_state=0).fit(Y)
        >>> rates = [brenier.extended(smoothing=s).copy_rate()[0] for s in (0.1, 0.5, 2.0)]
        >>> rates[0] > 0.5 > rates[1] > rates[2]
        True
        """
        n = as_count(n, "n", 1)
        _check_choice(singular, SINGULAR)
        points = self.solution.source.sample(n, as_generator(random_state))
        copies = lost = 0
        for start in range(0, n, _MAPPED):
            part = points[start : start + _MAPPED]
            combination, is_lost = self._settled(part, "side" if singular == "side" else "discrete")
            whole = combination.weights.max(axis=1) > 1.0 - _ROUNDED
            if singular == "reject":
                whole &= ~is_lost
                lost += int(is_lost.sum())
            copies += int(whole.sum())
        drawn = max(n - lost, 1)
        rate = copies / drawn
        return rate, float(np.sqrt(max(rate * (1.0 - rate), 1.0 / drawn) / drawn))


def _simplicial(solution: Solution) -> SimplicialRule:
    """The rule in the plane, if it can be with the dual of the diagram."""
    if solution.source.exact and np.isfinite(solution.source.bounds).all():
        return SimplicialRule(solution.diagram())
    for reach in _DEVIATIONS:
        cells = PowerDiagram(
            solution.sites, solution.weights_exact, _ellipse(solution.source, reach)
        )
        rule = SimplicialRule(cells, solution.centroids)
        if rule.mesh.kept:
            break
    return rule


def _ellipse(source: Source, deviations: float) -> UniformPolygon:
    """Ellipse of so many standard deviations about a source in the plane."""
    values, vectors = np.linalg.eigh(source.covariance)
    if not values[0] > _FLAT_SOURCE * values[1]:
        raise QhullError("the source lies on a line")
    angle = 2.0 * np.pi * np.arange(_ELLIPSE_SIDES) / _ELLIPSE_SIDES
    circle = np.column_stack([np.cos(angle), np.sin(angle)])
    return UniformPolygon(source.mean + deviations * (circle * np.sqrt(values)) @ vectors.T)


def _as_positive(value: Any, name: str) -> float:
    number = float(value) if isinstance(value, Real) else np.nan
    if not number > 0.0:
        raise ValueError(f"{name} must be a positive number, got {value!r}")
    return number


def _check_choice(singular: str, choices: tuple[str, ...]) -> None:
    if singular not in choices:
        raise ValueError(f"singular must be one of {choices}, got {singular!r}")
