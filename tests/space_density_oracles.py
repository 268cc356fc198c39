"""Slow, obvious, exact integrals over power cells in space of densities that are linear on pieces.

Rational arithmetic throughout; only areas of facets are rounded, at the end. Nothing here imports
the package.

The mass of cell i is the integral of the density over it, divided by that over all pieces. A facet
between cells i and j has the mean of what the density integrates to on both sides of it, where it
jumps; outside of the pieces it is 0.
"""

from __future__ import annotations

from copy import copy
from fractions import Fraction

import numpy as np
from space_oracles import Polyhedron, cross, det3, dot, exact, minus


def grid_pieces(values, edges):
    """Boxes with constant densities, from the masses (or any multiples) of voxels.

    Parameters
    ----------
    values : (l, m, n) array
    edges : three arrays
        Planes between the voxels and the ends, along each axis.
    """
    pieces = []
    edges = [exact(along) for along in edges]
    for index, value in np.ndenumerate(values):
        rows, size = [], Fraction(1)
        for k, (along, at) in enumerate(zip(edges, index, strict=True)):
            unit = [Fraction(j == k) for j in range(3)]
            rows.append(([-x for x in unit], -along[at]))
            rows.append((unit, along[at + 1]))
            size *= along[at + 1] - along[at]
        pieces.append((rows, Fraction(float(value)) / size, [Fraction(0)] * 3))
    return pieces


def mesh_pieces(points, simplices, values, planes=None):
    """Tetrahedra with linear densities.

    `planes` are the half-spaces of each, arrays of shape (k, 4), in place of those of its faces:
    rounded ones.
    """
    pieces = []
    places, heights = exact(points), exact(values)
    for number, tet in enumerate(np.asarray(simplices).tolist()):
        corners = [places[k] for k in tet]
        rows = []
        for k in range(4):
            a, b, c = (corners[j] for j in range(4) if j != k)
            normal = cross(minus(b, a), minus(c, a))
            if dot(normal, corners[k]) > dot(normal, a):
                normal = [-x for x in normal]
            rows.append((normal, dot(normal, a)))
        if planes is not None:
            rows = [(row[:3], row[3]) for row in exact(planes[number])]
        edges = [minus(corner, corners[0]) for corner in corners[1:]]
        rises = [heights[k] - heights[tet[0]] for k in tet[1:]]
        gradient = solve3(edges, rises)
        pieces.append((rows, heights[tet[0]] - dot(gradient, corners[0]), gradient))
    return pieces


def solve3(rows, right):
    det = det3(*rows)
    columns = list(zip(*rows, strict=True))
    return [
        det3(*[right if j == k else column for j, column in enumerate(columns)]) / det
        for k in range(3)
    ]


class DensityOracle:
    """Power diagram under a density, exactly.

    Parameters
    ----------
    pieces : list of (rows, constant, gradient)
        A convex polyhedron {x : normal.x <= offset for all (normal, offset) in rows} and the
        density constant + gradient.x there.
    sites : (n, 3) array
    weights : None, (n,) or (n, 2) array

    Attributes
    ----------
    masses, costs : (n,) arrays
    centroids : (n, 3) array
    reached : (n,) array of bool
        Whether the cell has an interior in some piece.
    facets : dict from (i, j), i < j, to the measure of the border
    """

    def __init__(self, pieces, sites, weights=None):
        y = exact(sites)
        n = len(y)
        w = np.zeros(n) if weights is None else np.asarray(weights, dtype=float)
        w = [sum(row) if isinstance(row, list) else row for row in exact(w)]
        far = max(abs(row[1]) / max(map(abs, row[0])) for rows, _, _ in pieces for row in rows)
        masses, firsts, costs = [Fraction(0)] * n, [[Fraction(0)] * 3] * n, [Fraction(0)] * n
        self.reached = np.zeros(n, dtype=bool)
        borders: dict[tuple[int, int], float] = {}
        for i in range(n):
            cell = Polyhedron(Fraction(8) * max(1, far))
            alive = True
            for j in range(n):
                if j == i or not alive:
                    continue
                d = minus(y[j], y[i])
                if not any(d):
                    alive = (w[i], -i) > (w[j], -j)
                    continue
                alive = cell.clip(d, (dot(d, d) + w[i] - w[j]) / 2 + dot(d, y[i]), j)
            if not alive:
                continue
            for rows, constant, gradient in pieces:
                part = copy(cell)
                part.faces = [(set(labels), unit, face) for labels, unit, face in cell.faces]
                if not all(part.clip(normal, offset, None) for normal, offset in rows):
                    continue
                self.reached[i] = True
                mass, first, cost = linear_moments(part, y[i], constant, gradient)
                masses[i] += mass
                firsts[i] = [f + g for f, g in zip(firsts[i], first, strict=True)]
                costs[i] += cost
                for labels, along in facet_integrals(part, constant, gradient):
                    for j in labels:
                        if j is not None:
                            pair = min(i, j), max(i, j)
                            borders[pair] = borders.get(pair, 0.0) + 0.5 * along
        self.total = sum(masses)
        self.masses = np.array([float(mass / self.total) for mass in masses])
        self.costs = np.array([float(cost / self.total) for cost in costs])
        self.centroids = np.array(
            [
                [float(f / mass + c) if mass else np.nan for f, c in zip(first, site, strict=True)]
                for first, mass, site in zip(firsts, masses, y, strict=True)
            ]
        )
        self.facets = {
            pair: along / float(self.total) for pair, along in borders.items() if along > 0.0
        }


def linear_moments(part, y, constant, gradient):
    """Integrals of the density times 1, x - y and |x - y|^2."""
    mass, first, cost = Fraction(0), [Fraction(0)] * 3, Fraction(0)
    apex = part.faces[0][2][0]
    for _, _, face in part.faces:
        for b, c in zip(face[1:], face[2:], strict=False):
            corners = (apex, face[0], b, c)
            tet = [minus(p, y) for p in corners]
            f = [constant + dot(gradient, p) for p in corners]
            size = abs(det3(*[minus(p, tet[0]) for p in tet[1:]])) / 6
            x = [sum(p[k] for p in tet) for k in range(3)]
            fx = [sum(h * p[k] for h, p in zip(f, tet, strict=True)) for k in range(3)]
            mass += size * sum(f) / 4
            first = [s + size * (sum(f) * a + b) / 20 for s, a, b in zip(first, x, fx, strict=True)]
            cost += (
                size
                * (
                    sum(f) * (dot(x, x) + sum(dot(p, p) for p in tet))
                    + 2 * dot(x, fx)
                    + 2 * sum(h * dot(p, p) for h, p in zip(f, tet, strict=True))
                )
                / 120
            )
    return mass, first, cost


def facet_integrals(part, constant, gradient):
    """Labels of each face, and the integral of the density over it."""
    for labels, _, face in part.faces:
        total = [Fraction(0)] * 3
        for b, c in zip(face[1:], face[2:], strict=False):
            mean = sum(constant + dot(gradient, p) for p in (face[0], b, c)) / 3
            turn = cross(minus(b, face[0]), minus(c, face[0]))
            total = [s + mean * t for s, t in zip(total, turn, strict=True)]
        yield labels, float(dot(total, total)) ** 0.5 / 2


def compare(diagram, oracle, *, relative=1e-12, facets=1e-11, places=1e-13):
    """Assert that a diagram has these measures, masses and costs relative to themselves."""
    held = oracle.masses > 0.0
    np.testing.assert_array_equal(diagram.masses[~held], 0.0)
    np.testing.assert_array_equal(np.isnan(diagram.centroids[:, 0]), ~held)
    np.testing.assert_allclose(diagram.masses[held], oracle.masses[held], rtol=relative)
    np.testing.assert_allclose(diagram.costs[held], oracle.costs[held], rtol=10.0 * relative)
    size = np.abs(diagram.source.bounds).max()
    np.testing.assert_allclose(
        diagram.centroids[held], oracle.centroids[held], rtol=0.0, atol=places * size
    )
    pairs = map(tuple, diagram.facets.sites.tolist())
    found = dict(zip(pairs, diagram.facets.measures.tolist(), strict=True))
    most = max(found.values(), default=0.0)
    for pair in set(found) | set(oracle.facets):
        mine, theirs = found.get(pair, 0.0), oracle.facets.get(pair, 0.0)
        assert abs(mine - theirs) <= facets * theirs + 1e-14 * most, (pair, mine, theirs)
