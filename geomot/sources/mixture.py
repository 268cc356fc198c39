"""The mixture of source measures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geomot._frozen import read_only
from geomot._moments import weighted_moments
from geomot._validation import as_count, as_generator, as_masses, as_real_array
from geomot.sources.base import Source, symmetric
from geomot.sources.box import UniformBox
from geomot.sources.domains import Domain
from geomot.sources.gaussian import Gaussian, normal_density

__all__ = ["Mixture"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Mixture(Source):
    """Mixture of source measures: a point is drawn from one of them, chosen by its share.

    In the plane it has exact power diagrams if all its parts have. Cells then end at `domain`, a
    box around those of the parts.

    Parameters
    ----------
    sources : sequence of Source
        The parts, of one dimension. The parts of a mixture among them are parts of this one.
    shares : array_like of shape (k,), optional
        Their masses, divided by their sum; equal if None. Parts without a share are left out.

    Attributes
    ----------
    sources : tuple of Source
        The parts, none of them a mixture.
    shares : ndarray of shape (k,)
        Their masses, positive and of sum 1.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid; the message names it.

    Notes
    -----
    Weights of sites whose cells have mass of different parts, which do not touch, are only tied by
    cells with mass of both. Where target masses fill a part exactly there is none: the weights
    between are not unique, and a solve may end with a few percent of a mass missing, and say so.

    Examples
    --------
    >>> from geomot import Gaussian, Mixture, PowerDiagram
    >>> two = Mixture([Gaussian([-2.0, 0.0], 1.0), Gaussian([2.0, 0.0], 0.25)], [0.75, 0.25])
    >>> two.mean.tolist()
    [-1.0, 0.0]
    >>> PowerDiagram([[-1.0, 0.0], [1.0, 0.0]], source=two).masses.round(3).tolist()
    [0.733, 0.267]
    """

    sources: tuple[Source, ...]
    shares: FloatArray
    exact_dims: ClassVar[tuple[int, ...]] = (2,)

    def __init__(self, sources: Sequence[Source], shares: ArrayLike | None = None) -> None:
        given = list(sources)
        if not given:
            raise ValueError("sources must have at least one source, got none")
        for k, source in enumerate(given):
            if not isinstance(source, Source):
                raise TypeError(f"sources must be source measures, got {source!r} at index {k}")
            if source.periodic_domain is not None:
                raise ValueError(f"sources must not be periodic in a Mixture, got {source}")
            if source.dim != given[0].dim:
                raise ValueError(
                    f"sources must have one dimension, got {given[0].dim} and {source.dim} "
                    f"at index {k}"
                )
        masses = as_masses(shares, len(given), "shares", normalize=True)
        parts: list[tuple[Source, float]] = []
        for source, mass in zip(given, masses.tolist(), strict=True):
            if isinstance(source, Mixture):
                inner = zip(source.sources, source.shares.tolist(), strict=True)
                parts += [(part, mass * share) for part, share in inner]
            else:
                parts.append((source, mass))
        held = [(part, share) for part, share in parts if share > 0.0]
        object.__setattr__(self, "sources", tuple(part for part, _ in held))
        object.__setattr__(self, "shares", read_only(np.array([share for _, share in held])))

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.sources[0].dim

    @property
    def bounds(self) -> FloatArray:
        """Lower and upper corner of the bounding box, shape (2, d); infinite if there is none."""
        return _box_around([part.bounds for part in self.sources])

    @property
    def exact(self) -> bool:
        """Whether exact power diagrams of this source are available."""
        return super().exact and all(part.exact for part in self.sources)

    @property
    def domain(self) -> Domain | None:
        """In the plane, a box around the domains of the parts, as a polygon."""
        boxes = self._boxes
        complete = len(boxes) == len(self.sources)
        return UniformBox(*_box_around(boxes)).domain if complete else None

    @property
    def _boxes(self) -> list[FloatArray]:
        """Lower and upper corners of the parts' domains."""
        domains = (part.domain for part in self.sources)
        return [domain.bounds for domain in domains if domain is not None]

    @property
    def normals(self) -> tuple[tuple[Gaussian, float], ...]:
        """The parts that are normal, with their shares."""
        parts = zip(self.sources, self.shares.tolist(), strict=True)
        return tuple((part, share) for part, share in parts if isinstance(part, Gaussian))

    @property
    def scaled_density(self) -> Callable[[float], Any]:
        """The sum of the normal parts' densities; other parts have diagrams of their own."""
        parts, shares = zip(*self.normals, strict=True) if self.normals else ((), ())
        return normal_density(parts, np.array(shares), _box_around(self._boxes))

    @property
    def darkest(self) -> float:
        """0: between the parts there may be any darkness."""
        return 0.0

    def blended(self, share: float) -> Source:
        """Return this measure with a share of a simple one mixed in.

        Parameters
        ----------
        share : float
            Between 0, this measure, and 1: the normal one of the same moments if a part is normal,
            else the uniform one on `domain`.

        Returns
        -------
        Source

        Examples
        --------
        >>> from geomot import Gaussian, Mixture
        >>> Mixture([Gaussian([0.0, 0.0], 1.0), Gaussian([2.0, 0.0], 1.0)]).blended(1.0)
        Gaussian([1.0, 0.0], [2.0, 1.0])
        """
        simple = (
            Gaussian(self.mean, self.covariance)
            if self.normals
            else UniformBox(*_box_around([self.bounds]))
        )
        return simple if share == 1.0 else Mixture((self, simple), (1.0 - share, share))

    @cached_property
    def mean(self) -> FloatArray:
        """Barycentre, shape (d,)."""
        return read_only(self.shares @ np.array([part.mean for part in self.sources]))

    @cached_property
    def covariance(self) -> FloatArray:
        """Covariance matrix, shape (d, d)."""
        within = np.einsum("k,kij->ij", self.shares, [part.covariance for part in self.sources])
        between = weighted_moments(np.array([part.mean for part in self.sources]), self.shares)[1]
        return symmetric(within + between)

    @property
    def mean_is_estimated(self) -> bool:
        """Whether that of a part comes from points, for want of a formula."""
        return any(part.mean_is_estimated for part in self.sources)

    @property
    def n_uniforms(self) -> int | None:
        """Number of uniform numbers for a point: 1 for its part, then the most of any part."""
        counts = [part.n_uniforms for part in self.sources]
        known = [count for count in counts if count is not None]
        return 1 + max(known) if len(known) == len(counts) else None

    def sample(self, n: int, random_state: Any = None) -> FloatArray:
        """Draw points; see `Source.sample`.

        Examples
        --------
        >>> from geomot import Mixture, UniformBox
        >>> Mixture([UniformBox.unit(3), UniformBox([2, 2, 2], [3, 3, 3])]).sample(5, 0).shape
        (5, 3)
        """
        n = as_count(n, "n")
        rng = as_generator(random_state)
        owner = self._owners(rng.random(n))
        points = np.empty((n, self.dim))
        for k, part in enumerate(self.sources):
            own = owner == k
            points[own] = part.sample(int(np.count_nonzero(own)), rng)
        return points

    def _owners(self, u: FloatArray) -> NDArray[np.int64]:
        """The parts to which numbers in [0, 1] fall."""
        owner = np.searchsorted(np.cumsum(self.shares), u, side="right")
        return np.minimum(owner, len(self.shares) - 1)

    def _from_uniforms(self, u: FloatArray) -> FloatArray:
        owner = self._owners(u[:, 0])
        points = np.empty((len(u), self.dim))
        for k, part in enumerate(self.sources):
            own = owner == k
            points[own] = part._from_uniforms(u[own, 1 : 1 + (part.n_uniforms or 0)])
        return points

    def to_dict(self) -> dict[str, Any]:
        """Return the type's name, the shares, and what defines the parts, with their numbers.

        Examples
        --------
        >>> from geomot import Mixture, UniformBox
        >>> Mixture([UniformBox.unit(1), UniformBox([2.0], [3.0])]).to_dict()["1.lower"].tolist()
        [2.0]
        """
        told: dict[str, Any] = {"type": "Mixture", "shares": self.shares}
        for k, part in enumerate(self.sources):
            told.update({f"{k}.{name}": value for name, value in part.to_dict().items()})
        return told

    @classmethod
    def _from_arguments(cls, **arguments: Any) -> Source:
        shares = as_real_array(arguments.pop("shares", None), "shares")
        parts: dict[str, dict[str, Any]] = {}
        for name, value in arguments.items():
            number, _, own = name.partition(".")
            parts.setdefault(number, {})[own] = value
        if set(parts) != {str(k) for k in range(shares.size)} or shares.ndim != 1:
            raise ValueError(f"shares must fit the parts {sorted(parts)}, got {shares.tolist()}")
        return cls([Source.from_dict(parts[str(k)]) for k in range(shares.size)], shares)

    def __repr__(self) -> str:
        kinds = ", ".join(dict.fromkeys(type(part).__name__ for part in self.sources))
        return f"Mixture(<{len(self.sources)} parts in {self.dim} dimensions: {kinds}>)"


def _box_around(boxes: Sequence[FloatArray]) -> FloatArray:
    return np.array([np.min([b[0] for b in boxes], axis=0), np.max([b[1] for b in boxes], axis=0)])
