"""The networks: from a description in plain numbers to torch modules.

Descriptions go into files, so that a network is rebuilt from numbers and never unpickled. Networks
are made without memory first (torch's "meta" device): the shapes of what a file holds can be held
against them before anything is allocated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from geomot._files import parts
from geomot._validation import as_count
from geomot.latent._layers import decoder, dense, encoder, halvings

__all__ = [
    "CLASSIFIER_LAYOUT",
    "CONV_SIDE",
    "LAYOUT",
    "ClassifierLayout",
    "Layout",
    "Network",
    "build_classifier",
    "build_pair",
    "fill",
    "initialise",
    "state",
]

# Images with both sides at least this long are given to convolutions by default.
CONV_SIDE = 8


@dataclass(frozen=True)
class Layout:
    """An encoder and its mirror image, the decoder.

    Attributes
    ----------
    architecture : str
        "dense" or "conv".
    shape : tuple of int
        Shape of one sample: (features,), (h, w) or (c, h, w); the last two for "conv" only, where
        the networks take (n, c, h, w). Dense ones take (n, features), whatever the shape.
    channels : tuple of int
        For "conv": channels after each convolution that halves the sides.
    hidden : tuple of int
        Widths of the dense layers between those and the codes.
    latent_dim : int
        Dimension of the codes.
    """

    architecture: str
    shape: tuple[int, ...]
    channels: tuple[int, ...]
    hidden: tuple[int, ...]
    latent_dim: int

    def __post_init__(self) -> None:
        axes = len(self.shape)
        if not (
            (self.architecture == "dense" and 1 <= axes <= 3 and not self.channels)
            or (self.architecture == "conv" and 2 <= axes <= 3)
        ):
            raise ValueError(f"no {self.architecture!r} network for samples of {self.shape}")

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample as the encoder takes it and the decoder gives it."""
        return _input_shape(self.shape, self.architecture == "conv")


@dataclass(frozen=True)
class ClassifierLayout:
    """A classifier: a body from samples to features, and a head from features to classes.

    Attributes
    ----------
    shape : tuple of int
        Shape of one sample: (features,), (h, w) or (c, h, w).
    channels : tuple of int
        Channels after each convolution that halves the sides; none for a dense network.
    hidden : tuple of int
        Widths of the dense layers before the features.
    features : int
        Number of features.
    classes : int
        Number of classes.
    """

    shape: tuple[int, ...]
    channels: tuple[int, ...]
    hidden: tuple[int, ...]
    features: int
    classes: int

    def __post_init__(self) -> None:
        if not (2 if self.channels else 1) <= len(self.shape) <= 3:
            raise ValueError(f"no such classifier of samples of {self.shape}")

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample as the body takes it."""
        return _input_shape(self.shape, bool(self.channels))


_COUNT = parts.Entry(partial(as_count, minimum=1))
_SIZES: dict[str, parts.Part] = {
    # The shape of a sample gives the axes "sample".
    "shape": parts.Entry(parts.as_shape, axes="sample"),
    "channels": parts.Entry(parts.as_counts),
    "hidden": parts.Entry(parts.as_counts),
}
_PAIR = {"architecture": parts.Entry(parts.as_word), **_SIZES, "latent_dim": _COUNT}
LAYOUT = parts.Nested(Layout, _PAIR)
CLASSIFIER_LAYOUT = parts.Nested(
    ClassifierLayout, {**_SIZES, "features": _COUNT, "classes": _COUNT}
)


def _input_shape(shape: tuple[int, ...], convolved: bool) -> tuple[int, ...]:
    if not convolved:
        return (math.prod(shape),)
    return (1, *shape) if len(shape) == 2 else shape


def build_pair(torch: ModuleType, layout: Layout) -> tuple[Any, Any]:
    """Encoder and decoder of a layout, without memory for their numbers.

    Parameters
    ----------
    torch : module
        The module torch.
    layout : Layout
        The layout.

    Returns
    -------
    encoder, decoder : torch.nn.Sequential
        On the device "meta", in float32.
    """
    with torch.device("meta"):
        shape, hidden, channels = layout.input_shape, layout.hidden, layout.channels
        first = encoder(shape, layout.latent_dim, hidden, channels, "silu")
        second = decoder(layout.latent_dim, shape, hidden[::-1], channels, "silu")
    # Whatever the user has made torch's default.
    return first.float(), second.float()


def build_classifier(torch: ModuleType, layout: ClassifierLayout) -> tuple[Any, Any]:
    """Body and head of a classifier, without memory for their numbers.

    Parameters
    ----------
    torch : module
        The module torch.
    layout : ClassifierLayout
        The layout.

    Returns
    -------
    body, head : torch.nn.Sequential
        On the device "meta", in float32.
    """
    nn = torch.nn
    with torch.device("meta"):
        body: list[Any] = []
        shape = layout.input_shape
        for before, after, kernel, stride, _ in halvings(shape, layout.channels):
            # The first convolution halves the sides itself: cheaply, where images are largest.
            first = not body
            sizes = (kernel, stride) if first else (3, 1)
            body.append(nn.Conv2d(before[0], after[0], *sizes, padding=1))
            body += [nn.BatchNorm2d(after[0]), nn.SiLU()]
            if not first:
                body.append(nn.MaxPool2d(stride))
            shape = after
        if layout.channels:
            body.append(nn.Flatten())
        body += [*dense(math.prod(shape), layout.hidden, layout.features, "silu"), nn.SiLU()]
        head = dense(layout.features, (), layout.classes, "silu")
    return nn.Sequential(*body).float(), head.float()


def initialise(torch: ModuleType, network: Any, stream: Any) -> Any:
    """Give a network without memory its first numbers, uniform as is usual in torch.

    Parameters
    ----------
    torch : module
        The module torch.
    network : torch.nn.Module
        The network, on the device "meta".
    stream : torch.Generator
        Where the numbers come from: layer by layer, weight before bias.

    Returns
    -------
    torch.nn.Module
        The network, on the CPU.
    """
    network = network.to_empty(device="cpu")
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.reset_parameters()
        elif hasattr(layer, "weight"):
            bound = _inputs(torch, layer) ** -0.5
            for parameter in (layer.weight, layer.bias):
                torch.nn.init.uniform_(parameter, -bound, bound, generator=stream)
    return network


def _inputs(torch: ModuleType, layer: Any) -> float:
    """How many inputs each output of a layer has."""
    if isinstance(layer, torch.nn.ConvTranspose2d):
        # A step by more than one pixel leaves that many fewer inputs to each output.
        return layer.weight[:, 0].numel() / math.prod(layer.stride)
    return layer.weight[0].numel()


def state(network: Any) -> dict[str, np.ndarray]:
    """The numbers of a network as arrays, by name.

    Parameters
    ----------
    network : torch.nn.Module
        The network.

    Returns
    -------
    dict of str to ndarray, float32
    """
    return {key: value.cpu().numpy() for key, value in _floats(network).items()}


def fill(torch: ModuleType, network: Any, arrays: Mapping[str, np.ndarray], device: Any) -> Any:
    """Give a network without memory the numbers that `state` took from another.

    Parameters
    ----------
    torch : module
        The module torch.
    network : torch.nn.Module
        The network, on the device "meta".
    arrays : mapping of str to ndarray
        The numbers, by name.
    device : torch.device
        Where to.

    Returns
    -------
    torch.nn.Module
        The network, there, in its mode for evaluation.

    Raises
    ------
    ValueError
        If the arrays are not those of this network, or not finite.
    """
    expected = {key: tuple(value.shape) for key, value in _floats(network).items()}
    if {key: array.shape for key, array in arrays.items()} != expected:
        raise ValueError(f"the networks' arrays must have the shapes {expected}")
    for key, array in arrays.items():
        if array.dtype != np.float32 or not np.isfinite(array).all():
            raise ValueError(f"{key} must hold finite float32 numbers")
    network = network.to_empty(device=device)
    with torch.no_grad():
        for key, value in network.state_dict().items():
            if key in expected:
                value.copy_(torch.from_numpy(arrays[key]))
            else:
                value.zero_()
    return network.eval()


def _floats(network: Any) -> dict[str, Any]:
    # All but counters of batches, which nothing uses.
    return {key: v for key, v in network.state_dict().items() if v.is_floating_point()}


@dataclass(frozen=True)
class Network(parts.Part):
    """A network in a file: one of those that `build` makes, with torch, of the layout before it."""

    prefix: str
    build: Callable[[ModuleType, Any], tuple[Any, Any]]
    place: int

    def put(self, key: str, value: Any, content: parts.Content) -> None:
        content.arrays.update({self.prefix + name: own for name, own in state(value).items()})

    def take(self, key: str, content: parts.Content) -> Any:
        import torch

        network = self.build(torch, content.found["_layout_"])[self.place]
        return fill(torch, network, content.prefixed(self.prefix), "cpu")
