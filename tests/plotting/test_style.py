"""The style, and the ten colours."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from geomot import plotting

pytestmark = pytest.mark.filterwarnings("error")

# What readers without red, green or blue cones see, in linear RGB (Machado et al. 2009).
VISIONS = {
    "usual": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def least_distance(colours, vision):
    """Least distance in OKLab (Ottosson 2020)."""
    rgb = np.array([mpl.colors.to_rgb(colour) for colour in colours])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    cones = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    to_lab = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    seen = np.clip(linear @ np.transpose(VISIONS[vision]), 0.0, None)
    lab = np.cbrt(seen @ cones.T) @ to_lab.T
    apart = np.linalg.norm(lab[:, None] - lab, axis=2)
    return apart[np.triu_indices(len(lab), 1)].min()


@pytest.mark.parametrize("vision", VISIONS)
def test_ten_colours_differ_with_any_cones(vision):
    # Matplotlib's own ten are 0.007 apart for two kinds of vision.
    assert least_distance(plotting.class_colors(10), vision) > 0.11


def test_a_class_keeps_its_colour():
    for n in (2, 5, 10, 20):
        assert plotting.class_colors(n) == plotting.class_colors(40)[:n]


def test_style_is_a_context_and_a_dictionary():
    before = dict(mpl.rcParams)
    with plotting.style(width=3.3) as rc:
        assert plt.figure().get_size_inches() == pytest.approx([3.3, 2.475])
        assert mpl.rcParams["image.cmap"] == "gray"
    assert dict(mpl.rcParams) == before
    with mpl.rc_context():
        plt.style.use(plotting.style())
        assert mpl.rcParams["axes.spines.top"] is False
        assert mpl.rcParams["figure.figsize"] == before["figure.figsize"]
    assert dict(mpl.rcParams) == before
    assert rc == plotting.style(3.3)


def test_style_leaves_fonts_and_backgrounds_to_the_user():
    with mpl.rc_context({"font.family": "serif", "font.size": 8.0}), plotting.style():
        ax = plt.subplots()[1]
        assert ax.set_title("t").get_fontfamily() == ["serif"]
        assert ax.title.get_fontsize() == 8.0
    with plt.style.context("dark_background"), plotting.style():
        figure, ax = plt.subplots()
        assert mpl.colors.to_rgb(figure.get_facecolor()) == (0.0, 0.0, 0.0)
        assert mpl.colors.to_rgb(ax.xaxis.label.get_color()) == (1.0, 1.0, 1.0)


def test_style_refuses_bad_widths():
    with pytest.raises(ValueError, match="width must be positive"):
        plotting.style(width=0.0)
    with pytest.raises(TypeError, match="width must be a positive number"):
        plotting.style(width="wide")
