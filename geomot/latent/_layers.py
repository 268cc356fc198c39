"""Dense and convolutional networks of torch's own modules, and their mirror images."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["ACTIVATIONS", "activation_layer", "decoder", "dense", "encoder", "halvings"]

ACTIVATIONS = ("relu", "leaky_relu", "tanh", "silu", "softplus")

# A side shorter than this is halved no further.
_SHORTEST = 4


def activation_layer(name: str) -> Any:
    """Activation of a name in ACTIVATIONS."""
    from torch import nn

    kinds: dict[str, Callable[[], Any]] = {
        "relu": nn.ReLU,
        "leaky_relu": functools.partial(nn.LeakyReLU, 0.2),
        "tanh": nn.Tanh,
        "silu": nn.SiLU,
        "softplus": nn.Softplus,
    }
    return kinds[name]()


def dense(n_in: int, hidden: Sequence[int], n_out: int, activation: str) -> Any:
    """Linear layers with activations between them."""
    from torch import nn

    widths = [n_in, *hidden, n_out]
    layers: list[Any] = []
    for before, after in zip(widths[:-1], widths[1:], strict=True):
        layers += [nn.Linear(before, after), activation_layer(activation)]
    return nn.Sequential(*layers[:-1])


def encoder(
    shape: Sequence[int],
    n_out: int,
    hidden: Sequence[int],
    channels: Sequence[int],
    activation: str,
) -> Any:
    """Network from data of a shape (d,) or (c, h, w) to `n_out` features."""
    from torch import nn

    if len(shape) == 1:
        return dense(shape[0], hidden, n_out, activation)
    layers: list[Any] = []
    steps = halvings(tuple(shape), channels)
    for (before, *_), (after, *_), kernel, stride, _ in steps:
        layers += [nn.Conv2d(before, after, kernel, stride, 1), activation_layer(activation)]
    flat = steps[-1][1] if steps else tuple(shape)
    head = dense(math.prod(flat), hidden, n_out, activation)
    return nn.Sequential(*layers, nn.Flatten(), *head)


def decoder(
    n_in: int,
    shape: Sequence[int],
    hidden: Sequence[int],
    channels: Sequence[int],
    activation: str,
) -> Any:
    """Network from vectors to data of a shape (d,) or (c, h, w), the mirror of `encoder`."""
    from torch import nn

    if len(shape) == 1:
        return dense(n_in, hidden, shape[0], activation)
    steps = halvings(tuple(shape), channels)
    flat = steps[-1][1] if steps else tuple(shape)
    layers = [*dense(n_in, hidden, math.prod(flat), activation), nn.Unflatten(1, flat)]
    for (before, *_), (after, *_), kernel, stride, rest in reversed(steps):
        turned = nn.ConvTranspose2d(after, before, kernel, stride, 1, output_padding=rest)
        layers += [activation_layer(activation), turned]
    return nn.Sequential(*layers)


def halvings(shape: tuple[int, ...], channels: Sequence[int]) -> list[tuple[Any, ...]]:
    """Plan convolutions that halve the sides of images; short sides are left as they are.

    Parameters
    ----------
    shape : tuple of int
        Shape (c, h, w) of an image.
    channels : sequence of int
        Channels after each convolution.

    Returns
    -------
    list of tuple
        For each: the shapes before and after, kernel, stride, and what halving drops. A side of odd
        length loses its last row or column; the rest says that the transposed convolution must make
        it again. All have a padding of 1.
    """
    steps = []
    for count in channels:
        halved = [side >= _SHORTEST for side in shape[1:]]
        after = (count, *(k // 2 if half else k for k, half in zip(shape[1:], halved, strict=True)))
        rest = tuple(k % 2 if half else 0 for k, half in zip(shape[1:], halved, strict=True))
        kernel = tuple(4 if half else 3 for half in halved)
        stride = tuple(2 if half else 1 for half in halved)
        steps.append((shape, after, kernel, stride, rest))
        shape = after
    return steps
