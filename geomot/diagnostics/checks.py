"""Whether exact signs are exact on this machine, in this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from geomot._core.montecarlo import instructions
from geomot.diagnostics._arithmetic import (
    COMPILED,
    ROUNDED,
    SMALL,
    Finding,
    as_written,
    gradual_underflow,
    rounding,
    transformations,
)
from geomot.diagnostics._results import samples, solves
from geomot.diagnostics._signs import meeting_points, signs
from geomot.diagnostics.report import Check, SelfTest
from geomot.errors import SelfTestError

__all__ = ["self_test"]

# Advice on failures of what rests on the first three checks.
EXPLAINED = (
    "A failure above explains this one. If there is none, numpy was compiled with options that "
    "change results, or this is a defect: please report it, with geomot.show_versions() and the "
    "compiler and options if you compiled geomot."
)

_CHECKS: tuple[tuple[str, Callable[[], Finding], str], ...] = (
    ("rounding to nearest", rounding, ROUNDED),
    ("gradual underflow", gradual_underflow, SMALL),
    ("operations as written", as_written, COMPILED),
    ("exact sums and products", transformations, EXPLAINED),
    ("signs in the plane", partial(signs, 2), EXPLAINED),
    ("signs in space", partial(signs, 3), EXPLAINED),
    ("points rounded once", meeting_points, EXPLAINED),
    ("samples", samples, EXPLAINED),
    ("a diagram and a solve", solves, EXPLAINED),
)


def self_test(strict: bool = True) -> SelfTest:
    """Check that geomot computes exactly on this machine, in this process.

    Exact signs rest on the arithmetic of IEEE 754: results are rounded to the nearest number,
    small numbers are kept, and every operation is compiled as it is written. A library that
    changes the processor's modes, or a build with the wrong options, breaks this without a
    message. The test compares sums, products, signs near zero, rounded points, samples and a small
    solve with rational arithmetic and closed forms.

    The modes belong to a thread: the test speaks for the thread that calls it, and for threads
    that this one starts.

    Parameters
    ----------
    strict : bool, default True
        Raise an error if a check fails. Otherwise only the report says so.

    Returns
    -------
    SelfTest
        The report; `print` shows it as text.

    Raises
    ------
    SelfTestError
        If a check fails and `strict` is true. Its message is the report, with the likely cause of
        each failure; its attribute `report` is the `SelfTest`.

    Examples
    --------
    >>> import geomot
    >>> report = geomot.self_test()
    >>> [check.name for check in report.checks][:3]
    ['rounding to nearest', 'gradual underflow', 'operations as written']
    """
    start = time.perf_counter()
    checks = tuple(_run(*check) for check in _CHECKS)
    report = SelfTest(checks, instructions(), time.perf_counter() - start)
    if strict and not report.passed:
        raise SelfTestError(f"geomot does not compute exactly here\n{report}", report)
    return report


def _run(name: str, check: Callable[[], Finding], advice: str) -> Check:
    """Run a check; what it raises is a failure, as any code may break on wrong arithmetic."""
    try:
        cases, failures = check()
    except Exception as error:
        cases, failures = 1, [f"{type(error).__name__}: {error}"]
    return Check(name, cases, tuple(failures), advice)
