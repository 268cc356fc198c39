"""Data that come in batches: encoded one by one, of which codes and labels alone are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from geomot._validation import as_samples

__all__ = ["Encoded", "is_stream", "read"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Encoded:
    """What is kept of data that were read in batches.

    Attributes
    ----------
    codes : ndarray of shape (n, latent_dim)
        Their codes.
    labels : ndarray of shape (n,), or None
        Their labels, if batches had some.
    shape : tuple of int
        Shape of the data, (n, *sample_shape), as an array of all would have it.
    """

    codes: FloatArray
    labels: np.ndarray | None
    shape: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.codes)


def is_stream(X: Any) -> bool:
    """Return whether data come in batches: an iterable that is no array, list or tuple.

    Parameters
    ----------
    X : object
        The data.

    Returns
    -------
    bool
    """
    whole = isinstance(X, (Sequence, np.ndarray, str, bytes)) or hasattr(X, "__array__")
    whole = whole or issparse(X)  # which is refused as a table
    return isinstance(X, Iterable) and not whole


def read(batches: Iterable[Any], encode: Callable[[np.ndarray], FloatArray]) -> Encoded:
    """Encode batches as they come.

    Parameters
    ----------
    batches : iterable of array_like of shape (k, ...), or of pairs of such and labels (k,)
        The data. Empty batches are left out.
    encode : callable
        Maps data to codes.

    Returns
    -------
    Encoded

    Raises
    ------
    TypeError, ValueError
        If a batch is invalid, of another shape than the first, or some have labels and others
        none.
    """
    codes: list[FloatArray] = []
    labels: list[np.ndarray] = []
    shape: tuple[int, ...] | None = None
    for batch in batches:
        data, own = _parted(batch)
        if len(data) == 0:
            continue
        rows = as_samples(data, "batches of X", shape)
        shape = rows.shape[1:]
        if codes and (own is not None) != bool(labels):
            raise ValueError("X must have labels in all batches, or in none")
        codes.append(encode(rows))
        if own is not None:
            labels.append(np.asarray(own))
            if labels[-1].shape != (len(rows),):
                raise ValueError(
                    f"labels of a batch of X must have shape ({len(rows)},), got {labels[-1].shape}"
                )
    if shape is None:
        raise ValueError("X must hold at least one batch that is not empty")
    whole = np.concatenate(codes)
    return Encoded(whole, np.concatenate(labels) if labels else None, (len(whole), *shape))


def _parted(batch: Any) -> tuple[Any, Any]:
    """The data of a batch and its labels, if it is a pair with an axis of data to each label."""
    if isinstance(batch, (tuple, list)) and len(batch) in (1, 2):
        first, *others = batch
        if getattr(first, "ndim", 0) >= 2:
            return first, others[0] if others else None
    return batch, None
