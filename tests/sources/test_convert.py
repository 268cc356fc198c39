"""From what users pass to a source."""

from __future__ import annotations

import numpy as np
import pytest

from geomot import Samples, UniformBox, UniformPolygon
from geomot.sources import as_source, convex_polygon

pytestmark = pytest.mark.usefixtures("silent")
SQ = [(0, 0), (1, 0), (1, 1), (0, 1)]


def test_as_source():
    assert as_source(None, 2) == UniformBox([0, 0], [1, 1])
    assert as_source(None, 3) == UniformBox.unit(3)
    assert as_source(SQ, 2) == UniformPolygon(SQ)
    box = UniformBox.unit(2)
    assert as_source(box, 2) is box
    for bad, error, words in [
        (UniformBox.unit(3), ValueError, "dimension 2, got 3"),
        ([(0, 0), (1, 1), (1, 0), (0, 1)], ValueError, "valid domain: vertices"),
        ("square", TypeError, "vertices must hold real numbers"),
        (np.array(SQ, complex), TypeError, "vertices"),
    ]:
        with pytest.raises(error, match=f"domain must .*{words}"):
            as_source(bad, 2, "domain")


def test_convex_polygon():
    assert convex_polygon(UniformPolygon(SQ)).vertices.tolist() == np.array(SQ).tolist()
    for bad, words in (
        (UniformBox.unit(3), "must be on the line or in the plane"),
        (Samples(np.eye(2)), "must be a UniformBox, UniformPolygon, GridDensity or Gaussian"),
        (UniformBox.unit(1), "must have a domain of 2 dimensions"),
    ):
        with pytest.raises(ValueError, match=f"source {words}"):
            convex_polygon(bad)
