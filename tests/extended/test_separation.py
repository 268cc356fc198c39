"""Singular points: angles, spacing, rejection."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from geomot import BrenierMap, Gaussian, UniformBox
from geomot.extended.separation import Neighbourhoods, Spacing, angles


def rng(seed=0):
    return np.random.default_rng(seed)


def clusters(n, seed=0, d=2):
    """Two clusters in the unit box, far apart beside their spacing."""
    r = rng(seed)
    side = np.arange(n) % 2
    return 0.1 + 0.6 * side[:, None] + 0.2 * r.random((n, d)), side


@pytest.fixture(scope="module")
def plane():
    return BrenierMap().fit(rng(1).random((200, 2)))


def test_two_clusters_do_not_mix():
    Y, side = clusters(120)
    extended = BrenierMap().fit(Y).extended()
    for singular in ("side", "discrete", "reject"):
        images = extended.sample(4000, 0, singular)
        low = (images < 0.31).all(axis=1)
        assert (low | (images > 0.69).all(axis=1)).all()
        # both clusters keep their mass, exactly where nothing is rejected
        if singular != "reject":
            assert stats.binomtest(int(low.sum()), 4000, 0.5).pvalue > 1e-3
    x = extended.solution.source.sample(4000, 1)
    table = extended.shares(x) @ np.eye(2)[side]
    np.testing.assert_allclose(table.max(axis=1), 1.0)
    rate, error = extended.rejection_rate(4000, 0)
    assert rate == pytest.approx(np.mean(extended.is_singular(x)), abs=5 * error)
    everything = BrenierMap().fit(Y).extended(threshold=np.inf)
    assert not everything.is_singular(x).any()
    mixed = everything.transform(x)
    assert np.mean((mixed > 0.32).any(axis=1) & (mixed < 0.68).any(axis=1)) > 0.02


def test_two_clusters_in_many_dimensions_do_not_mix():
    Y, side = clusters(300, d=6)
    brenier = BrenierMap(UniformBox.unit(6), tv_tol=0.1, random_state=0, threads=1).fit(Y)
    extended = brenier.extended()
    images = extended.sample(3000, 0)
    low = (images < 0.31).all(axis=1)
    assert np.mean(low | (images > 0.69).all(axis=1)) > 0.999
    assert 0.0 < extended.rejection_rate(3000, 0)[0] < 0.9


def test_one_cluster_is_hardly_cut():
    for seed in range(3):
        extended = BrenierMap().fit(rng(seed).random((400, 2))).extended()
        assert extended.rejection_rate(5000, 0)[0] < 0.15


def test_images_stay_with_the_sites_of_their_cells(plane):
    extended = plane.extended(threshold=1.2)  # many points are singular
    x = plane.solution_.source.sample(20_000, 4)
    assert extended.is_singular(x).mean() > 0.3
    cell = plane.predict(x)
    table = extended.shares(x)
    rows = np.repeat(np.arange(len(x)), np.diff(table.indptr))
    first, second = cell[rows], table.indices
    ratio = extended._spacing.ratios(first, second)
    assert (ratio[first != second] <= 1.2).all()
    discrete = extended.transform(x, "discrete")
    singular = extended.is_singular(x)
    np.testing.assert_array_equal(discrete[singular], plane.transform(x)[singular])
    np.testing.assert_array_equal(discrete[~singular], extended.transform(x)[~singular])


def test_angle_threshold(plane):
    x = plane.solution_.source.sample(3000, 5)
    rates = [plane.extended(angle_threshold=t).is_singular(x).mean() for t in (0.02, 0.1, 3.0)]
    assert rates[0] > rates[1] > rates[2] == 0.0


def test_angles_are_those_of_the_normals():
    r = rng(6)
    a, b = r.standard_normal((50, 3)), r.standard_normal((50, 3))
    u, v = (np.column_stack([y, -np.ones(50)]) for y in (a, b))
    cosine = np.sum(u * v, axis=1) / np.linalg.norm(u, axis=1) / np.linalg.norm(v, axis=1)
    np.testing.assert_allclose(angles(a, b), np.arccos(cosine), rtol=1e-10)
    tiny = angles(np.array([1.0, 2.0]), np.array([1.0, 2.0 + 1e-12]))
    assert tiny == pytest.approx(1e-12 * np.sqrt(2) / 6, rel=1e-3)


def test_spacing():
    sites = np.array([[0.0], [1.0], [2.0], [100.0], [101.0], [102.0], [102.0]])
    spacing = Spacing(sites, 1, np.arange(6))
    distance = np.abs(sites - np.unique(sites).reshape(1, -1))
    np.testing.assert_allclose(spacing.local, np.sort(distance, axis=1)[:, 1:6].mean(axis=1))
    assert spacing.ratios(np.array([0]), np.array([1]))[0] < 1.0
    assert Spacing(np.zeros((1, 2)), 1, np.arange(1)).local.tolist() == [1.0]
    assert Spacing.fence(np.ones(10)) == pytest.approx(1.5)
    assert Spacing.fence(np.full(10, 4.0)) == pytest.approx(4.0)
    ratios = np.exp(rng(0).standard_normal(1000))
    assert np.mean(ratios > Spacing.fence(ratios)) < 0.03


def test_nothing_is_left_after_rejection(monkeypatch):
    monkeypatch.setattr("geomot.extended.map._ROUNDS", 1)
    brenier = BrenierMap().fit(rng(0).random((50, 2)))
    extended = brenier.extended(threshold=1e-6)
    with pytest.raises(ValueError, match="reject"):
        extended.sample(10, 0, "reject")
    images = extended.sample(10, 0)
    np.testing.assert_array_equal(np.sort(images), np.sort(brenier.sample(10, 0)))


def test_lattices_are_hardly_cut():
    """Their ratios are so alike that the quartiles are equal: diagonals stood out."""
    ticks = (np.arange(7) + 0.5) / 7
    plane = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    assert BrenierMap().fit(plane).extended().rejection_rate(4000, 0)[0] < 0.01
    for d in (3, 5):
        corners = np.sign(rng(1).standard_normal((400, d)))
        brenier = BrenierMap(Gaussian(np.zeros(d), 1.0), tv_tol=0.05, random_state=0, threads=1)
        assert brenier.fit(corners).extended().rejection_rate(4000, 0)[0] < 0.01


def test_neighbours_in_common():
    """Against sets; distances would not do, float32 or not."""
    sites = np.concatenate([rng(2).random((40, 3)), 3.0 + rng(3).random((40, 3)), [[9.0] * 3] * 2])
    among = np.arange(81)
    found = Neighbourhoods(sites, 1, among)
    distance = np.linalg.norm(sites[:81, None] - sites[:81], axis=2)
    near = [set(row[:21].tolist()) for row in np.argsort(distance, axis=1)]
    first, second = np.triu_indices(81, 1)
    expected = [not near[a] & near[b] for a, b in zip(first, second, strict=True)]
    np.testing.assert_array_equal(found.apart(first, second), expected)
    assert found.apart(np.array([0, 0]), np.array([1, 45])).tolist() == [False, True]
    few = Neighbourhoods(sites[:9], 1, np.arange(9))
    assert not few.apart(np.arange(8), np.arange(1, 9)).any()


def digits_in_ten_dimensions():
    from geomot.datasets import digits
    from geomot.latent import PCACodec

    images, labels = digits()
    return PCACodec(10).fit(images).encode(images[:900]), labels[:900]


def test_unlike_sites_are_kept_apart_in_many_dimensions():
    """The fence leaves 25 % of the samples mixtures of digits at this smoothing."""
    codes, labels = digits_in_ten_dimensions()
    source = Gaussian(codes.mean(axis=0), np.cov(codes.T))
    brenier = BrenierMap(source, tv_tol=0.05, random_state=0, threads=1).fit(codes)
    x = source.sample(3000, 1)

    def mixed(extended):
        return np.mean((extended.shares(x) @ np.eye(10)[labels]).max(axis=1) < 0.9)

    extended = brenier.extended(smoothing=1.0)
    fenced = brenier.extended(smoothing=1.0, threshold=extended.threshold)
    assert mixed(fenced) > 0.2
    assert mixed(extended) < 0.6 * mixed(fenced)


def test_one_cloud_is_hardly_cut_in_many_dimensions():
    for d, most in ((3, 0.02), (6, 0.04), (10, 0.08)):
        sites = rng(d).standard_normal((400, d))
        brenier = BrenierMap(Gaussian(np.zeros(d), 1.0), tv_tol=0.1, random_state=0, threads=1)
        assert brenier.fit(sites).extended(smoothing=0.5).rejection_rate(4000)[0] < most
