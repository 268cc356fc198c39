"""Coupling of noise and data by the optimal map: fitted once, then pairs are drawn from it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from geomot._constants import SEED_RANGE
from geomot._data import as_labels
from geomot._stderr import warn
from geomot._validation import (
    as_count,
    as_flag,
    as_generator,
    as_masses,
    as_points,
    as_real,
    as_real_array,
    as_threads,
    as_tolerance,
    check_single,
)
from geomot.coupling import files
from geomot.coupling.conditions import condition_scale, with_condition
from geomot.coupling.rows import Rows
from geomot.coupling.rules import DeviceRule, HardRule, Rule, SoftRule
from geomot.coupling.softening import Softened, soften
from geomot.coupling.stream import BLOCK, PairDataset, Steps
from geomot.coupling.warm_start import weights_to_start_from
from geomot.errors import ConvergenceWarning
from geomot.solution import Solution
from geomot.solver import solve
from geomot.sources import Gaussian, Source, as_source, refuse_periodic

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

__all__ = ["Potential", "SemiDiscreteCoupling"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class Potential(NamedTuple):
    """One optimal map, and the rows of the data that it sends noise to.

    Attributes
    ----------
    rows : ndarray of shape (m,), int64
        The rows.
    solution : Solution
        The map; its sites are these rows, with their scaled conditions if they have any.
    softened : Softened or None
        Weights of the regularised problem, if `epsilon` is positive.

    Examples
    --------
    >>> from geomot.coupling import SemiDiscreteCoupling
    >>> rows, solution, softened = SemiDiscreteCoupling().fit([[0.0], [1.0]]).potentials_[0]
    >>> rows.tolist(), solution.method, softened
    ([0, 1], 'quantile', None)
    """

    rows: IntArray
    solution: Solution
    softened: Softened | None


class SemiDiscreteCoupling(BaseEstimator):
    """Coupling of noise and data by the semi-discrete optimal map.

    Noise x goes with the datum T(x), where T is the optimal map for |x - y|^2 from the law of the
    noise, which is continuous, onto all data, which are points with masses. The map is fitted once.
    Then a pair takes one point of noise and a search for its cell, whatever the size of a batch:
    no plan between batches is solved, and pairs are those of the whole data set, without the bias
    of batches (Mousavi-Hosseini, Zhang, Klein, Cuturi, "Flow matching with semidiscrete couplings",
    2025, arXiv:2509.25519).

    Data are taken as they are: standardise them first if the noise is standard normal.

    Parameters
    ----------
    source : Source, array_like of shape (m, 2) or object with a method `sample`, optional
        The law of the noise, as in `geomot.solve`; standard normal if None.
    conditional : bool, default True
        Whether noise is to be independent of labels or conditions, as networks assume that take
        these as an input: a map of its own for each label, or the augmented cost for conditions.
        False fits one map for all; labels go along with their data, but the noise that belongs to
        a label is then not distributed as `source`.
    condition_weight : float, default 10.0
        Weight of continuous conditions in the cost |x - y|^2 + condition_weight (s_X / s_c)^2
        |c - c'|^2, where s_X^2 and s_c^2 are the sums of the variances of data and conditions: see
        `geomot.coupling.conditions`. Large weights make noise and condition independent, small
        ones paths straight.
    epsilon : float, default 0.0
        Entropic regularisation, a squared length: datum i goes with x with a probability in
        proportion to exp((w_i - |x - y_i|^2) / epsilon). 0 is the optimal map.
    top_k : int, default 64
        With `epsilon`, how many of these probabilities are kept.
    tv_tol : float, default 0.05
        Largest total variation between the masses that data get and those they should, where the
        map is fitted by samples. On the line and in the plane, where sources are exact, masses are.
    random_state : None, int, Generator or RandomState, optional
        Randomness of the fit; it also gives the seed of loaders.
    threads : int, optional
        Number of threads; None: all available cores. The result does not depend on it.
    device : str, optional
        Where torch finds the data for noise, in `fit` (by samples) and in loaders, and where
        loaders put their tensors, as in "cuda". None: the compiled kernels, which are faster on
        any CPU. Pairs of the optimal map are the same on every device.
    progress : bool, default False
        Whether to show a progress bar on standard error.

    Attributes
    ----------
    potentials_ : list of Potential
        One map for each label with mass, in the order of `classes_`, or one in all.
    classes_ : ndarray of shape (k,), or None
        The labels that occur.
    labels_ : ndarray of shape (n,) or (n, c), or None
        What loaders yield with each row: labels that are numbers as they are, the index in
        `classes_` of others, or the conditions in float32.
    target_masses_ : ndarray of shape (n,)
        The masses of the rows.
    condition_scale_ : float or None
        What conditions are multiplied by in the sites of the map, the root of their factor in the
        cost; None without conditions, or if they are not part of the cost.
    sample_shape_ : tuple of int
        Shape of one datum.
    tv_ : ndarray of shape (len(potentials_),)
        Total variation between masses and targets of each potential; estimates by fresh samples,
        except where masses are exact.
    converged_ : bool
        Whether all potentials reached their tolerance.
    seed_ : int
        Seed of the sequence of pairs of loaders that are given none.

    Notes
    -----
    For each number of the data, memory holds some 40 bytes after `fit` in 128 dimensions and 50 in
    16, and in `fit` at most 90 and 120 (measured: `docs/coupling.md`). The array that was given is
    referred to, not copied: batches are read from it, so that it may be mapped from a file.

    Examples
    --------
    >>> import numpy as np
    >>> from geomot.coupling import SemiDiscreteCoupling
    >>> X = np.random.default_rng(0).standard_normal((300, 2)) + [5.0, 0.0]
    >>> coupling = SemiDiscreteCoupling(random_state=0).fit(X)
    >>> coupling.converged_
    True
    >>> noise, data = coupling.sample(1000, random_state=1)
    >>> data.shape
    (1000, 2)

    In a training loop, with torch:

    >>> for noise, data in coupling.loader(batch_size=64):  # doctest: +SKIP
    ...     t = noise.new_empty(len(noise), 1).uniform_()
    ...     place, velocity = (1 - t) * noise + t * data, data - noise
    >>> place.shape, velocity.shape  # doctest: +SKIP
    (torch.Size([64, 2]), torch.Size([64, 2]))

    With labels, each label has a map of its own, and comes third:

    >>> labels = np.repeat(["left", "right"], 150)
    >>> coupling = SemiDiscreteCoupling(random_state=0).fit(X, labels)
    >>> noise, data, label = coupling.sample(4, random_state=1)
    >>> coupling.classes_[label].tolist()
    ['right', 'right', 'left', 'right']
    """

    def __init__(
        self,
        source: Any = None,
        *,
        conditional: bool = True,
        condition_weight: float = 10.0,
        epsilon: float = 0.0,
        top_k: int = 64,
        tv_tol: float = 0.05,
        random_state: Any = None,
        threads: int | None = None,
        device: str | None = None,
        progress: bool = False,
    ) -> None:
        self.source = source
        self.conditional = conditional
        self.condition_weight = condition_weight
        self.epsilon = epsilon
        self.top_k = top_k
        self.tv_tol = tv_tol
        self.random_state = random_state
        self.threads = threads
        self.device = device
        self.progress = progress

    # -----------------------------------------------------------------------------------------
    # Fitting
    # -----------------------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        condition: ArrayLike | None = None,
    ) -> SemiDiscreteCoupling:
        """Fit the maps from the noise onto the data.

        Parameters
        ----------
        X : array_like of shape (n, ...), or sequence of ndarray of shape (k, ...)
            The data: vectors, images, or anything of a fixed shape; the arrays of a list are taken
            one after another. uint8 stands for k / 255. Arrays are not copied, and must not be
            changed: a loader reads its batches from them.
        y : array_like of shape (n,), optional
            Labels, numbers or text.
        sample_weight : array_like of shape (n,), optional
            Masses of the rows, divided by their sum; equal if None.
        condition : array_like of shape (n,) or (n, c), optional
            Continuous conditions, in place of `y`.

        Returns
        -------
        SemiDiscreteCoupling
            This object.

        Raises
        ------
        TypeError, ValueError
            If an argument is invalid; the message names it.

        Warns
        -----
        ConvergenceWarning
            If a map did not reach its tolerance.

        Examples
        --------
        >>> from geomot.coupling import SemiDiscreteCoupling
        >>> SemiDiscreteCoupling().fit([[0.0], [1.0]]).assign([[-1.0], [0.3], [2.0]]).tolist()
        [0, 1, 1]
        """
        return self._fit(X, y, sample_weight, condition, {})

    def refit(
        self,
        X: Any,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        condition: ArrayLike | None = None,
    ) -> SemiDiscreteCoupling:
        """Fit again to changed data, from the present weights.

        Rows may be new, gone, moved or in another order: each starts from the weight of the
        nearest of the old rows (of its label). It takes less than a fit while up to about a tenth
        of the data has changed; beyond that, maps start anew.

        Parameters
        ----------
        X, y, sample_weight, condition
            As in `fit`; all of the new data, not only those that have changed.

        Returns
        -------
        SemiDiscreteCoupling
            This object.

        Examples
        --------
        >>> import numpy as np
        >>> from geomot.coupling import SemiDiscreteCoupling
        >>> X = np.random.default_rng(0).standard_normal((400, 4))
        >>> coupling = SemiDiscreteCoupling(random_state=0).fit(X[:390])
        >>> first = coupling.potentials_[0].solution.estimate.n_fit_samples
        >>> coupling.refit(X).potentials_[0].solution.estimate.n_fit_samples < first
        True
        """
        check_is_fitted(self)
        known = {self._label(p): p.solution for p in self.potentials_}
        return self._fit(X, y, sample_weight, condition, known)

    def _label(self, potential: Potential) -> Any:
        """The label of a potential; None if there is one for all."""
        if self._group_of is None or self.classes_ is None:
            return None
        return self.classes_[self._group_of[potential.rows[0]]].item()

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, condition: Any, known: dict[Any, Solution]
    ) -> SemiDiscreteCoupling:
        self._check_keywords()
        rows = Rows(X, "X")
        n = len(rows)
        classes, members = (None, None) if y is None else as_labels(y, n)
        if y is not None and condition is not None:
            raise ValueError("condition must be None where y is given")
        masses = as_masses(sample_weight, n, "sample_weight", normalize=True)
        sites = rows.sites("X")
        check_single(sites, "X")
        source = self._as_source(sites.shape[1])
        conditions = None if condition is None else _as_conditions(condition, n)
        scale = None
        if conditions is not None and self.conditional:
            scale = condition_scale(sites, conditions, self.condition_weight)
            scaled = conditions * scale
            sites, source = np.hstack([sites, scaled]), with_condition(source, scaled, masses)
        group_of = members if self.conditional else None
        _check_width(known, sites.shape[1])

        rng = as_generator(self.random_state)
        seed = _stream_seed(rng)
        groups = [None] if group_of is None or classes is None else classes.tolist()
        self.potentials_: list[Potential] = [
            self._potential(own, sites, masses, source, rng, known.get(groups[k]))
            for k, own in _members(group_of, len(groups), masses)
        ]
        self.classes_, self._group_of = classes, group_of
        self.labels_ = _as_numbers(classes, members) if conditions is None else conditions
        self.target_masses_, self.sample_shape_, self.seed_ = masses, rows.shape, seed
        self.condition_scale_: float | None = scale
        self._rows = rows
        self._set_up()
        return self

    def _check_keywords(self) -> None:
        as_flag(self.conditional, "conditional")
        for name in ("epsilon", "condition_weight"):
            if as_real(getattr(self, name), name) < 0.0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        as_count(self.top_k, "top_k", 1)
        as_tolerance(self.tv_tol, "tv_tol")
        as_threads(self.threads)

    def _as_source(self, dim: int) -> Source:
        if self.source is None:
            return Gaussian(np.zeros(dim), 1.0)
        source = as_source(self.source, dim)
        refuse_periodic(source, "couplings")
        return source

    def _potential(
        self,
        rows: IntArray,
        sites: FloatArray,
        masses: FloatArray,
        source: Source,
        rng: np.random.Generator,
        known: Solution | None,
    ) -> Potential:
        threads = as_threads(self.threads)
        if len(rows) < len(sites):
            sites = sites[rows]
            masses = as_masses(masses[rows], len(rows), "sample_weight", normalize=True)
        start = None
        if known is not None and not source.exact:
            start = weights_to_start_from(known, sites, masses, rng, threads)
        solution = solve(
            sites,
            masses,
            source,
            tol=None if source.exact else self.tv_tol,
            initial_weights=start,
            threads=self.threads,
            random_state=rng,
            progress=self.progress,
            device=None if source.exact else self.device,
        )
        if self.epsilon == 0.0:
            return Potential(rows, solution, None)
        softened = soften(solution, self.epsilon, self.top_k, self.tv_tol, rng, threads)
        if not softened.converged:
            warn(
                f"soft cells have a total variation of {softened.tv:.3g} from their targets, "
                f"tv_tol {self.tv_tol:.3g}: raise top_k, or lower epsilon",
                ConvergenceWarning,
                stacklevel=4,
            )
        return Potential(rows, solution, softened)

    def _set_up(self) -> None:
        """What follows from the potentials."""
        masses = [self.target_masses_[p.rows].sum() for p in self.potentials_]
        self._cumulative = np.cumsum(masses) / np.sum(masses)
        self.tv_ = np.array([_variation(p) for p in self.potentials_])
        self.converged_ = all(
            p.solution.converged and (p.softened is None or p.softened.converged)
            for p in self.potentials_
        )
        self._rules: dict[tuple[int, str | None], Rule] = {}

    def _rule(self, k: int) -> Rule:
        """How potential k finds data for noise, on the device that is set."""
        key = k, self.device
        if key not in self._rules:
            _, solution, softened = self.potentials_[k]
            if softened is not None:
                self._rules[key] = SoftRule(
                    solution.sites,
                    softened.weights,
                    solution.target_masses,
                    softened.epsilon,
                    softened.top_k,
                    self.device,
                )
            elif self.device is None:
                self._rules[key] = HardRule(solution)
            else:
                self._rules[key] = DeviceRule(solution, self.device)
        return self._rules[key]

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "_rules" in state:
            state["_rules"] = {}
        return state

    # -----------------------------------------------------------------------------------------
    # Noise to data
    # -----------------------------------------------------------------------------------------

    def assign(
        self,
        noise: ArrayLike,
        y: ArrayLike | None = None,
        *,
        condition: ArrayLike | None = None,
        random_state: Any = None,
    ) -> IntArray:
        """Return the row of the data that each point of noise goes with.

        Parameters
        ----------
        noise : array_like of shape (m, *sample_shape_) or (m, d)
            The noise.
        y : array_like of shape (m,), optional
            The label that each datum is to have; needed if each label has a map of its own.
        condition : array_like of shape (m,) or (m, c), optional
            The condition that each datum is to be near; needed if the coupling was fitted to
            conditions with `conditional`.
        random_state : None, int, Generator or RandomState, optional
            The randomness, if `epsilon` is positive.

        Returns
        -------
        ndarray of shape (m,), int64
            Rows of `X`. Without `epsilon`, by the very rule of `Solution.assign`.

        Examples
        --------
        >>> from geomot.coupling import SemiDiscreteCoupling
        >>> coupling = SemiDiscreteCoupling().fit([[0.0], [1.0], [5.0]], [7, 7, 8])
        >>> coupling.assign([[-1.0], [2.0], [2.0]], [7, 7, 8]).tolist()
        [0, 1, 2]
        """
        points, group = self._as_noise(noise, y, condition)
        return self._draw(points, group, as_generator(random_state).random(len(points)))

    def plan(
        self, noise: ArrayLike, y: ArrayLike | None = None, *, condition: ArrayLike | None = None
    ) -> tuple[IntArray, FloatArray]:
        """Return the rows of the data that each point of noise may go with, and how probably.

        Parameters
        ----------
        noise, y, condition
            As in `assign`.

        Returns
        -------
        rows : ndarray of shape (m, k), int64
            Rows of `X`, the most probable first: one if `epsilon` is 0, else up to `top_k`. A
            label with fewer data than others repeats its last row, with probability 0.
        probabilities : ndarray of shape (m, k)
            They sum to 1.

        Examples
        --------
        >>> from geomot.coupling import SemiDiscreteCoupling
        >>> coupling = SemiDiscreteCoupling(epsilon=2.0, random_state=0).fit([[-1.0], [1.0]])
        >>> rows, probabilities = coupling.plan([[0.5]])
        >>> rows.tolist(), probabilities.round(1).tolist()
        ([[1, 0]], [[0.7, 0.3]])
        """
        points, group = self._as_noise(noise, y, condition)
        found = {}
        for k in np.unique(group):
            here = np.flatnonzero(group == k)
            index, shares = self._rule(k).plan(points[here], as_threads(self.threads))
            found[k] = here, self.potentials_[k].rows[index], shares
        width = max((index.shape[1] for _, index, _ in found.values()), default=1)
        rows = np.empty((len(points), width), dtype=np.int64)
        probabilities = np.zeros((len(points), width))
        for here, index, shares in found.values():
            rows[here] = np.pad(index, ((0, 0), (0, width - index.shape[1])), mode="edge")
            probabilities[here, : index.shape[1]] = shares
        return rows, probabilities

    def sample(self, n: int, random_state: Any = None) -> tuple[np.ndarray, ...]:
        """Draw pairs.

        Parameters
        ----------
        n : int
            How many.
        random_state : None, int, Generator or RandomState, optional
            The randomness; None uses the coupling's `random_state`.

        Returns
        -------
        noise : ndarray of shape (n, *sample_shape_), float32
            Points of the source.
        data : ndarray of shape (n, *sample_shape_), float32
            The rows that they go with.
        labels : ndarray of shape (n,) or (n, c)
            What `labels_` has for these rows; left out if it is None.

        Examples
        --------
        >>> from geomot.coupling import SemiDiscreteCoupling
        >>> coupling = SemiDiscreteCoupling(random_state=0).fit([[0.0], [1.0]])
        >>> [array.shape for array in coupling.sample(3)]
        [(3, 1), (3, 1)]
        """
        check_is_fitted(self)
        size = as_count(n, "n")
        rng = as_generator(self.random_state if random_state is None else random_state)
        return self._pairs([(rng, slice(0, size))], size, self.threads, block=size)

    def _as_noise(self, noise: Any, y: Any, condition: Any) -> tuple[FloatArray, IntArray]:
        """Points of the maps' sources, and the potential of each."""
        check_is_fitted(self)
        array = as_real_array(noise, "noise")
        size = int(np.prod(self.sample_shape_))
        if array.shape[1:] not in (self.sample_shape_, (size,)) or array.ndim == 0:
            expected = ", ".join(map(str, self.sample_shape_))
            raise ValueError(f"noise must have shape (m, {expected}), got {array.shape}")
        points = as_points(array.reshape(len(array), size), "noise", allow_empty=True)
        scale = self.condition_scale_
        if (scale is None) != (condition is None):
            raise ValueError(
                "condition must be given if, and only if, the coupling was fitted to conditions"
            )
        if scale is not None:
            wanted = _as_conditions(condition, len(points))
            width = self.potentials_[0].solution.sites.shape[1] - size
            if wanted.shape[1] != width:
                raise ValueError(f"condition must have {width} columns, got {wanted.shape[1]}")
            points = np.hstack([points, wanted * scale])
        return points, self._as_groups(y, len(points))

    def _as_groups(self, y: Any, m: int) -> IntArray:
        if (self._group_of is not None) != (y is not None):
            raise ValueError(
                "y must be given if, and only if, each label has a map of its own "
                "(fitted with y and conditional)"
            )
        if y is None:
            return np.zeros(m, dtype=np.int64)
        known = {self._label(p): k for k, p in enumerate(self.potentials_)}
        groups = np.empty(m, dtype=np.int64)
        present, members = as_labels(y, m)
        for number, label in enumerate([] if present is None else present.tolist()):
            if label not in known:
                raise ValueError(f"y must have labels of the data with mass, got {label!r}")
            groups[members == number] = known[label]
        return groups

    def _draw(
        self, points: FloatArray, group: IntArray, uniforms: FloatArray, threads: int | None = None
    ) -> IntArray:
        """One row for each point, by the potential that `group` tells."""
        rows = np.empty(len(points), dtype=np.int64)
        count = as_threads(self.threads if threads is None else threads)
        for k in np.unique(group):
            here = np.flatnonzero(group == k)
            found = self._rule(k).draw(points[here], uniforms[here], count)
            rows[here] = self.potentials_[k].rows[found]
        return rows

    def _pairs(
        self,
        blocks: Iterable[tuple[np.random.Generator, slice]],
        size: int,
        threads: int | None,
        block: int = BLOCK,
    ) -> tuple[np.ndarray, ...]:
        """Pairs from pieces of blocks, of which each has a generator of its own."""
        source = self.potentials_[0].solution.source
        points, choices = np.empty((size, source.dim)), np.empty((2, size))
        done = 0
        for rng, part in blocks:
            drawn = rng.random((2, block))[:, part], source.sample(block, rng)[part]
            here = slice(done, done + part.stop - part.start)
            choices[:, here], points[here] = drawn
            done = here.stop
        # What is yielded is assigned, so that whoever assigns it again finds the same.
        single = points.astype(np.float32)
        group = np.searchsorted(self._cumulative, choices[0], side="right")
        group = np.minimum(group, len(self.potentials_) - 1)
        rows = self._draw(single.astype(np.float64), group, choices[1], threads)
        width = int(np.prod(self.sample_shape_))
        noise = np.ascontiguousarray(single[:, :width]).reshape(size, *self.sample_shape_)
        pair = noise, self._rows[rows]
        if self.labels_ is None:
            return pair
        labels = self.labels_[rows]
        return *pair, labels.astype(np.float32) if labels.dtype.kind == "f" else labels

    # -----------------------------------------------------------------------------------------
    # Loaders
    # -----------------------------------------------------------------------------------------

    def dataset(
        self,
        batch_size: int = 256,
        *,
        random_state: Any = None,
        rank: int | None = None,
        world_size: int | None = None,
        threads: int | None = None,
    ) -> PairDataset:
        """Return the batches of pairs by number, as a data set for a DataLoader.

        Parameters
        ----------
        batch_size : int, default 256
            Pairs in a batch of one rank.
        random_state : None, int, Generator or RandomState, optional
            Seed of the sequence of pairs; None takes `seed_`.
        rank, world_size : int, optional
            Which of how many processes this is. None takes them from torch.distributed, if this
            process belongs to a group; all of its ranks must then make the same call, take the
            seed of rank 0, and are refused different potentials.
        threads : int, optional
            Number of threads; None: that of the coupling.

        Returns
        -------
        PairDataset

        Raises
        ------
        ValueError
            If an argument is invalid, or ranks of a group have fitted different potentials; the
            message names it.

        Examples
        --------
        >>> from geomot.coupling import SemiDiscreteCoupling
        >>> coupling = SemiDiscreteCoupling(random_state=0).fit([[0.0], [1.0]])
        >>> noise, data = coupling.dataset(32)[0]
        >>> noise.shape, noise.dtype
        ((32, 1), dtype('float32'))
        """
        check_is_fitted(self)
        rng = as_generator(self.seed_ if random_state is None else random_state)
        if (rank is None) != (world_size is None):
            raise ValueError("rank and world_size must both be given, or neither")
        if rank is None or world_size is None:
            rank, world_size, rng = self._place(rng)
        seed = int(rng.integers(SEED_RANGE))
        threads = self.threads if threads is None else threads
        return PairDataset(self, batch_size, seed, rank, world_size, threads)

    def _place(self, rng: np.random.Generator) -> tuple[int, int, np.random.Generator]:
        """Rank, number of ranks, and the generator that they share."""
        from geomot._distributed import agree
        from geomot.distributed import joined

        if not joined():
            return 0, 1, rng
        import torch.distributed as dist

        weights = np.concatenate([p.solution.weights for p in self.potentials_])
        return dist.get_rank(), dist.get_world_size(), agree(rng, potentials=weights)

    def loader(
        self,
        batch_size: int = 256,
        *,
        n_batches: int | None = None,
        start: int = 0,
        random_state: Any = None,
        rank: int | None = None,
        world_size: int | None = None,
        num_workers: int = 0,
        **options: Any,
    ) -> DataLoader:
        """Return a DataLoader of torch that yields batches of pairs.

        It yields (noise, data) or (noise, data, label), new pairs in each pass.

        Parameters
        ----------
        batch_size : int, default 256
            Pairs in a batch of one rank.
        n_batches : int, optional
            Batches of a pass; by default as many as make about one pair per row of the data.
        start : int, default 0
            Number of the first batch: a training that resumes after s batches of the same size
            goes on with s as if it had not stopped.
        random_state, rank, world_size
            As in `dataset`.
        num_workers : int, default 0
            Processes that prepare batches, each with one thread; 0 prepares them in this one, with
            the coupling's threads. The batches and their order do not depend on it. Must be 0 with
            a `device`.
        **options
            Of the DataLoader: `pin_memory`, `persistent_workers`, `prefetch_factor`, ...

        Returns
        -------
        torch.utils.data.DataLoader

        Raises
        ------
        ImportError
            If torch is missing.

        Examples
        --------
        >>> from geomot.coupling import SemiDiscreteCoupling
        >>> coupling = SemiDiscreteCoupling(random_state=0).fit([[0.0], [1.0]])
        >>> for noise, data in coupling.loader(32, n_batches=1):  # doctest: +SKIP
        ...     print(type(noise).__name__, tuple(data.shape))
        Tensor (32, 1)
        """
        try:
            from torch.utils.data import DataLoader
        except ImportError as error:
            raise ImportError(
                'loader needs PyTorch: pip install "geomot[torch]"; sample and dataset do not'
            ) from error
        if as_count(num_workers, "num_workers") > 0 and self.device is not None:
            raise ValueError(f"num_workers must be 0 with a device, got {num_workers}")
        pairs = self.dataset(
            batch_size,
            random_state=random_state,
            rank=rank,
            world_size=world_size,
            threads=1 if num_workers else self.threads,
        )
        if n_batches is None:
            n_batches = -(-len(self._rows) // (pairs.batch_size * pairs.world_size))
        steps = Steps(as_count(start, "start"), as_count(n_batches, "n_batches", 1))
        if self.device is not None:
            options["collate_fn"] = _ToDevice(self.device)
        # The batch is made by the data set: what a DataLoader does row by row is done at once.
        return DataLoader(
            pairs,  # type: ignore[arg-type]
            batch_size=None,
            sampler=steps,
            num_workers=num_workers,
            **options,
        )

    # -----------------------------------------------------------------------------------------
    # Files
    # -----------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the coupling into a folder, which `load` reads.

        Nothing in it is pickled. It holds ``coupling.npz`` and one solution for each map, which
        `geomot.load` reads as well; the solutions hold the data, in float64.

        Parameters
        ----------
        path : str or path-like
            The folder. It is made, or replaced if it is empty or holds a saved coupling and
            nothing else.

        Raises
        ------
        TypeError
            If `source` is an object of one's own, which files cannot hold.
        ValueError
            If `path` cannot be such a folder.

        Examples
        --------
        >>> import os, tempfile
        >>> from geomot.coupling import SemiDiscreteCoupling
        >>> coupling = SemiDiscreteCoupling(random_state=0).fit([[0.0], [1.0]])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "coupling")
        ...     coupling.save(path)
        ...     again = SemiDiscreteCoupling.load(path)
        >>> bool((again.sample(5, 1)[0] == coupling.sample(5, 1)[0]).all())
        True
        """
        check_is_fitted(self)
        files.save(self, path)

    @staticmethod
    def load(
        path: str | os.PathLike[str], X: Any = None, *, device: str | None = None
    ) -> SemiDiscreteCoupling:
        """Read a coupling that `save` wrote.

        Parameters
        ----------
        path : str or path-like
            The folder. Nothing in it is executed or unpickled, and it may be untrusted.
        X : array_like of shape (n, ...), or sequence of ndarray of shape (k, ...), optional
            The data that it was fitted to, to read batches from, as a mapped array; by default
            they are read from the solutions.
        device : str, optional
            As in the constructor.

        Returns
        -------
        SemiDiscreteCoupling
            Fitted. It yields the same pairs for the same seeds.

        Raises
        ------
        ValueError
            If a file is damaged, foreign or does not belong to the others, or `X` is not what the
            coupling was fitted to. The message names it.
        OSError
            If a file cannot be opened.

        Examples
        --------
        >>> import os, tempfile
        >>> from geomot.coupling import SemiDiscreteCoupling
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "coupling")
        ...     SemiDiscreteCoupling(random_state=0).fit([[0.0], [1.0]]).save(path)
        ...     SemiDiscreteCoupling.load(path).assign([[-1.0], [3.0]]).tolist()
        [0, 1]
        """
        return files.load(SemiDiscreteCoupling, path, X, device)


class _ToDevice:
    """Makes tensors on a device of the arrays of a batch."""

    def __init__(self, device: str) -> None:
        self.device = device

    def __call__(self, batch: Sequence[np.ndarray]) -> list[Any]:
        import torch

        return [torch.as_tensor(array).to(self.device) for array in batch]


def _as_conditions(condition: Any, n: int) -> FloatArray:
    array = as_real_array(condition, "condition")
    points = as_points(array[:, None] if array.ndim == 1 else array, "condition", allow_empty=True)
    if len(points) != n:
        raise ValueError(f"condition must have {n} rows, got {len(points)}")
    return points.copy() if points is condition else points


def _members(
    group_of: IntArray | None, count: int, masses: FloatArray
) -> Iterator[tuple[int, IntArray]]:
    """The groups whose rows have mass, and these rows."""
    for k in range(count):
        own = np.arange(len(masses)) if group_of is None else np.flatnonzero(group_of == k)
        if masses[own].any():
            yield k, own


def _check_width(known: dict[Any, Solution], width: int) -> None:
    """Refuse data of another dimension than those of earlier maps."""
    for solution in known.values():
        if solution.sites.shape[1] != width:
            raise ValueError(
                f"X must have rows of {solution.sites.shape[1]} numbers, as before (with the "
                f"conditions), got {width}"
            )


def _as_numbers(classes: Any, members: IntArray | None) -> np.ndarray | None:
    """Labels as tensors can hold them."""
    if classes is None or members is None:
        return None
    if classes.dtype.kind == "f":
        return classes.astype(np.float64)[members]
    if classes.dtype.kind in "iub":
        return classes.astype(np.int64)[members]
    return members


def _variation(potential: Potential) -> float:
    """Total variation between masses and targets."""
    solution = potential.solution
    if potential.softened is not None:
        return potential.softened.tv
    if solution.estimate is not None:
        return solution.estimate.tv
    return 0.5 * float(np.abs(solution.masses - solution.target_masses).sum())


def _stream_seed(rng: np.random.Generator) -> int:
    """A seed for loaders, which leaves the generator's own stream as it is."""
    # A generator that was seeded in numpy's older way has nothing to spawn from.
    with contextlib.suppress(TypeError):
        rng = rng.spawn(1)[0]
    return int(rng.integers(SEED_RANGE))
