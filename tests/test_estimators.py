"""scikit-learn's own checks of every estimator but the map (tests/test_brenier.py has those)."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from geomot import _estimators
from geomot.generator import LatentGenerator
from geomot.latent import Autoencoder, FeatureClassifier, PCACodec

pytest.importorskip("torch")
from small_baselines import VARIANTS, make  # noqa: E402

METHODS = [name for name in VARIANTS if "-" not in name]

# What scikit-learn gives to transform are data; baselines transform points of the source.
TRANSFORMS = dict.fromkeys(
    (
        "check_n_features_in_after_fitting",
        "check_dtype_object",
        "check_transformer_data_not_an_array",
        "check_transformer_general",
        "check_fit2d_predict1d",
    ),
    "transform takes points of the source, not data",
)


@parametrize_with_checks(
    [PCACodec(1), Autoencoder(1, hidden=(4,), epochs=1), FeatureClassifier(epochs=3)]
)
@pytest.mark.filterwarnings("ignore")
def test_codecs_and_classifier(estimator, check):
    check(estimator)


@parametrize_with_checks(
    [LatentGenerator(PCACodec(1), tv_tol=0.3)],
    expected_failed_checks=lambda estimator: {
        "check_fit2d_1sample": "one sample is refused as codes that are all equal"
    },
)
@pytest.mark.filterwarnings("ignore")
def test_generator(estimator, check):
    check(estimator)


@parametrize_with_checks(
    [make(name, max_steps=1, random_state=None) for name in METHODS],
    expected_failed_checks=lambda estimator: TRANSFORMS,
)
@pytest.mark.filterwarnings("ignore")
def test_baselines(estimator, check):
    check(estimator)


def test_names_of_columns_are_kept_and_compared():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(np.random.default_rng(0).random((10, 3)), columns=list("abc"))
    codec = PCACodec(1).fit(table)
    assert codec.feature_names_in_.tolist() == ["a", "b", "c"]
    with pytest.raises(ValueError, match="feature names"):
        codec.encode(table[["c", "b", "a"]])
    images = np.random.default_rng(0).random((10, 2, 2))
    codec.fit(images)
    assert codec.n_features_in_ == 4
    assert not hasattr(codec, "feature_names_in_")


def test_a_failed_fit_leaves_the_features_as_they_were():
    codec = PCACodec(2).fit(np.random.default_rng(0).random((10, 3)))
    with pytest.raises(ValueError, match="latent_dim must be at most 1"):
        codec.fit(np.ones((10, 1)))
    assert codec.n_features_in_ == 3


@pytest.mark.parametrize("X", [np.zeros((2, 3, 4)), np.zeros(3), 1.0, [[1.0], [1.0, 2.0]], None])
def test_tables_are_told_from_the_rest(X):
    assert not _estimators._is_table(X)
    assert _estimators._is_table([[1.0, 2.0]])
