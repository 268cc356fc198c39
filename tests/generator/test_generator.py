"""The latent generator: masses, maps, samples, paths, copies, conditions."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from generators import BYTES, IMAGES, LABELS, Halves, assert_equal
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError

import geomot
from geomot import BrenierMap
from geomot.generator import LatentGenerator
from geomot.generator.generator import default_tv_tol
from geomot.latent import PCACodec


@pytest.fixture(scope="module")
def planar():
    return LatentGenerator(PCACodec(2), random_state=0).fit(BYTES, LABELS)


@pytest.fixture(scope="module")
def spatial():
    return LatentGenerator(PCACodec(4), tv_tol=0.1, random_state=0, threads=1).fit(IMAGES, LABELS)


# ---------------------------------------------------------------------------------------------
# Fitting
# ---------------------------------------------------------------------------------------------


def test_exact_map_in_the_plane(planar):
    solution = planar.transport_.solution_
    assert solution.method == "newton"
    assert solution.converged
    np.testing.assert_array_equal(solution.sites, planar.codes_)
    np.testing.assert_allclose(solution.target_masses, 1 / 300)
    codes = PCACodec(2).fit(BYTES).encode(BYTES)
    np.testing.assert_allclose(planar.codes_, codes)
    # the disk of the mean and the variance of the codes
    polygon = solution.source.polygon
    centre = polygon.mean(axis=0)
    np.testing.assert_allclose(centre, codes.mean(axis=0), atol=1e-12)
    radius = np.linalg.norm(polygon - centre, axis=1)
    np.testing.assert_allclose(radius, np.sqrt(2 * codes.var(axis=0).sum()))
    assert planar.sample_shape_ == (8, 8)
    assert planar.classes_.tolist() == list(range(10))


def test_sampled_map_in_space(spatial):
    solution = spatial.transport_.solution_
    assert solution.method == "montecarlo"
    assert solution.converged
    assert solution.tol == 0.1
    assert solution.estimate.tv_interval[1] <= 0.1
    np.testing.assert_allclose(solution.source.mean, spatial.codes_.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(
        solution.source.covariance, np.cov(spatial.codes_.T, bias=True), atol=1e-12
    )


@pytest.mark.parametrize(("n", "tol"), [(1, 0.01), (6000, 0.01), (30_000, 0.05), (10**6, 0.1)])
def test_the_tolerance_grows_with_the_number(n, tol):
    assert default_tv_tol(n) == pytest.approx(tol, rel=1e-15)


def test_a_tolerance_of_none_is_the_default(tmp_path):
    generator = LatentGenerator(PCACodec(4), random_state=0).fit(IMAGES[:30])
    assert generator.transport_.solution_.tol == 0.01
    generator.save(tmp_path / "generator")
    assert LatentGenerator.load(tmp_path / "generator").tv_tol is None


def test_on_the_line():
    generator = LatentGenerator(PCACodec(1), random_state=0).fit(IMAGES)
    assert generator.transport_.solution_.method == "quantile"
    assert generator.sample(3, mode="discrete").shape == (3, 64)


def test_bytes_are_numbers_from_0_to_1(planar):
    floats = LatentGenerator(PCACodec(2), random_state=0).fit(BYTES / 255.0)
    np.testing.assert_allclose(floats.codes_, planar.codes_)
    np.testing.assert_allclose(planar.reconstruct(BYTES), floats.reconstruct(BYTES / 255.0))
    assert floats.classes_ is None


def test_seeds_reproduce_everything():
    def make(seed):
        return LatentGenerator(PCACodec(4), tv_tol=0.2, random_state=seed).fit(IMAGES[:100])

    first, second, other = make(0), make(0), make(1)
    assert first.transport_.solution_ == second.transport_.solution_
    assert first.transport_.solution_ != other.transport_.solution_
    np.testing.assert_array_equal(first.sample(9), second.sample(9))
    np.testing.assert_array_equal(first.sample(9), first.sample(9))
    assert (first.sample(9, 1) != first.sample(9, 2)).any()
    for mode in ("extended", "discrete"):
        a, b = (g.sample(9, np.random.default_rng(5), mode=mode) for g in (first, second))
        np.testing.assert_array_equal(a, b)


def test_global_generators_are_left_alone(planar):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    LatentGenerator(PCACodec(3), tv_tol=0.3, random_state=0).fit(IMAGES[:50]).sample(3)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_inputs_are_not_changed_and_not_shared():
    X, y = BYTES[:50].copy(), LABELS[:50].copy()
    codec = PCACodec(2)
    generator = LatentGenerator(codec).fit(X, y)
    np.testing.assert_array_equal(X, BYTES[:50])
    assert not hasattr(codec, "pca_")
    X[:] = 0
    np.testing.assert_array_equal(generator.nearest_training(BYTES[:50])[0], 0)


def test_a_fitted_codec_is_used_as_it_is(planar):
    codec = PCACodec(2).fit(BYTES[:200])
    generator = LatentGenerator(codec).fit(BYTES)
    assert generator.autoencoder_ is codec
    np.testing.assert_array_equal(generator.codes_, codec.encode(BYTES))
    own = Halves()
    generator = LatentGenerator(own, random_state=0).fit(BYTES)
    assert generator.autoencoder_ is own
    assert own.dtypes == {np.dtype(np.float64)}
    np.testing.assert_allclose(generator.codes_[:, 0], BYTES[:, :4].mean(axis=(1, 2)) / 255)
    assert generator.sample(4).shape == (4, 8, 8)


def test_codecs_of_scikit_learn_are_fitted():
    class Mean(BaseEstimator):
        def __init__(self, random_state=None):
            self.random_state = random_state

        def fit(self, X):
            assert X.dtype == np.float64
            assert X.max() <= 1.0
            self.mean_ = X.mean(axis=0)
            self.seed_ = self.random_state
            return self

        def encode(self, X):
            return (X - self.mean_).reshape(len(X), -1)[:, 20:22]

        def decode(self, codes):
            return np.zeros((len(codes), 64)) + codes[:, :1]

    template = Mean()
    fitted = LatentGenerator(template, random_state=3).fit(BYTES).autoencoder_
    assert not hasattr(template, "mean_")
    assert isinstance(fitted.seed_, int)
    assert LatentGenerator(Mean(7), random_state=3).fit(BYTES).autoencoder_.seed_ == 7


def test_transport_that_is_fitted(planar):
    codes = planar.codes_
    brenier = BrenierMap().fit(codes)
    codec = planar.autoencoder_
    generator = LatentGenerator(codec, brenier).fit(BYTES)
    assert generator.transport_ is brenier
    with pytest.raises(ValueError, match="transport must be fitted to the codes of X"):
        LatentGenerator(codec, brenier).fit(BYTES[:100])
    with pytest.raises(ValueError, match="transport must be fitted to the codes of X"):
        LatentGenerator(codec, BrenierMap().fit(codes + 0.1)).fit(BYTES)
    with pytest.raises(ValueError, match="source must be None where transport is fitted"):
        LatentGenerator(codec, brenier, source=geomot.UniformBox.unit(2)).fit(BYTES)


def test_transport_that_is_not_fitted(planar):
    codec = planar.autoencoder_
    box = geomot.UniformBox([-2, -2], [2, 2])
    brenier = BrenierMap(tol=1e-3)
    generator = LatentGenerator(codec, brenier, source=box).fit(BYTES)
    assert not hasattr(brenier, "solution_")
    assert generator.transport_.solution_.source == box
    assert generator.transport_.solution_.tol == 1e-3
    matched = LatentGenerator(codec, brenier).fit(BYTES).transport_.solution_.source
    assert matched == planar.transport_.solution_.source
    own = LatentGenerator(codec, BrenierMap(box)).fit(BYTES)
    assert own.transport_.solution_.source == box
    with pytest.raises(ValueError, match="source must be None where transport has one"):
        LatentGenerator(codec, BrenierMap(box), source=box).fit(BYTES)


def test_source_is_used(planar):
    box = geomot.UniformBox([-2, -2], [2, 2])
    generator = LatentGenerator(planar.autoencoder_, source=box).fit(BYTES)
    assert generator.transport_.solution_.source == box


# ---------------------------------------------------------------------------------------------
# Masses
# ---------------------------------------------------------------------------------------------


def class_masses(generator, labels):
    masses = generator.transport_.solution_.target_masses
    return np.bincount(labels[generator.support_], masses, minlength=10)


def test_sample_weight():
    weight = np.random.default_rng(0).random(300)
    weight[7] = 0.0
    generator = LatentGenerator(PCACodec(2)).fit(BYTES, sample_weight=weight)
    kept = np.delete(np.arange(300), 7)
    np.testing.assert_array_equal(generator.support_, kept)
    solution = generator.transport_.solution_
    np.testing.assert_allclose(solution.target_masses, weight[kept] / weight.sum())
    np.testing.assert_array_equal(solution.sites, generator.codes_[kept])
    assert len(generator.codes_) == 300


def test_class_weight():
    fit = LatentGenerator(PCACodec(2)).fit
    balanced = fit(BYTES, LABELS, class_weight="balanced")
    np.testing.assert_allclose(class_masses(balanced, LABELS), 0.1)
    weight = np.random.default_rng(0).random(300)
    some = fit(BYTES, LABELS, weight, {3: 1.0, np.int64(8): 3.0})
    expected = np.zeros(10)
    expected[[3, 8]] = 0.25, 0.75
    np.testing.assert_allclose(class_masses(some, LABELS), expected)
    eights = LABELS[some.support_] == 8
    masses = some.transport_.solution_.target_masses[eights]
    np.testing.assert_allclose(
        masses / masses.sum(), weight[LABELS == 8] / weight[LABELS == 8].sum()
    )
    words = np.array(["even", "odd"])[LABELS % 2]
    odd = fit(BYTES, words, class_weight={"odd": 2.0})
    assert set(words[odd.support_]) == {"odd"}


class Same:
    """Data are their own codes."""

    def encode(self, X):
        return X

    def decode(self, codes):
        return codes


@pytest.mark.parametrize("value", [1.0, 0.1, 1e8, 1 / 3])
def test_points_that_are_equal_up_to_rounding(value):
    """Means of equal numbers are rounded, and left a variance."""
    for data in (np.full((9, 3), value), value * (1.0 + 2.0**-52 * np.eye(9)[:, :3])):
        with pytest.raises(ValueError, match="codes of X must contain at least two different"):
            LatentGenerator(Same()).fit(data)


def test_points_near_each_other_are_not_equal():
    near = np.random.default_rng(0).standard_normal((20, 2))
    with pytest.raises(ValueError, match="must not lie within 1e-150 of each other"):
        LatentGenerator(Same()).fit(1e-200 * near)
    for data in (1e-140 * near, 1.0 + 1e-13 * near):
        assert LatentGenerator(Same()).fit(data).transport_.solution_.converged


def test_conditional(planar):
    before = planar.transport_.solution_
    sixes = planar.conditional({6: 1.0})
    assert planar.transport_.solution_ is before
    assert set(LABELS[sixes.support_]) == {6}
    assert sixes.transport_.solution_.converged
    assert sixes.transport_.solution_.source == before.source
    _, index = sixes.nearest_training(sixes.reconstruct(BYTES[:3]))
    assert index.shape == (3,)
    _, codes = sixes.sample(50, 0, mode="discrete", return_codes=True)
    assert {tuple(c) for c in codes} <= {tuple(c) for c in planar.codes_[LABELS == 6]}
    again = sixes.conditional({6: 5.0})
    np.testing.assert_array_equal(again.support_, sixes.support_)
    with pytest.raises(ValueError, match="class_weight names 3, but no row of this class has mass"):
        sixes.conditional({3: 1.0})


def test_conditional_starts_warm(planar, monkeypatch):
    from geomot.generator import generator

    seen = {}

    def spy(sites, masses, source, **options):
        seen.update(options, sites=sites, masses=masses)
        return geomot.solve(sites, masses, source, **options)

    monkeypatch.setattr(generator, "solve", spy)
    balanced = planar.conditional("balanced")
    np.testing.assert_array_equal(
        seen["initial_weights"], planar.transport_.solution_.weights_exact
    )
    np.testing.assert_allclose(class_masses(balanced, LABELS), 0.1)
    most = planar.conditional(dict.fromkeys(range(9), 1))
    rows = np.flatnonzero(LABELS < 9)
    np.testing.assert_array_equal(
        seen["initial_weights"], planar.transport_.solution_.weights_exact[rows]
    )
    assert most.transport_.solution_.converged
    two = planar.conditional({0: 1, 1: 1})
    assert seen["initial_weights"] is None
    cold = LatentGenerator(planar.autoencoder_, source=planar.transport_.solution_.source).fit(
        BYTES, LABELS, class_weight={0: 1, 1: 1}
    )
    np.testing.assert_allclose(
        two.transport_.solution_.cost, cold.transport_.solution_.cost, rtol=1e-6
    )


@pytest.mark.parametrize("dim", [2, 3])
def test_conditional_takes_the_nearer_start(dim, monkeypatch):
    """Starting from the whole map took up to 13 times as long for single classes."""
    codec = PCACodec(dim)
    whole = LatentGenerator(codec, tv_tol=0.05, random_state=0, threads=1).fit(IMAGES, LABELS)
    for weight in ({0: 1.0}, {0: 1, 1: 1}, "balanced"):
        found = whole.conditional(weight).transport_.solution_
        steps = []
        for start in (None, whole.transport_.solution_):
            initial = None
            if start is not None:
                place = np.flatnonzero(
                    (start.sites[:, None] == found.sites).all(axis=2).any(axis=1)
                )
                initial = start.weights_exact[place]
            again = geomot.solve(
                found.sites, found.target_masses, found.source, tol=found.tol, random_state=0,
                threads=1, initial_weights=initial,
            )  # fmt: skip
            steps.append(again.n_iter)
        assert found.converged
        assert found.n_iter <= 1.5 * min(steps) + 2


def test_conditional_in_space(spatial):
    three = spatial.conditional({3: 1.0})
    solution = three.transport_.solution_
    assert solution.converged
    assert solution.method == "montecarlo"
    assert solution.tol == 0.1
    assert set(LABELS[three.support_]) == {3}
    assert three.sample(5, 0).shape == (5, 64)


# ---------------------------------------------------------------------------------------------
# Samples and paths
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["extended", "discrete"])
def test_samples_are_decoded_codes(spatial, mode):
    samples, codes = spatial.sample(20, 3, mode=mode, return_codes=True)
    assert samples.shape == (20, 64)
    assert codes.shape == (20, 4)
    np.testing.assert_allclose(samples, spatial.autoencoder_.decode(codes))
    np.testing.assert_array_equal(spatial.sample(20, 3, mode=mode), samples)
    assert spatial.sample(0, mode=mode).shape == (0, 64)
    known = {tuple(c) for c in spatial.codes_}
    old = sum(tuple(c) in known for c in codes)
    assert old == 20 if mode == "discrete" else old < 20


@pytest.mark.parametrize("singular", ["side", "discrete", "reject"])
def test_singular_points(spatial, singular):
    generator = clone(spatial).set_params(singular=singular)
    generator.__dict__.update({k: v for k, v in vars(spatial).items() if k.endswith("_")})
    generator.__dict__.update({k: v for k, v in vars(spatial).items() if k.startswith("_")})
    expected = spatial.extended_.sample(50, np.random.default_rng(1), singular=singular)
    _, codes = generator.sample(50, np.random.default_rng(1), return_codes=True)
    np.testing.assert_array_equal(codes, expected)


def test_copies_are_told_in_codes(spatial):
    _, codes = spatial.sample(2000, 1, return_codes=True)
    distances, index = spatial.nearest_codes(codes)
    expected = np.linalg.norm(codes[:, None] - spatial.codes_, axis=2)
    np.testing.assert_allclose(distances, expected.min(axis=1))
    np.testing.assert_array_equal(index, expected.argmin(axis=1))
    rate, error = spatial.copy_rate()
    assert rate == pytest.approx(np.mean(distances < 1e-4), abs=6 * error + 0.02)
    with pytest.raises(ValueError, match=r"codes must have shape \(n, 4\)"):
        spatial.nearest_codes(codes[:, :3])


def test_parameters_of_the_extended_map(spatial, tmp_path):
    other = clone(spatial).set_params(smoothing=2.0, threshold=np.inf)
    other.__dict__.update({k: v for k, v in vars(spatial).items() if k.endswith("_")})
    other.__dict__.update({k: v for k, v in vars(spatial).items() if k.startswith("_")})
    assert (other.extended_.smoothing, other.extended_.threshold) == (2.0, np.inf)
    assert other.copy_rate()[0] < spatial.copy_rate()[0]
    first = other.extended_
    assert other.extended_ is first
    other.set_params(smoothing=0.1)
    assert other.extended_.smoothing == 0.1
    for threshold in (np.inf, 2.0, None):
        other.set_params(threshold=threshold).save(tmp_path / "model")
        found = LatentGenerator.load(tmp_path / "model")
        assert (found.smoothing, found.threshold) == (0.1, threshold)


def test_paths_in_the_latent_space(planar):
    path = planar.interpolate(3, 8, 5)
    assert path.shape == (5, 8, 8)
    t = np.linspace(0, 1, 5)[:, None]
    codes = (1 - t) * planar.codes_[3] + t * planar.codes_[8]
    np.testing.assert_allclose(path, planar.autoencoder_.decode(codes))
    for a, b in [
        (BYTES[3], BYTES[8]),
        (IMAGES[3].reshape(8, 8), 8),
        (planar.codes_[3], planar.codes_[8].tolist()),
        (np.int8(3), BYTES[8]),
    ]:
        np.testing.assert_allclose(planar.interpolate(a, b, 5), path, atol=3e-3)
    several = planar.interpolate([3, 4], BYTES[8], 5)
    assert several.shape == (2, 5, 8, 8)
    np.testing.assert_allclose(several[0], path)
    np.testing.assert_allclose(planar.interpolate(BYTES[3:5], [8], 5), several)
    np.testing.assert_allclose(planar.interpolate(planar.codes_[3:5], 8, 5), several)


@pytest.mark.parametrize("name", ["planar", "spatial"])
def test_paths_in_the_source(request, name):
    generator = request.getfixturevalue(name)
    centroids = generator.transport_.solution_.centroids
    path = generator.interpolate(3, 8, 7, space="source")
    t = np.linspace(0, 1, 7)[:, None]
    points = (1 - t) * centroids[3] + t * centroids[8]
    codes = generator.extended_.transform(points)
    np.testing.assert_allclose(path, generator.autoencoder_.decode(codes).reshape(path.shape))
    several = generator.interpolate(generator.codes_[[3, 4]], 8, 7, space="source")
    np.testing.assert_allclose(several[0], path)


def test_paths_from_rows_without_mass(planar):
    ones = planar.conditional({1: 1.0})
    zero = int(np.flatnonzero(LABELS == 0)[0])
    assert ones.interpolate(zero, 1, 4, space="source").shape == (4, 8, 8)


def test_nearest_training_finds_copies(planar):
    rng = np.random.default_rng(0)
    some = rng.permutation(300)[:20]
    distance, index = planar.nearest_training(BYTES[some])
    np.testing.assert_array_equal(BYTES[index], BYTES[some])
    np.testing.assert_array_equal(distance, 0.0)
    noisy = BYTES[some] / 255 + 0.01 * rng.standard_normal((20, 8, 8))
    distance, index = planar.nearest_training(noisy)
    expected = np.linalg.norm((noisy[:, None] - BYTES / 255).reshape(20, 300, 64), axis=2)
    np.testing.assert_array_equal(index, expected.argmin(axis=1))
    np.testing.assert_allclose(distance, expected.min(axis=1))


def test_nearest_of_many(monkeypatch, planar):
    expected = planar.nearest_training(IMAGES[:50].reshape(-1, 8, 8))
    monkeypatch.setattr("geomot._data.CHUNK", 7)
    found = planar.nearest_training(IMAGES[:50].reshape(-1, 8, 8))
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1], atol=1e-12)


# ---------------------------------------------------------------------------------------------
# Bad input
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.full((5, 8, 8), np.nan),), "X must be finite, got nan"),
        ((np.zeros((0, 8, 8)),), "X must hold at least one sample"),
        ((np.zeros(5),), "X must have shape"),
        ((np.ones((5, 64)),), "the codes of X must contain at least two different points"),
        ((BYTES, LABELS[:-1]), r"y must hold numbers or text, of shape \(300,\)"),
        ((BYTES, LABELS.astype(complex)), "y must hold numbers or text"),
        ((BYTES, None, np.ones(299)), r"sample_weight must have shape \(300,\)"),
        ((BYTES, None, -np.ones(300)), "sample_weight must not be negative"),
        ((BYTES, None, None, "balanced"), "class_weight needs labels: pass y to fit"),
        ((BYTES, LABELS, None, "uniform"), "class_weight must be 'balanced' or a mapping"),
        (
            (BYTES, LABELS, None, {11: 1.0}),
            "class_weight must have labels that occur in y as keys, got 11",
        ),
        ((BYTES, LABELS, None, {1: -1.0}), "class_weight must not be negative"),
        ((BYTES, LABELS, None, {1: 0.0}), "class_weight must have a positive sum"),
        ((BYTES, LABELS, None, {1: np.nan}), "class_weight must be finite"),
        ((BYTES, LABELS, LABELS > 0.0, {0: 1.0}), "sample_weight must hold real numbers"),
        ((BYTES, LABELS, 1.0 * (LABELS > 0), {0: 1.0}), "class_weight names 0, but no row"),
    ],
)
def test_bad_data(arguments, message):
    generator = LatentGenerator(PCACodec(2))
    with pytest.raises((ValueError, TypeError), match=message):
        generator.fit(*arguments)
    with pytest.raises(NotFittedError):
        generator.sample(1)


def test_a_failed_fit_leaves_nothing_fitted():
    generator = LatentGenerator(PCACodec(2)).fit(BYTES)
    with pytest.raises(ValueError, match="codes of X must contain at least two different points"):
        generator.fit(np.zeros((5, 8, 8)))
    with pytest.raises(NotFittedError):
        generator.sample(1)


def test_bad_parameters(planar):
    for options, message in [
        ({"autoencoder": 3}, "autoencoder must have the methods encode and decode, got int"),
        ({"transport": 3}, "transport must be a BrenierMap, got int"),
        ({"singular": "keep"}, "singular must be one of"),
        ({"tv_tol": -1.0}, "tv_tol must be positive"),
        ({"random_state": "x"}, "random_state must be None"),
        ({"source": geomot.UniformBox.unit(3)}, "source"),
    ]:
        with pytest.raises((ValueError, TypeError), match=message):
            LatentGenerator(**{"autoencoder": planar.autoencoder_, **options}).fit(BYTES)
    with pytest.raises(TypeError, match="class_weight must be a mapping"):
        planar.conditional(None)
    with pytest.raises(TypeError, match="class_weight .* a mapping from labels .* got list"):
        planar.conditional([1, 2])
    with pytest.raises(ValueError, match="class_weight needs labels"):
        LatentGenerator(planar.autoencoder_).fit(BYTES).conditional({1: 1.0})


def test_bad_codecs():
    class Bad(Halves):
        def __init__(self, codes=None, images=None):
            super().__init__()
            self.codes, self.images = codes, images

        def encode(self, X):
            return super().encode(X) if self.codes is None else self.codes

        def decode(self, codes):
            return super().decode(codes) if self.images is None else self.images

    for codes, message in [
        (np.zeros((3, 2)), "autoencoder.encode must return one code for each of 300 data"),
        (np.zeros(300), r"autoencoder.encode\(X\) must have shape"),
        (np.full((300, 2), np.nan), r"autoencoder.encode\(X\) must be finite"),
        (["a"], r"autoencoder.encode\(X\) must hold real numbers"),
    ]:
        with pytest.raises((ValueError, TypeError), match=message):
            LatentGenerator(Bad(codes)).fit(BYTES)
    generator = LatentGenerator(Bad(images=np.zeros((4, 9, 9)))).fit(BYTES)
    message = r"autoencoder.decode must return data of shape \(4, 8, 8\), got \(4, 9, 9\)"
    with pytest.raises(ValueError, match=message):
        generator.sample(4, mode="discrete")


def test_bad_calls(planar):
    for call, message in [
        (lambda g: g.sample(-1), "n must be at least 0"),
        (lambda g: g.sample(2.0), "n must be an integer"),
        (lambda g: g.sample(2, mode="smooth"), "mode must be one of"),
        (lambda g: g.interpolate(0, 1, 1), "steps must be at least 2"),
        (lambda g: g.interpolate(0, 1, space="pixels"), "space must be one of"),
        (lambda g: g.interpolate(0, 300), "b must name rows from 0 to 299, got 300"),
        (lambda g: g.interpolate(-1, 3), "a must name rows from 0 to 299"),
        (lambda g: g.interpolate([0, 1], [1, 2, 3]), "b must have 2 rows as a has, got 3"),
        (lambda g: g.interpolate(0.5, 1), "a must be data of shape"),
        (lambda g: g.interpolate(np.zeros(3), 1), "a must be data of shape"),
        (lambda g: g.interpolate(np.full((8, 8), np.nan), 1), "a must be finite"),
        (lambda g: g.interpolate([np.nan, 0.0], 1), "a must be finite"),
        (lambda g: g.interpolate("x", 1), "a must"),
        (lambda g: g.reconstruct(np.zeros((2, 64))), r"X must have shape \(n, 8, 8\)"),
        (lambda g: g.nearest_training(np.zeros((2, 64))), r"images must have shape \(n, 8, 8\)"),
        (lambda g: g.nearest_training(np.full((2, 8, 8), np.inf)), "images must be finite"),
    ]:
        with pytest.raises((ValueError, TypeError), match=message):
            call(planar)


@pytest.mark.parametrize("name", ["sample", "interpolate", "reconstruct", "nearest_training",
                                  "conditional", "save", "extended_"])  # fmt: skip
def test_nothing_works_before_fit(name, tmp_path):
    arguments = {
        "sample": (1,),
        "interpolate": (0, 1),
        "conditional": ({1: 1},),
        "save": (tmp_path / "model",),
    }
    with pytest.raises(NotFittedError):
        getattr(LatentGenerator(), name)(*arguments.get(name, (BYTES,)))


def test_not_converged_is_said():
    transport = BrenierMap(tv_tol=0.001, max_iter=1)
    with pytest.warns(geomot.ConvergenceWarning):
        generator = LatentGenerator(PCACodec(3), transport, random_state=0).fit(IMAGES, LABELS)
    assert not generator.transport_.solution_.converged
    with pytest.warns(geomot.ConvergenceWarning):
        generator.conditional("balanced")


def test_copies(planar):
    for twin in (pickle.loads(pickle.dumps(planar)), copy.deepcopy(planar)):
        assert_equal(twin, planar)
    empty = clone(planar)
    assert not hasattr(empty, "codes_")
    assert empty.get_params()["random_state"] == 0
    assert "LatentGenerator" in repr(planar)


# ---------------------------------------------------------------------------------------------
# With the autoencoder
# ---------------------------------------------------------------------------------------------


def test_torch_is_not_loaded(tmp_path):
    code = (
        "import sys, numpy as np, geomot.latent\n"
        "from geomot.latent import LatentGenerator, PCACodec\n"
        "X = np.random.default_rng(0).random((40, 5))\n"
        "g = LatentGenerator(PCACodec(2), random_state=0).fit(X)\n"
        "g.sample(3); g.save('model'); LatentGenerator.load('model')\n"
        "print(sorted({'torch', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(geomot.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_with_the_autoencoder(tmp_path):
    torch = pytest.importorskip("torch")
    from geomot.latent import Autoencoder

    before = torch.get_rng_state()
    codec = Autoencoder(3, architecture="dense", epochs=3)
    make = LatentGenerator(codec, tv_tol=0.2, random_state=0, threads=1)
    generator = make.fit(BYTES, LABELS)
    assert torch.equal(torch.get_rng_state(), before)
    assert generator.codes_.shape == (300, 3)
    np.testing.assert_array_equal(clone(make).fit(BYTES).codes_, generator.codes_)
    generator.save(tmp_path / "model")
    found = LatentGenerator.load(tmp_path / "model")
    assert_equal(found, generator)
    assert isinstance(found.autoencoder_, Autoencoder)


def test_default_autoencoder(monkeypatch):
    pytest.importorskip("torch")
    from geomot import latent

    seen = []

    class Quick(latent.Autoencoder):
        def fit(self, X, y=None):
            seen.append(self.get_params())
            self.epochs, self.architecture = 1, "dense"
            return super().fit(X, y)

    monkeypatch.setattr(latent, "Autoencoder", Quick)
    generator = LatentGenerator(tv_tol=0.5, random_state=0, threads=1, progress=False)
    assert generator.fit(BYTES).codes_.shape == (300, 10)
    assert seen[0]["threads"] == 1
    assert isinstance(seen[0]["random_state"], int)
    assert LatentGenerator(tv_tol=0.5, random_state=0).fit(IMAGES[:, 20:24]).codes_.shape == (
        300,
        4,
    )
