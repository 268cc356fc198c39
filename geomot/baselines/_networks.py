"""The networks of the baselines, their initial weights, and derivatives of scalar networks.

A network is made of torch's own modules only, so that it can be copied and pickled as it is;
`evaluate` knows how to run the three kinds that are more than a sequence. Networks work on tensors
of shape (m, d) or (m, c, h, w); times enter as one more feature.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from geomot.latent._layers import activation_layer, dense

__all__ = [
    "Field",
    "automatic_channels",
    "evaluate",
    "gradient",
    "squared_slopes",
    "initialise",
    "residual_fields",
    "scalar",
    "squared_distances",
    "velocity",
]

# Images are halved until neither side is longer, or little longer where halves are rounded up.
_COARSEST_IMAGE = 4

# Added to squared slopes, as a root of zero has no derivative; float32 does not feel it otherwise.
LEAST_SLOPE = 1e-30

# Channels after the first halving, doubled by each further one up to the limit.
_FIRST_CHANNELS = 32
_MOST_CHANNELS = 256

# Frequencies of the sines and cosines through which a U-net sees the time.
_FREQUENCIES = 8


def automatic_channels(shape: Sequence[int]) -> tuple[int, ...]:
    """Channels of the convolutions for images (c, h, w): one halving at least."""
    side = max(shape[1:])
    channels = [_FIRST_CHANNELS]
    while (side := side // 2) > _COARSEST_IMAGE:
        channels.append(min(2 * channels[-1], _MOST_CHANNELS))
    return tuple(channels)


def scalar(
    shape: Sequence[int],
    hidden: Sequence[int],
    channels: Sequence[int],
    activation: str,
    *,
    timed: bool,
    kernel: int = 7,
) -> Any:
    """Network from data, and a time if `timed`, to one number; for images with max pooling."""
    from torch import nn

    if len(shape) == 1:
        return dense(shape[0] + timed, hidden, 1, activation)
    layers: list[Any] = []
    before, h, w = shape
    for after in channels:
        layers += [
            nn.Conv2d(before, after, kernel, padding=kernel // 2),
            activation_layer(activation),
            nn.MaxPool2d(2, ceil_mode=True),
        ]
        before, h, w = after, (h + 1) // 2, (w + 1) // 2
    head = dense(before * h * w + timed, hidden, 1, activation)
    return nn.ModuleDict({"features": nn.Sequential(*layers, nn.Flatten()), "head": head})


def velocity(
    shape: Sequence[int], hidden: Sequence[int], channels: Sequence[int], activation: str
) -> Any:
    """Network from data and a time to a velocity of the data's shape; for images a U-net."""
    from torch import nn

    if len(shape) == 1:
        return dense(shape[0] + 1, hidden, shape[0], activation)
    widths = [channels[0], *channels]
    clock = 4 * channels[0]
    pairs = list(zip(widths[:-1], widths[1:], strict=True))
    return nn.ModuleDict(
        {
            "clock": dense(2 * _FREQUENCIES, (clock,), clock, activation),
            "act": activation_layer(activation),
            "first": nn.Conv2d(shape[0], widths[0], 3, padding=1),
            "down": nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairs),
            "down_shift": nn.ModuleList(nn.Linear(clock, b) for _, b in pairs),
            "middle": nn.Conv2d(widths[-1], widths[-1], 3, padding=1),
            "up": nn.ModuleList(nn.Conv2d(b + a, a, 3, padding=1) for a, b in pairs[::-1]),
            "up_shift": nn.ModuleList(nn.Linear(clock, a) for a, _ in pairs[::-1]),
            "last": nn.Conv2d(widths[0], shape[0], 3, padding=1),
        }
    )


def residual_fields(
    shape: Sequence[int], layers: int, width: int, channels: Sequence[int], activation: str
) -> Any:
    """One field with one hidden layer for each step of a residual network."""
    from torch import nn

    def field() -> Any:
        if len(shape) == 1:
            return dense(shape[0], (width,), shape[0], activation)
        return nn.Sequential(
            nn.Conv2d(shape[0], channels[0], 3, padding=1),
            activation_layer(activation),
            nn.Conv2d(channels[0], shape[0], 3, padding=1),
        )

    return nn.ModuleList(field() for _ in range(layers))


def evaluate(network: Any, x: Any, t: Any = None) -> Any:
    """Run a network of this module.

    Parameters
    ----------
    network : torch.nn.Module
        From here, or from `geomot.latent._layers`.
    x : torch.Tensor of shape (m, ...)
        Points.
    t : torch.Tensor of shape (m,), optional
        Their times, for networks that take one.

    Returns
    -------
    torch.Tensor of shape (m, ...)
    """
    import torch

    if not isinstance(network, torch.nn.ModuleDict):
        return network(x if t is None else torch.cat([x, t[:, None]], 1))
    if "features" in network:
        return evaluate(network["head"], network["features"](x), t)
    return _unet(network, x, t)


def _unet(network: Any, x: Any, t: Any) -> Any:
    import torch
    from torch.nn.functional import interpolate

    angles = t[:, None] * (
        math.pi * 2.0 ** torch.arange(_FREQUENCIES, device=t.device, dtype=t.dtype)
    )
    act = network["act"]
    clock = act(network["clock"](torch.cat([angles.sin(), angles.cos()], 1)))
    levels = [act(network["first"](x))]
    for layer, shift in zip(network["down"], network["down_shift"], strict=True):
        levels.append(act(layer(levels[-1]) + shift(clock)[:, :, None, None]))
    y = act(network["middle"](levels.pop()))
    for layer, shift in zip(network["up"], network["up_shift"], strict=True):
        skip = levels.pop()
        y = torch.cat([interpolate(y, size=skip.shape[2:], mode="nearest"), skip], 1)
        y = act(layer(y) + shift(clock)[:, :, None, None])
    return network["last"](y)


class Field:
    """A scalar network as a function of points, or of points and times.

    `gradient` knows the chain rule of what `scalar` makes: torch's own spends most of the time of a
    flow on the bookkeeping of derivatives of derivatives, or on slow convolutions.

    Parameters
    ----------
    network : torch.nn.Module
        What `scalar` returned.
    """

    def __init__(self, network: Any) -> None:
        from torch import nn

        self._network = network
        dense = isinstance(network, nn.Sequential)
        self._features = [] if dense else [*network["features"]]
        self._head = [*(network if dense else network["head"])]

    def __call__(self, x: Any, t: Any = None) -> Any:
        return evaluate(self._network, x, t)

    def gradient(self, x: Any, t: Any = None) -> list[Any]:
        """Gradients by the chain rule written out, to be differentiated where torch records."""
        import torch

        *hidden, last = self._head
        y, backs = _forward(self._features, x)
        width = y.shape[1]
        y, more = _forward(hidden, y if t is None else torch.cat([y, t[:, None]], 1))
        grad = last.weight.expand(len(x), -1)
        for back in more[::-1]:
            grad = back(grad)
        rate = grad[:, width:]
        grad = grad[:, :width]
        for back in backs[::-1]:
            grad = back(grad)
        return [grad] if t is None else [grad, rate[:, 0]]


def _forward(layers: Sequence[Any], y: Any) -> tuple[Any, list[Callable[[Any], Any]]]:
    """Run layers; also what takes gradients back through each, in the order of the layers."""
    backs = []
    for layer in layers:
        y, back = _run(layer, y)
        backs.append(back)
    return y, backs


def _run(layer: Any, z: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Run a layer; also what takes the gradient after it to the gradient before it.

    Torch's own rules where they can be differentiated: one pass over the numbers each.
    """
    import torch
    from torch import nn
    from torch.nn import functional

    rules = torch.ops.aten
    if isinstance(layer, nn.MaxPool2d):
        size: Any = [layer.kernel_size] * 2
        y, chosen = functional.max_pool2d(z, size, ceil_mode=layer.ceil_mode, return_indices=True)
        options = (size, size, [0, 0], [1, 1], layer.ceil_mode, chosen)
        return y, lambda grad: rules.max_pool2d_with_indices_backward(grad, z, *options)
    y = layer(z)
    if isinstance(layer, nn.Linear):
        return y, lambda grad: grad @ layer.weight
    if isinstance(layer, nn.Conv2d):
        # All kernels here are odd. For few channels convolutions, and more so their derivatives,
        # are slower than for eight.
        mirrored, more = layer.weight.flip(2, 3).transpose(0, 1), max(0, 8 - layer.in_channels)
        mirrored = functional.pad(mirrored, (0, 0, 0, 0, 0, 0, 0, more))
        channels = slice(layer.in_channels)
        return y, lambda grad: functional.conv2d(grad, mirrored, padding=layer.padding)[:, channels]
    if isinstance(layer, nn.Flatten):
        return y, lambda grad: grad.reshape(z.shape)
    if isinstance(layer, nn.Tanh):
        return y, lambda grad: rules.tanh_backward(grad, y)
    if isinstance(layer, nn.ReLU):
        return y, lambda grad: rules.threshold_backward(grad, z, 0.0)
    if isinstance(layer, nn.LeakyReLU):
        return y, lambda grad: rules.leaky_relu_backward(grad, z, layer.negative_slope, False)
    if isinstance(layer, nn.Softplus):
        return y, lambda grad: rules.softplus_backward(grad, z, layer.beta, layer.threshold)
    # SiLU, whose own rule torch does not differentiate.
    share = z.sigmoid()
    return y, lambda grad: grad * (share + y * (1.0 - share))


def gradient(function: Callable[..., Any], *points: Any, create_graph: bool = False) -> list[Any]:
    """Gradients of a function of single points, at every point.

    Parameters
    ----------
    function : callable
        Maps tensors of m rows each to m numbers, row by row.
    *points : torch.Tensor of shape (m, ...)
        Where, argument by argument.
    create_graph : bool, default False
        Whether the gradients are to be differentiated further.

    Returns
    -------
    list of torch.Tensor
        One for each argument, of its shape.
    """
    import torch

    if isinstance(function, Field):
        with torch.set_grad_enabled(create_graph):
            return function.gradient(*points)
    with torch.enable_grad():
        inputs = [p if p.requires_grad else p.detach().requires_grad_() for p in points]
        value = function(*inputs).sum()
        grads = torch.autograd.grad(value, inputs, create_graph=create_graph, allow_unused=True)
    # An argument that the function ignores has gradient zero.
    return [torch.zeros_like(p) if g is None else g for g, p in zip(grads, inputs, strict=True)]


def squared_slopes(function: Callable[..., Any], points: Any) -> Any:
    """Squared norm of the gradient at each point, which can be differentiated; shape (m,)."""
    (grad,) = gradient(function, points, create_graph=True)
    return grad.flatten(1).square().sum(1)


def initialise(network: Any, rng: np.random.Generator, kind: str = "uniform") -> None:
    """Draw initial weights from numpy's generator, on the CPU.

    Parameters
    ----------
    network : torch.nn.Module
        Its linear and convolutional layers are filled in order.
    rng : numpy.random.Generator
        The randomness; torch's global generator is not used.
    kind : {"uniform", "glorot"}
        "uniform": weights and biases in +-1/sqrt(inputs), torch's own rule. "glorot": normal
        weights of variance 2 / (inputs + outputs), and biases zero.
    """
    import torch

    kinds = (torch.nn.Linear, torch.nn.Conv2d, torch.nn.ConvTranspose2d)
    with torch.no_grad():
        for layer in network.modules():
            if not isinstance(layer, kinds):
                continue
            shape = tuple(layer.weight.shape)
            inputs, outputs = math.prod(shape[1:]), shape[0] * math.prod(shape[2:])
            if isinstance(layer, torch.nn.ConvTranspose2d):
                # A step by more than one pixel leaves that many fewer inputs to each output.
                inputs, outputs = outputs // math.prod(layer.stride), inputs
            if kind == "glorot":
                weight = math.sqrt(2.0 / (inputs + outputs)) * rng.standard_normal(shape)
            else:
                weight = rng.uniform(-(inputs**-0.5), inputs**-0.5, shape)
            layer.weight.copy_(torch.as_tensor(weight))
            if layer.bias is None:
                continue
            size = tuple(layer.bias.shape)
            zero = kind == "glorot"
            bias = np.zeros(size) if zero else rng.uniform(-(inputs**-0.5), inputs**-0.5, size)
            layer.bias.copy_(torch.as_tensor(bias))


def squared_distances(a: Any, b: Any) -> Any:
    """Squared distances between the rows of two tensors, with a matrix product.

    Parameters
    ----------
    a : torch.Tensor of shape (m, ...)
    b : torch.Tensor of shape (n, ...)

    Returns
    -------
    torch.Tensor of shape (m, n)
        In the precision of `a`, but for 1e-15 of the squared extent of the points.
    """
    # In float32 the product would lose what is small beside the extent: whole gradients, where
    # distances are divided by a width that is small.
    x, y = a.flatten(1).double(), b.flatten(1).double()
    centre = y.detach().mean(0)
    x, y = x - centre, y - centre
    squares = x.square().sum(1)[:, None] + y.square().sum(1) - 2.0 * (x @ y.T)
    return squares.clamp(min=0.0).to(a.dtype)
