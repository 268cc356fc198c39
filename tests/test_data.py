"""Labels of data in one form."""

from __future__ import annotations

import numpy as np
import pytest

from geomot._data import as_labels

pytestmark = pytest.mark.usefixtures("silent")


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["b", "a", "b"], ["a", "b"]),
        (np.array(["b", "a", "b"], object), ["a", "b"]),
        (np.array(["b", "a", "b"], "S"), ["a", "b"]),
        (np.array([7, 3, 7], object), [3, 7]),
        (np.array([True, False, True], object), [False, True]),
        ([0.5, -1.0, 0.5], [-1.0, 0.5]),
    ],
)
def test_labels_have_one_form(labels, classes):
    found, members = as_labels(labels, 3)
    assert found.tolist() == classes
    assert members.tolist() == [1, 0, 1]
    assert found.dtype.kind != "O"


@pytest.mark.parametrize(
    ("labels", "error", "words"),
    [
        (["a", "b"], ValueError, r"of shape \(3,\), got"),
        (
            np.array(["a", None, "b"], object),
            ValueError,
            "y must not hold missing values, got None at",
        ),
        (
            np.array(["a", np.nan, "b"], object),
            ValueError,
            "y must not hold missing values, got nan at",
        ),
        (np.array(["a", 1, 2.5], object), TypeError, "of one kind.*got float, int, str"),
        ([1j, 2j, 3j], ValueError, "numbers or text"),
        ([1.0, np.nan, 2.0], ValueError, "y must be finite, got nan at index 1"),
    ],
)
def test_labels_that_are_none(labels, error, words):
    with pytest.raises(error, match=words):
        as_labels(labels, 3)


def test_labels_of_pandas():
    pandas = pytest.importorskip("pandas")
    for dtype in ("string", "category", object):
        found, members = as_labels(pandas.Series(["b", "a", "b"], dtype=dtype), 3)
        assert (found.tolist(), members.tolist()) == (["a", "b"], [1, 0, 1])
