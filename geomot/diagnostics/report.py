"""What a self-test found."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

__all__ = ["Check", "SelfTest"]

_LINE_LENGTH = 96
_MARGIN = " " * 8


@dataclass(frozen=True)
class Check:
    """One check of a self-test.

    Attributes
    ----------
    name : str
        What is checked.
    cases : int
        Number of cases that were compared with exact results.
    failures : tuple of str
        What was found instead, one sentence for each kind of failure; empty if the check passed.
    advice : str
        The likely cause of a failure, and how to repair it.

    Examples
    --------
    >>> import geomot
    >>> check = geomot.self_test().checks[0]
    >>> check.name, check.passed
    ('rounding to nearest', True)
    """

    name: str
    cases: int
    failures: tuple[str, ...]
    advice: str

    @property
    def passed(self) -> bool:
        """Whether all cases agree with exact results."""
        return not self.failures

    def __str__(self) -> str:
        verdict = "ok    " if self.passed else "FAILED"
        return "\n".join(
            [f"{verdict}  {self.name} ({self.cases} cases)", *map(_indented, self.failures)]
        )


def _indented(text: str) -> str:
    return textwrap.fill(text, _LINE_LENGTH, initial_indent=_MARGIN, subsequent_indent=_MARGIN)


@dataclass(frozen=True)
class SelfTest:
    """The result of `geomot.self_test`.

    Attributes
    ----------
    checks : tuple of Check
        All checks; the arithmetic comes first, as a failure there explains those that follow.
    instructions : str
        Instruction set of the kernels for samples on this processor.
    seconds : float
        Time of all checks.

    Examples
    --------
    >>> import geomot
    >>> report = geomot.self_test()
    >>> print(str(report).splitlines()[0])
    ok      rounding to nearest (12 cases)
    """

    checks: tuple[Check, ...]
    instructions: str
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether all checks passed."""
        return all(check.passed for check in self.checks)

    def __str__(self) -> str:
        lines = []
        shown = set()
        for check in self.checks:
            lines.append(str(check))
            if not check.passed and check.advice not in shown:
                lines.append(_indented(check.advice))
                shown.add(check.advice)
        failed = sum(not check.passed for check in self.checks)
        verdict = (
            "All checks passed: signs are exact here"
            if self.passed
            else f"{failed} of {len(self.checks)} checks failed: geomot may be wrong here"
        )
        lines.append(f"{verdict} ({self.instructions} kernels, {self.seconds:.1f} s).")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)
