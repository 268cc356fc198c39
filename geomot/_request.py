"""What a solve is asked for, in one piece: validated once, and handed to the solver as it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geomot._double_double import Pair
from geomot._history import HISTORIES, history_records
from geomot._mass_estimate import MassEstimate
from geomot._search.backends import Backend
from geomot.solution import Solution
from geomot.sources import Source

__all__ = ["Request"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Request:
    """Sites, target masses and a source, and how well and by which means to solve.

    Attributes
    ----------
    sites : ndarray of shape (n, d)
        The sites.
    target_masses : ndarray of shape (n,)
        The masses wanted, of sum 1; of less in partial transport.
    source : Source
        The source measure, of the sites' dimension.
    method : {"quantile", "newton", "montecarlo"}
        The solver.
    tol : float
        Relative tolerance of a mass, or of the total variation in Monte Carlo.
    atol : float
        Absolute tolerance of a mass; 0 in Monte Carlo.
    initial : pair of ndarray of shape (n,), or None
        Weights hi, lo to start from.
    step : float
        Newton: length of the step before the first.
    max_iter : int or None
        Most steps; None where the method is to decide.
    threads : int
        Number of threads.
    rng : Generator
        All randomness.
    backend : Backend
        Where samples are assigned to sites.
    partial : bool
        Whether the masses sum to less than 1, and some of the source stays.
    """

    sites: FloatArray
    target_masses: FloatArray
    source: Source
    method: str
    tol: float
    atol: float
    initial: Pair | None
    step: float
    max_iter: int | None
    threads: int
    rng: np.random.Generator
    backend: Backend
    partial: bool = False

    def solution(
        self,
        *,
        weights: FloatArray,
        masses: FloatArray,
        mass_error: float,
        status: str,
        n_iter: int,
        dual: float,
        bracket: tuple[float, float],
        rows: list[tuple[float, ...]],
        estimate: MassEstimate | None = None,
    ) -> Solution:
        """Return what the solver has found, as a `Solution` of this request.

        Parameters
        ----------
        weights : ndarray of shape (n, 2)
            The weights as hi, lo.
        masses : ndarray of shape (n,)
            The masses measured under them.
        mass_error, status, n_iter, bracket, estimate
            As in `Solution`.
        dual : float
            The Kantorovich dual value.
        rows : list of tuple
            The history, one row for each iterate.

        Returns
        -------
        Solution
        """
        return Solution(
            sites=self.sites,
            weights_exact=weights,
            target_masses=self.target_masses,
            masses=masses,
            mass_error=mass_error,
            status=status,
            n_iter=n_iter,
            cost=max(dual, 0.0),
            dual_value=dual,
            bracket=bracket,
            history=history_records(rows, HISTORIES[self.method]),
            source=self.source,
            method=self.method,
            tol=self.tol,
            estimate=estimate,
            atol=self.atol,
            partial=self.partial,
        )
