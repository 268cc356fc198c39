"""Any object that can draw points, as a source measure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geomot._validation import as_count, as_generator, as_points, as_real_array
from geomot.sources.base import Source

__all__ = ["WrappedSource"]

FloatArray = NDArray[np.float64]

# Longer descriptions of objects are cut.
_DESCRIPTION_LIMIT = 200


@dataclass(frozen=True, eq=False)
class WrappedSource(Source):
    """Measure from which an object draws points.

    Its moments are estimated from 4096 points with a fixed seed. It cannot be stored: a file keeps
    the object's description, and what is loaded is a placeholder that draws no points.

    Parameters
    ----------
    sampler : object
        Has a method ``sample(n, rng)`` that returns an array of shape (n, d), drawn with the
        `numpy.random.Generator` that it is given, and possibly an attribute ``dim``.
    dim : int, optional
        Number of coordinates; needed where the sampler does not say it.

    Examples
    --------
    >>> from geomot.sources import WrappedSource
    >>> class Ring:
    ...     dim = 2
    ...     def sample(self, n, rng):
    ...         points = rng.standard_normal((n, 2))
    ...         return points / np.linalg.norm(points, axis=1, keepdims=True)
    >>> WrappedSource(Ring()).sample(3, random_state=0).shape
    (3, 2)
    """

    sampler: Any
    dimension: int
    description: str

    def __init__(self, sampler: Any, dim: int | None = None) -> None:
        if isinstance(sampler, type) or not callable(getattr(sampler, "sample", None)):
            raise TypeError(f"source must have a method sample(n, rng), got {sampler!r}")
        own = getattr(sampler, "dim", None)
        if own is None and dim is None:
            raise ValueError("source must have an attribute dim where no dimension is given")
        size = as_count(dim if own is None else own, "source.dim", 1)
        self.__setstate__(
            {"sampler": sampler, "dimension": size, "description": _describe(sampler)}
        )

    @classmethod
    def _from_arguments(cls, **arguments: Any) -> Source:
        """Build the placeholder of a source that was stored."""
        if set(arguments) != {"dim", "repr"} or not isinstance(arguments["repr"], str):
            raise TypeError("it must hold dim and repr")
        size = as_real_array(arguments["dim"], "dim")
        if size.size != 1 or not (1.0 <= size.item() < 2.0**31) or size.item() % 1.0 != 0.0:
            raise ValueError(f"dim must be a positive integer, got {size.tolist()}")
        placeholder = cls.__new__(cls)
        placeholder.__setstate__(
            {
                "sampler": None,
                "dimension": int(size.item()),
                "description": arguments["repr"][:_DESCRIPTION_LIMIT],
            }
        )
        return placeholder

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.dimension

    @property
    def bounds(self) -> FloatArray:
        """Infinite corners, shape (2, d): nothing is known."""
        return np.repeat([[-np.inf], [np.inf]], self.dim, axis=1)

    def sample(self, n: int, random_state: Any = None) -> FloatArray:
        """Draw points; see `Source.sample`."""
        n = as_count(n, "n")
        rng = as_generator(random_state)
        if self.sampler is None:
            raise ValueError(
                f"source {self.description} was stored by its description only, and cannot "
                "draw points: use the original object"
            )
        if n == 0:
            return np.empty((0, self.dim))
        points = as_points(self.sampler.sample(n, rng), "the result of source.sample", self.dim)
        if len(points) != n:
            raise ValueError(
                f"the result of source.sample must have shape ({n}, {self.dim}), got {points.shape}"
            )
        return points

    def to_dict(self) -> dict[str, Any]:
        """Return the type's name, the dimension and the description."""
        return {
            "type": "WrappedSource",
            "dim": np.array([float(self.dim)]),
            "repr": self.description,
        }

    def __hash__(self) -> int:
        # The object itself need not be hashable.
        return hash((type(self), self.dim, self.description))

    def __repr__(self) -> str:
        stored = ", stored" if self.sampler is None else ""
        return f"WrappedSource(<{self.description}, {self.dim} dimensions{stored}>)"


def _describe(sampler: Any) -> str:
    kind = type(sampler)
    if kind.__repr__ is object.__repr__:
        # No address in memory: the same object describes itself alike in every run.
        return f"{kind.__module__}.{kind.__qualname__}"
    text = repr(sampler)
    return text if len(text) <= _DESCRIPTION_LIMIT else text[: _DESCRIPTION_LIMIT - 3] + "..."
