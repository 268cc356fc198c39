"""W2^2 between clouds, and its mean over lines."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from geomot import discrete
from geomot._plans.exact_flow import whole_masses
from geomot._validation import as_count, as_generator, as_masses
from geomot.metrics._clouds import two_clouds
from geomot.metrics._jackknife import Estimate

__all__ = ["sliced_wasserstein2", "wasserstein2"]

FloatArray = NDArray[np.float64]

# Equal clouds up to this size go straight to scipy, without potentials: a tenth of a second.
_FEW_EQUAL = 1000

# A mean cost below this share of the largest, for each point, may be rounding in its ninth digit.
_MEAN_COST_ROUNDING = 2.0**-26


def wasserstein2(
    a: ArrayLike,
    b: ArrayLike,
    a_masses: ArrayLike | None = None,
    b_masses: ArrayLike | None = None,
) -> float:
    """Squared Wasserstein distance W2^2 between two weighted clouds, exact.

    The square, not its root: it is what transport minimises and what `solve` and `geomot.losses`
    report as cost. ``math.sqrt`` of it is the distance.

    Parameters
    ----------
    a, b : array_like of shape (n, d), (m, d)
        The clouds.
    a_masses, b_masses : array_like of shape (n,), (m,), optional
        Non-negative masses, which must sum to 1; equal ones by default.

    Returns
    -------
    float
        The least mean of |x - y|^2 over all couplings: its root is a distance.

    Notes
    -----
    On the line the coupling of quantiles is optimal. Elsewhere see `geomot.discrete`, whose results
    come with a proof of optimality; equal clouds of up to 1000 points are assigned by scipy alone.

    As an estimate for the laws of the clouds it is too large, in d > 4 dimensions by about
    n^(-2/d) (Fournier, Guillin 2015, "On the rate of convergence in Wasserstein distance of the
    empirical measure"): compare clouds of equal sizes only.

    Examples
    --------
    >>> from geomot.metrics import wasserstein2
    >>> wasserstein2([[0.0, 0.0], [4.0, 0.0]], [[4.0, 1.0], [0.0, 1.0]])
    1.0
    >>> wasserstein2([[0.0], [1.0]], [[0.0]], [0.75, 0.25])
    0.25
    """
    x, y = two_clouds(a, b)
    equal = len(x) == len(y) and a_masses is None and b_masses is None
    mu, nu = as_masses(a_masses, len(x), "a_masses"), as_masses(b_masses, len(y), "b_masses")
    if x.shape[1] == 1:
        return _on_the_line(x[:, 0], y[:, 0], None if equal else mu, None if equal else nu)
    if not equal:
        return discrete.plan(x, y, mu, nu).cost
    if len(x) > _FEW_EQUAL:
        return discrete.assignment(x, y).cost
    costs = cdist(x, y, "sqeuclidean")
    cost = float(costs[linear_sum_assignment(costs)].mean())
    if cost < len(x) * _MEAN_COST_ROUNDING * costs.max():
        # scipy's sums lose what is so small beside the largest cost
        return discrete.assignment(x, y, method="paths").cost
    return cost


def sliced_wasserstein2(
    a: ArrayLike,
    b: ArrayLike,
    a_masses: ArrayLike | None = None,
    b_masses: ArrayLike | None = None,
    *,
    n_projections: int = 256,
    random_state: Any = None,
) -> Estimate:
    """Squared sliced Wasserstein distance: mean of W2^2 between projections on random lines.

    Parameters
    ----------
    a, b : array_like of shape (n, d), (m, d)
        The clouds.
    a_masses, b_masses : array_like of shape (n,), (m,), optional
        Non-negative masses, which must sum to 1; equal ones by default.
    n_projections : int, default 256
        Number of lines through the origin, uniformly distributed. On the line itself there is one.
    random_state : None, int, Generator or RandomState, optional
        Randomness of the lines. With the same integer different clouds see the same lines.

    Returns
    -------
    Estimate
        The mean over the lines, an unbiased estimate of the mean over all of them, with its
        standard error for these clouds. For clouds as samples of their laws, see `jackknife`.

    Notes
    -----
    Rabin, Peyre, Delon, Bernot 2011, "Wasserstein barycenter and its application to texture
    mixing"; Bonneel, Rabin, Peyre, Pfister 2015, "Sliced and Radon Wasserstein barycenters of
    measures". A translation by t gives |t|^2 / d.

    Examples
    --------
    >>> from geomot.metrics import sliced_wasserstein2
    >>> estimate = sliced_wasserstein2([[0.0, 0.0]], [[1.0, 1.0]], random_state=0)
    >>> abs(estimate.value - 1.0) < 3 * estimate.standard_error
    True
    """
    x, y = two_clouds(a, b)
    equal = len(x) == len(y) and a_masses is None and b_masses is None
    mu = None if equal else as_masses(a_masses, len(x), "a_masses")
    nu = None if equal else as_masses(b_masses, len(y), "b_masses")
    count = as_count(n_projections, "n_projections", 2)
    rng = as_generator(random_state)
    if x.shape[1] == 1:
        return Estimate(_on_the_line(x[:, 0], y[:, 0], mu, nu), 0.0)
    lines = rng.standard_normal((count, x.shape[1]))
    lines /= np.linalg.norm(lines, axis=1, keepdims=True)
    values = np.array([_on_the_line(x @ line, y @ line, mu, nu) for line in lines])
    return Estimate(float(values.mean()), float(values.std(ddof=1) / np.sqrt(count)))


def _on_the_line(
    x: FloatArray, y: FloatArray, mu: FloatArray | None, nu: FloatArray | None
) -> float:
    """W2^2 on the line; None for equal masses of as many points on both sides."""
    if mu is None or nu is None:
        return float(np.mean((np.sort(x) - np.sort(y)) ** 2))
    mu, nu = whole_masses(mu, nu)
    i, j = np.argsort(x, kind="stable"), np.argsort(y, kind="stable")
    ends = np.cumsum(mu[i]), np.cumsum(nu[j])
    total = float(np.rint(ends[0][-1]))
    cuts = np.sort(np.concatenate([[0.0], ends[0][:-1], ends[1][:-1], [total]]))
    cuts = np.clip(cuts, 0.0, total)
    # Each piece between two cuts is moved whole: its middle tells from where to where.
    middle = 0.5 * (cuts[1:] + cuts[:-1])
    last = len(x) - 1, len(y) - 1
    p = x[i][np.minimum(np.searchsorted(ends[0], middle, side="right"), last[0])]
    q = y[j][np.minimum(np.searchsorted(ends[1], middle, side="right"), last[1])]
    return float(np.sum(np.diff(cuts) * (p - q) ** 2)) / total
