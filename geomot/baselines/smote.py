"""Synthetic data between neighbours: the simplest generator that is hard to beat on codes."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from geomot._files.parts import Array, Entry, Record, as_mapping, as_shape
from geomot._validation import as_count
from geomot.baselines._reference import Reference

__all__ = ["SMOTE"]

FloatArray = NDArray[np.float64]


class SMOTE(Reference):
    """Points between a datum and one of its nearest neighbours.

    A sample is ``x + u (x' - x)`` with x drawn from the data, x' from its nearest neighbours and u
    uniform on [0, 1]: Chawla, Bowyer, Hall, Kegelmeyer 2002 (doi:10.1613/jair.953), for all data
    rather than for a class that is rare. On codes of an autoencoder it needs no training and mixes
    few modes, but its samples lie near the data, on segments between them.

    Parameters
    ----------
    neighbours : int, default 5
        Nearest neighbours of which one is drawn; all others if there are fewer.
    random_state : None, int, Generator or RandomState, optional
        Randomness of `sample` where it is given none.

    Attributes
    ----------
    data_ : ndarray of shape (n, d)
        The data, flat.
    neighbours_ : ndarray of shape (n, k), int64
        Rows of the nearest neighbours; of a single datum itself.
    sample_shape_ : tuple of int
        Shape of one datum.
    n_features_in_ : int
        Numbers in one datum.

    Examples
    --------
    >>> from geomot.baselines import SMOTE
    >>> model = SMOTE(random_state=0).fit([[0.0, 0.0], [1.0, 1.0]])
    >>> x = model.sample(100)
    >>> bool((x[:, 0] == x[:, 1]).all() and (x >= 0).all() and (x <= 1).all())
    True
    """

    _record: ClassVar = Record(
        "geomot-smote",
        {
            "parameters": Entry(as_mapping),
            "sample_shape_": Entry(as_shape),
            "data_": Array(("n", "features")),
            "neighbours_": Array(("n", "k"), dtypes=("<i8",), check=None),
        },
    )

    data_: FloatArray
    neighbours_: NDArray[np.int64]

    def __init__(self, neighbours: int = 5, *, random_state: Any = None) -> None:
        self.neighbours = neighbours
        self.random_state = random_state

    def _fit(self, rows: FloatArray, rng: np.random.Generator) -> dict[str, Any]:
        k = min(as_count(self.neighbours, "neighbours", 1), len(rows) - 1)
        nearest = np.zeros((1, 1), np.int64)
        if k > 0:
            nearest = NearestNeighbors(n_neighbors=k).fit(rows).kneighbors(return_distance=False)
        return {"data_": rows, "neighbours_": nearest.astype(np.int64)}

    def _draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        first = rng.integers(len(self.data_), size=n)
        second = self.neighbours_[first, rng.integers(self.neighbours_.shape[1], size=n)]
        share = rng.random((n, 1))
        # Convex combinations stay between their ends, whatever is rounded.
        return (1.0 - share) * self.data_[first] + share * self.data_[second]

    def _set_parts(self, parts: dict[str, Any], device: Any) -> None:
        super()._set_parts(parts, device)
        n, found = len(self.data_), self.neighbours_
        if self.data_.shape[1] != self.n_features_in_ or n == 0:
            raise ValueError(f"data must have {self.n_features_in_} columns and at least one row")
        if found.size == 0 or found.min() < 0 or found.max() >= n:
            raise ValueError("neighbours must be rows of the data")
