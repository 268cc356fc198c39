"""From what users pass to a source."""

from __future__ import annotations

import numpy as np
import pytest

import geomot
from geomot import Samples, UniformBox, UniformPolygon
from geomot.sources import as_source, exact_domain, require_exact
from geomot.sources.base import KINDS

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


def test_exact_domain():
    assert exact_domain(UniformPolygon(SQ)).vertices.tolist() == np.array(SQ).tolist()
    for bad, words in (
        (UniformBox.unit(4), "must have at most 3 dimensions"),
        (Samples(np.eye(2)), "must be .* in the plane, .* for exact diagrams, got Samples"),
        (UniformBox.unit(1), "must have a domain of 2 or 3 dimensions"),
    ):
        with pytest.raises(ValueError, match=f"source {words}"):
            exact_domain(bad)


def test_refusals_name_the_kinds_that_are_exact_in_the_plane():
    with pytest.raises(ValueError, match="source must be a ") as refused:
        require_exact(Samples(np.eye(2)))
    named = str(refused.value).partition(" in the plane")[0]
    for name, kind in KINDS.items():
        assert (name in named) == (2 in kind.exact_dims and name != "Mixture")
    assert {"UniformBox", "UniformPolygon", "GridDensity"} <= set(named.replace(",", "").split())


@pytest.mark.parametrize("number", [100, 2.5, True, np.int64(3)])
def test_a_number_is_not_a_source(number):
    with pytest.raises(TypeError, match="source must be a source measure or the vertices"):
        geomot.quantize(number, 10)
