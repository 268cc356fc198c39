"""Maps that several files of tests extend; none of them changes the map."""

from __future__ import annotations

import numpy as np
import pytest

from geomot import BrenierMap, Gaussian


@pytest.fixture(scope="session")
def plane():
    """An exact map in the plane."""
    return BrenierMap().fit(np.random.default_rng(1).random((200, 2)))


@pytest.fixture(scope="session")
def space():
    """A map by samples in six dimensions."""
    d = 6
    sites = np.random.default_rng(2).standard_normal((300, d)) + 2.0
    source = Gaussian(np.full(d, 2.0), 1.0)
    return BrenierMap(source, tv_tol=0.05, random_state=0, threads=1).fit(sites)
