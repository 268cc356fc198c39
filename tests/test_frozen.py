"""Results survive pickles, copies and processes bit by bit."""

from __future__ import annotations

import copy
import io
import pickle

import numpy as np
import pytest
from checks import diagram_bits, solve, validate

import geomot

rng = np.random.default_rng
pytestmark = pytest.mark.usefixtures("silent")


def _same(one, two):
    """Whether two objects of the package hold equal arrays."""
    if isinstance(one, geomot.Solution):
        return (
            one.weights_exact.tobytes() == two.weights_exact.tobytes()
            and one.masses.tobytes() == two.masses.tobytes()
            and one.history.tobytes() == two.history.tobytes()
            and (one.cost, one.status, tuple(one.bracket))
            == (two.cost, two.status, tuple(two.bracket))
            and _same(one.diagram(), two.diagram())
        )
    if isinstance(one, geomot.PowerDiagram):
        return (
            diagram_bits(one) == diagram_bits(two)
            and one.triangulation.tobytes() == two.triangulation.tobytes()
        )
    if isinstance(one, geomot.BrenierMap):
        return _same(one.solution_, two.solution_)
    return one == two


def _objects():
    sites = rng(0).random((500, 2))
    polygon = geomot.UniformPolygon.regular(12, (0.5, 0.5), 0.6)
    return [
        geomot.solve(sites, None, polygon),
        geomot.PowerDiagram(sites, 1e-3 * rng(1).random(500), polygon),
        geomot.BrenierMap(polygon).fit(sites),
        polygon,
        geomot.UniformBox([0, 0], [1, 2]),
        geomot.Samples(sites),
    ]


@pytest.mark.parametrize("k", range(6))
def test_pickle_and_copy(k):
    one = _objects()[k]
    copies = [pickle.loads(pickle.dumps(one, protocol=p)) for p in range(2, 6)]
    copies += [copy.copy(one), copy.deepcopy(one)]
    joblib = pytest.importorskip("joblib")
    buffer = io.BytesIO()
    joblib.dump(one, buffer)
    buffer.seek(0)
    copies.append(joblib.load(buffer))
    for two in copies:
        assert type(two) is type(one)
        assert _same(one, two)
    if isinstance(one, geomot.PowerDiagram):
        points = rng(2).random((100, 2))
        validate(copies[0])
        np.testing.assert_array_equal(copies[0].locate(points), one.locate(points))


def test_pickle_size():
    sites = rng(0).random((2000, 2))
    s = geomot.solve(sites)
    arrays = [s.sites, s.weights_exact, s.target_masses, s.masses, s.history]
    assert len(pickle.dumps(s)) <= 4 * sum(a.nbytes for a in arrays)
    d = s.diagram()
    arrays = [d.sites, d.weights_exact, d.masses, d.centroids, d.costs, d.empty]
    assert len(pickle.dumps(d)) <= 4 * sum(a.nbytes for a in arrays)


def test_loky():
    joblib = pytest.importorskip("joblib")
    sites = [rng(k).random((100, 2)) for k in range(3)]
    here = [geomot.solve(y) for y in sites]
    there = joblib.Parallel(n_jobs=2)(joblib.delayed(geomot.solve)(y) for y in sites)
    assert all(_same(a, b) for a, b in zip(here, there, strict=True))
    again = [solve(y, initial_weights=s.weights_exact) for y, s in zip(sites, there, strict=True)]
    twice = [solve(y, initial_weights=s.weights_exact) for y, s in zip(sites, here, strict=True)]
    assert all(_same(a, b) for a, b in zip(again, twice, strict=True))
