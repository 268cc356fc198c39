"""Sites inserted into a diagram with the mass that they should have."""

from __future__ import annotations

import numpy as np
import pytest
from effort import growth
from numpy.testing import assert_array_equal

from geomot._power import PlaneSites

BOX = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])


@pytest.mark.parametrize("share", [0.5, 1e-3, 1e-9])
def test_insertion_gives_the_wanted_mass_to_a_site_alone(share):
    rng = np.random.default_rng(2)
    sites, weights = rng.random((200, 2)), 1e-3 * rng.random(200)
    diagram = PlaneSites(sites, BOX).diagram(weights)
    fresh = np.vstack([rng.random((25, 2)), 3.0 * rng.random((5, 2)) - 1.0])
    target = np.full(30, share / 200)
    raised = diagram.insert(fresh, target)
    for k in range(10):
        together = PlaneSites(np.vstack([sites, fresh[k]]), BOX).diagram(
            np.append(weights, raised[k, 0]), np.append(np.zeros(200), raised[k, 1])
        )
        assert 0.99 * target[k] <= together.masses[-1] <= 1.01 * target[k]


def test_insertion_far_from_the_vertex_where_the_walk_ends():
    # Seen from there the cell between twins is off by 1e-17, in a weight that needs 1e-21.
    x, third = 0.00048828125, 1 / 3
    sites = np.array(
        [
            (0.00033, 0.83333),
            (0.00016, 0.833),
            (x, 0.8333333333333331),
            (x, 0.8333333333333334),
            (0.00065, 1),
            (0.00048828, 2 * third),
            (0.00065, 0.5),
        ]
    )
    weights = np.array(
        [
            -0.00038,
            -0.00014,
            -0.0006796679862968248,
            -0.0006796679862967813,
            -0.015,
            -0.00811,
            0.024,
        ]
    )
    twin = np.array([(0.00048828124999999973, 0.8333333333333336)])
    raised = PlaneSites(sites, BOX).diagram(weights).insert(twin, np.array([6e-8]))
    together = PlaneSites(np.vstack([sites, twin]), BOX).diagram(
        np.append(weights, raised[0, 0]), np.append(np.zeros(7), raised[0, 1])
    )
    assert 0.99 * 6e-8 <= together.masses[-1] <= 1.01 * 6e-8


def test_insertion_of_mass_zero_touches():
    rng = np.random.default_rng(3)
    sites, weights = rng.random((50, 2)), np.zeros(50)
    fresh = rng.random((20, 2))
    touching = PlaneSites(sites, BOX).diagram(weights).insert(fresh, np.zeros(20))
    for k in range(20):
        both = PlaneSites(np.vstack([sites, fresh[k]]), BOX)
        below, above = (
            both.diagram(np.append(weights, touching[k, 0] + change)) for change in (-1e-12, 1e-12)
        )
        assert below.empty[-1]
        assert 0.0 < above.masses[-1] < 1e-12


def test_crowded_sites_inserted_together_all_keep_a_cell():
    # areas met to within a factor only let neighbours 1e-9 apart bury one another
    rng = np.random.default_rng(7)
    sites = rng.random((100, 2))
    crowd = sites[3] + 1e-9 * rng.random((12, 1)) * (0.6, 0.8) + 1e-7
    diagram = PlaneSites(sites, BOX).diagram(np.zeros(100))
    raised = diagram.insert(crowd, np.full(12, 1e-3))
    both = PlaneSites(np.vstack([sites, crowd]), BOX).diagram(
        np.append(np.zeros(100), raised[:, 0]), np.append(np.zeros(100), raised[:, 1])
    )
    assert not both.empty[100:].any()


def test_insertion_leaves_out_the_site_it_replaces():
    rng = np.random.default_rng(4)
    sites, weights = rng.random((100, 2)), np.zeros(100)
    weights[:5] = -0.1
    diagram = PlaneSites(sites, BOX).diagram(weights)
    hidden = np.flatnonzero(diagram.empty)
    assert hidden.size
    raised = diagram.insert(sites[hidden], np.full(hidden.size, 1e-3), hidden)
    for i, (hi, lo) in zip(hidden, raised, strict=True):
        changed, low = weights.copy(), np.zeros(100)
        changed[i], low[i] = hi, lo
        mass = PlaneSites(sites, BOX).diagram(changed, low).masses[i]
        assert 0.99e-3 <= mass <= 1.01e-3


def test_insertion_beside_a_hub_meets_the_wanted_mass():
    # measured against the hub's first neighbours, wherever they lie, masses were 50 times too small
    n = 2000
    angle = 2.0 * np.pi * np.arange(n) / n
    circle = 0.5 + 0.3 * np.column_stack([np.cos(angle), np.sin(angle)])
    sites, weights = np.vstack([circle, [(0.5, 0.5)]]), np.append(np.zeros(n), 0.05)
    plane = PlaneSites(sites, BOX)
    turn = np.random.default_rng(8).random(10) * 2.0 * np.pi
    fresh = 0.5 + 0.38 * np.column_stack([np.cos(turn), np.sin(turn)])
    raised = plane.diagram(weights).insert(fresh, np.full(10, 1e-9))
    for k in range(10):
        together = PlaneSites(np.vstack([sites, fresh[k]]), BOX).diagram(
            np.append(weights, raised[k, 0]), np.append(np.zeros(n + 1), raised[k, 1])
        )
        assert 0.99e-9 <= together.masses[-1] <= 1.01e-9


def test_insertion_around_a_hub_takes_linear_time():
    def insert(n):
        angle = 2.0 * np.pi * np.arange(n) / n
        circle = 0.5 + 0.3 * np.column_stack([np.cos(angle), np.sin(angle)])
        diagram = PlaneSites(np.vstack([circle, [(0.5, 0.5)]]), BOX).diagram(
            np.append(np.zeros(n), 0.05)
        )
        fresh = 0.5 + 0.3 * (np.random.default_rng(0).random((n, 2)) - 0.5)
        diagram.insert(fresh, np.full(n, 1e-8))

    # with the hub's cell anew for every point it is 16
    assert growth(insert, 3000) < 8


def test_insertion_does_not_depend_on_threads():
    rng = np.random.default_rng(5)
    diagram = PlaneSites(rng.random((3000, 2)), BOX).diagram(np.zeros(3000))
    fresh, target = rng.random((20000, 2)), np.full(20000, 1e-5)
    assert_array_equal(
        diagram.insert(fresh, target), diagram.insert(fresh, target, threads=2), strict=True
    )
