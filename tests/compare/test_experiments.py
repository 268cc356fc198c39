"""The experiments of the papers."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from geomot import compare, datasets

needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="needs torch")


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


@pytest.mark.parametrize("data", [datasets.embedded_moons, datasets.pinwheel])
def test_embedded_data(data):
    plane, space = (data(200, dim, random_state=3) for dim in (2, 7))
    np.testing.assert_array_equal(space[:, :2], plane)
    assert not space[:, 2:].any()
    assert not np.array_equal(data(200, 2, random_state=4), plane)
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
