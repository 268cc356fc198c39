"""A small run of the differential fuzz; `fuzz_diagram.py` itself runs as many as one likes."""

from __future__ import annotations

import pytest
from fuzz_diagram import configuration, run


@pytest.mark.parametrize("part", range(4))
def test_diagram_agrees_with_the_oracle(part):
    lines = []
    wrong, degenerate = run(500, 2, start=500 * part, report=lines.append)
    assert wrong == 0, "\n".join(lines)
    assert degenerate > 50


def test_configurations_can_be_repeated():
    for k in range(20):
        one, two = configuration(0, k), configuration(0, k)
        assert one[0] == two[0]
        assert all(a.tobytes() == b.tobytes() for a, b in zip(one[1:], two[1:], strict=True))
