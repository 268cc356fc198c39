"""Differential fuzz of the planar power diagram against the exact oracle.

    python tests/fuzz_diagram.py --count 100000 --seed 0      (with the package installed)

Configurations are random and degenerate: lattices, lines, circles, duplicates, neighbours an ulp
apart, far and clustered sites, weights (hi + lo) that make cells vanish exactly or nearly, domains
from boxes to slivers, sites on the domain's border, scales from 2^-90 to 2^90. Compared are the set
of empty cells, areas, centroids, costs, facets, polygons, the triangulation and point location;
and each diagram obeys the rules of `checks.diagram_faults`.

Left out are coordinates that differ by less than 1e-100 of their size: there the products of exact
arithmetic in doubles underflow.

Number k of a seed is the same configuration however many are run: `--only K` runs it alone.
The exit code is 1 when anything disagrees.
"""

from __future__ import annotations

import argparse
import sys
import time
from fractions import Fraction

import numpy as np
from checks import diagram_faults, disagreements
from oracles import UNIT_SQUARE, ExactDiagram, strictly_convex

import geomot

# Integer points on a circle about the origin.
_CIRCLES = {
    r: [(x, y) for x in range(-r, r + 1) for y in range(-r, r + 1) if x * x + y * y == r * r]
    for r in (5, 25, 65)
}

# Kinds of sites, weights and polygons whose numbers are small multiples of a power of two.
_SIMPLE_SITES = (1, 1, 2, 3, 10)
_SIMPLE_WEIGHTS = (0, 3, 3, 4, 6, 11)
_SIMPLE_POLYGONS = (0, 2, 2, 7)


def _ulps(rng, values, most):
    """Values moved by up to `most` units in the last place (of 2^-30 of the largest, at least)."""
    place = np.spacing(np.maximum(np.abs(values), np.abs(values).max() * 2.0**-30))
    return values + rng.integers(-most, most + 1, values.shape) * place


def _sites(rng, n, polygon, kind):
    """Sites of one of many kinds.

    Returns
    -------
    name : str
    (n, 2) array
    """
    lower, upper = polygon.min(axis=0), polygon.max(axis=0)
    span = upper - lower
    if kind == 0:
        return "uniform", lower + span * rng.random((n, 2))
    if kind == 1:
        side = int(rng.integers(1, 11))
        return "lattice", rng.integers(0, side + 1, (n, 2)).astype(float)
    if kind == 2:
        direction = rng.integers(-4, 5, 2)
        return "line", 1.0 * rng.integers(-5, 9, (n, 1)) * direction + rng.integers(0, 3, 2)
    if kind == 3:
        ring = np.array(_CIRCLES[int(rng.choice(list(_CIRCLES)))], dtype=float)
        sites = ring[rng.integers(0, len(ring), n)]
        if rng.random() < 0.5:
            sites[int(rng.integers(n))] = 0
        return "circle", sites + rng.integers(0, 4, 2)
    if kind == 4:
        few = lower + span * rng.random((max(1, n // 3), 2))
        return "duplicates", few[rng.integers(0, len(few), n)]
    if kind == 5:
        few = lower + span * rng.random((max(1, n // 3), 2))
        return "ulps", _ulps(rng, few[rng.integers(0, len(few), n)], int(rng.integers(1, 5)))
    if kind == 6:
        offset = 10.0 ** rng.integers(0, 9) * rng.standard_normal(2)
        return "far", lower + span * rng.random((n, 2)) + offset
    if kind == 7:
        size = 10.0 ** -rng.integers(1, 13)
        return "cluster", lower + span * (rng.random(2) + size * (rng.random((n, 2)) - 0.5))
    if kind == 8:
        side = int(rng.integers(2, 9))
        grid = rng.integers(0, side + 1, (n, 2)) / side
        return "grid and ulps", _ulps(rng, lower + span * grid, 2)
    if kind == 9:
        radius = 10.0 ** rng.uniform(-9, 3, (n, 1))
        return "all scales", lower + span * (0.5 + radius * rng.standard_normal((n, 2)))
    if kind == 10:
        k = rng.integers(0, len(polygon), n)
        t = rng.integers(0, 9, (n, 1)) / 8
        return "border", polygon[k] + t * (polygon[(k + 1) % len(polygon)] - polygon[k])
    if kind == 11:
        sites = lower + span * rng.random((n, 2))
        sites[:, int(rng.integers(2))] = sites[0, 0]
        return "axis line", sites
    if kind == 12:
        sites = lower + span * rng.random((n, 2))
        return "diagonal", np.repeat(sites[:, :1], 2, axis=1)
    if kind == 13:
        angle = 2 * np.pi * np.arange(n) / n
        ring = np.column_stack([np.cos(angle), np.sin(angle)])
        return "rounded circle", lower + span * (0.5 + 0.3 * ring)
    if kind == 14:
        # Two clusters of very different size, and strays.
        sites = lower + span * rng.random((n, 2))
        size = 10.0 ** -rng.integers(2, 11)
        some = rng.random(n) < 0.7
        sites[some] = sites[0] + size * (sites[some] - sites[0])
        return "two scales", sites
    step = 2.0 ** -rng.integers(1, 30)
    return "dyadic", np.round((lower + span * rng.random((n, 2))) / step) * step


def _split(value):
    """A fraction as hi + lo: exact where 106 bits suffice."""
    high = float(value)
    return high, float(value - Fraction(high))


def _weights(rng, sites, polygon, kind):
    """Weights as pairs, of one of many kinds.

    Returns
    -------
    name : str
    (n, 2) array
    """
    n = len(sites)
    lower, upper = polygon.min(axis=0), polygon.max(axis=0)
    square = float(((upper - lower) ** 2).sum())
    zero = np.zeros(n)
    if kind in (0, 1):
        return "zero", np.column_stack([zero, zero])
    if kind == 2:
        return "random", np.column_stack([square / n * rng.random(n), zero])
    if kind == 3:
        return "integers", np.column_stack([rng.integers(-5, 6, n).astype(float), zero])
    if kind in (4, 5):
        # All bisectors pass through one point, exactly or but for the rounding of the pair.
        where = int(rng.integers(3))
        if where == 0:
            p = polygon[int(rng.integers(len(polygon)))]
        elif where == 1:
            p = np.round(8 * (lower + rng.random(2) * (upper - lower))) / 8
        else:
            p = lower + rng.random(2) * (upper - lower)
        px, py = map(Fraction, p.tolist())
        w = [(Fraction(x) - px) ** 2 + (Fraction(y) - py) ** 2 for x, y in sites.tolist()]
        shift = Fraction(int(rng.integers(-2, 3)))
        pairs = np.array([_split(v + shift) for v in w])
        if kind == 5:
            # One cell opens or vanishes by very little.
            pairs[int(rng.integers(n)), 1] += (
                square * rng.choice([-1, 1]) * 2.0 ** -rng.integers(10, 110)
            )
            pairs = np.array([_split(Fraction(h) + Fraction(lo)) for h, lo in pairs.tolist()])
        return "through a point", pairs
    if kind == 6:
        # One site whose cell is gone exactly: lifted onto the segment between two others.
        i, j, k = rng.integers(0, n, 3)
        w = np.round(8 * rng.random(n)) / 8
        pairs = np.column_stack([w, zero])
        y = [[Fraction(v) for v in row] for row in sites.tolist()]
        sites[k] = (sites[i] + sites[j]) / 2
        y[k] = [Fraction(v) for v in sites[k].tolist()]
        lift = [a * a + b * b - Fraction(float(v)) for (a, b), v in zip(y, w, strict=True)]
        value = y[k][0] ** 2 + y[k][1] ** 2 - (lift[i] + lift[j]) / 2
        pairs[k] = _split(value)
        return "on a segment", pairs
    if kind == 7:
        size = 10.0 ** rng.uniform(-20, 1, n)
        return "all scales", np.column_stack([square * size * rng.choice([-1, 1], n), zero])
    if kind == 8:
        high = square / n * rng.random(n)
        return "pairs", np.column_stack([high, np.spacing(high) * (rng.random(n) - 0.5)])
    if kind == 9:
        low = square * 10.0 ** -rng.integers(16, 40) * rng.standard_normal(n)
        return "low parts only", np.column_stack([zero, low])
    if kind == 10:
        # As at an optimum whose targets are far: heights of a shrunken copy of the sites.
        centre, size = sites.mean(axis=0), float(np.abs(sites - sites.mean(axis=0)).max()) or 1.0
        u = (lower + upper) / 2 + 0.4 * (upper - lower) * (sites - centre) / size
        scale = float((upper - lower).min()) / (2 * size)
        w = (sites**2).sum(axis=1) - (u**2).sum(axis=1) / (scale or 1.0)
        return "affine", np.column_stack([w, zero])
    w = rng.integers(0, 64, n) / 64
    return "shifted", np.column_stack([w + 2.0 ** rng.integers(0, 40), zero])


def _polygon(rng, kind):
    """A strictly convex polygon, counter-clockwise.

    Returns
    -------
    name : str
    (m, 2) array
    """
    if kind in (0, 1):
        return "unit square", UNIT_SQUARE.copy()
    if kind == 2:
        side = float(rng.integers(1, 12))
        return "integer box", side * UNIT_SQUARE - rng.integers(0, 3, 2)
    if kind == 3:
        lower = rng.standard_normal(2)
        return "box", lower + UNIT_SQUARE * 10.0 ** rng.uniform(-3, 3, 2)
    if kind == 4:
        p = rng.standard_normal((3, 2))
        turn = np.linalg.det(p[1:] - p[0])
        return "triangle", p if turn > 0 else p[::-1].copy()
    if kind == 5:
        m = int(rng.integers(3, 24))
        angle = 2 * np.pi * np.arange(m) / m
        ring = np.column_stack([np.cos(angle), np.sin(angle)])
        return "regular", rng.random(2) + rng.random() * ring
    if kind == 6:
        thin = 10.0 ** -rng.integers(1, 13)
        sliver = np.array([(0, 0), (1, 0.25 * thin), (1, thin), (0.5, thin)])
        turn = rng.standard_normal()
        c, s = np.cos(turn), np.sin(turn)
        return "sliver", sliver @ np.array([(c, s), (-s, c)]) + rng.random(2)
    if kind == 7:
        diamond = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)], dtype=float)
        return "diamond", float(rng.integers(1, 9)) * diamond + rng.integers(0, 3, 2)
    return "offset box", UNIT_SQUARE + 10.0 ** rng.integers(2, 10) * rng.integers(-3, 4, 2)


def configuration(seed, k):
    """Configuration k of a seed.

    Parameters
    ----------
    seed, k : int

    Returns
    -------
    name : str
    sites (n, 2), weights (n, 2), polygon (m, 2) : arrays
    """
    rng = np.random.default_rng([seed, k])
    # Small numbers throughout meet the most degeneracies.
    simple = rng.random() < 0.4
    kinds = (_SIMPLE_SITES, _SIMPLE_WEIGHTS, _SIMPLE_POLYGONS) if simple else (16, 12, 9)
    of_sites, of_weights, of_polygon = (int(rng.choice(choices)) for choices in kinds)
    while True:
        shape, polygon = _polygon(rng, of_polygon)
        if strictly_convex(polygon):
            break
    n = int(rng.integers(1, 13)) if rng.random() < 0.95 else int(rng.integers(13, 41))
    kind, sites = _sites(rng, n, polygon, of_sites)
    family, weights = _weights(rng, sites, polygon, of_weights)
    if rng.random() < 0.2:
        # Exact: only exponents change.
        power = int(rng.integers(-90, 91))
        sites, polygon = np.ldexp(sites, power), np.ldexp(polygon, power)
        weights = np.ldexp(weights, 2 * power)
    return f"{kind} / {family} / {shape}", sites, weights, np.ascontiguousarray(polygon)


def _query_points(rng, exact):
    """Points to locate: random, sites, corners, midpoints, corners of cells."""
    polygon, sites = exact.polygon, exact.sites
    lower, upper = polygon.min(axis=0), polygon.max(axis=0)
    points = [lower + (upper - lower) * (1.5 * rng.random((8, 2)) - 0.25), sites, polygon]
    i, j = rng.integers(0, len(sites), (2, 6))
    points.append((sites[i] + sites[j]) / 2)
    points.append((polygon + np.roll(polygon, 1, axis=0)) / 2)
    alive = np.flatnonzero(~exact.empty)
    points += [exact.cell(k) for k in alive[:3]]
    return np.ascontiguousarray(np.concatenate(points))


def _check_cells(diagram, exact):
    """Polygons, the corners they share, and what lies across their edges."""
    found = []
    vertices, offsets, labels = diagram.cells.vertices, diagram.cells.offsets, diagram.cells.labels
    diameter = float(np.hypot(*np.ptp(exact.polygon, axis=0)))
    place = float(np.spacing(np.abs(exact.polygon).max()))
    reach = 1e-12 * diameter + 4 * place
    for i in range(exact.n):
        part = slice(int(offsets[i]), int(offsets[i + 1]))
        polygon, across = vertices[part], labels[part]
        if exact.empty[i]:
            continue
        truth = exact.cell(i)
        distance = np.hypot(*np.moveaxis(polygon[:, None] - truth[None], 2, 0))
        if exact.masses[i] < 1e-12:
            # Its corners may be one point in doubles.
            if len(polygon) and not distance.min(axis=1).max() <= reach:
                found.append(f"cell {i}: a vertex is off by {distance.min(axis=1).max():.2e}")
            continue
        if len(polygon) < 3:
            # A cell no thicker than the spacing of doubles may be gone.
            if exact.areas[i] > 4 * place * diameter:
                found.append(f"cell {i} has {len(polygon)} vertices, mass {exact.masses[i]}")
            continue
        worst = max(distance.min(axis=0).max(), distance.min(axis=1).max())
        if not worst <= reach:
            found.append(f"cell {i}: vertices differ by {worst:.2e}")
        length = np.hypot(*(np.roll(polygon, -1, axis=0) - polygon).T)
        wanted = [label for label, size in exact.edges(i) if size > 4 * reach]
        got = [int(label) for label, size in zip(across, length, strict=True) if size > 4 * reach]
        start = got.index(wanted[0]) if wanted and wanted[0] in got else 0
        sure = {label for label, _ in exact.edges(i)}
        if set(got) - sure or set(wanted) - set(across.tolist()):
            found.append(f"cell {i}: edges {got} exact {wanted}")
        elif len(got) == len(wanted) and got[start:] + got[:start] != wanted:
            found.append(f"cell {i}: edges in the order {got} exact {wanted}")
    return found


def _check_simplices(diagram, exact):
    """The lower hull of the lifted sites, counter-clockwise, covering the convex hull."""
    simplices = diagram.triangulation
    y, w = exact._y, exact._w
    found = []
    twice = 0
    for i, j, k in simplices.tolist():
        ax, ay = y[i]
        bx, by, cx, cy = y[j][0] - ax, y[j][1] - ay, y[k][0] - ax, y[k][1] - ay
        turn = bx * cy - by * cx
        if turn <= 0:
            found.append(f"simplex {(i, j, k)} is not counter-clockwise")
            continue
        twice += turn
        b = bx * bx + by * by - w[j] + w[i]
        c = cx * cx + cy * cy - w[k] + w[i]
        for m in range(exact.n):
            dx, dy = y[m][0] - ax, y[m][1] - ay
            d = dx * dx + dy * dy - w[m] + w[i]
            above = d * turn - dx * (b * cy - c * by) - dy * (bx * c - cx * b)
            if above < 0:
                found.append(f"simplex {(i, j, k)} has site {m} below its plane")
                break
    hull = _twice_hull_area(y)
    if twice != hull and not found:
        found.append(f"simplices cover {twice / hull if hull else twice} of the hull of the sites")
    return found


def _twice_hull_area(points):
    points = sorted(set(points))
    if len(points) < 3:
        return 0
    halves = []
    for order in (points, points[::-1]):
        chain = []
        for p in order:
            while len(chain) > 1:
                (ax, ay), (bx, by) = chain[-2:]
                if (bx - ax) * (p[1] - ay) - (by - ay) * (p[0] - ax) > 0:
                    break
                chain.pop()
            chain.append(p)
        halves += chain[:-1]
    return sum(
        p[0] * q[1] - p[1] * q[0] for p, q in zip(halves, halves[1:] + halves[:1], strict=True)
    )


def examine(seed, k):
    """Compare one configuration.

    Parameters
    ----------
    seed, k : int

    Returns
    -------
    name : str
    problems : list of str
    degenerate : bool
        A vertex lay exactly on a bisector.
    """
    name, sites, weights, polygon = configuration(seed, k)
    # The same polygon, from the vertex where its edges are counted from.
    source = geomot.UniformPolygon(polygon)
    exact = ExactDiagram(sites, weights, source.polygon)
    inputs = [a.copy() for a in (sites, weights, polygon)]
    try:
        diagram = geomot.PowerDiagram(sites, weights, source)
        problems = list(diagram_faults(diagram, underflow=True))
        problems += disagreements(diagram, exact)
        if not problems:
            problems += _check_cells(diagram, exact)
            problems += _check_simplices(diagram, exact)
            points = _query_points(np.random.default_rng([seed, k, 1]), exact)
            found, truth = diagram.locate(points), exact.locate(points)
            for q in np.flatnonzero(found != truth)[:3]:
                problems.append(f"locate {points[q].tolist()}: {found[q]} exact {truth[q]}")
    except Exception as error:
        problems = [f"{type(error).__name__}: {error}"]
    for before, after in zip(inputs, (sites, weights, polygon), strict=True):
        if before.tobytes() != after.tobytes():
            problems.append("an input was changed")
    return name, problems, exact.zeros > 0


def run(count, seed, *, start=0, report=print, progress=False):
    """Examine configurations start, ..., start + count - 1.

    Parameters
    ----------
    count, seed, start : int
    report : callable
        Takes a line of text for each disagreement.
    progress : bool
        Say on stderr how far it is.

    Returns
    -------
    wrong, degenerate : int
    """
    wrong = degenerate = 0
    began = time.perf_counter()
    for k in range(start, start + count):
        name, problems, ties = examine(seed, k)
        degenerate += ties
        if problems:
            wrong += 1
            report(f"{k}: {name}")
            for problem in problems[:6]:
                report(f"    {problem}")
        if progress and (k + 1 - start) % 5000 == 0:
            seconds = time.perf_counter() - began
            print(f"{k + 1 - start} in {seconds:.0f} s, {wrong} wrong", file=sys.stderr)
    return wrong, degenerate


def show(seed, k):
    """Lines of Python that make configuration k."""
    name, sites, weights, polygon = configuration(seed, k)
    yield f"# {name}"
    for label, array in (("sites", sites), ("weights", weights), ("polygon", polygon)):
        yield f"{label} = np.array({array.tolist()})"


def main(arguments=None) -> int:
    """Run from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--only", type=int, help="one configuration, with its data")
    options = parser.parse_args(arguments)
    if options.only is not None:
        print("\n".join(show(options.seed, options.only)))
        options.start, options.count = options.only, 1
    wrong, degenerate = run(
        options.count, options.seed, start=options.start, progress=options.only is None
    )
    print(f"{options.count} configurations, {degenerate} of them degenerate, {wrong} disagreements")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
