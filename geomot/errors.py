"""Warnings and exceptions that geomot raises beyond ValueError and TypeError."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geomot.discrete import Plan
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

    A plan between clouds warns where its `bracket` does not show that it is optimal.
    """


class ConvergenceError(GeomotError, RuntimeError):
    """A solve in strict mode stopped before it reached its tolerance.

    Or a plan between clouds, in strict mode, is not known to be optimal.

    Parameters
    ----------
    message : str
        What happened.
    solution : Solution or Plan, optional
        The state at which the solve stopped.

    Attributes
    ----------
    solution : Solution, Plan or None
        The state at which the solve stopped. The `mass_error` of a Solution is measured, and its
        weights can start another solve; a Plan has a `bracket`.
    """

    def __init__(self, message: str, solution: Solution | Plan | None = None) -> None:
        super().__init__(message)
        self.solution: Any = solution
