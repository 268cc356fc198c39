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


def textbook_newton(
    sites, target_masses=None, polygon=UNIT_SQUARE, *, tol=1e-20, max_iter=400, start=None
):
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
    start : (n, k) array, optional
        Weights near the solution, as unevaluated sums; cells that are empty are opened.

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
    if start is None:
        weights = _all_cells_open(sites, y, polygon)
    else:
        weights = [sum(map(Fraction, row)) for row in np.asarray(start).tolist()]
        weights = _opened(sites, weights, target, polygon)
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


def _opened(sites, weights, target, polygon):
    """The weights, those of empty cells raised to about their masses, by bisection."""
    for _ in range(2 * len(weights)):
        diagram, masses = _measure(sites, weights, polygon)
        shut = [i for i, mass in enumerate(masses) if mass < target[i] / 2**40]
        if not shut:
            return weights
        i = max(shut, key=target.__getitem__)
        weights[i] = _raised(diagram, i, weights, target[i] / 2)
    raise NotConverged("cells take one another's place")


def _raised(diagram, i, weights, wanted):
    """The weight at which cell i has a mass of at least `wanted`, and at most twice that."""
    step = Fraction(max(map(abs, weights))) / 2**110 or Fraction(1, 2**200)
    low = weights[i]
    while diagram.mass_at(i, low + step) < wanted:
        low += step
        step *= 2
    high = low + step
    for _ in range(400):
        middle = (low + high) / 2
        mass = diagram.mass_at(i, middle)
        if wanted <= mass <= 2 * wanted:
            return middle
        low, high = (middle, high) if mass < wanted else (low, middle)
    raise NotConverged("a cell does not open")


def _measure(sites, weights, polygon):
    parts = np.array([expansion(w, _TERMS) for w in weights])
    diagram = ExactDiagram(sites, parts, polygon)
    return diagram, diagram.fixed_masses()


def _direction(diagram, sites, missing):
    """Solve the Laplacian of the facets over twice the distances; the first weight stays."""
    n = len(sites)
    with localcontext() as context:
        context.prec = _DIGITS
        links = [{} for _ in range(n)]
        for (i, j), length in diagram.facets.items():
            distance = float(np.hypot(*(sites[i] - sites[j])))
            rate = Decimal(length) / (2 * Decimal(distance) * Decimal(diagram.area))
            if rate > 0:
                links[i][j] = links[j][i] = rate
        right = [Decimal(r.numerator) / Decimal(r.denominator) for r in missing]
        # Few links first; the vertices that remain are linked by what went through this one.
        left = set(range(1, n))
        gone = []
        while left:
            k = min(left, key=lambda v: (len(links[v]), v))
            left.remove(k)
            total = sum(links[k].values(), Decimal(0))
            if total == 0:
                raise NotConverged("the cells are not connected")
            gone.append((k, total, links[k]))
            for i, a in links[k].items():
                del links[i][k]
                right[i] += a / total * right[k]
                for j, b in links[k].items():
                    if i < j:
                        links[i][j] = links[j][i] = links[i].get(j, Decimal(0)) + a * b / total
        solution = [Decimal(0)] * n
        for k, total, across in reversed(gone):
            inflow = sum((rate * solution[i] for i, rate in across.items()), right[k])
            solution[k] = inflow / total
    return [Fraction(v) for v in solution]
