"""What a running solve shows: states to callbacks, a progress bar, checkpoints on disk."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from geomot._files.replacing import try_replacing
from geomot._stderr import progress_bar, warn
from geomot.errors import CheckpointWarning

if TYPE_CHECKING:
    from geomot.solution import Solution

__all__ = ["Monitor", "SolverState"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class SolverState:
    """State that a callback receives after each accepted iterate (Newton) or look (Monte Carlo).

    Attributes
    ----------
    n_iter : int
        Steps taken so far.
    mass_error : float
        Largest relative error of a mass.
    dual : float
        Kantorovich's dual value, a lower bound on W2^2; an estimate in Monte Carlo.
    residual : float
        Newton: Euclidean distance of the roots of masses and targets. Monte Carlo: estimate of
        their total variation.
    step : float
        Newton: length of the step that led here; 0.5 at the start. Monte Carlo: share of the full
        step that the next one takes.
    min_mass : float
        Smallest mass of a cell.
    weights_exact : ndarray of shape (n, 2)
        The weights as exact sums hi + lo. Passing the state as `initial_weights` resumes the solve.

    Examples
    --------
    >>> import geomot
    >>> states = []
    >>> sites = geomot.datasets.u2d(50)
    >>> solution = geomot.solve(sites, callback=states.append)
    >>> states[-1].n_iter == solution.n_iter, states[-1].mass_error == solution.mass_error
    (True, True)
    """

    n_iter: int
    mass_error: float
    dual: float
    residual: float
    step: float
    min_mass: float
    weights_exact: FloatArray


class Monitor:
    """Feeds the callback, the progress bar and the checkpoint file of a solve.

    Parameters
    ----------
    callback : callable or None
        Shown every state; stops the solve by returning True, and is not called any more.
    progress : bool
        Whether to show a bar on standard error.
    checkpoint : str, path-like or None
        Where to save what has been reached at every state. Refused now if nothing can be written
        there; if that fails later, the solve continues with a warning.
    description, unit : str
        Texts of the bar.
    """

    def __init__(
        self,
        callback: Callable[[SolverState], bool | None] | None,
        progress: bool,
        checkpoint: str | os.PathLike[str] | None,
        description: str,
        unit: str,
    ) -> None:
        if checkpoint is not None:
            try_replacing(checkpoint, "checkpoint")
        self.callback = callback
        self.checkpoint = checkpoint
        self.stopped = False
        self.count = 0
        self.bar: Any = None
        if progress:
            self.bar = progress_bar(desc=description, unit=unit, unit_scale=True)

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def tick(self, count: int) -> None:
        """Note that `count` steps or samples are done in all."""
        if self.bar is not None:
            self.bar.update(count - self.count)
        self.count = count

    def show(
        self, state: Callable[[], SolverState], solution: Callable[[], Solution], text: str
    ) -> bool:
        """Show where the solve stands; whether the callback has asked it to stop, now or before.

        State and solution are only made where somebody looks at them.
        """
        if self.bar is not None:
            self.bar.set_postfix_str(text, refresh=False)
        if self.checkpoint is not None:
            self._save(solution(), self.checkpoint)
        if self.callback is not None and not self.stopped:
            answer = self.callback(state())
            # Comparisons of numpy's numbers give its own booleans.
            self.stopped = isinstance(answer, (bool, np.bool_)) and bool(answer)
        return self.stopped

    def _save(self, solution: Solution, path: str | os.PathLike[str]) -> None:
        try:
            solution.save(path)
        except (OSError, ValueError) as error:
            warn(f"the checkpoint was not saved, the solve continues: {error}", CheckpointWarning)
