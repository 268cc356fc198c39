"""Points to sites, to the accuracy of float64, in any dimension."""

from __future__ import annotations

import signal
import time
import warnings
from fractions import Fraction

import numpy as np
import pytest

import geomot
from geomot.assign import Assigner


def scores(sites, weights, points):
    """<x, y_i> + (w_i - |y_i|^2) / 2 in float64, coordinate by coordinate."""
    total = np.broadcast_to(0.5 * (weights - (sites**2).sum(axis=1)), (len(points), len(sites)))
    total = total.copy()
    for k in range(sites.shape[1]):
        total += points[:, k : k + 1] * sites[:, k]
    return total


def nearest(sites, weights, points):
    return scores(sites, weights, points).argmax(axis=1)


def mirrored(d, seed=0, half=40):
    """Sites in opposite pairs on a lattice: their mean is 0, and all arithmetic is exact."""
    r = np.random.default_rng(seed)
    sites = r.integers(-8, 9, (half, d)).astype(float)
    return np.unique(np.concatenate([sites, -sites]), axis=0)


def on_bisectors(r, sites, weights, count):
    """Points between their two nearest sites, as exactly as float64 can tell."""
    points = r.standard_normal((count, sites.shape[1]))
    table = scores(sites, weights, points)
    i, j = np.argsort(-table, axis=1)[:, :2].T
    rows = np.arange(count)
    apart = sites[i] - sites[j]
    excess = table[rows, i] - table[rows, j]
    return points - apart * (excess / (apart**2).sum(axis=1))[:, None], i, j


# ---- the same as float64 ----


@pytest.mark.parametrize(("n", "d"), [(1, 3), (2, 1), (3, 2), (50, 3), (700, 10), (300, 64)])
def test_equals_float64(n, d):
    r = np.random.default_rng([n, d])
    sites = r.standard_normal((n, d))
    weights = 0.1 * r.standard_normal(n)
    points = np.concatenate([r.standard_normal((500, d)), 30.0 * r.standard_normal((500, d))])
    table = scores(sites, weights, points)
    labels = Assigner(sites, weights)(points)
    assert labels.dtype == np.int64 and labels.shape == (1000,)
    order = np.sort(table, axis=1)
    clear = np.ones(1000, bool) if n == 1 else order[:, -1] - order[:, -2] > 1e-12
    assert clear.mean() > 0.999
    np.testing.assert_array_equal(labels[clear], table.argmax(axis=1)[clear])


@pytest.mark.parametrize("gap", [1e-6, 1e-8, 1e-10, 1e-12])
def test_gaps_that_float32_does_not_see(gap):
    r = np.random.default_rng(1)
    sites = r.standard_normal((400, 5))
    weights = 0.1 * r.standard_normal(400)
    points, i, j = on_bisectors(r, sites, weights, 400)
    apart = sites[i] - sites[j]
    length = np.sqrt((apart**2).sum(axis=1))[:, None]
    assigner = Assigner(sites, weights)
    for side, winner in ((gap, i), (-gap, j)):
        moved = points + side * apart / length
        # at some points a third site is nearer than either
        table = scores(sites, weights, moved)
        order = np.sort(table, axis=1)
        clear = order[:, -1] - order[:, -2] > 0.5 * gap * length[:, 0]
        assert clear.mean() > 0.95
        labels = assigner(moved)
        np.testing.assert_array_equal(labels[clear], table.argmax(axis=1)[clear])
        assert (labels == winner).mean() > 0.95


@pytest.mark.parametrize("d", [2, 3, 5, 10])
def test_exact_ties_go_to_the_lowest_index(d):
    sites = mirrored(d)
    r = np.random.default_rng(d)
    points = r.integers(-6, 7, (3000, d)) / 2.0
    points[:50] = 0.0
    weights = np.zeros(len(sites))
    table = scores(sites, weights, points)
    tied = (table == table.max(axis=1, keepdims=True)).sum(axis=1) > 1
    assert tied.mean() > 0.01
    np.testing.assert_array_equal(Assigner(sites, weights)(points), table.argmax(axis=1))
    # the same with weights that are exact too
    weights = r.integers(-64, 65, len(sites)) / 2.0
    np.testing.assert_array_equal(Assigner(sites, weights)(points), nearest(sites, weights, points))


def test_a_tie_of_all_sites():
    """Sites on a sphere, seen from its centre."""
    sites = np.array([[3, 4], [5, 0], [0, 5], [4, 3], [-3, 4], [-5, 0], [0, -5], [-4, -3],
                      [4, -3], [-4, 3], [3, -4], [-3, -4]], dtype=float)  # fmt: skip
    assigner = Assigner(sites, np.zeros(12))
    assert assigner(np.zeros((3, 2))).tolist() == [0, 0, 0]
    assert assigner(np.array([[4.0, 2.0], [0.0, 1e-300]])).tolist() == [3, 2]


@pytest.mark.parametrize("exponent", [-20, -100, -120, -140, -145, -160, -400])
def test_points_near_the_centre_of_a_sphere(exponent):
    """Where all heights are equal, only the products tell: however small they are."""
    sites = np.array([[3, 4], [5, 0], [0, 5], [4, 3], [-3, 4], [-5, 0], [0, -5], [-4, -3],
                      [4, -3], [-4, 3], [3, -4], [-3, -4]], dtype=float)  # fmt: skip
    points = np.random.default_rng(0).standard_normal((3000, 2)) * 2.0**exponent
    expected = (points @ sites.T).argmax(axis=1)
    np.testing.assert_array_equal(Assigner(sites, np.zeros(12))(points), expected)


@pytest.mark.parametrize("size", [1e3, 1e9, 1e18, 1e20, 1e40, 1e60])
def test_far_points(size):
    r = np.random.default_rng(2)
    sites, weights = r.random((200, 3)), 0.01 * r.random(200)
    points = size * r.standard_normal((500, 3))
    labels = Assigner(sites, weights)(points)
    # all but the direction is rounding: compare as integers do
    for x, label in zip(points[:40].tolist(), labels.tolist(), strict=False):
        best, own = None, None
        for i, (y, w) in enumerate(zip(sites.tolist(), weights.tolist(), strict=True)):
            score = 2 * sum(Fraction(a) * Fraction(b) for a, b in zip(x, y, strict=True))
            score += Fraction(w) - sum(Fraction(b) ** 2 for b in y)
            best = score if best is None else max(best, score)
            own = score if i == label else own
        assert best - own <= Fraction(size) * Fraction(1e-14)


@pytest.mark.parametrize("size", [2.0**-300, 1e-30, 1e30, 2.0**150])
def test_units(size):
    r = np.random.default_rng(3)
    sites, weights, points = r.random((200, 3)), 0.01 * r.random(200), r.random((2000, 3))
    plain = Assigner(sites, weights)(points)
    np.testing.assert_array_equal(
        Assigner(size * sites, size * size * weights)(size * points), plain
    )


def test_offset():
    """Far from the origin the weights' large common part must not matter."""
    r = np.random.default_rng(4)
    sites = r.integers(0, 2**20, (200, 3)) / 2.0**20
    points = r.integers(0, 2**20, (2000, 3)) / 2.0**20
    weights = r.integers(0, 2**10, 200) / 2.0**20
    plain = Assigner(sites, weights)(points)
    for shift in (2.0**10, 2.0**25):
        moved = Assigner(sites + shift, weights)(points + shift)
        assert (moved == plain).mean() > 0.9999
    np.testing.assert_array_equal(Assigner(sites, weights + 2.0**20)(points), plain)


def test_sites_without_a_cell():
    r = np.random.default_rng(5)
    sites, points = r.random((100, 4)), r.random((5000, 4))
    weights = np.zeros(100)
    weights[::2] = -1e3  # no cell anywhere near
    labels = Assigner(sites, weights)(points)
    assert (labels % 2 == 1).all()
    np.testing.assert_array_equal(labels, 2 * nearest(sites[1::2], np.zeros(50), points) + 1)
    weights[7] = 1e12  # and one that takes all
    assert (Assigner(sites, weights)(points) == 7).all()


def test_equal_sites_go_to_the_lowest_index():
    r = np.random.default_rng(6)
    sites = np.repeat(r.random((20, 3)), 3, axis=0)[r.permutation(60)]
    points = r.random((3000, 3))
    labels = Assigner(sites, np.zeros(60))(points)
    _, first, place = np.unique(sites, axis=0, return_index=True, return_inverse=True)
    np.testing.assert_array_equal(labels, first[place.ravel()][labels])
    assert (Assigner(np.ones((5, 3)), np.zeros(5))(points) == 0).all()


# ---- chunks, threads, sizes ----


@pytest.mark.parametrize("d", [2, 10])
def test_chunks_change_nothing(d):
    r = np.random.default_rng(7)
    sites, weights = r.random((150, d)), 0.01 * r.random(150)
    points = r.random((1500, d))
    assigner = Assigner(sites, weights)
    whole = assigner(points)
    for size, count in ((1, 200), (7, 1400)):
        parts = [assigner(points[k : k + size]) for k in range(0, count, size)]
        np.testing.assert_array_equal(np.concatenate(parts), whole[:count])
    np.testing.assert_array_equal(assigner(points, threads=3), whole)
    assert assigner(points[:0]).shape == (0,)


@pytest.mark.parametrize("d", [2, 10, 33])
def test_chunks_change_no_near_tie(d):
    r = np.random.default_rng(8)
    sites, weights = r.standard_normal((300, d)), 0.1 * r.standard_normal(300)
    points, _, _ = on_bisectors(r, sites, weights, 1000)
    assigner = Assigner(sites, weights)
    whole = assigner(points)
    for size in (1, 7):
        parts = [assigner(points[k : k + size]) for k in range(0, 1000, size)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_near_ties_are_decided_to_rounding():
    r = np.random.default_rng(9)
    for d in (2, 10, 60):
        sites, weights = r.standard_normal((300, d)), 0.1 * r.standard_normal(300)
        points, _, _ = on_bisectors(r, sites, weights, 1000)
        labels = Assigner(sites, weights)(points)
        table = scores(sites, weights, points)
        loss = table.max(axis=1) - table[np.arange(1000), labels]
        assert loss.max() <= 16 * d * np.finfo(float).eps


def test_many_points():
    r = np.random.default_rng(10)
    sites, weights = r.standard_normal((1000, 4)), 0.1 * r.standard_normal(1000)
    points = r.standard_normal((10**5, 4))
    labels = Assigner(sites, weights)(points, threads=2)
    np.testing.assert_array_equal(labels, Assigner(sites, weights)(points))
    pick = r.integers(10**5, size=5000)
    np.testing.assert_array_equal(labels[pick], nearest(sites, weights, points[pick]))


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer that interrupts")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("tied", [False, True])
def test_an_interrupt_ends_it(threads, tied):
    """A chunk of points alone takes longer than one may wait, more so if all sites contend."""
    r = np.random.default_rng(15)
    sites, points = r.random((150_000, 64)), r.random((4096, 64))
    if tied:
        sites = np.where(r.random((150_000, 64)) < 0.5, 1.0, -1.0)
        points = 1e-9 * points
    assigner = Assigner(sites, (sites**2).sum(axis=1))
    fired = []

    def interrupt(*_):
        fired.append(time.monotonic())
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        asked = time.monotonic() + 0.2
        with pytest.raises(KeyboardInterrupt):
            assigner(points, threads)
        ended = time.monotonic()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
    assert fired and ended - asked <= 0.25
    assert len(assigner(points[:2])) == 2


# ---- through a solution ----


def solved(sites, source, **keywords):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", geomot.ConvergenceWarning)
        return geomot.solve(
            sites, source=source, method="montecarlo", random_state=0, threads=1, **keywords
        )


def test_of_a_solution():
    r = np.random.default_rng(11)
    solution = solved(r.standard_normal((80, 6)), geomot.Gaussian(np.zeros(6), 1.0), tol=0.1)
    points = r.standard_normal((4000, 6))
    kept = points.tobytes()
    points.flags.writeable = False
    labels = solution.assign(points, threads=1)
    assert points.tobytes() == kept
    table = ((points[:, None] - solution.sites) ** 2).sum(axis=2) - solution.weights
    np.testing.assert_array_equal(labels, table.argmin(axis=1))
    np.testing.assert_array_equal(solution.assign(points.tolist(), threads=2), labels)
    np.testing.assert_array_equal(solution.assign(np.asfortranarray(points)), labels)
    share = np.bincount(labels, minlength=80) / 4000
    error = np.sqrt(solution.masses / 4000 + solution.estimate.mass_standard_errors**2)
    assert (np.abs(share - solution.masses) <= 5 * error).all()
    assert solution.assign(np.empty((0, 6))).shape == (0,)
    for bad in (points[:, :5], points[0], np.full((2, 6), np.nan)):
        with pytest.raises(ValueError, match="points must"):
            solution.assign(bad)
    with pytest.raises(TypeError, match="threads"):
        solution.assign(points, threads=1.5)


def test_in_the_plane_it_is_the_diagram():
    r = np.random.default_rng(12)
    solution = solved(r.random((60, 2)), None, tol=0.1)
    points = r.random((5000, 2))
    labels = solution.assign(points)
    np.testing.assert_array_equal(labels, solution.diagram().locate(points))
    np.testing.assert_array_equal(labels, Assigner(solution.sites, solution.weights)(points))


def test_on_the_line():
    r = np.random.default_rng(13)
    solution = solved(r.random((20, 1)), None, tol=0.1)
    points = r.random((500, 1))
    expected = nearest(solution.sites, solution.weights, points)
    np.testing.assert_array_equal(solution.assign(points), expected)


def test_sites_without_mass_get_no_point():
    r = np.random.default_rng(14)
    masses = np.where(np.arange(60) % 3 == 0, 0.0, 1.0)
    for source in (geomot.Gaussian(np.zeros(5), 1.0), geomot.UniformBall(np.zeros(5), 2.0)):
        solution = solved(
            r.standard_normal((60, 5)), source, target_masses=masses, normalize=True, tol=0.1
        )
        labels = solution.assign(source.sample(20000, 1))
        assert (labels % 3 != 0).all()
