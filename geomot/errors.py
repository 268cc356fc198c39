"""Warnings and exceptions that geomot raises beyond ValueError and TypeError."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from geomot.solution import Solution

__all__ = ["CheckpointWarning", "ConvergenceError", "ConvergenceWarning", "GeomotError"]


class GeomotError(Exception):
    """Base class of the exceptions that only geomot raises."""


class CheckpointWarning(UserWarning):
    """A checkpoint could not be saved.

    The solve goes on, and tries to save the next state again.
    """


class ConvergenceWarning(UserWarning):
    """A solve stopped before it reached its tolerance.

    The solution that comes with it says how far it got (`mass_error`) and why it stopped
    (`status`).
    """


class ConvergenceError(GeomotError, RuntimeError):
    """A solve in strict mode stopped before it reached its tolerance.

    Parameters
    ----------
    message : str
        What happened.
    solution : Solution, optional
        The state at which the solve stopped.

    Attributes
    ----------
    solution : Solution or None
        The state at which the solve stopped: its `mass_error` is measured, and its weights
        can start another solve.
    """

    def __init__(self, message: str, solution: Solution | None = None) -> None:
        super().__init__(message)
        self.solution = solution
