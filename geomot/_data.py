"""Labels and masses of classes, and the nearest of many data: what the generator computes with."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geomot._validation import as_masses

__all__ = ["as_classes", "as_labels", "class_masses", "float_chunks", "nearest"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Rows that are encoded, decoded or compared at once, and numbers in them that are float64 at once:
# they bound the memory, not the result.
CHUNK = 2048
_NUMBERS = 2**24


def float_chunks(data: np.ndarray) -> Iterator[FloatArray]:
    """Pieces of the data as float64; bytes on the scale from 0 to 1."""
    step = max(min(CHUNK, _NUMBERS // math.prod(data.shape[1:])), 1)
    for start in range(0, len(data), step):
        part = data[start : start + step].astype(np.float64)
        if data.dtype == np.uint8:
            part /= 255.0
        yield part


def as_labels(y: Any, n: int, name: str = "y") -> tuple[np.ndarray, IntArray]:
    """Return the labels that occur, and the number of each row's among them.

    Parameters
    ----------
    y : array_like of shape (n,)
        Numbers or text, none of them missing; also objects, bytes, and pandas' series and
        categories of these.
    n : int
        Number of rows.
    name : str, default "y"
        The argument's name, for messages.

    Returns
    -------
    classes : ndarray of shape (k,)
        In order.
    members : ndarray of shape (n,), int64
    """
    labels = _plain_labels(y, name)
    if labels.shape != (n,) or labels.dtype.kind not in "iufbU":
        raise ValueError(
            f"{name} must hold numbers or text, of shape ({n},), got {labels.dtype} of shape "
            f"{labels.shape}"
        )
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        index = int(np.flatnonzero(~np.isfinite(labels))[0])
        raise ValueError(f"{name} must be finite, got {labels[index]} at index {index}")
    classes, members = np.unique(labels, return_inverse=True)
    return classes, members.astype(np.int64)


def as_classes(
    values: Any, n: int, name: str, most_integers: int
) -> tuple[np.ndarray, IntArray] | None:
    """Return classes and each value's index among them; None if the values are numbers.

    Parameters
    ----------
    values : array_like of shape (n,)
        Text, booleans, categories as pandas has them (in their order), or numbers. Arrays of
        objects hold one of these.
    n : int
        Number of values.
    name : str
        The argument's name, for messages.
    most_integers : int
        Integers with more distinct values than this are numbers.

    Returns
    -------
    classes : ndarray of shape (k,)
        Those that occur.
    index : ndarray of shape (n,)
    """
    found = _categories(values, name)
    if found is None:
        labels = _plain_labels(values, name)
        if labels.dtype.kind not in "biuU":
            return None
        classes, index = np.unique(labels, return_inverse=True)
        if labels.dtype.kind in "iu" and len(classes) > most_integers:
            return None
        found = classes, index.reshape(labels.shape)
    if found[1].shape != (n,):
        raise ValueError(f"{name} must have shape ({n},), got {found[1].shape}")
    return found


def _categories(values: Any, name: str) -> tuple[np.ndarray, IntArray] | None:
    """Categories of pandas, in their order, and the index of each value among them."""
    thing = getattr(values, "cat", values)
    if not (hasattr(thing, "categories") and hasattr(thing, "codes")):
        return None
    codes = np.asarray(thing.codes)
    if (codes < 0).any():
        raise ValueError(
            f"{name} must not hold missing values, got one at index {int((codes < 0).argmax())}"
        )
    present, index = np.unique(codes, return_inverse=True)
    return np.asarray(thing.categories)[present], index


def _plain_labels(values: Any, name: str) -> np.ndarray:
    """Labels as an array of numbers, booleans or text, where they are one of these as objects."""
    labels = np.asarray(values)
    if labels.dtype.kind == "S":
        return np.char.decode(labels, "utf-8", "replace")
    if labels.dtype.kind == "T":
        labels = labels.astype(object)
    if labels.dtype.kind != "O":
        return labels
    for index, label in enumerate(labels.flat):
        missing = label is None or (isinstance(label, float) and label != label)
        if missing or type(label).__name__ in ("NAType", "NaTType"):
            raise ValueError(f"{name} must not hold missing values, got {label} at index {index}")
    kinds = ((str, str), (bool, bool), (numbers.Integral, np.int64), (numbers.Real, np.float64))
    for kind, dtype in kinds:
        if all(isinstance(label, kind) for label in labels.flat):
            return labels.astype(dtype)
    types = sorted({type(label).__name__ for label in labels.flat})
    raise TypeError(f"{name} must be of one kind, numbers or text, got {', '.join(types)}")


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
        raise ValueError("class_weight needs labels: pass y to fit")
    known = [label.item() for label in classes]
    present = np.bincount(members, masses, minlength=len(known))
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise ValueError(f"class_weight must be 'balanced' or a mapping, got {class_weight!r}")
        wanted = (present > 0.0).astype(np.float64)
    elif isinstance(class_weight, Mapping):
        unknown = [label for label in class_weight if label not in known]
        if unknown:
            raise ValueError(
                f"class_weight must have labels that occur in y as keys, got {unknown[0]!r}"
            )
        wanted = np.array([class_weight.get(label, 0.0) for label in known])
    else:
        raise TypeError(
            "class_weight must be 'balanced' or a mapping from labels to masses, got "
            f"{type(class_weight).__name__}"
        )
    wanted = as_masses(wanted, len(known), "class_weight", normalize=True)
    without = np.flatnonzero((wanted > 0.0) & (present == 0.0))
    if without.size:
        raise ValueError(
            f"class_weight names {known[without[0]]!r}, but no row of this class has mass"
        )
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
