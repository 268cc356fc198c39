"""Quantisation: known optima, bounds, points without cells, the two methods."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest

import geomot
from geomot import ConvergenceWarning, PowerDiagram, quantize
from geomot._descent import descend

pytestmark = pytest.mark.usefixtures("silent")
rng = np.random.default_rng

SQUARE = geomot.UniformBox.unit(2)
CENTRES = np.array([[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]])
RING = geomot.UniformPolygon(
    [(0, 0), (3, 0), (3, 3), (0, 3)], holes=[[(1, 1), (2, 1), (2, 2), (1, 2)]]
)
IMAGE = geomot.GridDensity(rng(4).random((7, 5)), [-1.0, 0.0], [2.0, 1.5])
BELL = geomot.Gaussian([0.5, -0.2], [[1.0, 0.3], [0.3, 0.5]])
EVERY = {"square": SQUARE, "ring": RING, "image": IMAGE, "gaussian": BELL}
KINDS = ("free", "equal")


# ---- known optima ----


@pytest.mark.parametrize("masses", KINDS)
@pytest.mark.parametrize("n", [1, 2, 7])
def test_an_interval_is_divided_evenly(masses, n):
    found = quantize(geomot.UniformBox([0.0], [1.0]), n, masses=masses, tol=1e-7, random_state=0)
    assert found.converged
    assert found.cost == pytest.approx(1 / (12 * n**2), rel=1e-12)
    np.testing.assert_allclose(np.sort(found.points[:, 0]), (np.arange(n) + 0.5) / n, atol=1e-7)
    np.testing.assert_allclose(found.masses, 1 / n, rtol=1e-6)


@pytest.mark.parametrize("masses", KINDS)
@pytest.mark.parametrize("method", ["lbfgs", "lloyd"])
def test_two_points_of_a_normal_measure(masses, method):
    source = geomot.Gaussian([3.0], 4.0)
    found = quantize(source, 2, masses=masses, method=method, tol=1e-8, random_state=1)
    assert found.converged
    assert found.cost == pytest.approx(4 * (1 - 2 / np.pi), rel=1e-12)
    expected = 3.0 + 2.0 * np.sqrt(2 / np.pi) * np.array([-1.0, 1.0])
    np.testing.assert_allclose(np.sort(found.points[:, 0]), expected, rtol=1e-7)


@pytest.mark.parametrize("masses", KINDS)
@pytest.mark.parametrize("method", ["lbfgs", "lloyd"])
def test_four_points_of_a_square(masses, method):
    start = CENTRES + 0.05 * rng(0).standard_normal((4, 2))
    found = quantize(SQUARE, 4, masses=masses, method=method, tol=1e-7, initial_points=start)
    assert found.converged
    assert found.cost == pytest.approx(1 / 24, rel=1e-12)
    np.testing.assert_allclose(found.points, CENTRES, atol=1e-7)


def test_eight_points_of_a_cube():
    corners = np.array(np.meshgrid(*3 * [[0.25, 0.75]])).reshape(3, -1).T
    start = corners + 0.03 * rng(0).standard_normal((8, 3))
    found = quantize(geomot.UniformBox.unit(3), 8, tol=1e-6, initial_points=start)
    assert found.cost == pytest.approx(3 / 48, rel=1e-9)


def test_optimum_of_four_points_of_a_round_gaussian_is_stationary():
    a = np.sqrt(2 / np.pi)
    source = geomot.Gaussian([0.0, 0.0], 1.0)
    start = a * np.array([[-1, -1], [1, -1], [-1, 1], [1, 1]])
    for masses in KINDS:
        found = quantize(source, 4, masses=masses, tol=1e-9, initial_points=start)
        assert found.n_iter == 0
        assert found.cost == pytest.approx(2 * (1 - 2 / np.pi), rel=1e-12)


@pytest.mark.parametrize("masses", KINDS)
def test_no_points_are_better_than_a_honeycomb(masses):
    n = 150
    found = quantize(SQUARE, n, masses=masses, random_state=0)
    bound = 5 / (18 * np.sqrt(3)) / n  # Fejes Toth
    assert found.converged
    assert bound < found.cost < 1.08 * bound


def test_one_point_is_the_mean():
    for source in EVERY.values():
        found = quantize(source, 1, tol=1e-9, random_state=0)
        np.testing.assert_allclose(found.points[0], source.mean, atol=1e-7)
        assert found.cost == pytest.approx(np.trace(source.covariance), rel=1e-9)


# ---- what the numbers mean ----


@pytest.mark.parametrize("masses", KINDS)
@pytest.mark.parametrize("name", EVERY)
def test_result_is_what_its_diagram_measures(name, masses):
    source, n = EVERY[name], 40
    found = quantize(source, n, masses=masses, random_state=2)
    assert found.converged and found.status == "converged"
    assert found.gradient_norm <= found.tol == 1e-3
    diagram = found.diagram()
    np.testing.assert_allclose(found.masses, diagram.masses, rtol=2e-9)
    assert found.cost == pytest.approx(diagram.costs.sum(), rel=1e-9)
    moved = np.sum(found.masses[:, None] * (found.points - diagram.centroids) ** 2)
    assert found.gradient_norm == pytest.approx(np.sqrt(moved / found.cost), rel=1e-6, abs=1e-9)
    if masses == "equal":
        np.testing.assert_array_equal(found.masses, 1 / n)
    else:
        assert not found.weights_exact.any()
    assert len(found.history) == found.n_iter + 1
    assert (np.diff(found.history.cost) <= 1e-9 * found.cost).all()
    assert found.n_evaluations >= found.n_iter


@pytest.mark.parametrize("masses", KINDS)
def test_lbfgs_takes_fewer_steps_than_lloyd(masses):
    steps = {}
    for method in ("lbfgs", "lloyd"):
        found = quantize(SQUARE, 100, masses=masses, method=method, random_state=0)
        assert found.converged
        steps[method] = found.n_evaluations
    assert steps["lbfgs"] < 0.6 * steps["lloyd"]


def test_lloyd_moves_points_to_centroids():
    start = rng(0).random((20, 2))
    with pytest.warns(ConvergenceWarning, match="max_iter was reached"):
        found = quantize(SQUARE, 20, method="lloyd", max_iter=1, initial_points=start)
    np.testing.assert_array_equal(found.points, PowerDiagram(start).centroids)


def test_given_masses():
    nu = rng(0).dirichlet(np.full(25, 2.0))
    found = quantize(BELL, 25, masses=nu, random_state=0)
    assert found.converged
    np.testing.assert_array_equal(found.masses, nu)
    np.testing.assert_allclose(found.diagram().masses, nu, rtol=2e-9)


def test_points_of_mass_zero_stay():
    nu = np.array([0.5, 0.0, 0.5])
    start = np.array([[0.3, 0.5], [0.5, 0.9], [0.7, 0.5]])
    found = quantize(SQUARE, 3, masses=nu, tol=1e-6, initial_points=start)
    assert found.converged
    np.testing.assert_array_equal(found.points[1], start[1])
    np.testing.assert_allclose(found.points[[0, 2]], [[0.25, 0.5], [0.75, 0.5]], atol=1e-6)


# ---- starts ----


@pytest.mark.parametrize("masses", KINDS)
def test_starts_far_away_and_in_one_place(masses):
    far = quantize(SQUARE, 12, masses=masses, initial_points=100 + rng(0).random((12, 2)),
                   random_state=0)  # fmt: skip
    assert far.converged
    assert (far.diagram().masses > 0).all()
    if masses == "free":
        one = quantize(SQUARE, 12, initial_points=np.full((12, 2), 0.5), random_state=0)
        assert one.converged
        assert (one.masses > 0).all()


def test_more_points_than_atoms():
    source = geomot.Samples([[0.0], [1.0], [3.0]])
    found = quantize(source, 5, random_state=0)
    assert found.cost == 0.0
    assert found.converged


def test_seeds_and_threads():
    one, two, other = (
        quantize(BELL, 30, random_state=seed, threads=threads)
        for seed, threads in ((3, 1), (3, 2), (4, 1))
    )
    assert one == two
    assert one != other
    assert pickle.loads(pickle.dumps(one)) == one
    assert repr(one).startswith("Quantization(<30 points in 2 dimensions>, 'converged', ")
    assert len(one) == 30


def test_polygons_and_islands():
    islands = geomot.UniformPolygon([[(0, 0), (1, 0), (1, 1), (0, 1)],
                                     [(3, 0), (4, 0), (4, 1), (3, 1)]])  # fmt: skip
    found = quantize(islands, 8, masses="equal", random_state=1, tol=1e-2)
    assert found.converged
    assert np.sum(found.points[:, 0] < 2) == 4
    assert quantize([(0, 0), (1, 0), (0, 1)], 3, random_state=0).converged


# ---- ends ----


def test_callback_stops_and_sees_every_step():
    states = []

    def look(state):
        states.append(state)
        return len(states) == 4

    with pytest.warns(ConvergenceWarning, match="the callback asked for it"):
        found = quantize(SQUARE, 50, random_state=0, callback=look)
    assert found.status == "stopped"
    assert [state.n_iter for state in states] == [0, 1, 2, 3]
    assert found.n_iter == 3
    assert states[-1].cost == found.cost
    np.testing.assert_array_equal(states[-1].points, found.points)


def test_tolerances_below_rounding_end():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = quantize(SQUARE, 10, masses="equal", tol=1e-15, random_state=0)
    assert found.status in ("stalled", "converged")
    assert found.gradient_norm < 1e-6


def test_progress_bar(capfd):
    quantize(SQUARE, 10, random_state=0, progress=True)
    assert "Points to 1e-03" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, "n must be"),
        ({"masses": "some"}, "masses must be 'free', 'equal' or an array"),
        ({"masses": [0.5, 0.6, 0.1]}, "masses must sum to 1"),
        ({"method": "newton"}, "method must be one of"),
        ({"tol": -1.0}, "tol must be"),
        ({"max_iter": -1}, "max_iter must be"),
        ({"initial_points": [[0.5, 0.5]]}, "initial_points must have 3 rows, got 1"),
        (
            {"initial_points": [[0.5, 0.5]] * 3, "masses": "equal"},
            "initial_points must be distinct if masses are given",
        ),
        ({"source": geomot.Gaussian(np.zeros(5), 1.0)}, "source must have at most 3 dim"),
    ],
)
def test_invalid_arguments(options, message):
    given = {"source": SQUARE, "n": 3, **options}
    with pytest.raises(ValueError, match=message):
        quantize(given.pop("source"), given.pop("n"), **given)


def test_atoms_cannot_be_divided_into_given_masses():
    source = geomot.Samples([[0.0], [1.0], [3.0]])
    with pytest.raises(geomot.ConvergenceError, match="atoms"):
        quantize(source, 2, masses="equal", initial_points=[[0.0], [1.0]])


def test_invalid_types():
    with pytest.raises(TypeError, match="masses must be"):
        quantize(SQUARE, 3, masses=None)
    with pytest.raises(TypeError, match="callback must be callable"):
        quantize(SQUARE, 3, callback=1)


# ---- the descent ----


class Bowl:
    """An energy whose Lloyd step is far too short: convergence needs the curvature."""

    def __init__(self):
        self.evaluations = 0

    def at(self, points, near, precisely):
        from geomot._descent import Place

        self.evaluations += 1
        stiffness = np.linspace(0.01, 1.0, len(points))[:, None]
        masses = np.full(len(points), 1.0)
        cost = float(np.sum(stiffness * points**2)) + 1.0
        return Place(points, masses, points - stiffness * points, cost, np.zeros((len(points), 2)))

    def refilled(self, place):
        return None


def test_curvature_is_learnt():
    steps = {}
    for accelerate in (True, False):
        bowl = Bowl()
        start = bowl.at(np.ones((8, 2)), None, False)
        place, status = descend(bowl, start, 1e-6, 5000, accelerate, lambda *_: False)
        assert status == "converged"
        assert np.abs(place.points).max() < 1e-3
        steps[accelerate] = bowl.evaluations
    assert steps[True] < 0.1 * steps[False]
