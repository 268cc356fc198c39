"""Scores of images from a classifier: the Frechet distance of features, the inception score."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import xlogy

from geomot._validation import as_points
from geomot.metrics._clouds import two_clouds

__all__ = ["frechet_distance", "inception_score"]

FloatArray = NDArray[np.float64]

# Probabilities in float32 sum to 1 within this.
_SUM_TOLERANCE = 1e-3


def frechet_distance(features_a: ArrayLike, features_b: ArrayLike) -> float:
    """W2^2 between the Gaussians with the means and covariances of two clouds of features.

    Parameters
    ----------
    features_a, features_b : array_like of shape (n, k), (m, k)
        Features of two points or more, such as those of a classifier trained on the same data.

    Returns
    -------
    float
        |m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a^(1/2) S_b S_a^(1/2))^(1/2)), with unbiased
        covariances S: a squared distance.

    Notes
    -----
    Dowson, Landau 1982, "The Frechet distance between multivariate normal distributions"; Heusel et
    al. 2017 (arXiv:1706.08500) for images, with the features of Inception, to which numbers from
    other features do not compare. It is biased upwards by about 1/n, the more so the more features
    there are, and by an amount that depends on the generator (Chong, Forsyth 2020,
    arXiv:1911.07023): compare equal numbers of points.

    The root is found from the singular values of R_a R_b^T, with S = R^T R: equal clouds
    have distance 0 to 15 digits of their variance, and covariances may be singular.

    Examples
    --------
    >>> import numpy as np
    >>> from geomot.metrics import frechet_distance
    >>> features = np.random.default_rng(0).standard_normal((100, 8))
    >>> round(frechet_distance(features, features + 1.0), 12)   # |m_a - m_b|^2 = 8
    8.0
    """
    x, y = two_clouds(features_a, features_b, ("features_a", "features_b"), 2)
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    root_x, root_y = _root(x - mean_x), _root(y - mean_y)
    cross = np.linalg.svd(root_x @ root_y.T, compute_uv=False).sum()
    spread = np.sum(root_x**2) + np.sum(root_y**2) - 2.0 * cross
    return float(np.sum((mean_x - mean_y) ** 2) + max(spread, 0.0))


def _root(centred: FloatArray) -> FloatArray:
    """R with R^T R the covariance."""
    return np.asarray(np.linalg.qr(centred / np.sqrt(len(centred) - 1.0), mode="r"))


def inception_score(probabilities: ArrayLike) -> float:
    """Inception score of generated images from the probabilities that a classifier gives.

    Parameters
    ----------
    probabilities : array_like of shape (n, classes)
        One row per image, non-negative, of sum 1.

    Returns
    -------
    float
        exp(mean_i KL(p_i | mean of the p_i)): 1 if all rows are the same, up to the number of
        classes if the classifier is certain and the classes are equally frequent.

    Notes
    -----
    Salimans et al. 2016, "Improved techniques for training GANs", arXiv:1606.03498, without their
    ten splits: on few images the score is biased downwards, and depends on how it is split
    (Barratt, Sharma 2018, "A note on the inception score", arXiv:1801.01973). It sees neither
    memorisation nor variety within a class. `jackknife` gives its standard error.

    Examples
    --------
    >>> from geomot.metrics import inception_score
    >>> round(inception_score([[1.0, 0.0], [0.0, 1.0]]), 12)
    2.0
    """
    p = as_points(probabilities, "probabilities")
    if (p < 0.0).any():
        i, j = np.argwhere(p < 0.0)[0]
        raise ValueError(f"probabilities must not be negative, got {p[i, j]} at {(int(i), int(j))}")
    sums = p.sum(axis=1)
    off = np.abs(sums - 1.0)
    if off.max() > _SUM_TOLERANCE:
        i = int(off.argmax())
        raise ValueError(f"probabilities must have rows that sum to 1, got {sums[i]} in row {i}")
    p = p / sums[:, None]
    divergence = np.sum(xlogy(p, p)) / len(p) - np.sum(xlogy(p.mean(axis=0), p.mean(axis=0)))
    return float(np.exp(max(divergence, 0.0)))
