"""What a solve returns."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geomot._constants import MASS_SUM_TOLERANCE
from geomot._description import as_html, one_line, report
from geomot._exact import places_of
from geomot._files.solutions import NUMBERS, SOLUTION
from geomot._frozen import Frozen, read_only
from geomot._history import HISTORIES
from geomot._mass_estimate import MassEstimate
from geomot._search.nearest_cell import Assigner
from geomot._tolerance import mass_errors
from geomot._validation import as_points, as_threads
from geomot.diagram import PowerDiagram
from geomot.potentials import heights_from_weights
from geomot.sources import Remainder, Source

__all__ = ["STATUSES", "Solution"]

FloatArray = NDArray[np.float64]

STATUSES = ("converged", "max_iter", "precision", "stalled", "stopped", "atoms")


@dataclass(frozen=True, eq=False)
class Solution(Frozen):
    """Semi-discrete optimal transport: the power weights, and what is known about them.

    Made by `geomot.solve` and `geomot.load`; immutable, comparable, picklable.

    Attributes
    ----------
    sites : ndarray of shape (n, d)
        The sites y_i.
    weights_exact : ndarray of shape (n, 2)
        The weights as exact sums hi + lo, which `diagram`, `assign` and `mass_error` use.
    target_masses : ndarray of shape (n,)
        The masses wanted; they sum to 1, in partial transport to less.
    masses : ndarray of shape (n,)
        The masses of the cells under `weights_exact`.
    mass_error : float
        max_i abs(masses_i - target_masses_i) / max(target_masses_i, atol / tol): the largest
        relative error, where masses too small to be met relatively count with an absolute one. In
        Monte Carlo it contains the sampling noise of `masses`; see `estimate` for errors without
        it.
    status : str
        "converged": the tolerance was reached, see `converged`; "max_iter": the iterations ran out;
        "precision": what is left of the errors is rounding; in Monte Carlo float32, in which
        weights are fitted, does not tell the sites apart; "stalled": no step improves the masses,
        though rounding does not explain the errors; "stopped": by the callback; "atoms": points of
        a source on the line hold too much mass to be divided.
    n_iter : int
        Number of steps taken.
    cost : float
        W2^2 between the source and the target masses: the dual value, or 0 if that is negative. It
        is too low as long as masses are off, by about the square of their errors. In Monte Carlo it
        has sampling noise too, `estimate.cost_standard_error`: for 20 000 uniform sites in the unit
        square and `tol` 0.2 a third of the cost. `bracket` has room for both.
    dual_value : float
        The Kantorovich dual value of the weights, a lower bound on W2^2; in Monte Carlo an estimate
        of it.
    bracket : tuple of float
        Certified lower and upper bound on W2^2 between the source and the target masses; in Monte
        Carlo each holds at level 0.975.
    history : recarray
        Fields dual, residual, step, min_mass: one record per accepted iterate. In Monte Carlo one
        per look at the averaged heights, the residual being the total variation, and a field
        samples: how many the heights were fitted to.
    source : Source
        The source measure.
    method : str
        The method that was used.
    tol : float
        The requested tolerance: relative mass error (exact) or total variation (Monte Carlo).
    estimate : MassEstimate or None
        What Monte Carlo measured on fresh samples: chi^2, total variation, standard errors.
    atol : float
        The requested absolute tolerance of a mass; 0 in Monte Carlo, which does not use it.
    partial : bool
        Whether the target masses sum to less than 1, and the rest of the source stays: see
        `remainder`. Weights are then the squares of the distances within which sites take mass.

    Examples
    --------
    >>> import geomot
    >>> solution = geomot.solve([[0.25, 0.5], [0.75, 0.5]], [0.3, 0.7])
    >>> solution
    Solution(<2 sites in 2 dimensions>, 'converged', mass_error=0, cost=0.124166666667, n_iter=0)
    >>> solution.masses.tolist()
    [0.3, 0.7]
    >>> round(float(solution.weights[1] - solution.weights[0]), 12)  # only differences matter
    0.2
    """

    sites: FloatArray
    weights_exact: FloatArray
    target_masses: FloatArray
    masses: FloatArray
    mass_error: float
    status: str
    n_iter: int
    cost: float
    dual_value: float
    bracket: tuple[float, float]
    history: np.recarray = field(repr=False)
    source: Source
    method: str
    tol: float
    estimate: MassEstimate | None = None
    atol: float = 0.0
    partial: bool = False

    def __post_init__(self) -> None:
        n = len(self.sites)
        expected = {
            "sites": (n, self.source.dim),
            "weights_exact": (n, 2),
            "target_masses": (n,),
            "masses": (n,),
        }
        for name, shape in expected.items():
            array = getattr(self, name)
            if array.shape != shape or array.dtype != np.float64:
                raise ValueError(
                    f"{name} must be float64 of shape {shape}, "
                    f"got {array.dtype} of shape {array.shape}"
                )
            # A copy: whoever made the array may still write to it.
            object.__setattr__(self, name, read_only(array.copy()))
        for name, kind in (("n_iter", int), *((name, float) for name in NUMBERS)):
            object.__setattr__(self, name, kind(getattr(self, name)))
        for name in ("target_masses", "masses"):
            total = math.fsum(getattr(self, name).data)
            some = self.partial and 0.0 <= total <= 1.0
            if not (some or abs(total - 1.0) <= MASS_SUM_TOLERANCE):
                raise ValueError(f"{name} must sum to 1, got {total}")
        lower, upper = self.bracket
        object.__setattr__(self, "bracket", (float(lower), float(upper)))
        if self.method not in HISTORIES:
            raise ValueError(f"method must be one of {tuple(HISTORIES)}, got {self.method!r}")
        names = HISTORIES[self.method].names
        if self.history.dtype.names != names or self.history.ndim != 1:
            raise ValueError(f"history must have the fields {names}")
        if (self.estimate is not None) != (self.method == "montecarlo"):
            raise ValueError("estimate must be given for Monte Carlo, and only then")
        if self.estimate is not None and self.estimate.centroids.shape != (n, self.source.dim):
            raise ValueError(f"estimate must have centroids of shape {(n, self.source.dim)}")
        object.__setattr__(self, "history", read_only(self.history.copy().view(np.recarray)))
        if self.status not in STATUSES:
            raise ValueError(f"status must be one of {STATUSES}, got {self.status!r}")

    def __repr__(self) -> str:
        return one_line(self)

    def __str__(self) -> str:
        return self.report()

    def _repr_html_(self) -> str:
        return as_html(self)

    def report(self) -> str:
        """Return what is known of the solution in some five lines of plain English.

        ``print(solution)`` prints them, and notebooks show them as a table.

        Returns
        -------
        str
            The map, the status, how right masses are, the cost with its bounds.

        Examples
        --------
        >>> import geomot
        >>> print(geomot.solve([[0.25, 0.5], [0.75, 0.5]], [0.3, 0.7]).report())
        Map: from UniformBox([0.0, 0.0], [1.0, 1.0]) onto 2 sites in 2 dimensions
        Status: Converged (Newton's method, 0 steps)
        Masses: largest relative error of a cell 0 (asked for: 1e-09)
        Cost: W2^2 = 0.124166666667, certified to all digits shown
        """
        return report(self)

    @property
    def weights(self) -> FloatArray:
        """The weights, rounded to float64, shape (n,)."""
        return self.weights_exact[:, 0]

    @cached_property
    def heights(self) -> FloatArray:
        """Heights of the Brenier potential, rounded to float64, shape (n,)."""
        hi, lo = self.weights_exact.T
        return read_only(heights_from_weights(self.sites, hi, lo)[0])

    @property
    def converged(self) -> bool:
        """Whether the tolerance was reached.

        After an exact solve: every mass is within max(`tol` times its target, `atol`) of its
        target. After Monte Carlo: a test on samples that the fit has not seen puts the total
        variation between masses and targets below `tol`, at level 0.95; single masses and `cost`
        may be off by more than `tol`, relatively.
        """
        return self.status == "converged"

    @cached_property
    def rounded_mass_error(self) -> float:
        """The `mass_error` of the weights rounded to float64; measured when first asked for."""
        if self.method == "montecarlo":  # its weights are float64 already
            return self.mass_error
        masses = PowerDiagram(self.sites, self.weights, self.source, partial=self.partial).masses
        # coincident sites share one cell
        places = places_of(self.sites, self.source)
        _, place = np.unique(places, axis=0, return_inverse=True)
        wanted = np.bincount(place, self.target_masses).astype(np.float64)
        found = np.bincount(place, masses).astype(np.float64)
        positive = wanted > 0.0
        errors = mass_errors(found, wanted, self.tol, self.atol)
        return float(np.max(errors[positive]))

    @property
    def centroids(self) -> FloatArray:
        """Barycentre of each cell, shape (n, d); NaN where it is empty, or no sample fell."""
        if self.estimate is not None:
            return self.estimate.centroids
        return self.diagram().centroids

    @cached_property
    def _diagram(self) -> PowerDiagram:
        return PowerDiagram(self.sites, self.weights_exact, self.source, partial=self.partial)

    @property
    def remainder(self) -> Remainder:
        """What stays in partial transport, as a measure that can be sampled.

        Examples
        --------
        >>> import geomot
        >>> solution = geomot.solve([[0.5, 0.5]], [0.3], partial=True)
        >>> round(solution.remainder.mass, 12)
        0.7
        """
        return self._diagram.remainder

    @cached_property
    def _assigner(self) -> Assigner:
        return Assigner(self.sites, self.weights, self.target_masses)

    def diagram(self) -> PowerDiagram:
        """Return the power diagram of the weights, where the source has exact ones.

        Computed from `sites`, `weights_exact` and `source` when first asked for, then kept: a
        method and not a property, because that takes time and can fail.

        Returns
        -------
        PowerDiagram

        Raises
        ------
        ValueError
            If the source has no exact diagrams.

        Examples
        --------
        >>> import geomot
        >>> solution = geomot.solve([[0.25, 0.5], [0.75, 0.5]], [0.3, 0.7])
        >>> solution.diagram().cells[0].round(12).tolist()
        [[0.3, 1.0], [0.0, 1.0], [0.0, 0.0], [0.3, 0.0]]
        """
        return self._diagram

    def to_geopandas(
        self,
        cell_data: Mapping[str, ArrayLike] | None = None,
        *,
        names: Any = None,
        crs: Any = None,
    ) -> Any:
        """Return the cells as a table of GeoPandas, with the target masses.

        Parameters
        ----------
        cell_data : mapping from str to array_like of shape (n,) or (n, k), optional
            Further numbers of the sites, by their names.
        names : sequence of length n, optional
            Names of the sites: the index of the table.
        crs : optional
            Coordinate reference system; None: that of the table which the source was made of.

        Returns
        -------
        geopandas.GeoDataFrame
            That of `PowerDiagram.to_geopandas`, which explains the arguments, with a column
            "target_mass".

        Raises
        ------
        ImportError
            If GeoPandas is missing: it is in the extra `geo`.
        ValueError
            If an argument is invalid, or there are no exact diagrams in the plane.

        Examples
        --------
        >>> import geomot
        >>> solution = geomot.solve([[0.25, 0.5], [0.75, 0.5]], [0.3, 0.7])
        >>> frame = solution.to_geopandas(names=["a", "b"])  # doctest: +SKIP
        >>> frame["target_mass"].to_dict()  # doctest: +SKIP
        {'a': 0.3, 'b': 0.7}
        """
        data = {"target_mass": self.target_masses, **({} if cell_data is None else cell_data)}
        return self._diagram.to_geopandas(data, names=names, crs=crs)

    def assign(self, points: ArrayLike, *, threads: int | None = None) -> NDArray[np.int64]:
        """Return the index of the site to which each point is sent.

        The same rule as `PowerDiagram.locate`, which answers for any weights, and as
        `BrenierMap.predict`, which returns labels.

        Parameters
        ----------
        points : array_like of shape (q, d)
            The points, inside or outside the source's domain.
        threads : int, optional
            Number of threads; None: all available cores. The result does not depend on it.

        Returns
        -------
        ndarray of shape (q,), int64
            Decided exactly where the method is exact. In Monte Carlo to the rounding of float64,
            and among the sites with mass: the masses of `estimate` were measured by this very rule.
            In partial transport -1 for points that stay.

        Examples
        --------
        >>> import geomot
        >>> solution = geomot.solve([[0.25, 0.5], [0.75, 0.5]], [0.3, 0.7])
        >>> solution.assign([[0.29, 0.5], [0.31, 0.5]]).tolist()
        [0, 1]
        """
        if self.method != "montecarlo":
            return self._diagram.locate(points, threads=threads)
        queries = as_points(points, "points", self.source.dim, allow_empty=True)
        return self._assigner(queries, as_threads(threads))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the solution to a file, which `load` and `geomot.load` read.

        Parameters
        ----------
        path : str or path-like
            The file, exactly as named. An existing one is replaced when the new one is complete and
            on the disk; several processes may save to one path.

        Examples
        --------
        >>> import os, tempfile, geomot
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     geomot.solve([[0.25, 0.5], [0.75, 0.5]]).save(os.path.join(folder, "map.npz"))
        ...     os.listdir(folder)
        ['map.npz']
        """
        SOLUTION.write(path, self)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Solution:
        """Read a solution that `save` wrote; `geomot.load` reads what geomot saved of any kind.

        Parameters
        ----------
        path : str or path-like
            The file. It is never executed or unpickled, and may be untrusted.

        Returns
        -------
        Solution

        Raises
        ------
        ValueError
            If the file is not a complete, undamaged solution of a known version.
        OSError
            If the file cannot be opened.

        Examples
        --------
        >>> import os, tempfile, geomot
        >>> solution = geomot.solve([[0.25, 0.5], [0.75, 0.5]])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = os.path.join(folder, "map.npz")
        ...     solution.save(file)
        ...     geomot.Solution.load(file) == solution
        True
        """
        return SOLUTION.read(path, cls, "a solution file")

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        # A record array pickles its class by name; the bare one is all that is needed.
        state["history"] = np.asarray(self.history)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({**state, "history": state["history"].view(np.recarray)})
