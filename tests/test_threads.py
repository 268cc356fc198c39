"""Chunks of work in threads, and what ends them."""

from __future__ import annotations

import threading
import time

import pytest

from geomot._core.interrupt import _look
from geomot._threads import run_chunks


def test_an_interrupt_of_the_caller_ends_the_chunks_of_others():
    entered, told = threading.Event(), threading.Event()

    def work(chunk):
        if threading.current_thread() is threading.main_thread():
            assert entered.wait(20)
            raise KeyboardInterrupt
        entered.set()
        limit = time.monotonic() + 60.0
        try:
            while time.monotonic() < limit:
                _look()
        except KeyboardInterrupt:
            told.set()
            raise

    with pytest.raises(KeyboardInterrupt):
        run_chunks(work, 2, 2)
    assert told.is_set()
    _look()
