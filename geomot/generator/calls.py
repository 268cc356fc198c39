"""How a codec of any make is called: in its mode for evaluation, and never believed blindly."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geomot._data import CHUNK, float_chunks
from geomot._validation import as_points, as_real_array

__all__ = ["SAME_CODES", "decode", "encode"]

FloatArray = NDArray[np.float64]

# Codes may differ by this share of their extent when they are computed again: float32 networks on
# another machine do.
SAME_CODES = 1e-4


def encode(codec: Any, data: np.ndarray) -> FloatArray:
    """Codes of data, shape (n, latent_dim), a piece at a time.

    Raises
    ------
    ValueError, TypeError
        If the codec returns anything but one finite code for each datum.
    """
    codes = []
    with evaluating(codec):
        for part in float_chunks(data):
            codes.append(as_points(codec.encode(part), "autoencoder.encode(X)"))
            if len(codes[-1]) != len(part):
                raise ValueError(
                    f"autoencoder.encode must return one code for each of {len(part)} data, "
                    f"got shape {codes[-1].shape}"
                )
    return np.concatenate(codes)


def decode(codec: Any, codes: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Data of codes, shape (n, *shape), a piece at a time.

    Raises
    ------
    ValueError, TypeError
        If the codec returns anything but one finite datum for each code.
    """
    images = np.empty((len(codes), *shape))
    with evaluating(codec):
        for start in range(0, len(codes), CHUNK):
            part = codes[start : start + CHUNK]
            decoded = as_real_array(codec.decode(part), "autoencoder.decode(codes)")
            if len(decoded) != len(part) or decoded.size != images[start : start + CHUNK].size:
                raise ValueError(
                    f"autoencoder.decode must return data of shape {(len(part), *shape)}, "
                    f"got {decoded.shape}"
                )
            if not np.isfinite(decoded).all():
                row = int(np.argwhere(~np.isfinite(decoded))[0][0])
                raise ValueError(
                    f"autoencoder.decode must return finite numbers, got NaN or infinity for the "
                    f"code {part[row]}"
                )
            images[start : start + CHUNK] = decoded.reshape(-1, *shape)
    return images


@contextmanager
def evaluating(codec: Any) -> Iterator[None]:
    """Put torch modules that are in their mode for training into that for evaluation, for a while.

    Dropout and batches would make codes random.
    """
    training = [part for module in _modules(codec) for part in module.modules() if part.training]
    for part in training:
        part.training = False
    try:
        yield
    finally:
        for part in training:
            part.training = True


def _modules(codec: Any) -> list[Any]:
    """A codec that is a torch module, or those that it holds as attributes."""
    torch = sys.modules.get("torch")
    if torch is None:
        return []
    held = [codec, *getattr(codec, "__dict__", {}).values()]
    return [thing for thing in held if isinstance(thing, torch.nn.Module)]
