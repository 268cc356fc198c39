"""Methods by name, and versions of them."""

from __future__ import annotations

import functools
import json
import re
import runpy
from dataclasses import replace
from pathlib import Path

import pytest
from models import Model, counting, study

from geomot import compare
from geomot.compare._methods import method_of

ROOT = Path(__file__).resolve().parents[2]


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


def test_references_need_no_training(tmp_path):
    report = compare.run([study("SMOTE", "GaussianMixture")], tmp_path, max_steps=1)
    for name in ("SMOTE", "GaussianMixture"):
        assert report.outcome("data", name) == "done"
        assert report.summary("data", name, "seconds").mean > 0.0
        # neither copies nor far from the data
        assert 0.0 < report.summary("data", name, "novelty").mean < 3.0
