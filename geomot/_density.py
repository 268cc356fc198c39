"""Exact solves under densities in the plane that are not uniform: rough by samples, then exact."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from geomot._constants.sampling import SAMPLED_START_SEED, SAMPLED_START_TOL
from geomot._monitor import Monitor
from geomot._newton.newton import Problem
from geomot._newton.partial import solve_partial
from geomot._newton.solve import solve_exact
from geomot._request import Request
from geomot._sampling.solve import solve_montecarlo
from geomot.solution import Solution

__all__ = ["solve_in_the_plane"]

FloatArray = NDArray[np.float64]


def solve_in_the_plane(request: Request, monitor: Monitor) -> Solution:
    """Solve exactly, as `solve_exact` and `solve_partial` do, from samples if the density needs it.

    Parameters
    ----------
    request : Request
        Its source has exact diagrams in the plane.
    monitor : Monitor
        Shown every accepted iterate of Newton's method.

    Returns
    -------
    Solution
    """

    def guess(problem: Problem) -> FloatArray:
        rough = replace(
            request,
            sites=problem.sites,
            target_masses=problem.masses / problem.masses.sum(),
            method="montecarlo",
            tol=SAMPLED_START_TOL,
            atol=0.0,
            initial=None,
            partial=False,
            max_iter=None,
            rng=np.random.default_rng(SAMPLED_START_SEED),
        )
        with Monitor(None, False, None, "", "") as unseen:
            return solve_montecarlo(rough, unseen).weights

    return (solve_partial if request.partial else solve_exact)(request, monitor, guess)
