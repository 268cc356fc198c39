"""Potentials by regression: exact transport between batches teaches a network the dual."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from geomot._validation import as_count, as_real_array
from geomot.baselines._base import Baseline
from geomot.baselines._networks import LEAST_SLOPE, evaluate, gradient, scalar
from geomot.baselines._training import Run

__all__ = ["PotentialRegression", "exact_dual"]

FloatArray = NDArray[np.float64]

# Pivots of the network simplex: far more than any batch takes.
_MAX_PIVOTS = 100_000_000


@dataclass(kw_only=True, eq=False, repr=False)
class PotentialRegression(Baseline):
    """Transport map by regression on exact duals of batches.

    In each step m points x_i of the source and m data y_j give the linear program

        max (1/m) sum_j H_j - (1/m) sum_i H_i   subject to   H_j - H_i <= 1/2 |x_i - y_j|^2,

    which the network simplex solves exactly. With sigma(i) = argmin_j 1/2 |x_i - y_j|^2 + H_i - H_j
    the network D then descends on

        (1/m) sum_i (D(x_i) - H_i)^2
            + (regularization/m) sum_i (|grad D(x_i)| - |y_sigma(i) - x_i|)^2,

    and the map is x + grad D(x): Liu et al. 2018 (arXiv:1809.05964), section 3. The keywords of
    every method are those of `Baseline`.

    Parameters
    ----------
    hidden : sequence of int, default (512, 512, 512)
        Widths of D's dense layers.
    activation : str, default "leaky_relu"
        As in `GAN`.
    regularization : float, default 0.1
        Weight of the gradient's term; 0 saves its second derivatives.
    fixed_source : int, optional
        How many points of the source there are, drawn once; None draws anew in each step.
    learning_rate : float, default 1e-4
        Of Adam.
    betas : pair of float, default (0.5, 0.999)
        Of Adam.

    Attributes
    ----------
    history_ : structured array
        Losses "loss", "regression", "slope" (the gradient's term without its weight; 0
        where it is not computed) and "cost", W2^2 / 2 between the batches.

    Notes
    -----
    A batch's optimum is defined up to a constant, which is fixed by equal means of the two halves
    of the dual: sum_j H_j = - sum_i H_i.

    Examples
    --------
    >>> import numpy as np
    >>> from geomot.baselines import PotentialRegression
    >>> X = np.random.default_rng(0).standard_normal((500, 2))
    >>> model = PotentialRegression(max_steps=5, random_state=0).fit(X)
    >>> Z = model.source_points(5, random_state=1)
    >>> model.transform(Z).shape, model.potential(Z).shape
    ((5, 2), (5,))
    """

    batch_size: int = 64
    hidden: Sequence[int] = (512, 512, 512)
    activation: str = "leaky_relu"
    regularization: float = 0.1
    fixed_source: int | None = None
    learning_rate: float = 1e-4
    betas: tuple[float, float] = (0.5, 0.999)

    losses: ClassVar = ("loss", "regression", "slope", "cost")
    mapping: ClassVar = ("potential",)
    not_negative: ClassVar = ("regularization",)

    def _check(self) -> None:
        if self.fixed_source is not None:
            as_count(self.fixed_source, "fixed_source", 1)

    def _build(self, shape: tuple[int, ...], channels: tuple[int, ...]) -> dict[str, Any]:
        network = scalar(shape, self.hidden, channels, self.activation, timed=False, kernel=3)
        return {"potential": network}

    def _push(self, points: Any) -> Any:
        (slope,) = gradient(self._potential, points)
        return points + slope

    def _potential(self, points: Any) -> Any:
        return evaluate(self.networks_["potential"], points)

    def _with_gradient(self, network: Any, points: Any) -> tuple[Any, Any]:
        """Values and gradients from one pass, both to be differentiated."""
        import torch

        values = evaluate(network, points)[:, 0]
        (slope,) = torch.autograd.grad(values.sum(), points, create_graph=True)
        return values, slope

    def potential(self, Z: ArrayLike) -> FloatArray:
        """Value of D at points of the source.

        Parameters
        ----------
        Z : array_like of shape (n, *source_shape_)
            The points.

        Returns
        -------
        ndarray of shape (n,), float64
            In the units of the standardised data; 1/2 |z|^2 + D(z) is the Brenier potential.

        Examples
        --------
        >>> from geomot.baselines import PotentialRegression
        >>> from geomot.datasets import moons
        >>> model = PotentialRegression(max_steps=5, random_state=0).fit(moons(100))
        >>> model.potential([[0.0, 0.0], [1.0, 0.0]]).shape
        (2,)
        """
        check_is_fitted(self)
        return self._apply(self._potential, self._as_source_points(Z, "Z"), None)[:, 0]

    def _steps(self, run: Run) -> Iterator[tuple[Any, ...]]:
        network = run.networks["potential"]
        optimizer = run.adam([network], self.learning_rate, self.betas)
        count = self.fixed_source
        fixed = None if count is None else run.noise(count)
        while True:
            y = run.batch()
            if fixed is None:
                x = run.noise(len(y))
            else:
                chosen = run.rng.permutation(len(fixed))[: len(y)]
                x = fixed[run.indices(chosen)]
            a, b = (v.flatten(1).double().numpy(force=True) for v in (x, y))
            cost = 0.5 * np.square(a).sum(1)[:, None] + 0.5 * np.square(b).sum(1) - a @ b.T
            u, v = exact_dual(cost)
            # The constraint is u_i + v_j <= cost: H_i = -u_i at the source, H_j = v_j at the data.
            target, sigma = run.tensor(-u), np.argmin(cost - v, axis=1)
            reach = (y[run.indices(sigma)] - x).flatten(1).norm(dim=1)
            if self.regularization:
                values, slope = self._with_gradient(network, x.requires_grad_())
                length = (slope.flatten(1).square().sum(1) + LEAST_SLOPE).sqrt()
                slopes = (length - reach).square().mean()
            else:
                values, slopes = evaluate(network, x)[:, 0], reach.new_zeros(())
            regression = (values - target).square().mean()
            loss = regression + self.regularization * slopes
            run.descend(optimizer, loss)
            yield loss, regression, slopes, u.mean() + v.mean()


def exact_dual(cost: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Optimal potentials of the transport between two uniform measures on finitely many points.

    They maximise mean(u) + mean(v) subject to u_i + v_j <= cost_ij. POT's network simplex finds
    them, or scipy's linear programs where POT is not installed.

    Parameters
    ----------
    cost : array_like of shape (m, n)
        The cost of each pair.

    Returns
    -------
    u : ndarray of shape (m,)
    v : ndarray of shape (n,)
        With equal means, which fixes the constant that one may add to u and take from v.

    Raises
    ------
    RuntimeError
        If the solver gives up.

    Examples
    --------
    >>> from geomot.baselines.potential import exact_dual
    >>> u, v = exact_dual([[0.0, 2.0], [2.0, 0.0]])
    >>> float(u.mean() + v.mean())
    0.0
    """
    cost = as_real_array(cost, "cost")
    if cost.ndim != 2 or cost.size == 0 or not np.isfinite(cost).all():
        raise ValueError(f"cost must be a finite matrix, got shape {cost.shape}")
    a, b = (np.full(k, 1.0 / k) for k in cost.shape)
    try:
        from ot.lp import emd  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        u, v = _linear_program(cost, a, b)
    else:
        _, log = emd(a, b, cost, numItermax=_MAX_PIVOTS, log=True)
        if log["warning"] is not None:
            raise RuntimeError(f"the network simplex failed: {log['warning']}")
        u, v = log["u"], log["v"]
    shift = 0.5 * (v.mean() - u.mean())
    return u + shift, v - shift


def _linear_program(
    cost: FloatArray, a: FloatArray, b: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Potentials by HiGHS: multipliers of the plan's marginals."""
    from scipy.optimize import linprog
    from scipy.sparse import eye_array, kron, vstack

    m, n = cost.shape
    rows = kron(eye_array(m), np.ones((1, n)))
    columns = kron(np.ones((1, m)), eye_array(n))
    constraints = vstack([rows, columns], format="csr")
    result = linprog(cost.ravel(), A_eq=constraints, b_eq=np.concatenate([a, b]), method="highs")
    if result.status != 0:
        raise RuntimeError(f"the linear program failed: {result.message}")
    multipliers = result.eqlin.marginals
    return multipliers[:m], multipliers[m:]
