"""The history of a solve: what its columns are."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

__all__ = ["HISTORIES", "HISTORY_DTYPE", "MONTECARLO_HISTORY", "history_records"]

# One row per accepted iterate, the start included.
HISTORY_FIELDS = ("dual", "residual", "step", "min_mass")
HISTORY_DTYPE = np.dtype([(name, np.float64) for name in HISTORY_FIELDS])

# One row per look at the averaged heights; `samples` were fitted to before it.
MONTECARLO_FIELDS = (*HISTORY_FIELDS, "samples")
MONTECARLO_HISTORY = np.dtype([(name, np.float64) for name in MONTECARLO_FIELDS])

HISTORIES = {
    "newton": HISTORY_DTYPE,
    "quantile": HISTORY_DTYPE,
    "montecarlo": MONTECARLO_HISTORY,
}


def history_records(
    rows: Iterable[tuple[float, ...]], dtype: np.dtype = HISTORY_DTYPE
) -> np.recarray:
    """Return the history of a solve as a record array.

    Parameters
    ----------
    rows : iterable of (dual, residual, step, min_mass)
        One row per accepted iterate, the start included; in Monte Carlo per look, with `samples`.
    dtype : dtype
        One of HISTORIES.

    Returns
    -------
    recarray
    """
    return np.array([tuple(row) for row in rows], dtype=dtype).view(np.recarray)
