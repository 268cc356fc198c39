"""The assignment kernels against float64 products, for every instruction set of this machine."""

import numpy as np
import pytest

from geomot._core import montecarlo as core
from geomot._threads import run_chunks

SHAPES = [(1, 1, 5), (2, 2, 3), (63, 3, 7), (64, 10, 100), (65, 2, 9), (300, 7, 1), (5000, 5, 300),
          (20000, 16, 70), (257, 128, 50)]  # fmt: skip


@pytest.fixture(params=["avx512", "avx2", "plain"])
def instructions(request):
    before = core.instructions()
    try:
        core.use_instructions(request.param)
    except ValueError:
        pytest.skip(f"this machine has no {request.param}")
    yield request.param
    core.use_instructions(before)


def problem(n, d, seed=0):
    rng = np.random.default_rng([n, d, seed])
    sites = rng.standard_normal((n, d)).astype(np.float32)
    heights = (-0.5 * (sites**2).sum(axis=1)).astype(np.float32)
    return rng, sites, heights


def check(winners, points, sites, heights):
    """Winner and runner-up are those of float64, up to what float32 scores cannot tell."""
    x, y, h = (np.asarray(a, dtype=np.float64) for a in (points, sites, heights))
    scores = x @ y.T + h
    size = np.abs(x) @ np.abs(y).T + np.abs(h)
    bound = 2.0**-23 * (y.shape[1] + 2) * size.max()
    rows = np.arange(len(x))
    ordered = np.sort(scores, axis=1)
    assert (ordered[:, -1] - scores[rows, winners.first] <= 2 * bound).all()
    np.testing.assert_allclose(winners.best, ordered[:, -1], rtol=0, atol=bound)
    if len(y) == 1:
        assert (winners.second == -1).all()
        assert (winners.runner == -np.inf).all()
        return
    assert (winners.first != winners.second).all()
    assert (ordered[:, -2] - scores[rows, winners.second] <= 2 * bound).all()
    np.testing.assert_allclose(winners.runner, ordered[:, -2], rtol=0, atol=bound)
    clear = ordered[:, -1] - ordered[:, -2] > 2 * bound
    assert clear.mean() > 0.9
    assert (winners.first[clear] == scores.argmax(axis=1)[clear]).all()


@pytest.mark.parametrize(("n", "d", "m"), SHAPES)
def test_points(instructions, n, d, m):
    rng, sites, heights = problem(n, d)
    points = rng.standard_normal((m, d)).astype(np.float32)
    scores = core.PointScores(sites)
    winners = scores.winners(points, heights, runner=True)
    check(winners, points, sites, heights)
    alone = scores.winners(points, heights)
    assert (alone.first == winners.first).all()
    assert (alone.best == winners.best).all()
    assert alone.second is None


@pytest.mark.parametrize(("n", "d", "m"), [shape for shape in SHAPES if shape[1] > 1])
def test_pairs(instructions, n, d, m):
    rng, sites, heights = problem(n, d)
    split, groups = max(1, d // 3), 3
    left = rng.standard_normal((groups, 16, split)).astype(np.float32)
    right = rng.standard_normal((groups, 16, d - split)).astype(np.float32)
    winners = core.PairScores(sites, split).winners(left, right, heights, runner=True)
    points = np.concatenate(
        [np.repeat(left[:, :, None], 16, axis=2), np.repeat(right[:, None], 16, axis=1)], axis=-1
    ).reshape(-1, d)
    check(winners, points, sites, heights)


NEAR_SHAPES = [(1, 2, 5), (2, 2, 7), (65, 1, 30), (70, 3, 50), (1030, 1, 300), (5000, 2, 900),
               (20000, 3, 900), (17000, 5, 300), (3000, 8, 200)]  # fmt: skip


@pytest.mark.parametrize(("n", "d", "m"), NEAR_SHAPES)
def test_skipping_sites_changes_no_bit(instructions, n, d, m):
    rng, sites, heights = problem(n, d)
    heights += 0.3 * rng.random() * np.sin(3 * sites[:, 0])
    points = rng.standard_normal((m, d)).astype(np.float32)
    every = core.PointScores(sites).winners(points, heights, runner=True)
    near = core.NearScores(sites)
    some = near.winners(points, heights, runner=True)
    alone = near.winners(points, heights, threads=3)
    for name in ("best", "runner"):
        assert getattr(some, name).tobytes() == getattr(every, name).tobytes()
    assert alone.best.tobytes() == every.best.tobytes()
    tie = every.best == every.runner
    for name in ("first", "second"):
        assert (tie | (getattr(some, name) == getattr(every, name))).mean() > 0.999
    assert ((alone.first == every.first) | tie).all()


@pytest.mark.parametrize("far", [0.0, 1e3])
def test_skipping_sites_with_clusters_and_far_points(far):
    rng = np.random.default_rng(5)
    centres = rng.standard_normal((20, 3))
    sites = centres[rng.integers(20, size=9000)] + 1e-3 * rng.standard_normal((9000, 3))
    sites[:50] = sites[0]  # coincident ones too
    sites = sites.astype(np.float32)
    heights = (-0.5 * (sites**2).sum(axis=1) - rng.random(9000) ** 8).astype(np.float32)
    points = (rng.standard_normal((500, 3)) * (1 + far)).astype(np.float32)
    every = core.PointScores(sites).winners(points, heights, runner=True)
    some = core.NearScores(sites).winners(points, heights, runner=True)
    assert some.best.tobytes() == every.best.tobytes()
    assert some.runner.tobytes() == every.runner.tobytes()


@pytest.mark.parametrize(("n", "d"), [(1, 2), (2, 3), (70, 3), (700, 10), (5000, 2), (9000, 6)])
def test_leads(instructions, n, d):
    """Who is ahead by more than is asked for, beside the runners-up."""
    rng, sites, heights = problem(n, d)
    points = rng.standard_normal((512, d)).astype(np.float32)
    kernels = [(core.PointScores(sites), (points,))]
    if d <= 8:
        kernels.append((core.NearScores(sites), (points,)))
    half = d // 2
    pair = points[:32, :half].reshape(2, 16, half), points[:32, half:].reshape(2, 16, d - half)
    kernels.append((core.PairScores(sites, half), pair))
    for scores, samples in kernels:
        true = scores.winners(*samples, heights, runner=True)
        gap = true.best - true.runner
        usual = 1.0 if n == 1 else np.median(gap)
        for factor in (0.0, 0.3, 1.0, 3.0, 1e30):
            lead = (factor * usual * rng.random(512)).astype(np.float32)
            found = scores.winners(*samples, heights, lead=lead)
            assert found.second is None
            assert (found.first == true.first).all()
            assert found.best.tobytes() == true.best.tobytes()
            ahead = found.best - found.runner > lead
            clear = np.abs(gap - lead) > 1e-6 * np.abs(true.best).max()
            assert clear.mean() > 0.9
            assert (ahead == (gap > lead))[clear].all()
    with pytest.raises(ValueError, match="lead must have shape"):
        kernels[0][0].winners(points, heights, lead=np.zeros(3))


def test_points_do_not_depend_on_their_neighbours(instructions):
    rng, sites, heights = problem(1000, 6)
    points = rng.standard_normal((1200, 6)).astype(np.float32)
    scores = core.PointScores(sites)
    whole = scores.winners(points, heights, runner=True)
    for start, stop in ((0, 1), (5, 12), (500, 1200)):
        part = scores.winners(points[start:stop], heights, runner=True)
        for name in ("first", "second", "best", "runner"):
            assert (getattr(part, name) == getattr(whole, name)[start:stop]).all()


def test_threads_change_no_bit():
    rng, sites, heights = problem(3000, 9)
    points = rng.standard_normal((5000, 9)).astype(np.float32)
    left = rng.standard_normal((20, 16, 4)).astype(np.float32)
    right = rng.standard_normal((20, 16, 5)).astype(np.float32)
    for scores, samples in ((core.PointScores(sites), (points,)),
                            (core.PairScores(sites, 4), (left, right))):  # fmt: skip
        one, many = (scores.winners(*samples, heights, runner=True, threads=t) for t in (1, 7))
        for name in ("first", "second", "best", "runner"):
            assert getattr(one, name).tobytes() == getattr(many, name).tobytes()


@pytest.mark.parametrize("n", [2, 70, 600, 9000])
def test_ties_go_to_the_lowest_index(instructions, n):
    # every site at one of two places: all scores are exact, and shared by half of the sites
    sites = np.zeros((n, 2), dtype=np.float32)
    sites[1::2] = [1.0, 2.0]
    heights = np.zeros(n, dtype=np.float32)
    points = np.array([[1.0, 1.0], [-1.0, -1.0], [2.0, -1.0]], dtype=np.float32)
    winners = core.PointScores(sites).winners(points, heights, runner=True)
    expected = [1, 0, 0]
    assert winners.first.tolist() == expected
    runners = [min(k for k in (3, 2, 1, 0) if k < n and k % 2 == e % 2 and k != e) if n > 3 else
               1 - e for e in expected]  # fmt: skip
    runners[2] = 1  # all sites tie
    assert winners.second.tolist() == runners
    assert (winners.best - winners.runner == [0 if n > 3 else 3, 0 if n > 3 else 3, 0]).all()
    left = np.broadcast_to(points[:1, None, :1], (1, 16, 1))
    right = np.broadcast_to(points[:1, None, 1:], (1, 16, 1))
    pairs = core.PairScores(sites, 1).winners(left, right, heights, runner=True)
    assert (pairs.first == 1).all()
    assert (pairs.second == runners[0]).all()


# ---- decisions in float64 ----


def double_scores(points, sites, heights):
    """Scores as they are defined: from the height on, coordinate by coordinate, no fused sums."""
    scores = np.repeat(heights[None], len(points), axis=0)
    for k in range(sites.shape[1]):
        scores += points[:, k, None] * sites[:, k]
    return scores


def frame_problem(n, d, seed=0):
    """Sites in [-1, 1]^d, heights of which 0 is the largest."""
    rng = np.random.default_rng([n, d, seed])
    sites = rng.standard_normal((n, d))
    sites /= np.abs(sites).max()
    heights = -0.5 * (sites**2).sum(axis=1) + 0.02 * rng.standard_normal(n) / n
    return rng, sites, heights - heights.max()


def near_ties(rng, sites, heights, count):
    """Points on the bisectors of their two best sites, as nearly as float64 allows."""
    points = rng.standard_normal((count, sites.shape[1])) * sites.std()
    for _ in range(3):
        scores = double_scores(points, sites, heights)
        j, i = np.argsort(scores, axis=1)[:, -2:].T
        apart = sites[i] - sites[j]
        rows = np.arange(count)
        excess = (scores[rows, i] - scores[rows, j]) / (apart**2).sum(axis=1)
        points = points - excess[:, None] * apart
    return points


def decided(sites, heights, points, near=False, threads=1):
    scores = core.ExactSites(sites, near).under(heights)
    return scores.largest(points, np.zeros(sites.shape[1]), 1.0, threads)


EXACT_SHAPES = [(1, 3), (2, 1), (7, 2), (63, 3), (65, 10), (300, 33), (1200, 64), (600, 65),
                (700, 130), (70, 515)]  # fmt: skip


@pytest.mark.parametrize(("n", "d"), EXACT_SHAPES)
def test_float64_decides(instructions, n, d):
    rng, sites, heights = frame_problem(n, d)
    points = rng.standard_normal((600, d)) * sites.std()
    if n > 1:
        points = np.concatenate([points, near_ties(rng, sites, heights, 400)])
    expected = double_scores(points, sites, heights).argmax(axis=1)
    np.testing.assert_array_equal(decided(sites, heights, points), expected)
    np.testing.assert_array_equal(decided(sites, heights, points, threads=3), expected)


@pytest.mark.parametrize(("n", "d"), [(2, 2), (70, 3), (5000, 2), (9000, 3), (3000, 8)])
def test_float64_decides_where_sites_are_skipped(instructions, n, d):
    rng, sites, heights = frame_problem(n, d, 1)
    points = np.concatenate(
        [rng.standard_normal((300, d)) * sites.std(), near_ties(rng, sites, heights, 300)]
    )
    expected = double_scores(points, sites, heights).argmax(axis=1)
    np.testing.assert_array_equal(decided(sites, heights, points, near=True), expected)


@pytest.mark.parametrize("near", [False, True])
def test_all_sites_contend(instructions, near):
    """On a sphere about the point, or so close to it that float32 sees them there."""
    rng = np.random.default_rng(3)
    sites = rng.standard_normal((1500, 4))
    sites /= 1.01 * np.sqrt((sites**2).sum(axis=1))[:, None]
    for width in (0.0, 1e-14, 1e-10, 1e-8):
        heights = -width * rng.random(1500)
        heights -= heights.max()
        points = width * rng.standard_normal((70, 4))
        expected = double_scores(points, sites, heights).argmax(axis=1)
        np.testing.assert_array_equal(decided(sites, heights, points, near), expected)


@pytest.mark.parametrize("near", [False, True])
def test_equal_float64_scores_go_to_the_lowest_index(instructions, near):
    rng = np.random.default_rng(4)
    sites = rng.integers(-4, 5, (3000, 3)) / 4.0
    heights = -rng.integers(0, 2, 3000) / 8.0
    points = rng.integers(-8, 9, (500, 3)) / 4.0
    scores = double_scores(points, sites, heights)
    assert ((scores == scores.max(axis=1, keepdims=True)).sum(axis=1) > 1).mean() > 0.9
    np.testing.assert_array_equal(decided(sites, heights, points, near), scores.argmax(axis=1))


@pytest.mark.parametrize("exponent", [-1000, -400, -140, -60, 59, 61, 200, 1000])
def test_points_of_all_sizes(instructions, exponent):
    rng, sites, heights = frame_problem(300, 5)
    heights[::2] = 0.0
    points = rng.standard_normal((40, 5)) * 2.0**exponent
    # a power of two in all terms changes no order
    scale = 2.0 ** -max(exponent, 0)
    expected = double_scores(points * scale, sites, heights * scale).argmax(axis=1)
    np.testing.assert_array_equal(decided(sites, heights, points), expected)
    np.testing.assert_array_equal(decided(sites, heights, points, near=True), expected)


def test_heights_beyond_float32(instructions):
    rng, sites, heights = frame_problem(300, 5)
    heights[1::2] = -(10.0 ** rng.uniform(30, 300, 150))
    points = rng.standard_normal((200, 5))
    expected = double_scores(points, sites, heights).argmax(axis=1)
    np.testing.assert_array_equal(decided(sites, heights, points), expected)
    np.testing.assert_array_equal(decided(sites, heights, points, near=True), expected)


def test_points_are_moved_and_scaled():
    rng, sites, heights = frame_problem(300, 5)
    points = rng.integers(-64, 65, (500, 5)) / 32.0
    centre = rng.integers(-64, 65, 5) / 4.0
    scores = core.ExactSites(sites).under(heights)
    np.testing.assert_array_equal(
        scores.largest(8.0 * points + centre, centre, 0.125),
        double_scores(points, sites, heights).argmax(axis=1),
    )
    with pytest.raises(ValueError, match="points must have shape"):
        scores.largest(points[:, :4].copy(), centre, 1.0)
    with pytest.raises(ValueError, match="heights must have shape"):
        core.ExactSites(sites).under(heights[1:])


def test_add_points():
    rng = np.random.default_rng(1)
    points = rng.random((100, 3)).astype(np.float32)
    labels = rng.integers(7, size=100).astype(np.int32)
    sums = np.ones((7, 3))
    core.add_points(points, labels, sums)
    expected = np.ones((7, 3))
    np.add.at(expected, labels, points.astype(np.float64))
    np.testing.assert_allclose(sums, expected, rtol=1e-14)


def test_bad_shapes():
    _, sites, heights = problem(10, 4)
    with pytest.raises(ValueError, match="points must have shape"):
        core.PointScores(sites).winners(np.zeros((3, 5)), heights)
    with pytest.raises(ValueError, match="heights must have shape"):
        core.PointScores(sites).winners(np.zeros((3, 4)), heights[:-1])
    with pytest.raises(ValueError, match="split must lie"):
        core.PairScores(sites, 4)
    with pytest.raises(ValueError, match="right must have shape"):
        core.PairScores(sites, 1).winners(np.zeros((2, 16, 1)), np.zeros((2, 16, 2)), heights)
    with pytest.raises(ValueError, match="instruction set"):
        core.use_instructions("abacus")


@pytest.mark.parametrize("threads", [1, 3])
def test_chunks_run_once_and_errors_arrive(threads):
    seen = []
    run_chunks(seen.append, 20, threads)
    assert sorted(seen) == list(range(20))

    def fails(chunk):
        seen.append(chunk)
        if chunk == 3:
            raise RuntimeError("chunk 3")

    seen.clear()
    with pytest.raises(RuntimeError, match="chunk 3"):
        run_chunks(fails, 10000, threads)
    assert len(seen) < 10000


def test_an_interrupt_stops_every_thread():
    started = []

    def interrupted(chunk):
        started.append(chunk)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_chunks(interrupted, 1000, 2)
    assert len(started) <= 4
