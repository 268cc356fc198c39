"""A sign of life from commands that nobody watches: a line on standard error now and then."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from geomot._stderr import is_terminal, say
from geomot.distributed import launched_rank

__all__ = ["doing", "heartbeat"]

# Seconds before the first line; each later one is twice as far from the start as the one before.
_FIRST = 60.0

_parts: list[str] = []


@contextmanager
def doing(part: str) -> Iterator[None]:
    """Name the part of the work that lines speak of."""
    _parts.append(part)
    try:
        yield
    finally:
        _parts.pop()


@contextmanager
def heartbeat(name: str) -> Iterator[None]:
    """Say every while that the command still runs, unless bars on a terminal show it.

    Parameters
    ----------
    name : str
        The command.
    """
    if is_terminal() or launched_rank() != 0:
        yield
        return
    ended = threading.Event()
    thread = threading.Thread(target=_beat, args=(name, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _beat(name: str, ended: threading.Event) -> None:
    started, due = time.monotonic(), _FIRST
    while not ended.wait(started + due - time.monotonic()):
        part = f", now {_parts[-1]}" if _parts else ""
        say(f"{name}: running for {due:.0f} seconds{part}\n")
        due *= 2.0
