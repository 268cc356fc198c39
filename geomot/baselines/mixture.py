"""Gaussian mixtures by expectation maximisation, as many components as the data support."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn import mixture
from sklearn.exceptions import ConvergenceWarning

from geomot._files.parts import Array, Entry, Record, as_mapping, as_shape
from geomot._validation import as_count, as_masses
from geomot.baselines._reference import Reference
from geomot.latent._scaling import mean_and_scale

__all__ = ["GaussianMixture"]

FloatArray = NDArray[np.float64]

# scikit-learn takes seeds below this.
_SEEDS = 2**31

# Numbers of components that are tried if none is given.
_TRIED = (1, 2, 5, 10, 20, 50, 100)

# After this many numbers of components that are worse than the best, no more are tried.
_WORSE = 2


class GaussianMixture(Reference):
    """Mixture of normal distributions with full covariances, fitted by scikit-learn.

    Expectation maximisation: Dempster, Laird, Rubin 1977. The number of components is the one with
    the least Bayesian information criterion (Schwarz 1978).

    Parameters
    ----------
    components : int, optional
        Number of normal distributions; by default the best of 1, 2, 5, 10, 20, 50 and 100,
        as far as they keep getting better.
    random_state : None, int, Generator or RandomState, optional
        Randomness of `fit`, and of `sample` where it is given none.

    Attributes
    ----------
    weights_ : ndarray of shape (k,)
        Shares of the components.
    means_ : ndarray of shape (k, d)
        Their means.
    roots_ : ndarray of shape (k, d, d)
        Lower triangular roots L of their covariances L L^T.
    sample_shape_ : tuple of int
        Shape of one datum.
    n_features_in_ : int
        Numbers in one datum.

    Examples
    --------
    >>> import numpy as np
    >>> from geomot.baselines import GaussianMixture
    >>> X = np.random.default_rng(0).standard_normal((500, 2))
    >>> model = GaussianMixture(random_state=0).fit(X)
    >>> len(model.weights_), model.sample(3, random_state=1).shape
    (1, (3, 2))
    """

    _record: ClassVar = Record(
        "geomot-mixture",
        {
            "parameters": Entry(as_mapping),
            "sample_shape_": Entry(as_shape),
            "weights_": Array(("k",)),
            "means_": Array(("k", "features")),
            "roots_": Array(("k", "features", "features")),
        },
    )

    weights_: FloatArray
    means_: FloatArray
    roots_: FloatArray

    def __init__(self, components: int | None = None, *, random_state: Any = None) -> None:
        self.components = components
        self.random_state = random_state

    def _fit(self, rows: FloatArray, rng: np.random.Generator) -> dict[str, Any]:
        if self.components is None:
            # Each component has a centre of its own.
            tried = [k for k in _TRIED if k == 1 or k * (rows.shape[1] + 1) <= len(rows)]
        else:
            tried = [as_count(self.components, "components", 1)]
            if tried[0] > len(rows):
                raise ValueError(f"components must be at most {len(rows)}, got {tried[0]}")
        mean, scale = mean_and_scale(rows)
        standard = (rows - mean) / scale
        if len(rows) == 1:
            standard = np.repeat(standard, 2, axis=0)
        models, scores = [], []
        with warnings.catch_warnings():
            # A likelihood that still rises a little makes no worse a model.
            warnings.simplefilter("ignore", ConvergenceWarning)
            for k in tried:
                seed = int(rng.integers(_SEEDS))
                models.append(mixture.GaussianMixture(k, random_state=seed).fit(standard))
                scores.append(models[-1].bic(standard))
                if len(scores) - np.argmin(scores) > _WORSE:
                    break
        best = models[int(np.argmin(scores))]
        return {
            "weights_": best.weights_ / best.weights_.sum(),
            "means_": mean + scale * best.means_,
            "roots_": scale * np.linalg.cholesky(best.covariances_),
        }

    def _draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        which = rng.choice(len(self.weights_), size=n, p=self.weights_)
        noise = rng.standard_normal((n, self.means_.shape[1]))
        drawn = np.empty_like(noise)
        for k in np.unique(which):
            own = which == k
            drawn[own] = self.means_[k] + noise[own] @ self.roots_[k].T
        return drawn

    def _set_parts(self, parts: dict[str, Any], device: Any) -> None:
        parts["weights_"] = as_masses(parts["weights_"], len(parts["weights_"]), "weights")
        super()._set_parts(parts, device)
        if self.means_.shape[1] != self.n_features_in_:
            raise ValueError(f"means must have {self.n_features_in_} columns")
