"""Cells of a comparison: made once, told apart by settings, made again where damaged."""

from __future__ import annotations

import numpy as np
import pytest
from models import counting, points, study

from geomot import compare
from geomot.compare._cells import read_cell


def test_finished_cells_are_not_made_again(tmp_path, silent):
    calls = counting()
    first = compare.run([study("Counted", "TrainingData")], tmp_path, seeds=(0, 1))
    assert calls == [0, 1]
    again = compare.run([study("Counted", "TrainingData")], tmp_path, seeds=(0, 1, 2))
    assert calls == [0, 1, 2]
    for old, new in zip(first.cells_of("data"), again.cells_of("data"), strict=False):
        assert old.label == new.label or old.seed <= new.seed
    for seed in (0, 1):
        old, new = (
            next(c for c in r.cells_of("data", "Counted") if c.seed == seed) for r in (first, again)
        )
        assert dict(old.metrics) == dict(new.metrics)
    assert len(list(tmp_path.glob("cells/data/*.npz"))) == 6
    assert not list(tmp_path.rglob("*.partial"))


@pytest.mark.parametrize("change", ["budget", "samples", "options", "data"])
def test_other_settings_make_other_cells(tmp_path, change):
    calls = counting()
    compare.run([study("Counted")], tmp_path)
    budget = {"max_steps": 7} if change == "budget" else {}
    if change == "samples":
        other = study("Counted", samples=31)
    elif change == "options":
        other = study("Counted", options={"Counted": {"rate": 0.1}})
    elif change == "data":
        other = compare.study_of(points() + 1.0, methods=["Counted"], samples=30)
    else:
        other = study("Counted")
    compare.run([other], tmp_path, **budget)
    assert calls == [0, 0]
    compare.run([study("Counted")], tmp_path)
    assert calls == [0, 0]


def test_damaged_cell_is_made_again(tmp_path):
    calls = counting()
    compare.run([study("Counted")], tmp_path)
    (path,) = tmp_path.glob("cells/data/*.npz")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match="a finished cell"):
        read_cell(path)
    compare.run([study("Counted")], tmp_path)
    assert calls == [0, 0]
    assert read_cell(path).label == "Counted"


def test_objects_among_options_share_no_cell(tmp_path):
    from geomot.sources import UniformBox

    source = UniformBox(np.zeros(2), np.ones(2))
    one = study("GAN", options={"GAN": {"source": source}})
    with pytest.raises(TypeError, match="UniformBox"):
        compare.run([one], tmp_path)
