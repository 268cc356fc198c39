"""Solutions in files; `geomot._files.solutions` says what these hold."""

from __future__ import annotations

import os

from geomot._files.solutions import SOLUTION
from geomot.solution import Solution

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
    solution.save(path)


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
    return SOLUTION.read(path, Solution, "a solution file")
