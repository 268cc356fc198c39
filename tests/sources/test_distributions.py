"""Measures on the line: distribution functions, quantiles, partial moments, cuts."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from scipy import stats

from geomot import Gaussian, GridDensity, Samples, UniformBall, UniformBox, UniformPolygon
from geomot.sources import WrappedSource
from geomot.sources._pieces import (
    as_keys,
)

rng = np.random.default_rng
# Unlike approx itself, relative for small numbers too.
close = partial(pytest.approx, abs=0.0)
STEPS = np.array([0.0, 2.0, 0.0, 0.0, 1.0, 5.0, 0.0])
BOX = UniformBox([-1.0], [3.0])
BALL = UniformBall([1.0], 2.0)
NORMAL = Gaussian([1.0], 4.0)
GRID = GridDensity(STEPS, [-2.0], [5.0])
CLOUD = Samples([[3.0], [1.0], [1.0], [-2.0], [7.0]], [1, 1, 2, 4, 0])
SMOOTH = [BOX, BALL, NORMAL, GRID]
ALL = [*SMOOTH, CLOUD]
LAWS = {BOX: stats.uniform(-1.0, 4.0), BALL: stats.uniform(-1.0, 4.0), NORMAL: stats.norm(1.0, 2.0)}


def value(pair):
    """The numbers that a pair stands for."""
    return [
        Fraction(float(a)) + Fraction(float(b)) for a, b in zip(*map(np.ravel, pair), strict=True)
    ]


def integral(function, a, b):
    """Gauss and Legendre's rule on short panels."""
    nodes, weights = np.polynomial.legendre.leggauss(20)
    ends = np.linspace(a, b, int(4 * (b - a)) + 2)
    half, middle = 0.5 * np.diff(ends), 0.5 * (ends[:-1] + ends[1:])
    return (function(middle[:, None] + half[:, None] * nodes) @ weights) @ half


# ---- distribution functions ----


@pytest.mark.parametrize("source", LAWS, ids=repr)
def test_against_scipy(source):
    law = LAWS[source]
    x = np.linspace(-9.0, 9.0, 1001)
    p = np.linspace(0.0, 1.0, 1001)
    np.testing.assert_allclose(source.cdf(x), law.cdf(x), rtol=1e-13, atol=1e-300)
    np.testing.assert_allclose(source.sf(x), law.sf(x), rtol=1e-13, atol=1e-300)
    np.testing.assert_allclose(source.quantile(p), law.ppf(p), rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(source.isf(p), law.isf(p), rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(source.distribution.density(x), law.pdf(x), rtol=1e-13, atol=1e-300)


def test_normal_far_in_the_tails():
    z = np.array([5.0, 10.0, 20.0, 37.0])
    with np.errstate(under="ignore"):
        np.testing.assert_allclose(NORMAL.cdf(1.0 - 2.0 * z), stats.norm.sf(z), rtol=1e-12)
        np.testing.assert_allclose(NORMAL.sf(1.0 + 2.0 * z), stats.norm.sf(z), rtol=1e-12)
    p = np.array([1e-10, 1e-100, 1e-300])
    np.testing.assert_allclose(NORMAL.cdf(NORMAL.quantile(p)), p, rtol=1e-12)
    np.testing.assert_allclose(NORMAL.sf(NORMAL.isf(p)), p, rtol=1e-12)


def test_ends():
    inf = np.inf
    for source in ALL:
        assert source.cdf([-inf, inf]).tolist() == [0.0, 1.0]
        assert source.sf([-inf, inf]).tolist() == [1.0, 0.0]
    for source, low, high in [
        (BOX, -1.0, 3.0),
        (BALL, -1.0, 3.0),
        (NORMAL, -inf, inf),
        (GRID, -1.0, 4.0),
        (CLOUD, -2.0, 3.0),
    ]:
        assert source.quantile([0.0, 1.0]).tolist() == [low, high]
        assert source.isf([1.0, 0.0]).tolist() == [low, high]


def test_grid_is_piecewise_linear():
    edges = np.arange(-2.0, 6.0)
    below = np.concatenate([[0.0], np.cumsum(STEPS)]) / STEPS.sum()
    x = np.linspace(-3.0, 6.0, 901)
    np.testing.assert_allclose(GRID.cdf(x), np.interp(x, edges, below), rtol=1e-14, atol=1e-16)
    np.testing.assert_allclose(GRID.sf(x), 1 - np.interp(x, edges, below), rtol=1e-13, atol=1e-15)
    assert GRID.quantile([0.125, 0.25, 0.3125, 0.375]).tolist() == [-0.5, 0.0, 2.5, 3.0]
    # An isf of a flat stretch is its lower end too, by the definition.
    assert GRID.sf(GRID.isf(0.75)) == 0.75
    tails = GridDensity([1e-30, 1.0, 1e-40])
    np.testing.assert_allclose(tails.cdf([1 / 6, 1 / 3]), [5e-31, 1e-30], rtol=1e-14)
    np.testing.assert_allclose(tails.sf([2 / 3, 5 / 6]), [1e-40, 5e-41], rtol=1e-14)
    np.testing.assert_allclose(tails.quantile(5e-31), 1 / 6, rtol=1e-14)
    np.testing.assert_allclose(tails.isf(5e-41), 5 / 6, rtol=1e-14)


def test_samples_are_steps():
    assert CLOUD.cdf([-2.1, -2.0, 0.0, 1.0, 2.0, 3.0, 8.0]).tolist() == [
        0.0,
        0.5,
        0.5,
        0.875,
        0.875,
        1.0,
        1.0,
    ]
    assert CLOUD.sf([-2.1, -2.0, 1.0, 3.0]).tolist() == [1.0, 0.5, 0.125, 0.0]
    p = [0.0, 0.25, 0.5, 0.5 + 2.0**-50, 0.875, 0.9, 1.0]
    assert CLOUD.quantile(p).tolist() == [-2, -2, -2, 1, 1, 3, 3]
    q = [0.0, 0.1, 0.125, 0.25, 0.5, 0.6, 1.0]
    assert CLOUD.isf(q).tolist() == [3, 3, 1, 1, -2, -2, -2]
    even = Samples(np.arange(10.0)[:, None])
    assert even.quantile(np.arange(1, 11) / 10).tolist() == list(range(10))


@pytest.mark.parametrize("source", ALL, ids=repr)
def test_quantiles_invert(source):
    p = np.concatenate([rng(0).random(1000), 10.0 ** -rng(1).uniform(0, 15, 200)])
    x, y = source.quantile(p), source.isf(p)
    # What can be told apart depends on the mass between neighbouring floats.
    slack, slack_y = (
        4 * source.distribution.density(t) * np.spacing(np.abs(t)) + 1e-13 * p for t in (x, y)
    )
    # The smallest x that reaches p, and the smallest y above which at most p lies.
    assert (source.cdf(x) >= p - slack).all() and (source.cdf(x - 1e-12) <= p + slack).all()
    assert (source.sf(y) <= p + slack_y).all() and (source.sf(y - 1e-12) >= p - slack_y).all()
    if source is not CLOUD:
        assert (source.cdf(x) <= p + slack).all() and (source.sf(y) >= p - slack_y).all()
    assert (np.diff(source.quantile(np.sort(p))) >= 0).all()


@pytest.mark.parametrize("source", ALL, ids=repr)
def test_shapes(source):
    for call in (source.cdf, source.sf, source.quantile, source.isf):
        assert np.shape(call(0.5)) == () and isinstance(call(0.5), np.float64)
        assert call([0.5]).shape == (1,) and call(np.full((2, 3), 0.5)).shape == (2, 3)
        assert call([]).shape == (0,)
    assert source.partial_moments([0.0, 1.0]).shape == (2, 3)
    assert source.partial_moments(0.0).shape == (3,)


# ---- moments ----


@pytest.mark.parametrize("source", SMOOTH, ids=repr)
def test_partial_moments_by_quadrature(source):
    density = source.distribution.density
    x = np.array([-8.0, -3.0, -1.5, -0.5, 0.0, 0.7, 1.0, 2.5, 3.5, 8.0])
    got = source.partial_moments(x)
    for k in range(3):
        for place, moment in zip(x, got[:, k], strict=True):
            knots = [-25.0, *(t for t in np.arange(-3.0, 6.0) if t < place), place]
            parts = [
                integral(lambda t, k=k: t**k * density(t), a, b)
                for a, b in zip(knots[:-1], knots[1:], strict=True)
                if density(0.5 * (a + b)) > 0.0
            ]
            assert moment == pytest.approx(math.fsum(parts), rel=1e-12, abs=1e-15), (k, place)


@pytest.mark.parametrize("source", ALL, ids=repr)
def test_all_partial_moments_are_the_moments(source):
    mass, first, second = source.partial_moments([np.inf])[0]
    assert mass == close(1.0, rel=1e-15)
    assert first == close(source.mean[0], rel=1e-14)
    assert second == close(source.covariance[0, 0] + source.mean[0] ** 2, rel=1e-14)
    assert source.partial_moments([-np.inf]).tolist() == [[0.0, 0.0, 0.0]]
    if source is CLOUD:
        np.testing.assert_allclose(source.partial_moments([1.0]), [[7 / 8, -5 / 8, 19 / 8]])


def test_normal_partial_moments_far_in_the_tail():
    standard = Gaussian([0.0], 1.0)
    for z in (-5.0, -20.0, -35.0):
        # Mills' ratio by its continued fraction.
        ratio = 0.0
        for k in range(400, 0, -1):
            ratio = k / (-z + ratio)
        phi = math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
        mass = phi / (-z + ratio)
        expected = [mass, -phi, mass - z * phi]
        np.testing.assert_allclose(standard.partial_moments([z])[0], expected, rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-150, 1e-59, 1e59])
def test_scales(scale):
    for small, unit in [
        (UniformBox([-scale], [3 * scale]), BOX),
        (UniformBall([scale], 2 * scale), BALL),
        (Gaussian([scale], 4 * scale**2), NORMAL),
        (GridDensity(STEPS, [-2 * scale], [5 * scale]), GRID),
        (Samples(scale * CLOUD.points, CLOUD.masses), CLOUD),
    ]:
        x = np.array([-6.1, -0.7, 1.3, 2.6, 4.6])
        np.testing.assert_allclose(small.cdf(scale * x), unit.cdf(x), rtol=1e-13)
        np.testing.assert_allclose(small.sf(scale * x), unit.sf(x), rtol=1e-13)
        p = np.array([0.01, 0.3, 0.6, 0.99])
        np.testing.assert_allclose(small.quantile(p) / scale, unit.quantile(p), rtol=1e-13)
        np.testing.assert_allclose(small.isf(p) / scale, unit.isf(p), rtol=1e-13)
        np.testing.assert_allclose(
            small.partial_moments(scale * x) / [1, scale, scale**2],
            unit.partial_moments(x),
            rtol=1e-12,
            atol=1e-16,
        )


def test_ball_far_from_the_origin():
    ball = UniformBall([1e8], 1e-3)
    assert ball.sf(1e8 + 2.0**-11) == close((1e-3 - 2.0**-11) / 2e-3, rel=1e-15)
    assert ball.cdf(1e8) == 0.5 and ball.cdf(1e8 + 2.0**-11) == (1e-3 + 2.0**-11) / 2e-3


# ---- cuts and partitions ----


@pytest.mark.parametrize("source", SMOOTH, ids=repr)
@pytest.mark.parametrize("n", [1, 2, 3, 50, 3000])
def test_cuts_give_the_masses(source, n):
    masses = 10.0 ** rng(n).uniform(-12, 0, n)
    breaks = source.distribution.cuts(masses)
    assert len(breaks[0]) == n - 1 and (np.diff(as_keys(breaks)).real >= 0.0).all()
    got, centres, spreads = source.distribution.partition(breaks)
    np.testing.assert_allclose(got, masses / math.fsum(masses), rtol=1e-13)
    assert math.fsum(got * centres[0]) == close(source.mean[0], rel=1e-13)
    between = math.fsum(got * (centres[0] - source.mean[0]) ** 2)
    assert between + math.fsum(spreads) == close(source.covariance[0, 0], rel=1e-12)
    assert (spreads > 0.0).all()


@pytest.mark.parametrize("source", SMOOTH, ids=repr)
def test_partition_by_quadrature(source):
    density = source.distribution.density
    breaks = np.array([-3.7, -0.9, -0.9, 0.4, 1.1, 2.2, 2.2 + 1e-9, 3.6, 5.5])
    masses, centres, spreads = source.distribution.partition((breaks, np.zeros(9)))
    ends = [-30.0, *breaks, 30.0]
    for k, (a, b) in enumerate(zip(ends[:-1], ends[1:], strict=True)):
        knots = [a, *(t for t in np.arange(-3.0, 6.0) if a < t < b), b]
        pieces = [(s, t) for s, t in zip(knots[:-1], knots[1:], strict=True) if t > s]
        pieces = [(s, t) for s, t in pieces if density(0.5 * (s + t)) > 0.0]
        middle = 0.0 if np.isnan(centres[0][k]) else centres[0][k]
        moments = [
            math.fsum(
                integral(lambda t, j=j, c=middle: (t - c) ** j * density(t), s, t)
                for s, t in pieces
            )
            for j in range(3)
        ]
        assert masses[k] == pytest.approx(moments[0], rel=1e-12, abs=1e-100)
        assert np.isnan(centres[0][k]) == (masses[k] == 0.0)
        if masses[k] > 0.0:
            assert moments[1] == pytest.approx(0.0, abs=1e-13 * masses[k])
            assert spreads[k] == close(moments[2], rel=1e-6 if b - a < 1e-8 else 1e-11)
        else:
            assert spreads[k] == 0.0


def test_normal_partition_against_scipy():
    """Cells of 1e-9 and tails: as differences of scipy's own functions where these have digits."""
    standard = Gaussian([0.0], 1.0).distribution
    z = np.array([-37.0, -20.0, -8.0, -3.0, -1.0, 0.5, 0.5 + 1e-9, 2.0, 9.0, 30.0])
    masses, centres, spreads = standard.partition((z, np.zeros(10)))
    law = stats.norm
    expected = [
        law.cdf(-37.0),
        law.cdf(-20.0),
        law.cdf(-8.0),
        law.cdf(-3.0) - law.cdf(-8.0),
        law.cdf(-1.0) - law.cdf(-3.0),
        law.cdf(0.5) - law.cdf(-1.0),
        law.pdf(0.5 + 5e-10) * ((0.5 + 1e-9) - 0.5),
        law.cdf(2.0) - law.cdf(0.5 + 1e-9),
        law.sf(2.0),
        law.sf(9.0),
        law.sf(30.0),
    ]
    np.testing.assert_allclose(masses, expected, rtol=2e-13)
    # The last cells against the asymptotic series of a truncated normal measure.
    assert centres[0][-1] == close(30 + 1 / 30 - 2 / 30**3 + 10 / 30**5, rel=1e-9)
    assert spreads[-1] / masses[-1] == close(1 / 900 - 6 / 30**4 + 50 / 30**6, rel=1e-5)
    assert centres[0][0] == close(-37 - 1 / 37 + 2 / 37**3 - 10 / 37**5, rel=1e-9)


def test_cut_of_a_thousand_decades():
    masses = 10.0 ** np.concatenate([np.arange(-300.0, 0.0, 7.0), np.arange(-1.0, -300.0, -7.0)])
    for source in (NORMAL, BOX, GridDensity(np.exp(-(np.linspace(-30, 30, 501) ** 2) / 2))):
        breaks = source.distribution.cuts(masses)
        got = source.distribution.partition(breaks)[0]
        wanted = masses / math.fsum(masses)
        far = wanted < 1e-25
        np.testing.assert_allclose(got[~far], wanted[~far], rtol=1e-12)
        if source is NORMAL:
            np.testing.assert_allclose(got[far], wanted[far], rtol=1e-10)
    # At an end at 0, floats tell all of them apart.
    for source in (
        UniformBox([0.0], [1.0]),
        UniformBox([-1.0], [0.0]),
        GridDensity([1.0, 0.0, 2.0], [0.0], [1.0]),
        GridDensity([1.0, 0.0, 2.0], [-1.0], [0.0]),
    ):
        near = masses[:70] if source.bounds[0, 0] == 0.0 else masses[-70:]
        got = source.distribution.partition(source.distribution.cuts(near))[0]
        np.testing.assert_allclose(got, near / math.fsum(near), rtol=1e-13)


def test_narrow_cells_across_edges():
    """Cells of 1e-18 on both sides of a place where the density may change."""
    third = GridDensity([1.0, 1.0, 1.0], [0.0], [3.0])
    for source, edge in ((third, 1.0), (Gaussian([0.0], 1.0), 0.0), (Gaussian([0.0], 1.0), 1.0)):
        breaks = np.full(2, edge), np.array([-3e-18, 5e-18])
        masses, centres, spreads = source.distribution.partition(breaks)
        density = source.distribution.density(np.array(edge))
        assert masses[1] == close(8e-18 * density, rel=1e-14)
        assert (centres[0][1] - edge) + centres[1][1] == close(1e-18, rel=1e-12)
        assert spreads[1] == close(masses[1] * 64e-36 / 12, rel=1e-12)


def test_normal_tails_to_the_last_digit():
    """Against a continued fraction of 60 digits."""
    with localcontext() as context:
        context.prec = 60
        for z in (4.0, 7.3, 20.1, 36.7):
            ratio = Decimal(0)
            for k in range(400, 0, -1):
                ratio = k / (Decimal(z) + ratio)
            root = Decimal("2.50662827463100050241576528481104525300698674060993831663")
            mass = (-Decimal(z) * Decimal(z) / 2).exp() / root / (Decimal(z) + ratio)
            for sign in (1.0, -1.0):
                breaks = np.array([sign * z]), np.zeros(1)
                got = Gaussian([0.0], 1.0).distribution.partition(breaks)[0]
                assert got[(sign > 0) * 1] == close(float(mass), rel=3e-15)


def test_cuts_of_samples_pass_between_them():
    places = np.array([0.0, 1.0, 3.0, 4.0])
    cloud = Samples(places[:, None]).distribution
    for masses, breaks in [
        ([0.25, 0.25, 0.5], [0.5, 2.0]),
        ([0.3, 0.3, 0.4], [0.5, 2.0]),
        ([0.1, 0.9], [-2.0]),
        ([0.9, 0.1], [6.0]),
    ]:
        hi, lo = cloud.cuts(np.array(masses))
        assert hi.tolist() == breaks and (lo == 0.0).all()
    masses, centres, spreads = cloud.partition((np.array([0.0, 2.0, 2.0]), np.zeros(3)))
    assert masses.tolist() == [0.25, 0.25, 0.0, 0.5]
    np.testing.assert_array_equal(centres[0], [0.0, 1.0, np.nan, 3.5])
    assert spreads.tolist() == [0.0, 0.0, 0.0, 0.125]
    # Neighbouring floats: the middle needs the second part.
    close = Samples([[1.0], [1.0 + 2.0**-52]]).distribution
    assert value(close.cuts(np.array([1.0, 1.0]))) == [1 + Fraction(1, 2**53)]
    # Each mass is met up to the largest atom.
    weights = rng(0).random(1000)
    cloud = Samples(rng(1).random((1000, 1)), weights).distribution
    wanted = rng(2).random(100)
    got = cloud.partition(cloud.cuts(wanted))[0]
    assert np.abs(got - wanted / wanted.sum()).max() <= weights.max() / weights.sum()


# ---- refusals ----


def test_refusals():
    for source in (BOX, NORMAL, GRID, CLOUD):
        for name, bad, words in [
            ("cdf", [np.nan], "x must not be NaN"),
            ("sf", np.nan, "x must not be NaN"),
            ("partial_moments", [np.nan], "x must not be NaN"),
            ("quantile", [-0.1], "p must lie between 0 and 1"),
            ("quantile", [1.1], "p must lie between 0 and 1"),
            ("quantile", [np.nan], "p must lie between 0 and 1"),
            ("isf", [1.1], "q must lie between 0 and 1"),
        ]:
            with pytest.raises(ValueError, match=words):
                getattr(source, name)(bad)
        with pytest.raises(TypeError, match="x must hold real numbers"):
            source.cdf("one")


class Noise:
    dim = 1

    def sample(self, n, rng):
        return rng.random((n, 1))


@pytest.mark.parametrize("name", ["cdf", "sf", "quantile", "isf", "partial_moments"])
def test_only_on_the_line(name):
    for source in (UniformBox.unit(2), UniformPolygon.regular(3), Gaussian([0.0, 0.0], 1.0)):
        with pytest.raises(
            ValueError, match=f"{name} is defined in 1 dimension, got a source of 2"
        ):
            getattr(source, name)(0.5)
    with pytest.raises(ValueError, match=f"{name} needs a source with a distribution function"):
        getattr(WrappedSource(Noise()), name)(0.5)


def test_exact_in_one_dimension():
    for source in ALL:
        assert source.exact and 1 in source.exact_dims
    assert not WrappedSource(Noise()).exact
    assert UniformBox.exact_dims == (1, 2, 3) and UniformPolygon.exact_dims == (2,)
