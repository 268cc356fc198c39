"""What models of this package share: files, and for codecs the interface to data."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from geomot._files import archive
from geomot._validation import as_count, as_points, as_samples
from geomot.latent._scaling import as_float, chunks

__all__ = ["Codec", "Stored", "plain", "read_mean_and_history", "read_shape"]


class Stored(ABC):
    """A fitted model that goes into a file: plain arrays and a JSON header, without pickle."""

    _format: ClassVar[str]
    _version: ClassVar[int] = 1

    # Parameters that belong to a run and not to the model: they are not in the file.
    _not_stored: ClassVar[tuple[str, ...]] = ("device", "threads", "progress")

    @abstractmethod
    def to_parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What a file of this model holds.

        Returns
        -------
        header : dict
            What JSON can hold.
        arrays : dict of str to ndarray
            The arrays, by name.
        """

    @classmethod
    @abstractmethod
    def from_parts(
        cls, header: Mapping[str, Any], arrays: dict[str, np.ndarray], *, device: Any = "cpu"
    ) -> Self:
        """Make a model from what `to_parts` gave, which may come from an untrusted file.

        Parameters
        ----------
        header : mapping
            The header.
        arrays : dict of str to ndarray
            The arrays.
        device : str or torch.device, default "cpu"
            Where the networks shall be, if the model has any.

        Raises
        ------
        ValueError, TypeError, LookupError
            If they are not those of a model of this class.
        """

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted model to a file, which `load` reads.

        Parameters
        ----------
        path : str or path-like
            The file, exactly as named: an npz archive of plain arrays and a JSON header. It is
            replaced in one step when the new one is complete; the same model always gives the
            same bytes.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the model is not fitted.
        TypeError
            If `path` is no path.
        OSError
            If the file cannot be written.
        """
        header, arrays = self.to_parts()
        archive.write(path, self._format, self._version, header, arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, device: Any = "cpu") -> Self:
        """Read a model that `save` wrote.

        Parameters
        ----------
        path : str or path-like
            The file. It is never executed or unpickled, and may be untrusted.
        device : str or torch.device, default "cpu"
            Where the networks shall be, if the model has any.

        Returns
        -------
        Self
            The fitted model, with the parameters of the one saved, but for those that belong to
            a run: `device`, `threads`, `progress`, and seeds that are no integers.

        Raises
        ------
        ValueError
            If the file is not a complete, undamaged model of this class and version.
        OSError
            If the file cannot be opened.
        """
        build = partial(cls.from_parts, device=device)
        kind = f"a file of {cls.__name__}.save"
        return archive.read(path, cls._format, cls._version, build, kind=kind)

    def _parameters(self) -> dict[str, Any]:
        """The parameters as JSON can hold them."""
        values = {k: v for k, v in self.get_params().items() if k not in self._not_stored}  # type: ignore[attr-defined]
        if "random_state" in values:
            seed = values["random_state"]
            whole = isinstance(seed, (int, np.integer)) and not isinstance(seed, bool)
            values["random_state"] = int(seed) if whole else None
        return {key: plain(value) for key, value in values.items()}

    @classmethod
    def _unfitted(cls, parameters: Mapping[str, Any], device: Any) -> Self:
        """A model with stored parameters."""
        model = cls()
        known = set(model.get_params())  # type: ignore[attr-defined]
        if not isinstance(parameters, dict) or set(parameters) != known - set(cls._not_stored):
            raise ValueError(f"the parameters are not those of {cls.__name__}")
        given = {k: tuple(v) if isinstance(v, list) else v for k, v in parameters.items()}
        if "device" in known:
            given["device"] = device
        return model.set_params(**given)  # type: ignore[attr-defined]


def plain(value: Any) -> Any:
    """A parameter as JSON can hold it; sequences as lists."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (str, int, float, dict)) or value is None:
        return value
    return [plain(v) for v in value]


def read_shape(value: Any) -> tuple[int, ...]:
    """Return the shape of a sample from a header: one to three positive numbers."""
    shape = tuple(as_count(k, "sample_shape", 1) for k in value)
    if not 1 <= len(shape) <= 3:
        raise ValueError(f"sample_shape must have one to three entries, got {shape}")
    return shape


def read_mean_and_history(
    arrays: Mapping[str, np.ndarray], shape: tuple[int, ...], row: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of the data and the history of a training, all that is left of a file.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        The arrays that are left.
    shape : tuple of int
        Shape of one sample.
    row : tuple of int
        Shape of one entry of the history.

    Returns
    -------
    mean : ndarray of shape `shape`
    history : ndarray of shape (n_epochs, *row)
    """
    if set(arrays) != {"mean", "history"}:
        raise ValueError(f"it must hold mean and history, got {sorted(arrays)}")
    mean, history = arrays["mean"], arrays["history"]
    if mean.shape != shape or mean.dtype != np.float64 or not np.isfinite(mean).all():
        raise ValueError(f"mean must hold finite float64 numbers in the shape {shape}")
    if history.shape[1:] != row or history.dtype != np.float64:
        raise ValueError(f"history must hold float64 numbers in the shape {('n', *row)}")
    return mean, history


class Codec(TransformerMixin, BaseEstimator, Stored):
    """What every codec offers once it can encode and decode a few samples at a time."""

    sample_shape_: tuple[int, ...]

    @abstractmethod
    def _encode(self, rows: np.ndarray) -> np.ndarray:
        """Codes of some samples, given as float64."""

    @abstractmethod
    def _decode(self, codes: np.ndarray) -> np.ndarray:
        """Samples of some codes, flat or in their shape."""

    def encode(self, X: Any) -> np.ndarray:
        """Map data to codes.

        Parameters
        ----------
        X : array_like of shape (n, *sample_shape_)
            The data; uint8 is divided by 255.

        Returns
        -------
        codes : ndarray of shape (n, latent_dim), float64
        """
        check_is_fitted(self)
        X = as_samples(X, "X", self.sample_shape_)
        return np.concatenate([self._encode(as_float(X[part])) for part in chunks(X)])

    def decode(self, codes: Any) -> np.ndarray:
        """Map codes to data.

        Parameters
        ----------
        codes : array_like of shape (n, latent_dim)
            The codes.

        Returns
        -------
        X : ndarray of shape (n, *sample_shape_), float64
            In the units of the training data, for those of uint8 from 0 to 1. Nothing is clipped:
            images may lie a little outside their range.
        """
        check_is_fitted(self)
        codes = as_points(codes, "codes", self._latent_dim())
        out = np.empty((len(codes), *self.sample_shape_))
        for part in chunks(out):
            out[part] = self._decode(codes[part]).reshape(out[part].shape)
        return out

    @abstractmethod
    def _latent_dim(self) -> int:
        """Dimension of the codes of the fitted codec."""

    def transform(self, X: Any) -> np.ndarray:
        """Codes of the data: the same as `encode`."""
        return self.encode(X)

    def inverse_transform(self, codes: Any) -> np.ndarray:
        """Data from codes: the same as `decode`."""
        return self.decode(codes)

    def reconstruction_error(self, X: Any) -> float:
        """Mean squared difference between data and their reconstructions.

        Parameters
        ----------
        X : array_like of shape (n, *sample_shape_)
            The data; uint8 is divided by 255.

        Returns
        -------
        float
            The mean over samples and features, in the units that `decode` gives.
        """
        check_is_fitted(self)
        X = as_samples(X, "X", self.sample_shape_)
        total = 0.0
        for part in chunks(X):
            rows = as_float(X[part])
            again = self._decode(self._encode(rows)).reshape(rows.shape)
            total += float(((again - rows) ** 2).sum())
        return total / X.size
