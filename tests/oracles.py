"""Slow, obvious, exact answers to compare the package with.

The power diagram of a few hundred sites in a convex polygon, in integers. A double is an
integer times a power of two, so sites, domain and weights (hi + lo pairs) are read exactly onto
one common scale. Each cell is the domain clipped by the bisector with every other site:

* a bisector is an integer line a x + b y <= c, in the frame of the cell's own site;
* a vertex is the intersection of two such lines, in homogeneous coordinates (X, Y, W), W > 0,
  so numbers do not grow with the number of cuts and every sign is decided exactly;
* a cell is empty when a cut leaves no interior: then its area is exactly 0.

A measure is a sum of positive terms, each the correctly rounded quotient of two integers
(triangles of a fan; no cancellation), hence good to a few units in the last place.
``ExactDiagram.exact_areas`` gives the areas as fractions for what needs more than that.

Nothing here imports the package.
"""

from __future__ import annotations

from fractions import Fraction
from math import fsum, hypot

import numpy as np

UNIT_SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])

# Below this many sites clipping by all bisectors is faster than looking for harmless ones.
_PRUNE_FROM = 80
# Rounding of one filter value in `_ExactCell.clip_pruned`: at most 8 operations deep.
_FILTER_ROUNDING = 16 * np.finfo(float).eps
# Binary places of areas that are summed: those of all cells have no small common denominator.
_FIXED = 256


def pair(weights, n: int) -> np.ndarray:
    """Weights as hi + lo pairs, or longer sums.

    Parameters
    ----------
    weights : None, (n,) or (n, k) array
    n : int

    Returns
    -------
    (n, k) array, k >= 2
    """
    if weights is None:
        return np.zeros((n, 2))
    weights = np.asarray(weights, dtype=float)
    if weights.ndim == 1:
        weights = np.column_stack([weights, np.zeros_like(weights)])
    assert weights.ndim == 2 and len(weights) == n and weights.shape[1] >= 2
    return weights


def expansion(value: Fraction, terms: int) -> list[float]:
    """The doubles whose sum is nearest to a fraction, term by term."""
    parts = []
    for _ in range(terms):
        parts.append(float(value))
        value -= Fraction(parts[-1])
    return parts


def strictly_convex(polygon) -> bool:
    """Whether a polygon turns left at every corner, decided exactly.

    Parameters
    ----------
    polygon : (m, 2) array

    Returns
    -------
    bool
    """
    p = [(Fraction(x), Fraction(y)) for x, y in np.asarray(polygon, dtype=float).tolist()]
    n = len(p)
    turns = []
    for k in range(n):
        (ax, ay), (bx, by), (cx, cy) = p[k], p[(k + 1) % n], p[(k + 2) % n]
        turns.append((bx - ax) * (cy - by) - (by - ay) * (cx - bx) > 0)
    return all(turns)


def _bits(values) -> int:
    """Binary digits after the point that all the values need."""
    return max((float(v).as_integer_ratio()[1].bit_length() - 1 for v in values), default=0)


def _integer(value: float, bits: int) -> int:
    """value * 2**bits, exactly."""
    numerator, denominator = float(value).as_integer_ratio()
    shift = bits - (denominator.bit_length() - 1)
    assert shift >= 0
    return numerator << shift


def _cross(first, second):
    """Homogeneous intersection of the lines a x + b y = c."""
    a1, b1, c1 = first
    a2, b2, c2 = second
    w = a1 * b2 - a2 * b1
    x = c1 * b2 - c2 * b1
    y = a1 * c2 - a2 * c1
    return (x, y, w) if w > 0 else (-x, -y, -w)


class _ExactCell:
    """A convex polygon in the frame of one site, clipped in place.

    Edge k runs from vertex k to vertex k + 1 and lies on line k; labels[k] are all the sites
    (or -1 - e: edge e of the domain) whose line contains that edge.
    """

    def __init__(self, corners, site):
        self.vertices = [(x - site[0], y - site[1], 1) for x, y in corners]
        self.lines = []
        for k, (px, py, _) in enumerate(self.vertices):
            qx, qy, _ = self.vertices[(k + 1) % len(self.vertices)]
            a, b = qy - py, px - qx
            self.lines.append((a, b, a * px + b * py))
        self.labels = [[-1 - k] for k in range(len(corners))]
        self.zeros = 0

    def clip(self, line, label) -> bool:
        """Keep a x + b y <= c. False if no interior is left."""
        a, b, c = line
        vertices = self.vertices
        signs = [c * w - a * x - b * y for x, y, w in vertices]
        lowest = min(signs)
        if lowest > 0:
            return True
        self.zeros += signs.count(0)
        n = len(signs)
        if lowest == 0:
            for k in range(n):
                if signs[k] == 0 and signs[(k + 1) % n] == 0:
                    self.labels[k].append(label)
            return True
        if max(signs) <= 0:
            self.vertices, self.lines, self.labels = [], [], []
            return False
        new_vertices, new_lines, new_labels = [], [], []
        for k in range(n):
            here, there = signs[k], signs[(k + 1) % n]
            if here > 0 or (here == 0 and there >= 0):
                new_vertices.append(vertices[k])
                new_lines.append(self.lines[k])
                new_labels.append(self.labels[k])
                if here > 0 and there < 0:
                    new_vertices.append(_cross(self.lines[k], line))
                    new_lines.append(line)
                    new_labels.append([label])
            elif here == 0:
                new_vertices.append(vertices[k])
                new_lines.append(line)
                new_labels.append([label])
            elif there > 0:
                new_vertices.append(_cross(self.lines[k], line))
                new_lines.append(self.lines[k])
                new_labels.append(self.labels[k])
        self.vertices, self.lines, self.labels = new_vertices, new_lines, new_labels
        return True


class ExactDiagram:
    """Power diagram of sites in a convex polygon, exactly.

    Cell i is where |x - y_i|^2 - w_i is least. Of coincident sites the largest weight owns the
    cell, at equal weights the lowest index. The density is uniform with total mass 1.

    Parameters
    ----------
    sites : (n, 2) array
    weights : None, (n,) or (n, k) array
        The unevaluated sums of k doubles, hi + lo for k = 2, read exactly.
    polygon : (m, 2) array
        Strictly convex, counter-clockwise.
    prune : bool, optional
        Leave out bisectors that a rigorous floating filter shows to miss the cell. The result
        is the same; default: for many sites.

    Attributes
    ----------
    empty : (n,) bool array
    areas, masses, costs : (n,) arrays
        costs are int over the cell of |x - y_i|^2 for the density of total mass 1.
    centroids : (n, 2) array, NaN where empty
    facets : dict (i, j) -> length, i < j, cells of positive area only
    area : float, of the domain
    zeros : int
        How often a vertex lay exactly on a bisector: the number of degeneracies met.
    """

    def __init__(self, sites, weights=None, polygon=UNIT_SQUARE, *, prune=None):
        sites = np.asarray(sites, dtype=float)
        n = len(sites)
        weights = pair(weights, n)
        polygon = np.asarray(polygon, dtype=float)
        bits = max(_bits(sites.ravel()), _bits(polygon.ravel()))
        bits = max(bits, (_bits(weights.ravel()) + 1) // 2)
        self.n = n
        self.sites = sites
        self.weights = weights
        self.polygon = polygon
        self._bits = bits
        self._y = [(_integer(x, bits), _integer(y, bits)) for x, y in sites.tolist()]
        self._w = [sum(_integer(part, 2 * bits) for part in row) for row in weights.tolist()]
        self._corners = [(_integer(x, bits), _integer(y, bits)) for x, y in polygon.tolist()]
        self._twice_area = sum(
            p[0] * q[1] - p[1] * q[0]
            for p, q in zip(self._corners, self._corners[1:] + self._corners[:1], strict=True)
        )
        assert self._twice_area > 0, "the polygon must be counter-clockwise"
        self.exact_area = Fraction(self._twice_area, 2 << (2 * bits))
        self.area = float(self.exact_area)
        prune = n >= _PRUNE_FROM if prune is None else prune
        self._owner = self._owners()
        self._seen = {}
        self._cells = [self._cell(i, prune) for i in range(n)]
        self.zeros = sum(cell.zeros for cell in self._cells)
        self.empty = np.array([not cell.vertices for cell in self._cells], dtype=bool)
        self._measure()

    def _owners(self):
        """The site of each location that owns the cell."""
        owner = {}
        for i, y in enumerate(self._y):
            if y not in owner or self._w[i] > self._w[owner[y]]:
                owner[y] = i
        return owner

    def _line(self, i, j):
        """The bisector of i and j in the frame of site i: kept where a x + b y <= c."""
        dx = self._y[j][0] - self._y[i][0]
        dy = self._y[j][1] - self._y[i][1]
        return 2 * dx, 2 * dy, dx * dx + dy * dy + self._w[i] - self._w[j]

    def _cell(self, i, prune, corners=None):
        cell = _ExactCell(self._corners if corners is None else corners, self._y[i])
        if self._owner[self._y[i]] != i:
            cell.vertices, cell.lines, cell.labels = [], [], []
            return cell
        if prune:
            self._clip_pruned(cell, i)
            return cell
        for j in self._owner.values():
            if j != i and not cell.clip(self._line(i, j), j):
                break
        return cell

    def _clip_pruned(self, cell, i):
        """Clip by the worst bisector until all others certainly miss the cell.

        In doubles the differences of sites are correctly rounded, and so are the vertices in the
        site's frame: a value is wrong by at most _FILTER_ROUNDING times the sum of the
        magnitudes that enter it (and by an underflow).
        """
        others = np.array([j for j in self._owner.values() if j != i], dtype=np.int64)
        if not len(others):
            return
        d = self.sites[others] - self.sites[i]
        high = self.weights[i, 0] - self.weights[others, 0]
        low = (self.weights[i, 1:] - self.weights[others, 1:]).sum(axis=1)
        square = (d * d).sum(axis=1)
        c = square + (high + low)
        c_size = square + np.abs(high) + np.abs(self.weights[:, 1:]).sum(axis=1).max()
        length = np.sqrt(np.maximum(square, np.finfo(float).tiny))
        one = 1 << self._bits
        while len(others):
            v = np.array([(x / (w * one), y / (w * one)) for x, y, w in cell.vertices])
            value = c[:, None] - 2 * (d @ v.T)
            size = c_size[:, None] + 2 * (np.abs(d) @ np.abs(v).T)
            left = (value <= _FILTER_ROUNDING * size + 1e-290).any(axis=1)
            if not left.any():
                return
            k = int(np.argmin(np.where(left, value.min(axis=1) / length, np.inf)))
            if not cell.clip(self._line(i, int(others[k])), int(others[k])):
                return
            # A bisector that misses the cell misses what is left of it.
            left[k] = False
            others, d, c, c_size, length = (a[left] for a in (others, d, c, c_size, length))

    def _measure(self):
        n = self.n
        one = 1 << self._bits
        density = 1.0 / self.area
        self.areas = np.zeros(n)
        self.costs = np.zeros(n)
        self.centroids = np.full((n, 2), np.nan)
        self.facets = {}
        self._edges = [[] for _ in range(n)]
        for i, cell in enumerate(self._cells):
            if not cell.vertices:
                continue
            v = cell.vertices
            x0, y0, w0 = v[0]
            # From the site (for the cost) and from the first vertex (for the centroid).
            p = [(x / (w * one), y / (w * one)) for x, y, w in v]
            q = [
                ((x * w0 - x0 * w) / (w * w0 * one), (y * w0 - y0 * w) / (w * w0 * one))
                for x, y, w in v
            ]
            first = (
                (x0 + w0 * self._y[i][0]) / (w0 * one),
                (y0 + w0 * self._y[i][1]) / (w0 * one),
            )
            area, cost, mx, my = [], [], [], []
            for k in range(1, len(v) - 1):
                twice, denominator = _twice_triangle(v[0], v[k], v[k + 1])
                t = twice / (denominator * 2 * one * one)
                area.append(t)
                (ax, ay), (bx, by), (cx, cy) = p[0], p[k], p[k + 1]
                squares = ax * ax + ay * ay + bx * bx + by * by + cx * cx + cy * cy
                cost.append(t / 12 * (squares + (ax + bx + cx) ** 2 + (ay + by + cy) ** 2))
                mx.append(t * (q[k][0] + q[k + 1][0]) / 3)
                my.append(t * (q[k][1] + q[k + 1][1]) / 3)
            self.areas[i] = fsum(area)
            self.costs[i] = fsum(cost) * density
            if self.areas[i] > 0:
                self.centroids[i] = (
                    first[0] + fsum(mx) / self.areas[i],
                    first[1] + fsum(my) / self.areas[i],
                )
            for k, labels in enumerate(cell.labels):
                xa, ya, wa = v[k]
                xb, yb, wb = v[(k + 1) % len(v)]
                scale = wa * wb * one
                length = hypot((xb * wa - xa * wb) / scale, (yb * wa - ya * wb) / scale)
                # Of several sites whose line holds this edge only one has an interior.
                across = [j for j in labels if j >= 0 and not self.empty[j]]
                assert len(across) <= 1
                label = across[0] if across else min(labels)
                self._edges[i].append((label, length))
                if label > i:
                    self.facets[i, label] = length
        self.masses = self.areas * density

    def cell(self, i) -> np.ndarray:
        """Vertices of cell i, counter-clockwise, rounded.

        Returns
        -------
        (k, 2) array
        """
        one = 1 << self._bits
        x0, y0 = self._y[i]
        return np.array(
            [
                ((x + w * x0) / (w * one), (y + w * y0) / (w * one))
                for x, y, w in self._cells[i].vertices
            ]
        ).reshape(-1, 2)

    def edges(self, i) -> list[tuple[int, float]]:
        """What lies across each edge of cell i (site, or -1 - domain edge), and its length."""
        return self._edges[i]

    def exact_areas(self) -> list[Fraction]:
        """Areas of the cells as fractions."""
        unit = 2 << (2 * self._bits)
        areas = []
        for cell in self._cells:
            v = cell.vertices
            total = Fraction(0)
            for k in range(1, len(v) - 1):
                twice, denominator = _twice_triangle(v[0], v[k], v[k + 1])
                total += Fraction(twice, denominator * unit)
            areas.append(total)
        return areas

    def fixed_masses(self) -> list[Fraction]:
        """Masses of the cells, rounded down at some 2**-_FIXED of the domain's."""
        total = self._twice_area << _FIXED
        return [Fraction(area, total) for area in self._fixed_areas()]

    def mass_at(self, i, weight) -> Fraction:
        """Mass of cell i if its weight were another one, a fraction, all others as they are.

        Parameters
        ----------
        i : int
        weight : Fraction

        Returns
        -------
        Fraction
        """
        extra = max(0, (weight.denominator.bit_length() - 2 * self._bits + 1) // 2)
        corners = [(x << extra, y << extra) for x, y in self._corners]
        xi, yi = self._y[i][0] << extra, self._y[i][1] << extra
        wi = weight.numerator << (2 * (self._bits + extra))
        wi //= weight.denominator
        cell = _ExactCell(corners, (xi, yi))
        for j in self._owner.values():
            if j != i:
                dx, dy = (self._y[j][0] << extra) - xi, (self._y[j][1] << extra) - yi
                line = 2 * dx, 2 * dy, dx * dx + dy * dy + wi - (self._w[j] << (2 * extra))
                if not cell.clip(line, j):
                    return Fraction(0)
        v = cell.vertices
        total = Fraction(0)
        for k in range(1, len(v) - 1):
            twice, denominator = _twice_triangle(v[0], v[k], v[k + 1])
            total += Fraction(twice, denominator)
        return total / (self._twice_area << (2 * extra))

    def by_location(self, values) -> np.ndarray:
        """Sum over coincident sites, given back to each of them.

        Parameters
        ----------
        values : (n,) array

        Returns
        -------
        (n,) array
        """
        total = dict.fromkeys(self._y, 0.0)
        for y, value in zip(self._y, values, strict=True):
            total[y] += float(value)
        return np.array([total[y] for y in self._y])

    def mass_error(self, target_masses) -> float:
        """max |m_i - nu_i| / nu_i over nu_i > 0, coincident sites counted as one.

        Parameters
        ----------
        target_masses : (n,) array

        Returns
        -------
        float
        """
        target = self.by_location(target_masses)
        masses = self.by_location(self.masses)
        some = target > 0
        return float(np.max(np.abs(masses[some] - target[some]) / target[some]))

    def kantorovich(self, target_masses) -> float:
        """K(w) = sum_i costs_i + w_i (nu_i - m_i), the sum over i of the last term exact.

        Parameters
        ----------
        target_masses : (n,) array

        Returns
        -------
        float
        """
        # The doubles may sum to 1 only nearly; K is meant for masses that sum to 1.
        bits = _bits(target_masses)
        target = [_integer(v, bits) for v in target_masses]
        wanted = Fraction(sum(w * v for w, v in zip(self._w, target, strict=True)), sum(target))
        measured = sum(w * a for w, a in zip(self._w, self._fixed_areas(), strict=True))
        linear = wanted - Fraction(measured, self._twice_area << _FIXED)
        return float(Fraction(fsum(self.costs)) + linear / (1 << (2 * self._bits)))

    def _fixed_areas(self) -> list[int]:
        """Twice the areas, in units of the integer frame over 2**_FIXED, rounded down."""
        areas = []
        for cell in self._cells:
            v = cell.vertices
            triangles = (_twice_triangle(v[0], v[k], v[k + 1]) for k in range(1, len(v) - 1))
            areas.append(sum((twice << _FIXED) // below for twice, below in triangles))
        return areas

    def locate(self, points) -> np.ndarray:
        """Site of least power distance, decided exactly.

        At ties the lowest index of those that own a part of the plane: a hidden site, whose
        cell is at most a point or a segment, gets no points.

        Parameters
        ----------
        points : (q, 2) array

        Returns
        -------
        (q,) int64 array
        """
        points = np.asarray(points, dtype=float)
        bits = max(self._bits, _bits(points.ravel()))
        shift = bits - self._bits
        y = [(a << shift, b << shift) for a, b in self._y]
        constant = [
            a * a + b * b - (w << (2 * shift)) for (a, b), w in zip(y, self._w, strict=True)
        ]
        found = np.empty(len(points), dtype=np.int64)
        for k, (px, py) in enumerate(points.tolist()):
            px, py = 2 * _integer(px, bits), 2 * _integer(py, bits)
            power = [c - px * a - py * b for (a, b), c in zip(y, constant, strict=True)]
            least = min(power)
            tied = [i for i, value in enumerate(power) if value == least]
            if len(tied) > 1:
                tied = [i for i in tied if self._visible(i)]
            found[k] = tied[0]
        return found

    def _visible(self, i) -> bool:
        """Whether the cell of site i in the whole plane has an interior."""
        if i not in self._seen:
            # No two bisectors meet farther out than this.
            size = max(abs(v) for y in self._y for v in (*y, 1))
            size = 8 * max(size, *(abs(w) for w in self._w)) ** 3
            corners = [(-size, -size), (size, -size), (size, size), (-size, size)]
            self._seen[i] = bool(self._cell(i, False, corners).vertices)
        return self._seen[i]


def _twice_triangle(first, second, third):
    """Twice the area of a triangle of homogeneous points: numerator and denominator."""
    (x0, y0, w0), (x1, y1, w1), (x2, y2, w2) = first, second, third
    twice = x0 * (y1 * w2 - y2 * w1) - y0 * (x1 * w2 - x2 * w1) + w0 * (x1 * y2 - x2 * y1)
    return twice, w0 * w1 * w2


def polygon_moments(vertices) -> tuple[float, np.ndarray, float]:
    """Area, centroid and int |x|^2 of a convex polygon, in doubles.

    Parameters
    ----------
    vertices : (k, 2) array

    Returns
    -------
    area : float
    centroid : (2,) array
    second : float
    """
    v = np.asarray(vertices, dtype=float)
    a, b, c = v[0], v[1:-1], v[2:]
    e, f = b - a, c - a
    area = 0.5 * (e[:, 0] * f[:, 1] - e[:, 1] * f[:, 0])
    total = fsum(area)
    centroid = np.array([fsum(area * (e[:, k] + f[:, k]) / 3) for k in (0, 1)]) / total + a
    s = a + b + c
    squares = (a * a).sum() + (b * b).sum(axis=1) + (c * c).sum(axis=1) + (s * s).sum(axis=1)
    return total, centroid, fsum(area / 12 * squares)


def strips(x, masses) -> tuple[float, np.ndarray]:
    """Transport from the unit square to sites on the line y = 1/2: cells are vertical strips.

    Parameters
    ----------
    x : (n,) array
        Increasing abscissas.
    masses : (n,) array

    Returns
    -------
    cost : float
        W2^2, of the square of width 1 and height 1 (1/12 is the vertical part).
    steps : (n - 1,) array
        w_{i+1} - w_i at the optimum.
    """
    x = [Fraction(float(v)) for v in x]
    m = [Fraction(float(v)) for v in masses]
    total = sum(m)
    border = [Fraction(0)]
    for v in m:
        border.append(border[-1] + v / total)
    cost = Fraction(1, 12)
    for i, site in enumerate(x):
        cost += ((border[i + 1] - site) ** 3 - (border[i] - site) ** 3) / 3
    steps = [
        float(x[i + 1] ** 2 - x[i] ** 2 - 2 * border[i + 1] * (x[i + 1] - x[i]))
        for i in range(len(x) - 1)
    ]
    return float(cost), np.array(steps)


def upper_bound(sites, masses, costs, target_masses, polygon=UNIT_SQUARE) -> float:
    """Cost of a plan that repairs the map: an upper bound on W2^2.

    The map's own cost, plus half the misplaced mass times the most that moving a point from one
    site to another can cost (reached at a corner of the domain).

    Parameters
    ----------
    sites : (n, 2) array
    masses, costs, target_masses : (n,) arrays
    polygon : (m, 2) array

    Returns
    -------
    float
    """
    sites, polygon = np.asarray(sites, dtype=float), np.asarray(polygon, dtype=float)
    square = ((polygon[:, None, :] - sites[None, :, :]) ** 2).sum(axis=2)
    worst = float((square.max(axis=1) - square.min(axis=1)).max())
    moved = 0.5 * fsum(np.abs(np.asarray(masses) - np.asarray(target_masses)))
    return fsum(costs) + moved * worst
