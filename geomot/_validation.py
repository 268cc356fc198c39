"""Checks of arguments: each returns the value in its one internal form, or names the argument.

Arrays come back as C-contiguous float64 in native byte order, without a copy where the input is
that already; inputs are never written to. What cannot be meant as real numbers (None, booleans,
complex numbers, objects, text, `numpy.matrix`, masked and sparse arrays) is a TypeError, numbers
that make no sense (NaN, wrong shapes, negative masses) a ValueError.
"""

from __future__ import annotations

import math
import numbers
import os
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geomot._constants import (
    COORDINATE_LIMIT,
    MASS_SUM_ROUNDING,
    MASS_SUM_TOLERANCE,
    MAX_THREADS,
    TRANSPOSED_COLUMNS,
    TRANSPOSED_ROWS,
    WEIGHT_LIMIT,
)
from geomot._double_double import two_sum

__all__ = [
    "as_absolute_tolerance",
    "as_count",
    "as_flag",
    "as_generator",
    "as_masses",
    "as_partial_masses",
    "as_path",
    "as_plain_array",
    "as_points",
    "as_real",
    "as_real_array",
    "as_samples",
    "as_threads",
    "as_tolerance",
    "as_vector",
    "as_weights",
    "check_single",
    "warn_if_masses",
    "warn_if_outside_the_unit_box",
    "warn_if_transposed",
]

FloatArray = NDArray[np.float64]


def as_real_array(x: Any, name: str) -> FloatArray:
    """Return `x` as C-contiguous float64, whatever its shape and values.

    Parameters
    ----------
    x : array_like
        Numbers: arrays of any layout, byte order and real dtype, nested sequences, or objects
        that numpy converts to such arrays.
    name : str
        The argument's name, for the message.

    Returns
    -------
    ndarray of float64
        Possibly `x` itself.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.
    ValueError
        If `x` is a ragged sequence.
    """
    array = as_plain_array(x, name)
    # A wider float may overflow here: the infinity is refused by the caller's check.
    with np.errstate(over="ignore"):
        return np.require(array, dtype=np.float64, requirements=["C", "A"])


def as_plain_array(x: Any, name: str) -> np.ndarray:
    """Return `x` as an array of real numbers, of whatever dtype and layout.

    Parameters
    ----------
    x : array_like
        Numbers, as for `as_real_array`.
    name : str
        The argument's name, for the message.

    Returns
    -------
    ndarray
        Possibly a view of `x`.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.
    ValueError
        If `x` is a ragged sequence.
    """
    if x is None:
        raise TypeError(f"{name} must be an array of real numbers, got None")
    if isinstance(x, (np.matrix, np.ma.MaskedArray)):
        raise TypeError(f"{name} must be a plain array, got {type(x).__name__}")
    try:
        array = np.asarray(x)
    except ValueError:
        raise ValueError(f"{name} must be rectangular, got rows of different lengths") from None
    except (TypeError, RuntimeError) as error:
        raise TypeError(f"{name} must be convertible to an array: {error}") from None
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name} must hold real numbers, got {_held(x, array)}")
    return array


def _held(x: Any, array: np.ndarray) -> str:
    """Describe what is held instead of numbers; for a table, where."""
    if array.ndim == 0:
        return type(x).__name__
    columns, dtypes = getattr(x, "columns", None), getattr(x, "dtypes", None)
    if array.ndim == 2 and columns is not None and dtypes is not None:
        for column, dtype in zip(columns, dtypes, strict=True):
            if getattr(dtype, "kind", "O") not in "fiu":
                return f"{dtype} in column {column!r}: select the columns with numbers"
    return f"dtype {array.dtype}"


def _check_range(array: FloatArray | NDArray[np.float32], name: str, limit: float) -> None:
    # Two reductions settle the usual case; NaN fails the comparisons too. A limit beyond float32
    # would become infinity beside float32 numbers, so that they are compared as float64.
    if array.size == 0 or (float(array.min()) >= -limit and float(array.max()) <= limit):
        return
    bad = ~(np.abs(array, dtype=np.float64) <= limit)
    index = tuple(int(k) for k in np.argwhere(bad)[0])
    where = index[0] if len(index) == 1 else index
    value = array[index]
    if math.isfinite(value):
        raise ValueError(f"{name} must not exceed {limit:.3g} in magnitude, got {value} at {where}")
    raise ValueError(
        f"{name} must be finite, got {value} at index {where}; NaN and inf are refused"
    )


def check_single(array: FloatArray, name: str) -> None:
    """Refuse numbers that float32 does not hold.

    Parameters
    ----------
    array : ndarray
        The numbers.
    name : str
        The argument's name, for the message.

    Raises
    ------
    ValueError
        Naming the first of them.
    """
    _check_range(array, name, float(np.finfo(np.float32).max))


def as_points(
    x: Any, name: str, dim: int | None = None, *, allow_empty: bool = False
) -> FloatArray:
    """Return `x` as an (n, d) array of finite coordinates.

    Parameters
    ----------
    x : array_like of shape (n, d)
        The points.
    name : str
        The argument's name, for the message.
    dim : int, optional
        The required number of columns; any positive number if None.
    allow_empty : bool, default False
        Whether n = 0 is allowed.

    Returns
    -------
    ndarray of shape (n, d), float64, C-contiguous
        Possibly `x` itself.
    """
    points = as_real_array(x, name)
    if points.ndim != 2 or (dim is not None and points.shape[1] != dim) or points.shape[1] == 0:
        columns = "d" if dim is None else dim
        meant = ""
        if points.ndim == 1 and len(points) == dim:
            meant = ": for a single point, pass a list that holds it"
        elif points.ndim == 1 and dim in (None, 1):
            meant = ": for points on the line, pass a column of shape (n, 1)"
        raise ValueError(f"{name} must have shape (n, {columns}), got {points.shape}{meant}")
    if points.shape[0] == 0 and not allow_empty:
        raise ValueError(f"{name} must hold at least one point, got shape {points.shape}")
    _check_range(points, name, COORDINATE_LIMIT)
    return points


def warn_if_transposed(points: FloatArray, name: str) -> None:
    """Warn of points that are probably the columns of an array, not its rows.

    Parameters
    ----------
    points : ndarray of shape (n, d)
        What `as_points` returned.
    name : str
        The argument's name, for the message.

    Warns
    -----
    UserWarning
        If there are at most 3 points in at least 100 dimensions.
    """
    n, d = points.shape
    if n <= TRANSPOSED_ROWS and d >= TRANSPOSED_COLUMNS:
        warnings.warn(
            f"{name} has shape {(n, d)}, which means {n} points in {d} dimensions: pass {name}.T "
            f"if it holds the coordinates of {d} points",
            UserWarning,
            stacklevel=3,
        )


def warn_if_outside_the_unit_box(points: FloatArray, name: str) -> None:
    """Warn of points that no default source reaches: their unit is probably another.

    Parameters
    ----------
    points : ndarray of shape (n, d)
        What `as_points` returned.
    name : str
        The argument's name, for the message.

    Warns
    -----
    UserWarning
        If none of them lies in [0, 1]^d.
    """
    if not ((points >= 0.0) & (points <= 1.0)).all(axis=1).any():
        warnings.warn(
            f"no row of {name} lies in the unit box, the default source: pass a source, such as "
            f"UniformBox({name}.min(axis=0), {name}.max(axis=0))",
            UserWarning,
            stacklevel=3,
        )


def warn_if_masses(values: FloatArray, name: str, meant: str) -> None:
    """Warn of numbers that are probably masses where something else is expected.

    Parameters
    ----------
    values : ndarray of shape (n,)
        The numbers.
    name : str
        The argument's name, for the message.
    meant : str
        What the argument is for, and where masses go instead.

    Warns
    -----
    UserWarning
        If there are at least two, all are positive and they sum to 1.
    """
    if len(values) > 1 and values.min() > 0.0 and abs(values.sum() - 1.0) <= MASS_SUM_TOLERANCE:
        warnings.warn(
            f"{name} holds positive numbers that sum to 1, like masses: {meant}",
            UserWarning,
            stacklevel=3,
        )


def as_samples(
    x: Any, name: str, shape: tuple[int, ...] | None = None
) -> NDArray[np.float64] | NDArray[np.float32] | NDArray[np.uint8]:
    """Return `x` as samples of one shape: vectors, or images with or without channels.

    Parameters
    ----------
    x : array_like of shape (n, features), (n, h, w) or (n, c, h, w)
        The samples, at least one.
    name : str
        The argument's name, for the message.
    shape : tuple of int, optional
        The required shape of one sample; any of the three kinds if None.

    Returns
    -------
    ndarray, C-contiguous
        What numpy takes for uint8 or float32 as it is, everything else as float64. Finite;
        possibly `x` itself.
    """
    array = as_plain_array(x, name)
    plain = array.dtype in (np.uint8, np.float32) and array.dtype.isnative
    samples = np.require(array, requirements=["C", "A"]) if plain else as_real_array(array, name)
    if shape is not None:
        if samples.shape[1:] != shape or samples.ndim == 0:
            expected = ", ".join(str(k) for k in ("n", *shape))
            one = samples.size == math.prod(shape)
            raise ValueError(
                f"{name} must have shape ({expected}), got {samples.shape}"
                f"{f'. Reshape your data: {name}[None] is one sample' if one else ''}"
            )
    elif not 2 <= samples.ndim <= 4 or 0 in samples.shape[1:]:
        advice = f". Reshape your data: {name}.reshape(1, -1) is one sample"
        raise ValueError(
            f"{name} must have shape (n, features), (n, h, w) or (n, c, h, w), "
            f"got {samples.shape}{advice if samples.ndim == 1 else ''}"
        )
    if len(samples) == 0:
        raise ValueError(f"{name} must hold at least one sample, got shape {samples.shape}")
    if samples.dtype.kind == "f":
        _check_range(samples, name, COORDINATE_LIMIT)
    return samples


def as_vector(x: Any, n: int, name: str, limit: float = COORDINATE_LIMIT) -> FloatArray:
    """Return `x` as a vector of `n` finite numbers.

    Parameters
    ----------
    x : array_like of shape (n,)
        The numbers.
    n : int
        The required length.
    name : str
        The argument's name, for the message.
    limit : float
        The largest magnitude allowed.

    Returns
    -------
    ndarray of shape (n,), float64, C-contiguous
        Possibly `x` itself.
    """
    vector = as_real_array(x, name)
    if vector.shape != (n,):
        raise ValueError(f"{name} must have shape ({n},), got {vector.shape}")
    _check_range(vector, name, limit)
    return vector


def as_weights(x: Any, n: int, name: str = "weights") -> tuple[FloatArray, FloatArray]:
    """Return power weights as the two parts of an unevaluated sum hi + lo.

    Parameters
    ----------
    x : array_like of shape (n,) or (n, 2), or None
        The weights; rows (hi, lo) stand for the exact sum. None stands for zeros.
    n : int
        The number of sites.
    name : str, default "weights"
        The argument's name, for the message.

    Returns
    -------
    hi, lo : ndarray of shape (n,), float64, C-contiguous
        With hi the float64 nearest to hi + lo; new arrays.
    """
    if x is None:
        return np.zeros(n), np.zeros(n)
    array = as_real_array(x, name)
    if array.shape not in ((n,), (n, 2)):
        raise ValueError(f"{name} must have shape ({n},) or ({n}, 2), got {array.shape}")
    _check_range(array, name, WEIGHT_LIMIT)
    if array.ndim == 1:
        return array.copy(), np.zeros(n)
    return two_sum(array[:, 0], array[:, 1])


def as_masses(
    x: Any, n: int, name: str = "target_masses", *, normalize: bool | None = None
) -> FloatArray:
    """Return non-negative masses that sum to 1.

    Parameters
    ----------
    x : array_like of shape (n,), or None
        The masses; None stands for equal ones. Zeros are allowed.
    n : int
        The number of sites.
    name : str, default "target_masses"
        The argument's name, for the message.
    normalize : bool, optional
        Divide by the sum whatever it is. Otherwise a sum that differs from 1 by more than
        rounding is refused; the message names this argument unless it is None, which stands for a
        caller that has none of the name.

    Returns
    -------
    ndarray of shape (n,), float64
        A new array, whose sum is 1 within rounding.
    """
    if x is None:
        return np.full(n, 1.0 / n)
    # Zero is added to turn -0.0 into 0.0, and to copy.
    masses = as_vector(x, n, name, WEIGHT_LIMIT) + 0.0
    if (masses < 0.0).any():
        i = int(np.flatnonzero(masses < 0.0)[0])
        raise ValueError(f"{name} must not be negative, got {masses[i]} at index {i}")
    # fsum rounds once: the sum does not depend on the order of the sites.
    total = math.fsum(masses.data)
    if total == 0.0:
        raise ValueError(f"{name} must have a positive sum, got only zeros")
    if not normalize and abs(total - 1.0) > MASS_SUM_TOLERANCE:
        advice = (
            "divide by the sum"
            if normalize is None
            else "divide by the sum, or pass normalize=True"
        )
        raise ValueError(f"{name} must sum to 1, got {total}: {advice}")
    if abs(total - 1.0) > MASS_SUM_ROUNDING:
        # The power of two comes first, so that a tiny sum does not overflow its reciprocal.
        shift = -math.frexp(total)[1]
        masses = np.ldexp(masses, shift) / math.ldexp(total, shift)
    return masses


def as_partial_masses(
    x: Any, n: int, name: str = "target_masses", *, normalize: bool = False
) -> FloatArray:
    """Return non-negative masses that sum to less than 1.

    Parameters
    ----------
    x : array_like of shape (n,)
        The masses. Zeros are allowed.
    n : int
        The number of sites.
    name : str, default "target_masses"
        The argument's name, for the message.
    normalize : bool, default False
        Refused: the sum says how much is transported.

    Returns
    -------
    ndarray of shape (n,), float64
        A new array.
    """
    if x is None:
        raise ValueError(f"{name} must be given for partial transport")
    if normalize:
        raise ValueError("normalize must be False for partial transport")
    masses = as_vector(x, n, name, WEIGHT_LIMIT) + 0.0
    if (masses < 0.0).any():
        i = int(np.flatnonzero(masses < 0.0)[0])
        raise ValueError(f"{name} must not be negative, got {masses[i]} at index {i}")
    total = math.fsum(masses.data)
    if not 0.0 < total < 1.0 - MASS_SUM_ROUNDING:
        raise ValueError(
            f"{name} must have a sum between 0 and 1 for partial transport, got {total}"
        )
    return masses


def as_threads(threads: Any, name: str = "threads") -> int:
    """Return a number of threads; None stands for the cores that this process may use."""
    if threads is None:
        if hasattr(os, "sched_getaffinity"):
            return min(len(os.sched_getaffinity(0)), MAX_THREADS)
        return min(os.cpu_count() or 1, MAX_THREADS)
    return min(as_count(threads, name, 1), MAX_THREADS)


def as_path(path: Any, name: str = "path") -> str:
    """Return a path as text, exactly as it is named."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"{name} must be a string or path, got {type(path).__name__}")
    return os.fsdecode(path)


def as_real(value: Any, name: str) -> float:
    """Return a finite number.

    Parameters
    ----------
    value : float
        The number.
    name : str
        The argument's name, for the message.

    Returns
    -------
    float
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {type(value).__name__}")
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, got {value}")
    return float(value)


def as_flag(value: Any, name: str) -> bool:
    """Return True or False.

    Parameters
    ----------
    value : bool
        One of them, of Python or of numpy.
    name : str
        The argument's name, for the message.

    Returns
    -------
    bool
    """
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def as_tolerance(tol: Any, name: str = "tol") -> float:
    """Return a tolerance: a positive finite float."""
    if isinstance(tol, (bool, np.bool_)) or not isinstance(tol, numbers.Real):
        raise TypeError(f"{name} must be a positive number, got {type(tol).__name__}")
    value = float(tol)
    if not (math.isfinite(value) and value > 0.0):
        raise ValueError(f"{name} must be positive and finite, got {value}")
    return value


def as_absolute_tolerance(atol: Any, name: str = "atol") -> float:
    """Return a tolerance of masses whose sum is 1: a float from 0 up to, but not, 1."""
    if isinstance(atol, (bool, np.bool_)) or not isinstance(atol, numbers.Real):
        raise TypeError(f"{name} must be a number from 0 to below 1, got {type(atol).__name__}")
    value = float(atol)
    if not 0.0 <= value < 1.0:
        raise ValueError(f"{name} must be at least 0 and less than 1, got {value}")
    return value


def as_count(value: Any, name: str, minimum: int = 0) -> int:
    """Return an integer that is at least `minimum`; floats and booleans are refused."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer, got {type(value).__name__}")
    count = int(value)
    if count < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {count}")
    return count


def as_generator(random_state: Any, name: str = "random_state") -> np.random.Generator:
    """Return a random generator.

    Parameters
    ----------
    random_state : None, int, Generator, RandomState, BitGenerator or SeedSequence
        None draws fresh entropy. A Generator is used as it is, and a RandomState through its
        stream: both advance.
    name : str, default "random_state"
        The argument's name, for the message.

    Returns
    -------
    numpy.random.Generator
    """
    if isinstance(random_state, np.random.Generator):
        return random_state
    if isinstance(random_state, np.random.RandomState):
        return np.random.Generator(random_state._bit_generator)
    if random_state is None or isinstance(
        random_state, (np.random.BitGenerator, np.random.SeedSequence)
    ):
        return np.random.default_rng(random_state)
    if isinstance(random_state, numbers.Integral) and not isinstance(random_state, bool):
        return np.random.default_rng(as_count(random_state, name, 0))
    raise TypeError(
        f"{name} must be None, an integer or a numpy random generator, "
        f"got {type(random_state).__name__}"
    )
