"""Fitted couplings that several files draw from."""

from __future__ import annotations

import numpy as np
import pytest

from geomot.coupling import SemiDiscreteCoupling


@pytest.fixture(scope="session")
def clouds():
    """400 points in three dimensions in two clusters, and their labels."""
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 4 == 0
    return 0.4 * rng.standard_normal((400, 3)) + np.where(labels, 2.0, -1.0)[:, None], labels


@pytest.fixture(scope="session")
def coupling(clouds):
    return SemiDiscreteCoupling(random_state=0, threads=1).fit(clouds[0])


@pytest.fixture(scope="session")
def labelled(clouds):
    """A map for each label."""
    X, labels = clouds
    names = np.where(labels, "right", "left")
    return SemiDiscreteCoupling(random_state=0, threads=1).fit(X, names)


@pytest.fixture(scope="session")
def soft(clouds):
    return SemiDiscreteCoupling(epsilon=0.2, random_state=0, threads=1).fit(clouds[0])


@pytest.fixture(scope="session")
def conditioned(clouds):
    """Continuous conditions: the first coordinate and noise."""
    X, _ = clouds
    rng = np.random.default_rng(1)
    condition = X[:, :1] + 0.3 * rng.standard_normal((400, 1))
    return SemiDiscreteCoupling(random_state=0, threads=1).fit(X, condition=condition)
