"""The networks: from a description in plain numbers to torch modules.

Descriptions go into files, so that a network is rebuilt from numbers and never unpickled. Networks
are made without memory first (torch's "meta" device): the shapes of what a file holds can be held
against them before anything is allocated.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from geomot._validation import as_count

__all__ = [
    "ClassifierLayout",
    "Layout",
    "build_classifier",
    "build_pair",
    "fill",
    "halvings",
    "initialise",
    "state",
]

# A side shorter than this is halved no further.
_SHORTEST = 4


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

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Layout:
        """Make a layout from what `dataclasses.asdict` gave and JSON has kept; checked."""
        if set(values) != {"architecture", "shape", "channels", "hidden", "latent_dim"}:
            raise ValueError(f"a layout has other entries than {sorted(values)}")
        numbers = {
            key: tuple(as_count(k, key, 1) for k in values[key])
            for key in ("shape", "channels", "hidden")
        }
        latent_dim = as_count(values["latent_dim"], "latent_dim", 1)
        layout = cls(values["architecture"], latent_dim=latent_dim, **numbers)
        axes = len(layout.shape)
        if not (
            (layout.architecture == "dense" and 1 <= axes <= 3 and not layout.channels)
            or (layout.architecture == "conv" and 2 <= axes <= 3)
        ):
            raise ValueError(f"no {layout.architecture!r} network for samples of {layout.shape}")
        return layout

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

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ClassifierLayout:
        """Make a layout from what `dataclasses.asdict` gave and JSON has kept; checked."""
        if set(values) != {"shape", "channels", "hidden", "features", "classes"}:
            raise ValueError(f"a layout has other entries than {sorted(values)}")
        shape, channels, hidden = (
            tuple(as_count(k, key, 1) for k in values[key])
            for key in ("shape", "channels", "hidden")
        )
        features, classes = (as_count(values[key], key, 1) for key in ("features", "classes"))
        if not (2 if channels else 1) <= len(shape) <= 3:
            raise ValueError(f"no such classifier of samples of {shape}")
        return cls(shape, channels, hidden, features, classes)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample as the body takes it."""
        return _input_shape(self.shape, bool(self.channels))


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
    nn = torch.nn
    with torch.device("meta"):
        if layout.architecture == "dense":
            widths = [*layout.input_shape, *layout.hidden, layout.latent_dim]
            return nn.Sequential(*_dense(nn, widths)), nn.Sequential(*_dense(nn, widths[::-1]))
        down = halvings(layout.input_shape, layout.channels)
        flat = down[-1][1] if down else layout.input_shape
        widths = [math.prod(flat), *layout.hidden, layout.latent_dim]
        encoder = []
        for (before, *_), (after, *_), kernel, stride, _ in down:
            encoder += [_conv(nn.Conv2d, before, after, kernel, stride), nn.SiLU()]
        decoder = [*_dense(nn, widths[::-1]), nn.SiLU(), nn.Unflatten(1, flat)]
        for (before, *_), (after, *_), kernel, stride, rest in reversed(down):
            turned = _conv(nn.ConvTranspose2d, after, before, kernel, stride, output_padding=rest)
            decoder += [turned, nn.SiLU()]
        encoder += [nn.Flatten(), *_dense(nn, widths)]
        return nn.Sequential(*encoder), nn.Sequential(*decoder[:-1])


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
            body.append(
                _conv(nn.Conv2d, before[0], after[0], kernel, stride)
                if first
                else _conv(nn.Conv2d, before[0], after[0], 3, 1)
            )
            body += [nn.BatchNorm2d(after[0], dtype=_single()), nn.SiLU()]
            if not first:
                body.append(nn.MaxPool2d(stride))
            shape = after
        if layout.channels:
            body.append(nn.Flatten())
        body += [*_dense(nn, [math.prod(shape), *layout.hidden, layout.features]), nn.SiLU()]
        head = _dense(nn, [layout.features, layout.classes])
        return nn.Sequential(*body), nn.Sequential(*head)


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


def _conv(kind: Any, n_in: int, n_out: int, kernel: Any, stride: Any, **options: Any) -> Any:
    return kind(n_in, n_out, kernel, stride, padding=1, dtype=_single(), **options)


def _dense(nn: Any, widths: Sequence[int]) -> list[Any]:
    """Dense layers with SiLU between them."""
    layers: list[Any] = []
    for n_in, n_out in zip(widths[:-1], widths[1:], strict=True):
        layers += [nn.Linear(n_in, n_out, dtype=_single()), nn.SiLU()]
    return layers[:-1]


def _single() -> Any:
    # Named, because the user may have changed torch's default.
    import torch

    return torch.float32


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
