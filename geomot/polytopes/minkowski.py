"""Minkowski's problem: the convex polytope with facets of given normals and areas.

In the plane the sides follow one another in the order of their angles. In space log of the volume V
is concave in the support numbers h (Brunn and Minkowski), its gradient is areas / V, and a polytope
has the areas a, up to a factor, where it is stationary on {<a, h> constant}. Damped Newton steps
for the square roots of the areas, which are lengths, find it: one sparse linear system each.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import qr
from scipy.sparse.linalg import splu

from geomot._frozen import Frozen, read_only
from geomot._validation import as_count, as_threads, as_tolerance, as_vector
from geomot.errors import ConvergenceWarning
from geomot.polytopes.polytope import Polytope, as_normals

__all__ = ["MinkowskiSolution", "minkowski"]

FloatArray = NDArray[np.float64]

# Areas times normals whose sum is longer than this share of the total area do not close.
_OPEN = 1e-6

# Variance of the normals, weighted by area, in the direction of least variance, below which they
# lie in a plane (on a line, in the plane).
_FLAT = 1e-12

# A step keeps this share of the smallest ratio of an area and its target, takes this share of the
# decrease of the residual that it promises, and is halved at most so often.
_LEAST_KEPT = 0.1
_PROMISED = 0.1
_STEP_HALVINGS = 30

# Room around a polytope in which the next one is looked for, in units of its extent.
_SURROUNDINGS = 0.3


@dataclass(frozen=True, eq=False)
class MinkowskiSolution(Frozen):
    """What `minkowski` returns.

    Attributes
    ----------
    polytope : Polytope
        The polytope; the origin is its centre of mass.
    target_areas : ndarray of shape (m,)
        The areas asked for, changed by what makes them close.
    area_error : float
        Largest relative error of an area.
    status : str
        "converged"; "stalled": no step brings the areas nearer, mostly because of rounding;
        "max_iter".
    n_iter : int
        Number of Newton steps; 0 in the plane.

    Examples
    --------
    >>> from geomot.polytopes import minkowski
    >>> solution = minkowski([(1, 0), (0, 1), (-1, 0), (0, -1)], [1, 2, 1, 2])
    >>> solution.status, solution.volume
    ('converged', 2.0)
    """

    polytope: Polytope
    target_areas: FloatArray
    area_error: float
    status: str
    n_iter: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "target_areas", read_only(self.target_areas))

    @property
    def converged(self) -> bool:
        """Whether the areas are right to the tolerance."""
        return self.status == "converged"

    @property
    def vertices(self) -> FloatArray:
        """Corners of the polytope."""
        return self.polytope.vertices

    @property
    def facets(self) -> tuple[Any, ...]:
        """Facets of the polytope, as rows of `vertices`."""
        return self.polytope.facets

    @property
    def volume(self) -> float:
        """Volume of the polytope, in the plane its area."""
        return self.polytope.volume


def minkowski(
    normals: ArrayLike,
    areas: ArrayLike,
    *,
    tol: float = 1e-9,
    max_iter: int = 100,
    threads: int | None = None,
) -> MinkowskiSolution:
    """Find the convex polytope whose facets have given normals and areas.

    There is one, unique up to translation, if and only if the areas times the unit normals sum to
    zero and the normals span the space.

    Parameters
    ----------
    normals : array_like of shape (m, d), d = 2 or 3
        Outward normals, divided by their lengths; all directions must be different.
    areas : array_like of shape (m,)
        Positive areas of the facets, in the plane lengths of the sides.
    tol : float, default 1e-9
        Largest relative error of an area.
    max_iter : int, default 100
        Most Newton steps.
    threads : int, optional
        Number of threads; None: all available cores. The result does not depend on it.

    Returns
    -------
    MinkowskiSolution

    Raises
    ------
    ValueError
        If an argument is invalid: if two normals have one direction, if all lie in a plane, or if
        the areas times the normals sum to a vector longer than 1e-6 of the total area. A shorter
        sum is removed by relative changes of the areas of its size.

    Warns
    -----
    ConvergenceWarning
        If the tolerance is not reached.

    Examples
    --------
    The cube, from its six normals and areas:

    >>> import numpy as np
    >>> from geomot.polytopes import minkowski
    >>> solution = minkowski(np.vstack([np.eye(3), -np.eye(3)]), np.ones(6))
    >>> round(solution.volume, 12), solution.polytope.supports.round(12).tolist()
    (1.0, [0.5, 0.5, 0.5, 0.5, 0.5, 0.5])
    """
    u = as_normals(normals)
    given = as_vector(areas, len(u), "areas")
    if not (given > 0.0).all():
        raise ValueError(f"areas must be positive, got {given.min():g} at {np.argmin(given)}")
    as_tolerance(tol)
    as_count(max_iter, "max_iter")
    count = as_threads(threads)
    spread = np.linalg.eigvalsh((u * (given / given.sum())[:, None]).T @ u)
    if spread[0] < _FLAT:
        raise ValueError("normals must span the space, and these lie in a line or plane")
    rest = float(np.linalg.norm(given @ u)) / float(given.sum())
    if rest > _OPEN:
        raise ValueError(
            "areas times normals must sum to zero, as for any closed surface, and their sum is "
            f"{rest:.3g} of the total area long"
        )
    target = _closed(u, given, given)
    # sizes near one; areas are of degree d - 1
    unit = float(target.mean()) ** (1.0 / (u.shape[1] - 1))
    a = target / target.mean()
    if u.shape[1] == 2:
        h, status, steps = _polygon(u, a), "converged", 0
    else:
        h, status, steps = _newton(u, a, tol, max_iter, count)
    polytope = _centred(u, h, unit, count)
    error = float(np.abs(polytope.areas / target - 1.0).max())
    if error <= tol:
        status = "converged"
    elif status == "converged":
        status = "stalled"
    if status != "converged":
        warnings.warn(
            f"minkowski has not converged ({status}): the largest relative error of an area is "
            f"{error:.3g}, asked for {tol:g}",
            ConvergenceWarning,
            stacklevel=2,
        )
    return MinkowskiSolution(polytope, target, error, status, steps)


def _closed(u: FloatArray, areas: FloatArray, shares: FloatArray) -> FloatArray:
    """Areas changed in proportion to shares, so that with the normals they sum to zero."""
    tilt = np.linalg.solve((u * shares[:, None]).T @ u, areas @ u)
    return areas - shares * (u @ tilt)


def _polygon(u: FloatArray, lengths: FloatArray) -> FloatArray:
    """Support numbers of the polygon: its sides in the order of their angles."""
    order = np.argsort(np.arctan2(u[:, 1], u[:, 0]))
    sides = np.column_stack([-u[:, 1], u[:, 0]]) * lengths[:, None]
    starts = np.cumsum(sides[order], axis=0) - sides[order]
    h = np.empty(len(u))
    h[order] = np.sum((starts + 0.5 * sides[order]) * u[order], axis=1)
    return h


def _centred(u: FloatArray, h: FloatArray, unit: float, threads: int) -> Polytope:
    """The polytope in the caller's units, its centre of mass at the origin."""
    first = Polytope._of(u, h, None, threads)
    dim = u.shape[1]
    simplices = first.triangles() if dim == 3 else np.stack([f for f in first.facets if len(f)])
    corners = first.vertices[simplices]
    # cones over the facets
    volumes = np.linalg.det(corners)
    centre = volumes @ corners.sum(axis=1) / ((dim + 1) * volumes.sum())
    return Polytope._of(u, unit * (h - u @ centre), None, threads)


def _newton(
    u: FloatArray, a: FloatArray, tol: float, max_iter: int, threads: int
) -> tuple[FloatArray, str, int]:
    """Support numbers in space, how it ended, and the number of steps."""
    # three facets that stay where they are: a translation changes no area
    free = np.ones(len(u), dtype=bool)
    free[qr(u.T, pivoting=True, mode="economic")[2][:3]] = False
    # about the unit ball, where every facet touches it
    h = np.ones(len(u))
    polytope = Polytope._of(u, h, None, threads)
    status, step = "max_iter", 0
    while True:
        if np.abs(_ratios(polytope, a) - 1.0).max() <= 0.5 * tol:
            status = "converged"
            break
        if step == max_iter:
            break
        found = _damped(u, h, a, _direction(u, h, a, polytope, free), polytope, threads)
        if found is None:
            status = "stalled"
            break
        h, polytope = found
        step += 1
    return h * np.sqrt(a.sum() / polytope.areas.sum()), status, step


def _ratios(polytope: Polytope, a: FloatArray) -> FloatArray:
    """Areas over their targets, when the polytope is scaled to the right total area."""
    return polytope.areas / a * (a.sum() / polytope.areas.sum())


def _direction(
    u: FloatArray, h: FloatArray, a: FloatArray, polytope: Polytope, free: NDArray[np.bool_]
) -> FloatArray:
    """Newton's step for the square roots of the areas, up to scale, without translation."""
    areas, volume = polytope.areas, polytope.volume
    # the areas that the roots' linear change asks for
    wanted = areas * (2.0 / np.sqrt(_ratios(polytope, a)) - 1.0)
    wanted = _closed(u, wanted, areas)
    change = np.zeros(len(u))
    block = polytope.area_derivatives()[free][:, free].tocsc()
    change[free] = splu(block).solve(wanted[free])
    change -= u @ np.linalg.solve(u.T @ u, u.T @ change)
    # the stationary point of log V: along h areas only grow
    return change + (1.0 - 0.5 * float(h @ wanted) / volume) * h


def _damped(
    u: FloatArray,
    h: FloatArray,
    a: FloatArray,
    change: FloatArray,
    polytope: Polytope,
    threads: int,
) -> tuple[FloatArray, Polytope] | None:
    """The longest of the halved steps that keeps all facets and reduces the residual."""
    ratios = _ratios(polytope, a)
    residual = float(a @ (np.sqrt(ratios) - 1.0) ** 2)
    low, high = polytope.bounds
    near = np.array([low, high]) + _SURROUNDINGS * (high - low).max() * np.array([[-1.0], [1.0]])
    step = 1.0
    for _ in range(_STEP_HALVINGS):
        trial = h + step * change
        try:
            following = Polytope._of(u, trial, near, threads)
        except ValueError:  # nothing is left of it
            following = None
        if following is not None:
            new = _ratios(following, a)
            kept = new.min() >= _LEAST_KEPT * min(float(ratios.min()), 1.0)
            lower = float(a @ (np.sqrt(new) - 1.0) ** 2) < residual * (1.0 - _PROMISED * step)
            if kept and lower:
                return trial, following
        step *= 0.5
    return None
