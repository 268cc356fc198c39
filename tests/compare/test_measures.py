"""How models are judged."""

from __future__ import annotations

import numpy as np
import pytest
from models import Model

from geomot import compare
from geomot.compare._measures import MEASURES


def test_recall_is_that_of_distinct_samples(tmp_path):
    @compare.register("Atoms")
    def atoms(task):
        model = Model()
        model.sample = lambda n, random_state: task.data[np.arange(n) % 40]
        return model

    @compare.register("Twice")
    def twice(task):
        model = Model()
        model.sample = lambda n, random_state: task.data[np.arange(n) % ((n + 1) // 2)]
        return model

    X = np.random.default_rng(0).standard_normal((1000, 2))
    study = compare.study_of(X, methods=["Atoms", "Twice"], samples=200)
    report = compare.run([study], tmp_path)
    assert report.summary("data", "Atoms", "recall").count == 0
    # 100 of 800 points, and 200 held out: all but the outermost are near
    assert report.summary("data", "Twice", "recall").mean > 0.9


def test_map_error_of_the_true_map_is_zero():
    (e4,) = compare.studies("E4", small=True)
    problem = e4.make(0)

    class Perfect:
        transform = staticmethod(problem.true_map)

    class Shifted:
        transform = staticmethod(lambda z: problem.true_map(z) + (3.0, 4.0))

    assert MEASURES["map"](problem, Perfect(), problem.test, 0)["map_error"] == 0.0
    error = MEASURES["map"](problem, Shifted(), problem.test, 0)["map_error"]
    assert error == pytest.approx(25.0)
    assert not np.array_equal(e4.make(1).train, problem.train)


def test_modes_are_counted():
    (e2,) = compare.studies("E2", small=True)
    problem = e2.make(0)
    found = MEASURES["modes"](problem, None, np.concatenate([problem.modes[:3], [[0, 0]]]), 0)
    assert found == {"outside": 0.25, "modes": 3.0}
    assert np.bincount(np.argmin(
        [np.sum((problem.test - m) ** 2, axis=1) for m in problem.modes], axis=0
    )).min() > 15  # fmt: skip
