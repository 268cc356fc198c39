"""Models that are fitted without a training: SMOTE and the Gaussian mixture."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

import geomot
from geomot import baselines
from geomot.baselines import REFERENCES, SMOTE, GaussianMixture

every_reference = pytest.mark.parametrize("name", REFERENCES)


def data(shape=(3,), n=60):
    return 3.0 + 2.0 * np.random.default_rng(1).standard_normal((n, *shape))


def make(name, **keywords):
    return getattr(baselines, name)(**{"random_state": 0, **keywords})


@pytest.mark.parametrize("shape", [(2,), (9, 6), (1, 4, 5)])
@every_reference
def test_fit_and_sample(name, shape, silent):
    X = data(shape)
    before = X.copy()
    model = make(name)
    assert model.fit(X) is model
    np.testing.assert_array_equal(X, before)
    assert (model.sample_shape_, model.n_features_in_) == (shape, np.prod(shape))
    drawn = model.sample(7, random_state=3)
    assert drawn.shape == (7, *shape)
    assert drawn.dtype == np.float64
    np.testing.assert_array_equal(drawn, model.sample(7, random_state=3))
    assert not np.array_equal(drawn, model.sample(7, random_state=4))
    np.testing.assert_array_equal(model.sample(2), model.sample(2))
    assert model.sample(0).shape == (0, *shape)
    np.testing.assert_array_equal(make(name).fit(X).sample(3), model.sample(3))


@every_reference
def test_save_and_load(name, tmp_path):
    model = make(name).fit(data((3, 2)))
    model.save(tmp_path / "model")
    again = geomot.load(tmp_path / "model")
    for other in (again, type(model).load(tmp_path / "model"), pickle.loads(pickle.dumps(model))):
        assert type(other) is type(model)
        assert other.get_params() == model.get_params()
        assert (other.sample_shape_, other.n_features_in_) == ((3, 2), 6)
        np.testing.assert_array_equal(other.sample(5, 1), model.sample(5, 1))
    again.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "model").read_bytes()


@every_reference
def test_bad_arguments_are_refused(name):
    model = make(name)
    for call in (lambda: model.sample(1), lambda: model.save("nowhere")):
        with pytest.raises(NotFittedError):
            call()
    with pytest.raises(ValueError, match="X must be finite"):
        model.fit([[0.0, np.nan], [1.0, 2.0]])
    with pytest.raises(ValueError, match="random_state must be at least 0"):
        make(name, random_state=-1).fit(data())
    with pytest.raises(ValueError, match="n must be at least 0"):
        model.fit(data()).sample(-1)
    for keywords, message in {
        "SMOTE": [({"neighbours": 0}, "neighbours must be at least 1")],
        "GaussianMixture": [
            ({"components": 0}, "components must be at least 1"),
            ({"components": 61}, "components must be at most 60, got 61"),
        ],
    }[name]:
        with pytest.raises(ValueError, match=message):
            make(name, **keywords).fit(data())


@every_reference
def test_one_datum_and_equal_data(name):
    for X in ([[1.0, 2.0]], np.full((30, 2), 5.0)):
        drawn = make(name).fit(X).sample(20)
        np.testing.assert_allclose(drawn, np.broadcast_to(X[0], (20, 2)), atol=0.01)


def test_units_of_the_data_do_not_matter():
    X = data()
    for name in REFERENCES:
        one, other = make(name).fit(X), make(name).fit(2.0**40 * X)
        np.testing.assert_allclose(other.sample(9), 2.0**40 * one.sample(9), rtol=1e-9)


def test_smote_mixes_a_datum_with_one_of_its_nearest():
    X = data((2,), n=40)
    near = np.argsort(cdist(X, X) + 1e9 * np.eye(40), axis=1)[:, :3]
    model = SMOTE(3, random_state=0).fit(X)
    assert {frozenset(row) for row in model.neighbours_.tolist()} == set(
        map(frozenset, near.tolist())
    )
    ends = [(X[i], X[j]) for i in range(40) for j in near[i]]
    first, second = (np.array(end) for end in zip(*ends, strict=True))
    drawn = model.sample(400)
    detour = cdist(drawn, first) + cdist(drawn, second) - np.linalg.norm(first - second, axis=1)
    np.testing.assert_allclose(detour.min(axis=1), 0.0, atol=1e-9)
    # every pair is met, and shares are uniform
    pairs = detour.argmin(axis=1)
    segments = {tuple(sorted(ends)) for i in range(40) for ends in ((i, j) for j in near[i])}
    assert len(set(pairs.tolist())) > 0.9 * len(segments)
    shares = np.linalg.norm(drawn - first[pairs], axis=1)
    shares /= np.linalg.norm(second[pairs] - first[pairs], axis=1)
    assert abs(shares.mean() - 0.5) < 0.06


def test_fewer_neighbours_than_asked_for():
    model = SMOTE(5).fit([[0.0], [1.0], [2.0]])
    assert model.neighbours_.shape == (3, 2)


def test_mixture_has_the_moments_of_its_components():
    rng = np.random.default_rng(0)
    root = np.array([[2.0, 0.0], [1.0, 0.5]])
    X = np.concatenate([rng.standard_normal((600, 2)) @ root.T, 50.0 + rng.random((200, 2))])
    model = GaussianMixture(random_state=0).fit(X)
    order = np.argsort(model.means_[:, 0])
    # one uniform square may be fitted by more than one normal distribution
    assert 2 <= len(model.weights_) <= 5
    assert model.weights_[order[0]] == pytest.approx(0.75, abs=0.01)
    covariance = model.roots_[order[0]] @ model.roots_[order[0]].T
    np.testing.assert_allclose(covariance, np.cov(X[:600].T), rtol=0.05)
    drawn = model.sample(20_000)
    np.testing.assert_allclose(drawn.mean(axis=0), X.mean(axis=0), rtol=0.05)
    near = drawn[drawn[:, 0] < 25.0]
    assert len(near) == pytest.approx(15_000, rel=0.02)
    np.testing.assert_allclose(np.cov(near.T), np.cov(X[:600].T), rtol=0.1)


def test_components_are_as_many_as_asked_for():
    assert len(GaussianMixture(3, random_state=0).fit(data()).weights_) == 3


def test_damaged_files_are_refused(tmp_path):
    model = SMOTE(random_state=0).fit(data(n=10))
    for name, changed in {
        "neighbours_": model.neighbours_ + 9,
        "data_": model.data_[:, :2],
    }.items():
        other = SMOTE(random_state=0).fit(data(n=10))
        setattr(other, name, changed)
        other.save(tmp_path / "damaged")
        with pytest.raises(ValueError, match="path must name a file of SMOTE.save"):
            geomot.load(tmp_path / "damaged")
    with pytest.raises(ValueError, match="path must name a file of GaussianMixture.save"):
        model.save(tmp_path / "other")
        GaussianMixture.load(tmp_path / "other")


def test_they_need_no_torch():
    code = (
        "import sys, geomot.baselines as b;"
        "[getattr(b, k)().fit([[0.0], [1.0], [3.0]]).sample(2) for k in b.REFERENCES];"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@parametrize_with_checks([SMOTE(random_state=0), GaussianMixture(random_state=0)])
@pytest.mark.filterwarnings("ignore")
def test_estimators(estimator, check):
    check(estimator)
