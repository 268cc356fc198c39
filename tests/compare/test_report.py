"""Tables of a comparison."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from models import Model, study

from geomot import compare


def test_the_whole_traceback_of_a_failure_is_kept(tmp_path):
    def inner(seed):
        raise KeyError(f"seed {seed} and \udc80")

    def failing(task):
        try:
            inner(task.seed)
        except KeyError as error:
            raise RuntimeError("no such\nluck") from error

    compare.register("Fails", version="1")(failing)
    report = compare.run([study("Fails", "TrainingData")], tmp_path, seeds=(0, 1))
    files = sorted(tmp_path.rglob("*.traceback.txt"))
    assert [f.name.startswith(f"Fails-seed{k}-") for k, f in enumerate(files)] == [True, True]
    assert len(report.tracebacks) == len(report.failures) == 2
    told = [entry["traceback"] for entry in json.loads(report.json())["failures"]]
    for seed, (text, file) in enumerate(zip(report.tracebacks, files, strict=True)):
        assert "in inner" in text
        assert "in failing" in text
        assert f"seed {seed} and" in text
        assert text.endswith("RuntimeError: no such\nluck\n")
        assert file.read_text(encoding="utf-8") == text
        assert told[seed] == text
    assert report.outcome("data", "Fails") == "failed 2/2: RuntimeError: no such luck"
    assert "Traceback" not in report.markdown() + report.csv()
    # it goes when the cell is made after all
    compare.register("Fails", version="1")(lambda task: Model())
    assert compare.run([study("Fails", "TrainingData")], tmp_path, seeds=(0, 1)).tracebacks == ()
    assert list(tmp_path.rglob("*.traceback.txt")) == []


def test_each_row_of_a_problem_that_cannot_be_made_has_its_traceback(tmp_path):
    def make(seed):
        raise ImportError("needs something")

    broken = replace(study("TrainingData", "BrenierMap", "ExtendedMap"), make=make)
    tracebacks = compare.run([broken], tmp_path).tracebacks
    assert len(tracebacks) == 3
    for text in tracebacks:
        assert text.count(", in make\n") == 1
        assert text.count(", in run\n") == 1


def test_tables_hold_means_and_spreads(tmp_path):
    report = compare.run([study("TrainingData", "ExtendedMap")], tmp_path, seeds=(0, 1, 2))
    values = [cell.metrics["w2"] for cell in report.cells_of("data", "ExtendedMap")]
    found = report.summary("data", "ExtendedMap", "w2")
    assert found.mean == pytest.approx(np.mean(values))
    assert found.deviation == pytest.approx(np.std(values, ddof=1))
    assert found.count == 3
    np.testing.assert_array_equal(report.values("data", "ExtendedMap", "w2"), values)

    written = report.save(tmp_path)
    assert {path.name for path in written} == {
        "table.md", "table.csv", "table.json", "data-points.png", "data-bars.png",
    }  # fmt: skip
    rows = list(csv.DictReader(io.StringIO((tmp_path / "table.csv").read_text())))
    assert [float(r["w2"]) for r in rows if r["method"] == "ExtendedMap"] == values
    whole = json.loads((tmp_path / "table.json").read_text(), parse_constant=pytest.fail)
    (row,) = (r for r in whole["rows"] if r["method"] == "ExtendedMap")
    assert row["metrics"]["w2"] == {
        "mean": pytest.approx(found.mean), "std": pytest.approx(found.deviation), "seeds": 3,
    }  # fmt: skip
    assert whole["budget"]["threads"] == 1
    text = (tmp_path / "table.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1
    assert f"{found.mean:.3g} ± {found.deviation:.2g}" in text
    # Training data are no training.
    assert lines[2].split("|")[1].strip() == "TrainingData"
    assert report.summary("data", "TrainingData", "seconds").count == 0


@pytest.mark.parametrize(
    ("mean", "deviation", "text"),
    [(776.4, 912.3, "776 ± 912"), (99.9, 99.7, "99.9 ± 100"), (1.5e7, 2e6, "1.5e+07 ± 2e+06")],
)
def test_numbers_have_exponents_only_where_they_must(mean, deviation, text):
    from geomot.compare._report import Summary, _shown

    assert _shown(Summary(mean, deviation, 3), 3) == text
    # with how many seeds where others have none
    assert _shown(Summary(mean, deviation, 3), 4) == f"{text} (3/4 seeds)"
