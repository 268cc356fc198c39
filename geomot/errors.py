"""Warnings and exceptions that geomot raises beyond ValueError and TypeError."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geomot.diagnostics import SelfTest
    from geomot.discrete import Plan
    from geomot.solution import Solution

__all__ = [
    "CheckpointWarning",
    "ConvergenceError",
    "ConvergenceWarning",
    "GeomotError",
    "SelfTestError",
]


class GeomotError(Exception):
    """Base class of the exceptions that only geomot raises.

    Examples
    --------
    >>> from geomot import ConvergenceError, GeomotError
    >>> issubclass(ConvergenceError, GeomotError)
    True
    """


class CheckpointWarning(UserWarning):
    """A checkpoint could not be saved.

    The solve continues, and tries to save the next state again.

    Examples
    --------
    A solve that stops when its checkpoint cannot be saved:

    >>> import os, tempfile, warnings, geomot
    >>> with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
    ...     warnings.simplefilter("error", geomot.CheckpointWarning)
    ...     file = os.path.join(folder, "last.npz")
    ...     solution = geomot.solve(geomot.datasets.u2d(20), checkpoint=file)
    >>> solution.converged
    True
    """


class ConvergenceWarning(UserWarning):
    """A solve stopped before it reached its tolerance.

    The solution that comes with it says how far it got (`mass_error`) and why it stopped
    (`status`).

    A plan between clouds warns where its `bracket` does not show that it is optimal.

    Examples
    --------
    >>> import warnings, geomot
    >>> sites = geomot.datasets.clust2d(50)
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     solution = geomot.solve(sites, max_iter=0)
    >>> caught[0].category.__name__, solution.status
    ('ConvergenceWarning', 'max_iter')
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

    Examples
    --------
    >>> import geomot
    >>> sites = geomot.datasets.clust2d(50)
    >>> try:
    ...     geomot.solve(sites, max_iter=0, strict=True)
    ... except geomot.ConvergenceError as error:
    ...     print(error.solution.status)
    max_iter
    """

    def __init__(self, message: str, solution: Solution | Plan | None = None) -> None:
        super().__init__(message)
        self.solution: Any = solution


class SelfTestError(GeomotError, ArithmeticError):
    """A check of `geomot.self_test` failed: geomot does not compute exactly in this process.

    Parameters
    ----------
    message : str
        The report as text.
    report : SelfTest
        All checks.

    Attributes
    ----------
    report : SelfTest
        All checks, with the likely cause of each failure.

    Examples
    --------
    >>> import geomot
    >>> try:
    ...     exact = geomot.self_test().passed
    ... except geomot.SelfTestError as error:
    ...     print([check.name for check in error.report.checks if not check.passed])
    >>> exact
    True
    """

    def __init__(self, message: str, report: SelfTest) -> None:
        super().__init__(message)
        self.report = report
