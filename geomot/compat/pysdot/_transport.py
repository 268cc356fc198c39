"""Optimal transport with the interface of pysdot, solved by `geomot.solve`."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geomot._monitor import SolverState
from geomot._validation import as_real, as_vector
from geomot.compat.pysdot._diagram import PowerDiagram
from geomot.compat.pysdot._parts import Part
from geomot.compat.pysdot.radial_funcs import kind_of
from geomot.solution import Solution
from geomot.solver import solve
from geomot.sources import UniformBox

__all__ = ["BadInitialGuess", "OptimalTransport", "TransportMap", "find_transport_map"]

FloatArray = NDArray[np.float64]

# Masses may miss the domain's measure by this share of it: they are divided by their sum.
_MASS_SLACK = 1e-6
# Cells on a torus that the domain clips have other masses: by more than this share of the mean.
_CLIPPED = 1e-6
# The masses of balls that pysdot starts from.
_SMALL_MASS = 1e-6


class BadInitialGuess(Exception):
    """Initial weights that leave cells empty: pysdot raises it, geomot solves from any weights.

    Examples
    --------
    >>> from geomot.compat.pysdot import BadInitialGuess
    >>> issubclass(BadInitialGuess, Exception)
    True
    """


class OptimalTransport:
    """Weights under which cells have given masses.

    Parameters
    ----------
    positions, weights, domain, radial_func
        As in `PowerDiagram`; the weights are those to start from.
    masses : array_like of shape (n,), optional
        The masses, in units of the domain's measure; equal if None (with `RadialFuncInBall` 1e-6).
    obj_max_dw : float, default 1e-8
        If `obj_max_dm` is 0 geomot's own tolerance holds, a relative error of 1e-9 of every mass,
        which is stricter.
    obj_max_dm : float, default 0
        The largest error of a mass.
    linear_solver : optional
        Not used.
    verbosity : int, default 0
        Whether to show a progress bar.

    Attributes
    ----------
    pd : PowerDiagram
        The diagram, whose weights `adjust_weights` sets.
    masses : array_like of shape (n,)
        The masses.
    max_iter : int
        Most steps.
    delta_m : list of float
        The largest error of a mass after each call of `adjust_weights`.
    delta_w : list of float
        The largest change of a weight in each step.
    solution : geomot.Solution or None
        What geomot knows of the last solve: errors, cost with bounds, status.

    Examples
    --------
    >>> import numpy as np
    >>> from geomot.compat.pysdot import ConvexPolyhedraAssembly, OptimalTransport
    >>> domain = ConvexPolyhedraAssembly()
    >>> domain.add_box([0, 0], [2, 1])
    >>> ot = OptimalTransport([[0.5, 0.5], [1.5, 0.5]], np.zeros(2), domain, masses=[0.5, 1.5])
    >>> ot.adjust_weights()
    False
    >>> ot.get_weights().round(9).tolist(), ot.pd.integrals().round(9).tolist()
    ([0.0, 1.0], [0.5, 1.5])
    """

    def __init__(
        self,
        positions: ArrayLike | None = None,
        weights: ArrayLike | None = None,
        domain: Any = None,
        masses: ArrayLike | None = None,
        radial_func: Any = None,
        obj_max_dw: float = 1e-8,
        obj_max_dm: float = 0,
        linear_solver: str = "Petsc",
        verbosity: int = 0,
    ) -> None:
        self.pd = PowerDiagram(positions, weights, domain, radial_func)
        self.obj_max_dw = obj_max_dw
        self.obj_max_dm = obj_max_dm
        self.masses: Any = masses
        self.linear_solver = linear_solver
        self.verbosity = verbosity
        self.max_iter = 1000
        self.delta_m: list[float] = []
        self.delta_w: list[float] = []
        self.solution: Solution | None = None

    def get_positions(self) -> Any:
        """Return the sites.

        Examples
        --------
        >>> from geomot.compat.pysdot import OptimalTransport
        >>> OptimalTransport([[0.25, 0.5]]).get_positions().tolist()
        [[0.25, 0.5]]
        """
        return self.pd.get_positions()

    def set_positions(self, new_positions: ArrayLike) -> None:
        """Set the sites, of shape (n, d).

        Examples
        --------
        >>> from geomot.compat.pysdot import OptimalTransport
        >>> ot = OptimalTransport()
        >>> ot.set_positions([[0.25, 0.5]])
        >>> ot.nb_diracs()
        1
        """
        self.pd.set_positions(new_positions)

    def get_masses(self) -> Any:
        """Return the masses.

        Examples
        --------
        >>> from geomot.compat.pysdot import OptimalTransport
        >>> OptimalTransport([[0.25, 0.5]], masses=[1.0]).get_masses()
        [1.0]
        """
        return self.masses

    def set_masses(self, new_masses: ArrayLike) -> None:
        """Set the masses, of shape (n,).

        Examples
        --------
        >>> from geomot.compat.pysdot import OptimalTransport
        >>> ot = OptimalTransport([[0.25, 0.5], [0.75, 0.5]])
        >>> ot.set_masses([0.25, 0.75])
        >>> ot.adjust_weights()
        False
        """
        self.masses = new_masses

    def get_domain(self) -> Any:
        """Return the domain.

        Examples
        --------
        >>> from geomot.compat.pysdot import OptimalTransport
        >>> OptimalTransport().get_domain() is None  # the unit box, once it is needed
        True
        """
        return self.pd.get_domain()

    def set_domain(self, new_domain: Any) -> None:
        """Set the domain.

        Examples
        --------
        >>> from geomot.compat.pysdot import OptimalTransport, ScaledImage
        >>> ot = OptimalTransport([[0.25, 0.5]])
        >>> ot.set_domain(ScaledImage([0, 0], [1, 1], [[3.0]]))
        >>> ot.adjust_weights(), ot.get_masses().tolist()
        (False, [3.0])
        """
        self.pd.set_domain(new_domain)

    def get_weights(self) -> Any:
        """Return the weights.

        Examples
        --------
        >>> from geomot.compat.pysdot import OptimalTransport
        >>> OptimalTransport([[0.25, 0.5]], [2.0]).get_weights().tolist()
        [2.0]
        """
        return self.pd.get_weights()

    def set_weights(self, new_weights: ArrayLike) -> None:
        """Set the weights, of shape (n,).

        Examples
        --------
        >>> from geomot.compat.pysdot import OptimalTransport
        >>> ot = OptimalTransport([[0.25, 0.5]])
        >>> ot.set_weights([2.0])
        >>> ot.get_weights().tolist()
        [2.0]
        """
        self.pd.set_weights(new_weights)

    def adjust_weights(
        self,
        initial_weights: ArrayLike | None = None,
        ret_if_err: bool = False,
        relax: float = 1.0,
    ) -> bool:
        """Find the weights.

        Parameters
        ----------
        initial_weights : array_like of shape (n,), optional
            Weights to start from; None: those of the diagram. The first weight is kept, unless
            cells end in balls: other weights are only determined up to a constant.
        ret_if_err, relax : optional
            Not used: geomot chooses its steps.

        Returns
        -------
        bool
            False if the tolerance was reached; see `solution` otherwise.

        Examples
        --------
        >>> from geomot.compat.pysdot import OptimalTransport
        >>> ot = OptimalTransport([[0.25, 0.5], [0.75, 0.5]], masses=[0.3, 0.7])
        >>> ot.adjust_weights([0.0, 0.0]), ot.get_weights().round(9).tolist()
        (False, [0.0, 0.2])
        """
        kind = kind_of(self.pd.radial_func)
        if kind not in ("unit", "ball"):
            raise NotImplementedError(
                f"radial_func {self.pd.radial_func.name()!r} has no exact solves in geomot: use "
                "RadialFuncUnit or RadialFuncInBall"
            )
        if not (self.obj_max_dw or self.obj_max_dm):
            raise ValueError("obj_max_dw or obj_max_dm must be positive")
        if initial_weights is not None:
            self.set_weights(initial_weights)
        given = self.pd.weights is not None
        positions = self.pd._ready()
        n = len(positions)
        if self.masses is None:
            each = self.pd.domain.measure() / n if kind == "unit" else _SMALL_MASS
            self.masses = np.full(n, each)
        self.masses = as_vector(self.masses, n, "masses")
        start: FloatArray = self.pd.weights if given else np.sqrt(self.masses)
        whole = self._source(kind)
        shares = self._shares(kind, whole)
        path = [start - start[0]]

        def watch(state: SolverState) -> None:
            weights = state.weights_exact[:, 0]
            path.append(weights - weights[0] if kind == "unit" else weights)

        atol = None
        if self.obj_max_dm:
            atol = as_real(self.obj_max_dm, "obj_max_dm") / whole.mass
        self.solution = solve(
            positions,
            shares,
            whole.source,
            atol=atol,
            max_iter=self.max_iter,
            initial_weights=start if given else None,
            callback=watch,
            progress=self.verbosity > 0,
            partial=kind == "ball",
        )
        found = self.solution.weights
        # pysdot's steps leave the first weight as it is
        self.pd.set_weights(found + (start[0] - found[0]) if kind == "unit" else found)
        self.delta_w += [float(np.max(np.abs(b - a))) for a, b in itertools.pairwise(path[1:])]
        errors = whole.mass * np.abs(self.solution.masses - self.solution.target_masses)
        self.delta_m.append(float(errors.max()))
        if self.pd._replications:
            self._check_clipped()
        return not self.solution.converged

    def get_centroids(self) -> FloatArray:
        """Return the barycentres of the cells, shape (n, d).

        Examples
        --------
        >>> from geomot.compat.pysdot import OptimalTransport
        >>> OptimalTransport([[0.25, 0.75], [0.75, 0.75]]).get_centroids().tolist()
        [[0.25, 0.5], [0.75, 0.5]]
        """
        return self.pd.centroids()

    def display_vtk(self, filename: str, points: bool = False, centroids: bool = False) -> None:
        """Write the cells to a file, see `PowerDiagram.display_vtk`.

        Examples
        --------
        >>> from geomot.compat.pysdot import OptimalTransport
        >>> import os, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     OptimalTransport([[0.5, 0.5]]).display_vtk(os.path.join(folder, "cells.vtk"))
        ...     os.listdir(folder)
        ['cells.vtk']
        """
        self.pd.display_vtk(filename, points, centroids)

    def display_asy(self, filename: str, *arguments: Any, **options: Any) -> None:
        """Refuse: geomot draws with matplotlib.

        Examples
        --------
        >>> from geomot.compat.pysdot import OptimalTransport
        >>> OptimalTransport([[0.5, 0.5]]).display_asy("cells.asy")
        Traceback (most recent call last):
        ...
        NotImplementedError: display_asy is not supported: ...
        """
        self.pd.display_asy(filename)

    def nb_diracs(self) -> int:
        """Return the number of sites.

        Examples
        --------
        >>> from geomot.compat.pysdot import OptimalTransport
        >>> OptimalTransport([[0.25, 0.5], [0.75, 0.5]]).nb_diracs()
        2
        """
        return len(self.pd.positions)

    def dim(self) -> int:
        """Return the number of coordinates.

        Examples
        --------
        >>> from geomot.compat.pysdot import OptimalTransport
        >>> OptimalTransport([[0.25, 0.5], [0.75, 0.5]]).dim()
        2
        """
        return int(self.pd.positions.shape[1])

    def set_stopping_criterion(self, value: float, type: str = "max delta masses") -> None:
        """Set the tolerance.

        Parameters
        ----------
        value : float
            The tolerance.
        type : {"max delta masses", "max delta weights"}
            Which of `obj_max_dm` and `obj_max_dw` it is; the other becomes 0.

        Examples
        --------
        >>> from geomot.compat.pysdot import OptimalTransport
        >>> ot = OptimalTransport()
        >>> ot.set_stopping_criterion(1e-6)
        >>> ot.obj_max_dm, ot.obj_max_dw
        (1e-06, 0)
        """
        if type not in ("max delta masses", "max delta weights"):
            raise ValueError(
                f"type must be 'max delta masses' or 'max delta weights', got {type!r}"
            )
        masses = type == "max delta masses"
        self.obj_max_dm, self.obj_max_dw = (value, 0) if masses else (0, value)

    def _source(self, kind: str) -> Part:
        """The source measure and its mass."""
        if self.pd._replications:
            return _torus(self.pd)
        domain = self.pd.domain
        part: Part = domain._uniform() if kind == "ball" else domain._whole()
        return part

    def _shares(self, kind: str, whole: Part) -> FloatArray:
        """The masses as shares of the whole."""
        total = float(np.sum(self.masses))
        shares: FloatArray = self.masses / whole.mass
        if kind == "ball":
            return shares
        if abs(total - whole.mass) > _MASS_SLACK * whole.mass:
            raise ValueError(
                f"masses must sum to the measure of the domain, {whole.mass:.9g}, got {total:.9g}"
            )
        return shares / shares.sum()

    def _check_clipped(self) -> None:
        errors = np.abs(self.pd.integrals() - self.masses)
        if errors.max() > _CLIPPED * self.masses.mean():
            raise NotImplementedError(
                "domain must contain the whole cells of sites with replications: enlarge it, or "
                "use geomot.UniformBox(lower, upper, periodic=True) as the source of geomot.solve"
            )


class TransportMap:
    """The diagram of `find_transport_map`.

    Parameters
    ----------
    positions, masses, initial_weights, domain
        As in `OptimalTransport`.

    Attributes
    ----------
    pd : PowerDiagram
        The diagram.
    masses : ndarray of shape (n,)
        The masses.

    Examples
    --------
    >>> from geomot.compat.pysdot import TransportMap
    >>> transport = TransportMap([[0.25, 0.5], [0.75, 0.5]], [0.3, 0.7], [0.0, 0.0])
    >>> transport.optimize_weights()
    False
    >>> transport.pd.get_weights().round(9).tolist()
    [0.0, 0.2]
    """

    def __init__(
        self,
        positions: ArrayLike,
        masses: ArrayLike | None = None,
        initial_weights: ArrayLike | None = None,
        domain: Any = None,
    ) -> None:
        self._transport = OptimalTransport(positions, initial_weights, domain, masses)
        self.pd = self._transport.pd
        self.verbosity = 0
        self.max_iter = 100

    @property
    def masses(self) -> Any:
        """The masses."""
        return self._transport.masses

    def optimize_weights(self) -> bool:
        """Find the weights; return False if the tolerance was reached.

        Examples
        --------
        >>> from geomot.compat.pysdot import TransportMap
        >>> TransportMap([[0.25, 0.5], [0.75, 0.5]]).optimize_weights()
        False
        """
        self._transport.max_iter = self.max_iter
        self._transport.verbosity = self.verbosity
        return self._transport.adjust_weights()

    def write_vtk(self, filename: str, points: bool = False, centroids: bool = False) -> None:
        """Write the cells to a file, see `PowerDiagram.display_vtk`.

        Examples
        --------
        >>> from geomot.compat.pysdot import TransportMap
        >>> import os, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     TransportMap([[0.5, 0.5]]).write_vtk(os.path.join(folder, "cells.vtk"))
        ...     os.listdir(folder)
        ['cells.vtk']
        """
        self.pd.display_vtk(filename, points, centroids)

    def show(self, *arguments: Any, **options: Any) -> None:
        """Refuse: geomot has figures of its own.

        Examples
        --------
        >>> from geomot.compat.pysdot import TransportMap
        >>> TransportMap([[0.5, 0.5]]).show()
        Traceback (most recent call last):
        ...
        NotImplementedError: show is not supported: ...
        """
        raise NotImplementedError(
            "show is not supported: use geomot.plotting.power_diagram(transport.pd.to_geomot()), "
            "or geomot.plotting.scene in space"
        )


def find_transport_map(
    positions: ArrayLike,
    masses: ArrayLike | None = None,
    initial_weights: ArrayLike | None = None,
    domain: Any = None,
) -> TransportMap:
    """Return the transport map onto sites.

    Parameters
    ----------
    positions, masses, initial_weights, domain
        As in `OptimalTransport`.

    Returns
    -------
    TransportMap

    Examples
    --------
    >>> from geomot.compat.pysdot import find_transport_map
    >>> transport = find_transport_map([[0.25, 0.5], [0.75, 0.5]], [0.3, 0.7])
    >>> transport.pd.integrals().round(9).tolist()
    [0.3, 0.7]
    """
    transport = TransportMap(positions, masses, initial_weights, domain)
    transport.optimize_weights()
    return transport


def _torus(diagram: PowerDiagram) -> Part:
    """The periodic box that replications stand for; refuse others."""
    shifts = {tuple(float(x) for x in shift) for shift in diagram._replications}
    whole = diagram.domain._whole()
    box = whole.source
    if not isinstance(box, UniformBox) or box.dim != 2:
        raise NotImplementedError("replications need a domain that is one box in the plane")
    periods = [max((abs(s[k]) for s in shifts), default=0.0) for k in range(2)]
    steps = [(-p, 0.0, p) if p > 0.0 else (0.0,) for p in periods]
    if shifts != set(itertools.product(*steps)) - {(0.0, 0.0)}:
        raise NotImplementedError(
            "replications must be all neighbouring translations of a box, (-1, 0, 1) periods along "
            f"each periodic axis, got {sorted(shifts)}"
        )
    periodic = np.array(periods) > 0.0
    upper = np.where(periodic, box.lower + periods, box.upper)
    density = whole.mass / box.volume
    torus = UniformBox(box.lower, upper, tuple(map(bool, periodic)))
    return Part(torus, density * torus.volume)
