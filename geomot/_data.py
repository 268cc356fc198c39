"""Labels and masses of classes, and the nearest of many data: what the generator computes with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geomot._validation import as_masses

__all__ = ["as_labels", "class_masses", "float_chunks", "nearest"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Rows that are encoded, decoded or compared at once: bounds the memory, not the result.
CHUNK = 2048


def float_chunks(data: np.ndarray) -> Iterator[FloatArray]:
    """Pieces of the data as float64; bytes on the scale from 0 to 1."""
    for start in range(0, len(data), CHUNK):
        part = data[start : start + CHUNK].astype(np.float64)
        if data.dtype == np.uint8:
            part /= 255.0
        yield part


def as_labels(y: Any, n: int) -> tuple[np.ndarray | None, IntArray | None]:
    """The labels that occur, and the number of each row's among them."""
    if y is None:
        return None, None
    labels = np.asarray(y)
    if labels.shape != (n,) or labels.dtype.kind not in "iufbU":
        raise ValueError(
            f"y must hold numbers or text, of shape ({n},), got {labels.dtype} of shape "
            f"{labels.shape}"
        )
    classes, members = np.unique(labels, return_inverse=True)
    return classes, members.astype(np.int64)


def class_masses(
    masses: FloatArray,
    class_weight: Any,
    classes: np.ndarray | None,
    members: IntArray | None,
) -> FloatArray:
    """Masses of the rows such that classes have the masses wanted."""
    if class_weight is None:
        return masses
    if classes is None or members is None:
        raise ValueError("class_weight needs labels: fit must be given y")
    known = [label.item() for label in classes]
    present = np.bincount(members, masses, minlength=len(known))
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise ValueError(f"class_weight must be 'balanced' or a mapping, got {class_weight!r}")
        wanted = (present > 0.0).astype(np.float64)
    elif isinstance(class_weight, Mapping):
        unknown = [label for label in class_weight if label not in known]
        if unknown:
            raise ValueError(f"class_weight must have labels of y as keys, got {unknown[0]!r}")
        wanted = np.array([class_weight.get(label, 0.0) for label in known])
    else:
        raise TypeError(
            f"class_weight must be 'balanced' or a mapping, got {type(class_weight).__name__}"
        )
    wanted = as_masses(wanted, len(known), "class_weight", normalize=True)
    without = np.flatnonzero((wanted > 0.0) & (present == 0.0))
    if without.size:
        raise ValueError(f"class_weight names {known[without[0]]!r}, of which no row has mass")
    share = np.divide(wanted, present, out=np.zeros_like(wanted), where=present > 0.0)
    out: FloatArray = masses * share[members]
    return out / out.sum()


def nearest(
    queries: np.ndarray, data: np.ndarray, own: IntArray | None = None
) -> tuple[IntArray, FloatArray]:
    """Index of the nearest row of the data for each query, and its distance.

    Parameters
    ----------
    queries, data : ndarray of shape (k, ...) and (n, ...)
        What `as_samples` returned.
    own : ndarray of shape (k,), optional
        For each query a row that does not count: itself, where queries are rows of the data.

    Returns
    -------
    indices : ndarray of shape (k,), int64
    distances : ndarray of shape (k,)
        Euclidean distances.
    """
    flat = data.reshape(len(data), -1)
    indices, distances = [], []
    first = 0
    for part in float_chunks(queries.reshape(len(queries), -1)):
        best, index = np.full(len(part), np.inf), np.zeros(len(part), dtype=np.int64)
        left_out = None if own is None else own[first : first + len(part)]
        first += len(part)
        start = 0
        for rows in float_chunks(flat):
            # |x - y|^2 but for |x|^2, which does not change who is nearest
            square = np.einsum("nk,nk->n", rows, rows) - 2.0 * (part @ rows.T)
            if left_out is not None:
                here = np.flatnonzero((left_out >= start) & (left_out < start + len(rows)))
                square[here, left_out[here] - start] = np.inf
            least = square.argmin(axis=1)
            value = square[np.arange(len(part)), least]
            nearer = value < best
            best[nearer], index[nearer] = value[nearer], start + least[nearer]
            start += len(rows)
        # The difference of large squares is inaccurate where copies matter most.
        found = np.concatenate(list(float_chunks(flat[index])))
        indices.append(index)
        distances.append(np.linalg.norm(part - found, axis=1))
    return np.concatenate(indices), np.concatenate(distances)
