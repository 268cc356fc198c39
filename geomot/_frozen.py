"""Shared behaviour of the immutable results: read-only arrays, equality, pickling."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

__all__ = ["Frozen", "read_only"]


def read_only(array: np.ndarray) -> np.ndarray:
    """Return a read-only view of `array`, whose own flag is left as it is."""
    view = array.view()
    view.flags.writeable = False
    return view


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        a, b = np.asarray(a), np.asarray(b)
        if a.dtype != b.dtype or a.shape != b.shape:
            return False
        return bool(np.array_equal(a, b)) or a.tobytes() == b.tobytes()
    return bool(a == b)


class Frozen:
    """Base of frozen dataclasses that hold arrays.

    The arrays are read-only, also after unpickling; two objects are equal if they have the same
    type and equal fields, but for fields declared with ``compare=False``; what a cached property
    has stored is neither compared nor pickled.
    """

    def __getstate__(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            value = read_only(value) if isinstance(value, np.ndarray) else value
            object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(map(_same, self._compared(), other._compared()))

    def __hash__(self) -> int:
        return hash((type(self), *map(_hashable, self._compared())))

    def _compared(self) -> list[Any]:
        return [getattr(self, f.name) for f in fields(self) if f.compare]  # type: ignore[arg-type]


def _hashable(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype.kind == "f":
        value = value + 0.0  # -0.0 equals 0.0, so it must hash alike
    return value.shape, value.tobytes()
