"""Sampling designs: what they draw, and whether each sample goes to the site it should."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from geomot import Gaussian, GridDensity, Samples, UniformBall, UniformBox
from geomot._constants.sampling import SOBOL_ROWS
from geomot._sampling.designs import GROUP, PairDesign, PointDesign, make_design
from geomot._search.backends import CoreBackend
from geomot._search.nearest_cell import Assigner
from geomot.sources import WrappedSource

DESIGNS = [PairDesign, PointDesign]
# for fitting and for tests
STREAMS = ["stream", "plain_stream"]
SIDE = 16


class Cube:
    """A source that can do nothing but draw points."""

    def __init__(self, dim):
        self.dim = dim

    def sample(self, n, rng):
        return rng.random((n, self.dim))


def build(cls, sites, source, seed=0):
    return cls(sites, source, np.random.default_rng(seed), 1, CoreBackend())


def full_covariance(d, spread, seed=0):
    """A covariance matrix whose largest deviation is `spread` times its smallest."""
    q = np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d)))[0]
    return (q * np.geomspace(1.0, spread, d) ** 2) @ q.T


def unit_box(d, low=0.0, size=1.0):
    return UniformBox(np.full(d, low), np.full(d, low + size))


def sources_of(cls, d):
    """Sources on which a design can be built, in d dimensions."""
    found = [
        unit_box(d, 2.0, 3.0),
        Gaussian(np.arange(d) - 1.0, full_covariance(d, 5.0)),
        Gaussian(np.ones(d), np.linspace(0.5, 2.0, d)),
    ]
    if cls is PointDesign:
        grid = np.random.default_rng(1).random((2,) * d) ** 3
        cloud = np.random.default_rng(2).standard_normal((50, d))
        found += [
            UniformBall(np.full(d, 0.5), 2.0),
            GridDensity(grid, np.full(d, -1.0), np.full(d, 2.0)),
            Samples(cloud),
            WrappedSource(Cube(d)),
        ]
    return found


# ---- which site a sample goes to ----


def float64_scores(design, x, sites, weights):
    """<x - m, y_i - mean of y> + (w_i - |y_i - m|^2) / 2: largest where |x - y_i|^2 - w_i is least.

    Differences come first, and units and what |y_i - m|^2 have in common are taken out, so that
    float64 has digits to spare.
    """
    unit = float(np.abs(sites - sites.mean(axis=0)).max())
    z, own = (x - design.mean) / unit, (sites - sites.mean(axis=0)) / unit
    off = own**2 + 2.0 * own * ((sites.mean(axis=0) - design.mean) / unit)
    heights = 0.5 * (weights / unit / unit - off.sum(axis=1))
    return z @ own.T + heights - heights.max()


def same_size(r, d):
    return r.random((300, d)), unit_box(d)


def far_off(r, d):
    return 1e8 + r.random((300, d)), unit_box(d, 1e8)


def far_from_source(r, d):
    return 1e4 + r.random((300, d)), unit_box(d)


def small(r, d):
    return 1e-60 * r.random((300, d)), unit_box(d, 0.0, 1e-60)


def tiny(r, d):
    return 1e-100 * r.random((300, d)), unit_box(d, 0.0, 1e-100)


def huge(r, d):
    return 1e55 * (r.random((300, d)) - 0.5), unit_box(d, -5e54, 1e55)


def small_sites(r, d):
    return 0.5 + 1e-9 * r.random((300, d)), unit_box(d)


def large_sites(r, d):
    return 1e9 * r.standard_normal((300, d)), unit_box(d)


def normal(r, d):
    return r.standard_normal((300, d)), Gaussian(np.zeros(d), full_covariance(d, 100.0))


def tiny_normal(r, d):
    cov = full_covariance(d, 10.0) * 1e-120
    return 1e-60 * r.standard_normal((300, d)), Gaussian(np.full(d, 1e-60), cov)


def variances(r, d):
    return r.standard_normal((300, d)), Gaussian(np.zeros(d), np.geomspace(1e-4, 1e4, d))


CASES = [same_size, far_off, far_from_source, small, tiny, huge, small_sites, large_sites, normal,
         tiny_normal, variances]  # fmt: skip


@pytest.mark.parametrize("d", [2, 3, 10])
@pytest.mark.parametrize("cls", DESIGNS)
@pytest.mark.parametrize("case", CASES)
def test_winners_are_those_of_float64(case, cls, d):
    r = np.random.default_rng(d)
    sites, source = case(r, d)
    design = build(cls, sites, source)
    spread = np.sqrt(np.trace(source.covariance) / d) * np.std(sites)
    # weights of neighbouring cells, on top of those that make the cells overlap the source
    weights = design.squares - spread * (
        ((sites - sites.mean(axis=0)) ** 2).sum(axis=1) / np.var(sites) / 2.0 + 0.1 * r.random(300)
    )
    heights = design.heights(weights)
    batch = design.stream(np.random.default_rng(7))(4096 // design.group)
    points = design.points(batch)
    assert points.dtype == np.float32 and points.shape == (4096, d)
    winners = design.winners(batch, heights, runner=True)
    scores = float64_scores(design, design.to_source(points.astype(float)), sites, weights)
    rows = np.arange(4096)
    order = np.sort(scores, axis=1)
    size = float(np.abs(scores).max())
    # eight float32 roundings per coordinate
    slack = (d + 8) * 2.0**-21 * size
    assert (order[:, -1] - scores[rows, winners.first] <= slack).all()
    assert (order[:, -2] - scores[rows, winners.second] <= slack).all()
    clear = order[:, -1] - order[:, -2] > 2 * slack
    assert clear.mean() > 0.9
    np.testing.assert_array_equal(winners.first[clear], scores.argmax(axis=1)[clear])
    assert len(np.unique(winners.first)) > 10


def clusters(r, d):
    sites = r.random((20, d)).repeat(15, axis=0) + 1e-7 * r.random((300, d))
    return sites, unit_box(d)


def rounded_off(r, d):
    """So far from the origin that samples are rounded on the way there."""
    return 1e12 + r.random((300, d)), unit_box(d, 1e12)


def one_far_site(r, d):
    sites = r.random((300, d))
    sites[7] = 1e9
    return sites, unit_box(d)


def very_far_sites(r, d):
    sites = r.random((300, d))
    sites[7], sites[8] = 1e30, -1e50
    return sites, unit_box(d)


@pytest.mark.parametrize("d", [2, 3, 10])
@pytest.mark.parametrize("cls", DESIGNS)
@pytest.mark.parametrize("case", [*CASES, clusters, rounded_off, one_far_site, very_far_sites])
def test_decisions_are_those_of_assign(case, cls, d):
    """For every sample, whatever float32 has to say."""
    r = np.random.default_rng(d)
    sites, source = case(r, d)
    design = build(cls, sites, source)
    inner = np.partition(design.squares, 290)[290]
    for spread in (0.0, 1e-3, 1.0, None):
        # cells of all sizes, or those of Voronoi
        weights = (
            np.zeros(300) if spread is None else design.squares * (1.0 - spread * r.random(300))
        )
        weights[design.squares > inner] = -1e3 * inner
        heights = design.heights(weights)
        batch = design.plain_stream(r)(2048 // design.group)
        points = design.points(batch)
        decision = design.decided(batch, points, heights)
        x = design.to_source(points.astype(float))
        expected = Assigner(sites, design.weights(heights), np.ones(300))(x)
        np.testing.assert_array_equal(decision.first, expected)
        plain = design.winners(batch, np.maximum(heights - heights.max(), -3e38))
        np.testing.assert_array_equal(np.flatnonzero(plain.first != expected), decision.moved)
        np.testing.assert_array_equal(plain.first[decision.moved], decision.instead)
        size = np.abs(design.frame_sites).sum(axis=1).max() * np.abs(points).max()
        size += np.abs(heights).max()
        best = (points.astype(float) * design.frame_sites[expected]).sum(axis=1) + heights[expected]
        np.testing.assert_allclose(decision.best, best, rtol=0, atol=(d + 5) * 2.0**-22 * size)
    if case is clusters:
        assert decision.moved.size > 20


@pytest.mark.parametrize("cls", DESIGNS)
@pytest.mark.parametrize("case", CASES)
def test_heights_and_weights_are_inverse(case, cls):
    r = np.random.default_rng(3)
    sites, source = case(r, 3)
    design = build(cls, sites, source)
    heights = r.standard_normal(300)
    back = design.heights(design.weights(heights))
    lost = np.finfo(float).eps * np.abs(design.squares).max() / design.unit
    assert np.abs(back - heights).max() <= 4 * lost + 1e-14
    weights = np.abs(design.squares).max() * r.standard_normal(300)
    back = design.weights(design.heights(weights))
    np.testing.assert_allclose(back, weights, rtol=0, atol=1e-14 * np.abs(weights).max())
    # height 0 everywhere: the cells of <x - m, y_i> alone
    flat = design.weights(np.zeros(300))
    np.testing.assert_array_equal(flat, design.squares)
    expected = ((sites - source.mean) ** 2).sum(axis=1)
    np.testing.assert_allclose(
        flat - flat[0], expected - expected[0], rtol=0, atol=1e-13 * np.abs(expected).max()
    )


@pytest.mark.parametrize("cls", DESIGNS)
def test_constant_heights_change_no_winner(cls):
    r = np.random.default_rng(4)
    sites = r.random((200, 5))
    design = build(cls, sites, unit_box(5))
    batch = design.stream(r)(2048 // design.group)
    heights = r.integers(-64, 64, 200) / 64.0
    one, two = (design.winners(batch, heights + c).first for c in (0.0, 4.0))
    assert (one == two).mean() > 0.999  # float32 rounds the sums differently


@pytest.mark.parametrize("cls", DESIGNS)
def test_power_of_two_units_change_no_bit(cls):
    r = np.random.default_rng(5)
    sites = r.random((100, 4))
    plain = build(cls, sites, Gaussian(np.zeros(4), full_covariance(4, 3.0)))
    for k in (-90, 90):
        u = 2.0**k
        other = build(cls, u * sites, Gaussian(np.zeros(4), u * u * full_covariance(4, 3.0)))
        np.testing.assert_array_equal(other.frame_sites, plain.frame_sites)
        assert other.unit == u * u * plain.unit
        batches = [d.stream(np.random.default_rng(1))(8) for d in (plain, other)]
        np.testing.assert_array_equal(
            *(d.points(b) for d, b in zip((plain, other), batches, strict=True))
        )
        np.testing.assert_array_equal(
            other.square_lengths(batches[1]), u * u * plain.square_lengths(batches[0])
        )


# ---- what is drawn ----


@pytest.mark.parametrize("d", [2, 3, 6])
@pytest.mark.parametrize("cls", DESIGNS)
def test_square_lengths_are_those_of_the_points(cls, d):
    sites = np.random.default_rng(0).standard_normal((70, d)) + 3.0
    for source in sources_of(cls, d):
        design = build(cls, sites, source)
        batch = design.stream(np.random.default_rng(1))(12)
        x = design.to_source(design.points(batch).astype(float))
        squares = ((x - source.mean) ** 2).sum(axis=1).reshape(12, -1)
        np.testing.assert_allclose(design.square_lengths(batch), squares.mean(axis=1), rtol=1e-6)


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("d", [2, 3, 5])
@pytest.mark.parametrize("cls", DESIGNS)
def test_moments_of_the_samples(cls, d, stream):
    sites = np.random.default_rng(0).standard_normal((70, d))
    for source in sources_of(cls, d):
        design = build(cls, sites, source)
        draw = getattr(design, stream)(np.random.default_rng(2))
        x = design.to_source(design.points(draw(2**15 // design.group)).astype(float))
        truth = source if source.n_uniforms else unit_box(d)
        deviation = np.sqrt(np.diag(truth.covariance))
        # 2^15 samples, of which product groups repeat halves 16 times
        limit = 5.0 * np.sqrt(design.group / SIDE if design.group > 1 else 1.0) / np.sqrt(2.0**15)
        assert (np.abs(x.mean(axis=0) - truth.mean) <= limit * deviation).all(), source
        matrix = np.cov(x.T) / deviation / deviation[:, None]
        expected = truth.covariance / deviation / deviation[:, None]
        assert np.abs(matrix - expected).max() <= 3.0 * limit, source


def first_of_many_streams(design, streams, groups=1, stream="stream"):
    """The last group from each of many streams: independent, as samples of one stream are not."""
    start = getattr(design, stream)
    found = [start(rng)(groups) for rng in np.random.default_rng(5).spawn(streams)]
    return [[part[-1] for part in batch.points] for batch in found]


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("groups", [1, 70])
@pytest.mark.parametrize(
    ("source", "law"),
    [(unit_box(3), stats.uniform(-0.5, 1.0)), (Gaussian(np.zeros(3), 1.0), stats.norm())],
)
def test_each_sample_has_the_right_law(source, law, groups, stream):
    sites = np.random.default_rng(0).random((70, 3))
    pair = build(PairDesign, sites, source)
    drawn = first_of_many_streams(pair, 300, groups, stream)
    rows = np.random.default_rng(6).integers(SIDE, size=(300, 2))
    z = np.array(
        [np.append(a[i], b[j]) for (a, b), (i, j) in zip(drawn, rows, strict=True)], dtype=float
    )
    point = build(PointDesign, sites, source)
    y = np.array([x for (x,) in first_of_many_streams(point, 300, groups, stream)], dtype=float)
    y = y * point.scale
    for values in (*z.T, *y.T):
        assert stats.kstest(values, law.cdf).pvalue > 1e-4
    # signs of all pairs of coordinates agree as often as not
    for sample in (z, y):
        for j, k in ((0, 1), (0, 2), (1, 2)):
            agree = int(np.sum(sample[:, j] * sample[:, k] > 0))
            assert stats.binomtest(agree, 300).pvalue > 1e-4


@pytest.mark.parametrize("stream", STREAMS)
def test_halves_of_a_group_are_independent(stream):
    sites = np.random.default_rng(0).random((70, 2))
    design = build(PairDesign, sites, unit_box(2))
    drawn = first_of_many_streams(design, 600, stream=stream)
    left = np.array([a[:, 0] for a, _ in drawn]) + 0.5
    right = np.array([b[:, 0] for _, b in drawn]) + 0.5
    for i, j in ((0, 0), (3, 3), (7, 2), (15, 0)):
        cells = np.floor(4 * left[:, i]).astype(int) * 4 + np.floor(4 * right[:, j]).astype(int)
        assert stats.chisquare(np.bincount(cells, minlength=16)).pvalue > 1e-4
    # the 16 rows of a half come from one net: each sixteenth of the interval holds one
    if stream == "stream":
        np.testing.assert_array_equal(np.sort(np.floor(16 * left), axis=1)[0], np.arange(16))


@pytest.mark.parametrize("cls", DESIGNS)
def test_plain_streams_hold_independent_groups(cls):
    """Within one stream, from group to group and, in points, from sample to sample."""
    design = build(cls, np.random.default_rng(0).random((70, 2)), unit_box(2))
    batch = design.plain_stream(np.random.default_rng(3))(3000)
    size = 1.0 if cls is PairDesign else design.scale
    for part in batch.points:
        u = size * part.reshape(3000, -1)[:, 0].astype(float) + 0.5
        assert stats.kstest(u, stats.uniform().cdf).pvalue > 1e-4
        pairs = np.floor(8 * u[:-1]).astype(int) * 8 + np.floor(8 * u[1:]).astype(int)
        assert stats.chisquare(np.bincount(pairs[::2], minlength=64)).pvalue > 1e-4
        # low discrepancy would make this far too even
        assert stats.chisquare(np.bincount(pairs[1::2], minlength=64)).pvalue < 1 - 1e-4
    if cls is PairDesign:
        a, b = (np.sort(part, axis=1)[:, 8, 0].astype(float) for part in batch.points)
        assert abs(np.corrcoef(a, b)[0, 1]) < 5 / np.sqrt(3000)


@pytest.mark.parametrize("cls", DESIGNS)
def test_streams_are_reproducible_and_differ(cls):
    for stream in STREAMS:
        check_streams(cls, stream)


def check_streams(cls, stream):
    sites = np.random.default_rng(0).random((70, 4))
    for source in sources_of(cls, 4):
        one, two = (build(cls, sites, source, seed=3) for _ in range(2))
        other = build(cls, sites, source, seed=4)
        rngs = np.random.default_rng(8).spawn(2)
        again = np.random.default_rng(8).spawn(2)
        draws = [getattr(design, stream) for design in (one, two, other)]
        first = one.points(draws[0](rngs[0])(40))
        assert first.tobytes() == two.points(draws[1](again[0])(40)).tobytes()
        assert not np.array_equal(first, one.points(draws[0](rngs[1])(40)))
        if source.n_uniforms and stream == "stream":  # the design's own randomness matters too
            fresh = np.random.default_rng(8).spawn(1)[0]
            assert not np.array_equal(first, other.points(draws[2](fresh)(40)))


@pytest.mark.parametrize("cls", DESIGNS)
def test_a_stream_does_not_depend_on_how_it_is_cut(cls):
    design = build(cls, np.random.default_rng(0).random((70, 4)), unit_box(4))
    whole = design.points(design.stream(np.random.default_rng(1))(60))
    draw = design.stream(np.random.default_rng(1))
    parts = np.concatenate([design.points(draw(k)) for k in (1, 7, 30, 22)])
    assert parts.tobytes() == whole.tobytes()


@pytest.mark.parametrize("cls", DESIGNS)
def test_a_stream_longer_than_its_net_goes_on(cls):
    design = build(cls, np.random.default_rng(0).random((70, 2)), unit_box(2))
    draw = design.stream(np.random.default_rng(1))
    rows = SOBOL_ROWS // SIDE if cls is PairDesign else SOBOL_ROWS
    batch = draw(rows + 40)
    for part in batch.points:
        flat = part.reshape(-1, part.shape[-1])
        # 30 bits, of which float32 keeps some 25: few coincidences, no repetition of the net
        count = len(np.unique(flat, axis=0))
        assert count > 0.98 * len(flat)
        shift = (flat[: len(flat) - SOBOL_ROWS] != flat[SOBOL_ROWS:]).any(axis=1)
        assert shift.mean() > 0.98
        size = 1.0 if cls is PairDesign else design.scale
        assert (np.abs(size * flat) < 0.5001).all()
    assert len(batch) == rows + 40


def test_halves_are_combined_anew_in_every_pass():
    """Two nets in step would meet again after their length: one of them is shuffled."""
    design = build(PairDesign, np.random.default_rng(0).random((70, 2)), unit_box(2))
    rows = SOBOL_ROWS // SIDE
    halves = design.stream(np.random.default_rng(1))(2 * rows).points
    # between passes a row changes by the two shifts, the same for all rows unless they are shuffled
    leading = [np.floor((part[:, 0, 0] + 0.5) * 2.0**12).astype(int) for part in halves]
    changes = [len(np.unique(k[:rows] ^ k[rows:])) for k in leading]
    assert changes[0] < 20
    assert changes[1] > 300


def test_which_design():
    r = np.random.default_rng(0)
    for n, d, source, cls in (
        (900, 10, unit_box(10), PairDesign),
        (900, 10, Gaussian(np.zeros(10), full_covariance(10, 2.0)), PairDesign),
        (20, 10, unit_box(10), PointDesign),  # few sites
        (900, 2, unit_box(2), PointDesign),  # few dimensions
        (900, 1, unit_box(1), PointDesign),
        (900, 10, UniformBall(np.zeros(10), 1.0), PointDesign),  # no product
        (900, 10, WrappedSource(Cube(10)), PointDesign),
    ):
        design = make_design(r.random((n, d)), source, r, 1, CoreBackend())
        assert type(design) is cls, (n, d, source)
        assert design.group == (GROUP if cls is PairDesign else 1)
        assert len(design) == n
    with pytest.raises(ValueError, match="source must be an image of a product measure"):
        build(PairDesign, r.random((20, 3)), UniformBall(np.zeros(3), 1.0))


@pytest.mark.parametrize("cls", DESIGNS)
def test_batches_can_be_cut(cls):
    design = build(cls, np.random.default_rng(0).random((70, 3)), unit_box(3))
    batch = design.stream(np.random.default_rng(1))(20)
    heights = np.zeros(70)
    whole = design.winners(batch, heights).first
    cut = np.concatenate([design.winners(batch[k : k + 3], heights).first for k in range(0, 20, 3)])
    np.testing.assert_array_equal(whole, cut)
    points = np.concatenate([design.points(batch[k : k + 3]) for k in range(0, 20, 3)])
    np.testing.assert_array_equal(points, design.points(batch))
    assert len(batch[4:9]) == 5
