"""Any autoencoder of torch as a codec: arrays in, arrays out, whatever the module takes and gives.

A module has ``encode`` and ``decode`` as its methods. What they return may be

- a tensor, or an array of numpy;
- a tuple or list that begins with one, such as (mean, logvar);
- a distribution, of torch.distributions or with a method ``mode()``, whose mode or mean is taken;
- an object with an attribute ``latent_dist`` (a distribution), ``latents``, ``latent`` or
  ``sample`` (a tensor), as the autoencoders of diffusers return.

Nothing is drawn: codes of a variational autoencoder are the means.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geomot._constants import IMAGE_CHANNELS
from geomot._validation import as_count, as_points, as_real, as_samples, check_single
from geomot.latent._scaling import as_float
from geomot.latent._torch import as_device, import_torch, settings

__all__ = ["TorchCodec", "as_codec"]

FloatArray = NDArray[np.float64]

# Attributes of what a module returns, in the order in which they are looked for.
_FIELDS = ("latent_dist", "latents", "latent", "sample")


class TorchCodec:
    """A module of torch with ``encode`` and ``decode``, as the codec of a `LatentGenerator`.

    Arrays become tensors of the module's own precision, a few rows at a time; the module is in its
    mode for evaluation for the time of a call, without gradients, and afterwards as before. Codes
    are flat float64 vectors, whatever the shape in which the module has them.

    Parameters
    ----------
    module : torch.nn.Module
        The autoencoder, trained. Images without an axis of channels, (n, h, w), are passed to it
        as (n, 1, h, w). `AutoencoderKL` of diffusers works as it is.
    device : str or torch.device, optional
        Where it computes; the module is moved there. None leaves it where it is.
    batch_size : int, default 256
        Rows that it is given at once.
    value_range : pair of float, optional
        What the module takes for 0 and for 1, if it is trained on data in another range than those
        given: (-1, 1) for most diffusion models. What it decodes is mapped back.
    sample_shape, latent_shape : tuple of int, optional
        Shape of one datum and of one code of the module. None learns them from the first call of
        `encode`, without which `decode` needs `latent_shape`.
    threads : int, optional
        Threads that torch may use on the CPU; None: all available cores.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid; the message names it.

    Examples
    --------
    >>> import numpy as np
    >>> from geomot.latent import TorchCodec
    >>> import torch  # doctest: +SKIP
    >>> class Autoencoder(torch.nn.Module):  # doctest: +SKIP
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.down = torch.nn.Conv2d(1, 2, 4, stride=4)
    ...         self.up = torch.nn.ConvTranspose2d(2, 1, 4, stride=4)
    ...     def encode(self, x):
    ...         return self.down(x)
    ...     def decode(self, z):
    ...         return self.up(z)
    >>> codec = TorchCodec(Autoencoder())  # doctest: +SKIP
    >>> images = np.zeros((5, 8, 8), dtype=np.uint8)
    >>> codes = codec.encode(images)  # doctest: +SKIP
    >>> codes.shape, codec.decode(codes).shape  # doctest: +SKIP
    ((5, 8), (5, 8, 8))
    """

    def __init__(
        self,
        module: Any,
        *,
        device: Any = None,
        batch_size: int = 256,
        value_range: Sequence[float] | None = None,
        sample_shape: Sequence[int] | None = None,
        latent_shape: Sequence[int] | None = None,
        threads: int | None = None,
    ) -> None:
        torch = import_torch("latent.TorchCodec")
        if not isinstance(module, torch.nn.Module):
            raise TypeError(f"module must be a torch.nn.Module, got {type(module).__name__}")
        for name in ("encode", "decode"):
            if not callable(getattr(module, name, None)):
                raise TypeError(
                    f"module must have the methods encode and decode, got {type(module).__name__}"
                )
        self.module = module if device is None else module.to(as_device(torch, device))
        self.batch_size = as_count(batch_size, "batch_size", 1)
        self.value_range = _as_range(value_range)
        self.sample_shape = _as_shape(sample_shape, "sample_shape")
        self.latent_shape = _as_shape(latent_shape, "latent_shape")
        self.threads = threads

    def __repr__(self) -> str:
        return f"TorchCodec(<{type(self.module).__name__}>, latent_shape={self.latent_shape})"

    def encode(self, X: ArrayLike) -> FloatArray:
        """Map data to codes.

        Parameters
        ----------
        X : array_like of shape (n, features), (n, h, w) or (n, c, h, w)
            The data; uint8 is divided by 255.

        Returns
        -------
        ndarray of shape (n, latent_dim), float64

        Raises
        ------
        ValueError
            If `X` is not of the shape that was given or seen first, seems to have its channels
            last, or has codes that are not finite.
        TypeError
            If the module returns something else than a tensor, or an object with one.

        Examples
        --------
        >>> import torch  # doctest: +SKIP
        >>> from geomot.latent import TorchCodec
        >>> module = torch.nn.Identity()  # doctest: +SKIP
        >>> module.encode = module.decode = module.forward  # doctest: +SKIP
        >>> TorchCodec(module).encode([[1.0, 2.0]]).tolist()  # doctest: +SKIP
        [[1.0, 2.0]]
        """
        data = as_samples(X, "X", self.sample_shape)
        _check_channels(data)
        low, high = self.value_range or (0.0, 1.0)

        def tensors(part: slice) -> FloatArray:
            rows = as_float(data[part])
            rows = rows[:, None] if rows.ndim == 3 else rows
            return low + (high - low) * rows

        parts = [self._passed(self.module.encode, tensors(part)) for part in self._parts(data)]
        codes = np.concatenate(parts)
        if self.latent_shape not in (None, codes.shape[1:]):
            raise ValueError(
                f"latent_shape must be that of the codes, {codes.shape[1:]}, "
                f"got {self.latent_shape}"
            )
        self.sample_shape, self.latent_shape = data.shape[1:], codes.shape[1:]
        return codes.reshape(len(codes), -1)

    def decode(self, codes: ArrayLike) -> FloatArray:
        """Map codes to data.

        Parameters
        ----------
        codes : array_like of shape (n, latent_dim)
            The codes.

        Returns
        -------
        ndarray of shape (n, *sample_shape), float64
            On the scale of the data, from 0 to 1 for those of uint8; not clipped.

        Raises
        ------
        ValueError
            If no `latent_shape` is known, or decoded data are not finite or of another shape.
        TypeError
            As in `encode`.

        Examples
        --------
        >>> import torch  # doctest: +SKIP
        >>> from geomot.latent import TorchCodec
        >>> module = torch.nn.Identity()  # doctest: +SKIP
        >>> module.encode = module.decode = module.forward  # doctest: +SKIP
        >>> TorchCodec(module, latent_shape=(2,)).decode([[1.0, 2.0]]).tolist()  # doctest: +SKIP
        [[1.0, 2.0]]
        """
        if self.latent_shape is None:
            raise ValueError("latent_shape must be given, or encode called first")
        flat = as_points(codes, "codes", math.prod(self.latent_shape))
        shaped = flat.reshape(len(flat), *self.latent_shape)
        parts = [self._passed(self.module.decode, shaped[part]) for part in self._parts(shaped)]
        low, high = self.value_range or (0.0, 1.0)
        data = (np.concatenate(parts) - low) / (high - low)
        if self.sample_shape is None:
            return data
        if data[0].size != math.prod(self.sample_shape):
            raise ValueError(
                f"module.decode must return data of shape (n, *{self.sample_shape}), "
                f"got {data.shape}"
            )
        return data.reshape(len(data), *self.sample_shape)

    def _parts(self, rows: np.ndarray) -> Iterator[slice]:
        """Rows that are passed to the module at once."""
        for start in range(0, len(rows), self.batch_size):
            yield slice(start, start + self.batch_size)

    def _passed(self, method: Callable[[Any], Any], rows: FloatArray) -> FloatArray:
        """What a method of the module makes of some rows."""
        torch = import_torch("latent.TorchCodec")
        name = f"module.{method.__name__}"
        numbers = next((p for p in self.module.parameters() if p.is_floating_point()), None)
        place = {} if numbers is None else {"device": numbers.device, "dtype": numbers.dtype}
        check_single(rows, f"what {name} is given")
        with settings(torch, self.threads), _evaluated(self.module):
            # By way of float32: numpy has no bfloat16.
            given = torch.from_numpy(rows.astype(np.float32)).to(**place)
            found = _tensor(torch, method(given), name)
            array = found.detach().to("cpu", torch.float64).numpy()
        if array.ndim < 2 or len(array) != len(rows):
            raise ValueError(f"{name} must return {len(rows)} rows, got shape {array.shape}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} must return finite numbers, got NaN or infinity")
        return array


def as_codec(autoencoder: Any, device: Any = None) -> Any:
    """Return what has ``encode`` and ``decode`` for arrays: a module of torch in a `TorchCodec`.

    Parameters
    ----------
    autoencoder : object
        Anything.
    device : str or torch.device, optional
        Where a module is to compute; None leaves it where it is.

    Returns
    -------
    object
        `autoencoder` itself, unless it is a `torch.nn.Module`.

    Raises
    ------
    TypeError
        If `autoencoder` is a class.

    Examples
    --------
    >>> from geomot.latent import PCACodec
    >>> from geomot.latent.torch_codec import as_codec
    >>> codec = PCACodec(2)
    >>> as_codec(codec) is codec
    True
    """
    if isinstance(autoencoder, type):
        kind = autoencoder.__name__
        raise TypeError(f"autoencoder must be an object, got the class {kind}: pass {kind}()")
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(autoencoder, torch.nn.Module):
        return TorchCodec(autoencoder, device=device)
    return autoencoder


def _tensor(torch: Any, found: Any, name: str) -> Any:
    """The tensor in what a module has returned."""
    if isinstance(found, torch.Tensor):
        return found
    if isinstance(found, np.ndarray):
        return torch.as_tensor(found)
    if isinstance(found, (tuple, list)) and len(found) > 0:
        return _tensor(torch, found[0], name)
    for field in _FIELDS:
        own = getattr(found, field, None)
        # `sample` is a method of distributions.
        if own is not None and not callable(own):
            return _tensor(torch, own, name)
    if callable(getattr(found, "mode", None)):
        return _tensor(torch, found.mode(), name)
    if isinstance(getattr(found, "mean", None), torch.Tensor):
        return found.mean
    raise TypeError(
        f"{name} must return a tensor, or an object with latent_dist, latents or sample, "
        f"got {type(found).__name__}"
    )


@contextmanager
def _evaluated(module: Any) -> Iterator[None]:
    """Put a module in its mode for evaluation, and all of its parts back in theirs."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


def _check_channels(data: np.ndarray) -> None:
    if data.ndim != 4 or data.shape[1] in IMAGE_CHANNELS:
        return
    if data.shape[3] in IMAGE_CHANNELS:
        raise ValueError(
            f"X must have its channels first, (n, c, h, w), got {data.shape}: pass "
            "numpy.moveaxis(X, 3, 1)"
        )


def _as_range(value: Any) -> tuple[float, float] | None:
    if value is None:
        return None
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence) or len(value) != 2:
        raise TypeError(f"value_range must be a pair of numbers, got {value!r}")
    low, high = (as_real(end, "value_range") for end in value)
    if low >= high:
        raise ValueError(f"value_range must increase, got {value}")
    return low, high


def _as_shape(value: Any, name: str) -> tuple[int, ...] | None:
    if value is None:
        return None
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise TypeError(f"{name} must be a sequence of integers, got {value!r}")
    return tuple(as_count(length, name, 1) for length in value)
