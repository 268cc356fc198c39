"""BrenierMap: scikit-learn's own checks, and what the map promises in the plane and above."""

from __future__ import annotations

import copy
import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import check_is_fitted, validate_data

from geomot import (
    BrenierMap,
    ConvergenceWarning,
    Gaussian,
    GridDensity,
    PowerDiagram,
    Samples,
    UniformBall,
    UniformBox,
    UniformPolygon,
    load,
    solve,
)

rng = np.random.default_rng
Y = rng(0).random((100, 2))


class FirstTwoColumns(BrenierMap):
    """The estimator on the first two columns of any data, so that every check is made in the plane.

    The data of the checks have up to 30 columns.
    """

    def fit(self, Y, y=None, sample_weight=None):
        full = validate_data(self, Y, dtype=np.float64)
        super().fit(self._cut(full), y, sample_weight=sample_weight)
        self.n_features_in_ = full.shape[1]
        return self

    @staticmethod
    def _cut(full):
        return np.column_stack([full, np.zeros(len(full))])[:, :2]

    def _points(self, X):
        check_is_fitted(self)
        return self._cut(validate_data(self, X, dtype=np.float64, reset=False)).copy()


@parametrize_with_checks(
    [BrenierMap(), FirstTwoColumns(), BrenierMap(method="montecarlo", tv_tol=0.1)]
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
    with pytest.raises(ValueError, match="NaN"):
        BrenierMap().fit(np.full((10, 2), np.nan))
    for parameters, name in [
        ({"tol": 0}, "tol"),
        ({"tv_tol": 0}, "tv_tol"),
        ({"tv_tol": np.nan}, "tv_tol"),
        ({"method": "guess"}, "method"),
        ({"max_iter": -1}, "max_iter"),
        ({"threads": 0}, "threads"),
        ({"random_state": -1}, "random_state"),
        ({"source": UniformBox.unit(3)}, "source"),
        ({"source": Samples(np.eye(2)), "method": "newton"}, "source"),
        ({"method": "quantile"}, "sites"),
        ({"device": "cpu"}, "device"),
    ]:
        with pytest.raises(ValueError, match=name):
            BrenierMap(**parameters).fit(Y)
    for parameters, name in [
        ({"tv_tol": "small"}, "tv_tol"),
        ({"source": "normal"}, "source"),
        ({"random_state": "seed"}, "random_state"),
    ]:
        with pytest.raises(TypeError, match=name):
            BrenierMap(**parameters).fit(Y)
    with pytest.raises(ValueError, match='method="montecarlo"'):
        BrenierMap(method="newton").fit(np.eye(4))


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


# ---------------------------------------------------------------------------------------------
# Any dimension
# ---------------------------------------------------------------------------------------------

Z = rng(10).standard_normal((200, 10)) @ np.diag(np.linspace(0.5, 2.0, 10)) + 1.0
NORMAL = Gaussian(np.zeros(10), 1.0)


@pytest.fixture(scope="module")
def sampled():
    return BrenierMap(NORMAL, tv_tol=0.03, random_state=0).fit(Z)


def test_sampled_map_is_what_solve_finds(sampled):
    assert sampled.solution_ == solve(Z, source=NORMAL, tol=0.03, random_state=0)
    assert sampled.solution_.converged
    assert sampled.solution_.method == "montecarlo"
    assert sampled.solution_.tol == 0.03
    assert sampled.n_features_in_ == 10
    np.testing.assert_array_equal(sampled.sites_, Z)


def test_sampled_masses_are_within_the_tolerance(sampled):
    # Independent samples, counted naively: what they show beyond the tolerance is their own noise.
    drawn = sampled.predict(rng(11).standard_normal((200_000, 10)))
    shares = np.bincount(drawn, minlength=200) / 200_000
    chi2 = 200 * np.sum((shares - 1 / 200) ** 2) - 199 / 200_000
    assert np.sqrt(max(chi2, 0.0) / (2 * np.pi)) < 0.03


def test_sampled_map_and_potentials(sampled):
    X = 2 * rng(12).standard_normal((400, 10))
    scores = X @ Z.T + sampled.heights_
    labels = sampled.predict(X)
    np.testing.assert_array_equal(labels, scores.argmax(axis=1))
    np.testing.assert_array_equal(sampled.transform(X), Z[labels])
    u, phi = sampled.brenier_potential(X), sampled.kantorovich_potential(X)
    np.testing.assert_allclose(u, scores.max(axis=1), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(phi, (X**2).sum(axis=1) - 2 * u, rtol=1e-12, atol=1e-12)
    # T is monotone, being the gradient of a convex function.
    T = sampled.transform(X)
    assert ((X[:200] - X[200:]) * (T[:200] - T[200:])).sum(axis=1).min() >= 0.0


def test_sampled_centroids(sampled):
    X = rng(13).standard_normal((100_000, 10))
    labels = sampled.predict(X)
    sums = np.stack([np.bincount(labels, column, 200) for column in X.T], axis=1)
    counts = np.bincount(labels, minlength=200)
    centroids = sampled.inverse_transform(np.arange(200))
    assert centroids.shape == (200, 10)
    # Both are means of hundreds of samples.
    spread = np.abs(centroids - sums / counts[:, None])
    assert np.sqrt(np.mean(spread**2)) < 0.15


def test_an_integer_gives_the_same_map_each_time(sampled):
    again = clone(sampled).fit(Z)
    assert again.solution_ == sampled.solution_
    np.testing.assert_array_equal(again.sample(100), sampled.sample(100))
    np.testing.assert_array_equal(sampled.sample(100), sampled.sample(100))
    assert clone(sampled).set_params(threads=1).fit(Z).solution_ == sampled.solution_
    other = clone(sampled).set_params(random_state=1).fit(Z)
    assert other.solution_ != sampled.solution_
    # A generator advances: the second map differs.
    made = BrenierMap(NORMAL, tv_tol=0.1, random_state=rng(0))
    first = made.fit(Z).solution_
    assert made.fit(Z).solution_ != first


def test_unit_box_is_the_source_by_default():
    for d in (2, 3, 20):
        made = BrenierMap(tv_tol=0.1, random_state=0).fit(rng(d).random((80, d)))
        assert made.solution_.source == UniformBox.unit(d)
        assert made.solution_.converged
        assert made.sample(3).shape == (3, d)
        assert (made.solution_.method == "newton") == (d <= 3)


def test_the_line_is_exact():
    sites = rng(14).random((60, 1))
    made = BrenierMap().fit(sites)
    assert made.solution_.method == "quantile"
    assert made.solution_.tol == 1e-6
    # Cells of equal mass, in the order of the sites.
    x = (np.arange(60) + 0.5)[:, None] / 60
    np.testing.assert_array_equal(made.transform(x), np.sort(sites, axis=0))
    np.testing.assert_allclose(made.inverse_transform(made.predict(x)), x, atol=1e-6)
    u = made.brenier_potential(x)
    np.testing.assert_allclose(u, (x @ sites.T + made.heights_).max(axis=1), atol=1e-12)


class Mixture:
    """Two balls of points, one for each end of the diagonal of the unit box."""

    def sample(self, n, generator):
        return 0.3 * generator.standard_normal((n, 3)) + generator.integers(0, 2, (n, 1))


@pytest.mark.parametrize(
    "source",
    [
        UniformBox([-1, 0, 0], [1, 3, 1]),
        Gaussian(np.zeros(3), [[2.0, 1.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 1.0]]),
        UniformBall(np.zeros(3), 2.0),
        GridDensity(np.arange(8.0).reshape(2, 2, 2)),
        Samples(rng(0).random((5000, 3))),
        Mixture(),
    ],
    ids=lambda source: type(source).__name__,
)
def test_sources_in_space(source):
    sites = rng(15).random((70, 3))
    made = BrenierMap(source, method="montecarlo", tv_tol=0.08, random_state=0)
    assert made.source is source
    made.fit(sites, sample_weight=1 + np.arange(70))
    assert made.solution_.converged
    assert made.solution_.estimate.tv_interval[1] < 0.08
    np.testing.assert_allclose(made.solution_.target_masses, (1 + np.arange(70)) / 2485)


def test_methods_agree_in_the_plane(fitted):
    sampled = BrenierMap(method="montecarlo", tv_tol=0.005, random_state=0).fit(Y)
    assert sampled.solution_.estimate is not None
    X = rng(16).random((20_000, 2))
    assert (sampled.predict(X) != fitted.predict(X)).mean() < 0.05
    low, high = sampled.solution_.bracket
    assert low <= fitted.solution_.cost <= high


def test_repeats_are_like_weights_above_the_plane():
    repeats = rng(5).integers(0, 4, 200)
    order = rng(6).permutation(repeats.sum())
    made = BrenierMap(NORMAL, tv_tol=0.02, random_state=0)
    weighted = clone(made).fit(Z, sample_weight=repeats)
    repeated = clone(made).fit(np.repeat(Z, repeats, axis=0)[order])
    X = rng(7).standard_normal((5000, 10))
    assert (weighted.transform(X) == repeated.transform(X)).all(axis=1).mean() > 0.9
    assert set(weighted.predict(X)) <= set(np.flatnonzero(repeats))


def test_coincident_points_and_single_ones():
    for sites in (np.full((1, 4), 0.3), np.full((5, 4), 0.3)):
        made = BrenierMap(random_state=0).fit(sites)
        assert made.solution_.converged
        assert (made.predict(rng(0).random((20, 4))) == 0).all()
        np.testing.assert_allclose(made.solution_.masses, 1 / len(sites))


def test_labels(sampled):
    X = rng(17).standard_normal((300, 10))
    index = sampled.predict(X)
    names = np.where(Z[:, 0] > 1.0, "right", "left")
    for labels in (names, names.tolist(), names.astype(object)):
        made = clone(sampled).set_params(tv_tol=0.1).fit(Z, labels)
        np.testing.assert_array_equal(made.predict(X), names[made.solution_.assign(X)])
    targets = rng(18).random((200, 3))
    made = clone(sampled).fit(Z, targets)
    assert made.solution_ == sampled.solution_
    np.testing.assert_array_equal(made.predict(X), targets[index])
    # What was given may change afterwards.
    expected = targets[index]
    targets[:] = 0.0
    np.testing.assert_array_equal(made.predict(X), expected)
    # Fitted without labels, the indices are back.
    np.testing.assert_array_equal(made.fit(Z).predict(X), index)
    for bad in (names[:-1], "left", 3, np.zeros((1, 200))):
        with pytest.raises(ValueError, match="y must have one entry for each of the 200 rows"):
            BrenierMap(NORMAL).fit(Z, bad)


def test_tolerance_above_the_plane_is_said():
    with pytest.warns(ConvergenceWarning, match=r"total variation in .*, tol 0.01"):
        made = BrenierMap(NORMAL, max_iter=2, random_state=0).fit(Z)
    assert not made.solution_.converged
    assert made.n_iter_ == 2


def test_sampled_map_is_stored(sampled, tmp_path):
    sampled.solution_.save(tmp_path / "map.npz")
    assert load(tmp_path / "map.npz") == sampled.solution_
    other = pickle.loads(pickle.dumps(sampled))
    X = rng(19).standard_normal((50, 10))
    np.testing.assert_array_equal(other.transform(X), sampled.transform(X))


def test_wrong_number_of_columns(sampled):
    for call in (sampled.predict, sampled.transform, sampled.brenier_potential):
        with pytest.raises(ValueError, match="features"):
            call(np.zeros((3, 2)))


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


# ---- what is meant otherwise ----


def test_masses_are_no_labels():
    Y = np.random.default_rng(0).random((20, 2))
    masses = np.random.default_rng(1).dirichlet(np.ones(20))
    with pytest.warns(UserWarning, match="y holds positive numbers that sum to 1.*sample_weight="):
        BrenierMap().fit(Y, masses)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        BrenierMap().fit(Y, 20.0 * masses)
        BrenierMap().fit(Y, sample_weight=masses)


def test_points_outside_the_default_source():
    Y = 100.0 + np.random.default_rng(0).random((20, 2))
    with pytest.warns(UserWarning, match="no row of Y lies in the unit box, the default source"):
        BrenierMap().fit(Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        BrenierMap(UniformBox([100.0, 100.0], [101.0, 101.0])).fit(Y)
        BrenierMap(UniformBox.unit(2)).fit(Y)  # said, so meant


def test_fitted_points_are_not_those_of_the_source():
    Y = np.random.default_rng(0).random((20, 2))
    with pytest.warns(UserWarning, match="as if they were points of the source"):
        mapped = BrenierMap().fit_transform(Y)
    np.testing.assert_array_equal(mapped, BrenierMap().fit(Y).transform(Y))


@pytest.mark.parametrize("labels", [np.arange(20)[::-1], np.repeat(["a", "b"], 10)])
def test_labels_are_no_indices(labels):
    Y = np.random.default_rng(0).random((20, 2))
    brenier = BrenierMap().fit(Y, labels)
    with pytest.raises(ValueError, match="indices must be indices of sites, but predict"):
        brenier.inverse_transform(brenier.predict(Y))
    brenier.fit(Y)
    assert brenier.inverse_transform(brenier.predict(Y)).shape == (20, 2)


def test_tables_keep_their_names():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(Y, columns=["width", "height"])
    brenier = BrenierMap().fit(table).set_output(transform="pandas")
    images = brenier.transform(pandas.DataFrame(rng(1).random((5, 2)), columns=table.columns))
    assert (
        images.columns.tolist() == brenier.get_feature_names_out().tolist() == ["width", "height"]
    )
    assert {tuple(row) for row in images.to_numpy()} <= {tuple(row) for row in Y}
