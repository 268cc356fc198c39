"""The checks of arguments: what they accept, what they refuse, and in which words."""

from __future__ import annotations

import math

import numpy as np
import pytest
from refusals import REFUSALS
from scipy.sparse import csr_array

import geomot
from geomot import discrete, metrics
from geomot._constants import MAX_THREADS
from geomot._validation import (
    as_count,
    as_generator,
    as_masses,
    as_points,
    as_threads,
    as_tolerance,
    as_vector,
    as_weights,
)

pytestmark = pytest.mark.usefixtures("silent")
rng = np.random.default_rng
POINTS = rng(0).random((5, 2))


def unaligned(array):
    raw = np.frombuffer(b"\0" + array.tobytes(), np.uint8)[1:]
    return raw.view(array.dtype).reshape(array.shape)


@pytest.mark.parametrize(
    "spelling",
    [
        POINTS,
        POINTS.tolist(),
        np.asfortranarray(POINTS),
        np.repeat(POINTS, 2, axis=0)[::2],
        POINTS[::-1].copy()[::-1],
        np.column_stack([POINTS, POINTS])[:, 2:],
        POINTS.astype(">f8"),
        POINTS.astype(np.longdouble),
        unaligned(POINTS),
        POINTS.view(type("Subclass", (np.ndarray,), {})),
    ],
)
def test_points_have_one_form(spelling):
    points = as_points(spelling, "points")
    assert type(points) is np.ndarray
    assert points.dtype == np.float64 and points.dtype.isnative
    assert points.flags.c_contiguous and points.flags.aligned
    np.testing.assert_array_equal(points, POINTS)


def test_points_are_not_copied_without_need():
    frozen = POINTS.copy()
    frozen.setflags(write=False)
    assert as_points(POINTS, "points") is POINTS
    assert as_points(frozen, "points") is frozen


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int64, np.uint8])
def test_points_of_other_real_types(dtype):
    x = np.array([[0.5, 1], [2, 3]]).astype(dtype)
    np.testing.assert_array_equal(as_points(x, "points"), x.astype(np.float64))


class Unconvertible:
    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("lives elsewhere")


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        (None, TypeError, "got None"),
        ("text", TypeError, "got str"),
        (1.0, ValueError, r"shape \(n, d\), got \(\)"),
        (True, TypeError, "got bool"),
        (np.ones((3, 2), bool), TypeError, "got dtype bool"),
        (np.ones((3, 2), complex), TypeError, "got dtype complex128"),
        (np.ones((3, 2), object), TypeError, "got dtype object"),
        ([["a", "b"]], TypeError, "got dtype <U1"),
        (np.zeros((3, 2), "M8[s]"), TypeError, "got dtype datetime64"),
        (np.ma.masked_array(np.ones((3, 2))), TypeError, "got MaskedArray"),
        (csr_array(np.eye(3)), TypeError, "got csr_array"),
        (Unconvertible(), TypeError, "lives elsewhere"),
        ([[1.0, 2.0], [3.0]], ValueError, "different lengths"),
        ([1.0, 2.0], ValueError, r"got \(2,\)"),
        (np.ones((2, 2, 2)), ValueError, r"got \(2, 2, 2\)"),
        ([], ValueError, r"got \(0,\)"),
        (np.ones((3, 0)), ValueError, r"got \(3, 0\)"),
        (np.ones((0, 2)), ValueError, "at least one point"),
        ([[0.0, np.nan]], ValueError, r"finite, got nan at index \(0, 1\)"),
        ([[0.0, 1.0], [-np.inf, 1.0]], ValueError, r"finite, got -inf at index \(1, 0\)"),
        ([[0.0, 1e100]], ValueError, r"must not exceed 1.61e\+60 in magnitude, got 1e\+100"),
        (np.full((1, 2), np.longdouble("1e400")), ValueError, "got inf"),
    ],
)
def test_points_refused(x, error, words):
    with pytest.raises(error, match=f"^points .*{words}"):
        as_points(x, "points")


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_matrix_refused():
    with pytest.raises(TypeError, match="points must be a plain array, got matrix"):
        as_points(np.matrix(np.ones((3, 2))), "points")


def test_points_of_a_given_dimension():
    with pytest.raises(ValueError, match=r"sites must have shape \(n, 2\), got \(4, 3\)"):
        as_points(np.ones((4, 3)), "sites", 2)
    assert as_points(np.ones((0, 2)), "points", 2, allow_empty=True).shape == (0, 2)
    with pytest.raises(ValueError, match="points"):
        as_points(np.ones((0, 3)), "points", 2, allow_empty=True)


def test_inputs_are_not_written_to():
    x = POINTS.copy()
    w = np.full(5, 0.5)
    m = np.full(5, 2.0)
    before = x.tobytes(), w.tobytes(), m.tobytes()
    as_points(x, "x")
    hi, lo = as_weights(w, 5)
    hi += 1.0
    lo += 1.0
    masses = as_masses(m, 5, normalize=True)
    masses += 1.0
    assert (x.tobytes(), w.tobytes(), m.tobytes()) == before


def test_vector():
    np.testing.assert_array_equal(as_vector([1, 2], 2, "x"), [1.0, 2.0])
    for bad in ([1.0], [1.0, 2.0, 3.0], [[1.0, 2.0]], 1.0):
        with pytest.raises(ValueError, match=r"x must have shape \(2,\)"):
            as_vector(bad, 2, "x")


def test_weights():
    hi, lo = as_weights(None, 3)
    assert hi.tolist() == lo.tolist() == [0.0] * 3
    hi, lo = as_weights([1, 2, 3], 3)
    assert (hi.tolist(), lo.tolist()) == ([1.0, 2.0, 3.0], [0.0] * 3)
    pair = np.array([[1.0, 2.0**-80], [2.0**-80, 1.0], [0.1, 0.2]])
    hi, lo = as_weights(pair, 3)
    assert hi.tolist() == [1.0, 1.0, 0.1 + 0.2]
    assert lo.tolist()[:2] == [2.0**-80] * 2
    again = as_weights(np.column_stack([hi, lo]), 3)
    np.testing.assert_array_equal(again, (hi, lo))
    assert hi.flags.c_contiguous and lo.flags.c_contiguous


@pytest.mark.parametrize("shape", [(0,), (1,), (3,), (5,), (4, 1), (4, 3), (2, 4), (4, 2, 1), ()])
def test_weights_of_wrong_shape(shape):
    with pytest.raises(ValueError, match=r"weights must have shape \(4,\) or \(4, 2\), got"):
        as_weights(np.ones(shape), 4)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e200])
def test_weights_of_wrong_value(bad):
    with pytest.raises(ValueError, match="initial_weights"):
        as_weights([0.0, bad], 2, "initial_weights")
    with pytest.raises(ValueError, match="initial_weights"):
        as_weights([[0.0, 0.0], [0.0, bad]], 2, "initial_weights")


def test_masses():
    assert as_masses(None, 4).tolist() == [0.25] * 4
    assert as_masses([0, 0.5, 0.5], 3).tolist() == [0.0, 0.5, 0.5]
    assert math.copysign(1.0, as_masses([-0.0, 1.0], 2)[0]) == 1.0
    assert as_masses([1, 1], 2, normalize=True).tolist() == [0.5, 0.5]


def test_masses_sum_to_one_and_stay_as_they_are():
    for seed in range(50):
        m = rng(seed).random(1000)
        once = as_masses(m / m.sum() * (1 + 1e-9), 1000)
        assert abs(math.fsum(once) - 1.0) <= 2.0**-52
        assert as_masses(once, 1000).tobytes() == once.tobytes()
    single = rng(0).random(1000, dtype=np.float32)
    as_masses(single / single.sum(), 1000)


def test_masses_do_not_depend_on_the_order():
    m = rng(0).random(1000)
    order = rng(1).permutation(1000)
    one = as_masses(m, 1000, normalize=True)[order]
    assert one.tobytes() == as_masses(m[order], 1000, normalize=True).tobytes()


@pytest.mark.parametrize("scale", [1e-300, 5e-324, 1e100])
def test_masses_of_any_size_are_normalized(scale):
    masses = as_masses(np.array([1.0, 3.0]) * scale, 2, normalize=True)
    assert masses.tolist() == [0.25, 0.75]


@pytest.mark.parametrize(
    ("x", "words"),
    [
        ([1.5, -0.5], "must not be negative, got -0.5 at index 1"),
        ([0.0, 0.0], "only zeros"),
        ([1.0, 1.0], "must sum to 1, got 2.0"),
        ([0.5, 0.5 + 1e-5], "must sum to 1"),
        ([np.nan, 1.0], "finite"),
        ([np.inf, 1.0], "finite"),
        ([1.0], r"shape \(2,\)"),
        ([[0.5, 0.5]], r"shape \(2,\)"),
    ],
)
def test_masses_refused(x, words):
    with pytest.raises(ValueError, match=f"^target_masses .*{words}"):
        as_masses(x, 2)


def test_zeros_and_negatives_are_refused_under_normalize():
    for bad in ([0.0, 0.0], [2.0, -1.0], [np.nan, 1.0]):
        with pytest.raises(ValueError, match="sample_weight"):
            as_masses(bad, 2, "sample_weight", normalize=True)


def test_threads():
    assert 1 <= as_threads(None) <= MAX_THREADS
    assert as_threads(3) == as_threads(np.int32(3)) == 3
    assert as_threads(10**9) == MAX_THREADS
    for bad, error in [
        (0, ValueError),
        (-1, ValueError),
        (True, TypeError),
        (np.True_, TypeError),
        (2.0, TypeError),
        ("2", TypeError),
    ]:
        with pytest.raises(error, match="^threads must be"):
            as_threads(bad)


def test_tolerance():
    assert as_tolerance(1e-9) == as_tolerance(np.float64(1e-9)) == 1e-9
    assert as_tolerance(1) == 1.0
    for bad, error in [
        (0.0, ValueError),
        (-1e-9, ValueError),
        (np.nan, ValueError),
        (np.inf, ValueError),
        (True, TypeError),
        ("1e-9", TypeError),
        (None, TypeError),
        (1j, TypeError),
        (np.array([1e-9]), TypeError),
    ]:
        with pytest.raises(error, match="^tol must be"):
            as_tolerance(bad)


def test_count():
    assert as_count(np.int64(7), "n") == 7
    for bad, error in [(-1, ValueError), (1.0, TypeError), (False, TypeError), (None, TypeError)]:
        with pytest.raises(error, match="^max_iter must be"):
            as_count(bad, "max_iter")
    with pytest.raises(ValueError, match="n must be at least 3, got 2"):
        as_count(2, "n", 3)


def test_generator():
    assert as_generator(0).random() == as_generator(np.int64(0)).random() == rng(0).random()
    generator = rng(1)
    assert as_generator(generator) is generator
    legacy = np.random.RandomState(3)
    assert as_generator(legacy).random() != as_generator(legacy).random()
    assert as_generator(np.random.SeedSequence(0)).random() == rng(0).random()
    assert as_generator(np.random.PCG64(0)).random() == rng(0).random()
    assert as_generator(None).random() != as_generator(None).random()
    for bad, error in [(-1, ValueError), (True, TypeError), (0.5, TypeError), ("a", TypeError)]:
        with pytest.raises(error, match="^random_state must be"):
            as_generator(bad)


# ---- transposed sites ----


@pytest.mark.parametrize("shape", [(2, 100), (2, 640), (3, 500), (1, 300)])
def test_sites_that_are_probably_transposed_give_a_warning(shape):
    n, d = shape
    words = rf"sites has shape \({n}, {d}\), which means {n} points in {d} dimensions: pass sites.T"
    with pytest.warns(UserWarning, match=words) as caught:
        geomot.solve(rng(0).random(shape), tol=0.3, random_state=0)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("shape", [(2, 99), (4, 200), (100, 2), (200, 100)])
def test_other_sites_give_no_warning(shape, recwarn):
    geomot.solve(rng(0).random(shape), tol=0.5, random_state=0)
    assert not [w for w in recwarn if "pass sites.T" in str(w.message)]


SITES = rng(0).random((20, 2))


@pytest.mark.parametrize(("call", "name"), [r[1:] for r in REFUSALS], ids=[r[0] for r in REFUSALS])
def test_bad_arguments_are_refused_by_name(call, name):
    with pytest.raises((ValueError, TypeError), match=rf"\b({name})\b"):
        call()


def test_masses_of_another_sum_need_normalize():
    s = geomot.solve(SITES, np.full(20, 1 / 10), normalize=True)
    assert s.converged
    np.testing.assert_allclose(s.target_masses, 1 / 20)


def test_no_sites():
    for call in (geomot.PowerDiagram, geomot.solve):
        with pytest.raises(ValueError, match="sites"):
            call(np.zeros((0, 2)))


def by_name(function, *arguments, name):
    return lambda masses: function(*arguments, **{name: masses})


class Table:
    """The parts of a table of pandas that checks look at."""

    columns = ("x", "town")
    dtypes = (np.dtype(float), np.dtype(object))

    def __array__(self, dtype=None, copy=None):
        return np.array([[0.5, "Ayr"]], dtype=object)


def test_text_in_a_table_is_named_by_its_column():
    with pytest.raises(TypeError, match="object in column 'town': select the columns with numb"):
        as_points(Table(), "sites")


@pytest.mark.parametrize(
    ("values", "dim", "advice"),
    [
        ([0.5, 0.5], 2, "got \\(2,\\): for a single point, pass a list that holds it"),
        ([0.5, 0.5, 0.5], None, "got \\(3,\\): for points on the line, pass a column of shape"),
        ([0.5, 0.5, 0.5], 2, "got \\(3,\\)$"),
    ],
)
def test_advice_for_points_without_rows(values, dim, advice):
    with pytest.raises(ValueError, match=advice):
        as_points(values, "sites", dim)


def test_a_source_in_the_place_of_masses():
    with pytest.raises(TypeError, match="target_masses .* got UniformBox: .* source="):
        geomot.solve(POINTS, geomot.UniformBox.unit(2))


THREE = np.array([[0.25, 0.5], [0.75, 0.5], [0.5, 0.9]])


@pytest.mark.parametrize(
    "call",
    [
        by_name(geomot.solve, THREE, name="target_masses"),
        by_name(geomot.PowerDiagram(THREE).kantorovich, name="target_masses"),
        by_name(discrete.plan, THREE, THREE, name="a_masses"),
        by_name(discrete.plan, THREE, THREE, name="b_masses"),
        by_name(metrics.wasserstein2, THREE, THREE, name="a_masses"),
        by_name(metrics.sliced_wasserstein2, THREE, THREE, name="b_masses"),
        by_name(metrics.mode_statistics, THREE, THREE, 0.1, name="masses"),
    ],
)
def test_masses_are_probabilities(call):
    call([0.5, 0.25, 0.25])
    with pytest.raises(ValueError, match="masses must sum to 1, got 4.0"):
        call([2.0, 1.0, 1.0])


def test_weights_and_sources_count_in_proportion():
    maps = [
        geomot.BrenierMap().fit(THREE, sample_weight=weight)
        for weight in ([2.0, 1.0, 1.0], [0.5, 0.25, 0.25])
    ]
    assert maps[0].solution_ == maps[1].solution_
    assert geomot.Samples(THREE, [2, 1, 1]) == geomot.Samples(THREE, [0.5, 0.25, 0.25])
    assert geomot.GridDensity([2.0, 1.0]) == geomot.GridDensity([4.0, 2.0])
