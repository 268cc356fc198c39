"""Threads over numbered chunks of work that releases the interpreter's lock.

Chunks do not depend on the number of threads, so that neither does the result.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["run_chunks"]


def run_chunks(work: Callable[[int], object], count: int, threads: int) -> None:
    """Call `work` with 0, ..., count - 1, each once, on up to `threads` threads.

    The caller is one of the threads, so that an interrupt reaches it between two chunks. The first
    exception of any thread ends the run and is raised here.
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

    helpers = [threading.Thread(target=loop) for _ in range(min(threads, count) - 1)]
    for helper in helpers:
        helper.start()
    try:
        loop()
    finally:
        # an interrupt of the caller leaves chunks that nobody needs
        following = count
        for helper in helpers:
            helper.join()
    if failure is not None:
        raise failure
