"""Comparisons: failures stop nothing, seeds reproduce, time left is told."""

from __future__ import annotations

import csv
import io
import math
import re
import subprocess
import sys
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from models import Model, counting, points, study

from geomot import compare, datasets
from geomot.compare import _methods
from geomot.compare._harness import _Bar
from geomot.compare._measures import MEASURES
from geomot.compare._methods import method_of
from geomot.compare._study import Problem, Task

needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="needs torch")


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
