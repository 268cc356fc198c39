"""The textbook's damped Newton method on exact cells: slow, for few sites, right to 20 digits.

Kitagawa, Merigot and Thibert (arXiv 1603.05579): start where no cell is empty, solve the linear
system for the masses that are missing, and halve the step until no cell is smaller than a floor
and the error decreases. Weights are sums of four doubles, cells are those of
``oracles.ExactDiagram``, the linear system is eliminated in decimals: two sites may be an ulp
apart, and masses differ by dozens of decades.

Nothing here imports the package.
"""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
from oracles import UNIT_SQUARE, ExactDiagram, expansion

# Doubles in a weight: 212 binary digits, where the distance of twins takes 106.
_TERMS = 4
_DIGITS = 90


class NotConverged(ArithmeticError):
    """Damped to a crawl, as by cells far smaller than the masses, or out of digits."""


def textbook_newton(sites, target_masses=None, polygon=UNIT_SQUARE, *, tol=1e-20, max_iter=400):
    """Weights of the optimal map, and W2^2.

    Parameters
    ----------
    sites : (n, 2) array
        Distinct.
    target_masses : (n,) array, optional
        Positive; divided by their sum. Equal by default.
    polygon : (m, 2) array
        Convex, counter-clockwise.
    tol : float
        Largest relative error of a mass.
    max_iter : int

    Returns
    -------
    weights : (n, 4) array
        Unevaluated sums.
    cost : float
        W2^2.

    Raises
    ------
    NotConverged
    """
    sites, polygon = np.asarray(sites, dtype=float), np.asarray(polygon, dtype=float)
    n = len(sites)
    target_masses = np.full(n, 1.0) if target_masses is None else target_masses
    target = [Fraction(float(v)) for v in target_masses]
    target = [v / sum(target) for v in target]
    assert min(target) > 0
    y = [(Fraction(a), Fraction(b)) for a, b in sites.tolist()]
    weights = _all_cells_open(sites, y, polygon)
    diagram, masses = _measure(sites, weights, polygon)
    floor = min(*masses, *target) / 2
    assert floor > 0
    for _ in range(max_iter):
        missing = [a - b for a, b in zip(target, masses, strict=True)]
        if max(abs(r) / v for r, v in zip(missing, target, strict=True)) <= tol:
            return diagram.weights, diagram.kantorovich(target_masses)
        direction = _direction(diagram, sites, missing)
        error = sum(map(abs, missing))
        step = Fraction(1)
        while True:
            if step < 2.0**-200:
                raise NotConverged("no step is acceptable")
            trial = [w + step * d for w, d in zip(weights, direction, strict=True)]
            diagram, masses = _measure(sites, trial, polygon)
            left = sum(abs(a - b) for a, b in zip(target, masses, strict=True))
            if min(masses) >= floor and left <= (1 - step / 2) * error:
                break
            step /= 2
        weights = trial
    raise NotConverged(f"not converged in {max_iter} steps, error {float(left):.2e}")


def _all_cells_open(sites, y, polygon):
    """Weights whose cells are those of the sites, shrunk into the domain, without weights."""
    centre = polygon.mean(axis=0)
    edges = np.roll(polygon, -1, axis=0) - polygon
    away = centre - polygon
    across = edges[:, 0] * away[:, 1] - edges[:, 1] * away[:, 0]
    room = float((across / np.hypot(*edges.T)).min())
    middle = sites.mean(axis=0)
    reach = float(np.hypot(*(sites - middle).T).max()) or 1.0
    # A power of two, by which the division is exact.
    scale = Fraction(2) ** math.floor(math.log2(room / reach) - 0.5)
    cx, cy, mx, my = map(Fraction, (*centre.tolist(), *middle.tolist()))
    weights = []
    for a, b in y:
        u, v = cx + scale * (a - mx), cy + scale * (b - my)
        weights.append(a * a + b * b - (u * u + v * v) / scale)
    return weights


def _measure(sites, weights, polygon):
    parts = np.array([expansion(w, _TERMS) for w in weights])
    diagram = ExactDiagram(sites, parts, polygon)
    return diagram, diagram.fixed_masses()


def _direction(diagram, sites, missing):
    """Solve the Laplacian of the facets over twice the distances; the first weight stays."""
    n = len(sites)
    with localcontext() as context:
        context.prec = _DIGITS
        rows = [[Decimal(0)] * n for _ in range(n)]
        for (i, j), length in diagram.facets.items():
            distance = float(np.hypot(*(sites[i] - sites[j])))
            rate = Decimal(length) / (2 * Decimal(distance) * Decimal(diagram.area))
            rows[i][j] = rows[j][i] = -rate
            rows[i][i] += rate
            rows[j][j] += rate
        right = [Decimal(r.numerator) / Decimal(r.denominator) for r in missing]
        for k in range(n - 1, 0, -1):
            for i in range(1, k):
                factor = rows[i][k] / rows[k][k]
                right[i] -= factor * right[k]
                for j in range(1, k):
                    rows[i][j] -= factor * rows[k][j]
        solution = [Decimal(0)] * n
        for i in range(1, n):
            known = sum((rows[i][j] * solution[j] for j in range(1, i)), Decimal(0))
            solution[i] = (right[i] - known) / rows[i][i]
    return [Fraction(v) for v in solution]
