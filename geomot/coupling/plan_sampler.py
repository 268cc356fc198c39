"""The calls of torchcfm's OTPlanSampler, answered by a semi-discrete coupling or by exact plans."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from geomot import discrete
from geomot._validation import as_count, as_flag, as_generator, as_points, as_real_array
from geomot.coupling.coupling import SemiDiscreteCoupling
from geomot.coupling.minibatch import as_host, assign_batch

__all__ = ["OTPlanSampler"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class OTPlanSampler:
    """Sampler of pairs with the calls of ``torchcfm.optimal_transport.OTPlanSampler``.

    With a coupling it takes the place of torchcfm's sampler in a flow matcher:
    ``matcher.ot_sampler = OTPlanSampler(coupling)``. The matcher still passes batches x0 of noise
    and x1 of data. x0 is paired with the rows that the coupling gives it; of x1 only shape, dtype
    and device are used.

    Parameters
    ----------
    method : SemiDiscreteCoupling or "exact", default "exact"
        A fitted coupling, or exact plans between the batches, as torchcfm's "exact" (but by
        `geomot.discrete`). Its other methods are not offered: `SemiDiscreteCoupling` has entropic
        pairs.
    random_state : None, int, Generator or RandomState, optional
        What pairs are drawn with, where torchcfm uses numpy's global generator.

    Examples
    --------
    >>> import numpy as np
    >>> from geomot.coupling import OTPlanSampler, SemiDiscreteCoupling
    >>> X = np.random.default_rng(0).standard_normal((100, 2))
    >>> coupling = SemiDiscreteCoupling(random_state=0).fit(X)
    >>> x0, x1 = np.random.default_rng(1).standard_normal((2, 8, 2))
    >>> start, end = OTPlanSampler(coupling).sample_plan(x0, x1)
    >>> bool((start == x0).all() and (end == X[coupling.assign(x0)].astype("float32")).all())
    True
    """

    def __init__(self, method: Any = "exact", *, random_state: Any = None) -> None:
        if isinstance(method, SemiDiscreteCoupling):
            check_is_fitted(method)
        elif not isinstance(method, str):
            raise TypeError(
                f"method must be a SemiDiscreteCoupling or 'exact', got {type(method).__name__}"
            )
        elif method != "exact":
            raise ValueError(f"method must be a SemiDiscreteCoupling or 'exact', got {method!r}")
        self.method = method
        self._rng = as_generator(random_state)

    def __repr__(self) -> str:
        return f"OTPlanSampler({self.method!r})"

    def get_map(self, x0: Any, x1: Any) -> FloatArray:
        """Return the optimal plan between two batches of equal masses.

        Parameters
        ----------
        x0 : ndarray or tensor of shape (n, ...)
            Noise.
        x1 : ndarray or tensor of shape (m, ...)
            Data.

        Returns
        -------
        ndarray of shape (n, m)
            The plan; it sums to 1.

        Raises
        ------
        ValueError
            If the sampler has a coupling, which gives rows of the whole data set in place of a
            plan between batches.

        Examples
        --------
        >>> from geomot.coupling import OTPlanSampler
        >>> OTPlanSampler("exact").get_map([[0.0], [1.0]], [[1.5], [0.5]]).tolist()
        [[0.0, 0.5], [0.5, 0.0]]
        """
        if not isinstance(self.method, str):
            raise ValueError("get_map needs method='exact': a coupling has no plan between batches")
        a, b = (as_points(as_host(x), name) for x, name in ((x0, "x0"), (x1, "x1")))
        if len(a) != len(b):
            return discrete.plan(a, b).matrix.toarray()
        matrix = np.zeros((len(a), len(b)))
        matrix[np.arange(len(a)), assign_batch(a, b)] = 1.0 / len(a)
        return matrix

    def sample_map(
        self, pi: Any, batch_size: int, replace: bool = True
    ) -> tuple[IntArray, IntArray]:
        """Draw pairs of indices from a plan.

        Parameters
        ----------
        pi : array_like of shape (n, m)
            The plan; its sum need not be 1.
        batch_size : int
            How many pairs.
        replace : bool, default True
            Whether a pair may be drawn again.

        Returns
        -------
        i, j : ndarray of shape (batch_size,), int64
            Rows and columns.

        Examples
        --------
        >>> from geomot.coupling import OTPlanSampler
        >>> i, j = OTPlanSampler("exact", random_state=0).sample_map([[0, 0.5], [0.5, 0]], 4)
        >>> bool((i + j == 1).all())
        True
        """
        plan = as_real_array(pi, "pi")
        if plan.ndim != 2 or not (plan.min(initial=0.0) >= 0.0 and 0.0 < plan.sum() < np.inf):
            raise ValueError(
                f"pi must be a plan of shape (n, m), without negative entries, of a positive sum, "
                f"got shape {plan.shape}"
            )
        shares = plan.ravel() / plan.sum()
        size, again = as_count(batch_size, "batch_size"), as_flag(replace, "replace")
        if not again and size > np.count_nonzero(shares):
            raise ValueError(f"batch_size must be at most the pairs of pi, got {batch_size}")
        drawn = self._rng.choice(plan.size, size, replace=again, p=shares)
        i, j = np.divmod(drawn, plan.shape[1])
        return i, j

    def sample_plan(self, x0: Any, x1: Any, replace: bool = True) -> tuple[Any, Any]:
        """Return pairs of noise and data.

        Parameters
        ----------
        x0 : ndarray or tensor of shape (m, ...)
            Noise.
        x1 : ndarray or tensor of shape (m, ...)
            Data. With a coupling, its shape, dtype and device are those of the result.
        replace : bool, default True
            Whether pairs are drawn from the plan with replacement. With a coupling, each row of
            `x0` is returned once, in order, whatever this says.

        Returns
        -------
        x0, x1 : ndarray or tensor of shape (m, ...)
            Pairs, row by row.

        Raises
        ------
        ValueError
            If the coupling has a map for each label: it needs `sample_plan_with_labels`.

        Examples
        --------
        >>> import numpy as np
        >>> from geomot.coupling import OTPlanSampler
        >>> x0, x1 = np.array([[0.0], [1.0]]), np.array([[1.5], [0.5]])
        >>> start, end = OTPlanSampler("exact", random_state=0).sample_plan(x0, x1)
        >>> (end - start).tolist()
        [[0.5], [0.5]]
        """
        start, end, _, _ = self.sample_plan_with_labels(x0, x1, replace=replace)
        return start, end

    def sample_plan_with_labels(
        self, x0: Any, x1: Any, y0: Any = None, y1: Any = None, replace: bool = True
    ) -> tuple[Any, Any, Any, Any]:
        """Return pairs of noise and data, with their labels.

        Parameters
        ----------
        x0, x1, replace
            As in `sample_plan`.
        y0, y1 : ndarray or tensor of shape (m, ...), optional
            Labels of noise and data. If the coupling has a map for each label, or was fitted to
            conditions, `y1` are those that the data are to have; else labels of the data of the
            coupling are returned in its place.

        Returns
        -------
        x0, x1, y0, y1 : ndarray or tensor of shape (m, ...)
            Pairs, row by row; None for labels that are not given.

        Examples
        --------
        >>> import numpy as np
        >>> from geomot.coupling import OTPlanSampler, SemiDiscreteCoupling
        >>> X, y = np.array([[0.0], [1.0], [5.0]]), np.array([7, 7, 8])
        >>> sampler = OTPlanSampler(SemiDiscreteCoupling().fit(X, y))
        >>> x0 = np.array([[-1.0], [-1.0]])
        >>> sampler.sample_plan_with_labels(x0, x0, y1=np.array([7, 8]))[1].tolist()
        [[0.0], [5.0]]
        """
        if isinstance(self.method, str):
            i, j = self.sample_map(self.get_map(x0, x1), len(x0), replace)
            return (
                x0[i],
                x1[j],
                None if y0 is None else y0[i],
                None if y1 is None else y1[j],
            )
        as_flag(replace, "replace")
        coupling = self.method
        rows = coupling.assign(as_host(x0), **self._wanted(coupling, y1), random_state=self._rng)
        end = coupling._rows[rows]
        if tuple(x1.shape[1:]) != end.shape[1:]:
            raise ValueError(f"x1 must have shape (m, {end.shape[1:]}), got {tuple(x1.shape)}")
        if y1 is not None:
            y1 = _like(y1, coupling.labels_[rows])
        return x0, _like(x1, end), y0, y1

    @staticmethod
    def _wanted(coupling: SemiDiscreteCoupling, y1: Any) -> dict[str, Any]:
        """What the rows that are looked for must have."""
        each = coupling._group_of is not None
        if not each and coupling.condition_scale_ is None:
            if y1 is not None and coupling.labels_ is None:
                raise ValueError("y1 must be None: the coupling was fitted without labels")
            return {}
        if y1 is None:
            raise ValueError(
                "y1 must be given, to sample_plan_with_labels: the coupling depends on labels"
            )
        labels = y1.detach().cpu().numpy() if hasattr(y1, "detach") else np.asarray(y1)
        return {"y": labels} if each else {"condition": labels}

    def sample_trajectory(self, X: Any) -> np.ndarray:
        """Follow points through populations at several times, by plans between neighbouring ones.

        Parameters
        ----------
        X : ndarray or tensor of shape (m, times, ...)
            The populations.

        Returns
        -------
        ndarray of shape (m, times, ...)
            Each row of the first population with the points that it goes to.

        Raises
        ------
        ValueError
            If the sampler has a coupling.

        Examples
        --------
        >>> import numpy as np
        >>> from geomot.coupling import OTPlanSampler
        >>> X = np.array([[[0.0], [1.5], [4.0]], [[1.0], [0.5], [3.0]]])
        >>> OTPlanSampler("exact", random_state=0).sample_trajectory(X)[..., 0].tolist()
        [[0.0, 0.5, 3.0], [1.0, 1.5, 4.0]]
        """
        index = np.arange(len(X))
        path = [np.asarray(X[:, 0])]
        for t in range(1, X.shape[1]):
            plan = self.get_map(X[:, t - 1], X[:, t])[index].cumsum(axis=1)
            below = plan[:, :-1] <= self._rng.random((len(X), 1)) * plan[:, -1:]
            index = below.sum(axis=1)
            path.append(np.asarray(X[:, t])[index])
        return np.stack(path, axis=1)


def _like(model: Any, array: np.ndarray) -> Any:
    """An array of the kind, dtype and device of another."""
    if not hasattr(model, "detach"):
        return array.astype(np.asarray(model).dtype)
    import torch

    return torch.as_tensor(array).to(model)
