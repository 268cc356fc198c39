"""How masses and centroids of power cells change with the sites and the weights.

A cell changes where its facets move. The power distances |x - y_i|^2 - w_i and |x - y_j|^2 - w_j
are equal along the facet of i and j, and their difference has a gradient of length 2 |y_i - y_j|.
So for any function p, with f the density,

    d int_{C_i} p f = sum_j int_{facet} p f (e_i - e_j) / (2 |y_i - y_j|),
    e_i(x) = dw_i + 2 <x - y_i, dy_i>,

and all derivatives of masses (p = 1) and of first moments (p = x) follow from the integral of the
density along each facet, its barycentre there and its covariance there. Derivatives exist where
the density does not jump along a facet; where it does they are the mean of those of both sides.

On a torus y_j is the copy that the cell of i meets at the facet. A cell that reaches around the
torus has facets with copies of itself, i = j: it loses on one side what it gains on the other, so
that its centroid moves. In partial transport a cell also ends in the ball of its site: an arc is
like a facet across which nothing is, with 2 |x - y_i| in place of 2 |y_i - y_j|.

References: de Goes, Breeden, Ostromoukhov, Desbrun, "Blue noise through optimal transport", 2012;
Merigot, Meyron, Thibert, "An algorithm for optimal transport between a simplex soup and a point
cloud", 2018; de Gournay, Kahn, Lebrat, "Differentiation and regularity of semi-discrete optimal
transport with respect to the parameters of the discrete measure", 2019.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import LinearOperator, splu

from geomot._facets import Arcs, Facets
from geomot._frozen import Frozen, read_only
from geomot._validation import as_masses, as_partial_masses, as_real_array
from geomot.potentials import (
    arc_rates_in_weights,
    mass_rates_in_weights,
    power_rates_of_moves,
)

__all__ = ["Arcs", "Derivatives"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class Derivatives(Frozen):
    """Derivatives of the masses and centroids of cells, and of W2^2, in sites and weights.

    Made by `PowerDiagram.derivatives`. Matrices are sparse, of shape (rows, columns): rows for
    what changes, columns for what it depends on. Vectors are flattened in C order: coordinate k of
    site j, or of the centroid of cell j, has the number ``d * j + k``. A site moved by `moves`, of
    shape (n, d), changes the masses at the rate ``masses_in_sites @ moves.ravel()``.

    Attributes
    ----------
    sites : ndarray of shape (n, d)
        The sites y_i.
    masses : ndarray of shape (n,)
        The masses g_i of the cells.
    centroids : ndarray of shape (n, d)
        Their centroids c_i; NaN where a cell has no mass.
    facets : Facets
        Neighbouring cells, and the integrals of the density over their common borders. On a torus
        also the borders between a cell and copies of itself, each once.
    facet_means : ndarray of shape (m, d)
        Barycentre of the density along each facet; on a torus of the facet around the first site.
    facet_covariances : ndarray of shape (m, d, d)
        Its covariance along each facet.
    arcs : Arcs or None
        In partial transport the arcs where cells end in balls; None elsewhere.

    Notes
    -----
    Cells without mass have rows of zeros, whatever would happen to them.

    On a torus cells move with their sites: centroids are those of cells around their sites, and
    first moments too.

    In partial transport target masses sum to less than 1, and have no default.

    Examples
    --------
    Two sites share the unit square. If the first one moves to the right, the border follows at half
    the speed, and so does the mass.

    >>> import geomot
    >>> rates = geomot.PowerDiagram([[0.25, 0.5], [0.75, 0.5]]).derivatives()
    >>> rates.masses_in_weights.toarray().tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    >>> rates.masses_in_sites.toarray().tolist()
    [[0.5, 0.0, 0.5, 0.0], [-0.5, 0.0, -0.5, 0.0]]
    >>> rates.cost_in_sites().tolist()  # sites at their centroids
    [[0.0, 0.0], [0.0, 0.0]]
    """

    sites: FloatArray
    masses: FloatArray
    centroids: FloatArray
    facets: Facets
    facet_means: FloatArray
    facet_covariances: FloatArray
    arcs: Arcs | None = None

    def __post_init__(self) -> None:
        for name in ("sites", "masses", "centroids", "facet_means", "facet_covariances"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    def __len__(self) -> int:
        return len(self.sites)

    def __repr__(self) -> str:
        return f"Derivatives(<{len(self)} sites in {self.sites.shape[1]} dimensions>)"

    @cached_property
    def masses_in_weights(self) -> csr_array:
        """Derivatives d g_i / d w_j, shape (n, n): half of `PowerDiagram.hessian`."""
        return self._matrix(self._in_weights)

    @cached_property
    def masses_in_sites(self) -> csr_array:
        """Derivatives d g_i / d y_j, shape (n, n d)."""
        return self._matrix(self._in_sites)

    @cached_property
    def moments_in_weights(self) -> csr_array:
        """Derivatives of the first moments int x f over each cell, shape (n d, n)."""
        return self._matrix(self._moments_in_weights, np.zeros_like(self.sites))

    @cached_property
    def moments_in_sites(self) -> csr_array:
        """Derivatives of the first moments int x f over each cell, shape (n d, n d)."""
        return self._matrix(self._moments_in_sites, np.zeros_like(self.sites))

    @cached_property
    def centroids_in_weights(self) -> csr_array:
        """Derivatives d c_i / d w_j, shape (n d, n)."""
        return self._per_mass(self._matrix(self._moments_in_weights, self.centroids))

    @cached_property
    def centroids_in_sites(self) -> csr_array:
        """Derivatives d c_i / d y_j, shape (n d, n d)."""
        return self._per_mass(self._matrix(self._moments_in_sites, self.centroids))

    def dual_in_weights(self, target_masses: ArrayLike | None = None) -> FloatArray:
        """Return the gradient of the dual value in the weights, nu_i - g_i.

        Parameters
        ----------
        target_masses : array_like of shape (n,), optional
            Masses nu_i of the sites, which must sum to 1; equal if None.

        Returns
        -------
        ndarray of shape (n,)

        Examples
        --------
        >>> import geomot
        >>> rates = geomot.PowerDiagram([[0.25, 0.5], [0.75, 0.5]]).derivatives()
        >>> rates.dual_in_weights([0.25, 0.75]).tolist()
        [-0.25, 0.25]
        """
        return self._targets(target_masses) - self.masses

    @property
    def dual_in_sites(self) -> FloatArray:
        """The gradient of the dual value in the sites, 2 g_i (y_i - c_i), shape (n, d)."""
        return self._pull(self.masses)

    def cost_in_sites(self, target_masses: ArrayLike | None = None) -> FloatArray:
        """Return the gradient in the sites of W2^2 between the source and given masses.

        The weights must be those of the solution for these masses.

        Parameters
        ----------
        target_masses : array_like of shape (n,), optional
            Masses nu_i of the sites, which must sum to 1; equal if None.

        Returns
        -------
        ndarray of shape (n, d)
            2 nu_i (y_i - c_i); 0 where the cell has no mass.

        Examples
        --------
        >>> import geomot
        >>> rates = geomot.solve([[0.3, 0.5], [0.8, 0.5]]).diagram().derivatives()
        >>> rates.cost_in_sites().round(9).tolist()
        [[0.05, 0.0], [0.05, 0.0]]
        """
        return self._pull(self._targets(target_masses))

    def weight_rates(self, moves: ArrayLike) -> FloatArray:
        """Return how the weights must change for all masses to stay as sites move.

        Parameters
        ----------
        moves : array_like of shape (n, d)
            Velocities of the sites.

        Returns
        -------
        ndarray of shape (n,)
            Rates of the weights; their mean is 0 on each set of cells that are connected by facets,
            because only differences within such a set matter. In partial transport weights matter
            themselves in each set that has an arc.

        Examples
        --------
        A site that moves towards its neighbour would gain mass from it.

        >>> import geomot
        >>> rates = geomot.PowerDiagram([[0.25, 0.5], [0.75, 0.5]]).derivatives()
        >>> rates.weight_rates([[1.0, 0.0], [0.0, 0.0]]).tolist()
        [-0.25, 0.25]
        """
        velocities = as_real_array(moves, "moves")
        if velocities.shape != self.sites.shape:
            raise ValueError(f"moves must have shape {self.sites.shape}, got {velocities.shape}")
        return self._response(velocities)

    def cost_hessian(self, target_masses: ArrayLike | None = None) -> LinearOperator:
        """Return the second derivatives in the sites of W2^2 between the source and given masses.

        The weights must be those of the solution for these masses, and follow the sites.

        Parameters
        ----------
        target_masses : array_like of shape (n,), optional
            Masses nu_i of the sites, which must sum to 1; equal if None.

        Returns
        -------
        scipy.sparse.linalg.LinearOperator of shape (n d, n d)
            Symmetric; at most 2 nu_i on the diagonal. A product solves a sparse system, which is
            factorised once.

        Examples
        --------
        Sites that move to both sides alike move away from the centroids, which stay.

        >>> import geomot
        >>> hessian = geomot.PowerDiagram([[0.25, 0.5], [0.75, 0.5]]).derivatives().cost_hessian()
        >>> (hessian @ [-1.0, 0.0, 1.0, 0.0]).tolist()
        [-1.0, 0.0, 1.0, 0.0]
        """
        nu = self._targets(target_masses)

        def product(vector: FloatArray) -> FloatArray:
            moves = np.asarray(vector, np.float64).reshape(self.sites.shape)
            moved = self.centroids_in_sites @ moves.ravel()
            moved += self.centroids_in_weights @ self._response(moves)
            held = (self.masses > 0.0)[:, None]
            offsets = np.where(held, moves - moved.reshape(moves.shape), 0.0)
            return (2.0 * nu[:, None] * offsets).ravel()

        size = self.sites.size
        return LinearOperator((size, size), matvec=product, rmatvec=product, dtype=np.float64)

    def _response(self, moves: FloatArray) -> FloatArray:
        """Rates of the weights that keep the masses."""
        groups, held, free, factors = self._system
        rates = np.zeros(len(self))
        if factors is not None:
            rates[free] = factors.solve(-(self.masses_in_sites @ moves.ravel())[free])
        means = np.where(held, 0.0, np.bincount(groups, rates) / np.bincount(groups))
        return rates - means[groups]

    @cached_property
    def _system(self) -> tuple[IndexArray, NDArray[np.bool_], NDArray[np.bool_], Any]:
        """The group of each cell, which groups have arcs, which cells are free, and their factors.

        Free are all cells of groups with arcs, and all but one of others.
        """
        matrix = self.masses_in_weights
        n_groups, groups = connected_components(matrix, directed=False)
        held = np.zeros(n_groups, bool)
        if self.arcs is not None:
            held[groups[self.arcs.measures > 0.0]] = True
        free = np.ones(len(self), bool)
        free[np.unique(groups, return_index=True)[1][~held]] = False
        factors = splu(matrix[free][:, free].tocsc()) if free.any() else None
        return groups, held, free, factors

    def _targets(self, target_masses: ArrayLike | None) -> FloatArray:
        """Masses of the sites, which sum to 1; in partial transport to less."""
        if self.arcs is None:
            return as_masses(target_masses, len(self))
        return as_partial_masses(target_masses, len(self))

    def _pull(self, masses: FloatArray) -> FloatArray:
        return np.where(
            self.masses[:, None] > 0.0, 2.0 * masses[:, None] * (self.sites - self.centroids), 0.0
        )

    @cached_property
    def _borders(self) -> list[_Borders]:
        """The facets between two cells each, and the arcs, which one cell has."""
        facets, pairs = self.facets, self.facets.sites
        shifts = np.zeros((len(pairs), 2, self.sites.shape[1]))
        if facets.shifts is not None:
            shifts[:, 1] = facets.shifts
        rates = mass_rates_in_weights(facets)
        found = [_Borders(pairs, shifts, rates, self.facet_means, self.facet_covariances)]
        if self.arcs is not None:
            own = np.flatnonzero(self.arcs.measures > 0.0)
            rates = arc_rates_in_weights(self.arcs.measures, self.arcs.radii)[own]
            means, covariances = self.arcs.means[own], self.arcs.covariances[own]
            still = np.zeros((len(own), 1, self.sites.shape[1]))
            found.append(_Borders(own[:, None], still, rates, means, covariances))
        return found

    # What cells gain as their borders move, before the signs: arrays of shape (m, cell, variable,
    # components of what changes, components of the variable), of all cells at each of m borders.

    def _in_weights(self, borders: _Borders) -> FloatArray:
        k = borders.cells.shape[1]
        return np.tile(borders.rates[:, None, None, None, None], (1, k, k, 1, 1))

    def _in_sites(self, borders: _Borders) -> FloatArray:
        away = borders.seen_from(self.sites)[:, None, :, None, :]
        return self._in_weights(borders) * power_rates_of_moves(away)

    def _moments_in_weights(self, borders: _Borders, origins: FloatArray) -> FloatArray:
        """Of first moments, for each cell about an origin of its own."""
        return self._in_weights(borders) * borders.seen_from(origins)[:, :, None, :, None]

    def _moments_in_sites(self, borders: _Borders, origins: FloatArray) -> FloatArray:
        arms = borders.seen_from(origins)[:, :, None, :, None]
        spread = power_rates_of_moves(borders.covariances)[:, None, None]
        return self._in_sites(borders) * arms + self._in_weights(borders) * spread

    def _matrix(self, gains: Callable[..., FloatArray], *origins: FloatArray) -> csr_array:
        """Cell i gains by what moves its border outwards, and the cell beyond loses that."""
        entries, rows, columns = [], [], []
        for borders in self._borders:
            found = gains(borders, *origins)
            cells, (height, width) = borders.cells, found.shape[3:]
            signs = 2.0 * np.eye(cells.shape[1]) - 1.0
            entries.append((found * signs[:, :, None, None]).ravel())
            row = height * cells[:, :, None, None, None] + np.arange(height)[:, None]
            column = width * cells[:, None, :, None, None] + np.arange(width)
            rows.append(np.broadcast_to(row, found.shape).ravel())
            columns.append(np.broadcast_to(column, found.shape).ravel())
        where = np.concatenate(rows), np.concatenate(columns)
        shape = (height * len(self), width * len(self))
        return csr_array(coo_array((np.concatenate(entries), where), shape=shape))

    def _per_mass(self, moments: csr_array) -> csr_array:
        """Rates of centroids, from those of the moments about them."""
        masses = np.where(self.masses > 0.0, self.masses, 1.0)
        per = np.repeat(1.0 / masses, self.sites.shape[1])
        scaled = moments.copy()
        scaled.data *= np.repeat(per, np.diff(moments.indptr))
        return scaled


@dataclass(frozen=True, eq=False)
class _Borders:
    """Borders of cells, all between as many of them."""

    cells: IndexArray  # (m, k): which ones
    shifts: FloatArray  # (m, k, d): of the copies of their sites that are meant
    rates: FloatArray  # (m,): of masses in weights
    means: FloatArray  # (m, d): of the density along each border
    covariances: FloatArray  # (m, d, d)

    def seen_from(self, places: FloatArray) -> FloatArray:
        """The means, seen from places of the cells, (m, k, d)."""
        return self.means[:, None, :] - (places[self.cells] + self.shifts)
