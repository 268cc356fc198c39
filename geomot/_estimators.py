"""Data of estimators: tables as scikit-learn checks them, images as the rest of geomot does."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import check_array, validate_data

from geomot._validation import as_samples

__all__ = ["new_samples", "remember_features", "training_samples"]

# as_samples names the argument, and the first value that is not finite.
_LEFT_TO_US: dict[str, Any] = {"ensure_all_finite": False, "ensure_min_samples": 0}


def training_samples(estimator: Any, X: Any) -> np.ndarray:
    """Return the samples that an estimator is fitted to; see `as_samples`.

    Parameters
    ----------
    estimator : BaseEstimator
        The estimator, whose name messages have; it is not changed.
    X : array_like of shape (n, features), (n, h, w) or (n, c, h, w)
        The argument.

    Returns
    -------
    ndarray
    """
    if _is_table(X):
        X = check_array(X, estimator=estimator, input_name="X", **_LEFT_TO_US)
    return as_samples(X, "X")


def remember_features(estimator: Any, X: Any) -> None:
    """Set `n_features_in_` of a fitted estimator, and `feature_names_in_` where a table has names.

    Parameters
    ----------
    estimator : BaseEstimator
        The estimator.
    X : array_like
        What it was fitted to.
    """
    if _is_table(X):
        validate_data(estimator, X, skip_check_array=True)
    else:
        vars(estimator).pop("feature_names_in_", None)
        estimator.n_features_in_ = math.prod(_shape(X)[1:])


def new_samples(estimator: Any, X: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return samples for a fitted estimator, which must have its features; see `as_samples`.

    Parameters
    ----------
    estimator : BaseEstimator
        The estimator.
    X : array_like of shape (n, *shape)
        The argument.
    shape : tuple of int
        The shape of one sample.

    Returns
    -------
    ndarray
    """
    if _is_table(X):
        X = validate_data(estimator, X, reset=False, **_LEFT_TO_US)
    return as_samples(X, "X", shape)


def _is_table(X: Any) -> bool:
    """Whether an argument has rows and columns of numbers, so that scikit-learn's rules hold."""
    if isinstance(X, (np.matrix, np.ma.MaskedArray)):
        return False
    try:
        return issparse(X) or (len(_shape(X)) == 2 and np.asarray(X).dtype.kind not in "US")
    except (TypeError, ValueError, RuntimeError):
        return False  # as_samples says what is wrong


def _shape(X: Any) -> tuple[int, ...]:
    return tuple(X.shape if hasattr(X, "shape") else np.asarray(X).shape)
