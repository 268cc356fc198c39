"""Data in the units in which networks see them: centred, and divided by one number.

Arrays of uint8 are images in 256 steps: they are read as numbers from 0 to 1. Everything is done a
few rows at a time, so that a big data set is never held twice in float64.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from geomot._constants import IMAGE_CHANNELS
from geomot._validation import check_single
from geomot.latent._torch import rows_at_once

__all__ = ["as_float", "chunks", "mean_and_scale", "refuse_channels_last", "standardise"]


def as_float(rows: np.ndarray) -> np.ndarray:
    """Return samples as float64: uint8 divided by 255, everything else as it is."""
    if rows.dtype == np.uint8:
        return rows / 255.0
    return rows.astype(np.float64, copy=False)


def chunks(X: np.ndarray) -> Iterator[slice]:
    """The rows of `X`, in slices that are worked on at once."""
    step = rows_at_once(int(np.prod(X.shape[1:])))
    for start in range(0, len(X), step):
        yield slice(start, start + step)


def refuse_channels_last(shape: tuple[int, ...], name: str) -> None:
    """Refuse images whose channels are their last axis, which would be taken for their width.

    Parameters
    ----------
    shape : tuple of int
        Shape of one sample.
    name : str
        The argument's name, for the message.
    """
    if len(shape) != 3 or shape[0] in IMAGE_CHANNELS or shape[2] not in IMAGE_CHANNELS:
        return
    # feature maps may be as narrow
    if min(shape[:2]) > max(IMAGE_CHANNELS):
        raise ValueError(
            f"{name} must have its channels first, shape (n, c, h, w): pass "
            f"np.moveaxis({name}, -1, 1) for images of shape {shape}"
        )


def mean_and_scale(X: np.ndarray, *, single: bool = False) -> tuple[np.ndarray, float]:
    """Mean of the samples, and their standard deviation about it over all numbers.

    Parameters
    ----------
    X : ndarray of shape (n, ...)
        The samples.
    single : bool, default False
        Whether the mean is to be one number for all entries of a sample.

    Returns
    -------
    mean : ndarray of shape (...), float64
    scale : float
        1 for constant data.
    """
    mean = np.asarray(sum(as_float(X[part]).sum(axis=0) for part in chunks(X)) / len(X))
    lowest, highest = X.min(axis=0), X.max(axis=0)
    if single:
        mean = np.full_like(mean, mean.mean())
        lowest, highest = lowest.min(), highest.max()
    # Rounding of the mean leaves constant data a spread, and tiny numbers have no squares.
    if np.array_equal(lowest, highest):
        return mean, 1.0
    most = max(np.abs(as_float(end) - mean).max() for end in (lowest, highest))
    unit = 2.0 ** np.frexp(most)[1]
    total = sum(float((((as_float(X[part]) - mean) / unit) ** 2).sum()) for part in chunks(X))
    return mean, unit * float(np.sqrt(total / X.size))


def standardise(torch: Any, X: np.ndarray, order: np.ndarray, mean: Any, scale: float) -> Any:
    """Samples in a given order, centred and scaled, in float32 on the CPU.

    Parameters
    ----------
    torch : module
        The module torch.
    X : ndarray of shape (n, ...)
        The samples.
    order : ndarray of shape (m,), int
        Which of them, in which order.
    mean : ndarray of shape (...)
        What is subtracted.
    scale : float
        What they are then divided by.

    Returns
    -------
    torch.Tensor of shape (m, ...)
    """
    data = np.empty((len(order), *X.shape[1:]), np.float32)
    for part in chunks(data):
        rows = (as_float(X[order[part]]) - mean) / scale
        check_single(rows, "X (standardised)")
        data[part] = rows
    return torch.from_numpy(data)
