"""Fuzz of hard solves in the plane, judged by exact arithmetic.

    python tests/fuzz_solve.py --solves 20000 --seed 0      (with the package installed)

Problems are drawn from families: tight clusters, cities, long boxes, random walks, rings, twins
down to one unit in the last place, masses over hundreds of decades, far sites, lattices, lines,
sites on the border, polygons, scales from 2^-90 to 2^90, and all of these combined. Each solution
obeys the rules of ``checks.solution_faults`` and is measured again by ``oracles.ExactDiagram``; a
mass is right if it is within the tolerance asked for, relative to its target, or within an absolute
one (`--atol`). What stops at the rounding of weights is judged by `_at_floor`.

Problem SEED of a family is the same however many are run: `--replay FAMILY:SEED` runs it alone and
prints its data. The table counts, per family, what did not converge, what stopped at the floor of
rounded weights ("precision", and the exact error is no larger), what was wrong, and costs or lower
bounds below 0. Ctrl-C prints the table so far. The exit code is 1 when anything failed: all but
"converged" and the floor.
"""

from __future__ import annotations

import argparse
import itertools
import math
import multiprocessing
import signal
import sys
import time
import warnings
import zlib
from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from math import fsum

import numpy as np
from checks import solution_faults
from oracles import ExactDiagram, expansion, strictly_convex, upper_bound
from textbook import NotConverged, textbook_newton

import geomot

# Default tolerance of a solve, and the error below which no mass counts as wrong.
TOL = 1e-9
ATOL = 2.0**-97
# A mass of size 1/N is a double: relative errors below this are rounding.
ROUNDING = 2e-15
# What the claimed masses of cells may be off by, relative to the cell, however small it is: the
# largest error seen in 1200 solves, on cells down to 1e-30 of the domain, was 3e-14.
CELL_ROUNDING = 1e-12
# Costs and bounds agree to this, relative to the cost, besides the price of what is misplaced.
COST_TOLERANCE = 1e-9
COST_ROUNDING = 1e-14
# Weights are sums hi + lo of 106 binary digits. Roundings of the right ones that show what this
# forbids, and how far above their errors those of a solution may be.
FLOOR_TRIALS = 32
FLOOR_FACTOR = 8
# Up to this many sites some solutions are compared with those of the textbook's method, which
# leaves out the masses that change no digit of a cost.
TEXTBOOK_UP_TO, TEXTBOOK_EVERY = 8, 8
TEXTBOOK_LEAST_MASS = 1e-30

FAMILIES = {}


@dataclass(frozen=True)
class Case:
    """One problem: `box` (lower and upper corner) or `polygon` is the domain."""

    family: str
    seed: int
    sites: np.ndarray
    masses: np.ndarray
    box: np.ndarray | None
    polygon: np.ndarray

    @property
    def name(self):
        return f"{self.family}:{self.seed}"

    @property
    def source(self):
        return self.polygon if self.box is None else geomot.UniformBox(*self.box)


@dataclass
class Verdict:
    """What became of one problem: `error` is the exact one, of masses not right to `atol`."""

    name: str
    n: int
    status: str = "error"
    error: float = 0.0
    negative: bool = False
    wrong: list[str] = field(default_factory=list)
    solving: float = 0.0
    judging: float = 0.0

    @property
    def failed(self):
        return self.negative or bool(self.wrong) or self.status not in ("converged", "floor")


# Positions, in the unit square; those that are made of last places come after the domain.


def _size(rng):
    """Mostly few sites, sometimes hundreds, rarely thousands."""
    u = rng.random()
    if u < 0.6:
        return int(rng.integers(2, 13))
    if u < 0.96:
        return int(rng.integers(13, 61))
    if u < 0.997:
        return int(rng.integers(61, 301))
    return int(rng.integers(301, 2501))


def _uniform(rng, n):
    return rng.random((n, 2))


def _shares(rng, n, k):
    """To which of k groups each of n sites belongs: equal or unequal groups, none empty."""
    k = min(k, n)
    if rng.random() < 0.5:
        return np.sort(np.arange(n) % k)
    chances = np.full(k, 1 / k) if rng.random() < 0.3 else rng.dirichlet(np.full(k, 0.7))
    return np.sort(np.concatenate([np.arange(k), rng.choice(k, n - k, p=chances)]))


def _clusters(rng, n):
    k = int(rng.choice([2, 2, 2, 3, 4, 5]))
    centres = 0.1 + 0.8 * rng.random((k, 2))
    if rng.random() < 0.3:
        # Symmetric: the masses between the groups are right from the start, or nearly.
        square = np.array([(0.25, 0.25), (0.75, 0.75), (0.25, 0.75), (0.75, 0.25), (0.5, 0.5)])
        centres = square[:k]
    if rng.random() < 0.7:
        # As many in each, if they are shared equally: solved, they exchange no mass.
        n = k * max(1, n // k)
    width = 10.0 ** rng.uniform(-8, -1, k if rng.random() < 0.3 else 1) * np.ones(k)
    group = _shares(rng, n, k)
    if rng.random() < 0.5:
        noise = rng.random((n, 2)) - 0.5
    else:
        noise = rng.standard_normal((n, 2))
    return centres[group] + width[group, None] * noise


def _walk(rng, n):
    steps = rng.standard_normal((n, 2))
    if rng.random() < 0.5:
        steps *= np.minimum(rng.pareto(1.0, (n, 1)), 1e6)
    if rng.random() < 0.3:
        steps[:, 1] = np.abs(steps[:, 1])
    path = np.cumsum(steps, axis=0)
    lower, span = path.min(axis=0), max(float(np.ptp(path, axis=0).max()), 1e-300)
    return 0.02 + 0.96 * (path - lower) / span


def _ring(rng, n):
    """A tight group, and others on one or several circles about it."""
    inner = int(rng.integers(1, max(2, n // 2 + 1)))
    centre = 0.3 + 0.4 * rng.random(2)
    angle = 2 * np.pi * (np.arange(n) / max(1, n - inner) if rng.random() < 0.5 else rng.random(n))
    radius = rng.choice([0.1, 0.2, 0.29], n) if rng.random() < 0.5 else np.full(n, 0.25)
    sites = centre + radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    width = 10.0 ** rng.uniform(-8, -1)
    sites[n - inner :] = centre + width * rng.standard_normal((inner, 2))
    return sites


def _lattice(rng, n):
    side = max(2, int(np.ceil(np.sqrt(n))))
    i, j = np.divmod(np.arange(side * side), side)
    kind = rng.integers(5)
    points = np.column_stack([i, j]).astype(float)
    if kind == 1:
        points += np.column_stack([0.5 * (j % 2), -j * (1 - np.sqrt(0.75))])
    elif kind == 2:
        angle = rng.choice([np.pi / 12, np.pi / 4, np.arctan(0.75), rng.random()])
        c, s = np.cos(angle), np.sin(angle)
        points = points @ np.array([(c, s), (-s, c)])
    elif kind == 3:
        points *= 10.0 ** rng.uniform(-6, 0, 2)
    elif kind == 4:
        points[:, 0] *= 2.0 ** int(rng.integers(-30, 1))
    points -= points.min(axis=0)
    points /= max(1.0, float(points.max()))
    if rng.random() < 0.5:
        points = (points + 0.5 / side) / (1 + 1 / side)
    if rng.random() < 0.3:
        return points[np.sort(rng.permutation(len(points))[:n])]
    return points[: max(n, 2)]


def _line(rng, n):
    """On a line, or nearly."""
    t = rng.random((n, 1)) if rng.random() < 0.5 else (0.5 + np.arange(n)[:, None]) / n
    ends = rng.random((2, 2))
    kind = rng.integers(4)
    if kind == 0:
        ends[1, 0] = ends[0, 0]
    elif kind == 1:
        ends[1, 1] = ends[0, 1]
    elif kind == 2:
        ends = np.array([(0, 0), (1, 1.0)])
    sites = ends[0] + t * (ends[1] - ends[0])
    if rng.random() < 0.5:
        sites += 10.0 ** rng.uniform(-16, -3) * rng.standard_normal((n, 2))
    return sites


def _scales(rng, n):
    """Distances from a point over many decades."""
    radius = 0.5 * 10.0 ** rng.uniform(rng.choice([-3, -8, -14]), 0, (n, 1))
    angle = 2 * np.pi * rng.random(n)
    return 0.5 + radius * np.column_stack([np.cos(angle), np.sin(angle)])


POSITIONS = (_uniform, _clusters, _walk, _ring, _lattice, _line, _scales)


def _twins(rng, sites, *, widest=-8.0):
    """Give some sites twins, triples or chains: from 10^widest down to a unit in the last place."""
    sites = np.array(sites)
    most = max(1, len(sites) // 2)
    pairs = most if rng.random() < 0.3 else int(rng.integers(1, min(most, 3) + 1))
    long = int(rng.choice([2, 2, 2, 3, 5]))
    added = []
    for k in rng.permutation(len(sites))[:pairs]:
        y = sites[k]
        kind = rng.integers(3)
        axis = int(rng.integers(2))
        for _ in range(long - 1):
            # Of coordinates near 0 the last place is that of 2^-30: nothing underflows.
            place = np.spacing(np.maximum(np.abs(y), np.abs(sites).max() * 2.0**-30))
            y = y.copy()
            if kind == 0:
                y[axis] += place[axis]
            elif kind == 1:
                y += place * rng.integers(-3, 4, 2)
            else:
                y += 10.0 ** rng.uniform(-16, widest) * rng.standard_normal(2)
            added.append(y)
    return np.concatenate([sites, added])


# Laws of masses.


def _equal(rng, sites):
    return np.ones(len(sites))


def _random(rng, sites):
    return rng.uniform(0.2, 1.8, len(sites))


def _dirichlet(rng, sites):
    return rng.dirichlet(np.ones(len(sites)))


def _sparse(rng, sites):
    return rng.dirichlet(np.full(len(sites), 0.05))


def _geometric(rng, sites):
    decades = rng.choice([3, 6, 9, 12])
    masses = 10.0 ** -np.linspace(0, decades, len(sites))
    return rng.permutation(masses) if rng.random() < 0.5 else masses


def _density(rng, sites):
    """A Gaussian's density at the sites, the least of them 1e-6 to 1e-300 of the largest."""
    middle = sites.mean(axis=0) if rng.random() < 0.5 else sites[int(rng.integers(len(sites)))]
    square = ((sites - middle) ** 2).sum(axis=1)
    square = (square - square.min()) / max(float(np.ptp(square)), 1e-300)
    return 10.0 ** (-square * rng.choice([6, 15, 17, 35, 100, 300]))


def _power_law(rng, sites):
    return rng.permutation(np.arange(1.0, len(sites) + 1) ** -rng.uniform(1, 4))


def _giant(rng, sites):
    masses = 10.0 ** rng.uniform(-12, -1) * rng.uniform(0.5, 1.5, len(sites))
    masses[int(rng.integers(len(sites)))] = 1
    return masses


MILD = (_equal, _equal, _equal, _random, _dirichlet)
HARD = (_sparse, _geometric, _density, _power_law, _giant)


# Domains: (box, polygon), one of them None.


def _square(rng):
    return np.array([(0, 0), (1, 1.0)]), None


def _box(rng):
    lower = rng.standard_normal(2)
    return np.array([lower, lower + 10.0 ** rng.uniform(-2, 2, 2)]), None


def _long(rng):
    ratio = 10.0 ** rng.uniform(1, 3)
    sides = np.array([ratio, 1]) if rng.random() < 0.5 else np.array([1, ratio])
    if rng.random() < 0.5:
        sides = np.round(sides)
    lower = np.zeros(2) if rng.random() < 0.7 else rng.standard_normal(2)
    return np.array([lower, lower + sides]), None


def _counter_clockwise(polygon):
    return polygon if np.linalg.det(polygon[1:3] - polygon[0]) > 0 else polygon[::-1].copy()


def _convex(rng):
    angle = np.sort(2 * np.pi * rng.random(int(rng.integers(3, 12))))
    ellipse = np.column_stack([np.cos(angle), 10.0 ** rng.uniform(-2, 0) * np.sin(angle)])
    return None, rng.random(2) + ellipse


def _triangle(rng):
    thin = 10.0 ** rng.uniform(-4, 0)
    polygon = np.array([(0, 0), (1, thin * rng.random()), (rng.random(), thin)])
    turn = 2 * np.pi * rng.random()
    c, s = np.cos(turn), np.sin(turn)
    return None, _counter_clockwise(polygon @ np.array([(c, s), (-s, c)]))


def _many_sides(rng):
    m = int(rng.integers(12, 200))
    angle = 2 * np.pi * np.arange(m) / m
    return None, 0.5 + rng.uniform(0.1, 2) * np.column_stack([np.cos(angle), np.sin(angle)])


def _polygon(rng):
    while True:
        box, polygon = (_convex, _triangle, _many_sides)[int(rng.integers(3))](rng)
        if strictly_convex(polygon):
            return box, polygon


DOMAINS = (_square, _box, _long, _polygon)


def _corners(box, polygon):
    if polygon is not None:
        return polygon
    (x0, y0), (x1, y1) = box
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])


def _into(rng, domain, points):
    """Points of the unit square, mapped onto the domain's bounding box or moved inside."""
    corners = _corners(*domain)
    lower, upper = corners.min(axis=0), corners.max(axis=0)
    if domain[1] is not None and rng.random() < 0.7:
        return corners.mean(axis=0) + 0.2 * (upper - lower).min() * (points - 0.5)
    if rng.random() < 0.5:
        return lower + (upper - lower) * points
    # As they are, in a square of the shorter side.
    side = float((upper - lower).min())
    return lower + (upper - lower - side) * rng.random(2) + side * points


def _one_of(rng, choices):
    return choices[int(rng.integers(len(choices)))]


def _some_idle(rng, masses):
    """At times some masses of 0 among the others."""
    if rng.random() < 0.2:
        masses = np.where(rng.random(len(masses)) < 0.3, 0.0, masses)
        masses[int(rng.integers(len(masses)))] = 1.0
    return masses


def _mild(rng, sites):
    return _one_of(rng, MILD)(rng, sites)


def family(function):
    """Register a family: a function of a generator that returns sites, masses and domain."""
    FAMILIES[function.__name__] = function
    return function


@family
def clusters(rng):
    sites = _clusters(rng, _size(rng))
    return sites, _mild(rng, sites), _square(rng)


@family
def cities(rng):
    """Groups far apart, as longitudes and latitudes, in their bounding box."""
    if rng.random() < 0.5:
        places = np.array([(2.35, 48.85), (-0.12, 51.5), (-74, 40.72), (139.7, 35.68)])
    else:
        places = rng.uniform((-180, -60), (180, 70), (int(rng.integers(2, 7)), 2))
    n = max(len(places) + 1, _size(rng))
    group = _shares(rng, n, len(places))
    deviation = 0.1 if rng.random() < 0.5 else 10.0 ** rng.uniform(-4, 0.5)
    sites = np.round(places[group] + deviation * rng.standard_normal((n, 2)), 6)
    return sites, _mild(rng, sites), (_bounds(sites), None)


def _bounds(sites):
    lower, upper = sites.min(axis=0), sites.max(axis=0)
    span = float((upper - lower).max()) or 1.0
    upper = np.where(upper - lower > 1e-3 * span, upper, lower + 1e-3 * span)
    return np.array([lower, upper])


@family
def long_boxes(rng):
    domain, n = _long(rng), _size(rng)
    choice = (_uniform, _uniform, _clusters, _line, _lattice)
    sites = _into(rng, domain, _one_of(rng, choice)(rng, n))
    if rng.random() < 0.3:
        sites = np.round(sites, int(rng.integers(0, 3)))
    return sites, _mild(rng, sites), domain


@family
def walks(rng):
    sites = _walk(rng, _size(rng))
    domain = _square(rng) if rng.random() < 0.5 else (_bounds(sites), None)
    return sites, _mild(rng, sites), domain


@family
def rings(rng):
    sites = _ring(rng, max(3, _size(rng)))
    return sites, _mild(rng, sites), _square(rng)


@family
def twins(rng):
    sites = np.round(rng.random((_size(rng), 2)), int(rng.choice([1, 2, 16])))
    if rng.random() < 0.1:
        sites = np.array([(0.1, 0.2), (0.3, 0.7), (0.1 + 0.2, 0.7)])
    else:
        sites = _twins(rng, sites)
    return sites, _mild(rng, sites), _square(rng)


@family
def chains(rng):
    """A few sites, and another of which every coordinate is some last places away."""
    n = int(rng.integers(2, 10))
    start = rng.random(2) if rng.random() < 0.7 else 2.0 ** -rng.integers(1, 8, 2)
    chain = start + np.spacing(start) * rng.integers(-4, 5, (n, 2))
    sites = np.concatenate([rng.random((int(rng.integers(0, 4)), 2)), chain])
    return sites, _mild(rng, sites), _square(rng)


@family
def sparse_masses(rng):
    sites = _one_of(rng, (_uniform, _uniform, _clusters))(rng, _size(rng))
    return sites, _some_idle(rng, _sparse(rng, sites)), _square(rng)


@family
def density_masses(rng):
    sites = _one_of(rng, (_uniform, _uniform, _uniform, _clusters, _lattice))(rng, _size(rng))
    return sites, _some_idle(rng, _density(rng, sites)), _square(rng)


@family
def decades(rng):
    sites = _one_of(rng, (_uniform, _uniform, _uniform, _clusters, _lattice))(rng, _size(rng))
    masses = _one_of(rng, (_geometric, _power_law, _giant))(rng, sites)
    return sites, _some_idle(rng, masses), _square(rng)


def _far(rng, sites, lower, span):
    offset = span * 10.0 ** rng.uniform(2, 8)
    angle = 2 * np.pi * rng.random(len(sites))
    directions = np.column_stack([np.cos(angle), np.sin(angle)])
    kind = rng.integers(4)
    if kind == 0:
        return sites + offset * directions[0]
    if kind == 1:
        some = rng.random(len(sites)) < 0.5
        return sites + offset * directions[0] * some[:, None]
    if kind == 2:
        return sites + offset * directions
    return lower + (sites - lower) * offset / span


@family
def far_sites(rng):
    sites = _far(rng, _one_of(rng, (_uniform, _uniform, _lattice))(rng, _size(rng)), 0.0, 1.0)
    return sites, _mild(rng, sites), _square(rng)


@family
def lattices(rng):
    domain = (np.array([(0, 0), (1, 1.0)]), None)
    sites = _lattice(rng, _size(rng))
    return sites, _mild(rng, sites), domain


@family
def lines(rng):
    sites = _line(rng, _size(rng))
    return sites, _mild(rng, sites), _square(rng) if rng.random() < 0.7 else _polygon(rng)


@family
def borders(rng):
    """Sites on the domain's border and at its corners."""
    domain = _one_of(rng, DOMAINS)(rng)
    corners, n = _corners(*domain), _size(rng)
    k = rng.integers(0, len(corners), n)
    t = rng.integers(0, 9, (n, 1)) / 8 if rng.random() < 0.5 else rng.random((n, 1))
    sites = corners[k] + t * (np.roll(corners, -1, axis=0)[k] - corners[k])
    return sites, _mild(rng, sites), domain


@family
def polygons(rng):
    domain = _polygon(rng)
    sites = _into(rng, domain, _uniform(rng, _size(rng)))
    return sites, _mild(rng, sites), domain


@family
def scales(rng):
    """All scales at once about one point, and units from 2^-90 to 2^90."""
    sites = _one_of(rng, (_scales, _uniform, _clusters))(rng, _size(rng))
    masses, power = _mild(rng, sites), int(rng.integers(-90, 91))
    return np.ldexp(sites, power), masses, (np.ldexp(_square(rng)[0], power), None)


@family
def repeats(rng):
    """Coincident sites, and masses of 0."""
    sites = _one_of(rng, (_uniform, _lattice, _clusters))(rng, _size(rng))
    sites = sites[rng.integers(0, len(sites), len(sites))]
    masses = _mild(rng, sites)
    masses[rng.random(len(sites)) < rng.choice([0, 0.2, 0.6])] = 0
    masses[int(rng.integers(len(sites)))] = 1
    return sites, masses, _square(rng)


@family
def combined(rng):
    """Any positions with any masses on any domain, at times with twins, far, or in other units."""
    domain = _one_of(rng, DOMAINS)(rng)
    sites = _into(rng, domain, _one_of(rng, POSITIONS)(rng, _size(rng)))
    corners = _corners(*domain)
    if rng.random() < 0.15:
        sites = _far(rng, sites, corners.min(axis=0), float(np.ptp(corners, axis=0).max()))
    if rng.random() < 0.25:
        sites = _twins(rng, sites)
    masses = _some_idle(rng, _one_of(rng, MILD + HARD)(rng, sites))
    if rng.random() < 0.15:
        power = int(rng.integers(-90, 91))
        sites = np.ldexp(sites, power)
        domain = tuple(None if part is None else np.ldexp(part, power) for part in domain)
    return sites, masses, domain


def make(name, seed):
    """Problem `seed` of a family.

    Parameters
    ----------
    name : str
    seed : int

    Returns
    -------
    Case
    """
    rng = np.random.default_rng([zlib.crc32(name.encode()), seed])
    sites, masses, (box, polygon) = FAMILIES[name](rng)
    if name != "repeats":
        # Where rounding made sites coincide, one of them has the masses of all.
        _, first, which = np.unique(sites, axis=0, return_index=True, return_inverse=True)
        masses = np.bincount(which, masses)[np.argsort(first)]
        sites = sites[np.sort(first)]
    masses = masses / masses.max()
    masses = masses / fsum(masses)
    return Case(name, seed, np.ascontiguousarray(sites), masses, box, _corners(box, polygon))


# The judge.


def check(case, *, atol=ATOL, solve=geomot.solve) -> Verdict:
    """Solve one problem and judge what comes back.

    Parameters
    ----------
    case : Case
    atol : float
        A mass this close to its target is right, whatever the target.
    solve : callable
        Takes sites, masses and source and returns a Solution.

    Returns
    -------
    Verdict
    """
    verdict = Verdict(case.name, len(case.sites))
    began = time.process_time()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            solution = solve(case.sites, case.masses, case.source)
        except Exception as error:
            verdict.wrong.append(f"{type(error).__name__}: {error}")
            return verdict
        finally:
            verdict.solving = time.process_time() - began
    verdict.status = solution.status
    verdict.negative = solution.cost < 0 or solution.bracket[0] < 0
    wrong = verdict.wrong
    said = [str(w.message) for w in caught if issubclass(w.category, geomot.ConvergenceWarning)]
    others = Counter(str(w.message) for w in caught if str(w.message) not in said)
    wrong += [f"warned {count} times: {message}" for message, count in others.items()]
    if len(said) != (0 if solution.converged else 1):
        wrong.append(f"{len(said)} convergence warnings at status {solution.status!r}")
    faults = list(solution_faults(solution))
    wrong += faults
    if any(fault.startswith("not finite") for fault in faults):
        return verdict
    began = time.process_time()
    exact = ExactDiagram(case.sites, solution.weights_exact, case.polygon)
    wrong += _masses(case, solution, exact, atol, verdict)
    wrong += _bounds_and_cost(case, solution, exact)
    if len(case.sites) <= TEXTBOOK_UP_TO and case.seed % TEXTBOOK_EVERY == 0:
        wrong += _against_textbook(case, solution)
    verdict.judging = time.process_time() - began
    return verdict


def _masses(case, solution, exact, atol, verdict):
    """The masses under the weights against the targets and against what is claimed."""
    target = exact.by_location(case.masses)
    masses = exact.by_location(exact.masses)
    missing = np.abs(masses - target)
    # As the package defines it: below its atol / TOL errors are relative to that.
    units = np.maximum(target, solution.atol / TOL)
    relative = missing / units
    verdict.error = float(relative[(target > 0) & (missing > atol)].max(initial=0.0))
    far_off = (missing > atol) & (missing > (1.01 * TOL + ROUNDING) * target)
    if solution.converged:
        if far_off.any():
            k = int(np.argmax(np.where(far_off, missing / np.maximum(target, atol), 0)))
            yield f"converged, but site {k} has mass {masses[k]:.17g} of {target[k]:.17g}"
        if ((masses == 0) & (target > atol)).any():
            yield "converged, but the cell of a site with a mass is empty"
    elif solution.status == "precision" and far_off.any():
        verdict.status = "floor" if _at_floor(case, solution, target, relative) else "precision"
    claimed = solution.mass_error
    exactly = float(relative[target > 0].max())
    # Sites may be left out whose masses come to `atol` together.
    if not (
        verdict.error <= 2 * claimed + CELL_ROUNDING and claimed <= 2 * exactly + CELL_ROUNDING
    ):
        yield f"mass_error {claimed:.3g}, exactly {verdict.error:.3g}"
    mine = exact.by_location(solution.masses)
    off = np.abs(mine - masses) - CELL_ROUNDING * masses
    if not off.max() <= 0.0:
        k = int(np.argmax(off))
        yield f"site {k} is said to have mass {mine[k]:.17g}, it has {masses[k]:.17g}"


def _at_floor(case, solution, target, relative):
    """Whether masses are as near to their targets as weights hi + lo allow.

    The right weights, to 212 digits, are found by the textbook's method from those that came back.
    A constant is added that leaves the most digits where masses depend most on them: the stiffest
    site gets weight 0. The weights are then rounded up or down at random to pairs, several times.
    If that leaves errors above the tolerance more often than not, and the solution's are of their
    size, for every site by itself, rounding is what forbids better ones.
    """
    _, owner = np.unique(case.sites, axis=0, return_index=True)
    order = owner[np.argsort(target[owner], kind="stable")]
    order = order[target[order] > 0]
    members = np.sort(
        order[np.searchsorted(np.cumsum(target[order]), solution.atol, side="right") :]
    )
    sites, wanted = case.sites[members], target[members]
    start = solution.weights_exact[members]
    try:
        weights, _ = textbook_newton(
            sites, wanted, case.polygon, tol=1e-12, max_iter=100, start=start
        )
    except NotConverged:
        return False
    units = np.maximum(wanted, solution.atol / TOL)
    exact = ExactDiagram(sites, weights, case.polygon)
    rate = np.zeros(exact.n)
    for (i, j), length in exact.facets.items():
        change = length / (2 * float(np.hypot(*(sites[i] - sites[j]))) * exact.area)
        rate[i] += change
        rate[j] += change
    right = [sum(map(Fraction, row)) for row in weights.tolist()]
    zero = right[int(np.argmax(rate / units))]
    rng = np.random.default_rng(0)
    errors = []
    for _ in range(FLOOR_TRIALS):
        pairs = [_rounded(value - zero, rng.random() < 0.5) for value in right]
        masses = ExactDiagram(sites, np.array(pairs), case.polygon).masses
        errors.append(np.abs(masses - wanted) / units)
    worst = np.max(errors, axis=1)
    mine = relative[members]
    return bool(
        np.median(worst) > TOL
        and mine.max() <= FLOOR_FACTOR * np.median(worst)
        and (mine <= np.maximum(1.01 * TOL, FLOOR_FACTOR * np.max(errors, axis=0))).all()
    )


def _rounded(value, up):
    """The pair of doubles next to a fraction, above or below it: of 106 digits."""
    if value == 0:
        return 0.0, 0.0
    exponent = math.frexp(float(value))[1] - 106
    unit = Fraction(2) ** exponent
    count = math.ceil(value / unit) if up else math.floor(value / unit)
    return expansion(count * unit, 2)


def _bounds_and_cost(case, solution, exact):
    """Cost and bracket against what the cells prove: dual <= W2^2 <= primal + price of repair."""
    primal, dual = fsum(exact.costs), exact.kantorovich(case.masses)
    plan = upper_bound(case.sites, exact.masses, exact.costs, case.masses, case.polygon)
    slack = COST_ROUNDING * primal
    lower, upper = solution.bracket
    if not lower <= plan + slack:
        yield f"lower bound {lower!r}, but a plan costs {plan!r}"
    if not upper >= dual - slack:
        yield f"upper bound {upper!r}, but the dual value is {dual!r}"
    if solution.converged:
        reach = COST_TOLERANCE * primal + (plan - primal)
        if not abs(solution.cost - dual) <= reach:
            yield f"cost {solution.cost!r}, dual value {dual!r}, primal {primal!r}"


def _against_textbook(case, solution):
    """Cost and bracket against W2^2 itself."""
    some = case.masses > TEXTBOOK_LEAST_MASS
    if len(np.unique(case.sites[some], axis=0)) < np.count_nonzero(some):
        return
    try:
        _, cost = textbook_newton(case.sites[some], case.masses[some], case.polygon)
    except NotConverged:
        return
    slack = COST_ROUNDING * cost
    lower, upper = solution.bracket
    if not lower - slack <= cost <= upper + slack:
        yield f"bracket {solution.bracket}, but W2^2 is {cost!r}"
    if solution.converged and not abs(solution.cost - cost) <= COST_TOLERANCE * cost:
        yield f"cost {solution.cost!r}, but W2^2 is {cost!r}"


# Running many.


@dataclass
class Tally:
    """Counts of one family."""

    solves: int = 0
    statuses: Counter = field(default_factory=Counter)
    wrong: int = 0
    negative: int = 0
    worst: float = 0.0
    solving: float = 0.0
    judging: float = 0.0
    slowest: float = 0.0

    def add(self, verdict):
        self.solves += 1
        self.statuses[verdict.status] += 1
        self.wrong += bool(verdict.wrong)
        self.negative += verdict.negative
        if verdict.status == "converged":
            self.worst = max(self.worst, verdict.error)
        self.solving += verdict.solving
        self.judging += verdict.judging
        self.slowest = max(self.slowest, verdict.solving)

    @property
    def failed(self):
        left = self.solves - self.statuses["converged"] - self.statuses["floor"]
        return left + self.wrong + self.negative


def problems(solves, seed, families):
    """Names of problems, the families in turn.

    Parameters
    ----------
    solves, seed : int
    families : sequence of str

    Yields
    ------
    family : str
    seed : int
    """
    endless = ((name, seed + k) for k in itertools.count() for name in families)
    return itertools.islice(endless, solves)


def _judge(task):
    name, seed, atol = task
    try:
        return check(make(name, seed), atol=atol)
    except Exception as error:
        # A mistake of the judge must not pass as a success.
        message = f"the judge: {type(error).__name__}: {error}"
        return Verdict(f"{name}:{seed}", 0, wrong=[message])


def _verdicts(tasks, jobs):
    if jobs == 1:
        for task in tasks:
            try:
                verdict = _judge(task)
            except KeyboardInterrupt:
                raise KeyboardInterrupt("in {}:{}".format(*task)) from None
            yield verdict
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(jobs, signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool:
        yield from pool.imap_unordered(_judge, tasks, chunksize=4)


def run(solves, seed, *, families=None, jobs=1, atol=ATOL, report=print):
    """Solve and judge many problems.

    Parameters
    ----------
    solves, seed : int
    families : sequence of str, optional
        All by default.
    jobs : int
        Number of processes.
    atol : float
    report : callable
        Takes a line of text for each failure.

    Returns
    -------
    tallies : dict of str to Tally
        What was done, also when interrupted.
    complete : bool
    """
    families = list(FAMILIES) if families is None else list(families)
    tallies = {name: Tally() for name in families}
    tasks = ((name, k, atol) for name, k in problems(solves, seed, families))
    try:
        for verdict in _verdicts(tasks, jobs):
            tallies[verdict.name.split(":")[0]].add(verdict)
            if verdict.failed:
                report("\n".join(describe(verdict)))
    except KeyboardInterrupt as interrupt:
        report(f"interrupted {interrupt}")
        return tallies, False
    return tallies, True


def describe(verdict):
    """Lines on what is wrong with one problem."""
    line = f"{verdict.name}: {verdict.n} sites, {verdict.status}, error {verdict.error:.3g}"
    yield line + (", negative cost or bound" if verdict.negative else "")
    yield from (f"    {problem}" for problem in verdict.wrong)


def table(tallies):
    """Lines of a table of tallies.

    Parameters
    ----------
    tallies : dict of str to Tally

    Yields
    ------
    str
    """
    head = ("family", "solves", "unconverged", "floor", "wrong", "negative", "worst error")
    yield "{:<15}{:>8}{:>13}{:>7}{:>7}{:>10}{:>13}{:>9}{:>9}{:>9}  {}".format(
        *head, "solve s", "judge s", "slowest", "not converged by status"
    )
    whole = Tally()
    for name, tally in [*tallies.items(), ("all", whole)]:
        others = {k: v for k, v in tally.statuses.items() if k not in ("converged", "floor")}
        by_status = ", ".join(f"{k} {v}" for k, v in sorted(others.items()))
        yield (
            f"{name:<15}{tally.solves:>8}{sum(others.values()):>13}{tally.statuses['floor']:>7}"
            f"{tally.wrong:>7}{tally.negative:>10}{tally.worst:>13.2g}{tally.solving:>9.1f}"
            f"{tally.judging:>9.1f}{tally.slowest:>9.2f}  {by_status}"
        )
        whole.solves += tally.solves
        whole.statuses += tally.statuses
        whole.wrong += tally.wrong
        whole.negative += tally.negative
        whole.worst = max(whole.worst, tally.worst)
        whole.solving += tally.solving
        whole.judging += tally.judging
        whole.slowest = max(whole.slowest, tally.slowest)


def replay(name, seed, atol):
    """Run one problem, with its data as lines of Python; returns whether it failed."""
    case = make(name, seed)
    print(f"sites = np.array({case.sites.tolist()})")
    print(f"masses = np.array({case.masses.tolist()})")
    if case.box is None:
        print(f"source = np.array({case.polygon.tolist()})")
    else:
        print(f"source = geomot.UniformBox(*{case.box.tolist()})")
    verdict = check(case, atol=atol)
    print("\n".join(describe(verdict)))
    return verdict.failed


def main(arguments=None) -> int:
    """Run from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--solves", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="the first seed of each family")
    parser.add_argument("--family", action="append", choices=list(FAMILIES), help="may be repeated")
    parser.add_argument("--jobs", type=int, default=1, help="number of processes")
    parser.add_argument("--atol", type=float, default=ATOL, help="a mass this near is right")
    parser.add_argument("--replay", metavar="FAMILY:SEED", help="one problem, with its data")
    parser.add_argument("--quiet", action="store_true", help="print the table only")
    options = parser.parse_args(arguments)
    if options.replay is not None:
        name, _, seed = options.replay.partition(":")
        return int(replay(name, int(seed), options.atol))
    tallies, complete = run(
        options.solves,
        options.seed,
        families=options.family,
        jobs=options.jobs,
        atol=options.atol,
        report=(lambda _: None) if options.quiet else print,
    )
    print("\n".join(table(tallies)))
    return int(any(t.failed for t in tallies.values()) or not complete)


if __name__ == "__main__":
    sys.exit(main())
