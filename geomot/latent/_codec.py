"""What models of this package share: files, and for codecs the interface to data."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from geomot._estimators import new_samples
from geomot._files.parts import Record
from geomot._validation import as_points
from geomot.latent._scaling import as_float, chunks
from geomot.latent._torch import as_device, import_torch

__all__ = ["Codec", "Stored"]


class Stored:
    """A fitted model that goes into a file: plain arrays and a JSON header, without pickle."""

    _record: ClassVar[Record]

    # Parameters that belong to a run and not to the model: they are not in the file.
    _not_stored: ClassVar[tuple[str, ...]] = ("device", "threads", "progress")

    def _to_parts(self) -> Mapping[str, Any]:
        """The attributes that go into a file, except the parameters."""
        return vars(self)

    def _set_parts(self, parts: dict[str, Any], device: Any) -> None:
        """Make an unfitted model with its parameters the fitted one of a file."""
        vars(self).update(parts)

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
            If `path` is not a path.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import numpy as np
        >>> from geomot.latent import PCACodec
        >>> X = np.random.default_rng(0).random((20, 5))
        >>> codec = PCACodec(2).fit(X)
        >>> import os, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     codec.save(os.path.join(folder, "codec.npz"))
        ...     os.listdir(folder)
        ['codec.npz']
        """
        check_is_fitted(self)
        self._record.write(path, {**self._to_parts(), "parameters": self._parameters()})

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, device: Any = None) -> Self:
        """Read a model that `save` wrote.

        Parameters
        ----------
        path : str or path-like
            The file. It is never executed or unpickled, and may be untrusted.
        device : str or torch.device, optional
            Where the networks shall be, if the model has any, such as "cuda"; None: the CPU.

        Returns
        -------
        Self
            The fitted model, with the parameters of the one saved, except those that belong to
            a run: `device`, `threads`, `progress`, and seeds that are no integers.

        Raises
        ------
        ValueError
            If the file is not a complete, undamaged model of this class and version.
        OSError
            If the file cannot be opened.

        Examples
        --------
        >>> import numpy as np
        >>> from geomot.latent import PCACodec
        >>> X = np.random.default_rng(0).random((20, 5))
        >>> codec = PCACodec(2).fit(X)
        >>> import os, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     codec.save(os.path.join(folder, "codec.npz"))
        ...     again = PCACodec.load(os.path.join(folder, "codec.npz"))
        >>> bool((again.encode(X) == codec.encode(X)).all())
        True
        """
        place = device
        if "device" in cls._get_param_names():  # type: ignore[attr-defined]
            place = as_device(import_torch(f"latent.{cls.__name__}"), device)

        def build(parameters: Mapping[str, Any], **parts: Any) -> Any:
            model = cls._unfitted(parameters, device)
            model._set_parts(parts, place)
            return model

        return cls._record.read(path, build, f"a file of {cls.__name__}.save")

    def _parameters(self) -> dict[str, Any]:
        """The parameters that are stored."""
        values = {k: v for k, v in self.get_params().items() if k not in self._not_stored}  # type: ignore[attr-defined]
        if "random_state" in values:
            seed = values["random_state"]
            whole = isinstance(seed, (int, np.integer)) and not isinstance(seed, bool)
            values["random_state"] = int(seed) if whole else None
        return values

    @classmethod
    def _unfitted(cls, parameters: Mapping[str, Any], device: Any) -> Self:
        """A model with stored parameters."""
        model = cls()
        known = set(model.get_params())  # type: ignore[attr-defined]
        if set(parameters) != known - set(cls._not_stored):
            raise ValueError(f"the parameters are not those of {cls.__name__}")
        given = {k: tuple(v) if isinstance(v, list) else v for k, v in parameters.items()}
        if "device" in known:
            given["device"] = device
        return model.set_params(**given)  # type: ignore[attr-defined]


class Codec(TransformerMixin, BaseEstimator, Stored):
    """What every codec offers once it can encode and decode a few samples at a time."""

    sample_shape_: tuple[int, ...]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = []
        return tags

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

        Examples
        --------
        >>> import numpy as np
        >>> from geomot.latent import PCACodec
        >>> X = np.random.default_rng(0).random((20, 5))
        >>> codec = PCACodec(2).fit(X)
        >>> codec.encode(X).shape
        (20, 2)
        """
        check_is_fitted(self)
        X = new_samples(self, X, self.sample_shape_)
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

        Examples
        --------
        >>> import numpy as np
        >>> from geomot.latent import PCACodec
        >>> X = np.random.default_rng(0).random((20, 5))
        >>> codec = PCACodec(2).fit(X)
        >>> codec.decode([[0.0, 0.0]]).shape
        (1, 5)
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
        """Codes of the data: the same as `encode`.

        Examples
        --------
        >>> from geomot.datasets import digits
        >>> from geomot.latent import PCACodec
        >>> images, _ = digits()
        >>> PCACodec(2).fit(images).transform(images[:3]).shape
        (3, 2)
        """
        return self.encode(X)

    def inverse_transform(self, codes: Any) -> np.ndarray:
        """Data from codes: the same as `decode`.

        Examples
        --------
        >>> from geomot.datasets import digits
        >>> from geomot.latent import PCACodec
        >>> images, _ = digits()
        >>> codec = PCACodec(2).fit(images)
        >>> codec.inverse_transform(codec.transform(images[:3])).shape
        (3, 64)
        """
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

        Examples
        --------
        >>> import numpy as np
        >>> from geomot.latent import PCACodec
        >>> X = np.random.default_rng(0).random((20, 5))
        >>> codec = PCACodec(2).fit(X)
        >>> bool(0.0 < codec.reconstruction_error(X) < X.var())
        True
        """
        check_is_fitted(self)
        X = new_samples(self, X, self.sample_shape_)
        total = 0.0
        for part in chunks(X):
            rows = as_float(X[part])
            again = self._decode(self._encode(rows)).reshape(rows.shape)
            total += float(((again - rows) ** 2).sum())
        return total / X.size
