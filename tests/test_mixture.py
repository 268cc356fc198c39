"""Mixtures of sources: their values, exact diagrams in the plane, and solves."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from density_oracles import GaussianOracle, MixtureOracle, PiecewiseOracle

import geomot
from geomot import (
    Gaussian,
    GridDensity,
    Mixture,
    PowerDiagram,
    Samples,
    UniformBall,
    UniformBox,
    UniformPolygon,
)
from geomot.sources import Source

WIDE = Gaussian([0.5, 0.25], [[1.0, 0.25], [0.25, 0.5]])
NARROW = Gaussian([-1.0, 0.5], 2.0**-10)
BOX = UniformBox([0.0, 0.0], [1.0, 2.0])
IMAGE = GridDensity([[1.0, 2.0], [0.0, 3.0]], [-2.0, -1.0], [0.0, 1.0])
CORNER = UniformPolygon([(0, 0), (2, 0), (2, 0.5), (0.5, 0.5), (0.5, 2), (0, 2)])
SITES = np.array([(0.1, 0.2), (-0.9, 0.4), (-1.1, 0.55), (0.8, 1.4), (2.0, -1.0)])


def oracle_of(source):
    if isinstance(source, Gaussian):
        return GaussianOracle(source.mean, source.covariance, angle=1.0)
    if isinstance(source, UniformBox):
        return PiecewiseOracle.union([source.polygon])
    if isinstance(source, UniformPolygon):
        return PiecewiseOracle.union(source.domain.parts)
    return PiecewiseOracle.grid(source.values, source.lower, source.upper)


@pytest.mark.parametrize(
    "parts",
    [(WIDE, NARROW), (BOX, IMAGE), (WIDE, BOX, IMAGE), (CORNER, IMAGE), (WIDE, CORNER)],
    ids=["normal", "bounded", "both", "regions", "normal and a region"],
)
def test_diagrams(parts):
    shares = np.arange(1.0, 1.0 + len(parts)) / (len(parts) * (len(parts) + 1) / 2)
    weights = np.array([0.0, 0.1, 0.05, 0.0, 0.2])
    diagram = PowerDiagram(SITES, weights, Mixture(parts, shares))
    oracle = MixtureOracle([oracle_of(part) for part in parts], shares.tolist())
    exact = oracle.measure(SITES, weights)
    held = exact.masses > 0.0
    np.testing.assert_allclose(diagram.masses, exact.masses, rtol=1e-12)
    np.testing.assert_allclose(diagram.costs, exact.costs, rtol=1e-11)
    np.testing.assert_allclose(diagram.centroids[held], exact.centroids[held], atol=1e-12)
    assert np.isnan(diagram.centroids[~held]).all()
    found = dict(
        zip(map(tuple, diagram.facets.sites.tolist()), diagram.facets.measures, strict=True)
    )
    assert found == pytest.approx({k: v for k, v in exact.facets.items() if v > 1e-290}, rel=1e-10)


def test_a_part_far_away_takes_nothing_from_facets():
    """Of sides whose line passes near a narrow part that they do not reach."""
    narrow = Gaussian([-0.5, 0.0], 1e-8)
    sites = [(1.0, 0.001), (1.0, -0.001), (-1.0, 0.0)]
    both = PowerDiagram(sites, None, Mixture([WIDE, narrow], [0.5, 0.5]))
    alone = PowerDiagram(sites, None, WIDE)
    assert both.facets.sites.tolist() == alone.facets.sites.tolist() == [[0, 1], [0, 2], [1, 2]]
    assert both.facets.measures[0] == pytest.approx(0.5 * alone.facets.measures[0], rel=1e-14)


def test_one_part_is_itself():
    for part in (WIDE, BOX, IMAGE, CORNER):
        one = PowerDiagram(SITES, None, Mixture([part]))
        other = PowerDiagram(SITES, None, part)
        np.testing.assert_allclose(one.masses, other.masses, rtol=1e-15)
        np.testing.assert_allclose(one.facets.measures, other.facets.measures, rtol=1e-14)


def test_parts_of_parts_and_without_a_share():
    inner = Mixture([WIDE, BOX], [0.5, 0.5])
    outer = Mixture([inner, NARROW, IMAGE], [0.5, 0.5, 0.0])
    assert outer.sources == (WIDE, BOX, NARROW)
    assert outer.shares.tolist() == [0.25, 0.25, 0.5]
    assert outer == Mixture([WIDE, BOX, NARROW], [1.0, 1.0, 2.0])


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (([],), ValueError, "sources must have at least one source"),
        (([[(0, 0), (1, 0), (0, 1)]],), TypeError, "sources must be source measures"),
        (([WIDE, UniformBox.unit(3)],), ValueError, "sources must have one dimension"),
        (([WIDE, BOX], [0.5]), ValueError, "shares"),
        (([WIDE, BOX], [-0.5, 1.5]), ValueError, "shares must not be negative"),
    ],
)
def test_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        Mixture(*arguments)


def test_stored_parts_are_checked():
    data = Mixture([WIDE, BOX]).to_dict()
    del data["1.type"]
    with pytest.raises(ValueError, match="got type None"):
        Source.from_dict(data)
    with pytest.raises(ValueError, match="shares must fit the parts"):
        Source.from_dict({**Mixture([WIDE, BOX]).to_dict(), "shares": np.ones(3) / 3})


def test_exact_where_all_parts_are():
    assert Mixture([WIDE, BOX, IMAGE]).exact
    points = Mixture([WIDE, Samples([(0.0, 0.0), (1.0, 1.0)])])
    for other in (points, Mixture([UniformBox.unit(3)])):
        assert not other.exact
    with pytest.raises(ValueError, match="or a Mixture of such"):
        PowerDiagram([(0.0, 0.0)], None, points)


def test_a_solve_by_samples_in_three_dimensions():
    source = Mixture([Gaussian(np.zeros(3), 1.0), UniformBall(np.full(3, 2.0), 1.0)])
    sites = np.random.default_rng(0).standard_normal((50, 3))
    solution = geomot.solve(sites, source=source, tol=0.1, random_state=0)
    assert solution.method == "montecarlo" and solution.converged


RING = Mixture([Gaussian(c, 0.01) for c in geomot.datasets.ring(8)])
SOLVED = {
    "ring": RING,
    "wide and narrow": Mixture([WIDE, NARROW]),
    "boxes apart": Mixture([BOX, UniformBox([2.0, 0.0], [3.0, 2.0])], [0.3, 0.7]),
    "all kinds": Mixture([WIDE, BOX, IMAGE, CORNER]),
    "regions": Mixture([CORNER, IMAGE]),
}


@pytest.mark.parametrize("drawn", [True, False])
@pytest.mark.parametrize("name", SOLVED)
def test_solves(name, drawn):
    source = SOLVED[name]
    sites = source.sample(150, 2) if drawn else np.random.default_rng(1).random((150, 2))
    solution = geomot.solve(sites, source=source)
    assert solution.converged and solution.method == "newton"
    np.testing.assert_allclose(solution.diagram().masses, 1.0 / 150.0, rtol=1e-9)
    low, high = solution.bracket
    assert low <= solution.cost <= high <= low * (1.0 + 1e-6)
    points = source.sample(20_000, 3)
    shares = np.bincount(solution.assign(points), minlength=150) / 20_000
    assert np.abs(shares - 1.0 / 150.0).max() < 5.5 * np.sqrt(1.0 / 150.0 / 20_000)


def test_parts_out_of_reach_of_each_other():
    """Hardly any cell has mass of both, and what hangs together by nothing may stay out of balance.

    Steps were so long that their weights left the range of the kernels.
    """
    source = Mixture([Gaussian([0.0, 0.0], 1e-4), Gaussian([100.0, 0.0], 1.0)])
    for n in (100, 500):
        sites = np.random.default_rng(1).random((n, 2))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", geomot.ConvergenceWarning)
            solution = geomot.solve(sites, source=source)
        error = np.abs(solution.diagram().masses * n - 1.0).max()
        assert solution.converged == (error <= 1e-9)
        assert error < 0.1


def test_files(tmp_path):
    solution = geomot.solve(SITES, source=Mixture([WIDE, BOX], [0.25, 0.75]))
    solution.save(tmp_path / "map.npz")
    assert geomot.load(tmp_path / "map.npz") == solution
