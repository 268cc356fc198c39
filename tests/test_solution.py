"""Solution as an object."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import checks
import numpy as np
import pytest
from oracles import ExactDiagram

import geomot
from geomot import PowerDiagram, Solution, UniformPolygon, solve
from geomot._history import HISTORY_DTYPE, history_records

pytestmark = pytest.mark.usefixtures("silent")
rng = np.random.default_rng


def by_hand(n=30, **changes):
    """A solution made without a solver: any weights, truthfully measured."""
    sites = rng(0).random((n, 2))
    weights = np.column_stack([1e-3 * rng(1).random(n), 1e-20 * rng(2).random(n)])
    source = UniformPolygon.regular(8, (0.5, 0.5))
    diagram = PowerDiagram(sites, weights, source)
    targets = np.full(n, 1 / n)
    error = float(np.abs(diagram.masses * n - 1).max())
    dual = diagram.kantorovich(targets)
    fields = {
        "sites": sites,
        "weights_exact": diagram.weights_exact.copy(),
        "target_masses": targets,
        "masses": diagram.masses.copy(),
        "mass_error": error,
        "status": "stopped",
        "n_iter": 2,
        "cost": float(diagram.costs.sum()),
        "dual_value": dual,
        "bracket": (dual, 1.0),
        "history": history_records([(0.5 * dual, 2 * error, 0.0, 0.0), (dual, error, 1.0, 0.01)]),
        "source": source,
        "method": "newton",
        "tol": 1e-9,
    }
    return Solution(**{**fields, **changes})


def test_fields_and_properties():
    s = by_hand()
    assert s.weights.shape == s.heights.shape == (30,)
    np.testing.assert_array_equal(s.weights, s.weights_exact[:, 0])
    np.testing.assert_allclose(s.heights, (s.weights - (s.sites**2).sum(axis=1)) / 2, rtol=1e-14)
    assert not s.converged and by_hand(status="converged").converged
    assert isinstance(s.history, np.recarray) and s.history.dtype == HISTORY_DTYPE
    assert s.history.step.tolist() == [0.0, 1.0]
    assert repr(s).startswith("Solution(<30 sites in 2 dimensions>, 'stopped', mass_error=")


def test_scalars_become_plain_numbers():
    s = by_hand(n_iter=np.int64(3), cost=np.float64(0.25), bracket=np.array([0.1, 0.5]))
    assert type(s.n_iter) is int and type(s.cost) is float
    assert s.bracket == (0.1, 0.5) and type(s.bracket[0]) is float


def test_empty_history():
    s = by_hand(history=history_records([]))
    assert len(s.history) == 0 and s.history.dual.shape == (0,)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sites": np.zeros((30, 3))}, "sites"),
        ({"weights_exact": np.zeros(30)}, "weights_exact"),
        ({"masses": np.zeros(29)}, "masses"),
        ({"target_masses": np.zeros(30, np.float32)}, "target_masses"),
        ({"history": np.zeros((3, 4))}, "history"),
        ({"status": "fine"}, "status"),
    ],
)
def test_inconsistent_fields_are_refused(changes, words):
    with pytest.raises(ValueError, match=f"{words} must"):
        by_hand(**changes)


def test_it_is_immutable():
    s = by_hand()
    for f in dataclasses.fields(s):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(s, f.name, getattr(s, f.name))
        value = getattr(s, f.name)
        if isinstance(value, np.ndarray):
            assert not value.flags.writeable, f.name
    for derived in (s.weights, s.heights):
        assert not derived.flags.writeable


def test_it_does_not_share_memory_with_its_arguments():
    sites, masses = rng(0).random((30, 2)), np.full(30, 1 / 30)
    s = solve(sites, masses)
    kept = pickle.dumps(s)
    weights = s.weights_exact.copy()
    again = by_hand(weights_exact=weights)
    sites[:], masses[:], weights[:] = 7.0, 7.0, 7.0
    assert pickle.loads(kept) == s
    assert s.diagram().masses.tobytes() == s.masses.tobytes()
    assert not (again.weights_exact == 7.0).any()


def test_assign_takes_the_threads_asked_for(monkeypatch):
    s = by_hand()
    s.diagram()
    asked = []
    monkeypatch.setattr("geomot.diagram.as_threads", lambda count: asked.append(count) or 1)
    s.assign(rng(3).random((10, 2)), threads=2)
    s.assign(rng(3).random((10, 2)))
    assert asked == [2, None]


def test_diagram_and_assign():
    s = by_hand()
    d = s.diagram()
    assert d is s.diagram()
    assert d.masses.tobytes() == s.masses.tobytes()
    assert d.source == s.source
    points = rng(3).random((100, 2))
    np.testing.assert_array_equal(s.assign(points), d.locate(points))
    with pytest.raises(ValueError, match="points"):
        s.assign([0.5, 0.5])
    with pytest.raises(ValueError, match="threads must be at least 1"):
        s.assign(points, threads=0)


@pytest.mark.parametrize(
    "duplicate",
    [
        *(lambda s, p=p: pickle.loads(pickle.dumps(s, p)) for p in range(2, 6)),
        copy.copy,
        copy.deepcopy,
    ],
    ids=["pickle 2", "pickle 3", "pickle 4", "pickle 5", "copy", "deepcopy"],
)
def test_copies_are_equal_and_work(duplicate):
    s = by_hand()
    s.diagram(), s.heights
    other = duplicate(s)
    assert other == s and hash(other) == hash(s)
    assert "_diagram" not in vars(other)
    assert isinstance(other.history, np.recarray) and not other.history.flags.writeable
    assert not other.sites.flags.writeable
    assert other.diagram().masses.tobytes() == s.masses.tobytes()
    with pytest.raises(dataclasses.FrozenInstanceError):
        other.status = "converged"


def test_equality():
    assert by_hand() == by_hand()
    assert by_hand() != by_hand(31)
    assert by_hand() != by_hand(n_iter=3)
    assert by_hand() != "solution"


def test_pickle_is_no_larger_than_the_arrays():
    s = by_hand(2000)
    s.diagram().locate([[0.5, 0.5]])
    arrays = [s.sites, s.weights_exact, s.target_masses, s.masses, s.history]
    for protocol in range(3, 6):
        assert len(pickle.dumps(s, protocol)) <= 1.1 * sum(a.nbytes for a in arrays) + 2000


def test_of_a_solve():
    s = solve(rng(0).random((60, 2)))
    assert s.converged and s.mass_error <= s.tol == 1e-9
    assert s.diagram().masses.tobytes() == s.masses.tobytes()
    again = PowerDiagram(s.sites, s.weights_exact, s.source)
    assert again.masses.tobytes() == s.masses.tobytes()
    np.testing.assert_allclose(s.masses, 1 / 60, rtol=1e-9)
    assert pickle.loads(pickle.dumps(s)) == s


def test_assign_is_location_in_the_diagram():
    solution = checks.solve(rng(0).random((300, 2)))
    points = rng(99).random((20000, 2))
    found = solution.assign(points)
    np.testing.assert_array_equal(found, solution.diagram().locate(points))
    exact = ExactDiagram(solution.sites, solution.weights_exact)
    np.testing.assert_array_equal(found[:2000], exact.locate(points[:2000]))
    for chunk in (1, 7, 10**5):
        pieces = [solution.assign(points[k : k + chunk]) for k in range(0, len(points), chunk)]
        np.testing.assert_array_equal(np.concatenate(pieces), found)
    assert geomot.PowerDiagram(solution.sites, solution.weights_exact).locate(points).tolist() == (
        found.tolist()
    )
