"""Small problems whose results are known: samples, a diagram, a solve."""

from __future__ import annotations

import numpy as np

from geomot._core.montecarlo import ExactSites
from geomot.diagnostics._arithmetic import Finding
from geomot.diagram import PowerDiagram
from geomot.solver import solve

__all__ = ["samples", "solves"]

# Relative error of masses of a lattice by rounding.
_MASS_ROUNDING = 1e-13
_LATTICE_SIDE = 10  # sites along a side of a lattice


def samples() -> Finding:
    """Check that samples go to the site of the largest score, bit for bit.

    A score is a sum of products, each rounded. On a lattice of sites and points most scores are
    equal but for rounding, so that any other arithmetic chooses other sites.
    """
    d = 3
    axis = np.arange(_LATTICE_SIDE) / (0.7 * _LATTICE_SIDE) - 0.7
    sites = np.stack(np.meshgrid(*[axis] * d, indexing="ij"), axis=-1).reshape(-1, d)
    points = sites[::3] + 0.5 * (axis[1] - axis[0])
    heights = -0.5 * np.square(sites).sum(axis=1)
    heights -= heights.max()
    scores = np.broadcast_to(heights, (len(points), len(sites)))
    for k in range(d):
        product = points[:, k, None] * sites[:, k]
        scores = scores + product
    found = ExactSites(sites).under(heights).largest(points, np.zeros(d), 1.0)
    wrong = int((found != scores.argmax(axis=1)).sum())
    return len(points), [f"{wrong} of {len(points)} samples go to another site."] if wrong else []


def solves() -> Finding:
    """Check the masses of a lattice, and a solve of known cost."""
    failures = []
    corners = (np.arange(_LATTICE_SIDE) + 0.5) / _LATTICE_SIDE
    sites = np.stack(np.meshgrid(corners, corners, indexing="ij"), axis=-1).reshape(-1, 2)
    masses = PowerDiagram(sites).masses
    if not np.allclose(masses, 1 / _LATTICE_SIDE**2, rtol=_MASS_ROUNDING, atol=0.0):
        failures.append("The cells of a square lattice do not have equal masses.")
    solution = solve([(0.25, 0.5), (0.75, 0.5)], [0.3, 0.7])
    cost = 149 / 1200  # of the halves of the square on both sides of x = 0.3
    lower, upper = solution.bracket
    if not (solution.converged and lower <= cost <= upper):
        failures.append(f"A map of cost {cost:.6f} has the bracket [{lower:.9f}, {upper:.9f}].")
    return 2, failures
