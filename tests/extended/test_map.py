"""The extended map: continuity, masses, samples, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

import geomot
from geomot import BrenierMap, ExtendedMap


def rng(seed=0):
    return np.random.default_rng(seed)


def test_sites_are_the_images_of_their_centroids(space, plane):
    for brenier in (space, plane):
        s = brenier.solution_
        extended = brenier.extended(threshold=np.inf)
        held = np.flatnonzero(brenier.predict(s.centroids) == np.arange(len(s.sites)))
        assert len(held) > 0.9 * len(s.sites)
        apart = np.linalg.norm(extended.transform(s.centroids[held]) - s.sites[held], axis=1)
        # estimated depths below the usual are replaced
        assert np.mean(apart < 1e-3) > 0.98


# ---- continuity ----


@pytest.mark.parametrize("name", ["plane", "space"])
@pytest.mark.parametrize("threshold", [None, np.inf])
def test_increments_shrink_with_the_segments(name, threshold, request):
    brenier = request.getfixturevalue(name)
    extended = brenier.extended(threshold=threshold)
    x = brenier.solution_.source.sample(200, 1)
    y = x + 0.05 * rng(2).standard_normal(x.shape)
    t = np.linspace(0.0, 1.0, 257)[:, None, None]
    path = (1 - t) * x + t * y
    flat = path.reshape(-1, x.shape[1])
    singular = extended.is_singular(flat).reshape(path.shape[:2]).any(axis=0)
    assert singular.mean() < 0.95
    path = path[:, ~singular]
    images = extended.transform(path.reshape(-1, x.shape[1])).reshape(path.shape)
    lengths, increments = [], []
    for every in (64, 8, 1):
        moved = np.linalg.norm(np.diff(images[::every], axis=0), axis=2)
        increments.append(moved.max())
        lengths.append(np.linalg.norm(np.diff(path[::every], axis=0), axis=2))
    # the slope of a linear piece bounds the last, and they shrink all the way
    assert increments[2] < 0.3 * increments[1] < 0.15 * increments[0]


def test_the_smoothed_map_is_monotone(space):
    extended = space.extended(threshold=np.inf)
    x, y = (space.solution_.source.sample(2000, seed) for seed in (1, 2))
    inner = np.sum((extended.transform(x) - extended.transform(y)) * (x - y), axis=1)
    assert inner.min() > -1e-5


def test_mass_of_the_triangles(plane):
    """The source's mass of a triangle of centroids is what arrives in that of the sites."""
    extended = plane.extended(threshold=np.inf)
    rule = extended._rule
    x = plane.solution_.source.sample(50_000, 3)
    table = extended.shares(x)
    three = np.diff(table.indptr) == 3
    rows = np.sort(table.indices[np.repeat(three, np.diff(table.indptr))].reshape(-1, 3), axis=1)
    known = {tuple(t): k for k, t in enumerate(np.sort(rule.triangles, axis=1).tolist())}
    hits = np.bincount([known[tuple(row)] for row in rows.tolist()], minlength=len(known))
    a, b, c = np.moveaxis(rule.mesh.points[rule.mesh.triangles], 1, 0)
    area = 0.5 * np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])
    z = (hits - 50_000 * area) / np.sqrt(50_000 * area * (1 - area) + 1e-300)
    assert np.abs(z).max() < 5
    assert np.mean(np.abs(z) < 1.96) > 0.9


# ---- sampling and edges ----


def test_samples_repeat_and_threads_change_nothing(space):
    first = space.extended(threads=1).sample(500, 7)
    np.testing.assert_array_equal(space.extended(threads=2).sample(500, 7), first)
    assert not np.array_equal(space.extended(threads=1).sample(500, 8), first)
    assert space.extended().sample(0).shape == (0, 6)


def test_line():
    sites = rng(0).random((30, 1))
    extended = BrenierMap().fit(sites).extended(threshold=np.inf)
    assert extended.rule == "line"
    x = np.linspace(0, 1, 101)[:, None]
    image = extended.transform(x)[:, 0]
    centroids = extended.solution.centroids[:, 0]
    order = np.argsort(centroids)
    np.testing.assert_allclose(image, np.interp(x[:, 0], centroids[order], sites[order, 0]))
    assert (np.diff(image) >= 0).all()


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("d", [1, 2, 5])
def test_one_and_two_sites(n, d):
    sites = np.linspace(0.3, 0.7, n)[:, None] * np.ones(d)
    brenier = BrenierMap(tv_tol=0.1, random_state=0, threads=1).fit(sites)
    images = brenier.extended(threshold=np.inf).sample(50, 0)
    assert images.shape == (50, d)
    assert (images >= sites.min() - 1e-12).all() and (images <= sites.max() + 1e-12).all()


def test_collinear_sites_in_the_plane():
    sites = np.column_stack([np.linspace(0.1, 0.9, 9), np.full(9, 0.5)])
    extended = BrenierMap().fit(sites).extended()
    images = extended.sample(200, 0)
    np.testing.assert_allclose(images[:, 1], 0.5)
    assert len(np.unique(images[:, 0])) > 20


def test_cells_without_mass_and_coincident_sites():
    sites = np.concatenate([rng(0).random((20, 2)), rng(0).random((20, 2))[:5]])
    masses = np.r_[np.zeros(3), np.ones(22)] / 22
    brenier = BrenierMap().fit(sites, sample_weight=masses)
    images = brenier.extended().sample(1000, 0)
    assert np.isfinite(images).all()
    lonely = np.all(images == sites[2], axis=1)  # 0 and 1 are there twice, 2 to 4 too
    assert np.isfinite(lonely).all()


def test_copies(space, plane):
    """Counted by comparison with the sites."""
    for brenier in (space, plane):
        sites = brenier.sites_
        for options in ({}, {"smoothing": 0.1}, {"threshold": 1.0}):
            extended = brenier.extended(**options)
            for singular in ("side", "discrete", "reject"):
                rate, error = extended.copy_rate(3000, 5, singular)
                images = extended.sample(3000, 6, singular)
                apart = np.linalg.norm(images[:, None] - sites, axis=2).min(axis=1)
                assert rate == pytest.approx(np.mean(apart < 1e-4), abs=6 * error)


def test_bad_arguments(plane):
    s = plane.solution_
    with pytest.raises(TypeError, match="solution must be a Solution, got BrenierMap"):
        ExtendedMap(plane)
    with pytest.raises(ValueError, match="threshold and angle_threshold must not both"):
        ExtendedMap(s, threshold=2.0, angle_threshold=0.5)
    for name in ("threshold", "angle_threshold"):
        for bad in (0.0, -1.0, np.nan, "1", [1.0]):
            with pytest.raises(ValueError, match=f"{name} must be a positive number"):
                ExtendedMap(s, **{name: bad})
    with pytest.raises((TypeError, ValueError), match="smoothing"):
        ExtendedMap(s, smoothing=0.0)
    extended = plane.extended()
    with pytest.raises(ValueError, match="singular must be one of"):
        extended.sample(3, singular="nothing")
    with pytest.raises(ValueError, match="singular must be one of"):
        extended.transform([[0.5, 0.5]], singular="reject")
    with pytest.raises(ValueError, match="X must have shape"):
        extended.transform([[0.5, 0.5, 0.5]])
    with pytest.raises(ValueError, match="X must be finite"):
        extended.is_singular([[0.5, np.nan]])
    with pytest.raises(NotFittedError):
        BrenierMap().extended()


def test_exact_maps_in_space_are_linear_on_tetrahedra():
    solid = geomot.UniformPolyhedron(np.vstack([np.eye(3), -np.eye(3)]))
    sites = np.random.default_rng(3).random((120, 3))
    solution = geomot.solve(sites, source=solid)
    extended = ExtendedMap(solution, threshold=np.inf)
    assert extended.rule == "simplicial"
    np.testing.assert_allclose(extended.transform(solution.centroids), sites, atol=1e-11)
    # of a map whose sites are an affine image of the centroids, this is the image
    matrix, shift = np.array([(2.0, 0.5, 0.0), (0.5, 1.0, 0.2), (0.0, 0.2, 3.0)]), 0.3
    x = 0.2 * np.random.default_rng(4).random((500, 3))
    shares = extended.shares(x)
    np.testing.assert_allclose(
        shares @ (solution.centroids @ matrix + shift), x @ matrix + shift, atol=1e-12
    )
    assert shares.max() < 1.0 and extended.copy_rate(2000)[0] < 0.1
    assert len(np.unique(extended.sample(200, random_state=0), axis=0)) > 150


def test_flat_sites_in_space_take_the_smoothed_potential():
    assert ExtendedMap(geomot.solve([[0.2, 0.5, 0.5], [0.5, 0.5, 0.5]])).rule == "smoothed"
