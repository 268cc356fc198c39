"""Outlines of cells whose parts meet along lines where one of them has no corner."""

from __future__ import annotations

import numpy as np

import geomot


def area(ring):
    x, y = ring.T
    return 0.5 * np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)


def test_an_l_is_one_curve():
    corner = geomot.UniformPolygon([(0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2)])
    (ring,) = geomot.PowerDiagram([(1.0, 1.0)], None, corner).cells.outlines(0)
    assert len(ring) == 6
    assert area(ring) == 3.0


def test_stars_of_one_cell_are_one_curve():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        angles = 2 * np.pi * (np.arange(12) + 0.8 * rng.random(12)) / 12
        star = (0.3 + 0.7 * rng.random(12))[:, None] * np.c_[np.cos(angles), np.sin(angles)]
        (ring,) = geomot.PowerDiagram(
            [(0.1, 0.2)], None, geomot.UniformPolygon(star)
        ).cells.outlines(0)
        assert abs(area(ring) - area(star)) <= 1e-14
        assert len(ring) == 12
