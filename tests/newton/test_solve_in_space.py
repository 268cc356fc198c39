"""Exact solves in space: hard sites and masses, certificates, restarts, files."""

from __future__ import annotations

import numpy as np
import pytest
from checks import validate
from space_oracles import ExactSpaceDiagram

import geomot
from geomot import UniformBox, UniformPolyhedron

rng = np.random.default_rng


def on_sphere(n, radius=0.45):
    v = rng(3).standard_normal((n, 3))
    return 0.5 + radius * v / np.linalg.norm(v, axis=1)[:, None]


def clustered(n):
    centres = rng(4).random((5, 3))
    return np.clip(
        centres[rng(5).integers(5, size=n)] + 0.01 * rng(6).standard_normal((n, 3)), 0, 1
    )


def flat(n):
    return np.column_stack([rng(7).random((n, 2)), np.full(n, 0.5)])


def two_scales(n):
    small = [0.2, 0.7, 0.4] + 1e-4 * rng(8).standard_normal((n - n // 10, 3))
    return np.vstack([small, rng(9).random((n // 10, 3))])


HARD = {
    "scattered": (rng(0).random((500, 3)), None),
    "clustered": (clustered(500), None),
    "shell": (on_sphere(400) + 0.005 * rng(2).standard_normal((400, 3)), None),
    "sphere": (on_sphere(400), None),
    "flat": (flat(300), None),
    "line": (np.column_stack([rng(1).random(60), np.full((60, 2), 0.5)]), None),
    "two scales": (two_scales(400), None),
    "far": (1000 + 50 * rng(0).random((300, 3)) ** 3, None),
    "cauchy": (rng(0).standard_cauchy((300, 3)), None),
    "wide masses": (rng(0).random((400, 3)), 10.0 ** (-6 * rng(1).random(400))),
    "wider masses": (rng(0).random((300, 3)), 10.0 ** (-12 * rng(1).random(300))),
    "lattice": (np.stack(np.meshgrid(*3 * [np.arange(7) / 64]), axis=-1).reshape(-1, 3), None),
    "one": ([[0.3, 0.3, 0.3]], None),
    "two": ([[0.3, 0.3, 0.3], [9.0, 0.3, 0.3]], [0.999, 0.001]),
}


def masses_of(sites, masses):
    weights = np.ones(len(sites)) if masses is None else np.asarray(masses)
    return weights / weights.sum()


@pytest.mark.parametrize("name", HARD)
def test_hard_problems_converge(name):
    sites, masses = HARD[name]
    masses = masses_of(sites, masses)
    solution = geomot.solve(sites, masses, UniformBox.unit(3), strict=True)
    assert solution.method == "newton"
    assert solution.n_iter <= 15
    validate(solution)
    diagram = geomot.PowerDiagram(sites, solution.weights_exact, UniformBox.unit(3))
    np.testing.assert_allclose(diagram.masses, masses, rtol=1.01e-9)
    lower, upper = solution.bracket
    assert lower <= solution.cost <= upper
    assert upper - lower <= 1e-7 * max(upper, 1)


def test_the_claims_hold_in_rational_arithmetic():
    sites = rng(1).random((16, 3))
    solution = geomot.solve(sites, masses_of(sites, rng(2).random(16)), UniformBox.unit(3))
    exact = ExactSpaceDiagram(sites, solution.weights_exact)
    np.testing.assert_allclose(exact.masses, solution.target_masses, rtol=1e-9)
    np.testing.assert_allclose(exact.costs.sum(), solution.cost, rtol=1e-8)


def test_slabs_have_a_closed_form():
    """Sites on a line along an axis: quantiles."""
    z, masses = np.array([0.1, 0.3, 0.4, 0.95]), np.array([0.2, 0.1, 0.6, 0.1])
    solution = geomot.solve(np.column_stack([0 * z, 0 * z, z]), masses, UniformBox.unit(3))
    line = geomot.solve(z[:, None], masses, UniformBox.unit(1))
    assert solution.cost == pytest.approx(line.cost + 2 / 3, rel=1e-9)
    gaps = np.diff(solution.weights) - np.diff(line.weights)
    np.testing.assert_allclose(gaps, 0.0, atol=1e-9)


def test_in_a_polyhedron():
    source = UniformPolyhedron(np.vstack([np.eye(3), -np.eye(3)]))
    sites = rng(3).standard_normal((300, 3))
    solution = geomot.solve(sites, source=source, strict=True)
    validate(solution)
    image = solution.diagram().centroids
    assert (np.abs(image).sum(axis=1) < 1).all()


def test_coincident_sites_and_sites_without_mass():
    sites = np.vstack([rng(4).random((30, 3)), rng(4).random((5, 3)), [[0.5, 0.5, 0.5]]])
    masses = np.append(np.full(35, 1 / 35), 0.0)
    solution = geomot.solve(sites, masses, UniformBox.unit(3), strict=True)
    np.testing.assert_allclose(solution.masses, masses, rtol=1e-9)
    assert solution.diagram().empty.sum() == 6


def test_a_solve_resumes():
    sites = clustered(300)
    box = UniformBox.unit(3)
    whole = geomot.solve(sites, source=box)
    with pytest.warns(geomot.ConvergenceWarning):
        part = geomot.solve(sites, source=box, max_iter=2)
    rest = geomot.solve(sites, source=box, initial_weights=part)
    np.testing.assert_array_equal(rest.weights_exact, whole.weights_exact)


def test_threads_change_no_bit():
    sites, box = rng(6).random((2000, 3)), UniformBox.unit(3)
    one = geomot.solve(sites, source=box, threads=1)
    assert one == geomot.solve(sites, source=box, threads=3)


def test_files_and_maps(tmp_path):
    sites = rng(7).random((100, 3))
    brenier = geomot.BrenierMap(UniformBox.unit(3)).fit(sites)
    assert brenier.solution_.method == "newton"
    brenier.solution_.save(tmp_path / "map.npz")
    assert geomot.load(tmp_path / "map.npz") == brenier.solution_
    points = UniformBox.unit(3).sample(1000, 0)
    images = brenier.transform(points)
    np.testing.assert_array_equal(images, sites[brenier.solution_.assign(points)])


def test_insertion_meets_the_wanted_mass():
    sites = rng(8).random((200, 3))
    solution = geomot.solve(sites, source=UniformBox.unit(3))
    diagram = solution.diagram()._compiled
    for point in ([0.5, 0.5, 0.5], [0.01, 0.5, 0.5], [0.0, 0.0, 1.0], [1.5, 0.5, 0.5]):
        for mass in (0.5, 1e-3, 1e-6):
            hi, lo = diagram.insert(np.array([point]), np.array([mass])).T
            w = np.vstack([solution.weights_exact, np.column_stack([hi, lo])])
            grown = geomot.PowerDiagram(np.vstack([sites, [point]]), w, UniformBox.unit(3))
            # a large cell has rivals that are not looked at
            assert grown.masses[-1] == pytest.approx(mass, rel=0.7 if mass == 0.5 else 0.011)
        hi, lo = diagram.insert(np.array([point]), np.zeros(1)).T
        for step in (-1e-9, 1e-9):
            w = np.vstack([solution.weights_exact, np.column_stack([hi + step, lo])])
            grown = geomot.PowerDiagram(np.vstack([sites, [point]]), w, UniformBox.unit(3))
            assert grown.empty[-1] == (step < 0)
