"""The normal measure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from geomot._constants import WEIGHT_LIMIT
from geomot._core.plane.gaussian import GaussianDensity
from geomot._core.space.gaussian import NormalDensity
from geomot._frozen import read_only
from geomot._validation import as_count, as_generator, as_real_array, as_vector
from geomot.sources._distributions import Distribution, Normal
from geomot.sources.base import Product, Source
from geomot.sources.domains import ConvexPolygon, ConvexPolyhedron

__all__ = [
    "Gaussian",
    "as_covariance",
    "normal_density",
    "normals",
    "triangular_factor",
    "whitening",
]

FloatArray = NDArray[np.float64]

# Two mirrored covariances may differ by this much of the deviations' product: matrices that were
# computed in float32 pass, and what is not symmetric on purpose does not.
_SYMMETRY_TOLERANCE = 1e-6

# Eigenvalues up to this number for each dimension are taken for rounding, in units in which the
# variances are near 1.
_SINGULAR = 2.0**-50

# Uniform numbers are kept this far from 0 and 1, where quantiles are infinite.
_OPEN_UNIT = 2.0**-54, 1.0 - 2.0**-53

# Cells in the plane end this many deviations from the mean: beyond, the density is exp(-800) of its
# largest value, 1e-39 of the least mass that float64 holds with all its digits.
DEVIATIONS = 40.0
# In space, where less is asked of the tails: beyond 12 deviations are 1e-32 of the mass, less than
# solves take into account.
_DEVIATIONS_IN_SPACE = 12.0

# Binary digits to which roots are taken.
_ROOT_DIGITS = 160


def normals(u: FloatArray) -> FloatArray:
    """Return standard normal quantiles of numbers in [0, 1], all finite."""
    return ndtri(np.clip(u, *_OPEN_UNIT))


@dataclass(frozen=True, eq=False, init=False)
class Gaussian(Source):
    """Normal measure.

    In the plane it has exact power diagrams: masses, centroids, costs and facets are right to 1e-12
    of themselves, cells of any shape and in the tails included, while the deviations along the two
    principal axes differ by less than a factor of 100. Cells are drawn to `domain`, a box of 40
    deviations to each side of the mean; the mass beyond is less than 1e-340.

    In space, too: masses and costs are right to 1e-10 of themselves, mostly to 1e-13, and the box
    is one of 12 deviations, with less than 1e-31 of the mass beyond. Wide cells thinner than a
    thousandth of a deviation lose digits: their masses are right to 1e-13 over the thickness.

    Parameters
    ----------
    mean : array_like of shape (d,)
        The mean.
    cov : float, or array_like of shape (d,) or (d, d)
        The variance of all coordinates, the variance of each, or the covariance matrix, which must
        be positive definite.

    Attributes
    ----------
    mean : ndarray of shape (d,)
        The mean.
    cov : ndarray of shape (d,) or (d, d)
        The variances if coordinates are independent, else the covariance matrix, so that all
        spellings of a measure are equal.

    Examples
    --------
    >>> from geomot import Gaussian
    >>> normal = Gaussian([1.0, 0.0], [[4.0, 1.0], [1.0, 2.0]])
    >>> normal.sample(3, random_state=0).shape
    (3, 2)
    >>> Gaussian([0.0, 0.0], 4.0) == Gaussian([0.0, 0.0], [[4.0, 0.0], [0.0, 4.0]])
    True
    >>> float(Gaussian([1.0], 4.0).cdf(1.0))
    0.5
    """

    mean: FloatArray
    cov: FloatArray
    exact_dims: ClassVar[tuple[int, ...]] = (1, 2, 3)

    def __init__(self, mean: ArrayLike, cov: ArrayLike) -> None:
        centre = as_real_array(mean, "mean")
        if centre.ndim != 1 or centre.size == 0:
            raise ValueError(f"mean must have shape (d,), got {centre.shape}")
        centre = as_vector(centre, centre.size, "mean")
        object.__setattr__(self, "mean", read_only(centre.copy()))
        object.__setattr__(self, "cov", read_only(as_covariance(cov, centre.size, "cov")))
        _ = self._factor

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.mean.size

    @property
    def bounds(self) -> FloatArray:
        """Infinite corners, shape (2, d)."""
        return np.repeat([[-np.inf], [np.inf]], self.dim, axis=1)

    @property
    def domain(self) -> ConvexPolygon | ConvexPolyhedron | None:
        """In the plane and in space, the box that cells end at."""
        if self.dim == 3:
            return ConvexPolyhedron.box(*self._box)
        if self.dim != 2:
            return None
        (x0, y0), (x1, y1) = self._box
        return ConvexPolygon(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]))

    @property
    def _box(self) -> FloatArray:
        """Lower and upper corner of what the kernels see."""
        deviations = DEVIATIONS if self.dim < 3 else _DEVIATIONS_IN_SPACE
        reach = deviations * np.sqrt(np.diag(self.covariance))
        box = np.array([self.mean - reach, self.mean + reach])
        if not ((box[0] < self.mean) & (self.mean < box[1])).all():
            raise ValueError(
                f"cov must be large enough for float64 numbers about the mean, got {self}"
            )
        return box

    @property
    def scaled_density(self) -> Callable[[float], Any]:
        """The normal density."""
        if self.dim == 2:
            return normal_density([self], [1.0], self._box)
        if self.dim != 3:
            raise ValueError(f"source must be in the plane or in space, got {self}")
        box, factor = self._box, self._factor
        matrix = np.diag(factor) if factor.ndim == 1 else factor

        def density(scale: float) -> NormalDensity:
            volume = float(np.prod(scale * (box[1] - box[0])))
            return NormalDensity(scale * self.mean, scale * matrix, volume)

        return density

    @cached_property
    def covariance(self) -> FloatArray:
        """Covariance matrix, shape (d, d)."""
        return read_only(np.diag(self.cov)) if self.cov.ndim == 1 else self.cov

    @cached_property
    def _factor(self) -> FloatArray:
        """Deviations, or the lower triangular matrix L with L L^T the covariance."""
        return triangular_factor(self.cov, "cov")

    @property
    def mean_is_estimated(self) -> bool:
        """False: the mean is given."""
        return False

    @property
    def product(self) -> Product:
        """The measure as the image of the standard normal one."""
        return Product("normal", self.mean, self._factor)

    @property
    def n_uniforms(self) -> int:
        """Number of uniform numbers for a point: d."""
        return self.dim

    def sample(self, n: int, random_state: Any = None) -> FloatArray:
        """Draw points; see `Source.sample`.

        Examples
        --------
        >>> from geomot import Gaussian
        >>> Gaussian([0.0, 100.0], [1.0, 4.0]).sample(2, random_state=0).round(2).tolist()
        [[0.13, 99.74], [0.64, 100.21]]
        """
        n = as_count(n, "n")
        return self._image(as_generator(random_state).standard_normal((n, self.dim)))

    def _from_uniforms(self, u: FloatArray) -> FloatArray:
        return self._image(normals(u))

    def _image(self, z: FloatArray) -> FloatArray:
        return self.mean + (z * self._factor if self.cov.ndim == 1 else z @ self._factor.T)

    @cached_property
    def _line(self) -> Distribution:
        return Normal(float(self.mean[0]), float(self._factor[0]))

    def to_dict(self) -> dict[str, Any]:
        """Return the type's name, the mean and the variances or covariances.

        Examples
        --------
        >>> from geomot import Gaussian
        >>> Gaussian([0.0, 1.0], 2.0).to_dict()
        {'type': 'Gaussian', 'mean': array([0., 1.]), 'cov': array([2., 2.])}
        """
        return {"type": "Gaussian", "mean": self.mean, "cov": self.cov}

    def __repr__(self) -> str:
        if self.dim <= 3:
            return f"Gaussian({self.mean.tolist()}, {self.cov.tolist()})"
        kind = "independent coordinates" if self.cov.ndim == 1 else "full covariance"
        return f"Gaussian(<{self.dim} dimensions, {kind}>)"


def as_covariance(cov: Any, d: int, name: str) -> FloatArray:
    """Return variances or a symmetric matrix with positive variances, a new array."""
    array = as_real_array(cov, name)
    if array.shape not in ((), (d,), (d, d)):
        raise ValueError(
            f"{name} must be a number or have shape ({d},) or ({d}, {d}), got {array.shape}"
        )
    as_vector(array.reshape(-1), array.size, name, WEIGHT_LIMIT)
    variances = np.diag(array) if array.ndim == 2 else np.broadcast_to(array, (d,))
    if not (variances > 0.0).all():
        k = int(np.flatnonzero(~(variances > 0.0))[0])
        raise ValueError(
            f"{name} must be positive definite, got variance {variances[k]} of coordinate {k}"
        )
    if array.ndim < 2:
        return variances.copy()
    matrix, exponents = _normalised(array)
    gap = np.abs(matrix - matrix.T)
    if gap.max() > _SYMMETRY_TOLERANCE:
        i, j = (int(k) for k in np.unravel_index(gap.argmax(), gap.shape))
        raise ValueError(
            f"{name} must be symmetric, got {array[i, j]} at {i, j} and {array[j, i]} at {j, i}"
        )
    matrix = 0.5 * matrix + 0.5 * matrix.T
    if not (matrix - np.diag(np.diag(matrix))).any():
        return variances.copy()
    return _rescaled(matrix, exponents)


def triangular_factor(cov: FloatArray, name: str) -> FloatArray:
    """Return the roots of variances, or the lower triangular L with L L^T = cov; read-only."""
    if cov.ndim == 1:
        return read_only(np.sqrt(cov))
    matrix, exponents = _normalised(cov)
    d = len(cov)
    try:
        # Of a singular matrix rounding leaves eigenvalues of either sign.
        np.linalg.cholesky(matrix - d * _SINGULAR * np.eye(d))
        factor = np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        raise ValueError(f"{name} must be positive definite, got a matrix that is not") from None
    return read_only(np.ldexp(factor, exponents[:, None]))


def _normalised(matrix: FloatArray) -> tuple[FloatArray, NDArray[np.intc]]:
    """Return the matrix in units of 2^k in which all variances are near 1, and these k.

    Exact, unless a covariance is below 2^-1074 of these units.
    """
    exponents = (np.frexp(np.diag(matrix))[1] + 1) // 2
    return np.ldexp(np.ldexp(matrix, -exponents[:, None]), -exponents), exponents


def _rescaled(matrix: FloatArray, exponents: NDArray[np.intc]) -> FloatArray:
    return np.ldexp(np.ldexp(matrix, exponents[:, None]), exponents)


def normal_density(
    normals: Sequence[Gaussian], shares: ArrayLike, bounds: FloatArray
) -> Callable[[float], GaussianDensity]:
    """Return the density of a mixture of normal measures, as `Source.scaled_density` does.

    Parameters
    ----------
    normals : sequence of Gaussian
        In the plane.
    shares : array_like of shape (k,)
        Positive.
    bounds : ndarray of shape (2, 2)
        The domain, a box.

    Returns
    -------
    callable
    """

    def density(scale: float) -> GaussianDensity:
        means = scale * np.array([normal.mean for normal in normals])
        whitenings = np.array([whitening(normal.covariance, scale) for normal in normals])
        area = float(np.prod(scale * (bounds[1] - bounds[0])))
        return GaussianDensity(means, whitenings, shares, area)

    return density


def whitening(cov: FloatArray, scale: float) -> FloatArray:
    """The lower triangular W with (W^T W)^-1 = scale^2 cov, as W_xx, W_yx, W_yy in pairs hi, lo."""
    unit = Fraction(scale) ** 2
    (a, b), (_, d) = ([unit * Fraction(float(x)) for x in row] for row in cov)
    along = _root(a / (a * d - b * b))
    rows = [_root(1 / a), -b / a * along, along]
    return np.array([[float(x), float(x - Fraction(float(x)))] for x in rows])


def _root(x: Fraction) -> Fraction:
    """The square root, to many digits."""
    digits = _ROOT_DIGITS + max(x.denominator.bit_length() - x.numerator.bit_length(), 0)
    return Fraction(math.isqrt((x.numerator << (2 * digits)) // x.denominator), 1 << digits)
