"""The linear codec: principal components."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from sklearn.decomposition import PCA
from sklearn.utils.validation import check_is_fitted

from geomot._files.archive import as_number
from geomot._validation import as_count, as_samples
from geomot.latent._codec import Codec, read_shape
from geomot.latent._scaling import as_float

__all__ = ["PCACodec"]

# Above this product of the data's two sides and the lesser of them, the full decomposition takes
# more than seconds, and Lanczos iterations find the leading components instead.
_FULL_WORK = 2e10

_ARRAYS = ("components_", "mean_", "explained_variance_", "explained_variance_ratio_")


class PCACodec(Codec):
    """Linear codec by principal components: the best linear pair for the squared error.

    Parameters
    ----------
    latent_dim : int, default 2
        Dimension of the codes.

    Attributes
    ----------
    pca_ : sklearn.decomposition.PCA
        The fitted components, on flattened samples.
    sample_shape_ : tuple of int
        Shape of one sample.
    n_features_in_ : int
        Numbers in one sample.

    Examples
    --------
    >>> from geomot.datasets import digits
    >>> from geomot.latent import PCACodec
    >>> images, labels = digits()
    >>> codec = PCACodec().fit(images)
    >>> codec.encode(images).shape, codec.decode([[0.0, 0.0]]).shape
    ((1797, 2), (1, 64))
    """

    _format = "geomot-pca"

    def __init__(self, latent_dim: int = 2) -> None:
        self.latent_dim = latent_dim

    def fit(self, X: Any, y: Any = None) -> PCACodec:
        """Compute the principal components.

        Parameters
        ----------
        X : array_like of shape (n, features), (n, h, w) or (n, c, h, w)
            The data; uint8 is divided by 255.
        y : ignored
            For the interface of scikit-learn.

        Returns
        -------
        PCACodec
            The codec itself.

        Raises
        ------
        ValueError
            If `X` is not finite or of another shape, or `latent_dim` larger than its sides.
        """
        X = as_samples(X, "X")
        flat = as_float(X).reshape(len(X), -1)
        latent_dim = as_count(self.latent_dim, "latent_dim", 1)
        least = min(flat.shape)
        if latent_dim > least:
            raise ValueError(f"latent_dim must be at most {least}, got {latent_dim}")
        full = flat.size * least <= _FULL_WORK or latent_dim == least
        solver = "full" if full else "arpack"
        with np.errstate(invalid="ignore"):
            self.pca_ = PCA(latent_dim, svd_solver=solver, random_state=0).fit(flat)
        if not self.pca_.explained_variance_.any():
            # Data that are all equal: there is no variance to take shares of, and 0 / 0 is NaN.
            self.pca_.explained_variance_ratio_ = np.zeros(latent_dim)
        # As a file keeps them: in another order, products could differ in the last bits.
        self.pca_.components_ = np.ascontiguousarray(self.pca_.components_)
        self.sample_shape_ = X.shape[1:]
        self.n_features_in_ = flat.shape[1]
        return self

    def _encode(self, rows: np.ndarray) -> np.ndarray:
        return self.pca_.transform(rows.reshape(len(rows), -1))

    def _decode(self, codes: np.ndarray) -> np.ndarray:
        return self.pca_.inverse_transform(codes)

    def _latent_dim(self) -> int:
        return self.pca_.n_components_

    def to_parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Header and arrays of a file; see `Stored.to_parts`."""
        check_is_fitted(self)
        header = {
            "parameters": self._parameters(),
            "sample_shape": list(self.sample_shape_),
            "n_samples": self.pca_.n_samples_,
            "noise_variance": float(self.pca_.noise_variance_),
        }
        names = (*_ARRAYS, "singular_values_")
        return header, {key.strip("_"): np.asarray(getattr(self.pca_, key)) for key in names}

    @classmethod
    def from_parts(
        cls, header: Mapping[str, Any], arrays: dict[str, np.ndarray], *, device: Any = "cpu"
    ) -> Self:
        """Make a codec from header and arrays; see `Stored.from_parts`."""
        codec = cls._unfitted(header["parameters"], device)
        codec.sample_shape_ = read_shape(header["sample_shape"])
        features = codec.n_features_in_ = math.prod(codec.sample_shape_)
        k = as_count(codec.latent_dim, "latent_dim", 1)
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys((*_ARRAYS, "singular_values_"), (k,))
        shapes |= {"components_": (k, features), "mean_": (features,)}
        if {key.strip("_"): shape for key, shape in shapes.items()} != {
            key: array.shape for key, array in arrays.items()
        }:
            raise ValueError(f"the arrays must have the shapes {shapes}")
        pca = PCA(k)
        for key in shapes:
            array = arrays[key.strip("_")]
            if array.dtype != np.float64 or not np.isfinite(array).all():
                raise ValueError(f"{key} must hold finite float64 numbers")
            setattr(pca, key, array)
        pca.n_components_, pca.n_features_in_ = k, features
        pca.n_samples_ = as_count(header["n_samples"], "n_samples", 1)
        pca.noise_variance_ = as_number(header["noise_variance"], "noise_variance")
        codec.pca_ = pca
        return codec
