"""What work costs, in processor time, and which of it tests do only when they have time.

What else the machine does makes no difference to processor time.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

needs_timers = pytest.mark.skipif(
    not hasattr(signal, "SIGPROF"), reason="needs a timer of processor time"
)
linux = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")


def some(values: Iterable[Any], quick: int) -> list[Any]:
    """Parameters of a test: the first few always, the others only with --slow."""
    return [
        value if k < quick else pytest.param(value, marks=pytest.mark.slow)
        for k, value in enumerate(values)
    ]


def growth(work: Callable[[int], object], n: int) -> float:
    """How many times the cost of work(n) is that of work(4 n); 4 where it is linear."""

    def cost(size):
        began = time.process_time()
        work(size)
        return time.process_time() - began

    work(n)
    small = min(cost(n) for _ in range(3))
    return min(cost(4 * n) for _ in range(2)) / small


class Interruption:
    """Ctrl-C in the middle of the block, which must not end by itself.

    Parameters
    ----------
    after : float
        The processor time in seconds that the process uses before it is interrupted.

    Attributes
    ----------
    due : float
        The processor time at which the interrupt comes.
    late : float
        The processor time, of all threads, from the interrupt to the end of the block.
    """

    def __init__(self, after: float) -> None:
        self._after = after
        self.late = float("nan")

    def _interrupt(self, *_: object) -> None:
        raise KeyboardInterrupt

    def __enter__(self) -> Interruption:
        self._handler = signal.signal(signal.SIGPROF, self._interrupt)
        self.due = time.process_time() + self._after
        signal.setitimer(signal.ITIMER_PROF, self._after)
        return self

    def __exit__(self, kind, *_) -> bool:
        self.late = time.process_time() - self.due
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, self._handler)
        if kind is None:
            pytest.fail("the block ended without being interrupted")
        return issubclass(kind, KeyboardInterrupt)
