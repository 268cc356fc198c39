"""Grids of images."""

from __future__ import annotations

import numpy as np
import pytest

from geomot import plotting

pytestmark = pytest.mark.filterwarnings("error")


def test_image_grid_places_each_image():
    images = np.arange(5.0)[:, None, None] * np.ones((5, 2, 3))
    ax = plotting.image_grid(images, columns=3, row_labels=["first", "second"]).axes
    canvas = ax.images[0].get_array()
    assert canvas.shape == (2 * 3 - 1, 3 * 4 - 1)
    assert (canvas[:2, 4:7] == 1).all()
    assert (canvas[3:, 4:7] == 4).all()
    assert canvas.mask[2].all()
    assert canvas.mask[3:, 8:].all()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["first", "second"]


def test_image_grid_in_colour():
    images = np.zeros((3, 4, 2, 3))
    images[0, 0], images[1, 2], images[:, 3] = 2.0, 1.0, 5.0
    ax = plotting.image_grid(images, columns=2, vmin=0.0, vmax=2.0).axes
    canvas = ax.images[0].get_array()
    assert canvas.shape == (2 * 3 - 1, 2 * 4 - 1, 3)
    np.testing.assert_array_equal(canvas[0, 0], [1.0, 0.0, 0.0])
    np.testing.assert_array_equal(canvas[0, 4], [0.0, 0.0, 0.5])
    # between images, and where there is none
    assert canvas[2, 0].min() > 0.8
    assert canvas[4, 5].min() > 0.8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": np.zeros((2, 5))}, "shape must be given for .* got 5 pixels"),
        ({"images": np.zeros((2, 6)), "shape": (2, 2)}, "shape must be"),
        ({"images": np.zeros((0, 2, 2))}, "images must have shape"),
        ({"images": np.zeros(4)}, "images must have shape"),
        ({"images": np.zeros((2, 2, 4, 4))}, "images must have 1, 3 or 4 channels, got 2"),
        ({"images": np.zeros((4, 2, 2)), "row_labels": ["one"]}, "row_labels must have 2"),
        ({"images": np.zeros((4, 2, 2)), "columns": 0}, "columns must be at least 1"),
    ],
)
def test_image_grid_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        plotting.image_grid(**arguments)
