"""Exact transport on the line, against rational arithmetic and closed forms."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from effort import growth
from scipy import stats

from geomot import Gaussian, GridDensity, Samples, UniformBall, UniformBox
from geomot import _line as line
from geomot._line import LineDiagram, solve_line
from geomot.sources import WrappedSource

rng = np.random.default_rng
# Unlike approx itself, relative for small numbers too.
close = partial(pytest.approx, abs=0.0)

UNIT = UniformBox([0.0], [1.0])
STEPS = GridDensity([0.0, 2.0, 0.0, 0.0, 1.0, 5.0, 0.0], [-2.0], [5.0])
NORMAL = Gaussian([1.0], 4.0)
SMOOTH = [UNIT, UniformBall([1.0], 2.0), NORMAL, STEPS]


# ---- the oracle: every cell is what all other sites leave of the line ----


def exact(values):
    return [Fraction(float(v)) for v in values]


def oracle(y, hi, lo=None):
    """Interval of each cell in fractions, None for an infinite end; None for an empty cell."""
    y, h = exact(y), exact(hi)
    if lo is not None:
        h = [a + b for a, b in zip(h, exact(lo), strict=True)]
    cells = []
    for i in range(len(y)):
        low = high = None
        hidden = False
        for j in range(len(y)):
            if i == j:
                continue
            if y[i] == y[j]:
                hidden |= (h[j], -j) > (h[i], -i)
                continue
            at = (y[i] + y[j] - (h[j] - h[i]) / (y[j] - y[i])) / 2
            if y[j] > y[i]:
                high = at if high is None else min(high, at)
            else:
                low = at if low is None else max(low, at)
        if low is not None and high is not None:
            hidden |= low >= high
        cells.append(None if hidden else (low, high))
    return cells


def power(x, y, h):
    return (Fraction(float(x)) - y) ** 2 - h


def check(y, hi, lo=None, low=-2, high=3):
    """Compare a diagram under the uniform measure with the oracle."""
    y, hi = np.asarray(y, float), np.asarray(hi, float)
    n = len(y)
    diagram = LineDiagram(y, hi, lo, UniformBox([low], [high]))
    cells = oracle(y, hi, lo)
    order = sorted((i for i in range(n) if cells[i] is not None), key=lambda i: y[i])
    assert diagram.order.tolist() == order
    assert (diagram.masses >= 0.0).all() and (diagram.costs >= 0.0).all()
    for k, (i, j) in enumerate(itertools.pairwise(order)):
        assert cells[i][1] == cells[j][0]
        at = Fraction(diagram.breaks[0][k]) + Fraction(diagram.breaks[1][k])
        assert abs(at - cells[i][1]) <= Fraction(2.0**-90) * (1 + abs(cells[i][1]))
    for i in range(n):
        a, b = cells[i] or (0, 0)
        a = Fraction(low) if a is None else min(max(a, Fraction(low)), Fraction(high))
        b = Fraction(high) if b is None else min(max(b, Fraction(low)), Fraction(high))
        mass = (b - a) / (high - low)
        site = Fraction(float(y[i]))
        cost = ((b - site) ** 3 - (a - site) ** 3) / 3 / (high - low)
        assert diagram.masses[i] == pytest.approx(float(mass), rel=1e-14, abs=1e-28)
        assert diagram.costs[i] == pytest.approx(float(cost), rel=1e-14, abs=1e-28)
        assert diagram.empty[i] == (diagram.masses[i] == 0.0)
        if mass == 0:
            assert diagram.masses[i] == 0.0
        if diagram.empty[i]:
            assert np.isnan(diagram.centroids[i, 0]) and diagram.costs[i] == 0.0
        else:
            assert diagram.centroids[i, 0] == pytest.approx(
                float((a + b) / 2), rel=1e-15, abs=1e-16
            )
    return diagram, order


def check_locate(diagram, order, y, hi, lo, points):
    h = exact(hi) if lo is None else [a + b for a, b in zip(exact(hi), exact(lo), strict=True)]
    sites = exact(y)
    for x, got in zip(points, diagram.locate(np.asarray(points, float)), strict=True):
        best = min(power(x, sites[i], h[i]) for i in order)
        assert got == min(i for i in order if power(x, sites[i], h[i]) == best)


@pytest.fixture(params=["kernel", "integers"])
def search(request, monkeypatch):
    """The ways in which cells are found: both on any input."""
    if request.param == "integers":
        monkeypatch.setattr(line, "_LEAST_COORDINATE", 2.0)
    return request.param


@pytest.mark.parametrize("seed", range(8))
def test_small_against_fractions(seed, search):
    r = rng(seed)
    n = int(r.integers(1, 22))
    kinds = [
        (r.random(n), 0.1 * r.random(n), None),
        (r.random(n), 0.1 * r.random(n), 1e-18 * r.standard_normal(n)),
        # Integers: coincident sites, ties, borders on sites and on the domain's ends.
        (r.integers(0, 6, n), r.integers(0, 4, n), None),
        (r.integers(-3, 4, n), r.integers(-9, 9, n), None),
        (r.integers(0, 50, n) / 16, np.zeros(n), None),
    ]
    # Lifts on a line or a convex curve, some of them an ulp or a second part off.
    y = r.permutation(np.arange(n) / 8.0)
    kinds += [
        (y, y * y, None),
        (y, y * y - 0.25 * y + 3.0, None),
        (y, y * y, 2.0**-80 * r.integers(-1, 2, n)),
        (y, y * y + 2.0**-50 * r.integers(-1, 2, n), None),
        (y, y * y - 2.0**-70 * (y * 8) ** 2, None),
    ]
    # Squares as exact pairs: on a line again, but pairs cannot tell; and the next pairs to them.
    y = r.random(n)
    hi, lo = y * y, [float(a * a - b) for a, b in zip(exact(y), exact(y * y), strict=True)]
    ulps = np.spacing(np.array(lo))
    kinds += [(y, hi, np.array(lo)), (y, hi, lo + ulps * r.integers(-1, 2, n))]
    # Coincident sites whose weights differ in the second part only.
    kinds += [(r.integers(0, 6, n), r.integers(0, 2, n), 2.0**-70 * r.integers(-1, 2, n))]
    for y, hi, lo in kinds:
        y, hi = np.asarray(y, float), np.asarray(hi, float)
        diagram, order = check(y, hi, lo)
        points = np.concatenate([r.uniform(-3, 4, 5), r.integers(-4, 8, 5) / 2, y[:5]])
        points = np.concatenate([points, diagram.breaks[0][:5]])
        check_locate(diagram, order, y, hi, lo, points)


def test_ties():
    """Points on a border belong to the lower index of the two cells that have an interior."""
    for y, w, x, owner in [
        ([0.0, 1.0], [0.0, 0.0], 0.5, 0),
        ([1.0, 0.0], [0.0, 0.0], 0.5, 0),
        ([0.5, 0.0, 1.0], [-0.25, 0.0, 0.0], 0.5, 1),
        ([0.0, 0.5, 1.0], [0.0, -0.25, 0.0], 0.5, 0),
        ([2.0, 1.0, 0.0], [4.0, 1.0, 0.0], 0.0, 0),
        ([0.0, 0.0], [1.0, 1.0], 0.0, 0),
        ([0.0, 0.0], [1.0, 2.0], 0.0, 1),
        ([0.0, 1.0 / 3.0], [0.0, 0.0], 1.0 / 6.0, 0),
    ]:
        diagram, order = check(y, w)
        assert diagram.locate(np.array([x])).tolist() == [owner]
        check_locate(diagram, order, y, w, None, [x, np.nextafter(x, 9), np.nextafter(x, -9)])


def test_hidden_by_a_second_part():
    y = np.array([0.0, 0.5, 1.0])
    for part, cells in [(2.0**-100, 3), (0.0, 2), (-(2.0**-100), 2)]:
        # The middle cell is 2^-99 wide, or nothing.
        diagram, _ = check(y, [0.0, -0.25, 0.0], np.array([0.0, part, 0.0]))
        assert len(diagram.order) == cells
        assert diagram.masses[1] == (2 * part / 5 if cells == 3 else 0.0)


def test_borders_ascend():
    """Cells narrower than pairs can tell have no width, never a negative one."""
    rounded = 0
    for seed in range(300):
        r = rng(seed)
        y = np.sort(r.random(12))
        lo = np.array([float(a * a - b) for a, b in zip(exact(y), exact(y * y), strict=True)])
        diagram = LineDiagram(y, y * y, lo - 2.0**-108 * r.random(12), UNIT)
        at = [Fraction(a) + Fraction(b) for a, b in zip(*diagram.breaks, strict=True)]
        assert at == sorted(at) and (diagram.masses >= 0.0).all()
        rounded += len(set(at)) < len(at)
    assert rounded > 0


@pytest.mark.parametrize("n", [300, 3000])
@pytest.mark.parametrize("kind", range(5))
def test_envelope_against_a_scan(n, kind, search):
    """A scan with a stack, in integers, on inputs with long hidden runs."""
    r = rng(n + kind)
    y = np.sort(r.integers(0, 2**30, n) / 2.0**30)
    w = [
        np.zeros(n),
        np.where(np.arange(n) == n // 3, 0.0625, 0.0),
        np.where(r.random(n) < 0.01, 2.0**-10 * r.random(n), 0.0),
        y * y + 2.0**-30 * r.random(n),
        np.where(np.arange(n) % 7 == 0, y * y, 0.0),
    ][kind]
    sites, heights = exact(y), [a - b * b for a, b in zip(exact(w), exact(y), strict=True)]
    stack = []
    for j in range(n):
        if stack and sites[stack[-1]] == sites[j]:
            if heights[j] <= heights[stack[-1]]:
                continue
            stack.pop()
        while len(stack) > 1:
            i, m = stack[-2:]
            left = (heights[m] - heights[i]) * (sites[j] - sites[m])
            if left > (heights[j] - heights[m]) * (sites[m] - sites[i]):
                break
            stack.pop()
        stack.append(j)
    shuffle = r.permutation(n)
    diagram = LineDiagram(y[shuffle], w[shuffle], None, UNIT)
    np.testing.assert_array_equal(y[shuffle][diagram.order], y[stack])
    assert math.fsum(diagram.masses) == close(1.0, rel=1e-14)


@pytest.mark.parametrize("scale", [-500, -100, 100, 190])
def test_units(scale):
    """In other units of length, all numbers but masses have other exponents only."""
    y, w, lo = rng(0).random(50), 0.02 * rng(1).random(50), 1e-19 * rng(2).random(50)
    unit = LineDiagram(y, w, lo, UniformBox([0.25], [0.75]))
    s = 2.0**scale
    other = LineDiagram(s * y, s * s * w, s * s * lo, UniformBox([s * 0.25], [s * 0.75]))
    np.testing.assert_array_equal(other.order, unit.order)
    np.testing.assert_array_equal(other.masses, unit.masses)
    np.testing.assert_array_equal(other.centroids, s * unit.centroids)
    np.testing.assert_array_equal(other.breaks[0], s * unit.breaks[0])
    np.testing.assert_allclose(other.costs, s * s * unit.costs, rtol=1e-12)
    points = rng(3).uniform(-1, 2, 200)
    np.testing.assert_array_equal(other.locate(s * points), unit.locate(points))
    check_locate(other, unit.order, s * y, s * s * w, s * s * lo, s * points[:20])


def test_extremes_of_weights_and_sites():
    for y, w in [
        ([0.0, 1e-300, 1.0], [0.0, 0.0, 0.0]),
        ([0.0, 1e-300, 1e-299], [1e100, 1e100, 1e100]),
        ([-1e60, 1e-300, 1e60], [0.0, 0.0, 1e-300]),
        ([0.0, 5e-324, 1.0], [0.0, 1e100, 0.0]),
        ([0.0, 5e-324, 1e-323], [0.0, 0.0, 0.0]),
        ([1e-200, 2e-200, 3e-200], [0.0, 1e-150, 1e-300]),
    ]:
        diagram = LineDiagram(np.array(y), np.array(w), None, UNIT)
        cells = oracle(y, w)
        assert diagram.order.tolist() == [i for i in range(3) if cells[i] is not None]
        assert math.fsum(diagram.masses) == close(1.0, rel=1e-15)
        check_locate(diagram, diagram.order, y, w, None, [0.0, 1e-300, 0.5, 1.0, -3.0, 1e60])


# ---- measures ----


@pytest.mark.parametrize("source", SMOOTH, ids=repr)
def test_sums_and_identities(source):
    y, w = rng(0).uniform(-2, 3, 200), 0.3 * rng(1).random(200)
    diagram = LineDiagram(y, w, None, source)
    held = ~diagram.empty
    m, c = diagram.masses[held], diagram.centroids[held, 0]
    assert math.fsum(m) == close(1.0, rel=1e-14)
    assert math.fsum(m * c) == close(source.mean[0], rel=1e-13)
    # The cost from the source's second moment.
    second = source.covariance[0, 0] + source.mean[0] ** 2
    cost = second - 2 * math.fsum(m * c * y[held]) + math.fsum(m * y[held] ** 2)
    assert math.fsum(diagram.costs) == close(cost, rel=1e-12)
    # The masses are those of samples.
    points = source.sample(100_000, random_state=0)
    counts = np.bincount(diagram.locate(points), minlength=200)
    assert (counts[diagram.empty] == 0).all()
    expected = len(points) * diagram.masses
    assert np.abs(counts - expected).max() <= 5 * np.sqrt(expected.max())
    assert (
        stats.chisquare(
            counts[expected > 5],
            expected[expected > 5] / expected[expected > 5].sum() * counts[expected > 5].sum(),
        ).pvalue
        > 1e-4
    )
    # A constant changes nothing, nor does the order of the sites.
    shuffle = rng(2).permutation(200)
    other = LineDiagram(y[shuffle][:, None], w[shuffle] + 4.0, None, source)
    np.testing.assert_allclose(other.masses, diagram.masses[shuffle], rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("source", SMOOTH, ids=repr)
def test_facets_are_derivatives_of_masses(source):
    y, w = rng(0).permutation(np.linspace(-1.5, 3.4, 12)), np.zeros(12)
    diagram = LineDiagram(y, w, None, source)
    i, j = diagram.facets.sites.T
    assert (i < j).all() and (diagram.facets.measures > 0.0).all()
    assert diagram.facets.sites.tolist() == sorted(diagram.facets.sites.tolist())
    jacobian = np.zeros((12, 12))
    jacobian[i, j] = jacobian[j, i] = -diagram.facets.measures / (2 * np.abs(y[i] - y[j]))
    np.fill_diagonal(jacobian, -jacobian.sum(axis=1))
    step = 1e-6
    for k in range(12):
        moved = [LineDiagram(y, w + s * step * np.eye(12)[k], None, source).masses for s in (1, -1)]
        np.testing.assert_allclose(
            (moved[0] - moved[1]) / (2 * step), jacobian[k], rtol=1e-6, atol=1e-9
        )


def test_normal_cells_against_scipy():
    y = np.array([-9.0, -3.0, 0.0, 0.5, 4.0, 12.0])
    diagram = LineDiagram(y, np.zeros(6), None, Gaussian([0.0], 1.0))
    b = 0.5 * (y[1:] + y[:-1])
    law = stats.norm
    masses = [law.cdf(b[0]), *np.diff(law.cdf(b[:3])), *-np.diff(law.sf(b[2:])), law.sf(b[-1])]
    np.testing.assert_allclose(diagram.masses, masses, rtol=1e-12)
    ends = np.concatenate([[-np.inf], b, [np.inf]])
    for k in range(6):
        inside = stats.truncnorm(ends[k], ends[k + 1])
        assert diagram.centroids[k, 0] == close(inside.mean(), rel=1e-9)
        cost = masses[k] * (inside.var() + (inside.mean() - y[k]) ** 2)
        assert diagram.costs[k] == close(cost, rel=1e-7)


def test_gaps_of_the_source_have_no_mass():
    # A site whose cell lies in the stretch from 0 to 2, which has no mass.
    diagram = LineDiagram(np.array([-0.5, 1.0, 2.5]), np.zeros(3), None, STEPS)
    np.testing.assert_allclose(diagram.masses, [0.25, 0.0, 0.75], atol=0.1)
    diagram = LineDiagram(np.array([-0.5, 0.75, 1.25, 3.0]), np.zeros(4), None, STEPS)
    assert len(diagram.order) == 4 and diagram.empty.tolist() == [False, True, False, False]
    assert diagram.facets.sites.tolist() == [[2, 3]]


@pytest.mark.parametrize("source", [UNIT, NORMAL, STEPS], ids=repr)
def test_cells_and_simplices(source):
    y = np.array([0.9, 0.1, 0.5, 30.0])
    w = np.array([0.0, 0.0, -1.0, 0.0])
    diagram = LineDiagram(y, w, None, source)
    corners, offsets, indices, labels = diagram.cells()
    vertices = corners[indices]
    assert len(np.unique(corners)) == len(corners)
    low, high = source.bounds[:, 0]
    far = diagram.breaks[0][-1] < high and not diagram.empty[3]
    assert np.diff(offsets).tolist() == [2, 2, 0, 2 * far]
    assert vertices.shape == (offsets[-1], 1) and labels.shape == (offsets[-1],)
    assert vertices[:4, 0].tolist() == [0.5, min(high, 15.45), low, 0.5]
    assert labels[:4].tolist() == [1, 3 if high > 15.45 else -2, -1, 0]
    if far:
        assert vertices[4:, 0].tolist() == [15.45, high] and labels[4:].tolist() == [0, -2]
    assert diagram.simplices().tolist() == [[1, 0], [0, 3]]


# ---- further sites ----


@pytest.mark.parametrize("source", SMOOTH, ids=repr)
def test_touching(source):
    y, w = rng(0).uniform(-1, 2, 30), 0.05 * rng(1).random(30)
    diagram = LineDiagram(y, w, None, source)
    more = np.concatenate([rng(2).uniform(-3, 5, 20), y[diagram.order[3:5]]])
    hi, lo = diagram.touching(more)
    for site, a, b in zip(more, hi, lo, strict=True):
        for push, grows in ((1e-6, True), (-1e-6, False)):
            added = LineDiagram(
                np.append(y, site), np.append(w, a + push), np.append(np.zeros(30), b), source
            )
            if grows and source is not NORMAL:
                assert added.masses[-1] > 0.0 or not source.distribution.density(site)
            if not grows:
                assert added.masses[-1] == 0.0
                if source is not STEPS:
                    np.testing.assert_array_equal(added.masses[:-1], diagram.masses)
    assert diagram.touching(np.empty(0))[0].shape == (0,)


# ---- solves ----


def error(source, y, masses):
    """Largest relative error of the masses under the weights that are found."""
    masses = masses / math.fsum(masses)
    diagram = LineDiagram(y, *solve_line(y, masses, source), source)
    return np.abs(diagram.masses / masses - 1.0).max(), diagram


def test_strips():
    """Closed forms for the uniform measure on [0, 1]."""
    for n, masses in [(7, np.arange(1.0, 8.0) / 28), (1000, rng(4).random(1000))]:
        masses = masses / masses.sum()
        y = (np.arange(n) + 0.5) / n
        b = np.cumsum(masses)[:-1]
        hi, lo = solve_line(y, masses, UNIT)
        np.testing.assert_allclose(
            np.diff(hi), np.diff(y**2) - 2 * b * np.diff(y), rtol=1e-11, atol=1e-15
        )
        assert hi.max() == close(-hi.min(), rel=1e-15)
        ends = np.concatenate([[0.0], b, [1.0]])
        cost = (((ends[1:] - y) ** 3 - (ends[:-1] - y) ** 3) / 3).sum()
        for order in (np.arange(n), np.arange(n)[::-1], rng(0).permutation(n)):
            worst, diagram = error(UNIT, y[order], masses[order])
            assert worst < 1e-14
            assert math.fsum(diagram.costs) == close(cost, rel=1e-13)
    assert math.fsum(error(UNIT, np.arange(0.5, 7.0) / 7, np.arange(1.0, 8.0))[1].costs) - (
        0.11054421768707484 - 1 / 12
    ) == pytest.approx(0.0, abs=1e-15)


def test_two_and_one():
    hi, lo = solve_line(np.array([0.25, 0.75]), np.array([0.3, 0.7]), UNIT)
    assert hi[0] - hi[1] == close(-0.2, rel=1e-15)
    hi, lo = solve_line(np.array([17.0]), np.array([1.0]), NORMAL)
    assert hi.tolist() == lo.tolist() == [0.0]
    diagram = LineDiagram(np.array([17.0]), hi, lo, NORMAL)
    assert diagram.masses[0] == close(1.0, rel=1e-15)
    assert diagram.costs[0] == close(4.0 + 256.0, rel=1e-14)
    assert diagram.locate(np.array([[3.0], [-1e60]])).tolist() == [0, 0]
    assert diagram.simplices().shape == (0, 2) and diagram.facets.sites.shape == (0, 2)


@pytest.mark.parametrize("source", SMOOTH, ids=repr)
def test_masses_come_back(source):
    for seed, spread in itertools.product(range(3), (0.0, 6.0, 12.0)):
        r = rng(seed)
        y = r.uniform(-2, 3, 400) + 10.0 * seed
        masses = 10.0 ** -(spread * r.random(400))
        assert error(source, y, masses)[0] < 1e-12
    y = np.linspace(-1.0, 2.0, 100)
    # Tiny masses at one end, at both, in the middle.
    steps = np.geomspace(1e-12, 1.0, 50)
    assert error(source, y, np.concatenate([steps, steps]))[0] < 1e-12
    assert error(source, y, np.concatenate([steps, steps[::-1]]))[0] < 1e-12
    assert error(source, y, np.concatenate([steps[::-1], steps]))[0] < 1e-12
    # Clusters, and sites far away.
    assert error(source, 1e-6 * y, np.ones(100))[0] < 1e-12
    assert error(source, y + 1e6, np.ones(100))[0] < 1e-12
    assert error(source, 1e6 * y, np.ones(100))[0] < 1e-12


def test_normal_tails_of_masses():
    """Masses down to 1e-290 at both ends of a normal measure."""
    steps = np.geomspace(1e-290, 1.0, 60)
    y = np.linspace(-3.0, 3.0, 120)
    worst, diagram = error(NORMAL, y, np.concatenate([steps, steps[::-1]]))
    assert worst < 1e-9
    law = stats.norm(1.0, 2.0)
    total = 2 * math.fsum(steps)
    below = np.cumsum(steps) / total
    np.testing.assert_allclose(diagram.breaks[0][:60], law.ppf(below), rtol=1e-12)
    np.testing.assert_allclose(diagram.breaks[0][:58:-1], law.isf(below), rtol=1e-12)
    np.testing.assert_allclose(diagram.masses, diagram.masses[::-1], rtol=1e-9)


@pytest.mark.parametrize("scale", [2.0**-490, 1e-100, 1e59])
def test_solves_in_other_units(scale):
    y, masses = rng(0).random(100), rng(1).random(100)
    for source in (
        UniformBox([-scale], [2 * scale]),
        Gaussian([scale], (0.25 * scale) ** 2),
        UniformBall([0.5 * scale], scale),
        GridDensity([1.0, 0.0, 3.0], [0.0], [scale]),
    ):
        assert error(source, scale * y, masses)[0] < 1e-12


def test_cost_is_that_of_quantiles():
    """W2^2 as the integral of the squared difference of the quantile functions."""
    y, masses = np.sort(rng(0).normal(size=40)), rng(1).random(40)
    masses /= masses.sum()
    for source in SMOOTH:
        diagram = error(source, y, masses)[1]
        p = (np.arange(200_000) + 0.5) / 200_000
        image = y[np.minimum(np.searchsorted(np.cumsum(masses), p), 39)]
        cost = ((source.quantile(p) - image) ** 2).mean()
        assert math.fsum(diagram.costs) == close(cost, rel=1e-3)


def test_samples():
    cloud = Samples(np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0])[:, None])
    # Masses that atoms can make are made exactly.
    y = np.array([10.0, -5.0, 0.0])
    worst, diagram = error(cloud, y, np.array([3.0, 1.0, 2.0]))
    assert worst < 1e-15
    assert diagram.locate(cloud.points).tolist() == [1, 2, 2, 0, 0, 0]
    assert diagram.centroids[:, 0].tolist() == [4.0, 0.0, 1.5]
    np.testing.assert_allclose(
        diagram.costs, [(49 + 36 + 25 + 3 * 9 - 27) / 6, 25 / 6, (1 + 4) / 6], rtol=1e-15
    )
    assert len(diagram.facets.measures) == 0
    # Others up to the largest atom.
    weights = rng(0).random(500)
    cloud = Samples(rng(1).normal(size=(500, 1)), weights)
    y, masses = rng(2).normal(size=60), rng(3).random(60)
    masses /= masses.sum()
    diagram = error(cloud, y, masses)[1]
    assert np.abs(diagram.masses - masses).max() <= cloud.masses.max()
    counts = np.bincount(diagram.locate(cloud.points), cloud.masses, minlength=60)
    np.testing.assert_allclose(diagram.masses, counts, rtol=1e-14)
    distance = (cloud.points[:, 0] - y[diagram.locate(cloud.points)]) ** 2
    assert math.fsum(diagram.costs) == close(float(cloud.masses @ distance), rel=1e-13)
    # An atom on a border goes where `locate` sends it.
    for order, masses in (([0.0, 2.0], [0.75, 0.25]), ([2.0, 0.0], [0.75, 0.25])):
        atoms = Samples([[0.5], [1.0], [1.5]], [1, 2, 1])
        diagram = LineDiagram(np.array(order), np.zeros(2), None, atoms)
        assert diagram.masses.tolist() == masses


def test_more_sites_than_atoms():
    cloud = Samples([[0.0], [1.0]])
    diagram = error(cloud, np.linspace(0.0, 1.0, 10), np.ones(10))[1]
    assert math.fsum(diagram.masses) == 1.0 and (~diagram.empty).sum() == 2


def test_inputs_stay_and_results_repeat():
    y, masses = rng(0).random(500), rng(1).random(500)
    kept = y.copy(), masses.copy()
    for array in (y, masses):
        array.flags.writeable = False
    first = solve_line(y, masses, NORMAL)
    second = solve_line(y[:, None], masses, NORMAL)
    assert all((a == b).all() for a, b in zip(first, second, strict=True))
    one, two = (LineDiagram(y, *first, NORMAL) for _ in range(2))
    for name in ("masses", "centroids", "costs", "order", "facets"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert (y == kept[0]).all() and (masses == kept[1]).all()


class Noise:
    dim = 1

    def sample(self, n, rng):
        return rng.random((n, 1))


def test_refusals():
    y = np.array([0.0, 1.0])
    for source, words in [
        (UniformBox.unit(2), "defined in 1 dimension"),
        (WrappedSource(Noise()), "needs a source with a distribution function"),
    ]:
        with pytest.raises(ValueError, match=words):
            LineDiagram(y, np.zeros(2), None, source)
        with pytest.raises(ValueError, match=words):
            solve_line(y, np.ones(2), source)


def test_speed():
    """The work is linear in the sites, hidden ones or none."""

    def look(n):
        y = rng(0).random(n)
        assert error(NORMAL, y, np.ones(n))[0] < 1e-12
        lone = LineDiagram(y, np.where(np.arange(n) == 0, 10.0, 0.0), None, UNIT)
        assert lone.masses[0] == 1.0
        one = LineDiagram(y, np.where(np.arange(n) == 0, 0.01, 0.0), None, UNIT)
        assert 0.15 < one.masses[0] < 0.25 and one.empty.sum() > 0.15 * n
        LineDiagram(y, 0.1 * rng(1).random(n), None, UNIT)
        one.locate(rng(2).random(n))

    assert growth(look, 20_000) < 8
