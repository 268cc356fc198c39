"""What a solution's file holds; `Solution.save` writes it, and `geomot.load` reads it."""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np

from geomot._constants import MASS_SUM_TOLERANCE
from geomot._files import parts
from geomot._history import HISTORIES
from geomot._mass_estimate import MassEstimate
from geomot._validation import as_count, as_flag, as_points, as_vector, as_weights

__all__ = ["NUMBERS", "SOLUTION"]

NUMBERS = ("mass_error", "cost", "dual_value", "tol", "atol")


def _as_weights(array: np.ndarray, name: str) -> np.ndarray:
    return np.column_stack(as_weights(array, len(array), name))


def _as_masses(array: np.ndarray, name: str) -> np.ndarray:
    masses = as_vector(array, len(array), name)
    # to 1, unless transport is partial: the solution sees to that
    if masses.min() < 0.0 or math.fsum(masses.data) > 1.0 + MASS_SUM_TOLERANCE:
        raise ValueError(f"{name} must not be negative, and must sum to 1")
    return masses


def _without_nan(array: np.ndarray, name: str) -> np.ndarray:
    if np.isnan(array).any():
        raise ValueError(f"{name} must not hold NaN")
    return array


_CHECKS = {"int": as_count, "float": parts.as_number, "tuple[float, float]": parts.as_interval}
_ESTIMATE: dict[str, parts.Part] = {
    **{f.name: parts.Entry(_CHECKS[f.type]) for f in fields(MassEstimate) if f.type in _CHECKS},
    "mass_standard_errors": parts.Array(("n",), check=None),
    "centroids": parts.Array(("n", "d"), check=None),
}

SOLUTION = parts.Record(
    "geomot-solution",
    {
        "source": parts.Measure("source_"),
        "n_iter": parts.Entry(as_count),
        "bracket": parts.Entry(parts.as_interval),
        **{name: parts.Entry(parts.as_number) for name in NUMBERS},
        # Files of earlier versions have no absolute tolerance.
        "atol": parts.Entry(parts.as_number, default=0.0),
        "partial": parts.Entry(as_flag, default=False),
        "status": parts.Entry(parts.as_word),
        "method": parts.Entry(parts.as_word),
        "sites": parts.Array(("n", "d"), check=as_points),
        "weights_exact": parts.Array(("n", 2), check=_as_weights),
        "target_masses": parts.Array(("n",), check=_as_masses),
        "masses": parts.Array(("n",), check=_as_masses),
        "history": parts.Table(lambda found: HISTORIES[found["method"]], check=_without_nan),
        "estimate": parts.Nested(MassEstimate, _ESTIMATE, prefix="estimate_", optional=True),
    },
)
