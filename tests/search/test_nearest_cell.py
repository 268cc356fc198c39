"""Points to sites, to the accuracy of float64, in any dimension."""

from __future__ import annotations

import warnings
from fractions import Fraction

import numpy as np
import pytest
from effort import Interruption, needs_timers

import geomot
from geomot._duplicates import Merged
from geomot._sampling.designs import Design
from geomot._search.nearest_cell import Assigner, Frame
from geomot.generator import LatentGenerator


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


@needs_timers
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
    with Interruption(0.2) as interruption:
        assigner(points, threads)
    assert interruption.late <= 0.25 * threads
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


# ---- what is reported is what is assigned ----


class Cube:
    """A source that can do nothing but draw points."""

    dim = 3

    def sample(self, n, rng):
        return rng.random((n, 3))


def problem(name):
    """Sites, masses and source of a problem that is hard on float32, on frames or on labels."""
    r = np.random.default_rng(20)
    sites, masses = r.standard_normal((70, 6)), np.ones(70)
    source = geomot.Gaussian(np.zeros(6), 1.0)
    if name == "few dimensions":
        sites, source = sites[:, :3], geomot.UniformBall(np.zeros(3), 2.0)
    elif name == "a sampler":
        sites, source = sites[:, :3], Cube()
    elif name == "tight clusters":
        sites = sites[r.integers(4, size=70)] + 1e-6 * sites
    elif name == "far from the source":
        sites = sites + 1e6
    elif name == "idle sites":
        masses[::7] = 0.0
        sites[0], sites[7] = 1e10, -1e40
    elif name == "a far site with mass":
        sites[5], masses[5] = 1e8, 1e-3
    elif name == "twins":
        # also some of which the first has no mass
        sites[40:50], masses[:5] = sites[:10], 0.0
    elif name == "plane":
        sites, source = sites[:, :2], geomot.UniformBox([-1.0, -1.0], [1.0, 1.0])
    elif name == "line":
        sites, source = sites[:, :1], geomot.Gaussian([0.0], 1.0)
    return sites, masses, source


PROBLEMS = ["normal", "few dimensions", "a sampler", "tight clusters", "far from the source",
            "idle sites", "a far site with mass", "twins", "plane", "line"]  # fmt: skip


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_samples_of_the_estimate_are_assigned_as_they_were_counted(
    name, monkeypatch, device=None
):
    seen = []
    plain = Design.decided

    def decided(self, batch, points, heights):
        decision = plain(self, batch, points, heights)
        seen.append((heights, self.to_source(points.astype(float)), decision.first))
        return decision

    monkeypatch.setattr(Design, "decided", decided)
    sites, masses, source = problem(name)
    settings = {"target_masses": masses, "normalize": True, "tol": 0.1, "device": device}
    s = solved(sites, source, **settings, max_iter=300)
    # the last test is that of the solution
    last = seen[-1][0]
    samples = [(x, first) for heights, x, first in seen if np.array_equal(heights, last)]
    x = np.concatenate([x for x, _ in samples])
    assert len(x) == s.estimate.n_samples
    labels = s.assign(x, threads=2)
    members = np.unique(labels)
    held = Merged(sites, s.target_masses).members
    np.testing.assert_array_equal(labels, held[np.concatenate([first for _, first in samples])])
    assert (s.target_masses[members] > 0.0).all()
    # twins share what their place receives
    place = np.unique(sites, axis=0, return_inverse=True)[1].ravel()
    share = np.bincount(place[labels], minlength=place.max() + 1) / len(x)
    np.testing.assert_allclose(np.bincount(place, s.masses), share, rtol=1e-12, atol=0)


@pytest.mark.parametrize("far", [1e3, 1e10, 1e30, 1e58])
@pytest.mark.parametrize("d", [3, 6])
def test_an_idle_site_changes_nothing(d, far, tmp_path):
    r = np.random.default_rng(21)
    sites, source = r.standard_normal((70, d)), geomot.Gaussian(np.zeros(d), 1.0)
    without = solved(sites, source, tol=0.1)
    with_it = solved(
        np.concatenate([sites[:9], np.full((1, d), far), sites[9:]]),
        source,
        target_masses=np.insert(np.full(70, 1 / 70), 9, 0.0),
        tol=0.1,
    )
    kept = np.delete(np.arange(71), 9)
    np.testing.assert_array_equal(with_it.weights[kept], without.weights)
    np.testing.assert_array_equal(with_it.masses[kept], without.masses)
    assert with_it.masses[9] == 0.0 and np.isfinite(with_it.weights[9])
    points = np.concatenate([source.sample(4000, 1), 1e3 * source.sample(500, 2)])
    expected = without.assign(points, threads=1)
    np.testing.assert_array_equal(with_it.assign(points, threads=1), kept[expected])
    # its own place is nobody's but the others'
    assert with_it.assign(with_it.sites[9:10])[0] != 9
    with_it.save(tmp_path / "solution.npz")
    again = geomot.load(tmp_path / "solution.npz")
    np.testing.assert_array_equal(again.assign(points, threads=1), kept[expected])


def test_an_idle_site_gets_no_sample_of_a_map():
    r = np.random.default_rng(22)
    points = np.concatenate([r.standard_normal((60, 3)), [[1e10, 0.0, 0.0]]])
    source = geomot.Gaussian(np.zeros(3), 1.0)
    fitted = geomot.BrenierMap(source, tv_tol=0.1, random_state=0, threads=1).fit(
        points, sample_weight=np.append(np.ones(60), 0.0)
    )
    x = source.sample(20_000, 3)
    share = np.bincount(fitted.predict(x), minlength=61) / 20_000
    assert share[60] == 0.0
    assert 0.5 * np.abs(share - fitted.solution_.target_masses).sum() <= 0.1 + 0.4 * 0.055
    assert (np.abs(fitted.transform(x)) < 10.0).all()
    assert (np.abs(fitted.sample(1000, random_state=1)) < 10.0).all()
    assert (np.abs(fitted.extended().transform(x[:1000])) < 10.0).all()


def test_of_twins_the_first_with_mass_is_meant():
    r = np.random.default_rng(23)
    sites = r.standard_normal((40, 4))
    sites[30] = sites[3]
    masses = np.ones(40)
    masses[3] = 0.0
    source = geomot.Gaussian(np.zeros(4), 1.0)
    s = solved(sites, source, target_masses=masses, normalize=True, tol=0.1)
    labels = s.assign(source.sample(5000, 1), threads=1)
    assert (labels == 30).any() and not (labels == 3).any()
    assert s.masses[3] == 0.0 and s.masses[30] > 0.0
    assert s.weights[3] == s.weights[30]


def test_far_sites_hardly_move_the_frame():
    r = np.random.default_rng(24)
    sites = r.standard_normal((2000, 3))
    plain = Frame(sites)
    assert np.abs(plain.centre).max() < 0.2
    sites[::5] *= 1e12
    np.testing.assert_allclose(Frame(sites).centre, plain.centre, rtol=0, atol=0.3)


@pytest.mark.parametrize("exponent", [-1070, -1030, -700, 0, 180])
def test_frames_of_all_sizes(exponent):
    r = np.random.default_rng(25)
    sites = r.integers(-8, 9, (50, 3)) * 2.0**exponent
    frame = Frame(sites)
    assert np.abs(frame.sites).max() < 1.0
    assert exponent < -990 or np.abs(frame.sites).max() >= 0.25
    assert np.isfinite(frame.factor)
    np.testing.assert_array_equal(frame.centre + np.ldexp(frame.sites, frame.exponent), sites)
    # a weight far above the others' takes all, whatever it is in the frame
    heights = frame.heights(np.where(np.arange(50) == 17, 2.0**390, 0.0))
    assert heights.argmax() == 17 and heights[17] == 0.0 and not np.isnan(heights).any()


@pytest.mark.parametrize("far", [1e10, 1e40])
def test_the_masses_of_assign_are_those_reported(far):
    """An idle site does not decide in which digits the others are compared."""
    r = np.random.default_rng(26)
    sites = np.concatenate([r.standard_normal((60, 3)), [[far, 0.0, 0.0]]])
    source = geomot.Gaussian(np.zeros(3), 1.0)
    masses = np.append(np.full(60, 1 / 60), 0.0)
    s = solved(sites, source, target_masses=masses, tol=0.05)
    assert s.converged
    count = 400_000
    share = np.bincount(s.assign(source.sample(count, 4), threads=1), minlength=61) / count
    assert share[60] == 0.0
    intervals = s.estimate.mass_intervals(s.masses)
    noise = 4.0 * np.sqrt(masses / count)
    inside = (share >= intervals[:, 0] - noise) & (share <= intervals[:, 1] + noise)
    assert inside.mean() > 0.9
    low, high = s.estimate.tv_interval
    found = 0.5 * np.abs(share - masses).sum()
    assert low - 0.005 <= found <= high + 0.005


@pytest.mark.parametrize("d", [2, 3, 6])
@pytest.mark.parametrize("width", [1e-7, 1e-9])
def test_of_a_precision_that_does_not_suffice_the_masses_are_right(d, width):
    r = np.random.default_rng(27)
    centres = np.linspace(-0.8, 0.8, 3)[:, None] + 0.1 * r.standard_normal((3, d))
    sites = centres.repeat(12, axis=0) + width * r.random((36, d))
    source = geomot.UniformBall(np.zeros(d), 2.0) if d == 3 else geomot.Gaussian(np.zeros(d), 1.0)
    s = solved(sites, source, tol=0.05, max_iter=30)
    assert s.status == "precision"
    count = 200_000
    share = np.bincount(s.assign(source.sample(count, 5), threads=1), minlength=36) / count
    e = s.estimate
    low, high = e.tv_interval
    found = 0.5 * np.abs(share - s.target_masses).sum()
    assert low - 0.01 <= found <= high + 0.01
    noise = np.sqrt(share * (1.0 - share) / count + e.design_effect * share / e.n_samples)
    assert (np.abs(share - s.masses) <= 5.0 * noise + 1e-3).all()


@pytest.mark.parametrize("name", ["few dimensions", "tight clusters", "idle sites"])
def test_a_device_counts_as_assign_does(name, monkeypatch):
    pytest.importorskip("torch")
    test_the_samples_of_the_estimate_are_assigned_as_they_were_counted(
        name, monkeypatch, device="cpu"
    )


@pytest.mark.parametrize("d", [3, 6])
def test_an_extended_map_does_not_see_an_idle_site(d):
    r = np.random.default_rng(28)
    sites, source = r.standard_normal((50, d)), geomot.Gaussian(np.zeros(d), 1.0)
    without = solved(sites, source, tol=0.1)
    with_it = solved(
        np.concatenate([np.full((1, d), 1e10), sites]),
        source,
        target_masses=np.insert(np.full(50, 1 / 50), 0, 0.0),
        tol=0.1,
    )
    x = source.sample(2000, 6)
    plain, other = (geomot.ExtendedMap(s, threads=1) for s in (without, with_it))
    assert other.threshold == plain.threshold
    np.testing.assert_array_equal(other.transform(x), plain.transform(x))
    np.testing.assert_array_equal(other.is_singular(x), plain.is_singular(x))


@pytest.mark.parametrize("exponent", [-475, -259, 195])
def test_an_extended_map_in_any_unit(exponent):
    r = np.random.default_rng(29)
    unit = 2.0**exponent
    sites, x = r.random((60, 3)), r.random((2000, 3))
    plain, other = (
        geomot.ExtendedMap(
            solved(u * sites, geomot.UniformBox(np.zeros(3), np.full(3, u)), tol=0.1), threads=1
        )
        for u in (1.0, unit)
    )
    assert other.threshold == plain.threshold
    np.testing.assert_array_equal(other.transform(unit * x), unit * plain.transform(x))


class Identity:
    """An autoencoder whose codes are the data."""

    def encode(self, x):
        return x

    decode = encode


def test_a_generator_with_an_idle_code():
    r = np.random.default_rng(30)
    data = np.concatenate([r.standard_normal((60, 3)), [[1e10, 0.0, 0.0]]])
    generator = LatentGenerator(Identity(), tv_tol=0.1, random_state=0, threads=1)
    generator.fit(data, sample_weight=np.append(np.ones(60), 0.0))
    assert (np.abs(generator.sample(2000, random_state=1)) < 10.0).all()
    known = {tuple(row) for row in data[:60]}
    drawn = generator.sample(2000, random_state=1, mode="discrete")
    assert {tuple(row) for row in drawn} <= known


def test_coordinates_beyond_the_limit_are_refused():
    sites = 1e100 * np.random.default_rng(31).random((20, 3))
    source = geomot.UniformBox(np.zeros(3), np.ones(3))
    with pytest.raises(ValueError, match=r"sites must not exceed 1\.61e\+60 in magnitude"):
        geomot.solve(sites, source=source, method="montecarlo")
    solution = solved(sites / 1e100, source, tol=0.1)
    with pytest.raises(ValueError, match="points must not exceed"):
        solution.assign(sites)
