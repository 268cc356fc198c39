"""Boxes."""

from __future__ import annotations

import numpy as np
import pytest

from geomot import UniformBox

pytestmark = pytest.mark.usefixtures("silent")


def test_box():
    box = UniformBox([0, 1], [2, 2])
    assert (box.dim, box.area, box.volume) == (2, 2.0, 2.0)
    assert box.polygon.tolist() == [[0, 1], [2, 1], [2, 2], [0, 2]]
    assert box.exact and UniformBox.unit(3).exact and not UniformBox.unit(4).exact
    assert UniformBox.unit(3).volume == 1.0
    assert repr(box) == "UniformBox([0.0, 1.0], [2.0, 2.0])"
    for name in ("area", "polygon"):
        with pytest.raises(ValueError, match=f"{name} is defined in 2 dimensions"):
            getattr(UniformBox.unit(3), name)
    assert UniformBox(np.zeros(2000), np.full(2000, 0.1)).dim == 2000


@pytest.mark.parametrize(
    ("lower", "upper", "words"),
    [
        ([0, 0], [1, 0], "upper must exceed lower .* coordinate 1"),
        ([0, 0], [-1, 1], "upper must exceed lower .* coordinate 0"),
        ([0, np.nan], [1, 1], "lower must be finite"),
        ([0, 0], [1, np.inf], "upper must be finite"),
        ([0, 0], [1, 1, 1], r"upper must have shape \(2,\)"),
        (0, 1, r"lower must have shape \(d,\)"),
        ([], [], r"lower must have shape \(d,\)"),
        ([0, 0], [1e-200, 1e-200], "upper must enclose an area"),
    ],
)
def test_box_refused(lower, upper, words):
    with pytest.raises(ValueError, match=words):
        UniformBox(lower, upper)
