"""What nearest neighbours say: fidelity, coverage, memorisation."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from geomot._plans.costs import blocks
from geomot._validation import as_count
from geomot.metrics._clouds import two_clouds

__all__ = ["PRDC", "nearest_distances", "precision_recall_density_coverage"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]

# Above, a search tree looks at most points anyway, and is slower than looking at all of them.
_TREE_DIMENSIONS = 10


class PRDC(NamedTuple):
    """Precision, recall, density and coverage.

    Attributes
    ----------
    precision : float
        Share of the generated points that lie near a real one: fidelity.
    recall : float
        Share of the real points that lie near a generated one: diversity.
    density : float
        Mean number of real neighbourhoods that a generated point lies in, over k: fidelity, not
        misled by outliers among the real points. It may exceed 1.
    coverage : float
        Share of the real points with a generated one in their neighbourhood: diversity.

    Examples
    --------
    >>> from geomot.metrics import precision_recall_density_coverage
    >>> precision_recall_density_coverage([[0.0], [1.0]], [[0.5], [9.0]], k=1)
    PRDC(precision=0.5, recall=1.0, density=1.0, coverage=1.0)
    """

    precision: float
    recall: float
    density: float
    coverage: float


def precision_recall_density_coverage(real: ArrayLike, generated: ArrayLike, k: int = 5) -> PRDC:
    """Fidelity and diversity of generated points by their nearest neighbours.

    The neighbourhood of a point is the open ball up to the k-th nearest other point of its own
    cloud.

    Parameters
    ----------
    real : array_like of shape (n, d)
        Points, or features of images.
    generated : array_like of shape (m, d)
        As many, for a fair comparison.
    k : int, default 5
        Neighbours that make a neighbourhood.

    Returns
    -------
    PRDC

    Notes
    -----
    Precision and recall: Kynkaanniemi et al. 2019, "Improved precision and recall metric for
    assessing generative models", arXiv:1904.06991. Density and coverage: Naeem et al. 2020,
    "Reliable fidelity and diversity metrics for generative models", arXiv:2002.09797. All four
    depend on k and on the sizes. For points of the same law and n = m, coverage is
    1 - (n - 1) ... (n - k) / ((2 n - 1) ... (2 n - k)) on average, about 1 - 2^-k, and density 1.
    The distances between all pairs are looked at, 32 MB at a time.

    Examples
    --------
    >>> import numpy as np
    >>> from geomot.metrics import precision_recall_density_coverage
    >>> real, same = np.random.default_rng(0).standard_normal((2, 1000, 2))
    >>> scores = precision_recall_density_coverage(real, same)
    >>> scores.precision > 0.95, scores.recall > 0.95, abs(scores.density - 1) < 0.1
    (True, True, True)
    >>> one_point = precision_recall_density_coverage(real, np.full((1000, 2), 0.1))
    >>> one_point.precision, one_point.recall
    (1.0, 0.0)
    """
    number = as_count(k, "k", 1)
    x, y = two_clouds(real, generated, ("real", "generated"), number + 1)
    real_radii, generated_radii = _radii(x, number), _radii(y, number)
    containing = np.zeros(len(y), dtype=np.int64)
    recalled, covered = 0, 0
    for start, squares in blocks(x, y):
        radii = real_radii[start : start + len(squares)]
        containing += (squares < radii[:, None]).sum(axis=0)
        recalled += int((squares < generated_radii).any(axis=1).sum())
        covered += int((squares.min(axis=1) < radii).sum())
    return PRDC(
        precision=float(np.mean(containing > 0)),
        recall=recalled / len(x),
        density=float(containing.mean() / number),
        coverage=covered / len(x),
    )


def _radii(points: FloatArray, k: int) -> FloatArray:
    """Squared distance from each point to its k-th nearest other one."""
    # The point itself comes first. scikit-learn's neighbours have distances from a matrix product,
    # which are not right between near points, nor the same in both directions.
    parts = [np.partition(squares, k, axis=1)[:, k] for _, squares in blocks(points, points)]
    return np.concatenate(parts)


@overload
def nearest_distances(
    points: ArrayLike, to: ArrayLike, *, return_indices: Literal[False] = False
) -> FloatArray: ...
@overload
def nearest_distances(
    points: ArrayLike, to: ArrayLike, *, return_indices: Literal[True]
) -> tuple[FloatArray, IndexArray]: ...
def nearest_distances(points: ArrayLike, to: ArrayLike, *, return_indices: bool = False) -> Any:
    """Distance from each point of one cloud to the nearest one of another.

    Copies of training data lie much nearer to them than new data do: compare the distances from
    generated and from held-out points to the training set.

    Parameters
    ----------
    points : array_like of shape (n, d)
        The points, such as generated ones.
    to : array_like of shape (m, d)
        Those among which the nearest are sought, such as training data. The order is that of
        scikit-learn's `pairwise_distances_argmin_min`.
    return_indices : bool, default False
        Also return which point is the nearest; of equally near ones any.

    Returns
    -------
    distances : ndarray of shape (n,)
        Euclidean.
    indices : ndarray of shape (n,), int64
        Rows of `to`, if asked for.

    Examples
    --------
    >>> from geomot.metrics import nearest_distances
    >>> nearest_distances([[0.0, 0.0], [5.0, 4.0]], to=[[0.0, 1.0], [5.0, 4.0]]).tolist()
    [1.0, 0.0]
    """
    x, y = two_clouds(points, to, ("points", "to"))
    if x.shape[1] <= _TREE_DIMENSIONS:
        found, indices = cKDTree(y).query(x)
        distances = np.asarray(found, dtype=np.float64)
    else:
        distances, indices = np.empty(len(x)), np.empty(len(x), dtype=np.int64)
        for start, squares in blocks(x, y):
            rows = slice(start, start + len(squares))
            indices[rows] = squares.argmin(axis=1)
            distances[rows] = np.sqrt(squares.min(axis=1))
    if return_indices:
        return distances, np.asarray(indices, dtype=np.int64)
    return distances
