"""What a solution's file holds, and how it is written; `geomot.storage` reads it.

The archive is the one of `geomot._files.archive`: plain arrays and a JSON header, without pickle.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from geomot._files import archive
from geomot._history import HISTORIES

__all__ = ["write"]

FORMAT = "geomot-solution"
VERSION = 1

ARRAYS = ("sites", "weights_exact", "target_masses", "masses", "history")
WORDS = ("status", "method")
SOURCE_PREFIX = "source_"
ESTIMATE_PREFIX = "estimate_"
NUMBERS = ("mass_error", "cost", "dual_value", "tol", "atol")


def write(solution: Any, path: str | os.PathLike[str]) -> None:
    """Write a solution to a file.

    Parameters
    ----------
    solution : Solution
        The solution.
    path : str or path-like
        The file, exactly as named. It is replaced in one step when the new one is complete; the
        same solution always gives the same bytes.
    """
    source = {k: v for k, v in solution.source.to_dict().items() if isinstance(v, np.ndarray)}
    words = {k: v for k, v in solution.source.to_dict().items() if k not in source}
    header = {
        "source": words,
        "n_iter": solution.n_iter,
        "bracket": list(solution.bracket),
        **{key: getattr(solution, key) for key in NUMBERS + WORDS},
    }
    arrays = {key: np.asarray(getattr(solution, key)) for key in ARRAYS}
    # Fields of one type as columns: no structured type in the file.
    columns = HISTORIES[solution.method].names or ()
    arrays["history"] = np.column_stack([arrays["history"][key] for key in columns])
    arrays.update({SOURCE_PREFIX + key: value for key, value in source.items()})
    if solution.estimate is not None:
        header["estimate"] = solution.estimate.numbers()
        own = solution.estimate.arrays()
        arrays.update({ESTIMATE_PREFIX + key: value for key, value in own.items()})
    doubles = {key: np.asarray(array, dtype=np.float64) for key, array in arrays.items()}
    archive.write(path, FORMAT, VERSION, header, doubles)
