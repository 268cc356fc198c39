"""One small problem for each method."""

from __future__ import annotations

import numpy as np
import pytest

from geomot import solve

SITES = np.random.default_rng(0).random((40, 2))
LINE = np.random.default_rng(1).random((30, 1))
# For each method a problem that takes a moment, and what solves it.
PROBLEMS = {
    "newton": (SITES, {}),
    "montecarlo": (SITES, {"method": "montecarlo", "tol": 0.1, "random_state": 0}),
    "quantile": (LINE, {}),
}
every_method = pytest.mark.parametrize("method", list(PROBLEMS))


def start(method, **changes):
    sites, options = PROBLEMS[method]
    return solve(sites, **{**options, **changes})
