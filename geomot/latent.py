"""Codecs: pairs of maps between data and a latent space of few dimensions.

A codec is trained alone, with no prior on the latent space; the transport map is then fitted to the
codes. `Autoencoder` needs PyTorch (``pip install "geomot[torch]"``), which is imported when one is
fitted, never before; `PCACodec` has the same interface and needs nothing more.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.utils.validation import check_is_fitted

from geomot._validation import as_count, as_generator, as_points, as_threads, as_tolerance

__all__ = ["Autoencoder", "PCACodec"]

# Rows that pass through a network at once outside training: bounds the memory, not the result.
_CHUNK = 16384

# The step is reduced by this factor each time the validation error has not improved for a third of
# the patience, so that a fit ends with at least two reductions before it is stopped.
_STEP_REDUCTION = 0.3


def _import_torch() -> ModuleType:
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            'geomot.latent.Autoencoder needs PyTorch: pip install "geomot[torch]" '
            "(geomot.latent.PCACodec does without)"
        ) from error
    return torch


class _Codec(TransformerMixin, BaseEstimator):
    """What every codec offers once it has `encode` and `decode`."""

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
        X : array_like of shape (n, n_features)
            The data.

        Returns
        -------
        float
            The mean over samples and features.
        """
        X = as_points(X, "X")
        return float(np.mean((self.decode(self.encode(X)) - X) ** 2))


class PCACodec(_Codec):
    """Linear codec by principal components: the best linear pair for the squared error.

    Parameters
    ----------
    latent_dim : int, default 2
        Dimension of the codes.

    Attributes
    ----------
    pca_ : sklearn.decomposition.PCA
        The fitted components.
    n_features_in_ : int
        Dimension of the data.

    Examples
    --------
    >>> from geomot.datasets import digits
    >>> from geomot.latent import PCACodec
    >>> images, labels = digits()
    >>> codec = PCACodec().fit(images)
    >>> codec.encode(images).shape, codec.decode([[0.0, 0.0]]).shape
    ((1797, 2), (1, 64))
    """

    def __init__(self, latent_dim: int = 2) -> None:
        self.latent_dim = latent_dim

    def fit(self, X: Any, y: Any = None) -> PCACodec:
        """Compute the principal components.

        Parameters
        ----------
        X : array_like of shape (n, n_features)
            The data.
        y : ignored
            For the interface of scikit-learn.

        Returns
        -------
        PCACodec
            The codec itself.
        """
        X = as_points(X, "X")
        latent_dim = as_count(self.latent_dim, "latent_dim", 1)
        if latent_dim > min(X.shape):
            raise ValueError(f"latent_dim must be at most {min(X.shape)}, got {latent_dim}")
        self.pca_ = PCA(latent_dim, svd_solver="full").fit(X)
        self.n_features_in_ = X.shape[1]
        return self

    def encode(self, X: Any) -> np.ndarray:
        """Project data on the components.

        Parameters
        ----------
        X : array_like of shape (n, n_features)
            The data.

        Returns
        -------
        codes : ndarray of shape (n, latent_dim)
        """
        check_is_fitted(self)
        return self.pca_.transform(as_points(X, "X", self.n_features_in_))

    def decode(self, codes: Any) -> np.ndarray:
        """Map codes back to the data space.

        Parameters
        ----------
        codes : array_like of shape (n, latent_dim)
            The codes.

        Returns
        -------
        X : ndarray of shape (n, n_features)
        """
        check_is_fitted(self)
        return self.pca_.inverse_transform(as_points(codes, "codes", self.pca_.n_components_))


class Autoencoder(_Codec):
    """Dense autoencoder, trained alone: no prior on the latent space.

    An encoder of dense layers with SiLU activations, mirrored by the decoder, minimises the mean
    squared reconstruction error with Adam. Noise on the inputs (never on what they are compared
    with) keeps it from memorising small data sets. The weights kept are those of the epoch with
    the least validation error.

    Parameters
    ----------
    latent_dim : int, default 2
        Dimension of the codes.
    hidden : sequence of int, default (256, 128)
        Widths of the encoder's hidden layers; the decoder has them in reverse.
    epochs : int, default 400
        Most passes over the training data.
    batch_size : int, default 64
        Samples per step.
    learning_rate : float, default 2e-3
        First step size of Adam; reduced when the validation error stalls.
    noise : float, default 0.3
        Standard deviation of the noise on the inputs, in units of the data's.
    validation_fraction : float, default 0.1
        Share of the data kept for early stopping. With 0, or too little data to keep any, the
        training error takes its place.
    patience : int, default 60
        Epochs without improvement after which the training stops.
    random_state : int, numpy.random.Generator or None, default None
        Seed of the initial weights, the split, the batches and the noise. The same seed, threads
        and machine give the same codec; torch's global generator is left alone.
    device : str or torch.device, default "cpu"
        Where the networks are trained and evaluated.
    threads : int or None, default 1
        Threads that torch may use here; None for all cores that the process may use. More than
        one pays for wide layers only, and changes the last bits.
    progress : bool, default False
        Show a progress bar on stderr, if that is a terminal.

    Attributes
    ----------
    encoder_, decoder_ : torch.nn.Module
        The trained networks, on standardised data.
    mean_ : ndarray of shape (n_features,)
        Mean of the training data.
    scale_ : float
        Standard deviation of the training data about `mean_`, one number for all features.
    history_ : ndarray of shape (n_epochs, 2)
        Mean squared error of training (on noisy inputs) and validation for each epoch run.
    best_epoch_ : int
        The row of `history_` whose weights were kept.
    n_features_in_ : int
        Dimension of the data.

    Examples
    --------
    >>> from geomot.datasets import digits
    >>> from geomot.latent import Autoencoder
    >>> images, labels = digits()
    >>> codec = Autoencoder(epochs=2, random_state=0).fit(images)  # doctest: +SKIP
    >>> codec.encode(images).shape  # doctest: +SKIP
    (1797, 2)
    """

    def __init__(
        self,
        latent_dim: int = 2,
        *,
        hidden: Sequence[int] = (256, 128),
        epochs: int = 400,
        batch_size: int = 64,
        learning_rate: float = 2e-3,
        noise: float = 0.3,
        validation_fraction: float = 0.1,
        patience: int = 60,
        random_state: int | np.random.Generator | None = None,
        device: Any = "cpu",
        threads: int | None = 1,
        progress: bool = False,
    ) -> None:
        self.latent_dim = latent_dim
        self.hidden = hidden
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.noise = noise
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state
        self.device = device
        self.threads = threads
        self.progress = progress

    def fit(self, X: Any, y: Any = None) -> Autoencoder:
        """Train the two networks.

        Parameters
        ----------
        X : array_like of shape (n, n_features)
            The data.
        y : ignored
            For the interface of scikit-learn.

        Returns
        -------
        Autoencoder
            The codec itself.
        """
        torch = _import_torch()
        from tqdm import trange

        X = as_points(X, "X")
        widths = [X.shape[1], *(as_count(width, "hidden", 1) for width in self.hidden)]
        widths.append(as_count(self.latent_dim, "latent_dim", 1))
        epochs = as_count(self.epochs, "epochs", 1)
        batch_size = as_count(self.batch_size, "batch_size", 1)
        patience = as_count(self.patience, "patience", 1)
        learning_rate = as_tolerance(self.learning_rate, "learning_rate")
        if not 0 <= self.noise < np.inf:
            raise ValueError(f"noise must be at least 0 and finite, got {self.noise}")
        if not 0 <= self.validation_fraction < 1:
            raise ValueError(
                f"validation_fraction must lie in [0, 1), got {self.validation_fraction}"
            )
        rng = as_generator(self.random_state)
        order = rng.permutation(len(X))
        # A generator of our own on the CPU: the same stream for every device.
        stream = torch.Generator().manual_seed(int(rng.integers(2**63)))

        held_out = int(self.validation_fraction * len(X))
        mean = X.mean(axis=0)
        scale = float(np.sqrt(np.mean((X - mean) ** 2))) or 1.0
        data = torch.as_tensor((X - mean)[order] / scale, dtype=torch.float32, device=self.device)
        validation, training = data[:held_out], data[held_out:]

        with self._threads(torch):
            encoder = _dense(torch, widths, stream).to(self.device)
            decoder = _dense(torch, widths[::-1], stream).to(self.device)
            parameters = [*encoder.parameters(), *decoder.parameters()]
            optimizer = torch.optim.Adam(parameters, lr=learning_rate)
            schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
                optimizer, factor=_STEP_REDUCTION, patience=patience // 3
            )
            history: list[tuple[float, float]] = []
            best = (np.inf, 0, None)
            bar = trange(
                epochs, desc="autoencoder", unit="epoch", disable=None if self.progress else True
            )
            with bar:
                for epoch in bar:
                    total = 0.0
                    for batch in torch.randperm(len(training), generator=stream).split(batch_size):
                        clean = training[batch.to(self.device)]
                        noise = torch.randn(clean.shape, generator=stream).to(self.device)
                        output = decoder(encoder(clean + self.noise * noise))
                        loss = torch.mean((output - clean) ** 2)
                        optimizer.zero_grad()
                        loss.backward()
                        optimizer.step()
                        total += loss.item() * len(batch)
                    train_error = total / len(training)
                    error = train_error
                    if held_out:
                        with torch.no_grad():
                            output = decoder(encoder(validation))
                            error = torch.mean((output - validation) ** 2).item()
                    history.append((train_error * scale**2, error * scale**2))
                    schedule.step(error)
                    # The first epoch is kept whatever its error, so that there is always a state.
                    if best[2] is None or error < best[0]:
                        state = (encoder.state_dict(), decoder.state_dict())
                        best = (error, epoch, copy.deepcopy(state))
                    bar.set_postfix(mse=f"{best[0] * scale**2:.4g}", refresh=False)
                    if epoch - best[1] >= patience:
                        break

        encoder.load_state_dict(best[2][0])
        decoder.load_state_dict(best[2][1])
        self.encoder_, self.decoder_ = encoder.eval(), decoder.eval()
        self.mean_, self.scale_ = mean, scale
        self.history_, self.best_epoch_ = np.array(history), best[1]
        self.n_features_in_ = X.shape[1]
        return self

    def encode(self, X: Any) -> np.ndarray:
        """Map data to codes.

        Parameters
        ----------
        X : array_like of shape (n, n_features)
            The data.

        Returns
        -------
        codes : ndarray of shape (n, latent_dim), float64
            Float32 precision.
        """
        check_is_fitted(self)
        X = as_points(X, "X", self.n_features_in_)
        return self._apply(self.encoder_, (X - self.mean_) / self.scale_)

    def decode(self, codes: Any) -> np.ndarray:
        """Map codes to the data space.

        Parameters
        ----------
        codes : array_like of shape (n, latent_dim)
            The codes: any points of the latent space.

        Returns
        -------
        X : ndarray of shape (n, n_features), float64
            Float32 precision; not clipped to the range of the data.
        """
        check_is_fitted(self)
        codes = as_points(codes, "codes", self.decoder_[0].in_features)
        return self._apply(self.decoder_, codes) * self.scale_ + self.mean_

    def _apply(self, network: Any, inputs: np.ndarray) -> np.ndarray:
        torch = _import_torch()
        device = next(network.parameters()).device
        parts = []
        with self._threads(torch), torch.no_grad():
            for start in range(0, len(inputs), _CHUNK):
                chunk = inputs[start : start + _CHUNK]
                part = network(torch.as_tensor(chunk, dtype=torch.float32, device=device))
                parts.append(part.cpu().numpy().astype(np.float64))
        return np.concatenate(parts)

    @contextmanager
    def _threads(self, torch: ModuleType) -> Iterator[None]:
        """Limit torch's threads for a while."""
        before = torch.get_num_threads()
        torch.set_num_threads(as_threads(self.threads))
        try:
            yield
        finally:
            torch.set_num_threads(before)


def _dense(torch: ModuleType, widths: Sequence[int], stream: Any) -> Any:
    """Dense layers with SiLU between them, with torch's usual initial weights from `stream`."""
    layers: list[Any] = []
    # Linear's own initialisation draws from the global generator: save and restore that.
    with torch.random.fork_rng(devices=[]):
        for n_in, n_out in zip(widths[:-1], widths[1:], strict=True):
            layer = torch.nn.Linear(n_in, n_out)
            bound = n_in**-0.5
            for parameter in (layer.weight, layer.bias):
                torch.nn.init.uniform_(parameter, -bound, bound, generator=stream)
            layers += [layer, torch.nn.SiLU()]
    return torch.nn.Sequential(*layers[:-1])
