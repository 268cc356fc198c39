"""Numbers hi + lo."""

from __future__ import annotations

import numpy as np

from geomot import _double_double


def test_pairs_keep_twice_the_precision():
    x = (np.array([1.0]), np.array([2.0**-60]))
    hi, lo = _double_double.add(x, np.array([2.0**-100]))
    assert (hi[0], lo[0]) == (1.0, 2.0**-60 + 2.0**-100)
    hi, lo = _double_double.mix(x, (np.array([3.0]), np.array([0.0])), 0.5)
    assert hi[0] == 2.0
    assert lo[0] == 2.0**-61
