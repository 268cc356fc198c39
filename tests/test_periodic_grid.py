"""Grids on tori and cylinders: against a plane tiled with images and copies of all sites."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest
from checks import mass_differences

import geomot
from geomot import GridDensity, PowerDiagram, solve

rng = np.random.default_rng
AXES = [True, (True, False), (False, True)]


def image(periodic, shape=(5, 3), *, seed=0, dark=0.3):
    values = rng(seed).random(shape) + 0.05
    values[rng(seed + 1).random(shape) < dark] = 0.0
    lower = np.array([-1.0, 0.5, 0.25])[: len(shape)]
    return GridDensity(values, lower, lower + [2.0, 1.5, 1.0][: len(shape)], periodic=periodic)


def tiled(source, sites, weights):
    """The diagram of all copies two periods around, on the image tiled as far, and the middle.

    Sites lie in the box; cells of the middle copies end before the tiles do.
    """
    reach = [2 if joined else 0 for joined in source.periodic]
    widths = source.upper - source.lower
    steps = np.array(list(itertools.product(*[range(-r, r + 1) for r in reach])))
    values = np.tile(source.values, [2 * r + 1 for r in reach])
    plane = GridDensity(values, source.lower - reach * widths, source.upper + reach * widths)
    copies = (sites[:, None] + steps * widths).reshape(-1, source.dim)
    diagram = PowerDiagram(copies, np.repeat(weights, len(steps)), plane)
    middle = np.flatnonzero((steps == 0).all(axis=1))[0] + len(steps) * np.arange(len(sites))
    return diagram, middle, len(steps)


@pytest.mark.parametrize("periodic", AXES, ids=str)
@pytest.mark.parametrize(("n", "spread"), [(1, 0.0), (3, 0.2), (30, 0.02)])
def test_cells_are_those_of_tiles(periodic, n, spread):
    source = image(periodic)
    sites = geomot.UniformBox(source.lower, source.upper).sample(n, n)
    weights = spread * rng(n).random(n)
    found = PowerDiagram(sites, weights, source)
    wanted, middle, copies = tiled(source, sites, weights)
    np.testing.assert_allclose(found.masses, copies * wanted.masses[middle], rtol=1e-12, atol=1e-16)
    np.testing.assert_allclose(found.costs, copies * wanted.costs[middle], rtol=1e-12, atol=1e-16)
    np.testing.assert_allclose(found.centroids, wanted.centroids[middle], rtol=1e-11, atol=1e-12)
    assert (found.empty == wanted.empty[middle]).all()
    assert found.masses.sum() == pytest.approx(1.0, abs=1e-14)
    # facets: from a middle copy to any copy, half of them to each of the two sides
    pairs, measures = wanted.facets.sites, copies * wanted.facets.measures
    ends = np.isin(pairs, middle).sum(axis=1)
    owners = np.sort(pairs // copies, axis=1)
    kept = (ends > 0) & (owners[:, 0] != owners[:, 1])
    dense = np.zeros((n, n))
    np.add.at(dense, tuple(owners[kept].T), measures[kept] * np.where(ends[kept] == 2, 1.0, 0.5))
    joined = np.zeros((n, n))
    np.add.at(joined, tuple(found.facets.sites.T), found.facets.measures)
    np.testing.assert_allclose(joined, dense, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("periodic", [True, (True, False, True)], ids=str)
def test_cells_in_space_are_those_of_tiles(periodic):
    source = image(periodic, (3, 2, 2))
    sites = geomot.UniformBox(source.lower, source.upper).sample(12, 1)
    weights = 0.05 * rng(2).random(12)
    found = PowerDiagram(sites, weights, source)
    wanted, middle, copies = tiled(source, sites, weights)
    np.testing.assert_allclose(found.masses, copies * wanted.masses[middle], rtol=1e-10, atol=1e-15)
    np.testing.assert_allclose(found.costs, copies * wanted.costs[middle], rtol=1e-10, atol=1e-15)
    np.testing.assert_allclose(found.centroids, wanted.centroids[middle], rtol=1e-9, atol=1e-12)


def test_a_constant_image_is_uniform():
    box = geomot.UniformBox([0.0, 0.0], [2.0, 1.0], periodic=True)
    grid = GridDensity(np.ones((4, 3)), box.lower, box.upper, periodic=True)
    sites, weights = box.sample(25, 3), 0.01 * rng(4).random(25)
    found, wanted = PowerDiagram(sites, weights, grid), PowerDiagram(sites, weights, box)
    np.testing.assert_allclose(found.masses, wanted.masses, rtol=1e-12)
    np.testing.assert_allclose(found.costs, wanted.costs, rtol=1e-12)
    np.testing.assert_allclose(found.centroids, wanted.centroids, rtol=1e-12)
    np.testing.assert_allclose(found.facets.measures, wanted.facets.measures, rtol=1e-10)
    assert found.facets.sites.tolist() == wanted.facets.sites.tolist()


def test_moves_by_pixels_roll_the_image():
    source = image(True, (8, 4))
    pitch = (source.upper - source.lower) / source.values.shape
    sites, weights = source.sample(20, 5), 0.01 * rng(6).random(20)
    rolled = GridDensity(
        np.roll(source.values, (3, 1), (0, 1)), source.lower, source.upper, periodic=True
    )
    first = PowerDiagram(sites, weights, source)
    second = PowerDiagram(sites + pitch * [3, 1], weights, rolled)
    np.testing.assert_allclose(second.masses, first.masses, rtol=1e-10, atol=1e-15)
    np.testing.assert_allclose(second.costs, first.costs, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("shape", [(5, 3), (3, 2, 2)])
def test_hessian_is_the_derivative_of_the_masses(shape):
    source = image(True, shape, dark=0.0)
    sites, weights = source.sample(12, 7), 0.01 * rng(8).random(12)
    hessian = PowerDiagram(sites, weights, source).hessian().toarray() / 2
    differences = mass_differences(sites, weights, source)
    np.testing.assert_allclose(differences, hessian, atol=1e-6 * np.abs(hessian).max())


@pytest.mark.parametrize("dark", [0.0, 0.4])
@pytest.mark.parametrize("periodic", AXES, ids=str)
def test_solves_meet_their_masses(periodic, dark):
    source = image(periodic, (9, 7), dark=dark)
    box = geomot.UniformBox(source.lower, source.upper)
    for sites in (source.sample(60, 9), box.sample(60, 10)):
        nu = rng(11).exponential(size=60)
        solution = solve(sites, nu / nu.sum(), source)
        assert solution.converged
        masses = PowerDiagram(sites, solution.weights_exact, source).masses
        np.testing.assert_allclose(masses, solution.target_masses, rtol=2e-9)
        assert solution.bracket[1] - solution.bracket[0] <= 1e-7 * solution.cost


def test_solve_in_space():
    source = image(True, (3, 4, 3))
    solution = solve(source.sample(30, 12), source=source)
    assert solution.converged
    masses = PowerDiagram(solution.sites, solution.weights_exact, source).masses
    np.testing.assert_allclose(masses, 1 / 30, rtol=2e-9)


def test_locate_finds_the_nearest_copy():
    source = image(True)
    widths = source.upper - source.lower
    sites, weights = source.sample(30, 13), 0.02 * rng(14).random(30)
    diagram = PowerDiagram(sites, weights, source)
    points = geomot.UniformBox(source.lower - widths, source.upper + widths).sample(300, 15)
    copies = np.array(list(itertools.product(range(-3, 4), repeat=2))) * widths
    gaps = points[:, None, None] - sites[:, None] - copies
    powers = (gaps**2).sum(axis=3).min(axis=2) - weights
    assert (diagram.locate(points) == powers.argmin(axis=1)).all()
    # samples of the source are in cells as often as their masses say
    counts = np.bincount(diagram.locate(source.sample(20000, 16)), minlength=30) / 20000
    np.testing.assert_allclose(counts, diagram.masses, atol=0.015)


def test_units_change_no_bit():
    source = image(True)
    sites, weights = source.sample(20, 17), 0.02 * rng(18).random(20)
    first = PowerDiagram(sites, weights, source)
    scale = 2.0**30
    scaled = GridDensity(source.values, scale * source.lower, scale * source.upper, periodic=True)
    second = PowerDiagram(scale * sites, scale**2 * weights, scaled)
    assert (second.masses == first.masses).all()
    assert (second.costs == scale**2 * first.costs).all()


def test_words_files_and_pickles(tmp_path):
    source = image((True, False))
    assert repr(source).endswith("periodic=(True, False))")
    assert repr(image(True)).endswith("periodic=True)")
    assert geomot.sources.Source.from_dict(source.to_dict()) == source
    assert pickle.loads(pickle.dumps(source)) == source
    assert source != image(True)
    solution = solve(source.sample(12, 19), source=source)
    solution.save(tmp_path / "map.npz")
    loaded = geomot.load(tmp_path / "map.npz")
    assert loaded == solution
    assert loaded.source.periodic.tolist() == [True, False]


def test_quantisation_ends_where_sites_are_centroids():
    found = geomot.quantize(image(True, dark=0.0), 6, tol=1e-6, random_state=0)
    assert found.converged
    diagram = found.diagram()
    np.testing.assert_allclose(diagram.centroids, diagram.sites, atol=1e-5)


def test_refusals():
    with pytest.raises(ValueError, match="periodic must be a bool or 2 bools"):
        GridDensity([[1.0, 2.0]], periodic=(True,))
    with pytest.raises(ValueError, match="periodic must be False except in 2 or 3 dimensions"):
        GridDensity([1.0, 2.0], periodic=True)
    with pytest.raises(ValueError, match="must not be periodic"):
        solve([(0.5, 0.5)], source=image(True), method="montecarlo")
    with pytest.raises(ValueError, match="periodic"):
        geomot.Mixture([image(True), image(True)], [0.5, 0.5])
