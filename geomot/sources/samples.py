"""The measure given by points."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geomot._frozen import read_only
from geomot._validation import as_count, as_generator, as_masses, as_points
from geomot.sources._distributions import Atoms, Distribution
from geomot.sources.base import Source, symmetric

__all__ = ["Samples"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Samples(Source):
    """Measure given by points with masses.

    Parameters
    ----------
    points : array_like of shape (m, d)
        The points.
    masses : array_like of shape (m,), optional
        Their masses; equal if None. Only proportions count, as in all sources: they are divided by
        their sum.

    Examples
    --------
    >>> from geomot import Samples
    >>> cloud = Samples([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], masses=[2, 1, 1])
    >>> cloud.masses.tolist()
    [0.5, 0.25, 0.25]
    """

    points: FloatArray
    masses: FloatArray
    exact_dims: ClassVar[tuple[int, ...]] = (1,)

    def __init__(self, points: ArrayLike, masses: ArrayLike | None = None) -> None:
        array = as_points(points, "points")
        shares = as_masses(masses, len(array), "masses", normalize=True)
        object.__setattr__(self, "points", read_only(array.copy()))
        object.__setattr__(self, "masses", read_only(shares))

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.points.shape[1]

    @property
    def bounds(self) -> FloatArray:
        """Lower and upper corner of the bounding box, shape (2, d)."""
        return np.stack([self.points.min(axis=0), self.points.max(axis=0)])

    def sample(self, n: int, random_state: Any = None) -> FloatArray:
        """Draw points with replacement; see `Source.sample`.

        Examples
        --------
        >>> from geomot import Samples
        >>> Samples([[0.0], [1.0]], masses=[3, 1]).sample(5, random_state=1).ravel().tolist()
        [0.0, 1.0, 0.0, 1.0, 0.0]
        """
        n = as_count(n, "n")
        rng = as_generator(random_state)
        # as rng.choice with these masses draws, which would add them up anew each time
        return self.points[np.searchsorted(self._cdf, rng.random(n), side="right")]

    @cached_property
    def mean(self) -> FloatArray:
        """Barycentre, shape (d,)."""
        # Seen from one of the points: all of them may lie far from the origin.
        return read_only(self.points[0] + self.masses @ (self.points - self.points[0]))

    @cached_property
    def covariance(self) -> FloatArray:
        """Covariance matrix of the discrete measure, shape (d, d)."""
        deviations = self.points - self.mean
        return symmetric(deviations.T @ (self.masses[:, None] * deviations))

    @property
    def n_uniforms(self) -> int:
        """Number of uniform numbers for a point: 1."""
        return 1

    def _from_uniforms(self, u: FloatArray) -> FloatArray:
        # rounding may leave the sum of all masses below a number near 1
        k = np.searchsorted(self._shares, u[:, 0], side="right")
        return self.points[np.minimum(k, self._last)]

    @cached_property
    def _shares(self) -> FloatArray:
        """Mass of each point and of all before it."""
        return np.cumsum(self.masses)

    @cached_property
    def _cdf(self) -> FloatArray:
        """The same, ending at 1."""
        return self._shares / self._shares[-1]

    @cached_property
    def _last(self) -> int:
        """The last point that has a mass."""
        return int(np.flatnonzero(self.masses)[-1])

    @cached_property
    def _line(self) -> Distribution:
        return Atoms(self.points[:, 0], self.masses)

    def to_dict(self) -> dict[str, Any]:
        """Return the type's name, the points and their masses.

        Examples
        --------
        >>> from geomot import Samples
        >>> words = Samples([[0.0], [1.0]], masses=[3, 1]).to_dict()
        >>> words["points"].tolist(), words["masses"].tolist()
        ([[0.0], [1.0]], [0.75, 0.25])
        """
        return {"type": "Samples", "points": self.points, "masses": self.masses}

    @classmethod
    def _from_arguments(cls, **arguments: Any) -> Samples:
        if "weights" in arguments:  # the name of masses in files of earlier versions
            arguments["masses"] = arguments.pop("weights")
        return cls(**arguments)

    def __repr__(self) -> str:
        return f"Samples(<{len(self.points)} points in {self.dim} dimensions>)"
