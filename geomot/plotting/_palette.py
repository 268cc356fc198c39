"""Colours: of classes, of grey images, of marks."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["BLUE", "GREY", "ORANGE", "TEN_COLOURS", "VERMILION", "spread_colours"]

FloatArray = NDArray[np.float64]

# Grey images: small values are black, large ones white, as in photographs and on screens.
GREY = "gray"

# From Okabe and Ito's palette.
BLUE, ORANGE, SKY, VERMILION = "#0072B2", "#E69F00", "#56B4E9", "#D55E00"

# Ten colours whose least distance in OKLab is 0.114 for usual vision and 0.122 or more without red,
# green or blue cones, found by search with those of Okabe and Ito given. Their own seven colours
# come as close as 0.076, Tol's ten "muted" ones 0.052, matplotlib's ten "tab" ones 0.007.
TEN_COLOURS = (
    BLUE,
    ORANGE,
    "#994466",
    SKY,
    "#553333",
    "#CCDD99",
    VERMILION,
    "#223388",
    "#33EEFF",
    "#AA8899",
)

# Levels of each channel among which colours are chosen.
_SRGB_LEVELS = 18

# Lightness of the colours, from 0 to 1: neither lost on white nor near black, which marks sites.
_LIGHTNESS = 0.38, 0.88

# What readers without green or red cones see, in linear RGB (Machado, Oliveira, Fernandes 2009).
_VISIONS = (
    np.eye(3),
    np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
)

# From linear RGB to OKLab (Ottosson 2020), where equal distances look equal.
_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


@cache
def spread_colours(first: tuple[str, ...], n: int) -> tuple[str, ...]:
    """Return n colours, the given ones first, each next one farthest from those before it.

    Distances are summed over usual vision and the two common kinds of colour blindness. The order
    does not depend on n.

    Parameters
    ----------
    first : tuple of str
        Hexadecimal colours to begin with.
    n : int
        How many colours, at least as many as are given.

    Returns
    -------
    tuple of str
        Hexadecimal colours.
    """
    steps = np.rint(np.linspace(0, 255, _SRGB_LEVELS))
    candidates = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    lightness = _seen(candidates)[0][:, 0]
    low, high = _LIGHTNESS
    candidates = candidates[(lightness > low) & (lightness < high)]
    looks = _seen(candidates)
    chosen = [tuple(int(colour[k : k + 2], 16) for k in (1, 3, 5)) for colour in first]
    distance = np.full(len(candidates), np.inf)
    for colour in chosen:
        distance = np.minimum(distance, _distances(looks, np.array(colour, float)))
    while len(chosen) < n:
        best = candidates[int(distance.argmax())]
        chosen.append(tuple(int(level) for level in best))
        distance = np.minimum(distance, _distances(looks, best))
    return tuple("#{:02X}{:02X}{:02X}".format(*colour) for colour in chosen[:n])


def _distances(looks: list[FloatArray], colour: FloatArray) -> FloatArray:
    seen = _seen(colour[None])
    return sum(
        (np.linalg.norm(a - b, axis=1) for a, b in zip(looks, seen, strict=True)),
        start=np.zeros(len(looks[0])),
    )


def _seen(colours: FloatArray) -> list[FloatArray]:
    """OKLab coordinates of colours (from 0 to 255) as each kind of vision sees them."""
    share = colours / 255.0
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return [
        np.cbrt(np.clip(linear @ vision.T, 0.0, None) @ _CONES.T) @ _LAB.T for vision in _VISIONS
    ]
