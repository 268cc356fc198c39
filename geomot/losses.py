"""Semi-discrete W2^2 as a differentiable loss of the sites (needs PyTorch).

At the optimum only the explicit dependence on the sites counts (the envelope theorem): with cells
C_i of masses nu_i and centroids c_i,

    d W2^2 / d y_i  = 2 nu_i (y_i - c_i),        d W2^2 / d nu_i = w_i + constant,

where w_i are the Kantorovich weights (Merigot, Santambrogio, Sarrazin, "Non-asymptotic convergence
bounds for Wasserstein approximation using point clouds", 2021, arXiv:2106.07911; de Goes et al.,
"Blue noise through optimal transport", 2012). The map onto the sites is solved for, not
differentiated through, so that a gradient costs no more than the value.

From one call to the next sites move a little, and the last potential is carried over
(`geomot._warm_start`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geomot._exact import places_of
from geomot._stderr import warn
from geomot._validation import as_generator, as_points, as_weights
from geomot._warm_start import carried_weights
from geomot.errors import ConvergenceError, ConvergenceWarning
from geomot.solution import Solution
from geomot.solver import solve
from geomot.sources import Source, as_source

try:
    import torch
except ModuleNotFoundError as _error:
    if _error.name != "torch":
        raise
    torch = None  # type: ignore[assignment]

__all__ = ["Wasserstein2", "wasserstein2"]

FloatArray = NDArray[np.float64]

# Masses that sum to 1 before rounding may differ from it by this many units in the last place of 1.
_ROUNDED_SUM = 2.0

# Plain classes stand in where torch is missing: the module can be imported, and says what it needs.
_Function: Any = object if torch is None else torch.autograd.Function
_Module: Any = object if torch is None else torch.nn.Module


def _outside_of_graphs(function: Any) -> Any:
    """A function that torch.compile calls as it is, with a break in its graph."""
    return function if torch is None else torch.compiler.disable(function)


@_outside_of_graphs
def wasserstein2(
    sites: Any,
    source: Source | ArrayLike | None = None,
    *,
    target_masses: Any = None,
    method: str = "auto",
    tol: float | None = None,
    warm_start: Solution | ArrayLike | None = None,
    random_state: Any = None,
    threads: int | None = None,
) -> Any:
    """Squared Wasserstein distance between a source measure and weighted sites, with gradients.

    Parameters
    ----------
    sites : torch.Tensor of shape (n, d), floating point
        The sites y_i, on any device. Their gradient is 2 nu_i (y_i - c_i), c_i the centroid of the
        cell of y_i. Coincident sites share a cell and its centroid; sites without mass have
        gradient 0, as have, in Monte Carlo, sites whose cell no sample of the final test fell into.
    source : Source, array_like of shape (m, 2), or object with a method `sample`, optional
        The source measure, see `geomot.solve`; the unit box by default.
    target_masses : torch.Tensor or array_like of shape (n,), optional
        Non-negative masses nu_i of sum 1; equal ones by default. Tensors whose sum differs from 1
        by no more than the rounding of their dtype are divided by it. The gradient of a tensor is
        w_i less the mean of the weights: the total mass being 1, only differences matter.
        Where a mass is 0 it is the derivative from above in exact methods, and no more than a lower
        bound on that in Monte Carlo.
    method : {"auto", "quantile", "newton", "montecarlo"}
        How to solve, see `geomot.solve`. Value and gradients are exact up to `tol` on the line, in
        the plane and in space where the source has exact diagrams. Elsewhere they are estimates:
        the weights are fitted to samples, and the centroids are means of others, so that errors
        decrease with the root of the samples that `tol` takes.
    tol : float, optional
        Tolerance of the solve: by default 1e-9 on the largest relative error of a mass, and in
        Monte Carlo 0.01 on the total variation.
    warm_start : Solution or array_like of shape (n,) or (n, 2), optional
        Where to start: the solution for sites that were near these, whose potential is carried
        over, or power weights. It changes the time only. `Wasserstein2` does this by itself.
    random_state : None, int, Generator or RandomState, optional
        Randomness of Monte Carlo. With an integer the same call gives the same value.
    threads : int, optional
        Number of threads; all usable cores by default. The result does not depend on it.

    Returns
    -------
    torch.Tensor of shape ()
        W2^2, for the cost |x - y|^2, with the dtype and on the device of `sites`. It can be
        differentiated once. torch.compile breaks its graph here.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid, such as sites with NaN; the message names it.
    ImportError
        If torch is missing.
    RuntimeError
        In the backward pass, when second derivatives are asked for; and under the transforms of
        torch.func and forward-mode differentiation, which it does not support.

    Warns
    -----
    ConvergenceWarning
        When the tolerance is not reached, in which case the value is the lower bound that was
        reached, and gradients are those of the map that goes with it.

    Examples
    --------
    The gradient pulls each site to the centroid of its half of the unit square:

    >>> import torch
    >>> from geomot.losses import wasserstein2
    >>> sites = torch.tensor([[0.3, 0.5], [0.8, 0.5]], dtype=torch.float64, requires_grad=True)
    >>> loss = wasserstein2(sites)
    >>> loss.backward()
    >>> round(loss.item(), 9), [[round(x, 9) for x in row] for row in sites.grad.tolist()]
    (0.106666667, [[0.05, 0.0], [0.05, 0.0]])
    """
    _require_torch()
    return _loss(
        _solved(
            sites,
            target_masses,
            warm_start,
            source=source,
            method=method,
            tol=tol,
            random_state=random_state,
            threads=threads,
        ),
        sites,
        target_masses,
    )


class Wasserstein2(_Module):
    """Squared Wasserstein distance from a fixed source, as a module that starts warm.

    It keeps the last solution and starts from it, as long as the number of sites stays the same.
    That changes the time only. The module has no parameters, and what it keeps is not in its
    `state_dict`.

    Parameters
    ----------
    source : Source, array_like of shape (m, 2), or object with a method `sample`, optional
        The source measure; the unit box by default.
    target_masses : torch.Tensor or array_like of shape (n,), optional
        Masses of the sites, which must sum to 1; equal ones by default. A call may give others.
    method, tol, threads
        As in `wasserstein2`.
    random_state : None, int, Generator or RandomState, optional
        Randomness of Monte Carlo, advancing from call to call, so that errors of successive
        gradients are independent. With an integer, the same sequence of calls gives the same
        values.

    Attributes
    ----------
    solution : Solution or None
        That of the last call, with its `status`, `n_iter` and errors.

    Examples
    --------
    >>> import torch
    >>> from geomot.losses import Wasserstein2
    >>> loss = Wasserstein2(tol=1e-6)
    >>> start = torch.rand(100, 2, generator=torch.Generator().manual_seed(0))
    >>> sites = torch.nn.Parameter(start.double())
    >>> optimizer = torch.optim.SGD([sites], lr=25.0)  # half the way to the centroids
    >>> values = []
    >>> for _ in range(5):
    ...     optimizer.zero_grad()
    ...     value = loss(sites)
    ...     value.backward()
    ...     optimizer.step()
    ...     values.append(value.item())
    >>> values[4] < values[3] < 0.7 * values[0]
    True
    >>> loss.solution.status
    'converged'
    """

    def __init__(
        self,
        source: Source | ArrayLike | None = None,
        *,
        target_masses: Any = None,
        method: str = "auto",
        tol: float | None = None,
        random_state: Any = None,
        threads: int | None = None,
    ) -> None:
        _require_torch()
        super().__init__()
        self.source = source
        self.target_masses = target_masses
        self.method = method
        self.tol = tol
        self.random_state = as_generator(random_state)
        self.threads = threads
        self.solution: Solution | None = None

    @_outside_of_graphs
    def forward(self, sites: Any, target_masses: Any = None) -> Any:
        """Return W2^2 between the source and the sites; see `wasserstein2`.

        Parameters
        ----------
        sites : torch.Tensor of shape (n, d), floating point
            The sites.
        target_masses : torch.Tensor or array_like of shape (n,), optional
            Their masses; those of the module by default.

        Returns
        -------
        torch.Tensor of shape ()

        Examples
        --------
        >>> import torch
        >>> from geomot.losses import Wasserstein2
        >>> loss = Wasserstein2()
        >>> value = loss(torch.tensor([[0.5, 0.5]], dtype=torch.float64))
        >>> round(value.item(), 9)  # the variance of the unit square
        0.166666667
        """
        masses = self.target_masses if target_masses is None else target_masses
        last = self.solution
        if last is not None and last.sites.shape != tuple(getattr(sites, "shape", ())):
            last = None
        self.solution = _solved(
            sites,
            masses,
            last,
            source=self.source,
            method=self.method,
            tol=self.tol,
            random_state=self.random_state,
            threads=self.threads,
        )
        return _loss(self.solution, sites, masses)

    def reset(self) -> None:
        """Forget the last solution: the next call starts cold.

        Examples
        --------
        >>> import torch
        >>> from geomot.losses import Wasserstein2
        >>> loss = Wasserstein2()
        >>> value = loss(torch.tensor([[0.5, 0.5]], dtype=torch.float64))
        >>> loss.reset()
        >>> loss.solution is None
        True
        """
        self.solution = None

    def extra_repr(self) -> str:
        """Return what `repr` shows of the module.

        Examples
        --------
        >>> from geomot.losses import Wasserstein2
        >>> Wasserstein2(tol=1e-6)
        Wasserstein2(source=None, method='auto', tol=1e-06)
        """
        return f"source={self.source!r}, method={self.method!r}, tol={self.tol}"


def _require_torch() -> None:
    if torch is None:
        raise ImportError('geomot.losses needs PyTorch: pip install "geomot[torch]"')


def _solved(sites: Any, target_masses: Any, warm_start: Any, **options: Any) -> Solution:
    """Solve for the values of the tensors."""
    _require_floats(sites, "sites")
    y = as_points(_values(sites), "sites")
    # said, since sites may well be on their way into the domain
    source = as_source(options.pop("source", None), y.shape[1])
    options["source"] = source
    nu = target_masses
    if isinstance(nu, torch.Tensor):
        _require_floats(nu, "target_masses")
        nu = _masses(nu)
    start = _as_start(warm_start, y)
    if start is not None:
        try:
            return solve(y, nu, initial_weights=start, strict=True, **options)
        except ConvergenceError as error:
            last = error.solution
            if last is not None and last.method == "montecarlo":
                warn(str(error), ConvergenceWarning, stacklevel=4)
                return last
    # also where a far move left a start from which Newton's method finds no way on
    return solve(y, nu, **options)


def _require_floats(value: Any, name: str) -> None:
    is_tensor = isinstance(value, torch.Tensor)
    if not is_tensor or not value.is_floating_point():
        kind = value.dtype if is_tensor else type(value).__name__
        raise TypeError(f"{name} must be a floating-point tensor, got {kind}")


def _values(tensor: Any) -> FloatArray:
    plain = tensor.detach().to("cpu", torch.float64)
    try:
        return plain.numpy()
    except RuntimeError:
        # those of torch.func's transforms and of torch.export stand for others
        raise RuntimeError(
            "geomot.losses.wasserstein2 needs tensors with values, and cannot be traced, exported "
            "or transformed by torch.func (grad, vmap, jacrev, jvp ...): use loss.backward() or "
            "torch.autograd.grad, and a loop in place of vmap"
        ) from None


def _masses(tensor: Any) -> FloatArray:
    """The masses in float64; those of few digits are divided by their sum."""
    masses = _values(tensor)
    total = float(masses.sum())
    rounding = _ROUNDED_SUM * torch.finfo(tensor.dtype).eps
    return masses / total if 0.0 < abs(total - 1.0) <= rounding else masses


def _as_start(warm_start: Any, sites: FloatArray) -> FloatArray | None:
    """Weights to start from, shape (n, 2); None if there are none that make sense."""
    if warm_start is None:
        return None
    if not isinstance(warm_start, Solution):
        return np.column_stack(as_weights(warm_start, len(sites), "warm_start"))
    if warm_start.sites.shape != sites.shape:
        raise ValueError(
            f"warm_start must be a solution for {len(sites)} sites of dimension {sites.shape[1]}, "
            f"got {warm_start.sites.shape[0]} of dimension {warm_start.sites.shape[1]}"
        )
    return carried_weights(warm_start, sites)


def _centroids(solution: Solution) -> FloatArray:
    """Centroids of the cells; sites at the same place have that of the one that owns the cell."""
    centroids = solution.centroids
    known: NDArray[np.bool_] = ~np.isnan(centroids[:, 0])
    if (known | (solution.target_masses == 0.0)).all():
        return centroids
    places = places_of(solution.sites, solution.source)
    _, place = np.unique(places, axis=0, return_inverse=True)
    place = place.reshape(-1)
    owner = np.arange(len(place))
    owner_at = np.full(len(place), -1)
    owner_at[place[known]] = owner[known]
    chosen = owner_at[place]
    # on a torus they may be whole periods apart
    theirs = centroids[chosen] + (solution.sites - solution.sites[chosen])
    return np.where(known[:, None] | (chosen < 0)[:, None], centroids, theirs)


def _loss(solution: Solution, sites: Any, target_masses: Any) -> Any:
    """The value, as a function of the tensors that it was solved for."""
    offsets = solution.sites - _centroids(solution)
    pull = 2.0 * solution.target_masses[:, None] * offsets
    site_gradient = torch.as_tensor(np.where(np.isnan(pull), 0.0, pull)).to(sites)
    masses = target_masses if isinstance(target_masses, torch.Tensor) else None
    mass_gradient = None
    if masses is not None:
        mass_gradient = torch.as_tensor(solution.weights - solution.weights.mean()).to(masses)
    return _Envelope.apply(sites, masses, solution.cost, site_gradient, mass_gradient)


class _Envelope(_Function):
    """A number with known first derivatives by two tensors."""

    @staticmethod
    def forward(
        ctx: Any, sites: Any, masses: Any, value: float, site_gradient: Any, mass_gradient: Any
    ) -> Any:
        ctx.save_for_backward(sites, masses, site_gradient, mass_gradient)
        return sites.new_tensor(value)

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        sites, masses, site_gradient, mass_gradient = ctx.saved_tensors
        by_sites = by_masses = None
        if ctx.needs_input_grad[0]:
            by_sites = _FirstOnly.apply(grad, site_gradient, sites, masses)
        if ctx.needs_input_grad[1]:
            by_masses = _FirstOnly.apply(grad, mass_gradient, sites, masses)
        return by_sites, by_masses, None, None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        raise RuntimeError(
            "geomot.losses.wasserstein2 has no forward-mode derivative: use loss.backward() or "
            "torch.autograd.grad"
        )


class _FirstOnly(_Function):
    """A first derivative, which depends on sites and masses in a way that is not known."""

    @staticmethod
    def forward(ctx: Any, grad: Any, gradient: Any, sites: Any, masses: Any) -> Any:
        return grad.to(gradient) * gradient

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        raise RuntimeError(
            "geomot.losses.wasserstein2 can be differentiated once: its second derivatives are "
            "not implemented"
        )
