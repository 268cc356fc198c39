"""Solutions in files: what the header and the arrays of an archive mean, and must be.

The archive is the one of `geomot._files.archive`: plain arrays and a JSON header, without pickle.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from geomot._constants import MASS_SUM_TOLERANCE
from geomot._files import archive, solutions
from geomot._files.archive import as_number, pop_prefixed
from geomot._history import HISTORIES
from geomot._mass_estimate import MassEstimate
from geomot._validation import as_count, as_points, as_vector, as_weights
from geomot.solution import Solution
from geomot.sources import Source

__all__ = ["load", "save"]


def save(solution: Solution, path: str | os.PathLike[str]) -> None:
    """Write a solution to a file; see `Solution.save`.

    Parameters
    ----------
    solution : Solution
        The solution.
    path : str or path-like
        The file, exactly as named.
    """
    if not isinstance(solution, Solution):
        raise TypeError(f"solution must be a Solution, got {type(solution).__name__}")
    solutions.write(solution, path)


def load(path: str | os.PathLike[str]) -> Solution:
    """Read a solution that `Solution.save` wrote.

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
    ...     geomot.load(file) == solution
    True
    """
    return archive.read(
        path, solutions.FORMAT, solutions.VERSION, _build, kind="a solution file", dtypes=("<f8",)
    )


def _build(header: Mapping[str, Any], arrays: dict[str, np.ndarray]) -> Solution:
    """Make the solution, holding the file to what a solve guarantees."""
    source_arrays = pop_prefixed(arrays, solutions.SOURCE_PREFIX)
    estimate_arrays = pop_prefixed(arrays, solutions.ESTIMATE_PREFIX)
    if set(arrays) != set(solutions.ARRAYS):
        raise ValueError(f"it must hold the arrays {solutions.ARRAYS}, got {tuple(sorted(arrays))}")
    source = Source.from_dict({**header["source"], **source_arrays})
    sites = as_points(arrays["sites"], "sites", source.dim)
    n = len(sites)
    if arrays["weights_exact"].shape != (n, 2):
        raise ValueError(f"weights_exact must have shape {(n, 2)}")
    weights = np.column_stack(as_weights(arrays["weights_exact"], n, "weights_exact"))
    targets = as_vector(arrays["target_masses"], n, "target_masses")
    masses = as_vector(arrays["masses"], n, "masses")
    for key, values in (("target_masses", targets), ("masses", masses)):
        if values.min() < 0.0 or abs(math.fsum(values.data) - 1.0) > MASS_SUM_TOLERANCE:
            raise ValueError(f"{key} must not be negative, and must sum to 1")
    if not all(isinstance(header[key], str) for key in solutions.WORDS):
        raise ValueError(f"{solutions.WORDS} must be words")
    history, dtype = arrays["history"], HISTORIES[header["method"]]
    columns = len(dtype.names or ())
    if history.ndim != 2 or history.shape[1] != columns or np.isnan(history).any():
        raise ValueError(f"history must have {columns} columns without NaN")
    lower, upper = (as_number(value, "bracket") for value in header["bracket"])
    scalars: dict[str, Any] = {key: header[key] for key in solutions.WORDS}
    # files of earlier versions have no absolute tolerance
    numbers = {"atol": 0.0, **header}
    scalars.update({key: as_number(numbers[key], key) for key in solutions.NUMBERS})
    return Solution(
        sites=sites,
        weights_exact=weights,
        target_masses=targets,
        masses=masses,
        history=np.rec.fromarrays(history.T, dtype=dtype),
        source=source,
        n_iter=as_count(header["n_iter"], "n_iter"),
        bracket=(lower, upper),
        estimate=_estimate(header.get("estimate"), estimate_arrays),
        **scalars,
    )


def _estimate(
    numbers: Mapping[str, Any] | None, arrays: Mapping[str, np.ndarray]
) -> MassEstimate | None:
    if numbers is None:
        if arrays:
            raise ValueError(f"it must hold no estimate, got {sorted(arrays)}")
        return None
    checked: dict[str, Any] = {}
    for key, value in numbers.items():
        if key.startswith("n_"):
            checked[key] = as_count(value, key)
        elif key == "tv_interval":
            lower, upper = (as_number(v, key) for v in value)
            checked[key] = (lower, upper)
        else:
            checked[key] = as_number(value, key)
    return MassEstimate.from_parts(checked, arrays)
