"""Filters bound what they are said to bound."""

from __future__ import annotations

from fractions import Fraction

import filter_bounds
import numpy as np
import pytest
from geomot._core.plane.cells import _bisector_about, _edge_about

ROWS = {name: (derived, written) for name, _, derived, written in filter_bounds.table()}

# What an offset may be off by, relative to the size of its line.
OFFSET_ERROR = (1 + filter_bounds.ROUNDOFF) ** filter_bounds.OFFSET.roundings - 1


@pytest.mark.parametrize("name", ROWS)
def test_no_bound_is_smaller_than_the_derived_one(name):
    derived, written = ROWS[name]
    assert derived <= written


def test_every_bound_of_the_kernels_is_derived():
    files = ("predicates.pxd", "plane/cells.pxd", "space/predicates.pxd", "space/cells.pxd")
    for path in ("_core/" + name for name in files):
        for line in filter_bounds.read(path).splitlines():
            if line.lstrip().startswith("const double") and "_BOUND" in line:
                assert line.split()[2] in ROWS


def bisector(p, q, shift):
    """Offset about p + shift, exactly."""
    (px, py, ph, pl), (qx, qy, qh, ql) = ([Fraction(v) for v in site] for site in (p, q))
    dx, dy = qx - px, qy - py
    sx, sy = map(Fraction, shift)
    return (dx * (dx - 2 * sx) + dy * (dy - 2 * sy) + ph + pl - qh - ql) / 2


def edge(ends, p, shift):
    ax, ay, bx, by, px, py, sx, sy = map(Fraction, [*ends, *p[:2], *shift])
    return (by - ay) * (ax - px - sx) + (ax - bx) * (ay - py - sy)


def is_bounded(line, exact):
    _, _, c, size = line
    return abs(Fraction(c) - exact) <= OFFSET_ERROR * Fraction(size)


def test_offsets_where_a_frame_is_in_the_middle_of_two_sites():
    """Leading parts vanish, and what is left is of the square of the roundoff."""
    tiny = 2.0**-55
    p, q = np.array([-tiny, tiny, 0.0, 0.0]), np.array([1.0, 1.0, 0.0, 0.0])
    exact = bisector(p, q, (0.5, 0.5))
    assert exact == Fraction(2) ** -110
    assert is_bounded(_bisector_about(p, q, 0.5, 0.5), exact)


def test_offsets_of_an_edge_about_its_corner():
    tiny = 2.0**-55
    p, ends = np.array([-tiny, tiny, 0.0, 0.0]), np.array([1.0, 1.0, -tiny, 2.0 - tiny])
    for shift in ((1.0, 1.0), (1.0 + 2.0**-52, 1.0)):
        assert is_bounded(_edge_about(ends, p, *shift), edge(ends, p, shift))


@pytest.mark.parametrize("near", [0.0, 1e-17, 1e-16, 1e-10, 1e-3, 1.0])
def test_offsets_of_lines_about_shifted_frames(near):
    r = np.random.default_rng(0)
    for _ in range(1000):
        p, q = r.random((2, 4)) * [1.0, 1.0, 0.1, 1e-18]
        shift = (0.5 * (q - p)[:2] + near * r.standard_normal(2)).tolist()
        assert is_bounded(_bisector_about(p, q, *shift), bisector(p, q, shift))
        ends = r.random(4)
        shift = (ends[:2] + r.random() * (ends[2:] - ends[:2]) - p[:2]).tolist()
        assert is_bounded(_edge_about(ends, p, *shift), edge(ends, p, shift))
