"""What pysdot measures of cells, as sums over diagrams of geomot.

The measure of a domain is a sum of parts, and so is all that is linear in it: masses, first and
second moments, and their derivatives. Replications are further sites that count as copies.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, eye_array, kron, vstack

from geomot.compat.pysdot._parts import Part
from geomot.diagram import PowerDiagram

__all__ = ["Measures", "diagram_of", "with_copies"]

FloatArray = NDArray[np.float64]


def diagram_of(
    sites: FloatArray, weights: FloatArray, source: Any, partial: bool = False
) -> PowerDiagram:
    """Return a diagram; weights of pysdot may sum to 1 without being masses."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "weights holds positive numbers", UserWarning)
        return PowerDiagram(sites, weights, source, partial=partial)


def with_copies(
    positions: FloatArray, weights: FloatArray, replications: Sequence[FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Return the sites and then their copies, with their weights."""
    sites = np.concatenate([positions, *(positions + shift for shift in replications)])
    return sites, np.tile(weights, 1 + len(replications))


class Measures:
    """Integrals over the cells of sites and their copies, in units of the domain's measure.

    Parameters
    ----------
    positions : ndarray of shape (n, d)
        The sites.
    weights : ndarray of shape (n,)
        Their weights.
    parts : sequence of Part
        What sums to the measure.
    replications : sequence of ndarray of shape (d,)
        Where copies of all sites lie, relative to them.
    partial : bool
        Whether cells end in balls.
    """

    def __init__(
        self,
        positions: FloatArray,
        weights: FloatArray,
        parts: Sequence[Part],
        replications: Sequence[FloatArray],
        partial: bool,
    ) -> None:
        self.n, self.d = positions.shape
        sites, every = with_copies(positions, weights, replications)
        # copies count as what they are copies of
        self._joined = vstack([eye_array(self.n)] * (1 + len(replications)), format="csr")
        self._parts = [
            (part.mass, diagram_of(sites, every, part.source, partial)) for part in parts
        ]

    def _sum(self, measure: Callable[[PowerDiagram], Any]) -> Any:
        """Add up what the parts have, times their masses."""
        return sum(mass * measure(diagram) for mass, diagram in self._parts)

    @property
    def masses(self) -> FloatArray:
        """Integrals of the density, (n,)."""
        return np.asarray(self._sum(lambda diagram: diagram.masses[: self.n]))

    @property
    def costs(self) -> FloatArray:
        """Integrals of r^2, (n,)."""
        return np.asarray(self._sum(lambda diagram: diagram.costs[: self.n]))

    @property
    def centroids(self) -> FloatArray:
        """Barycentres, (n, d); 0 where there is no mass."""
        masses = self.masses
        some = masses != 0.0
        found = np.zeros((self.n, self.d))
        found[some] = self._sum(self._moments)[some] / masses[some, None]
        return found

    def _moments(self, diagram: PowerDiagram) -> FloatArray:
        masses = diagram.masses[: self.n, None]
        return np.where(masses > 0.0, masses * diagram.centroids[: self.n], 0.0)

    @property
    def masses_in_weights(self) -> csr_array:
        """Derivatives of the masses in the weights, (n, n)."""
        rows = self._sum(lambda diagram: csr_array(0.5 * diagram.hessian()[: self.n]))
        return csr_array(rows @ self._joined)

    def all_derivatives(self) -> FloatArray:
        """Derivatives of centroids and masses in sites and weights, (n * (d + 1), n * (d + 1)).

        Row ``(d + 1) * i + k`` is coordinate k of centroid i, or its mass for k = d; columns are
        sites and weights in the same order.
        """
        n, d = self.n, self.d
        rates = [(mass, diagram.derivatives()) for mass, diagram in self._parts]
        joined = self._joined
        joined_places = csr_array(kron(joined, np.eye(d)))
        total = np.zeros((n, d + 1, n, d + 1))
        for mass, rate in rates:
            blocks = (
                (rate.moments_in_sites, n * d, joined_places, slice(d), slice(d), (n, d, n, d)),
                (rate.moments_in_weights, n * d, joined, slice(d), d, (n, d, n)),
                (rate.masses_in_sites, n, joined_places, d, slice(d), (n, n, d)),
                (rate.masses_in_weights, n, joined, d, d, (n, n)),
            )
            for matrix, rows, columns, of, to, shape in blocks:
                found = (csr_array(matrix)[:rows] @ columns).toarray()
                total[:, of, :, to] += mass * found.reshape(shape)
        masses, centroids = self.masses, self.centroids
        some = masses != 0.0
        inside = total[some]
        # of a quotient
        inside[:, :d] -= centroids[some][:, :, None, None] * inside[:, d:]
        inside[:, :d] /= masses[some][:, None, None, None]
        total[some] = inside
        total[~some] = 0.0
        return total.reshape(n * (d + 1), n * (d + 1))
