"""Slow, obvious, exact integrals over the power cells of planar densities.

One class per kind of source. Each has one method, ``measure(sites, weights)``, which returns
`Measures`: mass, centroid and cost of every cell, and the measure of every common border (facet).

* The power cell of site i is where |x - y_i|^2 - w_i is least.
* The density of a source is normalised to total mass 1.
* mass_i is the integral of the density over cell i; its centroid is the integral of x times the
  density, divided by mass_i; its cost is the integral of |x - y_i|^2 times the density.
* facet_ij is the integral of the density along the common border of cells i and j, with respect
  to length. The derivative of mass_i with respect to w_j is -facet_ij / (2 |y_i - y_j|).

Input numbers are read exactly: a double is a fraction. Sites and weights may also be given as
`fractions.Fraction`, which finite differences use. Every decision (is a cell empty, do two cells
share a border) is made in rational arithmetic. Only transcendental results are rounded, to
`DIGITS` decimal digits.

==================  ======================================  ======================================
class               source                                  accuracy before rounding to doubles
==================  ======================================  ======================================
`PiecewiseOracle`   linear density on convex pieces         exact (facets: `DIGITS` digits)
`GaussianOracle`    normal distribution on the plane        1e-18 relative (facets: 1e-30)
`BallOracle`        uniform disk                            1e-45 absolute
`TorusOracle`       uniform box with periodic axes          exact (facets: `DIGITS` digits)
`PartialOracle`     convex polygon, cells cut by balls      1e-45 absolute
`MixtureOracle`     weighted sum of sources                 as its parts
==================  ======================================  ======================================

`compare` holds a diagram against them.

Facets along jumps of the density
---------------------------------
If a facet lies along a line where the density jumps (the border of two pieces, or the border of
the domain), the masses have two one-sided derivatives. The facet measure is their mean: it uses
the mean of the densities on both sides, and outside of the domain the density is 0.

A cell of width 0, between two others that share its line, has no facets: the others have one.
Facets are not derivatives then, because the empty cell appears as soon as its weight grows.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import inf, isfinite

import mpmath
import numpy as np
import pytest

DIGITS = 50
# A context of its own: its numbers keep this precision whatever mpmath.mp is set to.
MP = mpmath.MPContext()
MP.dps = DIGITS

GAUSSIAN_TOLERANCE = Fraction(1, 10**18)  # of the mass and the cost of each cell, relative


# Numbers and vectors


def exact(number):
    """The Fraction equal to an int, float, numpy scalar or Fraction."""
    if isinstance(number, Fraction):
        return number
    if isinstance(number, np.generic) and not isinstance(number, np.longdouble):
        number = number.item()
    if not isfinite(number):
        raise ValueError(f"numbers must be finite, got {number}")
    return Fraction(*number.as_integer_ratio())


def exact_points(points):
    """Points as a list of pairs of Fractions."""
    result = [tuple(exact(c) for c in point) for point in points]
    if any(len(point) != 2 for point in result):
        raise ValueError("points must have two coordinates")
    return result


def mp(number):
    """The number as an mpf of `DIGITS` digits."""
    return MP.convert(number)


def dot(u, v):
    return u[0] * v[0] + u[1] * v[1]


def cross(u, v):
    return u[0] * v[1] - u[1] * v[0]


def minus(u, v):
    return (u[0] - v[0], u[1] - v[1])


def along(p, d, t):
    """The point p + t d."""
    return (p[0] + t * d[0], p[1] + t * d[1])


# Results


@dataclass(frozen=True)
class Measures:
    """Integrals over all cells, as Fractions or mpf.

    Attributes
    ----------
    sites : list of pairs of Fraction
    exact_masses : list of n numbers
        Integral of the density over each cell.
    exact_moments : list of n pairs
        Integral of (x - y_i) times the density.
    exact_costs : list of n numbers
        Integral of |x - y_i|^2 times the density.
    exact_ratios : dict
        facet_ij / |y_i - y_j| for all pairs i < j with a positive facet. These are rational
        wherever the masses are. On a torus: the sum of this quotient over all shifts.
    exact_facets : dict
        facet_ij for the same pairs, of type mpf. On a torus: the sum over all shifts.
    reached : list of n bool
        Whether the interior of the cell meets the domain in an open set. The mass of such a cell
        is 0 if the density is 0 there.
    arc_rates : list of n numbers
        Only for partial transport: the derivative of mass_i with respect to w_i due to the arcs
        of the ball, density * (length of the arcs) / (2 sqrt(w_i)).
    by_shift : dict
        Only on a torus: facet measures by (i, j, shift), where cell i around site y_i borders on
        the cell around y_j + shift * period. Either i < j, or i == j and shift > (0, 0).
    """

    sites: list
    exact_masses: list
    exact_moments: list
    exact_costs: list
    exact_ratios: dict
    exact_facets: dict
    reached: list
    arc_rates: list
    by_shift: dict | None = None

    @property
    def masses(self):
        return np.array([float(m) for m in self.exact_masses])

    @property
    def costs(self):
        return np.array([float(c) for c in self.exact_costs])

    @property
    def centroids(self):
        """Centroids, shape (n, 2); nan for cells without mass."""
        rows = []
        for site, mass, moment in zip(
            self.sites, self.exact_masses, self.exact_moments, strict=True
        ):
            if mass == 0:
                rows.append((np.nan, np.nan))
            elif isinstance(mass, Fraction):
                rows.append([float(y + m / mass) for y, m in zip(site, moment, strict=True)])
            else:
                rows.append([float(mp(y) + m / mass) for y, m in zip(site, moment, strict=True)])
        return np.array(rows).reshape(-1, 2)

    @property
    def facets(self):
        """Facet measures of all pairs i < j with a positive facet."""
        return {pair: float(f) for pair, f in self.exact_facets.items()}

    @property
    def massless(self):
        """Cells that have interior points in the domain but no mass."""
        return [
            i
            for i, (reached, mass) in enumerate(zip(self.reached, self.exact_masses, strict=True))
            if reached and mass == 0
        ]

    def components(self):
        """Connected components of the Hessian's graph, as sorted lists.

        Its nodes are the cells with positive mass, its edges the pairs with positive facets.
        """
        alive = [i for i, m in enumerate(self.exact_masses) if m > 0]
        component = {i: {i} for i in alive}
        for i, j in self.exact_facets:
            if i in component and j in component and component[i] is not component[j]:
                component[i] |= component[j]
                for k in component[j]:
                    component[k] = component[i]
        return sorted(sorted(c) for c in {id(c): c for c in component.values()}.values())

    def exact_jacobian(self):
        """Derivatives of the masses with respect to the weights, as n lists of n numbers."""
        n = len(self.sites)
        rows = [[0] * n for _ in range(n)]
        for (i, j), ratio in self.exact_ratios.items():
            rows[i][j] -= ratio / 2
            rows[j][i] -= ratio / 2
            rows[i][i] += ratio / 2
            rows[j][j] += ratio / 2
        for i, rate in enumerate(self.arc_rates):
            rows[i][i] += rate
        return rows

    def jacobian(self):
        """Derivatives of the masses with respect to the weights, shape (n, n)."""
        return np.array([[float(x) for x in row] for row in self.exact_jacobian()])


def compare(diagram, exact, *, facets=1e-12):
    """Assert that a diagram has these measures, masses and costs relative to themselves.

    Parameters
    ----------
    diagram : PowerDiagram
    exact : Measures
    facets : float
        Relative tolerance of the facets: thin cells have corners that rounding moves along them.
    """
    held = exact.masses > 0.0
    np.testing.assert_array_equal(diagram.masses[~held], 0.0)
    np.testing.assert_array_equal(np.isnan(diagram.centroids[:, 0]), ~held)
    np.testing.assert_allclose(diagram.masses[held], exact.masses[held], rtol=1e-12)
    np.testing.assert_allclose(diagram.costs[held], exact.costs[held], rtol=1e-11)
    size = np.abs(diagram.source.domain.bounds).max()
    np.testing.assert_allclose(
        diagram.centroids[held], exact.centroids[held], rtol=0.0, atol=1e-13 * size
    )
    pairs = map(tuple, diagram.facets.sites.tolist())
    found = dict(zip(pairs, diagram.facets.measures, strict=True))
    assert set(found) == set(exact.facets)
    for pair, measure in exact.facets.items():
        assert found[pair] == pytest.approx(measure, rel=facets, abs=1e-14 * max(found.values()))


# Convex polygons in rational arithmetic
#
# A polygon is a list of vertices in counter-clockwise order, [] if it has no interior.
# A half-plane (a, b, c) is a x + b y <= c.


def double_area(polygon):
    return sum(cross(p, q) for p, q in edges(polygon))


def edges(polygon):
    return list(zip(polygon, polygon[1:] + polygon[:1], strict=True))


def convex_polygon(points):
    """The polygon with these vertices, counter-clockwise; ValueError unless it is convex."""
    polygon = exact_points(points)
    area = double_area(polygon)
    if area < 0:
        polygon.reverse()
    turns = [
        cross(minus(q, p), minus(r, q))
        for p, q, r in zip(
            polygon, polygon[1:] + polygon[:1], polygon[2:] + polygon[:2], strict=True
        )
    ]
    # A polygon that winds twice around a point turns left everywhere, too: every vertex must lie
    # to the left of every edge.
    if area == 0 or min(turns) < 0 or any(slack(h, v) < 0 for h in sides(polygon) for v in polygon):
        raise ValueError(f"pieces must be convex polygons with an area, got {points}")
    return polygon


def sides(polygon):
    """The half-planes whose intersection the polygon is."""
    result = []
    for p, q in edges(polygon):
        normal = (q[1] - p[1], p[0] - q[0])
        if normal != (0, 0):
            result.append((*normal, dot(normal, p)))
    return result


def slack(halfplane, point):
    """Not negative if the point is in the half-plane."""
    a, b, c = halfplane
    return c - a * point[0] - b * point[1]


def clip(polygon, halfplane):
    """The part of a polygon in a half-plane."""
    slacks = [slack(halfplane, p) for p in polygon]
    if all(s >= 0 for s in slacks):
        return polygon
    if all(s <= 0 for s in slacks):
        return []
    result = []
    for k, (p, q) in enumerate(edges(polygon)):
        s, t = slacks[k], slacks[(k + 1) % len(slacks)]
        if s >= 0:
            result.append(p)
        if s * t < 0:
            result.append(along(p, minus(q, p), s / (s - t)))
    return result


def nearest_point(point, polygon, inner=dot):
    """The point of a polygon that is nearest to a point, for an inner product."""
    if all(slack(h, point) >= 0 for h in sides(polygon)):
        return point
    candidates = []
    for p, q in edges(polygon):
        d = minus(q, p)
        length = inner(d, d)
        t = min(max(inner(minus(point, p), d) / length, 0), 1) if length else 0
        candidates.append(along(p, d, t))

    def squared_distance(candidate):
        gap = minus(point, candidate)
        return inner(gap, gap)

    return min(candidates, key=squared_distance)


# Power diagrams in rational arithmetic


@dataclass(frozen=True)
class Segment:
    """The points origin + t direction for start < t < stop, which may be infinite.

    The direction is y_j - y_i turned by a right angle, so that a length in t is a length divided
    by |y_i - y_j|.
    """

    origin: tuple
    direction: tuple
    start: Fraction | float
    stop: Fraction | float

    def clip(self, halfplane):
        """The part in a half-plane, or None; and whether the line is the half-plane's border."""
        a, b, _ = halfplane
        slope = dot((a, b), self.direction)
        room = slack(halfplane, self.origin)
        start, stop = self.start, self.stop
        if slope == 0:
            return (self if room >= 0 else None), room == 0
        if slope > 0:
            stop = min(stop, room / slope)
        else:
            start = max(start, room / slope)
        if start >= stop:
            return None, False
        return Segment(self.origin, self.direction, start, stop), False


class Diagram:
    """Power cells and their borders, each from its definition."""

    def __init__(self, sites, weights):
        self.sites = exact_points(sites)
        self.weights = [exact(w) for w in weights]
        if len(self.sites) != len(self.weights):
            raise ValueError(f"{len(self.sites)} sites have {len(self.weights)} weights")
        if len(set(zip(self.sites, self.weights, strict=True))) < len(self.sites):
            raise ValueError("two sites with the same place and weight have no border")
        self._halfplanes = {}

    def __len__(self):
        return len(self.sites)

    def others(self, i):
        """The other sites, near ones first; the order matters only for speed."""
        y = self.sites[i]

        def power(k):
            gap = minus(self.sites[k], y)
            return dot(gap, gap) - self.weights[k]

        return sorted((k for k in range(len(self)) if k != i), key=power)

    def halfplane(self, i, k):
        """Where |x - y_i|^2 - w_i <= |x - y_k|^2 - w_k."""
        if (i, k) not in self._halfplanes:
            y, z = self.sites[i], self.sites[k]
            self._halfplanes[i, k] = (
                2 * (z[0] - y[0]),
                2 * (z[1] - y[1]),
                dot(z, z) - dot(y, y) - self.weights[k] + self.weights[i],
            )
        return self._halfplanes[i, k]

    def cell(self, i, polygon, order=None):
        """Power cell i within a convex polygon."""
        for k in self.others(i) if order is None else order:
            if k != i:
                polygon = clip(polygon, self.halfplane(i, k))
            if not polygon:
                break
        return polygon

    def facet(self, i, j, order=None):
        """The common border of the cells i and j, or None."""
        a, b, c = self.halfplane(i, j)
        if (a, b) == (0, 0):
            return None
        gap = minus(self.sites[j], self.sites[i])
        length = a * a + b * b
        segment = Segment((a * c / length, b * c / length), (-gap[1], gap[0]), -inf, inf)
        for k in self.others(i) if order is None else order:
            if k in (i, j):
                continue
            segment, on_border = segment.clip(self.halfplane(i, k))
            if segment is None:
                return None
            # Three cells share this line. The one between the two others is empty.
            if on_border and self.sites[k] != self.sites[i]:
                place = dot(minus(self.sites[k], self.sites[i]), gap)
                if not 0 < place < dot(gap, gap):
                    return None
        return segment

    def facets(self):
        """All pairs i < j with a common border, and the border."""
        for i in range(len(self)):
            order = self.others(i)
            for j in range(i + 1, len(self)):
                segment = self.facet(i, j, order)
                if segment is not None:
                    yield i, j, segment

    def distance(self, i, j):
        gap = minus(self.sites[i], self.sites[j])
        return MP.sqrt(mp(dot(gap, gap)))


def gather(diagram, cells, borders, total, reached=None, arc_rates=None):
    """`Measures` of cells [(mass, moment, cost)] and borders {(i, j): ratio}, divided by total."""
    if any(isinstance(x, MP.mpf) for x in (total, *(m for m, _, _ in cells))):
        total = mp(total)
        cells = [(mp(m), (mp(u), mp(v)), mp(c)) for m, (u, v), c in cells]
    ratios = {}
    for pair, ratio in borders.items():
        if ratio > 0:
            ratios[pair] = ratio / total if isinstance(ratio, Fraction) else ratio / mp(total)
    masses = [m / total for m, _, _ in cells]
    return Measures(
        sites=diagram.sites,
        exact_masses=masses,
        exact_moments=[(u / total, v / total) for _, (u, v), _ in cells],
        exact_costs=[c / total for _, _, c in cells],
        exact_ratios=ratios,
        exact_facets={pair: mp(r) * diagram.distance(*pair) for pair, r in ratios.items()},
        reached=[m > 0 for m in masses] if reached is None else reached,
        arc_rates=[0] * len(masses) if arc_rates is None else arc_rates,
    )


EMPTY = (Fraction(0), (Fraction(0), Fraction(0)), Fraction(0))


# Densities of degree 1 on convex pieces


def triangle_moments(triangle, values, site):
    """Mass, moment and cost of the density with these values at the corners of a triangle.

    All integrands are products of functions that are linear on the triangle, and the integral of
    a product of barycentric coordinates is 2 A alpha! / (|alpha| + 2)!.
    """
    area2 = cross(minus(triangle[1], triangle[0]), minus(triangle[2], triangle[0]))
    gaps = [minus(p, site) for p in triangle]
    mass, moment, cost = 0, [0, 0], 0
    for a in range(3):
        mass += values[a]
        for b in range(3):
            factor = values[a] * (2 if a == b else 1)
            moment[0] += factor * gaps[b][0]
            moment[1] += factor * gaps[b][1]
            for c in range(3):
                factorials = {1: 6, 2: 2, 3: 1}[len({a, b, c})]
                cost += values[a] * dot(gaps[b], gaps[c]) * factorials
    return area2 * mass / 6, (area2 * moment[0] / 24, area2 * moment[1] / 24), area2 * cost / 120


def polygon_moments(polygon, density, site):
    """Mass, moment and cost of the density c0 + c1 x + c2 y on a convex polygon."""
    mass, moment, cost = Fraction(0), (Fraction(0), Fraction(0)), Fraction(0)
    for k in range(1, len(polygon) - 1):
        triangle = (polygon[0], polygon[k], polygon[k + 1])
        values = [density[0] + dot(density[1:], p) for p in triangle]
        m, (u, v), c = triangle_moments(triangle, values, site)
        mass, moment, cost = mass + m, (moment[0] + u, moment[1] + v), cost + c
    return mass, moment, cost


class PiecewiseOracle:
    """A density that is linear on each of some convex pieces, and 0 elsewhere.

    Where pieces overlap their densities add up.

    Parameters
    ----------
    pieces : list of (vertices, density)
        Convex polygons in either direction; the density is a number or (c0, c1, c2), which means
        c0 + c1 x + c2 y. It must not be negative on the piece. It may be zero.
    """

    def __init__(self, pieces):
        self.pieces = []
        for vertices, density in pieces:
            polygon = convex_polygon(vertices)
            density = tuple(exact(c) for c in (density if np.ndim(density) else (density, 0, 0)))
            if min(density[0] + dot(density[1:], p) for p in polygon) < 0:
                raise ValueError("densities must not be negative")
            self.pieces.append((polygon, density))
        self.total = sum(polygon_moments(p, f, (0, 0))[0] for p, f in self.pieces)
        if self.total == 0:
            raise ValueError("the density is 0 everywhere")

    @classmethod
    def grid(cls, values, lower=(0, 0), upper=None):
        """Constant density on each cell of a grid.

        ``values[i, j]`` belongs to the i-th interval along x and the j-th along y. Without
        `upper` the cells are unit squares.
        """
        values = np.asarray(values)
        x0, y0 = (exact(c) for c in lower)
        if upper is None:
            upper = (x0 + values.shape[0], y0 + values.shape[1])
        dx = (exact(upper[0]) - x0) / values.shape[0]
        dy = (exact(upper[1]) - y0) / values.shape[1]
        pieces = []
        for (i, j), value in np.ndenumerate(values):
            left, low = x0 + i * dx, y0 + j * dy
            box = [(left, low), (left + dx, low), (left + dx, low + dy), (left, low + dy)]
            pieces.append((box, value))
        return cls(pieces)

    @classmethod
    def mesh(cls, vertices, triangles, values):
        """The continuous density that is linear on triangles and has these values at vertices."""
        vertices = exact_points(vertices)
        values = [exact(v) for v in values]
        pieces = []
        for triangle in triangles:
            p, q, r = (vertices[k] for k in triangle)
            f, g, h = (values[k] for k in triangle)
            # Cramer's rule for the gradient.
            u, v = minus(q, p), minus(r, p)
            area2 = cross(u, v)
            if area2 == 0:
                raise ValueError(f"triangle {tuple(triangle)} has no area")
            gx = ((g - f) * v[1] - (h - f) * u[1]) / area2
            gy = ((h - f) * u[0] - (g - f) * v[0]) / area2
            pieces.append(((p, q, r), (f - gx * p[0] - gy * p[1], gx, gy)))
        return cls(pieces)

    @classmethod
    def union(cls, polygons):
        """Uniform density on convex polygons without overlaps."""
        return cls([(polygon, 1) for polygon in polygons])

    def measure(self, sites, weights):
        diagram = Diagram(sites, weights)
        n = len(diagram)
        orders = [diagram.others(i) for i in range(n)]
        cells = [EMPTY] * n
        reached = [False] * n
        for polygon, density in self.pieces:
            # For speed, every cell is first compared with the cells of the piece's vertices.
            first = sorted({self._cell_of(diagram, p) for p in polygon})
            for i in range(n):
                part = diagram.cell(i, polygon, first + orders[i])
                if not part:
                    continue
                reached[i] = True
                m, (u, v), c = polygon_moments(part, density, diagram.sites[i])
                mass, moment, cost = cells[i]
                cells[i] = (mass + m, (moment[0] + u, moment[1] + v), cost + c)
        borders = {}
        halfplanes = [sides(polygon) for polygon, _ in self.pieces]
        for i, j, segment in diagram.facets():
            ratio = Fraction(0)
            for (_, density), piece in zip(self.pieces, halfplanes, strict=True):
                ratio += linear_along(segment, density, piece)
            borders[i, j] = ratio
        return gather(diagram, cells, borders, self.total, reached)

    @staticmethod
    def _cell_of(diagram, point):
        gaps = [minus(point, y) for y in diagram.sites]
        powers = [dot(g, g) - w for g, w in zip(gaps, diagram.weights, strict=True)]
        return powers.index(min(powers))


def linear_along(segment, density, halfplanes):
    """The integral over t of a linear density along the part of a segment in some half-planes.

    Half of it if the segment lies along a border of them: the mean of both sides.
    """
    share = Fraction(1)
    for halfplane in halfplanes:
        segment, on_border = segment.clip(halfplane)
        if segment is None:
            return Fraction(0)
        if on_border:
            share = Fraction(1, 2)
    middle = along(segment.origin, segment.direction, (segment.start + segment.stop) / 2)
    value = density[0] + dot(density[1:], middle)
    return share * value * (segment.stop - segment.start)


# Disks


def disk_moments(polygon, r2):
    """Integrals of 1, x and |x|^2 over a polygon within the disk |x|^2 <= r2; and the angle.

    The sum over all edges of the polygon, with signs, of the integral over the triangle between
    the edge and the centre within the disk. Where the edge is inside of the disk that is a
    triangle, elsewhere a sector. The angle is the sum over all sectors: the angle that the arcs of
    the circle within the polygon span.
    """
    area, moment, second, angle = mp(0), (mp(0), mp(0)), mp(0), mp(0)
    radius = MP.sqrt(mp(r2))

    def triangle(p, q):
        nonlocal area, moment, second
        a = cross(p, q) / 2
        area += a
        moment = (moment[0] + a * (p[0] + q[0]) / 3, moment[1] + a * (p[1] + q[1]) / 3)
        second += a * (dot(p, p) + dot(q, q) + dot(p, q)) / 6

    def sector(p, q):
        nonlocal area, moment, second, angle
        turn = MP.atan2(cross(p, q), dot(p, q))
        start, stop = (radius / MP.sqrt(dot(s, s)) for s in (p, q))
        area += r2_mp * turn / 2
        # Integral of r (cos, sin) r dr dtheta; q scaled to the circle minus p scaled to it,
        # turned by a right angle.
        chord = (q[0] * stop - p[0] * start, q[1] * stop - p[1] * start)
        moment = (moment[0] + r2_mp * chord[1] / 3, moment[1] - r2_mp * chord[0] / 3)
        second += r2_mp**2 * turn / 4
        angle += turn

    r2_mp = mp(r2)
    for p, q in edges(polygon):
        d = minus(q, p)
        a, b, c = dot(d, d), dot(p, d), dot(p, p) - r2
        discriminant = b * b - a * c
        p_mp, d_mp = (mp(p[0]), mp(p[1])), (mp(d[0]), mp(d[1]))
        q_mp = (mp(q[0]), mp(q[1]))
        if c <= 0 and dot(q, q) <= r2:
            triangle(p_mp, q_mp)
            continue
        if a == 0 or discriminant <= 0:
            sector(p_mp, q_mp)
            continue
        root = MP.sqrt(mp(discriminant))
        enter = min(max((-mp(b) - root) / mp(a), mp(0)), mp(1))
        leave = min(max((-mp(b) + root) / mp(a), mp(0)), mp(1))
        if enter >= leave:
            sector(p_mp, q_mp)
            continue
        first, last = along(p_mp, d_mp, enter), along(p_mp, d_mp, leave)
        if enter > 0:
            sector(p_mp, first)
        triangle(first, last)
        if leave < 1:
            sector(last, q_mp)
    return area, moment, second, angle


def disk_part(polygon, centre, r2, site):
    """Area, moment and cost with respect to a site of a polygon within a disk; and the angle.

    None if the polygon and the disk have no interior points in common, which is decided exactly.
    """
    if r2 <= 0 or not polygon:
        return None
    gap = minus(nearest_point(centre, polygon), centre)
    if dot(gap, gap) >= r2:
        return None
    area, (u, v), second, angle = disk_moments([minus(p, centre) for p in polygon], r2)
    gap = minus(centre, site)
    gap = (mp(gap[0]), mp(gap[1]))
    moment = (u + gap[0] * area, v + gap[1] * area)
    return area, moment, second + 2 * dot(gap, (u, v)) + dot(gap, gap) * area, angle


def chord(segment, centre, r2):
    """Length in t of the part of a segment in a disk; 0 is decided exactly."""
    if r2 <= 0:
        return Fraction(0)
    p, d = minus(segment.origin, centre), segment.direction
    a = dot(d, d)
    foot = -dot(p, d) / a
    nearest = along(p, d, min(max(foot, segment.start), segment.stop))
    if dot(nearest, nearest) >= r2:
        return Fraction(0)
    nearest = along(p, d, foot)
    half = MP.sqrt(mp((r2 - dot(nearest, nearest)) / a))
    start, stop = mp(foot) - half, mp(foot) + half
    return min(stop, mp(segment.stop)) - max(start, mp(segment.start))


class BallOracle:
    """The uniform distribution on a disk."""

    def __init__(self, centre, radius):
        self.centre = exact_points([centre])[0]
        self.radius = exact(radius)
        if self.radius <= 0:
            raise ValueError("radius must be positive")

    def measure(self, sites, weights):
        diagram = Diagram(sites, weights)
        (x, y), r = self.centre, self.radius
        box = [(x - r, y - r), (x + r, y - r), (x + r, y + r), (x - r, y + r)]
        cells = []
        for i in range(len(diagram)):
            part = disk_part(diagram.cell(i, box), self.centre, r * r, diagram.sites[i])
            cells.append(EMPTY if part is None else part[:3])
        borders = {(i, j): chord(s, self.centre, r * r) for i, j, s in diagram.facets()}
        return gather(diagram, cells, borders, MP.pi * mp(r * r))


class PartialOracle:
    """The uniform distribution on a convex polygon, transported in part.

    Cell i is power cell i within the ball |x - y_i|^2 <= w_i. It is empty if w_i <= 0. The whole
    polygon has mass 1, so the masses add up to the mass that is transported.
    """

    def __init__(self, polygon):
        self.polygon = convex_polygon(polygon)
        self.area = double_area(self.polygon) / 2

    def measure(self, sites, weights):
        diagram = Diagram(sites, weights)
        cells, rates = [], []
        for i, (site, w) in enumerate(zip(diagram.sites, diagram.weights, strict=True)):
            part = disk_part(diagram.cell(i, self.polygon), site, w, site)
            cells.append(EMPTY if part is None else part[:3])
            # The arcs have length angle * sqrt(w), and sqrt(w) grows by 1 / (2 sqrt(w)).
            rates.append(mp(0) if part is None else part[3] / 2 / mp(self.area))
        borders = {}
        for i, j, segment in diagram.facets():
            share = Fraction(1)
            for halfplane in sides(self.polygon):
                segment, on_border = segment.clip(halfplane)
                if segment is None:
                    break
                if on_border:
                    share = Fraction(1, 2)
            if segment is not None:
                # On the border both balls end at the same points.
                length = chord(segment, diagram.sites[i], diagram.weights[i])
                borders[i, j] = mp(share) * mp(length)
        return gather(diagram, cells, borders, self.area, arc_rates=rates)


# The normal distribution


ROOT2 = MP.sqrt(2)
NORM = 1 / MP.sqrt(2 * MP.pi)


def normal_interval(start, stop):
    """Integrals of phi, t phi and t^2 phi over an interval, phi the standard normal density."""

    def density(t):
        return mp(0) if MP.isinf(t) else NORM * MP.exp(-t * t / 2)

    def tail(t):
        return MP.erfc(t / ROOT2) / 2

    # Differences of small tails, not of numbers close to 1.
    if start >= 0:
        mass = tail(start) - tail(stop)
    elif stop <= 0:
        mass = tail(-stop) - tail(-start)
    else:
        mass = 1 - tail(stop) - tail(-start)
    below, above = density(start), density(stop)
    ends = (mp(0) if MP.isinf(start) else start * below) - (
        mp(0) if MP.isinf(stop) else stop * above
    )
    return mass, below - above, mass + ends


GAUSS_LEGENDRE = mpmath.calculus.quadrature.GaussLegendre(MP).calc_nodes(4, MP.prec)  # 24 nodes


class GaussianOracle:
    """The normal distribution on the plane.

    The whitened cell is integrated in closed form along lines, and across the lines by
    Gauss-Legendre rules of 24 nodes. Panels end at the vertices of the cell and are halved until
    a panel agrees with its halves to 1e-18 of the cell's mass and cost. The halves are then much
    more accurate: results along turned lines agree to 1e-24. Each cell is cut off where the
    density falls below 1e-35 of its largest value on the cell, so that even a mass of 1e-1000 has
    a small relative error.

    Parameters
    ----------
    mean : pair of numbers
    covariance : (2, 2) numbers, symmetric and positive definite
    angle : float
        Turns the lines. The result must not depend on it, which is a test of the accuracy.
    """

    def __init__(self, mean, covariance, angle=0):
        self.mean = exact_points([mean])[0]
        (a, b), (c, d) = exact_points(covariance)
        if b != c or a <= 0 or a * d - b * c <= 0:
            raise ValueError("covariance must be symmetric and positive definite")
        # x = mean + A z, where A is the Cholesky factor times a rotation.
        self.covariance = ((a, b), (c, d))
        self.det = a * d - b * c
        self.spread = MP.sqrt(mp(a + d))  # at least the root of the largest eigenvalue
        root = MP.sqrt(mp(a))
        low = ((root, mp(0)), (mp(b) / root, MP.sqrt(mp(self.det)) / root))
        cos, sin = MP.cos(mp(angle)), MP.sin(mp(angle))
        turn = ((cos, -sin), (sin, cos))
        self.columns = [
            tuple(dot(low[row], (turn[0][column], turn[1][column])) for row in range(2))
            for column in range(2)
        ]

    def _white(self, vector):
        """Solve A z = vector."""
        vector = (mp(vector[0]), mp(vector[1]))
        u, v = self.columns
        return (cross(vector, v) / cross(u, v), cross(u, vector) / cross(u, v))

    def measure(self, sites, weights):
        diagram = Diagram(sites, weights)
        cells = [self._cell(diagram, i) for i in range(len(diagram))]
        borders = {(i, j): self._facet(segment) for i, j, segment in diagram.facets()}
        return gather(diagram, cells, borders, 1)

    def _facet(self, segment):
        p = self._white(minus(segment.origin, self.mean))
        d = self._white(segment.direction)
        length = MP.sqrt(dot(d, d))
        foot = dot(p, d) / length
        height2 = (cross(p, d) / length) ** 2
        ends = [mp(t) * length + foot for t in (segment.start, segment.stop)]
        mass = normal_interval(*ends)[0]
        # The density of x is that of z divided by sqrt(det).
        scale = NORM * MP.exp(-height2 / 2) / MP.sqrt(mp(self.det))
        return scale * mass / length

    def _box(self, point, radius):
        """A square with rational corners around all points at most this many deviations away."""
        half = Fraction(2) ** int(MP.ceil(MP.log(radius * self.spread, 2)))
        x, y = point
        return [
            (x - half, y - half),
            (x + half, y - half),
            (x + half, y + half),
            (x - half, y + half),
        ]

    def _inner(self, u, v):
        """The inner product u^T covariance^-1 v, exactly."""
        (a, b), (_, d) = self.covariance
        return (d * u[0] * v[0] - b * (u[0] * v[1] + u[1] * v[0]) + a * u[1] * v[1]) / self.det

    def _cell(self, diagram, i):
        # A cell without points in this box is taken to be empty. Vertices of diagrams of doubles
        # of ordinary size are in it.
        whole = diagram.cell(i, self._box(self.mean, mp(2) ** 200))
        if not whole:
            return EMPTY
        # The density is largest at the point z of the whitened cell that is nearest to 0. For any
        # point z + u of the cell, which is convex, |z + u|^2 >= |z|^2 + |u|^2.
        peak = nearest_point(self.mean, whole, self._inner)
        radius = MP.sqrt(2 * 35 * MP.log(10))
        part = diagram.cell(i, self._box(peak, radius))
        white = [self._white(minus(p, self.mean)) for p in part]
        place = self._white(minus(peak, self.mean))[0]
        limits = (place - radius, place + radius)
        mass, u, v, cost = self._integrate(white, minus(self.mean, diagram.sites[i]), limits)
        return mass, (u, v), cost

    def _integrate(self, polygon, gap, limits):
        """Integrals of 1, x - y and |x - y|^2 over a polygon in z, where x - y = gap + A z.

        Only the part with the first coordinate of z between the limits counts.
        """
        gap = (mp(gap[0]), mp(gap[1]))
        first, second = self.columns

        def slice_at(s, lower, upper):
            start, stop = (
                p[1] + (s - p[0]) / (q[0] - p[0]) * (q[1] - p[1]) for p, q in (lower, upper)
            )
            if start >= stop:
                return [mp(0)] * 4
            m0, m1, m2 = normal_interval(start, stop)
            weight = NORM * MP.exp(-s * s / 2)
            at = along(gap, first, s)
            cost = dot(at, at) * m0 + 2 * dot(at, second) * m1 + dot(second, second) * m2
            moment = (at[0] * m0 + second[0] * m1, at[1] * m0 + second[1] * m1)
            return [weight * m0, weight * moment[0], weight * moment[1], weight * cost]

        def panel(a, b, lower, upper):
            middle, half = (a + b) / 2, (b - a) / 2
            sums = [mp(0)] * 4
            for x, weight in GAUSS_LEGENDRE:
                values = slice_at(middle + half * x, lower, upper)
                sums = [s + half * weight * value for s, value in zip(sums, values, strict=True)]
            return sums

        def checked(a, b, coarse, lower, upper):
            """A panel with the values of its halves, and their difference from its own value."""
            middle = (a + b) / 2
            halves = [panel(a, middle, lower, upper), panel(middle, b, lower, upper)]
            errors = [abs(s + t - c) for s, t, c in zip(*halves, coarse, strict=True)]
            return (a, middle, b), halves, errors, (lower, upper)

        panels = []
        places = sorted({p[0] for p in polygon} | set(limits))
        for a, b in zip(places[:-1], places[1:], strict=True):
            # A width of rounding errors holds nothing.
            width = b - a
            if a < limits[0] or b > limits[1] or width < mp(10) ** (10 - DIGITS) * (1 + abs(a)):
                continue
            lower = [(p, q) for p, q in edges(polygon) if p[0] <= a and b <= q[0]]
            upper = [(q, p) for p, q in edges(polygon) if q[0] <= a and b <= p[0]]
            if not lower:
                continue
            count = int(MP.ceil(width / 4))
            ends = [a + width * k / count for k in range(count + 1)]
            for left, right in zip(ends[:-1], ends[1:], strict=True):
                coarse = panel(left, right, lower[0], upper[0])
                panels.append(checked(left, right, coarse, lower[0], upper[0]))
        if not panels:
            raise RuntimeError("a cell is too thin for the working precision")
        for _ in range(100):
            total = [mp(0)] * 4
            for _, halves, _, _ in panels:
                total = [sum(values) for values in zip(total, *halves, strict=True)]
            # All panels are looked at again: a first estimate of the total may be far off.
            mass, cost = total[0], total[3]
            scales = [mass, MP.sqrt(mass * cost), MP.sqrt(mass * cost), cost]
            kept, refined = [], []
            for ends, halves, errors, lines in panels:
                limit = mp(GAUSSIAN_TOLERANCE)
                if all(e <= limit * s for e, s in zip(errors, scales, strict=True)):
                    kept.append((ends, halves, errors, lines))
                    continue
                for a, b, coarse in zip(ends[:-1], ends[1:], halves, strict=True):
                    refined.append(checked(a, b, coarse, *lines))
            if not refined:
                return total
            panels = kept + refined
        raise RuntimeError("the quadrature does not converge")


# The flat torus


class TorusOracle:
    """The uniform distribution on a box of which some axes are periodic.

    Sites are repeated by all shifts of at most `rings` periods along the periodic axes. Cell i is
    the cell of y_i itself among all copies, not cut by the box along the periodic axes: its
    centroid and cost belong to the representative of the cell around y_i.

    One ring is always enough. The copies of y_i itself, which have the same weight, keep the cell
    within half a period of y_i along each periodic axis. The copies of y_j have the same weight,
    too, so that a point of the cell has to be compared only with a nearest one, which is within
    half a period of the point and so within a period of y_i. The copy of y_j that is nearest to
    y_i is within half a period of y_i, and all copies within a period are at most one ring
    away from it. Here the rings of y_j are therefore laid around the copy nearest to y_i. A test
    compares one ring and two.
    """

    def __init__(self, lower, upper, periodic=(True, True), rings=1):
        self.lower, self.upper = exact_points([lower, upper])
        self.periods = minus(self.upper, self.lower)
        if min(self.periods) <= 0:
            raise ValueError("upper must be larger than lower")
        self.periodic = tuple(bool(p) for p in periodic)
        self.rings = rings

    def _copies(self, sites, weights, i):
        """All copies as (j, shift), their diagram, and the index of site i itself."""
        ranges = []
        for j, site in enumerate(sites):
            axes = []
            for axis in range(2):
                if not self.periodic[axis]:
                    axes.append([0])
                    continue
                nearest = round((sites[i][axis] - site[axis]) / self.periods[axis])
                axes.append(range(nearest - self.rings, nearest + self.rings + 1))
            ranges.append([(j, (a, b)) for a in axes[0] for b in axes[1]])
        names = [name for names in ranges for name in names]
        places = [
            tuple(
                c + k * period for c, k, period in zip(sites[j], shift, self.periods, strict=True)
            )
            for j, shift in names
        ]
        diagram = Diagram(places, [weights[j] for j, _ in names])
        return names, diagram, names.index((i, (0, 0)))

    def measure(self, sites, weights):
        plain = Diagram(sites, weights)
        cells, ratios, facets, by_shift = [], {}, {}, {}
        for i, site in enumerate(plain.sites):
            names, diagram, own = self._copies(plain.sites, plain.weights, i)
            order = diagram.others(own)
            start, stop, walls = [], [], []
            for axis in range(2):
                if self.periodic[axis]:
                    start.append(site[axis] - self.periods[axis])
                    stop.append(site[axis] + self.periods[axis])
                else:
                    start.append(self.lower[axis])
                    stop.append(self.upper[axis])
                    unit = (1 - axis, axis)
                    walls.append((*unit, self.upper[axis]))
                    walls.append((-unit[0], -unit[1], -self.lower[axis]))
            box = [
                (start[0], start[1]),
                (stop[0], start[1]),
                (stop[0], stop[1]),
                (start[0], stop[1]),
            ]
            cell = diagram.cell(own, box, order)
            if not cell:
                cells.append(EMPTY)
            else:
                cells.append(polygon_moments(cell, (Fraction(1), Fraction(0), Fraction(0)), site))
            for k, (j, shift) in enumerate(names):
                if j < i or (j == i and shift <= (0, 0)):
                    continue
                segment = diagram.facet(own, k, order)
                if segment is None:
                    continue
                ratio = linear_along(segment, (1, 0, 0), walls)
                if ratio == 0:
                    continue
                ratio /= self.periods[0] * self.periods[1]
                by_shift[i, j, shift] = float(mp(ratio) * diagram.distance(own, k))
                if i < j:
                    ratios[i, j] = ratios.get((i, j), 0) + ratio
                    length = mp(ratio) * diagram.distance(own, k)
                    facets[i, j] = facets.get((i, j), 0) + length
        area = self.periods[0] * self.periods[1]
        return Measures(
            sites=plain.sites,
            exact_masses=[m / area for m, _, _ in cells],
            exact_moments=[(u / area, v / area) for _, (u, v), _ in cells],
            exact_costs=[c / area for _, _, c in cells],
            exact_ratios=ratios,
            exact_facets=facets,
            reached=[m > 0 for m, _, _ in cells],
            arc_rates=[0] * len(cells),
            by_shift=by_shift,
        )


# Sums


class MixtureOracle:
    """A weighted sum of sources on the plane.

    Parameters
    ----------
    oracles : list of oracles, not on a torus
    shares : list of numbers
        Divided by their sum.
    """

    def __init__(self, oracles, shares):
        shares = [exact(s) for s in shares]
        if len(oracles) != len(shares) or min(shares) < 0 or sum(shares) == 0:
            raise ValueError("every source must have a share, and the sum must be positive")
        self.oracles = list(oracles)
        self.shares = [s / sum(shares) for s in shares]

    def measure(self, sites, weights):
        parts = [oracle.measure(sites, weights) for oracle in self.oracles]
        n = len(parts[0].sites)

        def mean(pick):
            values = [pick(part) for part in parts]
            if not all(isinstance(v, Fraction | int) for v in values):
                values = [mp(v) for v in values]
                return sum(mp(s) * v for s, v in zip(self.shares, values, strict=True))
            return sum(s * v for s, v in zip(self.shares, values, strict=True))

        pairs = sorted(
            {
                pair
                for share, part in zip(self.shares, parts, strict=True)
                if share
                for pair in part.exact_ratios
            }
        )
        return Measures(
            sites=parts[0].sites,
            exact_masses=[mean(lambda p, i=i: p.exact_masses[i]) for i in range(n)],
            exact_moments=[
                tuple(mean(lambda p, i=i, a=a: p.exact_moments[i][a]) for a in range(2))
                for i in range(n)
            ],
            exact_costs=[mean(lambda p, i=i: p.exact_costs[i]) for i in range(n)],
            exact_ratios={q: mean(lambda p, q=q: p.exact_ratios.get(q, 0)) for q in pairs},
            exact_facets={q: mean(lambda p, q=q: p.exact_facets.get(q, 0)) for q in pairs},
            reached=[any(p.reached[i] for p in parts) for i in range(n)],
            arc_rates=[mean(lambda p, i=i: p.arc_rates[i]) for i in range(n)],
        )
