"""Slow, obvious, exact answers in space, in rational arithmetic.

Nothing here imports the package.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np


def exact(array):
    """Nested lists of fractions of an array of doubles."""
    if np.ndim(array) == 0:
        return Fraction(float(array))
    return [exact(row) for row in np.asarray(array, dtype=float)]


def det3(a, b, c):
    return (
        a[0] * (b[1] * c[2] - b[2] * c[1])
        - a[1] * (b[0] * c[2] - b[2] * c[0])
        + a[2] * (b[0] * c[1] - b[1] * c[0])
    )


def minus(a, b):
    return [x - y for x, y in zip(a, b, strict=True)]


def orientation(a, b, c, d):
    """det(a - d, b - d, c - d)."""
    return det3(minus(a, d), minus(b, d), minus(c, d))


class Lifted:
    """Weighted sites, exactly.

    Parameters
    ----------
    sites : (n, 5) array
        x, y, z and the weight as hi + lo.
    """

    def __init__(self, sites):
        self.points = [row[:3] for row in exact(sites)]
        self.weights = [row[3] + row[4] for row in exact(sites)]

    def centre(self, tet):
        """The point that has one power distance to four sites, and that distance."""
        o = self.points[tet[3]]
        rows = [minus(self.points[k], o) for k in tet[:3]]
        w = self.weights
        right = [
            (sum(x * x for x in row) - w[k] + w[tet[3]]) / 2
            for row, k in zip(rows, tet[:3], strict=True)
        ]
        det = det3(*rows)
        columns = list(zip(*rows, strict=True))
        z = [
            det3(*zip(*[right if j == k else columns[j] for j in range(3)], strict=True)) / det
            for k in range(3)
        ]
        return [x + y for x, y in zip(z, o, strict=True)], sum(x * x for x in z) - w[tet[3]]

    def power(self, k, x):
        """Power distance of a point from site k."""
        return sum(d * d for d in minus(x, self.points[k])) - self.weights[k]

    def excess(self, tet):
        """By how much each site is farther from the tetrahedron's centre than its vertices."""
        x, distance = self.centre(tet)
        return [self.power(k, x) - distance for k in range(len(self.points))]


def triangulation_faults(sites, tets, ghosts=4) -> list[str]:
    """What keeps tetrahedra from being a regular triangulation of the sites, in words.

    Parameters
    ----------
    sites : (n, 5) array
        The last `ghosts` of them are the corners of the convex hull.
    tets : (k, 4) array
    """
    lifted = Lifted(sites)
    found = []
    volume = Fraction(0)
    for tet in np.asarray(tets).tolist():
        size = orientation(*[lifted.points[k] for k in tet])
        if size <= 0:
            found.append(f"{tet} is not positive")
            continue
        volume += size
        excess = lifted.excess(tet)
        below = [k for k, e in enumerate(excess) if e < 0]
        if below:
            found.append(f"{tet} has {below} below its plane")
    hull = abs(orientation(*[lifted.points[k] for k in range(len(sites) - ghosts, len(sites))]))
    if volume != hull:
        found.append(f"volumes sum to {float(volume / hull)} of the hull's")
    return found


BOX = np.array(
    [[1, 0, 0, 1], [-1, 0, 0, 0], [0, 1, 0, 1], [0, -1, 0, 0], [0, 0, 1, 1], [0, 0, -1, 0]], float
)


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def cross(a, b):
    return [a[(k + 1) % 3] * b[(k + 2) % 3] - a[(k + 2) % 3] * b[(k + 1) % 3] for k in range(3)]


def hull_of_coplanar(points, normal):
    """Corners of the convex hull of coplanar points, in order; fewer than three without area."""
    axis = max(range(3), key=lambda k: abs(normal[k]))
    u, v = [k for k in range(3) if k != axis]
    ordered = sorted(set(map(tuple, points)), key=lambda p: (p[u], p[v]))

    def chain(sequence):
        out = []
        for p in sequence:
            while len(out) >= 2 and (out[-1][u] - out[-2][u]) * (p[v] - out[-2][v]) <= (
                out[-1][v] - out[-2][v]
            ) * (p[u] - out[-2][u]):
                out.pop()
            out.append(p)
        return out[:-1]

    if len(ordered) < 3:
        return ordered
    return chain(ordered) + chain(ordered[::-1])


class Polyhedron:
    """A convex polyhedron as faces: a set of labels, a normal, and the corners in order."""

    def __init__(self, half):
        corners = [[x, y, z] for x in (-half, half) for y in (-half, half) for z in (-half, half)]
        self.faces = []
        for k in range(3):
            for sign in (-1, 1):
                normal = [Fraction(sign) if j == k else Fraction(0) for j in range(3)]
                on = [c for c in corners if c[k] == sign * half]
                self.faces.append(({None}, normal, hull_of_coplanar(on, normal)))

    def clip(self, normal, offset, label):
        """Keep normal.x <= offset; False if no interior is left."""
        corners = {c for _, _, face in self.faces for c in face}
        value = {c: dot(normal, c) - offset for c in corners}
        if not any(v < 0 for v in value.values()):
            self.faces = []
            return False
        if not any(v > 0 for v in value.values()):
            for labels, _, face in self.faces:
                if all(value[c] == 0 for c in face):
                    labels.add(label)
            return True
        kept, rim = [], []
        for labels, unit, face in self.faces:
            out = []
            for p, q in zip(face, face[1:] + face[:1], strict=True):
                if value[p] <= 0:
                    out.append(p)
                if value[p] == 0:
                    rim.append(p)
                if value[p] * value[q] < 0:
                    t = value[p] / (value[p] - value[q])
                    x = tuple(a + t * (b - a) for a, b in zip(p, q, strict=True))
                    out.append(x)
                    rim.append(x)
            out = hull_of_coplanar(out, unit)
            if len(out) >= 3:
                kept.append((labels, unit, out))
        face = hull_of_coplanar(rim, normal)
        if len(face) >= 3:
            kept.append(({label}, normal, face))
        self.faces = kept
        return True

    def moments(self, y):
        """Volume, volume times centroid, and the integral of |x - y|^2."""
        if not self.faces:
            return Fraction(0), [Fraction(0)] * 3, Fraction(0)
        apex = self.faces[0][2][0]
        volume, first, cost = Fraction(0), [Fraction(0)] * 3, Fraction(0)
        for _, _, face in self.faces:
            for b, c in zip(face[1:], face[2:], strict=False):
                tet = [minus(p, y) for p in (apex, face[0], b, c)]
                size = abs(det3(*[minus(p, tet[0]) for p in tet[1:]])) / 6
                total = [sum(p[k] for p in tet) for k in range(3)]
                volume += size
                first = [f + size * t / 4 for f, t in zip(first, total, strict=True)]
                cost += size * (sum(dot(p, p) for p in tet) + dot(total, total)) / 20
        return volume, [f + volume * v for f, v in zip(first, y, strict=True)], cost

    def areas(self):
        """Of the faces, with their labels."""
        for labels, _, face in self.faces:
            total = [Fraction(0)] * 3
            for b, c in zip(face[1:], face[2:], strict=False):
                part = cross(minus(b, face[0]), minus(c, face[0]))
                total = [s + p for s, p in zip(total, part, strict=True)]
            yield labels, float(dot(total, total)) ** 0.5 / 2


class ExactSpaceDiagram:
    """Power diagram of sites in a convex polyhedron, exactly.

    Of coincident sites the largest weight owns the cell, at equal weights the lowest index.

    Parameters
    ----------
    sites : (n, 3) array
    weights : None, (n,) or (n, 2) array
    planes : (m, 4) array
        The domain: normal.x <= offset for all rows.

    Attributes
    ----------
    volume : Fraction
    empty, masses, costs : (n,) arrays
    centroids : (n, 3) array
    facets : dict from (i, j), i < j, to the measure of the border
    """

    def __init__(self, sites, weights=None, planes=BOX):
        y = exact(sites)
        n = len(y)
        w = np.zeros(n) if weights is None else np.asarray(weights, dtype=float)
        w = [sum(row) if isinstance(row, list) else row for row in exact(w)]
        rows = exact(planes)
        domain = self.domain(rows)
        self.volume = domain.moments(y[0])[0]
        self.empty = np.ones(n, dtype=bool)
        self.masses, self.costs = np.zeros(n), np.zeros(n)
        self.centroids = np.full((n, 3), np.nan)
        self.facets: dict[tuple[int, int], float] = {}
        self.exact_masses = [Fraction(0)] * n
        for i in range(n):
            cell = self.domain(rows)
            alive = True
            for j in range(n):
                if j == i or not alive:
                    continue
                d = minus(y[j], y[i])
                if not any(d):
                    alive = (w[i], -i) > (w[j], -j)
                    continue
                offset = (dot(d, d) + w[i] - w[j]) / 2 + dot(d, y[i])
                alive = cell.clip(d, offset, j)
            if not alive:
                continue
            size, first, cost = cell.moments(y[i])
            self.empty[i] = False
            self.exact_masses[i] = size / self.volume
            self.masses[i] = float(size / self.volume)
            self.costs[i] = float(cost / self.volume)
            self.centroids[i] = [float(f / size) for f in first]
            for labels, area in cell.areas():
                for j in labels:
                    if j is not None and j >= 0:
                        self.facets[min(i, j), max(i, j)] = area / float(self.volume)
        self.facets = {
            (i, j): area
            for (i, j), area in self.facets.items()
            if not self.empty[i] and not self.empty[j]
        }

    @staticmethod
    def domain(rows):
        cell = Polyhedron(Fraction(4) * max(1, max(abs(row[3]) for row in rows)))
        for k, row in enumerate(rows):
            assert cell.clip(row[:3], row[3], -1 - k)
        return cell


def disagreements(diagram, exact_diagram, *, relative=1e-11, tiny=0.0) -> list[str]:
    """Where a diagram differs from the oracle, in words; measures up to `tiny` may be rounding."""
    e, found = exact_diagram, []
    if not np.array_equal(diagram.empty, e.empty):
        wrong = np.flatnonzero(diagram.empty != e.empty)
        return [f"emptiness of {wrong.tolist()}: masses {e.masses[wrong]}"]
    there = ~e.empty
    for name in ("masses", "costs"):
        mine, theirs = getattr(diagram, name)[there], getattr(e, name)[there]
        off = np.abs(mine - theirs) > relative * np.abs(theirs) + tiny
        if off.any():
            k = np.flatnonzero(off)[0]
            found.append(f"{name} of {np.flatnonzero(there)[k]}: {mine[k]!r} exact {theirs[k]!r}")
    if not (diagram.masses[e.empty] == 0).all() or not (diagram.masses[there] > 0).all():
        found.append("masses and emptiness disagree")
    shift = np.abs(diagram.centroids - e.centroids)[there]
    size = float(np.abs(np.append(e.centroids[there], 1.0)).max())
    if not (shift[e.masses[there] > tiny] <= 1e-13 * size).all():
        found.append(f"a centroid is off by {shift.max()}")
    pairs = map(tuple, diagram.facets.sites.tolist())
    mine = dict(zip(pairs, diagram.facets.measures.tolist(), strict=True))
    if set(mine) != set(e.facets):
        found.append(f"facets {set(mine) - set(e.facets)} and {set(e.facets) - set(mine)}")
    for pair in set(mine) & set(e.facets):
        if not abs(mine[pair] - e.facets[pair]) <= relative * e.facets[pair] + 1e-16 + tiny:
            found.append(f"facet {pair}: {mine[pair]!r} exact {e.facets[pair]!r}")
    return found
