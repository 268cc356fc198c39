"""A model and methods that comparisons register."""

from __future__ import annotations

import numpy as np

from geomot import compare


class Model:
    """Draws from a normal law; may claim to have diverged."""

    def __init__(self, shift=0.0, **attributes):
        self.shift = shift
        self.__dict__.update(attributes)

    def sample(self, n, random_state=None):
        return self.shift + np.random.default_rng(random_state).standard_normal((n, 2))


def points(n=60):
    return np.random.default_rng(5).standard_normal((n, 2))


def study(*methods, **keywords):
    return compare.study_of(points(), methods=list(methods), **{"samples": 30, **keywords})


def counting(name="Counted", **keywords):
    """Register a method that notes the seeds it is called with."""
    calls = []

    @compare.register(name, **keywords)
    def fit(task):
        calls.append(task.seed)
        return Model()

    return calls
