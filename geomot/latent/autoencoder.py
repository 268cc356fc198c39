"""The autoencoder: two networks, trained alone on the squared error of reconstruction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from geomot._constants import SEED_RANGE
from geomot._estimators import remember_features, training_samples
from geomot._files.parts import Array, Entry, Record, as_mapping
from geomot._stderr import warn
from geomot._validation import as_count, as_generator, as_tolerance
from geomot.latent._codec import Codec
from geomot.latent._networks import (
    CONV_SIDE,
    LAYOUT,
    Layout,
    Network,
    build_pair,
    initialise,
)
from geomot.latent._scaling import chunks, mean_and_scale, refuse_channels_last, standardise
from geomot.latent._torch import apply, as_device, import_torch, settings
from geomot.latent._training import Hyperparameters, train

__all__ = ["Autoencoder"]

# What None stands for, by architecture; measured on handwritten digits of 8 x 8 pixels (dense),
# and on 28 x 28 pixels of handwritten digits and of Fashion-MNIST (conv).
_DEFAULTS: dict[str, dict[str, Any]] = {
    "dense": {
        "hidden": (256, 128),
        "epochs": 400,
        "learning_rate": 2e-3,
        "patience": 60,
        "schedule": "plateau",
    },
    "conv": {
        "hidden": (256,),
        "learning_rate": 3e-3,
        "patience": 20,
        "schedule": "cosine",
    },
}

# Convolutions halve the sides until the shorter has about this length, at most so many times, with
# channels that double from the first number to the second.
_CODEC_COARSEST = 3
_MOST_HALVINGS = 5
_CODEC_CHANNELS = (32, 256)

# Convolutional networks are trained for this many steps by default, but for so many epochs at
# least: more data take longer, though not in proportion.
_CODEC_STEPS = 1600
_CODEC_EPOCHS = 10


class Autoencoder(Codec):
    """Dense or convolutional autoencoder, trained alone: no prior on the latent space.

    An encoder with SiLU activations, mirrored by the decoder, minimises the mean squared
    reconstruction error with Adam. Noise on the inputs (never on what they are compared with)
    keeps it from memorising small data sets. The weights kept are those of the epoch with the
    least validation error.

    Parameters
    ----------
    latent_dim : int, default 2
        Dimension of the codes.
    architecture : {"auto", "dense", "conv"}, default "auto"
        Dense layers, for vectors and images, or convolutions that halve the sides of images and
        dense layers between them and the codes. "auto" takes convolutions for images with sides
        of 8 pixels or more. Images of any size are taken: none need be a power of two.
    hidden : sequence of int, optional
        Widths of the encoder's dense hidden layers; the decoder has them in reverse. By default
        (256, 128) for dense networks and (256,) behind convolutions.
    channels : sequence of int, optional
        For convolutions: how many channels each of them has, and so how many there are. Each
        halves the sides (those of 4 pixels or more). By default 32, 64, 128, 256, ... until the
        shorter side has 3 to 5 pixels, at most five.
    epochs : int, optional
        Most passes over the training data. By default 400 for dense networks; for convolutions as
        many as make 1600 steps, and at least 10.
    batch_size : int, default 64
        Samples per step.
    learning_rate : float, optional
        Largest step size of Adam; by default 2e-3 for dense networks, 3e-3 for convolutions. For
        dense networks the step is reduced when the validation error stalls. For convolutions it
        rises over the first twentieth of the planned epochs and then falls to zero along a
        cosine.
    noise : float, default 0.3
        Standard deviation of the noise on the inputs, in units of the data's.
    validation_fraction : float, default 0.1
        Share of the data kept for early stopping. With 0, or too little data to keep any, the
        training error takes its place.
    patience : int, optional
        Epochs without improvement after which the training stops; by default 60 for dense
        networks, 20 for convolutions.
    random_state : int, numpy.random.Generator or None, default None
        Seed of the initial weights, the split, the batches and the noise. The same seed, threads
        and machine give the same codec; torch's global generator is left alone.
    device : str or torch.device, optional
        Where the networks are trained and evaluated, such as "cuda"; None: the CPU.
    threads : int or None, default 1
        Threads that torch may use here; None for all cores that the process may use. More than
        one pays for wide layers only, and changes the last bits.
    progress : bool, default False
        Show a progress bar on stderr, if that is a terminal.

    Attributes
    ----------
    sample_shape_ : tuple of int
        Shape of one sample: (features,), (h, w) or (c, h, w).
    architecture_ : str
        "dense" or "conv".
    encoder_, decoder_ : torch.nn.Module
        The trained networks, on standardised data in float32: of shape (n, features) for dense
        networks, (n, c, h, w) for convolutions.
    mean_ : ndarray of shape sample_shape_
        Mean of the training data.
    scale_ : float
        Standard deviation of the training data about `mean_`, one number for all features.
    history_ : ndarray of shape (n_epochs, 2)
        Mean squared error of training (on noisy inputs) and validation for each epoch run.
    best_epoch_ : int
        The row of `history_` whose weights were kept.
    n_features_in_ : int
        Numbers in one sample.

    Notes
    -----
    Arrays of uint8 are read as images in 256 steps: they are divided by 255, in `fit` and
    everywhere, and `decode` gives numbers from about 0 to 1. Arrays of other kinds are taken as
    they are.

    Examples
    --------
    >>> from geomot.datasets import digits
    >>> from geomot.latent import Autoencoder
    >>> images, labels = digits()
    >>> codec = Autoencoder(epochs=2, random_state=0).fit(images)  # doctest: +SKIP
    >>> codec.encode(images).shape  # doctest: +SKIP
    (1797, 2)
    >>> images = images.reshape(-1, 8, 8)
    >>> codec = Autoencoder(epochs=2, random_state=0).fit(images)  # doctest: +SKIP
    >>> codec.architecture_, codec.decode([[0.0, 0.0]]).shape  # doctest: +SKIP
    ('conv', (1, 8, 8))
    """

    _record = Record(
        "geomot-autoencoder",
        {
            "parameters": Entry(as_mapping),
            "_layout_": LAYOUT,
            "scale_": Entry(as_tolerance),
            "best_epoch_": Entry(as_count),
            "mean_": Array(("sample",)),
            "history_": Array(("epochs", 2), check=None),
            "encoder_": Network("encoder.", build_pair, 0),
            "decoder_": Network("decoder.", build_pair, 1),
        },
    )

    def __init__(
        self,
        latent_dim: int = 2,
        *,
        architecture: str = "auto",
        hidden: Sequence[int] | None = None,
        channels: Sequence[int] | None = None,
        epochs: int | None = None,
        batch_size: int = 64,
        learning_rate: float | None = None,
        noise: float = 0.3,
        validation_fraction: float = 0.1,
        patience: int | None = None,
        random_state: int | np.random.Generator | None = None,
        device: Any = None,
        threads: int | None = 1,
        progress: bool = False,
    ) -> None:
        self.latent_dim = latent_dim
        self.architecture = architecture
        self.hidden = hidden
        self.channels = channels
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
        X : array_like of shape (n, features), (n, h, w) or (n, c, h, w)
            The data; uint8 is divided by 255.
        y : ignored
            For the interface of scikit-learn.

        Returns
        -------
        Autoencoder
            The codec itself. An interrupt (Ctrl-C) leaves it as it was before.

        Raises
        ------
        ValueError, TypeError
            If `X` is not finite or of another shape, or a parameter makes no sense.
        ImportError
            If PyTorch is not installed.
        ConvergenceError
            If the training diverges at once.

        Warns
        -----
        UserWarning
            If there are more latent dimensions than n samples or their features can have.

        Examples
        --------
        >>> import numpy as np
        >>> from geomot.latent import Autoencoder
        >>> X = np.random.default_rng(0).random((20, 5))
        >>> codec = Autoencoder(2, epochs=1, random_state=0).fit(X)  # doctest: +SKIP
        >>> codec.encode(X[:3]).shape  # doctest: +SKIP
        (3, 2)
        """
        torch = import_torch("latent.Autoencoder", " (geomot.latent.PCACodec does without)")
        given, X = X, training_samples(self, X)
        refuse_channels_last(X.shape[1:], "X")
        layout = self._layout(X.shape[1:])
        _warn_of_dimensions(self.latent_dim, X)
        noise = self.noise
        if not 0 <= noise < np.inf:
            raise ValueError(f"noise must be at least 0 and finite, got {noise}")
        if not 0 <= self.validation_fraction < 1:
            raise ValueError(
                f"validation_fraction must lie in [0, 1), got {self.validation_fraction}"
            )
        held_out = int(self.validation_fraction * len(X))
        hyper = self._hyperparameters(layout.architecture, len(X) - held_out)
        device = as_device(torch, self.device)
        rng = as_generator(self.random_state)
        order = rng.permutation(len(X))
        # A generator of our own on the CPU: the same stream for every device.
        stream = torch.Generator().manual_seed(int(rng.integers(SEED_RANGE)))

        mean, scale = mean_and_scale(X)

        with settings(torch, self.threads, training=True):
            data = standardise(torch, X, order, mean, scale).reshape(-1, *layout.input_shape)
            data = data.to(device)
            validation, training = data[:held_out], data[held_out:]
            encoder, decoder = (
                initialise(torch, network, stream).to(device)
                for network in build_pair(torch, layout)
            )

            def batch_loss(batch: Any) -> Any:
                clean = training[batch.to(device)]
                added = torch.randn(
                    clean.shape, generator=stream, dtype=torch.float32, device="cpu"
                )
                output = decoder(encoder(clean + noise * added.to(device)))
                return torch.mean((output - clean) ** 2)

            def validation_error() -> float:
                total = 0.0
                for part in chunks(validation):
                    clean = validation[part]
                    error = torch.mean((decoder(encoder(clean)) - clean) ** 2)
                    total += error.item() * (len(clean) / held_out)
                return total

            history, best = train(
                torch,
                (encoder, decoder),
                hyper,
                len(training),
                batch_loss,
                validation_error if held_out else None,
                stream,
                name="autoencoder",
                show=lambda error: f"mse={error * scale**2:.4g}",
                progress=self.progress,
            )

        self.encoder_, self.decoder_ = encoder.eval(), decoder.eval()
        self.mean_, self.scale_ = mean, scale
        self.history_, self.best_epoch_ = history * scale**2, best
        self._layout_ = layout
        self.architecture_, self.sample_shape_ = layout.architecture, layout.shape
        remember_features(self, given)
        return self

    def _layout(self, shape: tuple[int, ...]) -> Layout:
        """The networks for samples of a shape."""
        if self.architecture not in ("auto", "dense", "conv"):
            raise ValueError(
                f"architecture must be 'auto', 'dense' or 'conv', got {self.architecture!r}"
            )
        architecture = self.architecture
        if architecture == "auto":
            large = len(shape) > 1 and min(shape[-2:]) >= CONV_SIDE
            architecture = "conv" if large else "dense"
        if architecture == "conv" and len(shape) == 1:
            raise ValueError(
                "architecture='conv' needs X of shape (n, h, w) or (n, c, h, w), "
                f"got {('n', *shape)}"
            )
        channels: tuple[int, ...] = ()
        if architecture == "conv":
            channels = self._counts("channels", _default_channels(min(shape[-2:])))
        hidden = self._counts("hidden", _DEFAULTS[architecture]["hidden"])
        latent_dim = as_count(self.latent_dim, "latent_dim", 1)
        return Layout(architecture, shape, channels, hidden, latent_dim)

    def _counts(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        given = getattr(self, name)
        if given is None:
            return default
        if isinstance(given, str) or not hasattr(given, "__iter__"):
            raise TypeError(f"{name} must be a sequence of integers, got {given!r}")
        return tuple(as_count(width, name, 1) for width in given)

    def _hyperparameters(self, architecture: str, n: int) -> Hyperparameters:
        """How to train on n samples."""
        values = {**_DEFAULTS[architecture], "epochs": self.epochs}
        if self.epochs is None:
            values["epochs"] = _DEFAULTS[architecture].get("epochs")
        for name in ("learning_rate", "patience"):
            if getattr(self, name) is not None:
                values[name] = getattr(self, name)
        batch_size = as_count(self.batch_size, "batch_size", 1)
        if values["epochs"] is None:
            values["epochs"] = max(
                _CODEC_EPOCHS, math.ceil(_CODEC_STEPS / math.ceil(n / batch_size))
            )
        return Hyperparameters(
            epochs=as_count(values["epochs"], "epochs", 1),
            batch_size=batch_size,
            learning_rate=as_tolerance(values["learning_rate"], "learning_rate"),
            patience=as_count(values["patience"], "patience", 1),
            schedule=values["schedule"],
        )

    def _encode(self, rows: np.ndarray) -> np.ndarray:
        inputs = ((rows - self.mean_) / self.scale_).reshape(-1, *self._layout_.input_shape)
        torch = import_torch("latent.Autoencoder")
        return apply(torch, self.encoder_, inputs, self.threads, "X")

    def _decode(self, codes: np.ndarray) -> np.ndarray:
        outputs = apply(
            import_torch("latent.Autoencoder"), self.decoder_, codes, self.threads, "codes"
        )
        return outputs.reshape(-1, *self.sample_shape_) * self.scale_ + self.mean_

    def _latent_dim(self) -> int:
        return self._layout_.latent_dim

    def _set_parts(self, parts: dict[str, Any], device: Any) -> None:
        super()._set_parts(parts, device)
        self.encoder_, self.decoder_ = self.encoder_.to(device), self.decoder_.to(device)
        self.architecture_, self.sample_shape_ = self._layout_.architecture, self._layout_.shape
        self.n_features_in_ = math.prod(self.sample_shape_)


def _default_channels(side: int) -> tuple[int, ...]:
    halvings = int(math.log2(max(side / _CODEC_COARSEST, 2.0)))
    return tuple(
        min(_CODEC_CHANNELS[0] << k, _CODEC_CHANNELS[1])
        for k in range(min(halvings, _MOST_HALVINGS))
    )


def _warn_of_dimensions(latent_dim: int, X: np.ndarray) -> None:
    """Warn of codes with more dimensions than there can be in the data."""
    most = min(len(X) - 1, math.prod(X.shape[1:]))
    if latent_dim > most:
        warn(
            f"latent_dim is {latent_dim}, and {len(X)} samples of {math.prod(X.shape[1:])} numbers "
            f"span at most {most} dimensions: the others hold nothing",
            UserWarning,
            stacklevel=3,
        )
