"""The linear codec: principal components."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
from sklearn.decomposition import PCA

from geomot._estimators import remember_features, training_samples
from geomot._files.parts import Array, Entry, Record, as_mapping, as_number, as_shape
from geomot._validation import as_count
from geomot.latent._codec import Codec
from geomot.latent._scaling import as_float

__all__ = ["PCACodec"]

# Above this product of the data's two sides and the lesser of them, the full decomposition takes
# more than seconds, and Lanczos iterations find the leading components instead.
_FULL_WORK = 2e10


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

    _record = Record(
        "geomot-pca",
        {
            "parameters": Entry(as_mapping),
            "sample_shape_": Entry(as_shape),
            "n_samples_": Entry(partial(as_count, minimum=1)),
            "noise_variance_": Entry(as_number),
            "components_": Array(("k", "features")),
            "mean_": Array(("features",)),
            "explained_variance_": Array(("k",)),
            "explained_variance_ratio_": Array(("k",)),
            "singular_values_": Array(("k",)),
        },
    )

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

        Examples
        --------
        >>> import numpy as np
        >>> from geomot.latent import PCACodec
        >>> PCACodec(2).fit(np.random.default_rng(0).random((20, 5))).sample_shape_
        (5,)
        """
        data = training_samples(self, X)
        flat = as_float(data).reshape(len(data), -1)
        latent_dim = as_count(self.latent_dim, "latent_dim", 1)
        least = min(flat.shape)
        if latent_dim > least:
            raise ValueError(
                f"latent_dim must be at most {least}, got {latent_dim} for n_samples = {len(flat)} "
                f"and n_features = {flat.shape[1]}"
            )
        full = flat.size * least <= _FULL_WORK or latent_dim == least
        solver = "full" if full else "arpack"
        with np.errstate(invalid="ignore"):
            self.pca_ = PCA(latent_dim, svd_solver=solver, random_state=0).fit(flat)
        if not self.pca_.explained_variance_.any():
            # Data that are all equal: there is no variance to take shares of, and 0 / 0 is NaN.
            self.pca_.explained_variance_ratio_ = np.zeros(latent_dim)
        # As a file keeps them: in another order, products could differ in the last bits.
        self.pca_.components_ = np.ascontiguousarray(self.pca_.components_)
        self.sample_shape_ = data.shape[1:]
        remember_features(self, X)
        return self

    def _encode(self, rows: np.ndarray) -> np.ndarray:
        return self.pca_.transform(rows.reshape(len(rows), -1))

    def _decode(self, codes: np.ndarray) -> np.ndarray:
        return self.pca_.inverse_transform(codes)

    def _latent_dim(self) -> int:
        return self.pca_.n_components_

    def _to_parts(self) -> dict[str, Any]:
        return {"sample_shape_": self.sample_shape_, **vars(self.pca_)}

    def _set_parts(self, parts: dict[str, Any], device: Any) -> None:
        self.sample_shape_ = parts.pop("sample_shape_")
        self.n_features_in_ = math.prod(self.sample_shape_)
        shape = as_count(self.latent_dim, "latent_dim", 1), self.n_features_in_
        if parts["components_"].shape != shape:
            raise ValueError(f"components must have shape {shape}")
        self.pca_ = PCA(self.latent_dim)
        vars(self.pca_).update(parts)
        self.pca_.n_components_, self.pca_.n_features_in_ = shape
