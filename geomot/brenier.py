"""The optimal map as a scikit-learn estimator."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from geomot._stderr import warn
from geomot._validation import (
    as_generator,
    as_masses,
    as_tolerance,
    warn_if_masses,
    warn_if_outside_the_unit_box,
)
from geomot.extended import ExtendedMap
from geomot.potentials import brenier_potential, kantorovich_potential
from geomot.solution import Solution
from geomot.solver import solve
from geomot.sources import as_source

__all__ = ["BrenierMap"]

FloatArray = NDArray[np.float64]


class BrenierMap(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Optimal transport map from a source measure onto the points it is fitted to.

    The map T is the gradient of a convex function, the Brenier potential; it sends each cell of a
    power diagram to one of the fitted points, and each of these receives its mass. Where the
    source has exact diagrams (on the line; uniform measures on polygons and convex polyhedra; in
    the plane images and normal measures), masses are exact up to `tol`; elsewhere the map is fitted
    to samples of the source, and its masses are known to be within `tv_tol` of their targets.

    Parameters
    ----------
    source : Source, array_like of shape (m, 2), or object with a method `sample`, optional
        The source measure, in the space of the points; an array holds the vertices of a
        polygon, and any object with ``sample(n, rng)`` can draw points. None stands for the unit
        box, for any number of features.
    method : {"auto", "quantile", "newton", "montecarlo"}, default "auto"
        How to solve, see `geomot.solve`: "quantile" is exact on the line, "newton" in the plane and
        in space. "auto" is exact where the source has exact diagrams, and Monte Carlo elsewhere.
    tol : float, default 1e-6
        Where the method is exact: largest relative error of a mass, as `tol` of `geomot.solve`.
    tv_tol : float, default 0.01
        In Monte Carlo: largest total variation between the masses and their targets, 1/2 the sum
        of absolute differences, as `tol` of `geomot.solve`. The two are different quantities, and
        data decide which method "auto" takes: `solution_.tol` is the one that was used. The time
        grows as 1 / tv_tol^2.
    max_iter : int, optional
        Largest number of iterations; None leaves it to the solver.
    threads : int, optional
        Number of threads; None: all available cores. The result does not depend on it.
    random_state : None, int, Generator or RandomState, optional
        Randomness of Monte Carlo, and of `sample` where it is given none. An integer gives the same
        map and the same samples each time. Exact methods draw nothing from it.
    device : str, optional
        Monte Carlo only: where torch assigns samples to points in `fit`, as in "cuda". None: the
        CPU, by the compiled core, which is faster there than torch.
    progress : bool, default False
        Whether to show a progress bar.

    Attributes
    ----------
    solution_ : Solution
        The solution, with its error, bracket on W2^2 and history; after Monte Carlo,
        `solution_.estimate` says what was measured on fresh samples.
    weights_ : ndarray of shape (n,)
        The power weights, rounded to float64.
    heights_ : ndarray of shape (n,)
        The heights of the Brenier potential, rounded to float64.
    sites_ : ndarray of shape (n, d)
        The points that the map was fitted to.
    labels_ : ndarray of shape (n, ...)
        What `predict` returns for each site: the `y` of `fit`, or else the numbers 0 to n - 1.
    n_iter_ : int
        Number of iterations.
    n_features_in_ : int
        Number of features, d.
    feature_names_in_ : ndarray of shape (d,)
        Names of the features, where the fitted data have names.

    Examples
    --------
    In the plane the map is exact:

    >>> import numpy as np
    >>> from geomot import BrenierMap, Gaussian
    >>> rng = np.random.default_rng(0)
    >>> Y = rng.random((100, 2))
    >>> brenier = BrenierMap().fit(Y)
    >>> brenier.solution_.converged, brenier.solution_.mass_error <= 1e-6
    (True, True)
    >>> image = brenier.transform([[0.5, 0.5]])
    >>> bool((image == Y[brenier.predict([[0.5, 0.5]])]).all())
    True
    >>> brenier.sample(5, random_state=0).shape
    (5, 2)

    In ten dimensions it is fitted to samples, here of a Gaussian:

    >>> Y = rng.standard_normal((50, 10)) + 3.0
    >>> brenier = BrenierMap(Gaussian(np.zeros(10), 1.0), tv_tol=0.05, random_state=0).fit(Y)
    >>> low, high = brenier.solution_.estimate.tv_interval
    >>> brenier.solution_.method, high < 0.05
    ('montecarlo', True)

    Labels of the points become labels of the source's space:

    >>> labelled = brenier.fit(Y, np.where(Y[:, 0] > 3.0, "right", "left"))
    >>> labelled.predict([[5.0] + 9 * [0.0], [-5.0] + 9 * [0.0]]).tolist()
    ['right', 'left']
    """

    def __init__(
        self,
        source: Any = None,
        method: str = "auto",
        tol: float = 1e-6,
        *,
        tv_tol: float = 0.01,
        max_iter: int | None = None,
        threads: int | None = None,
        random_state: Any = None,
        device: str | None = None,
        progress: bool = False,
    ) -> None:
        self.source = source
        self.method = method
        self.tol = tol
        self.tv_tol = tv_tol
        self.max_iter = max_iter
        self.threads = threads
        self.random_state = random_state
        self.device = device
        self.progress = progress

    def fit(
        self, Y: ArrayLike, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> BrenierMap:
        """Compute the optimal map onto points.

        Parameters
        ----------
        Y : array_like of shape (n, d)
            The points. Points at the same place share one cell, and those without mass have none.
        y : array_like of shape (n, ...), optional
            Labels of the points, of any kind, for `predict` to return; the map does not depend on
            them.
        sample_weight : array_like of shape (n,), optional
            Masses of the points; equal if None. As in scikit-learn only proportions count: they are
            divided by their sum.

        Returns
        -------
        BrenierMap
            This object.

        Warns
        -----
        ConvergenceWarning
            If the tolerance was not reached.
        UserWarning
            If `y` is positive and sums to 1, as masses do, or if no source is given and none of the
            points lies in the unit box.

        Examples
        --------
        >>> from geomot import BrenierMap
        >>> brenier = BrenierMap().fit([[0.25, 0.5], [0.75, 0.5]], sample_weight=[3, 1])
        >>> brenier.solution_.masses.round(6).tolist()
        [0.75, 0.25]
        """
        sites = validate_data(self, Y, dtype=np.float64)
        if self.source is None:
            warn_if_outside_the_unit_box(sites, "Y")
        labels = _as_labels(y, len(sites))
        if labels.ndim == 1 and labels.dtype.kind == "f":
            warn_if_masses(labels, "y", "y holds labels; pass masses as sample_weight=")
        masses = as_masses(sample_weight, len(sites), "sample_weight", normalize=True)
        tol, tv_tol = as_tolerance(self.tol), as_tolerance(self.tv_tol, "tv_tol")
        source = as_source(self.source, sites.shape[1])
        exact = source.exact if self.method == "auto" else self.method != "montecarlo"
        solution = solve(
            sites,
            masses,
            source,
            method=self.method,
            tol=tol if exact else tv_tol,
            max_iter=self.max_iter,
            threads=self.threads,
            random_state=self.random_state,
            device=self.device,
            progress=self.progress,
        )
        self._set_fitted(solution, labels, labelled=y is not None)
        return self

    def _take(self, solution: Solution) -> BrenierMap:
        """Return this estimator as if it had been fitted with this result."""
        if solution.partial:
            raise ValueError("a BrenierMap maps the whole source: got partial transport")
        self.set_params(source=solution.source, method=solution.method)
        self.set_params(**{"tv_tol" if solution.method == "montecarlo" else "tol": solution.tol})
        self._set_fitted(solution, _as_labels(None, len(solution.sites)), labelled=False)
        self.n_features_in_ = solution.sites.shape[1]
        return self

    def _set_fitted(self, solution: Solution, labels: NDArray[Any], labelled: bool) -> None:
        self.solution_ = solution
        self.sites_ = solution.sites
        self.weights_ = solution.weights
        self.heights_ = solution.heights
        self.labels_ = labels
        self._labelled = labelled
        self.n_iter_ = solution.n_iter

    def _points(self, X: ArrayLike) -> FloatArray:
        check_is_fitted(self)
        return validate_data(self, X, dtype=np.float64, order="C", reset=False)

    def _assign(self, points: FloatArray) -> NDArray[np.int64]:
        return self.solution_.assign(points, threads=self.threads)

    def _located(
        self, X: ArrayLike
    ) -> tuple[FloatArray, NDArray[np.int64], FloatArray, FloatArray, FloatArray]:
        """Points, their cells, and the sites and weights: what potentials are evaluated from."""
        points = self._points(X)
        hi, lo = self.solution_.weights_exact.T
        cells = self._assign(points)
        if self.solution_.source.periodic_domain is None:
            return points, cells, self.sites_, hi, lo
        images = self._images(points, cells)
        return points, np.arange(len(points)), images, hi[cells], lo[cells]

    def _images(self, points: FloatArray, cells: NDArray[np.int64]) -> FloatArray:
        """The sites of cells; on a torus those of their copies that are nearest to the points."""
        torus = self.solution_.source.periodic_domain
        images = self.sites_[cells]
        return images if torus is None else torus.nearest(images, points)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the index of the fitted point to which each source point is sent, or its label.

        The same rule as `Solution.assign` and `PowerDiagram.locate`, which return indices always.

        Parameters
        ----------
        X : array_like of shape (q, d)
            Points of the source space, inside or outside the source's domain.

        Returns
        -------
        ndarray of shape (q, ...)
            Labels, if `fit` was given some; else indices of rows of `sites_`, int64. With labels,
            ``solution_.assign(X)`` gives the indices.

        Examples
        --------
        >>> from geomot import BrenierMap
        >>> brenier = BrenierMap().fit([[0.25, 0.5], [0.75, 0.5]], ["left", "right"])
        >>> brenier.predict([[0.1, 0.9], [0.6, 0.1]]).tolist()
        ['left', 'right']
        """
        points = self._points(X)
        return self.labels_[self._assign(points)]

    def transform(self, X: ArrayLike) -> FloatArray:
        """Return T(X): the fitted point to which each source point is sent.

        On a torus it is the copy of the fitted point that is nearest to the source point.

        Parameters
        ----------
        X : array_like of shape (q, d)
            Points of the source space, inside or outside the source's domain.

        Returns
        -------
        ndarray of shape (q, d)

        Examples
        --------
        >>> from geomot import BrenierMap
        >>> brenier = BrenierMap().fit([[0.25, 0.5], [0.75, 0.5]])
        >>> brenier.transform([[0.1, 0.9], [0.6, 0.1]]).tolist()
        [[0.25, 0.5], [0.75, 0.5]]
        """
        points = self._points(X)
        return self._images(points, self._assign(points))

    def fit_transform(self, Y: ArrayLike, y: ArrayLike | None = None, **options: Any) -> FloatArray:
        """Fit to points, and map the same points as if they were points of the source.

        For pipelines, and rarely what is wanted: the map goes from the source onto the points. Use
        ``fit(Y).transform(X)`` with points X of the source, or ``fit(Y).sample(n)``.

        Parameters
        ----------
        Y : array_like of shape (n, d)
            The points.
        y : array_like of shape (n, ...), optional
            As in `fit`.
        **options
            As in `fit`.

        Returns
        -------
        ndarray of shape (n, d)

        Warns
        -----
        UserWarning
            Always: points of the target are taken for points of the source.

        Examples
        --------
        >>> import warnings
        >>> from geomot import BrenierMap
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warnings.simplefilter("always")
        ...     images = BrenierMap().fit_transform([[0.1, 0.5], [0.2, 0.5]])
        >>> images.tolist(), len(caught)  # the cells meet at 0.5: both points lie in the first
        ([[0.1, 0.5], [0.1, 0.5]], 1)
        """
        warn(
            "fit_transform maps the target points Y as if they were points of the source: use "
            "fit(Y).transform(X) with points X of the source",
            UserWarning,
            stacklevel=2,
        )
        return self.fit(Y, y, **options).transform(Y)

    def sample(self, n: int, random_state: Any = None) -> FloatArray:
        """Draw fitted points with the probabilities of their cells, by mapping source samples.

        Parameters
        ----------
        n : int
            Number of points.
        random_state : None, int, Generator or RandomState, optional
            The randomness; None uses the estimator's `random_state`.

        Returns
        -------
        ndarray of shape (n, d)

        Examples
        --------
        >>> from geomot import BrenierMap
        >>> brenier = BrenierMap().fit([[0.25, 0.5], [0.75, 0.5]], sample_weight=[0.9, 0.1])
        >>> brenier.sample(3, random_state=0).tolist()
        [[0.25, 0.5], [0.25, 0.5], [0.25, 0.5]]
        """
        check_is_fitted(self)
        rng = as_generator(self.random_state if random_state is None else random_state)
        return self.sites_[self._assign(self.solution_.source.sample(n, rng))]

    def extended(self, **options: Any) -> ExtendedMap:
        """Return the continuous extension of the map, for points that are not in the data.

        Parameters
        ----------
        **options
            `threshold` or `angle_threshold` and others of `geomot.extended.ExtendedMap`.

        Returns
        -------
        ExtendedMap

        Examples
        --------
        >>> from geomot import BrenierMap, datasets
        >>> brenier = BrenierMap().fit(datasets.u2d(100))
        >>> new = brenier.extended().transform([[0.5, 0.5]])
        >>> bool((new == brenier.sites_).all(axis=1).any())  # not one of the fitted points
        False
        """
        check_is_fitted(self)
        return ExtendedMap(self.solution_, **{"threads": self.threads, **options})

    def brenier_potential(self, X: ArrayLike) -> FloatArray:
        """Evaluate the Brenier potential u(x) = max_i (<x, y_i> + h_i), whose gradient is T.

        Parameters
        ----------
        X : array_like of shape (q, d)
            Points of the source space.

        Returns
        -------
        ndarray of shape (q,)

        Examples
        --------
        >>> from geomot import BrenierMap
        >>> brenier = BrenierMap().fit([[0.0, 0.0], [1.0, 0.0]])
        >>> u = brenier.brenier_potential([[0.5, 0.5], [0.7, 0.5], [0.9, 0.5]])
        >>> (u[1:] - u[:-1]).round(9).tolist()  # the slope is the map: (1, 0) on the right
        [0.2, 0.2]
        """
        return brenier_potential(*self._located(X))

    def kantorovich_potential(self, X: ArrayLike) -> FloatArray:
        """Evaluate the Kantorovich potential phi(x) = min_i (|x - y_i|^2 - w_i).

        Parameters
        ----------
        X : array_like of shape (q, d)
            Points of the source space.

        Returns
        -------
        ndarray of shape (q,)

        Examples
        --------
        >>> from geomot import BrenierMap
        >>> brenier = BrenierMap().fit([[0.0, 0.0], [1.0, 0.0]])
        >>> X = [[0.2, 0.5], [0.9, 0.5]]
        >>> both = brenier.kantorovich_potential(X) + 2.0 * brenier.brenier_potential(X)
        >>> both.round(9).tolist()  # |x|^2
        [0.29, 1.06]
        """
        return kantorovich_potential(*self._located(X))

    def inverse_transform(self, indices: ArrayLike) -> FloatArray:
        """Return the centroids of cells: the mean source point that is sent to a fitted point.

        Parameters
        ----------
        indices : array_like of int, shape (q,)
            Indices of fitted points, as `predict` returns them.

        Returns
        -------
        ndarray of shape (q, d)
            Exact where the method is; in Monte Carlo, means of the samples of the final test. NaN
            for cells that are empty, or that no sample fell into.

        Raises
        ------
        ValueError
            If an index is none, or if `fit` was given labels: `predict` then returns these, which
            may be indices of other points. ``solution_.centroids[solution_.assign(X)]`` serves.

        Examples
        --------
        >>> from geomot import BrenierMap
        >>> brenier = BrenierMap().fit([[0.0, 0.0], [1.0, 0.0]])
        >>> brenier.inverse_transform(brenier.predict([[0.2, 0.9]])).round(9).tolist()
        [[0.25, 0.5]]
        """
        check_is_fitted(self)
        if self._labelled:
            raise ValueError(
                "indices must be indices of sites, but predict returns labels because fit was "
                "given y: use solution_.centroids[solution_.assign(X)]"
            )
        chosen = np.asarray(indices)
        n = len(self.sites_)
        if chosen.ndim != 1 or (chosen.size and chosen.dtype.kind not in "iu"):
            raise ValueError(
                f"indices must be a vector of integers, got {chosen.dtype} of shape {chosen.shape}"
            )
        if chosen.size and not (chosen.min() >= 0 and chosen.max() < n):
            raise ValueError(
                f"indices must lie between 0 and {n - 1}, got {chosen.min()} to {chosen.max()}"
            )
        return self.solution_.centroids[chosen.astype(np.intp)]


def _as_labels(y: Any, n: int) -> NDArray[Any]:
    """Return a copy of labels with one row per point; numbers from 0 for None."""
    if y is None:
        return np.arange(n, dtype=np.int64)
    labels = np.array(y)
    if labels.ndim == 0 or len(labels) != n:
        raise ValueError(
            f"y must have one entry for each of the {n} rows of Y, got shape {labels.shape}"
        )
    return labels
