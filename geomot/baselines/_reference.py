"""What the references share: models that are fitted without a training, and need no torch."""

from __future__ import annotations

import math
import numbers
from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from geomot._estimators import remember_features, training_samples
from geomot._validation import as_count, as_generator
from geomot.latent._codec import Stored
from geomot.latent._scaling import as_float

__all__ = ["Reference"]

FloatArray = NDArray[np.float64]


class Reference(BaseEstimator, Stored, ABC):
    """Generative model that is fitted in one go: `fit`, `sample`, `save` and `load` of `Baseline`.

    Attributes
    ----------
    sample_shape_ : tuple of int
        Shape of one datum.
    n_features_in_ : int
        Numbers in one datum.

    Examples
    --------
    >>> from geomot.baselines import SMOTE, Reference
    >>> issubclass(SMOTE, Reference)
    True
    """

    random_state: Any
    sample_shape_: tuple[int, ...]

    @abstractmethod
    def _fit(self, rows: FloatArray, rng: np.random.Generator) -> dict[str, Any]:
        """Return the fitted attributes for data of shape (n, d)."""

    @abstractmethod
    def _draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Draw points, shape (n, d)."""

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : array_like of shape (n, d), (n, h, w) or (n, c, h, w)
            The data. Those of dtype uint8 are divided by 255.
        y : ignored
            For the interface of scikit-learn.

        Returns
        -------
        Reference
            The model itself.

        Raises
        ------
        TypeError, ValueError
            If an argument is invalid; the message names it.

        Examples
        --------
        >>> from geomot.baselines import SMOTE
        >>> from geomot.datasets import moons
        >>> SMOTE(random_state=0).fit(moons(100)).sample_shape_
        (2,)
        """
        data = training_samples(self, X)
        rows = as_float(data).reshape(len(data), -1)
        found = self._fit(rows, as_generator(self.random_state))
        self.__dict__.update(found, sample_shape_=data.shape[1:])
        remember_features(self, X)
        return self

    def sample(self, n: int, random_state: Any = None) -> FloatArray:
        """Draw from the model.

        Parameters
        ----------
        n : int
            Number of points; 0 is allowed.
        random_state : None, int, Generator or RandomState
            The randomness; None takes the model's own `random_state`.

        Returns
        -------
        ndarray of shape (n, *sample_shape_), float64

        Examples
        --------
        >>> from geomot.baselines import SMOTE
        >>> from geomot.datasets import moons
        >>> SMOTE(random_state=0).fit(moons(100)).sample(3, random_state=1).shape
        (3, 2)
        """
        check_is_fitted(self)
        if random_state is None and isinstance(self.random_state, numbers.Integral):
            random_state = np.random.default_rng([int(self.random_state), 1])
        elif random_state is None:
            random_state = self.random_state
        rows = self._draw(as_count(n, "n"), as_generator(random_state))
        return rows.reshape(-1, *self.sample_shape_)

    def _set_parts(self, parts: dict[str, Any], device: Any) -> None:
        super()._set_parts(parts, device)
        self.n_features_in_ = math.prod(self.sample_shape_)
