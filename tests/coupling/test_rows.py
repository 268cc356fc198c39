"""Rows of data: arrays, lists of arrays, mapped files."""

from __future__ import annotations

import pickle
import tracemalloc

import numpy as np
import pytest

from geomot.coupling.rows import Rows

FLOATS = np.random.default_rng(0).standard_normal((50, 3))
BYTES = np.arange(256, dtype=np.uint8).reshape(64, 2, 2)


def test_rows_and_sites_of_one_array():
    rows = Rows(FLOATS, "X")
    assert len(rows) == 50
    assert rows.shape == (3,)
    index = np.array([7, 0, 7])
    np.testing.assert_array_equal(rows[index], FLOATS[index].astype(np.float32))
    np.testing.assert_array_equal(rows.sites("X"), FLOATS)


def test_bytes_are_numbers_from_0_to_1_the_same_in_rows_and_sites():
    rows = Rows(BYTES, "X")
    every = rows[np.arange(64)]
    assert every.dtype == np.float32
    np.testing.assert_array_equal(rows.sites("X"), BYTES.reshape(64, 4) / 255.0)
    np.testing.assert_array_equal(every.reshape(64, 4), rows.sites("X").astype(np.float32))


@pytest.mark.parametrize("kind", [list, tuple])
def test_arrays_one_after_another(kind):
    rows = Rows(kind([FLOATS[:20], FLOATS[20:21], FLOATS[21:]]), "X")
    index = np.array([49, 20, 0, 19, 21, 20])
    np.testing.assert_array_equal(rows[index], FLOATS[index].astype(np.float32))
    np.testing.assert_array_equal(rows.sites("X"), FLOATS)


def test_nested_lists_and_lists_of_vectors_are_one_array():
    assert len(Rows(FLOATS.tolist(), "X")) == 50
    assert len(Rows(list(FLOATS), "X")) == 50


@pytest.mark.parametrize(
    ("dtype", "order"), [("<f2", "C"), (">f4", "C"), ("<f8", "F"), ("<i4", "C")]
)
def test_any_real_numbers(dtype, order):
    X = np.asarray(np.round(10 * FLOATS), dtype=dtype, order=order)
    rows = Rows(X, "X")
    np.testing.assert_array_equal(rows[np.arange(50)], np.round(10 * FLOATS))
    np.testing.assert_array_equal(rows.sites("X"), np.round(10 * FLOATS))


def mapped(tmp_path, array):
    np.save(tmp_path / "data.npy", array)
    return np.load(tmp_path / "data.npy", mmap_mode="r")


def test_mapped_files_are_not_copied(tmp_path):
    X = mapped(tmp_path, np.zeros((4000, 500), dtype=np.float32))
    tracemalloc.start()
    try:
        rows = Rows([X[:1000], X[1000:]], "X")
        rows[np.arange(0, 4000, 100)]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < X.nbytes / 20
    assert all(np.shares_memory(part, X) for part in rows._parts)


def test_mapped_files_are_pickled_by_name_and_other_arrays_by_value(tmp_path):
    big = np.random.default_rng(1).standard_normal((3000, 40)).astype(np.float32)
    X = mapped(tmp_path, big)
    for part, whole in ((X, big), (X[100:900], big[100:900]), (X[5:6], big[5:6])):
        written = pickle.dumps(Rows(part, "X"))
        assert len(written) < 2000
        again = pickle.loads(written)
        assert isinstance(again._parts[0], np.memmap)
        np.testing.assert_array_equal(again[np.arange(len(whole))], whole)
    strided = pickle.loads(pickle.dumps(Rows(X[::2], "X")))
    np.testing.assert_array_equal(strided[np.arange(1500)], big[::2])


def test_changes_of_a_copy_on_write_map_are_pickled(tmp_path):
    np.save(tmp_path / "data.npy", FLOATS)
    X = np.load(tmp_path / "data.npy", mmap_mode="c")
    X[3] = 7.0
    again = pickle.loads(pickle.dumps(Rows(X, "X")))
    np.testing.assert_array_equal(again[np.array([3])], np.full((1, 3), 7.0))


@pytest.mark.parametrize(
    ("X", "error"),
    [
        (None, TypeError),
        ("text", TypeError),
        (FLOATS > 0, TypeError),
        (FLOATS.astype(object), TypeError),
        (FLOATS[:, 0], ValueError),
        (np.empty((0, 3)), ValueError),
        (np.empty((3, 0)), ValueError),
        ([FLOATS, FLOATS[:, :2]], ValueError),
        ([FLOATS, FLOATS[:, :, None]], ValueError),
        ([[1.0, 2.0], [3.0]], ValueError),
        ([], ValueError),
    ],
)
def test_refusals(X, error):
    with pytest.raises(error, match="X must"):
        Rows(X, "X")


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_numbers_that_cannot_be_meant(value):
    X = FLOATS.copy()
    X[3, 1] = value
    with pytest.raises(ValueError, match="X must"):
        Rows(X, "X").sites("X")
