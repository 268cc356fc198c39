"""What partial transport leaves of a source."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geomot._frozen import read_only
from geomot._validation import as_count, as_generator
from geomot.sources.base import Source

__all__ = ["Remainder"]

FloatArray = NDArray[np.float64]

# Points drawn at once, in those that are still wanted over the share that stays, and at least.
_MARGIN = 1.1
_LEAST_DRAWN = 64


@dataclass(frozen=True, eq=False)
class Remainder(Source):
    """The part of a source that no site takes in partial transport, divided by its mass.

    `PowerDiagram.remainder` and `Solution.remainder` make it. It can be sampled; files cannot hold
    it, only the solution that it belongs to.

    Attributes
    ----------
    diagram : PowerDiagram
        The diagram of partial transport.

    Examples
    --------
    >>> import numpy as np
    >>> import geomot
    >>> rest = geomot.solve([[0.5, 0.5]], [0.3], partial=True).remainder
    >>> round(rest.mass, 12)
    0.7
    >>> points = rest.sample(1000, random_state=0)
    >>> bool((np.hypot(*(points - 0.5).T) > np.sqrt(0.3 / np.pi)).all())
    True
    """

    diagram: Any

    def __repr__(self) -> str:
        return f"Remainder({self.diagram.source}, mass={self.mass:.6g})"

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return int(self.diagram.source.dim)

    @property
    def bounds(self) -> FloatArray:
        """Lower and upper corner of the bounding box of the whole source, shape (2, d)."""
        bounds: FloatArray = self.diagram.source.bounds
        return bounds

    @property
    def mass(self) -> float:
        """How much of the source stays."""
        return max(1.0 - float(np.sum(self.diagram.masses)), 0.0)

    @cached_property
    def mean(self) -> FloatArray:
        """Barycentre, shape (d,)."""
        taken = ~self.diagram.empty
        moved = self.diagram.masses[taken] @ self.diagram.centroids[taken]
        return read_only((self.diagram.source.mean - moved) / self.mass)

    def sample(self, n: int, random_state: Any = None) -> FloatArray:
        """Draw points; see `Source.sample`.

        Those of the whole source that no site takes: the time grows as 1 / `mass`.

        Examples
        --------
        >>> import geomot
        >>> rest = geomot.solve([[0.5, 0.5]], [0.3], partial=True).remainder
        >>> rest.sample(2, random_state=0).shape
        (2, 2)
        """
        n = as_count(n, "n")
        if n > 0 and not self.mass > 0.0:
            raise ValueError("n must be 0 where nothing stays")
        rng = as_generator(random_state)
        kept = np.empty((0, self.dim))
        while len(kept) < n:
            count = int(_MARGIN * (n - len(kept)) / self.mass) + _LEAST_DRAWN
            points = self.diagram.source.sample(count, rng)
            kept = np.concatenate([kept, points[self.diagram.locate(points) < 0]])
        return kept[:n]

    def to_dict(self) -> dict[str, Any]:
        """Refuse: no file holds a remainder.

        Examples
        --------
        >>> import geomot
        >>> geomot.solve([[0.5, 0.5]], [0.3], partial=True).remainder.to_dict()
        Traceback (most recent call last):
        ...
        TypeError: a Remainder cannot be saved: save the solution of partial transport instead
        """
        raise TypeError(
            "a Remainder cannot be saved: save the solution of partial transport instead"
        )
