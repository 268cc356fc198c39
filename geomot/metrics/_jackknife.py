"""Standard errors of any metric, by leaving out groups of points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from geomot._validation import as_count, as_generator

__all__ = ["Estimate", "jackknife"]


@dataclass(frozen=True)
class Estimate:
    """An estimate (or several) with its standard error.

    Attributes
    ----------
    value : float or named tuple of float
        The estimate; `float` of this object is its value.
    standard_error : float or named tuple of float
        Its standard error.

    Examples
    --------
    >>> from geomot.metrics import Estimate
    >>> estimate = Estimate(0.5, 0.1)
    >>> float(estimate), estimate.standard_error
    (0.5, 0.1)
    """

    value: Any
    standard_error: Any

    def __float__(self) -> float:
        return float(self.value)


def jackknife(
    metric: Callable[..., Any],
    *samples: ArrayLike,
    groups: int = 10,
    random_state: Any = None,
) -> Estimate:
    """Evaluate a metric, and find its standard error by leaving out groups of points.

    Parameters
    ----------
    metric : callable
        Called as ``metric(*samples)``; returns a number, a tuple of numbers or an `Estimate`.
    *samples : array_like of shape (n_i, ...)
        Independent samples, each of independent points.
    groups : int, default 10
        Each sample is split into this many parts at random, and the metric is evaluated without the
        first part of every sample, without the second, and so on: as many evaluations more.
    random_state : None, int, Generator or RandomState, optional
        Randomness of the split.

    Returns
    -------
    Estimate
        The value on all points, with its standard error

            sqrt((g - 1) / g  sum_k (value_k - mean of the values_k)^2),

        the delete-a-group jackknife. On average it is not too small for as many points as are left
        (Efron and Stein 1981, "The jackknife estimate of variance"), at whatever bias the value
        itself has. Ten groups know it to some 25 %.

    Examples
    --------
    >>> import numpy as np
    >>> from geomot import metrics
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.standard_normal((2, 500, 3))
    >>> estimate = metrics.jackknife(metrics.mmd, a, b + 0.5, random_state=0)
    >>> estimate.value > 5 * estimate.standard_error
    True
    """
    arrays = [np.asarray(sample) for sample in samples]
    if not arrays:
        raise TypeError("samples must hold at least one array, got none")
    count = as_count(groups, "groups", 2)
    for array in arrays:
        if array.ndim == 0 or len(array) < count:
            raise ValueError(
                f"samples must have at least groups = {count} points each, got {array.shape}"
            )
    rng = as_generator(random_state)
    parts = [np.array_split(rng.permutation(len(array)), count) for array in arrays]
    value = _plain(metric(*arrays))
    without = np.array(
        [
            np.asarray(
                _plain(
                    metric(
                        *(
                            np.delete(array, part[k], axis=0)
                            for array, part in zip(arrays, parts, strict=True)
                        )
                    )
                ),
                dtype=np.float64,
            )
            for k in range(count)
        ]
    )
    spread = np.sum((without - without.mean(axis=0)) ** 2, axis=0)
    return Estimate(value, _like(value, np.sqrt((count - 1.0) / count * spread)))


def _plain(value: Any) -> Any:
    if isinstance(value, Estimate):
        value = value.value
    return value if isinstance(value, tuple) else float(value)


def _like(value: Any, errors: np.ndarray) -> Any:
    """The errors in the form of the value."""
    if not isinstance(value, tuple):
        return float(errors)
    kind: Any = type(value)
    # named tuples take their fields one by one
    return kind(*errors.tolist()) if hasattr(value, "_fields") else tuple(errors.tolist())
