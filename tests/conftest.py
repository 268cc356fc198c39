"""Options and fixtures of the whole suite."""

from __future__ import annotations

import os
import signal

import pytest


def pytest_configure(config):
    # Several workers share the machine: threads of their own for each only get in the way.
    if getattr(config.option, "numprocesses", None):
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ.setdefault(name, "1")
    # Shells start background jobs with interrupts ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="also run the heavy tests")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--slow"):
        return
    skip = pytest.mark.skip(reason="heavy: run with --slow")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)


@pytest.fixture
def silent(capfd):
    """Fail when the test's code writes anything to stdout or stderr."""
    yield
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
