"""BrenierMap: scikit-learn's own checks, and what the map promises."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import check_is_fitted, validate_data

from geomot import BrenierMap, ConvergenceWarning, PowerDiagram, UniformBox, UniformPolygon, solve

rng = np.random.default_rng
Y = rng(0).random((100, 2))

# Exact maps need 2 features; these checks fit data with 1, 3, 4, 5, 10 or 30.
NOT_IN_THE_PLANE = (
    "check_all_zero_sample_weights_error",
    "check_dict_unchanged",
    "check_dont_overwrite_parameters",
    "check_dtype_object",
    "check_estimators_dtypes",
    "check_estimators_nan_inf",
    "check_estimators_pickle",
    "check_f_contiguous_array_estimator",
    "check_fit2d_1sample",
    "check_fit2d_predict1d",
    "check_fit_score_takes_y",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
    "check_n_features_in_after_fitting",
    "check_pipeline_consistency",
    "check_positive_only_tag_during_fit",
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weights_list",
    "check_transformer_data_not_an_array",
    "check_transformer_general",
    "check_transformer_n_iter",
    "check_transformer_preserve_dtypes",
)


class FirstTwoColumns(BrenierMap):
    """The estimator on the first two columns of any data, so that every check reaches the map."""

    def fit(self, Y, y=None, sample_weight=None):
        full = validate_data(self, Y, dtype=np.float64)
        super().fit(self._cut(full), sample_weight=sample_weight)
        self.n_features_in_ = full.shape[1]
        return self

    @staticmethod
    def _cut(full):
        return np.column_stack([full, np.zeros(len(full))])[:, :2]

    def _points(self, X):
        check_is_fitted(self)
        return self._cut(validate_data(self, X, dtype=np.float64, reset=False)).copy()


def expected_failures(estimator):
    expected = {
        "check_sample_weight_equivalence_on_dense_data": (
            "predict returns an index among the fitted points, and repeats change their numbers "
            "(test_repeats_are_like_weights compares the maps)"
        )
    }
    if not isinstance(estimator, FirstTwoColumns):
        reason = "exact maps are available for 2 features only"
        expected.update(dict.fromkeys(NOT_IN_THE_PLANE, reason))
    return expected


@parametrize_with_checks(
    [BrenierMap(), FirstTwoColumns()], expected_failed_checks=expected_failures
)
def test_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def fitted():
    return BrenierMap().fit(Y)


def test_fitted_attributes(fitted):
    solution = solve(Y, tol=1e-6)
    assert fitted.solution_ == solution
    assert fitted.solution_.mass_error <= 1e-6
    np.testing.assert_array_equal(fitted.sites_, Y)
    np.testing.assert_array_equal(fitted.weights_, solution.weights)
    np.testing.assert_array_equal(fitted.heights_, solution.heights)
    assert fitted.n_features_in_ == 2
    assert fitted.n_iter_ == solution.n_iter
    assert list(fitted.get_feature_names_out()) == ["x0", "x1"]


def test_map(fitted):
    X = 3 * rng(1).random((500, 2)) - 1
    power = ((X[:, None] - Y) ** 2).sum(axis=2) - fitted.weights_
    labels = fitted.predict(X)
    np.testing.assert_array_equal(labels, power.argmin(axis=1))
    np.testing.assert_array_equal(fitted.transform(X), Y[labels])
    assert labels.dtype == np.int64


def test_potentials(fitted):
    X = 3 * rng(2).random((500, 2)) - 1
    u, phi = fitted.brenier_potential(X), fitted.kantorovich_potential(X)
    planes = X @ Y.T + fitted.heights_
    np.testing.assert_allclose(u, planes.max(axis=1), rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(phi, (X**2).sum(axis=1) - 2 * u, rtol=1e-13, atol=1e-13)
    # The gradient of u is the map.
    h = 1e-7
    step = np.array([h, 0.0])
    slope = (fitted.brenier_potential(X + step) - fitted.brenier_potential(X - step)) / (2 * h)
    same = fitted.predict(X + step) == fitted.predict(X - step)
    assert same.mean() > 0.9
    np.testing.assert_allclose(slope[same], fitted.transform(X)[same, 0], atol=1e-7)


def test_potential_of_far_sites_is_accurate():
    far = BrenierMap().fit(Y + 1e8)
    X = rng(3).random((50, 2))
    i = far.predict(X)
    expected = (X * (Y + 1e8)[i]).sum(axis=1) + far.heights_[i]
    np.testing.assert_allclose(far.brenier_potential(X), expected, rtol=1e-14)


def test_sample(fitted):
    points = fitted.sample(20_000, random_state=0)
    assert points.shape == (20_000, 2)
    np.testing.assert_array_equal(points, fitted.sample(20_000, random_state=0))
    values, counts = np.unique(points, axis=0, return_counts=True)
    assert len(values) == 100
    assert abs(counts - 200).max() < 5 * np.sqrt(200)
    seeded = clone(fitted).set_params(random_state=7).fit(Y)
    np.testing.assert_array_equal(seeded.sample(10), fitted.sample(10, random_state=7))
    assert fitted.sample(0).shape == (0, 2)
    for bad in (-1, 1.5):
        with pytest.raises((ValueError, TypeError), match="n must"):
            fitted.sample(bad)


def test_inverse_transform(fitted):
    centroids = fitted.solution_.diagram().centroids
    np.testing.assert_array_equal(fitted.inverse_transform(np.arange(100)), centroids)
    np.testing.assert_array_equal(fitted.inverse_transform([3, 3]), centroids[[3, 3]])
    assert fitted.inverse_transform([]).shape == (0, 2)
    X = rng(4).random((5, 2))
    assert fitted.inverse_transform(fitted.predict(X)).shape == (5, 2)
    for bad in ([100], [-1], [0.5], [[0]], 3, ["a"], [True]):
        with pytest.raises(ValueError, match="indices must"):
            fitted.inverse_transform(bad)


def test_sample_weight():
    weight = rng(5).random(100)
    one = BrenierMap(tol=1e-9).fit(Y, sample_weight=weight)
    np.testing.assert_allclose(one.solution_.masses, weight / weight.sum(), rtol=1e-9)
    two = BrenierMap(tol=1e-9).fit(Y, sample_weight=weight.tolist())
    assert two.solution_ == one.solution_
    for bad in (weight[:99], -weight, 0 * weight, weight * np.nan, "weights"):
        with pytest.raises((ValueError, TypeError), match="sample_weight must"):
            BrenierMap().fit(Y, sample_weight=bad)


def test_repeats_are_like_weights():
    repeats = rng(5).integers(0, 4, 100)
    order = rng(6).permutation(repeats.sum())
    weighted = BrenierMap(tol=1e-9).fit(Y, sample_weight=repeats)
    repeated = BrenierMap(tol=1e-9).fit(np.repeat(Y, repeats, axis=0)[order])
    X = rng(7).random((2000, 2))
    assert (weighted.transform(X) == repeated.transform(X)).all(axis=1).mean() > 0.999
    np.testing.assert_allclose(
        np.ptp(weighted.brenier_potential(X) - repeated.brenier_potential(X)), 0.0, atol=1e-10
    )
    assert weighted.solution_.cost == pytest.approx(repeated.solution_.cost, rel=1e-9)


@pytest.mark.parametrize(
    "source",
    [
        UniformBox([-1, 0], [1, 3]),
        UniformPolygon.regular(6),
        [(0, 0), (1, 0), (0.5, 1)],
        np.array([(0, 0), (1, 0), (0.5, 1)], float),
    ],
    ids=["box", "polygon", "list", "array"],
)
def test_sources(source):
    made = BrenierMap(source=source)
    assert made.source is source
    made.fit(Y)
    assert made.solution_.converged
    expected = PowerDiagram(Y, made.solution_.weights_exact, source)
    np.testing.assert_array_equal(made.solution_.masses, expected.masses)
    assert clone(made).fit(Y).solution_ == made.solution_


def test_refusals():
    for features in (1, 3):
        with pytest.raises(ValueError, match=rf"exact maps .* plane, got {features} feature"):
            BrenierMap().fit(np.ones((10, features)))
    with pytest.raises(ValueError, match="NaN"):
        BrenierMap().fit(np.full((10, 2), np.nan))
    for parameters, name in [
        ({"tol": 0}, "tol"),
        ({"method": "guess"}, "method"),
        ({"max_iter": -1}, "max_iter"),
        ({"threads": 0}, "threads"),
        ({"source": UniformBox.unit(3)}, "source"),
    ]:
        with pytest.raises(ValueError, match=name):
            BrenierMap(**parameters).fit(Y)


def test_not_fitted():
    X = [[0.5, 0.5]]
    new = BrenierMap()
    for call in (
        new.predict,
        new.transform,
        new.brenier_potential,
        new.kantorovich_potential,
    ):
        with pytest.raises(NotFittedError):
            call(X)
    for call in (new.sample, new.inverse_transform):
        with pytest.raises(NotFittedError):
            call(3)


def test_not_converged_is_said():
    with pytest.warns(ConvergenceWarning):
        made = BrenierMap(max_iter=1, tol=1e-9).fit(rng(0).random((500, 2)))
    assert not made.solution_.converged


def test_pickle_and_copy(fitted):
    X = rng(6).random((50, 2))
    copies = [copy.deepcopy(fitted), *(pickle.loads(pickle.dumps(fitted, p)) for p in range(2, 6))]
    for other in copies:
        assert other.solution_ == fitted.solution_
        np.testing.assert_array_equal(other.transform(X), fitted.transform(X))


def test_pipeline():
    scaled = make_pipeline(StandardScaler(), BrenierMap(UniformPolygon.regular(64)))
    image = scaled.fit(Y).transform(Y)
    assert image.shape == Y.shape
    assert {tuple(p) for p in image} <= {tuple(p) for p in StandardScaler().fit_transform(Y)}


def test_data_frames():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(Y, columns=["a", "b"])
    made = BrenierMap().set_output(transform="pandas").fit(frame)
    assert list(made.feature_names_in_) == ["a", "b"]
    assert list(made.transform(frame).columns) == ["a", "b"]
