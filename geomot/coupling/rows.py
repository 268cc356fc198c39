"""Data that may be larger than memory: one array or several in a row, mapped from files or not.

The arrays are kept as they are, without a copy; rows are read, and made float32, when they are
asked for. Mapped arrays are pickled by their file's name, so that worker processes map them again.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geomot._validation import as_plain_array, as_points

__all__ = ["Rows", "mapped_root"]

FloatArray = NDArray[np.float64]
Float32Array = NDArray[np.float32]
IntArray = NDArray[np.int64]

# Numbers that are read at once when all rows are: bounds the memory, not the result.
_NUMBERS_READ = 2**20

# Steps of bytes between 0 and 1, as everywhere in geomot.
_BYTE = 255


class Rows:
    """Rows of an array, or of several arrays one after another.

    Parameters
    ----------
    X : array_like of shape (n, ...), or sequence of ndarray of shape (k, ...)
        The data, with one axis or more after the first. Arrays in a list or tuple are taken one
        after another if each of them has such axes. uint8 stands for k / 255.
    name : str
        The argument's name, for messages.

    Attributes
    ----------
    shape : tuple of int
        Shape of one row.
    """

    def __init__(self, X: Any, name: str) -> None:
        several = isinstance(X, (list, tuple)) and all(np.ndim(part) >= 2 for part in X)
        several = several and all(hasattr(part, "dtype") for part in X) and len(X) > 0
        self._parts = [as_plain_array(part, name) for part in (X if several else [X])]
        self.shape = self._parts[0].shape[1:]
        for part in self._parts:
            if part.ndim < 2 or 0 in part.shape[1:]:
                raise ValueError(f"{name} must have shape (n, d) or (n, ...), got {part.shape}")
            if part.shape[1:] != self.shape:
                raise ValueError(
                    f"{name} must have arrays of one shape (k, {', '.join(map(str, self.shape))}), "
                    f"got {part.shape}"
                )
        self._starts = np.cumsum([0, *map(len, self._parts)])
        if len(self) == 0:
            raise ValueError(f"{name} must hold at least one row, got shape {self._parts[0].shape}")

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, indices: IntArray) -> Float32Array:
        """Return some rows, shape (m, *shape), in float32."""
        out = np.empty((len(indices), *self.shape), dtype=np.float32)
        place = np.searchsorted(self._starts, indices, side="right") - 1
        for k in np.unique(place):
            here = np.flatnonzero(place == k)
            part = self._parts[k]
            out[here] = _single(part[indices[here] - self._starts[k]])
        return out

    def sites(self, name: str) -> FloatArray:
        """Return all rows as points, shape (n, d), float64; `name` is what messages call them."""
        size = int(np.prod(self.shape))
        points = np.empty((len(self), size))
        for start, part in self._chunks():
            points[start : start + len(part)] = _double(part).reshape(len(part), size)
        return as_points(points, name)

    def _chunks(self) -> Iterator[tuple[int, np.ndarray]]:
        """All rows in a row, few at a time, each piece with the number of its first."""
        step = max(_NUMBERS_READ // int(np.prod(self.shape)), 1)
        for first, part in zip(self._starts, self._parts, strict=False):
            for start in range(0, len(part), step):
                yield int(first) + start, part[start : start + step]

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_parts": [_mapping(part) or part for part in self._parts]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        parts = [p.open() if isinstance(p, _Mapping) else p for p in state["_parts"]]
        vars(self).update({**state, "_parts": parts})


@dataclass(frozen=True)
class _Mapping:
    """Where the numbers of a mapped array lie in its file."""

    file: str
    dtype: str
    offset: int
    shape: tuple[int, ...]

    def open(self) -> np.ndarray:
        """Map them again, to be read only."""
        return np.memmap(self.file, self.dtype, "r", self.offset, self.shape)


def _mapping(array: np.ndarray) -> _Mapping | None:
    """The place of an array in a file, if it is a piece of a mapped one without gaps."""
    root = mapped_root(array)
    if root is None or root.filename is None or not array.flags.c_contiguous:
        return None
    address, start = (a.__array_interface__["data"][0] for a in (array, root))
    # Where the file is mapped, numpy knows; changes of a copy-on-write map are in no file.
    if root.mode == "c":
        return None
    return _Mapping(str(root.filename), array.dtype.str, root.offset + address - start, array.shape)


def mapped_root(array: np.ndarray) -> np.memmap | None:
    """Return the mapped array that an array is a view of, or None if it is in memory.

    Parameters
    ----------
    array : ndarray
        The array.

    Returns
    -------
    numpy.memmap or None
    """
    root: Any = array
    while isinstance(root, np.ndarray) and not isinstance(root.base, mmap.mmap):
        root = root.base
    return root if isinstance(root, np.memmap) else None


def _single(rows: np.ndarray) -> Float32Array:
    if rows.dtype == np.uint8:
        return np.divide(rows, _BYTE, dtype=np.float32)
    return rows.astype(np.float32, copy=False)


def _double(rows: np.ndarray) -> FloatArray:
    return rows / _BYTE if rows.dtype == np.uint8 else rows.astype(np.float64, copy=False)
