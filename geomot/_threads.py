"""Threads over numbered chunks of work that releases the interpreter's lock.

Chunks do not depend on the number of threads, so that neither does the result.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from geomot._core.interrupt import unwatch, watch

__all__ = ["run_chunks"]


def run_chunks(work: Callable[[int], object], count: int, threads: int) -> None:
    """Call `work` with 0, ..., count - 1, each once, on up to `threads` threads.

    The caller is one of the threads, so that an interrupt reaches it; the other threads learn of it
    and end within a chunk that looks for interrupts, or else after it. The first exception of any
    thread ends the run and is raised here.
    """
    lock = threading.Lock()
    following = 0
    failure: BaseException | None = None

    def loop() -> None:
        nonlocal following, failure
        while True:
            with lock:
                chunk = following
                following += 1
            if chunk >= count:
                return
            try:
                work(chunk)
            except BaseException as error:
                with lock:
                    following = count
                    failure = failure or error
                return

    ended = [False]

    def help_out() -> None:
        watch(ended)
        try:
            loop()
        finally:
            unwatch()

    helpers = [threading.Thread(target=help_out) for _ in range(min(threads, count) - 1)]
    for helper in helpers:
        helper.start()
    try:
        loop()
        for helper in helpers:
            if failure is None:
                helper.join()
    finally:
        # an interrupt of the caller, here or in its chunk, leaves work that nobody needs
        following = count
        ended[0] = True
        for helper in helpers:
            helper.join()
    if failure is not None:
        raise failure
